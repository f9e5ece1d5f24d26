"""What a pack is written from: one look at a schema, its definitions, and the rows of its reference tables."""

from __future__ import annotations

import shlex
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._integrity.differences import HISTORIES
from .._pg.catalog import fingerprint, read_tables
from .._pg.definitions import read_definitions
from .._pg.export import records, rows_up_to
from ..constants import CONTROL_SCHEMA
from ..exceptions import CannotCopy, ConfigurationError
from ._guess import (
    LeftOut,
    ReferenceTable,
    can_be_dataset,
    closed,
    dataset_names,
    drawn_columns,
    key_of,
    personal_columns,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

    from .._pg.database import Session, Transaction
    from .._pg.definitions import Definitions
    from .._shapes import Table

_PLPGSQL = "plpgsql"  # there by itself


@dataclass(frozen=True)
class Wishes:
    """What the caller says: tables whose rows are wanted, schemas that may be referred to, and up to how many rows a table is taken for reference data."""

    data: tuple[str, ...] = ()
    shared_schemas: tuple[str, ...] = ()
    rows: int = 500


@dataclass
class Source:
    """A schema as it was at one moment. Rows are lines of JSON, by table."""

    definitions: Definitions
    structure: Mapping[str, str]
    tables: Mapping[str, Table]
    extensions: tuple[str, ...]
    chosen: dict[str, ReferenceTable] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    rows: dict[str, bytes] = field(default_factory=dict)

    def leave_out(self, reasons: Mapping[str, str], wishes: Wishes) -> None:
        """Take tables out of the reference data, and those that refer to them.

        :raises CannotCopy: one of them is wanted by name.
        """
        reasons = dict(reasons)
        reasons.update(closed({name: item for name, item in self.chosen.items() if name not in reasons}, self.tables))
        refused = {name: why for name, why in reasons.items() if name in wishes.data}
        if refused:
            listed = "; ".join(f"{name}: {why}" for name, why in sorted(refused.items()))
            hint = "Leave it out of --data, or name with it what it refers to."
            raise CannotCopy(f"rows cannot go into a pack as they are: {listed}", hint=hint, objects=sorted(refused))
        for name, why in reasons.items():
            self.chosen.pop(name, None)
            self.rows.pop(name, None)
            self.left_out[name] = why

    def told(self) -> tuple[LeftOut, ...]:
        """The tables whose rows do not go into the pack, by name."""
        return tuple(LeftOut(name, why) for name, why in sorted(self.left_out.items()))


async def read_source(session: Session, schema: str, wishes: Wishes) -> Source:
    """Look at a schema in one state of the database.

    :raises ConfigurationError: there is no such schema, or a table that is named.
    :raises CannotCopy: it holds what no script can make, or stands on what the pack may not refer to.
    :raises PermissionDenied: the login may not read it, nor act as its owner.
    """
    async with session.transaction(keep=False, snapshot=True) as transaction:
        usable = await transaction.one("definitions.may_read", schema=schema)
        if usable is None or schema == CONTROL_SCHEMA:
            raise ConfigurationError(f"no schema {schema!r} of tenants or applications in this database", hint="Name one as PostgreSQL spells it.")
        async with _reader(transaction, schema, usable):
            return await _read(transaction, schema, wishes)


@asynccontextmanager
async def _reader(transaction: Transaction, schema: str, facts: Mapping[str, Any]) -> AsyncIterator[None]:
    """Act as whoever may look into the schema: the login itself, the migrator whose tenants' it is, or its owner.

    :raises PermissionDenied: none of them may, or the login may not act as the owner; says what is missing.
    """
    if facts["usable"]:
        yield
        return
    async with transaction.acting_as("migrator"):
        ours = await transaction.one("definitions.may_read", schema=schema)
        if ours is not None and ours["usable"]:
            yield
            return
    await transaction.require_owner(facts["owner"])
    async with transaction.acting_as_role(facts["owner"]):
        yield


async def _read(transaction: Transaction, schema: str, wishes: Wishes) -> Source:
    connection = transaction.connection
    await transaction.run("definitions.whole_rows")
    definitions = await read_definitions(connection, schema)
    extensions = _refuse(definitions, schema, wishes)
    source = Source(definitions, await fingerprint(connection, schema), await read_tables(connection, schema), extensions)
    unknown = [name for name in wishes.data if name not in source.tables]
    if unknown:
        raise ConfigurationError(f"no such table in schema {schema!r}: {', '.join(unknown)}", hint="Names are those of PostgreSQL's catalogue.")
    made_up = await transaction.all("definitions.surrogates", schema=schema)
    parts = {row["name"] for row in await transaction.all("definitions.partitions", schema=schema)}
    unreadable = {row["name"]: row["why"] for row in await transaction.all("definitions.unreadable", schema=schema)}
    await _choose(transaction, source, wishes, made_up, parts, unreadable)
    for name, item in source.chosen.items():
        source.rows[name] = await read_rows(transaction, source.tables[name], item)
    return source


def _refuse(definitions: Definitions, schema: str, wishes: Wishes) -> tuple[str, ...]:
    """See that the statements make all of it, and stand on nothing but what the pack may name; gives the extensions that they need."""
    if definitions.beyond or definitions.circles:
        objects = [*definitions.beyond, *definitions.circles]
        hint = "Begin with `tenancy pack new`, and write the script by hand: pg_dump --schema-only helps."
        raise CannotCopy(f"schema {schema!r} holds what no script for other schemas can say: {', '.join(objects)}", hint=hint, objects=objects)
    foreign = [item for item in definitions.grounds if item.extension is None and item.schema not in (None, *wishes.shared_schemas)]
    if foreign:
        schemas = sorted({str(item.schema) for item in foreign})
        hint = f"Where all tenants are to share it, name it: {' '.join(f'--shared-schema {shlex.quote(name)}' for name in schemas)}."
        objects = [item.object for item in foreign]
        raise CannotCopy(f"schema {schema!r} refers to other schemas: {', '.join(objects)}", hint=hint, objects=objects)
    return tuple(sorted({item.extension for item in definitions.grounds if item.extension not in (None, _PLPGSQL)}))


async def _choose(
    transaction: Transaction,
    source: Source,
    wishes: Wishes,
    made_up: Sequence[Mapping[str, str]],
    parts: Collection[str],
    unreadable: Mapping[str, str],
) -> None:
    names = dataset_names(sorted(source.tables))
    reasons: dict[str, str] = {}
    for name, table in source.tables.items():
        if name in parts and name not in wishes.data:
            continue
        drawn = {row["column"] for row in made_up if row["table"] == name}
        found = key_of(table, drawn)
        # Tools of migration would begin from the first revision without theirs.
        limit = 2**62 if name in wishes.data or name in HISTORIES else wishes.rows
        count = 0 if name in unreadable else await rows_up_to(transaction, table, limit + 1)
        why = unreadable.get(name) or _no_reference(table, count, wishes, has_key=found is not None)
        key, reason = found or ((), "")
        source.chosen[name] = ReferenceTable(name, names[name], count, key, reason, personal_columns(table), drawn_columns(table))
        if why:
            reasons[name] = why
    source.leave_out(reasons, wishes)


def _no_reference(table: Table, count: int, wishes: Wishes, *, has_key: bool) -> str:
    """Why a table's rows do not go into the pack; empty where they do."""
    if not count:
        return "it is empty"
    if not can_be_dataset(table):
        return "its name is none that a dataset can say"
    if not has_key:
        return "it has no key, or one that may be null"
    if table.name in wishes.data or table.name in HISTORIES:
        return ""
    if count > wishes.rows:
        return f"it has more than {wishes.rows:,} rows"
    personal = personal_columns(table)
    return f"it looks personal: {', '.join(personal)}" if personal else ""


def members_of(table: Table, item: ReferenceTable) -> dict[str, str]:
    """The columns that go into the pack, by the names that they have in its files: a name with a dot would be a path there."""
    columns = [column.name for column in table.columns if not column.generated and column.name not in item.drawn]
    plain = all(name.replace("_", "").isalnum() for name in columns)
    return {name if plain else f"column_{number}": name for number, name in enumerate(columns, start=1)}


async def read_rows(transaction: Transaction, table: Table, item: ReferenceTable) -> bytes:
    """The rows of a table as the pack's file has them."""
    return b"".join([line async for line in records(transaction, table, members_of(table, item), item.key)])


def dataset_of(table: Table, item: ReferenceTable) -> dict[str, Any]:
    """What ``pack.json`` says of the table."""
    text = f"Rows of {item.table}. Guessed, look at it: the key is {item.why}."
    if item.personal:
        text += f" Looks personal: {', '.join(item.personal)}."
    target = {
        "table": item.table,
        "key": list(item.key),
        "columns": {column: {"from": [name], "nulls": []} for name, column in members_of(table, item).items()},
    }
    return {"name": item.dataset, "description": text, "source": {"path": f"data/{item.dataset}.ndjson", "format": "ndjson"}, "targets": [target]}
