"""NDJSON: one object a line, read in slices. A line that is none is a reject, and the others go on.

A slice of plain records is given to pyarrow, which parses numbers straight into the wanted types; whatever is unusual in
it (a nested path, a number in a column of text, a field of another type, an escape that is no text) sends the slice the
exact way, line by line. Both give the same values.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
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
_LEAST_PIECE = 1 << 16
# Words that pyarrow takes for numbers and JSON does not know; where no field is unknown they show as values.
_WORDS = r"NaN|Inf"
# A number so near to zero, or with so many zeros, that a double may make it zero.
_TINY = r"[0-9.][eE]-0*(?:[2-9][0-9]{2}|[1-9][0-9]{3})|0{60}"
# pyarrow parses a slice in so many pieces at once.
_PIECES = 4


@dataclass(frozen=True)
class _Slice:
    """Whole lines: the text, the number of the first record, the first line's, how many bytes of the source are read by then.

    ``records`` counts lines that hold something. ``plain`` says that each line begins and ends as an object does, so that
    as many objects as lines are one a line.
    """

    data: bytes
    number: int
    line: int
    consumed: int
    lines: int
    records: int
    plain: bool

    @classmethod
    def of(cls, data: bytes, number: int, line: int, consumed: int) -> _Slice:
        lines = data.count(b"\n") + (not data.endswith(b"\n"))
        joints = data.count(b"}\r\n{") if b"\r" in data else data.count(b"}\n{")
        plain = data.startswith(b"{") and joints == lines - 1 and data.rstrip(b"\r\n").endswith(b"}")
        records = lines if plain else sum(1 for text in data.split(b"\n") if text.strip(b" \t\r"))
        return cls(data, number, line, consumed, lines, records, plain)


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
        self._has_extra = len(self.header) > len(fields)
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
                    piece = _Slice.of(data[:cut], number, line, stream.consumed)
                    yield piece
                    number, line = number + piece.records, line + piece.lines
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
        if self._schema is None or not piece.plain or (b"\\" in piece.data and b"\\u0000" in piece.data):
            return None
        if self._has_extra and _holds(piece.data, _WORDS):
            return None
        read_options = pajson.ReadOptions(block_size=max(len(piece.data) // _PIECES, _LEAST_PIECE) + 1)
        unexpected = "ignore" if self._has_extra else "error"
        parse_options = pajson.ParseOptions(explicit_schema=self._schema, unexpected_field_behavior=unexpected)
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
        if rows != piece.records or _lost_numbers(cells, piece.data):
            return None
        nothing = pl.lit(None, pl.String)
        cells = cells.select(
            (pl.col(name) if name in columns.values() else nothing).alias(str(position)) for position, name in enumerate(self.header)
        )
        numbers = pl.int_range(piece.number, piece.number + rows, eager=True)
        return RawFrame(cells, numbers, (), read, lines=numbers - piece.number + piece.line, by_record=True)


def _lost_numbers(cells: pl.DataFrame, data: bytes) -> bool:
    """Whether a number is none, was too large, or may have been too small to be a double."""
    floats = cells.select(pl.col(pl.Float64))
    if not floats.width:
        return False
    finite = floats.select(pl.all_horizontal(pl.all().is_finite().all())).item()
    zero = floats.select(pl.any_horizontal((pl.all() == 0).any())).item()
    return finite is False or bool(zero and _holds(data, _TINY))


def _holds(data: bytes, pattern: str) -> bool:
    """Whether an expression is found; RE2 looks in a fifth of the time that :mod:`re` takes."""
    return bool(pc.match_substring_regex(pa.array([data], pa.large_binary()), pattern)[0].as_py())


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
