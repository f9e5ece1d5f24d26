"""Casts against PostgreSQL's own input functions: the same value or a reject, and what only we reject is on a short list.

Every value travels as it will: as Arrow, encoded by pgpq, through COPY BINARY into a column of its type.
"""

from __future__ import annotations

import json
import os
import re
from decimal import Decimal, InvalidOperation

import polars as pl
import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pgpq import ArrowToPostgresBinaryEncoder, encoders
from pgpq.schema import Jsonb
from psycopg import sql

from tenancy_fixtures._ingest.types import cast_for
from tenancy_fixtures._shapes import ColumnType

SETUP = """
SET timezone = 'UTC';
CREATE TYPE pg_temp.mood AS ENUM ('sad', 'ok', 'très content');
CREATE FUNCTION pg_temp.accepted(texts text[], target text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE result text[] := '{}'; item text; value text;
BEGIN
    FOREACH item IN ARRAY texts LOOP
        BEGIN
            EXECUTE format('INSERT INTO %s VALUES (%L) RETURNING v::text', target, item) INTO value;
            result := result || value;
        EXCEPTION WHEN OTHERS THEN
            result := result || NULL::text;
        END;
    END LOOP;
    RETURN result;
END $$;
"""

TYPES = {
    "int2": ColumnType("int2", "smallint", "N"),
    "int4": ColumnType("int4", "integer", "N"),
    "int8": ColumnType("int8", "bigint", "N"),
    "float4": ColumnType("float4", "real", "N"),
    "float8": ColumnType("float8", "double precision", "N"),
    "numeric": ColumnType("numeric", "numeric", "N"),
    "numeric_7_2": ColumnType("numeric", "numeric(7,2)", "N", precision=7, scale=2),
    "numeric_3_5": ColumnType("numeric", "numeric(3,5)", "N", precision=3, scale=5),
    "numeric_4_minus2": ColumnType("numeric", "numeric(4,-2)", "N", precision=4, scale=-2),
    "bool": ColumnType("bool", "boolean", "B"),
    "text": ColumnType("text", "text", "S"),
    "varchar_3": ColumnType("varchar", "character varying(3)", "S", length=3),
    "bpchar_3": ColumnType("bpchar", "character(3)", "S", length=3),
    "name": ColumnType("name", "name", "S"),
    "date": ColumnType("date", "date", "D"),
    "timestamp": ColumnType("timestamp", "timestamp without time zone", "D"),
    "timestamp_3": ColumnType("timestamp", "timestamp(3) without time zone", "D"),
    "timestamptz": ColumnType("timestamptz", "timestamp with time zone", "D"),
    "timestamptz_0": ColumnType("timestamptz", "timestamp(0) with time zone", "D"),
    "time": ColumnType("time", "time without time zone", "D"),
    "time_2": ColumnType("time", "time(2) without time zone", "D", precision=2),
    "uuid": ColumnType("uuid", "uuid"),
    "json": ColumnType("json", "json"),
    "jsonb": ColumnType("jsonb", "jsonb"),
    "bytea": ColumnType("bytea", "bytea"),
    "enum": ColumnType("mood", "pg_temp.mood", "E", labels=("sad", "ok", "très content")),
}

ENCODERS = {
    pa.int16(): "Int16EncoderBuilder",
    pa.int32(): "Int32EncoderBuilder",
    pa.int64(): "Int64EncoderBuilder",
    pa.float32(): "Float32EncoderBuilder",
    pa.float64(): "Float64EncoderBuilder",
    pa.bool_(): "BooleanEncoderBuilder",
    pa.date32(): "Date32EncoderBuilder",
    pa.time64("us"): "Time64MicrosecondEncoderBuilder",
    pa.large_string(): "LargeStringEncoderBuilder",
    pa.large_binary(): "LargeBinaryEncoderBuilder",
    pa.timestamp("us"): "TimestampMicrosecondEncoderBuilder",
    pa.timestamp("us", "UTC"): "TimestampMicrosecondEncoderBuilder",
}

EXAMPLES = int(os.environ.get("INGEST_TEST_EXAMPLES", "10"))  # lists of texts for each type

BLANK = st.sampled_from(["", "", "", " ", "\t", "\n ", "\x0b", "\xa0"])
ANYTHING = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


def shaped(*patterns: str) -> st.SearchStrategy[str]:
    """Texts of these shapes, sometimes between blanks, and now and then anything."""
    body = st.one_of([st.from_regex(rf"\A(?:{pattern})\Z", alphabet=st.characters(codec="ascii")) for pattern in patterns])
    return st.one_of(st.builds("".join, st.tuples(BLANK, body, BLANK)), body, body, ANYTHING)


NUMBERS = shaped(
    r"[+-]?[0-9]{1,6}",
    r"[+-]?[0-9]{1,5}\.[0-9]{0,4}",
    r"[+-]?\.?[0-9]{0,3}(\.0*)?([eE][+-]?[0-9]{1,3})?",
    r"[+-]?0*[0-9]{1,3}[eE][+-]?[0-9]{1,2}",
    r"[+-]?[0-9]{1,4}00(\.0)?",
    r"[+-]?[0-9]{17,21}",
    r"[0-9_]{1,4}|0x[0-9a-f]{1,3}",
) | st.sampled_from(
    [
        *[
            "NaN",
            "nan",
            "-nan",
            "inf",
            "-Infinity",
            "+infinity",
            "infinit",
            "32767",
            "-32768",
            "32768",
            "2147483648",
            "9223372036854775807",
            "-9223372036854775808",
            "4.0",
            "1e",
            "+",
            ".",
            "-0",
        ],
        *["9223372036854775808", "1e308", "1.8e308", "1e-323", "1e-324", "3.4028235e38", "3.5e38", "1e-45", "1e-46", "0e999", "1e131071", "1e131072"],
        *["0e-16383", "0e-16384", "10e-16384", "1.00e-16382", "0e1073741822", "0e1073741823", "0e99999999999"],
        *(
            "0." + "0" * 16384,
            "0.1" + "0" * 16384,
            "0." + "0" * 16382 + "1",
            "0." + "0" * 16383 + "1",
            "9" * 40,
            "1.00000017881393432617187499",
            "\u0665",
        ),
    ]
)
DAY = r"(00|19|20|99)[0-9]{2}-(0[0-9]|1[0-2])-([012][0-9]|3[01])"
TIME = r"[0-2][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{0,8})?)?"
ZONE = r"( ?([Zz]|[+-][01][0-9](:?[0-6][0-9])?(:[0-9]{2})?))?"
MOMENTS = shaped(
    DAY, rf"{DAY}[Tt ]{TIME}{ZONE}", rf"2024-02-(28|29|30)T{TIME}{ZONE}", r"2020-[0-9]{1,2}-[0-9]{1,2}", r"20[0-9]{6}"
) | st.sampled_from(
    [
        "0001-01-01",
        "9999-12-31",
        "0000-01-01",
        "infinity",
        "epoch",
        "now",
        "2020-01-01 24:00:00",
        "2020-01-01 23:59:60",
        "1969-12-31T23:59:59.999999Z",
        "1999-12-31 23:59:59.000001",
        "0001-01-01 00:00:00+15:59",
        "9999-12-31 23:59:59.999999-15:59",
        "2020-01-01 00:00+16",
        "Jan 1 2020",
        "2020-01-01 00:00 BC",
        "2020-01-01T00:00:00.1230000000Z",
    ]
)
HEX = "[0-9a-fA-F]"


def nested(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)


DOCUMENTS = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4), nested, max_leaves=6)
JSONS = (
    st.builds(lambda value, ascii_only: json.dumps(value, ensure_ascii=ascii_only), DOCUMENTS, st.booleans())
    | shaped(
        r'"(\\u[dD][89abcdefABCDEF][0-9a-f]{2}|\\u00[0-9]{2}|\\[\\nu"x]|a){0,4}"',
        r"-?[0-9]{1,3}(\.[0-9]*)?([eE][+-]?[0-9]{0,6})?",
        r"-?0(\.0{0,3})?[eE]-?[0-9]{5,6}",
        r"[\[\]{},:1\"a ]{1,6}",
    )
    | st.sampled_from(
        [
            "",
            " ",
            "[1,]",
            "{'a':1}",
            '{"a":1,"a":2}',
            "NaN",
            "-Infinity",
            "01",
            "1.",
            "tru",
            "\ufeff1",
            '"\t"',
            '"\x7f"',
            "\x0b1",
            "[" * 100 + "]" * 100,
        ]
    )
)

CELLS = {
    **dict.fromkeys(["int2", "int4", "int8", "float4", "float8", "numeric", "numeric_7_2", "numeric_3_5", "numeric_4_minus2"], NUMBERS),
    "bool": shaped("[tTfFyYnN01oO][a-zA-Z]{0,4}", "on|off|of|TRUE|yes|no|2"),
    **dict.fromkeys(["text", "name"], ANYTHING | st.text("aé ", max_size=70)),
    **dict.fromkeys(["varchar_3", "bpchar_3"], st.text("aé \u3000\t", max_size=6)),
    **dict.fromkeys(["date", "timestamp", "timestamp_3", "timestamptz", "timestamptz_0"], MOMENTS),
    **dict.fromkeys(
        ["time", "time_2"], shaped(rf"{TIME}{ZONE}", TIME, r"[0-9]{1,2}:[0-9]{2}( ?[AaPp][Mm])?", rf"{DAY} {TIME}", r"24:00(:00)?|23:59:60")
    ),
    "uuid": shaped(rf"\{{?{HEX}{{8}}-?({HEX}{{4}}-?){{3}}{HEX}{{12}}\}}?", rf"{HEX}{{4}}(-?{HEX}{{4}}){{7}}", f"{HEX}{{30,34}}"),
    **dict.fromkeys(["json", "jsonb"], JSONS.filter(lambda text: "\0" not in text and not re.search("[\ud800-\udfff]", text))),
    "bytea": shaped(rf"\\x({HEX}{{2}}){{0,4}}", rf"\\x{HEX}{{1,3}}( {HEX})?", r"[a-c\\]{0,4}"),
    "enum": ANYTHING | st.sampled_from(["sad", "ok", "très content", "SAD", " ok"]),
}


@pytest.fixture(scope="module")
def connection():
    with psycopg.connect(os.environ.get("TENANCY_TEST_DATABASE_URL", "postgresql://root@127.0.0.1:5432/test"), autocommit=True) as connection:
        connection.execute(SETUP)
        for name, column in TYPES.items():
            connection.execute(f"CREATE TEMP TABLE {name}_theirs (v {column.declared})")
            connection.execute(f"CREATE TEMP TABLE {name}_ours (v {column.declared})")
        yield connection


def theirs(connection, name, texts):
    """What PostgreSQL makes of each text, as text; None where it refuses it."""
    return connection.execute("SELECT pg_temp.accepted(%s::text[], %s)", [texts, f"pg_temp.{name}_theirs"]).fetchone()[0]


def ours(connection, name, texts):
    """What a column holds after our cast, pgpq and COPY, as text; None where we reject."""
    cast = cast_for(TYPES[name])
    column = cast.convert(pl.Series(texts, dtype=pl.String)).to_arrow()
    if cast.as_text:
        query = sql.SQL("SELECT array_agg(t::{}::text ORDER BY n) FROM unnest(%s::text[]) WITH ORDINALITY AS u (t, n)").format(
            sql.SQL(TYPES[name].declared)
        )
        return connection.execute(query, [column.to_pylist()]).fetchone()[0]
    copy_binary(connection, f"{name}_ours", TYPES[name], column.cast(cast.arrow))
    found = [row[0] for row in connection.execute(f"SELECT v::text FROM {name}_ours ORDER BY ctid")]
    connection.execute(f"TRUNCATE {name}_ours")
    return found


def copy_binary(connection, table, column_type, column):
    schema = pa.schema([("v", column.type)])
    builder = getattr(encoders, ENCODERS[column.type])
    encoder = builder.new_with_output(schema.field(0), Jsonb()) if column_type.name == "jsonb" else builder(schema.field(0))
    writer = ArrowToPostgresBinaryEncoder.new_with_encoders(schema, {"v": encoder})
    content = writer.write_header() + writer.write_batch(pa.record_batch([column], schema=schema)) + writer.finish()
    with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copy:
        copy.write(content)


def refused_on_purpose(name: str, text: str) -> bool:  # noqa: PLR0911  # a list, type by type
    """The list of the module's docstring, said once more and independently."""
    column, text = TYPES[name], text if name in ("varchar_3", "name", "bytea") else text.strip(" \t\n\r\x0b\x0c")
    if column.name.startswith("float"):
        return bool(re.match(r"[+-]?(0x|nan\()", text.lower()))
    if re.fullmatch(r"[+-]?(0[xXoObB][0-9a-fA-F_]+|[0-9_.]+_[0-9_.eE+-]*)", text) and TYPES[name].category == "N":
        return True  # since PostgreSQL 16
    if column.name == "numeric":
        # Newer versions of PostgreSQL take one exponent more, of a zero.
        return rounded(text, column.scale) or bool(re.search(r"[eE]\+?0*1073741823$", text))
    if column.name == "time":
        match = re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.(\d*))?)?", text, re.ASCII)
        return match is None or len((match[4] or "").rstrip("0")) > (column.precision or 6)
    if column.name in ("date", "timestamp", "timestamptz"):
        return not is_plain_moment(column, text)
    if column.name == "varchar":
        return len(text) > 3 and len(text.rstrip(" ")) <= 3
    if column.name == "name":
        return len(text.encode()) > 63
    if column.name == "bytea":
        return not re.fullmatch(r"\\x([0-9a-fA-F]{2})*", text)
    return column.name == "jsonb" and bool(re.search(r"[eE][+-]?[0-9]{5}", text))


def rounded(text: str, scale: int | None) -> bool:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return False
    places = 16383 if scale is None else scale
    return number.is_finite() and bool(number) and number.normalize().as_tuple().exponent < -places


def is_plain_moment(column: ColumnType, text: str) -> bool:
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)([Tt ](\d\d):\d\d(:(\d\d)(\.(\d*))?)?( ?([Zz]|[+-]\d\d(:?\d\d)?))?)?", text, re.ASCII)
    if match is None or (column.name == "date" and match[2]):
        return False
    digits = 6 if "(" not in column.declared else int(column.declared[10])
    foreign = column.name == "timestamp" and bool(re.search(r"[1-9]", (match[9] or "").lstrip("+-")))
    return match[3] != "24" and match[5] != "60" and len((match[7] or "").rstrip("0")) <= digits and not foreign


@pytest.mark.parametrize("name", TYPES)
def test_the_same_value_or_a_reject(connection, name):
    seen = {"both": 0, "neither": 0}

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.lists(CELLS[name], min_size=15, max_size=60))
    def compare(texts):
        for text, wanted, found in zip(texts, theirs(connection, name, texts), ours(connection, name, texts)):
            if found is None:
                assert wanted is None or refused_on_purpose(name, text), f"{text!r}: PostgreSQL has {wanted!r}, we reject"
                seen["neither"] += wanted is None
            else:
                assert found == wanted, f"{text!r}: PostgreSQL has {wanted!r}, we have {found!r}"
                seen["both"] += 1

    compare()
    connection.execute(f"TRUNCATE {name}_theirs")
    assert seen["both"] > EXAMPLES  # else the texts are not of the shapes that matter
    assert seen["neither"] > EXAMPLES or name in ("text", "name")


@pytest.mark.parametrize("name", ["numeric_7_2", "numeric_3_5", "numeric_4_minus2"])
def test_numeric_keeps_every_digit(connection, name):
    @settings(max_examples=40, deadline=None, database=None)
    @given(st.lists(NUMBERS, min_size=1, max_size=40))
    def compare(texts):
        kept = [text for text in cast_for(TYPES[name]).convert(pl.Series(texts, dtype=pl.String)).to_list() if text is not None]
        query = f"SELECT coalesce(bool_and(t::numeric = t::{TYPES[name].declared}), true) FROM unnest(%s::text[]) t"
        assert connection.execute(query, [kept]).fetchone()[0]

    compare()


@pytest.mark.parametrize("declared", ["interval", "inet", "integer[]", "time with time zone", "point"])
def test_unknown_types_travel_as_text(declared):
    cast = cast_for(ColumnType("timetz" if declared.startswith("time") else declared, declared))
    assert (cast.as_text, cast.convert(pl.Series(["any"])).to_list()) == (True, ["any"])
