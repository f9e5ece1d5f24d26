"""Rules over several columns and over all records: expression, when, unique."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenancy_fixtures._ingest import open_sources, read_dataset
from tenancy_fixtures._ingest.expressions import FUNCTIONS, compile_condition
from tenancy_fixtures._ingest.sequences import Counted
from tenancy_fixtures._ingest.types import cast_for
from tenancy_fixtures._ingest.uniques import Seen, hashes_of
from tenancy_fixtures._pack_models import ColumnMapping, Dataset, Rule, Target
from tenancy_fixtures._shapes import Column, ColumnType, Table
from tenancy_fixtures.exceptions import PackInvalid

KINDS = {
    "a": "int4",
    "b": "int8",
    "f": "float8",
    "num": "numeric",
    "t": "text",
    "s": "varchar",
    "d": "date",
    "z": "timestamptz",
    "u": "uuid",
    "ip": "inet",
}
TABLE = Table("s", "things", tuple(Column(name, ColumnType(kind, kind)) for name, kind in KINDS.items()))
CASTS = {name: cast_for(ColumnType(kind, kind)) for name, kind in KINDS.items()}


@pytest.fixture
def rejects_of(tmp_path):
    """(record, column, rule) of the rejects of CSV files with a number as their key and these columns."""

    def found(rules, header, *files, derived=False, block=4096):
        for number, rows in enumerate(files):
            (tmp_path / f"{number}.csv").write_text("\n".join(["key," + header, *rows]) + "\n")
        columns = {name: {"from": [name]} for name in header.split(",")}
        target = {"table": "things", "key": ["key"], "columns": {"key": {"from": ["key"]}, **columns}, "rules": rules}
        dataset = Dataset.model_validate({"name": "d", "source": {"path": "x"}, "targets": [target]})
        table = Table("s", "things", (Column("key", ColumnType("int8", "int8")), *TABLE.columns))
        with read_dataset(dataset, {"things": table}, open_sources(tmp_path), block_bytes=block) as stream:
            frames = list(stream)
        assert all(frame.records == frame.targets["things"].table.num_rows + frame.rejected for frame in frames)
        return [(reject.source, reject.record, reject.column, reject.rule) for frame in frames for reject in frame.rejects]

    return found


def expression(text, **more):
    return {"rule": "expression", "expression": text, **more}


CONDITIONS = [
    ("a <= b", "a,b", {"1,2": True, "2,1": False, ",1": True, "2,": True}),
    ("a * 2 = b OR t IS NULL", "a,b,t", {"1,2,x": True, "1,3,x": False, "1,3,": True}),
    # Products of large numbers of a small type do not wrap around.
    ("a * a > 0", "a", {"2147483647": True, "0": False}),
    ("t LIKE 'a%' AND length(t) < 4", "t", {"abc": True, "abcd": False, "b": False}),
    ("lower(t) || '-' || s = 'x-y'", "t,s", {"X,y": True, "x,Y": False}),
    ("d >= DATE '2020-01-01'", "d", {"2020-01-01": True, "2019-12-31": False}),
    ("z < TIMESTAMP '2020-01-01 00:00:00'", "z", {"2020-01-01T00:30:00+01:00": True, "2020-01-01": False}),
    ("num BETWEEN 1.5 AND 2", "num", {"1.50": True, "2.01": False}),
    ("extract(year FROM d) = a", "d,a", {"2020-05-05,2020": True, "2020-05-05,2021": False}),
    ("CASE WHEN a > 0 THEN b > 0 ELSE true END", "a,b", {"1,1": True, "1,0": False, "0,0": True}),
    ("t IN ('x', 'it''s')", "t", {"x": True, "it's": True, "y": False}),
    ("coalesce(a, 0) + coalesce(b, 0) > 0", "a,b", {",": False, ",1": True}),
    ('"a" % 2 = 0', "a", {"2": True, "3": False}),
    ("u > '4a3b1c00-0000-0000-0000-000000000005'", "u", {"4A3B1C00000000000000000000000006": True, "4a3b1c00-0000-0000-0000-000000000005": False}),
    ("NOT (a = 1) AND a IS DISTINCT FROM b", "a,b", {"2,3": True, "1,2": False, "2,2": False, "2,": True}),
]


@pytest.mark.parametrize(("text", "header", "rows"), CONDITIONS)
def test_a_condition_over_columns(rejects_of, text, header, rows):
    found = rejects_of([expression(text)], header, [f"{number},{row}" for number, row in enumerate(rows)])
    assert [record for _, record, _, _ in found] == [number for number, holds in enumerate(rows.values(), start=1) if not holds]
    assert {rule for *_, rule in found} == {"expression"}
    names = [name for name in header.split(",") if name in text]
    assert {frozenset(column.split(", ")) for _, _, column, _ in found} == {frozenset(names)}


@pytest.mark.parametrize(
    "text",
    [
        "a <",
        "nosuch > 1",
        "a > 1; DROP TABLE things",
        "a > 1 -- all",
        "a /* */ > 1",
        "a / b > 1",
        "sum(a) > 1",
        "count(*) > 1",
        "rank() OVER () > 1",
        "(SELECT 1) > 0",
        "a IN (SELECT b FROM things)",
        "t > 1",
        "d < 'x'",
        "a",
        "true",
        "",
        "read_csv('x') = t",
        "a.b > 1",
        "date('2020-01-01') = d",
        "a > $1",
        "a = ?",
        "t ~ 'x'",
        "a::text = t",
        '"nosuch" = 1',
        "'x' = 'x",
        "A > 1",
    ],
)
def test_what_is_no_condition(text):
    with pytest.raises(PackInvalid, match="the condition of here cannot be used"):
        compile_condition(text, CASTS, "here")


def test_when_says_for_which_records_a_rule_holds(rejects_of):
    rules = [
        {"column": "a", "rule": "range", "min": 10, "when": "t = 'big'"},
        expression("b IS NOT NULL", when="a > 5"),
    ]
    rows = ["1,9,1,big", "2,10,1,big", "3,1,1,small", "4,1,1,", "5,6,,small", "6,5,,small"]
    assert [reject[1:] for reject in rejects_of(rules, "a,b,t", rows)] == [(1, "a", "range"), (5, "b", "expression")]


@pytest.mark.parametrize("block", [30, 4096])
def test_only_the_first_good_record_has_a_unique_value(rejects_of, block):
    rules = [{"rule": "unique", "column": "t"}, {"rule": "unique", "columns": ["a", "s"]}]
    first = ["1,x,1,p", "2,x,2,p", "3,,3,p", "4,,4,p", "5,y,q,p", "6,y,5,p"]
    second = ["7,z,1,", "8,w,1,p", "9,v,1,r", "10,x,7,p", "11,w,8,p"]
    assert rejects_of(rules, "t,a,s", first, second, block=block) == [
        ("0.csv", 2, "t", "unique"),
        ("0.csv", 5, "a", "type"),
        ("1.csv", 2, "a, s", "unique"),
        ("1.csv", 4, "t", "unique"),
    ]


def test_unique_over_values_of_every_type(rejects_of):
    columns = "u,d,z,f,num,ip"
    row = "{}4a3b1c00-0000-0000-0000-00000000000{},2020-01-0{},2020-01-0{}T00:00Z,{}.5,1.{},10.0.0.{}"
    rows = [f"{number}," + row.format("", number, number, number, number, number, number) for number in range(1, 9)]
    rows += ["9," + row.format("", 9, 3, 9, 9, 9, 9), "10,4a3b1c0000000000000000000000000a,2021-01-01,2020-01-04T01:00+01:00,77,1,10.0.0.77"]
    rules = [{"rule": "unique", "column": name} for name in columns.split(",")]
    assert [reject[1:] for reject in rejects_of(rules, columns, rows)] == [(9, "d", "unique"), (10, "z", "unique")]


@settings(max_examples=50)
@given(st.lists(st.lists(st.integers(0, 60), max_size=20), max_size=30))
def test_what_was_seen(frames):
    seen, known = Seen(), set()
    for frame in frames:
        values = pl.Series(list(dict.fromkeys(frame)), dtype=pl.Int64)
        hashes = hashes_of(values.to_frame("v"))
        found = seen.known(hashes)
        assert found.to_list() == [value in known for value in values]
        seen.add(hashes.filter(~found))
        known.update(values)
    assert sum(map(len, seen.runs)) == len(known)
    assert all(len(after) < len(before) for before, after in zip(seen.runs, seen.runs[1:]))


@pytest.mark.parametrize(
    "rule",
    [
        {"rule": "unique"},
        {"rule": "range", "columns": ["a"], "min": 1},
        {"rule": "range", "column": "a", "columns": ["a"], "min": 1},
        {"rule": "expression"},
        {"rule": "expression", "expression": "a > 1", "column": "a"},
        {"rule": "references", "column": "a"},
        {"rule": "references", "columns": ["a", "b"], "references": {"table": "x", "columns": ["c"]}},
        {"rule": "unique", "column": "a", "references": {"table": "x", "columns": ["c"]}},
        {"rule": "not_null", "column": "a", "when": "b > 1"},
    ],
)
def test_a_rule_that_cannot_be(rule):
    with pytest.raises(ValueError, match="validation error"):
        Rule.model_validate(rule)


def test_the_rules_and_columns_of_the_reference_can_be():
    page = (Path(__file__).parents[2] / "docs/reference/pack.md").read_text(encoding="utf-8")
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    rules = next(block for block in blocks if isinstance(block, list))
    columns = next(block for block in blocks if "streams" in block)
    assert [Rule.model_validate(rule).rule for rule in rules] == ["unique", "references", "expression", "range"]
    assert all(ColumnMapping.model_validate(column) for column in columns.values())
    assert sorted(FUNCTIONS) == re.findall(r"`(\w+)`", page[page.index("and the functions `abs`") : page.index("There is no division")])
    kinds = {**CASTS, "plays": CASTS["b"], "first_day": CASTS["d"], "last_day": CASTS["d"], "status": CASTS["t"]}
    for rule in rules[2:]:
        compile_condition(rule.get("expression") or rule["when"], kinds, "the reference")


def test_nothing_of_a_derived_target_is_unique():
    target = {"table": "things", "key": ["a"], "columns": {"a": {"from": ["a"]}}, "rules": [{"rule": "unique", "column": "a"}]}
    Target.model_validate(target)
    with pytest.raises(ValueError, match="derived"):
        Target.model_validate({**target, "derived": True})


def test_numbers_count_the_records_of_their_kind():
    counted = Counted()
    rows = pl.DataFrame({"kind": ["a", "a", "b", "a", "a", None], "number": [1, 2, 7, 4, 3, 1]})
    assert counted.unordered(rows, None).to_list() == [False, False, False, True, False, False]
    more = pl.DataFrame({"kind": ["a", "a", "a", "b"], "number": [2, 4, 6, None]})
    assert counted.unordered(more, None).to_list() == [False, False, True, False]


def test_a_record_that_is_bad_anyway_does_not_count():
    rows = pl.DataFrame({"kind": ["a", "a", "a"], "number": [1, 2, 3]})
    assert Counted().unordered(rows, pl.Series([True, False, True])).to_list() == [False, False, True]
