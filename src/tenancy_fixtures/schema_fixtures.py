"""SchemaFixture: a tenant's tables, made from the pack's script and brought forward by its revisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ._fixture import BaseFixture, FixtureContext, find_tenant
from ._integrity.checksums import keep_up
from ._integrity.shared import open_tables
from ._isolation import isolation_of, read_standing
from ._pg.catalog import read_tables
from ._pg.versions import hold_versions
from ._shapes import Finding, Step, ValidationReport
from ._tenant_roles import grant_all, lacks_rights, lacks_role, make_role, remember_rights, take_from_app
from .audit import AuditAction
from .exceptions import ConfigurationError, PackInvalid, PackMismatch, RevisionChanged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from .packs import Revision


class SchemaFixture(BaseFixture):
    """The structure that a tenant should have: all of the pack's revisions, or those up to ``to``.

    A new tenant gets ``schema_template.sql`` at once; one that exists gets the revisions that it lacks, in order. Tables that tenants
    share are made with the first of them, and move once for all.
    """

    name: ClassVar[str] = "schema"
    depends_on: ClassVar[tuple[str, ...]] = ("tenant",)

    def __init__(self, *, to: int | None = None) -> None:
        self.to = to

    async def validate(self, context: FixtureContext) -> ValidationReport:
        """See that the extensions are there, and that no revision was edited after this tenant had applied it."""
        names = context.pack.manifest.extensions
        missing = await context.transaction.all("registry.missing_extensions", names=list(names)) if names else []
        findings = [Finding("extension", "error", row["name"], "is not installed: an administrator runs CREATE EXTENSION") for row in missing]
        if context.tenant is not None:
            await self._pending(context)
        return ValidationReport(self.name, 1 + len(names), tuple(findings))

    async def plan(self, context: FixtureContext) -> Sequence[Step]:
        """Create the schema, or apply the revisions that are missing."""
        if context.tenant is None or not await self._exists(context):
            return [Step(self.name, "create", context.tenant.namespace if context.tenant else "schema", {"revision": context.pack.head})]
        pending, number = await self._to_migrate(context), await self._standing(context)
        steps = [Step(self.name, "migrate", revision.label) for revision in pending]
        steps = [self._following(context, number), *steps] if number != context.existing.revision else steps
        return [self._confinement(context), *steps] if await lacks_rights(context.transaction, context.existing) else steps

    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        """Run the pack's script, or the missing revisions."""
        if not await self._exists(context):
            return [await self._create(context)]
        confined = [await self._confine(context)] if await lacks_rights(context.transaction, context.existing) else []
        await self._hold(context)
        steps = await self._follow(context)
        steps += [await self._migrate(context, revision) for revision in await self._to_migrate(context)]
        if steps:
            await keep_up(context.transaction, context.existing, context.run_id, context.pack)
        return [*confined, *steps]

    async def verify(self, context: FixtureContext) -> ValidationReport:
        """See that every table that a dataset of the pack fills is there, and that policies hold on those that tenants share."""
        tables = await read_tables(context.transaction.connection, context.existing.namespace)
        wanted = sorted({target.table for dataset in context.pack.manifest.datasets for target in dataset.targets})
        at_head = context.existing.revision == context.pack.head
        missing = [
            Finding("table", "error", name, "is not in the schema, yet a dataset fills it") for name in wanted if at_head and name not in tables
        ]
        return ValidationReport(self.name, len(wanted), (*missing, *await open_tables(context.transaction, context.existing)))

    async def rollback(self, context: FixtureContext) -> Sequence[Step]:
        """Take away all that is the tenant's, and nothing else: its schema, or its rows in tables that it shares.

        :raises TenantInUse: objects outside the schema stand on it.
        :raises RowsLeft: rows in shared tables could not be deleted, or not be seen.
        """
        return [] if context.tenant is None else await isolation_of(context.tenant).remove(context)

    def _confinement(self, context: FixtureContext) -> Step:
        return Step(self.name, "confine", context.existing.namespace)

    async def _confine(self, context: FixtureContext) -> Step:
        """Let the tenant's own role have the rights on its schema that the application's had before; with none for each, the application's has them."""
        if context.existing.owner is not None:
            await remember_rights(context.transaction, context.existing)
        if await lacks_role(context.transaction, context.existing):
            await make_role(context)
        await grant_all(context.transaction, context.existing)
        if context.existing.role is not None and context.existing.isolation != "row":
            await take_from_app(context.transaction, context.existing)
        context.note(AuditAction.SCHEMA_CONFINED, namespace=context.existing.namespace, role=context.existing.role)
        return self._confinement(context)

    async def _exists(self, context: FixtureContext) -> bool:
        return await isolation_of(context.existing).exists(context.transaction, context.existing)

    async def _create(self, context: FixtureContext) -> Step:
        await isolation_of(context.existing).create(context)
        for revision in context.pack.revisions:
            await self._record(context, revision)
        await self._reach(context, context.pack.head)
        context.note(AuditAction.SCHEMA_CREATED, namespace=context.existing.namespace, revision=context.pack.head)
        return Step(self.name, "create", context.existing.namespace, {"revision": context.pack.head})

    async def _migrate(self, context: FixtureContext, revision: Revision) -> Step:
        await isolation_of(context.existing).migrate(context, revision)
        await self._record(context, revision)
        await self._reach(context, revision.number)
        context.note(AuditAction.SCHEMA_MIGRATED, revision=revision.number, name=revision.name)
        return Step(self.name, "migrate", revision.label)

    async def _follow(self, context: FixtureContext) -> list[Step]:
        """Write down where Alembic itself has brought the tenant meanwhile."""
        number, pack = await self._standing(context), context.pack
        if number == context.existing.revision:
            return []
        await context.transaction.run("registry.remove_revisions", uid=await self._holder(context))
        for revision in pack.revisions[:number]:
            await self._record(context, revision)
        await self._reach(context, number)
        # What Alembic has made is its tenant's to use.
        await grant_all(context.transaction, context.existing)
        context.note(AuditAction.SCHEMA_MIGRATED, revision=number, by="alembic")
        return [self._following(context, number)]

    def _following(self, context: FixtureContext, number: int) -> Step:
        return Step(self.name, "follow", context.pack.revisions[number - 1].label if number else "base", {"revision": number})

    async def _hold(self, context: FixtureContext) -> None:
        """Where Alembic is the author: keep it from moving the tenant at the same time."""
        history, tenant = context.pack.manifest.alembic, context.existing
        if history is not None:
            async with context.transaction.acting_as_owner(tenant):
                await hold_versions(context.transaction, tenant.namespace, history.version_table)

    async def _standing(self, context: FixtureContext) -> int:
        """The revision that the tenant has: where Alembic is the author, what its own table says."""
        tenant = context.existing
        if context.pack.manifest.alembic is None or not await self._exists(context):
            return tenant.revision
        number, fault = await read_standing(context.transaction, context.pack, tenant)
        if fault:
            message = f"schema {tenant.namespace}: {fault}"
            hint = "Bring it to a revision of the pack with Alembic itself, or `alembic stamp` the one that the schema has. Nothing was changed."
            raise PackMismatch(message, pack=context.pack.name, hint=hint)
        return number

    async def _record(self, context: FixtureContext, revision: Revision) -> None:
        values = {"number": revision.number, "name": revision.name, "digest": revision.digest, "run_id": context.run_id}
        await context.transaction.run("registry.add_revision", uid=await self._holder(context), **values)

    async def _reach(self, context: FixtureContext, number: int) -> None:
        await isolation_of(context.existing).reach(context, number)
        context.tenant = await find_tenant(context.transaction, context.tenant_id)

    async def _holder(self, context: FixtureContext) -> UUID:
        return await isolation_of(context.existing).holder(context.transaction, context.existing)

    async def _to_migrate(self, context: FixtureContext) -> list[Revision]:
        pending = await self._pending(context)
        _refuse_leaving(pending, context.tenant_id)
        return pending

    async def _pending(self, context: FixtureContext) -> list[Revision]:
        to = context.pack.head if self.to is None else self.to
        if to > context.pack.head:
            raise PackInvalid(f"the pack has no revision {to}", hint=f"Its last one is {context.pack.head}.")
        standing = await self._standing(context)
        if to < standing and self.to is not None:
            message = f"the tenant is at revision {standing} and does not go back to {to}"
            raise ConfigurationError(message, hint="Revisions go forward only: write one that undoes what you no longer want.")
        applied = {row["number"]: row["digest"] for row in await context.transaction.all("registry.revisions", uid=await self._holder(context))}
        for revision in context.pack.revisions:
            # How a revision of Alembic's is written is for its authors to change: `tenancy validate` tells it.
            if revision.version is None and applied.get(revision.number, revision.digest) != revision.digest:
                hint = "Restore its text, and put what is new into a revision of its own."
                raise RevisionChanged(
                    f"{revision.file.name} was edited after it was applied", revision=revision.number, file=revision.file.name, hint=hint
                )
        if context.pack.manifest.alembic is not None:
            return list(context.pack.revisions[standing:to])
        return [revision for revision in context.pack.revisions if revision.number not in applied and revision.number <= to]


def _refuse_leaving(revisions: Sequence[Revision], tenant_id: str) -> None:
    """See that all of this can be one transaction.

    :raises PackInvalid: a revision goes on outside of it.
    """
    for revision in revisions:
        if revision.leaves:
            where = f"`alembic -x tenant={tenant_id} upgrade {revision.version}`"
            hint = f"A tenant moves in one transaction. Run this one with Alembic itself, {where}, and go on here; --to {revision.number - 1} stops before it."
            message = f"revision {revision.version} leaves its transaction: autocommit_block(), or CONCURRENTLY"
            raise PackInvalid(message, file=str(revision.file), revision=revision.version, hint=hint)
