"""What a tenant's tables held when they were recorded, and which rows went, changed or came since."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from ._sync import key_digest
from ._target import column
from .sql import compose, identifier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from .._shapes import Column, Table
    from .database import Transaction

# Rows of one bucket: few enough that one changed row costs little to find, many enough that the sums stay small beside them.
_ROWS_OF_BUCKET = 512
_MOST_BUCKETS = 8192

# Types whose hash sees every difference; text under "C" is hashed by its bytes. Of all others the text is taken: numeric 1.0
# and 1.00 are equal, citext does not see case, json has no hash. Hashes of these types do not change between releases of
# PostgreSQL, since partitions by hash rest on them.
_EXACT = frozenset({"bool", "int2", "int4", "int8", "float4", "float8", "uuid", "date", "timestamp", "timestamptz", "bytea"})


@dataclass(frozen=True)
class Record:
    """That a table was recorded: ``columns`` (name and type) of its rows, the ``key`` that they are known by, how they are spread."""

    columns: tuple[str, ...]
    key: tuple[str, ...]
    buckets: int
    rows: int

    def fits(self, table: Table) -> bool:
        """Whether the table still has these columns: others it may have besides."""
        return set(self.columns) <= set(map(_described, table.columns))


@dataclass(frozen=True)
class Changes:
    """Digests of the keys of rows that went, and of those that changed or came with their content; ``names`` are keys as text."""

    missing: tuple[int, ...] = ()
    edited: Mapping[int, int] = field(default_factory=dict)
    added: Mapping[int, int] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)


async def recorded(transaction: Transaction, uid: UUID) -> dict[str, Record]:
    """What is recorded of a tenant, by table."""
    rows = await transaction.all("checksums.recorded", uid=uid)
    return {row["target"]: Record(tuple(row["columns"]), tuple(row["key"]), row["buckets"], row["rows"]) for row in rows}


async def count_up_to(transaction: Transaction, table: Table, limit: int) -> int:
    """How many rows a table has, or one more than ``limit`` where it has more."""
    parts = {"table": identifier(table.schema, table.name), "limit": sql.Literal(limit + 1)}
    return int((await transaction.one(compose("checksums.count_up_to", **parts)) or {})["rows"])


async def record(transaction: Transaction, uid: UUID, table: Table, rows: int, run_id: UUID, *, key: Sequence[str] = ()) -> None:
    """Write down what a table holds now, in place of what was written before.

    ``rows`` need be no more than about right. ``key`` is the one by which rows should be known, where the table has it.
    """
    columns = [item for item in table.columns if not item.generated]
    key = tuple(key) if key and _is_key(table, key) else _key_of(table) or tuple(item.name for item in columns)
    buckets = min(_MOST_BUCKETS, 1 << max(0, (rows // _ROWS_OF_BUCKET).bit_length()))
    kept = Record(tuple(map(_described, columns)), key, buckets, rows)
    await transaction.run("checksums.plain_text")
    await forget(transaction, uid, table.name)
    values: dict[str, Any] = {"columns": list(kept.columns), "key": list(key), "buckets": buckets, "rows": rows, "run_id": run_id}
    await transaction.run("checksums.enter", uid=uid, target=table.name, **values)
    await transaction.run(compose("checksums.record", **_parts(uid, table, kept)))


async def forget(transaction: Transaction, uid: UUID, target: str) -> None:
    """Take out what was recorded of a table."""
    await transaction.run("checksums.forget", uid=uid, target=target)


async def changes(transaction: Transaction, uid: UUID, table: Table, kept: Record) -> Changes:
    """Which rows of a table are not as they were recorded."""
    await transaction.run("checksums.plain_text")
    parts = _parts(uid, table, kept)
    buckets = [row["bucket"] for row in await transaction.all(compose("checksums.differing_buckets", **parts))]
    if not buckets:
        return Changes()
    key = sql.SQL(", ").join(column(name, "r") for name in kept.key)
    name = sql.SQL("pg_catalog.concat_ws(', ', {})").format(key)
    found = await transaction.all(compose("checksums.changes", buckets=_integers(buckets, "integer"), name=name, **parts))
    kinds = {kind: {row["key"]: row["content"] for row in found if row["change"] == kind} for kind in ("missing", "edited", "added")}
    names = {row["key"]: row["name"] for row in found if row["name"] is not None}
    return Changes(tuple(kinds["missing"]), kinds["edited"], kinds["added"], names)


async def owners(transaction: Transaction, uid: UUID, target: str, rows: Mapping[int, int]) -> dict[str, int]:
    """Of which other tenants rows (digest of key and of content) were recorded, and how many of each."""
    values = {"keys": list(rows), "contents": list(rows.values())}
    return {row["tenant_id"]: row["rows"] for row in await transaction.all("checksums.owners", uid=uid, target=target, **values)}


async def settle(transaction: Transaction, uid: UUID, table: Table, kept: Record, keys: Sequence[int]) -> None:
    """Let the record take these rows as they are now."""
    await transaction.run("checksums.plain_text")
    buckets = sorted({key & (kept.buckets - 1) for key in keys})
    lists = {"keys": _integers(keys, "bigint"), "buckets": _integers(buckets, "integer")}
    await transaction.run(compose("checksums.settle", **lists, **_parts(uid, table, kept)))


async def put_back(transaction: Transaction, table: Table, scratch: Table, kept: Record, found: Changes, columns: Sequence[str]) -> tuple[int, int]:
    """Insert the missing rows and write the edited ones anew, from a table that holds the rows as they should be; how many of each.

    Only ``columns`` are taken; the others of a new row get their defaults. Nothing is written where other rows do not allow it.
    """
    await transaction.run("checksums.plain_text")
    others = [name for name in columns if name not in kept.key]
    digest = _digest([item for item in scratch.columns if item.name in kept.key])
    parts: dict[str, sql.Composable] = {
        "table": identifier(table.schema, table.name),
        "scratch": identifier(scratch.schema, scratch.name),
        "digest": digest,
        "same": sql.SQL(" AND ").join(sql.SQL("t.{0} = r.{0}").format(identifier(name)) for name in kept.key),
    }
    listed = sql.SQL(", ").join(map(identifier, columns))
    inserted = await _allowed(transaction, compose("checksums.insert_missing", columns=listed, keys=_integers(found.missing, "bigint"), **parts))
    if not others or not found.edited:
        return inserted, 0
    changed = sql.SQL(", ").join(sql.SQL("{0} = r.{0}").format(identifier(name)) for name in others)
    differs = sql.SQL(" OR ").join(sql.SQL("t.{0}::text IS DISTINCT FROM r.{0}::text").format(identifier(name)) for name in others)
    edited = _integers(list(found.edited), "bigint")
    return inserted, await _allowed(transaction, compose("checksums.write_edited", changed=changed, differs=differs, keys=edited, **parts))


async def _allowed(transaction: Transaction, statement: sql.Composed) -> int:
    """How many rows a statement writes; none where a constraint does not allow it, or somebody else's table that it asks."""
    try:
        async with transaction.connection.transaction():
            return await transaction.run(statement)
    except (psycopg.IntegrityError, psycopg.errors.InsufficientPrivilege):
        return 0


async def lost_keys(transaction: Transaction, uid: UUID, dataset: str, table: Table, key: Sequence[str]) -> int:
    """How many rows are gone that a dataset with ``sync`` has put into a table."""
    parts: dict[str, sql.Composable] = {"uid": sql.Literal(uid), "dataset": sql.Literal(dataset), "target": sql.Literal(table.name)}
    parts |= {"table": identifier(table.schema, table.name), "digest": key_digest(key)}
    return int((await transaction.one(compose("checksums.lost_keys", **parts)) or {})["rows"])


def _key_of(table: Table) -> tuple[str, ...]:
    """Columns that tell rows apart and are never null."""
    return table.primary_key or next((index.columns for index in table.indexes if index.unique and _is_key(table, index.columns)), ())


def _is_key(table: Table, columns: Sequence[str]) -> bool:
    nullable = {item.name for item in table.columns if item.nullable}
    return table.keeps_apart(columns) and not nullable & set(columns)


def _parts(uid: UUID, table: Table, kept: Record) -> dict[str, sql.Composable]:
    by_description = {_described(item): item for item in table.columns}
    columns = [by_description[item] for item in kept.columns]
    key = [item for item in columns if item.name in kept.key]
    return {
        "uid": sql.Literal(uid),
        "target": sql.Literal(table.name),
        "mask": sql.Literal(kept.buckets - 1),
        "table": identifier(table.schema, table.name),
        "key": _digest(key),
        "content": _digest(columns),
    }


def _digest(columns: Sequence[Column]) -> sql.Composed:
    """64 bits of row ``r``. Where two values can be equal and yet be stored differently, their texts are taken."""
    return sql.SQL("pg_catalog.hash_record_extended(ROW({}), 0)").format(sql.SQL(", ").join(map(_value, columns)))


def _value(item: Column) -> sql.Composable:
    name = column(item.name, "r")
    return name if item.type.name in _EXACT and not item.type.domain else sql.SQL('({}::text COLLATE "C")').format(name)


def _described(item: Column) -> str:
    return f"{item.name} {item.type.declared}"


def _integers(values: Sequence[int], kind: str) -> sql.Composed:
    return sql.SQL("{}::{}[]").format(sql.Literal(list(values)), sql.SQL(kind))
