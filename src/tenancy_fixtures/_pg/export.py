"""Rows of a schema out of the database as they are: counted, and written as documents whose values are texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from .sql import compose, identifier, literal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from .._shapes import Table
    from .database import Transaction

_TEXTS = "S"  # pg_type.typcategory


async def rows_up_to(transaction: Transaction, table: Table, limit: int) -> int:
    """How many rows a table has, counted up to a limit."""
    statement = compose("definitions.rows_up_to", table=identifier(table.schema, table.name), limit=literal(limit))
    row = await transaction.one(statement)
    return int((row or {})["rows"])


async def records(transaction: Transaction, table: Table, members: Mapping[str, str], key: Sequence[str]) -> AsyncIterator[bytes]:
    """A table's rows, each a line of JSON: texts of its columns under the names of ``members``, in the order of the key.

    :raises DatabaseError: the server refused it.
    """
    pairs = [part for name, column in members.items() for part in (literal(name), sql.SQL("{}::text").format(identifier(column)))]
    statement = compose(
        "definitions.copy_records",
        members=sql.SQL(", ").join(pairs),
        table=identifier(table.schema, table.name),
        order=sql.SQL(", ").join([_ordered(table, column) for column in key]),
    )
    async with transaction.connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["text"])
        async for (line,) in copy.rows():
            yield line.encode() + b"\n"


def _ordered(table: Table, name: str) -> sql.Composable:
    """Texts in the order of their bytes: the same in every database."""
    column = table.column(name)
    is_text = column is not None and column.type.category in (_TEXTS, "E")
    return sql.SQL('{}::text COLLATE "C"').format(identifier(name)) if is_text else identifier(name)
