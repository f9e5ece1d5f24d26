"""Databases where scripts of packs run, in both ways: with separate roles, and for one login that does everything."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tenancy_fixtures._pg.bootstrap import with_parts
from tenancy_fixtures._pg.connect import connect
from tenancy_fixtures._pg.control_plane import InitReport, initialise
from tenancy_fixtures._pg.database import Database, Transaction
from tenancy_fixtures._pg.roles import Roles
from tenancy_fixtures._pg.script import run_script
from tenancy_fixtures.settings import Settings
from tests.databases import drop_database

PASSWORD = "only-for-tests"
# Logins of the server that every process of a suite gives that password: each time it has another verifier.
SHARED = ["tenancy_test_service", "tenancy_test_application"]
ROLES = Roles.prefixed("tenancy_test")
NEIGHBOUR = """
CREATE SCHEMA t_neighbour;
CREATE TABLE t_neighbour.secret (id int PRIMARY KEY, word text);
INSERT INTO t_neighbour.secret VALUES (1, 'swordfish');
CREATE SEQUENCE t_neighbour.numbers;
CREATE FUNCTION t_neighbour.greet() RETURNS text LANGUAGE sql AS 'SELECT ''hello''::text';
CREATE TYPE t_neighbour.mood AS ENUM ('calm');
CREATE TYPE t_neighbour.pair AS (a int, b int);
CREATE DOMAIN t_neighbour.small AS int CHECK (VALUE < 10);
CREATE COLLATION t_neighbour.plain FROM "C";
CREATE FUNCTION t_neighbour.same(int, int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2';
CREATE OPERATOR t_neighbour.=== (FUNCTION = t_neighbour.same, LEFTARG = int, RIGHTARG = int);
CREATE TEXT SEARCH CONFIGURATION t_neighbour.search (COPY = pg_catalog.simple);
CREATE CAST (t_neighbour.pair AS point) WITH INOUT;
CREATE STATISTICS t_neighbour.numbers_of ON id, word FROM t_neighbour.secret;
CREATE TEXT SEARCH DICTIONARY t_neighbour.words (TEMPLATE = simple, ACCEPT = true);
CREATE VIEW t_neighbour.seen AS SELECT id FROM t_neighbour.secret;
"""
# What a script of a pack must not be able to do.
REGISTER = "INSERT INTO tenancy.tenants (tenant_id, namespace, tier, pack, release) VALUES ('intruder', 'x', 'x', 'x', 'x');"


def administer(url: str, statement: str, *names: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*(sql.Identifier(name) for name in names)))


@dataclass(frozen=True)
class Place:
    """A database where scripts run, and who runs them there."""

    way: str
    url: str
    admin_url: str

    def look(self) -> set[tuple[str, ...]]:
        """Everything that a script could have made, changed or removed."""
        with psycopg.connect(self.admin_url) as connection:
            return set(connection.execute(EVERYTHING, {"login": urlsplit(self.url).username, "shared": SHARED}).fetchall())


EVERYTHING = """
SELECT 'schema', nspname, concat_ws(' ', nspowner::regrole, nspacl) FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'
UNION ALL SELECT 'relation', oid::regclass::text, concat_ws(' ', relkind, relowner::regrole, relacl, obj_description(oid, 'pg_class'))
FROM pg_class WHERE oid >= 16384 AND relkind NOT IN ('i', 't') AND relname !~ '^pg_(toast|largeobject)'
UNION ALL SELECT 'function', oid::regprocedure::text, concat_ws(' ', proowner::regrole, prosecdef, proisstrict, proconfig, proacl, md5(prosrc))
FROM pg_proc WHERE oid >= 16384
UNION ALL SELECT 'type', oid::regtype::text, (SELECT string_agg(enumlabel, ' ') FROM pg_enum WHERE enumtypid = pg_type.oid) FROM pg_type WHERE oid >= 16384
UNION ALL SELECT 'collation', collname, collnamespace::regnamespace::text FROM pg_collation WHERE oid >= 16384
UNION ALL SELECT 'operator', oprname, oprnamespace::regnamespace::text FROM pg_operator WHERE oid >= 16384
UNION ALL SELECT 'text search', cfgname, cfgnamespace::regnamespace::text FROM pg_ts_config WHERE oid >= 16384
UNION ALL SELECT 'statistics', stxname, stxnamespace::regnamespace::text FROM pg_statistic_ext
UNION ALL SELECT 'conversion', conname, connamespace::regnamespace::text FROM pg_conversion WHERE oid >= 16384
UNION ALL SELECT 'access method', amname, '' FROM pg_am WHERE oid >= 16384
UNION ALL SELECT 'cast', castsource::regtype::text, concat_ws(' ', casttarget::regtype, castcontext) FROM pg_cast WHERE oid >= 16384
UNION ALL SELECT 'transform', trftype::regtype::text, '' FROM pg_transform
UNION ALL SELECT 'runner stands on', refclassid::regclass::text, concat_ws(' ', refobjid, deptype) FROM pg_depend
WHERE classid = 'pg_proc'::regclass AND objid = to_regprocedure('tenancy.run_script(text)')
UNION ALL SELECT 'default privileges', defaclrole::regrole::text, defaclacl::text FROM pg_default_acl
UNION ALL SELECT 'extension', extname, '' FROM pg_extension
UNION ALL SELECT 'event trigger', evtname, '' FROM pg_event_trigger
UNION ALL SELECT 'publication', pubname, '' FROM pg_publication
UNION ALL SELECT 'large object', oid::text, '' FROM pg_largeobject_metadata
UNION ALL SELECT 'role', rolname, concat_ws(' ', rolsuper, CASE WHEN rolname = ANY (%(shared)s) THEN 'set' ELSE rolpassword END, (SELECT string_agg(setconfig::text, ' ') FROM pg_db_role_setting WHERE setrole = r.oid))
FROM pg_authid r WHERE rolname ~ '^tenancy_test|^intruder$' AND (rolname !~ '^tenancy_test_plain' OR rolname = %(login)s)
UNION ALL SELECT 'comment', pg_describe_object(classoid, objoid, objsubid), description FROM pg_description WHERE objoid >= 16384
UNION ALL SELECT 'tenant', tenant_id, namespace FROM tenancy.tenants
UNION ALL SELECT 'run', run_id::text, actor FROM tenancy.runs
UNION ALL SELECT 'row', id::text, word FROM t_neighbour.secret
"""


class Ground:
    """One such database for many tests: made anew when a test has left something."""

    def __init__(self, way: str, admin_url: str, template: str, login: str) -> None:
        self._way, self._admin_url, self._template, self._login = way, admin_url, template, login
        self._names: list[str] = []
        self._place: Place | None = None
        self._pristine: set[tuple[str, ...]] = set()

    def place(self) -> Place:
        if self._place is None or self._place.look() != self._pristine:
            self._place = self._make()
            self._pristine = self._place.look()
        return self._place

    def _make(self) -> Place:
        name = f"tenancy_test_{secrets.token_hex(6)}"
        self._names.append(name)
        administer(self._admin_url, "CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log", name, self._template)
        maker = "tenancy_test_migrator" if self._way == "separate roles" else self._login
        administer(self._admin_url, "GRANT CREATE, TEMPORARY ON DATABASE {} TO {}", name, maker)
        own = with_parts(self._admin_url, database=name)
        administer(own, "CREATE TABLE public.shared (i int)")
        administer(own, "GRANT CREATE ON SCHEMA public TO PUBLIC")
        place = Place(self._way, with_parts(self._admin_url, database=name, user=self._login, password=PASSWORD), own)
        with psycopg.connect(place.url) as connection:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(maker)))
            connection.execute(NEIGHBOUR)
        return place

    def clear(self) -> None:
        drop_database(self._admin_url, *self._names)


async def attempt(database: Database, script: str, *more: str) -> None:
    """Make a tenant's schema, run scripts in it and commit, as a run does."""
    async with database.transaction(tenant="x", role="migrator") as transaction:
        await transaction.run("audit.append", tenant_id="x", uid=None, run_id=None, action="tenant:created", detail={})
        await transaction.run("registry.namespace_taken", namespace="t_x")
        await transaction.run(sql.SQL("CREATE SCHEMA t_x"))
        await run_script(transaction, script, file="x.sql", namespace="t_x", fresh=True)
        for text in more:
            await run_script(transaction, text, file="more.sql", namespace="t_x", fresh=False)


async def facts(transaction: Transaction, statement: str) -> list[dict[str, object]]:
    return await transaction.all(sql.SQL(statement))


def init(url: str, roles: Roles = ROLES, *, create_roles: bool = True) -> InitReport:
    async def run() -> InitReport:
        async with await connect(url) as connection:
            return await initialise(connection, roles, create_roles=create_roles)

    return asyncio.run(run())


async def open_and_close(url: str, **changes: object) -> None:
    database = Database(url, Settings.from_env(database_url=url, **changes))
    await database.open()
    await database.close()
