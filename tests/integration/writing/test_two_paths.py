"""Two ways to one column: our cast, pgpq and COPY BINARY, or the text through staging with the server's own cast.

Whatever the type and the value, what is stored is the same byte for byte, and what one refuses the other refuses.
"""

from __future__ import annotations

import asyncio
import os

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenancy_fixtures._ingest.types import cast_for
from tenancy_fixtures._pg import catalog, copy
from tenancy_fixtures._pg.copy import travels_binary
from tenancy_fixtures.exceptions import DataRejected
from tests.integration.test_ingest_casts import CELLS, NUMBERS, shaped

EXAMPLES = int(os.environ.get("TWO_PATHS_EXAMPLES", "8"))

# Declared types, and the texts that are tried for each.
COLUMNS = {
    "smallint": CELLS["int2"] | st.sampled_from(["-32768", "32767"]),
    "integer": CELLS["int4"] | st.sampled_from(["-2147483648", "2147483647"]),
    "bigint": CELLS["int8"] | st.integers(-(2**63), 2**63 - 1).map(str),
    "real": CELLS["float4"] | st.floats(width=32).map(str),
    "double precision": CELLS["float8"] | st.floats().map(repr),
    "boolean": CELLS["bool"],
    "text": CELLS["text"],
    "varchar(3)": CELLS["varchar_3"],
    "char(3)": CELLS["bpchar_3"],
    "name": CELLS["name"],
    "date": CELLS["date"] | st.dates().map(str),
    "timestamp": CELLS["timestamp"] | st.datetimes().map(str),
    "timestamp(3)": CELLS["timestamp_3"],
    "timestamptz": CELLS["timestamptz"] | st.datetimes().map(lambda moment: f"{moment}+05:30"),
    "timestamptz(0)": CELLS["timestamptz_0"],
    "time": st.times().map(str) | shaped(r"[0-2][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{0,7})?)?"),
    "time(2)": st.times().map(str) | shaped(r"1[0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{0,3}"),
    "uuid": CELLS["uuid"] | st.uuids().map(str),
    "json": CELLS["json"],
    "jsonb": CELLS["jsonb"],
    "bytea": CELLS["bytea"] | st.binary(max_size=20).map(lambda value: "\\x" + value.hex()),
    "tf_copy.mood": CELLS["enum"],
    "tf_copy.whole": CELLS["int4"],
    "tf_copy.short": CELLS["varchar_3"],
    "tf_copy.seen": CELLS["timestamp_3"],
    "tf_copy.moods": CELLS["enum"],
}
TABLE = """
CREATE TYPE tf_copy.mood AS ENUM ('sad', 'ok', 'très content');
CREATE DOMAIN tf_copy.whole AS integer; CREATE DOMAIN tf_copy.short AS varchar(3); CREATE DOMAIN tf_copy.short_of_short AS tf_copy.short;
CREATE DOMAIN tf_copy.seen AS timestamp(3); CREATE DOMAIN tf_copy.moods AS tf_copy.mood;
"""


async def stored(connection, name):
    """What the table holds, as the server itself writes it."""
    async with connection.cursor().copy(f"COPY (SELECT id, v FROM tf_copy.{name} ORDER BY id) TO STDOUT (FORMAT binary)") as found:
        return b"".join([bytes(part) async for part in found])


async def write(connection, table, rows, text_columns, *, late):
    writer = await copy.open_writer(connection, table, rows.column_names, ("id",), text_columns=frozenset(text_columns), late_indexes=late)
    await writer.write(rows, range(1, rows.num_rows + 1))
    return await writer.finish()


async def both(connection, texts):
    """Write the texts that our cast takes by both ways, and give what is stored, and how many they were."""
    tables = await catalog.read_tables(connection, "tf_copy")
    column, ids, late = tables["ours"].column("v"), pa.array(range(len(texts)), pa.int32()), len(texts) % 2 == 0
    assert travels_binary(column)
    cast = cast_for(column.type)
    values = cast.convert(pl.Series(texts, dtype=pl.String))
    plain = pa.array([None if lost else text for lost, text in zip(values.is_null(), texts)], pa.large_string())
    first = await write(connection, tables["ours"], pa.table({"id": ids, "v": values.to_arrow().cast(cast.arrow)}), (), late=late)
    assert first.way == ("direct" if late else "staged")
    await write(connection, tables["theirs"], pa.table({"id": ids, "v": plain}), {"v"}, late=late)
    return await stored(connection, "ours"), await stored(connection, "theirs"), len(values) - values.null_count()


@pytest.fixture
def loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.mark.parametrize("declared", COLUMNS)
def test_the_same_bytes_by_both_ways(loop, connect, declared):
    connection = loop.run_until_complete(connect())
    counted = 0

    async def compare(texts):
        nonlocal counted
        await connection.execute("SAVEPOINT fresh")
        for name in ("ours", "theirs"):
            await connection.execute(f"CREATE TABLE tf_copy.{name} (id int PRIMARY KEY, v {declared})")
        ours, theirs, values = await both(connection, texts)
        await connection.execute("ROLLBACK TO fresh")
        assert ours == theirs
        counted += values

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.lists(COLUMNS[declared], min_size=15, max_size=50))
    def every_value(texts):
        loop.run_until_complete(compare(texts))

    async def prepare():
        # As in every run: text without a zone is UTC.
        await connection.execute(f"SET timezone = 'UTC'; CREATE SCHEMA tf_copy; {TABLE}")

    try:
        loop.run_until_complete(prepare())
        every_value()
        assert counted > EXAMPLES  # else the texts are not of the shapes that matter
    finally:
        loop.run_until_complete(connection.rollback())
        loop.run_until_complete(connection.close())


REFUSED = {
    "tf_copy.small": (["5", "50", None, "7", "51"], [2, 5]),
    "tf_copy.code": (["ab", "x", "", "x", None], [2, 4]),
    "tf_copy.must": (["1", None, "2", None, "3"], [2, 4]),
}


@pytest.mark.anyio
@pytest.mark.parametrize("as_text", [False, True], ids=["binary", "text"])
@pytest.mark.parametrize("late", [True, False], ids=["direct", "staged"])
@pytest.mark.parametrize("declared", REFUSED)
async def test_what_a_domain_refuses_is_named_by_both_ways(connection, declared, as_text, late):
    await connection.execute("""
        CREATE DOMAIN tf_copy.small AS int CHECK (VALUE < 10); CREATE DOMAIN tf_copy.code AS varchar(5) CHECK (VALUE <> 'x');
        CREATE DOMAIN tf_copy.must AS int NOT NULL;
    """)
    await connection.execute(f"CREATE TABLE tf_copy.held (id int PRIMARY KEY, v {declared})")
    texts, bad = REFUSED[declared]
    table = (await catalog.read_tables(connection, "tf_copy"))["held"]
    cast = cast_for(table.column("v").type)
    column = pa.array(texts, pa.large_string()) if as_text else cast.convert(pl.Series(texts, dtype=pl.String)).to_arrow().cast(cast.arrow)
    rows = pa.table({"id": pa.array(range(5), pa.int32()), "v": column})
    with pytest.raises(DataRejected) as caught:
        await write(connection, table, rows, {"v"} if as_text else (), late=late)
    named = [reject.record for reject in caught.value.rejects]
    # COPY stops at the first.
    assert named in (bad, bad[:1])
    assert {reject.column for reject in caught.value.rejects} <= {"v", None}


OTHERS = {
    "numeric": NUMBERS,
    "numeric(7,2)": CELLS["numeric_7_2"],
    "timetz": st.times().map(lambda value: f"{value}+02"),
    "interval": st.timedeltas().map(lambda value: f"{value.days} days {value.seconds} seconds") | st.just("1 year 2 mons -3 days 04:05:06.7"),
    "inet": st.ip_addresses().map(str),
    "cidr": st.ip_addresses(v=4).map(lambda value: f"{value}/32"),
    "macaddr": st.just("08:00:2b:01:02:03"),
    "int[]": st.just("{1,NULL,{}}") | st.lists(st.integers(-(2**31), 2**31 - 1)).map(lambda values: "{" + ",".join(map(str, values)) + "}"),
    "varchar(3)[]": st.just('{abc,"a,b"}'),
    "int4range": st.tuples(st.integers(0, 9), st.integers(9, 99)).map(lambda pair: f"[{pair[0]},{pair[1]})"),
    "tsrange": st.just("[2020-01-01,2021-01-01)"),
    "tf_copy.pair": st.integers(0, 9).map(lambda number: f'({number},"a b")'),
    "tf_copy.amount": CELLS["numeric_7_2"],
    "bit(3)": st.just("101"),
    "point": st.just("(1,2)"),
    "tsvector": st.just("a b"),
    "xml": st.just("<a/>"),
    "money": st.just("1.50"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("declared", OTHERS)
async def test_types_that_travel_as_text_are_stored_as_an_insert_would(connection, declared):
    await connection.execute("CREATE TYPE tf_copy.pair AS (a int, b text); CREATE DOMAIN tf_copy.amount AS numeric(7,2) CHECK (VALUE <> 13)")
    if declared == "xml":
        await connection.execute("SAVEPOINT try")
        try:
            await connection.execute("SELECT '<a/>'::xml")
        except Exception:  # noqa: BLE001 - a server that was built without it
            await connection.execute("ROLLBACK TO try")
            pytest.skip("this server has no xml")
    await connection.execute(
        f"CREATE TABLE tf_copy.ours (id int PRIMARY KEY, c {declared}); CREATE TABLE tf_copy.theirs (id int PRIMARY KEY, c {declared})"
    )
    table = (await catalog.read_tables(connection, "tf_copy"))["ours"]
    cast = cast_for(table.column("c").type)
    assert cast.as_text
    texts = [text for text in examples(OTHERS[declared], 30) if cast.convert(pl.Series([text])).null_count() == 0]
    good = []
    for text in texts:
        await connection.execute("SAVEPOINT one")
        try:
            await connection.execute("INSERT INTO tf_copy.theirs VALUES (%s, %s)", [len(good), text])
            good.append(text)
        except Exception:  # noqa: BLE001 - whatever the server says, it refused it
            await connection.execute("ROLLBACK TO one")
    assert good
    rows = pa.table({"id": pa.array(range(len(good)), pa.int32()), "c": pa.array(good, pa.large_string())})
    assert (await write(connection, table, rows, {"c"}, late=True)).inserted == len(good)
    found = "SELECT array_agg({}(t) ORDER BY id) FROM tf_copy.{} AS t"
    texts = [await (await connection.execute(found.format("to_jsonb", name))).fetchone() for name in ("ours", "theirs")]
    assert texts[0] == texts[1]


def examples(strategy, count):
    """Some values of a strategy, the same ones each time."""
    found = []

    @settings(max_examples=count, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def collect(value):
        found.append(value)

    collect()
    return found
