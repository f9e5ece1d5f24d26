"""``tenancy doctor``: is the installation as it should be, and can a tenant reach its neighbour?"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from . import _output
from ._attack import list_probes, show_attack
from ._exit import ExitCode
from ._output import counted
from ._work import AsJson, opened, run, settings_for

if TYPE_CHECKING:
    from ..doctor import AttackReport, DoctorReport
    from ..settings import Settings

_SEVERITIES = ("error", "warning", "note")
_MAKES = (
    "Two throw-away tenants are made, one tries to reach the other, and both are dropped again: doctor-attack-…-attacker and doctor-attack-…-victim."
)


def doctor(
    context: typer.Context,
    attack: Annotated[
        bool, typer.Option("--attack", help="Make two throw-away tenants and try to cross from one to the other; both are dropped again.")
    ] = False,
    url: Annotated[
        Optional[str],
        typer.Option(metavar="URL", help="With --attack: what the application connects with. Without it: TENANCY_DATABASE_URL."),
    ] = None,
    own_login: Annotated[
        bool, typer.Option("--own-login", help="With --attack: with a login of each tenant's own, in place of the application's.")
    ] = False,
    remove_left: Annotated[
        bool, typer.Option("--remove-left", help="With --attack: first drop the tenants of an attack that did not come to its end.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --attack: only list what would be tried.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look the installation over: roles, rights, policies, views and keys that cross tenants, settings, server. Changes nothing.

    Each fault is told with its reason and what mends it. Exit code 1 where one is an error.

    With --attack it is tried instead. Class A is ordinary statements: exit code 1 where one crosses. Class B is any SQL at all: what crosses is listed as open.
    """
    options = {"--url": url, "--own-login": own_login, "--remove-left": remove_left, "--dry-run": dry_run}
    given = [name for name, value in options.items() if value]
    if given and not attack:
        raise typer.BadParameter("goes with --attack", param_hint=given[0])
    if url and own_login:
        raise typer.BadParameter("is the application's login: it does not go with --own-login", param_hint="--url")
    if dry_run:
        list_probes(as_json=as_json)
        return
    settings = settings_for(context, None)
    if attack:
        _attack(lambda: _cross(settings, url, own_login=own_login, remove_left=remove_left), as_json=as_json)
        return
    report = run(lambda: _examine(settings))
    if as_json:
        _output.emit(report.to_dict())
    else:
        _show(report)
    if not report.ok:
        raise typer.Exit(ExitCode.FAILED)


def _attack(work: Callable[[], Awaitable["AttackReport"]], *, as_json: bool) -> None:
    if not as_json:
        _output.note(_MAKES)
    report = run(work)
    if as_json:
        _output.emit(report.to_dict())
    else:
        show_attack(report)
    for isolation, reason in report.cannot.items():
        _output.note(f"Not tried in {isolation} isolation: {reason}.")
    if report.left:
        names = ", ".join(report.left)
        _output.note(f"Tenants of an attack that did not come to its end, or that goes on: {names}. --remove-left drops them.")
    if not report.ok:
        raise typer.Exit(ExitCode.FAILED)


async def _cross(settings: "Settings", url: Optional[str], *, own_login: bool, remove_left: bool) -> "AttackReport":
    from ..doctor import attack

    return await attack(settings, url=url, own_login=own_login, remove_left=remove_left)


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
