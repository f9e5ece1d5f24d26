"""Partitions of a table by time: made as the rows need them, by month, within bounds."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest
from psycopg.rows import dict_row

from tenancy_fixtures._pg import catalog
from tenancy_fixtures._pg._partitions import _name_of
from tenancy_fixtures.exceptions import DataRejected

pytestmark = pytest.mark.anyio

NOW = datetime.now(timezone.utc)
# Months of last year: they have partitions of their own for as long as this test is run.
JANUARY, FEBRUARY, MARCH = (datetime(NOW.year - 1, month, 15, 12, tzinfo=timezone.utc) for month in (1, 2, 3))
TABLE = """
CREATE TABLE tf_copy.events (id text, at timestamptz NOT NULL, v text, artist int REFERENCES tf_copy.artists, PRIMARY KEY (id, at), CHECK (v <> 'bad'))
    PARTITION BY RANGE (at);
CREATE INDEX ON tf_copy.events (v);
"""
OTHER = "CREATE TABLE tf_copy.events_other PARTITION OF tf_copy.events DEFAULT"
PARTITIONS = """
SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bound, (SELECT count(*) FROM pg_index WHERE indrelid = c.oid) AS indexes,
    c.relowner::regrole::text AS owner, count(*) OVER () AS count
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'tf_copy.events'::regclass ORDER BY 1
"""


@pytest.fixture
async def events(connection):
    await connection.execute(TABLE + OTHER)
    return connection


@pytest.fixture
def write(load):
    """Rows by their ids and moments into the table, told apart by their ids alone."""

    async def written(connection, frame, **options):
        return await load(connection, "events", frame, key=("id",), partitions="month", **options)

    return written


@pytest.fixture
def fetch():
    async def fetched(connection, statement):
        return await (await connection.cursor(row_factory=dict_row).execute(statement)).fetchall()

    return fetched


def at(*moments):
    return pa.timestamp("us", "UTC"), moments


def month_of(moment):
    return f"events_{moment:%Y_%m}"


async def names(connection, fetch):
    return [row["name"] for row in await fetch(connection, PARTITIONS)]


async def test_each_month_gets_a_partition_with_the_tables_indexes(events, write, frame, fetch):
    stats = await write(events, frame(id=["a", "b", "c"], at=at(JANUARY, FEBRUARY, FEBRUARY)))
    assert (stats.way, stats.inserted) == ("staged", 3)
    found = await fetch(events, PARTITIONS)
    assert [row["name"] for row in found] == [month_of(JANUARY), month_of(FEBRUARY), "events_other"]
    assert {row["indexes"] for row in found} == {2}
    counted = await fetch(events, "SELECT tableoid::regclass::text AS name, count(*) FROM tf_copy.events GROUP BY 1 ORDER BY 1")
    assert [(row["name"], row["count"]) for row in counted] == [(f"tf_copy.{month_of(JANUARY)}", 1), (f"tf_copy.{month_of(FEBRUARY)}", 2)]
    assert (await write(events, frame(id=["a", "d"], at=at(JANUARY, JANUARY)))).unchanged == 1
    assert len(await fetch(events, PARTITIONS)) == 3


async def test_a_month_begins_at_midnight_in_utc_whatever_the_session_says(events, write, frame, fetch):
    await events.execute("SET LOCAL TimeZone = 'Pacific/Auckland'")
    last = datetime(NOW.year - 1, 1, 31, 23, 59, 59, 999999, tzinfo=timezone.utc)
    await write(events, frame(id=["a"], at=at(last)))
    await write(events, frame(id=["b"], at=at(last + timedelta(microseconds=1))))
    assert await names(events, fetch) == [month_of(last), month_of(FEBRUARY), "events_other"]


async def test_a_row_whose_moment_has_changed_moves(events, write, frame, fetch):
    await write(events, frame(id=["a", "b"], at=at(JANUARY, JANUARY), v=["x", "y"]))
    stats = await write(events, frame(id=["a", "b"], at=at(MARCH, JANUARY), v=["x", "y"]))
    assert (stats.updated, stats.unchanged, stats.inserted) == (1, 1, 0)
    rows = await fetch(events, "SELECT id, at, tableoid::regclass::text AS place FROM tf_copy.events ORDER BY id")
    assert [(row["id"], row["at"], row["place"]) for row in rows] == [
        ("a", MARCH, f"tf_copy.{month_of(MARCH)}"),
        ("b", JANUARY, f"tf_copy.{month_of(JANUARY)}"),
    ]


async def test_nonsense_years_make_no_partitions(events, write, frame, fetch):
    moments = [datetime(year, 1 + year % 12, 1, tzinfo=timezone.utc) for year in (1, 1970, *range(1600, 1900), NOW.year + 2, 2999, 9999)]
    stats = await write(events, frame(id=[str(number) for number in range(len(moments))], at=at(*moments)))
    assert stats.inserted == len(moments)
    assert await names(events, fetch) == ["events_other"]


async def test_there_are_no_more_than_the_months_between_the_bounds(events, write, frame, fetch):
    moments = [NOW + timedelta(days=15 * number) for number in range(-400, 60)]
    await write(events, frame(id=[str(number) for number in range(len(moments))], at=at(*moments)))
    assert len(await fetch(events, PARTITIONS)) == 11 * 12 + 1 + 1


async def test_what_the_default_partition_held_of_a_month_moves(events, write, frame, fetch):
    await events.execute("INSERT INTO tf_copy.events VALUES ('app', %s, 'v'), ('old', '1970-01-01', 'v')", [JANUARY])
    assert (await write(events, frame(id=["a", "app"], at=at(JANUARY, JANUARY), v=["v", "v"]))).unchanged == 1
    rows = await fetch(events, "SELECT id, tableoid::regclass::text AS place FROM tf_copy.events ORDER BY id")
    assert {row["id"]: row["place"] for row in rows} == {
        "a": f"tf_copy.{month_of(JANUARY)}",
        "app": f"tf_copy.{month_of(JANUARY)}",
        "old": "tf_copy.events_other",
    }


async def test_partitions_of_the_hosts_own_stay_as_they_are(events, write, frame, fetch):
    year = JANUARY.year
    await events.execute(f"CREATE TABLE tf_copy.winter PARTITION OF tf_copy.events FOR VALUES FROM ('{year}-02-10') TO ('{year}-03-20')")
    early = datetime(year, 2, 1, tzinfo=timezone.utc)
    await write(events, frame(id=["a", "b", "c"], at=at(JANUARY, early, MARCH)))
    assert await names(events, fetch) == [month_of(JANUARY), "events_other", "winter"]
    places = await fetch(events, "SELECT id, tableoid::regclass::text AS place FROM tf_copy.events ORDER BY id")
    assert [row["place"] for row in places] == [f"tf_copy.{month_of(JANUARY)}", "tf_copy.events_other", "tf_copy.winter"]


async def test_without_a_default_partition_what_has_no_place_is_a_reject(connection, write, frame):
    await connection.execute(TABLE)
    with pytest.raises(DataRejected) as caught:
        await write(connection, frame(id=["a", "b", "c"], at=at(JANUARY, datetime(1970, 1, 1, tzinfo=timezone.utc), MARCH)))
    assert [(item.record, item.rule, item.column) for item in caught.value.rejects] == [(2, "partition", "at")]


@pytest.mark.parametrize(
    ("column", "values", "rule"),
    [("v", ["ok", "bad"], "check"), ("artist", [None, 99], "reference")],
)
async def test_what_a_partition_refuses_is_named_by_its_record(events, write, frame, column, values, rule):
    with pytest.raises(DataRejected) as caught:
        await write(events, frame(id=["a", "b"], at=at(JANUARY, JANUARY), **{column: values}))
    assert [(item.record, item.rule) for item in caught.value.rejects] == [(2, rule)]


async def test_partitions_are_no_part_of_the_structure_but_the_default_one_is(events, write, frame):
    before = await catalog.fingerprint(events, "tf_copy")
    assert "table events_other" in before
    await write(events, frame(id=["a"], at=at(JANUARY)))
    assert catalog.difference(before, await catalog.fingerprint(events, "tf_copy")) == []
    await events.execute("DROP TABLE tf_copy.events_other")
    assert catalog.difference(before, await catalog.fingerprint(events, "tf_copy"))


async def test_a_partition_is_its_tables_owners_and_rights_are_the_tables(events, write, frame, fetch, connect):
    await write(events, frame(id=["a"], at=at(JANUARY)))
    owners = {row["owner"] for row in await fetch(events, PARTITIONS)}
    assert owners == {
        (await fetch(events, "SELECT relowner::regrole::text AS owner FROM pg_class WHERE oid = 'tf_copy.events'::regclass"))[0]["owner"]
    }


async def test_a_role_that_may_not_make_partitions_uses_those_that_are_there(events, write, frame, fetch):
    await events.execute("CREATE ROLE tf_partitions_writer; GRANT USAGE ON SCHEMA tf_copy TO tf_partitions_writer")
    await events.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON tf_copy.events TO tf_partitions_writer; SET LOCAL ROLE tf_partitions_writer")
    assert (await write(events, frame(id=["a"], at=at(JANUARY)))).inserted == 1
    await events.execute("RESET ROLE")
    assert await names(events, fetch) == ["events_other"]


async def test_partitions_by_date(connection, load, frame, fetch):
    await connection.execute("CREATE TABLE tf_copy.events (id text, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);" + OTHER)
    days = frame(id=["a", "b"], at=(pa.date32(), [JANUARY.date(), FEBRUARY.date()]))
    assert (await load(connection, "events", days, key=("id",), partitions="month")).inserted == 2
    assert await names(connection, fetch) == [month_of(JANUARY), month_of(FEBRUARY), "events_other"]


def test_a_name_that_would_be_too_long_stays_one_of_its_own():
    first, second = (_name_of("é" * 31 + letter, "2026_11") for letter in "ab")
    assert first != second
    assert max(len(first.encode()), len(second.encode())) <= 63
    assert _name_of("events", "2026_11") == "events_2026_11"
