"""An attack finds each way between tenants that is open, none that is closed, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import anyio
import psycopg
import pytest

from tenancy_fixtures import FixtureManager, Settings
from tenancy_fixtures._attack import _tenants
from tenancy_fixtures._attack._class_a import CLASS_A
from tenancy_fixtures._attack._class_b import CLASS_B
from tenancy_fixtures._attack._crossing import Attack, Sessions
from tenancy_fixtures._attack._matrix import PROBES
from tenancy_fixtures._attack._probes import attacker
from tenancy_fixtures._attack._report import Outcome
from tenancy_fixtures._attack._run import _engine_for
from tenancy_fixtures._attack._tenants import Ground, left_behind, probe_pack, throw_away
from tenancy_fixtures._pg.bootstrap import init_host, with_parts
from tenancy_fixtures._pg.roles import Roles
from tenancy_fixtures._rowify import row_script
from tenancy_fixtures._sessions import TenantSessions, tenant_context
from tenancy_fixtures.doctor import attack
from tenancy_fixtures.exceptions import ConfigurationError, DatabaseUnavailable, PermissionDenied, TenantInUse
from tenancy_fixtures.runtime import Runtime

from . import broken
from .ground import administer
from .marks import Look

pytestmark = pytest.mark.anyio

OWN_NAMES = ("select_own", "view_own", "materialized_view_own", "partition_own", "function_invoker_own", "function_definer_own")
# What PostgreSQL shows to everybody.
OF_POSTGRESQL = ("catalogue",)
NO_IDS = ("tenant_id_quote", "tenant_id_identifier", "tenant_id_nul", "tenant_id_path", "tenant_id_case")
LEFT = ("prepared", "temporary_table", "shadow_table", "shadow_view", "search_path", "tenant_setting")
QUALIFIED = (
    *("select", "select_join", "insert", "insert_select", "update", "delete", "merge", "merge_from", "copy_to", "copy_query_to", "copy_from"),
    *("view", "view_update", "materialized_view", "function_invoker", "function_definer", "partitioned", "partition", "partition_insert"),
    *("error_message", "error_row", "prepared_qualified"),
)
READS = (
    "select",
    "select_join",
    "insert_select",
    "merge_from",
    "copy_to",
    "copy_query_to",
    "view",
    "materialized_view",
    "partitioned",
    "error_message",
)
# By what is broken: the probes that have to cross then.
CONTROLS: dict[str, Sequence[str]] = {
    broken.GRANTED: QUALIFIED,
    broken.GROUP: READS,
    broken.MEMBER: QUALIFIED,
    broken.VIEW: ("view_own",),
    broken.COPY: ("materialized_view_own",),
    broken.DEFINER: ("function_definer_own",),
    broken.KEY: ("foreign_key",),
    broken.UNIQUE: ("unique",),
    broken.CASCADE: ("cascade",),
}
ALWAYS_THE_VICTIMS = (*OWN_NAMES, "error_message_own", "error_row_own", *NO_IDS, "no_tenant", "no_tenant_own")
CARELESS = ("value_quote", "value_write")
# A statement that can never be right tells nothing: syntax, columns, tables, functions and types that are not there.
OWN_FAULTS = {"42601", "42703", "42P01", "42883", "42704", "42P18", "42804", "3F000", "0A000", "08P01"}


@asynccontextmanager
async def on_ground(settings: Settings) -> AsyncIterator[Ground]:
    runtime = await Runtime.current(settings)
    try:
        async with throw_away(runtime) as ground:
            yield ground
    finally:
        await runtime.close()


@pytest.fixture
async def ground(settings: Settings, anyio_backend: str) -> AsyncIterator[Ground]:
    async with on_ground(settings) as ground:
        yield ground


@pytest.fixture
async def engine(app_database_url: str, settings: Settings, anyio_backend: str):
    engine = await _engine_for(app_database_url, settings)
    yield engine
    await engine.dispose()


@pytest.fixture
def sessions(engine, settings: Settings) -> TenantSessions:
    return TenantSessions(engine, settings=settings)


async def outcomes(ground: Ground, sessions: TenantSessions, names: Sequence[str], instead: Sessions | None = None) -> dict[str, Outcome]:
    """What becomes of these probes through the sessions, or through others on the same engine."""
    chosen = [probe for probe in PROBES if probe.name in names]
    return {item.probe: item for item in await Attack(ground, instead or sessions, sessions.engine).run(chosen)}


def crossed(found: dict[str, Outcome]) -> set[str]:
    return {name for name, outcome in found.items() if outcome.result == "crossed"}


# --- the matrix -------------------------------------------------------------------------------------------------------


def test_each_probe_has_a_name_of_its_own_and_class_a_a_control():
    assert len({probe.name for probe in PROBES}) == len(PROBES)
    assert len(CLASS_A) >= 20
    controlled = [*(name for names in CONTROLS.values() for name in names), *ALWAYS_THE_VICTIMS, *LEFT, *CARELESS]
    # Those of tables that tenants share are in test_attack_shared.py.
    assert {probe.name for probe in CLASS_A if probe.isolations != ("row",)} == set(controlled)


async def test_in_a_clean_installation_nothing_of_class_a_crosses(ground: Ground, sessions: TenantSessions):
    found = await outcomes(ground, sessions, [probe.name for probe in CLASS_A])
    assert len(found) == len([probe for probe in CLASS_A if "schema" in probe.isolations])
    assert crossed(found) == set()
    assert {outcome.result for outcome in found.values()} == {"refused", "nothing"}
    # What was refused says by whom: the server, the session that does not begin, or the own constraint.
    errors = {outcome.error for outcome in found.values() if outcome.result == "refused"}
    assert errors == {"42501", "22P02", "23514", "23503", "InvalidTenantId", "TenantNotFound", "NoTenant"}
    assert {name for name in QUALIFIED if found[name].error != "42501"} == set()


async def test_in_a_clean_installation_these_paths_are_open_to_any_sql(ground: Ground, sessions: TenantSessions):
    found = await outcomes(ground, sessions, [probe.name for probe in CLASS_B])
    assert crossed(found) == {
        *("set_role_neighbour", "set_local_role_neighbour", "set_config_role_neighbour", "setting_left", "cursor_left"),
        *("activity", "tenants_app", "config_app", *OF_POSTGRESQL),
    }
    assert {outcome.error for name, outcome in found.items() if name != "set_config_search_path"} & OWN_FAULTS == set()


async def test_with_a_login_of_its_own_a_tenant_is_alone(settings: Settings, look: Look):
    report = await attack(settings, own_login=True)
    assert report.ok
    assert report.crossed("schema", "b") == OF_POSTGRESQL
    assert {item.result for item in report.outcomes if item.attack_class == "a"} == {"refused", "nothing"}
    # Roles are the server's, where other tests make some too.
    given = "SELECT detail ->> 'login' AS login FROM tenancy.audit_log WHERE action = 'login:given'"
    assert len(look(given)) > 0
    assert look(f"SELECT rolname FROM pg_roles WHERE rolname IN ({given})") == []


async def test_where_tenants_have_no_roles_a_full_name_is_enough(plain_url: str, look: Look):
    await init_host(plain_url, roles=Roles())
    settings = Settings.from_env(database_url=plain_url)
    report = await attack(settings)
    assert set(report.crossed("schema", "a")) == set(QUALIFIED)
    with pytest.raises(ConfigurationError, match="no role that could log in"):
        await attack(settings, own_login=True)
    assert look("SELECT tenant_id FROM tenancy.tenants") == []


async def test_the_pack_for_tenants_that_share_tables_is_what_rowify_writes(ground: Ground):
    pack = probe_pack("row")
    assert await row_script(pack, ground.runtime) == pack.row_sql
    assert len(probe_pack("database").schema_sql) > len(pack.schema_sql)


# --- what is broken is seen -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statements", CONTROLS, ids=["granted", "group", "member", "view", "copy", "definer", "key", "unique", "cascade"])
async def test_a_broken_installation_is_crossed(statements: str, ground: Ground, sessions: TenantSessions, admin_database_url: str):
    broken.apply(ground, admin_database_url, statements)
    found = await outcomes(ground, sessions, CONTROLS[statements])
    assert crossed(found) == set(CONTROLS[statements])
    assert {outcome.sign for outcome in found.values()} <= {"read", "changed", "told", "revealed"}


async def test_sessions_that_are_always_the_victims(ground: Ground, sessions: TenantSessions, admin_database_url: str):
    broken.apply(ground, admin_database_url, broken.GRANTED)
    found = await outcomes(ground, sessions, ALWAYS_THE_VICTIMS, broken.AlwaysOf(sessions, ground.victim.tenant.tenant_id))
    assert crossed(found) == set(ALWAYS_THE_VICTIMS)
    assert {found[name].sign for name in (*NO_IDS, "no_tenant", "select_own")} == {"read"}
    assert {found[name].sign for name in ("error_message_own", "error_row_own")} == {"told"}


async def test_sessions_that_keep_whose_they_were(ground: Ground, sessions: TenantSessions, admin_database_url: str):
    broken.apply(ground, admin_database_url, broken.GRANTED)
    sessions.release()
    found = await outcomes(ground, sessions, LEFT, broken.Sticky(sessions.engine, ground))
    assert crossed(found) == set(LEFT)
    assert {found[name].sign for name in ("prepared", "temporary_table")} == {"read"}
    assert {found[name].sign for name in ("shadow_table", "shadow_view", "search_path", "tenant_setting")} == {"planted"}


async def test_a_driver_that_writes_values_as_they_are(ground: Ground, sessions: TenantSessions, admin_database_url: str):
    broken.apply(ground, admin_database_url, broken.GRANTED)
    assert crossed(await outcomes(ground, sessions, CARELESS)) == set()
    broken.careless(sessions.engine)
    assert crossed(await outcomes(ground, sessions, CARELESS)) == set(CARELESS)


async def test_with_all_rights_every_path_of_class_b_is_open(ground: Ground, settings: Settings, admin_database_url: str):
    """The login is a superuser's, and the attacker's role owns the victim's table."""
    broken.apply(ground, admin_database_url, broken.GRANTED + ";" + broken.POWERFUL)
    engine = await _engine_for(admin_database_url, settings)
    try:
        found = await outcomes(ground, TenantSessions(engine, settings=settings), [probe.name for probe in CLASS_B])
    finally:
        await engine.dispose()
    assert crossed(found) == {probe.name for probe in CLASS_B if "schema" in probe.isolations}


async def test_an_installation_that_gives_away_whatever_is_made(settings: Settings, app_database_url: str, admin_database_url: str):
    with psycopg.connect(admin_database_url) as connection:
        connection.execute(broken.EVERYWHERE.encode())
    report = await attack(settings, url=app_database_url)
    assert not report.ok
    assert set(report.crossed("schema", "a")) >= set(QUALIFIED)
    assert {"create_function", "create_view", "truncate", "sequence_set"} <= set(report.crossed("schema", "b"))


# --- one probe is nothing to the next ---------------------------------------------------------------------------------


async def test_what_a_probe_changes_is_put_back(ground: Ground, sessions: TenantSessions, admin_database_url: str):
    broken.apply(ground, admin_database_url, broken.GRANTED)
    before = await ground.look()
    names = ("delete", "update", "sequence_set", "copy_from", "cascade", "select")
    assert crossed(await outcomes(ground, sessions, names)) == set(names) - {"cascade"}
    assert await ground.look() == before


async def test_a_probe_does_not_find_what_the_one_before_left(ground: Ground, sessions: TenantSessions):
    probes = {probe.name: probe for probe in PROBES}
    alone = replace(probes["cursor_left"], name="alone", steps=attacker("fetch"))
    found = await Attack(ground, sessions, sessions.engine).run([probes["cursor_left"], alone])
    assert [outcome.result for outcome in found] == ["crossed", "refused"]
    assert found[1].error == "34000"


async def test_a_probe_is_tried_in_the_isolations_that_it_is_for(ground: Ground, sessions: TenantSessions):
    assert set(await outcomes(ground, sessions, ["lock", "truncate"])) == {"lock", "truncate"}
    found = await outcomes(replace(ground, isolation="row"), sessions, ["lock", "truncate"])
    assert {name: outcome.isolation for name, outcome in found.items()} == {"truncate": "row"}


async def test_a_large_object_is_gone_again(ground: Ground, sessions: TenantSessions, look: Look):
    await outcomes(ground, sessions, ["large_object"])
    assert look("SELECT count(*) AS count FROM pg_largeobject_metadata") == [{"count": 0}]


async def test_a_connection_that_is_lost_is_no_refusal(ground: Ground, sessions: TenantSessions, admin_database_url: str, monkeypatch):
    from tenancy_fixtures._attack import _crossing

    async def cut(session, *rest):
        pid = (await session.execute(_crossing.text("SELECT pg_backend_pid()"))).scalar()
        administer(admin_database_url, f"SELECT pg_terminate_backend({pid})")
        await execute(session, *rest)

    execute = _crossing._execute
    monkeypatch.setitem(_crossing._WAYS, "execute", cut)
    with pytest.raises(DatabaseUnavailable):
        await outcomes(ground, sessions, ["select_own"])


# --- nothing is left --------------------------------------------------------------------------------------------------


async def test_it_goes_the_normal_ways_and_leaves_nothing(settings: Settings, app_database_url: str, look: Look):
    report = await attack(settings, url=app_database_url)
    assert (report.left, report.removed) == ((), ())
    assert look("SELECT tenant_id FROM tenancy.tenants") == []
    assert look("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 't_doctor')") == []
    assert {run["state"] for run in look.runs()} == {"succeeded"}
    assert {run["operation"] for run in look.runs()} == {"create_tenant", "attack", "drop_tenant"}
    assert {row["tenant_id"].rpartition("-")[2] for row in look("SELECT tenant_id FROM tenancy.audit_log")} == {"attacker", "victim"}
    assert look.audit().count("tenant:dropped") == 2 * len(report.isolations)
    assert Runtime.opened(settings) is None


async def test_a_failure_and_a_cancel_leave_nothing(settings: Settings, app_database_url: str, look: Look, monkeypatch):
    began = asyncio.Event()

    async def fail(self, probe):
        raise ZeroDivisionError

    async def wait(self, probe):
        began.set()
        await asyncio.sleep(600)

    monkeypatch.setattr(Attack, "try_one", fail)
    with pytest.raises(ZeroDivisionError):
        await attack(settings, url=app_database_url)
    assert look("SELECT tenant_id FROM tenancy.tenants") == []
    monkeypatch.setattr(Attack, "try_one", wait)
    task = asyncio.create_task(attack(settings, url=app_database_url))
    await began.wait()
    assert len(look("SELECT tenant_id FROM tenancy.tenants")) == 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert look("SELECT tenant_id FROM tenancy.tenants") == []
    # A scope of anyio cancels whatever is awaited, again and again.
    began.clear()
    async with anyio.create_task_group() as group:
        group.start_soon(partial(attack, settings, url=app_database_url))
        await began.wait()
        group.cancel_scope.cancel()
    assert look("SELECT tenant_id FROM tenancy.tenants") == []


async def test_what_a_crashed_attack_left_is_named_and_can_be_removed(settings: Settings, app_database_url: str, look: Look, monkeypatch):
    async with FixtureManager(settings, pack=probe_pack()) as manager:
        await manager.create_tenant("doctor-attack-0-victim")
        await manager.create_tenant("somebody")
        report = await attack(settings, url=app_database_url)
        assert (report.left, report.removed) == (("doctor-attack-0-victim",), ())
        report = await attack(settings, url=app_database_url, remove_left=True)
        assert (report.left, report.removed) == ((), ("doctor-attack-0-victim",))
        assert await left_behind(manager) == []
        assert [tenant.tenant_id for tenant in await manager.list_tenants()] == ["somebody"]


async def test_tenants_that_stand_on_each_other_go_too(settings: Settings, admin_database_url: str, look: Look):
    async with on_ground(settings) as ground:
        broken.apply(ground, admin_database_url, "CREATE VIEW {victim}.over AS SELECT * FROM {own}.items")
    assert look("SELECT tenant_id FROM tenancy.tenants") == []


async def test_what_cannot_go_is_told_when_the_other_has_gone(settings: Settings, admin_database_url: str, look: Look):
    async def make() -> None:
        async with on_ground(settings) as ground:
            broken.apply(ground, admin_database_url, "CREATE VIEW public.over AS SELECT * FROM {own}.items")

    with pytest.raises(TenantInUse, match=r"view public\.over"):
        await make()
    assert [row["tenant_id"].rpartition("-")[2] for row in look("SELECT tenant_id FROM tenancy.tenants")] == ["attacker"]


# --- what cannot be attacked ------------------------------------------------------------------------------------------


async def test_a_login_that_cannot_act_for_a_tenant_shows_nothing(settings: Settings, admin_database_url: str, plain_login: str, look: Look):
    url = with_parts(admin_database_url, database=look("SELECT current_database() AS name")[0]["name"], user=plain_login, password="only-for-tests")
    with pytest.raises(ConfigurationError, match="would show nothing"):
        await attack(settings, url=url)
    assert look("SELECT tenant_id FROM tenancy.tenants") == []


async def test_rows_that_nobody_sees_show_nothing(settings: Settings, app_database_url: str, monkeypatch, look: Look):
    async def empty(self: Ground) -> None:
        for side in (self.attacker, self.victim):
            await self.manager.apply(_tenants.ProbeRows(side, self.isolation), tenant_id=side.tenant.tenant_id, operation="attack")
            async with self.runtime.database.transaction(tenant=side.tenant.tenant_id, role="migrator") as transaction:
                await transaction.run(_tenants.compose("attack.empty", schema=_tenants.identifier(side.tenant.namespace)))

    monkeypatch.setattr(Ground, "restore", empty)
    with pytest.raises(ConfigurationError, match="sees no rows"):
        await attack(settings, url=app_database_url)


async def test_another_driver_cannot_copy_and_says_so(ground: Ground, app_database_url: str, settings: Settings):
    engine = await _engine_for(app_database_url.replace("postgresql://", "postgresql+asyncpg://"), settings)
    try:
        found = await outcomes(ground, TenantSessions(engine, settings=settings), [probe.name for probe in CLASS_A])
    finally:
        await engine.dispose()
    assert {name for name, outcome in found.items() if outcome.result == "untried"} == {"copy_to", "copy_query_to", "copy_from"}
    assert {outcome.error for outcome in found.values()} & OWN_FAULTS == set()


async def test_a_driver_that_nobody_knows(settings: Settings, app_database_url: str):
    with pytest.raises(ConfigurationError, match="no driver 'pg8000'"):
        await attack(settings, url=app_database_url.replace("postgresql://", "postgresql+pg8000://"))


async def test_a_login_that_is_refused(settings: Settings, app_database_url: str, look: Look):
    with pytest.raises(PermissionDenied):
        await attack(settings, url=app_database_url.replace("tenancy_test_application", "nobody"))
    assert look.runs() == []


async def test_not_in_the_context_of_a_tenant(settings: Settings):
    with tenant_context("acme"), pytest.raises(ConfigurationError, match="context"):
        await attack(settings)
