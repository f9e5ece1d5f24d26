"""A schema that several tenants share: what is written for a pack, what cannot be shared, and what each tenant sees of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from tenancy_fixtures import FixtureManager, Pack
from tenancy_fixtures import exceptions as errors
from tenancy_fixtures._pg.bootstrap import with_parts
from tenancy_fixtures._rowify import refuse_unshared, row_script
from tenancy_fixtures.packs import DEFAULT_FOLDER, ROW_SCHEMA
from tests.acceptance.support import PackFolder
from tests.conftest import APP, PASSWORD, ROLES

pytestmark = pytest.mark.anyio

# Parts of every kind that are shared: keys of all sorts, references with all that can be said of them, odd names, a view.
SHARED = """
CREATE TABLE "Owners (all)" (owner_id integer PRIMARY KEY, code text UNIQUE NULLS NOT DISTINCT, note text);
CREATE UNIQUE INDEX "by note (lower)" ON "Owners (all)" USING btree (lower(note)) INCLUDE (code) WHERE note <> '(';
CREATE TABLE things (
    owner_id integer REFERENCES "Owners (all)" ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    thing integer NOT NULL, made_of integer DEFAULT 1, UNIQUE (owner_id, thing) DEFERRABLE,
    CONSTRAINT things_key PRIMARY KEY (thing) INCLUDE (made_of),
    CONSTRAINT of_itself FOREIGN KEY (made_of) REFERENCES things ON DELETE SET DEFAULT
);
CREATE TABLE happened (at timestamptz NOT NULL, what text, PRIMARY KEY (at, what)) PARTITION BY RANGE (at);
CREATE TABLE happened_rest PARTITION OF happened DEFAULT;
CREATE VIEW known AS SELECT thing, owner_id FROM things;
"""
UNSHAREABLE = {
    "materialised view m": "CREATE MATERIALIZED VIEW m AS SELECT 1 AS one",
    "table t": "CREATE TABLE t (tenant_id integer)",
    "table child": "CREATE TABLE parent (a integer); CREATE TABLE child () INHERITS (parent)",
    "policy all_of_it on t": "CREATE TABLE t (a integer); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY all_of_it ON t USING (true)",
    "constraint apart on t": "CREATE TABLE t (a circle, CONSTRAINT apart EXCLUDE USING gist (a WITH &&))",
    "constraint full_one on u": (
        "CREATE TABLE t (a integer, b integer, UNIQUE (a, b));"
        "CREATE TABLE u (a integer, b integer, CONSTRAINT full_one FOREIGN KEY (a, b) REFERENCES t (a, b) MATCH FULL)"
    ),
    "constraint nulled on u": "CREATE TABLE t (a integer UNIQUE); CREATE TABLE u (a integer, CONSTRAINT nulled FOREIGN KEY (a) REFERENCES t (a) ON UPDATE SET NULL)",
    "rule instead on t": "CREATE TABLE t (a integer); CREATE RULE instead AS ON DELETE TO t DO INSTEAD NOTHING",
    "view grouped": "CREATE TABLE t (a integer PRIMARY KEY, b integer); CREATE VIEW grouped AS SELECT a, b FROM t GROUP BY a",
}


@pytest.fixture
def written(spoilt: PackFolder) -> Any:
    """A pack with another schema, as it is before it was written for rows."""

    def write(script: str) -> Pack:
        spoilt.reduce(script)
        (spoilt.folder / ROW_SCHEMA).unlink()
        return spoilt.pack()

    return write


async def test_the_default_packs_file_is_what_its_schema_asks_for(manager: FixtureManager):
    async with manager:
        runtime = await manager._runtime()
        assert (DEFAULT_FOLDER / ROW_SCHEMA).read_text(encoding="utf-8") == await row_script(manager.pack, runtime)
        await refuse_unshared(manager.pack, runtime)


async def test_what_can_be_shared_keeps_all_that_is_said_of_it(manager: FixtureManager, written: Any):
    async with manager:
        pack, runtime = written(SHARED), await manager._runtime()
        text = await row_script(pack, runtime)
        await refuse_unshared(replace(pack, row_sql=text), runtime)
    for line in (
        'ADD CONSTRAINT "Owners (all)_code_key" UNIQUE NULLS NOT DISTINCT ("tenant_id", code);',
        """ON "Owners (all)" USING btree ("tenant_id", lower(note)) INCLUDE (code) WHERE (note <> '('::text);""",
        (
            'FOREIGN KEY ("tenant_id", "owner_id") REFERENCES "Owners (all)" ("tenant_id", "owner_id")'
            ' ON UPDATE CASCADE ON DELETE SET NULL ("owner_id") DEFERRABLE INITIALLY DEFERRED;'
        ),
        'FOREIGN KEY ("tenant_id", "made_of") REFERENCES "things" ("tenant_id", "thing") ON DELETE SET DEFAULT ("made_of");',
        'PRIMARY KEY ("tenant_id", thing) INCLUDE (made_of);',
        'UNIQUE ("tenant_id", owner_id, thing) DEFERRABLE;',
        'ALTER TABLE "happened_rest" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;',
        'ALTER VIEW "known" SET (security_invoker = true);',
    ):
        assert line in text, line


@pytest.mark.parametrize("what", UNSHAREABLE)
async def test_what_cannot_be_shared_is_named(manager: FixtureManager, written: Any, what: str):
    async with manager:
        with pytest.raises(errors.CannotShare) as caught:
            await row_script(written(UNSHAREABLE[what]), await manager._runtime())
    assert caught.value.facts["objects"] == (what,)


POLICY = (
    'CREATE POLICY "tenant" ON "things" USING ("tenant_id" = (SELECT tenancy.tenant_uid())) WITH CHECK ("tenant_id" = (SELECT tenancy.tenant_uid()));'
)
OPEN = [
    ('ALTER TABLE "things" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;', ""),
    ('ALTER TABLE "happened_rest" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;', ""),
    ('ALTER VIEW "known" SET (security_invoker = true);', ""),
    (POLICY, ""),
    (POLICY, 'CREATE POLICY "tenant" ON "things" USING (true);'),
]


@pytest.mark.parametrize(("line", "instead"), OPEN)
async def test_a_file_that_leaves_something_open_is_refused(manager: FixtureManager, written: Any, line: str, instead: str):
    async with manager:
        pack, runtime = written(SHARED), await manager._runtime()
        text = await row_script(pack, runtime)
        assert line in text
        with pytest.raises(errors.PackInvalid, match="leaves something open"):
            await refuse_unshared(replace(pack, row_sql=text.replace(line, instead)), runtime)


async def test_a_pack_without_the_file_says_so(manager: FixtureManager, written: Any):
    async with manager:
        with pytest.raises(errors.PackInvalid, match=ROW_SCHEMA):
            await refuse_unshared(written(SHARED), await manager._runtime())


# --- what each tenant sees ----------------------------------------------------------------------------------------------


@pytest.fixture
def shared(admin_database_url: str, admin_url: str, database: str) -> Iterator[psycopg.Connection[Any]]:
    """The application's connection to a schema that the default pack's two scripts have made; its owner is no superuser."""
    pack = Pack.default()
    with psycopg.connect(admin_database_url, autocommit=True) as admin:
        admin.execute("DROP SCHEMA IF EXISTS shared CASCADE")
        admin.execute(sql.SQL("CREATE SCHEMA shared AUTHORIZATION {}").format(sql.Identifier(str(ROLES.migrator))))
        admin.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(str(ROLES.migrator))))
        admin.execute("SET search_path = shared")
        admin.execute(pack.schema_sql.encode())
        admin.execute((pack.row_sql or "").encode())
        app = sql.Identifier(str(ROLES.app))
        admin.execute(sql.SQL("GRANT USAGE ON SCHEMA shared TO {}; GRANT ALL ON ALL TABLES IN SCHEMA shared TO {}").format(app, app))
    connection = psycopg.connect(with_parts(admin_url, database=database, user=APP, password=PASSWORD), autocommit=True)
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(str(ROLES.app))))
    connection.execute("SET search_path = shared")
    yield connection
    connection.close()
    with psycopg.connect(admin_database_url, autocommit=True) as admin:
        admin.execute("DROP SCHEMA shared CASCADE")


def be(connection: psycopg.Connection[Any], tenant: UUID | None) -> None:
    connection.execute("SELECT set_config('tenancy.tenant_uid', %s, false)", [str(tenant or "")])


def count(connection: psycopg.Connection[Any], table: str) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
    return int(row[0]) if row else -1


def test_each_tenant_sees_its_own_rows_alone(shared: psycopg.Connection[Any]):
    first, second = uuid4(), uuid4()
    add = "INSERT INTO artists (artist_id, name) VALUES (%s, 'the same name')"
    artist = uuid4()
    for tenant in (first, second):
        be(shared, tenant)
        # The same key and the same name: unique in each tenant.
        shared.execute(add, [artist])
        assert count(shared, "artists") == 1
        with pytest.raises(psycopg.errors.UniqueViolation):
            shared.execute(add, [artist])
    be(shared, first)
    shared.execute("INSERT INTO albums (album_id, artist_id, title) VALUES (%s, %s, 'a')", [uuid4(), artist])
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        shared.execute("INSERT INTO artists (artist_id, name, tenant_id) VALUES (%s, 'other', %s)", [uuid4(), second])
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        shared.execute("UPDATE artists SET tenant_id = %s", [second])
    assert shared.execute("UPDATE artists SET popularity = 7 WHERE tenant_id = %s", [second]).rowcount == 0
    assert shared.execute("DELETE FROM artists WHERE tenant_id = %s", [second]).rowcount == 0

    be(shared, second)
    only_theirs = shared.execute("SELECT artist_id FROM artists WHERE popularity IS NOT NULL").fetchall()
    assert only_theirs == []
    assert count(shared, "albums") == 0
    # A reference to a row of the neighbour's leads nowhere.
    be(shared, first)
    mine = uuid4()
    shared.execute("INSERT INTO artists (artist_id, name) VALUES (%s, 'mine alone')", [mine])
    be(shared, second)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        shared.execute("INSERT INTO albums (album_id, artist_id, title) VALUES (%s, %s, 'b')", [uuid4(), mine])


def test_without_a_tenant_there_is_nothing(shared: psycopg.Connection[Any]):
    be(shared, uuid4())
    shared.execute("INSERT INTO artists (artist_id, name) VALUES (%s, 'a')", [uuid4()])
    be(shared, None)
    assert count(shared, "artists") == 0
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        shared.execute("INSERT INTO artists (artist_id, name) VALUES (%s, 'a')", [uuid4()])
    shared.execute("RESET tenancy.tenant_uid")
    assert count(shared, "artists") == 0
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        shared.execute("SET tenancy.tenant_uid = 'no uuid'; SELECT count(*) FROM artists")


def test_the_owner_of_the_tables_sees_no_more(shared: psycopg.Connection[Any], admin_database_url: str):
    be(shared, uuid4())
    shared.execute("INSERT INTO artists (artist_id, name) VALUES (%s, 'a')", [uuid4()])
    with psycopg.connect(admin_database_url, autocommit=True) as admin:
        admin.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(str(ROLES.migrator))))
        assert admin.execute("SELECT count(*) FROM shared.artists").fetchone() == (0,)
        assert admin.execute("SELECT count(*) FROM shared.analytics_events").fetchone() == (0,)


def test_partitions_are_closed_but_through_their_table(shared: psycopg.Connection[Any]):
    be(shared, uuid4())
    shared.execute("INSERT INTO analytics_events (name, occurred_at) VALUES ('start', '1999-01-01T00:00:00Z')")
    assert count(shared, "analytics_events") == 1
    assert count(shared, "analytics_events_other") == 0


def test_a_tenants_own_role_is_its_tenant_whatever_is_set(shared: psycopg.Connection[Any], admin_database_url: str):
    mine, other = uuid4(), uuid4()
    be(shared, mine)
    shared.execute("INSERT INTO artists (artist_id, name) VALUES (%s, 'a')", [uuid4()])
    role = sql.Identifier(f"tenancy_t_{mine.hex}")
    with psycopg.connect(admin_database_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {}; GRANT USAGE ON SCHEMA shared TO {}; GRANT SELECT ON shared.artists TO {}").format(role, role, role))
        try:
            admin.execute(sql.SQL("SET ROLE {}").format(role))
            for said in (str(mine), str(other), ""):
                admin.execute("SELECT set_config('tenancy.tenant_uid', %s, false)", [said])
                assert admin.execute("SELECT count(*) FROM shared.artists").fetchone() == (1,)
        finally:
            admin.execute("RESET ROLE")
            admin.execute(sql.SQL("DROP OWNED BY {}; DROP ROLE {}").format(role, role))


async def test_the_examples_file_is_what_rowify_writes(manager: FixtureManager):
    pack = Pack.from_folder(Path(__file__).parents[2] / "examples" / "notes-pack")
    async with manager:
        assert await row_script(pack, await manager._runtime()) == pack.row_sql
