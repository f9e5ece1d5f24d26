"""CSV into frames of text cells, streaming, with every record numbered.

Nothing is interpreted here: ``NA``, ``null`` and a quoted or unquoted empty cell are the texts that they are. What
stands for no value is said by the dataset's mapping.
"""

from __future__ import annotations

import csv
from contextlib import closing
from typing import TYPE_CHECKING

from ..constants import FRAME_BYTES
from ..exceptions import SourceEmpty, SourceUndecodable
from ._bytes import Utf8Stream
from ._csv_file import CsvFile, LineFinder
from ._csv_rejects import OtherTable, without_header
from ._encodings import Encoding
from ._header import name_columns
from ._sniff import SAMPLE_BYTES, find_dialect

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from .._pack_models import Source
    from ._csv_file import Start
    from ._dialect import Dialect
    from .readers import RawFrame
    from .sources import FileSource


class CsvReader:
    """A source of CSV; see :class:`.readers.Reader`. What the dataset does not declare of its dialect is found in its first lines.

    ``hints`` are names that are not wanted, and tell a header as the wanted ones do.

    :raises SourceEmpty: there is no header.
    :raises SourceMalformed: a name that is wanted is there twice, or the header is not CSV.
    :raises SourceMissing, SourceUndecodable: as :meth:`frames`.
    """

    holds_records = True

    def __init__(self, source: FileSource, declared: Source, wanted: frozenset[str], hints: frozenset[str] = frozenset()) -> None:
        self._source = source
        self._encoding = Encoding(declared.encoding)
        dialect, guessed = self._find_dialect(declared, wanted | hints)
        self._file = CsvFile(source, dialect, self._encoding)
        self._written = self._file.header()
        self.header, renamed = name_columns(source, self._written, wanted)
        self._found = [*guessed, *renamed]
        self._other_table: Start | None = None
        self._finder = LineFinder(self._file)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was guessed so far; all of it after the last frame."""
        notes = [*([self._encoding.note] if self._encoding.note else []), *self._found]
        if self._other_table is not None:
            notes.append(f"another table seems to begin in line {self._other_table.line}; a dataset reads one table of a file")
        return tuple(f"{self._source.name}: {note}" for note in notes)

    def frames(self, block_bytes: int = FRAME_BYTES) -> Iterator[RawFrame]:
        """Frames of about ``block_bytes`` bytes each. A line with nothing in it is no record.

        A record with more or fewer cells than the header (unless the dataset says what becomes of them), with a NUL or bytes that are not
        UTF-8 in it, or that is the header once more, is a reject; all others keep their numbers.

        :raises SourceEmpty: no record after the header.
        :raises SourceMalformed: a quote is never closed, a record exceeds 64 MB.
        :raises SourceUndecodable: bytes that are not text in an encoding other than UTF-8.
        :raises SourceMissing: the file cannot be opened or read.
        """
        records, other = 0, OtherTable()
        for raw in self._read(block_bytes):
            frame = without_header(self._source, raw, self._written)
            other.watch(frame)
            records += frame.records
            yield frame
        if records == 0:
            raise SourceEmpty(f"{self._source.name} has a header and no record", source=self._source.name, hint="It needs at least one record.")
        self._look_for_table(other)

    def lines(self, records: Collection[int]) -> dict[int, int]:
        """The physical lines, from 1, in which these records begin; see :class:`.readers.LineReader`."""
        starts = self._finder.find(records)
        for start in starts:
            if start.after_blank and self._is_like_header(start.text):
                self._note_table(start)
        return {start.record: start.line for start in starts}

    def close(self) -> None:
        """Give the file back that :meth:`lines` reads."""
        self._finder.close()

    def _look_for_table(self, other: OtherTable) -> None:
        places = {*other.others, *([other.last] if other.last else [])}
        if not places:
            return
        with closing(LineFinder(self._file)) as finder:
            tables = [start for start in finder.find(places) if start.after_blank or start.record == other.last]
        if tables:
            self._note_table(tables[0])

    def _note_table(self, start: Start) -> None:
        if self._other_table is None or start.record < self._other_table.record:
            self._other_table = start

    def _is_like_header(self, line: str) -> bool:
        """Whether a record that is a reject, after a blank line, has a name in each cell."""
        cells = [cell.strip() for cell in next(csv.reader([line], **self._file.dialect.options), [])]
        names = all(cell and not any(char.isdigit() for char in cell) for cell in cells)
        return names and len(set(cells)) == len(cells) == len(self._written) > 1

    def _read(self, block_bytes: int) -> Iterator[RawFrame]:
        with self._file.naming_record():
            if self._file.dialect.is_plain:
                from ._csv_arrow import read_plain

                yield from read_plain(self._file, block_bytes)
            else:
                from ._csv_python import read_any

                yield from read_any(self._file, block_bytes)

    def _find_dialect(self, declared: Source, wanted: frozenset[str]) -> tuple[Dialect, tuple[str, ...]]:
        try:
            sample, whole = self._sample()
        except SourceUndecodable as error:
            # It is met again by the header or the records, and then in a file whose dialect is known.
            sample, whole = self._sample(error.facts["offset"])
        return find_dialect(sample, declared, wanted, whole=whole)

    def _sample(self, limit: int | None = None) -> tuple[str, bool]:
        with closing(Utf8Stream(self._source, self._encoding, limit=limit, fault="\ufffd")) as stream:
            return stream.read(SAMPLE_BYTES).decode("utf-8", "ignore"), not stream.read(2)
