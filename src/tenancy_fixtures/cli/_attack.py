"""What ``tenancy doctor --attack`` shows to a person."""

from typing import TYPE_CHECKING

from . import _output
from ._output import counted
from ._work import in_words

if TYPE_CHECKING:
    from ..doctor import AttackReport

_TRIES = "What it tries"


def list_probes(*, as_json: bool) -> None:
    """Every probe, with what it tries."""
    from .._attack._matrix import PROBES

    if as_json:
        for probe in PROBES:
            facts = {"probe": probe.name, "class": probe.attack_class, "about": probe.about, "isolations": list(probe.isolations)}
            _output.emit(facts)
        return
    _output.table(("Class", "Probe", _TRIES), [(probe.attack_class.upper(), probe.name, probe.about) for probe in PROBES])
    _output.note(f"{counted(len(PROBES), 'probe')}. Nothing was tried.")


def show_attack(report: "AttackReport") -> None:
    """What became of every probe, and at the end what crossed in each isolation."""
    rows = [(item.isolation, item.attack_class.upper(), item.probe, item.result, item.sign or item.error, item.about) for item in report.outcomes]
    _output.table(("Isolation", "Class", "Probe", "Result", "By", _TRIES), rows)
    for isolation in report.isolations:
        leaked, is_open = report.crossed(isolation, "a"), report.crossed(isolation, "b")
        tried = [counted(len(report.of(isolation, name)), "probe") for name in ("a", "b")]
        _output.say(f"\n{isolation} isolation")
        _output.say(f"  class A, ordinary statements: {tried[0]}, {counted(len(leaked), 'leak')}{_named(leaked)}")
        _output.say(f"  class B, any SQL at all: {tried[1]}, {counted(len(is_open), 'open path')}{_named(is_open)}")
    for name in report.removed:
        _output.note(f"Dropped {name}, which an attack had left.")


def _named(probes: tuple[str, ...]) -> str:
    return f": {in_words(probes)}" if probes else ""
