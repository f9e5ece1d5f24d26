"""The role of a tenant, which alone has the application's rights on the tenant's schema: made, given its rights, and dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._fixture import find_tenant, may_enter
from ._pg.sql import compose, identifier

if TYPE_CHECKING:
    from ._fixture import FixtureContext
    from ._pg.database import Transaction
    from ._shapes import Tenant


def user_of(transaction: Transaction, tenant: Tenant) -> str | None:
    """The role that an application's sessions use a tenant's rows with; ``None`` where one login does everything."""
    return transaction.roles.app if tenant.isolation == "row" else tenant.role or transaction.roles.app


async def lacks_rights(transaction: Transaction, tenant: Tenant) -> bool:
    """Whether nothing was granted on the tenant's schema yet: its role is missing, or it was adopted, or brought back, and is not open."""
    return await lacks_role(transaction, tenant) or not await may_enter(transaction, tenant)


async def remember_rights(transaction: Transaction, tenant: Tenant) -> None:
    """Write down what our roles are allowed in the schema of a tenant that was adopted, before any is given: it can be given back so."""
    roles = [name for _, name in transaction.roles.named() if name != tenant.owner]
    await transaction.run("adopt.remember_rights", uid=tenant.uid, namespace=tenant.namespace, roles=roles)


async def lacks_role(transaction: Transaction, tenant: Tenant) -> bool:
    """Whether the tenant is to have a role of its own and has none: it is older than that, or came to another server."""
    if not transaction.roles.for_each_tenant or tenant.isolation == "row":
        return False
    if tenant.role is None:
        return True
    row = await transaction.one("registry.role_exists", role=tenant.role)
    return not (row and row["found"])


async def make_role(context: FixtureContext) -> None:
    """Make the tenant's role and enter it into the registry. It becomes one of all tenants' when the run is done."""
    transaction, uid = context.transaction, context.existing.uid
    row = await transaction.one("registry.make_role", uid=uid)
    await transaction.run("registry.set_role", uid=uid, role=(row or {})["role"])
    context.at_last("registry.join_tenants", uid=uid)
    context.tenant = await find_tenant(transaction, context.tenant_id)


async def drop_role(transaction: Transaction, tenant: Tenant) -> bool:
    """Drop the tenant's role. False where it stays: a copy of this database on the same server uses it too, or it owns what is in no schema."""
    if tenant.role is None:
        return True
    if tenant.isolation == "row":
        found = await transaction.one("registry.namespace_exists", namespace=tenant.namespace)
        if found and found["found"]:
            await _take_rights(transaction, tenant, tenant.role)
    row = await transaction.one("registry.drop_role", uid=tenant.uid)
    return bool(row and row["dropped"])


async def grant_all(transaction: Transaction, tenant: Tenant) -> None:
    """Give loader and the tenant's user their rights on all that the schema holds now; what a script made is not yet granted.

    Tables that tenants share are for those of their roles too that there are: policies tell them apart.
    """
    roles, users = transaction.roles, [user_of(transaction, tenant)]
    # Who owns what was adopted gives the rights, and the migrator, who owns the rest, is given them too.
    users += [roles.migrator] if tenant.owner else []
    if tenant.isolation == "row":
        users += await sharing_roles(transaction, tenant)
    async with transaction.acting_as_owner(tenant):
        for user in users:
            if roles.loader and user:
                parts = {"schema": identifier(tenant.namespace), "loader": identifier(roles.loader), "user": identifier(user)}
                await transaction.run(compose("registry.grant_schema", **parts))
                await transaction.run(compose("registry.grant_objects", **parts))


async def sharing_roles(transaction: Transaction, tenant: Tenant) -> list[str]:
    """The roles, for logins, of the tenants that share this one's tables."""
    return (
        [row["role"] for row in await transaction.all("registry.roles_that_share", namespace=tenant.namespace)] if tenant.isolation == "row" else []
    )


async def take_from_app(transaction: Transaction, tenant: Tenant) -> None:
    """Take from the application's own role the rights that it had on the schema, before the tenant had a role; an owner keeps its own."""
    if transaction.roles.app != tenant.owner:
        async with transaction.acting_as_owner(tenant):
            await _take_rights(transaction, tenant, transaction.roles.app or "")


async def _take_rights(transaction: Transaction, tenant: Tenant, role: str) -> None:
    await transaction.run(compose("registry.take_rights", schema=identifier(tenant.namespace), role=identifier(role)))
