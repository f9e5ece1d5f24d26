"""SchemaFixture: a tenant's tables, made from the pack's script and brought forward by its revisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ._fixture import BaseFixture, FixtureContext, find_tenant
from ._integrity.checksums import keep_up
from ._integrity.shared import open_tables
from ._isolation import isolation_of
from ._pg.catalog import read_tables
from ._shapes import Finding, Step, ValidationReport
from ._tenant_roles import grant_all, lacks_role, make_role, take_from_app
from .audit import AuditAction
from .exceptions import ConfigurationError, PackInvalid, RevisionChanged

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
        steps = [Step(self.name, "migrate", f"{revision.number:04d}_{revision.name}") for revision in await self._pending(context)]
        return [self._confinement(context), *steps] if await lacks_role(context.transaction, context.existing) else steps

    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        """Run the pack's script, or the missing revisions."""
        if not await self._exists(context):
            return [await self._create(context)]
        confined = [await self._confine(context)] if await lacks_role(context.transaction, context.existing) else []
        steps = [await self._migrate(context, revision) for revision in await self._pending(context)]
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
        """Let the tenant's own role have the rights on its schema that the application's had before."""
        await make_role(context)
        await grant_all(context.transaction, context.existing)
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
        return Step(self.name, "migrate", f"{revision.number:04d}_{revision.name}")

    async def _record(self, context: FixtureContext, revision: Revision) -> None:
        values = {"number": revision.number, "name": revision.name, "digest": revision.digest, "run_id": context.run_id}
        await context.transaction.run("registry.add_revision", uid=await self._holder(context), **values)

    async def _reach(self, context: FixtureContext, number: int) -> None:
        await isolation_of(context.existing).reach(context, number)
        context.tenant = await find_tenant(context.transaction, context.tenant_id)

    async def _holder(self, context: FixtureContext) -> UUID:
        return await isolation_of(context.existing).holder(context.transaction, context.existing)

    async def _pending(self, context: FixtureContext) -> list[Revision]:
        to = context.pack.head if self.to is None else self.to
        if to > context.pack.head:
            raise PackInvalid(f"the pack has no revision {to}", hint=f"Its last one is {context.pack.head}.")
        if to < context.existing.revision and self.to is not None:
            message = f"the tenant is at revision {context.existing.revision} and does not go back to {to}"
            raise ConfigurationError(message, hint="Revisions go forward only: write one that undoes what you no longer want.")
        applied = {row["number"]: row["digest"] for row in await context.transaction.all("registry.revisions", uid=await self._holder(context))}
        for revision in context.pack.revisions:
            # How a revision of Alembic's is written is for its authors to change: `tenancy validate` tells it.
            if revision.version is None and applied.get(revision.number, revision.digest) != revision.digest:
                hint = "Restore its text, and put what is new into a revision of its own."
                raise RevisionChanged(
                    f"{revision.file.name} was edited after it was applied", revision=revision.number, file=revision.file.name, hint=hint
                )
        return [revision for revision in context.pack.revisions if revision.number not in applied and revision.number <= to]
