"""A schema that is there becomes a pack: what tenants of the pack get is the same schema, with the same rows in its reference tables, or an error says what not."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import tenancy_fixtures._skeleton
from tenancy_fixtures import FixtureManager, Pack, Settings
from tenancy_fixtures._from_database import Wishes
from tenancy_fixtures._pg.catalog import difference, fingerprint
from tenancy_fixtures.exceptions import CannotCopy, ConfigurationError, OutputExists, PermissionDenied
from tests.acceptance import nasty_pack
from tests.acceptance.support import State

pytestmark = pytest.mark.anyio

WHOLE = Path(__file__).with_name("whole_schema.sql").read_text(encoding="utf-8")
SMALL = Path(tenancy_fixtures._skeleton.__file__).with_name("pack").joinpath("schema_template.sql").read_text(encoding="utf-8")

# What the fingerprint leaves aside.
_BESIDE = """
SELECT c.relname || '.' || a.attname, a.attstorage::text, a.attstattarget, (SELECT o FROM unnest(a.attoptions) AS o WHERE o LIKE 'n_distinct%%'), a.attcompression::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s) AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'm')
UNION ALL SELECT relname, relpersistence::text, relispopulated::int, reloptions::text, pg_get_expr(relpartbound, oid) FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s)
UNION ALL SELECT collname, collcollate, collisdeterministic::int, collprovider::text, NULL FROM pg_collation WHERE collnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s)
UNION ALL SELECT t.typname, g.rngsubopc::text, g.rngcollation::int, m.typname, NULL FROM pg_range g JOIN pg_type t ON t.oid = g.rngtypid JOIN pg_type m ON m.oid = g.rngmultitypid
  WHERE t.typnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s)
ORDER BY 1, 2, 3, 4, 5
"""


@pytest.fixture
def host(state: State) -> Iterator[str]:
    """The name of a schema of an application's own; gone afterwards."""
    yield "Host-App"
    state.run('DROP SCHEMA IF EXISTS "Host-App" CASCADE', "DROP SCHEMA IF EXISTS lookups CASCADE", 'DROP SCHEMA IF EXISTS "user" CASCADE')


def build(state: State, script: str, *rows: str) -> None:
    """Make the schema as whoever does the daily work can read it."""
    state.run(
        'CREATE SCHEMA "Host-App"; SET search_path = "Host-App", public',
        script,
        *rows,
        'GRANT USAGE ON SCHEMA "Host-App" TO PUBLIC',
        'GRANT SELECT ON ALL TABLES IN SCHEMA "Host-App" TO PUBLIC',
    )


async def structure(state: State, schema: str) -> dict[str, str]:
    async with await psycopg.AsyncConnection.connect(state.url, autocommit=True) as connection:
        return await fingerprint(connection, schema)


def contents(state: State, schema: str, table: str) -> list[str]:
    return sorted(row["row"] for row in state.rows(f'SELECT whole::text AS row FROM "{schema}".{table} AS whole'))


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def lives(settings: Settings, folder: Path, tenant: str = "acme") -> None:
    """The pack is in order, and a tenant of it comes about with its data."""
    async with FixtureManager(settings, pack=Pack.from_folder(folder)) as manager:
        report = await manager.validate_pack()
        assert report.ok, report.findings
        await manager.create_tenant(tenant)
        if manager.pack.manifest.datasets:
            await manager.load_fixtures(tenant)
        assert (await manager.standing(tenant)).ok


ICU = "CREATE COLLATION loose (provider = icu, locale = 'de-u-co-phonebk', deterministic = false); CREATE TABLE t (a text COLLATE loose UNIQUE)"


# What came with PostgreSQL 18.
EIGHTEEN = """
CREATE TABLE v (a integer, b integer GENERATED ALWAYS AS (a * 2) VIRTUAL, CONSTRAINT named NOT NULL a, CONSTRAINT loose CHECK (a > 0) NOT ENFORCED);
CREATE TABLE w (v text PRIMARY KEY, r text REFERENCES w NOT ENFORCED);
CREATE TABLE parted (id bigint GENERATED ALWAYS AS IDENTITY, k integer NOT NULL, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parent (x integer NOT NULL NO INHERIT); CREATE TABLE kid () INHERITS (parent);
"""
CONSTRAINTS = "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s) ORDER BY 1, 2"


@pytest.mark.parametrize("script", [WHOLE, nasty_pack.SCHEMA, SMALL, ICU, EIGHTEEN], ids=["whole", "nasty", "small", "icu", "eighteen"])
async def test_a_tenant_of_the_pack_has_the_same_schema(
    settings: Settings, manager: FixtureManager, state: State, host: str, tmp_path: Path, script: str
):
    if script is ICU and not state.value("SELECT count(*) FROM pg_collation WHERE collname LIKE '%-x-icu'"):
        pytest.skip("the server knows no ICU")
    if script is EIGHTEEN and int(state.value("SHOW server_version_num")) < 180000:
        pytest.skip("the server is older than PostgreSQL 18")
    build(state, script)
    before = await structure(state, host)
    async with manager:
        written = await manager.pack_from_database(host, tmp_path / "pack", name="copied")
    assert (written.objects, written.extensions, written.data) == (len(before), (), ())
    await lives(settings, tmp_path / "pack")
    assert difference(before, await structure(state, "t_acme")) == []
    beside = [state.rows(_BESIDE, *[name] * 4) for name in (host, "t_acme")]
    assert beside[0] == beside[1]
    assert state.rows(CONSTRAINTS, "t_acme") == [
        {**row, "pg_get_constraintdef": row["pg_get_constraintdef"].replace('"Host-App".', "t_acme.")} for row in state.rows(CONSTRAINTS, host)
    ]
    text = (tmp_path / "pack" / "schema_template.sql").read_text("utf-8")
    assert "Host-App" not in text.replace("-- Written from schema Host-App by", "")
    assert text == (tmp_path / "pack" / "migrations" / "0001_initial.sql").read_text("utf-8")


async def test_the_default_packs_own_schema_and_rows_go_round(settings: Settings, manager: FixtureManager, state: State, tmp_path: Path):
    async with manager:
        await manager.create_tenant("first")
        await manager.load_fixtures("first")
        written = await manager.pack_from_database("t_first", tmp_path / "pack", name="copied", wishes=Wishes(rows=100_000))
    assert [item.table for item in written.data] == ["albums", "artists", "tracks"], written
    await lives(settings, tmp_path / "pack")
    assert difference(await structure(state, "t_first"), await structure(state, "t_acme")) == []
    for item in written.data:
        assert item.rows > 0
        assert contents(state, "t_first", item.table) == contents(state, "t_acme", item.table), item


REFERENCE = r"""
CREATE TYPE mood AS ENUM ('calm', 'it''s loud');
CREATE TYPE pair AS (a integer, b text);
CREATE TABLE countries (id serial PRIMARY KEY, iso char(2) NOT NULL UNIQUE, "Native Name" text, parent integer REFERENCES countries);
CREATE TABLE kinds (
    code text PRIMARY KEY, note text, m mood, ms mood[], p pair, n numeric, f double precision, b bytea, j jsonb, js json, i interval, d date, t timestamptz, tt timetz, r int4range,
    a text[][], u uuid, net inet, flag boolean, x oid, country integer REFERENCES countries, len integer GENERATED ALWAYS AS (length(code)) STORED);
CREATE TABLE numbered (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE drawn (numbered bigint REFERENCES numbered, code text PRIMARY KEY);
CREATE TABLE people (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text NOT NULL UNIQUE, "firstName" text);
CREATE TABLE letters (id integer PRIMARY KEY, person uuid REFERENCES people);
CREATE TABLE many (n integer PRIMARY KEY);
CREATE TABLE keyless (a integer, b text UNIQUE);
CREATE TABLE surrogate (id integer PRIMARY KEY, a text);
CREATE TABLE alembic_version (version_num varchar(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY);
CREATE TABLE django_migrations (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, app varchar(255) NOT NULL, name varchar(255) NOT NULL, applied timestamptz NOT NULL);
"""
ROWS = (
    "INSERT INTO countries (id, iso, \"Native Name\", parent) VALUES (7, 'DE', E'Deutsch\\tland\\r\\nzwei ', NULL), (3, 'FR', '', 7), (9, 'X', NULL, 9)",
    """INSERT INTO kinds VALUES ('a', E'\\\\N "quoted", \\u00fc\\n', 'it''s loud', '{calm,NULL}', ROW(1, 'x "y"'), 12345678901234567890.123450, 'NaN', '\\x00ff5c', '{"b": [1, "\\\\u00e9"]}',
        '{ "k" :  1.0 }', '1 mon -2 days 03:04:05.000006', '2024-02-29', '2024-01-01 12:00:00.123456+05', '10:00+02', '[1,5)', '{{a,NULL},{"",b}}',
        '00000000-0000-0000-0000-000000000001', '10.0.0.1/8', true, NULL, 7), ('', NULL, NULL, NULL, NULL, NULL, NULL, '', 'null', NULL, NULL, NULL, NULL, NULL, 'empty', '{}', NULL, NULL, NULL, NULL, NULL),
        ('B', 'null', 'calm', '{}', NULL, 0, 0.1, NULL, '"text"', 'null', '00:00', '0044-03-15', NULL, NULL, NULL, NULL, NULL, NULL, false, NULL, 3)""",
    "INSERT INTO numbered (name) VALUES ('zero'), ('one'); DELETE FROM numbered WHERE name = 'zero'; INSERT INTO drawn SELECT id, 'c' FROM numbered",
    "INSERT INTO people (email) VALUES ('SECRET@example.org'); INSERT INTO letters SELECT 1, id FROM people",
    "INSERT INTO many SELECT generate_series(1, 501); INSERT INTO keyless VALUES (1, 'x'); INSERT INTO surrogate VALUES (1, 'x')",
    "INSERT INTO alembic_version VALUES ('ae1027a6acf'); INSERT INTO django_migrations (app, name, applied) SELECT 'app', n::text, now() FROM generate_series(1, 600) n",
)


async def test_rows_of_reference_tables_come_out_the_same(settings: Settings, manager: FixtureManager, state: State, host: str, tmp_path: Path):
    build(state, REFERENCE, *ROWS)
    async with manager:
        written = await manager.pack_from_database(host, tmp_path / "pack", name="copied")
    keys = {item.table: (item.key, item.rows) for item in written.data}
    assert keys == {
        "alembic_version": (("version_num",), 1),
        "countries": (("iso",), 3),
        "django_migrations": (("id",), 600),
        "kinds": (("code",), 3),
        "numbered": (("name",), 1),
        "surrogate": (("id",), 1),
    }, [str(item) for item in written.left_out]
    assert {item.table: item.why for item in written.left_out} == {
        "drawn": "it refers to numbered by a number that is drawn anew",
        "keyless": "it has no key, or one that may be null",
        "letters": "it refers to people, whose rows do not go into the pack",
        "many": "it has more than 500 rows",
        "people": "it looks personal: email, firstName",
    }
    assert not [file for file in (tmp_path / "pack").rglob("*") if file.is_file() and "SECRET" in file.read_text("utf-8")]
    described = {item["name"]: item["description"] for item in json.loads((tmp_path / "pack" / "pack.json").read_text("utf-8"))["datasets"]}
    assert described["countries"] == "Rows of countries. Guessed, look at it: the key is the unique countries_iso_key."
    assert "made up" in described["surrogate"] or "makes up" in described["surrogate"]
    await lives(settings, tmp_path / "pack")
    for table in ("countries", "kinds", "surrogate", "alembic_version", "django_migrations"):
        assert contents(state, host, table) == contents(state, "t_acme", table)
    # Sequences go on after the rows.
    assert state.value("SELECT nextval('t_acme.countries_id_seq')") == 10


async def test_rows_that_are_asked_for_by_name(settings: Settings, manager: FixtureManager, state: State, host: str, tmp_path: Path):
    build(state, REFERENCE, *ROWS)
    async with manager:
        for data, message in ((("letters",), "letters: it refers to people"), (("keyless",), "keyless: it has no key"), (("drawn",), "drawn anew")):
            with pytest.raises(CannotCopy, match=message) as caught:
                await manager.pack_from_database(host, tmp_path / "pack", name="copied", wishes=Wishes(data))
            assert caught.value.objects == list(data)
        with pytest.raises(ConfigurationError, match="no such table"):
            await manager.pack_from_database(host, tmp_path / "pack", name="copied", wishes=Wishes(("nobody",)))
        assert not (tmp_path / "pack").exists()
        written = await manager.pack_from_database(host, tmp_path / "pack", name="copied", wishes=Wishes(("letters", "people", "many")))
    assert {item.table: item.personal for item in written.data if item.personal} == {"people": ("email", "firstName")}
    await lives(settings, tmp_path / "pack")
    for table in ("letters", "people", "many"):
        assert contents(state, host, table) == contents(state, "t_acme", table)


async def test_rows_that_no_load_takes_are_left_out_and_told(settings: Settings, manager: FixtureManager, state: State, host: str, tmp_path: Path):
    """What is not the same when it is loaded is no part of the pack, unless somebody wants it: then that is an error."""
    build(
        state,
        "CREATE TABLE eras (name text PRIMARY KEY, since date); CREATE TABLE kings (name text PRIMARY KEY, era text REFERENCES eras)",
        "CREATE TABLE loud (name text PRIMARY KEY)",
        "INSERT INTO eras VALUES ('Rome', '0044-03-15 BC'); INSERT INTO kings VALUES ('Gaius', 'Rome'); INSERT INTO loud VALUES ('hush')",
        "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := upper(NEW.name); RETURN NEW; END $$",
        "CREATE TRIGGER shouts BEFORE INSERT ON loud FOR EACH ROW EXECUTE FUNCTION shout()",
    )
    async with manager:
        for name in ("eras", "loud"):
            with pytest.raises(CannotCopy, match=name):
                await manager.pack_from_database(host, tmp_path / "pack", name="copied", wishes=Wishes((name,)))
            assert files(tmp_path) == []
        written = await manager.pack_from_database(host, tmp_path / "pack", name="copied")
    assert written.data == ()
    assert [(item.table, item.why.split(":")[0]) for item in written.left_out] == [
        ("eras", "its rows are refused"),
        ("kings", "it refers to eras, whose rows do not go into the pack"),
        ("loud", "its rows are not the same when they are loaded again"),
    ]
    assert files(tmp_path / "pack" / "data") == []
    await lives(settings, tmp_path / "pack")


async def test_a_schema_that_its_owner_alone_may_read(settings: Settings, manager: FixtureManager, state: State, host: str, tmp_path: Path):
    assert settings.database_url is not None
    login = psycopg.conninfo.conninfo_to_dict(settings.database_url.get_secret_value())["user"]
    owner = f"owner_{secrets.token_hex(6)}"
    state.run(f"CREATE ROLE {owner}", f'CREATE SCHEMA "Host-App" AUTHORIZATION {owner}', f"SET ROLE {owner}", 'SET search_path = "Host-App"', SMALL)
    try:
        with pytest.raises(PermissionDenied) as caught:
            await manager.pack_from_database(host, tmp_path / "pack", name="host")
        assert f'GRANT "{owner}" TO "{login}"' in str(caught.value.hint)
        assert not (tmp_path / "pack").exists()
        state.run(f'GRANT {owner} TO "{login}"')
        await manager.pack_from_database(host, tmp_path / "pack", name="host")
        await lives(settings, tmp_path / "pack")
    finally:
        state.run('DROP SCHEMA "Host-App" CASCADE', f"DROP ROLE {owner}")


@pytest.mark.parametrize("shared", ["lookups", "user"])
async def test_what_others_share(settings: Settings, manager: FixtureManager, state: State, host: str, tmp_path: Path, shared: str):
    """Whether the schema's name wants quotes or not."""
    state.run(
        f'CREATE SCHEMA "{shared}"; CREATE TABLE "{shared}".currencies (code text PRIMARY KEY)',
        "CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public",
    )
    state.run(f'GRANT USAGE ON SCHEMA "{shared}" TO PUBLIC; GRANT REFERENCES, SELECT ON "{shared}".currencies TO PUBLIC')
    build(
        state,
        f'CREATE TABLE prices (code text PRIMARY KEY REFERENCES "{shared}".currencies); CREATE INDEX near ON prices USING gin (code gin_trgm_ops)',
    )
    async with manager:
        with pytest.raises(CannotCopy, match="refers to other schemas: table") as caught:
            await manager.pack_from_database(host, tmp_path / "pack", name="copied")
        assert f"--shared-schema {shared}." in str(caught.value.hint)
        written = await manager.pack_from_database(host, tmp_path / "pack", name="copied", wishes=Wishes(shared_schemas=(shared,)))
    assert (written.extensions, written.shared_schemas) == (("pg_trgm",), (shared,))
    await lives(settings, tmp_path / "pack")
    assert difference(await structure(state, host), await structure(state, "t_acme")) == []


@pytest.mark.parametrize(
    ("script", "named"),
    [
        ("CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq)", "==="),
        ("CREATE TEXT SEARCH CONFIGURATION own (COPY = simple)", "text search configuration"),
        ("CREATE TYPE of AS (a integer); CREATE TABLE typed OF of", "typed"),
        ("CREATE TABLE t (a integer); CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM \"Host-App\".t'", "function f()"),
        ("CREATE FUNCTION f() RETURNS integer LANGUAGE sql SET search_path = \"Host-App\" AS 'SELECT 1'", "function f()"),
        ("CREATE DOMAIN small AS integer; CREATE CAST (text AS small) WITH INOUT AS ASSIGNMENT", "cast from text to"),
    ],
)
async def test_what_cannot_be_copied_is_named_and_nothing_written(
    manager: FixtureManager, state: State, host: str, tmp_path: Path, script: str, named: str
):
    build(state, script)
    async with manager:
        with pytest.raises(CannotCopy) as caught:
            await manager.pack_from_database(host, tmp_path / "pack", name="copied")
    assert any(named in name for name in caught.value.objects), caught.value
    assert files(tmp_path) == []


async def test_a_folder_that_is_taken_and_a_schema_that_is_not_there(manager: FixtureManager, state: State, host: str, tmp_path: Path):
    build(state, SMALL)
    (tmp_path / "mine").write_text("mine", encoding="utf-8")
    async with manager:
        with pytest.raises(OutputExists):
            await manager.pack_from_database(host, tmp_path, name="copied")
        for schema in ("nobody", "tenancy"):
            with pytest.raises(ConfigurationError, match="no schema"):
                await manager.pack_from_database(schema, tmp_path / "pack", name="copied")
