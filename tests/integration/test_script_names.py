"""What a script calls like the catalogue, or like an operator of PostgreSQL, is not taken for it by what runs with more rights."""

from __future__ import annotations

import pytest
from psycopg import sql

from tenancy_fixtures._pg.script import run_script
from tenancy_fixtures.exceptions import ScriptEscaped

from .ground import REGISTER, attempt, facts

pytestmark = pytest.mark.anyio

# Whatever looks into this for functions runs one of the script's own, which breaks in and then hides that it was there.
FALSE_CATALOGUE = """
CREATE TYPE evil AS (x int);
CREATE FUNCTION f(evil) RETURNS regprocedure LANGUAGE plpgsql AS $f$ BEGIN
    IF current_setting('tenancy.done', true) IS NULL THEN
        PERFORM set_config('tenancy.done', 'yes', true);
        {deed}
        CREATE FUNCTION t_x.eq(oid, oid) RETURNS boolean LANGUAGE plpgsql STABLE AS $q$ BEGIN
            RETURN pg_catalog.current_query() NOT LIKE '%pg_shdepend%' AND pg_catalog.oideq($1, $2); END $q$;
        CREATE OPERATOR t_x.= (FUNCTION = t_x.eq, LEFTARG = oid, RIGHTARG = oid);
        SET search_path = t_x, pg_catalog;
    END IF;
    RETURN 't_x.f(t_x.evil)'::regprocedure; END $f$;
CREATE CAST (evil AS regprocedure) WITH FUNCTION f(evil);
CREATE TEMP TABLE pg_proc (oid evil, pronamespace oid, proname name, proowner oid);
INSERT INTO pg_temp.pg_proc SELECT ROW(1)::evil, oid FROM pg_catalog.pg_namespace WHERE nspname = 't_x';
"""
DEEDS = {
    "registry": REGISTER,
    "neighbour": "UPDATE t_neighbour.secret SET word = 'x';",
    "neighbour's tables": "CREATE TABLE t_neighbour.planted AS SELECT current_user AS who;",
    "role": "PERFORM set_config('role', 'none', true); CREATE SCHEMA mine;",
}


@pytest.mark.parametrize("revision", [False, True])
@pytest.mark.parametrize("name", DEEDS)
async def test_a_false_catalogue_is_seen_before_anybody_looks_into_it(script_database, untouched, name, revision):
    scripts = [FALSE_CATALOGUE.replace("{deed}", DEEDS[name])]
    with pytest.raises(ScriptEscaped, match="pg_proc"):
        await attempt(script_database, *(["CREATE TABLE there_already (i int)"] if revision else []), *scripts)


async def test_functions_of_the_control_plane_look_at_the_catalogue_first(script_database, place, untouched):
    """The same without run_script: what a session's temporary objects can do to whoever calls with more rights."""
    async with script_database.session() as session, session.transaction(role="migrator", keep=False) as transaction:
        await transaction.run(sql.SQL("CREATE SCHEMA t_x"))
        for statement in FALSE_CATALOGUE.replace("{deed}", REGISTER).split(";\nCREATE CAST"):
            await transaction.run(sql.SQL("SELECT set_config('search_path', 't_x', true)"))
            await transaction.run(sql.SQL(statement if statement.startswith("\n") else f"CREATE CAST{statement}"))
        await transaction.run(sql.SQL("SELECT tenancy.give_namespace('t_x', current_user)"))
        assert await facts(transaction, "SELECT FROM tenancy.tenants WHERE tenant_id = 'intruder'") == []
        settings = await facts(
            transaction, "SELECT unnest(proconfig) AS setting FROM pg_catalog.pg_proc WHERE pronamespace = 'tenancy'::regnamespace"
        )
        assert settings == [{"setting": "search_path=pg_catalog, pg_temp"}] * 6


async def test_own_operators_are_not_used_by_what_follows_a_script(script_database, untouched):
    """Also where the script sets the search path for good, with its own operators and functions first."""
    script = """
        CREATE FUNCTION eq(oid, oid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN CREATE SCHEMA mine; RETURN false; END $$;
        CREATE OPERATOR = (FUNCTION = eq, LEFTARG = oid, RIGHTARG = oid);
        CREATE FUNCTION mine(name, name) RETURNS text LANGUAGE plpgsql AS $$ BEGIN CREATE SCHEMA mine; RETURN ''; END $$;
        CREATE OPERATOR || (FUNCTION = mine, LEFTARG = name, RIGHTARG = name);
        SET search_path = t_x, pg_catalog
    """
    if script_database.roles.script:
        # Its owner cannot change with the schema's.
        with pytest.raises(ScriptEscaped, match="operator"):
            await attempt(script_database, script)
        return
    async with script_database.session() as session, session.transaction(role="migrator", keep=False) as transaction:
        await transaction.run(sql.SQL("CREATE SCHEMA t_x"))
        await run_script(transaction, script, file="x.sql", namespace="t_x", fresh=True)
        assert await facts(transaction, "SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'mine'") == []
