"""The physical lines of rejects: worked out only where there are rejects, and right with blank lines and quoted ends of lines."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenancy_fixtures._ingest import _csv, open_sources, read_dataset
from tenancy_fixtures._ingest._csv import CsvReader
from tenancy_fixtures._pack_models import Dataset, Source
from tenancy_fixtures._shapes import Column, ColumnType, Reject, Table
from tenancy_fixtures.exceptions import SourceError

TABLES = {"t": Table("s", "t", (Column("a", ColumnType("int4", "integer"), nullable=False), Column("b", ColumnType("text", "text"))))}


@pytest.fixture
def source(tmp_path):
    def make(content: bytes | str, name="x.csv"):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return open_sources(tmp_path / name)[0]

    return make


def lines_of(source, records, **declared):
    reader = CsvReader(source, Source(path="x.csv", **declared), frozenset("ab"))
    try:
        return reader.lines(records)
    finally:
        reader.close()


def rejects_of(*sources, block_bytes=1 << 21, **declared):
    columns = {"a": {"from": ["a"]}, "b": {"from": ["b"]}}
    target = {"table": "t", "key": ["a"], "columns": columns}
    dataset = Dataset.model_validate({"name": "d", "source": {"path": "x.csv", **declared}, "targets": [target]})
    with read_dataset(dataset, TABLES, sources, block_bytes=block_bytes) as stream:
        return [(item.source, item.record, item.line) for frame in stream for item in frame.rejects]


TEXT = 'a,b\n\n1,x\n2,"y\nz"\n\n\n"no",x\n4\n"5","p""\n\nq"\nno,x\n'


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("block", [16, 4096])
def test_lines_of_rejects(source, end, block):
    found = source(TEXT.replace("\n", end))
    assert rejects_of(found, block_bytes=block) == [("x.csv", 3, 8), ("x.csv", 4, 9), ("x.csv", 6, 13)]


def test_lines_count_what_stands_before_the_table(source):
    text = '# one\nCharts\n"a",b\n# "two\n1,x\n# three\nno,y\n'
    assert rejects_of(source(text), comment="#") == [("x.csv", 2, 7)]
    assert rejects_of(source("Charts\n\nby us\n\na,b\n1,x\n\nno,y\n")) == [("x.csv", 2, 8)]


def test_lines_of_a_header_over_several(source):
    assert lines_of(source('"a","b","c\nd"\n1,2,3\n4,5,6\n'), [1, 2]) == {1: 3, 2: 4}


def test_lines_of_several_sources(source):
    found = [source("a,b\n1,x\nno,y\n", "1.csv"), source("a,b\n\nno,y\n", "2.csv")]
    assert rejects_of(*found) == [("1.csv", 2, 3), ("2.csv", 1, 3)]


def test_lines_are_asked_for_in_any_order(source):
    found = source("a,b\n" + "1,x\n" * 100)
    reader = CsvReader(found, Source(path="x.csv"), frozenset("ab"))
    assert [reader.lines(records) for records in ([5], [7, 6], [1, 100], [200], [3])] == [{5: 6}, {6: 7, 7: 8}, {1: 2, 100: 101}, {}, {3: 4}]
    reader.close()
    assert found.path not in {item.resolve() for item in Path("/proc/self/fd").iterdir()}


def test_no_second_reading_without_rejects(source, monkeypatch):
    def find(*_):
        raise AssertionError

    monkeypatch.setattr(_csv.LineFinder, "find", find)
    assert rejects_of(source("a,b\n1,x\n")) == []
    with pytest.raises(AssertionError):
        rejects_of(source("a,b\nno,x\n"))


def test_a_file_that_has_gone_leaves_rejects_without_lines(source):
    found = source("a,b\n1,x\n")
    dataset = Dataset.model_validate(
        {"name": "d", "source": {"path": "x.csv"}, "targets": [{"table": "t", "key": ["a"], "columns": {"a": {"from": ["a"]}, "b": {"from": ["b"]}}}]}
    )
    with read_dataset(dataset, TABLES, [found]) as stream:
        rejects = (Reject("x.csv", 1, "key"), Reject("other.csv", 1, "key"))
        assert [item.line for item in stream.with_lines(rejects)] == [2, None]
        found.path.unlink()
        assert stream.with_lines(rejects) == rejects


def test_a_reader_that_is_left_early_gives_its_files_back(source):
    found = source("a,b\n" + "no,x\n" * 1000)
    dataset = Dataset.model_validate(
        {"name": "d", "source": {"path": "x.csv"}, "targets": [{"table": "t", "key": ["a"], "columns": {"a": {"from": ["a"]}, "b": {"from": ["b"]}}}]}
    )
    with read_dataset(dataset, TABLES, [found], block_bytes=64) as stream:
        assert next(stream).rejects[0].line == 2
    assert found.path not in {item.resolve() for item in Path("/proc/self/fd").iterdir()}


CELL = st.text(st.sampled_from('ab"\r\n, #'), max_size=6)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(CELL, min_size=1, max_size=3), min_size=1, max_size=20),
    blanks=st.sets(st.integers(0, 20)),
    end=st.sampled_from(["\n", "\r\n"]),
    ragged=st.sampled_from(["reject", "pad"]),
)
def test_lines_are_those_at_which_a_writer_was(source, rows, blanks, end, ragged):
    text, expected = io.StringIO(newline=""), {}
    writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(["a", "b"])
    for number, row in enumerate(rows, start=1):
        if number in blanks:
            text.write(end)
        expected[number] = sum(1 for _ in io.StringIO(text.getvalue(), newline="")) + 1
        writer.writerow(row)
    assert lines_of(source(text.getvalue()), range(1, 30), ragged=ragged) == expected


def test_a_file_that_ends_within_a_quote(source):
    with pytest.raises(SourceError):
        rejects_of(source('a,b\nno,x\n2,"y\n'))
    assert lines_of(source('a,b\nno,x\n2,"y\n'), [1, 2]) == {1: 2, 2: 3}
