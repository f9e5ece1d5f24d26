"""The default pack's schema in a real PostgreSQL: what it holds, how it came to be, and that the data fits."""

from __future__ import annotations

import csv
import io
import os
import re
import uuid
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tenancy_fixtures.packs import Pack
from tenancy_fixtures.templates.generate import generate

URL = os.environ.get("TENANCY_TEST_DATABASE_URL", "postgresql://root@127.0.0.1:5432/test")
NAMESPACE = uuid.UUID("6f6f2c5e-3d0b-5b1e-9a57-7c1f6a0f5e11")
REAL = Path(os.environ.get("TENANCY_REAL_DATA") or Path(__file__).parents[3] / "shared" / "data") / "csv_hit_predictor"

TABLES = {
    "users", "spotify_connections", "artists", "albums", "tracks", "audio_features", "playlists", "playlist_tracks", "listening_history",
    "ai_models", "ai_model_versions", "ai_model_parameters", "ai_model_capabilities", "ai_model_prices", "ai_evaluations", "prompts", "ai_sessions", "generated_content", "analytics_events", "metrics", "segments",
    "segment_members", "workspaces", "roles", "members", "invitations", "comments", "workflows", "workflow_steps",
    "track_artists", "artist_ids", "album_ids", "shows", "episodes", "playlist_episodes", "episode_history",
    "analytics_visitors", "analytics_events_other", "analytics_event_contexts", "analytics_sessions", "analytics_page_views",
    "documents", "edits", "activities",
}  # fmt: skip
PERSONAL = {
    "users.handle", "users.email", "users.display_name", "users.birth_date", "spotify_connections.spotify_user_id", "ai_sessions.context",
    "analytics_events.visitor_id", "analytics_events.page_url", "analytics_events.referrer", "analytics_events.client_ip",
    "analytics_events.user_agent", "analytics_events.properties", "analytics_events.context", "analytics_visitors.visitor_id",
    "analytics_event_contexts.data", "documents.body", "edits.body", "activities.actor", "activities.payload", "invitations.email", "comments.body",
    "listening_history.country", "listening_history.offline_at", "listening_history.incognito",
    "episode_history.country", "episode_history.offline_at", "episode_history.incognito",
}  # fmt: skip

COLUMNS = """
SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
       a.attcollation, a.attstorage, pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1, 2
"""
CONSTRAINTS = """
-- PostgreSQL 18 names what makes a column NOT NULL; no script for 15 can choose that name.
SELECT k.conrelid::regclass::text, CASE WHEN k.contype <> 'n' THEN k.conname END, k.contype, k.convalidated, pg_get_constraintdef(k.oid), obj_description(k.oid, 'pg_constraint')
FROM pg_constraint AS k WHERE k.connamespace = %(schema)s::regnamespace ORDER BY 1, 2, 5
"""
INDEXES = """
SELECT i.indrelid::regclass::text, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisprimary, i.indisunique
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid WHERE c.relnamespace = %(schema)s::regnamespace ORDER BY 1, 2
"""
RELATIONS = """
SELECT c.relname, c.relkind, c.relpersistence, c.relrowsecurity, c.reloptions, obj_description(c.oid, 'pg_class')
FROM pg_class AS c WHERE c.relnamespace = %(schema)s::regnamespace ORDER BY 1
"""
UNINDEXED_REFERENCES = """
SELECT k.conname FROM pg_constraint AS k
WHERE k.connamespace = %(schema)s::regnamespace AND k.contype = 'f' AND NOT EXISTS (
    SELECT FROM pg_index AS i WHERE i.indrelid = k.conrelid AND i.indkey[0] = k.conkey[1]
)
"""
STRANGERS = """
SELECT (SELECT count(*) FROM pg_proc WHERE pronamespace = %(schema)s::regnamespace)
     + (SELECT count(*) FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid WHERE c.relnamespace = %(schema)s::regnamespace AND NOT t.tgisinternal)
     + (SELECT count(*) FROM pg_extension WHERE extname <> 'plpgsql')
"""


@pytest.fixture(scope="module")
def database():
    """A database of our own, dropped afterwards."""
    name = f"default_pack_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(URL, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield psycopg.conninfo.make_conninfo(URL, dbname=name)
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def build(connection, schema, *scripts):
    """Run scripts with the schema as the whole search_path, each by EXECUTE inside a function."""
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    connection.execute("CREATE FUNCTION pg_temp.run(script text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE script; END'")
    connection.execute("SELECT set_config('search_path', %s, true)", [schema])
    for script in scripts:
        connection.execute("SELECT pg_temp.run(%s)", [script])


@pytest.fixture(scope="module")
def pack():
    return Pack.default()


@pytest.fixture
def head(database, pack):
    """A connection in a transaction that has made the head's schema, and takes it back."""
    with psycopg.connect(database) as connection:
        build(connection, "head", pack.schema_sql)
        yield connection
        connection.rollback()


def catalogue(database, schema, *scripts):
    """Every object that the scripts make, as PostgreSQL tells it."""
    with psycopg.connect(database) as connection:
        build(connection, schema, *scripts)
        found = {query: connection.execute(query, {"schema": schema}).fetchall() for query in (RELATIONS, COLUMNS, CONSTRAINTS, INDEXES)}
        connection.rollback()
    return {
        query: [tuple(re.sub(rf"\b{schema}\.", "", item) if isinstance(item, str) else item for item in row) for row in rows]
        for query, rows in found.items()
    }


# --- how it came to be ----------------------------------------------------------------------------------------------


def test_the_head_equals_the_sum_of_the_revisions(database, pack):
    new = catalogue(database, "fresh_one", pack.schema_sql)
    old = catalogue(database, "upgraded_one", *(revision.sql for revision in pack.revisions))
    for query, rows in new.items():
        assert rows, query
        assert old[query] == rows


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE artists ALTER COLUMN followers TYPE bigint",
        "ALTER TABLE artists ADD COLUMN added text",
        "ALTER TABLE artists ALTER COLUMN created_at DROP DEFAULT",
        "ALTER TABLE artists ALTER COLUMN created_at DROP NOT NULL",
        "ALTER TABLE artists DROP CONSTRAINT artists_followers_check",
        "DROP INDEX artists_genres_idx",
        "COMMENT ON COLUMN artists.popularity IS 'other'",
        "COMMENT ON TABLE artists IS NULL",
    ],
)
def test_the_comparison_sees_a_difference(database, pack, change):
    assert catalogue(database, "fresh_one", pack.schema_sql) != catalogue(database, "changed_one", pack.schema_sql, change)


def test_the_last_revision_keeps_rows(database, pack):
    with psycopg.connect(database) as connection:
        build(connection, "rows", pack.revisions[0].sql)
        connection.execute("INSERT INTO users (handle, email, display_name) VALUES ('a', 'a@example.com', 'A')")
        for revision in pack.revisions[1:]:
            connection.execute("SELECT pg_temp.run(%s)", [revision.sql])
        assert connection.execute("SELECT handle, last_seen_at FROM users").fetchall() == [("a", None)]
        connection.rollback()


# --- what it holds --------------------------------------------------------------------------------------------------


def test_tables_keys_and_indexes(head):
    relations = head.execute(RELATIONS, {"schema": "head"}).fetchall()
    assert {row[0] for row in relations if row[1] in "rp"} == TABLES
    constraints = head.execute(CONSTRAINTS, {"schema": "head"}).fetchall()
    assert {row[0] for row in constraints if row[2] == "p"} == TABLES
    assert sum(row[2] == "f" for row in constraints) >= 30
    backing = {row[1] for row in constraints}
    assert len({row[1] for row in head.execute(INDEXES, {"schema": "head"}).fetchall()} - backing) >= 28
    assert head.execute(UNINDEXED_REFERENCES, {"schema": "head"}).fetchall() == []


def test_every_table_is_commented_and_personal_data_is_tagged(head):
    assert [row[0] for row in head.execute(RELATIONS, {"schema": "head"}).fetchall() if row[1] in "rp" and not row[5]] == []
    columns = head.execute(COLUMNS, {"schema": "head"}).fetchall()
    assert {f"{row[0]}.{row[2]}" for row in columns if (row[10] or "").startswith("[personal]")} == PERSONAL
    assert sum(row[10] is not None for row in columns) >= 30


def test_types_are_varied(head):
    types = {row[3] for row in head.execute(COLUMNS, {"schema": "head"}).fetchall()}
    assert types >= {"text", "uuid", "integer", "bigint", "smallint", "real", "double precision", "numeric(12,6)", "boolean", "date"}
    assert types >= {"timestamp with time zone", "jsonb", "text[]", "interval"}


def test_nothing_but_tables_is_made(head):
    assert head.execute(STRANGERS, {"schema": "head"}).fetchone() == (0,)
    assert {row[1] for row in head.execute(RELATIONS, {"schema": "head"}).fetchall()} == {"r", "p", "i", "I", "S"}


def test_scripts_name_no_schema_and_end_no_transaction(pack):
    for script in (pack.schema_sql, *(revision.sql for revision in pack.revisions)):
        code = re.sub(r"'(?:[^']|'')*'|--[^\n]*", "", script)
        assert not re.search(r"\b(public|pg_catalog)\s*\.|^\s*(?:(?:BEGIN|COMMIT|ROLLBACK|SET)\b|\\)", code, re.IGNORECASE | re.MULTILINE)


# --- the mappings fit -----------------------------------------------------------------------------------------------


def test_every_mapped_column_exists_and_every_needed_one_is_mapped(head, pack):
    columns = {}
    for row in head.execute(COLUMNS, {"schema": "head"}).fetchall():
        columns.setdefault(row[0], {})[row[2]] = row[4] and row[9] is None and not row[5]
    for dataset in pack.manifest.datasets:
        for target in dataset.targets:
            assert set(target.columns) <= set(columns[target.table]), target.table
            needed = {name for name, required in columns[target.table].items() if required}
            mandatory = {name for name, mapping in target.columns.items() if not mapping.optional}
            assert needed <= mandatory, target.table


def test_every_key_is_unique_in_its_table(head, pack):
    unique = {
        (row[0], row[4].split("(")[1].rstrip(")").replace('"', ""))
        for row in head.execute(CONSTRAINTS, {"schema": "head"}).fetchall()
        if row[2] in "pu"
    }
    for dataset in pack.manifest.datasets:
        for target in dataset.targets:
            assert (target.table, ", ".join(target.key)) in unique


# --- the data fits: mapped by the plainest code that does it, with every constraint in place -------------------------


def value(mapping, kind, record):
    if mapping.uuid is not None:
        parts = [record.get(name) for name in mapping.uuid]
        return None if None in parts else uuid.uuid5(NAMESPACE, "\x1f".join([kind, *parts]))
    text = next((record[name] for name in mapping.source if name in record), None)
    if text is None or text in mapping.nulls:
        return None
    return re.search(mapping.extract, text)[1] if mapping.extract else text


def fill(connection, target, records):
    """COPY each key's first record; returns how many records there were and how many keys."""
    columns = {
        name: mapping
        for name, mapping in target.columns.items()
        if not mapping.optional or any(name in records[0] for name in mapping.source or mapping.uuid)
    }
    rows = {}
    for record in records:
        row = [value(mapping, mapping.uuid_kind or target.table, record) for mapping in columns.values()]
        rows.setdefault(tuple(row[list(columns).index(name)] for name in target.key), row)
    known = {row[0] for row in connection.execute("SELECT artist_id FROM artists").fetchall()} if target.derived else set()
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    with connection.cursor().copy(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(target.table), names)) as copy:
        for key, row in rows.items():
            if key[0] not in known:
                copy.write_row(row)
    return len(records), len(rows)


def records(*paths):
    return [record for path in paths for record in csv.DictReader(io.StringIO(path.read_bytes().decode(), newline=""))]


def count(connection, table):
    return connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()[0]


def test_the_packs_own_data_loads(head, pack, tmp_path):
    generate(tmp_path)
    for dataset in pack.manifest.datasets:
        for target in dataset.targets:
            read, keys = fill(head, target, records(tmp_path / f"{dataset.name}.csv"))
            assert keys == read or target.derived, dataset.name
    assert {table: count(head, table) for table in ("users", "artists", "albums", "tracks", "audio_features", "listening_history")} == {
        "users": 200,
        "artists": 2_500,
        "albums": 4_000,
        "tracks": 20_000,
        "audio_features": 20_000,
        "listening_history": 30_000,
    }
    assert head.execute("SELECT count(*) FROM tracks WHERE album_id IS NULL").fetchone() == (0,)
    assert head.execute("SELECT count(*) FROM artists WHERE cardinality(genres) = 0").fetchone() == (0,)
    assert head.execute("SELECT count(*) FROM users WHERE settings ? 'theme'").fetchone() == (200,)


def test_real_tracks_load(head, pack):
    if not REAL.is_dir():
        pytest.skip("no real files: set TENANCY_REAL_DATA to the folder that holds csv_hit_predictor")
    rows = records(*sorted(REAL.glob("*.csv")))
    artists, tracks, features = (fill(head, target, rows) for target in pack.dataset("tracks").targets)
    assert (artists, tracks, features) == ((41_106, 11_904), (41_106, 40_560), (41_106, 40_560))
    stored = dict(head.execute("SELECT track_id, instrumentalness FROM audio_features").fetchall())
    first = {}
    for row in rows:
        first.setdefault(row["uri"].rpartition(":")[2], float(row["instrumentalness"]))
    assert stored == first
    assert head.execute("SELECT count(*) FROM tracks WHERE album_id IS NOT NULL OR release_decade IS NULL").fetchone() == (0,)
