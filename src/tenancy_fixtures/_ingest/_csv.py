"""CSV into frames of text cells, streaming, with every record numbered.

Nothing is interpreted here: ``NA``, ``null`` and a quoted or unquoted empty cell are the texts that they are. What
stands for no value is said by the dataset's mapping.
"""

from __future__ import annotations

import csv
import secrets
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv

from .._shapes import Reject
from ..constants import FRAME_BYTES, MAX_RECORD_BYTES
from ..exceptions import PackInvalid, SourceEmpty, SourceError, SourceMalformed, SourceUndecodable
from ._bytes import Utf8Stream, undecodable
from .readers import Header, RawFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._pack_models import Source
    from .sources import FileSource

_MAX_HEADER_BYTES = 1024 * 1024
_GROWTH = 4
_NUL = "\x00"


class CsvReader:
    """A source of CSV; see :class:`.readers.Reader`."""

    def __init__(self, source: FileSource, declared: Source) -> None:
        self._source = source
        self._format: dict[str, str] = {"delimiter": declared.delimiter, "encoding": declared.encoding}
        self.header = read_header(source, **self._format)
        self.notes: tuple[str, ...] = ()

    def frames(self, block_bytes: int = FRAME_BYTES) -> Iterator[RawFrame]:
        """The records; see :func:`read_csv`."""
        return read_csv(self._source, block_bytes=block_bytes, **self._format)


def read_header(source: FileSource, *, delimiter: str = ",", encoding: str = "utf-8") -> Header:
    """The column names of a source.

    :raises SourceEmpty: there is no header.
    :raises SourceMalformed: a name is blank or there twice.
    :raises SourceMissing, SourceUndecodable: as :func:`read_csv`.
    """
    with _naming_record(source, delimiter, encoding), closing(Utf8Stream(source, encoding)) as stream:
        return _take_header(source, stream, delimiter)


def read_csv(source: FileSource, *, delimiter: str = ",", encoding: str = "utf-8", block_bytes: int = FRAME_BYTES) -> Iterator[RawFrame]:
    """Frames of about ``block_bytes`` bytes each. A line with nothing in it is no record.

    A record with more or fewer cells than the header, or with a NUL in it, is a reject; all others keep their numbers.

    :raises SourceEmpty: no header, or no record after it.
    :raises SourceMalformed: a header name is blank or there twice, a quote is never closed, a record exceeds 64 MB.
    :raises SourceUndecodable: bytes that are not text in the encoding.
    :raises SourceMissing: the file cannot be opened or read.
    """
    done, consumed = 0, 0
    for frame in _read_growing(source, delimiter, encoding, block_bytes):
        done, consumed = done + frame.records, consumed + frame.bytes
        yield frame
    if done == 0:
        raise SourceEmpty(f"{source.name} has a header and no record", source=source.name, hint="It needs at least one record.")


def _read_growing(source: FileSource, delimiter: str, encoding: str, block_bytes: int) -> Iterator[RawFrame]:
    """Read, and where a record does not fit into a block, read again with a larger one from the record after the last that was given."""
    done, consumed = 0, 0
    while True:
        run = _Pass(source, delimiter, encoding, block_bytes, done, consumed)
        try:
            with _naming_record(source, delimiter, encoding):
                yield from run.frames()
        except pa.ArrowInvalid as error:
            if block_bytes >= MAX_RECORD_BYTES:
                raise _unclosed(source, run.done + 1) from error
        else:
            return
        finally:
            run.close()
        done, consumed = run.done, run.consumed
        block_bytes = min(block_bytes * _GROWTH, MAX_RECORD_BYTES)


@dataclass
class _Pass:
    """One reading of a source from its start, which gives what comes after the first ``done`` records."""

    source: FileSource
    delimiter: str
    encoding: str
    block_bytes: int
    done: int
    consumed: int
    width: int = 0
    _stream: Utf8Stream | None = None
    _bad: list[tuple[int, int]] = field(default_factory=list)
    _mark: str = field(default_factory=lambda: secrets.token_hex(16))
    _closed_properly: bool = False

    def frames(self) -> Iterator[RawFrame]:
        self._stream = stream = Utf8Stream(self.source, self.encoding)
        self.width = len(_take_header(self.source, stream, self.delimiter))
        stream.put_mark()
        # A record of our own at the end, one cell too wide: if the parser does not report it, it was swallowed by a
        # quote that is never closed.
        stream.end_with(("\n" + self.delimiter.join([self._mark] * (self.width + 1)) + "\n").encode())
        following = 1
        for cells in _parse(stream, self.delimiter, self.block_bytes, self.width, self._on_invalid):
            numbers, rejects, following = self._number(cells.height, following)
            frame = self._frame(cells, numbers, rejects)
            if frame.records or frame.bytes:
                self.done, self.consumed = max(self.done, following - 1), self.consumed + frame.bytes
                yield frame
        if not self._closed_properly:
            raise _unclosed(self.source, following - 1)

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def _on_invalid(self, row: pacsv.InvalidRow) -> str:
        if row.actual_columns == self.width + 1 and self._mark in row.text:
            self._closed_properly = True
        else:
            self._bad.append((row.number, row.actual_columns))
        return "skip"

    def _number(self, height: int, following: int) -> tuple[pl.Series, list[Reject], int]:
        """Numbers for ``height`` rows from ``following`` on, leaving out the invalid ones, which become rejects."""
        parts, rejects = [], []
        while height or (self._bad and self._bad[0][0] == following):
            if self._bad and self._bad[0][0] == following:
                number, cells = self._bad.pop(0)
                rejects.append(Reject(self.source.name, number, "cells", message=f"expected {self.width} cells, as in the header, found {cells}"))
                following += 1
            else:
                run = min(height, self._bad[0][0] - following) if self._bad else height
                parts.append(pl.int_range(following, following + run, eager=True))
                height, following = height - run, following + run
        numbers = pl.concat(parts) if parts else pl.Series(dtype=pl.Int64)
        return numbers.alias("record"), rejects, following

    def _frame(self, cells: pl.DataFrame, numbers: pl.Series, rejects: list[Reject]) -> RawFrame:
        assert self._stream is not None
        if rejects and rejects[0].record <= self.done:
            rejects = [reject for reject in rejects if reject.record > self.done]
        if cells.height and numbers[0] <= self.done:
            new = numbers > self.done
            cells, numbers = cells.filter(new), numbers.filter(new)
        if self._stream.holds_nul:
            cells, numbers, nul = self._without_nul(cells, numbers)
            rejects = sorted([*rejects, *nul], key=lambda reject: reject.record)
        return RawFrame(cells, numbers, tuple(rejects), max(0, self._stream.consumed - self.consumed))

    def _without_nul(self, cells: pl.DataFrame, numbers: pl.Series) -> tuple[pl.DataFrame, pl.Series, list[Reject]]:
        found = cells.select(pl.any_horizontal(pl.all().str.contains(_NUL, literal=True)).alias("nul"))["nul"]
        rejects = [Reject(self.source.name, number, "nul", message="expected text without a NUL byte") for number in numbers.filter(found)]
        return cells.filter(~found), numbers.filter(~found), rejects


def _parse(stream: Utf8Stream, delimiter: str, block_bytes: int, width: int, on_invalid: Callable[[pacsv.InvalidRow], str]) -> Iterator[pl.DataFrame]:
    """The valid rows block by block, as text; an empty frame at the end, when the last invalid row is known."""
    names = [str(position) for position in range(width)]
    reader = pacsv.open_csv(
        pa.PythonFile(stream, mode="r"),
        read_options=pacsv.ReadOptions(use_threads=False, block_size=block_bytes, column_names=names),
        parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=on_invalid),
        convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=False, check_utf8=False),
    )
    for batch in reader:
        yield pl.DataFrame(batch)
    yield pl.DataFrame(schema=dict.fromkeys(names, pl.String))


@contextmanager
def _naming_record(source: FileSource, delimiter: str, encoding: str) -> Iterator[None]:
    """Say also in which record a byte is that cannot be read."""
    try:
        yield
    except SourceUndecodable as error:
        offset = error.facts["offset"]
        raise undecodable(source, encoding, offset, _record_at(source, delimiter, encoding, offset)) from error


def _record_at(source: FileSource, delimiter: str, encoding: str, offset: int) -> int | None:
    """The number of the record that holds the file's byte ``offset``; ``None`` in the header, or where it cannot be known."""
    stream, invalid = Utf8Stream(source, encoding, limit=offset), []

    def skip(row: pacsv.InvalidRow) -> str:
        invalid.append(row.number)
        return "skip"

    stream.end_with(b"x")  # stands for the byte that cannot be read, so that its record is there
    try:
        width = len(_take_header(source, stream, delimiter))
        rows = sum(cells.height for cells in _parse(stream, delimiter, MAX_RECORD_BYTES, width, skip))
    except (pa.ArrowInvalid, SourceError):
        return None
    finally:
        stream.close()
    return rows + len(invalid) or None


def _take_header(source: FileSource, stream: Utf8Stream, delimiter: str) -> Header:
    if not delimiter.isascii() or delimiter in '"\r\n\0':
        raise PackInvalid("the delimiter must be one ASCII character, and neither a quote nor an end of line")
    for line in iter(lambda: stream.readline(_MAX_HEADER_BYTES), b""):
        if line.strip(b"\r\n"):
            return _check_names(source, _parse_header(source, stream, delimiter, line))
    raise SourceEmpty(f"{source.name} has no header", source=source.name, hint="It needs a header and at least one record.")


def _parse_header(source: FileSource, stream: Utf8Stream, delimiter: str, first: bytes) -> list[str]:
    def lines() -> Iterator[str]:
        line = first
        while line:
            yield line.decode("utf-8")
            line = stream.readline(_MAX_HEADER_BYTES)

    try:
        return next(csv.reader(lines(), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise SourceMalformed(f"the header of {source.name} is not CSV: {error}", source=source.name) from error


def _check_names(source: FileSource, names: list[str]) -> Header:
    blank = [str(position) for position, name in enumerate(names, start=1) if not name.strip()]
    if blank:
        raise SourceMalformed(f"the header of {source.name} has no name for column {', '.join(blank)}", source=source.name, hint="Name every column.")
    # Places, not names: where a file has no header these would be a record's values.
    twice = [str(position) for position, name in enumerate(names, start=1) if names.index(name) < position - 1]
    if twice:
        message = f"the header of {source.name} gives column {', '.join(twice)} a name that a column before has"
        raise SourceMalformed(message, source=source.name, hint="Give every column a name of its own. Has the file a header at all?")
    if any(_NUL in name for name in names):
        raise SourceMalformed(f"the header of {source.name} holds a NUL byte", source=source.name)
    return tuple(names)


def _unclosed(source: FileSource, record: int) -> SourceMalformed:
    message = f"{source.name}, record {record}: a quote is never closed, or the record exceeds {MAX_RECORD_BYTES >> 20} MB"
    return SourceMalformed(message, source=source.name, record=record, hint="A quote inside a quoted cell is written twice.")
