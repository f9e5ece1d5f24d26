"""Tenants that were there before: sorted as they are, registered without a touch, moved forward as the role that owns them."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest
from psycopg import sql

from tenancy_fixtures import FixtureManager, Settings
from tenancy_fixtures import exceptions as errors
from tenancy_fixtures._adopt import pack_of_alembic
from tenancy_fixtures._pg.bootstrap import set_login, with_parts
from tenancy_fixtures.doctor import examine
from tests.conftest import PASSWORD, ROLES
from tests.fleets import DRIFTS, HEAD, Fleet, dump, fleet_in, picture, verdicts

pytestmark = pytest.mark.anyio


@pytest.fixture
def fleet(admin_database_url: str) -> Iterator[Fleet]:
    with fleet_in(admin_database_url) as made:
        yield made


@pytest.fixture
def login(admin_database_url: str, fleet: Fleet) -> Iterator[str]:
    """A login of the library's that may act as the fleet's owner."""
    name = f"adopter_{secrets.token_hex(6)}"
    asyncio.run(_let_in(admin_database_url, name))
    with fleet.connection() as connection:
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(fleet.owner), sql.Identifier(name)))
    yield name
    with fleet.connection() as connection:
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


async def _let_in(url: str, name: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await set_login(connection, name, PASSWORD, ("migrator", "loader", "app"), ROLES)


@pytest.fixture
def adopting(admin_database_url: str, database: str, login: str) -> Settings:
    return Settings.from_env(database_url=with_parts(admin_database_url, database=database, user=login, password=PASSWORD))


def value(fleet: Fleet, query: str, *values: Any) -> Any:
    with fleet.connection() as connection:
        row = connection.execute(query, values or None).fetchone()
    return row[0] if row else None


async def test_each_schema_is_what_it_is_and_nothing_of_it_is_touched(adopting: Settings, fleet: Fleet, tmp_path: Path) -> None:
    for revision in range(1, HEAD + 1):
        fleet.make(f"tenant_a{revision}", revision)
    fleet.make("tenant_North-Sea", 3)
    for number, way in enumerate(DRIFTS):
        fleet.make(f"tenant_d{number}", HEAD, drift=way)
    seen, dumped = picture(fleet.admin_url, fleet.schemas), dump(fleet.admin_url, fleet.schemas)
    async with FixtureManager(adopting, pack=fleet.pack(tmp_path / "pack")) as manager:
        dry = await manager.adopt("tenant_%", dry_run=True)
        assert value(fleet, "SELECT count(*) FROM tenancy.adoptions") == value(fleet, "SELECT count(*) FROM tenancy.tenants") == 0
        report = await manager.adopt("tenant_%")
        assert verdicts(report) == verdicts(dry) == {name: "drifted" if name in fleet.drifted else "ready" for name in fleet.schemas}
        for item in report.adoptions:
            assert item.revision == fleet.schemas[item.schema], item
            assert item.registered is (item.schema not in fleet.drifted)
            if item.schema in fleet.drifted:
                assert DRIFTS[fleet.drifted[item.schema]][1] in map(str, item.difference), item
        tenant = await manager.get_tenant("North-Sea")
        assert (tenant.namespace, tenant.revision, tenant.owner, tenant.role) == ("tenant_North-Sea", 3, fleet.owner, None)
        again = await manager.adopt("tenant_%", accept_drift=True)
        assert sum(item.known for item in again.adoptions) == HEAD + 1
        assert again.ok
        assert value(fleet, "SELECT count(*) FROM tenancy.revisions WHERE uid = %s", tenant.uid) == 3
    assert picture(fleet.admin_url, fleet.schemas) == seen
    assert dump(fleet.admin_url, fleet.schemas) == dumped


async def test_what_stands_in_the_way_is_said_and_a_file_of_ids_helps(adopting: Settings, fleet: Fleet, tmp_path: Path) -> None:
    for schema in ("tenant_a", "tenant_so so", "tenant_x", "tenant_there"):
        fleet.make(schema, 2)
    with fleet.connection() as connection:
        connection.execute(sql.SQL("CREATE SCHEMA tenant_empty AUTHORIZATION {}").format(sql.Identifier(fleet.owner)))
        connection.execute("CREATE SCHEMA tenant_others; CREATE TABLE tenant_others.t ()")
        connection.execute(
            sql.SQL("CREATE SCHEMA tenant_strange AUTHORIZATION {}; CREATE TABLE tenant_strange.t ()").format(sql.Identifier(fleet.owner))
        )
        connection.execute(sql.SQL("CREATE TABLE tenant_x.own (); ALTER TABLE tenant_x.own OWNER TO {}").format(sql.Identifier(fleet.owner)))
        connection.execute(
            sql.SQL("CREATE SCHEMA tenant_none AUTHORIZATION {0}; CREATE TABLE tenant_none.t (); ALTER TABLE tenant_none.t OWNER TO {0}").format(
                sql.Identifier(fleet.owner)
            )
        )
        # A tenant of our own making refers to what all share as well.
        connection.execute(sql.SQL("GRANT REFERENCES ON public.countries TO {}").format(sql.Identifier(str(ROLES.script))))
    async with FixtureManager(adopting, pack=fleet.pack(tmp_path / "pack")) as manager:
        await manager.create_tenant("there")
        report = await manager.adopt("tenant_%")
        reasons = {item.schema: item.reason for item in report.of("conflict")}
        assert set(reasons) == {"tenant_so so", "tenant_there", "tenant_empty", "tenant_others", "tenant_strange", "tenant_none"}
        assert "cannot be a tenant id" in reasons["tenant_so so"]
        assert "there is a tenant 'there' already" in reasons["tenant_there"]
        assert reasons["tenant_empty"] == "it has no tables"
        assert reasons["tenant_others"].startswith("the login may not act as its owner: GRANT ")
        assert reasons["tenant_strange"].startswith("parts of it belong to others than its owner")
        assert reasons["tenant_none"] == "it has none of the pack's tables"
        assert not report.ok
        assert report.counts == {"ready": 1, "drifted": 1, "conflict": 6, "registered": 1}
        ids = tmp_path / "ids.csv"
        ids.write_text("schema,tenant_id\ntenant_so so,SoSo\ntenant_there,there-2\n")
        helped = verdicts(await manager.adopt("tenant_%", ids=ids))
        assert (helped["tenant_so so"], helped["tenant_there"]) == ("ready", "ready")
        assert (await manager.get_tenant("SoSo")).namespace == "tenant_so so"
        ours = await manager.adopt("t_%")
        assert ours.adoptions[0].reason == "it is registered already: of tenant 'there'"
        ids.write_text("schema,tenant_id\ntenant_nobody,n\n")
        with pytest.raises(errors.ConfigurationError, match="tenant_nobody"):
            await manager.adopt("tenant_%", ids=ids)
        with pytest.raises(errors.ConfigurationError, match="no pattern"):
            await manager.adopt("%")
        with pytest.raises(errors.ConfigurationError, match="by patterns, or by a registry"):
            await manager.adopt()


async def test_what_tenants_share_is_no_tenant(adopting: Settings, fleet: Fleet, tmp_path: Path) -> None:
    fleet.make("tenant_a")
    with fleet.connection() as connection, connection.transaction():
        owner = sql.Identifier(fleet.owner)
        connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {0}; SET LOCAL ROLE {0}; SET LOCAL search_path = public").format(owner))
        connection.execute(fleet.revisions()[0][1])
    async with FixtureManager(adopting, pack=fleet.pack(tmp_path / "pack")) as manager:
        report = await manager.adopt(["tenant_%", "public"], accept_drift=True)
    assert {item.schema: (item.reason, item.registered) for item in report.adoptions} == {
        "public": ("what tenants of the pack 'shop' share is no tenant's", False),
        "tenant_a": (None, True),
    }


async def test_a_registry_may_hold_what_is_no_schemas_name(adopting: Settings, fleet: Fleet, tmp_path: Path) -> None:
    fleet.make("tenant_a")
    with fleet.connection() as connection:
        connection.execute("CREATE TABLE public.customer (schema_name text)")
        connection.execute("INSERT INTO public.customer VALUES ('tenant_a'), (''), (repeat('y', 70)), (repeat('y', 71))")
        connection.execute(sql.SQL("ALTER TABLE public.customer OWNER TO {}").format(sql.Identifier(fleet.owner)))
    async with FixtureManager(adopting, pack=fleet.pack(tmp_path / "pack")) as manager:
        report = await manager.adopt(registry="public.customer")
    assert {item.schema: item.reason for item in report.adoptions} == {
        "tenant_a": None,
        **dict.fromkeys(["", "y" * 70, "y" * 71], "there is no such schema"),
    }


async def test_a_file_of_ids_may_name_any_schema(adopting: Settings, fleet: Fleet, tmp_path: Path) -> None:
    fleet.make("tenant_two\nlines")
    fleet.make("tenant_\x85")
    (tmp_path / "ids.csv").write_text('schema,tenant_id\n"tenant_two\nlines",two\ntenant_\x85,next\n', encoding="utf-8")
    async with FixtureManager(adopting, pack=fleet.pack(tmp_path / "pack")) as manager:
        report = await manager.adopt("tenant_%", ids=tmp_path / "ids.csv")
    assert {item.tenant_id: item.registered for item in report.adoptions} == {"two": True, "next": True}


async def test_two_schemas_of_one_id_are_both_in_conflict(adopting: Settings, fleet: Fleet, tmp_path: Path) -> None:
    for schema in ("tenant_a", "kunde_a"):
        fleet.make(schema, 1)
    async with FixtureManager(adopting, pack=fleet.pack(tmp_path / "pack")) as manager:
        report = await manager.adopt(["tenant_%", "kunde_%"])
    assert verdicts(report) == {"tenant_a": "conflict", "kunde_a": "conflict"}


async def test_where_the_structure_does_not_tell_the_revision_a_file_does(adopting: Settings, fleet: Fleet, tmp_path: Path) -> None:
    pack = fleet.pack(tmp_path / "pack")
    fleet.make("tenant_a")
    (pack.folder / "migrations" / "0006_rows_only.sql").write_text("UPDATE customers SET active = true;")
    (tmp_path / "ids.csv").write_text("schema,tenant_id,revision\ntenant_a,a,5\n")
    async with FixtureManager(adopting, pack=type(pack).from_folder(pack.folder)) as manager:
        unsaid = await manager.adopt("tenant_%")
        assert unsaid.adoptions[0].reason.startswith("its structure is that of several revisions (5, 6)")
        said = await manager.adopt("tenant_%", ids=tmp_path / "ids.csv")
        assert (said.adoptions[0].verdict.value, said.adoptions[0].revision) == ("ready", 5)


async def test_an_adopted_tenant_moves_as_its_owner_and_is_closed_until_then(adopting: Settings, fleet: Fleet, tmp_path: Path) -> None:
    for schema in ("tenant_old", "tenant_new"):
        fleet.make(schema, 2 if schema == "tenant_old" else HEAD)
    async with FixtureManager(adopting, pack=fleet.pack(tmp_path / "pack")) as manager:
        await manager.adopt("tenant_%")
        for attempt in (_ask(manager, "old"), manager.load_fixtures("old"), manager.validate("old")):
            with pytest.raises(errors.TenantNotOpened, match="nobody was given rights") as refused:
                await attempt
            assert "tenancy migrate old" in str(refused.value.hint)
        planned = await manager.migrate("old", dry_run=True)
        report = await manager.migrate("old")
        assert [step.action for step in planned.steps] == [step.action for step in report.steps] == ["confine", "migrate", "migrate", "migrate"]
        await manager.migrate("new")
        strangers = "SELECT count(*) FROM pg_class WHERE relnamespace = 'tenant_old'::regnamespace AND pg_get_userbyid(relowner) <> %s"
        assert value(fleet, strangers, fleet.owner) == 0
        assert value(fleet, "SELECT count(*) FROM pg_proc WHERE pronamespace = 'tenant_old'::regnamespace") == 1
        assert await _ask(manager, "old") == 2
        with pytest.raises(Exception, match="permission denied for schema tenant_new"):
            await _ask(manager, "old", "tenant_new.customers")
        for name in ("old", "new"):
            found = [item for item in (await manager.validate(name)).findings if item.severity == "error"]
            assert found == []
        assert (await manager.migrate("old")).steps == ()


async def test_what_is_printed_moves_an_adopted_tenant_as_its_owner_too(adopting: Settings, fleet: Fleet, tmp_path: Path) -> None:
    if shutil.which("psql") is None:
        pytest.skip("psql is not installed")
    for schema, revision in (("tenant_closed", 4), ("tenant_open", 4), ("tenant_done", HEAD), ("tenant_drifted", HEAD)):
        fleet.make(schema, revision, drift="a trigger is off" if schema == "tenant_drifted" else None)
    names = ["closed", "done", "drifted", "open"]
    async with FixtureManager(adopting, pack=fleet.pack(tmp_path / "pack")) as manager:
        await manager.adopt("tenant_%", accept_drift=True)
        await manager.migrate("open", to=4)
        before = {name: await manager.standing(name) for name in names}
        assert [(item.is_behind, item.ok) for item in before.values()] == [(True, False), (False, True), (False, False), (True, False)]
        assert {name: len(item.differences) for name, item in before.items()} == {"closed": 0, "done": 0, "drifted": 1, "open": 0}
        script = "".join(group.sql for group in await manager.migration_sql(names))
        command = ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", adopting.database_url.get_secret_value()]
        done = await anyio.run_process(command, input=script.encode(), check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert {name: len((await manager.standing(name)).differences) for name in names} == {"closed": 0, "done": 0, "drifted": 1, "open": 0}
        assert (await manager.get_tenant("closed")).revision == (await manager.get_tenant("open")).revision == HEAD
        strangers = "SELECT count(*) FROM pg_class WHERE relnamespace = ANY ('{tenant_open,tenant_closed}'::regnamespace[]) AND pg_get_userbyid(relowner) <> %s"
        assert value(fleet, strangers, fleet.owner) == 0
        assert await _ask(manager, "open", "open_orders") == 2
        with pytest.raises(errors.TenantNotOpened):
            await _ask(manager, "closed")
        granted = "SELECT count(*) FROM pg_class WHERE relnamespace = 'tenant_closed'::regnamespace AND relacl IS NOT NULL"
        assert value(fleet, granted) == 0


async def _ask(manager: FixtureManager, tenant_id: str, table: str = "customers") -> int:
    from sqlalchemy import text

    async with manager.session(tenant_id) as session:
        return int((await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())


ESCAPES = {
    "a neighbour's table": "DELETE FROM tenant_b.orders",
    "another role": "SET ROLE {migrator}",
    "its own role left": "RESET ROLE",
    "an end of the transaction": "COMMIT",
    "a new schema": "CREATE SCHEMA elsewhere",
    "a function for others": "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
    "what runs it": "CREATE VIEW v AS SELECT tenancy_run_script('SELECT 1')::text AS it",
    "rights for all": "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
}


async def test_a_revision_of_an_adopted_tenant_stays_in_its_schema(adopting: Settings, fleet: Fleet, tmp_path: Path) -> None:
    for schema in ("tenant_a", "tenant_b"):
        fleet.make(schema)
    pack = fleet.pack(tmp_path / "pack", shared_schemas=["public"])
    async with FixtureManager(adopting, pack=pack) as manager:
        await manager.adopt("tenant_%")
        await manager.migrate("a")
    before = picture(fleet.admin_url, ["tenant_a", "tenant_b"])
    for text in ESCAPES.values():
        (pack.folder / "migrations" / "0006_escape.sql").write_text(text.format(migrator=ROLES.migrator))
        async with FixtureManager(adopting, pack=type(pack).from_folder(pack.folder)) as manager:
            with pytest.raises(errors.ScriptEscaped):
                await manager.migrate("a")
    assert picture(fleet.admin_url, ["tenant_a", "tenant_b"]) == before


async def test_dropping_needs_the_owner(adopting: Settings, fleet: Fleet, login: str, tmp_path: Path) -> None:
    fleet.make("tenant_a")
    async with FixtureManager(adopting, pack=fleet.pack(tmp_path / "pack")) as manager:
        await manager.adopt("tenant_%")
        with fleet.connection() as connection:
            connection.execute(sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(fleet.owner), sql.Identifier(login)))
        with pytest.raises(errors.PermissionDenied) as refused:
            await manager.drop_tenant("a")
        assert refused.value.hint.startswith(f'As an administrator: GRANT "{fleet.owner}" TO')
        with pytest.raises(errors.PermissionDenied):
            await manager.migrate("a")
        with fleet.connection() as connection:
            connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(fleet.owner), sql.Identifier(login)))
        report = await manager.drop_tenant("a")
        assert [(step.action, step.detail) for step in report.steps if step.fixture == "schema"] == [("drop", {"owner": fleet.owner})]
        assert value(fleet, "SELECT to_regnamespace('tenant_a')") is None
        again = await manager.adopt("tenant_%")
        assert again.adoptions == ()


async def test_what_alembic_has_written_down_is_the_truth(adopting: Settings, fleet: Fleet, tmp_path: Path) -> None:
    for revision in (1, 4, HEAD):
        fleet.make(f"tenant_a{revision}", revision, alembic=True)
    fleet.make("tenant_d", 4, alembic=True, drift="a column is gone")
    for schema in ("tenant_behind", "tenant_unknown", "tenant_two", "tenant_emptied"):
        fleet.make(schema, 3, alembic=True)
    fleet.make("tenant_never", 3)
    with fleet.connection() as connection:
        connection.execute("UPDATE tenant_behind.alembic_version SET version_num = 'rev0002'")
        connection.execute("UPDATE tenant_unknown.alembic_version SET version_num = 'abcdef'")
        connection.execute("INSERT INTO tenant_two.alembic_version VALUES ('rev0001')")
        connection.execute("DELETE FROM tenant_emptied.alembic_version")
    seen = picture(fleet.admin_url, fleet.schemas)
    pack = pack_of_alembic(fleet.alembic(tmp_path / "shop"))
    assert (pack.name, pack.head) == ("shop", HEAD)
    async with FixtureManager(adopting, pack=pack) as manager:
        report = await manager.adopt("tenant_%")
        found = {item.schema: item for item in report.adoptions}
        assert {name: found[name].revision for name in ("tenant_a1", "tenant_a4", "tenant_a5")} == {"tenant_a1": 1, "tenant_a4": 4, "tenant_a5": 5}
        assert {item.schema for item in report.of("ready")} == {"tenant_a1", "tenant_a4", "tenant_a5"}
        assert (found["tenant_d"].verdict.value, found["tenant_d"].revision) == ("drifted", 4)
        # Somebody has set it back by hand: what it says is what counts, and the index is one too many.
        assert (found["tenant_behind"].verdict.value, found["tenant_behind"].revision) == ("drifted", 2)
        assert [str(item) for item in found["tenant_behind"].difference] == ["extra: index customers_active_idx", "extra: index customers_name_trgm"]
        assert found["tenant_unknown"].reason == "its alembic_version says abcdef, which the pack does not know"
        assert found["tenant_two"].reason == "its alembic_version has 2 rows, which are no state of the pack's history: rev0001, rev0003"
        assert found["tenant_emptied"].reason == "its alembic_version is empty"
        assert found["tenant_never"].reason == "it has no alembic_version"
        assert picture(fleet.admin_url, fleet.schemas) == seen
        await manager.migrate("a1")
        assert value(fleet, "SELECT version_num FROM tenant_a1.alembic_version") == f"rev{HEAD:04d}"
        strangers = "SELECT count(*) FROM pg_class WHERE relnamespace = 'tenant_a1'::regnamespace AND pg_get_userbyid(relowner) <> %s"
        assert value(fleet, strangers, fleet.owner) == 0
        assert [item.message for item in (await manager.validate("a1")).findings if item.severity == "error"] == []


async def test_the_doctor_finds_no_fault_in_a_tenant_that_is_not_open_yet(adopting: Settings, fleet: Fleet, tmp_path: Path) -> None:
    fleet.make("tenant_a", 2)
    async with FixtureManager(adopting, pack=fleet.pack(tmp_path / "pack")) as manager:
        await manager.adopt("tenant_%")
        faults = {fault.name for fault in (await examine(await manager._runtime())).faults}
    assert "tenant_without_role" not in faults
