"""What the acceptance tests share: a database a module, a look at all of it, an open manager with a tenant, a pack to spoil."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tenancy_fixtures import FixtureManager, Settings
from tenancy_fixtures._pg.bootstrap import with_parts
from tenancy_fixtures.packs import DEFAULT_FOLDER

pytest.register_assert_rewrite("tests.acceptance.support")

from tests.acceptance.own_databases import ApartManager, ApartState, template_of  # noqa: E402
from tests.acceptance.sharing import Neighbour, SharedManager, SharedState  # noqa: E402
from tests.acceptance.support import PackFolder, State  # noqa: E402
from tests.databases import drop_database  # noqa: E402


@pytest.fixture(scope="module")
def database(admin_url: str, template_database: str) -> Iterator[str]:
    """One clone for all tests of a module: making and dropping one waits for a checkpoint each time."""
    name = f"tenancy_test_{secrets.token_hex(6)}"

    def run(statement: str, *names: str) -> None:
        with psycopg.connect(admin_url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*(sql.Identifier(part) for part in names)))

    run("CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log", name, template_database)
    run("GRANT CREATE, TEMPORARY ON DATABASE {} TO {}", name, "tenancy_test_migrator")
    run("GRANT TEMPORARY ON DATABASE {} TO {}", name, "tenancy_test_loader")
    yield name
    template = template_of(with_parts(admin_url, database=name))
    drop_database(admin_url, name, *([template] if template else []))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that a module names in ``SHARED_TOO`` are about tenants however they are kept apart; all but those in ``ALONE`` where it says ``all``.

    With ``APART_TOO`` they are tried with a database for each tenant as well, which takes the longest.
    """
    if "isolation" in metafunc.fixturenames:
        named, alone, name = getattr(metafunc.module, "SHARED_TOO", ()), getattr(metafunc.module, "ALONE", ()), metafunc.function.__name__
        shared = name not in alone if named == "all" else name in named
        apart = shared and getattr(metafunc.module, "APART_TOO", False)
        if shared:
            metafunc.parametrize("isolation", ["schema", "row", *(["database"] if apart else [])], indirect=True)


@pytest.fixture
def isolation(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "schema"))


@pytest.fixture
def state(admin_database_url: str, isolation: str) -> State:
    kinds: dict[str, type[State]] = {"row": SharedState, "database": ApartState}
    return kinds.get(isolation, State)(admin_database_url)


@pytest.fixture(autouse=True)
def _neighbour(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, _nobody_left: None) -> Iterator[None]:
    """Where tenants share tables there is one more, whose rows are the same after the test."""
    if "isolation" not in request.fixturenames or request.getfixturevalue("isolation") != "row":
        yield
        return
    neighbour = Neighbour(request.getfixturevalue("state"))
    neighbour.remember()
    monkeypatch.setattr(SharedManager, "folder", request.getfixturevalue("tmp_path_factory").mktemp("neighbour"), raising=False)
    monkeypatch.setattr(SharedManager, "neighbour", neighbour, raising=False)
    monkeypatch.setattr(request.module, "FixtureManager", SharedManager)
    yield
    assert neighbour.look() == neighbour.rows


@pytest.fixture(autouse=True)
def _apart(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, _nobody_left: None) -> Iterator[None]:
    """Where tenants have databases of their own, those are gone with the test."""
    if "isolation" not in request.fixturenames or request.getfixturevalue("isolation") != "database":
        yield
        return
    state = request.getfixturevalue("state")
    monkeypatch.setattr(ApartManager, "state", state, raising=False)
    monkeypatch.setattr(request.module, "FixtureManager", ApartManager)
    yield
    state.clear()


_MANAGERS: dict[str, type[FixtureManager]] = {"row": SharedManager, "database": ApartManager}


@pytest.fixture
def manager(settings: Settings, isolation: str) -> FixtureManager:
    """A manager on the module's database; open it with ``async with``."""
    return _MANAGERS.get(isolation, FixtureManager)(settings)


@pytest.fixture(autouse=True)
def _nobody_left(request: pytest.FixtureRequest) -> None:
    """Every test begins without tenants and without a trace of others; but for those that prove to leave none."""
    keeps = request.getfixturevalue("isolation") if "kept" in request.fixturenames else None
    follows = request.module.__dict__.get("_kept")
    request.module.__dict__["_kept"] = keeps
    if "state" in request.fixturenames and (keeps is None or keeps != follows):
        request.getfixturevalue("state").clear()


@pytest.fixture
async def acme(manager: FixtureManager, state: State, anyio_backend: str) -> AsyncIterator[FixtureManager]:
    """An open manager, and a tenant ``acme``."""
    async with manager:
        await manager.create_tenant("acme")
        yield manager


@pytest.fixture
async def kept(manager: FixtureManager, state: State, anyio_backend: str) -> AsyncIterator[FixtureManager]:
    """The same, for tests after which everything is as it was: the tenant stays for the next one."""
    async with manager:
        await manager.create_tenant("acme", exist_ok=True)
        yield manager


@pytest.fixture
def spoilt(tmp_path: Path) -> PackFolder:
    """A copy of the default pack without its data, and without its checks, which are about its tables."""
    folder = tmp_path / "pack"
    shutil.copytree(DEFAULT_FOLDER, folder, ignore=shutil.ignore_patterns("data", "__pycache__", "*.py"))
    (folder / "data").mkdir()
    pack = PackFolder(folder)
    pack.manifest(checks=[])
    return pack


@pytest.fixture
def reachable(tmp_path: Path) -> Path:
    """A folder that a user who is not root can reach."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/") and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    return tmp_path
