"""Where a tenant lives: in the main database, or in one of its own, whose registry has the tenant and whose trace is its own."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ._pg.database import Transaction
    from ._shapes import Tenant
    from .runtime import Runtime


@asynccontextmanager
async def place_of(runtime: Runtime, tenant_id: str) -> AsyncIterator[Runtime]:
    """The runtime of the database that the tenant's work is done in; of a tenant that does not exist, the main one's."""
    async with runtime.database.transaction(tenant=tenant_id, role="loader") as transaction:
        row = await transaction.one("registry.elsewhere", tenant_id=tenant_id)
    if row is None:
        yield runtime
        return
    async with runtime.other(row["namespace"]) as place:
        yield place


def is_here(transaction: Transaction, tenant: Tenant) -> bool:
    """Whether a transaction is in the database where the tenant lives."""
    return tenant.isolation != "database" or tenant.namespace == transaction.connection.info.dbname


async def project(runtime: Runtime, place: Runtime, tenant_id: str) -> None:
    """Bring the main registry's row of a tenant to what the tenant's own database says."""
    if place is runtime:
        return
    async with place.database.transaction(tenant=tenant_id, role="migrator") as transaction:
        row = await transaction.one("registry.find", tenant_id=tenant_id)
    if row is None:
        return
    async with runtime.database.transaction(tenant=tenant_id, role="migrator") as transaction:
        await transaction.run("registry.project", **row)
