"""The Big List of Naughty Strings through every format: into the table, out by the server's own COPY, and in again."""

from __future__ import annotations

import base64
import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from tenancy_fixtures import FixtureManager, Pack, Settings
from tenancy_fixtures.exceptions import DataRejected, SourceMalformed, SourceUndecodable
from tenancy_fixtures.packs import DEFAULT_FOLDER
from tests.acceptance.support import PackFolder, is_text

pytestmark = pytest.mark.anyio

FORMATS = ("csv", "tsv", "json", "ndjson", "parquet", "arrow", "arrows")
TYPED = ("parquet", "arrow", "arrows")
SCRIPT = """
CREATE TABLE words (number integer NOT NULL PRIMARY KEY, word text NOT NULL);
CREATE TABLE pieces (number integer NOT NULL PRIMARY KEY, piece bytea NOT NULL);
"""

Row = tuple


@pytest.fixture(scope="module")
def entries(real_data: Path) -> list[bytes]:
    path = real_data.parent / "corpora" / "blns" / "blns.base64.json"
    if not path.is_file():
        pytest.skip(f"no list of naughty strings in {path}")
    found = [base64.b64decode(entry) for entry in json.loads(path.read_bytes())]
    assert len(found) == 676
    return found


@pytest.fixture(scope="module")
def words(entries: list[bytes]) -> dict[int, str]:
    """Those that are text, by their number in the list."""
    found = {number: entry.decode() for number, entry in enumerate(entries) if is_text(entry)}
    assert len(found) == 610
    return found


@pytest.fixture(scope="module")
def pieces(entries: list[bytes]) -> dict[int, bytes]:
    """Those that are cut inside a character."""
    found = {number: entry for number, entry in enumerate(entries) if not is_text(entry)}
    assert len(found) == 66
    return found


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    """Two tables, filled from one file each; an empty text is a text."""
    folder = PackFolder(tmp_path / "pack")
    shutil.copytree(DEFAULT_FOLDER, folder.folder, ignore=shutil.ignore_patterns("data", "__pycache__", "*.py"))
    (folder.folder / "data").mkdir()
    folder.reduce(SCRIPT)
    folder.manifest(datasets=[dataset("words", "word"), dataset("pieces", "piece")])
    return folder.pack()


def stating(tmp_path: Path, encoding: str | None) -> Pack:
    """The same pack, whose sources state their encoding or leave it open."""
    folder = PackFolder(tmp_path / "pack")
    if encoding is not None:
        folder.manifest(datasets=[{**item, "source": {**item["source"], "encoding": encoding}} for item in folder.datasets()])
    return folder.pack()


def dataset(table: str, column: str) -> dict[str, Any]:
    columns = {"number": {"from": ["number"]}, column: {"from": [column], "nulls": []}}
    return {"name": table, "source": {"path": f"data/{table}.csv"}, "targets": [{"table": table, "key": ["number"], "columns": columns}]}


@pytest.fixture
async def loading(settings: Settings, pack: Pack, anyio_backend: str):
    async with FixtureManager(settings, pack=pack) as manager:
        await manager.create_tenant("acme", exist_ok=True)
        yield manager


def write_table(path: Path, kind: str, table: pa.Table) -> Path:
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        with (pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream)(path, table.schema) as writer:
            writer.write_table(table)
    return path


def as_file(path: Path, kind: str, column: str, rows: dict[int, Any]) -> Path:
    """A file that the library has no part in."""
    path = path.with_suffix(f".{kind}")
    plain = [{"number": number, column: value} for number, value in rows.items()]
    if kind in TYPED:
        return write_table(path, kind, pa.table({"number": list(rows), column: list(rows.values())}))
    path.write_bytes(_TEXTS[kind](plain).encode("utf-8"))
    return path.rename(path.with_suffix(".csv")) if kind == "tsv" else path


def _separated(delimiter: str) -> Callable[[list[dict[str, Any]]], str]:
    def write(rows: list[dict[str, Any]]) -> str:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    return write


_TEXTS: dict[str, Callable[[list[dict[str, Any]]], str]] = {
    "csv": _separated(","),
    "tsv": _separated("\t"),
    "json": lambda rows: json.dumps(rows, ensure_ascii=False, indent=1),
    "ndjson": lambda rows: "".join(f"{json.dumps(row, ensure_ascii=bool(row['number'] % 2))}\n" for row in rows),
}


def stored(url: str, table: str) -> dict[int, bytes]:
    """What the table holds, byte by byte."""
    column = {"words": "convert_to(word, 'UTF8')", "pieces": "piece"}[table]
    with psycopg.connect(url) as connection:
        return dict(connection.execute(f"SELECT number, {column} FROM t_acme.{table}").fetchall())


def copied_out(url: str, table: str, path: Path) -> Path:
    """The table by the server's own COPY, as CSV."""
    query = f"COPY (SELECT * FROM t_acme.{table} ORDER BY number DESC) TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE *)"
    with psycopg.connect(url) as connection, connection.cursor().copy(query) as copy:
        path.write_bytes(b"".join(bytes(block) for block in copy))
    return path


def emptied(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE t_acme.words, t_acme.pieces")


async def there_and_back(manager: FixtureManager, url: str, table: str, path: Path, expected: dict[int, bytes]) -> None:
    for step, source in enumerate((path, path.parent / "copied.csv")):
        if step:
            copied_out(url, table, source)
            emptied(url)
        report = await manager.load_fixtures("acme", datasets=[table], sources={table: source})
        (dataset,) = report.datasets
        assert (dataset.read, dataset.stored, dataset.rejects) == (len(expected), len(expected), 0)
        assert stored(url, table) == expected


@pytest.mark.parametrize("kind", FORMATS)
async def test_text_byte_for_byte(loading: FixtureManager, admin_database_url: str, tmp_path: Path, words: dict[int, str], kind: str):
    path = as_file(tmp_path / "words", kind, "word", words)
    await there_and_back(loading, admin_database_url, "words", path, {number: word.encode() for number, word in words.items()})


@pytest.mark.parametrize("kind", FORMATS)
async def test_pieces_as_bytes(loading: FixtureManager, admin_database_url: str, tmp_path: Path, pieces: dict[int, bytes], kind: str):
    """Where the format has bytes, as these; elsewhere as PostgreSQL writes them."""
    written = pieces if kind in TYPED else {number: f"\\x{piece.hex()}" for number, piece in pieces.items()}
    path = as_file(tmp_path / "pieces", kind, "piece", written)
    await there_and_back(loading, admin_database_url, "pieces", path, pieces)


def _as_json(piece: bytes) -> bytes:
    return json.dumps(piece.decode("utf-8", "surrogateescape"), ensure_ascii=False).encode("utf-8", "surrogateescape")


# How each format writes a record whose text is bytes that are no text.
_RAW: dict[str, Callable[[int, bytes], bytes]] = {
    "csv": lambda number, piece: b'%d,"%s"\r\n' % (number, piece.replace(b'"', b'""')),
    "tsv": lambda number, piece: b'%d\t"%s"\r\n' % (number, piece.replace(b'"', b'""')),
    "ndjson": lambda number, piece: b'{"number": %d, "word": %s}\n' % (number, _as_json(piece)),
    "json": lambda number, piece: b'{"number": %d, "word": %s}\n\n' % (number, _as_json(piece)),  # documents one after the other
}
_HEADS = {"csv": b"number,word\r\n", "tsv": b"number\tword\r\n", "ndjson": b"", "json": b"\n"}


def as_text_file(path: Path, kind: str, rows: dict[int, bytes]) -> Path:
    """A file whose column of text holds these bytes as they are, whatever they are."""
    if kind in TYPED:
        pieces = pa.array(list(rows.values()), pa.binary())
        texts = pa.Array.from_buffers(pa.string(), len(pieces), pieces.buffers())
        return write_table(path.with_suffix(f".{kind}"), kind, pa.table({"number": list(rows), "word": texts}))
    path = path.with_suffix(".csv" if kind == "tsv" else f".{kind}")
    path.write_bytes(_HEADS[kind] + b"".join(_RAW[kind](number, piece) for number, piece in rows.items()))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", None])
@pytest.mark.parametrize("kind", FORMATS)
async def test_pieces_as_text_are_rejects(
    settings: Settings,
    pack: Pack,
    admin_database_url: str,
    tmp_path: Path,
    entries: list[bytes],
    words: dict[int, str],
    kind: str,
    encoding: str | None,
):
    """All 676 in one file: those that are no text are named by their number, and the others are stored."""
    path = as_text_file(tmp_path / "words", kind, dict(enumerate(entries)))
    async with FixtureManager(settings, pack=stating(tmp_path, encoding)) as manager:
        await manager.create_tenant("acme", exist_ok=True)
        with pytest.raises(DataRejected) as raised:
            await manager.load_fixtures("acme", datasets=["words"], sources={"words": path})
        found = raised.value
        assert (found.count, {reject.rule for reject in found.rejects}) == (66, {"encoding"})
        assert [reject.record for reject in found.rejects] == [number + 1 for number in range(676) if number not in words]
        report = await manager.load_fixtures("acme", datasets=["words"], sources={"words": path}, on_error="reject", max_errors=66)
    (dataset,) = report.datasets
    assert (dataset.read, dataset.stored, dataset.rejects) == (676, 610, 66)
    assert stored(admin_database_url, "words") == {number: word.encode() for number, word in words.items()}


async def test_a_piece_outside_the_texts_of_a_json_document(loading: FixtureManager, tmp_path: Path, pieces: dict[int, bytes]):
    """No JSON, whatever it stands for: the whole file is at fault, and its place is told."""
    path = tmp_path / "words.json"
    for piece in list(pieces.values())[:10]:
        for content in (b'[{"number": 1, "word": "x"}, %s {"number": 2, "word": ""}]' % piece, b'[{"number": 1, "word": "\\%s"}]' % piece):
            path.write_bytes(content)
            with pytest.raises((SourceUndecodable, SourceMalformed)):
                await loading.load_fixtures("acme", datasets=["words"], sources={"words": path})


@pytest.mark.parametrize("kind", TYPED)
async def test_pieces_as_bytes_are_no_text(loading: FixtureManager, tmp_path: Path, pieces: dict[int, bytes], kind: str):
    path = as_file(tmp_path / "words", kind, "word", pieces)
    with pytest.raises(DataRejected) as raised:
        await loading.load_fixtures("acme", datasets=["words"], sources={"words": path})
    assert [(reject.record, reject.column, reject.rule) for reject in raised.value.rejects] == [(number, "word", "type") for number in range(1, 67)]
    assert {reject.message for reject in raised.value.rejects} == {"expected text"}


@pytest.mark.parametrize("nested", ["list", "struct", "dictionary", "string_view"])
@pytest.mark.parametrize("kind", TYPED)
async def test_a_piece_within_a_value(loading: FixtureManager, tmp_path: Path, pieces: dict[int, bytes], kind: str, nested: str):
    """Where a writer puts texts inside lists, codes and the like, a file with such bytes is an error or a reject, and never a crash."""
    raw = pa.array(list(pieces.values()), pa.binary())
    texts = pa.Array.from_buffers(pa.string(), len(raw), raw.buffers())
    makers = {
        "list": lambda: pa.ListArray.from_arrays(list(range(len(texts) + 1)), texts),
        "struct": lambda: pa.StructArray.from_arrays([texts], ["text"]),
        "dictionary": lambda: pa.DictionaryArray.from_arrays(pa.array(range(len(texts)), pa.int32()), texts, safe=False),
        "string_view": lambda: texts.cast(pa.string_view()),
    }
    try:
        column = makers[nested]()
    except pa.ArrowNotImplementedError:
        pytest.skip(f"pyarrow {pa.__version__} makes no {nested}")
    path = write_table(tmp_path / f"words.{kind}", kind, pa.table({"number": list(pieces), "word": column}))
    with pytest.raises((DataRejected, SourceMalformed)) as raised:
        await loading.load_fixtures("acme", datasets=["words"], sources={"words": path})
    assert "word" in str(raised.value)


@pytest.mark.parametrize("kind", FORMATS)
async def test_a_nul_is_a_reject(loading: FixtureManager, tmp_path: Path, kind: str):
    path = as_file(tmp_path / "words", kind, "word", {1: "plain", 2: "with a \0 in it", 3: "plain"})
    with pytest.raises(DataRejected) as raised:
        await loading.load_fixtures("acme", datasets=["words"], sources={"words": path})
    assert [(reject.record, reject.rule) for reject in raised.value.rejects] == [(2, "nul")]
