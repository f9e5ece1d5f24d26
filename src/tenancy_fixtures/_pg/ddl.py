"""Statements that make one object of a schema again, as text for a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._target import trusted
from .sql import compose, identifier

if TYPE_CHECKING:
    from psycopg import sql


def ddl(block: str, printed: str = "", /, **names: str | tuple[str, str]) -> str:
    """The block of ``queries/ddl.sql`` with names, qualified ones as pairs, and with what PostgreSQL has ``printed``."""
    parts: dict[str, sql.Composable] = {place: identifier(*(name if isinstance(name, tuple) else (name,))) for place, name in names.items()}
    return compose(block, definition=trusted(printed), clauses=trusted(printed), **parts).as_string(None)


def quoted(name: str) -> str:
    """An identifier as text."""
    return identifier(name).as_string(None)
