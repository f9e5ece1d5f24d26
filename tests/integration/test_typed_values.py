"""Values that come with a type: as PostgreSQL prints them, in every type of column the same value or null, never another."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import struct
import uuid
from decimal import Decimal

import polars as pl
import psycopg
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenancy_fixtures._ingest.texts import as_json, as_text, micros
from tenancy_fixtures._ingest.types import cast_for
from tenancy_fixtures._shapes import ColumnType

LONG = st.integers(-(2**63), 2**63 - 1)
DAY = 86_400_000_000
FIRST, LAST = -62_135_596_800_000_000, 253_402_300_799_999_999  # the moments of four-digit years


@pytest.fixture(scope="module")
def ask():
    """The single column of a query, as a list."""
    with psycopg.connect(os.environ.get("TENANCY_TEST_DATABASE_URL", "postgresql://root@127.0.0.1:5432/test"), autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'")
        yield lambda query, *values: [row[0] for row in connection.execute(query, values).fetchall()]


def lists(values):
    return given(st.lists(values, min_size=1, max_size=60))


quick = settings(max_examples=25, deadline=None, database=None)

# --- as text ------------------------------------------------------------------------------------------------------------

SCALES = st.builds(lambda digits, exponent: float(f"{digits}e{exponent}"), st.integers(-(10**17), 10**17), st.integers(-40, 40))


def test_doubles_as_postgresql_prints_them(ask):
    @quick
    @lists(st.floats() | SCALES | st.integers(-(10**16), 10**16).map(float))
    def compare(values):
        theirs = ask("SELECT unnest(%s::text[])::float8::text", [repr(value) for value in values])
        for value, our, their in zip(values, as_text(pl.Series(values, dtype=pl.Float64)).to_list(), theirs):
            # The shortest digits that give the number back; PostgreSQL takes one more where they lie at the very edge.
            assert our == their or (len(our) <= len(their) and float(our) == float(their) == value), value

    compare()


def test_reals_as_postgresql_prints_them(ask):
    @quick
    @lists(st.floats(width=32) | st.integers(-(10**8), 10**8).map(float))
    def compare(values):
        values = pl.Series(values, dtype=pl.Float64).cast(pl.Float32)
        theirs = ask("SELECT unnest(%s::text[])::float4::text", [repr(value) for value in values.to_list()])
        for value, our, their in zip(values.to_list(), as_text(values).to_list(), theirs):
            assert our == their or (len(our) <= len(their) and struct.pack("f", float(our)) == struct.pack("f", value)), value

    compare()


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Paris"])
def test_moments_as_postgresql_prints_them(ask, unit, zone):
    per_micro = {"ms": 1000, "us": 1, "ns": 1}[unit]
    most = 2**63 // 1000 if unit == "ns" else LAST

    @quick
    @lists(st.integers(max(FIRST, -most), min(LAST, most)))
    def compare(moments):
        moments = [moment // per_micro * per_micro for moment in moments]
        stored = [moment * 1000 if unit == "ns" else moment // per_micro for moment in moments]
        query = "SELECT (timestamp '1970-01-01' + d * interval '1 day' + u * interval '1 us')::{} FROM unnest(%s::int8[], %s::int8[]) AS t (d, u)"
        query = query.format("text" if zone is None else "timestamptz::text")
        theirs = ask(query, [moment // DAY for moment in moments], [moment % DAY for moment in moments])
        assert as_text(pl.Series(stored, dtype=pl.Int64).cast(pl.Datetime(unit, zone))).to_list() == theirs

    compare()


def test_dates_times_and_durations_as_postgresql_prints_them(ask):
    @quick
    @lists(st.tuples(st.dates(), st.integers(0, DAY - 1), st.integers(-(2**53), 2**53)))
    def compare(rows):
        dates, times, durations = map(list, zip(*rows))
        assert as_text(pl.Series(dates)).to_list() == [str(value) for value in dates]
        clock = pl.Series([value * 1000 for value in times], dtype=pl.Int64).cast(pl.Time)
        assert as_text(clock).to_list() == ask("SELECT (time '00:00' + unnest(%s::int8[]) * interval '1 us')::text", times)
        spans = as_text(pl.Series(durations, dtype=pl.Int64).cast(pl.Duration("us"))).to_list()
        assert spans == ask("SELECT unnest(%s::text[])::interval::text", [f"{value} microseconds" for value in durations])

    compare()


def test_what_has_no_text_that_is_the_same():
    def lost(values):
        return as_text(values).is_null().to_list()

    whole = pl.Series([1_000, 1_001, -1, None])
    assert lost(whole.cast(pl.Datetime("ns"))) == lost(whole.cast(pl.Duration("ns"))) == [False, True, True, True]
    assert lost(pl.Series([1_000, 1_001]).cast(pl.Time)) == [False, True]
    assert lost(pl.Series([2**63 - 1, 0, FIRST - 1, LAST + 1]).cast(pl.Datetime("us"))) == [True, False, True, True]
    assert lost(pl.Series([2**63 - 1, 0]).cast(pl.Datetime("ms", "UTC"))) == [True, False]
    assert lost(pl.Series([2**31 - 1, 0, -800_000], dtype=pl.Int32).cast(pl.Date)) == [True, False, True]
    assert lost(pl.Series([b"a\xff", b"a", b"\0"])) == [True, False, True]
    assert lost(pl.Series([[1.0], [float("nan")], []])) == [False, True, False]
    assert micros(pl.Series([2**62, 5]).cast(pl.Duration("ms"))).to_list() == [None, 5000]


INNER = st.one_of(st.none(), st.text(max_size=5), st.sampled_from(['"', "\\", "\n", "{", ",", "NULL", "", "é"]))


@quick
@lists(
    st.none()
    | st.fixed_dictionaries(
        {"a": INNER, 'q"': st.lists(INNER, max_size=3) | st.none(), "n": LONG | st.none(), "f": st.floats(allow_nan=False, allow_infinity=False)}
    )
)
def test_structs_as_json(rows):
    kind = pl.Struct({"a": pl.String, 'q"': pl.List(pl.String), "n": pl.Int64, "f": pl.Float64})
    values = pl.Series(rows, dtype=kind)
    found = as_json(values).to_list()
    assert [text and json.loads(text) for text in found] == rows


def test_exact_values_inside_json():
    at = dt.datetime(2020, 1, 2, 3, 4, 5, 6, dt.timezone.utc)
    row = {"d": Decimal("12345678901234567890.10"), "at": at, "on": dt.date(2020, 1, 2), "by": [True, None], "s": {"x": 2**63 - 1}}
    table = pa.table(
        {
            "v": pa.array(
                [row],
                pa.struct(
                    [
                        ("d", pa.decimal128(30, 2)),
                        ("at", pa.timestamp("us", "UTC")),
                        ("on", pa.date32()),
                        ("by", pa.list_(pa.bool_())),
                        ("s", pa.struct([("x", pa.int64())])),
                    ]
                ),
            )
        }
    )
    rows = pl.DataFrame(table)["v"]
    expected = (
        '{"d":12345678901234567890.10,"at":"2020-01-02T03:04:05.000006+00:00","on":"2020-01-02","by":[true,null],"s":{"x":9223372036854775807}}'
    )
    assert as_json(rows).to_list() == [expected]


# --- into columns -------------------------------------------------------------------------------------------------------


def cast(name, declared=None, **facts):
    return cast_for(ColumnType(name, declared or name, **facts))


INTEGERS = {pl.Int8: 7, pl.Int16: 15, pl.Int32: 31, pl.Int64: 63, pl.UInt8: 8, pl.UInt16: 16, pl.UInt32: 32, pl.UInt64: 64}


@pytest.mark.parametrize("name", ["int2", "int4", "int8", "float4", "float8", "numeric", "text"])
@pytest.mark.parametrize("kind", INTEGERS, ids=str)
def test_whole_numbers_are_the_same_or_nothing(name, kind):
    bits = INTEGERS[kind]
    low = 0 if kind.is_unsigned_integer() else -(2**bits)

    @quick
    @lists(st.none() | st.integers(low, 2**bits - 1) | st.sampled_from([low, 2**bits - 1]))
    def compare(values):
        for value, found in zip(values, cast(name).convert_typed(pl.Series(values, dtype=kind)).to_list()):
            limit = {"int2": 15, "int4": 31, "int8": 63}.get(name)
            if value is None or (limit is not None and not -(2**limit) <= value < 2**limit):
                assert found is None
            elif name.startswith("float"):
                exact = struct.unpack("f", struct.pack("f", value))[0] == value if name == "float4" else float(value) == value
                assert found == (value if exact else None)
            else:
                assert int(found) == value

    compare()


@quick
@lists(st.none() | st.floats() | st.integers(-(2**64), 2**64).map(float))
def test_doubles_are_the_same_or_nothing(values):
    series = pl.Series(values, dtype=pl.Float64)
    for value, whole, real, text in zip(values, *(cast(name).convert_typed(series).to_list() for name in ("int8", "float4", "numeric"))):
        fits = value is not None and math.isfinite(value) and value == int(value) and -(2**63) <= value < 2**63
        assert whole == (int(value) if fits else None)
        assert text is None or Decimal(text).is_nan() or float(text) == value
        if value is not None and math.isfinite(value) and real is not None:
            assert real == struct.unpack("f", struct.pack("f", value))[0]
        elif value is not None and math.isfinite(value):
            assert abs(value) > 3.4e38 or 0 < abs(value) < 1e-44


@pytest.mark.parametrize("digits", [0, 3, 6])
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_moments_are_the_same_or_nothing(digits, unit, zone):
    name, step = ("timestamptz" if zone else "timestamp"), 10 ** (6 - digits)

    @quick
    @lists(st.none() | LONG | st.integers(-(10**10), 10**10).map(lambda value: value * 1_000_000))
    def compare(values):
        found = cast(name, precision=digits).convert_typed(pl.Series(values, dtype=pl.Int64).cast(pl.Datetime(unit, zone))).to_physical().to_list()
        for value, moment in zip(values, found):
            exact = None if value is None else value * 1000 if unit == "ms" else value // 1000 if unit == "ns" else value
            sound = exact is not None and (unit != "ns" or value % 1000 == 0) and exact % step == 0 and -210_866_803_200_000_000 <= exact < 2**63
            assert moment == (exact if sound else None)

    compare()


def test_moments_of_another_zone():
    winter, summer = dt.datetime(2020, 1, 1, 12, tzinfo=dt.timezone.utc), dt.datetime(2020, 7, 1, 12, tzinfo=dt.timezone.utc)
    values = pl.Series([winter, summer, None]).dt.convert_time_zone("Europe/London")
    assert cast("timestamptz").convert_typed(values).to_list() == [winter, summer, None]
    # As with text: what PostgreSQL would drop must be nothing.
    assert cast("timestamp").convert_typed(values).to_list() == [winter.replace(tzinfo=None), None, None]
    assert cast("date").convert_typed(values.dt.truncate("1d")).to_list() == [dt.date(2020, 1, 1), None, None]


LISTS = {
    "int4[]": (st.integers(-(2**31), 2**31 - 1), pl.Int64),
    "text[]": (INNER.filter(lambda value: value is not None), pl.String),
    "float8[]": (st.floats(allow_nan=False), pl.Float64),
    "boolean[]": (st.booleans(), pl.Boolean),
    "uuid[]": (st.uuids().map(lambda value: value.bytes), pl.Binary),
    "bytea[]": (st.binary(max_size=4), pl.Binary),
    "date[]": (st.dates(), pl.Date),
    "timestamptz[]": (st.datetimes(timezones=st.just(dt.timezone.utc)), pl.Datetime("us", "UTC")),
}
ELEMENTS = {"int4[]": "int4", "boolean[]": "bool"}


@pytest.mark.parametrize("declared", LISTS)
def test_lists_are_the_same_arrays(ask, declared):
    values, kind = LISTS[declared]
    column = cast(f"_{declared[:-2]}", declared, category="A", element=ELEMENTS.get(declared, declared[:-2]))

    @quick
    @lists(st.none() | st.lists(st.none() | values.filter(lambda value: value not in ("\0", b"\0") and "\0" not in str(value)), max_size=4))
    def compare(rows):
        texts = column.convert_typed(pl.Series(rows, dtype=pl.List(kind))).to_list()
        found = ask(f"SELECT unnest(%s::text[])::{declared}::text::{declared}", texts)
        wanted = [row if row is None or declared != "uuid[]" else [item and uuid.UUID(bytes=item) for item in row] for row in rows]
        assert found == wanted

    compare()


def test_lists_that_no_array_is():
    def found(declared, element, rows, kind):
        return cast(f"_{element}", declared, category="A", element=element).convert_typed(pl.Series(rows, dtype=kind)).to_list()

    deep = pl.List(pl.List(pl.Int64))
    assert found("int4[]", "int4", [[[1, 2], [3, None]], [[1], []], [[1], None], [], [[2**31]]], deep) == [
        '{{"1","2"},{"3",NULL}}',
        None,
        None,
        "{}",
        None,
    ]
    assert found("numeric(3,1)[]", "numeric", [[1.5], [1.25], [100.0]], pl.List(pl.Float64)) == ['{"1.5"}', None, None]
    assert found("character varying(2)[]", "varchar", [["ab"], ["abc"], ["a "]], pl.List(pl.String)) == ['{"ab"}', None, '{"a "}']
    assert found("timestamp(0) without time zone[]", "timestamp", [[0, 1_000_000], [1]], pl.List(pl.Datetime("us"))) == [
        '{"1970-01-01 00:00:00","1970-01-01 00:00:01"}',
        None,
    ]


@pytest.mark.parametrize(
    ("declared", "texts", "expected"),
    [
        ("int4[]", ["[1, 2.0, null, 3e1]", "[1.5]", "[]", '["7"]', "{4,5}"], ['{"1","2",NULL,"30"}', None, "{}", '{"7"}', "{4,5}"]),
        ("text[]", ['["a\\"b", "c\\\\d", null, 1, true]', '["\\u0000"]', "[1", "x"], ['{"a\\"b","c\\\\d",NULL,"1","true"}', None, None, "x"]),
        ("jsonb[]", ['[{"a": 1.50}, [1]]', '[{"a": 1.50}]'], [None, '{"{\\"a\\":1.50}"}']),
        ("int4[]", ["[[1, 2], [3, 4]]", "[[1], []]", "[[1], 2]"], ['{{"1","2"},{"3","4"}}', None, None]),
    ],
)
def test_arrays_of_json(declared, texts, expected):
    element, values = ELEMENTS.get(declared, declared[:-2]), pl.Series(texts)
    assert cast(f"_{element}", declared, category="A", element=element).read(values, json=True).to_list() == expected
    assert values.to_list() == texts, "who compares what came with what was made of it must find the difference"


@pytest.mark.parametrize("json", [False, True])
@pytest.mark.parametrize(
    "name", ["int2", "int4", "int8", "numeric", "float4", "float8", "bool", "text", "bpchar", "date", "time", "timestamptz", "uuid", "jsonb"]
)
def test_a_cast_leaves_its_values_alone(name, json):
    texts = ["1", " 1 ", "1e400", "1e-400", "85.0", "x", "[1]", '["x"]', "2020-02-30", "2020-01-01", "{}", "\\x00", "true", "", None]
    for made in (cast(name, name), cast(f"_{name}", f"{name}[]", category="A", element=name)):
        values = pl.Series(texts)
        made.read(values, json=json)
        assert values.to_list() == texts
