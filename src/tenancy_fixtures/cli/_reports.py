"""Reports of runs and validations as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from . import _output
from ._output import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._drift import Standing
    from .._shapes import DatasetReport, RunReport, ValidationReport

# Where a load took longer than this many seconds, somebody will want to know what took the time.
LONG_LOAD: Final = 5.0

_LISTED: Final = 8  # files that one line names
_WRITTEN: Final = ("inserted", "updated", "deleted")
_FATES: Final = ("read", "stored", "duplicates", "rejects", "left_out")
_SUMS: Final = (*_FATES, "lost")


def sums(report: RunReport) -> dict[str, int]:
    """What became of the records, over all datasets of a run; and the rows, of which a record may make several."""
    rows = {name: sum(getattr(table, name) for item in report.datasets if not item.skipped for table in item.tables) for name in _WRITTEN}
    return {**{name: sum(getattr(item, name) for item in report.datasets) for name in _SUMS}, "written": report.written, **rows}


def show_steps(report: RunReport) -> None:
    """Say what a dry run would do."""
    if not report.steps:
        _output.say(f"{report.tenant_id}: nothing to do.")
        return
    _output.say(f"{report.tenant_id}: would")
    for step in report.steps:
        detail = ", ".join(f"{name} {_words(value)}" for name, value in step.detail.items())
        _output.say(f"  {step.action} {step.object}{f' ({detail})' if detail else ''}")


def show_standing(standing: Standing) -> None:
    """Say where a tenant stands, and each object that is not as its pack makes it, as both have it."""
    place = f"at revision {standing.revision} of {standing.head}"
    count = len(standing.differences) + len(standing.faults)
    drift = f", {counted(count, 'difference')}" if count else ""
    _output.say(f"{standing.tenant_id}: {'behind, ' if standing.is_behind else ''}{place}{drift}")
    for item in standing.differences:
        _output.say(f"  {item}")
        if item.expected is not None and item.found is not None:
            _output.say(f"    pack: {' '.join(item.expected.split())}")
            _output.say(f"    here: {' '.join(item.found.split())}")
    for fault in standing.faults:
        _output.say(f"  {fault}")


def show_load(report: RunReport, *, phases: bool = False) -> None:
    """Say what a load did: each dataset, what was left out, the phases where they are asked for or took long, the sum."""
    # Few datasets remove rows: a column of zeros would only make others wonder.
    kinds = _WRITTEN if sums(report)["deleted"] else _WRITTEN[:2]
    # Likewise, few have records that wait for rows of others.
    fates = _FATES if sums(report)["left_out"] else _FATES[:-1]
    columns = ("Dataset", *(name.capitalize().replace("_", " ") for name in (*fates, *kinds)))
    _output.table(columns, [_dataset_row(item, fates, kinds) for item in report.datasets])
    same = [item.dataset for item in report.datasets if item.skipped]
    if same:
        _output.say(f"Same content as before, no work: {', '.join(same)}.")
    show_left_out(report)
    show_passed_over(report)
    if phases or report.seconds > LONG_LOAD:
        _show_phases(report)
    _output.say(f"{report.tenant_id}: {counted(report.written, 'row')} written in {report.seconds:.2f} s.")


def show_left_out(report: RunReport) -> None:
    """Say what was guessed of the sources, and what of them is not loaded: columns that no target reads, and rejects."""
    noted: dict[str, list[str]] = {}
    for item in report.datasets:
        for note in item.notes if not item.skipped else ():
            noted.setdefault(note, []).append(item.dataset)
    # Several datasets may read one file, and say the same of it.
    for note, datasets in noted.items():
        _output.say(f"Note on {', '.join(datasets)}: {note}.")
    for item in report.datasets:
        if item.ignored_columns and not item.skipped:
            _output.say(f"Ignored columns of {item.dataset}, which no target reads: {', '.join(item.ignored_columns)}.")
    _output.show_rejects([item for dataset in report.datasets for item in dataset.listed_rejects], sum(item.rejects for item in report.datasets))


def show_passed_over(report: RunReport) -> None:
    """Say of which files nothing was loaded, and why."""
    reasons: dict[str, list[str]] = {}
    for step in report.steps:
        if step.action == "skip" and "reason" in step.detail:
            reasons.setdefault(step.detail["reason"], []).append(step.object)
    for reason, names in reasons.items():
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        _output.say(f"Nothing is loaded of {', '.join(names[:_LISTED])}{more}: {reason}.")


def show_not_fetched(report: RunReport) -> None:
    """Say what a web API did not have, though it was asked for."""
    for step in report.steps:
        if step.action == "fetch" and step.detail.get("unknown"):
            _output.note(f"Unknown to {step.object}, and not loaded: {', '.join(step.detail['unknown'])}.")
        if step.action == "fetch" and step.detail.get("short"):
            _output.note(f"Fewer items than {step.object} tells of: {', '.join(step.detail['short'])}.")


def _show_phases(report: RunReport) -> None:
    rows = [(item.name, item.seconds, item.records or None, item.bytes / 1e6 if item.bytes else None, item.rate or None) for item in report.phases]
    _output.table(("Phase", "Seconds", "Records", "MB", "Records/s"), rows)


def show_validation(report: ValidationReport) -> None:
    """Say what a validation saw."""
    kinds = (("error", "error"), ("warning", "warning"), ("info", "remark"))
    found = ", ".join(counted(len(report.of(severity)), noun) for severity, noun in kinds if report.of(severity)) or "all well"
    health = f", health {report.score} of 100" if report.findings else ""
    _output.say(f"{report.subject}: {counted(report.checks, 'check')}, {found}{health}, {report.seconds:.2f} s")
    keys = any(item.keys for item in report.findings)
    _output.table(
        ("Severity", "Rule", "Where", "What", "Count", *(("Keys",) if keys else ())),
        [(item.severity, item.rule, item.object, item.message, item.count, *(("; ".join(item.keys),) if keys else ())) for item in report.findings],
    )


def show_repair(report: RunReport) -> None:
    """Say what a repair did, or would do, and what it leaves."""
    done = [step for step in report.steps if step.action != "leave"]
    left = [step for step in report.steps if step.action == "leave"]
    _output.say(f"{report.tenant_id}: {'would repair' if report.dry_run else 'repaired'} {counted(len(done), 'object')}, {report.seconds:.2f} s")
    _output.table(
        ("What", "Where", "Detail"), [(step.action, step.object, ", ".join(f"{k} {_words(v)}" for k, v in step.detail.items())) for step in done]
    )
    if left:
        _output.say(f"Left as they are: {counted(len(left), 'finding')}.")
        _output.table(("Rule", "Where", "What"), [(step.detail["rule"], step.object, step.detail["why"]) for step in left])


def _dataset_row(item: DatasetReport, fates: Sequence[str], kinds: Sequence[str]) -> tuple[Any, ...]:
    written = (None if item.skipped else sum(getattr(table, kind) for table in item.tables) for kind in kinds)
    return item.dataset, *(getattr(item, name) for name in fates), *written


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
