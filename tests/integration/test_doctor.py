"""Faults that are put into an installation one by one: the doctor names each, and finds nothing where nothing is wrong."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tenancy_fixtures import FixtureManager, Settings
from tenancy_fixtures._pg.bootstrap import set_login, with_parts
from tenancy_fixtures._pg.control_plane import initialise
from tenancy_fixtures._pg.roles import Roles
from tenancy_fixtures.doctor import FAULTS, DoctorReport, examine
from tests.conftest import PASSWORD
from tests.databases import drop_database

PREFIX = f"tenancy_doctor_{secrets.token_hex(4)}"
ROLES = Roles.prefixed(PREFIX)
SERVICE, APP, OTHER = f"{PREFIX}_service", f"{PREFIX}_application", f"{PREFIX}_other"
LOGINS = (SERVICE, APP, OTHER)

# What is done to the installation, and how it is taken back. {p} begins the names of its roles.
SEEDS: dict[str, tuple[str, str]] = {
    "login_is_superuser": ("ALTER ROLE {p}_service SUPERUSER", "ALTER ROLE {p}_service NOSUPERUSER"),
    "login_bypasses_rls": ("ALTER ROLE {p}_service BYPASSRLS", "ALTER ROLE {p}_service NOBYPASSRLS"),
    "login_may_do_all": ("GRANT {p}_loader TO {p}_application", "REVOKE {p}_loader FROM {p}_application"),
    "role_can_login": ("ALTER ROLE {p}_app LOGIN", "ALTER ROLE {p}_app NOLOGIN"),
    "role_is_powerful": ("ALTER ROLE {p}_loader CREATEROLE BYPASSRLS", "ALTER ROLE {p}_loader NOCREATEROLE NOBYPASSRLS"),
    "role_in_predefined_role": ("GRANT pg_read_all_data TO {p}_app", "REVOKE pg_read_all_data FROM {p}_app"),
    "registrar_open": ("GRANT {p}_registrar TO {p}_other", "REVOKE {p}_registrar FROM {p}_other"),
    "tenant_without_role": (
        "UPDATE tenancy.tenants SET role = NULL WHERE tenant_id = 'acme'",
        "UPDATE tenancy.tenants SET role = 'tenancy_t_' || replace(uid::text, '-', '') WHERE tenant_id = 'acme'",
    ),
    "tenants_share_a_role": (
        "GRANT USAGE ON SCHEMA t_acme, t_globex TO {p}_app",
        "REVOKE USAGE ON SCHEMA t_acme, t_globex FROM {p}_app",
    ),
    "app_owns_objects": ("CREATE TABLE public.own (a integer); ALTER TABLE public.own OWNER TO {p}_app", "DROP TABLE public.own"),
    "foreign_owner": ("ALTER TABLE t_acme.artists OWNER TO {p}_other", "ALTER TABLE t_acme.artists OWNER TO {p}_migrator"),
    "public_grant": ("GRANT SELECT ON t_acme.artists TO PUBLIC", "REVOKE ALL ON t_acme.artists FROM PUBLIC"),
    "foreign_grant": ("GRANT SELECT ON t_acme.artists TO {p}_other", "REVOKE ALL ON t_acme.artists FROM {p}_other"),
    "control_plane_open": ("GRANT SELECT ON tenancy.tenants TO PUBLIC", "REVOKE ALL ON tenancy.tenants FROM PUBLIC"),
    "audit_trigger_off": (
        "ALTER TABLE tenancy.audit_log DISABLE TRIGGER audit_log_append_only",
        "ALTER TABLE tenancy.audit_log ENABLE TRIGGER audit_log_append_only",
    ),
    "audit_open": ("GRANT DELETE ON tenancy.audit_log TO {p}_loader", "REVOKE DELETE ON tenancy.audit_log FROM {p}_loader"),
    "definer_function": (
        "CREATE FUNCTION t_acme.f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; ALTER FUNCTION t_acme.f() OWNER TO {p}_migrator",
        "DROP FUNCTION t_acme.f()",
    ),
    "view_crosses": ("CREATE VIEW public.all_artists AS SELECT * FROM t_acme.artists UNION ALL SELECT * FROM t_globex.artists", "DROP VIEW public.all_artists"),
    "key_crosses": (
        "ALTER TABLE t_acme.albums ADD CONSTRAINT across FOREIGN KEY (artist_id) REFERENCES t_globex.artists",
        "ALTER TABLE t_acme.albums DROP CONSTRAINT across",
    ),
    "inheritance_crosses": ("CREATE TABLE public.kept () INHERITS (t_acme.artists)", "DROP TABLE public.kept"),
    "trigger_crosses": (
        ("CREATE FUNCTION t_globex.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; ALTER FUNCTION t_globex.f() OWNER TO {p}_migrator;"
        "CREATE TRIGGER across BEFORE INSERT ON t_acme.artists FOR EACH ROW EXECUTE FUNCTION t_globex.f()"),
        "DROP FUNCTION t_globex.f() CASCADE",
    ),
    "default_crosses": (
        "CREATE SEQUENCE t_globex.s; ALTER SEQUENCE t_globex.s OWNER TO {p}_migrator; ALTER TABLE t_acme.artists ALTER COLUMN followers SET DEFAULT nextval('t_globex.s')",
        "ALTER TABLE t_acme.artists ALTER COLUMN followers DROP DEFAULT; DROP SEQUENCE t_globex.s",
    ),
    "type_crosses": (
        "CREATE DOMAIN t_globex.d AS integer; ALTER TABLE t_acme.artists ADD COLUMN more t_globex.d",
        "ALTER TABLE t_acme.artists DROP COLUMN more; DROP DOMAIN t_globex.d",
    ),
    "default_privileges_open": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE {p}_migrator GRANT SELECT ON TABLES TO PUBLIC",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {p}_migrator REVOKE SELECT ON TABLES FROM PUBLIC",
    ),
    "setting_forced": ("ALTER ROLE {p}_app SET row_security = off", "ALTER ROLE {p}_app RESET row_security"),
    "public_schema_writable": ("GRANT CREATE ON SCHEMA public TO PUBLIC", "REVOKE CREATE ON SCHEMA public FROM PUBLIC"),
    "database_open": ("GRANT CREATE ON DATABASE {d} TO PUBLIC", "REVOKE CREATE ON DATABASE {d} FROM PUBLIC"),
    "risky_extension": ("CREATE EXTENSION dblink", "DROP EXTENSION dblink"),
    "foreign_server_usable": (
        "CREATE FOREIGN DATA WRAPPER {p}_w; CREATE SERVER elsewhere FOREIGN DATA WRAPPER {p}_w; CREATE USER MAPPING FOR PUBLIC SERVER elsewhere",
        "DROP FOREIGN DATA WRAPPER {p}_w CASCADE",
    ),
    "publication_holds_tenants": ("CREATE PUBLICATION all_of_it FOR TABLE t_acme.artists", "DROP PUBLICATION all_of_it"),
    "event_trigger": (
        "CREATE FUNCTION public.f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER on_all ON ddl_command_end EXECUTE FUNCTION public.f()",
        "DROP EVENT TRIGGER on_all; DROP FUNCTION public.f()",
    ),
    "namespace_missing": ("ALTER SCHEMA t_globex RENAME TO gone", "ALTER SCHEMA gone RENAME TO t_globex"),
    "namespace_unknown": ("CREATE SCHEMA t_nobody AUTHORIZATION {p}_migrator", "DROP SCHEMA t_nobody"),
    "database_missing": (
        "UPDATE tenancy.tenants SET isolation = 'database' WHERE tenant_id = 'acme'",
        "UPDATE tenancy.tenants SET isolation = 'schema' WHERE tenant_id = 'acme'",
    ),
    "intent_left": (
        "INSERT INTO tenancy.intents VALUES ('gone', gen_random_uuid(), 't_gone', 'create', now() - interval '1 hour')",
        "DELETE FROM tenancy.intents",
    ),
    "template_open": (
        "UPDATE tenancy.installation SET template = current_database()",
        "UPDATE tenancy.installation SET template = NULL",
    ),
    "policy_missing": (
        "CREATE TABLE shared_spotify_agent.more (i integer); ALTER TABLE shared_spotify_agent.more OWNER TO {p}_migrator",
        "DROP TABLE shared_spotify_agent.more",
    ),
    "policy_not_in_force": (
        "CREATE POLICY tenant ON t_acme.artists USING (artist_id = (SELECT tenancy.tenant_uid()))",
        "DROP POLICY tenant ON t_acme.artists",
    ),
    "policy_open": (
        "CREATE POLICY own ON t_acme.artists USING (popularity > 0); CREATE POLICY open ON t_acme.artists USING (true)",
        "DROP POLICY own ON t_acme.artists; DROP POLICY open ON t_acme.artists",
    ),
}  # fmt: skip
# Whose role has rights that another is to have is told of as well.
COMPANIONS = {"tenant_without_role": ["foreign_grant"], "tenants_share_a_role": ["foreign_grant"]}
# What an inheriting login shows, and what takes the installation's own roles away, is done in tests of its own.
ELSEWHERE = {"login_inherits", "role_missing", "app_inherits"}
# A server of another version, another machine or a pooler is needed for these: here they are only seen to give nothing.
UNSEEDED = {"server_too_old", "connection_not_encrypted", "pooler_unsaid"}
# What mends these is told in words, or with a choice: somebody has to decide.
IN_WORDS = {
    *("login_is_superuser", "type_crosses", "risky_extension", "publication_holds_tenants", "event_trigger"),
    *("namespace_missing", "namespace_unknown", "tenant_without_role", "tenants_share_a_role"),
    *("policy_missing", "database_missing", "intent_left", "template_open"),
}


@dataclass(frozen=True)
class Installation:
    admin: str
    url: str
    database: str

    def run(self, statements: str) -> None:
        text = statements.format(p=PREFIX, d=self.database)
        with psycopg.connect(self.admin, autocommit=True) as connection:
            connection.execute(text.encode())

    def ask(self, query: str) -> list[str]:
        with psycopg.connect(self.admin) as connection:
            return [str(row[0]) for row in connection.execute(query.encode()).fetchall()]

    def look(self, **changes: Any) -> DoctorReport:
        async def ask() -> DoctorReport:
            async with FixtureManager(Settings.from_env(database_url=self.url, **changes)) as manager:
                return await examine(await manager._runtime())

        return asyncio.run(ask())


@pytest.fixture(scope="module")
def installation(admin_url: str) -> Iterator[Installation]:
    """A database with roles of its own, two tenants of the default pack, and some rows."""
    name = f"tenancy_test_{secrets.token_hex(6)}"

    def administer(statement: str, *names: str) -> None:
        with psycopg.connect(admin_url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*(sql.Identifier(part) for part in names)))

    administer("CREATE DATABASE {}", name)
    admin = with_parts(admin_url, database=name)

    async def prepare() -> None:
        async with await psycopg.AsyncConnection.connect(admin, autocommit=True) as connection:
            await initialise(connection, ROLES, create_roles=True)
            await set_login(connection, SERVICE, PASSWORD, ("migrator", "loader", "auditor"), ROLES)
            await set_login(connection, APP, PASSWORD, ("app",), ROLES)
            await set_login(connection, OTHER, PASSWORD, (), ROLES)
        async with FixtureManager(Settings.from_env(database_url=with_parts(admin_url, database=name, user=SERVICE, password=PASSWORD))) as manager:
            for tenant, isolation in (("acme", "schema"), ("globex", "schema"), ("initech", "row"), ("umbrella", "row")):
                await manager.create_tenant(tenant, isolation=isolation)
                await manager.load_fixtures(tenant, datasets=["artists", "albums"])

    asyncio.run(prepare())
    yield Installation(admin, with_parts(admin_url, database=name, user=SERVICE, password=PASSWORD), name)
    drop_database(admin_url, name)
    for role in [*LOGINS, *(role for _, role in ROLES.named())]:
        administer("DROP ROLE IF EXISTS {}", role)


def names(report: DoctorReport) -> set[str]:
    return {fault.name for fault in report.faults}


def test_every_fault_is_seeded_somewhere():
    assert set(FAULTS) == {*SEEDS, *ELSEWHERE, *UNSEEDED}
    assert len(SEEDS) >= 20


def test_a_clean_installation_has_none(installation: Installation):
    report = installation.look()
    assert report.ok
    assert names(report) == set()
    assert report.checks == tuple(FAULTS)


@pytest.mark.parametrize("name", SEEDS)
def test_a_fault_is_named_and_its_fix_mends_it(installation: Installation, name: str):
    do, undo = SEEDS[name]
    installation.run(do)
    try:
        report = installation.look()
        (fault, *others) = [fault for fault in report.faults if fault.name == name]
        assert others == []
        assert (fault.severity, fault.why) == FAULTS[name]
        assert names(report) == {name, *COMPANIONS.get(name, ())}
        assert report.ok == (fault.severity != "error" and name not in COMPANIONS)
        if name not in IN_WORDS:
            installation.run(fault.fix.replace("{", "{{").replace("}", "}}"))
            assert name not in names(installation.look())
    finally:
        try:
            installation.run(undo)
        except psycopg.Error:
            # The fix has done it, or a part of it.
            for statement in undo.split(";"):
                with suppress(psycopg.Error):
                    installation.run(statement)
    assert names(installation.look()) == set()


def test_a_login_that_inherits(installation: Installation):
    # From PostgreSQL 16 on each membership says for itself whether it is inherited.
    again = f"REVOKE {ROLES.loader} FROM {SERVICE}; GRANT {ROLES.loader} TO {SERVICE}"
    installation.run(f"ALTER ROLE {SERVICE} INHERIT; {again}")
    report = installation.look()
    assert f"has the rights of {ROLES.loader}" in " ".join(fault.object for fault in report.faults if fault.name == "login_inherits")
    for fault in report.faults:
        if fault.name == "login_inherits":
            installation.run(fault.fix)
    assert names(installation.look()) == set()


def test_logins_that_are_as_they_should_be(installation: Installation):
    """A tenant's own, and the service of another database: roles are the server's."""
    (role,) = installation.ask("SELECT role::text FROM tenancy.tenants WHERE tenant_id = 'acme'")
    installation.run(f"ALTER ROLE {role} LOGIN; GRANT {ROLES.migrator}, {ROLES.loader}, {ROLES.app} TO {OTHER}")
    try:
        assert names(installation.look()) == set()
    finally:
        installation.run(f"ALTER ROLE {role} NOLOGIN; REVOKE {ROLES.migrator}, {ROLES.loader}, {ROLES.app} FROM {OTHER}")


def test_an_application_that_inherits(installation: Installation):
    # Until PostgreSQL 15 the role says so, from 16 on each membership.
    (role,) = installation.ask("SELECT role::text FROM tenancy.tenants WHERE tenant_id = 'acme'")
    newer = int(installation.ask("SHOW server_version_num")[0]) >= 160000
    installation.run(f"GRANT {role} TO {ROLES.app} WITH INHERIT TRUE" if newer else f"ALTER ROLE {ROLES.app} INHERIT")
    (fault,) = [fault for fault in installation.look().faults if fault.name == "app_inherits"]
    installation.run(fault.fix)
    assert names(installation.look()) == set()


def test_a_role_that_is_gone(installation: Installation):
    installation.run(f"ALTER ROLE {ROLES.auditor} RENAME TO {PREFIX}_renamed")
    try:
        assert [fault.object for fault in installation.look().faults if fault.name == "role_missing"] == [f"role {ROLES.auditor}"]
    finally:
        installation.run(f"ALTER ROLE {PREFIX}_renamed RENAME TO {ROLES.auditor}")


def test_the_command_line(installation: Installation):
    def tenancy(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {"TENANCY_DATABASE_URL": installation.url, "PATH": str(Path(sys.executable).parent), "HOME": "/nonexistent"}
        return subprocess.run(
            [sys.executable, "-m", "tenancy_fixtures", "doctor", *words], env=environment, capture_output=True, text=True, check=False
        )

    done = tenancy("--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"] is True
    installation.run("GRANT SELECT ON t_acme.artists TO PUBLIC")
    told = tenancy()
    assert told.returncode == 1
    assert "error public_grant: TABLE t_acme.artists: SELECT" in told.stdout
    assert "Fix: REVOKE ALL ON TABLE t_acme.artists FROM PUBLIC;" in told.stdout
    found = json.loads(tenancy("--json").stdout)
    assert [fault["name"] for fault in found["faults"] if fault["severity"] == "error"] == ["public_grant"]
    installation.run("REVOKE ALL ON t_acme.artists FROM PUBLIC")


def test_one_login_for_everything(admin_url: str, installation: Installation):
    """Without roles there is nobody to compare with: what follows from that is a note, and rights of others are not told."""
    name, login = f"tenancy_test_{secrets.token_hex(6)}", f"{PREFIX}_single"
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(login), sql.Literal(PASSWORD)))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        admin.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(sql.Identifier(name), sql.Identifier(login)))
        try:
            url = with_parts(admin_url, database=name, user=login, password=PASSWORD)

            async def prepare() -> None:
                async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
                    await initialise(connection, Roles(), create_roles=False)
                async with FixtureManager(Settings.from_env(database_url=url)) as manager:
                    for tenant in ("acme", "globex"):
                        await manager.create_tenant(tenant)

            asyncio.run(prepare())
            assert names(Installation(admin_url, url, name).look()) == {"tenants_share_a_role"}
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))
