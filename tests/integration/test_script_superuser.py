"""A superuser that does everything with one login: nothing confines a script there, and yet no trace of it may stay in the catalogue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from psycopg import sql

from tenancy_fixtures._pg.bootstrap import init_host, with_parts
from tenancy_fixtures._pg.database import Database
from tenancy_fixtures._pg.roles import Roles
from tenancy_fixtures._pg.script import run_script
from tenancy_fixtures.exceptions import ScriptEscaped
from tenancy_fixtures.settings import Settings

from .ground import NEIGHBOUR, administer, facts

pytestmark = pytest.mark.anyio

ESCAPES = {
    "function of the catalogue": "CREATE FUNCTION pg_catalog.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "type of the catalogue": "CREATE TYPE pg_catalog.mine AS ENUM ('a')",
    "operator of the catalogue": "CREATE OPERATOR pg_catalog.=== (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int)",
    "table of the standard's schema": "CREATE TABLE information_schema.mine (i int)",
    "rights on the catalogue": "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO PUBLIC",
    "function of the catalogue changed": "ALTER FUNCTION pg_catalog.now() COST 7",
    "comment on the catalogue": "COMMENT ON FUNCTION pg_catalog.now() IS 'x'",
    "cast": "CREATE CAST (point AS int) WITH INOUT",
    "cast of a neighbour's type": "CREATE CAST (t_neighbour.pair AS text) WITH INOUT AS IMPLICIT",
    "transform": "CREATE FUNCTION f(internal) RETURNS internal LANGUAGE internal IMMUTABLE AS 'jsonb_out'; "
    "CREATE TRANSFORM FOR int LANGUAGE plpgsql (FROM SQL WITH FUNCTION f(internal))",
    "access method": "CREATE ACCESS METHOD mine TYPE INDEX HANDLER bthandler",
    "family of operators": "ALTER OPERATOR FAMILY pg_catalog.integer_ops USING btree ADD FUNCTION 1 (int, text) f(int, text)",
    "neighbour's class of operators": "CREATE OPERATOR CLASS t_neighbour.c FOR TYPE int USING btree AS OPERATOR 3 =, FUNCTION 1 btint4cmp(int, int)",
    "conversion": "CREATE CONVERSION t_neighbour.c FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1",
    "publication": "CREATE PUBLICATION mine FOR ALL TABLES",
    "parser": "CREATE TEXT SEARCH PARSER t_neighbour.p (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype)",
    "foreign server": "CREATE FOREIGN DATA WRAPPER mine",
    "procedural language": "CREATE LANGUAGE mine HANDLER plpgsql_call_handler",
}
FIRST = {"family of operators": "CREATE FUNCTION f(int, text) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';"}
OWN = """
CREATE TYPE e AS ENUM ('a'); CREATE FUNCTION e_of(text) RETURNS e LANGUAGE sql IMMUTABLE AS 'SELECT $1::e'; CREATE CAST (text AS e) WITH FUNCTION e_of(text);
CREATE OPERATOR CLASS c FOR TYPE int USING btree AS OPERATOR 3 =, FUNCTION 1 btint4cmp(int, int);
CREATE CONVERSION v FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1; CREATE TABLE a (i int, t text); CREATE INDEX ON a (i c)
"""
OWN_GONE = "DROP CAST (text AS e); DROP OPERATOR CLASS c USING btree CASCADE; DROP CONVERSION v; DROP TYPE e CASCADE; DROP TABLE a"


@pytest.fixture
async def database(admin_url: str, empty_database: str, anyio_backend: str) -> AsyncIterator[Database]:
    url = with_parts(admin_url, database=empty_database)
    await asyncio.to_thread(administer, url, NEIGHBOUR)
    await init_host(url, roles=Roles())
    database = Database(url, Settings.from_env(database_url=url, max_concurrency=1))
    await database.open()
    yield database
    await database.close()


@pytest.mark.parametrize("name", ESCAPES)
async def test_a_trace_outside_the_schema_is_seen(database, name):
    async with database.session() as session, session.transaction(role="migrator", keep=False) as transaction:
        await transaction.run(sql.SQL("CREATE SCHEMA t_x"))
        with pytest.raises(ScriptEscaped):
            await run_script(transaction, FIRST.get(name, "") + ESCAPES[name], file="x.sql", namespace="t_x", fresh=True)


async def test_what_is_its_own_it_may_make_and_drop(database):
    for script in (OWN, OWN_GONE):
        async with database.transaction(role="migrator") as transaction:
            await transaction.run(sql.SQL("CREATE SCHEMA IF NOT EXISTS t_x"))
            await run_script(transaction, script, file="x.sql", namespace="t_x", fresh=script is OWN)
    async with database.transaction(role="migrator") as transaction:
        assert await facts(transaction, "SELECT FROM pg_class WHERE relnamespace = 't_x'::regnamespace") == []
