"""The one place where the event loop is started, and where signals stop it."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from ._exit import Interrupted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_T = TypeVar("_T")


def run_until_signalled(work: Callable[[], Awaitable[_T]]) -> _T:
    """Run a command's work to its end, or until a signal stops it.

    :raises Interrupted: by SIGINT or SIGTERM; the work was cancelled and has put its connection in order.
    """
    return asyncio.run(_until_signalled(work))


async def _until_signalled(work: Callable[[], Awaitable[_T]]) -> _T:
    caught: list[int] = []
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def stop(number: int) -> None:
        # The first signal cancels and lets the transaction roll back; the second finds Python's own ways again.
        loop.remove_signal_handler(number)
        caught.append(number)
        if task is not None:
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        # Not on Windows, and not outside the main thread.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop, number)
    try:
        return await work()
    except asyncio.CancelledError:
        if caught:
            raise Interrupted(caught[0]) from None
        raise
