"""Sessions of the events that a tenant has: computed anew for every visitor of whom there are new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from ..constants import TENANT_COLUMN
from .sql import compose, identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .database import Transaction

# Without an event for so long, what comes next is another session: what Google Analytics and Snowplow take by default.
INACTIVITY = "30 minutes"
TABLES = ("analytics_visitors", "analytics_events", "analytics_sessions")


async def derive_sessions(transaction: Transaction, namespace: str) -> dict[str, int]:
    """Compute the sessions of visitors that are stale; gives how many visitors, and how many sessions were written and removed.

    A session that the source names is what it says; events without one are of the same session until 30 minutes pass
    without any. Nothing is done where the tables are not there.
    """
    tenant = await tenant_in_key(transaction, namespace, TABLES)
    if tenant is None:
        return {}
    tables = {name.rpartition("_")[2]: identifier(namespace, name) for name in TABLES}
    stale = await transaction.one(compose("sessions.stale", visitors=tables["visitors"]))
    if not stale or not stale["found"]:
        return {}
    found = await transaction.one(compose("sessions.derive", inactivity=sql.Literal(INACTIVITY), tenant=tenant, **tables))
    return dict(found or {})


async def forget_sessions(transaction: Transaction, namespace: str) -> None:
    """Let all sessions be computed anew: events are gone, and nobody knows whose."""
    if await tenant_in_key(transaction, namespace, TABLES) is not None:
        await transaction.run(compose("sessions.make_stale", visitors=identifier(namespace, TABLES[0])))


async def tenant_in_key(transaction: Transaction, namespace: str, names: Sequence[str]) -> sql.Composable | None:
    """What stands before the columns of a key of these tables: the tenant, where tenants share them. ``None`` where one is not there."""
    there = await transaction.one("sessions.tables", namespace=namespace, names=list(names), tenant_column=TENANT_COLUMN)
    if not there or there["count"] < len(names):
        return None
    return sql.SQL("{}, ").format(identifier(TENANT_COLUMN)) if there["shared"] else sql.SQL("")
