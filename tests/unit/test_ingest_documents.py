"""Documents that are filtered or rewritten before they are mapped; values that are given; derived rows that need not be; rules that tell."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy_fixtures._ingest import Hooks, open_sources, read_dataset
from tenancy_fixtures._ingest.steps import compile_steps
from tenancy_fixtures._pack_models import ColumnMapping, Dataset
from tenancy_fixtures._shapes import Column, ColumnType, Table
from tenancy_fixtures.exceptions import PackInvalid

COLUMNS = (
    Column("id", ColumnType("int4", "int4"), nullable=False),
    Column("name", ColumnType("text", "text")),
    Column("tags", ColumnType("_text", "text[]", "A", element="text")),
)
TABLES = {
    "things": Table("s", "things", COLUMNS),
    "makers": Table("s", "makers", (Column("maker", ColumnType("text", "text"), nullable=False), Column("home", ColumnType("text", "text")))),
}
THINGS = {"id": {"from": ["id"]}, "name": {"from": ["name"], "optional": True}}


def dataset(columns: dict[str, Any] = THINGS, *others: dict[str, Any], rules: Any = (), **source: Any) -> Dataset:
    target = {"table": "things", "key": ["id"], "columns": columns, "rules": list(rules)}
    return Dataset.model_validate({"name": "d", "source": {"path": "x", **source}, "targets": [*others, target], "extra_columns": "ignore"})


@pytest.fixture
def read(tmp_path):
    """The rows of each table with their records' numbers, the rejects, the notes, of files with these documents, one a line."""

    def reading(declared, *files, hooks=None, name="json", block=1 << 20):
        for number, documents in enumerate(files):
            text = documents if isinstance(documents, str) else "\n".join(json.dumps(item) for item in documents)
            (tmp_path / f"{number}.{name}").write_text(text, encoding="utf-8")
        stream = read_dataset(declared, TABLES, open_sources(tmp_path), hooks=hooks, block_bytes=block)
        with stream:
            frames = list(stream)
            rows = {table: [] for table in frames[0].targets}
            for frame in frames:
                for table, target in frame.targets.items():
                    places = [stream.locate(number) for number in target.record_numbers.to_pylist()]
                    rows[table] += [(*place, row) for place, row in zip(places, target.table.to_pylist())]
            rejects = [(reject.source, reject.record, reject.rule, reject.line) for frame in frames for reject in frame.rejects]
            assert sum(frame.records for frame in frames) == len(rows["things"]) + sum(frame.rejected for frame in frames)
            return rows, rejects, stream.notes

    return reading


# --- records of other datasets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["json", "ndjson"])
@pytest.mark.parametrize("block", [1, 1 << 20])
def test_records_of_others_are_passed_over_and_keep_their_numbers(read, name, block):
    documents = [
        {"id": 1, "a": "x"},
        {"id": 2},
        {"id": 3, "a": ""},
        {"id": 4, "a": "y", "b": None},
        {"id": 5, "a": "z", "b": 0},
        {"id": "?", "a": "z"},
    ]
    rows, rejects, _ = read(dataset(having=["a"], lacking=["b"]), documents, documents, name=name, block=block)
    assert [(source, record, row["id"]) for source, record, row in rows["things"]] == [
        (f"{file}.{name}", record, record) for file in (0, 1) for record in (1, 4)
    ]
    assert [(source, record, rule) for source, record, rule, _ in rejects] == [(f"{file}.{name}", 6, "type") for file in (0, 1)]


def test_a_file_may_hold_no_record_of_the_dataset(read):
    rows, rejects, _ = read(dataset(having=["a"]), [{"id": 1}], [{"id": 2, "a": 1}])
    assert ([(source, row["id"]) for source, _, row in rows["things"]], rejects) == ([("1.json", 2)], [])


def test_tables_have_records_of_others_too(read):
    rows, _, _ = read(dataset(having=["a"], lacking=["b", "c"]), "id,a,b\n1,x,\n2,,\n3,x,y\n4,y,\n", name="csv", block=8)
    assert [(record, row["id"]) for _, record, row in rows["things"]] == [(1, 1), (4, 4)]


# --- functions that make records --------------------------------------------------------------------------------------


def parts(document, file):
    for number, part in enumerate(document["parts"], start=1):
        yield {"id": int(document["id"]) * 10 + number, "name": part, "score": 1.5, "on": date(2020, 1, 2)}


@pytest.mark.parametrize("block", [1, 1 << 20])
def test_a_document_gives_any_number_of_records(read, block):
    documents = [{"id": 1, "parts": ["a", "b"]}, {"id": 2, "parts": []}, {"id": 3, "parts": ["c"]}]
    rows, rejects, notes = read(dataset(), documents, documents, hooks=Hooks(parts), block=block)
    assert [(source, record, row["id"]) for source, record, row in rows["things"]] == [
        (f"{file}.json", record, key) for file in (0, 1) for record, key in ((1, 11), (2, 12), (3, 31))
    ]
    assert (rejects, notes) == ([], ())


def test_values_of_python_are_mapped_as_those_of_json(read):
    columns = {"id": {"from": ["id"]}, "name": {"join": {"columns": ["score", "on", "name"], "separator": " "}}}
    rows, _, _ = read(dataset(columns), [{"id": 1, "parts": [True]}], hooks=Hooks(parts))
    assert rows["things"][0][2]["name"] == "1.5 2020-01-02 true"


def test_rejects_have_the_line_of_their_document(read):
    documents = [{"id": 1, "parts": ["a"]}, {"id": 2, "parts": None}, 5, {"id": 3}, {"id": 99_999_999_999, "parts": ["too large"]}]
    rows, rejects, _ = read(dataset(), documents, hooks=Hooks(parts))
    assert [row["id"] for *_, row in rows["things"]] == [11]
    assert rejects == [("0.json", 2, "document", 2), ("0.json", 3, "record", 3), ("0.json", 4, "document", 4), ("0.json", 5, "type", 5)]


def test_documents_of_others_are_passed_over(read):
    documents = [{"id": 1, "parts": ["a"], "mine": True}, {"id": 2, "parts": ["b"]}]
    rows, rejects, _ = read(dataset(having=["mine"]), documents, hooks=Hooks(parts))
    assert ([row["id"] for *_, row in rows["things"]], rejects) == ([11], [])


def test_the_rows_of_a_table_are_documents(read):
    rows, rejects, _ = read(dataset(), "id,parts\n1,ab\n2,\n", hooks=Hooks(parts), name="csv")
    assert ([(record, row["id"], row["name"]) for _, record, row in rows["things"]], rejects) == ([(1, 11, "a"), (2, 12, "b")], [])


def test_a_function_sees_what_the_path_leads_to(read):
    rows, _, _ = read(dataset(records="lists[]"), '{"lists": [{"id": 1, "parts": ["a"]}, {"id": 2, "parts": ["b"]}]}', hooks=Hooks(parts))
    assert [row["id"] for *_, row in rows["things"]] == [11, 21]


def test_documents_of_a_file_that_is_no_json(read):
    def blocks(file):
        for text in file.read().decode().split("---\n"):
            yield dict(line.split(": ") for line in text.splitlines())

    rows, rejects, _ = read(dataset(), "id: 1\nname: a\n---\nid: x\n", hooks=Hooks(documents=blocks), name="txt")
    assert ([row for *_, row in rows["things"]], [(record, rule) for _, record, rule, _ in rejects]) == ([{"id": 1, "name": "a"}], [(2, "type")])


# --- values that are given --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "text"), [("json", '{"id": 1, "who": "a"} {"id": 2, "who": ""} {"id": 3}'), ("csv", "id\n1\n2\n3\n")])
def test_given_values_are_there_where_a_record_has_none(read, name, text):
    columns = {"id": {"from": ["id"]}, "name": {"from": ["who", "@who"]}}
    rows, _, _ = read(dataset(columns), text, hooks=Hooks(given={"@who": "me"}), name=name)
    assert [row["name"] for *_, row in rows["things"]] == (["a", "me", "me"] if name == "json" else ["me"] * 3)


# --- derived rows that need not be ------------------------------------------------------------------------------------

MAKERS = {"table": "makers", "key": ["maker"], "derived": True, "columns": {"maker": {"from": ["by"]}, "home": {"from": ["home"], "optional": True}}}


@pytest.mark.parametrize("name", ["json", "csv"])
def test_a_record_without_a_key_makes_no_optional_row(read, name):
    text = {"json": '{"id": 1, "by": "a"} {"id": 2} {"id": 3, "by": "a"} {"id": 4, "by": "b"}', "csv": "id,by\n1,a\n2,\n3,a\n4,b\n"}[name]
    rows, rejects, _ = read(dataset(THINGS, {**MAKERS, "optional": True}), text, name=name)
    assert ([(record, row["maker"]) for _, record, row in rows["makers"]], len(rows["things"]), rejects) == ([(1, "a"), (4, "b")], 4, [])
    rows, rejects, _ = read(dataset(THINGS, MAKERS), text, name=name)
    assert (len(rows["things"]), [(record, rule) for _, record, rule, _ in rejects]) == (3, [(2, "not_null")])


def test_a_file_may_lack_all_that_optional_rows_are_made_of(read):
    rows, rejects, _ = read(dataset(THINGS, {**MAKERS, "optional": True}), "id\n1\n", name="csv")
    assert (rows["makers"], len(rows["things"]), rejects) == ([], 1, [])


def test_only_derived_rows_are_optional():
    with pytest.raises(ValueError, match="only rows that are derived"):
        dataset(THINGS, {**MAKERS, "derived": False, "optional": True})


# --- rules that tell --------------------------------------------------------------------------------------------------


def test_a_warning_is_told_and_the_record_loaded(read):
    rules = [{"rule": "length", "column": "name", "max": 1, "severity": "warning"}, {"rule": "range", "column": "id", "max": 3}]
    text = "id,name\n1,a\n2,SECRET\n3,SECRET\n4,b\n"
    rows, rejects, notes = read(dataset(rules=rules), text, text, name="csv", block=8)
    assert ([row["id"] for *_, row in rows["things"]], len(rejects)) == ([1, 2, 3] * 2, 2)
    assert [note for note in notes if "record" in note] == [
        f"{file}.csv: 2 records are not as they should be, the first is 2: name: expected a length of at most 1" for file in (0, 1)
    ]


@pytest.mark.parametrize("rule", [{"rule": "not_null", "column": "name"}, {"rule": "unique", "column": "name"}])
def test_what_cannot_only_be_told(rule):
    with pytest.raises(ValueError, match="takes no severity"):
        dataset(rules=[{**rule, "severity": "warning"}])


# --- columns that a table may lack ------------------------------------------------------------------------------------


def test_a_column_that_the_table_lacks_is_left_out(read):
    columns = {**THINGS, "more": {"from": ["more"], "only_if_column": True}, "tags": {"from": ["tags"], "only_if_column": True}}
    rows, _, _ = read(dataset(columns), [{"id": 1, "more": "x", "tags": ["a"]}])
    assert rows["things"][0][2] == {"id": 1, "name": None, "tags": '{"a"}'}
    with pytest.raises(PackInvalid, match="has no column more"):
        read(dataset({**columns, "more": {"from": ["more"]}}), [{"id": 1, "more": "x"}])


# --- steps ------------------------------------------------------------------------------------------------------------


def step_of(declared):
    return compile_steps([ColumnMapping.model_validate({"from": ["v"], "steps": [declared]}).steps[0]], "v")[0]


@given(st.lists(st.decimals(-(10**12), 10**12, allow_nan=False, places=6), min_size=1), st.integers(-18, 18))
def test_a_shift_moves_the_point_and_loses_no_digit(numbers, places):
    texts = [format(number, "f") for number in numbers]
    shifted = step_of({"shift": places}).convert(pl.Series(texts, dtype=pl.String)).to_list()
    assert [Decimal(text) for text in shifted] == [Decimal(text).scaleb(places) for text in texts]


def test_what_is_no_number_cannot_be_shifted():
    step = step_of({"shift": 3})
    before = pl.Series(["212.7", "1e3", "x", None, "-.5", "7."])
    after = step.convert(before)
    assert after.to_list() == ["212700", None, None, None, None, "7000"]
    assert step.faults(before, after).to_list() == [False, True, True, False, True, False]


def test_the_unit_of_an_epoch_is_known_by_its_digits():
    texts = ["1679249719", "1512420608296", "1512420608296123", "1679249719.5", "0", "99999999999", "x"]
    found = step_of({"epoch": "auto"}).convert(pl.Series(texts)).to_list()
    assert [text and text[:22] for text in found] == [
        "2023-03-19 18:15:19+00",
        "2017-12-04 20:50:08.29",
        "2017-12-04 20:50:08.29",
        "2023-03-19 18:15:19.5+",
        "1970-01-01 00:00:00+00",
        "5138-11-16 09:46:39+00",
        None,
    ]
