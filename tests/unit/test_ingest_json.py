"""JSON and NDJSON into frames: strict, with every digit, record by record."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tenancy_fixtures._ingest import _ndjson, open_sources
from tenancy_fixtures._ingest._paths import as_name
from tenancy_fixtures._ingest.readers import Field, detect, open_reader
from tenancy_fixtures._pack_models import Source
from tenancy_fixtures.exceptions import PackInvalid, SourceEmpty, SourceMalformed, SourceUndecodable


@pytest.fixture
def read(tmp_path: Path):
    """The rows (record number → cells by name) and the rejects of a text."""

    def reading(text: str | bytes, *names: str, block: int = 1 << 21, fields: dict[str, Field] | None = None, **declared):
        path = tmp_path / "source.x"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        reader = open_reader(open_sources(path)[0], Source(path="x", **{"format": "json", **declared}), fields or {name: Field() for name in names})
        rows, rejects = {}, {}
        for frame in reader.frames(block):
            for number, cells in zip(frame.numbers, frame.cells.iter_rows()):
                rows[number] = dict(zip(reader.header, cells))
            rejects.update({reject.record: (reject.rule, reject.line) for reject in frame.rejects})
        return rows, rejects

    return reading


class TestDocuments:
    @pytest.mark.parametrize(
        ("text", "records"),
        [
            ('{"a": 1}', ["1"]),
            ('[{"a": 1}, {"a": 2}]', ["1", "2"]),
            ('{"a": 1}{"a": 2}\n[{"a": 3}]', ["1", "2", "3"]),
            ('\ufeff [ {"a" : 1 } ] ', ["1"]),
            ('[{"b": 1}, {"a": null}, {}]', [None, None, None]),
        ],
    )
    def test_what_the_records_are(self, read, text, records):
        rows, rejects = read(text, "a")
        assert ([row["a"] for row in rows.values()], rejects) == (records, {})

    @pytest.mark.parametrize("text", ["", " ", "[]", "[] []"])
    def test_no_record(self, read, text):
        with pytest.raises(SourceEmpty):
            read(text, "a")

    @pytest.mark.parametrize(("text", "bad"), [('"x"', [1]), ("3", [1]), ('[1, {"a": 1}, [2], null]', [1, 3, 4])])
    def test_what_is_no_object_is_a_reject(self, read, text, bad):
        _, rejects = read(text, "a")
        assert rejects == dict.fromkeys(bad, ("record", 1))

    def test_every_digit_stays(self, read):
        numbers = ["12345678901234567890.123", "1E400", "-0", "1.10", "0.1e-5", "9" * 5000]
        rows, _ = read("[" + ",".join(f'{{"a": {number}}}' for number in numbers) + "]", "a")
        assert [row["a"] for row in rows.values()] == numbers

    def test_values_as_cells(self, read):
        text = '{"t": true, "f": false, "n": null, "s": "\\u00e9\\ud83d\\ude00", "l": [1, "x", null], "o": {"k": 1.50, "é": "\\""}}'
        rows, _ = read(text, *"tfnslo")
        assert rows[1] == {"t": "true", "f": "false", "n": None, "s": "é😀", "l": '[1,"x",null]', "o": '{"k":1.50,"é":"\\""}'}

    @pytest.mark.parametrize(("value", "rule"), [('"a\\u0000b"', "nul"), ('"\\ud800"', "encoding"), ('["\\udc00"]', "encoding")])
    def test_text_that_is_none(self, read, value, rule):
        rows, rejects = read(f'[{{"a": "x"}},\n{{"a": {value}}}, {{"a": "y"}}]', "a")
        assert (sorted(rows), rejects) == ([1, 3], {2: (rule, 2)})

    @pytest.mark.parametrize(
        ("text", "line", "column"),
        [('[{"a": 1},\n {"a": NaN}]', 2, 8), ('{"a": 1,}', 1, 9), ("[1,\n\n x]", 3, 2), ('[{"a": "x\ty"}]', 1, 10), ('{"a": 1', 1, 8)],
    )
    def test_a_fault_has_its_place(self, read, text, line, column):
        with pytest.raises(SourceMalformed) as raised:
            read(text, "a")
        assert (raised.value.line, raised.value.column) == (line, column)

    @pytest.mark.parametrize("text", ["[" * 100_000, '[{"a":' * 50_000, '{"a":' + "[" * 200 + "]" * 200 + "}"])
    def test_depth_is_limited(self, read, text):
        with pytest.raises(SourceMalformed, match="nested too deep"):
            read(text, "a")

    def test_bytes_that_are_no_text(self, read):
        """A record with such bytes is a reject, wherever a piece of the file ends; outside of texts they are an error."""
        records = [
            b'{"a": "\xc3\xa9", "b": 1, "z": 0}',
            b'{"a": "x\xff\xfe"}',
            b'{"a": "\xc3"}',
            b'{"a": "y", "z": "\xff"}',
            b'{"a": "y", "\xff": 1}',
        ]
        content = b"[" + b", ".join(records) + b', {"a": "y", "b": 4}]'
        for block in (3, 17, 1 << 20):
            rows, rejects = read(content, "a", "b", block=block)
            assert rows == {1: {"a": "é", "b": "1", "z": None}, 6: {"a": "y", "b": "4", "z": None}}
            assert rejects == dict.fromkeys(range(2, 6), ("encoding", 1))
        with pytest.raises((SourceMalformed, SourceUndecodable)):
            read(b'[{"a": "x"}, \xff {"a": "y"}]', "a")

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
    def test_byte_order_marks(self, read, encoding):
        rows, _ = read('[{"a": "é"}]'.encode(encoding), "a")
        assert rows == {1: {"a": "é"}}

    def test_what_is_read_at_once_does_not_matter(self, read):
        records = [{"a": "é" * number, "b": [number] * (number % 7), "c": number / 3} for number in range(60)]
        expected = read(json.dumps(records), "a", "b", "c")
        for size in (7, 64, 300):
            assert read(json.dumps(records, indent=1), "a", "b", "c", block=size) == expected


class TestPaths:
    PAGE = '{"href": "h", "items": [{"added": 1, "track": {"id": "x", "by": [{"name": "A"}, {"name": "B"}]}}, {"track": null}], "total": 2}'

    @pytest.mark.parametrize(
        ("records", "name", "values"),
        [
            ("items[]", "track.id", ["x", None]),
            ("items[].track", "id", ["x"]),
            ("items[].track", "^.added", ["1"]),
            ("items[].track", "^.^.href", ["h"]),
            ("items[].track", "^.^.total", ["2"]),
            ("items[].track", "by.1.name", ["B"]),
            ("items[].track", "by.2.name", [None]),
            ("items[].track.by[]", "name", ["A", "B"]),
            ("items[].track.by[]", "^.id", ["x", "x"]),
            ("items[].track.by[]", "^index", ["0", "1"]),
            ("items[].track.by[]", "^.^index", ["0", "0"]),
            ("items[].track.by[]", "^.^.added", ["1", "1"]),
            ("items[].track.by[]", "^.^.^.total", ["2", "2"]),
            ("items[].track.by[]", "^.^.^.^.total", [None, None]),
            ("items[]", "^index", ["0", "1"]),
        ],
    )
    def test_into_and_out_of_records(self, read, records, name, values):
        rows, _ = read(self.PAGE, name, records=records)
        assert [row[name] for row in rows.values()] == values

    def test_a_step_that_leads_nowhere_is_a_reject(self, read):
        _, rejects = read(self.PAGE, "id", records="items[].track.by[]")
        assert rejects == {3: ("record", 1)}
        _, rejects = read(self.PAGE, "id", records="nothing[]")
        assert rejects == {1: ("record", 1)}

    def test_what_stands_after_the_records_is_around_them_too(self, read):
        text = '{"a": {"x": [{}, "]"], "n": [{"v": 1}, {"v": 2}], "after": 3}, "z": "last"}\n{"a": {"n": [{"v": 4}]}, "z": null}'
        rows, rejects = read(text, "v", "^.after", "^.^.z", "^index", records="a.n[]")
        assert rejects == {}
        assert [tuple(row.values()) for row in rows.values()] == [("1", "3", "last", "0"), ("2", "3", "last", "1"), ("4", None, None, "0")]

    @pytest.mark.parametrize(
        "text", ['{"n": [{"a": 1}], "n": [{"a": 2}]}', '{"n": [{"a": 1}] x}', '{"n": [{"a": 1}}', '{"n": [{"a": 1}], 3}', '{"n" [1]}']
    )
    def test_a_fault_around_the_records(self, read, text):
        with pytest.raises(SourceMalformed):
            read(text, "a", records="n[]")

    @pytest.mark.parametrize("records", ["a..b", "[]b", "a[", "a[0]", "a.[]", "[]x[]"])
    def test_records_that_are_no_path(self, read, records):
        with pytest.raises(PackInvalid, match="no path"):
            read('{"a": 1}', "a", records=records)

    def test_arrays_in_arrays(self, read):
        rows, _ = read('{"m": [[{"a": 1}], [], [{"a": 2}, {"a": 3}]]}', "a", "^index", records="m[][]")
        assert [tuple(row.values()) for row in rows.values()] == [("1", "0"), ("2", "0"), ("3", "1")]

    def test_names_are_found_again(self, read):
        keys = ["a.b", "^", "^x", "a\\", "\\.b", "", "é", "[]"]
        rows, _ = read(json.dumps(dict.fromkeys(keys, 1)), *map(as_name, keys))
        assert list(rows[1].values()) == ["1"] * len(keys)

    def test_keys_with_dots_and_hyphens(self, read):
        rows, _ = read('{"a.b": 1, "c-d": {"e": 2}}', "a\\.b", "c-d.e")
        assert rows[1] == {"a\\.b": "1", "c-d.e": "2"}

    def test_an_array_of_documents_that_each_hold_records(self, read):
        rows, _ = read('[{"n": [{"a": 1}]}, {"n": [{"a": 2}, {"a": 3}]}]', "a", records="n[]")
        assert [row["a"] for row in rows.values()] == ["1", "2", "3"]


class TestHeader:
    @pytest.mark.parametrize("kind", ["json", "ndjson"])
    def test_a_path_that_no_record_has_is_told(self, tmp_path, kind):
        path = tmp_path / "a.x"
        path.write_text('{"a": {"b": null}, "c": 1}\n')
        reader = open_reader(open_sources(path)[0], Source(path="x", format=kind), {"a.b": Field(), "a.d": Field(), "cc": Field()})
        assert reader.notes == ("a.x: none of the first 1 records has a.d, cc",)

    def test_keys_that_no_report_can_hold(self, tmp_path):
        path = tmp_path / "a.json"
        path.write_text('{"a": 1, "b\\u0000": 1, "\\ud800": 1}')
        assert open_reader(open_sources(path)[0], Source(path="x"), {"a": Field()}).header == ("a", "b\ufffd", "?")

    def test_what_nobody_wants_comes_last(self, tmp_path):
        path = tmp_path / "a.json"
        path.write_text('[{"x": 1, "a": {"b": 1}}, {"y.z": 2}]')
        reader = open_reader(open_sources(path)[0], Source(path="x"), {"a.b": Field(), "c": Field()})
        assert reader.header == ("a.b", "c", "x", "y\\.z")

    @pytest.mark.parametrize("kind", ["json", "ndjson"])
    def test_a_field_with_a_default_is_left_out_or_there_from_the_start(self, read, kind, monkeypatch):
        from tenancy_fixtures._ingest import _json

        monkeypatch.setattr(_json, "_FIRST", 1)
        monkeypatch.setattr(_ndjson, "_FIRST_BYTES", 10)
        fields = {"a": Field(), "b": Field(has_default=True)}
        rows, _ = read('{"a": "1"}\n{"a": "2"}\n', fields=fields, format=kind)
        assert rows == {1: {"a": "1"}, 2: {"a": "2"}}
        with pytest.raises(SourceMalformed, match="field b shows up in record 2"):
            read('{"a": "1"}\n{"a": "2", "b": "x"}\n', fields=fields, format=kind)


class TestNdjson:
    @pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
    def test_words_that_are_no_json_are_seen_in_elements_that_nobody_wants(self, read, word):
        text = '{"id": 1, "a": [1.5, 2.5]}\n' * 50 + f'{{"id": 0, "a": [1.5, {word}]}}\n'
        rows, rejects = read(text, "id", "a.0", fields={"id": Field("integer"), "a.0": Field("real")}, format="ndjson")
        assert (len(rows), rejects) == (50, {51: ("json", 51)})

    def test_a_bad_line_is_a_reject_and_the_others_go_on(self, read):
        text = '{"a": 1}\n\n{"a": 2,}\nx\n  {"a": 3}  \r\n[1]\n{"a": 4}{"a": 5}\n{"a": 6}'
        rows, rejects = read(text, "a", format="ndjson")
        assert {number: row["a"] for number, row in rows.items()} == {1: "1", 4: "3", 7: "6"}
        assert rejects == {2: ("json", 3), 3: ("json", 4), 5: ("record", 6), 6: ("json", 7)}

    @pytest.mark.parametrize("block", [2, 30, 1 << 20])
    def test_what_is_read_at_once_does_not_matter(self, read, block):
        text = "".join(f'{{"a": {number}, "b": "é{number}"}}\n' for number in range(100))
        rows, _ = read(text, format="ndjson", block=block, fields={"a": Field("integer"), "b": Field()})
        assert [(int(row["a"]), row["b"]) for row in rows.values()] == [(number, f"é{number}") for number in range(100)]
        assert list(rows) == list(range(1, 101))

    @pytest.mark.parametrize("text", ['{"a": 1}\n' * 9, '\n{"a": 1}\n\n  \nx\n{"a": 2}\n' * 3])
    def test_lines_are_found_again(self, tmp_path, text, monkeypatch):
        monkeypatch.setattr(_ndjson, "FRAME_BYTES", 20)
        path = tmp_path / "x"
        path.write_text(text)
        reader = open_reader(open_sources(path)[0], Source(path="x", format="ndjson"), {"a": Field()})
        held = [line for line, content in enumerate(text.split("\n"), start=1) if content.strip()]
        assert reader.lines([1, 4, 9]) == {1: held[0], 4: held[3], 9: held[8]}
        assert reader.lines([]) == {}
        assert reader.lines([10**6]) == {}
        frames = list(reader.frames())
        lines = {number: line for frame in frames for number, line in zip(frame.numbers, frame.lines)}
        rejects = {reject.record: reject.line for frame in frames for reject in frame.rejects}
        assert {**lines, **rejects} == dict(enumerate(held, start=1))

    @pytest.mark.parametrize("kind", ["json", "ndjson"])
    def test_an_encoding_that_is_none(self, read, kind):
        with pytest.raises(PackInvalid, match="no text encoding"):
            read('{"a": 1}', "a", format=kind, encoding="klingon")

    def test_a_line_that_is_no_text_is_a_reject(self, read):
        rows, rejects = read(b'\xef\xbb\xbf{"a": "x"}\n{"a": "\xff"}\n{"a": "\xc3\xa9"}\n', "a", format="ndjson")
        assert (rows, rejects) == ({1: {"a": "x"}, 3: {"a": "é"}}, {2: ("encoding", 2)})

    def test_other_encodings(self, read):
        text = '{"a": "é"}\n{"a": "x"}\n'
        for encoding in ("utf-16", "utf-32"):
            assert read(text.encode(encoding), "a", format="ndjson") == ({1: {"a": "é"}, 2: {"a": "x"}}, {})
        with pytest.raises(SourceUndecodable):
            read(text.encode("utf-16")[:-1], "a", format="ndjson")

    def test_records_are_lines(self, read):
        with pytest.raises(PackInvalid, match="each line is a record"):
            read('{"a": 1}', "a", format="ndjson", records="x[]")

    def test_a_line_that_is_too_long(self, read, monkeypatch):
        monkeypatch.setattr(_ndjson, "MAX_RECORD_BYTES", 1000)
        with pytest.raises(SourceMalformed, match="line 2: a line exceeds"):
            read('{"a": 1}\n{"a": "' + "x" * 5000, "a", format="ndjson", block=100)


@pytest.mark.parametrize(
    ("name", "start", "kind"),
    [
        ("a.csv", b'{"a": 1}', "csv"),
        ("a.jsonl", b"", "ndjson"),
        ("a.JSON", b"[", "json"),
        ("a.txt", b' {"a"', "json"),
        ("a.txt", b"a,b", "csv"),
        ("a", b"\xef\xbb\xbf[", "json"),
        ("a.csv", b"PAR1....", "parquet"),
        ("a.json.gz", gzip.compress(b"x", mtime=0), "json"),
        ("a", b"ARROW1\0\0", "arrow"),
    ],
)
def test_formats_are_known_by_content_and_name(tmp_path, name, start, kind):
    (tmp_path / name).write_bytes(start or b" ")
    assert detect(open_sources(tmp_path / name)[0]) == kind
