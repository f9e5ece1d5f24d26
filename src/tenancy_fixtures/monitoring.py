"""Measure what runs do: time, records, bytes and rate of each phase. Knows no database; ``runtime`` gives it a sink."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from ._shapes import Phase, RunReport, RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    # What hears of progress: phase, records done so far in it, bytes done so far.
    ProgressListener = Callable[[str, int, int], None]


class Tracker(Protocol):
    """What measures one run."""

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases so far, in the order in which they began."""
        ...

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the time inside the block as part of the phase; the same phase may be entered again."""
        ...

    def count(self, name: str, records: int = 0, bytes_: int = 0) -> None:
        """Count records and bytes as part of the phase."""
        ...


class PerformanceTracker:
    """Measures the phases of one run. Times are wall-clock seconds of a monotonic clock.

    ``listener`` is told after every count, for progress bars: it must be quick.
    """

    def __init__(self, listener: ProgressListener | None = None) -> None:
        self._seconds: dict[str, float] = {}
        self._records: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._listener = listener

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases so far, in the order in which they began."""
        return tuple(Phase(name, round(seconds, 6), self._records[name], self._bytes[name]) for name, seconds in self._seconds.items())

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the time inside the block as part of the phase; the same phase may be entered again."""
        self._seconds.setdefault(name, 0.0)
        began = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[name] += time.perf_counter() - began

    def count(self, name: str, records: int = 0, bytes_: int = 0) -> None:
        """Count records and bytes as part of the phase."""
        self._seconds.setdefault(name, 0.0)
        self._records[name] += records
        self._bytes[name] += bytes_
        if self._listener is not None:
            self._listener(name, self._records[name], self._bytes[name])


class NullTracker:
    """Measures nothing: what runs get while ``performance_monitoring`` is off. Progress is still told."""

    phases: tuple[Phase, ...] = ()

    def __init__(self, listener: ProgressListener | None = None) -> None:
        self._listener = listener
        self._records: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:  # noqa: ARG002 - the form is the tracker's
        """Only run the block."""
        yield

    def count(self, name: str, records: int = 0, bytes_: int = 0) -> None:
        """Only tell the listener, where there is one."""
        if self._listener is not None:
            self._records[name] += records
            self._bytes[name] += bytes_
            self._listener(name, self._records[name], self._bytes[name])


class FixtureMonitor:
    """Sums up the runs of this process: how many, how they ended, records and seconds by operation.

    A ``sink`` is handed each report as its run ends.
    """

    def __init__(self, sink: Callable[[RunReport], None] | None = None) -> None:
        self._sink = sink
        self._runs: Counter[tuple[str, str]] = Counter()
        self._rows: Counter[str] = Counter()
        self._seconds: dict[str, float] = {}

    def tracker(self, listener: ProgressListener | None = None) -> Tracker:
        """What measures one run."""
        return PerformanceTracker(listener)

    def record(self, report: RunReport) -> None:
        """Count a run that has ended."""
        self._runs[report.operation, report.state.value] += 1
        self._rows[report.operation] += report.written
        self._seconds[report.operation] = self._seconds.get(report.operation, 0.0) + report.seconds
        if self._sink is not None:
            self._sink(report)

    def runs(self, operation: str, state: RunState = RunState.SUCCEEDED) -> int:
        """How many runs of that operation ended so."""
        return self._runs[operation, state.value]

    def summary(self) -> dict[str, dict[str, float]]:
        """By operation: runs by state, rows written, seconds."""
        summary: dict[str, dict[str, float]] = {}
        for (operation, state), number in sorted(self._runs.items()):
            summary.setdefault(operation, {"rows": self._rows[operation], "seconds": self._seconds[operation]})[state] = number
        return summary


class NullMonitor(FixtureMonitor):
    """Keeps nothing: what a runtime has while ``performance_monitoring`` is off."""

    def tracker(self, listener: ProgressListener | None = None) -> Tracker:
        """What measures nothing."""
        return NullTracker(listener)

    def record(self, report: RunReport) -> None:
        """Let the report pass."""
