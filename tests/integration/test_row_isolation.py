"""Tenants that share tables on every ground: with separate roles, for one login that does everything, and for one that policies do not bind."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tenancy_fixtures import FixtureManager, Settings
from tenancy_fixtures import exceptions as errors
from tenancy_fixtures._pg.bootstrap import init_host, with_parts
from tenancy_fixtures._pg.roles import Roles
from tenancy_fixtures.doctor import examine

from .marks import Look

pytestmark = pytest.mark.anyio

ARTISTS = "name,spotify_id,genres,popularity,followers,country\nAda,,{},10,5,DE\nBob,,{},20,6,FR\n"


@pytest.fixture
def artists(tmp_path: Path) -> Path:
    (tmp_path / "artists.csv").write_text(ARTISTS)
    return tmp_path / "artists.csv"


def counts(look: Look) -> list[int]:
    query = "SELECT t.tenant_id, count(a.artist_id) FROM tenancy.tenants t LEFT JOIN shared_spotify_agent.artists a ON a.tenant_id = t.uid GROUP BY 1 ORDER BY 1"
    return [row["count"] for row in look(query)]


async def test_one_login_that_does_everything_is_bound_by_its_own_policies(plain_url: str, admin_url: str, empty_database: str, artists: Path):
    await init_host(plain_url, roles=Roles())
    look = Look(with_parts(admin_url, database=empty_database))
    async with FixtureManager(Settings.from_env(database_url=plain_url)) as manager:
        for name in ("acme", "beta"):
            await manager.create_tenant(name, isolation="row")
            await manager.load_fixtures(name, sources={"artists": artists})
        assert counts(look) == [2, 2]
        assert (await manager.validate("acme")).ok
        with psycopg.connect(plain_url) as connection:
            assert connection.execute("SELECT count(*) FROM shared_spotify_agent.artists").fetchone() == (0,)
        await manager.drop_tenant("acme")
        assert counts(look) == [2]


async def test_an_administrator_is_refused_in_development_too(opened: FixtureManager, admin_database_url: str, artists: Path):
    await opened.create_tenant("acme", isolation="row")
    async with FixtureManager(Settings.from_env(database_url=admin_database_url)) as manager:
        await manager.create_tenant("own")
        for work in (
            manager.create_tenant("beta", isolation="row"),
            manager.load_fixtures("acme", sources={"artists": artists}),
            manager.migrate("acme"),
            manager.repair("acme"),
            manager.drop_tenant("acme"),
        ):
            with pytest.raises(errors.PoliciesBypassed) as raised:
                await work
            assert "TENANCY_DATABASE_URL" in raised.value.hint
        assert {tenant.tenant_id for tenant in await manager.list_tenants()} == {"acme", "own"}


async def test_the_doctor_has_nothing_to_say_of_tables_that_tenants_share(opened: FixtureManager, artists: Path):
    before = {(fault.name, fault.object) for fault in (await examine(await opened._runtime())).faults}
    for name in ("acme", "beta"):
        await opened.create_tenant(name, isolation="row")
        await opened.load_fixtures(name, sources={"artists": artists})
    assert {(fault.name, fault.object) for fault in (await examine(await opened._runtime())).faults} == before


async def test_the_application_sees_one_tenants_rows_and_none_without_a_tenant(
    opened: FixtureManager, app_database_url: str, artists: Path, look: Look
):
    for name in ("acme", "beta"):
        await opened.create_tenant(name, isolation="row")
        await opened.load_fixtures(name, sources={"artists": artists})
    (uid,) = [row["uid"] for row in look("SELECT uid::text FROM tenancy.tenants WHERE tenant_id = 'acme'")]
    with psycopg.connect(app_database_url, autocommit=True) as connection:
        connection.execute("SET ROLE tenancy_test_app")

        def count(table: str = "artists") -> int:
            return connection.execute(f"SELECT count(*) FROM shared_spotify_agent.{table}").fetchone()[0]

        assert count() == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("INSERT INTO shared_spotify_agent.artists (artist_id, name) VALUES (gen_random_uuid(), 'nobody')")
        connection.execute("SELECT set_config('tenancy.tenant_uid', %s, false)", [uid])
        assert count() == 2
        (other,) = [row["uid"] for row in look("SELECT uid::text FROM tenancy.tenants WHERE tenant_id = 'beta'")]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"UPDATE shared_spotify_agent.artists SET tenant_id = '{other}'")
        assert connection.execute("DELETE FROM shared_spotify_agent.artists").rowcount == 2
    assert counts(look) == [0, 2]
