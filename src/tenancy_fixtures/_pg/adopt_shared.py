"""What there is of tenants that share tables, made by others: read from the catalogue, in a transaction that writes nothing."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from psycopg import sql

from .connect import connect
from .database import Session
from .roles import Roles
from .sql import compose, identifier, query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from ..settings import Settings
    from .database import Transaction

# Above this an exact count would read too much: some half a second.
_COUNTED_BYTES = 64 * 1024 * 1024


@asynccontextmanager
async def reading(url: str, settings: Settings) -> AsyncIterator[Transaction]:
    """A transaction that sees one state of a database and writes nothing, as the login that the URL has; no control plane is needed.

    :raises DatabaseError: nobody answers there, or what the server refused.
    """
    async with await connect(url) as connection, Session(connection, Roles(), settings).transaction(snapshot=True) as transaction:
        yield transaction


async def missing(transaction: Transaction, block: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where that is missing: table, object, what, and the SQL that would mend it."""
    parts = {"held": query("adopt_shared.held"), "reading": query("adopt_shared.reading")}
    return await transaction.all(compose(block, **parts), **values)


async def policy_fixes(transaction: Transaction, values: Mapping[str, Any]) -> dict[tuple[int, str], str]:
    """What would make each policy test the column, by table and name."""
    return {(row["oid"], row["name"]): row["fix"] for row in await missing(transaction, "adopt_shared.policy_fixes", values)}


async def count_tenants(transaction: Transaction, columns: Iterable[tuple[int, str]]) -> tuple[int | None, str]:
    """How many values columns of tables hold together, and how that is known; ``None`` where this login cannot know, with the reason."""
    pairs = list(columns)
    rows = await transaction.all("adopt_shared.countable", oids=[oid for oid, _ in pairs], columns=[name for _, name in pairs])
    for word, reason in (("readable", "the login may not read"), ("hidden", "policies hide rows from the login in")):
        left = [row["table"] for row in rows if row[word] is (word == "hidden")]
        if left:
            return None, f"not counted: {reason} {left[0]}{f' and {len(left) - 1} more' if len(left) > 1 else ''}"
    if sum(row["bytes"] for row in rows) > _COUNTED_BYTES:
        return _estimate(rows)
    counted = await transaction.one(compose("adopt_shared.count_tenants", all=sql.SQL(" UNION ").join(map(_tenants_of, rows))))
    return (counted or {})["tenants"], "exact"


def _tenants_of(row: Mapping[str, Any]) -> sql.Composed:
    return compose("adopt_shared.tenants_of", column=identifier(row["column"]), table=identifier(row["schema"], row["table"]))


def _estimate(rows: Sequence[Mapping[str, Any]]) -> tuple[int | None, str]:
    """The tables are large: what the planner's statistics say."""
    known = [row["estimate"] for row in rows if row["estimate"] is not None]
    return (max(known), "estimated from statistics") if known else (None, "not counted: the tables are large and have no statistics: ANALYZE them")
