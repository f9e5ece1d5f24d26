"""The library is taken out of a database: what was there stays as it was, what it knew is a file, and it can come back."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import time
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text

from tenancy_fixtures import FixtureManager, Settings
from tenancy_fixtures import exceptions as errors
from tenancy_fixtures._pg.bootstrap import with_parts
from tenancy_fixtures._pg.control_plane import initialise
from tenancy_fixtures._pg.eject import eject
from tenancy_fixtures._pg.roles import Roles
from tests.acceptance.support import State
from tests.databases import drop_database
from tests.fleets import Fleet, dump, picture
from tests.integration.test_adopt import adopting, fleet, login, value

__all__ = ["adopting", "fleet", "login"]

pytestmark = pytest.mark.anyio


def restored(url: str, file: Path) -> str:
    """Run a file with psql; gives what it complains of."""
    return subprocess.run(["psql", "-X", "-q", "-o", "/dev/null", "-d", url, "-f", str(file)], check=False, capture_output=True, text=True).stderr


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_an_adopted_fleet_is_left_as_it_was(adopting: Settings, fleet: Fleet, admin_database_url: str, tmp_path: Path) -> None:
    for schema in ("tenant_a", "tenant_B-b"):
        fleet.make(schema)
    with fleet.connection() as connection:
        # Rights of others stay as they are, and what our roles had before.
        connection.execute('GRANT SELECT ON tenant_a.orders TO PUBLIC; GRANT SELECT (id) ON "tenant_B-b".orders TO tenancy_test_loader')
    seen, dumped = picture(fleet.admin_url, fleet.schemas), dump(fleet.admin_url, fleet.schemas)
    pack = fleet.pack(tmp_path / "pack")
    async with FixtureManager(adopting, pack=pack) as manager:
        await manager.adopt("tenant_%")
        for name in ("a", "B-b"):
            await manager.migrate(name)
        roles = [(await manager.get_tenant(name)).role for name in ("a", "B-b")]
    assert picture(fleet.admin_url, fleet.schemas) != seen
    state = State(admin_database_url)
    before = state.snapshot()
    dry = await eject(admin_database_url, tmp_path / "out.sql", dry_run=True)
    assert state.snapshot() == before
    assert not (tmp_path / "out.sql").exists()
    report = await eject(admin_database_url, tmp_path / "out.sql")
    assert (report.adopted, report.owner, report.given) == (("tenant_B-b", "tenant_a"), fleet.owner, 0)
    assert {**report.to_dict(), "dry_run": True, "kept": 0} == {**dry.to_dict(), "kept": 0}
    assert set(roles) <= set(report.dropped)
    assert value(fleet, "SELECT to_regnamespace('tenancy')") is None
    assert value(fleet, "SELECT count(*) FROM pg_roles WHERE rolname = ANY (%s)", roles) == 0
    left = picture(fleet.admin_url, fleet.schemas)
    # Roles that other databases use stay; what one of them had here before is given back.
    assert [part for part in left if part not in seen] == []
    assert [part for part in seen if part not in left] == []
    assert dump(fleet.admin_url, fleet.schemas) == dumped
    with pytest.raises(errors.NotInitialised):
        await eject(admin_database_url, tmp_path / "again.sql")


async def test_what_was_made_here_becomes_the_administrators_and_can_come_back(settings: Settings, admin_database_url: str, tmp_path: Path) -> None:
    async with FixtureManager(settings) as manager:
        await manager.create_tenant("acme")
        await manager.load_fixtures("acme", datasets=["users"])
        await manager.create_tenant("both", isolation="row")
        await manager.load_fixtures("both", datasets=["users"])
    state = State(admin_database_url)
    entries = state.value("SELECT count(*) FROM tenancy.audit_log")
    file = tmp_path / "out.sql"
    report = await eject(admin_database_url, file)
    assert (report.made, report.adopted, len(report.shared)) == (("t_acme",), (), 1)
    assert report.rows["audit_log"] == entries
    assert state.value("SELECT count(*) FROM t_acme.users") == 200
    ours = "SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace::text = ANY (%s) AND pg_get_userbyid(relowner) <> %s"
    assert state.value(ours, ["t_acme", report.shared[0]], report.owner) == 0
    # Policies go on: they ask a function that is in the tenants' schema now.
    with psycopg.connect(admin_database_url) as connection:
        shared = sql.Identifier(report.shared[0])
        connection.execute("CREATE ROLE {0}; GRANT {0} TO CURRENT_USER".format(f"reader_{file.stat().st_ino}"))
        connection.execute(
            sql.SQL("GRANT USAGE ON SCHEMA {0} TO {1}; GRANT SELECT ON ALL TABLES IN SCHEMA {0} TO {1}; SET ROLE {1}").format(
                shared, sql.Identifier(f"reader_{file.stat().st_ino}")
            )
        )
        users = sql.SQL("SELECT count(*) FROM {}.users").format(shared)
        assert connection.execute(users).fetchone() == (0,)
        connection.rollback()
    assert restored(admin_database_url, file) == ""
    assert state.value("SELECT count(*) FROM tenancy.audit_log") == entries
    assert state.value("SELECT sum((SELECT count(*) FROM tenancy.tenants WHERE tenant_id = t)) FROM unnest('{acme,both}'::text[]) t") == 2
    # What was ours is ours again, and all goes on.
    async with FixtureManager(settings) as manager:
        for name in ("acme", "both"):
            assert [step.action for step in (await manager.migrate(name)).steps] == ["confine"]
            assert (await manager.standing(name)).ok
            assert [item.message for item in (await manager.validate(name)).findings if item.severity == "error"] == []
            async with manager.session(name) as session:
                assert (await session.execute(text("SELECT count(*) FROM users"))).scalar_one() == 200
        await manager.create_tenant("next", isolation="row")
        await manager.drop_tenant("acme")
    again = await eject(admin_database_url, tmp_path / "again.sql")
    assert (again.made, again.shared) == ((), report.shared)


async def test_what_would_break_keeps_it_there(settings: Settings, admin_database_url: str, tmp_path: Path) -> None:
    async with FixtureManager(settings) as manager:
        await manager.create_tenant("acme")
    state, file = State(admin_database_url), tmp_path / "out.sql"
    state.run("CREATE VIEW public.mine AS SELECT tenant_id FROM tenancy.tenants")
    with pytest.raises(errors.CannotEject, match=r"view public\.mine") as refused:
        await eject(admin_database_url, file)
    assert refused.value.facts["objects"] == ["view public.mine"]
    assert names_in(tmp_path) == []
    state.run("DROP VIEW public.mine", "CREATE FUNCTION t_acme.f() RETURNS uuid LANGUAGE plpgsql AS 'BEGIN RETURN tenancy.tenant_uid(); END'")
    with pytest.raises(errors.CannotEject, match=r"function t_acme\.f"):
        await eject(admin_database_url, file)
    state.run("DROP FUNCTION t_acme.f()")
    with pytest.raises(errors.ConfigurationError, match="no role 'nobody-here'"):
        await eject(admin_database_url, file, owner="nobody-here")
    file.write_text("mine")
    with pytest.raises(errors.OutputExists):
        await eject(admin_database_url, file)
    assert file.read_text() == "mine"
    with pytest.raises(errors.PermissionDenied):
        await eject(str(settings.database_url.get_secret_value()), tmp_path / "other.sql")
    assert names_in(tmp_path) == ["out.sql"]
    assert state.value("SELECT count(*) FROM tenancy.tenants") == 1


async def test_what_is_under_way_is_not_waited_for(adopting: Settings, fleet: Fleet, admin_database_url: str, tmp_path: Path) -> None:
    fleet.make("tenant_a")
    pack = fleet.pack(tmp_path / "pack")
    (pack.folder / "migrations" / "0006_slow.sql").write_text("SELECT pg_sleep(3);")
    async with FixtureManager(adopting, pack=type(pack).from_folder(pack.folder)) as manager:
        ids = tmp_path / "ids.csv"
        ids.write_text("schema,tenant_id,revision\ntenant_a,a,5\n")
        await manager.adopt("tenant_%", ids=ids)
        running = asyncio.ensure_future(manager.migrate("a"))
        while not value(fleet, "SELECT count(*) FROM tenancy.runs WHERE state = 'running'"):  # noqa: ASYNC110 - the database says it
            await asyncio.sleep(0.05)
        with psycopg.connect(admin_database_url) as other:
            other.execute("LOCK TABLE tenancy.tenants IN ROW EXCLUSIVE MODE")
            began = time.monotonic()
            with pytest.raises(errors.CannotEject, match="run migrate of tenant a has not ended"):
                await eject(admin_database_url, tmp_path / "out.sql")
            assert time.monotonic() - began < 3
        assert [step.action for step in (await running).steps] == ["confine", "migrate"]


async def test_roles_that_nobody_else_uses_go_and_come_back_with_init(admin_url: str, tmp_path: Path) -> None:
    name = f"tenancy_alone_{secrets.token_hex(6)}"
    url, roles = with_parts(admin_url, database=name), Roles.prefixed(name)
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await initialise(connection, roles, create_roles=True)
        async with FixtureManager(Settings.from_env(database_url=url)) as manager:
            await manager.create_tenant("acme")
        report = await eject(url, tmp_path / "out.sql")
        assert {role for _, role in roles.named()} < set(report.dropped)
        assert report.kept == {}
        state = State(url)
        assert state.value("SELECT count(*) FROM pg_roles WHERE starts_with(rolname, %s)", name) == 0
        assert restored(url, tmp_path / "out.sql") == ""
        assert state.value("SELECT count(*) FROM pg_roles WHERE starts_with(rolname, %s)", name) == len(list(roles.named()))
        async with FixtureManager(Settings.from_env(database_url=url)) as manager:
            assert (await manager.get_tenant("acme")).revision == manager.pack.head
            await manager.create_tenant("next")
        await eject(url, tmp_path / "again.sql")
    finally:
        drop_database(admin_url, name)
