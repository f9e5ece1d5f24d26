"""CSV of every dialect: what is declared holds, what is not is found out and told, and no record is lost on the way."""

from __future__ import annotations

import csv
import io
from contextlib import closing

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tenancy_fixtures._ingest import _csv_arrow, _csv_file, open_sources
from tenancy_fixtures._ingest._csv import CsvReader
from tenancy_fixtures._ingest._csv_arrow import read_plain
from tenancy_fixtures._ingest._csv_file import CsvFile
from tenancy_fixtures._ingest._csv_python import read_any
from tenancy_fixtures._ingest._dialect import Dialect
from tenancy_fixtures._ingest._encodings import Encoding
from tenancy_fixtures._pack_models import Source
from tenancy_fixtures.exceptions import SourceEmpty, SourceError, SourceMalformed

WANTED = frozenset(["title", "artist", "plays"])
HEADER = ("title", "artist", "plays")


@pytest.fixture
def source(tmp_path):
    def make(content: bytes | str):
        (tmp_path / "x.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
        return open_sources(tmp_path / "x.csv")[0]

    return make


def opened(source, wanted=WANTED, **declared):
    return CsvReader(source, Source(path="x.csv", **declared), frozenset(wanted))


def collect(frames):
    """Rows by record number, and rejects as (record, rule, message), after seeing that every record is one or the other."""
    frames = list(frames)
    rows = {number: row for frame in frames for number, row in zip(frame.numbers, frame.cells.rows())}
    rejects = [(item.record, item.rule, item.message) for frame in frames for item in frame.rejects]
    records = sum(frame.records for frame in frames)
    assert sorted([*rows, *(item[0] for item in rejects)]) == list(range(1, records + 1))
    return rows, rejects


def read(source, wanted=WANTED, block_bytes=1 << 21, **declared):
    reader = opened(source, wanted, **declared)
    rows, rejects = collect(reader.frames(block_bytes))
    return reader, list(rows.values()), rejects


def notes(reader):
    return [note.split(": ", 1)[1] for note in reader.notes]


# --- signs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sign", "name"),
    [(";", ";"), ("\t", "tab"), ("|", "|"), ("\x1f", "unit separator (U+001F)"), ("^", "^"), (":", ":"), ("~", "~")],
)
def test_a_delimiter_is_found(source, sign, name):
    found = source(f"title{sign}artist{sign}plays\na, b{sign}c{sign}1,5\n{sign}x, y{sign}2\n")
    reader, rows, rejects = read(found)
    assert (reader.header, rows, rejects) == (HEADER, [("a, b", "c", "1,5"), ("", "x, y", "2")], [])
    assert notes(reader) == [f"delimiter {name}, guessed"]


def test_the_wanted_names_outweigh_a_tidier_table(source):
    """Commas part every line alike, and yet the table is the other."""
    found = source("title;artist, main;plays\n" + "a;b, c;1\n" * 20)
    reader, rows, _ = read(found, wanted=["title", "artist, main"])
    assert (reader.header, rows[0]) == (("title", "artist, main", "plays"), ("a", "b, c", "1"))


def test_a_delimiter_is_found_for_names_that_are_given(source):
    reader, rows, rejects = read(source("a|1,2|x\nb|3,4|y\n"), header=list(HEADER))
    assert (reader.header, rows, rejects) == (HEADER, [("a", "1,2", "x"), ("b", "3,4", "y")], [])


def test_a_column_alone_has_no_delimiter(source):
    reader, rows, rejects = read(source("title\na;b|c\n\nd\n"), wanted=["title"])
    assert (reader.header, rows, rejects, reader.notes) == (("title",), [("a;b|c",), ("d",)], [], ())


def test_what_is_stated_is_not_guessed(source):
    text = "title;artist;plays\na;b;1\n"
    reader, _, _ = read(source(text), delimiter=",")
    assert (reader.header, reader.notes) == (("title;artist;plays",), ())


@pytest.mark.parametrize("quote", ["'", "§"])
def test_a_declared_quote(source, quote):
    _, rows, _ = read(source(f'title,artist,plays\n{quote}a, "b"\n{quote}{quote}{quote},c,1\n'), quote=quote)
    assert rows == [(f'a, "b"\n{quote}', "c", "1")]


def test_a_declared_delimiter_beyond_ascii(source):
    _, rows, _ = read(source('title§artist§plays\n"a§b"§c§1\n'), delimiter="§")
    assert rows == [("a§b", "c", "1")]


def test_a_quote_is_found(source):
    reader, rows, rejects = read(source("title,artist,plays\n'a, b',c,1\nd,'it''s',2\n"))
    assert (rows, rejects, notes(reader)) == ([("a, b", "c", "1"), ("d", "it's", "2")], [], ["quote ', guessed"])


def test_apostrophes_are_no_quotes(source):
    reader, rows, _ = read(source("title,artist,plays\n'Til I Die,a,1\n'Round Midnight,'b,2\n"))
    assert (rows, reader.notes) == ([("'Til I Die", "a", "1"), ("'Round Midnight", "'b", "2")], ())


def test_cells_that_are_never_quoted(source):
    text = 'title\tartist\tplays\n"Heroes" (live)\ta\t1\n12" mix\t"b\t2\n'
    _, rows, rejects = read(source(text), quote="")
    assert (rows, rejects) == ([('"Heroes" (live)', "a", "1"), ('12" mix', '"b', "2")], [])


def test_that_cells_are_never_quoted_is_found_where_it_shows(source):
    reader, rows, _ = read(source('title\tartist\tplays\n"a\tb\t1\n"c\td\t2\n'))
    assert (rows, notes(reader)) == ([('"a', "b", "1"), ('"c', "d", "2")], ["delimiter tab, guessed", "quote none, guessed"])


def test_an_escape_is_found(source):
    text = 'title,artist,plays\n"a \\"x\\", b",c,1\nd,"e\\\\",2\n'
    reader, rows, _ = read(source(text))
    assert (rows, notes(reader)) == ([('a "x", b', "c", "1"), ("d", "e\\", "2")], ["escape \\, guessed"])


def test_backslashes_are_text_where_quotes_are_doubled(source):
    text = 'title,artist,plays\n"{""k"": ""a\\""b""}",C:\\new,1\n'
    reader, rows, _ = read(source(text))
    assert (rows, reader.notes) == ([('{"k": "a\\"b"}', "C:\\new", "1")], ())


def test_an_export_with_escapes_keeps_what_stands_for_no_value(source):
    text = '\\N\t1\t\\N\na\\\tb\t\\N\t"\\N"\n'
    _, rows, _ = read(source(text), header=list(HEADER), delimiter="\t", escape="\\")
    assert rows == [("\\N", "1", "\\N"), ("a\tb", "\\N", "N")]


def test_quotes_that_are_not_doubled(source):
    _, rows, _ = read(source('title,artist,plays\n"a\\"b",c,1\n"",d,2\n'), doubled_quotes=False, escape="\\")
    assert rows == [('a"b', "c", "1"), ("", "d", "2")]


@pytest.mark.parametrize(
    "declared",
    [
        {"delimiter": '"', "quote": '"'},
        {"delimiter": "\n"},
        {"quote": "\0"},
        {"escape": ",", "delimiter": ","},
        {"footer": "("},
        {"header": []},
        {"ragged": "guess"},
        {"skip": -1},
        {"comment": ""},
    ],
)
def test_what_is_no_dialect(declared):
    with pytest.raises(ValidationError):
        Source(path="x.csv", **declared)


# --- where a table begins and ends ------------------------------------------------------------------------------------


def test_a_header_is_found_below_other_lines(source):
    text = 'Charts of the week\r\n"made, by",us\r\n\r\ntitle,artist,plays\r\na,b,1\r\n'
    reader, rows, rejects = read(source(text))
    assert (rows, rejects, notes(reader)) == ([("a", "b", "1")], [], ["the header is line 4; what stands before it is left out"])


def test_a_header_is_found_below_a_quote_that_is_never_closed(source):
    reader, rows, _ = read(source('"by us\n\ntitle,artist,plays\na,b,1\n'))
    assert (reader.header, rows) == (HEADER, [("a", "b", "1")])


def test_the_first_of_two_headers_counts(source):
    reader, rows, rejects = read(source("title,artist,plays\na,b,1\ntitle,artist,plays\nc,d,2\n"))
    assert (rows, reader.notes) == ([("a", "b", "1"), ("c", "d", "2")], ())
    assert rejects == [(2, "header", "expected a record, found the header again")]


def test_records_are_not_taken_for_lines_before_a_header(source):
    """One cell that is called like a column makes no header: what stands before it are records."""
    reader, _, _ = read(source("Yesterday,Beatles,3\nHelp,Beatles,4\ntitle,Band,5\n"))
    assert (reader.header, reader.notes) == (("Yesterday", "Beatles", "3"), ())


def test_lines_to_skip_are_stated(source):
    text = "title,artist,plays\nnot,these,names\nname,artist,plays\na,b,1\n"
    reader, rows, _ = read(source(text), skip=2)
    assert (reader.header, rows, reader.notes) == (("name", "artist", "plays"), [("a", "b", "1")], ())
    with pytest.raises(SourceEmpty):
        opened(source(text), skip=9)


def test_names_are_given(source):
    reader, rows, _ = read(source("\na,b,1\nc,d,2\n"), header=list(HEADER))
    assert (reader.header, rows) == (HEADER, [("a", "b", "1"), ("c", "d", "2")])
    _, rows, rejects = read(source("x\ntitle,artist,plays\na,b,1\n"), header=list(HEADER), skip=1)
    assert (rows, [reject[:2] for reject in rejects]) == ([("a", "b", "1")], [(1, "header")])


def test_comments(source):
    text = '# made by us\ntitle,artist,plays\n# "quote\na,"b\n# no comment",1\n#x,y,2\nc,#d,3\n'
    _, rows, rejects = read(source(text), comment="#")
    assert (rows, rejects) == ([("a", "b\n# no comment", "1"), ("c", "#d", "3")], [])


@pytest.mark.parametrize("end", ["", "\n", "\n\n\n"])
@pytest.mark.parametrize("footer", [2, "^(Total|Made)"])
def test_a_footer(source, footer, end):
    text = f"title,artist,plays\na,b,1\nTotal eclipse,c,2\nd,e,3\n\nTotal,,6\nMade by us{end}"
    reader, rows, rejects = read(source(text), footer=footer)
    assert (rows, rejects, reader.notes) == ([("a", "b", "1"), ("Total eclipse", "c", "2"), ("d", "e", "3")], [], ())


def test_a_footer_longer_than_the_file(source):
    with pytest.raises(SourceEmpty):
        read(source("title,artist,plays\na,b,1\n"), footer=5)


# --- ragged records ---------------------------------------------------------------------------------------------------

RAGGED = 'title,artist,plays\na\nb,c\nd,e,1\nf,g,2,"h,i",j\n'


def test_ragged_records_are_rejected(source):
    _, rows, rejects = read(source(RAGGED))
    assert rows == [("d", "e", "1")]
    assert rejects == [(number, "cells", f"expected 3 cells, as in the header, found {cells}") for number, cells in ((1, 1), (2, 2), (4, 5))]


def test_ragged_records_are_padded(source):
    _, rows, rejects = read(source(RAGGED), ragged="pad")
    assert (rows, [reject[0] for reject in rejects]) == ([("a", "", ""), ("b", "c", ""), ("d", "e", "1")], [4])


def test_ragged_records_are_joined(source):
    _, rows, rejects = read(source(RAGGED), ragged="join")
    assert (rows, [reject[0] for reject in rejects]) == ([("d", "e", "1"), ("f", "g", "2,h,i,j")], [1, 2])


# --- names ------------------------------------------------------------------------------------------------------------


def test_a_name_is_found_whatever_its_case_and_blanks(source):
    reader, rows, _ = read(source(" Title ,ARTIST,plays\n A ,b,1\n"))
    assert (reader.header, rows) == (HEADER, [(" A ", "b", "1")])
    assert notes(reader) == ["columns 1, 2 are read as title, artist: only case, blanks or what stands between words differ"]
    reader, _, _ = read(source("title,artist,Plays\na,b,1\n"))
    assert notes(reader) == ["column 3 is read as plays: only case, blanks or what stands between words differ"]


def test_a_name_is_found_whatever_stands_between_its_words(source):
    reader = opened(
        source("Track Name,track-artist,PLAYS__2023,Spotify URI\nA,b,1,c\n"), wanted=["track_name", "TrackArtist", "plays 2023", "spotify_uri"]
    )
    assert reader.header == ("track_name", "TrackArtist", "plays 2023", "spotify_uri")
    # Ways to write one name are one name, and what is nearer counts first.
    assert opened(source("A B\n1\n"), wanted=["a_b", "a b", "a-b"]).header == ("a b",)
    assert opened(source("A-B\n1\n"), wanted=["a_b", "a b"]).header == ("a b",)
    assert opened(source("A_B,a b\n1,2\n"), wanted=["a-b"]).header == ("A_B", "a b")
    assert opened(source("a_b,A B\n1,2\n"), wanted=["a_b", "a b"]).header == ("a_b", "a b")


def test_many_wanted_names_are_a_header_however_many_others_there_are(source):
    others = ",".join(f"other {number}" for number in range(30))
    reader = opened(source(f"Charts{',' * 33}\na,b,c,d,{others}\n" + ",".join("1" * 34) + "\n"), wanted=["a", "b", "c", "d", *"efghijklmn"])
    assert notes(reader) == ["the header is line 2; what stands before it is left out"]


def test_an_exact_name_counts_first(source):
    reader, _, _ = read(source("Title,title,artist,plays\nA,a,b,1\n"))
    assert (reader.header, reader.notes) == (("Title", "title", "artist", "plays"), ())


def test_two_names_that_are_nearly_so_are_neither(source):
    reader, _, _ = read(source("Title,TITLE,artist,plays\nA,a,b,1\n"))
    assert reader.header == ("Title", "TITLE", "artist", "plays")


def test_a_second_mark_does_not_hide_a_name(source):
    reader, rows, _ = read(source(b"\xef\xbb\xbf\xef\xbb\xbftitle,artist,plays\na,b,1\n"))
    assert (reader.header, rows) == (HEADER, [("a", "b", "1")])


def test_names_that_nobody_wants_may_be_blank_or_twice(source):
    reader, rows, _ = read(source(",title,artist,plays,x,x,\n0,a,b,1,2,3,4\n"))
    assert (reader.header, rows) == (("(column 1)", *HEADER, "x", "x", "(column 7)"), [("0", "a", "b", "1", "2", "3", "4")])
    assert opened(source(",title\n0,a\n"), wanted=["", "title"]).header == ("", "title")


def test_a_wanted_name_that_is_there_twice(source):
    with pytest.raises(SourceMalformed, match="columns 1, 3 alike, and the dataset reads 'title'") as caught:
        opened(source("title,artist,title,plays\na,b,c,1\n"))
    assert caught.value.column == "title"


# --- a table after another --------------------------------------------------------------------------------------------


def test_another_table_after_a_blank_line(source):
    text = "title,artist,plays\n" + "a,b,1\n" * 3 + "\nname,country\n" + "c,d\n" * 3 + "\ntitle,artist,plays\ne,f,2\n"
    reader, rows, rejects = read(source(text))
    assert (len(rows), [reject[0] for reject in rejects]) == (4, [4, 5, 6, 7, 8])
    assert notes(reader) == ["another table seems to begin in line 6; a dataset reads one table of a file"]


def test_another_table_to_the_end(source):
    reader, rows, rejects = read(source("title,artist,plays\n" + "a,b,1\n" * 3 + "Countries\nname,country\nc,d\n"))
    assert (len(rows), len(rejects)) == (3, 3)
    assert notes(reader) == ["another table seems to begin in line 5; a dataset reads one table of a file"]


def test_another_table_of_the_same_width(source):
    reader = opened(source("title,artist,plays\na,b,1\n\nname,country,city\nc,d,e\n"))
    assert len(collect(reader.frames())[0]) == 3
    assert (reader.lines([2]), len(reader.notes)) == ({2: 4}, 1)
    reader.close()
    reader = opened(source("title,artist,plays\na,b,1\n\nc,d,2\n"))
    assert (reader.lines([2]), reader.notes) == ({2: 4}, ())
    reader.close()


@pytest.mark.parametrize("text", ["a,b\n" * 9, "a,b,1\nc\nd,e,1\nf\ng\n", "a,b,1\nc\n", "a,b,1\nc,d\ne,f\ng,h,2\n"])
def test_ragged_records_are_no_table(source, text):
    reader, _, _ = read(source("title,artist,plays\n" + text))
    assert reader.notes == ()


# --- the two ways of reading ------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
CELL = TEXT | st.sampled_from(['"', "\r\n", "\n", "\r", ",", ";", "\\", "'", " ", "\\.", "a,b", "it's", '"x"', "\ufeff", "\x1f", "|"])


# pyarrow looks at several bytes at once, and not at what stands behind a NUL among them.
BEHIND_NULS = [
    ["", '"', "\0", "00\x80\x80\U00010000"],
    ['"', "0\U00010000", "000", "00\x80\x80\U00010000", "00\x80\x80\x80\U00010000\U00010000\U00010000"],
    ["\0", "00\x80\x80\x80\x80\U00010000\U00010000", "\0", "\0", "00"],
    ["\0", "\0", "000", "\0", "\0"],
    ["", "\0", "0", "00\x80\x80\U00010000", "000\x80\x80\x80\x80\U00010000"],
    ["", "", "", "\U00010000", "0000"],
    ["\0", "", "\0", "", "\U00010000"],
    ["\0", "000", "\r"],
]


def written(rows, **options):
    text = io.StringIO(newline="")
    csv.writer(text, **options).writerows(rows)
    return text.getvalue()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(rows=BEHIND_NULS, blanks=set(range(7)), delimiter=",", end="\n", block=62)
@given(
    rows=st.lists(st.lists(CELL | st.just("\0"), min_size=1, max_size=5), min_size=1, max_size=20),
    blanks=st.sets(st.integers(0, 20)),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    end=st.sampled_from(["\n", "\r\n"]),
    block=st.integers(16, 300),
)
def test_both_ways_of_reading_say_the_same(source, rows, blanks, delimiter, end, block):
    lines = [written([row], delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL) for row in rows]
    text = written([["a", "b", "c"]], delimiter=delimiter, lineterminator=end) + "".join(
        line + (end if at in blanks else "") for at, line in enumerate(lines)
    )
    file = CsvFile(source(text), Dialect(delimiter=delimiter), Encoding())
    frames = {way: list(way(file, block)) for way in (read_plain, read_any)}
    assert collect(frames[read_plain]) == collect(frames[read_any])
    assert {sum(frame.bytes for frame in found) for found in frames.values()} == {len(text.encode())}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.text(st.sampled_from('ab,;"\n\r \\'), max_size=40))
@example('a,"b"x"y"\n1,2\n')
@example('a,b"\n"c",d\n')
@example('a\r"b\rc",\r\n\n\rd,e')
def test_both_ways_of_reading_say_the_same_of_what_nobody_should_write(source, content):
    file = CsvFile(source("a,b\n" + content), Dialect(), Encoding())

    def outcome(way):
        try:
            return collect(way(file, 1 << 16))
        except SourceError as error:
            return type(error), error.facts.get("record")

    assert outcome(read_plain) == outcome(read_any)


def test_long_cells_and_records(source, monkeypatch):
    long = "x" * 200_000  # longer than what Python's csv takes unasked
    found = source(f'title,artist,plays\n{long},b\n"{long}\n{long}",c,1\n')
    _, rows, _ = read(found, ragged="pad", block_bytes=1000)
    assert rows == [(long, "b", ""), (f"{long}\n{long}", "c", "1")]
    for module in (_csv_file, _csv_arrow):
        monkeypatch.setattr(module, "MAX_RECORD_BYTES", 300_000)
    with pytest.raises(SourceMalformed, match="record 2: a quote is never closed, or the record exceeds"):
        read(found, ragged="pad")
    with pytest.raises(SourceMalformed, match="record 2: a quote"):
        read(found, delimiter=",", block_bytes=1000)
    with closing(opened(found)) as reader:
        assert reader.lines([1, 2]) == {1: 2, 2: 3}


@pytest.mark.parametrize("ragged", ["reject", "pad"])
def test_bytes_that_are_no_text_are_rejects_in_every_dialect(source, ragged):
    content = "preamble\n\ntitle;artist;plays\nä;ö;ü\n\n".encode() + b'"\n";b;\xff\nc;d;e\n'
    reader, rows, rejects = read(source(content), ragged=ragged)
    assert (rows, rejects) == ([("ä", "ö", "ü"), ("c", "d", "e")], [(2, "encoding", "expected text in UTF-8")])
    with closing(reader):
        assert reader.lines([2]) == {2: 6}


def test_rows_come_in_frames_of_about_the_size_that_is_asked(source):
    found = source("title,artist,plays\n" + "aaa,bbb\n" * 5000)
    frames = list(opened(found, ragged="pad").frames(800))
    assert (max(frame.cells.height for frame in frames), sum(frame.cells.height for frame in frames)) == (100, 5000)


@pytest.mark.parametrize("ragged", ["reject", "pad"])
@pytest.mark.parametrize("text", ["a,b,1\n\\.\nc,d,2\n", "a,b,1\n\\.,x,2\n"])
def test_a_line_that_ends_a_copy_of_text_is_a_line(source, text, ragged):
    _, rows, rejects = read(source("title,artist,plays\n" + text), ragged=ragged)
    assert len(rows) + len(rejects) == text.count("\n")
    assert all(row[0] in ("a", "c", "\\.") for row in rows)


# --- any dialect ------------------------------------------------------------------------------------------------------

DIALECTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from([",", ";", "\t", "|", "^", "\x1f", ":"]),
        "quotechar": st.sampled_from(['"', "'"]),
        "quoting": st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
        "lineterminator": st.sampled_from(["\n", "\r\n", "\r"]),
    }
)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=3, max_size=30), dialect=DIALECTS, encoding=ENCODINGS, before=st.booleans())
def test_any_dialect_is_found(source, rows, dialect, encoding, before):
    # Evidence for the dialect: one record has what needs quotes. A record that is the header again is no record.
    proof = (f"x{dialect['delimiter']}y", "z", "1")
    assume(HEADER not in rows)
    text = written([HEADER, proof, *rows, proof], **dialect)
    # Not every Python quotes a lone end of line: such text is not what was meant.
    signs = {name: dialect[name] for name in ("delimiter", "quotechar")}
    assume([tuple(row) for row in csv.reader(io.StringIO(text, newline=""), **signs)] == [HEADER, proof, *rows, proof])
    if before:
        text = f"Charts{dialect['lineterminator']}{dialect['lineterminator']}{text}"
    if dialect["quotechar"] == "'" or dialect["quoting"] != csv.QUOTE_MINIMAL:
        assume(not any(cell.startswith(('"', "'")) or "\\" in cell for row in rows for cell in row))
    reader, found, rejects = read(source(text.encode(encoding)))
    assert (reader.header, found, rejects) == (HEADER, [proof, *rows, proof], [])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=20),
    delimiter=st.sampled_from([",", ";", "\t"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    quote=st.sampled_from(['"', "'"]),
    doubled=st.booleans(),
)
def test_any_dialect_that_is_declared_is_read(source, rows, delimiter, quoting, quote, doubled):
    assume(HEADER not in rows)
    options = {"delimiter": delimiter, "quotechar": quote, "escapechar": "\\", "doublequote": doubled}
    text = written([HEADER, *rows], quoting=quoting, **options)
    # Not every Python escapes the escape: such text is not what was meant.
    assume([tuple(row) for row in csv.reader(io.StringIO(text, newline=""), **options)] == [HEADER, *rows])
    reader, found, rejects = read(source(text), delimiter=delimiter, quote=quote, escape="\\", doubled_quotes=doubled)
    assert (reader.header, found, rejects, reader.notes) == (HEADER, rows, [], ())


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(min_size=1, max_size=300) | st.text(st.sampled_from("title,artist;\n\"'\\\t|é\0 "), max_size=80).map(str.encode),
    block=st.integers(8, 64),
)
def test_no_bytes_break_the_reader(source, content, block):
    assume(content)
    try:
        collect(opened(source(content)).frames(block))
    except SourceError as error:
        assert error.source == "x.csv"  # noqa: PT017 - records and a named error are both right


# --- real files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "wanted", "columns", "records", "notes"),
    [
        ("csv_hit_predictor/dataset-of-60s.csv", ["uri", "track"], 20, 8642, []),
        ("csv_spotify_2023/spotify-2023.csv", ["track", "streams"], 13, 856, []),
        ("ai_open_clip/docs/openclip_multilingual_retrieval_results.csv", ["model", "avg"], 297, 123, []),
        ("ai_open_clip/docs/model_profile.csv", ["model", "gflops"], 11, 85, []),
        ("events_dbt_snowplow/event/sp_event.csv", ["app_id"], 101, 6, []),
        ("events_dbt_snowplow/event/sp_event_update.csv", ["app_id"], 101, 3, []),
        ("tsv_mtg_jamendo/autotagging_moodtheme.tsv", ["TRACK_ID", "TAGS"], 6, 18486, ["delimiter tab, guessed"]),
    ],
)
def test_real_files(real_data, path, wanted, columns, records, notes):
    (found,) = open_sources(real_data / path)
    reader = opened(found, wanted)
    frames = list(reader.frames())
    assert (len(reader.header), sum(frame.records for frame in frames)) == (columns, records)
    assert [note.split(": ", 1)[1] for note in reader.notes] == notes


def test_the_real_file_that_is_ragged(real_data):
    (found,) = open_sources(real_data / "tsv_mtg_jamendo" / "autotagging_moodtheme.tsv")
    lines = found.path.read_text("utf-8").split("\n")
    tags = [line.split("\t", 5)[5] for line in lines[1:] if line]
    reader, rows, rejects = read(found, ["TRACK_ID", "TAGS"], ragged="join")
    assert ([row[5] for row in rows], rejects, reader.header[5]) == (tags, [], "TAGS")
    reader, rows, rejects = read(found, ["TRACK_ID", "TAGS"])
    short = [tag for tag in tags if "\t" not in tag]
    assert ([row[5] for row in rows], len(rejects)) == (short, len(tags) - len(short))
