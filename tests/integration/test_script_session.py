"""What a pack's script leaves in its session meets nobody: neither the rest of its transaction nor whoever comes next."""

from __future__ import annotations

from contextlib import suppress

import pytest
from psycopg import sql

from tenancy_fixtures._pg.database import Database
from tenancy_fixtures._pg.script import run_script
from tenancy_fixtures.exceptions import TenancyError
from tenancy_fixtures.settings import Settings

from .ground import attempt, facts

pytestmark = pytest.mark.anyio

LEAVINGS = {
    "settings": "SET statement_timeout = 1234; SET datestyle = 'German'; SET default_transaction_read_only = on; SET search_path = public",
    "context": "SELECT set_config('tenancy.tenant_id', 'neighbour', false), set_config('lock_timeout', '1234', true)",
    "advisory lock": "SELECT pg_advisory_lock(7)",
    "prepared statement": "PREPARE mine AS SELECT 1",
    "no prepared statement": "DEALLOCATE ALL",
    "cursor": "DECLARE mine CURSOR WITH HOLD FOR SELECT 1",
    "listener": "LISTEN mine",
}
SESSION = """
SELECT current_setting('datestyle') AS datestyle, current_setting('default_transaction_read_only') AS read_only,
    current_setting('search_path') AS search_path, current_setting('statement_timeout') AS statement_timeout,
    current_setting('lock_timeout') AS lock_timeout, current_setting('tenancy.tenant_id') AS tenant,
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks,
    (SELECT count(*) FROM pg_cursors WHERE is_holdable) AS cursors, (SELECT count(*) FROM pg_prepared_statements WHERE from_sql) AS prepared,
    (SELECT count(*) FROM pg_listening_channels()) AS channels, pg_backend_pid() AS pid
"""


@pytest.mark.parametrize("fails", [False, True], ids=["succeeds", "fails"])
@pytest.mark.parametrize(
    ("name", "pooler"),
    # A listener begins with COMMIT, after the last statement that we send: behind a pooler it is the pooler's own business.
    [(name, pooler) for name in LEAVINGS for pooler in (False, True) if (name, pooler) != ("listener", True)],
)
async def test_nothing_of_a_script_stays_in_the_session(place, schema_gone, name, pooler, fails):
    database = Database(place.url, Settings.from_env(database_url=place.url, max_concurrency=1, pooler=pooler))
    await database.open()
    try:
        for _ in range(8):
            # Often enough for the driver to prepare its statements.
            before = await session_of(database)
        await attempt_quietly(database, LEAVINGS[name] + ("; SELECT 1 / 0" if fails else ""))
        after = await session_of(database)
        assert after == before
    finally:
        await database.close()


async def attempt_quietly(database: Database, script: str) -> None:
    with suppress(TenancyError):
        await attempt(database, script)


async def session_of(database: Database) -> dict[str, object]:
    async with database.session() as session, session.transaction(role="migrator") as transaction:
        return (await facts(transaction, SESSION))[0]


async def test_settings_of_a_script_end_with_it_within_the_transaction(script_database, schema_gone):
    async with script_database.transaction(tenant="x", role="migrator") as transaction:
        before = await facts(transaction, SESSION)
        await transaction.run(sql.SQL("CREATE SCHEMA t_x"))
        await run_script(transaction, LEAVINGS["settings"] + ";" + LEAVINGS["context"], file="x.sql", namespace="t_x", fresh=True)
        assert await facts(transaction, SESSION) == before


async def test_a_script_cannot_put_its_own_in_place_of_the_drivers_statements(script_database):
    for _ in range(8):
        await session_of(script_database)
    hijack = """
        CREATE FUNCTION evil() RETURNS int LANGUAGE plpgsql AS $$ BEGIN CREATE SCHEMA mine; RETURN 1; END $$;
        DO $$ DECLARE name text; BEGIN
            FOR i IN 0..50 LOOP
                name := '_pg3_' || i;
                IF EXISTS (SELECT FROM pg_prepared_statements p WHERE p.name = '_pg3_' || i) THEN EXECUTE 'DEALLOCATE ' || name; END IF;
                EXECUTE 'PREPARE ' || name || ' AS SELECT t_x.evil()';
            END LOOP;
        END $$
    """
    async with script_database.session() as session, session.transaction(tenant="x", role="migrator", keep=False) as transaction:
        await transaction.run(sql.SQL("CREATE SCHEMA t_x"))
        await run_script(transaction, hijack, file="x.sql", namespace="t_x", fresh=True)
        for _ in range(8):
            assert "pid" in (await facts(transaction, SESSION))[0]
        assert await facts(transaction, "SELECT FROM pg_namespace WHERE nspname = 'mine'") == []
    assert "pid" in await session_of(script_database)
