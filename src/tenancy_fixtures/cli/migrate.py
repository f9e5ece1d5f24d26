"""``tenancy migrate``: tenants' schemas to the pack's head, each in a transaction of its own; or only a look, or the SQL of it."""

from typing import TYPE_CHECKING, Annotated, Optional

import typer

from . import _output
from ._exit import ExitCode
from ._reports import show_standing, show_steps
from ._work import AsJson, DryRun, PackOption, opened, run, settings_for, tenants_of_pack

if TYPE_CHECKING:
    from .._drift import Standing
    from .._shapes import RunReport
    from ..settings import Settings

_SQL_HEADER = """\
-- Migrates tenants of pack {pack}, release {release}. Printed by `tenancy migrate --print-sql`; nothing was run.
--
-- For psql, as a login that may become the migrator:  psql --no-psqlrc --set ON_ERROR_STOP=1 --file FILE
-- Each tenant is a transaction of its own: one that fails is as it was before. Run again, it passes over those that are there.
-- Afterwards `tenancy migrate --all --check` says whether all of them are as the pack has it.
"""


def migrate(
    context: typer.Context,
    tenants: Annotated[Optional[list[str]], typer.Argument(metavar="[TENANT]...", help="Which tenants.", show_default=False)] = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="All tenants that were made from the pack.")] = False,
    to: Annotated[
        Optional[int], typer.Option(metavar="N", min=0, help="Up to this revision. Without it: the pack's last.", show_default=False)
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Change nothing; exit code 9 where a tenant is behind the pack's last revision, or is not as the pack makes it at its own.",
        ),
    ] = False,
    print_sql: Annotated[
        bool,
        typer.Option(
            "--print-sql", help="Change nothing; print what psql can run in place of it, with what the registry is to know, once for tenants alike."
        ),
    ] = False,
    dry_run: DryRun = False,
    pack: PackOption = None,
    as_json: AsJson = False,
) -> None:
    """Bring tenants' schemas to the pack's last revision. One that fails keeps none of it, and the others go on.

    With --json one report, or one error, on each line. SIGTERM and Ctrl-C let tenants in hand finish for 5 s, roll back those that do not,
    begin no further one, and tell what is left: the same command again goes on with it.
    """
    names = list(dict.fromkeys(tenants or []))
    if bool(names) == all_:
        raise typer.BadParameter("name tenants, or say --all", param_hint="TENANT")
    if print_sql and (check or dry_run):
        raise typer.BadParameter("it prints what --dry-run would tell, and nothing else", param_hint="--print-sql")
    if check and (dry_run or to is not None):
        raise typer.BadParameter("it looks at what is there, and takes neither --to nor --dry-run", param_hint="--check")
    from ..utils import TenantUtils

    for name in names:
        TenantUtils.check_id(name)
    settings = settings_for(context, pack)
    if print_sql:
        run(lambda: _print_sql(settings, names, to=to, as_json=as_json))
        return
    if check:
        codes = run(lambda: _check(settings, names, as_json=as_json))
    else:
        codes = run(lambda: _migrate(settings, names, to=to, dry_run=dry_run, as_json=as_json))
    if codes:
        # Where tenants fail for different reasons none of them speaks for all.
        raise typer.Exit(codes.pop() if len(codes) == 1 else ExitCode.FAILED)


async def _migrate(settings: "Settings", names: list[str], *, to: Optional[int], dry_run: bool, as_json: bool) -> set[ExitCode]:
    """Tell each outcome as it comes; gives the exit codes of those that failed."""
    from ._fleet import Fleet

    async with opened(settings) as work:
        names = names or await tenants_of_pack(work)

        async def one(name: str) -> "RunReport":
            return await work.manager.migrate(name, to=to, dry_run=dry_run)

        return await Fleet(names, one, lambda report: _tell(report, as_json=as_json), at_once=settings.max_concurrency).run(as_json=as_json)


async def _check(settings: "Settings", names: list[str], *, as_json: bool) -> set[ExitCode]:
    """Tell of each tenant that is not as it should be, or in JSON of all, and how many there are."""
    from ._fleet import Fleet

    standings: list[Standing] = []

    def tell(standing: "Standing") -> ExitCode:
        standings.append(standing)
        if as_json:
            _output.emit(standing.to_dict())
        elif not standing.ok:
            show_standing(standing)
        return ExitCode.DONE if standing.ok else ExitCode.OUT_OF_DATE

    async with opened(settings) as work:
        names = names or await tenants_of_pack(work)
        codes = await Fleet(names, work.manager.standing, tell, at_once=settings.max_concurrency).run(as_json=as_json)
    if not as_json:
        behind, drifted = sum(item.is_behind for item in standings), sum(item.has_drifted for item in standings)
        ready = sum(item.ok for item in standings)
        failed = f", {len(names) - len(standings):,} failed" if len(names) > len(standings) else ""
        _output.say(f"{_output.counted(len(names), 'tenant')}: {ready:,} as the pack has it, {behind:,} behind, {drifted:,} drifted{failed}.")
    return codes


async def _print_sql(settings: "Settings", names: list[str], *, to: Optional[int], as_json: bool) -> None:
    """Print all of it, or nothing where one tenant cannot be brought forward."""
    async with opened(settings) as work:
        groups = await work.manager.migration_sql(names or await tenants_of_pack(work), to=to)
        pack = work.manager.pack
    if as_json:
        for group in groups:
            _output.emit(group.to_dict())
        return
    if groups:
        _output.raw(_SQL_HEADER.format(pack=pack.name, release=pack.digest))
    for group in groups:
        _output.raw(f"\n{group.sql}")
    if not groups:
        _output.note("Nothing to print: all of them are there.")


def _tell(report: "RunReport", *, as_json: bool) -> ExitCode:
    if as_json:
        _output.emit(report.to_dict())
    elif report.dry_run:
        show_steps(report)
    else:
        steps = ", ".join(step.object for step in report.steps) or "nothing to do"
        _output.say(f"{report.tenant_id}: {steps}, {report.seconds:.2f} s")
    return ExitCode.DONE
