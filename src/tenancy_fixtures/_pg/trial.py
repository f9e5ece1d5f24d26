"""Questions to a schema that was made for trial: which checks it has, and what they say of values that no table holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from ._target import trusted
from .sql import compose, identifier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .database import Transaction

_VALUE = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")|\bVALUE\b""")


@dataclass(frozen=True)
class TableCheck:
    """One CHECK constraint, of a table or of a column's domain; ``expression`` is PostgreSQL's own text over ``columns``."""

    table: str
    name: str
    expression: str
    columns: tuple[str, ...]


async def read_checks(transaction: Transaction, schema: str) -> list[TableCheck]:
    """Every CHECK that rows of a schema's tables have to pass."""
    return [
        TableCheck(row["table"], row["name"], _of_column(row["expression"], row["domain_column"]), tuple(row["columns"] or ()))
        for row in await transaction.all("trial.checks", schema=schema)
    ]


async def read_expression_indexes(transaction: Transaction, schema: str) -> list[tuple[str, tuple[str, ...]]]:
    """Table and columns of each unique index that is over expressions or over some rows only, and of each exclusion."""
    return [(row["table"], tuple(row["columns"] or ())) for row in await transaction.all("trial.expression_indexes", schema=schema)]


async def broken_rows(transaction: Transaction, check: TableCheck, types: Mapping[str, str], texts: Mapping[str, Sequence[str | None]]) -> list[int]:
    """The places, from 0, of the rows that a check refuses. ``texts`` are their values by column, ``types`` what they are cast to."""
    names = [f"c{number}" for number, _ in enumerate(texts)]
    columns = [
        sql.SQL("given.{}::{} AS {}").format(identifier(name), trusted(types[column]), identifier(column)) for name, column in zip(names, texts)
    ]
    statement = compose(
        "trial.broken",
        arrays=sql.SQL(", ").join(sql.SQL("{}::text[]").format(sql.Placeholder(name)) for name in names),
        names=sql.SQL(", ").join(map(identifier, names)),
        check=trusted(check.expression.replace("%", "%%")),  # doubled beside parameters
        columns=sql.SQL(", ").join(columns),
        table=identifier(check.table),
    )
    rows = await transaction.all(statement, **{name: list(values) for name, values in zip(names, texts.values())})
    return [row["place"] - 1 for row in rows]


async def require_castable(transaction: Transaction, column: str, declared: str, texts: Sequence[str]) -> None:
    """See that the server reads these texts as values of a type.

    :raises DatabaseError: it does not.
    """
    await transaction.all(compose("trial.castable", column=identifier(column), type=trusted(declared)), texts=list(texts))


def _of_column(expression: str, column: str | None) -> str:
    """A domain's check with the column's name in the place of VALUE."""
    if column is None:
        return expression
    quoted = '"' + column.replace('"', '""') + '"'
    return _VALUE.sub(lambda match: match[1] or quoted, expression)
