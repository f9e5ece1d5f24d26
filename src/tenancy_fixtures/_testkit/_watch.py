"""The check that no statement runs without a tenant: engines of SQLAlchemy are listened to, and each statement's transaction is asked whose it is."""

from __future__ import annotations

import re
import sys
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from .._pg.context import text_of
from .._sessions import OPTION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from sqlalchemy import Connection

_LISTED = 10
_LONGEST = 300  # characters of a statement that are shown

# Literals may be people's data: what a statement does can be seen without them. Placeholders of all drivers stay.
_LITERAL = re.compile(r"""[EeUu]?&?'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$|(?<![\w$:%.)])[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?\b""", re.DOTALL)
_OF_ITSELF = re.compile(r"\s*(SAVEPOINT|RELEASE|ROLLBACK)\b", re.IGNORECASE)
_LIBRARIES = re.compile(r"[/\\](sqlalchemy|greenlet|asyncio|concurrent|threading\.py|contextlib\.py|tenancy_fixtures[/\\]_)", re.IGNORECASE)


@dataclass(frozen=True)
class Stray:
    """A statement that ran in a transaction of no tenant: its text without any value, and where it was called."""

    statement: str
    place: str

    def __str__(self) -> str:
        return f"{self.place}\n    {self.statement}"


class Watch:
    """Hears the statements of engines. ``allow`` are regular expressions: a statement in which one is found may run without a tenant."""

    def __init__(self, allow: Sequence[str] = ()) -> None:
        self._allow = [re.compile(pattern, re.IGNORECASE) for pattern in allow]
        self.strays: list[Stray] = []

    @contextmanager
    def on(self, *engines: Engine | AsyncEngine) -> Iterator[Watch]:
        """Listen to these engines; to all that the process has or will have, where none is named."""
        targets: list[Any] = [engine.sync_engine if isinstance(engine, AsyncEngine) else engine for engine in engines] or [Engine]
        for target in targets:
            event.listen(target, "after_cursor_execute", self._heard)
        try:
            yield self
        finally:
            for target in targets:
                event.remove(target, "after_cursor_execute", self._heard)

    def complaint(self) -> str | None:
        """What there is to be said of the statements so far; ``None`` where all was in order."""
        if not self.strays:
            return None
        number = len(self.strays)
        lines = [f"{number} statement{'s' if number > 1 else ''} ran in a transaction without a tenant:"]
        lines += [str(stray) for stray in self.strays[:_LISTED]]
        return "\n".join(lines + ([f"… and {number - _LISTED} more"] if number > _LISTED else []))

    def _heard(self, connection: Connection, _: Any, statement: str, *__: Any) -> None:
        if connection.dialect.name != "postgresql" or _OF_ITSELF.match(statement):
            return
        if any(pattern.search(statement) for pattern in self._allow) or _is_tenants(connection):
            return
        self.strays.append(Stray(_shown(statement), _caller()))


def _is_tenants(connection: Connection) -> bool:
    """Whether the transaction is a tenant's: by our own binding, or by what the server knows, whoever told it."""
    if connection.info.get(OPTION) is not None:
        return True
    cursor = connection.connection.cursor()
    try:
        cursor.execute(text_of("testkit.is_tenants"))
        row = cursor.fetchone()
    finally:
        cursor.close()
    return bool(row and row[0])


def _shown(statement: str) -> str:
    text = " ".join(_LITERAL.sub("'…'", statement).split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _caller() -> str:
    """The line of the host's that the statement comes from."""
    frames = list(_frames())
    own = next((frame for frame in frames if not _is_librarys(frame.f_code.co_filename)), None)
    if own is None:
        return "".join(traceback.format_stack(limit=1)).strip()
    path = Path(own.f_code.co_filename)
    try:
        shown = path.relative_to(Path.cwd())
    except ValueError:
        shown = path
    return f"{shown}:{own.f_lineno}, in {own.f_code.co_name}"


def _is_librarys(filename: str) -> bool:
    return "site-packages" in filename or _LIBRARIES.search(filename) is not None or filename.startswith("<")


def _frames() -> Iterator[FrameType]:
    """The frames that wait for this one, innermost first; a coroutine's engine runs in a greenlet, and the coroutine waits in that one's parent."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - what traceback uses; extract_stack reads every file
    greenlet = _greenlet()
    while frame is not None:
        while frame is not None:
            yield frame
            frame = frame.f_back
        greenlet = greenlet.parent if greenlet is not None else None
        frame = greenlet.gr_frame if greenlet is not None else None


def _greenlet() -> Any:
    try:
        from greenlet import getcurrent  # type: ignore[import-untyped,unused-ignore]
    except ImportError:  # pragma: no cover - SQLAlchemy's coroutines need it
        return None
    return getcurrent()
