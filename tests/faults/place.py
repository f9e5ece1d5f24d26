"""Where the battery works: a server of its own, or one that is given; a database with a control plane and roles."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from tenancy_fixtures._pg import embedded
from tenancy_fixtures._pg.bootstrap import set_login, with_parts
from tenancy_fixtures._pg.control_plane import initialise
from tenancy_fixtures._pg.roles import Roles
from tenancy_fixtures.settings import Settings
from tests.databases import drop_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@dataclass(frozen=True)
class Place:
    """A database to do harm in. ``admin_url`` looks at it from outside, ``url`` is the service's login."""

    admin_url: str
    url: str
    version: str


@contextlib.contextmanager
def server(url: str | None) -> Iterator[str]:
    """An administrator's login on the server that is given, or on one of the battery's own that goes with it."""
    if url is not None:
        yield url
        return
    folder = Path(tempfile.mkdtemp(prefix="tenancy-faults-"))
    folder.chmod(0o755)  # root's substitute passes through
    settings = Settings.from_env(data_dir=folder / "server", embedded_idle=5)
    try:
        with embedded.acquire(settings) as running:
            try:
                yield running.superuser_url
            finally:
                embedded.stop(settings)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def database(url: str) -> AsyncIterator[Place]:
    """A fresh database on that server, with roles and a login of its own; all of it is removed at the end."""
    name, password = f"tenancy_faults_{secrets.token_hex(4)}", secrets.token_urlsafe(16)
    roles, login, admin_url = Roles.prefixed(name), f"{name}_service", with_parts(url, database=name)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as admin:
        await admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as inside:
                await initialise(inside, roles, create_roles=True)
                await set_login(inside, login, password, ("migrator", "loader", "auditor"), roles)
            version = str(admin.info.parameter_status("server_version"))
            yield Place(admin_url, with_parts(url, database=name, user=login, password=password), version)
        finally:
            # Of tenants whose schemas a test has taken away by itself, roles are left.
            query = "SELECT m.rolname::text FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member WHERE a.roleid = %s::regrole AND m.rolname ~ '^tenancy_t_'"
            left = [row[0] for row in await (await admin.execute(query, [str(roles.tenants)])).fetchall()]
            drop_database(url, name)
            for role in (*left, login, *(role for _, role in roles.named())):
                await admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))
