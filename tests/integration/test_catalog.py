"""What the catalogue tells of tables and of whole schemas, in a real PostgreSQL."""

from __future__ import annotations

import os

import psycopg
import pytest

from tenancy_fixtures._pg import catalog

URL = os.environ.get("TENANCY_TEST_DATABASE_URL", "postgresql://root@127.0.0.1:5432/test")

SCHEMA = """
CREATE SCHEMA {0}; SET LOCAL search_path = {0};
CREATE DOMAIN short AS varchar(5);
CREATE DOMAIN shorter AS short NOT NULL DEFAULT 'a' CHECK (VALUE <> 'x');
CREATE TYPE mood AS ENUM ('ok', 'bad');
CREATE TABLE p (
    id int PRIMARY KEY, n numeric(10,2), m numeric(3,-2), v varchar(7), c char(3), d shorter, e mood[], f mood DEFAULT 'ok',
    g int GENERATED ALWAYS AS (id + 1) STORED, i bigint GENERATED ALWAYS AS IDENTITY, s serial, gone int, "odd % name" text
);
ALTER TABLE p DROP COLUMN gone;
CREATE TABLE q (id int PRIMARY KEY, p int REFERENCES p DEFERRABLE, q int REFERENCES q, UNIQUE (p) INCLUDE (q));
CREATE INDEX q_some ON q ((id + 1), p) WHERE q > 1;
CREATE TABLE r (id int, at date NOT NULL) PARTITION BY RANGE (at);
ALTER TABLE r ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON r USING (id > 0);
CREATE VIEW w AS SELECT p.id, q.p FROM p JOIN q ON q.id = p.id;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM 1 FROM {0}.p; RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON q EXECUTE FUNCTION f();
COMMENT ON TABLE p IS 'a table'; COMMENT ON COLUMN p.n IS 'a column'; COMMENT ON CONSTRAINT p_pkey ON p IS 'a constraint'; COMMENT ON INDEX q_some IS 'an index';
"""


@pytest.fixture
async def connection(anyio_backend):
    async with await psycopg.AsyncConnection.connect(URL) as made:
        yield made
        await made.rollback()


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def make(connection, name):
    await connection.execute(SCHEMA.format(name))
    await connection.execute("SET LOCAL search_path = ''")


@pytest.mark.anyio
async def test_columns_as_the_catalogue_has_them(connection):
    await make(connection, "tf_cat_a")
    table = (await catalog.read_tables(connection, "tf_cat_a"))["p"]
    assert [column.name for column in table.columns] == ["id", "n", "m", "v", "c", "d", "e", "f", "g", "i", "s", "odd % name"]
    kinds = {column.name: column.type for column in table.columns}
    assert (kinds["n"].precision, kinds["n"].scale, kinds["n"].declared) == (10, 2, "numeric(10,2)")
    assert (kinds["m"].precision, kinds["m"].scale) == (3, -2)
    assert (kinds["v"].length, kinds["c"].length, kinds["id"].length) == (7, 3, None)
    assert (kinds["d"].name, kinds["d"].length, kinds["d"].domain, kinds["d"].declared) == ("varchar", 5, True, "tf_cat_a.shorter")
    assert (kinds["e"].element, kinds["e"].category) == ("mood", "A")
    assert kinds["f"].labels == ("ok", "bad")
    assert table.column("g").generated
    assert table.column("i").identity == "always"
    assert not table.column("d").nullable
    assert table.column("d").has_default
    assert table.column("s").has_default
    assert not table.column("n").has_default


@pytest.mark.anyio
async def test_keys_indexes_and_references(connection):
    await make(connection, "tf_cat_a")
    tables = await catalog.read_tables(connection, "tf_cat_a")
    p, q, r = tables["p"], tables["q"], tables["r"]
    assert p.primary_key == ("id",)
    assert [(index.name, index.columns, index.unique, index.constraint) for index in q.indexes] == [
        ("q_p_q_key", ("p",), True, "q_p_q_key"),
        ("q_pkey", ("id",), True, "q_pkey"),
        ("q_some", ("p",), False, None),
    ]
    assert q.indexes[0].definition == "UNIQUE (p) INCLUDE (q)"
    assert q.indexes[2].definition.startswith("CREATE INDEX q_some ON tf_cat_a.q")
    assert [(key.name, key.columns, key.target_table, key.target_columns) for key in q.foreign_keys] == [
        ("q_p_fkey", ("p",), "p", ("id",)),
        ("q_q_fkey", ("q",), "q", ("id",)),
    ]
    assert [key.name for key in p.referenced_by] == ["q_p_fkey"]
    assert q.foreign_keys[0] == p.referenced_by[0]
    assert q.foreign_keys[0].definition == "FOREIGN KEY (p) REFERENCES tf_cat_a.p(id) DEFERRABLE"
    assert (r.partitioned, r.row_security, r.has_triggers) == (True, True, False)
    assert (q.partitioned, q.row_security, q.has_triggers) == (False, False, True)
    assert await catalog.read_tables(connection, "tf_no_such_schema") == {}


@pytest.mark.anyio
async def test_the_same_script_in_two_schemas_has_one_fingerprint(connection):
    await make(connection, "tf_cat_a")
    await make(connection, '"Tf cat.b"')
    left, right = await catalog.fingerprint(connection, "tf_cat_a"), await catalog.fingerprint(connection, "Tf cat.b")
    assert catalog.difference(left, right) == []
    assert catalog.digest(left) == catalog.digest(right)
    assert not [name for name, definition in left.items() if "cat" in name + definition]
    assert (await (await connection.execute("SHOW search_path")).fetchone())[0] == '""'


OWN_NAMES = """
SET LOCAL search_path = tf_cat_a; ALTER TABLE tf_cat_a.p SET (fillfactor = 50);
CREATE FUNCTION array_to_string(text[], text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE ''run''; END';
CREATE FUNCTION concat_ws(text, text, text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE ''run''; END';
CREATE FUNCTION joined(text, name) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE ''run''; END';
CREATE OPERATOR || (FUNCTION = joined, LEFTARG = text, RIGHTARG = name);
CREATE TEMP TABLE pg_class (oid int); CREATE TEMP TABLE pg_type (oid int); CREATE TYPE pg_temp.text AS ENUM ('run');
"""


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["''", "tf_cat_a", "tf_cat_a, pg_catalog"])
async def test_what_a_schema_or_a_session_calls_like_the_catalogue_is_not_used(connection, path):
    await make(connection, "tf_cat_a")
    await connection.execute("SET LOCAL search_path = ''")
    before = await catalog.fingerprint(connection, "tf_cat_a")
    for statement in filter(str.strip, OWN_NAMES.split(";\n")):
        await connection.execute(statement)
    await connection.execute(f"SET LOCAL search_path = {path}")
    lines = catalog.difference(before, await catalog.fingerprint(connection, "tf_cat_a"))
    assert {line.split(": ")[1].split("(")[0] for line in lines} == {
        "table p",
        *(f"function {name}" for name in ("array_to_string", "concat_ws", "joined")),
    }


CHANGES = {
    "ALTER TABLE p ADD COLUMN z int": "column p.z",
    "ALTER TABLE p ALTER COLUMN n SET NOT NULL": "column p.n",
    "ALTER TABLE p ALTER COLUMN n TYPE numeric(11,2)": "column p.n",
    "ALTER TABLE p ALTER COLUMN n SET DEFAULT 1": "column p.n",
    'ALTER TABLE p ALTER COLUMN v TYPE varchar(7) COLLATE "C"': "column p.v",
    "ALTER TABLE p ADD CHECK (id > 0)": "constraint p.p_id_check",
    "ALTER TABLE q DROP CONSTRAINT q_p_fkey": "constraint q.q_p_fkey",
    "DROP INDEX q_some": "index q_some",
    "CREATE OR REPLACE VIEW w AS SELECT p.id, q.p FROM p JOIN q ON q.id = p.id WHERE p.id > 0": "view w",
    "CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'": "function f()",
    "ALTER TABLE q DISABLE TRIGGER t": "trigger q.t",
    "ALTER TABLE r FORCE ROW LEVEL SECURITY": "table r",
    "ALTER POLICY mine ON r USING (id > 1)": "policy r.mine",
    "ALTER SEQUENCE p_s_seq INCREMENT 2": "sequence p_s_seq",
    "ALTER TYPE mood RENAME VALUE 'bad' TO 'sad'": "type mood",
    "COMMENT ON COLUMN p.n IS 'another'": "comment on column n of table p",
    "COMMENT ON CONSTRAINT p_pkey ON p IS NULL": "comment on constraint p_pkey on table p",
    "ALTER TABLE q CLUSTER ON q_pkey": "index q_pkey",
}


@pytest.mark.anyio
@pytest.mark.parametrize("statement", CHANGES)
async def test_a_fingerprint_sees(connection, statement):
    await make(connection, "tf_cat_a")
    before = await catalog.fingerprint(connection, "tf_cat_a")
    await connection.execute("SET LOCAL search_path = tf_cat_a")
    await connection.execute(statement)
    lines = catalog.difference(before, await catalog.fingerprint(connection, "tf_cat_a"))
    assert any(f": {CHANGES[statement]}" in line for line in lines), lines


@pytest.mark.anyio
async def test_tables_come_after_those_that_they_refer_to(connection):
    await connection.execute("""
        CREATE SCHEMA tf_cat_a; SET LOCAL search_path = tf_cat_a;
        CREATE TABLE z (id int PRIMARY KEY, self int REFERENCES z);
        CREATE TABLE a (id int PRIMARY KEY, z int REFERENCES z);
        CREATE TABLE k (id int PRIMARY KEY, a int REFERENCES a);
        CREATE TABLE l (id int PRIMARY KEY, k int REFERENCES k);
        CREATE TABLE m (id int PRIMARY KEY, l int REFERENCES l);
        ALTER TABLE k ADD l int REFERENCES l, ADD m int REFERENCES m;
        CREATE TABLE b (id int PRIMARY KEY, m int REFERENCES m);
    """)
    tables = await catalog.read_tables(connection, "tf_cat_a")
    order = catalog.table_order(tables)
    assert order.names == ["z", "a", "k", "l", "m", "b"]
    assert order.cycles == [("k", "l", "m")]
    assert catalog.table_order(list(tables.values())) == order
    some = {name: tables[name] for name in ("b", "a")}
    assert catalog.table_order(some) == (["a", "b"], [])
