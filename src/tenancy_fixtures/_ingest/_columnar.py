"""Parquet and Arrow: columns that have types of their own, read batch by batch; only those that are wanted."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from .._shapes import Reject
from ..constants import FRAME_BYTES
from ..exceptions import SourceEmpty, SourceError, SourceMalformed
from ._paths import as_name, parse_path
from .readers import RawFrame

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .readers import Field, Header
    from .sources import FileSource

_ROWS = 16_384
_NUL = "\x00"
# Thrift's strings and lists in a footer: a footer that lies about them must not cost more memory than this.
_THRIFT_LIMIT = 64 * 1024 * 1024


class _ColumnarReader:
    """What both formats have in common; see :class:`.readers.Reader`."""

    kind = ""

    def __init__(self, source: FileSource, fields: Mapping[str, Field]) -> None:
        self._source = source
        self.notes: tuple[str, ...] = ()
        with self._opened() as file:
            schema = self._schema(file)
            self._paths = {name: path for name in fields if (path := self._locate(schema, name)) is not None}
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
                    # Text that is none, or offsets that lead out of the buffer: nobody behind this looks at them again.
                    batch.validate(full=True)
                    share += batch.num_rows / max(total, 1) * self._source.size
                    read, share = int(share), share - int(share)
                    yield self._frame(batch, done, read)
                    done += batch.num_rows
        if not done:
            raise SourceEmpty(f"{self._source.name} holds no row", source=self._source.name, hint="It needs at least one.")

    def _frame(self, batch: pa.RecordBatch, done: int, read: int) -> RawFrame:
        numbers = pl.int_range(done + 1, done + batch.num_rows + 1, eager=True)
        nothing = pl.Series([None], dtype=pl.String).new_from_index(0, batch.num_rows)
        columns = [self._column(batch, name) if name in self._paths else nothing for name in self.header]
        cells = pl.DataFrame([column.alias(str(position)) for position, column in enumerate(columns)])
        texts = [name for name, kind in cells.schema.items() if kind == pl.String]
        holds_nul = (
            cells.select(pl.any_horizontal(pl.col(name).str.contains(_NUL, literal=True).fill_null(value=False) for name in texts).alias("nul"))
            if texts
            else None
        )
        if holds_nul is None or not holds_nul["nul"].any():
            return RawFrame(cells, numbers, (), read)
        mask = holds_nul["nul"]
        rejects = tuple(Reject(self._source.name, number, "nul", message="expected text without a NUL") for number in numbers.filter(mask))
        return RawFrame(cells.filter(~mask), numbers.filter(~mask), rejects, read)

    def _column(self, batch: pa.RecordBatch, name: str) -> pl.Series:
        index, *keys = self._paths[name]
        array = batch.column(self._position(batch, index))
        for key in keys:
            array = array.field(key) if not array.null_count else _field_of_nullable(array, key)
        return _as_series(array)

    def _locate(self, schema: pa.Schema, name: str) -> tuple[Any, ...] | None:
        """Where a wanted name is: the column's number, then keys of structs; ``None`` where it is not."""
        path = parse_path(name)
        key, *keys = path.keys
        found = schema.get_all_field_indices(name) or schema.get_all_field_indices(key)
        if path.up or not found:
            return None
        if len(found) > 1:
            raise SourceMalformed(f"{self._source.name} has {len(found)} columns called {key}", source=self._source.name, column=key)
        if schema.field(found[0]).name == name:
            return (found[0],)
        kind = schema.field(found[0]).type
        for step in keys:
            if not pa.types.is_struct(kind) or kind.get_field_index(step) < 0:
                return None
            kind = kind.field(step).type
        return (found[0], *keys)

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

        limits = {"thrift_string_size_limit": _THRIFT_LIMIT, "thrift_container_size_limit": _THRIFT_LIMIT}
        return pq.ParquetFile(pa.PythonFile(raw, mode="r"), pre_buffer=False, memory_map=False, **limits)

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


def _field_of_nullable(array: pa.StructArray, key: str) -> pa.Array:
    """A struct's member, null where the struct itself is."""
    import pyarrow.compute as pc

    return pc.struct_field(array, key)


def _as_series(array: pa.Array) -> pl.Series:
    """The same values in polars, which lacks some of Arrow's types."""
    kind = array.type
    if isinstance(kind, pa.ExtensionType):
        return _as_series(array.storage)
    if pa.types.is_dictionary(kind):
        return _as_series(array.dictionary_decode())
    if pa.types.is_float16(kind):
        array = array.cast(pa.float32())
    elif pa.types.is_decimal256(kind):
        array = pa.array([None if value is None else format(value, "f") for value in array.to_pylist()], pa.large_string())
    elif pa.types.is_fixed_size_binary(kind):
        array = array.cast(pa.binary())
    elif pa.types.is_map(kind):
        array = pa.array([None if value is None else dict(value) for value in array.to_pylist()])
    made = pl.from_arrow(array)
    assert isinstance(made, pl.Series)
    return made
