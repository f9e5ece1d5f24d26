"""Many runs at once, runs that take too long or are not wanted any more, and one manager on several event loops."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from typing import Any

import anyio
import pytest
from psycopg import sql

from tenancy_fixtures import FixtureContext, FixtureManager, Settings
from tenancy_fixtures.exceptions import ValidationTimeout

from .marks import Look, Mark, Second, apply, broken

pytestmark = pytest.mark.anyio

# --- at once --------------------------------------------------------------------------------------------------------


class Crowd:
    """How many are inside at once, and how many were at most."""

    def __init__(self) -> None:
        self.inside = self.most = self.all = 0

    async def __call__(self, context: FixtureContext) -> None:
        self.inside += 1
        self.all += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0.1)
        self.inside -= 1


async def test_two_tasks_on_one_tenant_go_one_after_the_other(opened):
    crowd = Crowd()
    reports = await asyncio.gather(*(apply(opened, Mark(crowd)) for _ in range(3)))
    assert (crowd.most, crowd.all) == (1, 3)
    assert sorted(len(report.steps) for report in reports) == [0, 0, 1]


async def test_never_more_than_ten_operations_at_once(opened, look):
    crowd = Crowd()
    await asyncio.gather(*(apply(opened, Mark(crowd), tenant=f"tenant_{number}") for number in range(25)))
    assert (crowd.most, crowd.all) == (10, 25)
    assert len(look.marks()) == 25


async def test_as_many_failures_at_once_are_all_written_down(opened, look):
    outcomes = await asyncio.gather(*(apply(opened, Mark(broken), tenant=f"t{number}") for number in range(20)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {ZeroDivisionError}
    assert {row["state"] for row in look.runs()} == {"failed"}
    assert look.audit() == ["run:failed"] * 20


# --- too slow, or not wanted any more -------------------------------------------------------------------------------


async def slow_statement(context: FixtureContext) -> None:
    await context.transaction.run(sql.SQL("SELECT pg_sleep(30)"))


async def slow_thread(context: FixtureContext) -> None:
    await asyncio.to_thread(time.sleep, 1.2)


async def slow_task(context: FixtureContext) -> None:
    await anyio.sleep(30)


def busy(look: Look) -> list[dict[str, Any]]:
    return look(
        "SELECT state, query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
        " AND backend_type = 'client backend'"
    )


@pytest.mark.parametrize("slow", [slow_statement, slow_thread, slow_task])
@pytest.mark.parametrize("when", ["validating", "verifying"])
async def test_a_validation_that_takes_too_long_is_cancelled_within_a_second_and_leaves_nothing(settings, look, slow, when):
    async with FixtureManager(settings.with_changes(validation_timeout=0.3)) as manager:
        began = time.monotonic()
        with pytest.raises(ValidationTimeout, match=r"0\.3 s"):
            await apply(manager, Mark(), Second(**{when: slow}))
        assert time.monotonic() - began < 1.3
        assert look.marks() == []
        assert busy(look) == []
        assert [row["state"] for row in look.runs()] == ["failed"]
        await apply(manager, Mark())
        assert look.marks() == ["mark_acme"]


@pytest.mark.parametrize("slow", [slow_statement, slow_task])
@pytest.mark.parametrize("way", ["task", "scope"])
async def test_a_run_that_is_cancelled_leaves_nothing_and_a_usable_pool(opened, look, slow, way):
    inside = asyncio.Event()

    async def signalled(context: FixtureContext) -> None:
        inside.set()
        await slow(context)

    began = time.monotonic()
    if way == "task":
        task = asyncio.ensure_future(apply(opened, Mark(signalled)))
        await inside.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
    else:
        with anyio.move_on_after(0.5) as scope:
            await apply(opened, Mark(signalled))
        assert inside.is_set()
        assert getattr(scope, "cancelled_caught", True)
    assert time.monotonic() - began < 5
    assert look.marks() == []
    assert busy(look) == []
    (row,) = look.runs()
    assert (row["state"], row["error"]) == ("failed", {"error": "Interrupted"})
    await asyncio.gather(*(apply(opened, Mark(), tenant=f"t{number}") for number in range(11)))
    assert len(look.marks()) == 11


async def test_a_cancel_that_the_server_missed_is_sent_again(opened, look):
    inside = asyncio.Event()

    async def deaf(context: FixtureContext) -> None:
        inside.set()
        # It takes the first cancel for its own affair; one that comes before its statement is as good as not sent.
        body = "BEGIN PERFORM pg_sleep(30); EXCEPTION WHEN query_canceled THEN PERFORM pg_sleep(30); END"
        await context.transaction.run(sql.SQL("DO {}").format(sql.Literal(body)))

    task = asyncio.ensure_future(apply(opened, Mark(deaf)))
    await inside.wait()
    await asyncio.sleep(0.3)
    task.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 5
    assert (look.marks(), busy(look)) == ([], [])
    assert [row["error"] for row in look.runs()] == [{"error": "Interrupted"}]


async def test_a_load_that_is_cancelled_leaves_no_row_and_can_be_run_again(settings, look):
    task: asyncio.Task[Any] | None = None

    def stop(phase: str, records: int, size: int) -> None:
        if phase.startswith("write") and task is not None:
            task.cancel()

    async with FixtureManager(settings, listener=stop) as manager:
        await manager.create_tenant("acme")
        task = asyncio.ensure_future(manager.load_fixtures("acme", ["artists"]))
        with pytest.raises(asyncio.CancelledError):
            await task
    assert look("SELECT count(*) AS rows FROM t_acme.artists") == [{"rows": 0}]
    assert look("SELECT * FROM tenancy.ledger") == []
    assert [row["state"] for row in look.runs()] == ["succeeded", "failed"]
    async with FixtureManager(settings) as manager:
        assert (await manager.load_fixtures("acme", ["artists"])).written > 0


# --- one loop after the other ---------------------------------------------------------------------------------------


def test_a_manager_works_on_one_event_loop_after_the_other(settings, look):
    manager = FixtureManager(settings)

    async def work(tenant: str) -> None:
        await apply(manager, Mark(), tenant=tenant)
        await manager.close()

    asyncio.run(work("one"))
    asyncio.run(work("two"))
    assert look.marks() == ["mark_one", "mark_two"]


def test_a_manager_that_is_never_closed_still_works_on_the_next_loop(database_url, look):
    code = """
        import asyncio
        from tenancy_fixtures import FixtureManager
        manager = FixtureManager()
        async def work():
            return len(await manager.list_tenants())
        print(asyncio.run(work()), asyncio.run(work()))
    """
    environment = {**os.environ, "TENANCY_DATABASE_URL": database_url, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, "0 0\n"), done.stderr
    assert done.stderr == ""


def test_settings_that_differ_have_runtimes_of_their_own(settings, database_url):
    async def work() -> tuple[bool, bool]:
        managers = [
            FixtureManager(settings),
            FixtureManager(Settings.from_env(database_url=database_url)),
            FixtureManager(settings.with_changes(batch_size=7)),
        ]
        runtimes = [await manager._runtime() for manager in managers]
        for manager in managers:
            await manager.close()
        return runtimes[0] is runtimes[1], runtimes[0] is runtimes[2]

    assert asyncio.run(work()) == (True, False)
