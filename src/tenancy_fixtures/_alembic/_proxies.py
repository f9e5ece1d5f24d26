"""``alembic.op`` and ``alembic.context`` are globals of a process: one revision at a time may stand behind them."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from alembic.operations import Operations
    from alembic.runtime.environment import EnvironmentContext

# Reentrant: what compiles in the thread of a loop, while a revision waits for the server there, comes and goes in between.
_LOCK = threading.RLock()
_online = threading.Event()
# Seconds between two looks at whether another loop, or thread, has finished its revision.
_PAUSE = 0.005


@contextmanager
def standing_in(operations: Operations, environment: EnvironmentContext) -> Iterator[None]:
    """Let ``op`` and ``context`` be these, and what they were before when the block ends."""
    import alembic.context
    import alembic.op

    with _LOCK:
        modules: list[Any] = [alembic.op, alembic.context]
        before = [dict(vars(module)) for module in modules]
        operations._install_proxy()  # noqa: SLF001 - what Operations.context() does, which leaves it there after an error
        environment._install_proxy()  # noqa: SLF001 - likewise
        try:
            yield
        finally:
            for module, names in zip(modules, before):
                for name in set(vars(module)) - set(names):
                    delattr(module, name)
                vars(module).update(names)


@asynccontextmanager
async def alone() -> AsyncIterator[None]:
    """Wait until no other revision of this process runs online, and let none begin before the block ends."""
    while not _enter():  # noqa: ASYNC110 - other loops and threads are waited for as well, and no event of this one tells of them
        await asyncio.sleep(_PAUSE)
    try:
        yield
    finally:
        _online.clear()
        _LOCK.release()


def _enter() -> bool:
    if not _LOCK.acquire(blocking=False):
        return False
    if _online.is_set():
        _LOCK.release()
        return False
    _online.set()
    return True
