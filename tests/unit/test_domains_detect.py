"""What a file is: the first part of it against what the shapes ask for."""

from __future__ import annotations

import codecs
import gzip
import json
import tracemalloc
import zipfile
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import feather

from tenancy_fixtures import DomainLoader, Pack
from tenancy_fixtures._domains import KnownShape, built_in, detect, shapes_in
from tenancy_fixtures._domains._partial_json import first_documents
from tenancy_fixtures._shape_models import FileShape
from tenancy_fixtures.exceptions import ConfigurationError, PackInvalid, SourceMissing
from tenancy_fixtures.packs import DEFAULT_FOLDER

TARGET = {"table": "things", "key": ["id"], "columns": {"id": {"from": ["id"]}}}


def shape(name: str, recognise: Any, **more: Any) -> KnownShape:
    loads = {} if "holds_nothing" in more else {"datasets": [{"name": "things", "targets": [TARGET]}]}
    return KnownShape(FileShape.model_validate({"name": name, "domain": "d", "description": f"a {name}", "recognise": recognise, **loads, **more}))


@pytest.fixture
def what(tmp_path):
    """What a file with that content is, of these shapes."""

    def found(content: Any, *shapes: KnownShape, name: str = "x.json"):
        data = content if isinstance(content, (bytes, str)) else json.dumps(content)
        (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        return detect(tmp_path / name, shapes)

    return found


# --- the first part of a text of JSON ---------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def is_start_of(part: Any, whole: Any) -> bool:
    """Whether a value is what a cut leaves of another: elements and members are missing at the end, and nothing else is."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and is_start_of(value, whole[key]) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) <= len(whole) and all(is_start_of(*pair) for pair in zip(part, whole))
    return part == whole


@given(st.lists(st.dictionaries(st.text(max_size=4), VALUES, max_size=4), min_size=1, max_size=3), st.data(), st.booleans())
def test_every_start_of_a_text_gives_the_start_of_its_documents(documents, data, as_array):
    text = json.dumps(documents) if as_array else "\n".join(json.dumps(item, ensure_ascii=False) for item in documents)
    assert first_documents(text) == documents
    assert is_start_of(first_documents(text[: data.draw(st.integers(0, len(text)))]), documents)


@pytest.mark.parametrize("text", ["", "x", "5", '{"a"', '{"a": ', "[[[", "]", "{]", '{"a": 1]', "[" * 5000, "[" * 200 + "1" + "]" * 200])
def test_what_is_no_json_gives_nothing(text):
    assert first_documents(text) == []


def test_what_follows_is_another_document():
    assert first_documents('{"a": 1}[{"b": 2}, {"b": 3}] {"c": [1, 2') == [{"a": 1}, {"b": 2}, {"b": 3}, {"c": [1]}]


# --- what is asked for ------------------------------------------------------------------------------------------------

NEEDS = shape("needs", {"needs": ["a", ["b[].c", "d"]], "lacks": ["no"]})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"a": None, "d": 1}, None),
        ([{"A ": 1}, {"b": [{}, {"c": 2}]}], None),
        ({"a": 1}, "it has no b[].c or d"),
        ({"d": 1}, "it has no a"),
        ({"a": 1, "d": 1, "no": None}, "it has no"),
        ({"x": {"a": 1, "d": 1}}, "it has no a"),
    ],
)
def test_names_that_are_there_and_names_that_are_not(what, content, reason):
    found = what(content, NEEDS)
    assert (found.known, found.rejected.get("needs")) == (reason is None, reason)


def test_names_are_those_of_columns_too(what):
    text = "Exported by somebody\n\nA;d;e\n1;2;3\n"
    found = what(text.encode("utf-16"), NEEDS, name="x.csv")
    assert (found.shape, found.why) == ("needs", ("each record has a, d",))


def test_a_header_with_many_other_columns_is_found_below_a_title(what):
    """That it is a header tell the columns that datasets read, beside the few that the kind is known by."""
    columns = {"id": {"from": ["e"]}, "other": {"from": ["f", "g h"]}}
    wide = shape("wide", {"needs": ["a", "d"]}, datasets=[{"name": "things", "targets": [{**TARGET, "columns": columns}]}])
    others = [f"other {number}" for number in range(20)]
    content = "\n".join(["Songs of the year" + "," * 23, "", ",".join(["a", "d", "e", "G_H", *others]), ",".join("1" * 24)])
    assert what(content, wide, name="x.csv").shape == "wide"
    assert not what(content.replace("e,G_H", "x,y"), wide, name="x.csv").known


def test_what_stands_between_words_does_not_matter_in_a_table(what):
    assert what("Track Name,SPOTIFY-ID\nx,1\n", shape("tracks", {"needs": ["track_name", "spotify_id"]}), name="x.csv").known
    assert not what({"Track Name": 1}, shape("tracks", {"needs": ["track_name"]})).known


def test_of_what_it_has_something_is_told_first(what):
    shapes = [
        shape("none", {"needs": ["x"]}),
        shape("one", {"needs": ["x", ["a", "a_a"], "y"]}),
        shape("two", {"needs": ["x", "a"], "values": {"d": "^[0-9]$"}}),
        shape("either", [{"needs": ["x"]}, {"needs": ["a", ["p", "q", "r", "s", "t"]]}]),
    ]
    found = what({"a": 1, "d": 1}, *shapes)
    assert found.nearest == ("two", "one", "either")
    assert found.rejected["either"] == "it has no p or q or r or s or t"


@pytest.mark.parametrize("name", ["x.csv", "x.json"])
def test_what_may_be_a_value_is_not_shown_as_a_name(what, name):
    text = "Alice Martin,alice@example.org,4111111111111111\nBob,bob@example.org,42\n"
    found = what(text if name == "x.csv" else {"alice@example.org": 1, "4111111111111111": 2, "other": 3}, NEEDS, name=name)
    assert found.why == (
        ("it is csv with 3 columns, no name of which is known: it may have no header",) if name == "x.csv" else ("it is json with other and 1 more",)
    )


def test_a_text_is_not_said_to_be_a_table(what):
    assert what("openapi: 3.0.3\ninfo:\n  title: a\n", NEEDS, name="x.yml").why == ("it is a text, and no table of more than one column",)


def test_a_table_of_typed_columns(tmp_path):
    feather.write_feather(pa.table({"a": [1], "b": [[{"c": 1}]], "d": ["x"]}), tmp_path / "x.feather")
    assert detect(tmp_path / "x.feather", [NEEDS]).shape == "needs"
    assert not detect(tmp_path / "x.feather", [shape("json", {"needs": ["a"], "formats": ["json"]})]).known


def test_values_are_looked_at(what):
    ids = shape("ids", {"values": {"id|**.uri": "^x:[0-9]+$"}})
    assert what([{"id": None}, {"id": "x:1"}], ids).known
    assert what({"deep": [{"uri": "x:2"}]}, ids).known
    found = what({"id": "SECRET", "uri": "y"}, ids)
    assert (found.known, found.rejected["ids"]) == (False, "no id or uri somewhere in it is like ^x:[0-9]+$")
    assert "SECRET" not in json.dumps(found.to_dict())


def test_text_is_looked_at_where_there_are_no_names(what):
    card = shape("card", {"text": [r"\A---$", "^license: "]})
    assert what("---\nlicense: mit\n---\n# A model\n", card, name="README.md").shape == "card"
    assert what("# A model\n", card, name="README.md").rejected == {"card": r"its text has no \A---$"}


def test_one_of_several_is_enough(what):
    either = shape("either", [{"needs": ["a"]}, {"needs": ["b", "c"]}])
    assert [what(content, either).known for content in ({"a": 1}, {"b": 1, "c": 1}, {"b": 1})] == [True, True, False]


def test_the_shape_that_asks_for_most_is_it_and_then_the_name_decides(what):
    general, special, alike = (
        shape("general", {"needs": ["a"]}),
        shape("special", {"needs": ["a", "b"]}),
        shape("alike", {"needs": ["a"], "files": ["z*.json"]}),
    )
    found = what({"a": 1, "b": 2}, general, special, alike)
    assert (found.shape, found.rejected["general"]) == ("special", "it fits too, and asks for less")
    assert what({"a": 1}, general, alike, name="Zebra.json").shape == "alike"
    found = what({"a": 1}, shape("first", {"needs": ["a"]}), shape("a-first", {"needs": ["a"]}))
    assert (found.shape, found.rejected) == ("a-first", {"first": "it fits as well; a-first comes first"})


# --- files ------------------------------------------------------------------------------------------------------------


def test_packed_files_and_marks(tmp_path, what):
    assert what(codecs.BOM_UTF8 + b'{"a": 1, "d": 1}', NEEDS).known
    assert what('{"a": 1, "d": 1}'.encode("utf-16"), NEEDS).known
    with gzip.open(tmp_path / "y.json.gz", "wt") as file:
        file.write('{"a": 1, "d": 1}')
    assert detect(tmp_path / "y.json.gz", [NEEDS]).known


def test_each_file_of_an_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("in/one.json", '{"a": 1, "d": 1}')
        archive.writestr("in/two.json", '{"x": 1}')
        archive.writestr("in/picture.png", "no data")
    found = detect(tmp_path / "x.zip", [NEEDS])
    assert [(part.shape, part.known) for part in found.parts] == [("needs", True), (None, False)]
    assert (found.known, found.shape, found.why) == (False, None, ("1 of 2 files: of no kind that is known", "1 of 2 files: needs"))


def test_a_name_that_a_shape_knows_is_looked_at_among_others(tmp_path):
    card = shape("card", {"text": [r"\A---$"], "files": ["README.md", "MLmodel"]})
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
    (tmp_path / "one.json").write_text('{"a": 1, "d": 1}')
    (tmp_path / "notes.md").write_text("---\n")
    assert [part.shape for part in detect(tmp_path, [card, NEEDS]).parts] == ["card", "needs"]
    (tmp_path / "MLmodel").write_text("nothing of the kind")
    assert [part.shape for part in detect(tmp_path, [card, NEEDS]).parts] == ["card", "needs"]
    assert not detect(tmp_path / "MLmodel", [card, NEEDS]).known
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(tmp_path / "README.md", "model/README.md")
        archive.write(tmp_path / "one.json", "model/one.json")
    assert {part.shape for part in detect(tmp_path / "x.zip", [card, NEEDS]).parts} == {"card", "needs"}


def test_a_file_that_is_nothing_of_the_kind(what, tmp_path):
    for content in (b"\x89PNG\r\n\x1a\n\x00\x00", b"PAR1 and no more", b'{"a": 1', b"just words\n"):
        found = what(content, NEEDS, name="x.dat")
        assert (found.known, len(found.why)) == (False, 1), content
    with pytest.raises(SourceMissing):
        detect(tmp_path / "nowhere.json", [NEEDS])


@pytest.mark.parametrize("name", ["x.json", "x.csv", "x.ndjson"])
def test_a_large_file_is_not_read(name, tmp_path):
    with (tmp_path / name).open("w") as file:
        file.write({"x.json": '[{"a": 1, "d": 1}', "x.csv": "a,d\n", "x.ndjson": ""}[name])
        line = {
            "x.json": ',\n{"a": 1, "d": "' + "y" * 1000 + '"}',
            "x.csv": "1," + "y" * 1000 + "\n",
            "x.ndjson": '{"a": 1, "d": "' + "y" * 1000 + '"}\n',
        }[name]
        for _ in range(30_000):
            file.write(line)
        file.write("]" if name == "x.json" else "")
    tracemalloc.start()
    assert detect(tmp_path / name, [NEEDS]).known
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12_000_000


# --- declarations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recognise": {"files": ["*.csv"]}}, "say what the contents are known by"),
        ({"recognise": {"values": {"a": "("}}}, "no regular expression"),
        ({"recognise": []}, "say what it is known by"),
        ({"datasets": []}, "say in holds_nothing why"),
        ({"holds_nothing": "both"}, "say in holds_nothing why"),
        ({"datasets": [{"name": "a", "targets": [TARGET]}] * 2}, "same name"),
        ({"datasets": [{"name": "a", "targets": [TARGET], "rewrit": "x"}]}, "Extra inputs"),
    ],
)
def test_a_declaration_that_makes_no_sense(change, message, tmp_path):
    right = {"name": "x", "domain": "d", "description": "an x", "recognise": {"needs": ["a"]}, "datasets": [{"name": "a", "targets": [TARGET]}]}
    (tmp_path / "x.json").write_text(json.dumps(right))
    assert [item.name for item in shapes_in(tmp_path)] == ["x"]
    (tmp_path / "x.json").write_text(json.dumps({**right, **change}))
    with pytest.raises(PackInvalid, match=message):
        shapes_in(tmp_path)


def test_functions_must_be_there(tmp_path):
    declared = {"name": "a", "rewrite": "mine", "targets": [TARGET]}
    right = {"name": "x", "domain": "d", "description": "an x", "recognise": {"needs": ["a"]}, "datasets": [declared]}
    (tmp_path / "x.json").write_text(json.dumps(right))
    (found,) = shapes_in(tmp_path, rewriters={"mine": lambda document, given: [{**document, **given}]})
    assert [item.name for item in found.datasets()] == ["x.a"]
    with pytest.raises(PackInvalid, match="a function 'mine' that is not there"):
        shapes_in(tmp_path)
    (tmp_path / "y.json").write_text(json.dumps(right))
    with pytest.raises(PackInvalid, match="declared twice"):
        shapes_in(tmp_path)
    with pytest.raises(ConfigurationError, match="no shape is declared"):
        shapes_in(tmp_path / "nowhere")


def test_the_shapes_that_come_with_the_library_fit_its_pack():
    names = [item.name for item in built_in()]
    assert len(set(names)) == len(names) >= 10
    script = (DEFAULT_FOLDER / "schema_template.sql").read_text(encoding="utf-8")
    tables = {target.table for item in built_in() for dataset in item.datasets() for target in dataset.targets}
    assert [name for name in tables if f"CREATE TABLE {name} (" not in script] == []


def test_a_pack_declares_shapes_of_its_own(tmp_path):
    folder = tmp_path / "pack"
    (folder / "shapes").mkdir(parents=True)
    mine = {
        "name": "spotify-tracks",
        "domain": "mine",
        "description": "mine",
        "recognise": {"needs": ["a"]},
        "datasets": [{"name": "a", "targets": [TARGET]}],
    }
    (folder / "shapes" / "mine.json").write_text(json.dumps(mine))
    (folder / "pack.json").write_text('{"name": "p", "version": "1"}')
    (folder / "tenant_template.json").write_text('{"default_tier": "one", "tiers": {"one": {}}}')
    (folder / "config_template.json").write_text('{"defaults": {}}')
    (folder / "schema_template.sql").write_text("CREATE TABLE things (id int PRIMARY KEY);")
    pack, without = Pack.from_folder(folder), Pack.default()
    (tmp_path / "x.json").write_text('{"a": 1}')
    found = DomainLoader.detect(tmp_path / "x.json", pack=pack)
    assert (found.shape, found.domain) == ("spotify-tracks", "mine")
    assert not DomainLoader.detect(tmp_path / "x.json", pack=without).known
    (folder / "shapes" / "mine.json").write_text(json.dumps({**mine, "description": "changed"}))
    assert Pack.from_folder(folder).digest != pack.digest


# --- what holds nothing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["[]", " [ ]\n", "{}", '{"playlists": []}', '[{"a": [], "b": [{}]}]', "\ufeff[]"])
def test_a_document_without_a_value_is_empty(what, text):
    found = what(text, shape("one", {"needs": ["id"]}))
    assert (found.empty, found.known) == (True, False)


@pytest.mark.parametrize(
    "text", ["[0]", '{"a": ""}', '{"a": null}', '[{"a": false}]', "[", "[] x", "<html>", "[" * 150 + "1" + "]" * 150, '{"a": [[1]]}']
)
def test_a_document_with_a_value_or_a_fault_is_not(what, text):
    assert not what(text, shape("one", {"needs": ["id"]})).empty


def test_a_header_without_a_record_is_known_by_its_names(what):
    asks = shape("one", {"needs": ["id"], "values": {"id": "^[0-9]+$"}})
    assert what("id,name\n", asks, name="x.csv").shape == "one"
    assert what("id,name\nx,y\n", asks, name="x.csv").shape is None
    assert what("name\n", asks, name="x.csv").shape is None


def test_a_name_alone_is_enough_only_for_what_holds_nothing(what):
    beside, other = shape("beside", {"files": ["vocab.*"]}, holds_nothing="it says nothing"), shape("other", {"needs": ["a"]})
    assert what({"b": 1}, beside, other, name="Vocab.json").shape == "beside"
    assert what({"a": 1}, beside, other, name="vocab.json").shape == "other", "what the contents say comes first"
    assert what({"b": 1}, beside, other, name="words.json").shape is None
    with pytest.raises(ValueError, match="the name alone"):
        shape("one", {"files": ["x.json"]})
    with pytest.raises(ValueError, match="say what the contents are known by"):
        shape("one", {}, holds_nothing="it says nothing")
