"""Statements that make one object of a schema again, as text for a script."""

from __future__ import annotations

from ._target import trusted
from .sql import compose, identifier


def ddl(block: str, printed: str = "", /, **names: str | tuple[str, str]) -> str:
    """The block of ``queries/ddl.sql`` with names, qualified ones as pairs, and with what PostgreSQL has ``printed``."""
    parts = {place: trusted(".".join(map(quoted, name if isinstance(name, tuple) else (name,)))) for place, name in names.items()}
    return compose(block, definition=trusted(printed), clauses=trusted(printed), **parts).as_string(None)


def quoted(name: str) -> str:
    """An identifier as text. Before 3.2, psycopg quotes none without a connection.

    :raises ValueError: as :func:`.sql.identifier`.
    """
    identifier(name)  # refuses what is no name
    return '"' + name.replace('"', '""') + '"'
