"""Items made in worker threads, one ahead of what the loop is busy with; stages of work behind one another; work beside other work."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

_T = TypeVar("_T")
_Made = TypeVar("_Made")


class OneAhead(Generic[_T]):
    """What ``produce`` gives until it gives ``None``, each made in a worker thread while the one before is used.

    Used as ``async with OneAhead(produce) as items: async for item in items``. When the caller stops early or is
    cancelled, the call that is on its way is waited for: whatever ``produce`` works on may be closed afterwards.
    """

    def __init__(self, produce: Callable[[], _T | None]) -> None:
        self._begin: Callable[[], asyncio.Future[_T | None]] = lambda: asyncio.ensure_future(asyncio.to_thread(produce))
        self._pending: asyncio.Future[_T | None] | None = None

    def then(self, convert: Callable[[_T], _Made]) -> OneAhead[_Made]:
        """The items after ``convert``, which works in a thread of its own while the next item is made.

        The caller enters both, this one first.
        """

        async def converted() -> _Made | None:
            item = await self._next()
            return None if item is None else await asyncio.to_thread(convert, item)

        return OneAhead._of(converted)

    @classmethod
    def _of(cls, produce: Callable[[], Awaitable[_T | None]]) -> OneAhead[_T]:
        made = cls(lambda: None)
        made._begin = lambda: asyncio.ensure_future(produce())
        return made

    async def __aenter__(self) -> OneAhead[_T]:
        self._pending = self._begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._pending is not None:
            await _settled(self._pending)

    def __aiter__(self) -> OneAhead[_T]:
        return self

    async def __anext__(self) -> _T:
        item = await self._next()
        if item is None:
            raise StopAsyncIteration
        return item

    async def _next(self) -> _T | None:
        if self._pending is None:
            return None
        item = await asyncio.shield(self._pending)
        self._pending = None if item is None else self._begin()
        return item


async def _settled(pending: asyncio.Future[_T | None]) -> None:
    cancelled = False
    while not pending.done():
        try:
            await asyncio.wait([pending])
        except asyncio.CancelledError:  # noqa: PERF203 - a wait is no hot loop
            # One frame is milliseconds: leaving a thread in the file would be worse than being late.
            cancelled = True
    if not pending.cancelled():
        # Asking keeps asyncio from reporting an error that nobody wants any more.
        pending.exception()
    if cancelled:
        raise asyncio.CancelledError


@asynccontextmanager
async def beside(work: Callable[[], _Made]) -> AsyncIterator[asyncio.Future[_Made]]:
    """Do ``work`` in a worker thread while the loop is busy with what is inside, which waits for the result where it needs it.

    After an error or a cancel inside nobody waits any more: the work is to notice by itself, or to be short.
    """
    doing = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        yield doing
    finally:
        doing.cancel()
        if doing.done() and not doing.cancelled():
            doing.exception()
