"""The role that each tenant has: made and dropped with it, given to those that are older, and never another's."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from contextlib import suppress

import psycopg
import pytest
from psycopg import errors, sql
from sqlalchemy import create_engine, text

from tenancy_fixtures import FixtureContext, FixtureManager, SchemaFixture, Settings, TenantFixture
from tenancy_fixtures._pg.bootstrap import with_parts
from tenancy_fixtures._pg.connect import connect
from tenancy_fixtures._pg.control_plane import initialise
from tenancy_fixtures._sessions import TenantSessions
from tenancy_fixtures.exceptions import ConfigurationError, TenantNotFound, ValidationFailed
from tests.acceptance.support import State
from tests.conftest import ROLES
from tests.databases import drop_database

from .marks import Mark, apply, broken

pytestmark = pytest.mark.anyio

# What a role has rights on, in schemas.
RIGHTS = """
SELECT DISTINCT n.nspname::text AS schema
FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, n.nspacl)) AS g
WHERE g.grantee = %s::regrole
"""


@pytest.fixture
def state(admin_database_url: str) -> State:
    return State(admin_database_url)


def role_of(state: State, tenant: str) -> str:
    return state.value("SELECT role::text FROM tenancy.tenants WHERE tenant_id = %s", tenant)


def exists(state: State, role: str) -> bool:
    return state.value("SELECT count(*) FROM pg_roles WHERE rolname = %s", role) == 1


def reaches(state: State, role: str) -> set[str]:
    return {row["schema"] for row in state.rows(RIGHTS, role)}


async def test_it_comes_and_goes_with_its_tenant(opened: FixtureManager, state: State):
    ada, bob = [await opened.create_tenant(name) for name in ("ada", "bob")]
    assert [tenant.role for tenant in (ada, bob)] == [f"tenancy_t_{tenant.uid.hex}" for tenant in (ada, bob)]
    (facts,) = state.rows("SELECT rolcanlogin, rolsuper, rolcreaterole, rolbypassrls FROM pg_roles WHERE rolname = %s", ada.role)
    assert not any(facts.values())
    assert (reaches(state, ada.role), reaches(state, bob.role)) == ({"t_ada"}, {"t_bob"})
    assert {"t_ada", "t_bob"} & reaches(state, ROLES.app) == set()
    report = await opened.drop_tenant("ada")
    assert (exists(state, ada.role), exists(state, bob.role)) == (False, True)
    assert all("kept" not in step.detail for step in report.steps)


async def test_what_fails_leaves_no_role(opened: FixtureManager, state: State):
    class Last(Mark):
        depends_on = ("schema",)

    made: list[str] = []

    async def late(context: FixtureContext) -> None:
        made.append(str(context.existing.role))
        await broken(context)

    with pytest.raises(ZeroDivisionError):
        await apply(opened, TenantFixture("ada"), SchemaFixture(), Last(late), tenant="ada")
    (role,) = made
    assert role.startswith("tenancy_t_")
    assert not exists(state, role)


async def test_tenants_are_made_at_once(opened: FixtureManager, state: State):
    """Roles are the server's: one that is being made lets no other wait until its transaction ends."""
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def wait(context: FixtureContext) -> None:
        inside.set()
        await go_on.wait()

    class Last(Mark):
        depends_on = ("schema",)

    long = asyncio.ensure_future(apply(opened, TenantFixture("ada"), SchemaFixture(), Last(wait), tenant="ada"))
    try:
        await inside.wait()
        await asyncio.wait_for(opened.create_tenant("bob"), 10)
    finally:
        go_on.set()
        await long
    groups = state.rows(
        "SELECT count(*) AS members FROM pg_auth_members WHERE roleid = %s::regrole AND member IN (%s::regrole, %s::regrole)",
        ROLES.tenants,
        role_of(state, "ada"),
        role_of(state, "bob"),
    )
    assert groups == [{"members": 2}]


async def test_the_roles_of_an_older_installation(admin_url: str, settings: Settings):
    """Made with six roles; brought forward with the two that are new, and then its tenants."""
    name = f"tenancy_test_{secrets.token_hex(6)}"
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = with_parts(admin_url, database=name)
    state = State(url)
    try:
        async with await connect(url) as connection:
            older = dataclasses.replace(ROLES, registrar=None, tenants=None)
            assert (await initialise(connection, older, create_roles=True)).roles == older
            async with FixtureManager(settings.with_changes(database_url=url)) as manager:
                assert (await manager.create_tenant("ada")).role is None
            assert "t_ada" in reaches(state, ROLES.app)
            report = await initialise(connection, ROLES, create_roles=True)
            assert (report.roles, report.changed) == (ROLES, True)
        async with FixtureManager(settings.with_changes(database_url=url)) as manager:
            planned = await manager.migrate("ada", dry_run=True)
            assert [step.action for step in planned.steps] == ["confine"]
            assert role_of(state, "ada") is None
            findings = {finding.rule: finding.severity for finding in (await manager.validate("ada")).findings}
            assert findings["role"] == "warning"
            done = await manager.migrate("ada")
            assert [(step.action, step.object) for step in done.steps] == [("confine", "t_ada")]
            assert [entry["action"] for entry in state.audit(done.run_id)] == ["schema:confined"]
            assert (await manager.migrate("ada")).steps == ()
            assert (await manager.validate("ada")).findings == ()
        assert "t_ada" not in reaches(state, ROLES.app)
        assert reaches(state, role_of(state, "ada")) == {"t_ada"}
    finally:
        drop_database(admin_url, name)


async def test_a_role_that_is_not_on_this_server_is_made_again(opened: FixtureManager, state: State):
    """A copy of the database was restored on another server, where nobody made the tenants' roles."""
    role = (await opened.create_tenant("ada")).role
    state.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")
    findings = {finding.rule: finding.severity for finding in (await opened.validate("ada")).findings}
    assert findings["role"] == "error"
    await opened.migrate("ada")
    assert (await opened.validate("ada")).findings == ()
    assert reaches(state, role) == {"t_ada"}


async def test_a_role_that_a_copy_of_the_database_uses_stays(opened: FixtureManager, state: State, admin_url: str, database: str, settings: Settings):
    role = (await opened.create_tenant("ada")).role
    copy = f"tenancy_test_{secrets.token_hex(6)}"
    await opened.close()
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log").format(sql.Identifier(copy), sql.Identifier(database)))
    try:
        async with FixtureManager(settings) as manager:
            report = await manager.drop_tenant("ada")
        assert {step.detail.get("kept") for step in report.steps} == {role, None}
        assert exists(state, role)
        assert reaches(State(with_parts(admin_url, database=copy)), role) == {"t_ada"}
    finally:
        drop_database(admin_url, copy)


async def test_no_role_but_a_tenants_is_made_or_given_a_login(opened: FixtureManager, state: State):
    tenant = await opened.create_tenant("ada")
    with psycopg.connect(state.url, autocommit=True) as connection:
        connection.execute(f"SET SESSION AUTHORIZATION {ROLES.migrator}")
        for verifier in ("secret", "md5" + "0" * 32, ""):
            with pytest.raises(errors.InvalidPassword):
                connection.execute("SELECT tenancy.set_tenant_login(%s, 't_ada', %s)", [tenant.uid, verifier])
        # A name is an identifier, and a verifier a literal, whatever they hold.
        connection.execute("SELECT tenancy.set_tenant_login(%s, %s, %s)", [tenant.uid, 'x"; DROP ROLE y; --', "SCRAM-SHA-256$4096:x' SUPERUSER"])
        connection.execute("SELECT tenancy.set_tenant_login(%s, 't_ada', NULL)", [tenant.uid])
    (facts,) = state.rows("SELECT rolcanlogin, rolsuper FROM pg_roles WHERE rolname = %s", tenant.role)
    assert not any(facts.values())


# --- a login of one's own ---------------------------------------------------------------------------------------------

# What whoever has a tenant's login may try, and what the server says to it.
REFUSED = [
    "SELECT * FROM t_bob.artists",
    "DELETE FROM t_bob.artists",
    "TRUNCATE t_bob.artists",
    "TRUNCATE artists",
    "DO $$ BEGIN LOCK TABLE t_bob.artists; END $$",
    "SET ROLE {bob}",
    "SET ROLE {app}",
    "SET SESSION AUTHORIZATION {bob}",
    "SELECT set_config('role', '{bob}', true)",
    "SELECT nextval('t_bob.metrics_metric_id_seq')",
    "SELECT * FROM tenancy.tenants",
    "SELECT * FROM tenancy.audit_log",
    "SELECT tenancy.make_tenant_role(gen_random_uuid())",
    "CREATE TABLE t_bob.mine (i int)",
    "CREATE TABLE t_ada.mine (i int)",
    "ALTER ROLE {bob} PASSWORD NULL",
    "GRANT {bob} TO {ada}",
]


async def test_a_tenants_login_stays_within_the_tenant(opened: FixtureManager, state: State):
    ada, bob = [await opened.create_tenant(name) for name in ("ada", "bob")]
    await opened.load_fixtures("bob", ["artists"])
    await opened.load_fixtures("ada", ["artists"])
    login = await opened.set_login("ada")
    assert (login.login, login.url in repr(login)) == (ada.role, False)
    names = {"ada": ada.role, "bob": bob.role, "app": ROLES.app}
    before = state.snapshot()
    with psycopg.connect(login.url, autocommit=True) as connection:
        assert connection.execute("SELECT current_schema(), session_user = current_user").fetchone() == ("t_ada", True)
        assert connection.execute("SELECT count(*) > 0 FROM artists").fetchone() == (True,)
        for statement in REFUSED:
            with pytest.raises(psycopg.Error) as caught:
                connection.execute(statement.format(**names))
            assert caught.value.sqlstate == "42501", statement
        # These are allowed, and lead nowhere.
        for setting, value in (("tenancy.tenant_id", "bob"), ("tenancy.tenant_uid", str(bob.uid)), ("search_path", "t_bob"), ("row_security", "off")):
            connection.execute("SELECT set_config(%s, %s, false)", [setting, value])
        # From PostgreSQL 16 on not even this.
        with suppress(errors.InsufficientPrivilege):
            connection.execute(f"SET ROLE {ROLES.tenants}")
        assert connection.execute("SELECT tenancy.tenant_uid()").fetchone() == (ada.uid,)
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM t_bob.artists")
        connection.execute("RESET ROLE")
        assert connection.execute("SELECT tenancy.tenant_uid()").fetchone() == (ada.uid,)
        with pytest.raises(errors.UndefinedTable):
            connection.execute("SELECT * FROM artists")
    assert state.snapshot() == before


async def test_a_login_is_given_anew_and_taken_away(opened: FixtureManager, state: State):
    await opened.create_tenant("ada")
    first, second = await opened.set_login("ada"), await opened.set_login("ada", "a password of one's own")
    assert first.url != second.url
    psycopg.connect(second.url).close()
    report = await opened.remove_login("ada")
    assert [step.action for step in report.steps] == ["take"]
    (facts,) = state.rows("SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname = %s", first.login)
    assert facts == {"rolcanlogin": False, "rolpassword": None}
    with pytest.raises(psycopg.OperationalError, match=r"not permitted to log in|authentication failed"):
        psycopg.connect(second.url)
    verbs = [row["action"] for row in state.rows("SELECT action FROM tenancy.audit_log WHERE action LIKE 'login:%%' ORDER BY entry")]
    assert verbs == ["login:given", "login:given", "login:removed"]
    trace = state.rows("SELECT r::text AS row FROM tenancy.runs AS r UNION ALL SELECT a::text FROM tenancy.audit_log AS a")
    assert not [row for row in trace if "of one's own" in row["row"] or "SCRAM" in row["row"]]


async def test_no_role_is_made_to_take_its_login_away(opened: FixtureManager):
    await opened.create_tenant("ada", isolation="row")
    assert (await opened.remove_login("ada")).steps == ()
    assert (await opened.get_tenant("ada")).role is None


async def test_who_cannot_have_a_login(opened: FixtureManager, state: State):
    with pytest.raises(TenantNotFound):
        await opened.set_login("nobody")
    await opened.create_tenant("ada")
    for password in ("", "short"):
        with pytest.raises(ConfigurationError, match="too short"):
            await opened.set_login("ada", password)
    state.run("UPDATE tenancy.tenants SET role = NULL")
    with pytest.raises(ConfigurationError, match="no role that could log in"):
        await opened.set_login("ada")


async def test_an_engine_with_a_tenants_login_needs_no_binding(opened: FixtureManager, settings: Settings):
    await opened.create_tenant("ada")
    engine = create_engine((await opened.set_login("ada")).url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM artists")).scalar() == 0
    with TenantSessions(engine, settings=settings).session("ada") as session, pytest.raises(ConfigurationError, match="a tenant's own") as caught:
        session.execute(text("SELECT 1"))
    assert "GRANT" not in caught.value.hint
    engine.dispose()


async def test_a_login_that_may_not_connect(opened: FixtureManager, state: State, database: str):
    await opened.create_tenant("ada")
    state.run(f"REVOKE CONNECT ON DATABASE {database} FROM PUBLIC", f"GRANT CONNECT ON DATABASE {database} TO tenancy_test_service")
    with pytest.raises(ValidationFailed) as caught:
        await opened.set_login("ada")
    assert str(ROLES.tenants) in str(caught.value.facts)
    state.run(f"GRANT CONNECT ON DATABASE {database} TO {ROLES.tenants}")
    psycopg.connect((await opened.set_login("ada")).url).close()


async def test_a_login_of_a_tenant_that_shares_tables(opened: FixtureManager, state: State):
    ada, bob = [await opened.create_tenant(name, isolation="row") for name in ("ada", "bob")]
    for name in ("ada", "bob"):
        await opened.load_fixtures(name, ["artists"])
    assert ada.role is None
    login = await opened.set_login("ada")
    assert login.login == f"tenancy_t_{ada.uid.hex}"
    left = f"SELECT count(*) FILTER (WHERE followers = 7) AS changed, count(*) > 0 AS any FROM shared_spotify_agent.artists WHERE tenant_id = '{bob.uid}'"
    before = state.rows(left)
    with psycopg.connect(login.url, autocommit=True) as connection:
        connection.execute("SELECT set_config('tenancy.tenant_uid', %s, false)", [str(bob.uid)])
        assert connection.execute("SELECT DISTINCT tenant_id FROM artists").fetchall() == [(ada.uid,)]
        connection.execute("UPDATE artists SET followers = 7")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("UPDATE artists SET tenant_id = %s", [bob.uid])
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("TRUNCATE artists")
        for role in (ROLES.app, bob.role or ROLES.loader):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(f"SET ROLE {role}")
    assert state.rows(left) == before
    async with opened.session("ada") as session:
        assert (await session.execute(text("SELECT current_user::text, count(DISTINCT tenant_id) FROM artists"))).one() == (login.login, 1)
    assert [finding.rule for finding in (await opened.validate("bob")).findings] == []
    await opened.drop_tenant("ada")
    assert not exists(state, login.login)
    assert (await opened.validate("bob")).findings == ()


async def test_a_role_that_owns_something_can_do_nothing_any_more(opened: FixtureManager, state: State):
    await opened.create_tenant("ada")
    login = await opened.set_login("ada")
    with psycopg.connect(login.url, autocommit=True) as connection:
        number = connection.execute("SELECT lo_create(0)").fetchone()[0]
    report = await opened.drop_tenant("ada")
    assert {step.detail.get("kept") for step in report.steps} == {login.login, None}
    (facts,) = state.rows("SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname = %s", login.login)
    assert facts == {"rolcanlogin": False, "rolpassword": None}
    assert state.value("SELECT count(*) FROM pg_auth_members WHERE member = %s::regrole", login.login) == 0
    state.run(f"SELECT lo_unlink({number})", f"DROP ROLE {login.login}")
