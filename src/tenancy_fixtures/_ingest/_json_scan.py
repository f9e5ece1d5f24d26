"""Where the parts of a JSON document begin and end, found without parsing them: a file is cut before it fits into memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
import pyarrow as pa

from ..constants import MAX_JSON_DEPTH, MAX_RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUOTE, COMMA, LINE_END = 0x22, 0x2C, 0x0A
ARRAY, ARRAY_END, OBJECT, OBJECT_END = 0x5B, 0x5D, 0x7B, 0x7D
_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_SIGNS = [QUOTE, COMMA, LINE_END, ARRAY, ARRAY_END, OBJECT, OBJECT_END]


class Sign(NamedTuple):
    """A bracket, comma or line end outside strings. ``level`` counts the arrays and objects around it, its own left out."""

    at: int
    byte: int
    level: int


class Fault(Exception):
    """The file is no JSON at that byte; ``reason`` holds nothing of it."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at = at


class Scanner:
    """Gives the signs that structure a stream of JSON texts: commas up to ``level``, brackets above it, line ends outside of all.

    Text that is no JSON gives some signs or other: each part is to be parsed by who cuts there. ``keep_from`` is the place
    of the first byte that :meth:`take` will be asked for; what is before it is forgotten.
    """

    def __init__(self, read: Callable[[int], bytes], level: int, block_bytes: int) -> None:
        self._read = read
        self._level = level
        self._block_bytes = block_bytes
        self._kept, self._start = b"", 0
        self._depth = self._quoted = 0
        self._escaped = False
        self._line, self._line_at = 1, 0
        self.keep_from = 0

    @property
    def end(self) -> int:
        """The place after the last byte that was read."""
        return self._start + len(self._kept)

    def take(self, start: int, end: int) -> bytes:
        """The bytes between two places."""
        return self._kept[start - self._start : end - self._start]

    def line_of(self, at: int) -> int:
        """The line, from 1, of a place that is not before the last that was asked for."""
        self._line += self._kept.count(b"\n", self._line_at - self._start, at - self._start)
        self._line_at = at
        return self._line

    def signs(self) -> Iterator[Sign]:
        """The signs in their order.

        :raises Fault: what is kept exceeds 64 MB, or values are nested too deep.
        """
        for data in iter(lambda: self._read(self._block_bytes), b""):
            start = self.end
            if self._line_at < self.keep_from:
                self.line_of(self.keep_from)
            self._kept, self._start = self._kept[self.keep_from - self._start :] + data, self.keep_from
            if len(self._kept) > MAX_RECORD_BYTES + self._block_bytes:
                raise Fault(
                    f"a value of more than {MAX_RECORD_BYTES >> 20} MB begins here: does source.records say where the records are?", self._start
                )
            for at, byte, level in self._find(data, start):
                yield Sign(start + at, byte, level)

    def _find(self, data: bytes, start: int) -> Iterator[tuple[int, int, int]]:
        signs = _bytes_of(self._without_escapes(data)).with_row_index("at").filter(pl.col("byte").is_in(_SIGNS))
        quote, byte = pl.col("byte") == QUOTE, pl.col("byte")
        outside = (quote.cast(pl.Int32).cum_sum() + self._quoted) % 2 == 0
        signs = signs.with_columns(outside=outside)
        self._quoted = (self._quoted + signs.select(quote.sum()).item()) % 2
        signs = signs.filter((byte != QUOTE) & pl.col("outside"))
        opening = byte.is_in([ARRAY, OBJECT]).cast(pl.Int32)
        closing = byte.is_in([ARRAY_END, OBJECT_END]).cast(pl.Int32)
        signs = signs.with_columns(depth=(opening - closing).cum_sum() + self._depth)
        if signs.height:
            self._depth = int(signs["depth"][-1])
            deep = signs.filter(pl.col("depth") > MAX_JSON_DEPTH)["at"]
            if len(deep):
                raise Fault(f"nested too deep: more than {MAX_JSON_DEPTH} levels", start + int(deep[0]))
        signs = signs.with_columns(level=pl.col("depth") - opening)
        deepest = pl.when(byte == LINE_END).then(0).when(byte == COMMA).then(self._level).otherwise(self._level - 1)
        return signs.filter(pl.col("level") <= deepest).select("at", "byte", "level").iter_rows()

    def _without_escapes(self, data: bytes) -> bytes:
        """The bytes with letters for what is escaped, so that every quote is one that begins or ends a string."""
        if self._escaped:
            data = b"x" + data[1:]
        self._escaped = False
        if b"\\" in data:
            data = _ESCAPED.sub(b"xx", data)
            self._escaped = data.endswith(b"\\")
        return data


def _bytes_of(data: bytes) -> pl.DataFrame:
    values = pa.Array.from_buffers(pa.uint8(), len(data), [None, pa.py_buffer(data)])
    return pl.DataFrame(pa.table({"byte": values}))
