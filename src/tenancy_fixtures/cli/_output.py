"""What commands say: JSON or tables on stdout, remarks and errors on stderr."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import contextmanager, redirect_stdout
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TextIO

    from ..exceptions import TenancyError

# In a pipe nothing is cut or wrapped: whoever reads there wants whole lines.
_PIPE_WIDTH: Final = 10_000

# Rejects that a person is shown; JSON has all that the report lists.
SHOWN_REJECTS: Final = 20

_REJECT: Final = ("source", "record", "line", "column", "rule", "message")

# Why the answer, or a piece of it, is not where it should be: of the process, as standard output is.
_lost: list[str] = []

_HALF = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


# What stdout was before it was kept for answers.
_kept: list[TextIO] = []


@contextmanager
def kept_for_answers() -> Iterator[None]:
    """Where no person reads stdout: what a host's own code prints, revisions and packs in Python, goes to stderr while this lasts."""
    if sys.stdout is None or sys.stdout.isatty():
        yield
        return
    _kept.append(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _kept.pop()


def _stdout() -> TextIO | None:
    return _kept[-1] if _kept else sys.stdout


def emit(value: Any) -> None:
    """Write one JSON object as one line on stdout. In the name of a file that is no text a sign stands for what is none: not every reader takes halves of characters."""
    text = json.dumps(value, default=str)
    if "\\ud" in text:
        text = json.dumps(json.loads(_HALF.sub("\ufffd", json.dumps(value, default=str, ensure_ascii=False))))
    _write(_stdout(), text + "\n")


def say(text: str = "") -> None:
    """Write a line on stdout."""
    _write(_stdout(), legible(text) + "\n")


def raw(text: str) -> None:
    """Write text on stdout exactly as it is."""
    _write(_stdout(), text)


def answer_lost() -> str | None:
    """What kept text for stdout from being written, if anything did: a full disk, and not a reader that has left."""
    return _lost[0] if _lost else None


def note(text: str) -> None:
    """Write a line on stderr."""
    _write(sys.stderr, legible(text) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, stream: TextIO | None = None) -> None:
    """Write a table, numbers to the right; nothing where there are no rows."""
    stream = stream or _stdout()
    if stream is None:  # somebody has closed it
        return
    cells = [list(row) for row in rows]
    if cells:
        _write(stream, _table_text(columns, cells, stream))


def legible(text: str) -> str:
    """Text in which control characters are spelt out: a name in a file must not steer the terminal."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def counted(number: int, noun: str) -> str:
    """How many of what: ``1 row``, ``2,000 rows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def moment(value: datetime | str) -> str:
    """A point in time as people read it: UTC, to the second. Tables say so in the column's name."""
    value = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{value.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S}"


def show_error(error: TenancyError) -> None:
    """Tell a person on stderr what went wrong, to whom, where, and what to do about it."""
    note(f"Error: {error.message}")
    for name, value in (("tenant", error.tenant), ("step", error.step), ("hint", error.hint)):
        if value:
            note(f"  {name}: {value}")
    for guessed in error.facts.get("notes") or ():
        note(f"  note: {guessed}")
    rejects = getattr(error, "rejects", None) or ()
    show_rejects(rejects, error.facts.get("count") or 0, stream=sys.stderr)
    runs = error.facts.get("runs") or ()
    table(
        ("Run", "State", "Started (UTC)", "Error"),
        [(run["operation"], run["state"], moment(run["started_at"]), run.get("error")) for run in runs],
        stream=sys.stderr,
    )


def show_rejects(rejects: Sequence[Any], count: int, *, stream: TextIO | None = None) -> None:
    """List the first of the rejects, and say how many more there are: ``count`` is the number of all, listed or not."""
    stream, count = stream or _stdout(), max(count, len(rejects))
    shown = rejects[:SHOWN_REJECTS]
    # Not every format has lines.
    names = [name for name in _REJECT if name != "line" or any(item.line for item in shown)]
    rows = [[getattr(item, name) for name in names] for item in shown]
    table([name.capitalize() for name in names], rows, stream=stream)
    if rows and count > len(rows):
        all_of_them = "all" if len(rejects) >= count else f"the first {len(rejects):,}"
        listed = f"; --json lists {all_of_them}" if len(rejects) > len(rows) else ""
        _write(stream, f"… and {count - len(rows):,} more{listed}.\n")


def _table_text(columns: Sequence[str], rows: Sequence[Sequence[Any]], stream: TextIO) -> str:
    # Here, not above: it takes longer to load than most commands to run.
    from rich import box
    from rich.console import Console
    from rich.table import Table

    terminal = stream.isatty()
    console = Console(file=stream, markup=False, highlight=False, emoji=False, width=None if terminal else _PIPE_WIDTH)
    style = "" if os.environ.get("NO_COLOR") else "bold"
    form = Table(box=box.SIMPLE_HEAD, header_style=style, pad_edge=False, padding=(0, 1, 0, 0))
    for position, column in enumerate(columns):
        numeric = all(row[position] is None or isinstance(row[position], (int, float)) for row in rows)
        form.add_column(legible(column), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        form.add_row(*(legible(_cell(value)) for value in row))
    with console.capture() as capture:
        console.print(form)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines() if line.strip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.2f}"  # noqa: PLR2004 - what is large needs no cents
    return str(value)


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:
        return
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            stream.write(text.encode(stream.encoding, "backslashreplace").decode(stream.encoding))
        stream.flush()
    except BrokenPipeError:
        # The reader has left. What was done stays done, so the exit code is that of the work.
        _silence(stream)
    except OSError as error:
        # The work goes on: half a fleet that is migrated is worse than a report that nobody has.
        _silence(stream)
        if stream is _stdout():
            _lost.append(error.strerror or type(error).__name__)


def _silence(stream: TextIO) -> None:
    """Send the rest, and what Python still holds back, nowhere: it would complain at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
