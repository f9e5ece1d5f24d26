"""A clean tenant for each of many tests, beside a schema that ``create_all`` makes for each of them and that is dropped afterwards.

Both suites have the tables of the default pack, both begin with empty ones, and each test writes a row and commits. What counts is the whole
process: its start, and for the library the making of the template and the removal of all that was made. The peer runs a tenth of the tests: the
time from its first to its last test is multiplied. It is spared the question whether each table is there already.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from benchmarks._measure import interleave, ratio, result, spread
from benchmarks._server import about, database, server
from tenancy_fixtures import FixtureManager, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 3
TESTS = 500
WORKERS = (1, 4)
SHAPE = "bench_shape"
_A_TENTH = 10

_TEST = """
import pytest
from sqlalchemy import text


@pytest.mark.parametrize("number", range({tests}))
def test_that_writes(session, number):
    session.execute(text("INSERT INTO users (handle, display_name) VALUES ('a', 'A')"))
    session.commit()
    assert session.execute(text("SELECT count(*) FROM users")).scalar() == {rows} + 1
"""
_CLOCK = """
import os
import time
from pathlib import Path

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    began = time.time()
    done = yield
    with Path(f"times-{os.getpid()}").open("a") as file:
        file.write(f"{began} {time.time()}\\n")
    return done
"""
_KIT = """

@pytest.fixture
def session(tenant):
    with tenant.session() as session:
        yield session
"""
_CREATE_ALL = f"""
from sqlalchemy import CheckConstraint, MetaData, create_engine, text
from sqlalchemy.orm import Session


@pytest.fixture(scope="session")
def engine():
    engine = create_engine(os.environ["BENCH_URL"].replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def metadata(engine):
    metadata = MetaData()
    # Of a partitioned table it knows no parts, and makes a plain one.
    metadata.reflect(engine, schema="t_{SHAPE}", only=lambda name, _: not name.endswith("_other"))
    assert len(metadata.tables) > 30
    # Old SQLAlchemy takes outer parentheses off that are no pair, as in (a) = (b): https://github.com/sqlalchemy/sqlalchemy/issues/13157
    for table in metadata.tables.values():
        for check in table.constraints:
            if isinstance(check, CheckConstraint):
                check.sqltext = text(f"({{check.sqltext}})")
    return metadata


@pytest.fixture
def session(engine, metadata, request):
    name = f"made_{{os.getpid()}}_{{request.node.callspec.params['number']}}"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {{name}}"))
        metadata.create_all(connection.execution_options(schema_translate_map={{"t_{SHAPE}": name}}), checkfirst=False)
        connection.commit()
        connection.execution_options(schema_translate_map=None).execute(text(f"SET search_path = {{name}}"))
        connection.commit()
        yield Session(connection)
        connection.rollback()
        connection.execute(text(f"DROP SCHEMA {{name}} CASCADE"))
        connection.commit()
"""


class Suites:
    """The folders of both, and how they are run."""

    def __init__(self, folder: Path, admin: str, url: str, tests: int) -> None:
        self._admin, self._url, self._tests = admin, url, tests
        self._few = max(tests // _A_TENTH, 4)
        self._kit = self._write(folder / "kit", _KIT, tests, "tenancy_datasets = none")
        self._rows = self._write(folder / "rows", _KIT, tests, "", rows=200)
        self._peer = self._write(folder / "peer", _CREATE_ALL, self._few, "")

    def kit(self, workers: int, *, rows: bool = False) -> float:
        """Seconds of all tests with a clean tenant each; nothing of them may be left."""
        seconds = self._run(self._rows if rows else self._kit, workers)
        left = left_behind(self._admin)
        if left:
            sys.exit(f"left behind: {left}")
        return seconds

    def create_all(self, workers: int) -> float:
        """Seconds of all tests with a schema made for each, from those of some."""
        seconds = self._run(self._peer, workers)
        times = [line.split() for path in self._peer.glob("times-*") for line in path.read_text().splitlines()]
        testing = max(float(end) for _, end in times) - min(float(start) for start, _ in times)
        return seconds + testing * (self._tests - self._few) / self._few

    def _write(self, folder: Path, fixture: str, tests: int, option: str, *, rows: int = 0) -> Path:
        folder.mkdir()
        (folder / "pytest.ini").write_text(f"[pytest]\n{option}\n", encoding="utf-8")
        (folder / "conftest.py").write_text(_CLOCK + fixture, encoding="utf-8")
        (folder / "test_all.py").write_text(_TEST.format(tests=tests, rows=rows), encoding="utf-8")
        return folder

    def _run(self, folder: Path, workers: int) -> float:
        for path in folder.glob("times-*"):
            path.unlink()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TENANCY_", "PYTEST_"))}
        parallel = ["-n", str(workers), "--dist", "load"] if workers > 1 else []
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *parallel]
        began = time.perf_counter()
        environment = {**kept, "TENANCY_TEST_DATABASE_URL": self._admin, "BENCH_URL": self._url}
        done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            sys.exit(f"the suite in {folder.name} failed:\n{done.stdout[-3000:]}")
        return time.perf_counter() - began


def left_behind(admin: str) -> list[str]:
    """Databases and roles of runs that nobody is at."""
    from tenancy_fixtures._pg.sql import query

    with psycopg.connect(admin) as connection:
        return [str(row[0]) for row in connection.execute(query("testkit.forsaken"))]


@contextmanager
def shape(url: str) -> Iterator[None]:
    """A tenant whose tables the peer reads what it makes from."""

    async def work(drop: bool) -> None:
        async with FixtureManager(Settings.from_env(database_url=url)) as manager:
            await (manager.drop_tenant(SHAPE) if drop else manager.create_tenant(SHAPE))

    asyncio.run(work(drop=False))
    try:
        yield
    finally:
        asyncio.run(work(drop=True))


def run(tests: int, rounds: int, database_url: str | None, *, peers: bool = True) -> dict[str, Any]:  # noqa: ARG001 - SQLAlchemy is there anyway
    """Measure and give the result."""
    with (
        tempfile.TemporaryDirectory(prefix="tenancy-bench-") as name,
        server(database_url, Path(name)) as admin,
        database(admin) as url,
        shape(url),
    ):
        version, settings = about(url, embedded_one=database_url is None)
        suites = Suites(Path(name), admin, url, tests)
        contenders = {f"kit_{workers}": partial(suites.kit, workers) for workers in WORKERS}
        contenders |= {f"create_all_{workers}": partial(suites.create_all, workers) for workers in WORKERS}
        contenders["kit_1_with_rows"] = partial(suites.kit, 1, rows=True)
        seconds = interleave(contenders, rounds, {"kit_1_with_rows": 1})
    pairs = {workers: ratio(seconds[f"create_all_{workers}"], seconds[f"kit_{workers}"]) for workers in WORKERS}
    figures: dict[str, Any] = {f"{name}_seconds": spread(values) for name, values in seconds.items()}
    figures |= {"left_behind": 0, "ratios_spread": {f"vs_create_all_{workers}": found for workers, found in pairs.items()}, "missing": {}}
    medians = {f"vs_create_all_{workers}": found["median"] for workers, found in pairs.items()}
    ratios = {"vs_create_all": min(medians.values()), **medians}
    return result("testkit", version, figures, ratios, {}, tests=tests, rounds=rounds, server=settings)
