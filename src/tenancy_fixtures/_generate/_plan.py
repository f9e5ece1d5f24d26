"""From a pack and its schema to a plan: what makes each field of each dataset. Everything that cannot be made is found here."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from .._ingest.checks import require_pattern
from .._pg.trial import read_checks, read_expression_indexes
from ..exceptions import CannotGenerate
from ._checks import atoms
from ._distinct import Apart, keep_apart
from ._fields import read_fields, wants_of
from ._judge import Judge
from ._makers import AnyRow, Digit, EarlierRow, Listed, Moments, OwnRow, Pool, Referred, SameRow
from ._random import key_of
from ._records import Records
from ._references import References
from ._texts import Need
from ._types import candidates
from ._words import Words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .._pack_models import Dataset
    from .._pg.database import Transaction
    from .._pg.trial import TableCheck
    from .._shapes import Table
    from ._fields import Field, Wants
    from ._makers import Draw, Maker
    from ._random import Rows
    from ._references import Reference
    from ._types import MomentMaker

_SAMPLE = 5_000  # values of a field that are tried; rows that checks of several columns are tried on
_WIDE = Decimal(2**15)  # bounds beyond it are those of a type, or as good as none
_LONGEST_RUN = 10  # rows at least that share a parent, where they are counted through
_EARLY = ("birth", "dob")
_LATE = (
    ("updated", "modified", "changed", "edited"),
    ("last", "seen", "end", "ended", "until", "expires", "deleted", "closed", "revoked", "finished"),
)


class Planner:
    """Makes the :class:`Records` of a pack's datasets, in a transaction that holds the schema."""

    def __init__(self, datasets: Sequence[Dataset], tables: Mapping[str, Table], transaction: Transaction, seed: int) -> None:
        self._datasets = datasets
        self._tables = tables
        self._transaction = transaction
        self._judge = Judge(transaction)
        self._seed = seed
        self._words = Words(key_of(seed, "words"))
        self._records: dict[str, Records] = {}

    async def plan(self, schema: str, counts: Mapping[str, int], chosen: Sequence[str]) -> list[Records]:
        """The records of the chosen datasets, and of those that they refer to.

        :raises CannotGenerate: a column, a rule or a number of rows cannot be served.
        """
        self._checks = await read_checks(self._transaction, schema)
        self._extra = await read_expression_indexes(self._transaction, schema)
        fields = {dataset.name: read_fields(dataset, self._tables, self._checks) for dataset in self._datasets}
        for item in (item for own in fields.values() for item in own.values() if not item.required):
            item.required = not await self._judge.takes_null(item)
        self._references = References(self._datasets, self._tables, fields)
        needed = self._references.needed(chosen)
        self._records = {name: Records(self._dataset(name), counts[name], fields[name]) for name in needed}
        for records in self._records.values():
            await self._make(records)
        for records in self._records.values():
            await self._see_references(records)
            await self._see_together(records)
        return list(self._records.values())

    def _dataset(self, name: str) -> Dataset:
        return next(dataset for dataset in self._datasets if dataset.name == name)

    def _key(self, records: Records, *names: object) -> int:
        return key_of(self._seed, records.dataset.name, *names)

    # --- one dataset --------------------------------------------------------------------------------------------------------

    async def _make(self, records: Records) -> None:
        wants = {name: wants_of(item) for name, item in records.fields.items()}
        self._order_numbers(records, wants)
        narrow = [name for name, item in records.fields.items() if item.void or wants[name].values is not None]
        apart = keep_apart(records.dataset, self._tables, records.fields, self._references, self._extra, narrow)
        for name in records.fields:
            records.null_keys[name] = self._key(records, "null", (self._references.of_field.get((records.dataset.name, name)) or name))
        for reference in self._references.of_dataset(records.dataset.name):
            self._refer(records, reference, apart)
        ranks = self._ranks(records)
        for name, item in records.fields.items():
            if name not in records.makers and not item.void and apart.grid_of((name,)) is None:
                await self._settle(records, item, wants[name], ranks, alone=(name,) in apart.alone)
        for grid in apart.grids:
            await self._lay_out(records, grid, wants, ranks)

    async def _settle(self, records: Records, item: Field, wants: Wants, ranks: Mapping[str, int], *, alone: bool) -> None:
        for pattern in (*wants.patterns, *([item.extract] if item.extract else [])):
            require_pattern(pattern, item.name)
        need = Need(item, wants, self._words, self._key(records, "field", item.name), records.count if alone else None)
        for candidate in await asyncio.to_thread(lambda: list(candidates(need, self._moments(records, item, ranks, alone=alone)))):
            maker = await asyncio.to_thread(candidate)
            fitted = await self._fitted(records, item, maker, records.count if alone else None)
            if fitted is not None:
                records.makers[item.name] = fitted
                return
        if not item.required:
            item.void = True
            return
        raise _impossible(records, item, wants, alone=alone)

    async def _fitted(self, records: Records, item: Field, maker: Maker, count: int | None) -> Maker | None:
        """The maker, or what it has that fits; ``None`` where that is too little."""
        if count is not None and maker.capacity is not None and maker.capacity < count:
            return None
        pool = maker.texts if isinstance(maker, Pool) else None
        texts = pool if pool is not None else maker(_spread(count or _SAMPLE))
        good = await self._judge.fitting(item, texts, records.encoding)
        if good.all():
            return maker
        if count is not None or not good.any():
            return None
        return Pool(
            texts.filter(good).unique(maintain_order=True), self._key(records, "field", item.name), tail=isinstance(maker, Pool) and maker.tail
        )

    def _moments(self, records: Records, item: Field, ranks: Mapping[str, int], *, alone: bool) -> MomentMaker:
        key, own = self._key(records, "moment"), self._key(records, "field", item.name)
        early = any(word in item.name.lower() for word in _EARLY)

        def make(form: str, start: int, span: int, count: int | None) -> Maker:
            return Moments(
                form, start, span, own if early or alone else key, own, 0 if early else ranks.get(item.name, 0), records.count if count else None
            )

        return make

    # --- references and combinations ----------------------------------------------------------------------------------------

    def _refer(self, records: Records, reference: Reference, apart: Apart) -> None:
        grid = apart.grid_of(reference.fields)
        if grid is not None:
            return
        provider = self._records[reference.provider.dataset]
        alone = reference.fields in apart.alone
        self._require_rows(records, reference, provider, alone=alone)
        self._take(records, reference, self._draw(records, reference, provider, alone=alone))

    def _draw(self, records: Records, reference: Reference, provider: Records, *, alone: bool) -> Draw:
        key = self._key(records, "reference", *reference.fields)
        if reference.to_itself and alone and any(records.fields[name].required for name in reference.fields):
            return SameRow()
        if reference.to_itself:
            return EarlierRow(key, next_one=alone)
        return OwnRow(provider.count, key) if alone else AnyRow(provider.count, key)

    def _take(self, records: Records, reference: Reference, draw: Draw) -> None:
        provider = self._records[reference.provider.dataset]
        for name, source in zip(reference.fields, reference.provider.fields):
            records.makers[name] = Referred(provider, source, draw)
        if reference.to_itself:
            records.first_empty.update(reference.fields)

    def _require_rows(self, records: Records, reference: Reference, provider: Records, *, alone: bool) -> None:
        if alone and provider.count < records.count and not reference.to_itself:
            message = f"{reference.place} is unique, and dataset {provider.dataset.name} has {provider.count} rows for {records.count} of {records.dataset.name}"
            raise CannotGenerate(message, dataset=records.dataset.name, hint="Ask for as many rows of one as of the other.")

    async def _lay_out(self, records: Records, grid: Sequence[tuple[str, ...]], wants: Mapping[str, Wants], ranks: Mapping[str, int]) -> None:
        """Count the rows through all combinations: the last unit of the grid changes with every row."""
        sizes = []
        for unit in grid:
            reference = self._references.of_field.get((records.dataset.name, unit[0]))
            if reference is not None:
                sizes.append(self._records[reference.provider.dataset].count)
            else:
                await self._settle(records, records.fields[unit[0]], wants[unit[0]], ranks, alone=False)
                sizes.append(_texts_of(records.makers[unit[0]]).len())
        self._require_combinations(records, grid, sizes)
        weight, rest = 1, int(np.prod([float(size) for size in sizes[:-1]]))
        for place in reversed(range(len(grid))):
            size = sizes[place]
            if place == len(grid) - 1 and place:
                size = min(size, max(_LONGEST_RUN, -(-records.count // max(min(rest, records.count), 1))))
            turn = self._key(records, "turn", *grid[place]) if place == len(grid) - 1 and size > _LONGEST_RUN and sizes[place] == size else None
            self._place(records, grid[place], Digit(weight, size, turn))
            weight *= size

    def _place(self, records: Records, unit: tuple[str, ...], digit: Digit) -> None:
        reference = self._references.of_field.get((records.dataset.name, unit[0]))
        if reference is not None:
            self._take(records, reference, digit)
            records.first_empty -= set(unit)
        else:
            records.makers[unit[0]] = Listed(_texts_of(records.makers[unit[0]]), digit)

    def _require_combinations(self, records: Records, grid: Sequence[tuple[str, ...]], sizes: Sequence[int]) -> None:
        most = 1
        for size in sizes:
            most *= size
        if most < records.count:
            names = ", ".join(name for unit in grid for name in unit)
            message = f"dataset {records.dataset.name}: {names} have {most} combinations, and {records.count} rows need one each"
            raise CannotGenerate(message, dataset=records.dataset.name, hint="Ask for fewer rows of it, or for more of those that it refers to.")

    # --- columns that depend on each other ------------------------------------------------------------------------------------

    def _pairs(self, records: Records) -> Iterator[tuple[str, str]]:
        """Fields that a check puts in order: the lower one, the higher one."""
        for check in self._checks:
            for target in records.dataset.targets:
                if target.table == check.table and len(check.columns) > 1:
                    sources = {name: _field_of(records, target.table, name) for name in check.columns}
                    for atom in atoms(check.expression):
                        left, right = sources.get(atom.column), sources.get(atom.values[0])
                        if atom.sign.startswith("column") and left and right and atom.sign[-1] != ">" and "<" in atom.sign:
                            yield left, right
                        elif atom.sign.startswith("column >") and left and right:
                            yield right, left

    def _order_numbers(self, records: Records, wants: Mapping[str, Wants]) -> None:
        """Numbers of which one must be the greater get a half each of what both may be."""
        for lower, higher in dict.fromkeys(self._pairs(records)):
            if records.fields[lower].main.cast.kind != "number" or records.fields[higher].main.cast.kind != "number":
                continue
            least, most = wants[lower].low, wants[higher].high
            low = Decimal(0) if least is None or least <= -_WIDE else least
            high = low + 1000 if most is None or most >= _WIDE - 1 else most
            middle = ((low + high) / 2).to_integral_value()
            wants[lower].at_least(low)
            wants[lower].at_most(middle)
            wants[higher].at_least(middle + 1)
            wants[higher].at_most(high)

    def _ranks(self, records: Records) -> dict[str, int]:
        """How late a moment of a row is: by its name, and by what checks say."""
        ranks = {}
        for name in records.fields:
            parts = set(name.lower().replace("_at", "").split("_"))
            ranks[name] = next((rank for rank, words in reversed(list(enumerate(_LATE, start=1))) if parts & set(words)), 0)
        pairs = list(dict.fromkeys(self._pairs(records)))
        for _ in pairs:
            for lower, higher in pairs:
                ranks[higher] = max(ranks[higher], ranks[lower] + 1)
        return ranks

    # --- trying it --------------------------------------------------------------------------------------------------------------

    async def _see_references(self, records: Records) -> None:
        """Values that come from elsewhere fit the columns that take them as well."""
        rows = _spread(records.count)
        for reference in self._references.of_dataset(records.dataset.name):
            for name in reference.fields:
                good = await self._judge.fitting(records.fields[name], records.values(name, rows), records.encoding)
                if not good.all():
                    message = f"dataset {records.dataset.name}: values of {reference.provider.dataset} do not fit {name!r}, which refers to it"
                    raise CannotGenerate(message, dataset=records.dataset.name, column_name=name)

    async def _see_together(self, records: Records) -> None:
        for target in records.dataset.targets:
            for check in self._checks:
                made = {name: _source_of(records, target.table, name) for name in check.columns}
                if check.table == target.table and len(check.columns) > 1 and all(source is not None for source in made.values()):
                    await self._see_check(records, check, {name: source for name, source in made.items() if source is not None})

    async def _see_check(self, records: Records, check: TableCheck, made: dict[str, str | pl.Expr]) -> None:
        """A check of several columns holds as it is, or with values in all of them, or with none in those that may have none."""
        rows = _spread(records.count)
        table = self._tables[check.table]
        columns = {name: column for name in made if (column := table.column(name)) is not None}
        loose = [records.fields[source] for source in made.values() if isinstance(source, str) and not records.fields[source].required]
        for attempt in ("as it is", "filled", "empty"):
            for item in loose if attempt != "as it is" else ():
                item.required, item.void = attempt == "filled", attempt == "empty"
            if not await self._judge.broken_together(check, columns, records, made, rows):
                return
        raise CannotGenerate(
            f"dataset {records.dataset.name}: no records can be made that pass {check.name} of {check.table}",
            dataset=records.dataset.name,
            table=check.table,
            constraint=check.name,
            hint="Checks of several columns are understood where they compare two of them, or allow them to be null together.",
        )


def _spread(count: int) -> Rows:
    """Rows over all of them, the first and the last among them."""
    number = min(count, _SAMPLE)
    return (np.arange(number, dtype=np.int64) * max(count - 1, 1)) // max(number - 1, 1)


def _texts_of(maker: Maker) -> pl.Series:
    """The different texts of a field that is counted through."""
    return maker.texts if isinstance(maker, Pool) else maker(_spread(_SAMPLE)).unique(maintain_order=True)


def _field_of(records: Records, table: str, column: str) -> str | None:
    """The field that a column of a table holds the value of."""
    found = (item.name for item in records.fields.values() for use in item.own if (use.table.name, use.column.name) == (table, column))
    return next(found, None)


def _source_of(records: Records, table: str, column: str) -> str | pl.Expr | None:
    """The field, or the constant, that a column is filled with; ``None`` where that is neither."""
    name = _field_of(records, table, column)
    if name is not None:
        extract = records.fields[name].extract
        return name if extract is None else pl.col(name).str.extract(extract, 1)
    mapping = next((target.columns.get(column) for target in records.dataset.targets if target.table == table), None)
    if mapping is None or mapping.const is None:
        return None
    text = str(mapping.const).lower() if isinstance(mapping.const, bool) else str(mapping.const)
    return pl.lit(text)


def _impossible(records: Records, item: Field, wants: Wants, *, alone: bool) -> CannotGenerate:
    use = item.main
    facts = {"dataset": records.dataset.name, "table": use.table.name, "column_name": use.column.name}
    pattern = item.extract or next(iter(wants.patterns), None)
    if alone:
        how = f" by its pattern {pattern}" if pattern else ""
        message = (
            f"dataset {records.dataset.name}: {records.count} rows need a value each of {item.name!r} ({use.place}){how}, and so many cannot be made"
        )
        return CannotGenerate(message, hint="Ask for fewer rows, or loosen the pattern." if pattern else "Ask for fewer rows.", **facts)
    what = f"pattern {pattern}" if pattern else f"type {use.column.type.declared} and its rules"
    message = f"dataset {records.dataset.name}: no values can be made for {item.name!r} ({use.place}) by its {what}"
    return CannotGenerate(message, hint="A rule one_of with some values would do.", **facts)
