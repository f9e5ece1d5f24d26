"""Edits that comments and documents do not show yet, applied in the order of their streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .sessions import tenant_in_key
from .sql import compose, identifier

if TYPE_CHECKING:
    from .database import Transaction

TABLES = ("comments", "documents", "edits")


async def apply_edits(transaction: Transaction, namespace: str) -> dict[str, int]:
    """Bring what has new edits to what its last edit says; gives how many edits that were, and how many rows were written and removed.

    What has no new edits is left as it is, whoever has changed it since. Nothing is done where the tables are not there.
    """
    tenant = await tenant_in_key(transaction, namespace, TABLES)
    if tenant is None:
        return {}
    tables = {name: identifier(namespace, name) for name in TABLES}
    waiting = await transaction.one(compose("edits.waiting", edits=tables["edits"]))
    if not waiting or not waiting["found"]:
        return {}
    return dict(await transaction.one(compose("edits.apply", tenant=tenant, **tables)) or {})
