"""The base installation: everything but a load works without the data engine, and a load says which extra it wants."""

from __future__ import annotations

import os
import subprocess
import sys

CODE = """
import asyncio, sys
for name in ("polars", "pyarrow", "pgpq"):
    sys.modules[name] = None  # what an import meets where it is not installed
from tenancy_fixtures import FixtureManager
from tenancy_fixtures.exceptions import MissingExtra

async def main():
    async with FixtureManager() as manager:
        await manager.create_tenant("acme")
        assert [tenant.tenant_id for tenant in await manager.list_tenants()] == ["acme"]
        assert (await manager.validate("acme")).ok
        assert not (await manager.migrate("acme")).steps
        try:
            await manager.load_fixtures("acme")
        except MissingExtra as error:
            print(error.hint)
        await manager.drop_tenant("acme")

asyncio.run(main())
"""


def test_all_but_a_load_works_without_the_data_engine(database_url: str):
    surroundings = {**os.environ, "TENANCY_DATABASE_URL": database_url}
    done = subprocess.run([sys.executable, "-c", CODE], env=surroundings, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "tenancy-fixtures[load]" in done.stdout
