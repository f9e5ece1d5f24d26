"""Moments that cannot be: in the future, before they could be, or in the wrong order. By the names that columns have everywhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .._pg.integrity import MOMENTS, clock_faults, in_future, precedes, too_early
from .._shapes import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import sql

    from .._shapes import Column, Table
    from ..packs import Pack
    from .look import Look

# Verbs in the past: what happened cannot lie in the future. Others (expires, due, starts, released) may.
_PAST = (
    "accepted|added|archived|born|birth|changed|closed|completed|connected|created|deleted|edited|ended|finished|happened|inserted|"
    "joined|left|loaded|logged|modified|occurred|opened|paid|played|read|received|recorded|registered|resolved|revoked|seen|sent|signed|"
    "started|stopped|submitted|updated|used|viewed|visited"
)
_HAPPENED = re.compile(rf"^(?:.*_)?(?:{_PAST})(?:_(?:at|on|date|time|ts|timestamp|utc))?$")
_AFTER = {
    "created": ("updated", "modified", "changed", "edited", "deleted", "archived", "closed", "accepted", "resolved", "expires"),
    "started": ("ended", "finished", "completed", "stopped"),
    "opened": ("closed", "resolved"),
    "joined": ("left",),
    "connected": ("revoked",),
    "sent": ("received", "read"),
}


def time_conditions(pack: Pack, table: Table, *, ordered: bool = True) -> Iterator[tuple[str, sql.Composable, str]]:
    """Place, condition of the rows that are wrong, and what is wrong with them, for the columns of one table.

    ``ordered`` is False where it is not known which of its columns a file has filled: then one moment may well precede another.
    """
    columns = [column for column in table.columns if column.type.name in MOMENTS]
    for column in columns:
        if _HAPPENED.match(column.name):
            yield from _happened(table, column)
    by_name = {column.name: column for column in columns}
    for first, second in _pairs(by_name) if ordered else ():
        if _same_origin(pack, table, first, second):
            yield f"{table.name}.{second}", precedes(table, second, first), f"is before {first}"


def _happened(table: Table, column: Column) -> Iterator[tuple[str, sql.Composable, str]]:
    place = f"{table.name}.{column.name}"
    yield place, in_future(table, column), "lies in the future"
    if column.type.name != "date":
        yield place, too_early(table, column), "lies before 1900"


def _pairs(columns: dict[str, Column]) -> Iterator[tuple[str, str]]:
    """Columns of the same type whose names say that one moment follows the other: ``created_at``, ``updated_at``."""
    for first, column in columns.items():
        for verb, later in _AFTER.items():
            match = re.match(rf"^((?:.*_)?){verb}((?:_[a-z]+)?)$", first)
            names = [f"{match[1]}{other}{match[2]}" for other in later] if match else []
            yield from ((first, second) for second in names if second in columns and columns[second].type.name == column.type.name)


def _same_origin(pack: Pack, table: Table, first: str, second: str) -> bool:
    """Whether both come from the same place. Where a dataset brings one and the database sets the other, their order says nothing."""
    written = {name for dataset in pack.manifest.datasets for target in dataset.targets if target.table == table.name for name in target.columns}
    return (first in written) == (second in written)


async def check_clock(look: Look) -> None:
    """What the control plane knows of this tenant happened in the order in which it must have."""
    faults = await clock_faults(look.transaction, look.tenant.uid)
    look.found(*(Finding("clock", "warning", row["object"], row["fault"]) for row in faults), checks=2)
