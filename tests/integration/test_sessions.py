"""The host's own engine, with each of its drivers: a transaction is one tenant's, or it does not begin."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from contextlib import asynccontextmanager

import psycopg
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine, insert, make_url, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, sessionmaker

from tenancy_fixtures import FixtureManager, Settings
from tenancy_fixtures.exceptions import (
    ConfigurationError,
    InvalidTenantId,
    NoTenant,
    NotInitialised,
    TenantNotFound,
    TenantSuspended,
    UnsafeRole,
    WrongTenant,
)
from tenancy_fixtures.integrations.sqlalchemy import TenantSessions, current_tenant, tenant_context
from tests.acceptance.support import State
from tests.conftest import ROLES

pytestmark = pytest.mark.anyio

WHOSE = text("SELECT t.name FROM tenant_name AS t")
WHERE = text("SELECT current_user::text, current_setting('search_path'), current_setting('tenancy.tenant_id')")
NOTES = Table("tenant_name", MetaData(schema="tenant"), Column("id", Integer, primary_key=True), Column("name", Text))


def url_for(url: str, driver: str) -> str:
    return url.replace("postgresql://", f"postgresql+{driver}://").replace("postgres://", f"postgresql+{driver}://")


def role_of(tenant: str, state: State) -> str:
    return state.value("SELECT role::text FROM tenancy.tenants WHERE tenant_id = %s", tenant)


@pytest.fixture
def state(admin_database_url: str) -> State:
    return State(admin_database_url)


@pytest.fixture
async def tenants(manager: FixtureManager, admin_database_url: str, anyio_backend: str):
    """Two tenants, each with a table in which its name is written."""
    async with manager:
        for name in ("ada", "bob"):
            await manager.create_tenant(name)
            with psycopg.connect(admin_database_url) as connection:
                connection.execute(f"CREATE TABLE t_{name}.tenant_name (id int PRIMARY KEY, name text)")
                connection.execute(f"INSERT INTO t_{name}.tenant_name VALUES (1, '{name}')")
                connection.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON t_{name}.tenant_name TO {role_of(name, State(admin_database_url))}")
        yield manager


@pytest.fixture
def engine(app_database_url: str):
    found = create_engine(url_for(app_database_url, "psycopg"))
    yield found
    found.dispose()


@pytest.fixture
def sessions(engine, settings: Settings) -> TenantSessions:
    return TenantSessions(engine, settings=settings)


@asynccontextmanager
async def asynchronous(url: str, driver: str):
    engine = create_async_engine(url_for(url, driver))
    try:
        yield engine
    finally:
        await engine.dispose()


# --- whose a transaction is -------------------------------------------------------------------------------------------


async def test_each_transaction_is_one_tenants(tenants, sessions: TenantSessions, state: State):
    make = sessionmaker(sessions.engine)
    for name in ("ada", "bob", "ada"):
        with tenant_context(name), make() as session:
            assert session.execute(WHERE).one() == (role_of(name, state), f"t_{name}, pg_temp", name)
            assert session.execute(WHOSE).scalars().all() == [name]
            session.rollback()
            assert session.execute(WHOSE).scalars().all() == [name]
    with sessions.session("ada") as ada, sessions.session("bob") as bob:
        assert (ada.execute(WHOSE).scalar(), bob.execute(WHOSE).scalar(), ada.execute(WHOSE).scalar()) == ("ada", "bob", "ada")
    assert current_tenant() is None


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_asynchronous_engines(driver: str, tenants, app_database_url: str, settings: Settings):
    async with asynchronous(app_database_url, driver) as engine:
        sessions = TenantSessions(engine, settings=settings, shared_schemas=["public", 'odd "name'])
        make = async_sessionmaker(engine)

        async def look(name: str) -> str:
            with tenant_context(name):
                async with make() as session:
                    await asyncio.sleep(0)
                    found = (await session.execute(WHOSE)).scalar()
                    path = (await session.execute(WHERE)).one()[1]
                    assert path in (f't_{name}, "public", "odd ""name", pg_temp', f't_{name}, public, "odd ""name", pg_temp')
                    return found

        names = ["ada", "bob"] * 20
        assert await asyncio.gather(*map(look, names)) == names
        async with sessions.async_session("bob") as session:
            assert (await session.execute(WHOSE)).scalar() == "bob"
        with pytest.raises(NoTenant):
            async with AsyncSession(engine) as session:
                await session.execute(WHOSE)
        with pytest.raises(ConfigurationError, match="AsyncEngine"):
            sessions.session("bob")


async def test_what_is_written_is_the_tenants(tenants, sessions: TenantSessions, state: State):
    with sessions.session("ada") as session, session.begin():
        session.execute(text("INSERT INTO tenant_name VALUES (2, 'more')"))
        with session.begin_nested():
            session.execute(text("INSERT INTO tenant_name VALUES (3, 'and more')"))
    assert state.rows("SELECT count(*) AS count FROM t_ada.tenant_name") == [{"count": 3}]
    assert state.rows("SELECT count(*) AS count FROM t_bob.tenant_name") == [{"count": 1}]


async def test_an_error_ends_the_transaction_and_the_next_is_whole(tenants, sessions: TenantSessions):
    with sessions.session("ada") as session:
        with pytest.raises(DBAPIError):
            session.execute(text("SELECT 1 / 0"))
        session.rollback()
        assert session.execute(WHOSE).scalar() == "ada"


async def test_models_that_name_a_schema_for_the_tenants(tenants, engine, settings: Settings):
    TenantSessions(engine, settings=settings, translate="tenant")
    with tenant_context("ada"), Session(engine) as session:
        session.execute(insert(NOTES).values(id=9, name="x"))
        assert session.execute(select(NOTES.c.name).order_by(NOTES.c.id)).scalars().all() == ["ada", "x"]
    with tenant_context("bob"), Session(engine) as session:
        assert session.execute(select(NOTES.c.name)).scalars().all() == ["bob"]


async def test_a_session_of_the_managers(tenants, settings: Settings, state: State):
    async with tenants.session("ada") as session:
        assert (await session.execute(WHERE)).one() == (role_of("ada", state), "t_ada, pg_temp", "ada")
        await session.execute(text("INSERT INTO tenant_name VALUES (2, 'kept')"))
        await session.commit()
    async with tenants.session("ada") as session:
        await session.execute(text("INSERT INTO tenant_name VALUES (3, 'lost')"))
    async with tenants.session("ada") as session:
        assert (await session.execute(text("SELECT name FROM tenant_name ORDER BY id"))).scalars().all() == ["ada", "kept"]
    with pytest.raises(TenantNotFound):
        async with tenants.session("nobody") as session:
            await session.execute(WHERE)


# --- the context ------------------------------------------------------------------------------------------------------


async def test_the_context_goes_along_with_tasks_and_threads(tenants, sessions: TenantSessions):
    def look() -> str:
        with Session(sessions.engine) as session:
            return session.execute(WHOSE).scalar_one()

    async def task() -> str:
        return await asyncio.to_thread(look)

    with tenant_context("ada"):
        inner = asyncio.create_task(task())
        with tenant_context("bob"):
            assert await asyncio.create_task(task()) == "bob"
        found: list[object] = []
        copied = contextvars.copy_context()
        started = [
            threading.Thread(target=copied.run, args=(lambda: found.append(look()),)),
            threading.Thread(target=lambda: found.append(caught(look))),
        ]
        for thread in started:
            thread.start()
            await asyncio.to_thread(thread.join)
    assert await inner == "ada"
    assert found == ["ada", NoTenant]
    assert current_tenant() is None


def caught(work) -> type[BaseException] | None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - its kind is the answer
        return type(error)
    return None


@pytest.mark.parametrize("name", ["", "a b", "a;b", "-a", "ä", "a" * 64, "a\x00b"])
def test_a_context_of_what_is_no_id(name: str, engine, settings: Settings):
    with pytest.raises(InvalidTenantId), tenant_context(name):
        pass
    with pytest.raises(InvalidTenantId):
        TenantSessions(engine, settings=settings).session(name)
    with pytest.raises(InvalidTenantId), engine.connect().execution_options(tenancy_tenant=name) as connection:
        connection.execute(WHERE)


# --- without a tenant -------------------------------------------------------------------------------------------------


async def test_without_a_tenant_nothing_begins(tenants, sessions: TenantSessions):
    with pytest.raises(NoTenant), Session(sessions.engine) as session:
        session.execute(WHERE)
    with pytest.raises(NoTenant), sessions.engine.begin():
        pass
    with sessions.engine.connect() as connection:
        with pytest.raises(NoTenant):
            connection.execute(WHERE)
        # What has failed to begin has not begun: SQLAlchemy would send the next statement without asking anybody.
        with tenant_context("ada"), pytest.raises(NoTenant, match="outside"):
            connection.execute(WHERE)
    with tenant_context("ada"), sessions.engine.connect() as connection:
        assert connection.execute(WHOSE).scalar() == "ada"


async def test_nobody_and_who_is_suspended(tenants, sessions: TenantSessions, admin_database_url: str):
    with pytest.raises(TenantNotFound) as caught_error, sessions.session("nobody") as session:
        session.execute(WHERE)
    assert caught_error.value.tenant == "nobody"
    for state in ("suspended", "quarantined"):
        with psycopg.connect(admin_database_url) as connection:
            connection.execute("UPDATE tenancy.tenants SET state = %s WHERE tenant_id = 'ada'", [state])
        with pytest.raises(TenantSuspended, match=state), sessions.session("ada") as session:
            session.execute(WHERE)
    with sessions.session("bob") as session:
        assert session.execute(WHOSE).scalar() == "bob"


async def test_a_transaction_is_not_used_in_the_context_of_another(tenants, sessions: TenantSessions):
    with tenant_context("ada"), Session(sessions.engine) as session:
        session.execute(WHOSE)
        with tenant_context("bob"), pytest.raises(WrongTenant):
            session.execute(WHOSE)
        assert session.execute(WHOSE).scalar() == "ada"
        session.rollback()
        with tenant_context("bob"):
            assert session.execute(WHOSE).scalar() == "bob"


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_autocommit_keeps_nothing_and_is_refused(driver: str, tenants, app_database_url: str, settings: Settings):
    async with asynchronous(app_database_url, driver) as engine:
        TenantSessions(engine, settings=settings)
        with tenant_context("ada"), pytest.raises(ConfigurationError, match="AUTOCOMMIT"):
            async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                await connection.execute(WHERE)


async def test_autocommit_of_a_login_with_all_rights(tenants, admin_database_url: str, settings: Settings):
    engine = create_engine(url_for(admin_database_url, "psycopg"), isolation_level="AUTOCOMMIT")
    TenantSessions(engine, settings=settings)
    with tenant_context("ada"), engine.connect() as connection, pytest.raises(ConfigurationError, match="AUTOCOMMIT"):
        connection.execute(WHERE)
    engine.dispose()


async def test_who_may_do_everything_is_refused_in_production(tenants, admin_database_url: str, settings: Settings):
    engine = create_engine(url_for(admin_database_url, "psycopg"))
    TenantSessions(engine, settings=settings.with_changes(mode="production"))
    with tenant_context("ada"), engine.connect() as connection, pytest.raises(UnsafeRole):
        connection.execute(WHERE)
    engine.dispose()


async def test_a_database_without_a_control_plane(admin_url: str, settings: Settings):
    engine = create_engine(url_for(admin_url, "psycopg"))
    TenantSessions(engine, settings=settings)
    with tenant_context("ada"), engine.connect() as connection, pytest.raises(NotInitialised):
        connection.execute(WHERE)
    engine.dispose()


async def test_a_login_that_is_not_the_applications(tenants, admin_database_url: str, admin_url: str, settings: Settings):
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS tenancy_test_stranger")
        connection.execute("CREATE ROLE tenancy_test_stranger LOGIN PASSWORD 'x'")
    try:
        url = make_url(url_for(admin_database_url, "psycopg")).set(username="tenancy_test_stranger", password="x")
        engine = create_engine(url)
        TenantSessions(engine, settings=settings)
        with tenant_context("ada"), engine.connect() as connection, pytest.raises(ConfigurationError, match="role"):
            connection.execute(WHERE)
        engine.dispose()
    finally:
        with psycopg.connect(admin_url, autocommit=True) as connection:
            connection.execute("DROP ROLE tenancy_test_stranger")


# --- neighbours -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM t_bob.tenant_name",
        "INSERT INTO t_bob.tenant_name VALUES (2, 'ada')",
        "UPDATE t_bob.tenant_name SET name = 'ada'",
        "DELETE FROM t_bob.tenant_name",
        "SELECT 't_bob.tenant_name'::regclass",
        "CREATE TABLE t_bob.more (id int)",
        "SELECT * FROM tenancy.tenants",
        "SELECT * FROM tenancy.config",
    ],
)
async def test_a_neighbour_is_not_reached_by_its_name(tenants, sessions: TenantSessions, state: State, statement: str):
    with sessions.session("ada") as session, pytest.raises(DBAPIError) as caught:
        session.execute(text(statement))
    assert caught.value.orig.sqlstate == "42501"
    assert state.value("SELECT string_agg(name, ',') FROM t_bob.tenant_name") == "bob"


async def test_a_tenant_whose_role_is_gone_is_not_entered(tenants, sessions: TenantSessions, state: State):
    """A copy of the database on another server: nothing takes the place of the rights that are missing."""
    state.run("UPDATE tenancy.tenants SET role = 'tenancy_t_' || repeat('0', 32) WHERE tenant_id = 'ada'")
    with sessions.session("ada") as session, pytest.raises(ConfigurationError, match="role is not on this server"):
        session.execute(WHOSE)
    state.run("UPDATE tenancy.tenants SET role = NULL WHERE tenant_id = 'ada'")
    with sessions.session("ada") as session, pytest.raises(DBAPIError) as caught:
        session.execute(WHOSE)
    assert caught.value.orig.sqlstate == "42P01"
    with sessions.session("bob") as session:
        assert session.execute(WHOSE).scalar() == "bob"


# --- what others have left in a connection ----------------------------------------------------------------------------


async def test_what_is_left_in_a_connection_does_not_matter(tenants, engine, settings: Settings):
    """A pool, or a pooler, hands out what another has used: with settings, a role and a table of the same name left in it."""
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
        connection.rollback()
        raw.execute("SELECT set_config('role', %s, false)", [ROLES.app])
        raw.execute("SET search_path = pg_temp, t_bob")
        raw.execute("SET tenancy.tenant_id = 'bob'")
        raw.execute("CREATE TEMP TABLE tenant_name (id int, name text)")
        raw.execute("INSERT INTO tenant_name VALUES (1, 'nobody')")
        raw.commit()
    TenantSessions(engine, settings=settings)
    with tenant_context("ada"), Session(engine) as session:
        assert session.execute(WHOSE).scalars().all() == ["ada"]


async def test_a_prepared_statement_is_asked_anew_for_each_tenant(tenants, sessions: TenantSessions):
    for name in ("ada", "bob") * 8:
        with sessions.session(name) as session:
            assert session.execute(WHOSE).scalar() == name


async def test_a_binding_is_released(tenants, sessions: TenantSessions):
    with pytest.raises(ConfigurationError, match="already"):
        TenantSessions(sessions.engine)
    sessions.release()
    with sessions.engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    assert "only-for-tests" not in repr(sessions)
