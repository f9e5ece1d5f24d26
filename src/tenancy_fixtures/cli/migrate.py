"""``tenancy migrate``: tenants' schemas to the pack's head, each in a transaction of its own."""

from typing import TYPE_CHECKING, Annotated, Optional, Union

import typer

from . import _output
from ._exit import ExitCode, exit_code_of
from ._reports import show_steps
from ._work import AsJson, DryRun, PackOption, Work, opened, run, settings_for, tenants_of_pack

if TYPE_CHECKING:
    from asyncio import Semaphore

    from .._shapes import RunReport
    from ..exceptions import TenancyError
    from ..settings import Settings

    _Outcome = Union[RunReport, TenancyError]


def migrate(
    context: typer.Context,
    tenants: Annotated[Optional[list[str]], typer.Argument(metavar="[TENANT]...", help="Which tenants.", show_default=False)] = None,
    all_: Annotated[bool, typer.Option("--all", help="All tenants that were made from the pack.")] = False,
    to: Annotated[
        Optional[int], typer.Option(metavar="N", min=0, help="Up to this revision. Without it: the pack's last.", show_default=False)
    ] = None,
    dry_run: DryRun = False,
    pack: PackOption = None,
    as_json: AsJson = False,
) -> None:
    """Bring tenants' schemas to the pack's last revision. One that fails keeps none of it, and the others go on.

    With --json one report, or one error, on each line.
    """
    names = list(dict.fromkeys(tenants or []))
    if bool(names) == all_:
        raise typer.BadParameter("name tenants, or say --all", param_hint="TENANT")
    from ..utils import TenantUtils

    for name in names:
        TenantUtils.check_id(name)
    settings = settings_for(context, pack)
    codes = run(lambda: _migrate(settings, names, to=to, dry_run=dry_run, as_json=as_json))
    if codes:
        # Where tenants fail for different reasons none of them speaks for all.
        raise typer.Exit(codes.pop() if len(codes) == 1 else ExitCode.FAILED)


async def _migrate(settings: "Settings", names: list[str], *, to: Optional[int], dry_run: bool, as_json: bool) -> set[ExitCode]:
    """Tell each outcome as it comes; gives the exit codes of those that failed."""
    import asyncio

    codes: set[ExitCode] = set()
    async with opened(settings) as work:
        names = names or await tenants_of_pack(work)
        slots = asyncio.Semaphore(settings.max_concurrency)
        tasks = [asyncio.ensure_future(_one(work, name, to, slots, dry_run=dry_run)) for name in names]
        try:
            for task in tasks:
                outcome = await task
                codes |= _tell(outcome, as_json=as_json)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return codes


async def _one(work: Work, name: str, to: Optional[int], slots: "Semaphore", *, dry_run: bool) -> "_Outcome":
    from ..exceptions import TenancyError

    async with slots:
        try:
            return await work.manager.migrate(name, to=to, dry_run=dry_run)
        except TenancyError as error:
            return error.locate(tenant=name)


def _tell(outcome: "_Outcome", *, as_json: bool) -> set[ExitCode]:
    from .._shapes import RunReport

    if not isinstance(outcome, RunReport):
        code = exit_code_of(outcome)
        if as_json:
            _output.emit({**outcome.to_dict(), "exit_code": code.value})
        else:
            _output.show_error(outcome)
        return {code}
    if as_json:
        _output.emit(outcome.to_dict())
    elif outcome.dry_run:
        show_steps(outcome)
    else:
        steps = ", ".join(step.object for step in outcome.steps) or "nothing to do"
        _output.say(f"{outcome.tenant_id}: {steps}, {outcome.seconds:.2f} s")
    return set()
