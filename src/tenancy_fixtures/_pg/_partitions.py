"""Partitions that rows need: made where the load is, as the table's owner, and gone with it if it is taken back."""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from psycopg import errors, sql

from ..constants import MAX_IDENTIFIER_BYTES, PARTITION_YEARS, TENANT_COLUMN
from ._rejects import LIMIT, rejected
from ._target import column, listed, trusted
from .sql import identifier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ._rejects import Rows
    from ._target import Target

_MOMENTS = ("timestamptz", "timestamp", "date")
_DIGEST = 8  # hexadecimal digits that keep names apart that would be too long


async def make_partitions(target: Target, rows: Rows) -> None:
    """Make the partitions that staged rows need and the table does not have, one for each month of :data:`PARTITION_YEARS`.

    A month into which a partition of somebody else's reaches gets none. Rows that the default partition holds of a month move. A role that may
    not make partitions leaves the rows to those that are there.

    :raises DataRejected: records for which there is no partition, nor a default one.
    """
    table = target.table
    if not target.partitions or table.partition_strategy != "range" or len(table.partition_key) != 1 or table.partition_key[0] not in target.columns:
        return
    name = table.partition_key[0]
    kind = next(item.type.name for item in table.columns if item.name == name)
    if kind not in _MOMENTS:
        return
    default = await target.row("default_partition", {"table": target.regclass})
    other = identifier(default["schema"], default["name"]) if default else None
    months = await target.rows("needed_months", **_parts(target, rows, name, kind))
    if months and table.shared:
        # Another tenant's load may be making them right now.
        await target.run("lock_partitions", table=target.name)
        months = await target.rows("needed_months", **_parts(target, rows, name, kind))
    if months:
        try:
            async with target.connection.transaction(), target.as_owner():
                for month in months:
                    await _make(target, name, month, other)
        except errors.InsufficientPrivilege:
            pass
    if other is None:
        await _refuse_homeless(target, rows, name, kind)


def _parts(target: Target, rows: Rows, name: str, kind: str) -> dict[str, sql.Composable]:
    key, back_ahead = column(name), PARTITION_YEARS
    in_utc = kind == "timestamptz"
    return {
        "relation": rows.relation,
        "parent": sql.Literal(target.regclass),
        "type": trusted(kind),
        "moment": sql.SQL("{} AT TIME ZONE 'UTC'").format(key) if in_utc else sql.SQL("{}::timestamp").format(key),
        "zone": trusted("AT TIME ZONE 'UTC'") if in_utc else trusted(""),
        "back": sql.Literal(back_ahead[0]),
        "ahead": sql.Literal(back_ahead[1]),
    }


async def _make(target: Target, name: str, month: dict[str, Any], other: sql.Identifier | None) -> None:
    """One partition, with what the default one holds of its month: attached last, when both are as they must be."""
    table = target.table
    partition = identifier(table.schema, _name_of(table.name, month["label"]))
    await target.run("make_partition", partition=partition, table=target.name)
    bounds = {"low": sql.Literal(month["low"]), "high": sql.Literal(month["high"])}
    if other is not None:
        columns = listed([*(item.name for item in table.columns if not item.generated), *([TENANT_COLUMN] if table.shared else [])])
        async with _opened(target, other):
            await target.run("move_to_partition", partition=partition, other=other, column=column(name), columns=columns, **bounds)
    if table.row_security:
        # Rows are asked for through the table, by its policies; the partition itself has none, and shows nobody anything.
        await target.run("close_partition", partition=partition)
    await target.run("attach_partition", partition=partition, table=target.name, **bounds)


@asynccontextmanager
async def _opened(target: Target, other: sql.Identifier) -> AsyncIterator[None]:
    """Let the owner of a shared table see what its default partition holds of all tenants: their rows of a month move together."""
    if not target.table.shared:
        yield
        return
    await target.run("open_partition", partition=other)
    yield
    await target.run("close_partition", partition=other)


def _name_of(table: str, label: str) -> str:
    """``events_2026_11``, in the bytes that a name may have."""
    whole = f"{table}_{label}"
    if len(whole.encode()) <= MAX_IDENTIFIER_BYTES:
        return whole
    digest = hashlib.sha256(table.encode()).hexdigest()[:_DIGEST]
    room = MAX_IDENTIFIER_BYTES - len(label) - _DIGEST - 2
    return f"{table.encode()[:room].decode(errors='ignore')}_{digest}_{label}"


async def _refuse_homeless(target: Target, rows: Rows, name: str, kind: str) -> None:
    parts = {key: value for key, value in _parts(target, rows, name, kind).items() if key in ("relation", "parent", "type")}
    found = await target.row("without_partition", column=column(name), record=rows.record_column, limit=LIMIT, **parts)
    if found["count"]:
        raise rejected(target, "partition", [name], [rows.number(number) for number in found["records"]], found["count"])
