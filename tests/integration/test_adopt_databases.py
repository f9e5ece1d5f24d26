"""A fleet of one database for each tenant, made by others: sorted, registered, used and left, and nothing of it is touched before it is opened."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine, text

from tenancy_fixtures import FixtureManager, Settings
from tenancy_fixtures import exceptions as errors
from tenancy_fixtures._adopt import _databases, pack_of_alembic
from tenancy_fixtures._pg import hosts
from tenancy_fixtures._pg.bootstrap import init_host, set_login, with_parts
from tenancy_fixtures._pg.databases import bring_forward
from tenancy_fixtures._pg.eject import eject
from tenancy_fixtures._pg.roles import Roles
from tenancy_fixtures.integrations.alembic import _place
from tests.conftest import PASSWORD, ROLES
from tests.database_fleet import HEAD, DatabaseFleet, databases_of
from tests.fleets import verdicts

pytestmark = pytest.mark.anyio


@pytest.fixture
def fleet(admin_url: str) -> Iterator[DatabaseFleet]:
    with databases_of(admin_url) as made:
        yield made


@pytest.fixture
def administrator(admin_database_url: str) -> Settings:
    return Settings.from_env(database_url=admin_database_url)


@pytest.fixture
def service(admin_database_url: str, database: str, fleet: DatabaseFleet) -> Iterator[Settings]:
    """A login of the library's that may act as the fleet's owner: what the tenants are worked on with."""
    name = f"adopter_{secrets.token_hex(6)}"
    asyncio.run(_let_in(admin_database_url, name, fleet.owner))
    yield Settings.from_env(database_url=with_parts(admin_database_url, database=database, user=name, password=PASSWORD))
    with psycopg.connect(admin_database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


async def _let_in(url: str, name: str, owner: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await set_login(connection, name, PASSWORD, ("migrator", "loader", "app"), ROLES)
        await connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(owner), sql.Identifier(name)))


def value(url: str, query: str, *values: Any) -> Any:
    with psycopg.connect(url) as connection:
        row = connection.execute(query, values or None).fetchone()
    return row[0] if row else None


async def test_each_database_is_what_it_is_and_nothing_of_it_is_touched(
    administrator: Settings, admin_database_url: str, fleet: DatabaseFleet, tmp_path: Path
) -> None:
    expected = {fleet.make(f"a{revision}", revision): "ready" for revision in range(1, HEAD + 1)}
    expected[fleet.make("North-Sea", 2)] = "ready"
    expected[fleet.make("drifted", also="ALTER TABLE orders ADD COLUMN hotfix text")] = "drifted"
    expected[fleet.make("strange", also="RESET ROLE; CREATE TABLE theirs ()")] = "conflict"
    expected[fleet.make("elsewhere", schema="shop")] = "conflict"
    seen = {name: fleet.dump(name) for name in fleet.names}
    async with FixtureManager(administrator, pack=fleet.pack(tmp_path / "pack")) as manager:
        dry = await manager.adopt(databases=f"{fleet.prefix}%", dry_run=True)
        assert verdicts(dry) == expected
        assert [name for name in fleet.names if fleet.run(name, "SELECT to_regnamespace('tenancy')")[0][0]] == []
        report = await manager.adopt(databases=f"{fleet.prefix}%")
        assert verdicts(report) == expected
        assert {item.schema for item in report.adoptions if item.registered} == {name for name, verdict in expected.items() if verdict == "ready"}
        drifted, strange, elsewhere = (next(i for i in report.adoptions if i.tenant_id == name) for name in ("drifted", "strange", "elsewhere"))
        assert [str(item) for item in drifted.difference] == ["extra: column orders.hotfix"]
        assert "belong to others" in str(strange.reason)
        assert elsewhere.reason == "it has no tables"
        tenant = await manager.get_tenant("North-Sea")
        assert (tenant.isolation, tenant.namespace, tenant.revision, tenant.owner) == ("database", f"{fleet.prefix}North-Sea", 2, fleet.owner)
        async with manager.place_of("North-Sea") as place, place.database.transaction(role="migrator") as transaction:
            inside = await transaction.one("registry.find", tenant_id="North-Sea") or {}
        assert (inside["isolation"], inside["namespace"], inside["uid"], inside["owner"]) == ("schema", "public", tenant.uid, fleet.owner)
        assert {name: fleet.dump(name) for name in fleet.names} == seen
        # It goes on with what is left, and knows the others.
        again = await manager.adopt(databases=f"{fleet.prefix}%", accept_drift=True)
        assert again.counts["registered"] == len([verdict for verdict in expected.values() if verdict != "conflict"])
        assert {item.tenant_id for item in again.adoptions if item.registered and not item.known} == {"drifted"}
        assert (await manager.adopt(databases=f"{fleet.prefix}elsewhere", schema="shop")).ok
        # Init brings their control planes forward, and their databases stay as they are.
        assert len(await bring_forward(admin_database_url)) == len(expected) - 1
    assert {name: fleet.dump(name) for name in fleet.names} == seen


async def test_a_tenant_of_it_lives_as_others_do_and_is_left_as_it_was(
    administrator: Settings, service: Settings, admin_database_url: str, fleet: DatabaseFleet, tmp_path: Path
) -> None:
    names = [fleet.make("one", 1), fleet.make("two", HEAD)]
    pack = fleet.pack(tmp_path / "pack")
    async with FixtureManager(administrator, pack=pack) as manager:
        assert (await manager.adopt(databases=names)).ok is True
    seen = fleet.dump(names[1])
    async with FixtureManager(service, pack=pack) as manager:
        standing = await manager.standing(names[0])
        assert (standing.revision, standing.head, standing.differences) == (1, HEAD, ())
        with pytest.raises(errors.TenantNotOpened):
            async with manager.session(names[0]) as session:
                await session.execute(text("SELECT 1"))
        printed = await manager.migration_sql([names[0]])
        assert f'\\connect "{names[0]}"' in printed[0].sql or f"\\connect {names[0]}" in printed[0].sql
        for name in names:
            await manager.migrate(name)
            assert (await manager.get_tenant(name)).revision == HEAD
            report = await manager.validate(name)
            assert [str(finding) for finding in report.findings if finding.severity == "error"] == []
            async with manager.session(name) as session:
                assert (await session.execute(text("SELECT count(*) FROM customers"))).scalar_one() == 2
                await session.execute(text("UPDATE customers SET name = name"))
        for dry_run in (True, False):
            with pytest.raises(errors.TenantInUse, match="was adopted"):
                await manager.drop_tenant(names[0], dry_run=dry_run)
        assert (await manager.get_tenant(names[0])).revision == HEAD
    with pytest.raises(errors.CannotEject) as refused:
        await eject(admin_database_url, tmp_path / "main.sql")
    assert len(refused.value.facts["objects"]) == 2
    for name in names:
        report = await eject(fleet.url(name), tmp_path / f"{name}.sql")
        assert (report.adopted, report.owner) == (("public",), fleet.owner)
        assert fleet.run(name, "SELECT to_regnamespace('tenancy')") == [(None,)]
    assert fleet.dump(names[1]) == seen
    # One that was taken out stays so.
    await bring_forward(admin_database_url)
    assert fleet.run(names[0], "SELECT to_regnamespace('tenancy')") == [(None,)]
    await eject(admin_database_url, tmp_path / "main.sql")
    assert value(admin_database_url, "SELECT to_regnamespace('tenancy')") is None


async def test_whose_database_is_gone_is_dropped_from_the_registry(
    administrator: Settings, admin_url: str, fleet: DatabaseFleet, tmp_path: Path
) -> None:
    name = fleet.make("one")
    async with FixtureManager(administrator, pack=fleet.pack(tmp_path / "pack")) as manager:
        await manager.adopt(databases=name)
    fleet.run(None, f'DROP DATABASE "{name}" WITH (FORCE)')
    async with FixtureManager(administrator, pack=manager.pack) as manager:
        await manager.drop_tenant(name)
        assert await manager.list_tenants() == []


async def test_a_call_that_died_between_the_two_commits_goes_on(
    administrator: Settings, admin_database_url: str, fleet: DatabaseFleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = fleet.make("one")
    enter = _databases.AdoptedDatabase._enter

    async def entered_and_died(self: Any, pack: Any) -> None:
        await enter(self, pack)
        raise errors.DatabaseUnavailable("the process has died")

    async with FixtureManager(administrator, pack=fleet.pack(tmp_path / "pack")) as manager:
        with monkeypatch.context() as patch:
            patch.setattr(_databases.AdoptedDatabase, "_enter", entered_and_died)
            with pytest.raises(errors.DatabaseUnavailable):
                await manager.adopt(databases=name)
        inside = fleet.run(name, "SELECT uid FROM tenancy.tenants")
        assert (len(inside), await manager.list_tenants()) == (1, [])
        assert (await manager.adopt(databases=name)).ok
        assert [(await manager.get_tenant(name)).uid] == [row[0] for row in inside]
    # To another installation it is somebody's.
    with psycopg.connect(admin_database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM tenancy.tenants; UPDATE tenancy.installation SET installed_at = now() - interval '1 day'")
    async with FixtureManager(administrator, pack=manager.pack) as manager:
        [item] = (await manager.adopt(databases=name)).adoptions
        assert (item.verdict.value, "control plane of its own" in str(item.reason)) == ("conflict", True)


async def test_what_stands_in_the_way_is_said(administrator: Settings, service: Settings, fleet: DatabaseFleet, tmp_path: Path) -> None:
    name, other = fleet.make("one"), fleet.make("two")
    ids = tmp_path / "ids.csv"
    ids.write_text(f"database,tenant_id\n{name},acme\n{other},acme\n")
    pack = fleet.pack(tmp_path / "pack")
    async with FixtureManager(administrator, pack=pack) as manager:
        report = await manager.adopt(databases=f"{fleet.prefix}%", ids=ids)
        assert ["another database" in str(item.reason) for item in report.adoptions] == [True, True]
        assert (await manager.adopt(databases=name, schema="nowhere")).adoptions[0].reason == "it has no schema 'nowhere'"
        latin = f"{fleet.prefix}latin"
        fleet.run(None, f"CREATE DATABASE \"{latin}\" ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        fleet.names.append(latin)
        assert "holds text as LATIN1" in str((await manager.adopt(databases=latin)).adoptions[0].reason)
        with pytest.raises(errors.ConfigurationError):
            await manager.adopt("tenant_%", databases=name)
        with pytest.raises(errors.ConfigurationError):
            await manager.adopt("tenant_%", schema="public")
        fleet.run(name, "ALTER DATABASE {database} OWNER TO {reader}")
        reason = (await manager.adopt(databases=name)).adoptions[0].reason
        assert f'GRANT CREATE ON DATABASE "{name}" TO "{fleet.owner}"' in str(reason)
    # A control plane is an administrator's to make; nothing is left of the attempt.
    async with FixtureManager(service, pack=pack) as manager:
        with pytest.raises(errors.PermissionDenied):
            await manager.adopt(databases=other)
        assert await manager.list_tenants() == []
    assert fleet.run(other, "SELECT to_regnamespace('tenancy')") == [(None,)]


async def test_what_alembic_says_of_itself_is_the_truth(
    administrator: Settings, service: Settings, admin_database_url: str, fleet: DatabaseFleet, tmp_path: Path
) -> None:
    behind, silent = fleet.make("one", 2, versions="rev0002"), fleet.make("two")
    pack = pack_of_alembic(fleet.alembic(tmp_path))
    async with FixtureManager(administrator, pack=pack) as manager:
        report = await manager.adopt(databases=f"{fleet.prefix}%")
    assert [(item.revision, item.reason) for item in report.adoptions] == [(2, None), (None, "it has no alembic_version")]
    assert [item.schema for item in report.adoptions] == [behind, silent]
    async with FixtureManager(service, pack=pack) as manager:
        await manager.migrate("one")
    # Of its schema the main registry knows nothing: Alembic goes there as it always did.
    engine = create_engine(admin_database_url.replace("postgresql://", "postgresql+psycopg://", 1))
    [row] = hosts.registered(engine)
    engine.dispose()
    with pytest.raises(errors.ConfigurationError, match="adopted with a database of its own"):
        _place("one", row)
    assert fleet.run(behind, "SELECT version_num FROM alembic_version") == [(f"rev{HEAD:04d}",)]


async def test_one_login_does_everything(admin_url: str, empty_database: str, fleet: DatabaseFleet, tmp_path: Path) -> None:
    url = with_parts(admin_url, database=empty_database)
    await init_host(url, roles=Roles())
    name = fleet.make("one", 1)
    before = fleet.dump(name)
    async with FixtureManager(Settings.from_env(database_url=url), pack=fleet.pack(tmp_path / "pack")) as manager:
        assert (await manager.adopt(databases=name)).ok
        assert fleet.dump(name) == before
        await manager.migrate(name)
        async with manager.session(name) as session:
            assert (await session.execute(text("SELECT count(*) FROM customers"))).scalar_one() == 2


async def test_a_load_says_what_a_database_lacks_and_commits_there_with_its_trace(
    administrator: Settings, service: Settings, fleet: DatabaseFleet, tmp_path: Path
) -> None:
    name = fleet.make("one")
    target = {"table": "customers", "key": ["id"], "columns": {"id": {"from": ["id"]}, "name": {"from": ["name"]}}}
    pack = fleet.pack(tmp_path / "pack", datasets=[{"name": "customers", "source": {"path": "data/customers.csv"}, "targets": [target]}])
    (pack.folder / "data").mkdir()
    (pack.folder / "data" / "customers.csv").write_text("id,name\n7,Carol\n")
    async with FixtureManager(administrator, pack=pack) as manager:
        await manager.adopt(databases=name)
    async with FixtureManager(service, pack=pack) as manager:
        await manager.migrate(name)
        # The host lets nobody make temporary tables, which rows are staged in.
        with pytest.raises(errors.PermissionDenied, match="temporary"):
            await manager.load_fixtures(name)
        fleet.run(name, f"GRANT TEMPORARY ON DATABASE {{database}} TO {ROLES.loader}")
        await manager.load_fixtures(name)
        assert (await manager.validate(name)).ok
    assert fleet.run(name, "SELECT name FROM customers WHERE id = 7") == [("Carol",)]
    assert fleet.run(name, "SELECT dataset FROM tenancy.ledger") == [("customers",)]
