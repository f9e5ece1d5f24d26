"""Whatever the library does, the loop of the application around it goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tenancy_fixtures import DataLoader, FixtureManager, _dataset_load
from tenancy_fixtures._fixture import Operation, run
from tenancy_fixtures._ingest import Place
from tenancy_fixtures._ingest.stream import FrameStream
from tenancy_fixtures._pg.copy import TableWriter
from tests.acceptance.support import State

pytestmark = pytest.mark.anyio

# A callback that holds the loop for so long is no slice of work but a call that blocks: reading, parsing or encoding a
# file of this size in the loop takes several times as much, and a busy machine less.
BLOCKED = 0.5
BEAT = 0.005


@contextlib.asynccontextmanager
async def heartbeat() -> AsyncIterator[list[float]]:
    """The times at which a task of the application's own came to its turn."""
    beats = [time.perf_counter()]

    async def beat() -> None:
        while True:
            await asyncio.sleep(BEAT)
            beats.append(time.perf_counter())

    task = asyncio.ensure_future(beat())
    try:
        yield beats
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_load_leaves_the_loop_to_others(acme: FixtureManager, state: State, real_data: Path, caplog: pytest.LogCaptureFixture):
    loop = asyncio.get_running_loop()
    # Imports of the data engine are once a process, and hold the loop wherever they happen.
    await acme.load_fixtures("acme", datasets=["users"])
    caplog.set_level(logging.WARNING, logger="asyncio")
    loop.set_debug(True)
    loop.slow_callback_duration = BLOCKED
    try:
        async with heartbeat() as beats:
            began = time.perf_counter()
            report = await acme.load_fixtures("acme", sources={"tracks": real_data / "csv_hit_predictor"})
            took = time.perf_counter() - began
    finally:
        loop.set_debug(False)
    assert report.dataset("tracks").read == 41106
    slow = [record.getMessage() for record in caplog.records if "took" in record.getMessage()]
    assert slow == []
    # A load that blocked would let it beat once or twice; half of what an idle loop allows is far from both.
    assert len(beats) > 20, f"{len(beats)} beats in {took:.2f} s"


async def test_files_are_read_and_encoded_beside_the_loop(acme: FixtureManager, state: State, real_data: Path, monkeypatch: pytest.MonkeyPatch):
    """By who does the work and not by the clock: finding, digesting, reading and encoding are never the loop's."""
    workers: dict[str, set[int]] = {}

    def watch(home: Any, name: str) -> None:
        original = getattr(home, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            workers.setdefault(name, set()).add(threading.get_ident())
            return original(*args, **kwargs)

        monkeypatch.setattr(home, name, watched)

    watch(Place, "open")
    watch(_dataset_load, "content_digest")
    watch(_dataset_load, "content_sketch")
    watch(FrameStream, "__init__")
    watch(FrameStream, "__next__")
    watch(TableWriter, "encode")
    sources = {"tracks": real_data / "csv_hit_predictor"}
    await acme.load_fixtures("acme", sources=sources, dry_run=True)
    await acme.load_fixtures("acme", sources=sources)
    await acme.load_fixtures("acme", sources=sources)
    operation = Operation("take_back", "acme", (DataLoader(sources=sources),), backwards=True)
    await run(await acme._runtime(), acme.pack, operation)
    await acme.validate_pack()
    assert set(workers) == {"open", "content_digest", "content_sketch", "__init__", "__next__", "encode"}
    assert {name for name, threads in workers.items() if threading.get_ident() in threads} == set()


async def test_several_tenants_at_once(manager: FixtureManager, state: State):
    """Loads share the loop: they all go on together, and end alike."""
    names = [f"tenant_{number}" for number in range(3)]
    async with manager:
        await asyncio.gather(*(manager.create_tenant(name) for name in names))
        async with heartbeat() as beats:
            reports = await asyncio.gather(*(manager.load_fixtures(name, datasets=["users", "artists", "albums"]) for name in names))
    assert {report.written for report in reports} == {200 + 2500 + 4000}
    assert len(beats) > 10
    digests = {tuple(dataset.digest for dataset in report.datasets) for report in reports}
    assert len(digests) == 1


async def test_a_load_that_is_cancelled_leaves_nothing(acme: FixtureManager, state: State, real_data: Path):
    """At whatever moment: while the first files are read, written, or their indexes built."""
    before = state.snapshot()
    for seconds in (0.05, 0.2, 0.4):
        load = asyncio.ensure_future(acme.load_fixtures("acme", sources={"tracks": real_data / "csv_hit_predictor"}))
        await asyncio.sleep(seconds)
        assert load.cancel(), "it was over before it could be cancelled"
        with pytest.raises(asyncio.CancelledError):
            await load
        assert state.snapshot() == before
        assert (state.last_run()["state"], state.last_run()["error"]) == ("failed", {"error": "Interrupted"})
    assert (await acme.load_fixtures("acme", datasets=["users"])).dataset("users").stored == 200
