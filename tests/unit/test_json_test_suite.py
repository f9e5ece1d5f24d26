"""JSONTestSuite through the readers: every y_ is read, every n_ refused, and what RFC 8259 leaves open (i_) has a recorded outcome."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import NamedTuple, Union

import pytest

from tenancy_fixtures._ingest import open_sources
from tenancy_fixtures._ingest.readers import Field, open_reader
from tenancy_fixtures._pack_models import Source
from tenancy_fixtures.exceptions import SourceEmpty, SourceError, SourceMalformed, SourceUndecodable


class Value(NamedTuple):
    """The text is JSON; a column of text that it is mapped to holds this."""

    cell: str


class Rejected(NamedTuple):
    """The text is JSON, or would be but for bytes in its strings (``raw``); a record that holds it is a reject by this rule."""

    rule: str
    raw: bool = False


class Refused(NamedTuple):
    """The file is at fault, at this byte or, where the text is no JSON, at this character; in NDJSON its line is a reject by this rule."""

    error: type[SourceError]
    place: int
    rule: str


Outcome = Union[Value, Rejected, Refused]


def _no_text(place: int) -> Refused:
    return Refused(SourceUndecodable, place, "encoding")


# Each file with the reason in a word: *digits* all stay, *half* of a surrogate pair is no text of PostgreSQL, *bytes* are not
# UTF-8, a *mark* says which encoding it is and *no mark* leaves it at UTF-8, *depth* is limited before a parser recurses.
OPEN: dict[str, tuple[str, Outcome]] = {
    "i_number_double_huge_neg_exp": ("digits", Value("[123.456e-789]")),
    "i_number_huge_exp": ("digits", Value(f"[0.4e0066{'9' * 116}6{'9' * 7}006]")),
    "i_number_neg_int_huge_exp": ("digits", Value("[-1e+9999]")),
    "i_number_pos_double_huge_exp": ("digits", Value("[1.5e+9999]")),
    "i_number_real_neg_overflow": ("digits", Value("[-123123e100000]")),
    "i_number_real_pos_overflow": ("digits", Value("[123123e100000]")),
    "i_number_real_underflow": ("digits", Value("[123e-10000000]")),
    "i_number_too_big_neg_int": ("digits", Value("[-123123123123123123123123123123]")),
    "i_number_too_big_pos_int": ("digits", Value("[100000000000000000000]")),
    "i_number_very_big_negative_int": ("digits", Value("[-237462374673276894279832749832423479823246327846]")),
    "i_object_key_lone_2nd_surrogate": ("half", Rejected("encoding")),
    "i_string_1st_surrogate_but_2nd_missing": ("half", Rejected("encoding")),
    "i_string_1st_valid_surrogate_2nd_invalid": ("half", Rejected("encoding")),
    "i_string_UTF-16LE_with_BOM": ("mark", Value('["é"]')),
    "i_string_UTF-8_invalid_sequence": ("bytes", Rejected("encoding", raw=True)),
    "i_string_UTF8_surrogate_U+D800": ("bytes", Rejected("encoding", raw=True)),
    "i_string_incomplete_surrogate_and_escape_valid": ("half", Rejected("encoding")),
    "i_string_incomplete_surrogate_pair": ("half", Rejected("encoding")),
    "i_string_incomplete_surrogates_escape_valid": ("half", Rejected("encoding")),
    "i_string_invalid_lonely_surrogate": ("half", Rejected("encoding")),
    "i_string_invalid_surrogate": ("half", Rejected("encoding")),
    "i_string_invalid_utf-8": ("bytes", Rejected("encoding", raw=True)),
    "i_string_inverted_surrogates_U+1D11E": ("half", Rejected("encoding")),
    "i_string_iso_latin_1": ("bytes", Rejected("encoding", raw=True)),
    "i_string_lone_second_surrogate": ("half", Rejected("encoding")),
    "i_string_lone_utf8_continuation_byte": ("bytes", Rejected("encoding", raw=True)),
    "i_string_not_in_unicode_range": ("bytes", Rejected("encoding", raw=True)),
    "i_string_overlong_sequence_2_bytes": ("bytes", Rejected("encoding", raw=True)),
    "i_string_overlong_sequence_6_bytes": ("bytes", Rejected("encoding", raw=True)),
    "i_string_overlong_sequence_6_bytes_null": ("bytes", Rejected("encoding", raw=True)),
    "i_string_truncated-utf-8": ("bytes", Rejected("encoding", raw=True)),
    "i_string_utf16BE_no_BOM": ("no mark", _no_text(5)),
    "i_string_utf16LE_no_BOM": ("no mark", _no_text(4)),
    "i_structure_500_nested_arrays": ("depth", Refused(SourceMalformed, 129, "json")),
    "i_structure_UTF-8_BOM_empty_object": ("mark", Value("{}")),
}

MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16"}


@pytest.fixture(scope="module")
def suite(real_data: Path) -> dict[str, Path]:
    folder = real_data.parent / "corpora" / "json-test-suite" / "test_parsing"
    if not folder.is_dir():
        pytest.skip(f"no JSONTestSuite in {folder}")
    found = {path.stem: path for path in sorted(folder.glob("*.json"))}
    assert len(found) > 300
    return found


class Read(NamedTuple):
    """What the column ``a`` holds in each record, and the rules that the others broke."""

    cells: list[str | None]
    rules: list[str]


def read(path: Path, kind: str) -> Read:
    reader = open_reader(open_sources(path)[0], Source(path="x", format=kind), {"a": Field()})
    frames = list(reader.frames())
    return Read([row[0] for frame in frames for row in frame.cells.iter_rows()], [reject.rule for frame in frames for reject in frame.rejects])


def text_of(path: Path) -> bytes:
    content = path.read_bytes()
    encoding = next((encoding for mark, encoding in MARKS.items() if content.startswith(mark)), None)
    return (content if encoding is None else content.decode(encoding).encode()).strip()


def test_what_is_json_is_read(suite: dict[str, Path]):
    """An empty array holds no record: an error of the dataset, and none of the parser."""
    empty = {name for name, path in suite.items() if name.startswith("y_") and json.loads(path.read_bytes()) == []}
    assert len(empty) < 10
    for name, path in suite.items():
        if name in empty:
            with pytest.raises(SourceEmpty):
                read(path, "json")
        elif name.startswith("y_"):
            assert read(path, "json"), name


def test_what_is_no_json_is_refused(suite: dict[str, Path]):
    for name, path in suite.items():
        if name.startswith("n_"):
            with pytest.raises(SourceError):
                pytest.fail(f"{name} was read: {read(path, 'json')}")


def test_what_is_left_open_is_recorded(suite: dict[str, Path]):
    assert {name for name in suite if name.startswith("i_")} == set(OPEN)
    assert len(OPEN) == 35


@pytest.mark.parametrize("name", OPEN)
def test_a_file_as_it_is(suite: dict[str, Path], name: str):
    """An array holds records that are no objects; the two objects hold no ``a``."""
    _, expected = OPEN[name]
    if isinstance(expected, Refused):
        with pytest.raises(expected.error) as raised:
            read(suite[name], "json")
        assert (raised.value.offset if expected.rule == "encoding" else raised.value.column) == expected.place
        assert read(suite[name], "ndjson") == ([], [expected.rule])
    else:
        held = ([None], []) if text_of(suite[name]).startswith(b"{") else ([], ["record"])
        raw = isinstance(expected, Rejected) and expected.raw
        assert read(suite[name], "json") == read(suite[name], "ndjson") == (([], ["encoding"]) if raw else held)


@pytest.mark.parametrize("kind", ["json", "ndjson"])
@pytest.mark.parametrize("name", [name for name, (_, outcome) in OPEN.items() if not isinstance(outcome, Refused)])
def test_what_it_holds(suite: dict[str, Path], tmp_path: Path, name: str, kind: str):
    """The same text as the value of a record."""
    path = tmp_path / "record.json"
    path.write_bytes(b'{"a": %s}\n' % text_of(suite[name]))
    _, expected = OPEN[name]
    assert read(path, kind) == (([expected.cell], []) if isinstance(expected, Value) else ([], [expected.rule]))
