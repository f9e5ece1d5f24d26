"""SchemaFixture: a tenant's own schema, made from the pack's script and brought forward by its revisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ._fixture import BaseFixture, FixtureContext, find_tenant
from ._integrity.checksums import keep_up
from ._pg.catalog import read_tables
from ._pg.script import run_script
from ._pg.sql import compose, identifier, literal
from ._shapes import Finding, Step, ValidationReport
from ._tenant_roles import grant_all, lacks_role, make_role, take_from_app
from .audit import AuditAction
from .exceptions import ConfigurationError, PackInvalid, RevisionChanged, TenantInUse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .packs import Revision

_LISTED = 5  # objects that an error tells


class SchemaFixture(BaseFixture):
    """The structure that a tenant should have: all of the pack's revisions, or those up to ``to``.

    A new tenant gets ``schema_template.sql`` at once; one that exists gets the revisions that it lacks, in order.
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
        """See that every table that a dataset of the pack fills is there."""
        tables = await read_tables(context.transaction.connection, context.existing.namespace)
        wanted = sorted({target.table for dataset in context.pack.manifest.datasets for target in dataset.targets})
        at_head = context.existing.revision == context.pack.head
        missing = [
            Finding("table", "error", name, "is not in the schema, yet a dataset fills it") for name in wanted if at_head and name not in tables
        ]
        return ValidationReport(self.name, len(wanted), tuple(missing))

    async def rollback(self, context: FixtureContext) -> Sequence[Step]:
        """Drop the schema with everything in it, and nothing else.

        :raises TenantInUse: objects outside the schema stand on it.
        """
        if context.tenant is None:
            return []
        await context.transaction.run("registry.remove_revisions", uid=context.tenant.uid)
        if not await self._exists(context):
            return []
        await self._refuse_dependents(context, context.tenant.namespace)
        await context.transaction.run(compose("registry.drop_namespace", schema=identifier(context.tenant.namespace)))
        context.note(AuditAction.SCHEMA_DROPPED, namespace=context.tenant.namespace)
        return [Step(self.name, "drop", context.tenant.namespace)]

    def _confinement(self, context: FixtureContext) -> Step:
        return Step(self.name, "confine", context.existing.namespace)

    async def _confine(self, context: FixtureContext) -> Step:
        """Let the tenant's own role have the rights on its schema that the application's had before."""
        await make_role(context.transaction, context.existing)
        context.tenant = await find_tenant(context.transaction, context.tenant_id)
        await grant_all(context.transaction, context.existing)
        await take_from_app(context.transaction, context.existing)
        context.note(AuditAction.SCHEMA_CONFINED, namespace=context.existing.namespace, role=context.existing.role)
        return self._confinement(context)

    async def _refuse_dependents(self, context: FixtureContext, namespace: str) -> None:
        # CASCADE would take them along, and they are not the tenant's.
        objects = [row["object"] for row in await context.transaction.all("registry.dependents", namespace=namespace)]
        if not objects:
            return
        listed = ", ".join(objects[:_LISTED]) + (f" … and {len(objects) - _LISTED} more" if len(objects) > _LISTED else "")
        one = len(objects) == 1
        raise TenantInUse(
            f"{'an object' if one else f'{len(objects)} objects'} outside the schema {namespace} would go with it: {listed}",
            objects=objects,
            hint=f"Drop {'it' if one else 'them'}, or take {'it' if one else 'them'} off the tenant's tables; then drop the tenant. Nothing was dropped.",
        )

    async def _exists(self, context: FixtureContext) -> bool:
        row = await context.transaction.one("registry.namespace_exists", namespace=context.existing.namespace)
        return bool(row and row["found"])

    async def _create(self, context: FixtureContext) -> Step:
        tenant, pack = context.existing, context.pack
        schema = identifier(tenant.namespace)
        # Where somebody has dropped the schema, what is known of it is no longer true.
        await context.transaction.run("registry.remove_revisions", uid=tenant.uid)
        await context.transaction.run("registry.remove_ledger", uid=tenant.uid)
        await context.transaction.run(compose("registry.create_namespace", schema=schema))
        if context.transaction.roles.for_each_tenant:
            await make_role(context.transaction, tenant)
            context.tenant = await find_tenant(context.transaction, tenant.tenant_id)
        comment = literal(f"Tenant {tenant.tenant_id} ({tenant.uid})")
        await context.transaction.run(compose("registry.describe_namespace", schema=schema, comment=comment))
        await self._run(context, pack.schema_sql, "schema_template.sql", fresh=True)
        for revision in pack.revisions:
            await self._record(context, revision)
        await self._reach(context, pack.head)
        context.note(AuditAction.SCHEMA_CREATED, namespace=tenant.namespace, revision=pack.head)
        return Step(self.name, "create", tenant.namespace, {"revision": pack.head})

    async def _migrate(self, context: FixtureContext, revision: Revision) -> Step:
        await self._run(context, revision.sql, revision.file.name, fresh=False)
        await self._record(context, revision)
        await self._reach(context, revision.number)
        context.note(AuditAction.SCHEMA_MIGRATED, revision=revision.number, name=revision.name)
        return Step(self.name, "migrate", f"{revision.number:04d}_{revision.name}")

    async def _run(self, context: FixtureContext, text: str, file: str, *, fresh: bool) -> None:
        namespace, shared = context.existing.namespace, context.pack.manifest.shared_schemas
        await run_script(context.transaction, text, file=file, namespace=namespace, fresh=fresh, shared=shared)
        await grant_all(context.transaction, context.existing)

    async def _record(self, context: FixtureContext, revision: Revision) -> None:
        values = {"number": revision.number, "name": revision.name, "digest": revision.digest, "run_id": context.run_id}
        await context.transaction.run("registry.add_revision", uid=context.existing.uid, **values)

    async def _reach(self, context: FixtureContext, number: int) -> None:
        await context.transaction.run("registry.set_release", uid=context.existing.uid, revision=number, release=context.pack.digest)
        context.tenant = await find_tenant(context.transaction, context.tenant_id)

    async def _pending(self, context: FixtureContext) -> list[Revision]:
        to = context.pack.head if self.to is None else self.to
        if to > context.pack.head:
            raise PackInvalid(f"the pack has no revision {to}", hint=f"Its last one is {context.pack.head}.")
        if to < context.existing.revision and self.to is not None:
            message = f"the tenant is at revision {context.existing.revision} and does not go back to {to}"
            raise ConfigurationError(message, hint="Revisions go forward only: write one that undoes what you no longer want.")
        applied = {row["number"]: row["digest"] for row in await context.transaction.all("registry.revisions", uid=context.existing.uid)}
        for revision in context.pack.revisions:
            if applied.get(revision.number, revision.digest) != revision.digest:
                hint = "Restore its text, and put what is new into a revision of its own."
                raise RevisionChanged(
                    f"{revision.file.name} was edited after it was applied", revision=revision.number, file=revision.file.name, hint=hint
                )
        return [revision for revision in context.pack.revisions if revision.number not in applied and revision.number <= to]
