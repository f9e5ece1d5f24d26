"""How much the sources of a dataset may be, and the watch over it while they are read."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import constants
from .._shapes import Shape
from ..exceptions import SourceTooLarge

if TYPE_CHECKING:
    from ..settings import Settings


@dataclass(frozen=True)
class SourceLimits(Shape):
    """Bytes of one source and of all after decompression, times that one may grow by it, files; and whether http:// may leave this machine."""

    source_bytes: int = constants.MAX_SOURCE_BYTES
    total_bytes: int = constants.MAX_TOTAL_BYTES
    ratio: int = constants.MAX_COMPRESSION_RATIO
    files: int = constants.MAX_SOURCES
    plain_http: bool = False

    @classmethod
    def of(cls, settings: Settings) -> SourceLimits:
        """The limits that the settings say."""
        bytes_, ratio = (settings.max_source_bytes, settings.max_total_bytes), settings.max_compression_ratio
        return cls(*bytes_, ratio, settings.max_sources, settings.plain_http)


class Budget:
    """Counts what the sources of one load come to. Any thread may tell it."""

    def __init__(self, limits: SourceLimits) -> None:
        self.limits = limits
        self._total = 0
        self._lock = threading.Lock()

    def add(self, name: str, more: int) -> None:
        """So many bytes more are in all sources together.

        :raises SourceTooLarge: that is more than the limits allow.
        """
        with self._lock:
            self._total += more
            total = self._total
        if total > self.limits.total_bytes:
            raise _too_large(name, f"brings the sources to more than {self.limits.total_bytes:,} bytes", "max_total_bytes")

    def count(self, name: str, files: int) -> None:
        """So many files are at a place.

        :raises SourceTooLarge: that is more than the limits allow.
        """
        if files > self.limits.files:
            raise _too_large(name, f"has more than {self.limits.files:,} files", "max_sources")


class Account:
    """What one source comes to: it counts once, however often it is read."""

    def __init__(self, budget: Budget, name: str) -> None:
        self.name = name
        self._budget = budget
        self._size = 0

    def grew(self, size: int, packed: int | None = None) -> None:
        """So many bytes of the source are known now, from ``packed`` bytes where it is compressed.

        :raises SourceTooLarge: that is more than the limits allow.
        """
        limits = self._budget.limits
        if size > limits.source_bytes:
            raise _too_large(self.name, f"holds more than {limits.source_bytes:,} bytes", "max_source_bytes")
        if packed is not None and size > max(constants.RATIO_FREE_BYTES, packed * limits.ratio):
            raise _too_large(self.name, f"unpacks to more than {limits.ratio} times its size", "max_compression_ratio")
        if size > self._size:
            self._budget.add(self.name, size - self._size)
            self._size = size


def _too_large(name: str, what: str, limit: str) -> SourceTooLarge:
    hint = f"Nothing was loaded. If the data are what you think they are, raise TENANCY_{limit.upper()}."
    return SourceTooLarge(f"{name} {what}", source=name, limit=limit, hint=hint)
