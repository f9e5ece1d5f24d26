"""SQL as text, for people who run it themselves in psql."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from psycopg import sql

from ._target import trusted
from .sql import compose, identifier, literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .database import Transaction


def dollar_quoted(text: str, tag: str) -> sql.SQL:
    """A text as PostgreSQL's literal that needs no doubled quotes: people are to read it."""
    number = 0
    while f"${tag}" in text:
        number += 1
        tag = f"{tag.rstrip('0123456789')}{number}"
    return trusted(f"${tag}${text}${tag}$")


def value(given: Any) -> sql.Composable:
    """A literal; what is no plain value as JSON."""
    return literal(json.dumps(given)) if isinstance(given, (dict, list)) else literal(given)


def comment(text: str) -> sql.SQL:
    """Text within a comment of one line."""
    return trusted(" ".join(text.split()))


def composed(name: str, /, **parts: Any) -> sql.Composed:
    """A named block; parts that are no SQL yet become literals."""
    return compose(name, **{key: part if isinstance(part, sql.Composable) else value(part) for key, part in parts.items()})


def joined(parts: Sequence[sql.Composable]) -> sql.Composed:
    """Pieces one after the other, each on lines of its own."""
    return sql.Composed([piece for part in parts for piece in (part, sql.SQL("\n"))])


def search_path(transaction: Transaction, names: Sequence[str]) -> sql.Composable:
    """A literal that is a search path of these schemas."""
    quoted = ", ".join(as_text(transaction, identifier(name)) for name in names)
    return literal(quoted)


def connect(database: str) -> sql.SQL:
    """Psql's own command that goes on in another database of the same server, as the same user."""
    quoted = database.replace('"', '""')
    return trusted(f'\\connect "{quoted}"')


def if_true(variable: str, statement: sql.Composable) -> list[sql.Composable]:
    """A statement that psql runs where one of its variables is true."""
    return [trusted(f"\\if :{variable}"), statement, trusted("\\endif")]


def as_text(transaction: Transaction, statement: sql.Composable) -> str:
    """What psql is given, in the encoding and with the quotes of this connection."""
    return statement.as_string(transaction.connection)


def grants(roles: Mapping[str, str | None], schema: str, users: Sequence[str]) -> sql.Composable:
    """What gives loader and users their rights on all that a schema holds; nothing where one login does everything."""
    loader = roles["loader"]
    if loader is None:
        return sql.SQL("")
    parts = [{"schema": identifier(schema), "loader": identifier(loader), "user": identifier(user)} for user in users]
    return joined([sql.Composed([compose(f"registry.{name}", **part), sql.SQL(";")]) for part in parts for name in ("grant_schema", "grant_objects")])
