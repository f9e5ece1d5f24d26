"""Items made in a worker thread, one ahead of what the loop is busy with."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


class OneAhead(Generic[_T]):
    """What ``produce`` gives until it gives ``None``, each made in a worker thread while the one before is used.

    Used as ``async with OneAhead(produce) as items: async for item in items``. When the caller stops early or is
    cancelled, the call that is on its way is waited for: whatever ``produce`` works on may be closed afterwards.
    """

    def __init__(self, produce: Callable[[], _T | None]) -> None:
        self._produce = produce
        self._pending: asyncio.Future[_T | None] | None = None

    async def __aenter__(self) -> OneAhead[_T]:
        self._pending = self._begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._pending is not None:
            await _settled(self._pending)

    def __aiter__(self) -> OneAhead[_T]:
        return self

    async def __anext__(self) -> _T:
        if self._pending is None:
            raise StopAsyncIteration
        item = await asyncio.shield(self._pending)
        if item is None:
            self._pending = None
            raise StopAsyncIteration
        self._pending = self._begin()
        return item

    def _begin(self) -> asyncio.Future[_T | None]:
        return asyncio.ensure_future(asyncio.to_thread(self._produce))


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
