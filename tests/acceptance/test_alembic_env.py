"""Alembic's own commands, through an ``env.py`` that leaves the tenants to this library: one of them, or all in one process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from psycopg import sql

from tenancy_fixtures import FixtureManager, Pack, Settings
from tests.acceptance.support import State
from tests.alembic_host import SMALL, TENANTS_ENV, Written, write_host, write_pack

pytestmark = pytest.mark.anyio

MODELS_ENV = """\
import sqlalchemy as sa
from tenancy_fixtures.integrations.alembic import run_for_tenants

metadata = sa.MetaData()
sa.Table("songs", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("title", sa.Text, nullable=False),
         sa.Column("genre", sa.String(20)), sa.Column("cover", sa.Text), sa.Index("songs_by_title", "title"))
run_for_tenants(target_metadata=metadata)
"""

HOSTS_ENGINE = """\
import os
import sqlalchemy as sa
from tenancy_fixtures.integrations.alembic import run_for_tenants

engine = sa.create_engine(os.environ["HOST_URL"])
run_for_tenants(engine)
with engine.connect() as connection:
    assert connection.execute(sa.text("SHOW search_path")).scalar() == '"$user", public'
    assert connection.execute(sa.text("SHOW role")).scalar() == "none"
"""


class Host:
    """The host's folder, and its commands at a shell."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder
        assert settings.database_url is not None
        self.url = settings.database_url.get_secret_value()

    def alembic(self, *command: str, code: int = 0, **more: str) -> str:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TENANCY_DATABASE_URL": self.url, **more}
        words = [sys.executable, "-m", "alembic", *command]
        done = subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode != 0) == bool(code), done.stdout + done.stderr
        return done.stdout + done.stderr

    def env(self, text: str) -> None:
        (self.folder / "migrations" / "env.py").write_text(text, encoding="utf-8")


@pytest.fixture
async def host(settings: Settings, tmp_path, state: State) -> Host:
    """Three tenants at the third revision of a history that goes on to the sixth."""
    write_host(tmp_path, SMALL[:4])
    async with FixtureManager(settings, pack=Pack.from_folder(write_pack(tmp_path))) as manager:
        for name in ("acme", "globex", "initech"):
            await manager.create_tenant(name)
    write_host(tmp_path, SMALL)
    host = Host(tmp_path, settings)
    host.env(TENANTS_ENV)
    return host


def versions(state: State) -> dict[str, list[str]]:
    query = "SELECT version_num FROM t_{}.alembic_version ORDER BY 1"
    return {name: [row["version_num"] for row in state.rows(query.format(name))] for name in ("acme", "globex", "initech")}


async def test_one_tenant_by_name_and_all_without(host: Host, settings: Settings, state: State):
    host.alembic("-x", "tenant=globex", "upgrade", "head")
    assert versions(state) == {"acme": ["dd4"], "globex": ["ff6"], "initech": ["dd4"]}
    assert host.alembic("current").split() == ["acme:", "dd4", "(mergepoint)", "globex:", "ff6", "(head)", "initech:", "dd4", "(mergepoint)"]
    assert "acme (Destination ee5 is not a valid downgrade target" in host.alembic("-x", "tenant=acme,globex", "downgrade", "ee5", code=1)
    assert versions(state) == {"acme": ["dd4"], "globex": ["ee5"], "initech": ["dd4"]}
    host.alembic("upgrade", "head")
    assert set(map(tuple, versions(state).values())) == {("ff6",)}
    # All of it is the tenants', for their roles to use, and the library's own run has nothing left to do but to write it down.
    async with FixtureManager(settings, pack=Pack.from_folder(host.folder)) as manager:
        for name in ("acme", "globex", "initech"):
            assert [step.action for step in (await manager.migrate(name)).steps] == ["follow"]
            assert [finding for finding in (await manager.validate(name)).findings if finding.rule != "grant"] == []


async def test_what_a_revision_makes_is_its_tenants(host: Host, state: State):
    write_host(host.folder, (*SMALL, Written("gg7", ("ff6",), 'op.create_table("lists", sa.Column("id", sa.Integer, primary_key=True))')))
    host.env(TENANTS_ENV)
    host.alembic("upgrade", "head")
    for name in ("acme", "globex"):
        role = sql.Literal(state.role(name)).as_string(None)
        [row] = state.rows(
            f"SELECT tableowner, has_table_privilege({role}, 't_{name}.lists', 'INSERT') AS may FROM pg_tables WHERE tablename = 'lists' AND schemaname = 't_{name}'"
        )
        assert row == {"tableowner": "tenancy_test_migrator", "may": True}


async def test_one_that_fails_keeps_nothing_and_the_others_go_on(host: Host, state: State):
    state.run("ALTER TABLE t_acme.songs ADD CHECK (title <> 'it''s')")
    said = host.alembic("upgrade", "head", code=1)
    assert versions(state) == {"acme": ["dd4"], "globex": ["ff6"], "initech": ["ff6"]}
    assert "1 of 3 tenants failed and kept nothing: acme (IntegrityError)" in said


async def test_offline_writes_what_others_may_run(host: Host, state: State):
    text = host.alembic("upgrade", "dd4:ee5", "--sql")
    scripts = re.findall(r"-- Tenant (\w+)\n.*?COMMIT;", text, re.DOTALL)
    assert scripts == ["acme", "globex", "initech"]
    assert versions(state)["globex"] == ["dd4"]
    one = host.alembic("-x", "tenant=globex", "upgrade", "dd4:ee5", "--sql")
    state.run("".join(line for line in one.splitlines(keepends=True) if not line.startswith("INFO")))
    assert versions(state) == {"acme": ["dd4"], "globex": ["ee5"], "initech": ["dd4"]}
    # Without a registry, and without a server.
    assert 'SET search_path TO "t_x"' in host.alembic("-x", "schema=t_x", "upgrade", "dd4:ee5", "--sql", TENANCY_DATABASE_URL="")


async def test_models_are_compared_with_one_tenant(host: Host):
    host.alembic("upgrade", "head")
    host.env(MODELS_ENV)
    assert "models are compared with the tables of one tenant" in host.alembic("revision", "--autogenerate", "-m", "covers", code=1)
    host.alembic("-x", "tenant=acme", "revision", "--autogenerate", "-m", "covers", "--rev-id", "gg7")
    [written] = (host.folder / "migrations" / "versions").glob("gg7*")
    text = written.read_text(encoding="utf-8")
    assert "op.add_column('songs', sa.Column('cover'" in text
    assert "alembic_version" not in text
    assert "drop" not in text.partition("def downgrade")[0]


async def test_the_hosts_own_engine(host: Host, state: State):
    host.env(HOSTS_ENGINE)
    host.alembic("upgrade", "head", HOST_URL=host.url.replace("postgresql://", "postgresql+psycopg://", 1))
    assert set(map(tuple, versions(state).values())) == {("ff6",)}


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("-x", "tenant=nobody", "upgrade", "head"), "no tenant 'nobody'"),
        (("-x", "schema=t_nobody", "upgrade", "head"), "there is no schema 't_nobody'"),
    ],
)
async def test_who_is_not_there(host: Host, state: State, command: tuple[str, ...], message: str):
    assert message in host.alembic(*command, code=1)
    assert set(map(tuple, versions(state).values())) == {("dd4",)}


async def test_without_a_database(host: Host):
    assert "no database is named" in host.alembic("upgrade", "head", code=1, TENANCY_DATABASE_URL="")
