"""Properties of the readers of JSON: both ways give the same, and what is cut and parsed is what the standard library parses."""

from __future__ import annotations

import io
import json
import math
import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenancy_fixtures._ingest import open_sources
from tenancy_fixtures._ingest._json_cut import Cutter, value_of
from tenancy_fixtures._ingest._json_scan import Fault
from tenancy_fixtures._ingest._json_values import compact
from tenancy_fixtures._ingest._paths import parse_records
from tenancy_fixtures._ingest.readers import Field, open_reader
from tenancy_fixtures._pack_models import Source
from tenancy_fixtures.exceptions import SourceEmpty

KINDS = {"i": "integer", "f": "number", "b": "boolean", "s": "text", "e": "exact"}
# What is no JSON, in a field that nobody wants: a lax parser would pass over it.
WRONG = ["NaN", "-Infinity", "Inf", "01", "+1", ".5", "1.", "'x'", '"\x01"', '"\\x"', '"\\ud800"', "tru", "1 2", "{,}", "[1,]", "/**/1", "0x1"]
ODD = [
    '"85.0"',
    "85.0",
    "8e2",
    "1e400",
    "1e-400",
    "9223372036854775808",
    "-0",
    "-0.0",
    "true",
    "null",
    '"x\\u0000"',
    '"\\ud800"',
    "[1]",
    '{"a":1}',
    "1.5",
    '"é"',
    "0",
]
PLAIN = {
    "i": st.integers(-(2**63), 2**63 - 1).map(str),
    "f": st.floats(allow_nan=False, allow_infinity=False).map(json.dumps),
    "b": st.sampled_from(["true", "false"]),
    "s": st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map(json.dumps),
    "e": st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
}


def _is_lost(text: str | None) -> bool:
    try:
        value = float(text or "1")
    except ValueError:
        return False
    return not math.isfinite(value) or (value == 0 and any(digit in "123456789" for digit in re.split("[eE]", text or "")[0]))


def lines():
    cell = {key: st.one_of(plain, plain, plain, plain, st.just("null"), st.sampled_from(ODD)) for key, plain in PLAIN.items()}
    record = st.fixed_dictionaries({}, optional=cell).map(lambda cells: "{" + ",".join(f'"{key}":{text}' for key, text in cells.items()) + "}")
    return st.lists(
        st.one_of(record, record, record, st.sampled_from(['{"i":1}{"i":2}', "", "x", '{"i":1,"i":2}', *(f'{{"z":{wrong}}}' for wrong in WRONG)])),
        min_size=1,
        max_size=6,
    )


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=lines(), end=st.sampled_from(["\n", "\r\n"]), names=st.sets(st.sampled_from("ifbs"), min_size=1))
def test_both_ways_give_the_same(tmp_path, lines, end, names):
    """Plain slices go through pyarrow, others line by line: the typed values of the first are those that the second's texts mean."""
    path = tmp_path / "x.ndjson"
    path.write_bytes((end.join(lines) + end).encode())
    fields = {name: Field(KINDS[name]) for name in sorted(names)}

    def rows(fast: bool):
        reader = open_reader(open_sources(path)[0], Source(path="x"), fields)
        if not fast:
            reader._fast._schema = None
        frames = list(reader.frames())
        found = {n: dict(zip(reader.header, cells)) for frame in frames for n, cells in zip(frame.numbers, frame.cells.iter_rows())}
        return found, {(reject.record, reject.rule, reject.line) for frame in frames for reject in frame.rejects}

    try:
        exact, rejected = rows(fast=False)
    except SourceEmpty:
        return
    quick, also_rejected = rows(fast=True)
    assert also_rejected == rejected
    means = {str: lambda text: text, int: int, float: float, bool: lambda text: text == "true", type(None): lambda text: text}
    assert exact.keys() == quick.keys()
    # What a double has no room for stays text, so that the cast refuses it.
    lost = {n for n, row in exact.items() if any(f.kind == "number" and _is_lost(row[name]) for name, f in fields.items())}
    assert not {
        n for n in lost for name, f in fields.items() if f.kind == "number" and isinstance(quick[n][name], float) and _is_lost(exact[n][name])
    }
    for number, row in exact.items():
        assert {name: means[type(quick[number][name])](row[name]) for name in fields} == {name: quick[number][name] for name in fields}


# --- the fast way where records are nested, and in documents ---------------------------------------------------------

NESTED = {"o.i": "integer", "o.p.s": "text", "l.0": "integer", "l.1": "integer", "q.1.s": "text", "n": "text", "r": "real", "e": "exact"}
LIKE = {
    "o": st.fixed_dictionaries({}, optional={"i": st.integers(-5, 5), "p": st.none() | st.fixed_dictionaries({"s": st.text(max_size=3)})})
    | st.none(),
    "l": st.lists(st.integers(0, 9), max_size=3),
    "q": st.lists(st.none() | st.fixed_dictionaries({"s": st.text(max_size=2)}), max_size=3),
    "n": st.integers(-3, 10**17),
    "r": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "e": st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    "other": st.just({"deep": [[1]]}),
}
STRANGE = [
    '{"o": 3}',
    '{"l": {"0": 1}}',
    '{"n": 1.0}',
    '{"n": -0}',
    '{"r": 1e-46}',
    '{"r": 3.5e38}',
    '{"q": [1, "x"]}',
    '{"e": 1.50}',
    '{"e": "\\ud800"}',
    "{}",
    "[]",
]
records_alike = st.lists(st.fixed_dictionaries({}, optional=LIKE).map(json.dumps), min_size=1, max_size=6)


def frames_of(reader, block):
    frames = list(reader.frames(block))
    cells = {n: row for frame in frames for n, row in zip(frame.numbers, frame.cells.iter_rows())}
    lines = {n: line for frame in frames for n, line in zip(frame.numbers, frame.lines)}
    return cells, lines, [(item.record, item.rule, item.column, item.line) for frame in frames for item in frame.rejects], frames


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plain=records_alike,
    odd=st.lists(st.sampled_from(STRANGE), max_size=1),
    kind=st.sampled_from(["json", "ndjson"]),
    block=st.sampled_from([64, 1 << 20]),
)
def test_both_ways_give_the_same_of_nested_records(tmp_path, plain, odd, kind, block):
    path = tmp_path / "x"
    path.write_text("[" + " ,\n".join([*plain, *odd]) + "]" if kind == "json" else "\n".join([*plain, *odd]))
    fields = {name: Field(kind) for name, kind in NESTED.items()}

    def rows(fast: bool):
        reader = open_reader(open_sources(path)[0], Source(path="x", format=kind), fields)
        if not fast:
            reader._fast._schema = None
            reader._fast.observe = lambda records: None
        return frames_of(reader, block)

    exact, exact_lines, exact_rejects, _ = rows(fast=False)
    quick, lines, rejects, _ = rows(fast=True)
    assert (lines, rejects, exact.keys()) == (exact_lines, exact_rejects, quick.keys())
    for number, row in exact.items():
        for text, value in zip(row, quick[number]):
            assert (value if isinstance(value, (str, type(None))) else json.loads(text)) == (text if isinstance(value, str) else value)


def test_nested_records_go_the_fast_way(tmp_path):
    path = tmp_path / "x"
    record = {"o": {"i": 1, "p": {"s": "x"}}, "l": [1, 2], "q": [{"s": "y"}, {"s": "z"}], "n": 7, "r": 0.5, "e": "t", "other": 1}
    for kind, text in (("json", json.dumps([record, record], indent=1)), ("ndjson", f"{json.dumps(record)}\n" * 2)):
        path.write_text(text)
        reader = open_reader(open_sources(path)[0], Source(path="x", format=kind), {name: Field(kind) for name, kind in NESTED.items()})
        cells, lines, _, frames = frames_of(reader, 1 << 20)
        assert str(frames[0].cells.dtypes[0]) == "Int64"
        assert cells == dict.fromkeys([1, 2], (1, "x", 1, 2, "z", "7", 0.5, "t", None))
        second = text.index(json.dumps("o"), text.index(json.dumps("other")) + 1)
        assert lines == {1: 2, 2: text.count("\n", 0, second)} if kind == "json" else {1: 1, 2: 2}


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.sampled_from('a"\\\n[]{},:é😀'), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.sampled_from('ab"\\,]}'), max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    documents=st.lists(st.lists(VALUES, max_size=4) | st.dictionaries(st.text(max_size=2), VALUES, max_size=3), min_size=1, max_size=3),
    indent=st.sampled_from([None, 1]),
    ascii_only=st.booleans(),
    block=st.integers(4, 80),
)
def test_documents_are_cut_where_the_standard_library_would(tmp_path, documents, indent, ascii_only, block):
    """Whatever stands in strings, and wherever a block ends."""
    path = tmp_path / "x.json"
    path.write_text("\n".join(json.dumps(document, indent=indent, ensure_ascii=ascii_only) for document in documents), encoding="utf-8")
    expected = [item for document in documents for item in (document if isinstance(document, list) else [document])]
    with path.open("rb") as file:
        parts = list(Cutter(file.read, (), block).parts())
    assert [json.loads(part.data) for part in parts] == expected
    text = path.read_text("utf-8")
    assert [part.line for part in parts] == [text.encode()[: text.encode().index(part.data.strip(), part.at)].count(b"\n") + 1 for part in parts]


SOUND = [
    b'[{"a": 1, "b": "x\\"]}"}, {"a": [1,2,{"c": null}], "d": "\\\\"}, 3, "s,"]',
    b'{"k": {"n": [{"a": 1}, {"b": [2]}], "z": "}"}, "y": [1, {"q": "]"}]}',
    b'[\n [1], {"x": {"y": [{}]}},\n true]',
]
SIGNS = [b"", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b" ", b"\n", b"1", b"null"]


def documents_in(text: str) -> list | None:
    """The documents of a text by the standard library, one after the other; ``None`` where it is no JSON."""
    decoder, place, found = json.JSONDecoder(), 0, []
    try:
        while rest := text[place:].lstrip(" \t\r\n"):
            value, place = decoder.raw_decode(text, len(text) - len(rest))
            found.append(value)
    except ValueError:
        return None
    return found


@settings(max_examples=500)
@given(
    sound=st.sampled_from(SOUND),
    changes=st.lists(st.tuples(st.integers(0, 70), st.integers(0, 1), st.sampled_from(SIGNS)), max_size=3),
    records=st.sampled_from(["", "[]", "k.n[]", "y[]"]),
    block=st.sampled_from([4, 9, 1000]),
)
def test_what_is_cut_and_parsed_is_json_or_refused(sound, changes, records, block):
    """Brackets, quotes and commas taken away or put in: nothing passes that the standard library refuses, and nothing else is refused."""
    spoilt = sound
    for place, removed, sign in changes:
        spoilt = spoilt[:place] + sign + spoilt[place + removed :]
    expected = documents_in(spoilt.decode())
    values, refused = [], None
    try:
        values = [value_of(part) for part in Cutter(io.BytesIO(spoilt).read, parse_records(records), block).parts()]
    except Fault as fault:
        refused = fault
    if refused is not None:
        assert 0 <= refused.at <= len(spoilt)
        # Scalars are documents on lines of their own, and a key that leads to the records is there once.
        assert expected is None or len(expected) > 1 or "twice" in refused.reason
        return
    assert expected is not None
    if not records:
        items = [item for document in expected for item in (document if isinstance(document, list) else [document])]
        assert [json.loads(compact(value)) for value in values] == items
