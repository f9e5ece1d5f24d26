"""Objects of JSON out of columns, and out of arrays of pairs."""

from __future__ import annotations

import json

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy_fixtures._ingest import open_sources, read_dataset
from tenancy_fixtures._ingest.members import as_object
from tenancy_fixtures._ingest.steps import compile_steps
from tenancy_fixtures._pack_models import ColumnMapping, Dataset, Step
from tenancy_fixtures._shapes import Column, ColumnType, Table
from tenancy_fixtures.exceptions import PackInvalid

COLUMNS = [Column("id", ColumnType("int4", "int4"), nullable=False), Column("rest", ColumnType("jsonb", "jsonb"))]
TABLE = Table("s", "things", tuple(COLUMNS))


def load(path, *patterns, **more):
    columns = {"id": {"from": ["id"]}, "rest": {"members": list(patterns), **more}}
    dataset = Dataset.model_validate({"name": "d", "source": {"path": "x"}, "targets": [{"table": "things", "key": ["id"], "columns": columns}]})
    with read_dataset(dataset, {"things": TABLE}, open_sources(path)) as stream:
        frames = list(stream)
        ignored = stream.ignored_columns
    values = [row["rest"] for frame in frames for row in frame.targets["things"].table.to_pylist()]
    return [json.loads(value) for value in values], ignored


def test_what_nothing_else_reads_is_in_the_object_where_it_has_a_value(tmp_path):
    (tmp_path / "x.csv").write_text('id,a,b,empty\n1,x,,\n2,NULL,"{""c"": [1, null]}",\n3,"say ""hi""",{no json},\n')
    found, ignored = load(tmp_path / "x.csv", "*", nulls=["", "NULL"])
    assert found == [{"a": "x"}, {"b": {"c": [1, None]}}, {"a": 'say "hi"', "b": "{no json}"}]
    assert ignored == ()


def test_only_the_columns_that_match_are_members(tmp_path):
    (tmp_path / "x.csv").write_text("id,p_a,p_b,q\n1,x,y,z\n")
    with pytest.raises(Exception, match="columns that no target reads: q"):
        load(tmp_path / "x.csv", "p_*")


def test_values_with_a_type_are_values_of_json(tmp_path):
    rows = {"id": [1, 2], "n": [5, None], "f": [0.5, None], "b": [True, False], "s": [{"x": 1, "y": [1, 2]}, None], "t": ["ü", None]}
    pq.write_table(pa.table(rows), tmp_path / "x.parquet")
    found, _ = load(tmp_path / "x.parquet", "*")
    assert found == [{"n": 5, "f": 0.5, "b": True, "s": {"x": 1, "y": [1, 2]}, "t": "ü"}, {"b": False}]


def test_records_of_json_have_no_columns(tmp_path):
    (tmp_path / "x.ndjson").write_text('{"id": 1, "a": 2}\n')
    with pytest.raises(PackInvalid, match="members"):
        load(tmp_path / "x.ndjson", "*")


def test_records_of_json_have_members_by_name(tmp_path):
    (tmp_path / "x.ndjson").write_text('{"id": 1, "a": {"b": [1]}, "c": "x", "d": 1}\n{"id": 2, "a": null}\n')
    assert load(tmp_path / "x.ndjson", "a", "c", "d")[0] == [{"a": {"b": [1]}, "c": "x", "d": "1"}, {}]


def test_members_are_the_value_as_it_is():
    with pytest.raises(ValueError, match="takes neither steps nor extract"):
        ColumnMapping.model_validate({"members": ["*"], "steps": ["lower"]})


@given(st.lists(st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)), min_size=1))
def test_any_text_comes_back(values):
    made = as_object([('a"', pl.Series(values, dtype=pl.String))], len(values))
    for text, value in zip(made, values):
        found = json.loads(text)
        assert found == ({} if value is None else {'a"': found['a"']})
        assert value is None or found['a"'] == value or json.loads(value) == found['a"']


# --- pairs ----------------------------------------------------------------------------------------------------------------


def taken(step, *texts):
    (compiled,) = compile_steps([Step.model_validate(step) if isinstance(step, dict) else step], "c")
    before = pl.Series(texts, dtype=pl.String)
    after = compiled.convert(before)
    faults = compiled.faults(before, after)
    return after.to_list(), [] if faults is None else faults.to_list()


PAIRS = json.dumps(
    [
        {"key": "page", "value": {"string_value": "https://x/", "int_value": None, "float_value": None, "double_value": None}},
        {"key": "id", "value": {"int_value": "1700000000"}},
        {"key": "share", "value": {"double_value": 0.25}},
        {"key": "flat", "value": 3},
        {"key": "none", "value": {"string_value": None, "int_value": None}},
    ]
)


def test_pairs_become_an_object():
    found, faults = taken("pairs", PAIRS, None, "[]")
    assert [value and json.loads(value) for value in found] == [
        {"page": "https://x/", "id": 1700000000, "share": 0.25, "flat": 3, "none": None},
        None,
        {},
    ]
    assert faults == []


@pytest.mark.parametrize(
    ("key", "value"), [("page", "https://x/"), ("id", "1700000000"), ("share", "0.25"), ("flat", "3"), ("none", None), ("other", None)]
)
def test_one_value_of_pairs(key, value):
    found, faults = taken({"pair": key}, PAIRS, None)
    assert found == [value, None]
    assert not any(faults)


@pytest.mark.parametrize("text", ["{}", "x", '[{"value": 1}]', "[1]", '[{"key": 1, "value": 2}]', '[{"key": "a", "value": NaN}]'])
def test_what_is_no_array_of_pairs_is_a_fault(text):
    assert taken("pairs", text) == ([None], [True])
    assert taken({"pair": "a"}, text) == ([None], [True])
