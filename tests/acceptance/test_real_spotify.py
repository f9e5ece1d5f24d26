"""Spotify's real files through its loader: every file is what it is said to be, every record accounted for.

What is expected was counted from the files by other means than this library's readers, before anything was loaded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tenancy_fixtures import FixtureManager
from tenancy_fixtures.data_loaders import SpotifyDataLoader
from tests.acceptance.support import State

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Expected:
    """A file's shape, and by dataset how many records are read, and how many of those are duplicates. Entries of a page
    of a playlist are left out if no other file has brought the playlist yet.

    ``rejects`` are (source record, column, rule).
    """

    shape: str
    read: dict[str, int | tuple[int, int]] = field(default_factory=dict)
    rejects: tuple[tuple[int, str, str], ...] = ()


def api(**read: int | tuple[int, int]) -> Expected:
    return Expected("web-api", {name.replace("_", "-"): count for name, count in read.items()})


API = "spotify_api_zmb3"
FILES = {
    f"{API}/artist_top_tracks.txt": api(albums_of_tracks=4, track_artists=12, tracks=10),
    f"{API}/current_users_albums.txt": api(albums=2, track_artists=36, tracks=33),
    f"{API}/current_users_playlists.txt": api(playlists=5),
    f"{API}/current_users_top_artists.txt": api(artists=10),
    # A track is there twice.
    f"{API}/current_users_top_tracks.txt": api(albums_of_tracks=8, track_artists=(25, 1), tracks=(20, 1)),
    f"{API}/current_users_tracks.txt": api(albums_of_tracks=3, track_artists=3, tracks=3),
    f"{API}/featured_playlists.txt": api(playlists=5),
    # Two documents in one file, of the same album.
    f"{API}/find_album.txt": api(albums=(2, 1), track_artists=(26, 13), tracks=(26, 13)),
    f"{API}/find_album_tracks.txt": api(album_pages=1, track_artists=1, tracks=1),
    f"{API}/find_albums.txt": api(albums=4, track_artists=79, tracks=76),
    f"{API}/find_artist.txt": api(artists=1),
    f"{API}/find_track.txt": api(albums_of_tracks=1, track_artists=2, tracks=1),
    f"{API}/find_track_with_floats.txt": api(albums_of_tracks=1, track_artists=2, tracks=1),
    f"{API}/find_tracks_notfound.txt": api(albums_of_tracks=1, track_artists=1, tracks=1),
    f"{API}/find_tracks_simple.txt": api(albums_of_tracks=1, track_artists=2, tracks=2),
    f"{API}/get_audio_analysis.txt": Expected("audio-analysis"),
    f"{API}/get_episode.txt": api(episodes=1),
    f"{API}/get_playlist.txt": api(albums_of_tracks=4, playlist_tracks=4, playlists=1, track_artists=5, tracks=4),
    # Only the fields that were asked for: no types, no ids, no artists.
    f"{API}/get_playlist_opt.txt": api(albums_of_tracks=40, playlist_tracks=40, playlists=1, tracks=40),
    f"{API}/get_queue.txt": api(albums_of_tracks=21, track_artists=22, tracks=21),
    f"{API}/get_show.txt": api(episodes=25, shows=1),
    f"{API}/get_show_episodes.txt": api(episodes=25, show_pages=25),
    f"{API}/new_releases.txt": api(albums=20),
    f"{API}/player_available_devices.txt": Expected("devices"),
    f"{API}/player_currently_playing.txt": api(albums_of_tracks=1, track_artists=1, tracks=1),
    # Three tracks were played twice.
    f"{API}/player_recently_played.txt": api(albums_of_tracks=13, plays=20, track_artists=(20, 3), tracks=(20, 3)),
    f"{API}/player_state.txt": api(albums_of_tracks=1, track_artists=1, tracks=1),
    f"{API}/playlist_items_episodes.json": api(episodes=4, playlist_page_episodes=4),
    f"{API}/playlist_items_episodes_and_tracks.json": api(
        albums_of_tracks=2, episodes=2, playlist_page_episodes=2, playlist_page_tracks=2, track_artists=2, tracks=2
    ),
    f"{API}/playlist_items_tracks.json": api(albums_of_tracks=2, playlist_page_tracks=2, track_artists=2, tracks=2),
    f"{API}/playlist_tracks.txt": api(albums_of_tracks=40, playlist_page_tracks=40, track_artists=70, tracks=40),
    f"{API}/playlists_for_user.txt": api(playlists=7),
    f"{API}/recommendations.txt": api(albums_of_tracks=10, track_artists=20, tracks=10),
    f"{API}/related_artists.txt": api(artists=20),
    f"{API}/related_artists_with_floats.txt": api(artists=20),
    f"{API}/search_artist.txt": api(artists=1),
    f"{API}/search_trackplaylist.txt": api(albums_of_tracks=1, playlists=2, track_artists=2, tracks=2),
    f"{API}/search_tracks.txt": api(albums_of_tracks=2, track_artists=3, tracks=2),
    "streaming_history_listenbrainz/spotify_streaming_2023.json": Expected("streaming-history", {"plays": 5}),
    # One stream is there three times.
    "streaming_history_listenbrainz/spotify_skipped_tracks.json": Expected("streaming-history", {"plays": (15, 2)}),
    "mpd_readme_example/mpd.slice.0-999.json": Expected("playlist-slice", {"playlists": 1, "tracks": 4}),
    "csv_hit_predictor": Expected("tracks-with-features", {"tracks": (41_106, 546)}),
    # In these two records the cell for streams holds the names and values of other columns; four songs are there twice.
    "csv_spotify_2023_latin1/spotify-2023.csv": Expected("most-streamed", {"tracks": (953, 4)}, ((575, "streams", "number"),)),
    "csv_spotify_2023/spotify-2023.csv": Expected("most-streamed", {"tracks": (856, 4)}, ((517, "streams", "number"),)),
    "tsv_mtg_jamendo/autotagging_moodtheme.tsv": Expected("jamendo-tags", {"tracks": 18_486}),
}


@pytest.mark.parametrize("path", FILES)
def test_every_file_is_recognised(path: str, real_data: Path):
    found = SpotifyDataLoader.detect(real_data / path)
    assert (found.shape, found.domain) == (f"spotify-{FILES[path].shape}", "spotify"), found
    assert found.why


@pytest.mark.parametrize("path", FILES)
async def test_every_record_is_accounted_for(path: str, real_data: Path, kept: FixtureManager, state: State):
    expected = FILES[path]
    report = await kept.apply(SpotifyDataLoader(real_data / path, on_error="reject"), tenant_id="acme", operation="load")
    found = {item.dataset.split(".")[1]: item for item in report.datasets}
    counts = {name: (item.read, item.duplicates) for name, item in found.items() if item.read}
    assert counts == {name: count if isinstance(count, tuple) else (count, 0) for name, count in expected.read.items()}
    rejects = [(reject.record, reject.column, reject.rule) for item in found.values() for reject in item.listed_rejects]
    assert rejects == list(expected.rejects)
    assert all(item.stored + item.duplicates + item.rejects + item.left_out == item.read and not item.lost for item in found.values())


async def test_pages_meet_what_they_are_pages_of(real_data: Path, manager: FixtureManager, state: State):
    """A page of an album, a podcast or a playlist names its owner in its address alone, and may come before it."""
    files = [real_data / API / name for name in ("playlist_tracks.txt", "find_album_tracks.txt", "get_show_episodes.txt")]
    owners = [real_data / API / name for name in ("get_playlist_opt.txt", "find_album.txt", "get_show.txt")]
    async with manager:
        await manager.create_tenant("acme")
        alone = await manager.apply(SpotifyDataLoader(files), tenant_id="acme", operation="load")
        assert alone.dataset("spotify-web-api.playlist-page-tracks").left_out == 40
        whole = await manager.apply(SpotifyDataLoader(files + owners), tenant_id="acme", operation="load")
        assert sum(item.left_out + item.unresolved for item in whole.datasets) == 0
    assert state.rows("SELECT count(*) AS entries, count(added_by) AS people FROM t_acme.playlist_tracks") == [{"entries": 40, "people": 40}]
    assert state.rows("SELECT count(*) AS found FROM t_acme.tracks WHERE album_id IS NULL") == [{"found": 0}]
    assert state.rows("SELECT count(*) AS found FROM t_acme.episodes WHERE show_id IS NULL") == [{"found": 0}]


def test_no_file_is_left_out(real_data: Path):
    folders = (
        "spotify_api_zmb3",
        "streaming_history_listenbrainz",
        "mpd_readme_example",
        "csv_spotify_2023",
        "csv_spotify_2023_latin1",
        "tsv_mtg_jamendo",
    )
    there = {f"{folder}/{path.name}" for folder in folders for path in (real_data / folder).iterdir()}
    assert there | {"csv_hit_predictor"} == set(FILES)
