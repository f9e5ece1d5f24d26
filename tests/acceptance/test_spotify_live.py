"""Spotify's Web API live, spoken by a local server with the faults of the real one: complete, without duplicates, polite, resumable."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tenancy_fixtures import FixtureManager, PerformanceTracker, Settings, SpotifyDataLoader
from tenancy_fixtures._spotify_live import WebApiRequest, fetching
from tenancy_fixtures.exceptions import ResourceGone, TenantNotFound, WebApiUnavailable
from tests.acceptance.support import SECRET, State, failing
from tests.spotify_api import CLIENT_SECRET, SpotifyApi, speaking, spotify_id, track

pytestmark = pytest.mark.anyio


@pytest.fixture
def api():
    with speaking(seed=7) as server:
        yield server


@pytest.fixture
def live(manager: FixtureManager, api: SpotifyApi) -> FixtureManager:
    """The manager, with settings that lead to the server."""
    manager.settings = manager.settings.with_changes(**api.settings)
    return manager


async def load(manager: FixtureManager, names: list[str], journal: Path, **options):
    loader = SpotifyDataLoader.from_web_api(names, journal=journal, **options)
    return await manager.apply(loader, tenant_id="acme", operation="load")


def step_of(report):
    return next(step.detail for step in report.steps if step.action == "fetch")


def assert_polite(api: SpotifyApi) -> None:
    """No request came before ``Retry-After`` was over, and none was in vain but for a fault."""
    assert api.impolite == []
    assert max(api.delivered.values()) == 1
    asked = sum(api.asked.values())
    assert asked <= len(api.delivered) + sum(api.faults.values()) + api.tokens
    assert json.dumps([*api.asked]).count("token") == 1


async def test_ten_thousand_tracks_come_through_all_faults(api: SpotifyApi, tmp_path: Path):
    api.share, api.token_uses = 0.09, 45
    catalogue = api.catalogue
    names = [catalogue.add_playlist(number, range(number * 1000, number * 1000 + 1000)) for number in range(8)]
    names += catalogue.add_tracks(range(8000, 10_000))
    request = WebApiRequest.of(names, journal=tmp_path / "journal")
    async with fetching(request, Settings(**api.settings), PerformanceTracker()) as fetched:
        documents = [json.loads(line) for line in fetched.file.read_text(encoding="ascii").splitlines()]
    # There were faults of these kinds: else the seed shows nothing.
    assert {"429", "500", "cut"} <= set(api.met), api.met
    assert api.tokens > 2
    assert_polite(api)
    assert (fetched.pages, fetched.kept, fetched.short, fetched.unknown) == (120, 0, (), ())
    assert len(api.delivered) == 120
    assert [document["uri"] for document in documents] == names
    for number, document in enumerate(documents[:8]):
        assert document["tracks"]["total"] == 1000
        found = [item["track"]["id"] for item in document["tracks"]["items"]]
        assert found == [spotify_id("track", number * 1000 + place) for place in range(1000)]
    assert not (tmp_path / "journal").exists()


async def test_what_comes_through_faults_is_loaded_whole(live: FixtureManager, api: SpotifyApi, state: State, tmp_path: Path):
    api.share, api.kinds = 0.2, ("500", "cut", "hang-up", "no-json")
    name = api.catalogue.add_playlist(3, range(500))
    async with live:
        await live.create_tenant("acme")
        report = await load(live, [name], tmp_path / "journal")
    assert api.met
    assert_polite(api)
    namespace = state.value("SELECT namespace::text FROM tenancy.tenants")
    found = state.rows(f"SELECT track_id, title, duration_ms, isrc FROM {namespace}.tracks")
    expected = {spotify_id("track", number): (f"track {number}", 180_000 + number, f"FRX76{number:07d}") for number in range(500)}
    assert {row["track_id"]: (row["title"], row["duration_ms"], row["isrc"]) for row in found} == expected
    assert len(found) == 500
    order = state.rows(f"SELECT position, track_id FROM {namespace}.playlist_tracks ORDER BY 1")
    assert [(row["position"], row["track_id"]) for row in order] == [(n + 1, spotify_id("track", n)) for n in range(500)]
    assert all(item.rejects == 0 and not item.lost for item in report.datasets)
    assert [phase.records for phase in report.phases if phase.name == "fetch from the Web API"] == [500]


async def test_albums_artists_and_unknown_ids(live: FixtureManager, api: SpotifyApi, state: State, tmp_path: Path):
    catalogue = api.catalogue
    names = [catalogue.add_album(1, range(120)), catalogue.add_album(2, range(200, 230)), catalogue.add_albums_of(50, range(100, 125))]
    unknown = [f"spotify:{kind}:{spotify_id(kind, 999)}" for kind in ("album", "playlist", "track")]
    names += unknown
    async with live:
        await live.create_tenant("acme")
        report = await load(live, names, tmp_path / "journal")
        again = await load(live, names, tmp_path / "journal")
    counts = state.counts("acme")
    # 120 tracks in three pages, 25 albums in three: one request for each, one for the albums, one each for what is unknown alone.
    assert (counts["tracks"], counts["albums"]) == (150, 27)
    assert sorted(step_of(report)["unknown"]) == sorted(unknown)
    assert step_of(report)["requests"] == (1 + 2) + 3 + 1 + 1 + 1
    assert all(item.skipped for item in again.datasets if item.read), "the same content is no work"


async def test_the_same_track_from_the_api_and_from_a_file_is_one_row(live: FixtureManager, api: SpotifyApi, state: State, tmp_path: Path):
    (tmp_path / "track.json").write_text(json.dumps(track(5)), encoding="utf-8")
    async with live:
        await live.create_tenant("acme")
        await live.apply(SpotifyDataLoader(tmp_path / "track.json"), tenant_id="acme")
        await load(live, api.catalogue.add_tracks(range(4, 7)), tmp_path / "journal")
    assert state.counts("acme")["tracks"] == 3


async def test_what_fails_is_written_down_and_goes_on_where_it_stopped(
    live: FixtureManager, api: SpotifyApi, state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    name, journal = api.catalogue.add_playlist(1, range(500)), tmp_path / "journal"
    broken = f"/v1/playlists/{name[-22:]}/tracks?offset=300&limit=100"
    api.instead[broken] = lambda handler: handler.send(b"<html/>", 500)
    async with live:
        await live.create_tenant("acme")
        with failing(state, WebApiUnavailable, log=caplog, secrets=(SECRET, CLIENT_SECRET)) as caught:
            await load(live, [name], journal)
        assert (caught[0].status, caught[0].step) == (500, "spotify: prepare")
        assert journal.stat().st_mode & 0o777 == 0o700
        held = b"".join(path.read_bytes() for path in journal.rglob("*") if path.is_file())
        assert CLIENT_SECRET.encode() not in held
        before = sum(api.asked.values())
        del api.instead[broken]
        report = await load(live, [name], journal)
    assert (step_of(report)["pages"], step_of(report)["kept"]) == (2, 3)
    assert sum(api.asked.values()) - before == 3  # two pages, a token
    assert state.counts("acme")["playlist_tracks"] == 500
    assert not journal.exists()


async def test_nothing_is_fetched_for_nobody_and_nothing_is_loaded_of_nothing(live: FixtureManager, api: SpotifyApi, state: State, tmp_path: Path):
    async with live:
        with failing(state, TenantNotFound):
            await load(live, ["spotify:track:" + spotify_id("track", 1)], tmp_path / "journal")
        assert not api.asked
        await live.create_tenant("acme")
        with failing(state, ResourceGone):
            await load(live, ["spotify:track:" + spotify_id("track", 1)], tmp_path / "journal")
        names = api.catalogue.add_tracks(range(3))
        loader = SpotifyDataLoader.from_web_api(names, journal=tmp_path / "other")
        dry = await live.apply(loader, tenant_id="acme", dry_run=True)
        assert dry.steps[0].action == "fetch"
        assert state.counts("acme")["tracks"] == 0
        loader = SpotifyDataLoader.from_web_api(names, journal=tmp_path / "other")
        for _ in range(2):
            await live.apply(loader, tenant_id="acme", idempotency_key="once")
        assert sum(count for path, count in api.asked.items() if "ids=" in path) == 2  # the dry run's, and one more
        assert loader.arguments["paths"] == names


def test_a_process_that_is_killed_has_lost_nothing(api: SpotifyApi, state: State, tmp_path: Path, database_url: str):
    """SIGKILL while pages come; the next process fetches only what is missing, and a page that is half there is none."""
    api.pause = 0.2
    name, journal = api.catalogue.add_playlist(1, range(800)), tmp_path / "journal"
    environment = {**os.environ, "TENANCY_DATABASE_URL": database_url, **{f"TENANCY_{key.upper()}": text for key, text in api.settings.items()}}
    tenancy = [sys.executable, "-m", "tenancy_fixtures"]
    subprocess.run([*tenancy, "tenant", "create", "acme"], env=environment, capture_output=True, timeout=120, check=True)
    words = [*tenancy, "load", "acme", "--from-web-api", name, "--journal", str(journal), "--json"]
    first = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while len(api.delivered) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert 4 <= len(api.delivered) < 8
    assert state.counts("acme")["playlist_tracks"] == 0
    pages = sorted((journal / "pages").glob("[0-9a-f]*[0-9a-f]"))
    assert len(pages) >= 3
    pages[0].write_bytes(pages[0].read_bytes()[:-100])
    (journal / "pages" / f"{pages[1].name}.part").write_bytes(b"half")
    api.pause, before = 0, sum(api.asked.values())
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    fetch = report["steps"][0]["detail"]
    assert (fetch["kept"], fetch["pages"]) == (len(pages) - 1, 9 - len(pages))
    assert sum(api.asked.values()) - before == 9 - len(pages) + 1  # and a token
    counts = state.counts("acme")
    assert (counts["tracks"], counts["playlist_tracks"]) == (800, 800)
    assert not journal.exists()
    assert CLIENT_SECRET not in done.stdout + done.stderr
