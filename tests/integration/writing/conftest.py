"""A schema with every kind of index and reference, and the ways of writing into it."""

from __future__ import annotations

import os

import psycopg
import pyarrow as pa
import pytest
from psycopg.rows import tuple_row

from tenancy_fixtures._pg import catalog, copy

URL = os.environ.get("TENANCY_TEST_DATABASE_URL", "postgresql://root@127.0.0.1:5432/test")
SCHEMA = "tf_copy"

TABLES = """
CREATE SCHEMA tf_copy; SET LOCAL search_path = tf_copy;
CREATE TABLE artists (id int PRIMARY KEY, name text NOT NULL, CONSTRAINT named UNIQUE (name) WITH (fillfactor = 70), born date CHECK (born > '1000-01-01'));
CREATE TABLE tracks (
    id int PRIMARY KEY, artist int CONSTRAINT by_artist REFERENCES artists DEFERRABLE, title varchar(12), part_of int REFERENCES tracks, data jsonb,
    CONSTRAINT one_title UNIQUE NULLS NOT DISTINCT (artist, title) INCLUDE (data) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX tracks_title ON tracks (lower(title) text_pattern_ops DESC) WHERE artist > 0;
CREATE UNIQUE INDEX tracks_data ON tracks ((data ->> 'isrc')) WHERE id > 0;
CREATE INDEX tracks_artist ON tracks (artist) WITH (deduplicate_items = off);
ALTER INDEX tracks_title ALTER COLUMN 1 SET STATISTICS 77;
ALTER TABLE tracks CLUSTER ON tracks_artist;
ALTER TABLE artists REPLICA IDENTITY USING INDEX named;
CREATE TABLE plays (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, track int NOT NULL REFERENCES tracks ON DELETE CASCADE, n serial);
COMMENT ON INDEX tracks_title IS 'for searching'; COMMENT ON CONSTRAINT tracks_pkey ON tracks IS 'the key';
COMMENT ON CONSTRAINT by_artist ON tracks IS 'who made it'; COMMENT ON CONSTRAINT plays_track_fkey ON plays IS 'what was heard';
COMMENT ON INDEX named IS 'an index behind a constraint';
"""


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def make_tables():
    """The statements that make the schema."""
    return TABLES


@pytest.fixture
async def connect(anyio_backend):
    """A connection of the test's own, in whose transactions the schema may be made."""

    async def connected():
        return await psycopg.AsyncConnection.connect(URL)

    return connected


@pytest.fixture
async def connection(connect):
    """In a transaction that has made the schema, and that nobody commits."""
    async with await connect() as made:
        await made.execute(TABLES)
        await made.execute("SET LOCAL search_path = ''")
        yield made
        await made.rollback()


@pytest.fixture(params=[True, False], ids=["direct", "staged"])
def late(request):
    """What ``late_indexes`` is: in an empty table it leads the one way or the other."""
    return request.param


@pytest.fixture(params=[True, False, "cast"], ids=["direct", "staged", "cast"])
def late_or_cast(request):
    """The same, and text that is sent to be cast: staged, into a table whose indexes are off."""
    return request.param


@pytest.fixture
def frame():
    return make_frame


def make_frame(**columns):
    """An Arrow table from (type, values) pairs; strings and ints need no type."""
    arrays = {}
    for name, values in columns.items():
        kind, items = values if isinstance(values, tuple) else (None, values)
        guessed = pa.int32() if any(isinstance(item, int) for item in items) else pa.large_string()
        arrays[name] = pa.array(items, kind or guessed)
    return pa.table(arrays)


@pytest.fixture
def artists():
    return make_frame(id=[1, 2, 3], name=["Ann", "Bob", "Cy"])


@pytest.fixture
def many_tracks():
    """3,003 rows, of which the last three have keys that came before, and the last but one differs."""
    numbers = [*range(1, 3001), 17, 18, 2999]
    return make_frame(
        id=numbers,
        artist=[number % 3 + 1 for number in numbers],
        title=[f"t{number}" if index != 3001 else "other" for index, number in enumerate(numbers)],
        data=[f'{{"isrc": "{number}"}}' for number in numbers],
    )


@pytest.fixture
def writer():
    async def opened(connection, table, columns, key=("id",), **options):
        tables = await catalog.read_tables(connection, SCHEMA)
        return await copy.open_writer(connection, tables[table], columns, key, **options)

    return opened


@pytest.fixture
def load(writer):
    """Write one frame, and finish."""

    async def loaded(connection, table, rows, records=None, key=("id",), **options):
        if options.get("late_indexes") == "cast":
            options["text_columns"] = frozenset(rows.column_names) & {"name", "title"}
        made = await writer(connection, table, rows.column_names, key, **options)
        await made.write(rows, records or range(1, rows.num_rows + 1))
        return await made.finish()

    return loaded


@pytest.fixture
def fetch():
    async def fetched(connection, statement):
        return await (await connection.cursor(row_factory=tuple_row).execute(statement)).fetchall()

    return fetched
