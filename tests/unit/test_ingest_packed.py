"""Compressed files and archives: what is inside is what counts, whatever it is packed in."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import struct
import tarfile
import threading
import zipfile
from pathlib import Path

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given
from pyarrow import parquet

from tenancy_fixtures import constants
from tenancy_fixtures._ingest import FileSource, SourceLimits, Spool, content_digest, open_sources, refuse_changed
from tenancy_fixtures._ingest._csv import CsvReader
from tenancy_fixtures._ingest.readers import Field, open_reader
from tenancy_fixtures._pack_models import Source
from tenancy_fixtures.exceptions import SourceEmpty, SourceError, SourceMalformed, SourceMissing, SourceTooLarge
from tests.packing import CODECS, tarred, ways, zipped, zstd

CONTENT = b"name,n\n" + b"".join(b"item %d,%d\n" % (number, number * 7919 % 1000) for number in range(5000))
WAYS = sorted(ways(CONTENT))


def write(folder: Path, name: str, content: bytes) -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


def everything(path: Path) -> bytes:
    """What the sources hold, one after the other, as a reader sees it."""
    with open_sources(path) as sources:
        content_digest(sources)
        return b"".join(held(source) for source in sources)


def held(source: FileSource) -> bytes:
    with source.open() as stream:
        return stream.read()


@contextlib.contextmanager
def refused(kind: type[SourceError], words: str, name: str | None = None):
    with pytest.raises(SourceError, match=words) as caught:
        yield
    assert type(caught.value) is kind, repr(caught.value)
    assert caught.value.hint
    if name:
        assert caught.value.source == name


@pytest.mark.parametrize("name", WAYS)
def test_every_packing_holds_what_the_plain_file_holds(tmp_path, name):
    plain = write(tmp_path, "plain.csv", CONTENT)
    file = write(tmp_path, name, ways(CONTENT)[name])
    with open_sources(file) as sources, open_sources(plain) as plain_sources:
        (source,) = sources
        assert source.name.startswith(name)
        assert source.name == name or source.name.endswith(("/deep/records.csv", "/records.csv.gz", "/records.csv.zst"))
        # Never too little, and exact once it was read.
        assert source.size >= len(CONTENT)
        assert content_digest(sources) == content_digest(plain_sources)
        assert source.size == len(CONTENT)
        assert held(source) == CONTENT
        with source.open() as one, source.open() as other:
            assert (one.read(100), other.read(10), one.read(10)) == (CONTENT[:100], CONTENT[:10], CONTENT[100:110])
        with source.open_seekable() as file_:
            file_.seek(-9, os.SEEK_END)
            assert file_.read() == CONTENT[-9:]
            assert file_.tell() == len(CONTENT)
            file_.seek(6)
            assert file_.read(5) == CONTENT[6:11]
        refuse_changed(sources)


@pytest.mark.parametrize("name", WAYS)
def test_a_packed_file_may_be_called_anything(tmp_path, name):
    file = write(tmp_path, "export", ways(CONTENT)[name])
    assert everything(file) == CONTENT


CELLS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=30), name=st.sampled_from(WAYS))
def test_digest_and_records_do_not_depend_on_the_packing(tmp_path_factory, rows, name):
    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"'

    content = "".join(f"{quoted(one)},{quoted(two)}\n" for one, two in [("a", "b"), *rows]).encode()
    folder = tmp_path_factory.mktemp("packed")
    with open_sources(write(folder, "plain.csv", content)) as plain, open_sources(write(folder, name, ways(content)[name])) as packed:
        assert content_digest(packed) == content_digest(plain)
        readers = [CsvReader(sources[0], Source(path="x.csv"), frozenset()) for sources in (plain, packed)]
        read = [[tuple(row) for frame in reader.frames() for row in frame.cells.rows()] for reader in readers]
    assert read[0] == read[1] == rows


def test_threads_read_one_source_at_once(tmp_path):
    for name in ("records.zip", "records.csv.gz", "records.tar.zst"):
        with open_sources(write(tmp_path, name, ways(CONTENT)[name])) as (source,):
            found: list[bytes] = []

            def read(source=source, found=found):
                with source.open() as stream, source.open_seekable() as file:
                    found.append(b"".join(iter(lambda: stream.read(997), b"")))
                    found.append(b"".join(iter(lambda: file.read(1009), b"")))

            threads = [threading.Thread(target=read) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert found == [CONTENT] * 12


def test_members_are_sources_by_name_and_what_is_no_data_is_left_alone(tmp_path):
    files = {
        "b.csv": b"x\n2\n",
        "a/z.tsv": b"x\n1\n",
        "README.md": b"#",
        "__MACOSX/._b.csv": b"?",
        ".hidden.csv": b"?",
        "a/.git/x.csv": b"?",
        "C.CSV": b"x\n3\n",
    }
    for name, content in (("all.zip", zipped({**files, "empty/": b""})), ("all.tar", tarred({**files, "empty": None}))):
        with open_sources(write(tmp_path, name, content)) as sources:
            assert [source.name for source in sources] == [f"{name}/C.CSV", f"{name}/a/z.tsv", f"{name}/b.csv"]
            assert [held(source) for source in sources] == [b"x\n3\n", b"x\n1\n", b"x\n2\n"]


def test_a_folder_takes_packed_files_and_archives(tmp_path):
    write(tmp_path, "a.csv.gz", gzip.compress(b"x\n1\n"))
    write(tmp_path, "b.zip", zipped({"one.json": b"[]", "two.ndjson": b"{}"}))
    write(tmp_path, "c.parquet.zst", zstd.compress(b"PAR1"))
    write(tmp_path, "notes.gz", gzip.compress(b"no data by its name"))
    for suffix in ("tsv", "txt", "json", "ndjson", "jsonl", "parquet", "arrow", "feather", "ipc"):
        write(tmp_path, f"d.{suffix}", b"x")
    with open_sources(tmp_path) as sources:
        names = [source.name for source in sources]
    plain = sorted(f"d.{suffix}" for suffix in ("tsv", "txt", "json", "ndjson", "jsonl", "parquet", "arrow", "feather", "ipc"))
    assert names == ["a.csv.gz", "b.zip/one.json", "b.zip/two.ndjson", "c.parquet.zst", *plain]


@pytest.mark.parametrize("kind", ["parquet", "arrow", "ndjson", "json"])
def test_every_format_is_read_from_every_packing(tmp_path, kind):
    """Parquet and Arrow are read here and there, the others from the start to the end."""
    table = pa.table({"n": list(range(3000)), "name": [f"item {number}" for number in range(3000)]})
    target = io.BytesIO()
    if kind == "parquet":
        parquet.write_table(table, target)
    elif kind == "arrow":
        with pa.ipc.new_file(target, table.schema) as writer:
            writer.write_table(table)
    else:
        lines = [json.dumps(row) for row in table.to_pylist()]
        target.write(("\n".join(lines) if kind == "ndjson" else f"[{','.join(lines)}]").encode())

    for name, packed in ways(target.getvalue(), f"records.{kind}").items():
        with open_sources(write(tmp_path, name, packed)) as (source,):
            reader = open_reader(source, Source(path="x"), {"n": Field(), "name": Field()})
            rows = [row for frame in reader.frames() for row in frame.cells.rows()]
        assert [(str(number), text) for number, text in rows] == [(str(row["n"]), row["name"]) for row in table.to_pylist()], name


def test_the_digest_of_an_archive_is_that_of_the_folder(tmp_path):
    (tmp_path / "folder").mkdir()
    files = {"a.csv": b"x\n1\n", "b.csv": b"x\n2\n"}
    for name, content in files.items():
        write(tmp_path / "folder", name, content)
    with open_sources(tmp_path / "folder") as folder, open_sources(write(tmp_path, "all.zip", zipped(files))) as archive:
        assert content_digest(folder) == content_digest(archive)


# --- what is damaged ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in WAYS if name != "records.csv"])
@pytest.mark.parametrize("keep", [0.999, 0.9, 0.5, 0.01])
def test_a_file_that_was_cut_off_is_never_read_as_a_whole_one(tmp_path, name, keep):
    packed = ways(CONTENT)[name]
    kept = packed[: int(len(packed) * keep)]
    file = write(tmp_path, name, kept)
    if name.endswith(".tar") and not packed[len(kept) :].strip(b"\x00"):
        # A tar ends with a row of empty blocks: some of those may go.
        with contextlib.suppress(SourceMalformed):
            assert everything(file) == CONTENT
        return
    with pytest.raises(SourceError) as caught:
        everything(file)
    assert type(caught.value) is SourceMalformed, repr(caught.value)
    assert caught.value.source.startswith(name)


@pytest.mark.parametrize("name", [name for name in WAYS if name != "records.csv" and not name.endswith(".tar")])
def test_a_flipped_bit_is_noticed(tmp_path, name):
    packed = bytearray(ways(CONTENT)[name])
    for place in range(len(packed) // 3, len(packed) - 200, max(1, len(packed) // 7)):
        packed[place] ^= 0x10
        found: object = None
        try:
            found = everything(write(tmp_path, name, bytes(packed)))
        except SourceError as error:
            found = type(error)
        assert found in (CONTENT, SourceMalformed)
        packed[place] ^= 0x10


def test_a_wrong_checksum(tmp_path):
    packed = bytearray(gzip.compress(CONTENT))
    packed[-8] ^= 1
    with refused(SourceMalformed, "damaged", "a.csv.gz"):
        everything(write(tmp_path, "a.csv.gz", bytes(packed)))
    stored = zipped({"a.csv": CONTENT}, zipfile.ZIP_STORED).replace(b"item 17,", b"item 71,")
    with refused(SourceMalformed, "damaged", "a.zip/a.csv"):
        everything(write(tmp_path, "a.zip", stored))
    framed = zstd.ZstdCompressor(options={zstd.CompressionParameter.checksum_flag: 1})
    packed = bytearray(framed.compress(CONTENT, zstd.ZstdCompressor.FLUSH_FRAME))
    packed[-1] ^= 1
    with refused(SourceMalformed, "damaged", "a.csv.zst"):
        everything(write(tmp_path, "a.csv.zst", bytes(packed)))


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zst", "a.csv.bz2", "a.zip", "a.tgz", "a.tar"])
def test_what_its_name_promises_and_it_is_not(tmp_path, name):
    with refused(SourceMalformed, "though its name says so|no tar archive", name):
        open_sources(write(tmp_path, name, CONTENT))
    with refused(SourceEmpty, "empty", name):
        open_sources(write(tmp_path, name, b""))


def test_a_tar_by_its_name_that_holds_records(tmp_path):
    for name, packed in (("a.tar.gz", gzip.compress(CONTENT)), ("a.tzst", zstd.compress(CONTENT))):
        with refused(SourceMalformed, "no tar archive", name):
            open_sources(write(tmp_path, name, packed))


def test_nothing_inside(tmp_path):
    for name, packed in (("a.csv.gz", gzip.compress(b"")), ("a.csv.zst", zstd.compress(b"")), ("a.csv.bz2", CODECS[".bz2"](b""))):
        with refused(SourceEmpty, "empty", name):
            open_sources(write(tmp_path, name, packed))
    for name, packed in (("b.zip", zipped({})), ("b.tar", tarred({})), ("b.tar.gz", gzip.compress(tarred({}))), ("c.zip", zipped({"x.md": b"#"}))):
        with refused(SourceMissing, "holds no file that ends in", name):
            open_sources(write(tmp_path, name, packed))
    with refused(SourceEmpty, "empty", "d.zip/x.csv"):
        open_sources(write(tmp_path, "d.zip", zipped({"x.csv": b""})))


def test_xz_is_said_not_to_be_read(tmp_path):
    import lzma

    with refused(SourceMalformed, "xz", "a.csv.xz"):
        open_sources(write(tmp_path, "a.csv.xz", lzma.compress(CONTENT)))


def test_an_encrypted_member_and_an_unknown_method(tmp_path):
    packed = zipped({"a.csv": CONTENT})
    at = packed.index(b"PK\x01\x02")
    encrypted = bytearray(packed)
    encrypted[at + 8] |= 1
    encrypted[6] |= 1
    with refused(SourceMalformed, "encrypted", "a.zip/a.csv"):
        open_sources(write(tmp_path, "a.zip", bytes(encrypted)))
    other = bytearray(packed)
    struct.pack_into("<H", other, at + 10, 9)
    with refused(SourceMalformed, "method 9", "b.zip/a.csv"):
        open_sources(write(tmp_path, "b.zip", bytes(other)))
    with refused(SourceMalformed, "method 14", "c.zip/a.csv"):
        open_sources(write(tmp_path, "c.zip", zipped({"a.csv": CONTENT}, zipfile.ZIP_LZMA)))


@given(noise=st.binary(min_size=1, max_size=400), name=st.sampled_from([name for name in WAYS if name != "records.csv"]), at=st.floats(0, 1))
def test_no_damage_comes_out_as_anything_but_our_errors(tmp_path_factory, noise, name, at):
    packed = ways(CONTENT[:2000])[name]
    place = int(at * len(packed))
    file = write(tmp_path_factory.mktemp("noise"), name, packed[:place] + noise + packed[place + len(noise) :])
    with contextlib.suppress(SourceError):
        everything(file)


# --- what no honest archive holds -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/etc/x.csv", "../x.csv", "a/../../x.csv", "..\\x.csv", "C:\\x.csv", "\\\\host\\x.csv"])
def test_names_that_lead_out(tmp_path, path):
    for name, packed in (
        ("a.zip", zipped({path: b"x\n1\n"})),
        ("a.tar", tarred({path: b"x\n1\n"})),
        ("a.tgz", gzip.compress(tarred({path: b"x\n1\n"}))),
    ):
        with refused(SourceMalformed, "leads out of the archive"):
            open_sources(write(tmp_path, name, packed))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices(tmp_path, kind):
    with refused(SourceMalformed, "is a link, a device", "a.tar/x.csv"):
        open_sources(write(tmp_path, "a.tar", tarred({"x.csv": b""}, type=kind, linkname="/etc/passwd")))
    # One that is no data is left alone.
    mixed = io.BytesIO()
    with tarfile.open(fileobj=mixed, mode="w") as archive:
        link = tarfile.TarInfo("latest")
        link.type, link.linkname = kind, "x.csv"
        archive.addfile(link)
        data = tarfile.TarInfo("x.csv")
        data.size = 4
        archive.addfile(data, io.BytesIO(b"x\n1\n"))
    assert everything(write(tmp_path, "b.tar", mixed.getvalue())) == b"x\n1\n"


def test_a_link_in_a_zip(tmp_path):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        info = zipfile.ZipInfo("x.csv")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with refused(SourceMalformed, "is a link", "a.zip/x.csv"):
        open_sources(write(tmp_path, "a.zip", target.getvalue()))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice(tmp_path):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("x.csv", b"x\n1\n")
        archive.writestr("./x.csv", b"x\n2\n")
    with refused(SourceMalformed, "is there twice", "a.zip/x.csv"):
        open_sources(write(tmp_path, "a.zip", target.getvalue()))


def test_an_archive_in_an_archive_is_not_entered(tmp_path):
    inner = zipped({"x.csv": b"x\n1\n"})
    for name, packed in (
        ("a.zip", zipped({"in.zip": inner})),
        ("b.tar.gz", gzip.compress(tarred({"in.zip": inner}))),
        ("c.zip", zipped({"in.tar.gz": gzip.compress(tarred({"x.csv": b"x\n1\n"}))})),
        ("d.zip", zipped({"x.csv": inner})),
    ):
        with refused(SourceMalformed, "archive in an archive|packed twice"):
            open_sources(write(tmp_path, name, packed))
    for name, packed in (("e.zip.gz", gzip.compress(inner)), ("f.csv.gz", gzip.compress(gzip.compress(CONTENT)))):
        with refused(SourceMalformed, "packed twice", name):
            open_sources(write(tmp_path, name, packed))


def test_names_that_are_no_utf8(tmp_path):
    name = b"caf\xe9.csv".decode("utf-8", "surrogateescape")
    with open_sources(write(tmp_path, "a.tar", tarred({name: b"x\n1\n"}, form=tarfile.GNU_FORMAT))) as (source,):
        assert source.name == "a.tar/caf\ufffd.csv"
        assert held(source) == b"x\n1\n"
    # Without the flag for UTF-8 a zip's names are of another age, and any bytes are text in it.
    packed = zipped({"cafe.csv": b"x\n1\n"}).replace(b"cafe.csv", b"caf\xe9.csv")
    with open_sources(write(tmp_path, "a.zip", packed)) as (source,):
        assert source.name.startswith("a.zip/caf")
    flagged = bytearray(zipped({"café.csv": b"x\n1\n"})).replace("café".encode(), b"caf\xff\xff")
    with refused(SourceMalformed, "no zip archive that can be read", "b.zip"):
        open_sources(write(tmp_path, "b.zip", bytes(flagged)))


def test_an_archive_that_changes_while_it_is_read(tmp_path):
    for name in ("records.zip", "records.csv.gz", "records.tar"):
        file = write(tmp_path, name, ways(CONTENT)[name])
        with open_sources(file) as sources:
            refuse_changed(sources)
            later = sources[0].modified_ns + 1_000_000_000
            os.utime(file, ns=(later, later))
            with refused(SourceMalformed, "changed while it was being read"):
                refuse_changed(sources)


# --- bombs ----------------------------------------------------------------------------------------------------------


class Zeros(io.RawIOBase):
    """So many zeros, that nobody has to hold in memory."""

    def __init__(self, size):
        self._left = size

    def readable(self):
        return True

    def readinto(self, buffer):
        size = min(len(buffer), self._left)
        buffer[:size] = bytes(size)
        self._left -= size
        return size


BOMB = 1 << 28


@pytest.fixture(scope="module")
def bombs(tmp_path_factory):
    """A quarter of a gigabyte of zeros in each packing: a thousand times its size."""
    folder = tmp_path_factory.mktemp("bombs")
    with gzip.open(folder / "a.csv.gz", "wb", 6) as target:
        for _ in range(BOMB >> 20):
            target.write(bytes(1 << 20))
    with zstd.open(folder / "a.csv.zst", "wb") as target:
        for _ in range(BOMB >> 20):
            target.write(bytes(1 << 20))
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.csv", "w") as target:
        for _ in range(BOMB >> 20):
            target.write(bytes(1 << 20))
    with tarfile.open(folder / "a.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("a.csv")
        info.size = BOMB
        archive.addfile(info, io.BufferedReader(Zeros(BOMB)))
    return folder


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zst", "a.zip", "a.tar.gz"])
def test_a_bomb_is_put_down(bombs, name):
    with refused(SourceTooLarge, "unpacks to more than 200 times its size"), open_sources(bombs / name) as sources:
        content_digest(sources)
    with Spool(SourceLimits(ratio=10_000_000)) as spool:
        (source,) = open_sources(bombs / name, spool=spool)
        content_digest([source])
        assert source.size == BOMB
    limit = 100_000_000
    with refused(SourceTooLarge, "100,000,000 bytes"), Spool(SourceLimits(source_bytes=limit, ratio=10_000_000)) as spool:
        content_digest(open_sources(bombs / name, spool=spool))


def test_small_repetitive_files_are_no_bombs(tmp_path):
    content = b"x\n" + b"0\n" * (constants.RATIO_FREE_BYTES // 4)
    assert everything(write(tmp_path, "a.csv.zst", zstd.compress(content))) == content


def test_bytes_of_one_and_of_all(tmp_path):
    for name in ("a.csv", "b.csv"):
        write(tmp_path, name, CONTENT)
    with refused(SourceTooLarge, "a.csv holds more than 1,000 bytes", "a.csv"), Spool(SourceLimits(source_bytes=1000)) as spool:
        open_sources(tmp_path, spool=spool)
    with Spool(SourceLimits(total_bytes=2 * len(CONTENT))) as spool:
        content_digest(open_sources(tmp_path, spool=spool))
    with refused(SourceTooLarge, "b.csv brings the sources to more than", "b.csv"), Spool(SourceLimits(total_bytes=2 * len(CONTENT) - 1)) as spool:
        open_sources(tmp_path, spool=spool)


def test_reading_again_does_not_count_again(tmp_path):
    file = write(tmp_path, "a.csv.gz", gzip.compress(CONTENT))
    with Spool(SourceLimits(total_bytes=len(CONTENT))) as spool:
        sources = open_sources(file, spool=spool)
        for _ in range(3):
            content_digest(sources)
        with sources[0].open_seekable() as stream:
            assert stream.read() == CONTENT


def test_how_many_files(tmp_path):
    few = SourceLimits(files=3)
    files = {f"{number}.csv": b"x\n1\n" for number in range(4)}
    for name, packed in (("a.zip", zipped(files)), ("a.tar", tarred(files)), ("a.tgz", gzip.compress(tarred(files)))):
        with refused(SourceTooLarge, "more than 3 files", name), Spool(few) as spool:
            open_sources(write(tmp_path, name, packed), spool=spool)
    (tmp_path / "folder").mkdir()
    for name, content in files.items():
        write(tmp_path / "folder", name, content)
    with refused(SourceTooLarge, "more than 3 files"), Spool(few) as spool:
        open_sources(tmp_path / "folder", spool=spool)


def test_a_tar_of_a_million_entries_and_a_zip_of_as_many_end_soon(tmp_path):
    header = tarfile.TarInfo("x").tobuf()
    with gzip.open(tmp_path / "a.tar.gz", "wb", 1) as target:
        for _ in range(100):
            target.write(header * 1000)
    with refused(SourceTooLarge, "more than 10,000 files", "a.tar.gz"):
        open_sources(tmp_path / "a.tar.gz")
    entry = b"PK\x01\x02" + bytes(42)
    directory = entry * 1_000_000
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, len(directory), 4, 0)
    with refused(SourceTooLarge, "headers of more than", "a.zip"):
        open_sources(write(tmp_path, "a.zip", b"PK\x03\x04" + directory + end))


def test_a_tar_whose_header_asks_for_gigabytes(tmp_path):
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 33
    file = write(tmp_path, "a.tar", info.tobuf(tarfile.GNU_FORMAT))
    with refused(SourceTooLarge, "headers of more than", "a.tar"):
        open_sources(file)
