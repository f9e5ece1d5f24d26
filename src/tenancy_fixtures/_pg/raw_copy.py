"""COPY on a connection that somebody else's session is using: for what is no part of that session's own interface."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from .errors import translated


def can_copy(connection: Any) -> bool:
    """Whether the connection is one of the driver that this library knows."""
    return isinstance(connection, AsyncConnection)


async def copy_out(connection: AsyncConnection[Any], statement: str) -> str:
    """All that a ``COPY … TO STDOUT`` gives.

    :raises DatabaseError: the server refused it.
    """
    with translated():
        async with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            return b"".join([bytes(data) async for data in copy]).decode()


async def copy_in(connection: AsyncConnection[Any], statement: str, row: tuple[Any, ...]) -> None:
    """Send one row to a ``COPY … FROM STDIN``.

    :raises DatabaseError: the server refused it.
    """
    with translated():
        async with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            await copy.write_row(row)
