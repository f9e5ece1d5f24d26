"""Progress of a run on stderr, where somebody looks on: a line for what is read, a line for what is written."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress, TaskID

    from ..monitoring import ProgressListener


@contextmanager
def progress(unit: str = "records") -> Iterator[ProgressListener | None]:
    """Show progress on a terminal and hand out who is to be told; in a pipe show nothing and hand out ``None``."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    with _bars(unit) as bars:
        yield _listener(bars)


@contextmanager
def tenants_done(total: int) -> Iterator[Callable[[], None]]:
    """Show on a terminal how many of many tenants are done, and hand out what counts one more; in a pipe, or of one alone, nothing."""
    if total < 2 or sys.stderr is None or not sys.stderr.isatty():  # noqa: PLR2004 - one is done when it is told
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    # Outcomes are printed above the bar where they go to the same terminal, and nowhere else than to stdout where they do not.
    columns = (TextColumn("Tenants"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()) as bars:
        task = bars.add_task("", total=total)
        yield lambda: bars.advance(task)


def _bars(unit: str) -> Progress:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TextColumn(f"{{task.completed:>12,.0f}} {unit}"), TimeElapsedColumn())
    # Gone when the work is done: the report says the same, and better.
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _listener(bars: Progress) -> ProgressListener:
    tasks: dict[str, TaskID] = {}

    def hear(phase: str, records: int, _bytes: int) -> None:
        # One line for reading, one for writing: each dataset in its turn.
        verb = phase.partition(" ")[0]
        if verb not in tasks:
            tasks[verb] = bars.add_task(phase, total=None)
        bars.update(tasks[verb], description=phase, completed=records)

    return hear
