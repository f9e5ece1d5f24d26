"""How a client behaves towards a web API, and what it puts up with."""

from __future__ import annotations

import asyncio
import math
import re
import time
from dataclasses import dataclass
from datetime import timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from .. import constants

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Manners:
    """Times in seconds. ``patience`` is what one request may be told to wait in all, ``unsaid`` what it waits where it is told to, and not for how long.

    However short it is told to wait, it waits ``least``.

    A fault is tried again ``attempts`` times in all, after ``first_wait`` and then twice as long each time, up to ``longest_wait``, and a
    random piece of ``first_wait`` more.
    """

    at_once: int = constants.WEB_API_CONCURRENCY
    patience: float = constants.WEB_API_WAIT
    unsaid: float = 5.0
    least: float = 1.0
    attempts: int = 6
    first_wait: float = 0.25
    longest_wait: float = 20.0
    connect: float = 10.0
    # Silence of the server, and the time for a whole answer: one that comes byte by byte would else never end.
    silence: float = 30.0
    whole: float = 120.0
    # A page of a hundred tracks with all markets has a megabyte.
    answer_bytes: int = 16 * 1024**2
    redirects: int = 3
    # New tokens in a row that one request may need: one may end on its way.
    renewals: int = 2


class Gate:
    """Holds all requests to a host back until the time that it asked for."""

    def __init__(self) -> None:
        self._until = -math.inf

    def close(self, seconds: float) -> None:
        """Let nobody through for that long."""
        self._until = max(self._until, time.monotonic() + seconds)

    @property
    def open(self) -> bool:
        """Whether somebody may pass now."""
        return time.monotonic() >= self._until

    async def passed(self) -> None:
        """Wait until it is open: whoever waits may be told to wait longer meanwhile."""
        while (left := self._until - time.monotonic()) > 0:  # noqa: ASYNC110 - it opens with time, and nobody tells
            await asyncio.sleep(left)


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """What ``Retry-After`` asks for, in seconds or as a date; ``None`` where it says nothing that can be understood."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text):
        return float(text)
    until = _moment(text)
    if until is None:
        return None
    # The server's own clock, where it tells the time: ours may be wrong. Its second may just have begun.
    now = _moment(headers.get("date", ""))
    return max(0.0, until - (time.time() if now is None else now))


def _moment(text: str) -> float | None:
    try:
        found = parsedate_to_datetime(text)
        return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
