"""YAML as YAML 1.2 has it: plain values, with every digit; what is hostile is tried in tests/acceptance/test_models.py."""

from __future__ import annotations

import io
from typing import Any

import pytest

from tenancy_fixtures._ingest._json_values import Number
from tenancy_fixtures._ingest.yaml_documents import documents, front_matter
from tenancy_fixtures.exceptions import SourceMalformed


def value_of(text: str) -> Any:
    (document,) = documents(io.BytesIO(f"a: {text}\n".encode()))
    return document["a"]


@pytest.mark.parametrize(
    "text", ["no", "Yes", "on", "2024-01-31", "2024-01-31 10:00:00", "12:30", "1_000", "0b11", "=", "1.2.3", "'1'", '"true"', "-", "1e", "!!str 1"]
)
def test_these_are_texts(text: str):
    found = value_of(text) if text != "-" else "-"
    assert type(found) is str
    assert found == text.removeprefix("!!str ").strip("'\"")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(
            ("1", "1"),
            ("-0", "-0"),
            ("010", "10"),
            ("+7", "7"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("1.50", "1.50"),
            ("1e-05", "1e-05"),
            ("3.", "3"),
            (".5", "0.5"),
        ),
        *(("-.5", "-0.5"), ("9" * 5000, "9" * 5000), ("0.1234567890123456789", "0.1234567890123456789"), ("00.5", "0.5"), ("6.02E23", "6.02E23")),
    ],
)
def test_these_are_numbers_with_every_digit(text: str, number: str):
    found = value_of(text)
    assert type(found) is Number
    assert found == number


@pytest.mark.parametrize(("text", "value"), [("true", True), ("FALSE", False), ("~", None), ("", None), ("null", None)])
def test_these_are_neither(text: str, value: object):
    assert value_of(text) is value


def test_aliases_merges_and_several_documents():
    text = b"base: &base {a: 1, b: [x]}\nmore: {<<: *base, a: 2}\nsame: *base\n---\nsecond: true\n"
    first, second = documents(io.BytesIO(text))
    assert first == {"base": {"a": "1", "b": ["x"]}, "more": {"a": "2", "b": ["x"]}, "same": {"a": "1", "b": ["x"]}}
    assert second == {"second": True}


def test_the_block_before_a_text_is_read_and_the_text_is_not():
    text = "\ufeff---\r\nlicense: mit\r\n---\r\n# : { not yaml\r\n---\r\n" + "x" * 10_000_000
    assert list(front_matter(io.BytesIO(text.encode()))) == [{"license": "mit"}]


def test_a_fault_has_its_line_in_the_file():
    with pytest.raises(SourceMalformed, match=r"line 4, column") as caught:
        list(front_matter(io.BytesIO(b"---\na: 1\nb: 2\nc: d: Zq7-canary\n---\n")))
    assert "canary" not in str(caught.value)
