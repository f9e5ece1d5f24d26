"""Frames of typed, checked rows: what the rooms above get, and how one is made of a frame of text."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from .._shapes import Reject
from ..exceptions import PackInvalid
from .checks import find_broken
from .members import as_object
from .sequences import Counted
from .texts import as_text
from .uniques import Seen, hashes_of, repeated
from .uuids import UuidMaker, hyphenated

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from .._pack_models import Join
    from .mapping import ColumnPlan, Input, Members, Plan, TargetPlan
    from .readers import Header, RawFrame
    from .steps import CompiledStep

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
    _seen: dict[tuple[str, tuple[str, ...]], Seen] = field(default_factory=dict)
    _counted: dict[tuple[str, tuple[str, ...]], Counted] = field(default_factory=dict)
    _schemas: dict[str, pa.Schema] = field(default_factory=dict)
    _told: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is told of records that were loaded all the same."""
        return tuple(
            f"{source}: {count} record{' is' if count == 1 else 's are'} not as {'it' if count == 1 else 'they'} should be, the first is {first}: {what}"
            for (source, what), (count, first) in self._told.items()
        )

    def apply(self, raw: RawFrame, *, source: str, header: Header, offset: int = 0) -> Frame:
        """The typed frame of a frame of text; ``offset`` counts the records of the sources before this one."""
        work = _Work(raw, header, source, self._uuids, by_record=self.plan.by_record or raw.by_record)
        made = [work.make(target) for target in self.plan.targets]
        numbers = raw.numbers + offset
        if self.left_out and len(numbers):
            work.leave_out(numbers.is_in(self._left_out_between(numbers[0], numbers[-1])))
        self._refuse_repeated(work, made)
        self._refuse_unordered(work, made)
        for what, records in work.told:
            self._told.setdefault((source, what), [0, int(records[0])])[0] += len(records)
        good = work.good()
        numbers = numbers if good is None else numbers.filter(good)
        ordinals = numbers.to_arrow()
        targets = {}
        for target, rows in zip(self.plan.targets, made):
            kept = rows if good is None else rows.filter(good)
            if target.derived:
                targets[target.table] = self._derived_rows(target, kept, numbers)
                continue
            targets[target.table] = TargetFrame(target.table, self._as_arrow(target, kept), target.text_columns, ordinals)
        rejects = tuple(sorted([*raw.rejects, *work.rejects], key=lambda reject: reject.record))
        return Frame(source, raw.records, raw.records - len(numbers), rejects, raw.bytes, targets)

    def _derived_rows(self, target: TargetPlan, rows: pl.DataFrame, numbers: pl.Series) -> TargetFrame:
        if target.optional:
            there = rows.select(pl.all_horizontal(pl.col(target.needed).is_not_null())).to_series()
            rows, numbers = rows.filter(there), numbers.filter(there)
        new = self._new_keys(target, rows)
        return TargetFrame(target.table, self._as_arrow(target, rows.filter(new)), target.text_columns, numbers.filter(new).to_arrow())

    def _refuse_repeated(self, work: _Work, made: Sequence[pl.DataFrame]) -> None:
        """Rules that look at all frames come last: of a record that is bad anyway, nothing is remembered."""
        rules = [(target, columns, rows) for target, rows in zip(self.plan.targets, made) for columns in target.uniques]
        if not rules:
            return
        seen = [self._seen.setdefault((target.table, columns), Seen()) for target, columns, _ in rules]
        hashes = [hashes_of(rows.select(columns)) for _, columns, rows in rules]
        for (target, columns, _), mask in zip(rules, repeated(hashes, seen, work.good())):
            work.refuse_repeated(target, columns, mask)
        good = work.good()
        for book, values in zip(seen, hashes):
            book.add((values if good is None else values.filter(good)).drop_nulls())

    def _refuse_unordered(self, work: _Work, made: Sequence[pl.DataFrame]) -> None:
        """Last of all, since only a good record counts."""
        for target, rows in zip(self.plan.targets, made):
            for columns in target.sequences:
                counted = self._counted.setdefault((target.table, columns), Counted())
                mask = counted.unordered(rows.select(columns), work.good())
                if mask.any():
                    work.refuse(target, columns[-1:], mask, "sequence", "expected the number after the one before")

    def _left_out_between(self, first: int, last: int) -> list[int]:
        return list(self.left_out[bisect_left(self.left_out, first) : bisect_right(self.left_out, last)])

    def _new_keys(self, target: TargetPlan, rows: pl.DataFrame) -> pl.Series:
        """Which derived rows come for the first time, as far as is remembered; the writer takes out what still comes twice."""
        known = self._derived.setdefault(target.table, set())
        # A row that completes another is new where it has a value that none before with its key had.
        others = [column.name for column in target.columns if target.completing and column.name not in target.key]
        keys = rows.select(*target.key, *(pl.col(name).is_not_null() for name in others))
        values = keys.to_series() if keys.width == 1 else keys.to_struct("key")
        places = values.is_first_distinct().arg_true()
        first = keys[places].rows()
        new = [key not in known for key in first]
        if len(known) < REMEMBERED_KEYS:
            known.update(first)
        mask = pl.Series([False]).new_from_index(0, rows.height)
        return mask.scatter(places.filter(pl.Series(new, dtype=pl.Boolean)), values=True) if any(new) else mask

    def _as_arrow(self, target: TargetPlan, rows: pl.DataFrame) -> pa.Table:
        schema = self._schemas.setdefault(target.table, target.schema)
        return rows.to_arrow().cast(schema)


class _Work:
    """One frame while it is converted. What several targets need alike is made once."""

    def __init__(self, raw: RawFrame, header: Header, source: str, uuids: UuidMaker, *, by_record: bool) -> None:
        self._raw = raw
        self._by_record = by_record
        self._header = header
        self._positions = {name: str(position) for position, name in enumerate(header)}
        self._source = source
        self._uuids = uuids
        self._found: dict[Input, pl.Series] = {}
        self._texts: dict[Input, pl.Series] = {}
        self._values: dict[object, pl.Series] = {}
        self._whole: dict[object, pl.Series] = {}
        self._lost: dict[object, pl.Series] = {}
        self._bad: pl.Series | None = None
        self._rejects: dict[Reject, None] = {}
        self.told: list[tuple[str, pl.Series]] = []

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
        rows = pl.DataFrame([self._column(column, may_lack=target.optional).alias(column.name) for column in target.columns])
        for mask, check in find_broken(rows, target.checks, target.casts):
            if check.told:
                self.told.append((f"{self._label(target, check.columns)}: {check.message}", self._raw.numbers.filter(mask)))
                continue
            self._note(mask, check.rule, self._label(target, check.columns), check.message)
        return rows

    def refuse_repeated(self, target: TargetPlan, columns: tuple[str, ...], mask: pl.Series) -> None:
        """Note the rows whose values in these columns a good one before has."""
        if mask.any():
            self.refuse(target, columns, mask, "unique", "expected a value that no record before has")

    def refuse(self, target: TargetPlan, columns: tuple[str, ...], mask: pl.Series, rule: str, message: str) -> None:
        """Note rows that are bad beside others."""
        self._note(mask, rule, self._label(target, columns), message)

    def _label(self, target: TargetPlan, columns: tuple[str, ...]) -> str:
        labels = {column.name: column.label(self._header) for column in target.columns}
        return ", ".join(dict.fromkeys(labels[name] for name in columns))

    def _column(self, column: ColumnPlan, *, may_lack: bool) -> pl.Series:
        if column.const is not None:
            return column.const.new_from_index(0, self._raw.cells.height)
        if column.same not in self._values:
            self._values[column.same] = self._made(column)
        if column.required and not may_lack:
            self._require(column)
        return self._values[column.same]

    def _made(self, column: ColumnPlan) -> pl.Series:
        if column.provenance is not None:
            return self._cast(column, self._provenance(column.provenance))
        if column.members is not None:
            return self._cast(column, self._object(column.members))
        texts = [self._text(item) for item in column.inputs]
        if column.uuid_kind is not None:
            return self._uuid(column, texts)
        return self._cast(column, texts[0] if column.join is None else self._joined(column, column.join, texts))

    def _cast(self, column: ColumnPlan, text: pl.Series) -> pl.Series:
        values = column.cast.read(text, json=self._raw.by_record)
        if values.null_count() > text.null_count():
            self._note(values.is_null() & text.is_not_null(), column.cast.rule, column.label(self._header), f"expected {column.cast.expects}")
        return values

    def _uuid(self, column: ColumnPlan, texts: list[pl.Series]) -> pl.Series:
        labels = [item.found(self._header) for item in column.inputs]
        ids = self._uuids.make(str(column.uuid_kind), [self._as_text(text, label) for text, label in zip(texts, labels)])
        return ids if column.type == "uuid" or column.cast.kind != "text" else self._cast(column, hyphenated(ids))

    def _provenance(self, what: str) -> pl.Series:
        return self._raw.numbers if what == "record" else pl.Series([self._source]).new_from_index(0, self._raw.cells.height)

    def _object(self, members: Members) -> pl.Series:
        if self._raw.by_record and not members.named:
            raise PackInvalid("members are patterns of a table's columns, and records of JSON have none", hint="Name each member.")
        return as_object([(str(item), self._cells(item)) for item in members.found(self._header)], self._raw.cells.height)

    def _joined(self, column: ColumnPlan, join: Join, texts: list[pl.Series]) -> pl.Series:
        labels = [item.found(self._header) for item in column.inputs]
        parts = [self._as_text(text, label) for text, label in zip(texts, labels)]
        joined = pl.select(pl.concat_str(parts, separator=join.separator, ignore_nulls=join.skip_nulls)).to_series()
        if join.skip_nulls:
            # Nothing at all is no value, and not an empty text.
            nothing = pl.select(pl.all_horizontal([part.is_null() for part in parts])).to_series()
            joined = pl.select(pl.when(~nothing).then(joined)).to_series()
        self._whole[column.same] = text = self._after(column.steps, joined, column.label(self._header), column.same)
        return text

    def _text(self, item: Input) -> pl.Series:
        """The cells of an input with null for its null texts, after its pattern and its steps."""
        if item not in self._texts:
            text, label = self._cells(item), item.found(self._header)
            if item.extract is not None:
                whole = self._as_text(text, label)
                text = whole.str.extract(item.extract, 1)
                if text.null_count() > whole.null_count():
                    self._lose(item, text.is_null() & whole.is_not_null(), "pattern", label, f"expected text that matches {item.extract}")
            self._texts[item] = self._after(item.steps, self._as_text(text, label), label, item) if item.steps else text
        return self._texts[item]

    def _after(self, steps: Sequence[CompiledStep], text: pl.Series, label: str | None, owner: object) -> pl.Series:
        """The text after all steps; records whose text one of them cannot take are noted, and are no records without a value."""
        for step in steps:
            before, text = text, step.convert(text)
            faults = step.faults(before, text)
            if faults is not None and faults.any():
                self._lose(owner, faults, step.rule, label, f"expected {step.expects}")
        return text

    def _lose(self, owner: object, faults: pl.Series, rule: str, label: str | None, message: str) -> None:
        """Note faults, so that nobody calls them records without a value later."""
        self._note(faults, rule, label, message)
        self._lost[owner] = faults if owner not in self._lost else self._lost[owner] | faults

    def _as_text(self, values: pl.Series, label: str | None) -> pl.Series:
        text = as_text(values)
        if text.null_count() > values.null_count():
            self._note(text.is_null() & values.is_not_null(), "type", label, "expected a value that can be written as text")
        return text

    def _cells(self, item: Input) -> pl.Series:
        if item not in self._found:
            self._found[item] = self._look_up(item)
        return self._found[item]

    def _look_up(self, item: Input) -> pl.Series:
        names = [name for name in item.names if name in self._positions]
        if not names:
            return pl.Series([None], dtype=pl.String).new_from_index(0, self._raw.cells.height)
        cells = self._without_nulls(item, self._raw.cells[self._positions[names[0]]])
        for name in names[1:] if self._by_record else ():
            if not cells.null_count():
                break
            # Each record has fields of its own: what this one calls otherwise.
            other = self._without_nulls(item, self._raw.cells[self._positions[name]])
            if cells.dtype != other.dtype:
                cells, other = as_text(cells), as_text(other)
            cells = pl.select(pl.coalesce(cells, other)).to_series()
        return cells

    def _without_nulls(self, item: Input, cells: pl.Series) -> pl.Series:
        # Only text and bytes can be written as an empty text.
        nulls = item.nulls if cells.dtype in (pl.String, pl.Binary) else [text for text in item.nulls if text]
        if not nulls:
            return cells
        text = as_text(cells)
        empty = text == nulls[0] if len(nulls) == 1 else text.is_in(list(nulls))
        return cells if not empty.any() else pl.select(pl.when(~empty.fill_null(value=False)).then(cells)).to_series()

    def _require(self, column: ColumnPlan) -> None:
        if column.join is not None:
            self._require_value(self._whole[column.same], column.same, column.label(self._header))
        for item in column.inputs if column.join is None else ():
            value = self._text(item) if item.steps else self._cells(item)
            self._require_value(value, item, item.found(self._header) or str(item))

    def _require_value(self, values: pl.Series, owner: object, label: str) -> None:
        if values.null_count():
            lost = self._lost.get(owner)
            self._note(values.is_null() if lost is None else values.is_null() & ~lost, "not_null", label, "expected a value")

    def _note(self, mask: pl.Series, rule: str, column: str | None, message: str) -> None:
        self.leave_out(mask)
        records = self._raw.numbers.filter(mask)
        lines = [None] * len(records) if self._raw.lines is None else self._raw.lines.filter(mask)
        for record, line in zip(records, lines):
            self._rejects[Reject(self._source, record, rule, column, message, line)] = None
