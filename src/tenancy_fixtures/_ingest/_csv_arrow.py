"""Plain CSV through pyarrow: the fast way."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv

from ..constants import MAX_RECORD_BYTES
from ._csv_rejects import of_cells, without
from .readers import RawFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._shapes import Reject
    from ._bytes import Utf8Stream
    from ._csv_file import CsvFile
    from ._dialect import Dialect

_GROWTH = 4
# pyarrow reads up to 32 blocks ahead of who takes them, and nothing tells it not to: small ones make that little memory.
_BLOCK_BYTES = 512 * 1024


def read_plain(file: CsvFile, frame_bytes: int) -> Iterator[RawFrame]:
    """Read, and where a record does not fit into a block, read again with a larger one from the record after the last that was given."""
    done, consumed = 0, 0
    block_bytes = min(frame_bytes, _BLOCK_BYTES)
    while True:
        run = _Pass(file, block_bytes, frame_bytes, done, consumed)
        try:
            yield from run.frames()
        except pa.ArrowInvalid as error:
            if block_bytes >= MAX_RECORD_BYTES:
                raise file.unclosed(file.endless_record() or run.done + 1) from error
        else:
            return
        finally:
            run.close()
        done, consumed = run.done, run.consumed
        block_bytes = min(block_bytes * _GROWTH, MAX_RECORD_BYTES)


@dataclass
class _Pass:
    """One reading of a source from its start, which gives what comes after the first ``done`` records."""

    file: CsvFile
    block_bytes: int
    frame_bytes: int
    done: int
    consumed: int
    width: int = 0
    _stream: Utf8Stream | None = None
    _bad: list[tuple[int, int]] = field(default_factory=list)
    _mark: str = field(default_factory=lambda: secrets.token_hex(16))
    # pyarrow looks at eight bytes at once for signs, and takes a NUL among them for their end. No text holds this instead.
    _nul: str = field(default_factory=lambda: f"\ufffe{secrets.token_hex(4)}")
    _closed_properly: bool = False

    def frames(self) -> Iterator[RawFrame]:
        stream, header = self.file.open()
        self._stream = stream
        self.width = len(header)
        stream.put_mark()
        stream.put_for_nul(self._nul.encode())
        # A record of our own at the end, one cell too wide: if the parser does not report it, it was swallowed by a
        # quote that is never closed.
        stream.end_with(("\n" + self.file.dialect.delimiter.join([self._mark] * (self.width + 1)) + "\n").encode())
        following = 1
        blocks = _parse(stream, self.file.dialect, self.block_bytes, self.width, self._on_invalid)
        for cells in _joined(blocks, self.frame_bytes):
            numbers, rejects, following = self._number(cells.height, following)
            frame = self._frame(cells, numbers, rejects)
            if frame.records or frame.bytes:
                self.done, self.consumed = max(self.done, following - 1), self.consumed + frame.bytes
                yield frame
        if not self._closed_properly:
            raise self.file.unclosed(following - 1)

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def _on_invalid(self, row: pacsv.InvalidRow) -> str:
        # Text before the mark is of a record that swallowed it, and may be as wide.
        if row.actual_columns == self.width + 1 and row.text.startswith(self._mark):
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
                rejects.append(of_cells(self.file.source, number, self.width, cells))
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
        signs = [("nul", self._nul)] * self._stream.holds_nul + [("encoding", self.file.fault)] * self._stream.holds_fault
        for rule, sign in signs:
            cells, numbers, broken = without(sign, rule, self.file.source, cells, numbers)
            rejects = sorted([*rejects, *broken], key=lambda reject: reject.record)
        return RawFrame(cells, numbers, tuple(rejects), max(0, self._stream.consumed - self.consumed))


def _parse(stream: Utf8Stream, dialect: Dialect, block_bytes: int, width: int, on_invalid: Callable[[pacsv.InvalidRow], str]) -> pa.RecordBatchReader:
    """The valid rows block by block, as text."""
    names = [str(position) for position in range(width)]
    return pacsv.open_csv(
        pa.PythonFile(stream, mode="r"),
        read_options=pacsv.ReadOptions(use_threads=False, block_size=block_bytes, column_names=names),
        parse_options=pacsv.ParseOptions(
            delimiter=dialect.delimiter, quote_char=dialect.quote or False, newlines_in_values=bool(dialect.quote), invalid_row_handler=on_invalid
        ),
        convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=False, check_utf8=False),
    )


def _joined(blocks: pa.RecordBatchReader, frame_bytes: int) -> Iterator[pl.DataFrame]:
    """Blocks put together to frames of about that many bytes; the last one may be empty: when it comes, the last invalid row is known."""
    batches: list[pa.RecordBatch] = []
    size = 0
    for batch in blocks:
        batches.append(batch)
        size += batch.nbytes
        if size >= frame_bytes:
            yield _frame_of(batches, blocks.schema)
            batches, size = [], 0
    yield _frame_of(batches, blocks.schema)


def _frame_of(batches: list[pa.RecordBatch], schema: pa.Schema) -> pl.DataFrame:
    return pl.DataFrame(pa.Table.from_batches(batches, schema).combine_chunks())
