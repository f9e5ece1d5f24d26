"""A dataset's sources, one after the other, as one stream of frames."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from .._pack_models import Source
from ..constants import FRAME_BYTES
from ..exceptions import SourceError
from .frames import Converter, Frame
from .mapping import compile_dataset, fields_of, fitted
from .readers import Field, LineReader, open_reader

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    import pyarrow as pa

    from .._pack_models import Dataset
    from .._shapes import Reject, Table
    from .readers import Header, Hooks, RawFrame, Reader
    from .sources import FileSource


def read_dataset(
    dataset: Dataset,
    tables: Mapping[str, Table],
    sources: Sequence[FileSource],
    *,
    checks: bool = True,
    block_bytes: int = FRAME_BYTES,
    left_out: frozenset[int] = frozenset(),
    hooks: Hooks | None = None,
) -> FrameStream:
    """Open a dataset's sources and compile its mapping for them; records are read when the stream is iterated.

    ``tables`` are the target tables by name, as the catalogue has them. ``checks=False`` leaves out the dataset's
    rules; casts, and the columns that must have a value, stay. ``block_bytes`` is how much is parsed at once. ``left_out``
    are records, by their place in the stream, that are bad for a reason that is not looked for here. ``hooks`` are what is
    done to the records before they are mapped.

    :raises ColumnMissing, SourceMalformed, PackInvalid: the mapping does not fit the sources or the tables.
    :raises SourceMissing, SourceEmpty, SourceUndecodable: a header cannot be read; while iterating, a record cannot.
    """
    return FrameStream(dataset, tables, sources, checks=checks, block_bytes=block_bytes, left_out=left_out, hooks=hooks)


class FrameStream:
    """A synchronous iterator of :class:`Frame`; made for one thread at a time. Close it, or use it with ``with``."""

    def __init__(
        self,
        dataset: Dataset,
        tables: Mapping[str, Table],
        sources: Sequence[FileSource],
        *,
        checks: bool,
        block_bytes: int,
        left_out: frozenset[int],
        hooks: Hooks | None = None,
    ) -> None:
        self._sources = tuple(sources)
        self._block_bytes = block_bytes
        self._left_out = sorted(left_out)
        dataset = fitted(dataset, tables)
        # Of documents that are rewritten it is the documents that are the dataset's or not.
        self._filter = Source.model_validate({"path": ""}) if hooks and hooks.rewrite else dataset.source
        given, fields = hooks.given if hooks else {}, fields_of(dataset, tables)
        self._given = {name: value for name, value in given.items() if name in fields}
        fields = {name: field for name, field in fields.items() if name not in given}
        fields.update({name: Field() for name in (*self._filter.having, *self._filter.lacking) if name not in fields})
        self._readers = [open_reader(source, dataset.source, fields, hooks) for source in self._sources]
        self.headers: dict[str, Header] = {source.name: (*reader.header, *self._given) for source, reader in zip(self._sources, self._readers)}
        telling = {source.name: self.headers[source.name] for source, reader in zip(self._sources, self._readers) if reader.holds_records}
        self._plan = compile_dataset(dataset, tables, telling or self.headers, checks=checks)
        self._converter = Converter(self._plan, self._left_out)
        self._starts: list[int] = []
        self._frames = self._read()

    @property
    def header(self) -> Header:
        """The columns of the first source."""
        return self.headers[self._sources[0].name] if self._sources else ()

    @property
    def ignored_columns(self) -> tuple[str, ...]:
        """Source columns that no target reads."""
        return self._plan.ignored

    @property
    def notes(self) -> tuple[str, ...]:
        """What was guessed of the sources, and what is told of their records, in words."""
        return tuple(dict.fromkeys([*(note for reader in self._readers for note in reader.notes), *self._converter.notes]))

    @property
    def schemas(self) -> dict[str, pa.Schema]:
        """The Arrow schema of each target's frames, by table name, known before the first frame."""
        return {target.table: target.schema for target in self._plan.targets}

    @property
    def text_columns(self) -> dict[str, frozenset[str]]:
        """The columns of each target that the server casts from text, by table name."""
        return {target.table: target.text_columns for target in self._plan.targets}

    def locate(self, ordinal: int) -> tuple[str, int]:
        """The source's name and the record's number in it of the record with this ordinal (from 1) in the stream.

        :raises IndexError: no record of that ordinal was read yet.
        """
        if not self._starts or ordinal < 1:
            raise IndexError(f"record {ordinal} was not read")
        source = bisect_right(self._starts, ordinal - 1) - 1
        return self._sources[source].name, ordinal - self._starts[source]

    def with_lines(self, rejects: Sequence[Reject]) -> tuple[Reject, ...]:
        """The same rejects with their physical lines, where they can be known."""
        found = {source.name: _lines(reader, source, rejects) for source, reader in zip(self._sources, self._readers)}
        return tuple(replace(item, line=found.get(item.source, {}).get(item.record, item.line)) for item in rejects)

    def close(self) -> None:
        """Give the open file back; the stream ends."""
        self._frames.close()

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        return next(self._frames)

    def __enter__(self) -> FrameStream:  # noqa: PYI034  # typing.Self needs Python 3.11
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _read(self) -> Generator[Frame, None, None]:
        offset = 0
        for source, reader in zip(self._sources, self._readers):
            self._starts.append(offset)
            try:
                for raw in reader.frames(self._block_bytes):
                    ours = _of_dataset(raw, reader.header, self._filter)
                    whole = _with_given(ours, reader.header, self._given)
                    frame = self._converter.apply(whole, source=source.name, header=self.headers[source.name], offset=self._starts[-1])
                    offset += frame.records + ours.passed
                    yield _with_lines(frame, reader, source) if frame.rejects else frame
            finally:
                if isinstance(reader, LineReader):
                    reader.close()


def _of_dataset(raw: RawFrame, header: Header, declared: Source) -> RawFrame:
    """The records that have something in each column of ``having``, and nothing in those of ``lacking``; the others are passed over."""
    if not (declared.having or declared.lacking):
        return raw
    there = {name: _filled(raw.cells[str(header.index(name))]) for name in (*declared.having, *declared.lacking) if name in header}
    nothing = pl.Series([False]).new_from_index(0, raw.cells.height)
    ours = ~nothing
    for name in declared.having:
        ours = ours & there.get(name, nothing)
    for name in declared.lacking:
        ours = ours & ~there.get(name, nothing)
    lines = None if raw.lines is None else raw.lines.filter(ours)
    passed = raw.cells.height - int(ours.sum())
    return replace(raw, cells=raw.cells.filter(ours), numbers=raw.numbers.filter(ours), lines=lines, passed=raw.passed + passed)


def _filled(values: pl.Series) -> pl.Series:
    return values.is_not_null() & (values != "").fill_null(value=False) if values.dtype == pl.String else values.is_not_null()


def _with_given(raw: RawFrame, header: Header, given: Mapping[str, str]) -> RawFrame:
    """The frame with a column more for each value that is given, the same for all its records."""
    if not given:
        return raw
    height = raw.cells.height
    more = [pl.Series([value]).new_from_index(0, height).alias(str(place)) for place, value in enumerate(given.values(), start=len(header))]
    return replace(raw, cells=raw.cells.with_columns(more))


def _with_lines(frame: Frame, reader: Reader, source: FileSource) -> Frame:
    lines = _find_lines(reader, source, frame.rejects)
    return replace(frame, rejects=tuple(replace(item, line=lines.get(item.record, item.line)) for item in frame.rejects)) if lines else frame


def _lines(reader: Reader, source: FileSource, rejects: Sequence[Reject]) -> dict[int, int]:
    try:
        return _find_lines(reader, source, rejects)
    finally:
        if isinstance(reader, LineReader):
            reader.close()


def _find_lines(reader: Reader, source: FileSource, rejects: Sequence[Reject]) -> dict[int, int]:
    """By record, the lines of this source's rejects; none where its format has none, or the file has gone meanwhile."""
    records = {item.record for item in rejects if item.source == source.name and item.line is None}
    if not records or not isinstance(reader, LineReader):
        return {}
    try:
        return reader.lines(records)
    except SourceError:
        return {}
