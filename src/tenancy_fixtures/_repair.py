"""Repair of a tenant: what the pack makes is put back, rows that went or changed come from their source again, sequences go on.

Nothing that a user has written is deleted, unless orphans are to be treated as their constraint says. What cannot be repaired is left as
it is, and told.
"""

from __future__ import annotations

import uuid
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from ._data_loader import DataLoader
from ._fixture import BaseFixture, FixtureContext
from ._ingest import SourceLimits, Spool
from ._integrity.checksums import record_tables
from ._integrity.look import Look, look_at_tenant
from ._integrity.made import plain
from ._integrity.rights import give_rights, missing_rights
from ._integrity.rows import moved
from ._integrity.shared import open_tables
from ._pg import checksums
from ._pg.catalog import fingerprint, read_tables, table_order
from ._pg.integrity import count_where, move_sequence, next_number, orphaned, own_tables, sequences
from ._pg.orphans import treat_orphans
from ._pg.script import try_script
from ._pg.sql import compose, identifier
from ._repair_ddl import STRUCTURE, changes_of
from ._shapes import Step
from .audit import AuditAction
from .constants import NAMESPACE_PREFIX
from .exceptions import DataRejected, SourceError
from .validators import look_over

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence

    from ._integrity.made import Made
    from ._pg.checksums import Changes
    from ._repair_ddl import Change
    from ._shapes import Finding, Table
    from .packs import Pack


_LISTED = 100  # objects that an audit entry names


class RecordFixture(BaseFixture):
    """What a tenant's tables hold is recorded: rows that go, change or come later are found by it."""

    name: ClassVar[str] = "record"
    role: ClassVar[str] = "loader"

    async def plan(self, context: FixtureContext) -> Sequence[Step]:
        """Say which tables would be recorded; the dry run's transaction takes it back."""
        return await record_tables(context.transaction, context.existing, context.run_id, context.pack)

    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        """Record every table."""
        steps = await self.plan(context)
        context.note(AuditAction.TENANT_RECORDED, tables=len(steps))
        return steps

    async def rollback(self, context: FixtureContext) -> Sequence[Step]:
        """Forget what was recorded."""
        kept = await checksums.recorded(context.transaction, context.existing.uid)
        for name in kept:
            await checksums.forget(context.transaction, context.existing.uid, name)
        return [Step(self.name, "forget", name) for name in kept]


class RepairFixture(BaseFixture):
    """A tenant without what a validation finds and can be repaired safely.

    ``made`` is what the pack makes for the tenant. ``rows`` says whether rows that are missing or edited come from their source again,
    ``orphans`` whether rows that refer to nothing are treated as the ON DELETE of their constraint says.
    """

    name: ClassVar[str] = "repair"
    role: ClassVar[str] = "migrator"

    def __init__(self, made: Made | None, *, rows: bool = True, orphans: bool = False) -> None:
        self.made = made
        self.rows = rows
        self.orphans = orphans

    @property
    def arguments(self) -> dict[str, Any]:
        """What was asked for: an idempotency key stands for these."""
        return {"rows": self.rows, "orphans": self.orphans}

    async def plan(self, context: FixtureContext) -> Sequence[Step]:
        """What can be repaired is known best by repairing it: the dry run's transaction takes it back."""
        return await self._repair(context)

    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        """Repair, and say what was done and what is left."""
        steps = await self._repair(context)
        done = [f"{step.action} {step.object}" for step in steps if step.action != "leave"]
        context.note(AuditAction.TENANT_REPAIRED, objects=len(done), repaired=done[:_LISTED], left=len(steps) - len(done))
        return steps

    async def rollback(self, context: FixtureContext) -> Sequence[Step]:  # noqa: ARG002 - what was wrong is not made again
        """Do nothing: a repair is not undone."""
        return []

    async def _repair(self, context: FixtureContext) -> list[Step]:
        steps = await self._grant(context)
        look = await self._look(context)
        steps += await self._change(context, look, first=True)
        # Where policies show neighbours' rows, one with the same key would be taken for this tenant's.
        alone = not await open_tables(context.transaction, context.existing)
        if self.rows and alone:
            steps += await self._put_back_rows(context, look)
        if self.orphans and alone:
            steps += await self._treat_orphans(context, look)
        steps += await self._change(context, look, first=False)
        steps += await self._move_sequences(context)
        moved = {step.object for step in steps if step.action == "move"}
        after = await self._look(context)
        left = [item for item in after.findings if item.severity != "info" and not (item.rule == "sequence" and item.object in moved)]
        shared = context.existing.isolation == "row"
        return steps + [Step(self.name, "leave", item.object, {"rule": item.rule, "why": _why(item, shared=shared)}) for item in left]

    async def _look(self, context: FixtureContext) -> Look:
        # Rolled back with the ways of reading that it sets for itself.
        async with context.transaction.connection.transaction(force_rollback=True), context.transaction.acting_as("loader"):
            look = await look_at_tenant(context.transaction, context.existing, context.pack, self.made)
            await look_over(look)
        return look

    async def _grant(self, context: FixtureContext) -> list[Step]:
        """The rights that loader and application have on what the migrator owns: somebody may have taken them."""
        missing = [item for item in await missing_rights(context.transaction, context.existing, self.made) if item.owned]
        for item in missing:
            await give_rights(context.transaction, context.existing, item)
        return [Step(self.name, "grant", item.object) for item in missing]

    async def _change(self, context: FixtureContext, look: Look, *, first: bool) -> list[Step]:
        """Make the schema what the pack makes, each object by itself: one that data or rights do not allow leaves the others.

        Tables that tenants share are left as they are: a repair of one tenant is nothing that the others have asked for.
        """
        if context.existing.isolation == "row":
            return []
        return [
            Step(self.name, change.action, change.object, {"kind": change.kind})
            for change in changes_of(look)
            if change.first == first and await self._run(context, change)
        ]

    async def _run(self, context: FixtureContext, change: Change) -> bool:
        facts: dict[str, Any] = {
            "namespace": context.existing.namespace,
            "shared": context.pack.manifest.shared_schemas,
            "owner": context.existing.owner,
        }
        return await try_script(context.transaction, change.statements, lambda: _is_reached(context, change), file="repair", **facts)

    async def _move_sequences(self, context: FixtureContext) -> list[Step]:
        namespace, steps = context.existing.namespace, []
        tables = await _own_tables(context)
        for item in await sequences(context.transaction, namespace):
            if not item.owned or item.table not in tables:
                continue
            number = await next_number(context.transaction, namespace, item)
            if number.behind and number.has_room:
                # What a sequence has counted to is the one thing that no rollback takes back.
                if not context.dry_run:
                    await move_sequence(context.transaction, namespace, item)
                steps.append(Step(self.name, "move", item.object, {"kind": "sequence"}))
        return steps

    async def _treat_orphans(self, context: FixtureContext, look: Look) -> list[Step]:
        steps = []
        tables = await _own_tables(context)
        keys = {
            (key.table, ",".join(key.columns)): key
            for table in (*tables.values(), *(look.made.tables.values() if look.made else ()))
            for key in table.foreign_keys
        }
        for (name, columns), key in keys.items():
            own = moved(key, context.existing.namespace)
            target = tables.get(own.target_table) if own.target_schema == own.schema else None
            # Rows that are hidden from who looks are there all the same, and so are those of others' tables.
            if name not in tables or target is None or target.hides_rows:
                continue
            if await count_where(context.transaction, tables[name], orphaned(own)):
                done = await treat_orphans(context.transaction, own)
                if done is not None and done[1]:
                    steps.append(Step(self.name, done[0], f"{name}.{columns}", {"rows": done[1]}))
        return steps

    # --- rows -----------------------------------------------------------------------------------------------------------

    async def _put_back_rows(self, context: FixtureContext, look: Look) -> list[Step]:
        """Only the rows that are missing or edited, and of those the columns that a dataset writes."""
        uid, steps = context.existing.uid, []
        kept = await checksums.recorded(context.transaction, uid)
        tables = await _own_tables(context)
        names = {item.object for item in look.findings if item.rule in ("missing", "edited")} & kept.keys() & tables.keys()
        found = {name: await checksums.changes(context.transaction, uid, tables[name], kept[name]) for name in names}
        loader = _Again(context.pack, names, tables)
        if not names or not await loader.find(context):
            return []
        async with _scratch(context, loader) as scratch:
            # Those that are referred to come before those that refer to them.
            for name in table_order(tables).names:
                if name in found and name in scratch:
                    columns = [column for column in loader.columns(name) if scratch[name].column(column) is not None]
                    steps += await self._put_back(context, tables[name], scratch[name], found[name], columns)
        return steps

    async def _put_back(self, context: FixtureContext, table: Table, scratch: Table, found: Changes, columns: Sequence[str]) -> list[Step]:
        uid = context.existing.uid
        kept = (await checksums.recorded(context.transaction, uid))[table.name]
        if not set(kept.key) <= set(columns):
            return []
        inserted, written = await checksums.put_back(context.transaction, table, scratch, kept, found, columns)
        await checksums.settle(context.transaction, uid, table, kept, found.missing)
        rows = {"insert": inserted, "update": written}
        return [Step(self.name, "put back rows", table.name, rows)] if inserted or written else []


def _why(finding: Finding, *, shared: bool) -> str:
    if shared and finding.rule in STRUCTURE:
        return f"{finding.message}; tenants share it, and a repair of one changes nothing that is the others' too"
    return finding.message


async def _own_tables(context: FixtureContext) -> dict[str, Table]:
    """The tenant's tables that belong to the role at work: those of others are left to them."""
    own = await own_tables(context.transaction, context.existing.namespace)
    tables = await read_tables(context.transaction.connection, context.existing.namespace)
    return {name: table for name, table in tables.items() if name in own and own[name]["owned"]}


async def _is_reached(context: FixtureContext, change: Change) -> bool:
    """Whether an object is what it was made again for: over a column of another type, PostgreSQL makes the same of it each time."""
    if change.aim is None:
        return True
    place, definition = change.aim
    return plain(await fingerprint(context.transaction.connection, context.existing.namespace)).get(place) == definition


class _Again(DataLoader):
    """The datasets that write to some tables, and to ``own`` ones alone, and whose sources are still what was loaded from them."""

    def __init__(self, pack: Pack, tables: Collection[str], own: Collection[str]) -> None:
        written = {item.name: {target.table for target in item.targets} for item in pack.manifest.datasets}
        super().__init__([name for name, targets in written.items() if targets & set(tables) and targets <= set(own)])
        self._pack = pack

    async def find(self, context: FixtureContext) -> bool:
        """Leave out what the ledger does not know, or knows with other content; False where nothing is left."""
        tables = await read_tables(context.transaction.connection, context.existing.namespace)
        same = []
        with Spool(SourceLimits.of(context.settings)) as spool:
            wanted = await self._wanted(context, tables, spool)
            for load in [load for group in self._groups(context, tables, wanted) for load in group]:
                try:
                    same += [] if await load.begin() else [load.dataset.name]
                except SourceError:  # noqa: PERF203 - a file a turn
                    continue
        self.datasets = tuple(same)
        return bool(same)

    def columns(self, table: str) -> list[str]:
        """The columns of a table that the datasets write."""
        targets = [target for item in self._chosen(self._pack) for target in item.targets if target.table == table]
        return list(dict.fromkeys(name for target in targets for name in target.columns))

    @property
    def targets(self) -> set[str]:
        """The tables that the datasets write to."""
        return {target.table for item in self._chosen(self._pack) for target in item.targets}

    async def load(self, context: FixtureContext) -> None:
        """Load them, and nothing beside it."""
        await self._load(context)


@asynccontextmanager
async def _scratch(context: FixtureContext, loader: _Again) -> AsyncIterator[dict[str, Table]]:
    """Tables like the tenant's with the rows that its datasets' sources hold; taken away again, with every trace of the load.

    The load is one of a tenant that nobody knows: the ledger does not skip it, and no key book is touched.
    """
    transaction, nobody = context.transaction, uuid.uuid4()
    namespace = f"{NAMESPACE_PREFIX}try_{nobody.hex}"
    await transaction.run(compose("registry.create_namespace", schema=identifier(namespace)))
    for name in sorted(loader.targets):
        parts = {"scratch": identifier(namespace, name), "table": identifier(context.existing.namespace, name)}
        await transaction.run(compose("checksums.like", **parts))
    # What the rules have refused once need not be refused again: only rows that were there are taken.
    settings = context.settings.with_changes(data_validation=False)
    other = replace(context, tenant=replace(context.existing, uid=nobody, namespace=namespace), settings=settings, datasets=[], notes=[])
    try:
        async with transaction.connection.transaction():
            await loader.load(other)
        yield await read_tables(transaction.connection, namespace)
    except (DataRejected, SourceError):
        yield {}
    await transaction.run("registry.remove_ledger", uid=nobody)
    await transaction.run(compose("registry.drop_namespace", schema=identifier(namespace)))
