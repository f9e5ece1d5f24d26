"""Make an empty server ready: the database, the control plane, and logins that may do no more than their work.

For the embedded server, whose administrator is this library itself. A host's server is made ready by ``tenancy init``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from psycopg import sql

from .connect import connect
from .control_plane import InitReport, initialise
from .errors import translated
from .roles import Roles, going_again, login_statements
from .sql import compose, identifier, query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import AsyncConnection

DATABASE = "tenancy"
SERVICE_LOGIN = "tenancy_service"


async def make_ready(superuser_url: str, password: str) -> str:
    """Make database, control plane and the service's login where they are missing; give the login's URL.

    Harmless to repeat, and safe for processes that do it at once.
    """
    async with await connect(superuser_url) as connection:
        await _create_database(connection)
    async with await connect(with_parts(superuser_url, database=DATABASE)) as connection:
        report = await initialise(connection, Roles.prefixed(), create_roles=True)
        await set_login(connection, SERVICE_LOGIN, password, ("migrator", "loader", "app", "auditor"))
    if report.changed and report.version_before is not None:
        from .databases import bring_forward

        await bring_forward(with_parts(superuser_url, database=DATABASE))
    return with_parts(superuser_url, database=DATABASE, user=SERVICE_LOGIN, password=password)


async def _create_database(connection: AsyncConnection[Any]) -> None:
    with translated():
        async with connection.cursor() as cursor:
            await cursor.execute(query("bootstrap.database_exists"), {"name": DATABASE})
            found = await cursor.fetchone()
            if found and found[0]:
                return
            # CREATE DATABASE cannot be in a transaction: the session's lock lets one process do it and the others look. There are no
            # tenants yet who could take it.
            await cursor.execute(query("bootstrap.lock"))
            await cursor.execute(query("bootstrap.database_exists"), {"name": DATABASE})
            row = await cursor.fetchone()
            if not (row and row[0]):
                await cursor.execute(compose("bootstrap.create_database", database=identifier(DATABASE)))
            await cursor.execute(query("bootstrap.unlock"))


async def set_login(connection: AsyncConnection[Any], login: str, password: str, purposes: Sequence[str], roles: Roles | None = None) -> None:
    """Make a login, or give it this password, and let it act as the roles of these purposes."""
    with translated():
        await going_again(lambda: _set_login(connection, login, password, purposes, roles or Roles.prefixed()))


async def _set_login(connection: AsyncConnection[Any], login: str, password: str, purposes: Sequence[str], roles: Roles) -> None:
    async with connection.transaction():
        await connection.execute(query("control_plane.lock"))
        cursor = await connection.execute(query("roles.role_exists"), {"name": login})
        row = await cursor.fetchone()
        block = "roles.alter_login" if row and row[0] else "roles.create_login"
        await connection.execute(compose(block, login=identifier(login), password=sql.Literal(password)))
        for statement in login_statements(roles, login, tuple(purposes)):
            await connection.execute(statement)


async def init_host(url: str, *, roles: Roles | None, logins: Sequence[str] = ()) -> InitReport:
    """``tenancy init`` on a host's server.

    ``roles`` are the host's own, or ``Roles()`` for none; ``None`` makes ours where the login may make roles, and does
    without where it may not.
    """
    async with await connect(url) as connection:
        if roles is not None:
            return await initialise(connection, roles, create_roles=False, logins=logins)
        with translated():
            row = await (await connection.execute(query("bootstrap.may_create_roles"))).fetchone()
        may = bool(row and row[0])
        return await initialise(connection, Roles.prefixed() if may else Roles(), create_roles=may, logins=logins)


def with_parts(url: str, *, database: str, user: str | None = None, password: str | None = None) -> str:
    """The same server's URL with another database, and another login where one is given.

    What the URL says of them in its query, which is stronger, goes; the rest of it stays.
    """
    parts = urlsplit(url)
    place, said = parts.netloc, {"dbname"}
    if user is not None:
        place = f"{quote(user, safe='')}:{quote(password or '', safe='')}@{place.rpartition('@')[2]}"
        said |= {"user", "password", "passfile"}
    kept = "&".join(item for item in parts.query.split("&") if item and unquote(item.partition("=")[0]) not in said)
    return f"{parts.scheme}://{place}/{quote(database, safe='')}{'?' if kept else ''}{kept}"
