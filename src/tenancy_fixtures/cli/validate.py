"""``tenancy validate``: look the pack over, or tenants in the database; record what a tenant holds; repair what can be repaired."""

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from . import _output
from ._exit import ExitCode
from ._reports import show_repair, show_validation
from ._work import AsJson, DryRun, PackOption, Work, opened, run, settings_for, tenants_of_pack

if TYPE_CHECKING:
    from .._shapes import ValidationReport
    from ..settings import Settings


@dataclass(frozen=True)
class _Asked:
    """What is asked for; nothing more than a look where nothing else is said."""

    tenant: Optional[str] = None
    pack_only: bool = False
    keys: bool = False
    as_json: bool = False
    html: Optional[Path] = None
    record: bool = False
    repair: bool = False
    rows: bool = True
    orphans: bool = False
    dry_run: bool = False
    yes: bool = False


def validate(
    context: typer.Context,
    *,
    tenant: Annotated[
        Optional[str],
        typer.Argument(
            metavar="[TENANT]", help="The tenant to look over. Without it: the pack, and all tenants that were made from it.", show_default=False
        ),
    ] = None,
    pack_only: Annotated[
        bool,
        typer.Option(
            "--pack-only",
            help="Look over the pack alone: templates, every record of its data, and its scripts, which the database is asked to run and to forget.",
        ),
    ] = False,
    keys: Annotated[
        bool, typer.Option("--keys", help="Name rows by their primary keys, the first 20 of each finding. Keys may be personal data.")
    ] = False,
    html: Annotated[Optional[Path], typer.Option("--html", metavar="FILE", help="Write the reports as a page too; it holds no keys.")] = None,
    record: Annotated[
        bool,
        typer.Option("--record", help="Record what the tenant's tables hold, once they are looked over: rows that change later are found by it."),
    ] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Repair what can be repaired safely: the plan first, and then a question.")] = False,
    keep_rows: Annotated[bool, typer.Option("--keep-rows", help="With --repair: put no rows back from the pack's sources.")] = False,
    orphans: Annotated[
        bool,
        typer.Option(
            "--orphans", help="With --repair: treat rows that refer to nothing as the ON DELETE of their constraint says, which may delete them."
        ),
    ] = False,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --repair: do not ask.")] = False,
    pack: PackOption = None,
    as_json: AsJson = False,
) -> None:
    """Look over the pack, or tenants in the database: structure, keys, references, rows, isolation. Changes nothing without --record or --repair.

    With --json one report on each line. Exit code 1 where a finding is an error.
    """
    asked = _Asked(tenant, pack_only, keys, as_json, html, record, repair, not keep_rows, orphans, dry_run, yes)
    _refuse(asked)
    settings = settings_for(context, pack)
    if repair and not yes and not dry_run:
        asked = replace(asked, repair=_agreed(settings, asked))
    _look_over(settings, asked)


def look_over(settings: "Settings", *, pack_only: bool, as_json: bool) -> None:
    """Tell what there is to find in a pack, and in its tenants.

    :raises typer.Exit: with code 1, where a finding is an error.
    """
    _look_over(settings, _Asked(pack_only=pack_only, as_json=as_json))


def _look_over(settings: "Settings", asked: _Asked) -> None:
    if not run(lambda: _validate(settings, asked)):
        raise typer.Exit(ExitCode.FAILED)


def _refuse(asked: _Asked) -> None:
    if asked.tenant is not None:
        from ..utils import TenantUtils

        TenantUtils.check_id(asked.tenant)
        if asked.pack_only:
            raise typer.BadParameter("the pack alone, or a tenant, not both", param_hint="--pack-only")
    elif asked.record or asked.repair:
        raise typer.BadParameter("name the tenant", param_hint="--record" if asked.record else "--repair")
    if asked.record and asked.repair:
        raise typer.BadParameter("first repair, then look at what is left, then record", param_hint="--record")
    for given, option in ((asked.dry_run, "--dry-run"), (asked.yes, "--yes"), (asked.orphans, "--orphans"), (not asked.rows, "--keep-rows")):
        if given and not asked.repair:
            raise typer.BadParameter("it goes with --repair", param_hint=option)
    if asked.html is not None and (asked.html.is_dir() or not asked.html.absolute().parent.is_dir()):
        raise typer.BadParameter("it cannot be written there", param_hint="--html")
    if asked.repair and not (asked.dry_run or asked.yes) and (asked.as_json or sys.stdin is None or not sys.stdin.isatty()):
        raise typer.BadParameter("nobody is there to be asked: --dry-run shows the plan, --yes does it", param_hint="--repair")


def _agreed(settings: "Settings", asked: _Asked) -> bool:
    """Show the plan and ask; false where there is nothing to repair, and without a yes nothing goes on."""
    if not run(lambda: _plan(settings, asked)):
        return False
    if not typer.confirm(f"Repair tenant {asked.tenant!r} so?", err=True):
        _output.note("Nothing was changed.")
        raise typer.Exit(ExitCode.FAILED)
    return True


async def _plan(settings: "Settings", asked: _Asked) -> bool:
    """Show what a repair would do; true where that is anything."""
    async with opened(settings) as work:
        report = await work.manager.repair(str(asked.tenant), rows=asked.rows, orphans=asked.orphans, dry_run=True)
    show_repair(report)
    return any(step.action != "leave" for step in report.steps)


async def _validate(settings: "Settings", asked: _Asked) -> bool:
    """Tell each report as it comes; true where none holds an error."""
    reports = []
    async with opened(settings) as work:
        if asked.repair:
            await _repair(work, asked)
            if asked.dry_run:
                return True
        async for report in _reports(work, asked):
            reports.append(report)
            if asked.as_json:
                _output.emit(report.to_dict())
            else:
                show_validation(report)
        if asked.record:
            recorded = await work.manager.record(str(asked.tenant))
            if asked.as_json:
                _output.emit(recorded.to_dict())
            else:
                _output.say(f"{asked.tenant}: {_output.counted(len(recorded.steps), 'table')} recorded, {recorded.seconds:.2f} s")
    if asked.html is not None:
        _write_page(asked.html, reports)
    return all(report.ok for report in reports)


async def _repair(work: Work, asked: _Asked) -> None:
    report = await work.manager.repair(str(asked.tenant), rows=asked.rows, orphans=asked.orphans, dry_run=asked.dry_run)
    if asked.as_json:
        _output.emit(report.to_dict())
    else:
        show_repair(report)


async def _reports(work: Work, asked: _Asked) -> AsyncIterator["ValidationReport"]:
    if asked.tenant is not None:
        yield await work.manager.validate(asked.tenant, keys=asked.keys)
        return
    yield await work.manager.validate_pack()
    for name in [] if asked.pack_only else await tenants_of_pack(work):
        yield await work.manager.validate(name, keys=asked.keys)


def _write_page(path: Path, reports: "list[ValidationReport]") -> None:
    from ..exceptions import ConfigurationError
    from ._html import page

    try:
        path.write_text(page(reports), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}", hint="Name another file with --html.") from error
