"""What is done to whole documents, and to rows of tables as documents: made into other records, filtered, searched for secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tenancy_fixtures._ingest import Hooks, open_sources
from tenancy_fixtures._ingest.readers import BadDocument, Field, open_reader
from tenancy_fixtures._pack_models import Source
from tenancy_fixtures.exceptions import SourceMalformed

KEY = "sk-proj-" + "Zq7c4n4ryV4lue0123456789"


def read(path: Path, hooks: Hooks, *names: str, **declared: Any) -> tuple[list[tuple[Any, ...]], list[tuple[int, str, str]]]:
    """The cells of the wanted names, record by record; and number, rule and message of each reject."""
    (source,) = open_sources(path)
    reader = open_reader(source, Source.model_validate({"path": "any", **declared}), {name: Field() for name in names}, hooks)
    places = [str(reader.header.index(name)) for name in names]
    frames = list(reader.frames())
    rows = [row for frame in frames for row in frame.cells.select(places).iter_rows()]
    return rows, [(item.record, item.rule, item.message) for frame in frames for item in frame.rejects]


def each_cell(row: Any, file: str) -> Any:
    for name, value in row.items():
        yield {"file": Path(file).name, "name": name, "value": value}


def test_rows_of_a_table_are_documents(tmp_path: Path):
    path = tmp_path / "wide.csv"
    path.write_bytes('n\xe4me;b;c\r\n1;;"x\r\ny"\r\n2;3\r\n'.encode("latin-1"))
    rows, rejects = read(path, Hooks(each_cell), "file", "name", "value", delimiter=";")
    assert rows == [("wide.csv", "n\xe4me", "1"), ("wide.csv", "b", ""), ("wide.csv", "c", "x\r\ny")]
    assert rejects == [(4, "cells", "expected 3 cells, as in the header, found 2")]


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_the_dialect_is_the_one_under_which_its_columns_are_there(sign: str, tmp_path: Path):
    path = tmp_path / "some.csv"
    path.write_text("\n".join(sign.join(cells) for cells in (("name", "version", "accuracy"), ("a", "x", "0.5"), ("b", "y", "0.75"))))
    rows, rejects = read(path, Hooks(each_cell, columns=("Version", "score")), "name", "value")
    assert (rows[:3], len(rows), rejects) == ([("name", "a"), ("Version", "x"), ("accuracy", "0.5")], 6, [])


def test_values_of_a_format_with_types_stay_what_they_are(tmp_path: Path):
    path = tmp_path / "typed.parquet"
    pl.DataFrame({"a.b": [1], "c": [[1.5, None]], "d": [{"e": True}]}).write_parquet(path)
    rows, _ = read(path, Hooks(each_cell), "name", "value")
    assert rows == [("a.b", "1"), ("c", "[1.5,null]"), ("d", '{"e":true}')]


def test_two_columns_of_one_name_would_lose_one(tmp_path: Path):
    path = tmp_path / "twice.csv"
    path.write_text("a,a\n1,2\n")
    with pytest.raises(SourceMalformed, match="names columns 1, 2 alike"):
        read(path, Hooks(each_cell), "name")


@pytest.mark.parametrize("form", ["json", "ndjson", "csv"])
@pytest.mark.parametrize("rewrite", [None, each_cell])
def test_a_record_with_a_secret_is_a_reject_and_the_others_are_read(form: str, rewrite: Any, tmp_path: Path):
    records = [{"name": "a", "value": "1"}, {"name": "b", "value": KEY}, {"name": "c", "value": "${KEY}"}]
    lines = [json.dumps(record) for record in records]
    text = {"json": "[" + ",".join(lines) + "]", "ndjson": "\n".join(lines), "csv": "name,value\na,1\nb," + KEY + "\nc,${KEY}\n"}[form]
    path = tmp_path / f"records.{form}"
    path.write_text(text)
    rows, rejects = read(path, Hooks(rewrite, refuse_secrets=True), "value")
    assert rows == [("1",), ("${KEY}",)] if rewrite is None else [("a",), ("1",), ("c",), ("${KEY}",)]
    assert rejects == [(2 if rewrite is None else 3, "secret", "expected no secret, found value (an API key)")]
    assert KEY in str(read(path, Hooks(rewrite), "value")[0])


def test_what_a_function_says_of_a_document_is_told_and_what_python_says_is_not(tmp_path: Path):
    path = tmp_path / "records.ndjson"
    path.write_text('{"a": "Zq7-canary"}\n{"a": {"b": 1}}\n')

    def make(document: Any, file: str) -> Any:
        if file.endswith("records.ndjson") and isinstance(document["a"], dict):
            raise BadDocument("expected a text as a")
        yield {"a": int(document["a"])}

    _, rejects = read(path, Hooks(make), "a")
    assert rejects == [(1, "document", "expected a document of the shape's structure (ValueError)"), (2, "document", "expected a text as a")]
