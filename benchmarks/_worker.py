"""Loads files of tracks into a tenant that it makes, in a process of its own; the task is JSON on stdin, the result JSON on stdout.

The tenant is there before, and so are its artists. What is measured is ``load_fixtures`` alone, with the libraries that it
needs imported: no interpreter's start is counted to anybody.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from benchmarks._tracks import ARTISTS
from tenancy_fixtures import FixtureManager, Pack, Settings
from tenancy_fixtures._rowify import row_script
from tenancy_fixtures.runtime import Runtime

if TYPE_CHECKING:
    from tenancy_fixtures._shapes import RunReport, Tenant

TICK = 0.001  # seconds that the probe of the loop sleeps


async def main(task: dict[str, Any]) -> dict[str, Any]:
    """Make the tenant, load each file in turn, and say what it took."""
    _import_all()
    result: dict[str, Any] = {"loads": []}
    settings, isolation = Settings.from_env(database_url=task["login"]), task.get("isolation", "schema")
    async with FixtureManager(settings, pack=await _pack(task["pack"], settings, isolation)) as manager:
        tenant = await manager.create_tenant(task["tenant"], isolation=isolation)
        _fill_artists(task["url"], tenant, task["artists"])
        if task.get("probe"):
            result["idle"] = await _idle(float(task["probe"]))
        lags: list[float] = []
        probe = asyncio.create_task(_probe(lags)) if task.get("probe") else None
        for path in task["files"]:
            began, worked = time.perf_counter(), time.process_time()
            report = await manager.load_fixtures(task["tenant"], sources={"tracks": path})
            result["loads"].append({"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - worked, **_facts(report)})
            if len(task["files"]) > 1:
                # What is loaded next is compared with what is there: nobody's work shall wait for the disk.
                await asyncio.to_thread(_settle, task["url"], tenant.namespace)
        if probe is not None:
            probe.cancel()
            result["lags"] = lags
        if task.get("validate"):
            result["validations"] = [await _validate(manager, task["tenant"])]
            began = time.perf_counter()
            await manager.record(task["tenant"])
            result["record_seconds"] = time.perf_counter() - began
            result["validations"].append(await _validate(manager, task["tenant"]))
    return {**result, "peak_rss_mb": _peak_mb()}


async def _validate(manager: FixtureManager, tenant: str) -> dict[str, Any]:
    began = time.perf_counter()
    report = await manager.validate(tenant)
    return {"seconds": time.perf_counter() - began, "checks": report.checks, "findings": [item.to_dict() for item in report.findings]}


async def _pack(folder: str, settings: Settings, isolation: str) -> Pack:
    """The pack; where tenants share tables, with what makes them such."""
    pack = Pack.from_folder(folder)
    if isolation != "row":
        return pack
    runtime = await Runtime.open(settings)
    try:
        return replace(pack, row_sql=await row_script(pack, runtime))
    finally:
        await runtime.close()


def _import_all() -> None:
    import pgpq  # noqa: F401
    import polars as pl  # noqa: F401
    import pyarrow.compute
    import pyarrow.csv
    import pyarrow.parquet  # noqa: F401

    import tenancy_fixtures._ingest
    import tenancy_fixtures._pg.copy  # noqa: F401


def _fill_artists(url: str, tenant: Tenant, artists: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("SELECT set_config('tenancy.tenant_uid', %s, true)", [str(tenant.uid)])
        connection.execute(sql.SQL(ARTISTS).format(schema=sql.Identifier(tenant.namespace), artists=sql.Literal(artists)))
    _settle(url, tenant.namespace)


def _settle(url: str, schema: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for table in ("artists", "tracks"):
            connection.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(schema, table)))
        connection.execute("CHECKPOINT")


def _facts(report: RunReport) -> dict[str, Any]:
    dataset = report.dataset("tracks")
    facts = {name: getattr(dataset, name) for name in ("read", "stored", "duplicates", "rejects", "lost", "skipped")}
    return {**facts, "phases": {phase.name: round(phase.seconds, 3) for phase in report.phases}}


async def _idle(seconds: float) -> list[float]:
    """The same probe while nothing is done: what the machine and the interpreter take by themselves."""
    lags: list[float] = []
    probe = asyncio.create_task(_probe(lags))
    await asyncio.sleep(seconds)
    probe.cancel()
    return lags


async def _probe(lags: list[float]) -> None:
    """How many seconds later than asked for the loop comes back, again and again."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(TICK)
        lags.append(time.perf_counter() - before - TICK)


def _peak_mb() -> float:
    """The highest resident set of this process alone, in MB of 10⁶ bytes.

    On Linux ``getrusage`` also knows the peak of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        peak = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.load(sys.stdin)))))
