"""The encoding of a CSV file: stated, or found by its mark, its NULs, UTF-8, and at last by a guess that is told."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenancy_fixtures._ingest import _bytes, open_sources
from tenancy_fixtures._ingest._csv import CsvReader
from tenancy_fixtures._pack_models import Source

WANTED = frozenset(["title", "artist"])

# ruff: noqa: RUF001 - letters of other alphabets are what this is about
WESTERN = "Été à la plage,Beyoncé\nL\u2019hiver \u2013 suite,Zoë\nMüller & Söhne,Señor Peña\nGroß,Façade\n"
POLISH = "Zażółć gęślą jaźń,Łódź\nŚwięty Mikołaj,Kraków\nPiękna dziewczyna,Gdańsk\n"
RUSSIAN = "Владимир Высоцкий,Москва\nЗемфира,Уфа\nКино и Виктор Цой,Ленинград\n"
GREEK = "Μίκης Θεοδωράκης,Αθήνα\nΝάνα Μούσχουρη,Χανιά\n"
HEBREW = "ירושלים של זהב,ירושלים\nשלום חבר,תל אביב\n" * 5
ARABIC = "أم كلثوم,القاهرة\nفيروز,بيروت\n"
JAPANESE = "上を向いて歩こう,坂本九\n夜に駆ける,ヨアソビ\nカタカナの曲,歌手さん\n"
SIMPLIFIED = "月亮代表我的心,邓丽君\n青花瓷,周杰伦\n朋友,周华健\n" * 5
TRADITIONAL = "月亮代表我的心,鄧麗君\n青花瓷,周杰倫\n朋友,周華健\n"
KOREAN = "봄날,방탄소년단\n좋은 날,아이유\n사랑했지만,김광석\n"


@pytest.fixture
def source(tmp_path):
    def make(content: bytes):
        (tmp_path / "x.csv").write_bytes(content)
        return open_sources(tmp_path / "x.csv")[0]

    return make


def read(source, **declared):
    reader = CsvReader(source, Source(path="x.csv", **declared), WANTED)
    rows = [row for frame in reader.frames() for row in frame.cells.rows()]
    return rows, [note.split(": ", 1)[1] for note in reader.notes]


def table(text):
    return f"title,artist\n{text}", [tuple(line.split(",")) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("mark", "encoding", "note"),
    [
        (codecs.BOM_UTF8, "utf-8", []),
        (codecs.BOM_UTF16_LE, "utf-16-le", ["encoding utf-16, by its byte order mark"]),
        (codecs.BOM_UTF16_BE, "utf-16-be", ["encoding utf-16, by its byte order mark"]),
        (codecs.BOM_UTF32_LE, "utf-32-le", ["encoding utf-32, by its byte order mark"]),
        (codecs.BOM_UTF32_BE, "utf-32-be", ["encoding utf-32, by its byte order mark"]),
    ],
)
@pytest.mark.parametrize("text", [WESTERN, JAPANESE])
def test_a_byte_order_mark(source, mark, encoding, note, text):
    content, rows = table(text)
    assert read(source(mark + content.encode(encoding))) == (rows, note)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", [WESTERN, RUSSIAN, JAPANESE * 30, "\U0001f600a,b\n" * 12_000])
def test_nuls_tell_without_a_mark(source, encoding, text):
    content, rows = table(text)
    assert read(source(content.encode(encoding))) == (rows, [f"encoding {encoding}, guessed"])


def test_nuls_in_cells_are_no_encoding(source):
    assert read(source(b"title,artist\n" + b"a,\0\n" * 50 + b"b,c\n")) == ([("b", "c")], [])


@pytest.mark.parametrize(
    ("text", "encoding", "guess"),
    [
        (WESTERN, "cp1252", "cp1252"),
        (WESTERN.replace("\u2019", "'").replace("\u2013", "-"), "latin-1", "cp1252"),
        (WESTERN.replace("\u2019", "'").replace("\u2013", "-"), "cp850", "cp850"),
        (WESTERN.replace("\u2019", "'").replace("\u2013", "-"), "cp437", "cp850"),
        (WESTERN, "mac_roman", "mac_roman"),
        ("Ana,Peña\n", "cp1252", "cp1252"),
        ("Café,plain\n", "cp1252", "cp1252"),
        ("50 €,\u201cquoted\u201d \u2026\n", "cp1252", "cp1252"),
        (POLISH, "cp1250", "cp1250"),
        (POLISH, "iso8859-2", "iso8859-2"),
        (RUSSIAN, "cp1251", "cp1251"),
        (RUSSIAN, "koi8-r", "koi8_r"),
        (RUSSIAN, "cp866", "cp866"),
        (GREEK, "cp1253", "cp1253"),
        (HEBREW, "cp1255", "cp1255"),
        (ARABIC, "cp1256", "cp1256"),
        (JAPANESE, "shift_jis", "cp932"),
        (JAPANESE, "euc_jp", "euc_jp"),
        (JAPANESE, "iso2022_jp", "iso2022_jp"),
        (SIMPLIFIED, "gbk", "gb18030"),
        (SIMPLIFIED, "gb18030", "gb18030"),
        (TRADITIONAL, "big5", "big5"),
        (KOREAN, "euc_kr", "cp949"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_encoding_is_guessed_and_told(source, text, encoding, guess, end):
    content, rows = table(text)
    assert read(source(content.replace("\n", end).encode(encoding))) == (rows, [f"encoding {guess}, guessed"])


def test_a_stated_encoding_is_never_overridden(source):
    content, rows = table("é,ü\n")
    assert read(source(content.encode()), encoding="latin-1") == ([("Ã©", "Ã¼")], [])
    assert read(source(content.encode("latin-1")), encoding="latin-1") == (rows, [])
    # All records are rejects.
    assert read(source(content.encode("latin-1")), encoding="utf-8") == ([], [])


@pytest.mark.parametrize("records", [10, 400_000])
def test_a_file_may_cease_to_be_ascii_late(source, records):
    """What was read until then is the same text in any encoding: nothing is read again, and no record is read wrongly."""
    content = b"title,artist\n" + b"a,bcd\n" * records + "Málaga,Björk\n".encode("cp1252") + b"e,f\n"
    rows, notes = read(source(content))
    assert (len(rows), rows[-2:], notes) == (records + 2, [("Málaga", "Björk"), ("e", "f")], ["encoding cp1252, guessed"])


@pytest.mark.parametrize("good", [3, 200_000])
def test_utf8_that_is_damaged_is_not_taken_for_another(source, good):
    assert read(source(b"title,artist\n" + "é,ü\n".encode() * good + b"a,b\xff\n")) == ([("é", "ü")] * good, [])


def test_a_letter_in_utf8_weighs_as_much_as_a_byte_that_is_none(source):
    """No guess would read both; the one that is not UTF-8 is named, and the other is stored as it is."""
    assert read(source("title,artist\nRené,x\n".encode() + "Chloë,y\n".encode("cp1252"))) == ([("René", "x")], [])


def test_text_that_was_read_wrongly_before_is_no_proof_of_utf8(source):
    """Replacement characters are UTF-8; the file around them may still be of another encoding, as one of the real ones is."""
    content = "title,artist\n" + "Beyonc\ufffd\ufffd,x\n" * 20
    rows, notes = read(source(content.encode() + "Peña,Zoë\n".encode("cp1252")))
    assert (rows[-1], notes) == (("Peña", "Zoë"), ["encoding cp1252, guessed"])


@pytest.mark.parametrize("piece", [1, 7, 100])
def test_the_guess_does_not_hang_on_how_a_file_is_read(source, piece, monkeypatch):
    monkeypatch.setattr(_bytes, "_CHUNK", piece)
    monkeypatch.setattr(_bytes, "_HEAD", 8)
    content, rows = table("abc,def\n" * 20 + WESTERN)
    assert read(source(content.encode("cp1252"))) == (rows, ["encoding cp1252, guessed"])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_any_bytes_are_text_of_some_encoding_or_named(source, content):
    try:
        read(source(b"title,artist\na,b\n" + content))
    except Exception as error:  # noqa: BLE001 - which errors there may be is what is tested
        assert type(error).__module__ == "tenancy_fixtures.exceptions"  # noqa: PT017


def test_the_real_file_that_is_no_utf8(real_data):
    (found,) = open_sources(real_data / "csv_spotify_2023_latin1" / "spotify-2023.csv")
    reader = CsvReader(found, Source(path="x.csv"), frozenset(["track_name", "streams"]))
    assert sum(frame.records - len(frame.rejects) for frame in reader.frames()) == 953
    assert reader.notes == ("spotify-2023.csv: encoding cp1252, guessed",)
