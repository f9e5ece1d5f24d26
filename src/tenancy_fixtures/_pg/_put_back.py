"""Indexes and constraints made again from PostgreSQL's own definitions, with all that a definition leaves out."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Dict

from psycopg import sql

from ._target import trusted
from .sql import identifier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ._target import Target

# One row of the blocks removable_indexes and removable_references.
Part = Dict[str, Any]


@asynccontextmanager
async def unqualified_nothing(target: Target) -> AsyncIterator[None]:
    """Definitions that are read here name everything with its schema, so they mean the same wherever they are run."""
    before = await target.row("search_path")
    await target.run("set_search_path", {"path": "pg_catalog, pg_temp"})
    yield
    await target.run("set_search_path", before)


class PutBack:
    """Makes the parts of one table again."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._tablespace = ""

    @asynccontextmanager
    async def in_own_tablespace(self) -> AsyncIterator[PutBack]:
        """Indexes are made where they were and not where the session's setting says."""
        before = await self._target.row("tablespace")
        self._tablespace = before["tablespace"]
        yield self
        await self._move_to(before["tablespace"])

    async def _move_to(self, tablespace: str) -> None:
        if tablespace != self._tablespace:
            await self._target.run("set_tablespace", {"tablespace": tablespace})
            self._tablespace = tablespace

    async def index(self, part: Part) -> None:
        """Build an index and, where it carries one, its constraint.

        :raises psycopg.errors.UniqueViolation: rows are there twice; the transaction goes on.
        """
        target = self._target
        await self._move_to(part["tablespace"])
        # Only a unique build may fail for the rows' sake.
        async with target.connection.transaction():
            await target.connection.execute(trusted(part["definition"]))
            if part["constraint"]:
                await target.run("add_constraint", table=target.name, name=identifier(part["constraint"]), definition=_using(part))
        await self._describe(part)

    async def _describe(self, part: Part) -> None:
        target, index = self._target, identifier(part["schema"], part["name"])
        if part["clustered"]:
            await target.run("cluster_on", table=target.name, index=identifier(part["name"]))
        if part["replica_identity"]:
            await target.run("replica_identity", table=target.name, index=identifier(part["name"]))
        for number, goal in part["statistics"].items():
            await target.run("index_statistics", index=index, number=sql.Literal(int(number)), target=sql.Literal(goal))
        if part["comment"]:
            await target.run("comment_on_index", index=index, text=sql.Literal(part["comment"]))
        if part["constraint_comment"]:
            name = identifier(part["constraint"])
            await target.run("comment_on_constraint", name=name, table=target.name, text=sql.Literal(part["constraint_comment"]))

    async def reference(self, part: Part) -> None:
        """Add a foreign key, which looks up every row of its table.

        :raises psycopg.errors.ForeignKeyViolation: a row refers to nothing; the transaction goes on.
        """
        target, table, name = self._target, identifier(part["schema"], part["table"]), identifier(part["name"])
        async with target.connection.transaction():
            await target.run("add_constraint", table=table, name=name, definition=trusted(part["definition"]))
        if part["comment"]:
            await target.run("comment_on_constraint", name=name, table=table, text=sql.Literal(part["comment"]))


def _using(part: Part) -> sql.Composed:
    """The constraint over the index that was just built: the constraint's own definition would lose the index's options."""
    kind = sql.SQL("PRIMARY KEY" if part["primary"] else "UNIQUE")
    when = sql.SQL(" DEFERRABLE" if part["deferrable"] else "") + sql.SQL(" INITIALLY DEFERRED" if part["deferred"] else "")
    return sql.SQL("{} USING INDEX {}{}").format(kind, identifier(part["name"]), when)
