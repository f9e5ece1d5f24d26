"""Each tenant has a schema of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._pg.sql import compose, identifier, literal
from .._shapes import Step
from .._tenant_roles import grant_all, make_role
from ..audit import AuditAction
from ..exceptions import TenantInUse
from ..utils import TenantUtils
from ._form import Place
from ._replay import make_head, run_revision

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from .._fixture import FixtureContext
    from .._pg.database import Transaction
    from .._shapes import Tenant
    from ..packs import Pack, Revision

_LISTED = 5  # objects that an error tells


def whose(tenant_id: str, uid: UUID) -> str:
    """What a tenant's schema, or database, says of itself, in its comment."""
    return f"Tenant {tenant_id} ({uid})"


class SchemaIsolation:
    """A schema for each tenant, and a role that alone has the application's rights on it."""

    name = "schema"

    def require(self, pack: Pack) -> None:
        """Every pack can be made so."""

    async def place(self, context: FixtureContext, uid: UUID) -> Place:
        """A schema named after the tenant; with a piece of its uid where that name is taken."""
        namespace = TenantUtils.namespace(context.tenant_id)
        taken = await context.transaction.one("registry.namespace_taken", namespace=namespace)
        if taken and taken["taken"]:
            namespace = TenantUtils.namespace(context.tenant_id, uid)
        return Place(uid, namespace, 0, context.pack.digest)

    async def holder(self, transaction: Transaction, tenant: Tenant) -> UUID:  # noqa: ARG002 - others ask the database
        """The tenant itself."""
        return tenant.uid

    async def exists(self, transaction: Transaction, tenant: Tenant) -> bool:
        """Whether the schema is there."""
        row = await transaction.one("registry.namespace_exists", namespace=tenant.namespace)
        return bool(row and row["found"])

    async def create(self, context: FixtureContext) -> None:
        """Make schema and role, and run the pack's script."""
        tenant, transaction = context.existing, context.transaction
        schema = identifier(tenant.namespace)
        # Where somebody has dropped the schema, what is known of it is no longer true.
        await transaction.run("registry.remove_revisions", uid=tenant.uid)
        await transaction.run("registry.remove_ledger", uid=tenant.uid)
        await transaction.run(compose("registry.create_namespace", schema=schema))
        if transaction.roles.for_each_tenant:
            await make_role(context)
        comment = literal(whose(tenant.tenant_id, tenant.uid))
        await transaction.run(compose("registry.describe_namespace", schema=schema, comment=comment))
        await make_head(transaction, context.pack, tenant.namespace)
        await grant_all(transaction, context.existing)

    async def migrate(self, context: FixtureContext, revision: Revision) -> None:
        """Run the revision."""
        await run_revision(context.transaction, context.pack, context.existing.namespace, revision, owner=context.existing.owner)
        await grant_all(context.transaction, context.existing)

    async def reach(self, context: FixtureContext, revision: int) -> None:
        """Write it into the registry."""
        await context.transaction.run("registry.set_release", uid=context.existing.uid, revision=revision, release=context.pack.digest)

    async def remove(self, context: FixtureContext) -> Sequence[Step]:
        """Drop the schema with everything in it: as the role that owns it, where the tenant was adopted.

        :raises PermissionDenied: the login may not act as that role.
        :raises TenantInUse: objects outside the schema stand on it.
        """
        tenant = context.existing
        await context.transaction.run("registry.remove_revisions", uid=tenant.uid)
        if not await self.exists(context.transaction, tenant):
            return []
        await self._refuse_dependents(context, tenant.namespace)
        async with context.transaction.acting_as_owner(tenant):
            await context.transaction.run(compose("registry.drop_namespace", schema=identifier(tenant.namespace)))
        context.note(AuditAction.SCHEMA_DROPPED, namespace=tenant.namespace)
        return [Step("schema", "drop", tenant.namespace, {"owner": tenant.owner} if tenant.owner else {})]

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
