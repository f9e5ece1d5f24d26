"""Which fields of a dataset must be different in every row, so that no key and no unique index meets a value twice.

A unit is what has one value in a row: the fields of one reference, or a single field.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Iterable, Iterator

from ..exceptions import CannotGenerate
from ._fields import local_fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._pack_models import Dataset, Target
    from .._shapes import Table
    from ._fields import Field
    from ._references import References

# Types with enough values for a key of its own; whole numbers come last, since they are often places in a list.
_WIDE = (
    "uuid",
    "text",
    "varchar",
    "timestamptz",
    "timestamp",
    "bytea",
    "name",
    "bpchar",
    "date",
    "float8",
    "numeric",
    "float4",
    "int8",
    "int4",
    "int2",
)


@dataclass
class Apart:
    """``alone``: units whose values are all different. ``grids``: units that are counted through all their combinations."""

    alone: set[tuple[str, ...]] = field(default_factory=set)
    grids: list[list[tuple[str, ...]]] = field(default_factory=list)

    def grid_of(self, unit: tuple[str, ...]) -> list[tuple[str, ...]] | None:
        """The combination that a unit is a part of."""
        return next((grid for grid in self.grids if unit in grid), None)

    def keeps(self, units: Iterable[tuple[str, ...]]) -> bool:
        """Whether no two rows have the same values in these units."""
        known = set(units)
        return bool(known & self.alone) or any(known >= set(grid) for grid in self.grids)


def keep_apart(
    dataset: Dataset,
    tables: Mapping[str, Table],
    fields: Mapping[str, Field],
    references: References,
    extra: Sequence[tuple[str, tuple[str, ...]]],
    narrow: Iterable[str],
) -> Apart:
    """Decide what keeps the rows of a dataset apart.

    ``extra`` are indexes over expressions, by table and columns; ``narrow`` are fields that have a few values only.

    :raises CannotGenerate: a unique index asks for what a reference cannot give.
    """
    units = _units(dataset, fields, references)
    sets = sorted({_of_units(names, units) for names in _sets(dataset, tables, fields, extra)}, key=lambda item: (len(item), sorted(item)))
    for names in _sets(dataset, tables, fields, extra):
        _refuse_pieces(dataset, names, units)
    apart, limited = Apart(), set(narrow)
    for wanted in sets:
        if not apart.keeps(wanted):
            _separate(dataset, sorted(wanted, key=list(units.values()).index), apart, fields, references, limited)
    return apart


def _units(dataset: Dataset, fields: Mapping[str, Field], references: References) -> dict[str, tuple[str, ...]]:
    return {name: references.of_field[dataset.name, name].fields if (dataset.name, name) in references.of_field else (name,) for name in fields}


def _of_units(names: Iterable[str], units: Mapping[str, tuple[str, ...]]) -> frozenset[tuple[str, ...]]:
    return frozenset(units[name] for name in names)


def _sets(
    dataset: Dataset, tables: Mapping[str, Table], fields: Mapping[str, Field], extra: Sequence[tuple[str, tuple[str, ...]]]
) -> Iterator[frozenset[str]]:
    """For each key and unique index, the fields that make it up."""
    for target in dataset.targets:
        if target.derived:
            continue
        table = tables[target.table]
        wanted = [
            tuple(target.key),
            *(index.columns for index in table.indexes if index.unique),
            *(names for name, names in extra if name == table.name),
        ]
        for columns in wanted:
            mapped = [column for column in columns if column in target.columns]
            if not mapped or _never_clashes(table, target, columns):
                continue
            found = frozenset(name for column in mapped for name in local_fields(target.columns[column], fields))
            if not found:
                raise CannotGenerate(f"{table.name} ({', '.join(columns)}) has the same value in every row", table=table.name, dataset=dataset.name)
            if not any(fields[name].void for name in found):
                yield found


def _never_clashes(table: Table, target: Target, columns: Sequence[str]) -> bool:
    """Whether a column that the dataset leaves to the database keeps rows apart: a number of its own, or null."""
    left = [column for column in table.columns if column.name in columns and column.name not in target.columns]
    return any(column.identity or (column.nullable and not column.has_default and not column.generated) for column in left)


def _refuse_pieces(dataset: Dataset, names: frozenset[str], units: Mapping[str, tuple[str, ...]]) -> None:
    """A row that is referred to by several fields is another one in each row, but one of the fields alone need not be."""
    if all(not names >= set(units[name]) and len(units[name]) > 1 for name in names):
        raise CannotGenerate(f"dataset {dataset.name}: {', '.join(sorted(names))} must be unique, and are parts of a reference", dataset=dataset.name)


def _separate(
    dataset: Dataset,
    wanted: list[tuple[str, ...]],
    apart: Apart,
    fields: Mapping[str, Field],
    references: References,
    narrow: set[str],
) -> None:
    if len(wanted) == 1 and apart.grid_of(wanted[0]) is None:
        apart.alone.add(wanted[0])
        return
    free = [unit for unit in wanted if (dataset.name, unit[0]) not in references.of_field and apart.grid_of(unit) is None]
    wide = [unit for unit in free if fields[unit[0]].type in _WIDE and unit[0] not in narrow]
    wide.sort(key=lambda unit: _WIDE.index(fields[unit[0]].type))
    whole = bool(wide) and fields[wide[0][0]].type in ("int2", "int4", "int8")
    loose = all(apart.grid_of(unit) is None for unit in wanted)
    if wide and (not whole or len(wanted) == 1 or not loose):
        apart.alone.add(wide[0])
    elif loose:
        # What is drawn from elsewhere changes slowly, and what is the dataset's own runs through its values for each of them.
        apart.grids.append(sorted(wanted, key=lambda unit: unit in free))
    else:
        names = ", ".join(name for unit in wanted for name in unit)
        raise CannotGenerate(
            f"dataset {dataset.name}: several unique indexes share {names}, and no records can be made for all", dataset=dataset.name
        )
