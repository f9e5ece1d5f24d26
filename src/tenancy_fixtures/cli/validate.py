"""``tenancy validate``: look the pack over, or tenants in the database."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from . import _output
from ._exit import ExitCode
from ._reports import show_validation
from ._work import AsJson, PackOption, opened, run, settings_for, tenants_of_pack

if TYPE_CHECKING:
    from .._shapes import ValidationReport
    from ..settings import Settings


def validate(
    context: typer.Context,
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
    pack: PackOption = None,
    as_json: AsJson = False,
) -> None:
    """Look over the pack, or tenants in the database: structure, references, counts. Changes nothing.

    With --json one report on each line. Exit code 1 where a finding is an error.
    """
    if tenant is not None:
        from ..utils import TenantUtils

        TenantUtils.check_id(tenant)
        if pack_only:
            raise typer.BadParameter("the pack alone, or a tenant, not both", param_hint="--pack-only")
    settings = settings_for(context, pack)
    look_over(settings, tenant, pack_only=pack_only, as_json=as_json)


def look_over(settings: "Settings", tenant: Optional[str] = None, *, pack_only: bool, as_json: bool) -> None:
    """Tell what there is to find.

    :raises typer.Exit: with code 1, where a finding is an error.
    """
    if not run(lambda: _validate(settings, tenant, pack_only=pack_only, as_json=as_json)):
        raise typer.Exit(ExitCode.FAILED)


async def _validate(settings: "Settings", tenant: Optional[str], *, pack_only: bool, as_json: bool) -> bool:
    """Tell each report as it comes; true where none holds an error."""
    well = True
    async for report in _reports(settings, tenant, pack_only=pack_only):
        well = well and report.ok
        if as_json:
            _output.emit(report.to_dict())
        else:
            show_validation(report)
    return well


async def _reports(settings: "Settings", tenant: Optional[str], *, pack_only: bool) -> AsyncIterator["ValidationReport"]:
    async with opened(settings) as work:
        if tenant is not None:
            yield await work.manager.validate(tenant)
            return
        yield await work.manager.validate_pack()
        for name in [] if pack_only else await tenants_of_pack(work):
            yield await work.manager.validate(name)
