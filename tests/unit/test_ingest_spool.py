"""The temporary file of a load, and standard input, which is kept in it."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from tenancy_fixtures import Settings
from tenancy_fixtures._ingest import SourceLimits, Spool, as_path, content_digest, open_sources
from tenancy_fixtures._ingest._extents import Extent
from tenancy_fixtures.exceptions import ConfigurationError, SourceEmpty, SourceMissing, SourceTooLarge
from tests.packing import tarred, zstd_compressed


def read(extent: Extent) -> bytes:
    with extent.open() as stream:
        return stream.read()


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A temporary folder that nobody else uses."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def open_below(folder: Path) -> int:
    """How many files of the folder are open, those without a name included."""
    found = 0
    for item in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found += str(item.readlink()).startswith(str(folder))
    return found


on_linux = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files as Linux shows them")


def test_what_is_kept_has_no_name_and_is_ours_alone(temporary):
    with Spool() as spool:
        extent = spool.take("x", [b"one", b"", b"two"])
        assert list(temporary.iterdir()) == []
        found = os.fstat(spool.descriptor())
        assert (stat.S_IMODE(found.st_mode), found.st_size) == (0o600, 6)
        assert read(extent) == b"onetwo"
    with pytest.raises(SourceMissing):
        extent.open()


def test_regions_lie_side_by_side_and_a_failed_one_leaves_nothing():
    def broken():
        yield b"half"
        raise OSError(5, "Input/output error")

    with Spool() as spool:
        first = spool.take("a", [b"first"])
        with pytest.raises(OSError, match="Input/output"):
            spool.take("b", broken())
        assert os.fstat(spool.descriptor()).st_size == 5
        second = spool.take("c", [b"second"])
        assert (read(first), read(second), second.start) == (b"first", b"second", 5)


def test_a_stream_that_is_open_outlives_the_spool():
    with Spool() as spool:
        stream = spool.take("a", [bytes(range(200)) * 5000]).open()
    with stream:
        assert stream.read(4) == b"\x00\x01\x02\x03"
        stream.seek(-2, os.SEEK_END)
        assert stream.read() == b"\xc6\xc7"
        assert stream.seek(10) == 10
        assert stream.read(1) == b"\x0a"
        with pytest.raises(OSError, match="Invalid"):
            stream.seek(-1)


@on_linux
def test_nothing_stays_open(tmp_path, temporary):
    (tmp_path / "a.tar.zst").write_bytes(zstd_compressed(tarred({f"{number}.csv": b"x\n1\n" for number in range(500)})))
    sources = open_sources(tmp_path / "a.tar.zst")
    # One for all members, however many there are.
    assert open_below(tmp_path) == 1
    content_digest(sources)
    sources.close()
    assert open_below(tmp_path) == 0
    # Also where nobody closes them.
    sources = open_sources(tmp_path / "a.tar.zst")
    del sources
    gc.collect()
    assert open_below(tmp_path) == 0
    (tmp_path / "b.zip").write_bytes(b"PK\x03\x04 damaged")
    with pytest.raises(Exception, match="damaged"):
        open_sources(tmp_path / "b.zip")
    assert open_below(tmp_path) == 0


def test_a_plain_file_needs_no_temporary_one(tmp_path, temporary):
    (tmp_path / "a.csv").write_bytes(b"x\n1\n")
    temporary.rmdir()
    with open_sources(tmp_path / "a.csv") as sources, sources[0].open_seekable() as stream:
        assert stream.read() == b"x\n1\n"


def test_no_room_in_the_temporary_folder(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with Spool() as spool:
        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(SourceTooLarge, match="No space left") as caught:
            spool.take("a.csv", [b"x"])
    assert "TMPDIR" in caught.value.hint


def test_a_spool_that_is_closed_stops_whoever_fills_it():
    spool, written = Spool(), threading.Event()
    caught: list[BaseException] = []

    def forever():
        while True:
            written.set()
            yield b"x" * 1000

    def fill():
        try:
            spool.take("endless", forever())
        except SourceMissing as error:
            caught.append(error)

    thread = threading.Thread(target=fill)
    thread.start()
    written.wait(5)
    spool.close()
    thread.join(5)
    assert not thread.is_alive()
    assert "closed" in str(caught[0])


def test_a_digest_on_its_way_ends_with_the_spool(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"x\n1\n")
    sources = open_sources(tmp_path / "a.csv")
    sources.close()
    with pytest.raises(SourceMissing, match="closed"):
        content_digest(sources)


# --- standard input -------------------------------------------------------------------------------------------------


class Input:
    """What sys.stdin is, of bytes."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


def test_standard_input_can_be_read_again_and_again(monkeypatch):
    monkeypatch.setattr(sys, "stdin", Input(b"x\n1\n" * 1_000_000))
    with open_sources("-") as sources:
        assert [(source.name, source.size, source.path) for source in sources] == [("stdin", 4_000_000, None)]
        assert content_digest(sources) == content_digest(sources)
        for stream in (sources[0].open(), sources[0].open_seekable()):
            with stream:
                assert len(stream.read()) == 4_000_000


def test_standard_input_may_be_packed(monkeypatch):
    monkeypatch.setattr(sys, "stdin", Input(zstd_compressed(tarred({"b.csv": b"x\n1\n", "a.csv": b"x\n2\n"}))))
    with open_sources("-") as sources:
        assert [source.name for source in sources] == ["stdin/a.csv", "stdin/b.csv"]


def test_nothing_on_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", Input(b""))
    with pytest.raises(SourceEmpty) as caught:
        open_sources("-")
    assert caught.value.source == "stdin"
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SourceMissing, match="no standard input"):
        open_sources("-")


def test_more_on_standard_input_than_allowed(monkeypatch):
    monkeypatch.setattr(sys, "stdin", Input(b"x" * 1001))
    with Spool(SourceLimits(source_bytes=1000)) as spool, pytest.raises(SourceTooLarge, match="stdin holds more than 1,000 bytes"):
        open_sources("-", spool=spool)


WAITING = """
import sys, threading, time
from tenancy_fixtures._ingest import Spool, open_sources
from tenancy_fixtures.exceptions import SourceMissing
spool = Spool()
def read():
    try:
        open_sources("-", spool=spool)
    except SourceMissing as error:
        print(error.message)
thread = threading.Thread(target=read)
thread.start()
time.sleep(0.5)
spool.close()
thread.join()
"""


def test_waiting_for_standard_input_can_be_given_up():
    began = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", WAITING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdin.write("x\n1\n")
        process.stdin.flush()
        # Nobody closes its input: it must not wait for that.
        assert "closed" in process.stdout.readline()
        assert process.wait(10) == 0
    assert time.monotonic() - began < 10


def test_a_path_called_minus_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("-").write_bytes(b"x\n1\n")
    (source,) = open_sources(Path("-"))
    assert source.name == "-"
    assert (as_path("-"), as_path("./-"), as_path("https://x/y"), as_path("C:x")) == ("-", Path("./-"), "https://x/y", Path("C:x"))


# --- settings -------------------------------------------------------------------------------------------------------


def test_limits_come_from_the_settings(monkeypatch):
    assert SourceLimits.of(Settings.from_env()) == SourceLimits()
    for name, value in (("SOURCE_BYTES", "1"), ("TOTAL_BYTES", "2"), ("COMPRESSION_RATIO", "3"), ("SOURCES", "4")):
        monkeypatch.setenv(f"TENANCY_MAX_{name}", value)
    monkeypatch.setenv("TENANCY_PLAIN_HTTP", "true")
    assert SourceLimits.of(Settings.from_env()) == SourceLimits(1, 2, 3, 4, plain_http=True)
    with pytest.raises(ConfigurationError):
        Settings.from_env(max_sources=0)
