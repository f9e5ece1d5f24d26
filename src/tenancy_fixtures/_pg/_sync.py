"""Rows that a dataset has put into a table and no longer has are taken out; rows of others are not touched."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from psycopg import sql

from ..exceptions import RowsInUse
from ._target import column
from .sql import compose, identifier, query

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
        number = next(_numbers)
        self._before = identifier("pg_temp", f"tenancy_keys_{number}")
        self._gone = identifier("pg_temp", f"tenancy_gone_{number}")
        target = way.target
        self._owner = {"uid": sql.Literal(uid), "dataset": sql.Literal(dataset), "target": sql.Literal(target.table.name)}

    async def open(self) -> None:
        """Remember whose rows are there."""
        target = self._way.target
        await self._run("sync.remember", before=self._before, digest=key_digest(target.key), table=target.name)

    async def settle(self) -> None:
        """Take out what the dataset no longer has, and write down what it has now; ``removed`` counts the rows that went.

        :raises RowsInUse: rows of others refer to one that should go.
        """
        target, digest = self._way.target, key_digest(self._way.target.key)
        parts = {"gone": self._gone, "table": target.name, "relation": self._way.relation, "digest": digest, **self._owner}
        if await self._run("sync.note_gone", **parts):
            await self._refuse_referred()
            await self._run("sync.forget_gone", **parts)
            self.removed = await self._run("sync.remove_gone", **parts)
        await self._run("sync.own_new", before=self._before, **parts)

    async def _refuse_referred(self) -> None:
        """Whatever a foreign key would do to rows of others (deleting them as well, for one), it shall not come to it."""
        target = self._way.target
        for schema, table, to_itself, columns, targets in await self._rows(query("sync.referring"), {"table": target.regclass}):
            referring = identifier(schema, table)
            pairs = [sql.SQL("{} = {}").format(column(name, "t"), column(aim, "r")) for name, aim in zip(columns, targets)]
            facts = {"referring": referring, "table": target.name, "match": sql.SQL(" AND ").join(pairs), "gone": self._gone}
            own = key_digest(target.key, "t") if to_itself else sql.NULL
            facts.update(digest=key_digest(target.key), own_digest=own, to_itself=sql.Literal(to_itself))
            ((count,),) = await self._rows(compose("sync.count_referring", **facts))
            if count:
                rows = f"{count} row{'' if count == 1 else 's'} of {referring.as_string(target.connection)} refer{'s' if count == 1 else ''} to them"
                message = f"rows that {target.dataset} no longer has cannot be removed from {target.table.name}: {rows}"
                hint = "Nothing was loaded. Remove the referring rows first, or set the dataset's sync to false."
                raise RowsInUse(message, hint=hint, table=target.table.name, dataset=target.dataset, count=count)

    async def _rows(self, statement: Any, values: dict[str, Any] | None = None) -> list[Any]:
        return await (await self._way.target.connection.execute(statement, values)).fetchall()

    async def _run(self, block: str, **parts: sql.Composable) -> int:
        return (await self._way.target.connection.execute(compose(block, **parts))).rowcount


def key_digest(key: Sequence[str], row: str = "r") -> sql.Composed:
    """A digest of the key of a row: 16 bytes, held as a uuid."""
    texts = sql.SQL(", ").join(sql.SQL("{}::text").format(column(name, row)) for name in key)
    return sql.SQL("pg_catalog.md5(pg_catalog.jsonb_build_array({})::text)::uuid").format(texts)
