"""Rows that a dataset has put into a table and no longer has are taken out; rows of others are not touched."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from ..exceptions import StatementRefused
from ._target import column
from .sql import compose, identifier

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from ._write import Way

_numbers = itertools.count(1)


class KeyBook:
    """The keys of one target of one dataset of one tenant: digests, since keys may be personal data.

    :meth:`open` before the table is written, :meth:`settle` when its rows are there and the way still holds the load's own.
    """

    def __init__(self, way: Way, uid: UUID, dataset: str) -> None:
        self.removed = 0
        self.table = way.target.table.name
        self._way = way
        self._before = identifier("pg_temp", f"tenancy_keys_{next(_numbers)}")
        target = way.target
        self._owner = {"uid": sql.Literal(uid), "dataset": sql.Literal(dataset), "target": sql.Literal(target.table.name)}

    async def open(self) -> None:
        """Remember whose rows are there."""
        target = self._way.target
        await self._run("sync.remember", before=self._before, digest=key_digest(target.key), table=target.name)

    async def settle(self) -> None:
        """Take out what the dataset no longer has, and write down what it has now; ``removed`` counts the rows that went.

        :raises StatementRefused: rows of others refer to one that should go.
        """
        target, digest = self._way.target, key_digest(self._way.target.key)
        try:
            self.removed = await self._run("sync.remove_gone", table=target.name, relation=self._way.relation, digest=digest, **self._owner)
        except psycopg.errors.ForeignKeyViolation as error:
            message = f"rows that {target.dataset} no longer has cannot be removed from {target.table.name}: rows of other tables refer to them"
            hint = "Nothing was loaded. Remove the referring rows first, or set the dataset's sync to false."
            raise StatementRefused(message, hint=hint, sqlstate=error.sqlstate, table=target.table.name, dataset=target.dataset) from None
        await self._run("sync.own_new", before=self._before, relation=self._way.relation, digest=digest, **self._owner)

    async def _run(self, block: str, **parts: sql.Composable) -> int:
        return (await self._way.target.connection.execute(compose(block, **parts))).rowcount


def key_digest(key: Sequence[str]) -> sql.Composed:
    """A digest of the key of row ``r``: 16 bytes, held as a uuid."""
    texts = sql.SQL(", ").join(sql.SQL("{}::text").format(column(name, "r")) for name in key)
    return sql.SQL("pg_catalog.md5(pg_catalog.jsonb_build_array({})::text)::uuid").format(texts)
