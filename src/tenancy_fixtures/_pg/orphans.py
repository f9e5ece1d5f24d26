"""Rows whose reference leads nowhere, treated as the ON DELETE of their constraint says: as if it had been in force."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from .integrity import orphaned
from .sql import compose, identifier

if TYPE_CHECKING:
    from .._shapes import ForeignKey
    from .database import Transaction

_ACTION = re.compile(r" ON DELETE (CASCADE|SET NULL|SET DEFAULT)")


async def treat_orphans(transaction: Transaction, key: ForeignKey) -> tuple[str, int] | None:
    """What was done, and with how many rows; ``None`` where the constraint says nothing, or other rows or somebody's rights do not allow it."""
    match = _ACTION.search(key.definition)
    if match is None:
        return None
    table, condition = identifier(key.schema, key.table), orphaned(key)
    action, statement = "delete orphans", compose("integrity.delete_orphans", table=table, condition=condition)
    if match[1] != "CASCADE":
        value = sql.SQL("NULL" if match[1] == "SET NULL" else "DEFAULT")
        changed = sql.SQL(", ").join(sql.SQL("{} = {}").format(identifier(name), value) for name in key.columns)
        action, statement = "unlink orphans", compose("integrity.unlink_orphans", table=table, changed=changed, condition=condition)
    try:
        async with transaction.connection.transaction():
            return action, await transaction.run(statement)
    except (psycopg.IntegrityError, psycopg.errors.InsufficientPrivilege):
        return None
