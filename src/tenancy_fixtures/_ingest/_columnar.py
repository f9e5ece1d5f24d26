"""Parquet and Arrow: columns that have types of their own, read batch by batch; only those that are wanted."""

from __future__ import annotations

from contextlib import closing, contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from .._shapes import Reject
from ..constants import FRAME_BYTES
from ..exceptions import SourceEmpty, SourceError, SourceMalformed
from ._arrow_types import Unreadable, as_series, follow_series, leads_on
from ._paths import as_name, parse_path
from .readers import RawFrame

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .readers import Field, Header
    from .sources import FileSource

_ROWS = 16_384
_NUL = "\x00"
_NO_NUL = ("nul", "expected text without a NUL")
_NO_UTF8 = ("encoding", "expected text in UTF-8")
# Thrift's strings and lists in a footer: a footer that lies about them must not cost more memory than this.
_THRIFT_LIMIT = 64 * 1024 * 1024
# Bytes of a column that are read at once: without it, its whole part of a row group is.
_READ_AHEAD = 256 * 1024


class _ColumnarReader:
    """What both formats have in common; see :class:`.readers.Reader`."""

    kind = ""
    holds_records = True

    def __init__(self, source: FileSource, fields: Mapping[str, Field], patterns: Sequence[str] = ()) -> None:
        self._source = source
        self.notes: tuple[str, ...] = ()
        with self._opened() as file:
            schema = self._schema(file)
            matching = [name for name in schema.names if any(fnmatchcase(name, pattern) for pattern in patterns)]
            self._paths = {name: path for name in dict.fromkeys([*fields, *matching]) if (path := self._locate(schema, name)) is not None}
            roots = {path[0] for path in self._paths.values()}
            extra = [as_name(field.name) for index, field in enumerate(schema) if index not in roots]
        self.header: Header = (*self._paths, *extra)

    def frames(self, block_bytes: int = FRAME_BYTES) -> Iterator[RawFrame]:  # noqa: ARG002 - a batch is rows here
        """The records.

        :raises SourceMalformed: the file is damaged, or holds a type that has no value in PostgreSQL.
        :raises SourceEmpty: it holds no row.
        """
        done, share = 0, 0.0
        with self._opened() as file:
            total = self._count(file)
            for batch in self._batches(file):
                if batch.num_rows:
                    share += batch.num_rows / max(total, 1) * self._source.size
                    read, share = int(share), share - int(share)
                    yield self._frame(batch, done, read)
                    done += batch.num_rows
            if total not in (0, done):
                raise SourceMalformed(f"{self._source.name} says that it holds {total} rows, and holds {done}", source=self._source.name)
        if not done:
            raise SourceEmpty(f"{self._source.name} holds no row", source=self._source.name, hint="It needs at least one.")

    def _frame(self, batch: pa.RecordBatch, done: int, read: int) -> RawFrame:
        numbers = pl.int_range(done + 1, done + batch.num_rows + 1, eager=True)
        roots = {index: self._root(batch, index) for index in {path[0] for path in self._paths.values()}}
        columns = {name: follow_series(roots[index][0], keys) for name, (index, *keys) in self._paths.items()}
        nothing = pl.Series([None], dtype=pl.String).new_from_index(0, batch.num_rows)
        cells = pl.DataFrame([columns.get(name, nothing).alias(str(position)) for position, name in enumerate(self.header)] or [nothing])
        faults = [(name, bad, _NO_UTF8) for name, (index, *_) in self._paths.items() if (bad := roots[index][1]) is not None]
        faults += [(self.header[position], bad, _NO_NUL) for position, bad in _holding_nul(cells)]
        if not faults:
            return RawFrame(cells, numbers, (), read)
        rejects = [Reject(self._source.name, number, rule[0], name, rule[1]) for name, bad, rule in faults for number in numbers.filter(bad)]
        good = ~pl.select(pl.any_horizontal([bad for _, bad, _ in faults])).to_series()
        return RawFrame(cells.filter(good), numbers.filter(good), tuple(sorted(rejects, key=lambda reject: reject.record)), read)

    def _root(self, batch: pa.RecordBatch, index: int) -> tuple[pl.Series, pl.Series | None]:
        """A column of the file, and where it holds what is no text."""
        try:
            return as_series(batch.column(self._position(batch, index)))
        except Unreadable as error:
            name = as_name(batch.schema.names[self._position(batch, index)])
            raise SourceMalformed(f"{self._source.name}: the column {name} {error}", source=self._source.name, column=name) from None

    def _locate(self, schema: pa.Schema, name: str) -> tuple[Any, ...] | None:
        """Where a wanted name is: the column's number, then keys of structs and places in lists; ``None`` where it is not."""
        path = parse_path(name)
        key, *keys = path.keys if path.inside else (name,)
        whole = schema.get_all_field_indices(name)
        found = whole or schema.get_all_field_indices(key)
        if len(found) > 1:
            message = f"{self._source.name} has {len(found)} columns called {as_name(key)}"
            raise SourceMalformed(message, source=self._source.name, column=as_name(key), hint="Give every column a name of its own.")
        if whole:
            return (whole[0],)
        return (found[0], *keys) if found and leads_on(schema.field(found[0]).type, keys) else None

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        with closing(self._source.open_seekable()) as raw:
            try:
                yield self._open(raw)
            except SourceError:
                raise
            except (pa.ArrowException, OSError, ValueError, KeyError, OverflowError, MemoryError, pl.exceptions.PolarsError) as error:
                # Their messages may quote what is in the file.
                message = f"{self._source.name} cannot be read as {self.kind}: it is damaged, encrypted or of another format ({type(error).__name__})"
                raise SourceMalformed(message, source=self._source.name, hint="Nothing was loaded. Write the file again.") from None

    def _position(self, batch: pa.RecordBatch, index: int) -> int:
        raise NotImplementedError

    def _open(self, raw: Any) -> Any:
        raise NotImplementedError

    def _schema(self, file: Any) -> pa.Schema:
        raise NotImplementedError

    def _count(self, file: Any) -> int:
        raise NotImplementedError

    def _batches(self, file: Any) -> Iterator[pa.RecordBatch]:
        raise NotImplementedError


class ParquetReader(_ColumnarReader):
    """A source of Parquet; see :class:`.readers.Reader`."""

    kind = "Parquet"

    def _open(self, raw: Any) -> Any:
        import pyarrow.parquet as pq

        limits = {"thrift_string_size_limit": _THRIFT_LIMIT, "thrift_container_size_limit": _THRIFT_LIMIT, "buffer_size": _READ_AHEAD}
        # The moments of 96 bits that Spark wrote are whole microseconds, and reach further than nanoseconds in 64 bits: those wrap around.
        options = {"coerce_int96_timestamp_unit": "us", "page_checksum_verification": True, "pre_buffer": False, "memory_map": False}
        return pq.ParquetFile(pa.PythonFile(raw, mode="r"), **options, **limits)

    def _schema(self, file: Any) -> pa.Schema:
        return file.schema_arrow

    def _count(self, file: Any) -> int:
        return int(file.metadata.num_rows)

    def _batches(self, file: Any) -> Iterator[pa.RecordBatch]:
        schema = file.schema_arrow
        wanted = sorted({path[0] for path in self._paths.values()})
        names = [schema.field(index).name for index in wanted]
        # Names with dots mean paths to pyarrow, and the same name twice means both columns.
        alone = all("." not in name and len(schema.get_all_field_indices(name)) == 1 for name in names)
        self._read = wanted if alone else list(range(len(schema)))
        yield from file.iter_batches(_ROWS, columns=names if alone else None, use_threads=False)

    def _position(self, batch: pa.RecordBatch, index: int) -> int:  # noqa: ARG002 - the same for every batch
        return self._read.index(index)


class ArrowReader(_ColumnarReader):
    """A source of Arrow IPC, the file (Feather too) or the stream format; see :class:`.readers.Reader`."""

    kind = "Arrow"

    def _open(self, raw: Any) -> Any:
        from pyarrow import ipc

        start = raw.read(6)
        raw.seek(0)
        return (ipc.open_file if start == b"ARROW1" else ipc.open_stream)(pa.PythonFile(raw, mode="r"))

    def _schema(self, file: Any) -> pa.Schema:
        return file.schema

    def _count(self, file: Any) -> int:  # noqa: ARG002 - only a walk through the file could tell
        return 0

    def _batches(self, file: Any) -> Iterator[pa.RecordBatch]:
        whole = (file.get_batch(number) for number in range(file.num_record_batches)) if hasattr(file, "num_record_batches") else iter(file)
        for batch in whole:
            for start in range(0, batch.num_rows, _ROWS):
                yield batch.slice(start, _ROWS)

    def _position(self, batch: pa.RecordBatch, index: int) -> int:  # noqa: ARG002 - all columns are there
        return index


def _holding_nul(cells: pl.DataFrame) -> list[tuple[int, pl.Series]]:
    """The places of columns of text with a NUL in them, and in which rows."""
    holds = pl.col(pl.String).str.contains(_NUL, literal=True)
    found = cells.select(holds.any()).row(0, named=True) if pl.String in cells.dtypes else {}
    return [(int(name), cells[name].str.contains(_NUL, literal=True).fill_null(value=False)) for name, any_ in found.items() if any_]
