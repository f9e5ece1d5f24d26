"""A pack's script cannot leave its transaction or its schema, whether a role confines it or one login does everything."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from tenancy_fixtures._pg.script import run_script
from tenancy_fixtures.exceptions import PackError, ScriptEscaped, ScriptFailed

from .ground import REGISTER, administer, attempt, facts

pytestmark = pytest.mark.anyio

# A trigger that runs when the transaction commits would run with the rights of whoever commits.
LATE = """
CREATE TABLE late (i int);
CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit();
INSERT INTO late VALUES (1);
"""

# What waits is done when the script has run; done then, it waits again.
AGAIN = """
CREATE TABLE late (i int);
CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.i < 2 THEN SET CONSTRAINTS ALL DEFERRED; EXECUTE format('INSERT INTO %I.late VALUES (%s)', TG_TABLE_SCHEMA, NEW.i + 1);
    ELSE UPDATE t_neighbour.secret SET word = 'x'; END IF;
    RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit();
INSERT INTO late VALUES (1);
"""

# Likewise, by the comparison of a constraint that waits.
COMPARED = """
CREATE TABLE waits (i int); CREATE TABLE late (i int, EXCLUDE USING btree (i WITH =) DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    SET CONSTRAINTS ALL DEFERRED; EXECUTE format('INSERT INTO %I.late VALUES (1), (1)', TG_TABLE_SCHEMA); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON waits DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit();
INSERT INTO waits VALUES (1);
"""

ESCAPES = {
    "commit": "CREATE TABLE a (i int);\nCOMMIT;",
    "commit in a block": "CREATE TABLE a (i int); DO $$ BEGIN COMMIT; END $$",
    "rollback": "ROLLBACK",
    "savepoint": "SAVEPOINT x",
    "commit prepared": "COMMIT PREPARED 'x'",
    "write registry": REGISTER,
    "read registry": "CREATE TABLE a AS SELECT * FROM tenancy.tenants",
    "change runs": "UPDATE tenancy.runs SET actor = 'x'",
    "delete audit": "DELETE FROM tenancy.audit_log",
    "truncate ledger": "TRUNCATE tenancy.ledger",
    "lock registry": "LOCK TABLE tenancy.tenants IN EXCLUSIVE MODE",
    "comment on control plane": "COMMENT ON SCHEMA tenancy IS 'mine'",
    "new schema": "CREATE SCHEMA mine",
    "new schema in a block": "DO $$ BEGIN EXECUTE 'CREATE SCHEMA mine'; END $$",
    "temporary table": "CREATE TEMP TABLE a (i int)",
    "temporary table till commit": "CREATE TEMP TABLE a (i int) ON COMMIT DROP",
    "temporary type": "CREATE TYPE pg_temp.text AS ENUM ('a')",
    "temporary function": "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "transform": "CREATE FUNCTION f(internal) RETURNS internal LANGUAGE internal IMMUTABLE AS 'jsonb_out'; "
    "CREATE TRANSFORM FOR int LANGUAGE plpgsql (FROM SQL WITH FUNCTION f(internal))",
    "access method": "CREATE ACCESS METHOD mine TYPE INDEX HANDLER bthandler",
    "catalogue": "CREATE FUNCTION pg_catalog.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "read neighbour": "CREATE TABLE a AS SELECT * FROM t_neighbour.secret",
    "write neighbour": "UPDATE t_neighbour.secret SET word = 'x'",
    "drop neighbour": "DROP TABLE t_neighbour.secret CASCADE",
    "drop neighbour's schema": "DROP SCHEMA t_neighbour CASCADE",
    "lock neighbour": "LOCK TABLE t_neighbour.secret IN ACCESS SHARE MODE",
    "rename neighbour": "ALTER TABLE t_neighbour.secret RENAME TO public_knowledge",
    "grant on neighbour": "GRANT SELECT ON t_neighbour.secret TO PUBLIC",
    "grant on neighbour's column": "GRANT SELECT (word), UPDATE (word) ON t_neighbour.secret TO PUBLIC",
    "alter neighbour's dictionary": "ALTER TEXT SEARCH DICTIONARY t_neighbour.words (ACCEPT = false)",
    "drop neighbour's dictionary": "DROP TEXT SEARCH DICTIONARY t_neighbour.words",
    "alter neighbour's statistics": "ALTER STATISTICS t_neighbour.numbers_of SET STATISTICS 7",
    "comment on neighbour": "COMMENT ON TABLE t_neighbour.secret IS 'x'",
    "number of neighbour": "SELECT nextval('t_neighbour.numbers')",
    "replace neighbour's function": "CREATE OR REPLACE FUNCTION t_neighbour.greet() RETURNS text LANGUAGE sql AS 'SELECT ''x''::text'",
    "alter neighbour's function": "ALTER FUNCTION t_neighbour.greet() STRICT",
    "drop neighbour's function": "DROP FUNCTION t_neighbour.greet()",
    "alter neighbour's type": "ALTER TYPE t_neighbour.mood ADD VALUE 'cross'",
    "inherit from neighbour": "CREATE TABLE a () INHERITS (t_neighbour.secret)",
    "refer to neighbour": "CREATE TABLE a (i int REFERENCES t_neighbour.secret)",
    "view of neighbour": "CREATE VIEW a AS SELECT * FROM t_neighbour.secret",
    "view of registry": "CREATE VIEW a AS SELECT * FROM tenancy.tenants",
    "view of audit": "CREATE VIEW a AS SELECT * FROM tenancy.audit_log",
    "view of a view": "CREATE VIEW b AS SELECT * FROM tenancy.config; CREATE VIEW a AS SELECT * FROM b",
    "empty materialised view": "CREATE MATERIALIZED VIEW a AS SELECT * FROM tenancy.runs WITH NO DATA",
    "cast of neighbour's type": "CREATE CAST (t_neighbour.pair AS text) WITH INOUT AS IMPLICIT",
    "cast of neighbour's type by a function": "CREATE FUNCTION f(t_neighbour.pair) RETURNS int LANGUAGE sql AS 'SELECT 1'; "
    "CREATE CAST (t_neighbour.pair AS int) WITH FUNCTION f(t_neighbour.pair) AS IMPLICIT",
    "cast of own type to neighbour's": "CREATE TYPE e AS ENUM ('a'); CREATE CAST (e AS t_neighbour.mood) WITH INOUT",
    "drop neighbour's cast": "DROP CAST (t_neighbour.pair AS point)",
    "column of neighbour's type": "CREATE TABLE a (m t_neighbour.mood)",
    "column of neighbour's array": "CREATE TABLE a (m t_neighbour.mood[])",
    "column of neighbour's row": "CREATE TABLE a (m t_neighbour.secret)",
    "column of neighbour's domain": "CREATE TABLE a (m t_neighbour.small DEFAULT 4)",
    "type over neighbour's": "CREATE TYPE p AS (m t_neighbour.mood)",
    "domain over neighbour's": "CREATE DOMAIN d AS t_neighbour.small",
    "function of neighbour's type": "CREATE FUNCTION f(t_neighbour.mood) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "default by neighbour's function": "CREATE TABLE a (i text DEFAULT t_neighbour.greet())",
    "check by neighbour's function": "CREATE TABLE a (i int CHECK (t_neighbour.same(i, i)))",
    "check by neighbour's operator": "CREATE TABLE a (i int CHECK (i OPERATOR(t_neighbour.===) 1))",
    "domain checked by neighbour's function": "CREATE DOMAIN d AS int CHECK (t_neighbour.same(VALUE, 1))",
    "index over neighbour's function": "CREATE TABLE a (i int); CREATE INDEX ON a (t_neighbour.same(i, 1))",
    "neighbour's collation": "CREATE TABLE a (t text COLLATE t_neighbour.plain)",
    "neighbour's search configuration": "CREATE TABLE a (t text, v tsvector GENERATED ALWAYS AS (to_tsvector('t_neighbour.search'::regconfig, t)) STORED)",
    "neighbour's dictionary": "CREATE TEXT SEARCH CONFIGURATION s (COPY = pg_catalog.simple); "
    "ALTER TEXT SEARCH CONFIGURATION s ALTER MAPPING FOR word WITH t_neighbour.words",
    "view over neighbour's function": "CREATE VIEW v AS SELECT t_neighbour.greet()",
    "view over runner": "CREATE VIEW v AS SELECT tenancy.run_script('') IS NULL AS done",
    "rule": "CREATE TABLE a (i int); CREATE RULE r AS ON INSERT TO a DO ALSO DELETE FROM tenancy.tenants",
    "policy": "CREATE TABLE a (i int); CREATE POLICY p ON a USING (EXISTS (SELECT FROM tenancy.tenants))",
    "security definer": "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
    "security definer later": "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION f() SECURITY DEFINER",
    "runner without confinement": "ALTER FUNCTION tenancy.run_script(text) SECURITY INVOKER",
    "drop runner": "DROP FUNCTION tenancy.run_script(text)",
    "runner for all": "GRANT EXECUTE ON FUNCTION tenancy.run_script(text) TO PUBLIC",
    "runner with a path": "ALTER FUNCTION tenancy.run_script(text) SET search_path = public",
    "comment on runner": "COMMENT ON FUNCTION tenancy.run_script(text) IS 'x'",
    "runner of an extension": "ALTER FUNCTION tenancy.run_script(text) DEPENDS ON EXTENSION plpgsql",
    "move runner": "DO $$ BEGIN EXECUTE format('ALTER FUNCTION tenancy.run_script(text) SET SCHEMA %I', current_schema()); END $$",
    "drop all that is owned": "DROP OWNED BY CURRENT_USER CASCADE",
    "rename runner": "ALTER FUNCTION tenancy.run_script(text) RENAME TO walk_script",
    "runner's own commit": "DO $$ BEGIN PERFORM tenancy.run_script('COMMIT'); END $$",
    "default privileges": "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC",
    "default privileges here": "DO $$ BEGIN EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT ALL ON TABLES TO PUBLIC', 't_x'); END $$",
    "role's settings": "DO $$ BEGIN EXECUTE format('ALTER ROLE %I SET statement_timeout = 1', current_user); END $$",
    "role's password": "DO $$ BEGIN EXECUTE format('ALTER ROLE %I PASSWORD ''x''', current_user); END $$",
    "large object": "SELECT lo_create(0)",
    "drop own schema": "DROP SCHEMA t_x CASCADE",
    "rename own schema": "ALTER SCHEMA t_x RENAME TO t_y",
    "swap own schema": "ALTER SCHEMA t_x RENAME TO t_y; CREATE SCHEMA t_x",
    "deferred trigger": LATE.format(REGISTER),
    "deferred trigger on neighbour": LATE.format("DROP TABLE t_neighbour.secret CASCADE;"),
    "deferred trigger changes role": LATE.format("PERFORM set_config('role', 'none', false); CREATE SCHEMA mine;"),
    "deferred trigger that defers itself again": AGAIN,
    "constraint that waits": COMPARED,
    "copy from a program": "CREATE TABLE a (t text); COPY a FROM PROGRAM 'id'",
    "copy to a program": "COPY (SELECT 1) TO PROGRAM 'true'",
    "read a file": "CREATE TABLE a AS SELECT pg_read_file('/etc/hostname')",
    "event trigger": "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; "
    "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()",
    "untrusted extension": "CREATE EXTENSION file_fdw",
    "language": "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'libc', 'abs'",
}
# What one login cannot even do (it is nobody's member), and a role is not allowed to.
SETTINGS_OF_ROLE = {
    "set role": "SET ROLE {admin}",
    "set session authorization": "SET SESSION AUTHORIZATION {admin}",
    "superuser": "ALTER ROLE CURRENT_USER SUPERUSER",
    "new role": "CREATE ROLE intruder",
    "join role": "GRANT {admin} TO CURRENT_USER",
}
# In schema public, where the host lets everybody make objects.
ELSEWHERE = {
    "table": "CREATE TABLE public.a (i int)",
    "by search path": "SET search_path = public; CREATE TABLE a (i int)",
    "by set_config": "SELECT set_config('search_path', 'public', false); CREATE TABLE a (i int)",
    "function": "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "procedure": "CREATE PROCEDURE public.f() LANGUAGE sql AS 'SELECT 1'",
    "type": "CREATE TYPE public.m AS ENUM ('a')",
    "domain": "CREATE DOMAIN public.d AS int",
    "sequence": "CREATE SEQUENCE public.s",
    "view": "CREATE VIEW public.v AS SELECT 1 AS one",
    "collation": 'CREATE COLLATION public.c FROM "C"',
    "operator": "CREATE OPERATOR public.=== (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int)",
    "aggregate": "CREATE AGGREGATE public.total(int) (SFUNC = int4pl, STYPE = int)",
    "text search": "CREATE TEXT SEARCH CONFIGURATION public.t (COPY = simple)",
    "statistics": "CREATE TABLE a (i int, j int); CREATE STATISTICS public.st ON i, j FROM a",
    "moved table": "CREATE TABLE a (i int); ALTER TABLE a SET SCHEMA public",
    "moved function": "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION f() SET SCHEMA public",
    "comment": "COMMENT ON TABLE public.shared IS 'x'",
}


@pytest.mark.parametrize("name", ESCAPES)
async def test_a_script_that_reaches_out_is_refused_and_nothing_is_left(script_database, untouched, name):
    with pytest.raises(ScriptEscaped) as caught:
        await attempt(script_database, ESCAPES[name])
    assert caught.value.file == "x.sql"
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["commit", "write registry", "new schema", "read neighbour", "view of registry", "rule", "drop runner", "role's settings", "swap own schema"],
)
async def test_a_revision_that_reaches_out_is_refused_and_nothing_is_left(script_database, untouched, name):
    with pytest.raises(ScriptEscaped) as caught:
        await attempt(script_database, "CREATE TABLE there_already (i int)", ESCAPES[name])
    assert caught.value.file == "more.sql"


async def test_a_script_runs_where_another_role_began_the_transaction(script_database, schema_gone):
    async with script_database.transaction(tenant="x", role="loader") as transaction, transaction.acting_as("migrator"):
        await transaction.run(sql.SQL("CREATE SCHEMA t_x"))
        await run_script(transaction, "CREATE TABLE a (i int)", file="x.sql", namespace="t_x", fresh=True)


@pytest.mark.parametrize("name", SETTINGS_OF_ROLE)
async def test_a_script_cannot_become_somebody_else(script_database, untouched, place, name):
    with psycopg.connect(place.admin_url) as connection:
        admin = connection.info.user
    with pytest.raises(ScriptEscaped):
        await attempt(script_database, SETTINGS_OF_ROLE[name].format(admin=f'"{admin}"'))


@pytest.mark.parametrize("name", ELSEWHERE)
async def test_a_script_makes_nothing_in_a_schema_where_everybody_may(script_database, untouched, name):
    with pytest.raises(ScriptEscaped):
        await attempt(script_database, ELSEWHERE[name])


@pytest.mark.parametrize(
    ("script", "line", "column", "word"),
    [
        ("CREATE TABLE a (i int);\n\n  CREAT TABLE b ()", 3, 3, "CREAT"),
        ("CREATE TABLE a (i int);\r\nINSERT INTO nowhere VALUES (1)", 2, 13, "nowhere"),
        ("-- ümlaute äöü\nCREATE TABLE a (i nosuchtype)", 2, 19, "nosuchtype"),
    ],
)
async def test_a_mistake_is_told_with_line_and_column(script_database, untouched, script, line, column, word):
    with pytest.raises(ScriptFailed) as caught:
        await attempt(script_database, script)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert f"x.sql, line {line}, column {column}" in caught.value.message
    assert word in caught.value.message


@pytest.mark.parametrize(
    "script",
    [
        "VACUUM",
        "CREATE TABLE a (i int); CREATE INDEX CONCURRENTLY ON a (i)",
        # Refused for want of a feature (0A000) like COMMIT is, and yet no way out.
        "CREATE TABLE a (i int); CREATE VIEW v AS SELECT i FROM a; ALTER TABLE a ALTER i TYPE bigint",
        "CREATE TABLE a (i int, j int PRIMARY KEY) PARTITION BY LIST (i)",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    ],
)
async def test_what_the_server_refuses_is_a_failure_and_no_escape(script_database, untouched, script):
    with pytest.raises(ScriptFailed):
        await attempt(script_database, script)


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE a (i int NOT NULL, t text);\nINSERT INTO a VALUES (NULL, 'swordfish')",
        "CREATE TABLE a (t text UNIQUE); INSERT INTO a VALUES ('swordfish'), ('swordfish')",
        "CREATE TABLE a (t text); INSERT INTO a VALUES ('swordfish'); ALTER TABLE a ALTER t TYPE int USING t::int",
        "CREATE TABLE a (t text CHECK (t <> 'swordfish')); INSERT INTO a SELECT 'sword' || 'fish'",
        "CREATE TABLE a (t text); INSERT INTO a VALUES ('swordfish'); DO $$ BEGIN RAISE EXCEPTION 'bad: %', (SELECT t FROM a); END $$",
    ],
)
async def test_no_error_holds_a_row(script_database, untouched, script):
    with pytest.raises(PackError) as caught:
        await attempt(script_database, script)
    error = caught.value
    assert "fish'" not in f"{error!r} {error} {error.to_dict()}".replace(script, "")
    assert error.__cause__ is None
    assert "swordfish" not in f"{error.message} {error.facts}"


async def test_a_script_is_free_in_its_own_schema(script_database, schema_gone, place):
    script = """
        CREATE TYPE mood AS ENUM ('calm'); CREATE DOMAIN small AS int CHECK (VALUE < 10); CREATE TYPE pair AS (a int, b int);
        CREATE TYPE spans AS RANGE (subtype = date, multirange_type_name = many_spans); CREATE TABLE times (s spans, m many_spans);
        CREATE SEQUENCE numbers; CREATE TABLE a (i int PRIMARY KEY DEFAULT nextval('numbers'), m mood, s small);
        CREATE TABLE b (id int GENERATED ALWAYS AS IDENTITY, a int REFERENCES a DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE p (i int) PARTITION BY LIST (i); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
        CREATE VIEW v AS SELECT * FROM a; CREATE MATERIALIZED VIEW m AS SELECT * FROM a; CREATE STATISTICS st ON i, m FROM a;
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE PROCEDURE q() LANGUAGE sql AS 'SELECT 1';
        CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int); CREATE COLLATION c FROM "C";
        CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f(); CREATE RULE r AS ON DELETE TO a DO INSTEAD NOTHING;
        ALTER TABLE a ENABLE ROW LEVEL SECURITY; CREATE POLICY y ON a USING (true); COMMENT ON TABLE a IS 'mine';
        CREATE TABLE gone (i int); DROP TABLE gone; CREATE FUNCTION gone() RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION gone();
        CREATE VIEW roles AS SELECT rolname FROM pg_roles; CREATE EXTENSION IF NOT EXISTS plpgsql;
        -- A child before its parent: checked when the script ends, as it would be at COMMIT.
        INSERT INTO b (a) VALUES (1); INSERT INTO a VALUES (1, 'calm', 2)
    """
    await attempt(script_database, script, "ALTER TYPE mood ADD VALUE 'cross'; ALTER TABLE a ADD COLUMN n int; DROP VIEW v; DROP PROCEDURE q()")
    async with script_database.transaction(role="migrator") as transaction:
        who = (await facts(transaction, "SELECT current_user::text AS who"))[0]["who"]
        owners = await facts(transaction, "SELECT DISTINCT relowner::regrole::text AS who FROM pg_class WHERE relnamespace = 't_x'::regnamespace")
        assert owners == [{"who": who}]


async def test_a_query_that_a_script_leaves_for_the_commit_is_not_run(script_database, schema_gone, place):
    evil = "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN CREATE SCHEMA mine; RETURN 1; END $$;"
    before = place.look()
    await attempt(script_database, evil + "DECLARE c CURSOR WITH HOLD FOR SELECT f()")
    assert {row[1] for row in place.look() - before} == {"t_x", "t_x.f()"}


async def test_a_reference_that_is_broken_at_the_end_fails_in_the_script(script_database, untouched):
    script = "CREATE TABLE a (i int PRIMARY KEY); CREATE TABLE b (a int REFERENCES a DEFERRABLE INITIALLY DEFERRED); INSERT INTO b VALUES (7)"
    with pytest.raises(ScriptFailed) as caught:
        await attempt(script_database, script)
    assert caught.value.sqlstate == "23503"
    assert "7" not in caught.value.message.replace("23503", "")


async def test_what_waits_for_the_end_of_a_script_waits_for_that_of_the_next_one_too(script_database, schema_gone):
    first = "CREATE TABLE a (i int PRIMARY KEY); CREATE TABLE b (a int REFERENCES a DEFERRABLE INITIALLY DEFERRED, i int REFERENCES a DEFERRABLE)"
    await attempt(
        script_database, first, "INSERT INTO b (a) VALUES (1); INSERT INTO a VALUES (1)", "INSERT INTO b (a) VALUES (2); INSERT INTO a VALUES (2)"
    )
    async with script_database.transaction(role="migrator") as transaction:
        await transaction.run(sql.SQL("DROP SCHEMA t_x CASCADE"))
    with pytest.raises(ScriptFailed, match="23503"):
        await attempt(script_database, first, "INSERT INTO b (i) VALUES (1); INSERT INTO a VALUES (1)")


async def test_shared_schemas_may_be_referred_to(script_database, place, schema_gone):
    administer(place.admin_url, "GRANT SELECT ON public.shared TO PUBLIC")
    with pytest.raises(ScriptEscaped):
        await attempt(script_database, "CREATE VIEW v AS SELECT * FROM public.shared")
    async with script_database.transaction(tenant="x", role="migrator") as transaction:
        await transaction.run(sql.SQL("CREATE SCHEMA t_x"))
        await run_script(transaction, "CREATE VIEW v AS SELECT * FROM shared", file="x.sql", namespace="t_x", fresh=True, shared=["public"])


async def test_what_belongs_to_an_extension_is_for_all(script_database, place, schema_gone):
    """Its types, arrays of them, functions, classes of operators, wherever it was put."""
    administer(place.admin_url, "CREATE EXTENSION citext SCHEMA public")
    script = """
        CREATE TABLE a (t public.citext PRIMARY KEY, many public.citext[], short text DEFAULT public.citext('x')); CREATE DOMAIN d AS public.citext;
        CREATE INDEX ON a (t public.citext_pattern_ops); CREATE VIEW v AS SELECT public.regexp_match(t, 'x'), t OPERATOR(public.=) 'y' AS same FROM a
    """
    await attempt(script_database, script, "ALTER TABLE a ADD COLUMN more public.citext; ANALYZE a")
    administer(place.admin_url, "DROP EXTENSION citext CASCADE")


async def test_tables_and_views_of_an_extension_are_not(script_database, place, schema_gone):
    administer(place.admin_url, "CREATE EXTENSION pg_stat_statements SCHEMA public")
    try:
        with pytest.raises(ScriptEscaped, match=r"view public\.pg_stat_statements"):
            await attempt(script_database, "CREATE VIEW a AS SELECT queryid FROM public.pg_stat_statements")
    finally:
        administer(place.admin_url, "DROP EXTENSION pg_stat_statements CASCADE")
