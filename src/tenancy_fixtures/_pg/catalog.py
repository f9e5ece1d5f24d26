"""What a schema holds, by asking PostgreSQL: tables for a load, and the whole structure for a comparison."""

from __future__ import annotations

import hashlib
import json
import re
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg.rows import dict_row, tuple_row

from .._shapes import Column, ColumnType, ForeignKey, Index, Table
from ..constants import TENANT_COLUMN
from .sql import query

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from psycopg import AsyncConnection

# What stands for the schema's own name in a fingerprint, so that two schemas can be compared.
PLACE = "$schema"


async def read_tables(connection: AsyncConnection[Any], schema: str) -> dict[str, Table]:
    """Every table of a schema by name, partitioned ones included; empty where the schema holds none or is not there."""
    cursor = await connection.cursor(row_factory=dict_row).execute(query("catalog.read_tables"), {"schema": schema, "tenant_column": TENANT_COLUMN})
    return {row["name"]: _table(row) for row in await cursor.fetchall()}


def _table(row: Mapping[str, Any]) -> Table:
    if row["shared"]:
        row = _as_one_tenants(row)
    indexes = tuple(Index(**_tuples(item)) for item in row["indexes"])
    return Table(
        schema=row["schema"],
        name=row["name"],
        columns=tuple(_column(item) for item in row["columns"]),
        primary_key=next((index.columns for index in indexes if index.primary), ()),
        indexes=indexes,
        foreign_keys=tuple(ForeignKey(**_tuples(item)) for item in row["foreign_keys"]),
        referenced_by=tuple(ForeignKey(**_tuples(item)) for item in row["referenced_by"]),
        row_security=row["row_security"],
        partition_strategy=row["partition_strategy"],
        partition_key=tuple(row["partition_key"]),
        has_triggers=row["has_triggers"],
        shared=row["shared"],
    )


def _as_one_tenants(row: Mapping[str, Any]) -> dict[str, Any]:
    """A table that tenants share as one of them has it: without the column that says whose a row is, in keys and references too."""
    seen = {**row, "columns": [item for item in row["columns"] if item["name"] != TENANT_COLUMN]}
    seen["indexes"] = [{**item, "columns": _without(item["columns"])} for item in row["indexes"]]
    for references in ("foreign_keys", "referenced_by"):
        seen[references] = [
            {**item, "columns": _without(item["columns"]), "target_columns": _without(item["target_columns"])} for item in row[references]
        ]
    return seen


def _without(names: Sequence[str]) -> list[str]:
    return [name for name in names if name != TENANT_COLUMN]


def _column(item: Mapping[str, Any]) -> Column:
    return Column(**{**item, "type": ColumnType(**_tuples(item["type"]))})


def _tuples(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in item.items()}


# --- in which order ---------------------------------------------------------------------------------------------------


class TableOrder(NamedTuple):
    """Names in order of references, and the groups of tables that refer to each other in a circle.

    A table that refers to itself is in no group: one build of its foreign key after its rows settles it.
    """

    names: list[str]
    cycles: list[tuple[str, ...]]


def table_order(tables: Mapping[str, Table] | Iterable[Table]) -> TableOrder:
    """The names of ``tables``, each after those that it refers to; members of a circle stand together, by name.

    The foreign keys of those must be checked after all of them.
    """
    found = {table.name: table for table in (tables.values() if hasattr(tables, "values") else tables)}
    needs = {name: {key.target_table for key in found[name].foreign_keys if _inside(key, found)} - {name} for name in sorted(found)}
    groups: dict[str, tuple[str, ...]] = {name: (name,) for name in needs}
    while True:
        circle = _circle(needs, groups)
        if circle is None:
            ordered = list(_sorted_groups(needs, groups))
            return TableOrder([name for group in ordered for name in group], [group for group in ordered if len(group) > 1])
        groups.update((member, circle) for member in circle)


def _inside(key: ForeignKey, found: Mapping[str, Table]) -> bool:
    return key.target_table in found and found[key.target_table].schema == key.target_schema


def _sorter(needs: Mapping[str, set[str]], groups: Mapping[str, tuple[str, ...]]) -> TopologicalSorter[str]:
    """A sorter of the groups, each known by its first member."""
    graph: dict[str, set[str]] = {groups[name][0]: set() for name in needs}
    for name, targets in needs.items():
        graph[groups[name][0]] |= {groups[target][0] for target in targets} - {groups[name][0]}
    return TopologicalSorter(graph)


def _circle(needs: Mapping[str, set[str]], groups: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    """The members of one circle among the groups, by name; ``None`` where there is none."""
    try:
        _sorter(needs, groups).prepare()
    except CycleError as error:
        return tuple(sorted({member for name in error.args[1] for member in groups[name]}))
    return None


def _sorted_groups(needs: Mapping[str, set[str]], groups: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    sorter = _sorter(needs, groups)
    sorter.prepare()
    # Level by level and by name: the same schema always gives the same order.
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        yield from (groups[name] for name in ready)
        sorter.done(*ready)


# --- the whole structure ----------------------------------------------------------------------------------------------


async def fingerprint(connection: AsyncConnection[Any], schema: str) -> dict[str, str]:
    """The structure of a schema: ``object → definition``, with the schema's own name taken out of both.

    Tables, columns in their order, constraints, indexes, views, functions, sequences, types, triggers, policies, rules and
    comments. Two schemas are built alike where their fingerprints are equal; :func:`difference` says where they are not.
    """
    async with connection.transaction(force_rollback=True):
        cursor = connection.cursor(row_factory=tuple_row)
        quoted = await (await cursor.execute(query("catalog.look_from"), {"schema": schema})).fetchone()
        rows = await (await cursor.execute(query("catalog.fingerprint"), {"schema": schema})).fetchall()
    own = qualifier((quoted or (schema,))[0])
    return {own.sub(f"{PLACE}.", name): own.sub(f"{PLACE}.", definition) for name, definition in rows}


def qualifier(quoted: str) -> re.Pattern[str]:
    """What names a schema before one of its objects. Not after a word or a dot: ``a.`` must not be found in ``data.`` or in ``x.a.``."""
    return re.compile(r'(?<![\w".$])' + re.escape(quoted) + r"\.")


def digest(structure: Mapping[str, str]) -> str:
    """SHA-256 of a fingerprint, in hex."""
    return hashlib.sha256(json.dumps(structure, sort_keys=True).encode()).hexdigest()


def difference(left: Mapping[str, str], right: Mapping[str, str]) -> list[str]:
    """What differs between two fingerprints, one line for each object; empty where nothing does."""
    lines = [f"only in the first: {name}" for name in sorted(left.keys() - right.keys())]
    lines += [f"only in the second: {name}" for name in sorted(right.keys() - left.keys())]
    return lines + [
        f"differs: {name}: {left[name]!r} and {right[name]!r}" for name in sorted(left.keys() & right.keys()) if left[name] != right[name]
    ]
