"""A run is written down before its work, ends together with it, and is the only one on its tenant."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, ClassVar

import pytest
from psycopg import sql

from tenancy_fixtures import FixtureContext, FixtureManager
from tenancy_fixtures import journal as journal_module
from tenancy_fixtures._fixture import NO_RUN, Operation, run
from tenancy_fixtures._shapes import Finding, RunState, Step
from tenancy_fixtures.exceptions import (
    ConfigurationError,
    IdempotencyConflict,
    RunFenced,
    RunInProgress,
    TenancyError,
    ValidationFailed,
)
from tenancy_fixtures.journal import Journal, Run

from .marks import Mark, Second, Work, apply, broken

pytestmark = pytest.mark.anyio


# --- how a run ends -------------------------------------------------------------------------------------------------


async def test_a_run_that_succeeds_is_written_down_with_steps_report_and_audit(opened, look):
    report = await apply(opened, Mark(), Second())
    (row,) = look.runs()
    assert (row["run_id"], row["state"], row["operation"], row["actor"]) == (report.run_id, "succeeded", "try", "tenancy_test_service")
    assert row["report"] == report.to_dict()
    assert row["error"] is None
    assert row["finished_at"] > row["started_at"]
    steps = look("SELECT ordinal, fixture, action, object FROM tenancy.steps ORDER BY ordinal")
    assert [tuple(step.values()) for step in steps] == [(1, "mark", "create", "mark_acme"), (2, "second", "look", "mark")]
    assert look("SELECT action, run_id, actor FROM tenancy.audit_log") == [
        {"action": "tenant:changed", "run_id": report.run_id, "actor": "tenancy_test_service"}
    ]
    assert [phase.name for phase in report.phases] == ["mark", "second"]


async def refused(context: FixtureContext) -> None:
    await context.transaction.run(sql.SQL("SELECT 1 FROM nowhere"))


async def found_wrong(context: FixtureContext) -> list[Finding]:
    return [Finding("rule", "error", "object", "is wrong"), Finding("rule", "warning", "other", "could be better")]


@pytest.mark.parametrize(
    ("fixture", "kind", "step"),
    [
        (Second(broken), ZeroDivisionError, None),
        (Second(refused), TenancyError, "second: apply"),
        (Second(validating=found_wrong), ValidationFailed, "second: validate"),
        (Second(verifying=found_wrong), ValidationFailed, "second: verify"),
    ],
)
async def test_a_run_that_fails_leaves_its_record_and_nothing_else(opened, look, fixture, kind, step):
    with pytest.raises(kind) as caught:
        await apply(opened, Mark(), fixture)
    (row,) = look.runs()
    assert (row["state"], row["error"]["error"], row["report"]["state"]) == ("failed", type(caught.value).__name__, "failed")
    assert look.audit() == ["run:failed"]
    assert look.marks() == []
    assert look("SELECT * FROM tenancy.steps") == []
    assert "swordfish" not in str(row)
    if step is not None:
        assert (caught.value.step, caught.value.tenant, caught.value.run_id) == (step, "acme", str(row["run_id"]))
        assert row["error"]["step"] == step
    await apply(opened, Mark())
    assert look.marks() == ["mark_acme"]


async def test_a_warning_ends_no_run(opened, look):
    async def warned(context: FixtureContext) -> list[Finding]:
        return (await found_wrong(context))[1:]

    await apply(opened, Mark(validating=warned, verifying=warned))
    assert look.marks() == ["mark_acme"]


async def test_a_success_whose_answer_was_lost_is_not_audited_as_a_failure(opened, look):
    report = await apply(opened, Mark())
    runtime = await opened._runtime()
    await runtime.journal.fail(Run(report.run_id, "acme", "try", "migrator"), None, OSError(), report)
    assert [row["state"] for row in look.runs()] == ["succeeded"]
    assert look.audit() == ["tenant:changed"]


# --- the same again -------------------------------------------------------------------------------------------------


async def test_one_idempotency_key_has_one_effect(opened, look):
    first = await apply(opened, Mark(colour="red"), idempotency_key="k")
    again = await apply(opened, Mark(broken, colour="red"), idempotency_key="k")
    assert again == first
    assert len(look.runs()) == 1
    runtime = await opened._runtime()
    assert runtime.monitor.runs("try") == 1


async def test_a_key_stands_for_its_arguments(opened, look):
    await apply(opened, Mark(colour="red"), idempotency_key="k")
    for other in (
        lambda: apply(opened, Mark(colour="blue"), idempotency_key="k"),
        lambda: apply(opened, Mark(colour="red"), tenant="other", idempotency_key="k"),
        lambda: opened.apply(Mark(colour="red"), tenant_id="acme", operation="something else", idempotency_key="k"),
    ):
        with pytest.raises(IdempotencyConflict):
            await other()
    assert look.marks() == ["mark_acme"]


async def test_the_key_of_a_new_tenant_stands_for_its_configuration_too(opened):
    await opened.create_tenant("acme", config={"a": 1}, idempotency_key="k")
    assert (await opened.create_tenant("acme", config={"a": 1}, idempotency_key="k")).tenant_id == "acme"
    with pytest.raises(IdempotencyConflict):
        await opened.create_tenant("acme", config={"a": 2}, idempotency_key="k")
    await opened.drop_tenant("acme")
    with pytest.raises(IdempotencyConflict, match="was dropped"):
        await opened.create_tenant("acme", config={"a": 1}, idempotency_key="k")


async def test_the_key_of_a_run_that_failed_may_be_used_again(opened, look):
    with pytest.raises(ZeroDivisionError):
        await apply(opened, Mark(broken), idempotency_key="k")
    await apply(opened, Mark(), idempotency_key="k")
    assert [row["state"] for row in look.runs()] == ["failed", "succeeded"]


async def test_the_key_of_a_run_in_progress_is_told(opened, look):
    inside, go = asyncio.Event(), asyncio.Event()

    async def wait(context: FixtureContext) -> None:
        inside.set()
        await go.wait()

    task = asyncio.ensure_future(apply(opened, Mark(wait), idempotency_key="k"))
    await inside.wait()
    with pytest.raises(RunInProgress):
        await apply(opened, Mark(), idempotency_key="k")
    go.set()
    assert (await task).state is RunState.SUCCEEDED
    assert len(look.runs()) == 1


# --- the process dies -----------------------------------------------------------------------------------------------

DYING = """
    import asyncio
    from tenancy_fixtures import FixtureManager, Settings, journal
    from tests.integration.marks import Mark
    journal.RUN_LEASE_SECONDS = 0.7

    async def announce(context):
        print("in the middle", flush=True)
        await asyncio.sleep(60)

    async def main():
        async with FixtureManager(Settings.from_env()) as manager:
            await manager.apply(Mark(announce), tenant_id="acme", operation="try", idempotency_key="k")

    asyncio.run(main())
"""


def die_in_the_middle(url: str) -> None:
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "TENANCY_DATABASE_URL": url, "PYTHONPATH": os.pathsep.join([*sys.path, root])}
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(DYING)], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in the middle\n"
        process.send_signal(signal.SIGKILL)


async def test_a_run_whose_process_died_becomes_crashed_after_its_lease(opened, look, database_url):
    await asyncio.to_thread(die_in_the_middle, database_url)
    await apply(opened, Mark(), tenant="other")
    assert [row["state"] for row in look.runs()] == ["running", "succeeded"]
    with pytest.raises(RunInProgress):
        await apply(opened, Mark(), idempotency_key="k")
    await asyncio.sleep(0.9)
    report = await apply(opened, Mark(), idempotency_key="k")
    assert [row["state"] for row in look.runs()] == ["crashed", "succeeded", "succeeded"]
    assert look.audit() == ["tenant:changed", "run:crashed", "tenant:changed"]
    assert report.steps == (Step("mark", "create", "mark_acme"),)


async def test_a_slow_run_is_not_mistaken_for_a_dead_one(opened, look, monkeypatch):
    monkeypatch.setattr(journal_module, "RUN_LEASE_SECONDS", 0)

    async def meanwhile(context: FixtureContext) -> None:
        await apply(opened, Mark(), tenant="other")

    await apply(opened, Mark(meanwhile))
    assert {row["state"] for row in look.runs()} == {"succeeded"}
    assert "run:crashed" not in look.audit()


class Hesitant(Journal):
    """One that is declared dead between its start and its work."""

    async def start(self, session: Any, *arguments: Any, **facts: Any) -> Any:
        started = await super().start(session, *arguments, **facts)
        assert await self.reap(session, "migrator") == 1
        return started


async def test_a_run_that_was_declared_dead_writes_nothing(opened, look, monkeypatch):
    monkeypatch.setattr(journal_module, "RUN_LEASE_SECONDS", 0)
    runtime = await opened._runtime()
    runtime.journal = Hesitant(runtime.database, runtime.audit)
    with pytest.raises(RunFenced):
        await apply(opened, Mark())
    assert look.marks() == []
    assert [row["state"] for row in look.runs()] == ["failed"]
    assert look.audit() == ["run:crashed", "run:failed"]


# --- fixtures of one's own ------------------------------------------------------------------------------------------


async def test_a_dry_run_looks_and_writes_nothing(opened, look):
    report = await apply(opened, Mark(), dry_run=True)
    assert (report.run_id, report.dry_run, report.steps) == (NO_RUN, True, (Step("mark", "create", "mark_acme"),))
    assert (look.runs(), look.audit(), look.marks()) == ([], [], [])
    with pytest.raises(ValidationFailed) as caught:
        await apply(opened, Mark(validating=found_wrong), dry_run=True)
    assert (caught.value.tenant, caught.value.step) == ("acme", "mark: validate")
    assert [finding["message"] for finding in caught.value.findings] == ["is wrong"]


async def test_fixtures_come_after_what_they_need_and_go_before_it(opened, look):
    order: list[str] = []

    def told(name: str) -> Work:
        async def tell(context: FixtureContext) -> None:
            order.append(name)

        return tell

    await apply(opened, Second(told("second")), Mark(told("mark")))
    assert order == ["mark", "second"]
    runtime = await opened._runtime()
    operation = Operation("untry", "acme", (Mark(), Second()), backwards=True)
    assert [fixture.name for fixture in operation.in_order()] == ["second", "mark"]
    report = await run(runtime, opened.pack, operation)
    assert report.steps[0] == Step("second", "drop", "mark_acme")
    assert look.marks() == []


class Circle(Mark):
    name: ClassVar[str] = "circle"
    depends_on: ClassVar[tuple[str, ...]] = ("circle",)


@pytest.mark.parametrize("fixtures", [(), (Mark(), Mark()), (Circle(),)])
async def test_fixtures_that_have_no_order_are_refused_before_anything_is_done(opened, look, fixtures):
    with pytest.raises(ConfigurationError):
        await apply(opened, *fixtures)
    assert look.runs() == []


async def test_what_is_switched_off_costs_nothing(settings, look):
    quiet = settings.with_changes(audit_logging=False, performance_monitoring=False)
    heard: list[str] = []
    async with FixtureManager(quiet, listener=lambda phase, records, size: heard.append(phase)) as manager:
        report = await apply(manager, Mark())
        with pytest.raises(ZeroDivisionError):
            await apply(manager, Mark(broken))
        await manager.create_tenant("acme")
        loaded = await manager.load_fixtures("acme", ["artists"])
        runtime = await manager._runtime()
        assert runtime.monitor.summary() == {}
    assert (report.phases, loaded.phases) == ((), ())
    assert look.audit() == []
    assert [row["state"] for row in look.runs()] == ["succeeded", "failed", "succeeded", "succeeded"]
    # Progress is no measurement: whoever asked for it still hears of it.
    assert "write artists" in heard


@pytest.mark.parametrize("key", ["", "a\0b", "a\udcffb"])
async def test_a_key_that_is_none(opened, key):
    with pytest.raises(ConfigurationError, match="idempotency key"):
        await opened.create_tenant("acme", idempotency_key=key)


@pytest.mark.parametrize(
    "given", [{"labels": {"a": {1}}}, {"config": {"a": object()}}, {"config": {1: 2}}, {"config": [1]}, {"features": "abc"}, {"labels": {"a": "\0"}}]
)
async def test_values_that_cannot_be_kept_are_refused_before_anything_is_done(opened, look, given):
    with pytest.raises(ConfigurationError):
        await opened.create_tenant("acme", **given)
    assert look.runs() == []
