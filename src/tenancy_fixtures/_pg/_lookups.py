"""Values that a load finds in other tables of the tenant: a source has an id of its own for a row, and not the row's key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._table_shapes import Shape
from . import _rejects
from ._target import column
from .sql import identifier

if TYPE_CHECKING:
    from psycopg import sql

    from .._table_shapes import Lookup
    from ._target import Target


@dataclass(frozen=True)
class Unresolved(Shape):
    """What a lookup did not find: ``count`` rows of the load name rows that are not there, ``left_out`` of them were not written."""

    lookup: Lookup
    count: int
    left_out: int = 0


async def resolve(target: Target, stage: sql.Identifier, lookup: Lookup) -> Unresolved:
    """Let the staged texts of a column be the values of the rows that they name.

    :raises DataRejected: rows are not there without which there is no record, and they are not left out.
    """
    names = {"stage": stage, "column": column(lookup.column), "record": column(target.record)}
    other = {"table": identifier(lookup.schema, lookup.table), "by": column(lookup.by), "value": column(lookup.value)}
    found = await target.row("look_up", limit=_rejects.LIMIT, **names, **other)
    if found["count"] and lookup.missing == "reject":
        raise _rejects.rejected(target, "lookup", [lookup.column], found["records"], found["count"])
    if found["count"] and lookup.missing == "leave_out":
        return Unresolved(lookup, found["count"], (await target.run("leave_out", stage=stage, column=names["column"])).rowcount)
    return Unresolved(lookup, found["count"])
