"""A pack out of a schema that is there: script, reference data, manifest; tried in a schema that is taken back, and compared, before it is kept."""

from __future__ import annotations

import asyncio
import json
import shutil
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._data_loader import DataLoader
from .._fixture import NO_RUN, FixtureContext, within_limit
from .._integrity.look import read_structure
from .._pack_folder import refuse_taken, whole_folder
from .._pg.catalog import difference, read_tables, table_order
from .._shapes import Shape
from ..exceptions import CannotCopy, DataRejected
from ..packs import CONFIG, MANIFEST, MIGRATIONS, SCHEMA, TENANT, Pack
from ..schema_fixtures import SchemaFixture
from ..tenant_fixtures import TenantFixture
from ._guess import LeftOut, ReferenceTable
from ._source import Source, Wishes, dataset_of, read_rows, read_source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .._pg.database import Session, Transaction
    from ..runtime import Runtime

__all__ = ["LeftOut", "PackWritten", "ReferenceTable", "Wishes", "pack_from_database"]

_LISTED = 5  # objects that an error tells


@dataclass(frozen=True)
class PackWritten(Shape):
    """A pack that was written from a schema: of how many objects, what it needs, whose rows it has, and whose it has not."""

    pack: str
    folder: str
    schema: str
    objects: int
    extensions: tuple[str, ...]
    shared_schemas: tuple[str, ...]
    data: tuple[ReferenceTable, ...]
    left_out: tuple[LeftOut, ...]


async def pack_from_database(runtime: Runtime, schema: str, folder: Path, *, name: str, wishes: Wishes) -> PackWritten:
    """Write a pack whose script makes what ``schema`` is, and whose datasets load the rows of its reference tables. The schema is only read.

    What the script makes, and what the datasets load, is compared with the schema in a transaction that is taken back.

    :raises CannotCopy: it would not be the same; names the objects, and nothing is written.
    :raises OutputExists: the folder holds something.
    :raises ValidationTimeout: the trial took longer than the settings allow.
    """
    await asyncio.to_thread(refuse_taken, folder)
    async with runtime.slots, runtime.database.session() as session:
        source = await read_source(session, schema, wishes)
        with whole_folder(folder) as fresh:
            while True:
                await asyncio.to_thread(_write, fresh, name, schema, source, wishes)
                pack = await asyncio.to_thread(Pack.from_folder, fresh)
                unfit = await within_limit(_trial(runtime, session, pack, source), runtime.settings.validation_timeout, f"the trial of pack {name!r}")
                if not unfit:
                    break
                source.leave_out(unfit, wishes)
    chosen = tuple(item for _, item in sorted(source.chosen.items()))
    return PackWritten(name, str(folder), schema, len(source.structure), source.extensions, wishes.shared_schemas, chosen, source.told())


def _write(folder: Path, name: str, schema: str, source: Source, wishes: Wishes) -> None:
    """The pack's files, in place of those of an earlier try."""
    if folder.exists():
        shutil.rmtree(folder)
    for part in (folder / MIGRATIONS, folder / "data"):
        part.mkdir(parents=True)
    order = [table for table in table_order(source.tables).names if table in source.chosen]
    manifest = {
        "name": name,
        "version": "0.1.0",
        "description": f"Written from schema {schema} by `tenancy pack from-database`.",
        "extensions": list(source.extensions),
        "shared_schemas": list(wishes.shared_schemas),
        "datasets": [dataset_of(source.tables[table], source.chosen[table]) for table in order],
    }
    script = f"-- Written from schema {' '.join(schema.split())} by `tenancy pack from-database`.\n\n{source.definitions.script}"
    texts = {
        MANIFEST: _json(manifest),
        TENANT: _json({"default_tier": "standard", "tiers": {"standard": {}}}),
        CONFIG: _json({"defaults": {}}),
        SCHEMA: script,
        f"{MIGRATIONS}/0001_initial.sql": script,
    }
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    for table in order:
        (folder / "data" / f"{source.chosen[table].dataset}.ndjson").write_bytes(source.rows[table])


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


async def _trial(runtime: Runtime, session: Session, pack: Pack, source: Source) -> dict[str, str]:
    """Make a tenant of the pack, compare, and take it back; gives the tables whose rows did not come out the same, and why.

    :raises CannotCopy: the structure is not the same.
    """
    tenant_id = f"try-{uuid.uuid4().hex}"
    async with session.transaction(tenant=tenant_id, role="migrator", keep=False) as transaction:
        context = FixtureContext(tenant_id, transaction, pack, runtime.settings, NO_RUN, runtime.monitor.tracker(None))
        for fixture in (TenantFixture(tenant_id, isolation="schema"), SchemaFixture()):
            await fixture.apply(context)
        _refuse_other(source, await read_structure(transaction, context.existing.namespace))
        if not source.chosen:
            return {}
        async with transaction.acting_as(DataLoader.role):
            try:
                await DataLoader().apply(context)
            except DataRejected as error:
                return {_table_of(error, source): f"its rows are refused: {error.message}"}
        return await _other_rows(transaction, context.existing.namespace, source)


def _refuse_other(source: Source, made: Mapping[str, str]) -> None:
    lines = difference(source.structure, made)
    if lines:
        objects = sorted({name for name in source.structure.keys() | made.keys() if source.structure.get(name) != made.get(name)})
        more = f" … and {len(objects) - _LISTED} more" if len(objects) > _LISTED else ""
        hint = "A function that names its own schema in its text, or in SET search_path, is not the same elsewhere: take the name out."
        message = f"what a script can say of the schema does not make the same again: {', '.join(objects[:_LISTED])}{more}"
        raise CannotCopy(message, hint=hint, objects=objects, differences=lines)


def _table_of(error: DataRejected, source: Source) -> str:
    name = error.facts.get("dataset")
    for item in source.chosen.values():
        if item.dataset == name:
            return item.table
    raise error


async def _other_rows(transaction: Transaction, namespace: str, source: Source) -> dict[str, str]:
    tables = await read_tables(transaction.connection, namespace)
    return {
        name: "its rows are not the same when they are loaded again"
        for name, item in source.chosen.items()
        if await read_rows(transaction, tables[name], item) != source.rows[name]
    }
