"""Encoded frames into one relation by COPY, several frames by one statement where nobody else wants the connection.

The end of a COPY waits until the server has read everything, and then the server waits for the next one to begin: some
hundredths of a second, in which nobody works. For a load of a million rows, one statement a frame costs a quarter of the time.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg

from ..exceptions import RowsLost
from . import _rejects
from ._cancel import cancelled_once, end_copy, undisturbed
from ._records import RecordNumbers
from ._target import listed
from .sql import compose

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from psycopg import AsyncCopy

    from ._encode import EncodedFrame
    from ._write import Way

# The format of https://www.postgresql.org/docs/current/sql-copy.html: a signature, flags and the length of an extension; rows; -1 fields.
_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_TRAILER = b"\xff\xff"
# What the server says of a value is heard at the end of the statement: that must not be the end of a long file.
_FRAMES_OF_A_COPY = 32


class RowStream:
    """Sends frames to where a way wants them, and counts what arrives. ``sent`` counts rows and ``bytes`` their bytes."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._cursor: psycopg.AsyncCursor[Any] | None = None
        self._manager: AbstractAsyncContextManager[AsyncCopy] | None = None
        self._copy: AsyncCopy | None = None
        self._numbers = RecordNumbers()
        self._frames = self._rows = 0
        self.sent = 0
        self.bytes = 0

    async def send(self, frame: EncodedFrame, *, go_on: bool = False) -> None:
        """Send the rows of a frame; with ``go_on`` the statement stays open for the next, and :meth:`end` is to be called.

        :raises DataRejected: the server refused a value of this frame or one before.
        :raises RowsLost: the server counted other rows than were sent.
        """
        await cancelled_once(self._send(frame, go_on=go_on))

    async def end(self) -> None:
        """End the statement, if one is open; raises what :meth:`send` does."""
        if self._manager is not None:
            await cancelled_once(self._end())

    async def abandon(self) -> None:
        """End the statement so that its rows are not stored, whatever it takes: the connection can roll back afterwards."""
        if self._manager is not None:
            await undisturbed(self._leave(Abandoned()))

    async def _send(self, frame: EncodedFrame, *, go_on: bool) -> None:
        try:
            if self._copy is None:
                self._copy = await self._begin()
            self._numbers.add(frame.records)
            for chunk in frame.chunks:
                await self._copy.write(chunk)
        except BaseException as error:
            await self._give_up(error)
            raise
        self._frames, self._rows = self._frames + 1, self._rows + frame.rows
        self._way.sent(frame)
        self.sent, self.bytes = self.sent + frame.rows, self.bytes + frame.size
        if not go_on or self._way.eager or self._frames >= _FRAMES_OF_A_COPY:
            await self._end()

    async def _begin(self) -> AsyncCopy:
        target, record = self._way.target, self._way.record_column
        columns = listed([*target.columns, *([record] if record else [])])
        statement = compose(f"copy.{self._way.copy_statement}", relation=self._way.relation, columns=columns)
        self._numbers, self._frames, self._rows = RecordNumbers(), 0, 0
        self._cursor = target.connection.cursor()
        manager = self._cursor.copy(statement)
        copy = await manager.__aenter__()
        self._manager = manager
        await copy.write(_HEADER)
        return copy

    async def _end(self) -> None:
        assert self._copy is not None
        assert self._cursor is not None
        cursor, target = self._cursor, self._way.target
        try:
            await self._copy.write(_TRAILER)
            await self._leave(None)
        except BaseException as error:
            await self._give_up(error)
            raise
        if cursor.rowcount != self._rows:
            raise RowsLost(f"frames of {self._rows} rows were sent to table {target.table.name!r}, the server counted {cursor.rowcount}")
        await self._way.arrived(self._numbers.last)

    async def _give_up(self, error: BaseException) -> None:
        """Leave the connection so that it can roll back, and say whose row it was where the server refused one."""
        connection = self._way.target.connection
        with suppress(psycopg.Error):
            await self._leave(error)
        if isinstance(error, asyncio.CancelledError):
            await end_copy(connection)
        if isinstance(error, psycopg.Error):
            rejected = _rejects.from_copy(self._way.target, error, self._numbers)
            if rejected is not None:
                # The driver's error quotes the row.
                raise rejected from None

    async def _leave(self, error: BaseException | None) -> None:
        manager, self._manager, self._copy = self._manager, None, None
        if manager is None:
            return
        if error is None:
            await manager.__aexit__(None, None, None)
            return
        with suppress(type(error)):
            await manager.__aexit__(type(error), error, error.__traceback__)


class Abandoned(Exception):
    """What the server is told of a COPY that nobody goes on with."""
