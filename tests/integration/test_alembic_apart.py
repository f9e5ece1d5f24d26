"""A tenant with a database of its own has Alembic's revisions there, by us and by Alembic itself; one that shares tables cannot have them."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys

import pytest

from tenancy_fixtures import FixtureManager, Pack, Settings
from tenancy_fixtures._pg import databases
from tenancy_fixtures._pg.bootstrap import with_parts
from tenancy_fixtures.exceptions import PackInvalid
from tests.acceptance.support import State
from tests.alembic_host import SMALL, TENANTS_ENV, write_host, write_pack
from tests.databases import drop_database

pytestmark = pytest.mark.anyio

# Databases belong to the server: a name that no other test has at the same moment.
ADA = f"ada{secrets.token_hex(4)}"


def hosted(folder, revisions) -> Pack:
    write_host(folder, revisions)
    (folder / "migrations" / "env.py").write_text(TENANTS_ENV, encoding="utf-8")
    return Pack.from_folder(write_pack(folder))


async def test_a_database_of_ones_own(admin_url: str, admin_database_url: str, database: str, settings: Settings, tmp_path):
    template = await databases.prepare(admin_database_url)
    names: list[str] = []

    def alembic(*command: str) -> str:
        environment = {**os.environ, "TENANCY_DATABASE_URL": settings.database_url.get_secret_value(), "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-m", "alembic", *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    try:
        async with FixtureManager(settings, pack=hosted(tmp_path, SMALL[:4])) as manager:
            tenant = await manager.create_tenant(ADA, isolation="database")
            names.append(tenant.namespace)
            await manager.create_tenant("acme")
        async with FixtureManager(settings, pack=hosted(tmp_path, SMALL)) as manager:
            await manager.migrate(ADA)
            own = State(with_parts(admin_database_url, database=tenant.namespace))
            said = f'SELECT version_num FROM "{tenant.namespace}".alembic_version'
            assert own.value(said) == "ff6"
            assert (await manager.validate(ADA)).findings == ()
            assert alembic("current").split() == ["acme:", "dd4", "(mergepoint)", f"{ADA}:", "ff6", "(head)"]
            alembic("-x", f"tenant={ADA}", "downgrade", "dd4")
            assert own.value(said) == "dd4"
            assert [step.object for step in (await manager.migrate(ADA)).steps] == ["0004_dd4", "0005_ee5", "0006_ff6"]
            assert own.value(said) == "ff6"
            assert f"-- Tenant {ADA}, in the database {tenant.namespace}" in alembic("upgrade", "ff6:head", "--sql")
    finally:
        drop_database(admin_url, template, *names)


async def test_tables_that_tenants_share_have_no_revisions_of_alembic(settings: Settings, tmp_path):
    async with FixtureManager(settings, pack=hosted(tmp_path, SMALL)) as manager:
        with pytest.raises(PackInvalid, match="written for tables of one tenant"):
            await manager.create_tenant("acme", isolation="row")
