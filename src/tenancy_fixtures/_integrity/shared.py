"""Are tables that tenants share such that each of them sees its own rows alone?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._pg.shared import shared_tables
from .._shapes import Finding

if TYPE_CHECKING:
    from .._pg.database import Transaction
    from .._shapes import Tenant


async def open_tables(transaction: Transaction, tenant: Tenant) -> list[Finding]:
    """What lets tenants see or touch each other's rows in the tables that this one shares; nothing where it shares none."""
    if tenant.isolation != "row":
        return []
    return [Finding("isolation", "error", table.name, table.fault) for table in await shared_tables(transaction, tenant.namespace) if table.fault]
