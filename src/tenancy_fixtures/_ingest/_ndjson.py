"""NDJSON: one object a line, read in slices. A line that is none is a reject, and the others go on.

A slice in which every line is surely one object goes the fast way (see :class:`._json_fast.FastParser`); whatever is unusual
in it sends the slice the exact way, line by line. Both give the same values.
"""

from __future__ import annotations

import codecs
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from ..constants import FRAME_BYTES, MAX_RECORD_BYTES
from ..exceptions import PackInvalid, SourceEmpty, SourceMalformed
from ._bytes import Utf8Stream
from ._json_fast import FastParser
from ._json_frames import Found, JsonFrames, header_of, is_utf8, json_encoding, notes_of
from ._json_values import BLANKS, NotJson, parse
from .sources import missing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from .._pack_models import Source
    from .readers import Field, RawFrame
    from .sources import FileSource

_FIRST_BYTES = 1 << 18
_LEAST_BYTES = 4  # a character is not longer


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
        plain = data.startswith(b"{") and joints == lines - 1 and data.endswith((b"}\n", b"}\r\n", b"}"))
        records = lines if plain else sum(1 for text in data.split(b"\n") if text.strip(BLANKS))
        return cls(data, number, line, consumed, lines, records, plain)


class NdjsonReader:
    """A source of NDJSON; see :class:`.readers.Reader`."""

    holds_records = True

    def __init__(self, source: FileSource, declared: Source, fields: Mapping[str, Field]) -> None:
        if declared.records:
            raise PackInvalid("source.records is for JSON documents: in NDJSON each line is a record", hint="Leave it out, or set format to json.")
        self._source = source
        self._encoding = json_encoding(source, declared.encoding)
        self._fields = fields
        first = next((records for piece in self._slices(_FIRST_BYTES) if (records := list(_lines(piece)))), None)
        if first is None:
            raise SourceEmpty(f"{source.name} holds no record", source=source.name, hint="It needs at least one line with an object.")
        self.header = header_of(first, fields)
        self.notes = notes_of(source, first, fields)
        self._fast = FastParser(fields, self.header, first)

    def frames(self, block_bytes: int = FRAME_BYTES) -> Iterator[RawFrame]:
        """The records.

        :raises SourceMalformed: a line exceeds 64 MB.
        :raises SourceUndecodable: bytes that are not text in the encoding, unless that is UTF-8: then their line is a reject.
        """
        maker, consumed = JsonFrames(self._source, self.header, self._fields), 0
        for piece in self._slices(block_bytes):
            read, consumed = piece.consumed - consumed, piece.consumed
            yield self._quickly(piece, read) or self._exactly(maker, piece, read)

    def found(self, block_bytes: int = FRAME_BYTES) -> Iterator[tuple[Found, int]]:
        """The records as values, each with the bytes of the source that were read by then; raises as :meth:`frames`."""
        for piece in self._slices(block_bytes):
            for record in _lines(piece):
                yield record, piece.consumed

    def lines(self, records: Collection[int]) -> dict[int, int]:
        """The lines, from 1, of the records with these numbers; it costs one more reading of the source, as far as the last of them."""
        wanted, found = sorted(records), {}
        for piece in self._slices(FRAME_BYTES):
            here = [number for number in wanted if piece.number <= number < piece.number + piece.records]
            if here and not piece.plain:
                held = [line for line, text in enumerate(piece.data.split(b"\n"), start=piece.line) if text.strip(BLANKS)]
                found.update({number: held[number - piece.number] for number in here})
            found.update({number: piece.line + number - piece.number for number in here if piece.plain})
            if not wanted or wanted[-1] < piece.number + piece.records:
                break
        return found

    def close(self) -> None:
        """Nothing is kept open between two calls of :meth:`lines`."""

    def _quickly(self, piece: _Slice, read: int) -> RawFrame | None:
        if not piece.plain or not self._fast.possible or not _is_text(piece.data):
            return None
        return self._fast.frame(piece.data, range(piece.line, piece.line + piece.records), piece.number, read)

    def _exactly(self, maker: JsonFrames, piece: _Slice, read: int) -> RawFrame:
        records = list(_lines(piece))
        if piece.plain and self._fast.possible:
            self._fast.observe(records)
        return maker.frame(records, read)

    def _slices(self, size: int) -> Iterator[_Slice]:
        """Pieces of about that many bytes that end with a line; each begins with the next record's number."""
        number, line, rest = 1, 1, b""
        with closing(_open(self._source, self._encoding)) as stream:
            more = b"begin"
            while more:
                more = stream.read(max(size, _LEAST_BYTES))
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


class _Raw:
    """The bytes of a source as they are, without the mark of UTF-8 at their start: who reads them decodes them, line by line."""

    def __init__(self, source: FileSource) -> None:
        self._source = source
        self._file = source.open()
        self.consumed = 0

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes, 4 or more; none at the end.

        :raises SourceMissing: they cannot be read.
        """
        try:
            data = self._file.read(size)
        except OSError as error:
            raise missing(self._source.name, error) from error
        first, self.consumed = not self.consumed, self.consumed + len(data)
        return data.removeprefix(codecs.BOM_UTF8) or self.read(size) if first and data else data

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


def _open(source: FileSource, encoding: str) -> _Raw | Utf8Stream:
    return _Raw(source) if is_utf8(encoding) else Utf8Stream(source, encoding)


def _is_text(data: bytes) -> bool:
    """Whether it is UTF-8; Python's own decoder takes seven times as long."""
    try:
        pl.Series([data], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.PolarsError:
        return False
    return True


def _lines(piece: _Slice) -> Iterator[Found]:
    number = piece.number
    for line, text in enumerate(piece.data.split(b"\n"), start=piece.line):
        if text.strip(BLANKS):
            yield _read(text, number, line)
            number += 1


def _read(text: bytes, number: int, line: int) -> Found:
    try:
        return Found(number, line, parse(text.decode("utf-8")))
    except NotJson as error:
        return Found(number, line, fault=("json", f"expected one object of JSON on the line: {error.reason}"))
    except UnicodeDecodeError:
        return Found(number, line, fault=("encoding", "expected text in UTF-8"))
