"""Named queries: every statement that the library sends is a block of a ``.sql`` file in ``queries/``."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Union

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Mapping

# What can be executed: text of our own, or text composed of it.
Statement = Union[sql.SQL, sql.Composed]

_FOLDER = Path(__file__).parent / "queries"
_BLOCK = re.compile(r"^-- name: *([a-z0-9_]+) *$", re.MULTILINE)


@cache
def _blocks(file: str) -> Mapping[str, str]:
    text = (_FOLDER / f"{file}.sql").read_text(encoding="utf-8")
    parts = _BLOCK.split(text)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2])))


@cache
def query(name: str) -> sql.SQL:
    """The statement ``block`` of ``queries/file.sql``, by ``"file.block"``.

    Braces in it are places for :meth:`psycopg.sql.SQL.format`, ``%(name)s`` for parameters.
    """
    file, _, block = name.partition(".")
    # The text comes from our own files only, never from a caller.
    return sql.SQL(_blocks(file)[block])


def compose(name: str, /, **parts: sql.Composable) -> sql.Composed:
    """The named statement with identifiers (or other safely composed parts) put into its braces."""
    return query(name).format(**parts)


def identifier(*names: str) -> sql.Identifier:
    """A quoted, possibly qualified identifier.

    :raises ValueError: a name holds NUL (libpq would cut it there), is empty, or is longer than PostgreSQL keeps.
    """
    for name in names:
        if not name or "\x00" in name or len(name.encode()) > 63:  # noqa: PLR2004 - NAMEDATALEN - 1
            raise ValueError("an identifier is empty, holds NUL or is longer than 63 bytes")
    return sql.Identifier(*names)


def literal(value: object) -> sql.Literal:
    """A quoted literal, for statements that take no parameters (COMMENT, CREATE ROLE…)."""
    return sql.Literal(value)
