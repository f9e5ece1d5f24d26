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
from tenancy_fixtures.exceptions import DataRejected
from tenancy_fixtures.packs import DEFAULT_FOLDER
from tests.acceptance.support import PackFolder

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


def is_text(entry: bytes) -> bool:
    try:
        entry.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    """Two tables, filled from one file each; an empty text is a text."""
    folder = PackFolder(tmp_path / "pack")
    shutil.copytree(DEFAULT_FOLDER, folder.folder, ignore=shutil.ignore_patterns("data", "__pycache__", "*.py"))
    (folder.folder / "data").mkdir()
    folder.reduce(SCRIPT)
    folder.manifest(datasets=[dataset("words", "word"), dataset("pieces", "piece")])
    return folder.pack()


def dataset(table: str, column: str) -> dict[str, Any]:
    columns = {"number": {"from": ["number"]}, column: {"from": [column], "nulls": []}}
    return {"name": table, "source": {"path": f"data/{table}.csv"}, "targets": [{"table": table, "key": ["number"], "columns": columns}]}


@pytest.fixture
async def loading(settings: Settings, pack: Pack, anyio_backend: str):
    async with FixtureManager(settings, pack=pack) as manager:
        await manager.create_tenant("acme", exist_ok=True)
        yield manager


def as_file(path: Path, kind: str, column: str, rows: dict[int, Any]) -> Path:
    """A file that the library has no part in."""
    path = path.with_suffix(f".{kind}")
    plain = [{"number": number, column: value} for number, value in rows.items()]
    if kind in TYPED:
        table = pa.table({"number": list(rows), column: list(rows.values())})
        if kind == "parquet":
            pq.write_table(table, path)
        else:
            with (pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream)(path, table.schema) as writer:
                writer.write_table(table)
        return path
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


@pytest.mark.parametrize("kind", ["ndjson", *TYPED])
async def test_pieces_as_text_are_rejects(loading: FixtureManager, tmp_path: Path, pieces: dict[int, bytes], kind: str):
    """Each of them by its number. JSON and CSV in UTF-8 are one text: there the first such byte is an error of the file."""
    path = tmp_path / f"words.{kind}"
    if kind == "ndjson":
        path.write_bytes(b"".join(b'{"number": %d, "word": "%s"}\n' % (number, piece.replace(b'"', b"'")) for number, piece in pieces.items()))
        rule, column = "encoding", None
    else:
        path, rule, column = as_file(tmp_path / "words", kind, "word", pieces), "type", "word"
    with pytest.raises(DataRejected) as raised:
        await loading.load_fixtures("acme", datasets=["words"], sources={"words": path})
    assert raised.value.count == 66
    assert [reject.record for reject in raised.value.rejects] == list(range(1, 67))
    assert {reject.column for reject in raised.value.rejects} == {column}
    assert {reject.rule for reject in raised.value.rejects} <= {rule, "length"}


@pytest.mark.parametrize("kind", FORMATS)
async def test_a_nul_is_a_reject(loading: FixtureManager, tmp_path: Path, kind: str):
    path = as_file(tmp_path / "words", kind, "word", {1: "plain", 2: "with a \0 in it", 3: "plain"})
    with pytest.raises(DataRejected) as raised:
        await loading.load_fixtures("acme", datasets=["words"], sources={"words": path})
    assert [(reject.record, reject.rule) for reject in raised.value.rejects] == [(2, "nul")]
