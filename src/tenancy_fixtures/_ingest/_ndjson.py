"""NDJSON: one object a line, read in slices. A line that is none is a reject, and the others go on.

A slice of plain records is given to pyarrow, which parses numbers straight into the wanted types; whatever is unusual in
it (a nested path, a number in a column of text, a field of another type, an escape that is no text) sends the slice the
exact way, line by line. Both give the same values.
"""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.json as pajson

from ..constants import FRAME_BYTES, MAX_RECORD_BYTES
from ..exceptions import SourceEmpty, SourceMalformed
from ._bytes import Utf8Stream
from ._json_frames import Found, JsonFrames, header_of, json_encoding
from ._json_values import parse
from ._paths import plain_name
from .readers import RawFrame

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .._pack_models import Source
    from .readers import Field
    from .sources import FileSource

# The types of plain fields. Others (numeric, json…) keep every digit and every bracket only the exact way.
_ARROW = {"integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_(), "text": pa.string()}
_FIRST_BYTES = 1 << 18
_FAILURES = 3
# What pyarrow would make zero, a NUL in a text, and words that it takes for numbers and JSON does not know.
_UNUSUAL = re.compile(rb"[eE]-[23][0-9]{2}|\\u0000|[:,\[][ \t]*[+-]?(?:NaN|Inf)")


@dataclass(frozen=True)
class _Slice:
    """Whole lines: the text, the number of the first record, the first line's."""

    data: bytes
    number: int
    line: int
    consumed: int


class NdjsonReader:
    """A source of NDJSON; see :class:`.readers.Reader`."""

    def __init__(self, source: FileSource, declared: Source, fields: Mapping[str, Field]) -> None:
        self._source = source
        self._encoding = json_encoding(source, declared.encoding)
        self._fields = fields
        first = next((records for piece in self._slices(_FIRST_BYTES) if (records := list(_lines(piece)))), None)
        if first is None:
            raise SourceEmpty(f"{source.name} holds no record", source=source.name, hint="It needs at least one line with an object.")
        self.header = header_of(first, fields)
        self.notes: tuple[str, ...] = ()
        self._schema = self._plain_schema()
        self._failures = 0

    def frames(self, block_bytes: int = FRAME_BYTES) -> Iterator[RawFrame]:
        """The records.

        :raises SourceMalformed: a line exceeds 64 MB.
        :raises SourceUndecodable: bytes that are not text in the encoding.
        """
        maker, consumed = JsonFrames(self._source, self.header, self._fields), 0
        for piece in self._slices(block_bytes):
            frame = self._fast(piece, piece.consumed - consumed) or maker.frame(list(_lines(piece)), piece.consumed - consumed)
            consumed = piece.consumed
            yield frame

    def _slices(self, size: int) -> Iterator[_Slice]:
        """Pieces of about that many bytes that end with a line; each begins with the next record's number."""
        number, line = 1, 1
        with closing(Utf8Stream(self._source, self._encoding)) as stream:
            rest = b""
            while True:
                more = stream.read(size)
                data = rest + more
                cut = data.rfind(b"\n") + 1 if more else len(data)
                if len(data) - cut > MAX_RECORD_BYTES:
                    line += data.count(b"\n", 0, cut)
                    raise SourceMalformed(f"{self._source.name}, line {line}: a line exceeds {MAX_RECORD_BYTES >> 20} MB", source=self._source.name)
                if cut:
                    piece = _Slice(data[:cut], number, line, stream.consumed)
                    yield piece
                    number, line = number + _count(piece.data), line + piece.data.count(b"\n")
                rest = data[cut:]
                if not more:
                    return

    # --- the fast way -------------------------------------------------------------------------------------------------

    def _plain_schema(self) -> pa.Schema | None:
        """The types in which plain fields are parsed; ``None`` where a path leads deeper."""
        names = {name: plain_name(name) for name in self._fields}
        if any(self._fields[name].kind not in _ARROW for name in names):
            return None
        if None in names.values() or len(set(names.values())) < len(names) or any(name not in self.header for name in names):
            return None
        return pa.schema([(key, _ARROW[self._fields[name].kind]) for name, key in names.items()])

    def _fast(self, piece: _Slice, read: int) -> RawFrame | None:
        if self._schema is None or not _is_plain(piece.data):
            return None
        read_options = pajson.ReadOptions(use_threads=False, block_size=len(piece.data) + 1)
        parse_options = pajson.ParseOptions(explicit_schema=self._schema, unexpected_field_behavior="ignore")
        try:
            table = pajson.read_json(pa.BufferReader(piece.data), read_options=read_options, parse_options=parse_options)
        except (pa.ArrowException, UnicodeError):
            # A source that is never plain is not tried for ever.
            self._failures += 1
            self._schema = None if self._failures > _FAILURES else self._schema
            return None
        rows = table.num_rows
        columns = {plain_name(name): name for name in self._fields}
        cells = pl.DataFrame(table).rename({key: name for key, name in columns.items() if key is not None})
        if rows != piece.data.count(b"\n") + (not piece.data.endswith(b"\n")) or _has_infinite(cells):
            return None
        nothing = pl.lit(None, pl.String)
        cells = cells.select(
            (pl.col(name) if name in columns.values() else nothing).alias(str(position)) for position, name in enumerate(self.header)
        )
        numbers = pl.int_range(piece.number, piece.number + rows, eager=True)
        return RawFrame(cells, numbers, (), read, lines=numbers - piece.number + piece.line, by_record=True)


def _is_plain(data: bytes) -> bool:
    """Whether each line begins and ends as an object does, so that as many records as lines are one a line."""
    ends = data.count(b"}\n{") if b"\r" not in data else data.count(b"}\r\n{")
    lines = data.count(b"\n") + (not data.endswith(b"\n"))
    return data.startswith(b"{") and data.rstrip(b"\r\n").endswith(b"}") and ends == lines - 1 and _UNUSUAL.search(data) is None


def _has_infinite(cells: pl.DataFrame) -> bool:
    floats = [name for name, kind in cells.schema.items() if kind == pl.Float64]
    return bool(floats) and bool(cells.select(pl.any_horizontal(pl.col(floats).is_infinite().any())).item())


# --- the exact way ----------------------------------------------------------------------------------------------------


def _lines(piece: _Slice) -> Iterator[Found]:
    number = piece.number
    for line, text in enumerate(piece.data.decode("utf-8").split("\n"), start=piece.line):
        if not text.strip(" \t\r"):
            continue
        try:
            yield Found(number, line, parse(text))
        except (ValueError, RecursionError):
            yield Found(number, line, fault=("json", "expected one object of JSON on the line"))
        number += 1


def _count(data: bytes) -> int:
    """How many lines hold something."""
    return sum(1 for line in data.split(b"\n") if line.strip(b" \t\r"))
