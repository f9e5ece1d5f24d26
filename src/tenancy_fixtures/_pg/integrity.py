"""Questions to a tenant's tables: what is in force, which rows break what should hold, where sequences stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from ._target import trusted
from .sql import compose, identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._shapes import Column, ForeignKey, Table
    from .database import Transaction

# Keys that a finding lists where they are asked for.
LISTED_KEYS = 20


# The latest moment that can have been, by type. Clocks differ by minutes; where no zone is said, by a day.
MOMENTS = {
    "timestamptz": sql.SQL("pg_catalog.now() + interval '5 minutes'"),
    "timestamp": sql.SQL("pg_catalog.now() AT TIME ZONE 'UTC' + interval '1 day'"),
    "date": sql.SQL("(pg_catalog.now() AT TIME ZONE 'UTC')::date + 1"),
}


@dataclass(frozen=True)
class TableIndex:
    """An index as PostgreSQL prints it: ``keys`` may be expressions, ``predicate`` says which rows it is for, ``ordered`` that it can be read in order."""

    table: str
    name: str
    unique: bool
    nulls_not_distinct: bool
    ordered: bool
    keys: tuple[str, ...]
    orders: tuple[str, ...]
    predicate: str | None

    @property
    def condition(self) -> sql.Composable:
        """The rows that it is for."""
        return trusted(f"({self.predicate})") if self.predicate else sql.SQL("true")

    @property
    def distinct(self) -> sql.Composable:
        """The rows that it keeps apart: those with a null in the key are never the same, unless the index says so."""
        if self.nulls_not_distinct:
            return self.condition
        present = [trusted(f"({key}) IS NOT NULL") for key in self.keys]
        return sql.SQL(" AND ").join([self.condition, *present])


@dataclass(frozen=True)
class NumberSource:
    """A sequence, and the column that takes its numbers; ``owned`` by the role at work. It ends at ``low`` and ``high``, unless it begins again."""

    table: str
    column: str
    schema: str
    sequence: str
    step: int
    low: int | None
    high: int | None
    owned: bool

    @property
    def object(self) -> str:
        """What a finding calls it."""
        return f"{self.table}.{self.column}"


def name_of(table: Table) -> sql.Identifier:
    """The table, qualified."""
    return identifier(table.schema, table.name)


async def read_heap_only(transaction: Transaction) -> None:
    """From here on tables are read as they are stored, and not by way of their indexes."""
    await transaction.run("integrity.by_heap")


async def may_use(transaction: Transaction, namespace: str) -> bool:
    """Whether the role at work may use what is in a schema; True where there is none."""
    return all(row["usable"] for row in await transaction.all("integrity.may_use", namespace=namespace))


async def own_tables(transaction: Transaction, namespace: str) -> dict[str, dict[str, Any]]:
    """Tables by name: ``part`` of another one, ``readable`` for the role at work, ``owned`` by it."""
    return {row["name"]: row for row in await transaction.all("integrity.tables", namespace=namespace)}


async def not_in_force(transaction: Transaction, namespace: str) -> list[dict[str, Any]]:
    """Constraints, indexes, triggers and rules of a schema that are there and do not work: ``kind``, ``object``, ``fault``."""
    return await transaction.all("integrity.not_in_force", namespace=namespace)


async def table_checks(transaction: Transaction, namespace: str) -> list[dict[str, Any]]:
    """CHECK constraints: ``table``, ``name``, ``expression``."""
    return await transaction.all("integrity.table_checks", namespace=namespace)


async def read_indexes(transaction: Transaction, namespace: str) -> list[TableIndex]:
    """The indexes of a schema's tables, parts of tables left out."""
    rows = await transaction.all("integrity.indexes", namespace=namespace)
    return [TableIndex(**{**row, "keys": tuple(row["keys"]), "orders": tuple(row["orders"])}) for row in rows]


async def scan(transaction: Transaction, table: Table, conditions: Sequence[sql.Composable]) -> tuple[int, list[int]]:
    """Read a table once: how many rows it has, and for how many each condition is true.

    :raises psycopg.Error: a condition cannot be worked out for a row.
    """
    counts = [sql.SQL(", count(*) FILTER (WHERE {}) AS {}").format(item, identifier(f"c{number}")) for number, item in enumerate(conditions)]
    row = await transaction.one(compose("integrity.scan", counts=sql.SQL("").join(counts), table=name_of(table))) or {}
    return int(row["rows"]), [int(row[f"c{number}"]) for number, _ in enumerate(conditions)]


async def try_scan(transaction: Transaction, table: Table, conditions: Sequence[sql.Composable]) -> tuple[int, list[int]] | None:
    """The same; ``None`` where a condition cannot be worked out: it calls a function that fails, or that this role may not call."""
    try:
        async with transaction.connection.transaction():
            return await scan(transaction, table, conditions)
    except (psycopg.DataError, psycopg.ProgrammingError, psycopg.errors.RaiseException):
        return None


async def count_orphans(transaction: Transaction, table: Table, key: ForeignKey) -> int | None:
    """How many rows refer to nothing; ``None`` where the other table is closed to this role.

    A condition of the whole query, and not of a count in it: only so both tables are read once.
    """
    try:
        async with transaction.connection.transaction():
            return await count_where(transaction, table, orphaned(key))
    except psycopg.errors.InsufficientPrivilege:
        return None


async def count_where(transaction: Transaction, table: Table, condition: sql.Composable) -> int:
    """For how many rows a condition is true."""
    row = await transaction.one(compose("integrity.count_rows_where", table=name_of(table), condition=condition))
    return int((row or {})["rows"])


async def keys_where(transaction: Transaction, table: Table, condition: sql.Composable) -> tuple[str, ...]:
    """The primary keys of the first rows for which a condition is true, as text; none where the table has no key."""
    if not table.primary_key:
        return ()
    key = sql.SQL(", ").join(identifier(table.name, name) for name in table.primary_key)
    parts = {"table": name_of(table), "condition": condition, "key": key, "limit": sql.Literal(LISTED_KEYS)}
    return tuple(row["name"] for row in await transaction.all(compose("integrity.keys_where", **parts)))


def breaking(expression: str) -> sql.Composable:
    """The condition that a row breaks a CHECK."""
    return trusted(f"NOT ({expression})")


def in_future(table: Table, column: Column) -> sql.Composable:
    """The condition that a moment has not been yet."""
    return sql.SQL("{} > {}").format(identifier(table.name, column.name), MOMENTS[column.type.name])


def too_early(table: Table, column: Column) -> sql.Composable:
    """The condition that a moment lies before anything that is written down by machines."""
    return sql.SQL("{} < '1900-01-01'").format(identifier(table.name, column.name))


def precedes(table: Table, one: str, other: str) -> sql.Composable:
    """The condition that one moment lies before another."""
    return sql.SQL("{} < {}").format(identifier(table.name, one), identifier(table.name, other))


def orphaned(key: ForeignKey) -> sql.Composable:
    """The condition that a row refers to nothing."""
    present = [sql.SQL("{} IS NOT NULL").format(identifier(key.table, own)) for own in key.columns]
    joined = [sql.SQL("parent.{} = {}").format(identifier(other), identifier(key.table, own)) for own, other in zip(key.columns, key.target_columns)]
    both = {"present": sql.SQL(" AND ").join(present), "joined": sql.SQL(" AND ").join(joined)}
    return compose("integrity.orphaned", target=identifier(key.target_schema, key.target_table), **both)


async def count_duplicates(transaction: Transaction, table: Table, index: TableIndex) -> int:
    """How many rows have a key that another row has."""
    row = await transaction.one(compose("integrity.duplicates", **_of_index(table, index)))
    return int((row or {})["rows"])


async def duplicate_keys(transaction: Transaction, table: Table, index: TableIndex) -> tuple[str, ...]:
    """The first keys that several rows have, as text."""
    rows = await transaction.all(compose("integrity.duplicate_keys", limit=sql.Literal(LISTED_KEYS), **_of_index(table, index)))
    return tuple(row["name"] for row in rows)


def _of_index(table: Table, index: TableIndex) -> dict[str, sql.Composable]:
    return {"table": name_of(table), "condition": index.distinct, "keys": trusted(", ".join(index.keys))}


async def index_rows(transaction: Transaction, table: Table, index: TableIndex) -> int | None:
    """How many rows an index leads to; ``None`` where the planner would not take this index."""
    order = trusted(", ".join(f"{key}{order}" for key, order in zip(index.keys, index.orders)))
    parts: dict[str, sql.Composable] = {"table": name_of(table), "condition": index.condition, "order": order}
    await transaction.run("integrity.by_index")
    try:
        plan = await transaction.one(compose("integrity.explain_index_rows", **parts))
        if _indexes_of(plan) != [index.name]:
            return None
        return int((await transaction.one(compose("integrity.index_rows", **parts)) or {})["rows"])
    finally:
        await transaction.run("integrity.by_heap_again")


def _indexes_of(plan: Any) -> list[str]:
    """The indexes that a plan reads; a sequential scan counts as one without a name."""
    if isinstance(plan, list):
        return [name for item in plan for name in _indexes_of(item)]
    if not isinstance(plan, dict):
        return []
    own = [plan.get("Index Name", "")] if "Relation Name" in plan else []
    return own + [name for value in plan.values() for name in _indexes_of(value)]


async def sequences(transaction: Transaction, namespace: str) -> list[NumberSource]:
    """The sequences that feed columns of a schema, as far as this role may read them."""
    rows = await transaction.all("integrity.sequences", namespace=namespace)
    return [NumberSource(**{name: value for name, value in row.items() if name != "readable"}) for row in rows if row["readable"]]


@dataclass(frozen=True)
class NextNumber:
    """What a sequence would give next: one that is ``behind`` those of its table, or none where it is ``used_up``; whether it ``has_room`` after them."""

    behind: bool
    used_up: bool
    has_room: bool


async def next_number(transaction: Transaction, namespace: str, item: NumberSource) -> NextNumber:
    """How a sequence stands to the numbers of its table."""
    parts = {"sequence": identifier(item.schema, item.sequence), "low": sql.Literal(item.low), "high": sql.Literal(item.high)}
    row = await transaction.one(compose("integrity.sequence_gap", **parts, **_of_sequence(namespace, item)))
    return NextNumber(**row) if row else NextNumber(behind=False, used_up=False, has_room=True)


async def move_sequence(transaction: Transaction, namespace: str, item: NumberSource) -> None:
    """Let a sequence go on after the last number of its table."""
    qualified = sql.Literal(identifier(item.schema, item.sequence).as_string(transaction.connection))
    await transaction.run(compose("integrity.move_sequence", sequence=qualified, **_of_sequence(namespace, item)))


def _of_sequence(namespace: str, item: NumberSource) -> dict[str, sql.Composable]:
    return {"table": identifier(namespace, item.table), "column": identifier(item.column), "step": sql.Literal(item.step)}


async def clock_faults(transaction: Transaction, uid: Any) -> Sequence[dict[str, Any]]:
    """Moments of the control plane that cannot be: ``object``, ``fault``."""
    return await transaction.all("integrity.clock", uid=uid)
