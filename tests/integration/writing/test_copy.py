"""The write of a load on a real PostgreSQL: both ways, every type, every count."""

from __future__ import annotations

import datetime as dt
import uuid

import pyarrow as pa
import pytest

from tenancy_fixtures._pg import _casts, catalog
from tenancy_fixtures.exceptions import DataRejected, TenancyError

pytestmark = pytest.mark.anyio


# --- types ------------------------------------------------------------------------------------------------------------

EVERY_TYPE = """
CREATE TYPE tf_copy.mood AS ENUM ('ok', 'bad'); CREATE DOMAIN tf_copy.code AS varchar(5) CHECK (VALUE <> 'x');
CREATE TABLE tf_copy.everything (
    id int PRIMARY KEY, i2 int2, i8 int8, f4 float4, f8 float8, b bool, t text, v varchar(9), c char(3), n name, d date, ts timestamp, tz timestamptz,
    u uuid, jb jsonb, j json, by bytea, e tf_copy.mood, dom tf_copy.code
)
"""
ZONE = dt.timezone.utc
BINARY = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int32()),
        "i2": pa.array([-32768, None, 32767], pa.int16()),
        "i8": pa.array([-(2**63), None, 2**63 - 1], pa.int64()),
        "f4": pa.array([0.1, None, float("inf")], pa.float32()),
        "f8": pa.array([0.1, None, -1e308], pa.float64()),
        "b": pa.array([True, None, False], pa.bool_()),
        "t": pa.array(["\\.", None, "a\n\\.\nb,\"'\t\\N é 😀"], pa.string()),
        "v": pa.array(["", None, "nine char"], pa.large_string()),
        "c": pa.array(["a", None, "abc"], pa.string_view()),
        "n": pa.array(["x", None, "y" * 63]),
        "d": pa.array([dt.date(1, 1, 1), None, dt.date(9999, 12, 31)], pa.date32()),
        "ts": pa.array([-1, None, 253370764800000000], pa.int64()).view(pa.timestamp("us")),
        "tz": pa.array([dt.datetime(1, 1, 2, tzinfo=ZONE), None, dt.datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=ZONE)], pa.timestamp("us", "UTC")),
        "u": pa.array([uuid.UUID(int=1).bytes, None, uuid.UUID(int=2**128 - 1).bytes], pa.binary(16)),
        "jb": pa.array(['{"b": 1, "a": [null]}', None, '"\\u00e9"']),
        "j": pa.array(['{"b":  1}', None, "3"]),
        "by": pa.array([b"", None, bytes(range(256))], pa.binary()),
        "e": pa.array(["ok", None, "bad"]),
        "dom": pa.array(["abc", None, ""]),
    }
)
EXPECTED = [
    (1, -32768, -(2**63), "0.1", 0.1, True, "\\.", "", "a  ", "x", "0001-01-01", "1969-12-31 23:59:59.999999", "0001-01-02 00:00:00+00"),
    (2, *[None] * 12),
    (
        3,
        32767,
        2**63 - 1,
        "Infinity",
        -1e308,
        False,
        "a\n\\.\nb,\"'\t\\N é 😀",
        "nine char",
        "abc",
        "y" * 63,
        "9999-12-31",
        "9999-01-01 00:00:00",
        "2024-02-29 01:02:03.000004+00",
    ),
]
EXPECTED_MORE = [
    ("00000000-0000-0000-0000-000000000001", '{"a": [null], "b": 1}', '{"b":  1}', b"", "ok", "abc"),
    (None,) * 6,
    ("ffffffff-ffff-ffff-ffff-ffffffffffff", '"é"', "3", bytes(range(256)), "bad", ""),
]


async def test_every_binary_type_arrives(connection, late, load, fetch):
    await connection.execute(EVERY_TYPE)
    await connection.execute("SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'")
    stats = await load(connection, "everything", BINARY, late_indexes=late)
    assert (stats.way, stats.sent, stats.inserted) == ("direct" if late else "staged", 3, 3)
    values = "SELECT id, i2, i8, f4::text, f8, b, t, v, c::text || repeat(' ', 3 - length(c)), n, d::text, ts::text, tz::text FROM tf_copy.everything ORDER BY id"
    assert await fetch(connection, values) == EXPECTED
    assert await fetch(connection, "SELECT u::text, jb::text, j::text, by, e::text, dom::text FROM tf_copy.everything ORDER BY id") == EXPECTED_MORE
    again = await load(connection, "everything", BINARY, late_indexes=late)
    assert (again.way, again.inserted, again.updated, again.unchanged) == ("staged", 0, 0, 3)


async def test_types_that_travel_as_text(connection, load, fetch, frame):
    await connection.execute("""
        CREATE TABLE tf_copy.others (id int PRIMARY KEY, num numeric(6,2), big numeric, ip inet, iv interval, arr varchar(3)[], r int4range,
            bits bit(3), p point, x json, tm time, tz timetz, m money)
    """)
    texts = {
        "num": ["1.005", None], "big": ["1" * 60 + ".5", "NaN"], "ip": ["10.0.0.0/8", None], "iv": ["1 mon 2 days", "-3 hours"], "arr": ["{abc,NULL}", "{}"],
        "r": ["[1,5)", "empty"], "bits": ["101", None], "p": ["(1,2)", None], "x": ['{"a": 1}', None], "tm": ["23:59:59", None], "tz": ["01:00+02", None],
        "m": ["1.50", None],
    }  # fmt: skip
    rows = frame(id=[1, 2], **texts)
    stats = await load(connection, "others", rows, text_columns=frozenset(texts))
    assert (stats.way, stats.inserted) == ("staged", 2)
    found = await fetch(
        connection, "SELECT num::text, big::text, ip::text, arr::text, r::text, bits::text, p::text, tz::text FROM tf_copy.others WHERE id = 1"
    )
    assert found == [("1.01", "1" * 60 + ".5", "10.0.0.0/8", "{abc,NULL}", "[1,5)", "101", "(1,2)", "01:00:00+02")]
    assert (await load(connection, "others", rows, text_columns=frozenset(texts))).unchanged == 2
    changed = frame(id=[1, 2], p=["(1,3)", None], x=['{"a":  1}', None])
    stats = await load(connection, "others", changed, text_columns=frozenset({"p", "x"}))
    assert (stats.updated, stats.unchanged) == (1, 1)


@pytest.mark.parametrize("server_can_say", [True, False])
@pytest.mark.parametrize(
    "column",
    [
        ("numeric(4,2)", "1.5", "100"),
        ("inet", "10.0.0.1", "10.0.0"),
        ("varchar(3)[]", "{abc}", "{abcd}"),
        ("bit(2)", "01", "0"),
        ("tf_copy.small", "5", "50"),
    ],
)
async def test_texts_that_are_not_of_the_type_are_named(connection, load, fetch, frame, monkeypatch, column, server_can_say):
    kind, good, bad = column
    if not server_can_say:
        monkeypatch.setattr(_casts, "_CAN_ASK", 10**9)
    await connection.execute(f"CREATE DOMAIN tf_copy.small AS numeric CHECK (VALUE < 10); CREATE TABLE tf_copy.casts (id int PRIMARY KEY, v {kind})")
    values = [bad if number in (2, 700, 701, 1000) else good for number in range(1, 1001)]
    with pytest.raises(DataRejected) as caught:
        await load(connection, "casts", frame(id=list(range(1, 1001)), v=values), range(11, 1011), text_columns=frozenset({"v"}))
    assert [(reject.record, reject.rule, reject.column) for reject in caught.value.rejects] == [
        (number, "type", "v") for number in (12, 710, 711, 1010)
    ]
    assert caught.value.count == 4
    assert bad not in str(caught.value).replace("1000", "")
    assert await fetch(connection, "SELECT count(*) FROM tf_copy.casts") == [(0,)]


@pytest.mark.parametrize(
    ("column", "wrong"),
    [
        ("id", pa.array([1], pa.int64())), ("id", pa.array([1], pa.int16())), ("i2", pa.array([1], pa.int32())), ("f8", pa.array([1.0], pa.float32())),
        ("t", pa.array([1], pa.int32())), ("d", pa.array([1], pa.timestamp("us"))), ("ts", pa.array([1], pa.timestamp("ns"))),
        ("ts", pa.array([1], pa.timestamp("us", "UTC"))), ("tz", pa.array([1], pa.timestamp("us"))), ("u", pa.array(["0" * 32])),
        ("b", pa.array([1], pa.int8())), ("e", pa.array(["ok"]).dictionary_encode()), ("by", pa.array(["text"])),
    ],
)  # fmt: skip
async def test_another_arrow_type_is_refused_and_never_written(connection, column, wrong, writer):
    await connection.execute(EVERY_TYPE)
    names = ["id"] if column == "id" else ["id", column]
    made = await writer(connection, "everything", names)
    rows = pa.table({"id": pa.array([1], pa.int32()), column: wrong} if column != "id" else {"id": wrong})
    with pytest.raises(TenancyError, match=f"column {column!r} came as Arrow"):
        made.encode(rows, range(1, 2))


# --- the two ways -----------------------------------------------------------------------------------------------------


async def test_both_ways_give_the_same_table_and_the_same_counts(connection, load, writer, fetch, artists, many_tracks):
    await load(connection, "artists", artists)
    results = []
    for late, texts in ((True, ()), (False, ()), (True, ("title", "data")), (False, ("title", "data"))):
        await connection.execute("SAVEPOINT one")
        made = await writer(connection, "tracks", ["id", "artist", "title", "data"], late_indexes=late, batch_size=100, text_columns=frozenset(texts))
        rows = many_tracks
        for start in range(0, rows.num_rows, 700):
            part = rows.slice(start, 700)
            await made.send(made.encode(part, pa.array(range(start + 1, start + 1 + part.num_rows), pa.int64())))
        stats = await made.finish()
        assert stats.way == ("direct" if late and not texts else "staged")
        assert (stats.sent, stats.inserted, stats.duplicates, stats.conflicts, stats.duplicate_records) == (3003, 3000, 3, 1, (3001, 3002, 3003))
        results.append(await fetch(connection, "SELECT id, artist, title, part_of, data FROM tf_copy.tracks ORDER BY id"))
        await connection.execute("ROLLBACK TO one")
    assert results[0] == results[1] == results[2] == results[3]
    assert len(results[0]) == 3000
    assert results[0][17][2] == "t18"


async def test_nothing_of_the_structure_changes(connection, late_or_cast, load, fetch, artists, many_tracks):
    before = await catalog.fingerprint(connection, "tf_copy")
    assert any("statistics 1 77" in definition for definition in before.values())
    await load(connection, "artists", artists)
    stats = await load(connection, "tracks", many_tracks, late_indexes=late_or_cast)
    assert stats.way == ("direct" if late_or_cast is True else "staged")
    assert catalog.difference(before, await catalog.fingerprint(connection, "tf_copy")) == []
    valid = "SELECT count(*), bool_and(convalidated) FROM pg_constraint WHERE connamespace = 'tf_copy'::regnamespace"
    assert (await fetch(connection, valid))[0][1] is True


async def test_reload_writes_nothing_and_one_cell_writes_one_row(connection, load, fetch, frame, artists, many_tracks):
    await load(connection, "artists", artists)
    await load(connection, "tracks", many_tracks)
    again = await load(connection, "tracks", many_tracks)
    assert (again.way, again.inserted, again.updated, again.unchanged, again.duplicates) == ("staged", 0, 0, 3000, 3)
    rows = many_tracks
    titles = rows["title"].to_pylist()
    titles[41] = "changed"
    stats = await load(connection, "tracks", rows.set_column(2, "title", pa.array(titles)))
    assert (stats.inserted, stats.updated, stats.unchanged) == (0, 1, 2999)
    assert await fetch(connection, "SELECT id FROM tf_copy.tracks WHERE title = 'changed'") == [(42,)]
    stats = await load(connection, "tracks", frame(id=[42, 4000], artist=(pa.int32(), [None, 1])))
    assert (stats.inserted, stats.updated, stats.unchanged) == (1, 1, 0)
    assert await fetch(connection, "SELECT title, artist FROM tf_copy.tracks WHERE id = 42") == [("changed", None)]


async def test_a_table_of_keys_alone(connection, load, frame):
    await connection.execute("CREATE TABLE tf_copy.pairs (a int, b int, PRIMARY KEY (a, b))")
    rows = frame(a=[1, 1, 1], b=[1, 2, 1])
    stats = await load(connection, "pairs", rows, key=("b", "a"))
    assert (stats.way, stats.inserted, stats.duplicates, stats.conflicts) == ("direct", 2, 1, 0)
    stats = await load(connection, "pairs", frame(a=[1, 2], b=[1, 2]), key=("a", "b"))
    assert (stats.inserted, stats.unchanged) == (1, 1)


async def test_a_key_without_an_index_of_its_own(connection, load, frame):
    await connection.execute("CREATE TABLE tf_copy.heap (id int, k text, v text)")
    rows = frame(id=[1, 2, 3], k=["a", "b", "a"], v=["x", "y", "z"])
    stats = await load(connection, "heap", rows, key=("k",))
    assert (stats.way, stats.inserted, stats.duplicates, stats.conflicts) == ("direct", 2, 1, 1)
    assert (await load(connection, "heap", rows, key=("k",))).unchanged == 2


async def test_names_with_percent_quotes_and_blanks(connection, load, frame):
    await connection.execute("""
        CREATE TABLE tf_copy."a ""b"" %s %(x)s {y}" ("i d" int PRIMARY KEY, "v%" text UNIQUE CHECK ("v%" LIKE 'a%'), _record int, "n {}" serial)
    """)
    name = 'a "b" %s %(x)s {y}'
    rows = frame(**{"i d": [1, 2, 1], "v%": ["a1", "a2", "a3"], "n {}": [5, 6, 7]}, _record=[1, 2, 3])
    for _ in range(2):
        stats = await load(connection, name, rows, key=("i d",))
        assert (stats.sent, stats.duplicates, stats.conflicts) == (3, 1, 1)
    with pytest.raises(DataRejected) as caught:
        await load(connection, name, frame(**{"i d": [4, 5], "v%": ["a4", "b"]}), key=("i d",))
    assert [(reject.record, reject.rule) for reject in caught.value.rejects] == [(2, "check")]


async def test_a_view_that_depends_on_the_key_makes_it_staged(connection, load, artists):
    await connection.execute("CREATE VIEW tf_copy.v AS SELECT id, name FROM tf_copy.artists GROUP BY id")
    before = await catalog.fingerprint(connection, "tf_copy")
    assert (await load(connection, "artists", artists)).way == "staged"
    assert catalog.difference(before, await catalog.fingerprint(connection, "tf_copy")) == []


@pytest.mark.parametrize(
    "obstacle",
    [
        """CREATE FUNCTION tf_copy.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER t BEFORE INSERT ON tf_copy.artists FOR EACH ROW EXECUTE FUNCTION tf_copy.f()""",
        "ALTER TABLE tf_copy.artists ENABLE ROW LEVEL SECURITY",
        "CREATE TABLE tf_copy.child () INHERITS (tf_copy.artists)",
        "CREATE RULE r AS ON DELETE TO tf_copy.artists DO NOTHING",
        "INSERT INTO tf_copy.artists VALUES (9, 'there')",
    ],
)
async def test_what_makes_a_load_staged(connection, obstacle, load, artists):
    await connection.execute(obstacle)
    stats = await load(connection, "artists", artists)
    assert (stats.way, stats.inserted) == ("staged", 3)


async def test_a_partitioned_table(connection, load, frame):
    await connection.execute("""
        CREATE TABLE tf_copy.parts (id int PRIMARY KEY, v text) PARTITION BY HASH (id);
        CREATE TABLE tf_copy.parts_0 PARTITION OF tf_copy.parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE tf_copy.parts_1 PARTITION OF tf_copy.parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    """)
    rows = frame(id=[1, 2, 3], v=["a", "b", "c"])
    assert (await load(connection, "parts", rows)).inserted == 3
    stats = await load(connection, "parts", frame(id=[3, 4], v=["d", "e"]))
    assert (stats.way, stats.updated, stats.inserted) == ("staged", 1, 1)
    assert (await load(connection, "parts_0", rows.slice(0, 0))).way == "staged"


async def test_the_policy_of_a_shared_table_checks_every_row(connection, load, fetch, frame):
    await connection.execute("""
        CREATE ROLE tf_copy_app; GRANT USAGE ON SCHEMA tf_copy TO tf_copy_app;
        CREATE TABLE tf_copy.shared (tenant text NOT NULL DEFAULT current_setting('tf.tenant'), id int, v text, PRIMARY KEY (tenant, id));
        INSERT INTO tf_copy.shared VALUES ('other', 1, 'theirs');
        ALTER TABLE tf_copy.shared ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON tf_copy.shared USING (tenant = current_setting('tf.tenant')) WITH CHECK (tenant = current_setting('tf.tenant'));
        GRANT SELECT, INSERT, UPDATE ON tf_copy.shared TO tf_copy_app;
        SET LOCAL tf.tenant = 'me'; SET LOCAL ROLE tf_copy_app;
    """)
    stats = await load(connection, "shared", frame(id=[1, 2], v=["a", "b"]))
    assert (stats.way, stats.inserted) == ("staged", 2)
    stats = await load(connection, "shared", frame(id=[1, 2], v=["a", "c"]))
    assert (stats.updated, stats.unchanged) == (1, 1)
    await connection.execute("RESET ROLE")
    assert await fetch(connection, "SELECT tenant, id, v FROM tf_copy.shared ORDER BY 1, 2") == [
        ("me", 1, "a"),
        ("me", 2, "c"),
        ("other", 1, "theirs"),
    ]


async def test_a_role_that_is_not_the_owner(connection, load, fetch, artists, many_tracks):
    await connection.execute("""
        CREATE ROLE tf_copy_app; GRANT USAGE ON SCHEMA tf_copy TO tf_copy_app;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA tf_copy TO tf_copy_app; SET LOCAL ROLE tf_copy_app;
    """)

    class Owner:
        async def __aenter__(self):
            await connection.execute("RESET ROLE")

        async def __aexit__(self, *error):
            if error[0] is None:
                await connection.execute("SET LOCAL ROLE tf_copy_app")

    assert (await load(connection, "artists", artists)).way == "staged"
    stats = await load(connection, "tracks", many_tracks, as_owner=Owner)
    assert (stats.way, stats.inserted) == ("direct", 3000)
    assert await fetch(connection, "SELECT current_user") == [("tf_copy_app",)]


# --- numbers that go on -------------------------------------------------------------------------------------------------


async def test_sequences_move_past_what_was_written_and_never_back(connection, late, load, fetch, frame, artists):
    await load(connection, "artists", artists)
    await load(connection, "tracks", frame(id=[1]))
    rows = frame(id=(pa.int64(), [5, 70, 6]), track=[1, 1, 1], n=[3, 2, 1])
    stats = await load(connection, "plays", rows, late_indexes=late)
    assert stats.inserted == 3
    following = "INSERT INTO tf_copy.plays (track) VALUES (1) RETURNING id, n"
    assert await fetch(connection, following) == [(71, 4)]
    await connection.execute("DELETE FROM tf_copy.plays")
    await load(connection, "plays", frame(id=(pa.int64(), [9]), track=[1], n=[2]), late_indexes=late)
    assert await fetch(connection, following) == [(72, 5)]


async def test_statistics_are_fresh(connection, load, fetch, artists, many_tracks):
    await load(connection, "artists", artists)
    await load(connection, "tracks", many_tracks)
    assert await fetch(connection, "SELECT reltuples::int FROM pg_class WHERE oid = 'tf_copy.tracks'::regclass") == [(3000,)]


async def test_statistics_are_renewed_when_many_rows_changed(connection, load, fetch, frame):
    counted = []
    for numbers in (range(3), range(3, 4), range(4, 64)):
        rows = frame(id=list(numbers), name=[f"name {number}" for number in numbers])
        await load(connection, "artists", rows, late_indexes=False)
        counted += await fetch(connection, "SELECT reltuples FROM pg_class WHERE oid = 'tf_copy.artists'::regclass")
    assert counted == [(3,), (3,), (64,)]
