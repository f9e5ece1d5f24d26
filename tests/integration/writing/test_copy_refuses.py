"""What a write says of records that the table refuses and of rows that are lost, and what a cancelled one leaves."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import time

import anyio
import psycopg
import pyarrow as pa
import pytest

from tenancy_fixtures._pg import catalog, copy
from tenancy_fixtures.exceptions import DataRejected, PackInvalid, RowsLost

pytestmark = pytest.mark.anyio


# --- records that the table refuses -----------------------------------------------------------------------------------


def names(error):
    return [(reject.source, reject.record, reject.rule, reject.column) for reject in error.rejects]


async def test_a_reference_that_leads_nowhere_names_its_records(connection, late_or_cast, load, frame, artists):
    await load(connection, "artists", artists)
    rows = frame(id=[1, 1, 2, 3, 4], artist=(pa.int32(), [1, 1, 9, None, 8]), title=["a", "a", "b", "c", "d"])
    with pytest.raises(DataRejected) as caught:
        await load(connection, "tracks", rows, range(101, 106), late_indexes=late_or_cast, locate=lambda number: ("file.csv", number - 100))
    assert names(caught.value) == [("file.csv", 3, "reference", "artist"), ("file.csv", 5, "reference", "artist")]
    assert (caught.value.count, caught.value.constraint, caught.value.rule) == (2, "by_artist", "reference")
    assert "rows of artists must be there first" in caught.value.hint


async def test_a_reference_to_the_table_itself(connection, late_or_cast, load, frame):
    await load(connection, "tracks", frame(id=[1, 2], title=["a", "b"], part_of=(pa.int32(), [2, None])), late_indexes=late_or_cast)
    await connection.execute("DELETE FROM tf_copy.tracks")
    with pytest.raises(DataRejected) as caught:
        await load(connection, "tracks", frame(id=[1, 2, 3], title=["a", "b", "c"], part_of=(pa.int32(), [2, 7, 3])), late_indexes=late_or_cast)
    assert names(caught.value) == [("", 2, "reference", "part_of")]


async def test_another_unique_index_names_its_records(connection, late_or_cast, load, fetch, frame):
    rows = frame(id=[1, 2, 2, 3, 4, 5], name=["a", "b", "b", "a", "c", "a"])
    with pytest.raises(DataRejected) as caught:
        await load(connection, "artists", rows, range(11, 17), late_indexes=late_or_cast)
    assert names(caught.value) == [("", 14, "unique", "name"), ("", 16, "unique", "name")]
    assert (caught.value.count, caught.value.constraint) == (2, "named")
    # The transaction is fit for more: nothing was written.
    assert await fetch(connection, "SELECT count(*) FROM tf_copy.artists WHERE name = 'c'") == [(1 if late_or_cast else 0,)]


async def test_a_unique_index_on_an_expression_with_a_condition(connection, late_or_cast, load, frame):
    rows = frame(id=[-1, -2, 1, 2, 3], data=['{"isrc": 7}', '{"isrc": 7}', '{"isrc": 7}', '{"isrc": "7"}', "{}"], title=["a", "b", "c", "d", "e"])
    with pytest.raises(DataRejected) as caught:
        await load(connection, "tracks", rows, late_indexes=late_or_cast)
    assert [(reject.record, reject.rule) for reject in caught.value.rejects] == [(4, "unique")]
    assert caught.value.constraint == "tracks_data"


async def test_a_unique_value_that_an_older_row_has(connection, load, frame, artists):
    await load(connection, "artists", artists)
    with pytest.raises(DataRejected) as caught:
        await load(connection, "artists", frame(id=[3, 4, 5], name=["Cy", "Dee", "Bob"]))
    assert names(caught.value) == [("", 3, "unique", "name")]


async def test_values_that_the_columns_refuse(connection, late_or_cast, load, frame):
    with pytest.raises(DataRejected) as caught:
        async with connection.transaction():
            await load(connection, "artists", frame(id=[1, 2, 3], name=["a", "b", None]), range(5, 8), late_indexes=late_or_cast)
    assert names(caught.value) == [("", 7, "not_null", "name")]
    born = (pa.date32(), [None, dt.date(999, 1, 1)])
    with pytest.raises(DataRejected) as caught:
        async with connection.transaction():
            await load(connection, "artists", frame(id=[1, 2], name=["a", "secret"], born=born), late_indexes=late_or_cast)
    assert [(reject.record, reject.rule) for reject in caught.value.rejects] == [(2, "check")]
    with pytest.raises(DataRejected) as caught:
        async with connection.transaction():
            await load(connection, "tracks", frame(id=[1, 2], title=["short", "far too long a title"]), late_indexes=late_or_cast)
    assert names(caught.value) == [("", 2, "type" if late_or_cast == "cast" else "length", "title")]
    assert "far too" not in repr(caught.value.to_dict()) + str(caught.value.__cause__) + str(caught.value.__context__ is None)


async def test_a_nul_is_not_text(connection, late_or_cast, load, frame):
    with pytest.raises(DataRejected) as caught:
        await load(connection, "artists", frame(id=[1, 2], name=["a", "b\x00c"]), late_indexes=late_or_cast)
    assert names(caught.value) == [("", 2, "type", "name")]


async def test_a_key_without_a_value(connection, late, load, frame):
    with pytest.raises(DataRejected) as caught:
        await load(connection, "tracks", frame(id=[1, 2], title=["a", None]), key=("title",), late_indexes=late)
    assert names(caught.value) == [("", 2, "not_null", "title")]


async def test_tables_that_are_finished_together_may_refer_to_each_other(connection, writer, frame, artists):
    await connection.execute("ALTER TABLE tf_copy.artists ADD best int REFERENCES tf_copy.tracks")
    before = await catalog.fingerprint(connection, "tf_copy")

    async def both(best):
        artists = await writer(connection, "artists", ["id", "name", "best"])
        tracks = await writer(connection, "tracks", ["id", "artist", "title"])
        await tracks.write(frame(id=[1, 2], artist=[1, 2], title=["a", "b"]), range(1, 3))
        await artists.write(frame(id=[1, 2], name=["a", "b"], best=best), range(21, 23))
        await tracks.write(frame(id=[3], artist=[1], title=["c"]), range(3, 4))
        return await copy.finish_all([artists, tracks])

    with pytest.raises(DataRejected) as caught:
        async with connection.transaction():
            await both([1, 99])
    assert (names(caught.value), caught.value.table) == ([("", 22, "reference", "best")], "artists")
    assert [(stats.way, stats.inserted) for stats in await both([1, 3])] == [("direct", 2), ("direct", 3)]
    assert catalog.difference(before, await catalog.fingerprint(connection, "tf_copy")) == []


async def test_a_deferred_unique_constraint_is_checked_before_the_end(connection, load, frame):
    await load(connection, "tracks", frame(id=[1, 2], title=["a", "b"]))
    with pytest.raises(DataRejected) as caught:
        await load(connection, "tracks", frame(id=[2, 3, 4], title=["c", "b", "a"]))
    assert names(caught.value) == [("", 3, "unique", "artist, title")]


async def test_a_deferred_reference_is_checked_before_the_end(connection, load, frame, artists):
    await connection.execute("ALTER TABLE tf_copy.tracks ALTER CONSTRAINT by_artist DEFERRABLE INITIALLY DEFERRED")
    await load(connection, "artists", artists)
    with pytest.raises(DataRejected) as caught:
        await load(connection, "tracks", frame(id=[1, 2], artist=[3, 4]), late_indexes=False)
    assert names(caught.value) == [("", 2, "reference", "artist")]


async def test_a_long_list_is_whole(connection, load, frame):
    numbers = list(range(1, 5001))
    with pytest.raises(DataRejected) as caught:
        await load(connection, "tracks", frame(id=numbers, artist=numbers, title=[str(number) for number in numbers]))
    assert (len(caught.value.rejects), caught.value.count) == (5000, 5000)
    assert list(caught.value.ordinals) == numbers


# --- nothing is lost --------------------------------------------------------------------------------------------------


async def test_a_frame_that_is_counted_otherwise(connection, late, writer, artists):
    made = await writer(connection, "artists", ["id", "name"], late_indexes=late)
    with pytest.raises(RowsLost):
        await made.send(dataclasses.replace(made.encode(artists, range(1, 4)), rows=4))


async def test_rows_that_vanish_on_the_way(connection, late, writer, artists):
    made = await writer(connection, "artists", ["id", "name"], late_indexes=late)
    await made.write(artists, range(1, 4))
    relation = made.route.relation.as_string(connection)
    await connection.execute(f"DELETE FROM {relation} WHERE id = 2")
    with pytest.raises(RowsLost, match=r"3 rows were sent .* 2 arrived"):
        await made.finish()


async def test_a_trigger_that_swallows_a_row(connection, load, artists):
    await connection.execute("""
        CREATE FUNCTION tf_copy.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.id = 2 THEN RETURN NULL; END IF; RETURN NEW; END';
        CREATE TRIGGER t BEFORE INSERT ON tf_copy.artists FOR EACH ROW EXECUTE FUNCTION tf_copy.f();
    """)
    with pytest.raises(RowsLost, match="3 rows of table 'artists' were to be written, 2 were"):
        await load(connection, "artists", artists)


async def test_record_numbers_with_gaps_and_repetitions(connection, load, writer, frame, artists):
    await load(connection, "artists", artists)
    made = await writer(connection, "tracks", ["id", "artist", "title"])
    await made.write(frame(id=[1, 2, 2], artist=[1, 1, 1], title=["a", "b", "c"]), pa.array([3, 3, 8], pa.int64()))
    await made.write(frame(id=[4, 5, 1], artist=[1, 77, 1], title=["d", "e", "f"]), range(20, 23))
    await made.write(frame(id=[6, 7], artist=[66, 1], title=["g", "h"]), [30, 30])
    with pytest.raises(DataRejected) as caught:
        await made.finish()
    assert [reject.record for reject in caught.value.rejects] == [21, 30]


async def test_columns_that_do_not_go_together(connection, writer):
    for columns, key, texts in ((["id", "no"], ["id"], ()), (["id"], ["name"], ()), (["id"], [], ()), (["id"], ["id"], ("name",))):
        with pytest.raises(PackInvalid, match="artists"):
            await writer(connection, "artists", columns, key, text_columns=frozenset(texts))
    await connection.execute("ALTER TABLE tf_copy.artists ADD double int GENERATED ALWAYS AS (id * 2) STORED")
    with pytest.raises(PackInvalid, match="generated"):
        await writer(connection, "artists", ["id", "double"])


# --- cancelling -------------------------------------------------------------------------------------------------------


async def write_for_ever(made, rows, moment):
    encoded = made.encode(rows, range(rows.num_rows))
    while True:
        if moment == "finish":
            await made.send(made.encode(rows.slice(0, 3), range(3)))
            await made.finish()
        await made.send(encoded)


SLOW_INDEX = """
CREATE FUNCTION tf_copy.slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(20); RETURN 1; END';
CREATE INDEX ON tf_copy.artists (tf_copy.slow(id));
"""


async def test_a_cancel_at_any_moment_leaves_a_connection_that_can_roll_back(connect, make_tables, writer, frame):
    """Short COPYs one after the other, so that beginnings and ends are hit as well."""
    rows = frame(id=list(range(200)), name=[f"a name of some length {number}" for number in range(200)])
    async with await connect() as connection:
        for number in range(60):
            await connection.execute(make_tables)
            made = await writer(connection, "artists", ["id", "name"])
            encoded = made.encode(rows, range(200))

            async def send_for_ever(made=made, encoded=encoded):
                while True:
                    await made.send(encoded)

            task = asyncio.ensure_future(send_for_ever())
            await asyncio.sleep(0.002 + number * 0.0003)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert connection.info.transaction_status in (psycopg.pq.TransactionStatus.INERROR, psycopg.pq.TransactionStatus.INTRANS)
            await connection.rollback()


@pytest.mark.parametrize("scope", ["anyio", "asyncio"])
@pytest.mark.parametrize("moment", ["copy", "finish"])
async def test_a_cancelled_write_leaves_a_connection_that_can_roll_back(scope, moment, connect, make_tables, writer, fetch, frame):
    rows = frame(id=list(range(200_000)), name=[f"a name of some length {number}" for number in range(200_000)])
    async with await connect() as connection:
        await connection.execute(make_tables + (SLOW_INDEX if moment == "finish" else ""))
        made = await writer(connection, "artists", ["id", "name"])
        start = time.monotonic()
        if scope == "anyio":
            with anyio.move_on_after(0.7) as limit:
                await write_for_ever(made, rows, moment)
            assert limit.cancel_called
        else:
            task = asyncio.ensure_future(write_for_ever(made, rows, moment))
            await asyncio.sleep(0.7)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert time.monotonic() - start < 2
        assert not connection.closed
        assert connection.info.transaction_status in (psycopg.pq.TransactionStatus.INERROR, psycopg.pq.TransactionStatus.INTRANS)
        await connection.rollback()
        assert await fetch(connection, "SELECT count(*) FROM pg_namespace WHERE nspname = 'tf_copy'") == [(0,)]


async def test_all_records_that_a_domain_refuses_are_named(connection, load, fetch, frame):
    """Also of a type that travels binary: a COPY into the domain would end at the first."""
    await connection.execute("CREATE DOMAIN tf_copy.few AS int CHECK (VALUE < 100); CREATE TABLE tf_copy.counts (id int PRIMARY KEY, n tf_copy.few)")
    rows = frame(id=list(range(300)), n=[500 if number < 250 else number - 250 for number in range(300)])
    await connection.execute("SAVEPOINT whole")
    with pytest.raises(DataRejected) as caught:
        await load(connection, "counts", rows, late_indexes=False)
    assert (caught.value.count, list(caught.value.ordinals)) == (250, list(range(1, 251)))
    await connection.execute("ROLLBACK TO whole")
    assert (await load(connection, "counts", rows.slice(250), late_indexes=False)).inserted == 50
    assert await fetch(connection, "SELECT max(n) FROM tf_copy.counts") == [(49,)]


@pytest.mark.parametrize("filled", [False, True])
async def test_a_check_of_a_generated_column_names_its_records(connection, load, frame, filled):
    await connection.execute(
        "CREATE TABLE tf_copy.loud (id int PRIMARY KEY, name text, up text GENERATED ALWAYS AS (upper(name)) STORED, CHECK (up <> 'X'))"
    )
    if filled:
        await load(connection, "loud", frame(id=[9], name=["z"]), late_indexes=False)
    with pytest.raises(DataRejected) as caught:
        await load(connection, "loud", frame(id=[1, 2, 3, 4], name=["a", "x", "b", "X"]), late_indexes=False)
    assert [(reject.record, reject.rule) for reject in caught.value.rejects] == [(2, "check"), (4, "check")]
