"""Behind PgBouncer in transaction mode: two connections for eight tenants, and nobody reads a neighbour's row.

``POOLER_TRANSACTIONS`` says how many transactions are tried, over the three ways together.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import socket
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from tenancy_fixtures import FixtureManager, Settings
from tenancy_fixtures.integrations.sqlalchemy import TenantSessions, tenant_context
from tests.conftest import PASSWORD, ROLES, SERVICE

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1200)]

TRANSACTIONS = int(os.environ.get("POOLER_TRANSACTIONS", "1500"))
TENANTS = [f"tenant-{number}" for number in range(8)]
TASKS = 16
WHOSE = "SELECT name, set_config('search_path', current_setting('search_path'), true) FROM whose"

CONFIG = """
[databases]
{database} = host={host} port={port} dbname={database} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
auth_type = any
pool_mode = transaction
default_pool_size = 2
max_client_conn = 200
server_reset_query_always = 0
unix_socket_dir =
logfile = {folder}/log
pidfile = {folder}/pid
"""


@pytest.fixture
def pooler(admin_url: str, database: str, tmp_path: Path):
    """The URL of a PgBouncer with two connections to the test's database."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = conninfo_to_dict(admin_url)
    folder = tmp_path / "pgbouncer"
    folder.mkdir()
    facts = {"database": database, "host": server.get("host", "127.0.0.1"), "port": server.get("port", "5432"), "user": SERVICE, "password": PASSWORD}
    (folder / "ini").write_text(CONFIG.format(**facts, listen=port, folder=folder))
    # PgBouncer refuses to run as root.
    user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    if user:
        for path in (folder, folder / "ini"):
            shutil.chown(path, "nobody", "nogroup")
        for parent in folder.parents:
            with suppress(PermissionError):
                parent.chmod(parent.stat().st_mode | 0o011) if parent.is_relative_to("/tmp") and parent != Path("/tmp") else None
    process = subprocess.Popen([*user, program, str(folder / "ini")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"postgresql://{SERVICE}@127.0.0.1:{port}/{database}"
    try:
        for _ in range(100):
            with suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=2):
                break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
async def manager_there(pooler: str, admin_database_url: str, settings: Settings, anyio_backend: str):
    """Eight tenants, each with its name in a table, and a manager that reaches them through the pooler."""
    async with FixtureManager(settings) as direct:
        for name in TENANTS:
            namespace = (await direct.create_tenant(name)).namespace
            with psycopg.connect(admin_database_url) as connection:
                connection.execute(f'CREATE TABLE "{namespace}".whose (name text)')
                connection.execute(f'INSERT INTO "{namespace}".whose VALUES (%s)', [name])
                (role,) = connection.execute("SELECT role::text FROM tenancy.tenants WHERE tenant_id = %s", [name]).fetchone()
                # The control works with the application's own role, as an installation without roles for each tenant does.
                connection.execute(f'GRANT USAGE ON SCHEMA "{namespace}" TO {ROLES.app}')
                connection.execute(f'GRANT SELECT ON "{namespace}".whose TO {role}, {ROLES.app}')
    async with FixtureManager(settings.with_changes(database_url=pooler, pooler=True)) as manager:
        yield manager


class Mishap(Exception):
    """What happens in the middle of a host's transaction."""


async def shared_out(count: int, work) -> Counter:
    """Do work so many times over the tasks, each time for a tenant at random; some of it is cancelled, some fails."""
    chance, seen = random.Random(5), Counter()
    plan = iter([(chance.choice(TENANTS), chance.random()) for _ in range(count)])

    async def one() -> None:
        for tenant, luck in plan:
            try:
                found = await asyncio.wait_for(work(tenant, luck), 0.004 if luck < 0.02 else 60)
            except (asyncio.TimeoutError, Mishap, DBAPIError) as error:
                seen[type(error).__name__] += 1
                continue
            seen["right" if found == tenant else "wrong"] += 1

    await asyncio.gather(*(one() for _ in range(TASKS)))
    return seen


async def reads(session: AsyncSession, luck: float) -> str:
    if luck < 0.02:
        await session.execute(text("SELECT pg_sleep(0.02)"))
    found = (await session.execute(text(WHOSE))).scalar_one()
    await asyncio.sleep(0)
    if luck > 0.97:
        raise Mishap
    assert (await session.execute(text(WHOSE))).scalar_one() == found
    return found


async def test_nobody_reads_a_neighbours_row(manager_there: FixtureManager, pooler: str, settings: Settings):
    seen = {}

    async def through_ours(tenant: str, luck: float) -> str:
        async with manager_there.session(tenant) as session:
            return await reads(session, luck)

    seen["ours"] = await shared_out(TRANSACTIONS // 3, through_ours)

    url = pooler.replace("postgresql://", "postgresql+psycopg://")
    engine = create_async_engine(url, connect_args={"prepare_threshold": None}, pool_size=TASKS)
    TenantSessions(engine, settings=settings)

    async def through_async(tenant: str, luck: float) -> str:
        with tenant_context(tenant):
            async with AsyncSession(engine) as session:
                return await reads(session, luck)

    seen["async"] = await shared_out(TRANSACTIONS // 3, through_async)
    await engine.dispose()

    plain = create_engine(url, connect_args={"prepare_threshold": None}, pool_size=TASKS)
    TenantSessions(plain, settings=settings)
    threads = ThreadPoolExecutor(TASKS)

    def in_a_thread(tenant: str, luck: float) -> str:
        with tenant_context(tenant), Session(plain) as session:
            found = session.execute(text(WHOSE)).scalar_one()
            if luck > 0.97:
                raise Mishap
            assert session.execute(text(WHOSE)).scalar_one() == found
            return found

    async def through_sync(tenant: str, luck: float) -> str:
        return await asyncio.get_running_loop().run_in_executor(threads, in_a_thread, tenant, luck)

    seen["sync"] = await shared_out(TRANSACTIONS // 3, through_sync)
    threads.shutdown()
    plain.dispose()
    for way, counts in seen.items():
        assert counts["wrong"] == 0, (way, counts)
        assert counts["right"] > TRANSACTIONS // 3 * 0.9, (way, counts)
        assert counts["Mishap"] > 0, (way, counts)
    assert seen["ours"]["TimeoutError"] + seen["async"]["TimeoutError"] > 0


async def test_a_session_level_search_path_does_show_them(manager_there: FixtureManager, pooler: str):
    """What the other test would find: the same run with what many do."""
    engine = create_async_engine(
        pooler.replace("postgresql://", "postgresql+psycopg://"),
        connect_args={"prepare_threshold": None},
        isolation_level="AUTOCOMMIT",
        pool_size=TASKS,
    )

    async def without_us(tenant: str, luck: float) -> str:
        async with engine.connect() as connection:
            await connection.execute(text(f"SET ROLE {ROLES.app}"))
            await connection.execute(text(f"SET search_path = 't_{tenant.replace('-', '_')}'"))
            await asyncio.sleep(0)
            return (await connection.execute(text("SELECT name FROM whose"))).scalar_one()

    seen = await shared_out(300, without_us)
    await engine.dispose()
    assert seen["wrong"] > 0, seen
