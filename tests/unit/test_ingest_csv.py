"""CSV into frames of text: every record is there with its number, or is a reject, or the source is refused."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenancy_fixtures._ingest import _bytes, _csv_arrow, _csv_file, open_sources
from tenancy_fixtures._ingest._csv import CsvReader
from tenancy_fixtures._pack_models import Source
from tenancy_fixtures.exceptions import PackInvalid, SourceEmpty, SourceMalformed, SourceUndecodable

SHARED = Path(os.environ["TENANCY_REAL_DATA"]) if os.environ.get("TENANCY_REAL_DATA") else Path(__file__).parents[3] / "shared" / "data"
SPECTRUM = SHARED.parent / "corpora" / "csv-spectrum"
WANTED = frozenset("abc")


@pytest.fixture
def source(tmp_path):
    def make(content: bytes):
        (tmp_path / "x.csv").write_bytes(content)
        return open_sources(tmp_path / "x.csv")[0]

    return make


def opened(source, *, wanted=WANTED, **declared):
    return CsvReader(source, Source(path="x.csv", **declared), wanted)


def read(source, *, block_bytes=1 << 21, **declared):
    """Rows by record number, rejects by record number; after seeing that the sums are right."""
    frames = list(opened(source, **declared).frames(block_bytes))
    rows = {number: row for frame in frames for number, row in zip(frame.numbers, frame.cells.rows())}
    rejects = {reject.record: reject for frame in frames for reject in frame.rejects}
    records = sum(frame.records for frame in frames)
    assert sorted([*rows, *rejects]) == list(range(1, records + 1))
    assert sum(frame.bytes for frame in frames) == source.size
    return rows, rejects


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_byte_order_mark(source, end, last, bom):
    text = end.join(["a,b", "1,é", '"x ""y""",', "", "3,4"]) + (end if last else "")
    found = source(bom + text.encode())
    assert opened(found).header == ("a", "b")
    assert read(found) == ({1: ("1", "é"), 2: ('x "y"', ""), 3: ("3", "4")}, {})


def test_nothing_becomes_null(source):
    rows, _ = read(source(b'a,b,c\nNA,null,NaN\n"",,#N/A\n'))
    assert rows == {1: ("NA", "null", "NaN"), 2: ("", "", "#N/A")}


@pytest.mark.parametrize("block", range(2, 40))
def test_line_ends_in_cells_survive_block_borders(source, block):
    cells = ["\r\n", "\r", "\n", "\r\r\n\n", "x\r\n", "\r\ny\r\n\r\n"]
    text = "".join(f'{number},"{cell}"\r\n' for number, cell in enumerate(cells, start=1))
    rows, _ = read(source(b"a,b\r\n" + text.encode()), block_bytes=block)
    assert [row[1] for row in rows.values()] == cells


@pytest.mark.parametrize("block", [9, 16, 33, 64, 4096])
def test_ragged_records_are_rejects_and_the_others_keep_their_numbers(source, block):
    lines = [f'{i},"x\r\ny"' if i % 7 else (f"{i}" if i % 2 else f"{i},2,3") for i in range(1, 101)]
    rows, rejects = read(source("\r\n".join(["a,b", *lines]).encode()), block_bytes=block)
    assert rows == {i: (str(i), "x\r\ny") for i in range(1, 101) if i % 7}
    assert list(rejects) == [i for i in range(1, 101) if i % 7 == 0]
    assert {reject.rule for reject in rejects.values()} == {"cells"}
    assert (rejects[7].message, rejects[14].message) == ("expected 2 cells, as in the header, found 1", "expected 2 cells, as in the header, found 3")


def test_only_ragged_records(source):
    rows, rejects = read(source(b"a,b\n1\n2\n"))
    assert (rows, list(rejects)) == ({}, [1, 2])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_a_block_is_never_larger_than_was_asked(source, encoding, monkeypatch):
    monkeypatch.setattr(_bytes, "_CHUNK", 300)
    found = source(("a,b\r\n" + '12,"3\r\n4"\r\n' * 3000).encode(encoding))
    for block in range(100, 140):
        frames = list(opened(found, encoding=encoding).frames(block))
        assert max(frame.cells.height for frame in frames) <= block // 11 + 1
        assert sum(frame.records for frame in frames) == 3000


def test_a_record_larger_than_a_block(source):
    large = "x" * 5000
    text = "a,b\n" + "1,2\n" * 50 + f"3,{large}\n1\n" + f'4,"{large}\n"\n' + "5,6\n" * 50
    rows, rejects = read(source(text.encode()), block_bytes=64)
    assert (rows[51], rows[53], rows[103], list(rejects)) == (("3", large), ("4", large + "\n"), ("5", "6"), [52])


def test_a_record_larger_than_the_limit(source, monkeypatch):
    for module in (_csv_file, _csv_arrow):
        monkeypatch.setattr(module, "MAX_RECORD_BYTES", 1024)
    with pytest.raises(SourceMalformed) as caught:
        read(source(b"a,b\n1,2\n3," + b"x" * 5000 + b"\n4,5\n"), block_bytes=64)
    assert (caught.value.source, caught.value.record) == ("x.csv", 2)


@pytest.mark.parametrize("block", [64, 4096])
@pytest.mark.parametrize("tail", ['3,"4', '3,"4\n5,6\n', '3,4\n"', '3,4\n5,"6""\n' + "7,8\n" * 100])
def test_a_quote_that_is_never_closed_is_no_silent_loss(source, tail, block):
    with pytest.raises(SourceMalformed, match="never closed"):
        read(source(f"a,b\n1,2\n{tail}".encode()), block_bytes=block)


def test_nul_is_a_reject(source):
    rows, rejects = read(source(b"a,b\n1,2\n3,\x004\n5,6\n\x00\n"))
    assert (rows, {number: reject.rule for number, reject in rejects.items()}) == ({1: ("1", "2"), 3: ("5", "6")}, {2: "nul", 4: "cells"})


@pytest.mark.parametrize(
    ("content", "encoding", "offset", "record"),
    [
        (b"a\xff,b\n1,2\n", "utf-8", 1, None),
        (b"a,b\xc3", "utf-8", 3, None),
        ("a,b\n1,é\n2,y\n".encode("utf-16-le")[:-1], "utf-16-le", 22, 2),
        (b"a,b\n1,\x81\x00\n", "shift_jis", 6, 1),
    ],
)
def test_undecodable_bytes_are_located(source, content, encoding, offset, record):
    with pytest.raises(SourceUndecodable) as caught:
        read(source(content), encoding=encoding, block_bytes=32)
    assert (caught.value.source, caught.value.offset, caught.value.record) == ("x.csv", offset, record)


@pytest.mark.parametrize("ragged", ["reject", "pad"])
@pytest.mark.parametrize(
    ("content", "rows", "rejects"),
    [
        (b"a,b\n1,2\n3,\xff4\n5,6\n", {1: ("1", "2"), 3: ("5", "6")}, {2: "encoding"}),
        (b"a,b\n\xe2,\x82\xac\n3,\xe2\x82\xac\n", {2: ("3", "€")}, {1: "encoding"}),
        (b'a,b\n1,2\n\n1,2,3\n3,"\n\xff4,7"\n5,6\n', {1: ("1", "2"), 4: ("5", "6")}, {2: "cells", 3: "encoding"}),
        (b"\xef\xbb\xbfa,b\r\n" + b"1,2\r\n" * 50 + b'3,"\xc3"\r\n', dict.fromkeys(range(1, 51), ("1", "2")), {51: "encoding"}),
        (b"a,b\n1,2\n3,\xc3", {1: ("1", "2")}, {2: "encoding"}),
        (b"a,b\n\xff,\x00\n\xed\xa0\x80,1\n\x00,2\n", {}, {1: "nul", 2: "encoding", 3: "nul"}),
    ],
)
@pytest.mark.parametrize("piece", [1 << 20, 1, 3])
def test_a_record_that_is_not_utf8_is_a_reject(source, content, rows, rejects, ragged, piece, monkeypatch):
    monkeypatch.setattr(_bytes, "_CHUNK", piece)
    read_rows, read_rejects = read(source(content), encoding="utf-8", ragged=ragged, block_bytes=32)
    assert (read_rows, {number: reject.rule for number, reject in read_rejects.items()}) == (rows, rejects)


def test_bytes_that_are_no_text_beyond_the_first_piece_of_the_file(source):
    rows, rejects = read(source(b"a,b\n" + b"1,\xc3\xa9\n" * 400_000 + b"2,\xe9\n3,4\n"))
    assert (len(rows), rows[400_002], list(rejects)) == (400_001, ("3", "4"), [400_001])


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-be", "utf-32", "utf-8-sig"])
def test_other_encodings(source, encoding):
    text = "a,b\n" + "1,é\n" * 3000
    rows, _ = read(source(text.encode(encoding)), encoding=encoding, block_bytes=1000)
    assert rows == dict.fromkeys(range(1, 3001), ("1", "é"))


@pytest.mark.parametrize("encoding", ["rot13", "base64", "nonsense"])
def test_an_encoding_that_is_none(source, encoding):
    with pytest.raises(PackInvalid, match=encoding):
        read(source(b"a\n1\n"), encoding=encoding)


@pytest.mark.parametrize("content", [b"\n\n", b"\xef\xbb\xbf", b"a,b\n", b"a,b", b"\r\na,b\r\n\r\n"])
def test_no_header_or_no_record(source, content):
    with pytest.raises(SourceEmpty):
        read(source(content))


@pytest.mark.parametrize(
    ("header", "named"),
    [("a,a,b", "columns 1, 2 alike"), ("a\0", "NUL"), ('"a,b\n1,2', "not CSV"), ('a,"b"c', "not CSV")],
)
def test_a_header_that_is_none(source, header, named):
    with pytest.raises(SourceMalformed, match=named):
        opened(source(f"{header}\n1,2,3\n".encode()), delimiter=",", quote='"')


def test_a_header_with_quotes_and_line_ends(source):
    found = source(b'"a ""x""","b\r\nc"\n1,2\n')
    assert (opened(found, wanted=frozenset(['a "x"'])).header, read(found)) == (('a "x"', "b\r\nc"), ({1: ("1", "2")}, {}))


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_delimiters(source, delimiter):
    rows, _ = read(source(f"a{delimiter}b\n1,5{delimiter}x\n".encode()), delimiter=delimiter)
    assert rows == {1: ("1,5", "x")}


def test_no_cell_is_in_a_message(source):
    _, rejects = read(source(b"a,b\nsecret\nx,sec\0ret\n"))
    assert "secret" not in repr(rejects)


def test_a_stream_that_is_left_early_gives_its_file_back(source):
    found = source(b"a,b\n" + b"1,2\n" * 1000)
    frames = opened(found).frames(64)
    next(frames)
    frames.close()
    assert found.path not in {item.resolve() for item in Path("/proc/self/fd").iterdir()}


@pytest.mark.skipif(not SPECTRUM.is_dir(), reason="the csv-spectrum corpus is not beside the project")
@pytest.mark.parametrize("name", [path.stem for path in sorted(SPECTRUM.glob("csvs/*.csv"))])
def test_the_csv_spectrum(name):
    (found,) = open_sources(SPECTRUM / "csvs" / f"{name}.csv")
    reader = opened(found, wanted=frozenset())
    header, (rows, rejects), notes = reader.header, read(found, wanted=frozenset()), reader.notes
    expected = json.loads((SPECTRUM / "json" / f"{name}.json").read_bytes())
    if name == "location_coordinates":  # the corpus has no list here, and another telephone number in its JSON than in its CSV
        expected = [{**expected, "Contact Phone Number": "2095257564"}]
    assert ([dict(zip(header, row)) for row in rows.values()], rejects, notes) == (expected, {}, ())


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.sampled_from(
    ['"', '""', "\n", "\r\n", ",", "a\rb", " ", "\\."]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(CELL, min_size=1, max_size=5), min_size=1, max_size=30),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    block=st.integers(8, 400),
)
def test_any_records_come_back_as_they_were_written(source, rows, end, quoting, block):
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=quoting, lineterminator=end)
    writer.writerows([["a", "b", "c"], *rows])
    found, rejects = read(source(text.getvalue().encode()), block_bytes=block)
    assert found == {number: tuple(row) for number, row in enumerate(rows, start=1) if len(row) == 3}
    assert list(rejects) == [number for number, row in enumerate(rows, start=1) if len(row) != 3]


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("text", [b"\xef\xbb\xbfkey,2", b'"\xef\xbb\xbfkey",2', b"\xef\xbb\xbf\xef\xbb\xbfkey,2", b"k,2"])
def test_a_mark_within_the_text_is_text(source, start, text):
    rows, rejects = read(source(start + b"a,b\n" + text + b"\n\xef\xbb\xbfother,3\n"))
    assert rows == {1: (text.decode().split(",")[0].strip('"'), "2"), 2: ("\ufeffother", "3")}
    assert rejects == {}
