"""``tenancy doctor``: is the installation as it should be?"""

from typing import TYPE_CHECKING

import typer

from . import _output
from ._exit import ExitCode
from ._output import counted
from ._work import AsJson, opened, run, settings_for

if TYPE_CHECKING:
    from ..doctor import DoctorReport
    from ..settings import Settings

_SEVERITIES = ("error", "warning", "note")


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Look the installation over: roles, rights, policies, views and keys that cross tenants, settings, server. Changes nothing.

    Each fault is told with its reason and what mends it. Exit code 1 where one is an error.
    """
    settings = settings_for(context, None)
    report = run(lambda: _examine(settings))
    if as_json:
        _output.emit(report.to_dict())
    else:
        _show(report)
    if not report.ok:
        raise typer.Exit(ExitCode.FAILED)


async def _examine(settings: "Settings") -> "DoctorReport":
    from ..doctor import examine

    async with opened(settings, needs_pack=False) as work:
        return await examine(work.runtime)


def _show(report: "DoctorReport") -> None:
    found = ", ".join(counted(len(report.of(severity)), severity) for severity in _SEVERITIES if report.of(severity)) or "all well"
    _output.say(f"{report.database}: looked for {counted(len(report.checks), 'fault')}, {found}, {report.seconds:.2f} s")
    for fault in report.faults:
        _output.say(f"\n{fault.severity} {fault.name}: {fault.object}")
        _output.say(f"  {fault.why}")
        _output.say(f"  Fix: {fault.fix}")
