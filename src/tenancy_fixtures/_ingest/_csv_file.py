"""A CSV file whose dialect is known: its header, its physical lines, and in which of them each record begins."""

from __future__ import annotations

import codecs
import csv
import io
import re
import secrets
from collections import deque
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from ..constants import MAX_RECORD_BYTES
from ..exceptions import SourceEmpty, SourceError, SourceMalformed, SourceUndecodable
from ._bytes import Utf8Stream, sign_of_fault, undecodable
from ._dialect import is_blank

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from ._dialect import Dialect, Footer
    from ._encodings import Encoding
    from .sources import FileSource

MAX_HEADER_BYTES = 1024 * 1024
_PIECE = 1 << 20
# Lines at the end that match a footer's pattern; more are records that happen to match it.
_MAX_FOOTER = 1000


@dataclass(frozen=True)
class CsvFile:
    """One source with its dialect and encoding."""

    source: FileSource
    dialect: Dialect
    encoding: Encoding
    # Stands for bytes that are not UTF-8.
    fault: str = field(default_factory=sign_of_fault)

    def open(self, limit: int | None = None) -> tuple[Utf8Stream, list[str]]:
        """The stream at the first record, and the header's cells; of a file that ends after ``limit`` bytes and one more.

        :raises SourceEmpty: there is no header.
        :raises SourceMalformed: the header is not CSV.
        :raises SourceUndecodable: the header is no text.
        """
        _allow_long_cells()
        stream = Utf8Stream(self.source, self.encoding, limit=limit, fault=self.fault)
        try:
            if limit is not None:
                stream.end_with(b"x")  # stands for the byte after the limit, so that its record is there
            for _ in range(self.dialect.skip):
                _take_line(stream)
            return stream, self._header(stream)
        except BaseException:
            stream.close()
            raise

    def header(self) -> list[str]:
        """The header's cells, as they stand there or as they are given."""
        with self.naming_record():
            stream, cells = self.open()
            stream.close()
            return cells

    @contextmanager
    def naming_record(self) -> Iterator[None]:
        """Say also in which record a byte is that cannot be read."""
        try:
            yield
        except SourceUndecodable as error:
            offset = error.facts["offset"]
            raise undecodable(self.source, str(self.encoding.name), offset, self._record_at(offset)) from error

    def unclosed(self, record: int) -> SourceMalformed:
        """The error for a record that does not end."""
        message = f"{self.source.name}, record {record}: a quote is never closed, or the record exceeds {MAX_RECORD_BYTES >> 20} MB"
        hint = "A quote inside a quoted cell is written twice; if cells are never quoted, set the source's quote to an empty text."
        return SourceMalformed(message, source=self.source.name, record=record, hint=hint)

    def endless_record(self) -> int | None:
        """The number of the first record that is longer than any may be."""
        stream, _ = self.open()
        lines, number = Lines(self, stream), 0
        with closing(stream):
            try:
                for start in lines.starts():
                    number = start.record
            except csv.Error:
                return number if lines.within else number + 1
        return None

    def _meet_fault(self) -> None:
        """Read as far as the first byte that is no text, which raises the error that says where it is."""
        with closing(Utf8Stream(self.source, self.encoding)) as stream:
            stream.read()

    def _header(self, stream: Utf8Stream) -> list[str]:
        if self.dialect.names is not None:
            return list(self.dialect.names)
        for line in iter(lambda: stream.readline(MAX_HEADER_BYTES), b""):
            text = line.decode("utf-8")
            if not is_blank(text) and not self.dialect.is_comment(text):
                return self._parse_header(stream, text)
        raise SourceEmpty(f"{self.source.name} has no header", source=self.source.name, hint="It needs a header and at least one record.")

    def _parse_header(self, stream: Utf8Stream, first: str) -> list[str]:
        rest = (line.decode("utf-8") for line in iter(lambda: stream.readline(MAX_HEADER_BYTES), b""))
        try:
            cells = next(csv.reader(chain([first], rest), strict=True, **self.dialect.options))
        except csv.Error as error:
            raise SourceMalformed(f"the header of {self.source.name} is not CSV: {error}", source=self.source.name) from error
        if any(self.fault in cell for cell in cells):
            self._meet_fault()
        return cells

    def _record_at(self, offset: int) -> int | None:
        """The number of the record that holds the file's byte ``offset``; ``None`` in the header, or where it cannot be known."""
        try:
            stream, _ = self.open(offset)
            with closing(stream):
                return sum(1 for _ in Lines(self, stream).starts()) or None
        except (SourceError, csv.Error):
            return None


class Start(NamedTuple):
    """The physical line in which a record begins, and whether a blank line stands before it."""

    record: int
    line: int
    text: str
    after_blank: bool


@dataclass
class Lines:
    """The physical lines of a file from its first record on, with their ends.

    Comments and the footer are left out. Whoever reads records says with ``within`` whether one has begun and not ended: such a line is no
    comment. ``line`` is the number of the last line that was given, ``broken`` the rule that the text of the record's lines breaks. As Python's csv refuses a NUL
    before 3.11, another sign stands in its place. After the last line comes ``mark``: if it is not a record of its own, a quote was never closed.
    """

    file: CsvFile
    stream: Utf8Stream
    line: int = 0
    within: bool = False
    broken: str | None = None
    size: int = 0
    mark: str = field(default_factory=lambda: secrets.token_hex(16))

    def __post_init__(self) -> None:
        self.line = self.stream.lines
        dialect = self.file.dialect
        lines = _physical(self.stream)
        self._lines = chain(lines if dialect.footer is None else _without_footer(lines, dialect.footer), [self.mark])
        # Of an export with escapes, what stands for no value: `N` would be a value.
        self._null = re.compile(rf"(?<![^{re.escape(dialect.delimiter)}])\\N(?=[{re.escape(dialect.delimiter)}\r\n]|$)")

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        dialect = self.file.dialect
        for line in self._lines:
            self.line += 1
            if not self.within and dialect.is_comment(line):
                continue
            return self._as_csv(line)
        raise StopIteration

    def end_record(self) -> None:
        """Begin to count anew."""
        self.within, self.broken, self.size = False, None, 0

    def starts(self) -> Iterator[Start]:
        """Where every record begins: much faster than to parse it, where it has no quote in it."""
        blank, record, dialect = False, 0, self.file.dialect
        for line in self:
            if is_blank(line):
                blank = True
                self.end_record()
                continue
            if line == self.mark:
                return
            record += 1
            yield Start(record, self.line, line, blank)
            if (dialect.quote and dialect.quote in line) or (dialect.escape and dialect.escape in line):
                next(csv.reader(chain([line], self), **dialect.options), None)
            blank = False
            self.end_record()

    def _as_csv(self, line: str) -> str:
        self.size += len(line)
        if self.size > MAX_RECORD_BYTES:
            raise csv.Error("too long")
        self.within = True
        if "\x00" in line:
            self.broken, line = "nul", line.replace("\x00", "\ufffd")
        elif self.stream.holds_fault and self.file.fault in line:
            self.broken = self.broken or "encoding"
        if self.file.dialect.escape == "\\" and "\\N" in line:
            line = self._null.sub(r"\\\\N", line)
        return line


class LineFinder:
    """Finds the lines of records in a reading of its own, which goes on where it stopped as long as it is asked for later records."""

    def __init__(self, file: CsvFile) -> None:
        self._file = file
        self._stream: Utf8Stream | None = None
        self._starts: Iterator[Start] = iter(())
        self._passed = 0

    def find(self, records: Collection[int]) -> list[Start]:
        """Where these records begin, in their order; those that are not there are left out.

        :raises SourceError: the file cannot be read, or not as far as the last of them.
        """
        found, wanted = [], sorted(set(records), reverse=True)
        if wanted and (self._stream is None or wanted[-1] <= self._passed):
            self._begin()
        # A record that is too long ends the search: lines of what comes before it are known.
        with suppress(csv.Error):
            while wanted:
                start = next(self._starts, None)
                if start is None:
                    break
                self._passed = start.record
                if start.record == wanted[-1]:
                    found.append(start)
                    wanted.pop()
        return found

    def close(self) -> None:
        """Give the file back; the next search begins anew."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _begin(self) -> None:
        self.close()
        self._stream, _ = self._file.open()
        self._starts, self._passed = Lines(self._file, self._stream).starts(), 0


def _allow_long_cells() -> None:
    """Let Python's csv read cells as long as a record may be. The limit is the process's: it is raised, and never lowered under another reader."""
    if csv.field_size_limit() < MAX_RECORD_BYTES:
        csv.field_size_limit(MAX_RECORD_BYTES)


def _take_line(stream: Utf8Stream) -> None:
    """Pass over a line of any length."""
    first = stream.lines
    while True:
        piece = stream.readline(MAX_HEADER_BYTES)
        if not piece or piece[-1:] in b"\r\n":
            break
    stream.lines = first + 1


def _physical(stream: Utf8Stream) -> Iterator[str]:
    decoder, rest = codecs.getincrementaldecoder("utf-8")(), ""
    for piece in iter(lambda: stream.read(_PIECE), b""):
        for line in io.StringIO(rest + decoder.decode(piece), newline=""):
            rest = line
            if line[-1] in "\r\n":
                rest = ""
                yield line
        if len(rest) > MAX_RECORD_BYTES:
            raise csv.Error("too long")
    if rest:
        # The end of the last line, so that what follows it can be no part of it.
        yield rest + "\n"


def _without_footer(lines: Iterator[str], footer: Footer) -> Iterator[str]:
    """All lines but the last few that are not blank, or but those at the end that match a pattern."""
    held: deque[str] = deque()
    count, pattern = (footer, None) if isinstance(footer, int) else (_MAX_FOOTER, re.compile(str(footer)))
    filled = 0
    for line in lines:
        if pattern is not None and not is_blank(line) and not pattern.search(line.rstrip("\r\n")):
            yield from held
            yield line
            held.clear()
            filled = 0
            continue
        held.append(line)
        filled += not is_blank(line)
        while filled > count:
            filled -= not is_blank(held[0])
            yield held.popleft()
