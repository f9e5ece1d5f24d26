"""Parquet and Arrow into frames: the same values whatever the writer, and a clean error for what is damaged."""

from __future__ import annotations

import random
import struct
import uuid
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from tenancy_fixtures._ingest import open_sources, read_dataset
from tenancy_fixtures._ingest.readers import Field, open_reader
from tenancy_fixtures._pack_models import Dataset, Source
from tenancy_fixtures._shapes import Column, ColumnType, Table
from tenancy_fixtures.exceptions import SourceEmpty, SourceError, SourceMalformed

UTC = timezone.utc


def naive(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)


PARIS = "Europe/Paris"


def written(path: Path, table: pa.Table, kind: str) -> Path:
    if kind == "parquet":
        pq.write_table(table, path)
    elif kind == "feather":
        pa.feather.write_feather(table, str(path))
    else:
        with path.open("wb") as file:
            make = pa.ipc.new_file if kind == "arrow file" else pa.ipc.new_stream
            with make(file, table.schema) as writer:
                writer.write_table(table)
    return path


def rows_of(path: Path, *names: str):
    reader = open_reader(open_sources(path)[0], Source(path="x"), {name: Field() for name in names})
    frames = list(reader.frames())
    rows = {n: dict(zip(reader.header, cells)) for frame in frames for n, cells in zip(frame.numbers, frame.cells.iter_rows())}
    return reader.header, rows, [reject for frame in frames for reject in frame.rejects]


@pytest.mark.parametrize("kind", ["parquet", "arrow file", "arrow stream", "feather"])
def test_wanted_columns_and_others(tmp_path, kind):
    table = pa.table({"a": [1, None, 3], "z.z": ["x", "y", None], "s": [{"k": {"d": 1}}, None, {"k": None}], "more": [1.5, 2.5, None]})
    header, rows, rejects = rows_of(written(tmp_path / "x", table, kind), "a", "s.k.d", "z.z", "absent")
    assert header == ("a", "s.k.d", "z.z", "more")
    assert [tuple(row.values())[:3] for row in rows.values()] == [(1, 1, "x"), (None, None, "y"), (3, None, None)]
    assert (list(rows), rejects) == ([1, 2, 3], [])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"row_group_size": 7},
        {"version": "1.0", "use_dictionary": False},
        {"data_page_version": "2.0", "compression": "zstd"},
        {"use_deprecated_int96_timestamps": True},
        {"compression": "brotli"},
        {"store_schema": False},
    ],
)
def test_whatever_the_writer_chose(tmp_path, options):
    many = list(range(100))
    table = pa.table(
        {
            "n": many,
            "t": [f"é{number}" for number in many],
            "at": pa.array([naive(2020, 1, 1) + timedelta(hours=n) for n in many], pa.timestamp("us")),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet", **options)
    _, rows, _ = rows_of(tmp_path / "x.parquet", "n", "t", "at")
    assert [(row["n"], row["t"], row["at"]) for row in rows.values()] == [(n, f"é{n}", naive(2020, 1, 1) + timedelta(hours=n)) for n in many]


def test_a_frame_of_polars(tmp_path):
    pl.DataFrame({"a": [1, 2], "c": pl.Series(["x", "y"], dtype=pl.Categorical)}).write_parquet(tmp_path / "x.parquet")
    _, rows, _ = rows_of(tmp_path / "x.parquet", "a", "c")
    assert rows == {1: {"a": 1, "c": "x"}, 2: {"a": 2, "c": "y"}}


def test_a_name_that_is_there_twice(tmp_path):
    pq.write_table(pa.table([[1], [2], [3]], names=["a", "a", "b"]), tmp_path / "x.parquet")
    assert rows_of(tmp_path / "x.parquet", "b")[1][1]["b"] == 3
    with pytest.raises(SourceMalformed, match="2 columns called a"):
        rows_of(tmp_path / "x.parquet", "a")


def test_a_nul_is_a_reject(tmp_path):
    _, rows, rejects = rows_of(written(tmp_path / "x", pa.table({"a": ["x", "y\0", "z"]}), "parquet"), "a")
    assert ([row["a"] for row in rows.values()], [(reject.record, reject.rule) for reject in rejects]) == (["x", "z"], [(2, "nul")])


@pytest.mark.parametrize("kind", ["parquet", "arrow file", "arrow stream"])
def test_bytes_that_are_no_text_are_a_reject(tmp_path, kind):
    """Writers mark as text whatever they are given."""
    raw = pa.array([b"ok", b"\xff\xfe", None, "é".encode()], pa.binary())
    spoilt = pa.Array.from_buffers(pa.string(), len(raw), raw.buffers())
    _, rows, rejects = rows_of(written(tmp_path / "x", pa.table({"a": spoilt, "n": [1, 2, 3, 4]}), kind), "a", "n")
    assert rows == {1: {"a": "ok", "n": 1}, 3: {"a": None, "n": 3}, 4: {"a": "é", "n": 4}}
    assert [(reject.record, reject.rule, reject.column) for reject in rejects] == [(2, "encoding", "a")]


def test_bytes_that_are_no_text_deep_inside(tmp_path):
    spoilt = pa.Array.from_buffers(pa.string(), 2, pa.array([b"ok", b"\xff"], pa.binary()).buffers())
    path = written(tmp_path / "x", pa.table({"l": pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), spoilt), "n": [1, 2]}), "parquet")
    assert list(rows_of(path, "n")[1]) == [1, 2]
    with pytest.raises(SourceMalformed, match="the column l holds values that are none of its type"):
        rows_of(path, "l")


@pytest.mark.parametrize("kind", ["parquet", "arrow file"])
def test_places_in_lists(tmp_path, kind):
    table = pa.table({"l": [[{"n": "a"}, {"n": "b"}], [], None], "m": [[[1, 2], [3]], [[4]], [None]], "s": [{"l": [1]}, None, {"l": []}]})
    _, rows, _ = rows_of(written(tmp_path / "x", table, kind), "l.1.n", "m.0.1", "s.l.0", "l.x", "m.0.1.z")
    assert [tuple(row.values())[:3] for row in rows.values()] == [("b", 2, 1), (None, None, None), (None, None, None)]
    assert all(len(row) == 3 for row in rows.values())


def test_moments_of_96_bits_do_not_wrap_around(tmp_path):
    """Nanoseconds in 64 bits end in 2262, and Spark writes the year 9999."""
    moments = [naive(9999, 12, 31, 23, 59, 59, 999_999), naive(1500, 1, 1), naive(2020, 2, 29, 1, 2, 3, 4)]
    schema = pa.schema([("at", pa.timestamp("us"))])
    pq.write_table(pa.table({"at": moments}, schema=schema), tmp_path / "x.parquet", use_deprecated_int96_timestamps=True)
    _, rows, _ = rows_of(tmp_path / "x.parquet", "at")
    assert [row["at"] for row in rows.values()] == moments


def test_decimals_that_polars_has_not(tmp_path):
    table = pa.table({"a": pa.array([Decimal("9" * 50 + ".5")], pa.decimal256(60, 2)), "b": pa.array([Decimal("1.2E+4")], pa.decimal128(10, -3))})
    _, rows, _ = rows_of(written(tmp_path / "x", table, "arrow file"), "a", "b")
    assert (Decimal(rows[1]["a"]), Decimal(rows[1]["b"])) == (Decimal("9" * 50 + ".5"), Decimal(12000))


def test_types_that_are_not_read(tmp_path):
    table = pa.table({"i": pa.array([pa.MonthDayNano([1, 2, 3])]), "n": [1]})
    path = written(tmp_path / "x", table, "arrow file")
    assert rows_of(path, "n")[1] == {1: {"n": 1, "i": None}}
    with pytest.raises(SourceMalformed, match="the column i is of type month_day_nano_interval, which is not read"):
        rows_of(path, "i")


@pytest.mark.parametrize("name", ["a.b", "a", "c\\d", "^x"])
def test_whole_names_come_before_paths(tmp_path, name):
    table = pa.table({"a.b": [1], "a": [{"b": 2}], "c\\d": [3], "^x": [4]})
    _, rows, _ = rows_of(written(tmp_path / "x", table, "parquet"), name)
    assert rows[1][name] == {"a.b": 1, "a": {"b": 2}, "c\\d": 3, "^x": 4}[name]


@pytest.mark.parametrize("kind", ["parquet", "arrow file", "arrow stream"])
def test_no_rows(tmp_path, kind):
    with pytest.raises(SourceEmpty):
        rows_of(written(tmp_path / "x", pa.table({"a": pa.array([], pa.int64())}), kind), "a")


@pytest.mark.parametrize("kind", ["parquet", "arrow file", "arrow stream"])
def test_damage_is_a_clean_error_or_no_harm(tmp_path, kind):
    """Cut anywhere, or with bytes changed anywhere: an error of ours, or rows that can be read; never a crash."""
    table = pa.table({"a": list(range(500)), "t": [f"text {number}" for number in range(500)], "l": [[number] for number in range(500)]})
    whole = written(tmp_path / "whole", table, kind).read_bytes()
    chance = random.Random(7)
    said = []
    for number in range(150):
        spoilt = bytearray(whole)
        if number % 3 == 0:
            del spoilt[chance.randrange(8, len(spoilt)) :]
        else:
            for _ in range(chance.choice([1, 4, 40])):
                spoilt[chance.randrange(8, len(spoilt))] = chance.randrange(256)
        path = tmp_path / ("x.parquet" if kind == "parquet" else "x.arrow")
        path.write_bytes(spoilt)
        try:
            rows_of(path, "a", "t", "l")
        except SourceError as error:
            said.append(str(error))
    assert len(said) > 30
    assert not [text for text in said if "text 1" in text]


def test_a_map_of_what_json_has_not_is_a_reject_and_no_null(tmp_path):
    maps = pa.array([[("k", float("nan"))], [("k", 1.5)], None], pa.map_(pa.string(), pa.float64()))
    _, rows, rejects = rows_of(written(tmp_path / "x", pa.table({"a": maps}), "parquet"), "a")
    assert ({number: row["a"] for number, row in rows.items()}, [reject.record for reject in rejects]) == ({2: '{"k":1.5}', 3: None}, [1])


# --- values into the types of columns ---------------------------------------------------------------------------------

NS = pa.array([1_000_000_001_000, 1_000_000_000_001], pa.timestamp("ns"))
MOMENT = naive(2024, 7, 1, 12, 30, 15, 250_000)
# What the file holds, the column's type, and the values that the writer gets; REJECT for one that does not fit.
REJECT = object()
VALUES = {
    "int into smaller": (pa.array([1, -32768, 32768, None], pa.int64()), "int2", [1, -32768, REJECT, None]),
    "unsigned": (pa.array([2**63 - 1, 2**63], pa.uint64()), "int8", [2**63 - 1, REJECT]),
    "whole float into int": (pa.array([85.0, 85.5, 1e300, float("nan"), -0.0]), "int4", [85, REJECT, REJECT, REJECT, 0]),
    "float16": (pa.Array.from_buffers(pa.float16(), 1, [None, pa.py_buffer(struct.pack("<e", 1.5))]), "float8", [1.5]),
    "double into real": (pa.array([0.5, 1e300, 1e-300, float("inf")]), "float4", [0.5, REJECT, REJECT, float("inf")]),
    "int into float": (pa.array([3, None]), "float8", [3.0, None]),
    "bool": (pa.array([True, None]), "bool", [True, None]),
    "int into bool": (pa.array([1, 0, 2]), "bool", [True, False, REJECT]),
    "decimal into numeric": (pa.array([Decimal("1.50"), Decimal("12345678901234567890.12")]), "numeric", ["1.50", "12345678901234567890.12"]),
    "decimal256 into numeric": (pa.array([Decimal("9" * 50 + ".5")], pa.decimal256(60, 2)), "numeric", ["9" * 50 + ".50"]),
    "decimal into int": (pa.array([Decimal("12.00"), Decimal("12.50")]), "int4", [12, REJECT]),
    "int into numeric": (pa.array([7]), "numeric", ["7"]),
    "float into numeric": (pa.array([0.1, float("nan")]), "numeric", ["0.1", "NaN"]),
    "date": (pa.array([date(2020, 2, 29)]), "date", [date(2020, 2, 29)]),
    "midnight into date": (pa.array([naive(2020, 1, 2), naive(2020, 1, 2, 1)], pa.timestamp("us")), "date", [date(2020, 1, 2), REJECT]),
    "date into timestamp": (pa.array([date(2020, 2, 29)]), "timestamp", [naive(2020, 2, 29)]),
    "milliseconds": (pa.array([MOMENT], pa.timestamp("ms")), "timestamp", [MOMENT]),
    "nanoseconds": (NS, "timestamp", [naive(1970, 1, 1, 0, 16, 40, 1), REJECT]),
    "naive is utc": (pa.array([MOMENT], pa.timestamp("us")), "timestamptz", [MOMENT.replace(tzinfo=UTC)]),
    "zone is kept": (pa.array([MOMENT], pa.timestamp("us", PARIS)), "timestamptz", [MOMENT.replace(tzinfo=UTC)]),
    "zone has no place": (pa.array([MOMENT], pa.timestamp("us", PARIS)), "timestamp", [REJECT]),
    "utc without zone": (pa.array([MOMENT], pa.timestamp("us", "UTC")), "timestamp", [MOMENT]),
    "time": (pa.array([time(1, 2, 3, 4)]), "time", [time(1, 2, 3, 4)]),
    "duration": (pa.array([timedelta(days=1, microseconds=5)]), "interval", ["24:00:00.000005"]),
    "binary": (pa.array([b"\x00\xff"]), "bytea", [b"\x00\xff"]),
    "uuid": (pa.array([uuid.UUID(int=5).bytes, b"short"], pa.binary()), "uuid", [uuid.UUID(int=5).bytes, REJECT]),
    "fixed uuid": (pa.array([uuid.UUID(int=5).bytes], pa.binary(16)), "uuid", [uuid.UUID(int=5).bytes]),
    "dictionary": (pa.array(["a", "b", "a"]).dictionary_encode(), "text", ["a", "b", "a"]),
    "large string": (pa.array(["a"], pa.large_string()), "varchar", ["a"]),
    "int into text": (pa.array([12]), "text", ["12"]),
    "float into text": (pa.array([1.0, 1e20, 1e-5, float("-inf")]), "text", ["1", "1e+20", "1e-05", "-Infinity"]),
    "bool into text": (pa.array([True]), "text", ["true"]),
    "struct into json": (pa.array([{"a": 1, "b": [1.5, None], "c": "é"}]), "jsonb", ['{"a":1,"b":[1.5,null],"c":"é"}']),
    "list into json": (pa.array([["x", '"']]), "json", ['["x","\\""]']),
    "list into array": (pa.array([["x", None, 'a"\\'], []]), "_text", ['{"x",NULL,"a\\"\\\\"}', "{}"]),
    "large list": (pa.array([["x", "yz"], None], pa.large_list(pa.large_string())), "_text", ['{"x","yz"}', None]),
    "map into json": (
        pa.array([[("k", 1)], None, [("é", None), ('"', 2**60)], []], pa.map_(pa.string(), pa.int64())),
        "jsonb",
        ['{"k":1}', None, '{"é":null,"\\"":1152921504606846976}', "{}"],
    ),
    "nothing": (pa.nulls(2), "int4", [None, None]),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_the_same_or_a_reject(tmp_path, name):
    array, kind, expected = VALUES[name]
    try:
        pq.write_table(pa.table({"n": list(range(len(array))), "v": array}), tmp_path / "x.parquet")
        path = tmp_path / "x.parquet"
    except (pa.ArrowException, NotImplementedError):
        path = written(tmp_path / "x.arrow", pa.table({"n": list(range(len(array))), "v": array}), "arrow file")
    declared = {"_text": "text[]"}.get(kind, kind)
    table = Table("s", "things", (Column("n", ColumnType("int4", "int4"), nullable=False), Column("v", ColumnType(kind, declared))))
    mapped = {"n": {"from": ["n"]}, "v": {"from": ["v"]}}
    dataset = Dataset.model_validate({"name": "d", "source": {"path": "x"}, "targets": [{"table": "things", "key": ["n"], "columns": mapped}]})
    with read_dataset(dataset, {"things": table}, open_sources(path)) as stream:
        frames = list(stream)
    got = {row["n"]: row["v"] for frame in frames for row in frame.targets["things"].table.to_pylist()}
    rejects = {reject.record - 1: (reject.column, reject.rule) for frame in frames for reject in frame.rejects}
    assert got == {number: value for number, value in enumerate(expected) if value is not REJECT}
    assert rejects == {number: ("v", "type") for number, value in enumerate(expected) if value is REJECT}
