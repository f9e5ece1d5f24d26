"""Loads one file of tracks into a tenant that it makes, in a process of its own, and prints seconds and peak memory."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time

from tenancy_fixtures import FixtureManager, Settings


async def load(url: str, tenant_id: str, path: str) -> None:
    """Measure the load alone; the tenant is there before."""
    async with FixtureManager(Settings.from_env(database_url=url)) as manager:
        await manager.create_tenant(tenant_id)
        began = time.perf_counter()
        report = await manager.load_fixtures(tenant_id, sources={"tracks": path})
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
    dataset = report.dataset("tracks")
    counts = {"read": dataset.read, "stored": dataset.stored, "duplicates": dataset.duplicates, "rejects": dataset.rejects, "lost": dataset.lost}
    print(json.dumps({"seconds": seconds, "peak_rss_mb": peak, **counts}))


if __name__ == "__main__":
    asyncio.run(load(*sys.argv[1:]))
