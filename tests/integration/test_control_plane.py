"""The control plane: who makes it, who may do what in it, and what refuses to work with it."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors, sql

from tenancy_fixtures import FixtureManager, Settings
from tenancy_fixtures._pg import control_plane
from tenancy_fixtures._pg.bootstrap import init_host, make_ready, set_login, with_parts
from tenancy_fixtures._pg.catalog import difference, fingerprint
from tenancy_fixtures._pg.connect import connect
from tenancy_fixtures._pg.control_plane import InitReport, init_statements, initialise
from tenancy_fixtures._pg.roles import Roles
from tenancy_fixtures._pg.sql import query
from tenancy_fixtures.exceptions import (
    ConfigurationError,
    PermissionDenied,
)

from .ground import PASSWORD, ROLES, administer, init, open_and_close

RIGHTS = """
SELECT c.relname::text, c.relowner::regrole::text, c.relacl::text,
    (SELECT string_agg(a.attname || '=' || a.attacl::text, ' ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL)
FROM pg_class c WHERE c.relnamespace = 'tenancy'::regnamespace AND c.relkind IN ('r', 'S')
UNION ALL SELECT p.oid::regprocedure::text, p.proowner::regrole::text, concat_ws(' ', p.prosecdef, p.proacl), NULL
FROM pg_proc p WHERE p.pronamespace = 'tenancy'::regnamespace
UNION ALL SELECT 'schema', nspowner::regrole::text, nspacl::text, NULL FROM pg_namespace WHERE nspname = 'tenancy'
"""


def rights(url: str) -> set[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return set(connection.execute(RIGHTS).fetchall())


def structure(url: str) -> dict[str, str]:
    async def read() -> dict[str, str]:
        async with await connect(url) as connection:
            return await fingerprint(connection, "tenancy")

    return asyncio.run(read())


# --- who owns what, who may do what ---------------------------------------------------------------------------------


@pytest.fixture
def service(database_url: str) -> Iterator[psycopg.Connection]:
    """The service's login on a database with roles and a tenant's schema."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET ROLE tenancy_test_migrator")
        connection.execute(
            "CREATE SCHEMA t_acme; CREATE TABLE t_acme.songs (id int); GRANT USAGE ON SCHEMA t_acme TO tenancy_test_loader;"
            "GRANT SELECT, INSERT, UPDATE, DELETE ON t_acme.songs TO tenancy_test_loader;"
            "INSERT INTO tenancy.audit_log (action) VALUES ('tenant:created')"
        )
        connection.execute("RESET ROLE")
        yield connection


def test_init_gives_the_control_plane_to_its_owner_and_the_runner_to_the_scripts_role(admin_database_url):
    owners = {row[0]: row[1] for row in rights(admin_database_url)}
    assert owners.pop("tenancy.run_script(text)") == "tenancy_test_script"
    registrars = {
        owners.pop(f"tenancy.{name}")
        for name in ("make_tenant_role(uuid)", "join_tenants(uuid)", "drop_tenant_role(uuid)", "set_tenant_login(uuid,name,text)")
    }
    assert registrars == {"tenancy_test_registrar"}
    assert set(owners.values()) == {"tenancy_test_owner"}
    with psycopg.connect(admin_database_url) as connection:
        # The migrator may make databases where another installation of the server is prepared for that: roles are the server's.
        flags = "rolsuper, rolcreaterole, rolcreatedb AND rolname !~ 'migrator', rolcanlogin, rolreplication, rolbypassrls"
        weak = [name for purpose, name in ROLES.named() if purpose != "registrar"]
        rows = connection.execute(f"SELECT DISTINCT {flags} FROM pg_roles WHERE rolname = ANY (%s)", [weak]).fetchall()
        registrar = connection.execute(f"SELECT {flags} FROM pg_roles WHERE rolname = %s", [ROLES.registrar]).fetchone()
        inherits = connection.execute("SELECT rolinherit FROM pg_roles WHERE rolname = 'tenancy_test_service'").fetchone()
    assert rows == [(False,) * 6]
    assert registrar == (False, True, False, False, False, False)
    assert inherits == (False,)


MAY_NOT = {
    "app": [
        "INSERT INTO tenancy.tenants (tenant_id, namespace, tier, pack, release) VALUES ('a', 'a', 'a', 'a', 'a')",
        "UPDATE tenancy.tenants SET tier = 'x'",
        "DELETE FROM tenancy.tenants",
        "UPDATE tenancy.config SET value = '{}'",
        "SELECT * FROM tenancy.audit_log",
        "INSERT INTO tenancy.audit_log (action) VALUES ('x')",
        "SELECT * FROM tenancy.runs",
        "SELECT * FROM tenancy.ledger",
        "SELECT tenancy.run_script('SELECT 1')",
        "SELECT tenancy.give_namespace('t_acme', 'tenancy_test_app')",
        "SELECT tenancy.make_tenant_role(gen_random_uuid())",
        "SELECT tenancy.join_tenants(gen_random_uuid())",
        "SELECT tenancy.drop_tenant_role(gen_random_uuid())",
        "SELECT tenancy.set_tenant_login(gen_random_uuid(), 'x', NULL)",
        "CREATE SCHEMA mine",
        "CREATE TABLE tenancy.mine (i int)",
    ],
    "loader": [
        "CREATE SCHEMA mine",
        "DROP TABLE t_acme.songs",
        "DROP SCHEMA t_acme CASCADE",
        "TRUNCATE t_acme.songs",
        "ALTER TABLE t_acme.songs ADD COLUMN i int",
        "CREATE TABLE t_acme.mine (i int)",
        "INSERT INTO tenancy.tenants (tenant_id, namespace, tier, pack, release) VALUES ('a', 'a', 'a', 'a', 'a')",
        "DELETE FROM tenancy.runs",
        "UPDATE tenancy.config SET value = '{}'",
        "UPDATE tenancy.audit_log SET action = 'x'",
        "DELETE FROM tenancy.audit_log",
        "INSERT INTO tenancy.audit_log (action, actor) VALUES ('x', 'somebody else')",
        "INSERT INTO tenancy.audit_log (action, at) VALUES ('x', now() - interval '1 year')",
        "SELECT tenancy.run_script('SELECT 1')",
    ],
    "migrator": [
        "CREATE ROLE tenancy_test_more",
        "GRANT tenancy_test_owner TO tenancy_test_migrator",
        "UPDATE tenancy.audit_log SET action = 'x'",
        "DELETE FROM tenancy.audit_log",
        "TRUNCATE tenancy.audit_log",
        "INSERT INTO tenancy.audit_log (action, actor) VALUES ('x', 'somebody else')",
        "DELETE FROM tenancy.runs",
        "UPDATE tenancy.installation SET version = 0",
        "DROP SCHEMA tenancy CASCADE",
        "CREATE TABLE tenancy.mine (i int)",
        "ALTER TABLE tenancy.audit_log DISABLE TRIGGER ALL",
    ],
    "auditor": [
        "INSERT INTO tenancy.audit_log (action) VALUES ('x')",
        "UPDATE tenancy.runs SET actor = 'x'",
        "DELETE FROM tenancy.tenants",
        "SELECT * FROM t_acme.songs",
        "CREATE SCHEMA mine",
    ],
}


@pytest.mark.parametrize("purpose", MAY_NOT)
def test_a_role_may_do_its_work_and_no_more(service, admin_database_url, purpose):
    with psycopg.connect(admin_database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(getattr(ROLES, purpose))))
        for statement in MAY_NOT[purpose]:
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement)
        connection.execute("SELECT count(*) FROM tenancy.tenants, tenancy.installation")
        if purpose == "auditor":
            assert connection.execute("SELECT count(*) FROM tenancy.audit_log").fetchone() == (1,)
            connection.execute("SELECT count(*) FROM tenancy.runs, tenancy.steps, tenancy.config, tenancy.ledger, tenancy.revisions")
        if purpose == "loader":
            connection.execute("INSERT INTO t_acme.songs VALUES (1)")


def test_the_services_login_has_no_right_until_it_switches(service, app_database_url):
    for statement in ("SELECT * FROM t_acme.songs", "SELECT * FROM tenancy.tenants", "CREATE SCHEMA mine"):
        with pytest.raises(errors.InsufficientPrivilege):
            service.execute(statement)
    with pytest.raises(errors.InsufficientPrivilege):
        service.execute("SET ROLE tenancy_test_owner")
    with psycopg.connect(app_database_url, autocommit=True) as connection:
        for purpose in ("loader", "registrar"):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(f"SET ROLE tenancy_test_{purpose}")


@pytest.mark.parametrize("who", ["tenancy_test_owner", None], ids=["owner", "superuser"])
def test_the_audit_log_refuses_change_even_by_its_owner(service, admin_database_url, who):
    with psycopg.connect(admin_database_url, autocommit=True) as connection:
        if who:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(who)))
        for statement in (
            "UPDATE tenancy.audit_log SET action = 'x'",
            "DELETE FROM tenancy.audit_log WHERE false",
            "TRUNCATE tenancy.audit_log CASCADE",
        ):
            with pytest.raises(errors.InsufficientPrivilege, match="append-only"):
                connection.execute(statement)
        assert connection.execute("SELECT action FROM tenancy.audit_log").fetchall() == [("tenant:created",)]


# --- ways to make it ------------------------------------------------------------------------------------------------


def test_init_twice_changes_nothing(empty_url):
    first = init(empty_url)
    before, looks = rights(empty_url), structure(empty_url)
    second = init(empty_url)
    assert (first.version_before, first.changed, first.version) == (None, True, control_plane.head())
    assert (second.version_before, second.changed, second.roles) == (control_plane.head(), False, ROLES)
    assert rights(empty_url) == before
    assert not difference(structure(empty_url), looks)


def test_several_inits_at_once_all_end_well(empty_url):
    async def at_once() -> list[InitReport]:
        async def one() -> InitReport:
            async with await connect(empty_url) as connection:
                return await initialise(connection, ROLES, create_roles=True)

        return await asyncio.gather(*(one() for _ in range(4)))

    reports = asyncio.run(at_once())
    assert sorted(report.changed for report in reports) == [False, False, False, True]


def test_what_is_printed_and_run_by_psql_equals_what_init_does(admin_url, empty_url, admin_database_url):
    async def printed() -> str:
        async with await connect(empty_url) as connection:
            statements = [query("control_plane.lock"), *init_statements(ROLES, connection.info.dbname, None, create_roles=True)]
            return "BEGIN;\n" + "".join(statement.as_string(connection).strip().rstrip(";") + ";\n" for statement in statements) + "COMMIT;\n"

    script = asyncio.run(printed())
    if shutil.which("psql"):
        command = ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", empty_url]
        done = subprocess.run(command, input=script, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    else:
        with psycopg.connect(empty_url, autocommit=True) as connection:
            connection.execute(script)
    assert not difference(structure(empty_url), structure(admin_database_url))
    assert rights(empty_url) == rights(admin_database_url)
    assert not init(empty_url).changed


def test_an_administrator_who_is_no_superuser_can_make_it(admin_url, empty_database, empty_url):
    administer(admin_url, "CREATE ROLE tenancy_test_admin LOGIN CREATEROLE PASSWORD 'only-for-tests'")
    prefix = "tenancy_test_other"
    try:
        administer(admin_url, "ALTER DATABASE {} OWNER TO tenancy_test_admin", empty_database)
        url = with_parts(admin_url, database=empty_database, user="tenancy_test_admin", password=PASSWORD)
        roles = Roles.prefixed(prefix)
        assert init(url, roles).roles == roles
        assert not init(url, roles).changed
        asyncio.run(use(url, empty_url, "tenancy_test_other_service", roles))
    finally:
        administer(admin_url, "DROP DATABASE {} WITH (FORCE)", empty_database)
        for name in ("tenancy_test_other_service", *(name for _, name in Roles.prefixed(prefix).named()), "tenancy_test_admin"):
            administer(admin_url, "DROP ROLE IF EXISTS {}", name)
        administer(admin_url, "CREATE DATABASE {}", empty_database)


async def use(url: str, admin_url: str, login: str, roles: Roles) -> None:
    async with await connect(url) as connection:
        await set_login(connection, login, PASSWORD, ("migrator", "loader"), roles)
    database = admin_url.rpartition("/")[2]
    async with FixtureManager(Settings.from_env(database_url=with_parts(admin_url, database=database, user=login, password=PASSWORD))) as manager:
        await manager.create_tenant("acme")
        await manager.drop_tenant("acme")


def test_an_administrator_who_cannot_let_the_migrator_make_schemas_is_told_so(admin_url, empty_database, empty_url):
    administer(admin_url, "CREATE ROLE tenancy_test_admin LOGIN CREATEROLE PASSWORD 'only-for-tests'")
    prefix = "tenancy_test_other"
    try:
        administer(admin_url, "GRANT CREATE ON DATABASE {} TO tenancy_test_admin", empty_database)
        url = with_parts(admin_url, database=empty_database, user="tenancy_test_admin", password=PASSWORD)
        with pytest.raises(PermissionDenied) as caught:
            init(url, Roles.prefixed(prefix))
        assert "tenancy_test_other_migrator" in str(caught.value)
        with psycopg.connect(empty_url) as connection:
            assert connection.execute("SELECT to_regnamespace('tenancy')").fetchone() == (None,)
            assert connection.execute("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'tenancy_test_other%'").fetchone() == (0,)
    finally:
        administer(admin_url, "DROP DATABASE {} WITH (FORCE)", empty_database)
        for name in (*(name for _, name in Roles.prefixed(prefix).named()), "tenancy_test_admin"):
            administer(admin_url, "DROP ROLE IF EXISTS {}", name)
        administer(admin_url, "CREATE DATABASE {}", empty_database)


@pytest.mark.parametrize("each", [True, False], ids=["a role for each tenant", "one for all"])
def test_a_hosts_own_roles_are_used_and_none_is_made(admin_url, empty_database, empty_url, each):
    names = {purpose: f"tenancy_test_host-{purpose}" for purpose, _ in ROLES.named() if each or purpose not in {"registrar", "tenants"}}
    roles = Roles(**names)
    for _, name in roles.named():
        administer(admin_url, "CREATE ROLE {} NOLOGIN", name)
    try:
        if each:
            with pytest.raises(PermissionDenied, match="cannot make roles") as caught:
                asyncio.run(init_host(empty_url, roles=roles))
            statements = caught.value.hint.partition(": ")[2].rpartition(";")[0]
            for statement in statements.split(";"):
                # The names of this test need quotes.
                words = [f'"{word}"' if "-" in word else word for word in statement.split()]
                administer(admin_url, " ".join(words))
        report = asyncio.run(init_host(empty_url, roles=roles))
        assert report.roles == roles
        assert {row[1].strip('"') for row in rights(empty_url)} == {roles.owner, roles.script, *([roles.registrar] if each else [])}
        asyncio.run(use(empty_url, empty_url, "tenancy_test_host_service", roles))
    finally:
        administer(admin_url, "DROP DATABASE {} WITH (FORCE)", empty_database)
        for name in ("tenancy_test_host_service", *reversed([name for _, name in roles.named()])):
            administer(admin_url, "DROP ROLE IF EXISTS {}", name)
        administer(admin_url, "CREATE DATABASE {}", empty_database)


def test_a_hosts_role_that_is_not_there_fails_whole(empty_url):
    with pytest.raises(Exception, match="does not exist") as caught:
        init(empty_url, Roles.prefixed("tenancy_test_nobody"), create_roles=False)
    assert caught.value.sqlstate == "42704"
    with psycopg.connect(empty_url) as connection:
        assert connection.execute("SELECT to_regnamespace('tenancy')").fetchone() == (None,)


@pytest.mark.parametrize("names", [{"owner": "a"}, {"nobody": "a"}, {**dict(ROLES.named()), "owner": 'a"b'}, {**dict(ROLES.named()), "more": "a"}])
def test_roles_that_are_not_in_order_are_refused(names):
    with pytest.raises(ConfigurationError):
        Roles.from_mapping(names)


@pytest.mark.anyio
async def test_a_login_with_nothing_but_create_does_everything(plain_url):
    report = await init_host(plain_url, roles=None)
    assert not report.roles.separate
    async with FixtureManager(Settings.from_env(database_url=plain_url, mode="production")) as manager:
        await manager.create_tenant("acme")
        loaded = await manager.load_fixtures("acme", ["artists"])
        assert loaded.written > 0
        assert (await manager.validate("acme")).ok
        await manager.drop_tenant("acme")
        assert await manager.list_tenants() == []
    with psycopg.connect(plain_url) as connection:
        assert connection.execute("SELECT to_regnamespace('t_acme')").fetchone() == (None,)


def test_make_ready_is_harmless_to_repeat_and_needs_no_second_login(admin_url, monkeypatch):
    from tenancy_fixtures._pg import bootstrap

    monkeypatch.setattr(bootstrap, "DATABASE", "tenancy_test_ready")
    monkeypatch.setattr(bootstrap, "SERVICE_LOGIN", "tenancy_test_ready_service")
    try:

        async def twice() -> list[str]:
            return await asyncio.gather(make_ready(admin_url, "first"), make_ready(admin_url, "first"))

        urls = asyncio.run(twice())
        assert urls[0] == urls[1]
        asyncio.run(open_and_close(urls[0], mode="production"))
    finally:
        administer(admin_url, "DROP DATABASE IF EXISTS tenancy_test_ready WITH (FORCE)")
        administer(admin_url, "DROP ROLE IF EXISTS tenancy_test_ready_service")
