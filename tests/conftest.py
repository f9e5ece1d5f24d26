"""The servers that the suite runs against, one template database a session, and a clone of it for each test that asks.

``TENANCY_TEST_DATABASE_URL`` names an administrator's login on a PostgreSQL; without it the embedded server is started.
The code under test never connects as that administrator: it gets a login that may act as migrator and loader.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import psycopg
import pytest
from psycopg import sql

from tenancy_fixtures._pg import embedded
from tenancy_fixtures._pg.bootstrap import set_login, with_parts
from tenancy_fixtures._pg.control_plane import initialise
from tenancy_fixtures._pg.roles import Roles
from tenancy_fixtures.base import FixtureManager
from tenancy_fixtures.settings import Settings
from tests.databases import drop_database

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
ADMIN_URL = "TENANCY_TEST_DATABASE_URL"
REDIS_URL = "TENANCY_TEST_REDIS_URL"
ROLES = Roles.prefixed("tenancy_test")
SERVICE, APP, PASSWORD = "tenancy_test_service", "tenancy_test_application", "only-for-tests"
_started: list[Any] = []

# The same examples each time: what a change breaks is the change's doing. `--hypothesis-profile=default` looks for new ones.
hypothesis.settings.register_profile(
    "same", derandomize=True, deadline=None, phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate, hypothesis.Phase.shrink]
)
hypothesis.settings.load_profile("same")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Find or start the servers before anything else is said: the suite's first line names them."""
    if hasattr(session.config, "workerinput"):
        return
    # Settings of whoever runs the suite must not reach the code under test.
    for name in [name for name in os.environ if name.startswith("TENANCY_") and name not in (ADMIN_URL, REDIS_URL, "TENANCY_REAL_DATA")]:
        del os.environ[name]
    if ADMIN_URL not in os.environ:
        folder = Path(tempfile.mkdtemp(prefix="tenancy-tests-"))
        folder.chmod(0o755)
        server = embedded.acquire(Settings.from_env(data_dir=folder / "server", embedded_idle=5))
        _started.extend([server, folder])
        os.environ[ADMIN_URL] = server.superuser_url
    print(_servers())  # noqa: T201 - before pytest's own reporter says anything


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was started."""
    if _started and not hasattr(config, "workerinput"):
        server, folder = _started
        embedded.stop(Settings.from_env(data_dir=server.data_dir))
        server.release()
        shutil.rmtree(folder, ignore_errors=True)
        _started.clear()


def _servers() -> str:
    with psycopg.connect(os.environ[ADMIN_URL], connect_timeout=10) as connection:
        row = connection.execute("SELECT current_setting('server_version'), inet_server_addr(), inet_server_port()").fetchone() or ()
    kind = "the embedded server" if _started else "a server that was given"
    return f"servers: PostgreSQL {row[0]} on {row[1]}:{row[2]} ({kind}); {_redis()}"


def _redis() -> str:
    url = os.environ.get(REDIS_URL)
    if not url:
        return "no Redis (nothing needs one yet)"
    from redis import Redis

    with Redis.from_url(url, socket_connect_timeout=5) as client:
        return f"Redis {client.info('server')['redis_version']}"


@pytest.fixture(scope="session")
def admin_url() -> str:
    """An administrator's login: for what a test does around the code under test."""
    return os.environ[ADMIN_URL]


@pytest.fixture(scope="session")
def template_database(admin_url: str) -> Iterator[str]:
    """A database with a control plane, roles and logins, that nobody connects to: tests clone it."""
    name = f"tenancy_test_{secrets.token_hex(4)}"
    _administer(admin_url, "CREATE DATABASE {}", name)
    asyncio.run(_prepare(with_parts(admin_url, database=name)))
    yield name
    drop_database(admin_url, name)


async def _prepare(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await initialise(connection, ROLES, create_roles=True)
        await set_login(connection, SERVICE, PASSWORD, ("migrator", "loader", "app", "auditor"), ROLES)
        await set_login(connection, APP, PASSWORD, ("app",), ROLES)


@pytest.fixture
def database(admin_url: str, template_database: str) -> Iterator[str]:
    """The name of a fresh clone of the template database."""
    name = f"tenancy_test_{secrets.token_hex(6)}"
    _administer(admin_url, "CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log", name, template_database)
    # CREATE on a database is not copied with it.
    _administer(admin_url, "GRANT CREATE, TEMPORARY ON DATABASE {} TO {}", name, str(ROLES.migrator))
    _administer(admin_url, "GRANT TEMPORARY ON DATABASE {} TO {}", name, str(ROLES.loader))
    yield name
    drop_database(admin_url, name)


@pytest.fixture
def database_url(admin_url: str, database: str) -> str:
    """The service's login on a fresh database: what the code under test connects with."""
    return with_parts(admin_url, database=database, user=SERVICE, password=PASSWORD)


@pytest.fixture
def admin_database_url(admin_url: str, database: str) -> str:
    """The administrator's login on the same database: to look at what the code under test did, and to break things."""
    return with_parts(admin_url, database=database)


@pytest.fixture
def app_database_url(admin_url: str, database: str) -> str:
    """The host application's login on the same database."""
    return with_parts(admin_url, database=database, user=APP, password=PASSWORD)


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Settings for a fresh database."""
    return Settings.from_env(database_url=database_url)


@pytest.fixture
def manager(settings: Settings) -> FixtureManager:
    """A manager on a fresh database; open it with ``async with``."""
    return FixtureManager(settings)


@pytest.fixture
def anyio_backend() -> str:
    """The one loop that the driver knows."""
    return "asyncio"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real files, in ``$TENANCY_REAL_DATA`` or beside the project; the test says so where it is not there."""
    folder = Path(os.environ.get("TENANCY_REAL_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real files in {folder}: set TENANCY_REAL_DATA")
    return folder


def _administer(url: str, statement: str, *names: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*(sql.Identifier(name) for name in names)))
