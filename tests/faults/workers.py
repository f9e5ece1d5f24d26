"""Processes that do the work, started ahead of time, and killed at a moment."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]


class Worker:
    """One process; see :mod:`tests.faults.worker` for what it says."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        known = {name: value for name, value in os.environ.items() if not name.startswith("TENANCY_")}
        self.process = subprocess.Popen([sys.executable, "-m", "tests.faults.worker"], text=True, cwd=ROOT, env={**known, **environment}, **pipes)

    async def hear(self, word: str) -> float:
        """Wait until it says so; when it did."""
        line = await asyncio.to_thread(self.process.stdout.readline)
        assert line.strip() == word, f"the worker says {line!r} in the place of {word!r}; it ended with {self.process.poll()}"
        return time.perf_counter()

    async def begin(self, **task: Any) -> float:
        """Give it its task; when it began."""
        await self.hear("ready")
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        return await self.hear("begin")

    def pause(self) -> None:
        """Stop it where it is, so that the server can be asked about this very moment."""
        self.process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """End it, and whatever it was about to say."""
        self.process.kill()
        self.process.wait(30)
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


class Workers:
    """A worker for each task, the next one importing while the one before is looked at."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._spare: list[Worker] = []

    def prepare(self) -> None:
        """Start one that imports now."""
        self._spare.append(Worker(self._environment))

    def take(self) -> Worker:
        if not self._spare:
            self.prepare()
        return self._spare.pop()

    def close(self) -> None:
        while self._spare:
            self._spare.pop().kill()


@contextlib.contextmanager
def workers(environment: Mapping[str, str]) -> Iterator[Workers]:
    """Workers that find this environment; none of them is left at the end."""
    staff = Workers(environment)
    try:
        yield staff
    finally:
        staff.close()
