"""Tenants with databases of their own: made, used, dropped; and whole or not at all, whatever dies in between."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine, text

from tenancy_fixtures import FixtureManager, Settings, TenantFixture
from tenancy_fixtures._pg import databases
from tenancy_fixtures._pg.bootstrap import with_parts
from tenancy_fixtures._pg.connect import connect
from tenancy_fixtures._sessions import TenantSessions
from tenancy_fixtures.doctor import attack
from tenancy_fixtures.exceptions import ConfigurationError, LockTimeout, NoDatabases, RunInProgress, ScriptFailed, TenantExists, TenantInUse
from tenancy_fixtures.packs import DEFAULT_FOLDER, Pack
from tests.acceptance.support import State
from tests.conftest import ROLES
from tests.databases import drop_database

pytestmark = pytest.mark.anyio

# Databases belong to the server: a name that no other test has at the same moment.
ADA, SOMEBODY = f"ada{secrets.token_hex(4)}", f"somebody{secrets.token_hex(4)}"


@pytest.fixture
def state(admin_database_url: str) -> State:
    return State(admin_database_url)


@pytest.fixture
async def opened(admin_url: str, admin_database_url: str, database: str, settings: Settings, anyio_backend: str) -> AsyncIterator[FixtureManager]:
    """A manager of an installation that is prepared for such tenants; their databases are gone afterwards."""
    template = await databases.prepare(admin_database_url)
    try:
        async with FixtureManager(settings) as manager:
            yield manager
    finally:
        drop_database(admin_url, template, *databases_of(State(admin_database_url)))


def databases_of(state: State) -> list[str]:
    """Those of the tenants, and those that are on their way."""
    known = "SELECT uid, namespace::text FROM tenancy.tenants WHERE isolation = 'database' UNION SELECT uid, namespace FROM tenancy.intents"
    return [name for row in state.rows(known) for name in (row["namespace"], f"tenancy_new_{row['uid'].hex}")]


def database_of(state: State, name: str) -> State:
    return State(with_parts(state.url, database=name))


def there(state: State, name: str) -> bool:
    return state.value("SELECT count(*) FROM pg_database WHERE datname = %s", name) == 1


async def test_all_of_a_tenants_life(opened: FixtureManager, state: State):
    tenant = await opened.create_tenant(ADA, isolation="database", tier="premium", config={"locale": "fr"})
    own = database_of(state, tenant.namespace)
    assert (tenant.isolation, tenant.role) == ("database", f"tenancy_t_{tenant.uid.hex}")
    assert own.value("SELECT uid FROM tenancy.tenants") == tenant.uid
    assert state.value("SELECT count(*) FROM tenancy.intents") == 0
    report = await opened.load_fixtures(ADA)
    assert report.written > 0
    assert own.value("SELECT count(*) FROM tenancy.ledger") > 0
    assert state.value("SELECT count(*) FROM tenancy.ledger") == 0
    assert (await opened.validate(ADA)).findings == ()
    assert (await opened.get_config(ADA))["locale"] == "fr"
    async with opened.session(ADA) as session:
        assert (await session.execute(text("SELECT current_database(), current_user::text, count(*) > 0 FROM artists"))).one() == (
            tenant.namespace,
            tenant.role,
            True,
        )
    assert [run["operation"] for run in await opened.recent_runs(ADA)] == ["load_fixtures", "create_tenant", "create_tenant"]
    dropped = await opened.drop_tenant(ADA)
    assert [(step.fixture, step.action) for step in dropped.steps] == [("database", "drop"), ("tenant", "drop")]
    assert not there(state, tenant.namespace)
    assert state.value("SELECT count(*) FROM pg_roles WHERE rolname = %s", tenant.role) == 0
    assert state.value("SELECT count(*) FROM tenancy.tenants") == 0


async def test_what_is_done_in_it_is_seen_in_the_list(opened: FixtureManager, state: State):
    await opened.create_tenant(ADA, isolation="database")
    changed = await opened.create_tenant(ADA, tier="premium", exist_ok=True)
    assert (changed.tier, (await opened.list_tenants())[0].tier) == ("premium", "premium")
    with pytest.raises(TenantExists):
        await opened.create_tenant(ADA, isolation="database")
    # Where the row is behind, the next operation brings it forward.
    state.run("UPDATE tenancy.tenants SET tier = 'free', updated_at = now() - interval '1 day'")
    await opened.migrate(ADA)
    assert (await opened.get_tenant(ADA)).tier == "premium"


async def test_the_same_call_is_done_once(opened: FixtureManager, state: State):
    first = await opened.create_tenant(ADA, isolation="database", idempotency_key="k")
    assert (await opened.create_tenant(ADA, isolation="database", idempotency_key="k")).uid == first.uid
    assert state.value("SELECT count(*) FROM tenancy.runs") == 1


async def test_a_name_that_a_database_has_is_not_taken_from_it(opened: FixtureManager, state: State, admin_url: str):
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE t_" + SOMEBODY)
    try:
        tenant = await opened.create_tenant(SOMEBODY, isolation="database")
        assert tenant.namespace == f"t_{SOMEBODY}_{tenant.uid.hex[:12]}"
        await opened.drop_tenant(SOMEBODY)
        assert there(state, f"t_{SOMEBODY}")
    finally:
        drop_database(admin_url, f"t_{SOMEBODY}")


async def test_what_fails_leaves_nothing(opened: FixtureManager, state: State, settings: Settings, tmp_path):
    spoilt = tmp_path / "pack"
    shutil.copytree(DEFAULT_FOLDER, spoilt, ignore=shutil.ignore_patterns("data", "__pycache__", "*.py"))
    (spoilt / "schema_template.sql").write_text("CREATE TABLE t (i inteeger);", encoding="utf-8")
    async with FixtureManager(settings, pack=Pack.from_folder(spoilt)) as manager:
        with pytest.raises(ScriptFailed):
            await manager.create_tenant(ADA, isolation="database")
    # Whatever it is called: it says whose it is before it has its name.
    assert state.value("SELECT count(*) FROM pg_database WHERE starts_with(shobj_description(oid, 'pg_database'), %s)", f"Tenant {ADA} (") == 0
    assert [row["state"] for row in state.rows("SELECT state FROM tenancy.runs")] == ["failed"]
    assert state.value("SELECT (SELECT count(*) FROM tenancy.intents) + (SELECT count(*) FROM tenancy.tenants)") == 0
    await opened.create_tenant(ADA, isolation="database")


async def test_many_who_make_the_same(opened: FixtureManager, state: State):
    outcomes = await asyncio.gather(*(opened.create_tenant(ADA, isolation="database") for _ in range(4)), return_exceptions=True)
    made = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(made) == 1
    assert {type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)} <= {TenantExists, RunInProgress}
    assert [name for name in databases_of(state) if there(state, name)] == [made[0].namespace]


async def test_one_that_somebody_is_in_is_not_dropped(opened: FixtureManager, state: State):
    tenant = await opened.create_tenant(ADA, isolation="database")
    with psycopg.connect(database_of(state, tenant.namespace).url), pytest.raises(TenantInUse):
        await opened.drop_tenant(ADA)
    assert (await opened.load_fixtures(ADA, ["artists"])).written > 0
    assert state.value("SELECT count(*) FROM tenancy.intents") == 0
    await opened.drop_tenant(ADA)
    assert not there(state, tenant.namespace)


async def test_connections_that_other_managers_keep_do_not_hold_it(opened: FixtureManager, state: State, settings: Settings):
    tenant = await opened.create_tenant(ADA, isolation="database")
    async with FixtureManager(settings) as other:
        await other.get_config(ADA)
        await opened.drop_tenant(ADA)
    assert not there(state, tenant.namespace)


async def test_an_engine_of_the_main_database_does_not_enter_it(opened: FixtureManager, state: State, app_database_url: str, settings: Settings):
    tenant = await opened.create_tenant(ADA, isolation="database")
    for url, there_is in ((app_database_url, False), (with_parts(app_database_url, database=tenant.namespace), True)):
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        with TenantSessions(engine, settings=settings).session(ADA) as session:
            if there_is:
                assert session.execute(text("SELECT current_user::text")).scalar() == tenant.role
            else:
                with pytest.raises(ConfigurationError, match="a database of its own"):
                    session.execute(text("SELECT 1"))
        engine.dispose()


async def test_an_attack_does_not_cross(opened: FixtureManager, settings: Settings, app_database_url: str, state: State):
    for own_login in (False, True):
        report = await attack(settings, url=None if own_login else app_database_url, own_login=own_login)
        assert report.isolations == ("schema", "row", "database")
        assert report.ok
        assert report.crossed("database", "b") == ("databases", *(() if own_login else ("activity",)))
    assert state.value("SELECT count(*) FROM tenancy.tenants") == 0


async def test_an_installation_that_is_not_prepared(settings: Settings, state: State):
    async with FixtureManager(settings) as manager:
        with pytest.raises(NoDatabases, match=r"not prepared|may not make databases") as caught:
            await manager.create_tenant(ADA, isolation="database")
    assert "tenancy init --databases" in caught.value.hint
    assert state.value("SELECT (SELECT count(*) FROM tenancy.intents) + (SELECT count(*) FROM tenancy.runs)") == 0


async def test_more_of_them_than_are_kept_open(opened: FixtureManager, state: State, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tenancy_fixtures.runtime._KEPT", 2)
    names = [f"{ADA}_{number}" for number in range(4)]
    tenants = [await opened.create_tenant(name, isolation="database") for name in names]
    await asyncio.gather(*(opened.load_fixtures(name, ["artists"]) for name in names))
    counts = {name: database_of(state, tenant.namespace).value("SELECT count(*) FROM tenancy.ledger") for name, tenant in zip(names, tenants)}
    assert set(counts.values()) == {1}
    assert len(opened._own._others) <= 2


async def test_what_the_dead_have_begun_is_ended_before_it_is_put_in_order(opened: FixtureManager, settings: Settings):
    """The server goes on with a statement whose client was killed: a database could come about when nobody waits for it any more."""
    url, name = settings.database_url.get_secret_value(), f"tenancy_new_{secrets.token_hex(16)}"
    async with await connect(url) as dead, databases.Databases.of(url, ROLES) as ours:
        going_on = asyncio.ensure_future(dead.execute(f'SELECT pg_sleep(30) AS "{name}"'))
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await ours.end_work(name)
        # AdminShutdown, which older drivers have no name for once the connection is gone.
        with pytest.raises(psycopg.OperationalError, match="administrator command"):
            await going_on
        assert time.monotonic() - began < 10


async def test_work_in_progress_is_not_dropped(opened: FixtureManager, state: State, settings: Settings):
    tenant = await opened.create_tenant(ADA, isolation="database")
    async with FixtureManager(settings) as other, other.session(ADA) as session:
        await session.execute(text("SELECT count(*) FROM artists"))
        with pytest.raises(TenantInUse):
            await opened.drop_tenant(ADA)
        assert (await session.execute(text("SELECT count(*) FROM artists"))).scalar() == 0
    assert there(state, tenant.namespace)
    async with (
        FixtureManager(settings.with_changes(lock_timeout=0.5)) as hasty,
        opened.place_of(ADA) as place,
        place.database.transaction(tenant=ADA, role="migrator") as transaction,
    ):
        await transaction.run("database.lock", name=ADA)
        with pytest.raises(LockTimeout):
            await hasty.drop_tenant(ADA)
    assert there(state, tenant.namespace)
    await opened.drop_tenant(ADA)


async def test_a_template_of_somebody_elses_is_not_taken(admin_url: str, admin_database_url: str, database: str):
    name = f"{database}_template"
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            with pytest.raises(ConfigurationError, match="not this one's template"):
                await databases.prepare(admin_database_url)
            assert connection.execute("SELECT datallowconn, datistemplate FROM pg_database WHERE datname = %s", [name]).fetchone() == (True, False)
        finally:
            drop_database(admin_url, name)


# --- what a crash leaves ----------------------------------------------------------------------------------------------

WORK = """
import asyncio, sys
from tenancy_fixtures import FixtureManager
async def work():
    async with FixtureManager() as manager:
        if sys.argv[1] == "drop":
            await manager.drop_tenant(sys.argv[2])
        else:
            await manager.create_tenant(sys.argv[2], isolation="database")
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(work())
print("done", flush=True)
"""


async def test_a_dry_run_puts_nothing_in_order_and_what_follows_does(opened: FixtureManager, state: State):
    """What is written down of a drop that never came to the database, and of one that did."""
    tenant = await opened.create_tenant(ADA, isolation="database")
    intent = f"INSERT INTO tenancy.intents (tenant_id, uid, namespace, kind) VALUES ('{ADA}', '{tenant.uid}', '{tenant.namespace}', 'drop')"
    state.run(intent)
    await opened.drop_tenant(ADA, dry_run=True)
    await opened.plan_tenant(TenantFixture(ADA, isolation="database"))
    assert state.value("SELECT count(*) FROM tenancy.intents") == 1
    assert (await opened.create_tenant(ADA, exist_ok=True)).uid == tenant.uid
    assert state.value("SELECT count(*) FROM tenancy.intents") == 0
    await opened._own.leave(tenant.namespace)
    state.run(intent, f'DROP DATABASE "{tenant.namespace}"')
    again = await opened.create_tenant(ADA, isolation="database")
    assert again.uid != tenant.uid
    assert (await opened.validate(ADA)).findings == ()


@pytest.mark.parametrize("deed", ["create", "drop"])
async def test_whoever_is_killed_leaves_all_or_nothing(opened: FixtureManager, state: State, settings: Settings, deed: str):
    """Killed at moments over the whole of it; whoever comes next finds a tenant that is whole, or none and no trace of its database."""
    url = settings.database_url.get_secret_value()
    environment = {**os.environ, "TENANCY_DATABASE_URL": url, "PYTHONPATH": os.pathsep.join(sys.path)}
    chance, length, cut = random.Random(7), 0.6, 0
    for _ in range(8):
        await _settled(opened, "create" if deed == "drop" else "drop")
        cut += await asyncio.to_thread(_killed, deed, environment, chance.uniform(0, length))
        # The lock is gone as soon as the server has noticed.
        await _settled(opened, deed)
        names = [name for name in databases_of(state) if there(state, name)]
        tenants = {tenant.tenant_id: tenant for tenant in await opened.list_tenants()}
        assert names == [tenant.namespace for tenant in tenants.values()]
        assert state.value("SELECT count(*) FROM tenancy.intents") == 0
        assert list(tenants) == ([ADA] if deed == "create" else [])
        if tenants:
            assert (await opened.validate(ADA)).findings == ()
    assert cut > 0


def _killed(deed: str, environment: dict[str, str], seconds: float) -> bool:
    """A process that does it, killed after so long; whether that was before its end."""
    words = [sys.executable, "-c", WORK, deed, ADA]
    with subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        return process.wait() != 0


async def _settled(manager: FixtureManager, deed: str) -> None:
    """Do it once more, as somebody would whose first attempt died."""
    there_is = {tenant.tenant_id for tenant in await manager.list_tenants()}
    if deed == "create":
        await manager.create_tenant(ADA, isolation="database", exist_ok=True)
    elif there_is:
        await manager.drop_tenant(ADA)


async def test_what_is_printed_migrates_such_a_tenant_by_hand(opened: FixtureManager, settings: Settings, state: State, tmp_path):
    if shutil.which("psql") is None:
        pytest.skip("psql is not installed")
    folder = tmp_path / "pack"
    shutil.copytree(DEFAULT_FOLDER, folder, ignore=shutil.ignore_patterns("data", "__pycache__"))
    await opened.create_tenant(ADA, isolation="database")
    text = "CREATE TABLE two (a integer PRIMARY KEY);"
    (folder / "migrations" / f"{opened.pack.head + 1:04d}_two.sql").write_text(text, encoding="utf-8")
    with (folder / "schema_template.sql").open("a", encoding="utf-8") as head:
        head.write(text)
    async with FixtureManager(settings, pack=Pack.from_folder(folder)) as later:
        (group,) = await later.migration_sql([ADA])
        failing = group.sql.replace(text, "SELECT 1/0;")
        for script, done in ((failing, False), (group.sql, True)):
            command = ["psql", "--no-psqlrc", "--quiet", "--dbname", settings.database_url.get_secret_value()]
            await asyncio.to_thread(subprocess.run, command, input=script, text=True, check=True, capture_output=True)
            # Where it fails in the tenant's database the main one's registry says nothing else.
            standing, tenant = await later.standing(ADA), await later.get_tenant(ADA)
            assert (standing.ok, standing.is_behind, tenant.revision == later.pack.head) == (done, not done, done)
