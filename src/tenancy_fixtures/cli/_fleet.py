"""Work on many tenants, some at once, told in their order; a signal lets those in hand come to their end and begins no further one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from . import _output
from ._exit import ExitCode, exit_code_of
from ._progress import tenants_done

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ..exceptions import TenancyError

_T = TypeVar("_T")

# Seconds that tenants in hand get to finish after a signal: containers are killed 10 s after it (Docker) or 30 s (Kubernetes), and what is
# given back has to be rolled back in that time too.
GRACE: Final = 5.0


class Fleet(Generic[_T]):
    """Tenants by name, and the work that is done on each."""

    def __init__(self, names: Sequence[str], work: Callable[[str], Awaitable[_T]], tell: Callable[[_T], ExitCode], *, at_once: int) -> None:
        self._names = names
        self._work = work
        self._tell = tell
        self._slots = asyncio.Semaphore(at_once)
        self._stopping = False
        self._begun: set[str] = set()
        self._untold: dict[str, asyncio.Future[_T | TenancyError | None]] = {}
        self._codes: set[ExitCode] = set()

    async def run(self, *, as_json: bool) -> set[ExitCode]:
        """Do the work, tell each outcome in the tenants' order, and give the exit codes of those that are not well.

        :raises asyncio.CancelledError: a signal stopped it; what was finished and what is left has been told.
        """
        self._untold = {name: asyncio.ensure_future(self._one(name)) for name in self._names}
        try:
            with tenants_done(len(self._names)) as advance:
                for name, task in list(self._untold.items()):
                    # Not awaited itself: who cancels this would cancel the work on that tenant at once.
                    await asyncio.wait([task])
                    self._hear(name, as_json=as_json)
                    advance()
        except asyncio.CancelledError:
            self._stopping = True
            await self._settle()
            self._tell_rest(as_json=as_json)
            raise
        finally:
            for task in self._untold.values():
                task.cancel()
            await asyncio.gather(*self._untold.values(), return_exceptions=True)
        return self._codes

    async def _one(self, name: str) -> _T | TenancyError | None:
        """The outcome on one tenant, which may be an error; ``None`` where the signal came before its turn."""
        from ..exceptions import TenancyError

        async with self._slots:
            if self._stopping:
                return None
            self._begun.add(name)
            try:
                return await self._work(name)
            except TenancyError as error:
                return error.locate(tenant=name)

    async def _settle(self) -> None:
        """Let those in hand finish while there is time for it; then roll them back."""
        in_hand = [task for name, task in self._untold.items() if name in self._begun and not task.done()]
        if in_hand:
            await asyncio.wait(in_hand, timeout=GRACE)
        for task in self._untold.values():
            task.cancel()
        await asyncio.gather(*self._untold.values(), return_exceptions=True)

    def _hear(self, name: str, *, as_json: bool) -> None:
        outcome = self._untold.pop(name).result()
        if outcome is not None:
            code = _tell_error(outcome, as_json=as_json) if isinstance(outcome, Exception) else self._tell(outcome)
            self._codes |= {code} - {ExitCode.DONE}

    def _tell_rest(self, *, as_json: bool) -> None:
        for name in [name for name, task in self._untold.items() if not task.cancelled() and task.result() is not None]:
            self._hear(name, as_json=as_json)
        back = [name for name in self._untold if name in self._begun]
        left = [name for name in self._untold if name not in self._begun]
        if as_json:
            _output.emit({"stopped": True, "finished": len(self._names) - len(back) - len(left), "given_back": back, "not_begun": left})
            return
        _output.note(f"Stopped by a signal: {len(self._names) - len(back) - len(left)} of {_output.counted(len(self._names), 'tenant')} finished.")
        if back:
            _output.note(f"Given back in the middle, as they were before: {', '.join(back)}.")
        if left:
            _output.note(f"Not begun: {', '.join(left)}.")
        if back or left:
            _output.note("The same command again goes on with them.")


def _tell_error(error: Any, *, as_json: bool) -> ExitCode:
    code = exit_code_of(error)
    if as_json:
        _output.emit({**error.to_dict(), "exit_code": code.value})
    else:
        _output.show_error(error)
    return code
