"""A revision that runs on a connection cannot leave its transaction or its schema either, whether roles are separate or one login does everything."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from tenancy_fixtures._pg.online import run_online
from tenancy_fixtures.exceptions import PackError, ScriptEscaped, ScriptFailed

from .ground import facts
from .test_script import ELSEWHERE, ESCAPES, SETTINGS_OF_ROLE

pytestmark = pytest.mark.anyio

# A savepoint is a revision's to make. Default privileges, roles' settings and roles are the migrator's, and it is the migrator.
ALLOWED = {"savepoint"}


async def attempt(database, *texts: str) -> None:
    """Make a tenant's schema, run each text on a connection of SQLAlchemy's and commit, as a run does."""
    async with database.transaction(tenant="x", role="migrator") as transaction:
        await transaction.run("audit.append", tenant_id="x", uid=None, run_id=None, action="tenant:created", detail={})
        await transaction.run(sql.SQL("CREATE SCHEMA t_x"))
        for text in texts:
            await run_online(
                transaction, lambda connection, text=text: connection.exec_driver_sql(text.replace("%", "%%")), file="x.py", namespace="t_x"
            )


@pytest.mark.parametrize("name", [name for name in ESCAPES if name not in ALLOWED])
async def test_a_revision_that_reaches_out_is_refused_and_nothing_is_left(script_database, untouched, name):
    with pytest.raises(PackError) as caught:
        await attempt(script_database, ESCAPES[name])
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize("name", SETTINGS_OF_ROLE)
async def test_a_revision_cannot_become_somebody_else(script_database, untouched, place, name):
    with psycopg.connect(place.admin_url) as connection:
        admin = connection.info.user
    with pytest.raises(PackError):
        await attempt(script_database, SETTINGS_OF_ROLE[name].format(admin=f'"{admin}"'))


@pytest.mark.parametrize("name", ELSEWHERE)
async def test_a_revision_makes_nothing_in_a_schema_where_everybody_may(script_database, untouched, name):
    with pytest.raises(ScriptEscaped):
        await attempt(script_database, ELSEWHERE[name])


async def test_a_revision_is_free_in_its_own_schema(script_database, schema_gone):
    await attempt(
        script_database,
        "CREATE TYPE mood AS ENUM ('calm'); CREATE TABLE a (i int PRIMARY KEY, m mood); CREATE TABLE b (a int REFERENCES a DEFERRABLE INITIALLY DEFERRED)",
        "SAVEPOINT x; INSERT INTO b VALUES (1); ROLLBACK TO SAVEPOINT x; INSERT INTO b VALUES (2); INSERT INTO a VALUES (2, 'calm'); RELEASE x",
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END; CREATE FUNCTION two() RETURNS int LANGUAGE sql RETURN CASE WHEN true THEN 2 END",
        "DO $x$ BEGIN INSERT INTO a VALUES (3, 'calm'); END $x$; -- ; COMMIT\n/* ; ROLLBACK */ SELECT '; END', E'\\'; COMMIT', $$;ABORT;$$, 1 AS \"; END\"",
    )
    async with script_database.transaction(role="migrator") as transaction:
        assert await facts(transaction, "SELECT i FROM t_x.a ORDER BY 1") == [{"i": 2}, {"i": 3}]


@pytest.mark.parametrize(
    "text",
    ["commit", "END", "SELECT 1; -- x\nEND", "abort", "ROLLBACK WORK", "PREPARE TRANSACTION 'x'", "/* x */COMMIT AND CHAIN"],
)
async def test_what_ends_a_transaction_is_known(script_database, untouched, text):
    with pytest.raises(ScriptEscaped, match="tries to end its transaction"):
        await attempt(script_database, text)


async def test_a_reference_that_is_broken_at_the_end_fails_in_the_revision(script_database, untouched):
    with pytest.raises(ScriptFailed) as caught:
        await attempt(
            script_database,
            "CREATE TABLE a (i int PRIMARY KEY); CREATE TABLE b (a int REFERENCES a DEFERRABLE INITIALLY DEFERRED); INSERT INTO b VALUES (7)",
        )
    assert caught.value.sqlstate == "23503"
