"""A process to be killed: makes a tenant and loads it, and says on stdout how far it has come.

It imports everything first and says ``ready``; then a line of JSON on stdin says what to do. ``whole`` is the library's
way; ``stepwise`` is the control: the same fixtures, each committed on its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import pgpq  # noqa: F401 - imported before the clock runs
import polars as pl  # noqa: F401 - likewise

import tenancy_fixtures._ingest.readers
import tenancy_fixtures._pg.copy  # noqa: F401 - likewise
from tenancy_fixtures._pg.catalog import read_tables, table_order
from tenancy_fixtures.base import FixtureManager
from tenancy_fixtures.config_fixtures import ConfigFixture
from tenancy_fixtures.runtime import Runtime
from tenancy_fixtures.schema_fixtures import SchemaFixture
from tenancy_fixtures.settings import Settings
from tenancy_fixtures.tenant_fixtures import TenantFixture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenancy_fixtures.packs import Pack


def say(word: str) -> None:
    """Tell whoever watches how far we are."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def whole(manager: FixtureManager, tenant: str, datasets: Sequence[str] | None) -> None:
    """Two commands, each one transaction."""
    await manager.create_tenant(tenant)
    say("created")
    await manager.load_fixtures(tenant, datasets)
    say("loaded")


async def stepwise(manager: FixtureManager, tenant: str, datasets: Sequence[str] | None) -> None:
    """The same fixtures one by one: what a crash leaves is half of it."""
    for fixture in (TenantFixture(tenant), SchemaFixture(), ConfigFixture()):
        await manager.apply(fixture, tenant_id=tenant)
    say("created")
    for name in await _in_order(manager, tenant, datasets):
        await manager.load_fixtures(tenant, [name])
    say("loaded")


async def _in_order(manager: FixtureManager, tenant: str, datasets: Sequence[str] | None) -> list[str]:
    runtime = await Runtime.current(manager.settings)
    namespace = (await manager.get_tenant(tenant)).namespace
    async with runtime.database.transaction(tenant=tenant, role="loader") as transaction:
        order = table_order(await read_tables(transaction.connection, namespace))
    position = {name: number for number, name in enumerate(order.names)}
    chosen = [dataset for dataset in manager.pack.manifest.datasets if datasets is None or dataset.name in datasets]
    return [dataset.name for dataset in sorted(chosen, key=lambda dataset: max(position[target.table] for target in dataset.targets))]


async def work(pack: Pack, task: dict[str, Any]) -> None:
    """Do what the line says."""
    manager = FixtureManager(Settings.from_env(), pack=pack)
    ways = {"whole": whole, "stepwise": stepwise}
    await ways[task["way"]](manager, task["tenant"], task["datasets"])
    await manager.close()


def main() -> None:
    """Import, wait for a task, do it, wait for the end."""
    pack = FixtureManager().pack
    say("ready")
    line = sys.stdin.readline()
    if line:
        say("begin")
        asyncio.run(work(pack, json.loads(line)))
        sys.stdin.read()


if __name__ == "__main__":
    main()
