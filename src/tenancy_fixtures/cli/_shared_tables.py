"""``tenancy adopt --shared``: tables that tenants share, and what is missing to keep them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from . import _output
from ._exit import ExitCode
from ._output import counted
from ._work import in_words, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._adopt import SharedReport, SharedTable
    from ..settings import Settings


def look_at_shared(settings: Settings, schema: str | None, column: str | None, others: Sequence[str], *, as_json: bool) -> None:
    """Look at a schema, tell what is missing, and exit with 1 where there is any; ``others`` are options that were given and say something else.

    :raises typer.BadParameter: there are some, or a column without a schema.
    """
    if schema is None:
        raise typer.BadParameter("goes with --shared", param_hint="--column")
    if others:
        raise typer.BadParameter(f"looks at one schema, and does not go with {in_words(others)}", param_hint="--shared")
    report = run(lambda: _look(settings, schema, column))
    if as_json:
        _output.emit(report.to_dict())
    else:
        _tell(report)
    if not report.ok:
        raise typer.Exit(ExitCode.FAILED)


async def _look(settings: Settings, schema: str, column: str | None) -> SharedReport:
    from ..manager import FixtureManager

    manager = FixtureManager(settings)
    try:
        return await manager.look_at_shared(schema, column=column)
    finally:
        await manager.close()


def _tell(report: SharedReport) -> None:
    refers = f", which refers to {report.registry}" if report.registry else ""
    _output.say(f"{report.schema}: tenants are told apart by {report.column} ({report.type}){refers}.")
    tenants = f"Tenants: {report.counted}." if report.tenants is None else f"{counted(report.tenants, 'tenant')} ({report.counted})."
    _output.say(f"{tenants} Policies read {in_words(report.settings)}.")
    counts = report.counts
    _output.say(
        f"{counted(len(report.tables), 'table')}: {counts['ready']:,} ready, {counts['lacks']:,} lacking something, {counts['common']:,} common to all; {len(report.missing):,} missing."
    )
    columns = ("Table", "Verdict", "Column", "NOT NULL", "Index", "Row security", "Policies")
    _output.table(columns, [_row(table) for table in report.tables])
    for item in report.missing:
        _output.say(f"\n{item.name}: {item.object} lacks {item.missing}")
        _output.say(f"  {item.why}")
        _output.say(f"  Fix: {item.fix}")


def _row(table: SharedTable) -> tuple[object, ...]:
    verdict = f"{table.verdict.value}, the tenants" if table.is_registry else table.verdict.value
    column = table.column or (f"by way of {', '.join(table.by_way_of)}" if table.by_way_of else None)
    security = "forced" if table.enabled and table.forced else "enabled" if table.enabled else "off"
    own = table.column is not None
    return table.name, verdict, column, table.filled if own else None, table.indexed if own else None, security, ", ".join(table.policies) or None
