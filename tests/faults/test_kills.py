"""A short version of the kills, and the embedded server whose only user is killed."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from tenancy_fixtures._pg import embedded
from tenancy_fixtures._pg.bootstrap import DATABASE, with_parts
from tenancy_fixtures.base import FixtureManager
from tenancy_fixtures.settings import Settings

from .kills import Plan, kill_clients, schedule
from .observer import Observer, differences
from .workers import workers

SEED = 20250131
LIGHT = ("users", "artists")


def test_moments_are_seeded_and_spread_over_the_measured_time():
    spans = {"begin": 0.2, "created": 1.0}
    moments = schedule(200, spans, random.Random(SEED))
    assert moments == schedule(200, spans, random.Random(SEED))
    assert moments != schedule(200, spans, random.Random(SEED + 1))
    assert len(moments) == 200
    assert sum(moment.seen is not None for moment in moments) == 20
    for after, span in spans.items():
        seconds = sorted(moment.seconds for moment in moments if moment.after == after and not moment.seen)
        steps = [later - earlier for earlier, later in zip(seconds, seconds[1:])]
        assert len(seconds) >= 70
        assert seconds[0] < span / 50
        assert span < seconds[-1] < span * 1.06
        assert max(steps) < span / 30


def test_a_killed_client_leaves_whole_tenants_or_none(admin_url):
    result = asyncio.run(kill_clients(Plan(12, 4, SEED, LIGHT, calibration=1), admin_url))
    assert result["problems"] == []
    faults = {name: result[name] for name in ("half_made", "lost_rows", "double_effects", "unreconciled")}
    assert faults == {"half_made": 0, "lost_rows": 0, "double_effects": 0, "unreconciled": 0}
    # What makes the zeros worth something: kills fell inside transactions, runs died of them, and half tenants are seen.
    assert result["inside_transaction"] > 0.2
    assert result["runs"]["crashed"] >= 1
    assert result["control"]["half_made"] >= 1


def test_differences_name_what_is_torn():
    whole = {"registry": {"tier": "free"}, "structure": "a", "rows": {"users": 2}, "trace": {"audit tenant:created": 1}}
    assert differences(whole, dict(whole)) == []
    torn = {"registry": None, "structure": "b", "rows": {"users": 1}, "trace": {"audit tenant:created": 2}}
    assert differences(torn, whole) == [
        "registry: is missing",
        "rows: users: 1 and not 2",
        "structure: is there, and differs",
        "trace: audit tenant:created: 2 and not 1",
    ]


@pytest.fixture
def home():
    """A folder for an embedded server that only workers use."""
    folder = Path(tempfile.mkdtemp(prefix="tenancy-faults-"))
    folder.chmod(0o755)
    yield folder / "server"
    with contextlib.suppress(FileNotFoundError):
        embedded.stop(Settings.from_env(data_dir=folder / "server"))
    shutil.rmtree(folder)


@pytest.mark.parametrize("wait", [False, True], ids=["at once", "after the server has gone"])
def test_the_embedded_server_when_its_only_user_is_killed_in_a_load(home, wait):
    asyncio.run(_only_user(Settings.from_env(data_dir=home, embedded_idle=1), wait))


async def _only_user(settings, wait):
    await _kill_in_load({"TENANCY_DATA_DIR": str(settings.data_dir), "TENANCY_EMBEDDED_IDLE": "1"})
    if wait:
        await _gone(settings)
    async with FixtureManager(settings) as manager:
        with embedded.acquire(settings) as server:
            left = await _look(server.superuser_url)
            report = await manager.load_fixtures("only")
            loaded = await _look(server.superuser_url)
    assert left["registry"]
    assert left["config"]
    assert left["ledger"] == []
    assert sum(left["rows"].values()) == 0
    assert left["rows"].keys() == loaded["rows"].keys()
    assert left["orphans"] == []
    assert len(report.datasets) == len(loaded["ledger"]) > 5
    assert sum(loaded["rows"].values()) > 80_000


async def _kill_in_load(environment):
    with workers(environment) as staff:
        worker = staff.take()
        try:
            await worker.begin(way="whole", tenant="only", datasets=None)
            await worker.hear("created")
            await asyncio.sleep(0.3)  # of more than a second that the load takes
        finally:
            worker.kill()


async def _look(superuser_url):
    async with await psycopg.AsyncConnection.connect(with_parts(superuser_url, database=DATABASE), autocommit=True) as connection:
        return await Observer(connection).look("only")


async def _gone(settings):
    deadline = time.monotonic() + 60
    while embedded.status(settings).running:
        assert time.monotonic() < deadline, "the server outlives its only user"
        await asyncio.sleep(0.1)
