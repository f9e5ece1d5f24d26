"""Text that the server casts to the target's types, and the names of the records where it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from .. import constants
from . import _rejects
from ._target import column, trusted
from .sql import identifier

if TYPE_CHECKING:
    from ..exceptions import DataRejected
    from ._target import Target

# What an input function may raise for a text: most say that data is wrong, some (tsvector, jsonpath, regclass) that syntax
# or a name is. Their messages quote the text.
_REFUSED = (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError, psycopg.NotSupportedError)

# From this version on the server can say whether a text is of a type without failing.
_CAN_ASK = 160_000

# Bad records that halving looks for before it gives up counting: each costs some twenty short statements.
_HALVING_LIMIT = 1000


async def cast_stage(target: Target, stage: sql.Identifier) -> None:
    """Turn columns of a staging table that the server casts into the target's types, all at once.

    :raises DataRejected: values that are not of the type, with the records that hold them.
    """
    if not target.cast_in_stage:
        return
    types = await target.rows("column_types", {"table": target.regclass, "columns": sorted(target.cast_in_stage)})
    actions = [
        sql.SQL("ALTER COLUMN {0} TYPE {1} USING CAST({0} AS {2})").format(column(item["column"]), trusted(item["declared"]), trusted(item["bare"]))
        for item in types
    ]
    try:
        async with target.connection.transaction():
            await target.run("type_stage", stage=stage, actions=sql.SQL(", ").join(actions))
    except _REFUSED as error:
        named = await _name_records(target, stage, types)
        if named is None and not isinstance(error, (psycopg.DataError, psycopg.IntegrityError)):
            # Its message may hold the text.
            named = _rejects.rejected(target, "type", sorted(target.cast_in_stage), [], 0)
        raise (named or error) from None


async def _name_records(target: Target, stage: sql.Identifier, types: list[dict[str, Any]]) -> DataRejected | None:
    for item in types:
        found = await _ask(target, stage, item) if target.connection.info.server_version >= _CAN_ASK else None
        numbers, count = found or await _halve(target, stage, item)
        if count:
            return _rejects.rejected(target, "type", [item["column"]], numbers, count)
    return None


async def _ask(target: Target, stage: sql.Identifier, item: dict[str, Any]) -> tuple[list[int], int] | None:
    try:
        async with target.connection.transaction():
            found = await target.row(
                "invalid_texts",
                stage=stage,
                record=column(target.record),
                column=column(item["column"]),
                type=sql.Literal(item["declared"]),
                limit=_rejects.LIMIT,
            )
    except _REFUSED:
        # A type whose input function still fails instead of saying no.
        return None
    return (found["records"], found["count"]) if found["count"] else None


async def _halve(target: Target, stage: sql.Identifier, item: dict[str, Any]) -> tuple[list[int], int]:
    """Find the records by casting ever smaller ranges of them, each in a savepoint; at most ``_HALVING_LIMIT`` of them."""
    probe = identifier("pg_temp", "tenancy_probe")
    record = column(target.record)
    bounds = await target.row("record_bounds", stage=stage, record=record)
    found: list[int] = []
    async with target.connection.transaction(force_rollback=True):
        await target.run("index_records", stage=stage, record=record)
        await target.run("analyze", relation=stage)
        await target.run("make_probe", probe=probe, column=column(item["column"]), table=target.name)
        ranges = [(bounds["first"], bounds["last"])]
        while ranges and len(found) < min(_HALVING_LIMIT, constants.MAX_LISTED_REJECTS):
            first, last = ranges.pop()
            if await _casts(target, stage, item, probe, first, last):
                continue
            if first == last:
                found.append(first)
                continue
            middle = (first + last) // 2
            # The later half goes on the stack first: records are found in their order.
            ranges += [(middle + 1, last), (first, middle)]
    return found, len(found)


async def _casts(target: Target, stage: sql.Identifier, item: dict[str, Any], probe: sql.Identifier, first: int, last: int) -> bool:
    names: dict[str, sql.Composable] = {
        "stage": stage,
        "record": column(target.record),
        "column": column(item["column"]),
        "probe": probe,
        "bare": trusted(item["bare"]),
    }
    try:
        async with target.connection.transaction(force_rollback=True):
            await target.run("probe_cast", first=sql.Literal(first), last=sql.Literal(last), **names)
    except _REFUSED:
        return False
    return True
