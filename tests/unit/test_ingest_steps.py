"""Derived values: joins, provenance and the steps from a source's text to the text that is cast."""

from __future__ import annotations

import uuid
from datetime import date, datetime, timezone

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy_fixtures._ingest import open_sources, read_dataset
from tenancy_fixtures._ingest.steps import compile_steps
from tenancy_fixtures._ingest.uuids import NAMESPACE
from tenancy_fixtures._pack_models import ColumnMapping, Dataset
from tenancy_fixtures._shapes import Column, ColumnType, Table
from tenancy_fixtures.exceptions import PackInvalid

KINDS = {"n": "int8", "t": "text", "d": "date", "z": "timestamptz", "ts": "timestamp", "tm": "time", "f": "float8", "num": "numeric", "u": "uuid"}
COLUMNS = [Column(name, ColumnType(kind, kind)) for name, kind in KINDS.items()]
TABLE = Table(
    "s",
    "things",
    (Column("id", ColumnType("int4", "int4"), nullable=False), *COLUMNS, Column("l", ColumnType("_text", "text[]", "A", element="text"))),
)


@pytest.fixture
def load(tmp_path):
    """The values of one column for each record, and (record, column, rule) of the rejects, of a CSV with these cells."""

    def loaded(column, mapping, header, *rows, required=False, parquet=None):
        if parquet is None:
            lines = [f"{number};{row}" for number, row in enumerate(rows, start=1)]
            (tmp_path / "x.csv").write_text("\n".join([f"id;{header}", *lines]) + "\n", encoding="utf-8")
        else:
            pq.write_table(pa.table({"id": list(range(1, 1 + len(parquet))), header: parquet}), tmp_path / "x.parquet")
        rules = [{"column": column, "rule": "not_null"}] if required else []
        target = {"table": "things", "key": ["id"], "columns": {"id": {"from": ["id"]}, column: mapping}, "rules": rules}
        source = {"path": "x", "delimiter": ";"}
        dataset = Dataset.model_validate({"name": "d", "source": source, "targets": [target], "extra_columns": "ignore"})
        with read_dataset(dataset, {"things": TABLE}, open_sources(tmp_path)) as stream:
            frames = list(stream)
        values = {row["id"]: row[column] for frame in frames for row in frame.targets["things"].table.to_pylist()}
        rejects = [(reject.record, reject.column, reject.rule) for frame in frames for reject in frame.rejects]
        assert len(values) + len({record for record, *_ in rejects}) == (len(rows) or len(parquet))
        return values, rejects

    return loaded


def steps(*given_steps, **more):
    return {"from": ["v"], "steps": list(given_steps), **more}


UTC = timezone.utc
CASES = {
    "words": ("t", steps("strip", "lower"), ["  ÀB ", "x", ""], ["àb", "x", None], []),
    "upper": ("t", steps("upper"), ["straße"], ["STRASSE"], []),
    "in their order": ("t", steps({"replace": {"a": "b", "b": "c"}}, "upper", {"replace": {"c": "-"}}), ["aab.c"], ["CCC.C"], []),
    "replace is no pattern": ("t", steps({"replace": {".": "", "(": "["}}), ["a.(b"], ["a[b"], []),
    "map": ("n", steps({"map": {"one": 1, "two": 2, "none": None}}), ["one", "two", "none", "three", ""], [1, 2, None, "map", None], []),
    "map keeps": ("t", steps({"map": {"a": "b"}, "otherwise": "keep"}), ["a", "z"], ["b", "z"], []),
    "map or null": ("t", steps({"map": {"a": True}, "otherwise": "null"}), ["a", "z"], ["true", None], []),
    "thousands": (
        "n",
        steps({"number": {"thousands": ","}}),
        ["1,281", " 12 ", "-1,000,000", "1,28", "1281,000", "12,,000", ",1", "1.0"],
        [1281, 12, -1000000, *["number"] * 4, "type"],
        [],
    ),
    "german": ("num", steps({"number": {"thousands": ".", "decimal": ","}}), ["1.281,50", "7,5", "1.5"], ["1281.50", "7.5", "number"], []),
    "narrow blank": ("f", steps({"number": {"thousands": "\u202f", "decimal": ","}}), ["1\u202f281,5"], [1281.5], []),
    "format": ("d", steps({"format": "%d.%m.%Y"}), ["29.02.2024", "1.3.2024", "30.02.2024", "2024-02-29"], [date(2024, 2, 29), date(2024, 3, 1), *["format"] * 2], []),
    "format month": ("d", steps({"format": "%B %d, %Y"}), ["March 2, 2020", "Mars 2, 2020"], [date(2020, 3, 2), "format"], []),
    "format moment": (
        "z",
        steps({"format": "%d/%m/%Y %H:%M:%S%.f"}),
        ["01/02/2020 03:04:05.123456", "01/02/2020 03:04:05.1234567"],
        [datetime(2020, 2, 1, 3, 4, 5, 123456, UTC), "format"],
        [],
    ),
    "format offset": ("z", steps({"format": "%Y%m%d %H%M %z"}), ["20200201 0304 +0200"], [datetime(2020, 2, 1, 1, 4, tzinfo=UTC)], []),
    "format into text": ("t", steps({"format": "%d.%m.%Y"}), ["29.02.2024"], ["2024-02-29"], []),
    "epoch": (
        "z",
        steps({"epoch": "s"}),
        ["0", "-1.5", "1700000000.123456", "1700000000.1234567", "1e9", "99999999999999", "012"],
        [
            datetime(1970, 1, 1, tzinfo=UTC),
            datetime(1969, 12, 31, 23, 59, 58, 500000, UTC),
            datetime(2023, 11, 14, 22, 13, 20, 123456, UTC),
            *["epoch"] * 3,
            datetime(1970, 1, 1, 0, 0, 12, tzinfo=UTC),
        ],
        [],
    ),
    "epoch ms": ("ts", steps({"epoch": "ms"}), ["1700000000123", "1.5"], [datetime(2023, 11, 14, 22, 13, 20, 123000), datetime(1970, 1, 1, 0, 0, 0, 1500)], []),  # noqa: DTZ001 - the column has no zone
    "epoch us": ("d", steps({"epoch": "us"}, {"replace": {" 00:00:00+00": ""}}), ["86400000000"], [date(1970, 1, 2)], []),
    "first day": ("d", steps("first_day"), ["2010", "2010-05", "2010-05-07", "201", "2010-13"], [date(2010, 1, 1), date(2010, 5, 1), date(2010, 5, 7), "type", "type"], []),
    "split": ("l", steps({"split": "|"}), ['a|b"\\|NULL', "x", "", "|"], ['{"a","b\\"\\\\","NULL"}', '{"x"}', None, '{"",""}'], []),
    "split of lists": ("l", steps({"split": ","}), ['["a","b, c"]', "[]", "[x],y", " a, b\tc "], ['{"a","b, c"}', "{}", '{"[x]","y"}', '{"a","b\tc"}'], []),
    "default": ("t", steps({"default": "none"}, "upper"), ["a", ""], ["A", "NONE"], []),
    "default of a type": ("n", steps({"default": 7}), ["1", ""], [1, 7], []),
    "extract comes first": ("n", steps({"replace": {"-": ""}}, extract="^#(.*)$"), ["#1-2", "12"], [12, "pattern"], []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("required", [False, True])
def test_steps(load, name, required):
    column, mapping, cells, expected, _ = CASES[name]
    values, rejects = load(column, mapping, "v", *cells, required=required)
    rules = {"map", "number", "format", "epoch", "pattern", "type"}
    wanted = {number: item for number, item in enumerate(expected, start=1) if item not in rules and not (required and item is None)}
    refused = [(number, "v", "not_null" if item is None else item) for number, item in enumerate(expected, start=1) if number not in wanted]
    if required and name == "map":
        refused[0] = (3, "v", "not_null")
    assert values == wanted
    assert rejects == refused


def test_join_makes_a_date_of_parts(load):
    mapping = {"join": {"columns": ["y", "m", "d"], "separator": "-"}, "steps": [{"format": "%Y-%m-%d"}]}
    values, rejects = load("d", mapping, "y;m;d", "2023;7;14", "2023;;1", "2023;2;30", "2023;12;01", required=False)
    assert values == {1: date(2023, 7, 14), 2: None, 4: date(2023, 12, 1)}
    assert rejects == [(3, "y, m, d", "format")]
    values, rejects = load("d", mapping, "y;m;d", "2023;7;14", "2023;;1", "2023;2;30", required=True)
    assert (list(values), rejects) == ([1], [(2, "y, m, d", "not_null"), (3, "y, m, d", "format")])


def test_join_may_leave_out_what_is_not_there(load):
    mapping = {"join": {"columns": ["a|b", "c"], "skip_nulls": True}}
    values, rejects = load("t", mapping, "b;c", "x;y", ";y", "x;", ";")
    assert (values, rejects) == ({1: "x y", 2: "y", 3: "x", 4: None}, [])


def test_a_joined_value_of_the_wrong_type_is_told_once(load):
    values, rejects = load("n", {"join": {"columns": ["a", "b"], "separator": ""}}, "a;b", "1;2", "1;x", required=True)
    assert (values, rejects) == ({1: 12}, [(2, "a, b", "type")])


def test_provenance(load):
    assert load("n", {"provenance": "record"}, "a", "x", "y") == ({1: 1, 2: 2}, [])
    assert load("t", {"provenance": "source"}, "a", "x", required=True) == ({1: "x.csv"}, [])


def test_the_steps_of_a_uuid_are_those_of_each_column(load):
    mapping = {"uuid": ["a", "b"], "uuid_kind": "k", "steps": ["strip", "lower", {"default": "?"}]}
    values, _ = load("u", mapping, "a;b", " Ann ;BOB", "ann;bob", ";bob")
    assert values[1] == values[2] == uuid.uuid5(NAMESPACE, "k\x1fann\x1fbob").bytes
    assert values[3] == uuid.uuid5(NAMESPACE, "k\x1f?\x1fbob").bytes


def test_steps_of_values_with_a_type_see_them_as_text(load):
    values, rejects = load("t", steps({"map": {"85": "B"}, "otherwise": "keep"}), "v", parquet=pa.array([85.0, 2.5, None, 1e300]))
    assert (values, rejects) == ({1: "B", 2: "2.5", 3: None, 4: "1e+300"}, [])
    values, rejects = load("z", steps({"epoch": "ms"}), "v", parquet=pa.array([0, None]))
    assert (values, rejects) == ({1: datetime(1970, 1, 1, tzinfo=UTC), 2: None}, [])


def test_null_texts_of_values_with_a_type(load):
    assert load("n", {"from": ["v"], "nulls": ["-1"]}, "v", parquet=pa.array([1, -1, None])) == ({1: 1, 2: None, 3: None}, [])
    assert load("f", {"from": ["v"], "nulls": ["NaN", ""]}, "v", parquet=pa.array([1.0, float("nan")])) == ({1: 1.0, 2: None}, [])


@pytest.mark.parametrize(
    "mapping",
    [
        {"from": ["v"], "steps": ["trim"]},
        {"from": ["v"], "steps": [{}]},
        {"from": ["v"], "steps": [{"split": ",", "epoch": "s"}]},
        {"from": ["v"], "steps": [{"split": ",", "otherwise": "keep"}]},
        {"from": ["v"], "steps": [{"epoch": "h"}]},
        {"from": ["v"], "steps": [{"replace": {"": "x"}}]},
        {"from": ["v"], "steps": [{"number": {"thousands": ".", "decimal": "."}}]},
        {"from": ["v"], "steps": [{"number": {"thousands": "1"}}]},
        {"from": ["v"], "join": {"columns": ["v"]}},
        {"join": {"columns": []}},
        {"const": 1, "steps": ["strip"]},
        {"provenance": "record", "extract": "(.)"},
        {"provenance": "line"},
        {},
    ],
)
def test_a_mapping_that_cannot_be(mapping):
    with pytest.raises(ValueError, match="validation error"):
        ColumnMapping.model_validate(mapping)


@pytest.mark.parametrize("pattern", ["%", "%Q", "%Y", "%H", "%m.%Y", "day", "%d.%m.%Y %", "%d.%m.%Y %Q", "%d.%m.%Y %H", "%é"])
def test_a_format_that_is_none(load, pattern):
    with pytest.raises(PackInvalid, match="the steps of v cannot be taken"):
        load("d", steps({"format": pattern}), "v", "x")


@given(st.integers(-(10**11), 10**11), st.integers(0, 10**6 - 1))
def test_epochs_are_exact(seconds, micros):
    (step,) = compile_steps([ColumnMapping.model_validate(steps({"epoch": "s"})).steps[0]], "v")
    sign, total = ("-" if seconds < 0 else ""), (-1 if seconds < 0 else 1) * (abs(seconds) * 10**6 + micros)
    found = step.convert(pl.Series([f"{sign}{abs(seconds)}.{micros:06}"])).item()
    # What the calendar of four-digit years holds.
    first, last = -62_135_596_800 * 10**6, 253_402_300_800 * 10**6
    if not first <= total < last:
        assert found is None
    else:
        assert pl.Series([found]).str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", time_unit="us").dt.timestamp("us").item() == total
