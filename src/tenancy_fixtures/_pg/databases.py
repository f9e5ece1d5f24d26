"""Databases of tenants' own: made from a template, and dropped. None of it can be part of a transaction."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from ..exceptions import ConfigurationError, DatabaseUnavailable, NoDatabases, PermissionDenied, TenancyError, TenantInUse
from .bootstrap import with_parts
from .connect import PARAMETERS, connect
from .control_plane import initialise, read_installation
from .errors import translated
from .roles import Roles
from .sql import compose, identifier, literal, query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from psycopg import AsyncConnection

_SUFFIX = "_template"
_LOOK_AGAIN = 0.05  # seconds
_LONGEST = 63 - len(_SUFFIX)  # bytes of a name that the suffix leaves


@asynccontextmanager
async def holding(url: str, roles: Roles, tenant_id: str, *, wait: float) -> AsyncIterator[None]:
    """Be the only one who makes or drops that tenant's database: a lock on a connection of its own, gone with whoever has it.

    :raises LockTimeout: somebody else has been at it for ``wait`` seconds.
    """
    async with await connect(url) as connection, connection.transaction(force_rollback=True):
        with translated():
            await connection.execute(query("databases.wait"), {"role": roles.migrator, "wait": f"{round(wait * 1000)}ms"})
            # No tenant's id has a slash in it.
            await connection.execute(query("database.lock"), {"name": f"database/{tenant_id}"})
        yield


class Databases:
    """The databases of a server, as the role that may make them: on a connection that is no pooler's, outside of transactions."""

    def __init__(self, connection: AsyncConnection[Any], roles: Roles) -> None:
        self._connection = connection
        self._roles = roles

    @classmethod
    @asynccontextmanager
    async def of(cls, url: str, roles: Roles) -> AsyncIterator[Databases]:
        """Connect, and act as the migrator.

        :raises NoDatabases: it may not make any.
        """
        async with await connect(url) as connection:
            found = cls(connection, roles)
            await found._row("databases.become", role=roles.migrator)
            if not (await found._row("databases.may_create"))["may"]:
                who = repr(roles.migrator) if roles.migrator else "the login"
                raise NoDatabases(f"{who} may not make databases", hint="Run `tenancy init --databases` as an administrator.")
            yield found

    async def has(self, name: str, comment: str) -> bool:
        """Whether there is a database of that name that is the tenant's: that of somebody else says so, or nothing."""
        return (await self._row("databases.find", name=name)).get("comment") == comment

    async def finish_drop(self, name: str) -> bool:
        """Drop a database whose drop was interrupted. False where it is whole: then sessions are let in again."""
        if (await self._row("databases.find", name=name))["is_invalid"]:
            await self._do(compose("databases.drop", database=identifier(name)))
            return True
        await self._do(compose("databases.reopen", database=identifier(name)))
        return False

    async def template(self) -> str:
        """What tenants' databases are copies of.

        :raises NoDatabases: there is none.
        """
        row = await self._row("databases.template")
        if not row or row["template"] is None:
            hint = "Run `tenancy init --databases` as an administrator: it makes the database that tenants' own are copies of."
            raise NoDatabases("this installation is not prepared for tenants with databases of their own", hint=hint)
        return str(row["template"])

    async def create(self, name: str, uid: UUID, comment: str) -> None:
        """Copy the template, write down whose it is, and give it its name: until then it has one that can be nobody else's.

        :raises NoDatabases: there is no template.
        """
        database = identifier(unfinished(uid))
        await self._do(compose("databases.create", database=database, template=identifier(await self.template())))
        await self._do(compose("databases.describe", database=database, comment=literal(comment)))
        if self._roles.loader:
            await self._do(compose("databases.grant", database=database, loader=identifier(self._roles.loader)))
        await self._do(compose("databases.rename", database=database, name=identifier(name)))

    async def drop(self, name: str) -> None:
        """Let nobody in any more, and drop it. Where somebody is in it still, it stays as it was.

        :raises TenantInUse: there are sessions in it.
        """
        database, found = identifier(name), await self._row("databases.find", name=name)
        if not found or found["is_invalid"]:
            await self._do(compose("databases.drop", database=database))
            return
        await self._do(compose("databases.shut", database=database))
        try:
            await self._end_own(name)
            await self._connection.execute(compose("databases.drop", database=database))
        except psycopg.errors.ObjectInUse:
            await self._do(compose("databases.reopen", database=database))
            hint = "End the sessions that the application and others have in it; then drop the tenant. Nothing was dropped."
            raise TenantInUse(f"sessions are connected to the database {name!r}", objects=[name], hint=hint) from None
        except psycopg.Error:
            await self._do(compose("databases.reopen", database=database))
            raise

    async def end_work(self, *names: str) -> None:
        """Wait until nothing goes on in the server with these databases: what their maker has begun outlives him."""
        await self._row("databases.become", role=None)
        for name in names:
            while await self._row("databases.end_work", name=name, application=PARAMETERS["application_name"]):  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(_LOOK_AGAIN)
        await self._row("databases.become", role=self._roles.migrator)

    async def _end_own(self, name: str) -> None:
        # Those are the login's, which the migrator is not.
        await self._row("databases.become", role=None)
        await self._row("databases.end_own", name=name, application=PARAMETERS["application_name"])
        await self._row("databases.become", role=self._roles.migrator)

    async def _row(self, statement: str, /, **values: Any) -> dict[str, Any]:
        with translated():
            cursor = await self._connection.cursor(row_factory=dict_row).execute(query(statement), values or None)
            return await cursor.fetchone() or {}

    async def _do(self, statement: Any) -> None:
        with translated():
            await self._connection.execute(statement)


async def _make_template(connection: AsyncConnection[Any], database: sql.Identifier) -> None:
    try:
        await connection.execute(compose("databases.make_template", database=database))
    except psycopg.errors.InsufficientPrivilege:
        raise PermissionDenied("the login may not make databases", hint="Use one that may (CREATEDB, and CREATEROLE), or a superuser.") from None


async def bring_forward(url: str) -> list[str]:
    """Bring the control planes of the template and of the tenants' databases to the version of the main one; gives their names. Takes an administrator."""
    async with await connect(url) as connection:
        with translated():
            rows = await (await connection.cursor(row_factory=dict_row).execute(query("databases.all"))).fetchall()
    if any(row["is_template"] for row in rows):
        await prepare(url)
    tenants = [row for row in rows if not row["is_template"]]
    failed = [(row["name"], error) for row in tenants if (error := await _brought_forward(url, row["name"], adopted=row["adopted"])) is not None]
    if failed:
        listed = "; ".join(f"{name}: {error.message}" for name, error in failed)
        raise DatabaseUnavailable(
            f"not all databases of tenants could be brought forward: {listed}", hint="Run `tenancy init` again when they can be reached."
        )
    return [row["name"] for row in rows]


async def _brought_forward(url: str, name: str, *, adopted: bool) -> TenancyError | None:
    try:
        # Out of one that was adopted it may have been taken again.
        if not adopted or await has_control_plane(with_parts(url, database=name)):
            await install(url, name, adopted=adopted)
    except TenancyError as error:
        return error
    return None


async def has_control_plane(url: str) -> bool:
    """Whether the database has one."""
    async with await connect(url) as connection:
        return await read_installation(connection) is not None


async def install(url: str, name: str, *, adopted: bool = False) -> None:
    """Make the control plane of another database, with the roles of this one's, or bring it forward. Takes an administrator."""
    async with await connect(url) as connection:
        installation = await read_installation(connection)
    async with await connect(with_parts(url, database=name)) as inside:
        await initialise(inside, installation.roles if installation else Roles(), create_roles=False, adopted=adopted)


def unfinished(uid: UUID) -> str:
    """What a database is called while it is being made."""
    return f"tenancy_new_{uid.hex}"


async def prepare(url: str) -> str:
    """Make the template that tenants' databases are copies of, or bring it forward; gives its name. Takes an administrator.

    :raises PermissionDenied: the login may not make databases.
    """
    async with await connect(url) as connection:
        installation = await read_installation(connection)
        if installation is None:
            raise ConfigurationError("the database has no control plane", hint="Run `tenancy init` first.")
        name = connection.info.dbname.encode()[:_LONGEST].decode(errors="ignore") + _SUFFIX
        database, comment = identifier(name), f"Copied for tenants of {connection.info.dbname} that have databases of their own"
        with translated():
            found = await (await connection.cursor(row_factory=dict_row).execute(query("databases.find"), {"name": name})).fetchone()
            if found is None:
                await _make_template(connection, database)
                await connection.execute(compose("databases.describe", database=database, comment=literal(comment)))
            elif found["comment"] != comment:
                raise ConfigurationError(
                    f"there is a database {name!r} that is not this one's template", hint="Rename it, or drop it if nobody needs it."
                )
            else:
                await connection.execute(compose("databases.reopen", database=database))
        await install(url, name)
        with translated():
            if installation.roles.migrator:
                await connection.execute(compose("databases.let_create", migrator=identifier(installation.roles.migrator)))
            await connection.execute(compose("databases.seal_template", database=database))
            await connection.execute(query("databases.set_template"), {"template": name})
    return name
