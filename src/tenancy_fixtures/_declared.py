"""What a dataset declares of other tables than those that it fills: where values must be, and where they are found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._shapes import ForeignKey
from ._table_shapes import Lookup
from .exceptions import PackInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._pack_models import Dataset, Reference, Target
    from ._shapes import Table


def declared_references(dataset: Dataset, target: Target, tables: Mapping[str, Table]) -> tuple[ForeignKey, ...]:
    """What the target's ``references`` rules say, in the form of foreign keys.

    :raises PackInvalid: the other table or a column is not there, or its type is another.
    """
    rules = [(rule, rule.references) for rule in target.rules if rule.references is not None and target.table in tables]
    return tuple(_declared(dataset, tables[target.table], rule.names, there, tables) for rule, there in rules)


def _declared(dataset: Dataset, here: Table, names: Sequence[str], there: Reference, tables: Mapping[str, Table]) -> ForeignKey:
    other = tables.get(there.table)
    for name, theirs in zip(names, there.columns):
        ours, column = here.column(name), other and other.column(theirs)
        if ours is None or not column or (ours.type.name, ours.type.category) != (column.type.name, column.type.category):
            message = f"dataset {dataset.name}: {here.name}.{name} cannot refer to {there.table}.{theirs}"
            hint = "The column must be there, and of the same type."
            raise PackInvalid(message, table=here.name, column_name=name, hint=hint)
    return ForeignKey("", here.schema, here.name, tuple(names), here.schema, there.table, tuple(there.columns), "")


def declared_lookups(dataset: Dataset, target: Target, tables: Mapping[str, Table]) -> tuple[Lookup, ...]:
    """The columns of the target whose values are found in other tables.

    :raises PackInvalid: the other table or a column is not there, or the value is of another type than the column.
    """
    here = tables.get(target.table)
    found = []
    for name, mapping in target.columns.items():
        if here is None or mapping.lookup is None or (column := here.column(name)) is None:
            continue
        wanted, other = mapping.lookup, tables.get(mapping.lookup.table)
        value = other and other.column(wanted.value)
        if other is None or not value or other.column(wanted.by) is None or value.type.name != column.type.name:
            message = f"dataset {dataset.name}: {here.name}.{name} cannot be looked up as {wanted.table}.{wanted.value} by {wanted.by}"
            raise PackInvalid(message, table=here.name, column_name=name, hint="Both columns must be there, and the value of the same type.")
        harmless = mapping.optional and column.nullable and name not in target.key
        found.append(Lookup(name, other.schema, other.name, wanted.by, wanted.value, "null" if harmless else wanted.missing))
    return tuple(found)


def relied_on(dataset: Dataset, target: Target, tables: Mapping[str, Table]) -> list[ForeignKey]:
    """The tables that are to be filled before the target, beside those that its foreign keys refer to: as if they were such keys."""
    looked_up = [
        ForeignKey("", tables[target.table].schema, target.table, (item.column,), item.schema, item.table, (item.by,), "")
        for item in declared_lookups(dataset, target, tables)
        if item.table != target.table
    ]
    return [*declared_references(dataset, target, tables), *looked_up]
