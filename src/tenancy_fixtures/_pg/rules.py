"""Ask a pack's own queries over a tenant's tables, so that they can read those, write nothing, and end in time.

A query runs as a pack's script does: inside a function of a role that has rights on nothing, to which the tenant's tables are lent
for the length of a transaction that is read only and taken back.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import psycopg
from psycopg import sql

from .errors import translate
from .integrity import LISTED_KEYS
from .sql import compose, identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..exceptions import DatabaseError
    from .database import Transaction

# Rows that are counted: beyond them it is known that something is thoroughly wrong.
_MOST_ROWS = 100_000


class Answer(NamedTuple):
    """How many rows a query gave (no more than a limit are counted), and the first of them, their columns as text."""

    rows: int
    keys: tuple[str, ...]


async def lend(transaction: Transaction, namespace: str, shared: Sequence[str], seconds: float) -> None:
    """Make a transaction, which acts as the migrator and is taken back, ready for a pack's queries: from here on it only reads."""
    script = transaction.roles.script
    if script is not None:
        tables = [row["name"] for row in await transaction.all("rules.lend", namespace=namespace)]
        role = identifier(script)
        await transaction.run(compose("rules.lend_schema", schema=identifier(namespace), script=role))
        if tables:
            listed = sql.SQL(", ").join(identifier(namespace, name) for name in tables)
            await transaction.run(compose("rules.lend_tables", tables=listed, script=role))
    path = sql.SQL(", ").join([identifier(namespace), *(identifier(name) for name in shared)]).as_string(transaction.connection)
    await transaction.run("rules.read_only")
    await transaction.run("rules.limit_time", timeout=f"{max(1, round(seconds * 1000))}ms")
    await transaction.run("database.set_search_path", path=path)
    # A query may put its own in place of the statements that the driver has prepared: this connection uses none any more.
    transaction.connection.prepare_threshold = None


async def ask(transaction: Transaction, query: str) -> Answer | DatabaseError:
    """What a query gives, or why it cannot be asked."""
    parts = {"listed": sql.Literal(LISTED_KEYS), "limit": sql.Literal(_MOST_ROWS)}
    text = compose("rules.ask", query=sql.SQL("{query}"), **parts).as_string(transaction.connection).replace("{query}", query)
    try:
        async with transaction.connection.transaction(force_rollback=True):
            await transaction.run("script.run", script=text)
            row = await transaction.one("rules.answer")
    except (psycopg.errors.AdminShutdown, psycopg.errors.CrashShutdown):
        raise
    except psycopg.Error as error:
        if transaction.connection.closed:
            raise
        return translate(error)
    found = json.loads((row or {})["found"])
    keys = tuple(", ".join("" if value is None else str(value) for value in key.values()) for key in found["keys"] or ())
    return Answer(found["rows"], keys)
