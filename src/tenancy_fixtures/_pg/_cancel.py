"""Work on a connection that is cancelled once, and is then left to put the connection in order."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import psycopg
from psycopg.generators import copy_end, fetch_many
from psycopg.pq import ExecStatus, TransactionStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from psycopg import AsyncConnection

_T = TypeVar("_T")

# Seconds that a cancelled statement gets to end: the server notices a cancel at once unless it cannot be reached.
GRACE = 10.0

# Seconds until a statement that goes on is cancelled again: a cancel that reaches the server before its statement is lost.
AGAIN = 0.5


async def cancelled_once(work: Coroutine[Any, Any, _T], *, again: Callable[[], None] | None = None) -> _T:
    """Await ``work`` so that cancelling leaves its connection usable for ROLLBACK.

    psycopg answers a cancel by cancelling the statement on the server and waiting for its end. An anyio cancel scope
    cancels every wait anew, that one too, and would leave the connection in the middle of the statement; so does a second
    cancel from anywhere. Here the work is a task of its own that hears of it once. ``again`` cancels what its connection
    is doing; it is called in a thread, every half second until the work has ended.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        await _ended(task, again)
        raise


async def undisturbed(work: Coroutine[Any, Any, None]) -> None:
    """Await ``work`` to its end whoever cancels meanwhile; what it raises is not heard, since something else has failed before."""
    await _ended(asyncio.ensure_future(work))


async def end_copy(connection: AsyncConnection[Any]) -> None:
    """End a COPY whose very beginning was cancelled: psycopg leaves the server waiting for its rows.

    Until it is ended the connection is busy, and could not even roll back.
    """
    if connection.closed or connection.info.transaction_status != TransactionStatus.ACTIVE:
        return
    with suppress(psycopg.Error):
        results = await connection.wait(fetch_many(connection.pgconn))
        if results and results[-1].status == ExecStatus.COPY_IN:
            await connection.wait(copy_end(connection.pgconn, b"cancelled"))


async def _ended(task: asyncio.Future[Any], again: Callable[[], None] | None = None) -> None:
    deadline = asyncio.get_running_loop().time() + GRACE
    with anyio.CancelScope(shield=True):
        while not task.done() and asyncio.get_running_loop().time() < deadline:
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task], timeout=AGAIN)
                if not task.done() and again is not None:
                    with suppress(psycopg.Error):
                        await asyncio.to_thread(again)
    if task.done() and not task.cancelled():
        # Whatever it died of, the cancel is what the caller hears; asking keeps asyncio from reporting it as unheard.
        task.exception()
