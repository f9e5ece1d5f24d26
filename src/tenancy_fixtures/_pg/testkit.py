"""Databases and roles of a test suite's run, and how a tenant in them is brought back to what it was. An administrator's work."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Optional
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from ..exceptions import ConfigurationError, DatabaseError, DatabaseUnavailable
from .bootstrap import set_login, with_parts
from .connect import connect
from .control_plane import initialise
from .errors import translated
from .roles import Roles
from .sql import compose, identifier, query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from psycopg import AsyncConnection

    from .._shapes import Table
    from .database import Transaction

# What a login of the run's may act as: the code under test, and the host's application.
SERVICE = ("migrator", "loader", "app", "auditor")
APPLICATION = ("app",)


class Answer(NamedTuple):
    """What putting a tenant back said: why it cannot be used again, and which tenants are there that a test has made."""

    fault: Optional[str]
    strangers: Mapping[str, UUID]


class Server:
    """The server of a run, by an administrator's connection; the run lives as long as one such connection does.

    Whatever belongs to the run, databases and roles, is called ``run`` and something after it. Make one with :meth:`open`.
    """

    def __init__(self, url: str, run: str, password: str, connection: AsyncConnection[Any]) -> None:
        self.url = url
        self.run = run
        self._password = password
        self._connection = connection
        self.roles = Roles.prefixed(run)

    @classmethod
    async def open(cls, url: str, run: str, password: str) -> Server:
        """Connect, and say whose the connection is before anything is made.

        :raises ConfigurationError: the login is no superuser.
        :raises DatabaseUnavailable: nobody answers there.
        """
        connection = await connect(url)
        server = cls(url, run, password, connection)
        try:
            await server._begin()
        except BaseException:
            await connection.close()
            raise
        return server

    async def _begin(self) -> None:
        await self._one("testkit.say_whose", name=self.run)
        if not (await self._one("testkit.is_superuser"))["found"]:
            hint = "Name a superuser's login in TENANCY_TEST_DATABASE_URL; without it the embedded server is used."
            raise ConfigurationError("databases for tests are made by a superuser, and this login is none", hint=hint)

    async def close(self) -> None:
        """End the connection."""
        await self._connection.close()

    def url_of(self, database: str, login: str | None = None) -> str:
        """The URL of a database of this server: the administrator's, or that of one of the run's logins."""
        if login is None:
            return with_parts(self.url, database=database)
        return with_parts(self.url, database=database, user=f"{self.run}_{login}", password=self._password)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """While this lasts, no other worker of the run is in here."""
        await self._one("testkit.lock", name=self.run)
        try:
            yield
        finally:
            await self._one("testkit.unlock", name=self.run)

    async def sweep(self) -> list[str]:
        """Remove what runs have left that were killed; gives their names."""
        with translated():
            rows = await (await self._connection.cursor(row_factory=dict_row).execute(query("testkit.forsaken"))).fetchall()
        for row in rows:
            await self.remove(row["name"])
        return [row["name"] for row in rows]

    async def is_finished(self, database: str) -> bool:
        """Whether a database was made, and to its end."""
        return bool((await self._one("testkit.is_finished", name=database))["found"])

    async def make(self, database: str) -> None:
        """Make a database with a control plane, and the run's roles and logins."""
        with translated():
            await self._connection.execute(compose("testkit.drop_database", database=identifier(database)))
            await self._connection.execute(compose("testkit.create_database", database=identifier(database)))
            await self._connection.execute(compose("testkit.forget_durability", database=identifier(database)))
        async with await connect(self.url_of(database)) as connection:
            await initialise(connection, self.roles, create_roles=True)
            await set_login(connection, f"{self.run}_service", self._password, SERVICE, self.roles)
            await set_login(connection, f"{self.run}_application", self._password, APPLICATION, self.roles)

    async def execute(self, database: str, script: str) -> None:
        """Run a script of the host's own in a database, as it is, with the administrator's rights."""
        async with await connect(self.url_of(database)) as connection:
            with translated():
                await connection.execute(script.encode())

    async def finish(self, database: str) -> None:
        """Mark a database as one that was made to its end."""
        with translated():
            await self._connection.execute(compose("testkit.mark_finished", database=identifier(database)))

    async def copy(self, database: str, template: str) -> None:
        """Make a database that is a copy of another one; in place of one that a worker of the name has left."""
        parts = {"database": identifier(database), "template": identifier(template)}
        with translated():
            await self._connection.execute(compose("testkit.drop_database", database=identifier(database)))
            await self._connection.execute(compose("testkit.copy_database", **parts))
            await self._connection.execute(compose("testkit.forget_durability", database=identifier(database)))
        # Rights on a database are not copied with it.
        async with await connect(self.url_of(database)) as connection:
            await initialise(connection, self.roles, create_roles=True)

    async def revive(self) -> None:
        """Connect again, where somebody has ended the connection: a test may end all that there are."""
        try:
            await self._one("testkit.say_whose", name=self.run)
        except DatabaseUnavailable:
            await self._connection.close()
            self._connection = await connect(self.url)
            await self._one("testkit.say_whose", name=self.run)

    async def remove(self, run: str) -> None:
        """Drop all databases of a run, then its roles and those of its tenants."""
        with translated():
            await self._remove(run)

    async def _remove(self, run: str) -> None:
        roles, databases = await self._all("testkit.roles_of", run), await self._all("testkit.databases_of", run)
        # At once: a server writes down all that it holds before it drops a database, and does so once for those that wait for it together.
        await asyncio.gather(*(self._drop_database(row["name"]) for row in databases))
        for row in roles:
            await _drop(self._connection, "testkit.drop_role", role=identifier(row["name"]))

    async def _drop_database(self, name: str) -> None:
        async with await connect(self.url) as connection:
            await _drop(connection, "testkit.drop_database", database=identifier(name))

    async def _all(self, block: str, run: str) -> list[dict[str, Any]]:
        return await (await self._connection.cursor(row_factory=dict_row).execute(query(block), {"run": run})).fetchall()

    async def _one(self, statement: str, /, **values: Any) -> dict[str, Any]:
        return await _one(self._connection, statement, **values)


class Baseline:
    """The tenants of one database that stand for the template, by an administrator's connection of its own."""

    def __init__(self, url: str, run: str, connection: AsyncConnection[Any]) -> None:
        self._url = url
        self._run = run
        self._connection = connection

    @classmethod
    async def open(cls, url: str, run: str) -> Baseline:
        """Connect; references and triggers rest in this connection."""
        baseline = cls(url, run, await connect(url))
        await baseline._begin()
        return baseline

    async def _begin(self) -> None:
        await _one(self._connection, "testkit.say_whose", name=self._run)
        await _one(self._connection, "testkit.let_rest")

    async def close(self) -> None:
        """End the connection."""
        await self._connection.close()

    async def capture(self, uid: UUID) -> None:
        """Keep what a tenant holds as the template."""
        with translated():
            async with self._connection.transaction():
                await self._connection.execute(query("testkit.install"))
                await _one(self._connection, "testkit.capture", uid=uid)

    async def enrol(self, uid: UUID) -> str | None:
        """Let a tenant stand for the template, and hold what it held; gives what is in the way of that."""
        fault: str | None = (await self._ask("testkit.enrol", uid=uid))["fault"]
        return fault

    async def reset(self, uid: UUID) -> Answer:
        """Put a tenant back in one round trip."""
        try:
            row = await self._ask("testkit.reset", uid=uid)
        except DatabaseError as error:
            return Answer(str(error), {})
        return Answer(row["fault"], {name: UUID(found) for name, found in row["strangers"].items()})

    async def park(self, uids: Sequence[UUID]) -> None:
        """Take tenants out of the registry until they are needed."""
        await self._ask("testkit.park", uids=list(uids))

    async def unpark(self, uids: Sequence[UUID]) -> None:
        """Enter them in the registry again."""
        await self._ask("testkit.unpark", uids=list(uids))

    async def _ask(self, statement: str, /, **values: Any) -> dict[str, Any]:
        """What a statement says, by another connection where somebody has ended this one: a test may end all that there are."""
        try:
            return await _one(self._connection, statement, **values)
        except DatabaseUnavailable:
            await self._connection.close()
            self._connection = await connect(self._url)
            await self._begin()
            return await _one(self._connection, statement, **values)


async def read_rows(transaction: Transaction, table: Table) -> list[dict[str, Any]]:
    """All rows of a table as JSON has them, as they were written."""
    return [row["row"] for row in await transaction.all(compose("testkit.read_rows", table=identifier(table.schema, table.name)))]


async def insert_rows(transaction: Transaction, table: Table, columns: Sequence[str], rows: str, *, missing: bool = False) -> list[dict[str, Any]]:
    """Insert rows that are given as a JSON array, and give them back as they are then; with ``missing`` those alone that are not there."""
    parts = {"table": identifier(table.schema, table.name), "columns": sql.SQL(", ").join(identifier(name) for name in columns)}
    if missing:
        await transaction.run(compose("testkit.insert_missing_rows", **parts), rows=rows)
        return []
    return await transaction.all(compose("testkit.insert_rows", **parts), rows=rows)


async def _drop(connection: AsyncConnection[Any], block: str, **parts: sql.Composable) -> None:
    # Another run may be removing the same at this moment.
    with suppress(psycopg.errors.InternalError_, psycopg.errors.UndefinedObject, psycopg.errors.InvalidCatalogName):
        await connection.execute(compose(block, **parts))


async def _one(connection: AsyncConnection[Any], statement: str, /, **values: Any) -> dict[str, Any]:
    with translated():
        row = await (await connection.cursor(row_factory=dict_row).execute(query(statement), values or None)).fetchone()
    assert row is not None
    return row
