"""Frames of typed, checked rows: what the rooms above get, and how one is made of a frame of text."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from .._shapes import Reject
from .checks import find_broken
from .typed import as_text, convert_typed
from .uuids import UuidMaker, hyphenated

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from .mapping import ColumnPlan, Input, Plan, TargetPlan
    from .readers import Header, RawFrame

# Derived keys remembered from frame to frame: the artists of a large catalogue, in some 15 MB.
REMEMBERED_KEYS = 65_536


@dataclass(frozen=True)
class TargetFrame:
    """The rows for one table. ``record_numbers`` (int64) are the ordinals of their records over all sources, from 1.

    Every frame of a stream has the same columns of the same types in the same order. ``text_columns`` hold text that
    the server casts: such a frame goes through staging.
    """

    name: str
    table: pa.Table
    text_columns: frozenset[str]
    record_numbers: pa.Array

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's columns that these rows fill."""
        return tuple(self.table.column_names)


@dataclass(frozen=True)
class Frame:
    """Some records of one source. ``records`` = rows of each target + ``rejected``, always.

    A derived target has fewer: a row that an earlier record made already is left out. ``rejects`` has one entry for
    each fault; ``rejected`` counts records. ``bytes`` is how much of the source was read since the frame before.
    """

    source: str
    records: int
    rejected: int
    rejects: tuple[Reject, ...]
    bytes: int
    targets: dict[str, TargetFrame]


@dataclass
class Converter:
    """Applies a plan to the frames of one source after another; ids that come back are hashed once.

    ``left_out`` are ordinals, ascending, of records that are counted as bad without being looked at.
    """

    plan: Plan
    left_out: Sequence[int] = ()
    _uuids: UuidMaker = field(default_factory=UuidMaker)
    _derived: dict[str, set[tuple[Any, ...]]] = field(default_factory=dict)
    _schemas: dict[str, pa.Schema] = field(default_factory=dict)

    def apply(self, raw: RawFrame, *, source: str, header: Header, offset: int = 0) -> Frame:
        """The typed frame of a frame of text; ``offset`` counts the records of the sources before this one."""
        work = _Work(raw, header, source, self._uuids)
        made = [work.make(target) for target in self.plan.targets]
        numbers = raw.numbers + offset
        if self.left_out and len(numbers):
            work.leave_out(numbers.is_in(self._left_out_between(numbers[0], numbers[-1])))
        good = work.good()
        numbers = numbers if good is None else numbers.filter(good)
        ordinals = numbers.to_arrow()
        targets = {}
        for target, rows in zip(self.plan.targets, made):
            kept = rows if good is None else rows.filter(good)
            if target.derived:
                new = self._new_keys(target, kept)
                targets[target.table] = TargetFrame(
                    target.table, self._as_arrow(target, kept.filter(new)), target.text_columns, numbers.filter(new).to_arrow()
                )
                continue
            targets[target.table] = TargetFrame(target.table, self._as_arrow(target, kept), target.text_columns, ordinals)
        rejects = tuple(sorted([*raw.rejects, *work.rejects], key=lambda reject: reject.record))
        return Frame(source, raw.records, raw.records - len(numbers), rejects, raw.bytes, targets)

    def _left_out_between(self, first: int, last: int) -> list[int]:
        return list(self.left_out[bisect_left(self.left_out, first) : bisect_right(self.left_out, last)])

    def _new_keys(self, target: TargetPlan, rows: pl.DataFrame) -> pl.Series:
        """Which derived rows come for the first time, as far as is remembered; the writer takes out what still comes twice."""
        known = self._derived.setdefault(target.table, set())
        keys = rows.select(target.key)
        first = keys.select(pl.struct(pl.all()).is_first_distinct()).to_series()
        mask = [one and key not in known for one, key in zip(first, keys.iter_rows())]
        if len(known) < REMEMBERED_KEYS:
            known.update(key for one, key in zip(mask, keys.iter_rows()) if one)
        return pl.Series(mask, dtype=pl.Boolean)

    def _as_arrow(self, target: TargetPlan, rows: pl.DataFrame) -> pa.Table:
        schema = self._schemas.setdefault(target.table, target.schema)
        return rows.to_arrow().cast(schema)


class _Work:
    """One frame while it is converted. What several targets need alike is made once."""

    def __init__(self, raw: RawFrame, header: Header, source: str, uuids: UuidMaker) -> None:
        self._raw = raw
        self._header = header
        self._positions = {name: str(position) for position, name in enumerate(header)}
        self._source = source
        self._uuids = uuids
        self._texts: dict[Input, pl.Series] = {}
        self._values: dict[object, pl.Series] = {}
        self._bad: pl.Series | None = None
        self._rejects: dict[Reject, None] = {}

    @property
    def rejects(self) -> tuple[Reject, ...]:
        """A reject for each fault."""
        return tuple(self._rejects)

    def good(self) -> pl.Series | None:
        """The mask of records without a fault; ``None`` where all are."""
        return None if self._bad is None else ~self._bad

    def leave_out(self, mask: pl.Series) -> None:
        """These records are bad, and somebody else has said why."""
        self._bad = mask if self._bad is None else self._bad | mask

    def make(self, target: TargetPlan) -> pl.DataFrame:
        """The rows of one target, faulty ones included; their faults are noted."""
        rows = pl.DataFrame([self._column(column).alias(column.name) for column in target.columns])
        labels = {column.name: column.label(self._header) for column in target.columns}
        for mask, check in find_broken(rows, target.checks):
            self._note(mask, check.rule, labels[check.column], check.message)
        return rows

    def _column(self, column: ColumnPlan) -> pl.Series:
        if column.const is not None:
            return column.const.new_from_index(0, self._raw.cells.height)
        texts = [self._text(item) for item in column.inputs]
        if column.required:
            self._require(column)
        key = (column.inputs, column.uuid_kind, column.type)
        if key not in self._values:
            self._values[key] = self._cast(column, texts[0]) if column.uuid_kind is None else self._uuid(column, texts)
        return self._values[key]

    def _cast(self, column: ColumnPlan, text: pl.Series) -> pl.Series:
        if text.dtype != pl.String:
            values = convert_typed(text, column.cast, column.type)
        elif self._raw.by_record and column.cast.whole is not None:
            values = column.cast.whole(text)
        else:
            values = column.cast.convert(text)
        if values.null_count() > text.null_count():
            self._note(values.is_null() & text.is_not_null(), column.cast.rule, column.label(self._header), f"expected {column.cast.expects}")
        return values

    def _uuid(self, column: ColumnPlan, texts: list[pl.Series]) -> pl.Series:
        ids = self._uuids.make(str(column.uuid_kind), [as_text(text) for text in texts])
        return ids if column.type == "uuid" or column.cast.kind != "text" else self._cast(column, hyphenated(ids))

    def _text(self, item: Input) -> pl.Series:
        """The cells of an input with null for its null texts, after its pattern."""
        if item not in self._texts:
            text = self._cells(item)
            if item.extract is not None:
                whole = as_text(text)
                text = whole.str.extract(item.extract, 1)
                if text.null_count() > whole.null_count():
                    self._note(
                        text.is_null() & whole.is_not_null(), "pattern", item.found(self._header), f"expected text that matches {item.extract}"
                    )
            self._texts[item] = text
        return self._texts[item]

    def _cells(self, item: Input) -> pl.Series:
        names = [name for name in item.names if name in self._positions]
        if not names:
            return pl.Series([None], dtype=pl.String).new_from_index(0, self._raw.cells.height)
        cells = self._without_nulls(item, self._raw.cells[self._positions[names[0]]])
        for name in names[1:] if self._raw.by_record else ():
            # Each record has fields of its own: what this one calls otherwise.
            other = self._without_nulls(item, self._raw.cells[self._positions[name]])
            cells = pl.select(pl.coalesce(cells, other)).to_series()
        return cells

    def _without_nulls(self, item: Input, cells: pl.Series) -> pl.Series:
        if not item.nulls or cells.dtype != pl.String:
            return cells
        empty = cells == item.nulls[0] if len(item.nulls) == 1 else cells.is_in(list(item.nulls))
        return cells if not empty.any() else pl.select(pl.when(~empty).then(cells)).to_series()

    def _require(self, column: ColumnPlan) -> None:
        for item in column.inputs:
            cells = self._cells(item)
            if cells.null_count():
                self._note(cells.is_null(), "not_null", item.found(self._header) or str(item), "expected a value")

    def _note(self, mask: pl.Series, rule: str, column: str | None, message: str) -> None:
        self.leave_out(mask)
        records = self._raw.numbers.filter(mask)
        lines = [None] * len(records) if self._raw.lines is None else self._raw.lines.filter(mask)
        for record, line in zip(records, lines):
            self._rejects[Reject(self._source, record, rule, column, message, line)] = None
