"""One catalogue, however it comes: packed, from a web server, through standard input. The same content is no work."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tenancy_fixtures import DataLoader, FixtureManager, Settings, _dataset_load, _load
from tenancy_fixtures import exceptions as errors
from tenancy_fixtures.constants import LATE_INDEX_BYTES
from tenancy_fixtures.packs import DEFAULT_FOLDER
from tests.acceptance.support import SECRET, TRACKS, USERS, State, as_csv, failing, track, user
from tests.acceptance.test_own_data import take_back
from tests.packing import tarred, zipped, zstd_compressed
from tests.servers import Handler, Web, serving

pytestmark = pytest.mark.anyio

CONTENT = (DEFAULT_FOLDER / "data" / "tracks.csv").read_bytes()
WAYS = {
    "tracks.zip": (zipped({"export/tracks.csv": CONTENT, "export/README.md": b"#"}), "tracks.zip/export/tracks.csv"),
    "tracks.csv.gz": (gzip.compress(CONTENT), "tracks.csv.gz"),
    "tracks.tar.zst": (zstd_compressed(tarred({"tracks.csv": CONTENT})), "tracks.tar.zst/tracks.csv"),
}


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as server:
        yield server


@pytest.fixture
async def ready(acme: FixtureManager) -> FixtureManager:
    """A tenant with everything that the catalogue's tracks refer to."""
    await acme.load_fixtures("acme", datasets=["artists", "albums"])
    return acme


class Input:
    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


async def test_the_same_catalogue_in_every_packing(ready: FixtureManager, state: State, tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch):
    acme = ready
    for name, (packed, _) in WAYS.items():
        (tmp_path / name).write_bytes(packed)
        web.files[f"/{name}"] = packed
    web.files["/tracks.csv"] = CONTENT
    places: dict[str, tuple[str | Path, str]] = {name: (tmp_path / name, source) for name, (_, source) in WAYS.items()}
    places["-"] = ("-", "stdin")
    places["web"] = (f"{web.url}/tracks.csv?signature={SECRET}", f"{web.url}/tracks.csv")
    places["web, packed"] = (f"{web.url}/tracks.zip", f"{web.url}/tracks.zip/export/tracks.csv")
    stored: set[Any] = set()
    first = None
    for place, source in places.values():
        monkeypatch.setattr(sys, "stdin", Input(CONTENT))
        report = (await acme.load_fixtures("acme", sources={"tracks": place})).dataset("tracks")
        assert (report.sources, report.read, report.stored, report.rejects, report.skipped) == ((source,), 20000, 20000, 0, False)
        rows = "SELECT sum(hashtextextended((to_jsonb(t) - 'created_at' - 'updated_at')::text, 0)::numeric) FROM t_acme.{} t"
        stored.add(tuple(state.value(rows.format(name)) for name in ("tracks", "audio_features", "artists")))
        first = first or report
        assert report.digest == first.digest
        # Again, and once from every place: what is there already is not loaded, wherever it comes from.
        before = state.snapshot()
        for again in [item for item, _ in places.values()] if report is first else [place]:
            monkeypatch.setattr(sys, "stdin", Input(CONTENT))
            assert (await acme.load_fixtures("acme", sources={"tracks": again})).dataset("tracks").skipped
        assert state.snapshot() == before
        monkeypatch.setattr(sys, "stdin", Input(CONTENT))
        removed = await take_back(acme, DataLoader(sources={"tracks": place}))
        assert removed.steps[0].detail == {"removed": 40000}
    assert len(stored) == 1


async def test_a_digest_is_waited_for_only_where_the_ledger_might_know_it(acme: FixtureManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Content of another length, or that begins or ends otherwise, is read at once, and its digest taken beside the rest."""
    order: list[str] = []

    def watch(name: str) -> None:
        original = getattr(_dataset_load, name)

        def watched(*args: Any, **facts: Any) -> Any:
            order.append(name)
            return original(*args, **facts)

        monkeypatch.setattr(_dataset_load, name, watched)

    watch("content_digest")
    watch("read_dataset")
    digest, read = "content_digest", "read_dataset"
    users = [user(number) for number in range(10_000, 14_000)]
    contents = {"new": users, "longer": [*users, user(20_000)], "changed at its end": [*users, user(30_000)]}
    contents["changed in the middle"] = [*users[:2_000], user(40_000), *users[2_001:], user(30_000)]
    known = set()
    for name, rows in contents.items():
        (tmp_path / "users.csv").write_text(as_csv(USERS, rows), encoding="utf-8")
        report = (await acme.load_fixtures("acme", sources={"users": tmp_path / "users.csv"})).dataset("users")
        assert order == ([digest, read] if name == "changed in the middle" else [read, digest]), name
        order.clear()
        again = (await acme.load_fixtures("acme", sources={"users": tmp_path / "users.csv"})).dataset("users")
        assert (again.skipped, again.digest, order) == (True, report.digest, [digest])
        order.clear()
        known.add(report.digest)
    assert len(known) == len(contents)
    # What was packed has the digest alone to be known by.
    (tmp_path / "users.csv.gz").write_bytes(gzip.compress(as_csv(USERS, users).encode()))
    (tmp_path / "users.csv").write_text(as_csv(USERS, users), encoding="utf-8")
    assert not (await acme.load_fixtures("acme", sources={"users": tmp_path / "users.csv.gz"})).dataset("users").skipped
    assert (await acme.load_fixtures("acme", sources={"users": tmp_path / "users.csv"})).dataset("users").skipped


async def test_a_large_packed_file_builds_its_indexes_late(acme: FixtureManager, tmp_path: Path, state: State, monkeypatch: pytest.MonkeyPatch):
    """Packed, the file is below the size from which that pays; what counts is what is inside."""
    content = as_csv(TRACKS, [track(number) for number in range(20_000)]).encode()
    packed = zstd_compressed(content)
    assert len(packed) < LATE_INDEX_BYTES < len(content)
    (tmp_path / "t.csv.zst").write_bytes(packed)
    asked = []
    original = _dataset_load.open_writer

    async def watched(*args: Any, **facts: Any) -> Any:
        asked.append(facts["late_indexes"])
        return await original(*args, **facts)

    monkeypatch.setattr(_dataset_load, "open_writer", watched)
    await acme.load_fixtures("acme", sources={"tracks": tmp_path / "t.csv.zst"})
    assert set(asked) == {True}


async def test_a_file_that_changes_while_its_keys_are_built_is_refused(
    ready: FixtureManager, state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The ledger's digest is taken then: it would be of other content than was loaded."""
    path = tmp_path / "tracks.csv"
    path.write_bytes(CONTENT)
    original = _load.finish_all

    async def beside_a_writer(*args: Any) -> Any:
        path.write_bytes(CONTENT + CONTENT.splitlines(keepends=True)[1])
        return await original(*args)

    monkeypatch.setattr(_load, "finish_all", beside_a_writer)
    with failing(state, errors.SourceMalformed) as caught:
        await ready.load_fixtures("acme", sources={"tracks": path})
    assert "changed while it was being read" in str(caught[0])
    monkeypatch.undo()
    path.write_bytes(CONTENT)
    assert (await ready.load_fixtures("acme", sources={"tracks": path})).dataset("tracks").stored == 20000


async def test_a_bad_record_is_named_by_its_member(acme: FixtureManager, state: State, tmp_path: Path):
    files = {"b.csv": as_csv(TRACKS, [track(1), track(2, energy="7")]).encode(), "a.csv": as_csv(TRACKS, [track(3)]).encode()}
    (tmp_path / "all.tar.zst").write_bytes(zstd_compressed(tarred(files)))
    with failing(state, errors.DataRejected) as caught:
        await acme.load_fixtures("acme", sources={"tracks": tmp_path / "all.tar.zst"})
    (reject,) = caught[0].rejects
    assert (reject.source, reject.record, reject.column) == ("all.tar.zst/b.csv", 2, "energy")


BAD: dict[str, tuple[Callable[[], bytes], type[errors.SourceError]]] = {
    "cut.csv.gz": (lambda: gzip.compress(CONTENT)[:-2000], errors.SourceMalformed),
    "cut.csv.zst": (lambda: zstd_compressed(CONTENT)[:-2000], errors.SourceMalformed),
    "cut.zip": (lambda: zipped({"tracks.csv": CONTENT})[:-30], errors.SourceMalformed),
    "none.csv.gz": (lambda: CONTENT, errors.SourceMalformed),
    "nothing.zip": (lambda: zipped({"notes.md": b"#"}), errors.SourceMissing),
    "bomb.csv.gz": (lambda: gzip.compress(bytes(1 << 27), 6), errors.SourceTooLarge),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_cannot_be_unpacked_leaves_nothing(kept: FixtureManager, state: State, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    pack, kind = BAD[name]
    (tmp_path / name).write_bytes(pack())
    with failing(state, kind) as caught:
        await kept.load_fixtures("acme", sources={"tracks": tmp_path / name})
    assert caught[0].source.startswith(name)
    assert caught[0].dataset == "tracks"
    assert list(temporary.iterdir()) == []


async def test_a_server_that_says_no_leaves_nothing(kept: FixtureManager, state: State, web: Web):
    web.files["/x.csv"] = 403
    with failing(state, errors.SourceMissing) as caught:
        await kept.load_fixtures("acme", sources={"tracks": f"{web.url.replace('//', f'//u:{SECRET}@')}/x.csv?key={SECRET}"})
    assert caught[0].source == f"{web.url}/x.csv"


async def test_limits_are_those_of_the_settings(settings: Settings, acme: FixtureManager, state: State, tmp_path: Path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(CONTENT))
    async with FixtureManager(settings.with_changes(max_source_bytes=1_000_000)) as narrow:
        with failing(state, errors.SourceTooLarge) as caught:
            await narrow.load_fixtures("acme", sources={"tracks": tmp_path / "t.csv.gz"})
    assert caught[0].limit == "max_source_bytes"
    assert "TENANCY_MAX_SOURCE_BYTES" in caught[0].hint


async def test_a_load_that_waits_for_a_server_is_cancelled_at_once(acme: FixtureManager, state: State, web: Web):
    asked, ended = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(handler: Handler) -> None:
        loop.call_soon_threadsafe(asked.set)
        while not ended.is_set():
            time.sleep(0.05)
        handler.send(b"")

    web.files["/x.csv"] = slow
    before = state.snapshot()
    task = asyncio.ensure_future(acme.load_fixtures("acme", sources={"tracks": f"{web.url}/x.csv"}))
    await asyncio.wait_for(asked.wait(), 20)
    began = time.perf_counter()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    took = time.perf_counter() - began
    ended.set()
    assert took < 1
    assert state.snapshot() == before


async def test_the_command_line_takes_a_pipe_and_a_url(ready: FixtureManager, state: State, web: Web, database_url: str):
    web.files["/tracks.zip"] = WAYS["tracks.zip"][0]
    surroundings = {**os.environ, "TENANCY_DATABASE_URL": database_url}

    def tenancy(*words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "tenancy_fixtures", "load", "acme", *words]
        return subprocess.run(command, input=given, capture_output=True, env=surroundings, timeout=120, check=False)

    done = await asyncio.to_thread(tenancy, "--dataset", "tracks=-", given=gzip.compress(CONTENT))
    assert done.returncode == 0, done.stderr
    assert state.counts("acme")["tracks"] == 20000
    done = await asyncio.to_thread(tenancy, "--dataset", f"tracks={web.url}/tracks.zip", "--json")
    assert done.returncode == 0, done.stderr
    assert b'"skipped": true' in done.stdout
    done = await asyncio.to_thread(tenancy, "--dataset", "tracks=-", "--dataset", "users=-")
    assert (done.returncode, b"once" in done.stderr) == (2, True)
    done = await asyncio.to_thread(tenancy, "--dataset", f"tracks={web.url}/none.csv?key={SECRET}")
    assert done.returncode == 6
    assert b"is not there" in done.stderr
    assert SECRET.encode() not in done.stderr + done.stdout


async def test_an_interrupted_command_does_not_wait_for_its_pipe(acme: FixtureManager, state: State, database_url: str):
    surroundings = {**os.environ, "TENANCY_DATABASE_URL": database_url}
    command = [sys.executable, "-m", "tenancy_fixtures", "load", "acme", "--dataset", "tracks=-"]
    before = state.snapshot()
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env=surroundings, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdin is not None
    process.stdin.write(CONTENT[:1000])
    await process.stdin.drain()
    # Its run is written down before it begins to read.
    while not state.value("SELECT count(*) FROM tenancy.runs WHERE operation = 'load_fixtures'"):
        assert process.returncode is None
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    # Not communicate(): that would close the pipe.
    code = await asyncio.wait_for(process.wait(), 30)
    took = time.monotonic() - began
    process.stdin.close()
    assert code == 130
    assert took < 5
    assert state.snapshot() == before


async def test_a_pack_keeps_its_data_packed(settings: Settings, spoilt: Any, state: State):
    spoilt.manifest(users={"source": {"path": "data/users.tar.zst"}})
    spoilt.manifest(datasets=[dataset for dataset in spoilt.datasets() if dataset["name"] == "users"])
    (spoilt.folder / "data" / "users.tar.zst").write_bytes(
        zstd_compressed(tarred({"users.csv": (DEFAULT_FOLDER / "data" / "users.csv").read_bytes()}))
    )
    async with FixtureManager(settings, pack=spoilt.pack()) as manager:
        assert (await manager.validate_pack()).findings == ()
        await manager.create_tenant("acme")
        assert (await manager.load_fixtures("acme")).dataset("users").sources == ("users.tar.zst/users.csv",)
    spoilt.write("data/bad.csv.gz", "no gzip")
    spoilt.manifest(users={"source": {"path": "data/bad.csv.gz"}})
    async with FixtureManager(settings, pack=spoilt.pack()) as manager:
        (finding,) = (await manager.validate_pack()).findings
    assert (finding.rule, finding.object) == ("SourceMalformed", "users")
