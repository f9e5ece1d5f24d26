"""Sessions of the events that a tenant has: computed anew for every visitor of whom there are new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from .sql import compose, identifier

if TYPE_CHECKING:
    from .database import Transaction

# Without an event for so long, what comes next is another session: what Google Analytics and Snowplow take by default.
INACTIVITY = "30 minutes"
TABLES = ("analytics_visitors", "analytics_events", "analytics_sessions")


async def derive_sessions(transaction: Transaction, namespace: str) -> dict[str, int]:
    """Compute the sessions of visitors that are stale; gives how many visitors, and how many sessions were written and removed.

    A session that the source names is what it says; events without one are of the same session until 30 minutes pass
    without any. Nothing is done where the tables are not there.
    """
    there = await transaction.one("sessions.tables", namespace=namespace, names=list(TABLES))
    if not there or there["count"] < len(TABLES):
        return {}
    tables = {name.rpartition("_")[2]: identifier(namespace, name) for name in TABLES}
    stale = await transaction.one(compose("sessions.stale", visitors=tables["visitors"]))
    if not stale or not stale["found"]:
        return {}
    found = await transaction.one(compose("sessions.derive", inactivity=sql.Literal(INACTIVITY), **tables))
    return dict(found or {})


async def forget_sessions(transaction: Transaction, namespace: str) -> None:
    """Let all sessions be computed anew: events are gone, and nobody knows whose."""
    there = await transaction.one("sessions.tables", namespace=namespace, names=list(TABLES))
    if there and there["count"] == len(TABLES):
        await transaction.run(compose("sessions.make_stale", visitors=identifier(namespace, TABLES[0])))
