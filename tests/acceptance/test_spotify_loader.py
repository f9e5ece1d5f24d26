"""Spotify's loader over files of every form: what meets in one row, what is kept apart, what is refused, and by which name."""

from __future__ import annotations

import gzip
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tenancy_fixtures import DomainLoader, FixtureManager, Settings, SpotifyDataLoader
from tenancy_fixtures._fixture import Operation, run
from tenancy_fixtures._shapes import DatasetReport, RunReport
from tenancy_fixtures.exceptions import ConfigurationError, DataRejected, SourceEmpty, UnknownShape, ValidationFailed, WrongDomain
from tests.acceptance.support import PackFolder, State, failing

pytestmark = pytest.mark.anyio
SHARED_TOO = "all"

IDS = [f"{number:022d}" for number in range(100)]


def artist(name: str = "Nina Simone", **more: Any) -> dict[str, Any]:
    return {"id": f"artist{len(name):016d}", "name": name, "type": "artist", "uri": f"spotify:artist:artist{len(name):016d}", **more}


def album(title: str = "Pastel Blues", **more: Any) -> dict[str, Any]:
    base = {"id": f"album{len(title):017d}", "name": title, "type": "album", "album_type": "ALBUM", "artists": [artist()], "release_date": "1965-10"}
    return {**base, "release_date_precision": "month", "total_tracks": 9.0, **more}


def track(number: int = 1, **more: Any) -> dict[str, Any]:
    base = {"id": IDS[number], "name": f"Track {number}", "type": "track", "uri": f"spotify:track:{IDS[number]}", "artists": [artist()]}
    facts = {"duration_ms": 200_000 + number, "explicit": False, "popularity": 50, "track_number": number, "disc_number": 1}
    return {**base, **facts, "album": album(), "external_ids": {"isrc": "us-ab1-23-45678"}, **more}


def playlist(*tracks: dict[str, Any] | None, name: str = "Mornings", owner: str = "alice", **more: Any) -> dict[str, Any]:
    entries = [{"added_at": "2020-01-02T03:04:05Z", "added_by": {"id": "bob"}, "is_local": False, "track": item} for item in tracks]
    page = {"href": "https://api.spotify.com/v1/x", "items": entries, "limit": 100, "offset": 0, "total": len(tracks)}
    base = {"id": "playlist00000000000001", "name": name, "type": "playlist", "uri": "spotify:playlist:playlist00000000000001"}
    return {**base, "owner": {"id": owner, "display_name": "Alice A.", "type": "user"}, "public": None, "collaborative": True, "tracks": page, **more}


def in_slice(*numbers: int, name: str = "Mornings", pid: int = 1, **more: Any) -> dict[str, Any]:
    held = [
        {
            "pos": position,
            "track_uri": f"spotify:track:{IDS[number]}",
            "track_name": f"Track {number}",
            "artist_name": "Nina Simone",
            "artist_uri": "spotify:artist:artist0000000000000011",
            "album_name": "Pastel Blues",
            "album_uri": "spotify:album:album00000000000000012",
            "duration_ms": 200_000 + number,
        }
        for position, number in enumerate(numbers)
    ]
    base = {"name": name, "collaborative": "false", "pid": pid, "modified_at": 1_493_424_000, "num_tracks": len(numbers), "num_followers": 3}
    return {**base, "tracks": held, **more}


def a_slice(*playlists: dict[str, Any]) -> dict[str, Any]:
    return {"info": {"slice": "0-999", "version": "v1"}, "playlists": list(playlists)}


def play(number: int | None = 1, **more: Any) -> dict[str, Any]:
    names = {"track_name": f"Track {number}", "album_artist_name": "Nina Simone", "album_album_name": "Pastel Blues"}
    base = {"ts": "2021-05-10T11:03:21Z", "platform": "android", "ms_played": 1000, "conn_country": "FR", "ip_addr": "192.0.2.7"}
    known = {f"master_metadata_{key}": value if number else None for key, value in names.items()}
    spoken = {"episode_name": None, "episode_show_name": None, "spotify_episode_uri": None}
    how = {"reason_start": "fwdbtn", "reason_end": "trackdone", "shuffle": True, "skipped": None, "offline": False, "incognito_mode": False}
    return {
        **base,
        **known,
        "spotify_track_uri": f"spotify:track:{IDS[number]}" if number else None,
        **spoken,
        **how,
        "offline_timestamp": None,
        **more,
    }


def write(path: Path, *documents: Any) -> Path:
    path.write_text("\n".join(json.dumps(document) for document in documents), encoding="utf-8")
    return path


async def load(manager: FixtureManager, paths: Any, **options: Any) -> RunReport:
    return await manager.apply(SpotifyDataLoader(paths, **options), tenant_id="acme", operation="load")


def of(report: RunReport, name: str) -> DatasetReport:
    return next(item for item in report.datasets if item.dataset.endswith(f".{name}"))


# --- what meets -------------------------------------------------------------------------------------------------------


async def test_a_playlist_of_the_web_api_and_of_a_slice_is_one(acme: FixtureManager, state: State, tmp_path: Path):
    write(tmp_path / "api.json", playlist(track(1), track(2)))
    write(tmp_path / "mpd.slice.0-999.json", a_slice(in_slice(1, 2)))
    await load(acme, tmp_path / "api.json")
    before = {name: state.rows(f"SELECT * FROM t_acme.{name} ORDER BY 1") for name in ("tracks", "artists", "albums")}
    report = await load(acme, tmp_path / "mpd.slice.0-999.json", user="alice")
    assert [(row["name"], row["total_tracks"]) for row in state.rows("SELECT * FROM t_acme.playlists")] == [("Mornings", 2)]
    assert [(row["position"], row["track_id"]) for row in state.rows("SELECT * FROM t_acme.playlist_tracks ORDER BY position")] == [
        (1, IDS[1]),
        (2, IDS[2]),
    ]
    # What the slice names along the way takes nothing away from what the Web API has said.
    assert {name: state.rows(f"SELECT * FROM t_acme.{name} ORDER BY 1") for name in before} == before
    assert of(report, "playlists").tables[-1].updated == 1
    (row,) = state.rows("SELECT * FROM t_acme.playlists")
    assert (row["spotify_id"], row["followers"], row["is_public"], str(row["modified_at"])[:10]) == (
        "playlist00000000000001",
        3,
        False,
        "2017-04-29",
    )
    assert [row["display_name"] for row in state.rows("SELECT * FROM t_acme.users WHERE handle = 'alice'")] == ["Alice A."]


async def test_a_track_of_a_table_of_the_web_api_and_of_the_history_is_one(acme: FixtureManager, state: State, tmp_path: Path):
    write(tmp_path / "history.json", [play(1)])
    write(tmp_path / "api.json", {"tracks": [track(1)]})
    (tmp_path / "table.csv").write_text(f"track_id,track_name,artists,popularity\n{IDS[1]},Track 1,Nina Simone,61\n")
    await load(acme, tmp_path / "history.json", user="alice")
    assert [(row["duration_ms"], row["popularity"]) for row in state.rows("SELECT * FROM t_acme.tracks")] == [(None, None)]
    await load(acme, tmp_path / "api.json")
    assert [(row["duration_ms"], row["popularity"], row["isrc"]) for row in state.rows("SELECT * FROM t_acme.tracks")] == [
        (200_001, 50, "USAB12345678")
    ]
    await load(acme, tmp_path / "table.csv")
    (row,) = state.rows(
        "SELECT t.*, a.name, l.title AS album FROM t_acme.tracks t JOIN t_acme.artists a USING (artist_id) JOIN t_acme.albums l USING (album_id)"
    )
    # What the table does not know stays.
    assert (row["duration_ms"], row["popularity"], row["name"], row["album"]) == (200_001, 61, "Nina Simone", "Pastel Blues")
    await load(acme, [tmp_path / "history.json", tmp_path / "api.json"], user="alice")
    assert {name: state.counts("acme")[name] for name in ("tracks", "artists", "albums", "listening_history")} == dict.fromkeys(
        ("tracks", "artists", "albums", "listening_history"), 1
    )


async def test_all_ids_of_a_name_are_kept(acme: FixtureManager, state: State, tmp_path: Path):
    other = album(id="otheredition0000000001")
    write(tmp_path / "api.json", {"albums": [album(), other]}, {"artists": [artist(), artist(id="namesake00000000000001")]})
    report = await load(acme, tmp_path / "api.json")
    assert (of(report, "albums").duplicates, of(report, "artists").duplicates) == (1, 1)
    assert {row["spotify_id"] for row in state.rows("SELECT * FROM t_acme.album_ids")} == {album()["id"], other["id"]}
    assert {row["spotify_id"] for row in state.rows("SELECT * FROM t_acme.artist_ids")} == {artist()["id"], "namesake00000000000001"}


# --- the Web API ------------------------------------------------------------------------------------------------------


async def test_every_envelope_gives_its_objects(acme: FixtureManager, state: State, tmp_path: Path):
    envelopes = [
        track(1),
        [track(2), track(3)],
        {"items": [{"added_at": "2020-01-02T03:04:05Z", "track": track(4)}], "total": 1},
        {"tracks": {"items": [track(5), None], "total": 2}, "artists": {"items": [artist("Odetta", followers={"total": 5.0}, genres=["folk"])]}},
        {"tracks": [track(6)], "seeds": [{"type": "ARTIST", "id": "x"}]},
        {
            "item": track(7),
            "context": {"type": "playlist", "uri": "spotify:playlist:playlist00000000000001"},
            "device": {"type": "Computer", "name": "x"},
        },
        {**album("Wild"), "tracks": {"items": [{key: value for key, value in track(8).items() if key != "album"}], "total": 1}},
    ]
    write(tmp_path / "api.json", *envelopes)
    report = await load(acme, tmp_path / "api.json")
    assert (of(report, "tracks").read, of(report, "tracks").stored) == (8, 8)
    # What the files hold nothing of is no dataset of the load.
    assert {item.dataset.split(".")[1] for item in report.datasets} == {"artists", "albums", "albums-of-tracks", "tracks", "track-artists"}
    titles = {
        row["title"]: row["album"]
        for row in state.rows("SELECT t.title, l.title AS album FROM t_acme.tracks t JOIN t_acme.albums l USING (album_id)")
    }
    assert titles == {**{f"Track {number}": "Pastel Blues" for number in range(1, 8)}, "Track 8": "Wild"}
    assert [(row["followers"], row["genres"]) for row in state.rows("SELECT * FROM t_acme.artists WHERE name = 'Odetta'")] == [(5, ["folk"])]
    assert [(str(row["release_date"]), row["total_tracks"]) for row in state.rows("SELECT * FROM t_acme.albums WHERE title = 'Wild'")] == [
        ("1965-10-01", 9)
    ]


async def test_files_of_one_kind_that_hold_different_things(acme: FixtureManager, tmp_path: Path):
    """One of the files has nothing for a dataset that another fills: that it lacks a column says nothing."""
    folder = tmp_path / "answers"
    folder.mkdir()
    write(folder / "playlist.json", playlist(track(1), track(2)))
    write(folder / "tracks.json", {"tracks": [track(3), track(4)]})
    report = await acme.apply(SpotifyDataLoader(folder), tenant_id="acme")
    assert {name: of(report, name).stored for name in ("playlists", "tracks", "playlist-tracks")} == {
        "playlists": 1,
        "tracks": 4,
        "playlist-tracks": 2,
    }


async def test_entries_of_a_playlist(acme: FixtureManager, state: State, tmp_path: Path):
    local = {**track(9), "id": None, "uri": "spotify:local:a:b:c:200", "is_local": True, "duration_ms": 0, "album": {"name": None}}
    episode = {
        "id": IDS[50],
        "name": "One",
        "type": "episode",
        "show": {"id": IDS[60], "name": "Show", "type": "show", "publisher": "P"},
        "duration_ms": 5,
    }
    page = playlist(track(1), None, episode, local)
    page["tracks"]["offset"] = 100.0
    newer = playlist(track(2), name="Evenings")
    newer["items"] = {"items": [{"item": track(2), "added_at": None, "added_by": None}], "total": 1}
    del newer["tracks"]
    write(tmp_path / "api.json", page, newer)
    report = await load(acme, tmp_path / "api.json")
    assert (of(report, "playlists").read, of(report, "playlist-tracks").read, of(report, "playlist-episodes").read) == (2, 3, 1)
    found = state.rows(
        "SELECT p.name, position, track_id, added_at IS NULL AS unknown FROM t_acme.playlist_tracks JOIN t_acme.playlists p USING (playlist_id) ORDER BY 1, 2"
    )
    assert [(row["name"], row["position"], len(row["track_id"]), row["unknown"]) for row in found] == [
        ("Evenings", 1, 22, True),
        ("Mornings", 101, 22, False),
        ("Mornings", 104, 36, False),
    ]
    assert [(row["position"], row["episode_id"]) for row in state.rows("SELECT * FROM t_acme.playlist_episodes")] == [(103, IDS[50])]
    assert [(row["kind"], row["name"], row["publisher"]) for row in state.rows("SELECT * FROM t_acme.shows")] == [("podcast", "Show", "P")]
    counts = {row["name"]: (row["total_tracks"], row["listed_tracks"]) for row in state.rows("SELECT * FROM t_acme.playlists")}
    assert counts == {"Mornings": (4, 3), "Evenings": (1, 1)}


async def test_features_plays_and_books(acme: FixtureManager, state: State, tmp_path: Path):
    features = {"id": IDS[1], "type": "audio_features", "danceability": 0.5, "tempo": 120.0, "key": 5.0, "mode": 1, "loudness": -3.5}
    stray = {**features, "id": IDS[2]}
    book = {
        "id": IDS[61],
        "name": "Book",
        "type": "audiobook",
        "uri": f"spotify:show:{IDS[61]}",
        "authors": [{"name": "A"}, {"name": "B"}],
        "total_chapters": 2,
    }
    book["chapters"] = {"items": [{"id": IDS[62], "name": "1", "type": "episode", "uri": f"spotify:episode:{IDS[62]}", "duration_ms": 9}]}
    recent = {"items": [{"track": track(1), "played_at": "2020-01-02T03:04:05.678Z", "context": None}], "cursors": {"after": "1"}}
    write(tmp_path / "api.ndjson", recent, {"audio_features": [features, None, stray]}, book)
    report = await load(acme, tmp_path / "api.ndjson", user="alice", on_error="reject")
    assert [(row["key"], row["tempo"], row["energy"]) for row in state.rows("SELECT * FROM t_acme.audio_features")] == [(5, 120.0, None)]
    # Features of a track that nobody has.
    (reject,) = of(report, "audio-features").listed_rejects
    assert (reject.record, reject.rule) == (2, "reference")
    (row,) = state.rows("SELECT * FROM t_acme.listening_history JOIN t_acme.users USING (user_id)")
    assert (row["handle"], row["ms_played"], row["played_at"].microsecond) == ("alice", None, 678_000)
    assert [(row["kind"], row["publisher"], row["total_episodes"]) for row in state.rows("SELECT * FROM t_acme.shows")] == [("audiobook", "A, B", 2)]
    assert [row["name"] for row in state.rows("SELECT e.name FROM t_acme.episodes e JOIN t_acme.shows USING (show_id)")] == ["1"]


async def test_a_document_of_another_structure_is_a_reject(acme: FixtureManager, tmp_path: Path):
    odd = playlist(track(1))
    odd["tracks"]["offset"] = "none"
    write(tmp_path / "api.json", odd, track(2), 5)
    report = await load(acme, tmp_path / "api.json", on_error="reject")
    rejects = [(reject.rule, reject.line) for reject in of(report, "tracks").listed_rejects]
    assert (rejects, of(report, "tracks").stored) == ([("document", 1), ("record", 3)], 1)


async def test_what_is_at_fault_takes_nothing_else_with_it(acme: FixtureManager, state: State, tmp_path: Path):
    """A null in a list, and a track without a name, are one bad record each."""
    songs = [
        {"pos": place, "track_uri": f"spotify:track:{IDS[place]}", "track_name": f"T{place}", "artist_name": "A", "album_name": "B"}
        for place in range(3)
    ]
    of_slice = {"name": "one", "pid": 1, "collaborative": "false", "num_tracks": 3, "tracks": [songs[0], None, songs[1], 5, songs[2]]}
    (tmp_path / "slice.json").write_text(json.dumps({"info": {}, "playlists": [of_slice]}))
    report = await load(acme, tmp_path / "slice.json", on_error="reject")
    assert (of(report, "tracks").read, of(report, "tracks").stored, of(report, "tracks").rejects) == (5, 3, 2)
    entries = [None, {"track": {"trackName": "X", "artistName": "Y", "trackUri": f"spotify:track:{IDS[5]}"}, "addedDate": "2024-01-01"}]
    (tmp_path / "Playlist1.json").write_text(json.dumps({"playlists": [{"name": "mine", "lastModifiedDate": "2024-01-01", "items": entries}]}))
    report = await load(acme, tmp_path / "Playlist1.json", on_error="reject")
    assert [(item.dataset.partition(".")[2], item.read, item.stored, item.rejects) for item in report.datasets if item.rejects] == [
        ("tracks", 2, 1, 1)
    ]
    nameless = {**track(7), "name": None}
    write(tmp_path / "api.json", track(6), nameless, {key: track(8)[key] for key in ("id", "name", "artists")})
    report = await load(acme, tmp_path / "api.json", on_error="reject")
    assert (of(report, "tracks").read, of(report, "tracks").stored, of(report, "tracks").rejects) == (3, 2, 1)


@pytest.mark.parametrize("offset", ["1e400", "-1e400"])
async def test_an_offset_out_of_all_bounds(offset: str, acme: FixtureManager, tmp_path: Path):
    odd = playlist(track(1))
    odd["tracks"]["offset"] = offset
    write(tmp_path / "api.json", odd)
    report = await load(acme, tmp_path / "api.json", on_error="reject")
    assert {reject.rule for item in report.datasets for reject in item.listed_rejects} == {"document"}


# --- history ----------------------------------------------------------------------------------------------------------


async def test_the_extended_history(acme: FixtureManager, state: State, tmp_path: Path):
    spoken = {"episode_name": "One", "episode_show_name": "Show", "spotify_episode_uri": f"spotify:episode:{IDS[50]}"}
    chapter = {
        "audiobook_title": "Book",
        "audiobook_uri": f"spotify:show:{IDS[61]}",
        "audiobook_chapter_uri": f"spotify:episode:{IDS[62]}",
        "audiobook_chapter_title": "1",
    }
    older = play(2, username="carol", ip_addr_decrypted="192.0.2.8", user_agent_decrypted="Mozilla", offline_timestamp=1_512_420_608_296)
    del older["ip_addr"]
    lacking = play(3, offline_timestamp=0)
    lacking.pop("skipped")
    unnamed = play(None, ts="2021-05-10T11:03:24Z")
    named = {**play(4, ts="2021-05-10T11:03:25Z"), "spotify_track_uri": None}
    records = [play(1, offline_timestamp=1_679_249_719), older, lacking, play(None, **spoken), play(None, **chapter), unnamed, named]
    write(tmp_path / "Streaming_History_Audio_2021.json", records)
    report = await load(acme, tmp_path, user="alice", on_error="reject")
    assert {item.dataset.split(".")[1]: (item.read, item.stored, item.rejects) for item in report.datasets} == {
        "plays": (3, 3, 0),
        "plays-by-name": (2, 1, 1),
        "episodes": (1, 1, 0),
        "chapters": (1, 1, 0),
    }
    # The sixth record says nothing of what was played.
    rejected = of(report, "plays-by-name").listed_rejects[0]
    assert (rejected.record, rejected.rule) == (6, "not_null")
    offline = {row["track_id"]: row["offline_at"] and row["offline_at"].year for row in state.rows("SELECT * FROM t_acme.listening_history")}
    assert [offline[IDS[number]] for number in (1, 2, 3)] == [2023, 2017, None]
    handles = state.rows("SELECT DISTINCT handle FROM t_acme.listening_history JOIN t_acme.users USING (user_id) ORDER BY 1")
    assert [row["handle"] for row in handles] == ["alice", "carol"]
    assert {row["kind"]: row["name"] for row in state.rows("SELECT * FROM t_acme.shows")} == {"podcast": "Show", "audiobook": "Book"}
    assert state.counts("acme")["episode_history"] == 2
    # What tells of a person beyond what the tables are for is not stored, and is named in the report.
    assert {"ip_addr", "ip_addr_decrypted", "user_agent_decrypted"} <= set(of(report, "plays").ignored_columns)
    assert not [
        row for name in state.counts("acme") for row in state.rows(f"SELECT t::text AS t FROM t_acme.{name} t WHERE t::text LIKE '%%192.0.2%%'")
    ]


async def test_an_address_is_stored_where_there_is_a_column_for_it(acme: FixtureManager, state: State, tmp_path: Path):
    state.run("ALTER TABLE t_acme.listening_history ADD COLUMN client_ip inet")
    write(tmp_path / "endsong_0.json", [play(1), play(2, ip_addr="")])
    await load(acme, tmp_path / "endsong_0.json")
    assert [str(row["client_ip"]) for row in state.rows("SELECT client_ip FROM t_acme.listening_history ORDER BY track_id")] == ["192.0.2.7", "None"]


async def test_the_short_form_has_names_alone(acme: FixtureManager, state: State, tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "my_spotify_data.zip", "w") as archive:
        music = [{"endTime": "2021-05-10 11:03", "artistName": "Nina Simone", "trackName": "Sinnerman", "msPlayed": 5}] * 2
        podcast = [{"endTime": "2021-05-10 11:04", "podcastName": "Show", "episodeName": "One", "msPlayed": 6}]
        archive.writestr("MyData/StreamingHistory_music_0.json", json.dumps(music))
        archive.writestr("MyData/StreamingHistory_podcast_0.json", json.dumps(podcast))
        archive.writestr("MyData/ReadMe.pdf", "%PDF")
    report = await load(acme, tmp_path / "my_spotify_data.zip", user="alice")
    assert {item.dataset: (item.read, item.stored, item.duplicates) for item in report.datasets} == {
        "spotify-streaming-history-by-name.plays": (2, 1, 1),
        "spotify-podcast-history-by-name.episodes": (1, 1, 0),
    }
    (row,) = state.rows("SELECT * FROM t_acme.listening_history JOIN t_acme.tracks USING (track_id)")
    assert (row["title"], row["ms_played"], row["played_at"].hour, len(row["track_id"])) == ("Sinnerman", 5, 11, 36)


# --- slices -----------------------------------------------------------------------------------------------------------


async def test_a_slice_tells_of_lists_that_are_not_whole(acme: FixtureManager, state: State, tmp_path: Path):
    same = [in_slice(1, pid=1), in_slice(2, pid=2), in_slice(3, pid=3, num_tracks=12, description="with words")]
    write(tmp_path / "mpd.slice.0-999.json", a_slice(*same))
    report = await load(acme, tmp_path / "mpd.slice.0-999.json")
    assert (of(report, "playlists").stored, of(report, "tracks").stored) == (3, 3)
    assert next(note for note in of(report, "playlists").notes if "total_tracks = listed_tracks" in note).startswith(
        "mpd.slice.0-999.json: 1 record is not as it should be, the first is 3"
    )
    whole = state.rows("SELECT total_tracks, listed_tracks FROM t_acme.playlists ORDER BY total_tracks")
    assert [tuple(row.values()) for row in whole] == [(1, 1), (1, 1), (12, 1)]
    again = await load(acme, tmp_path / "mpd.slice.0-999.json")
    assert (again.written, {item.skipped for item in again.datasets}) == (0, {True})


# --- what is refused --------------------------------------------------------------------------------------------------


async def test_a_file_of_no_known_kind(acme: FixtureManager, state: State, tmp_path: Path):
    write(tmp_path / "a.json", track(1))
    write(tmp_path / "b.json", {"releases": [{"title": "SECRET"}]})
    with failing(state, UnknownShape) as caught:
        await load(acme, tmp_path)
    assert "b.json is of no kind that is known: it is json with releases" in caught[0].message
    assert caught[0].files == ["b.json"]
    found = SpotifyDataLoader.detect(tmp_path / "b.json")
    assert (found.known, found.shape, found.domain) == (False, None, None)
    assert found.rejected["spotify-playlist-slice"] == "it has no playlists[].pid"
    both = SpotifyDataLoader.detect(tmp_path)
    assert ([part.shape for part in both.parts], both.known) == (["spotify-web-api", None], False)


async def test_a_file_of_another_domain(acme: FixtureManager, state: State, tmp_path: Path):
    class Elsewhere(DomainLoader):
        name = domain = "elsewhere"

    write(tmp_path / "a.json", track(1))
    with failing(state, WrongDomain) as caught:
        await acme.apply(Elsewhere(tmp_path / "a.json"), tenant_id="acme", operation="load")
    assert (caught[0].shape, caught[0].domain) == ("spotify-web-api", "spotify")
    assert "objects of Spotify's Web API" in caught[0].message
    report = await acme.apply(DomainLoader(tmp_path / "a.json"), tenant_id="acme", operation="load")
    assert of(report, "tracks").stored == 1


async def test_what_cannot_be_given(acme: FixtureManager, state: State, tmp_path: Path):
    write(tmp_path / "a.json", track(1))
    with failing(state, ConfigurationError) as caught:
        await load(acme, tmp_path / "a.json", given={"usr": "alice"})
    assert "user" in caught[0].hint
    with pytest.raises(ConfigurationError):
        DomainLoader()


async def test_nothing_is_loaded_where_one_record_of_one_file_is_bad(acme: FixtureManager, state: State, tmp_path: Path):
    write(tmp_path / "a.json", playlist(track(1)))
    with gzip.open(tmp_path / "b.json.gz", "wt") as file:
        json.dump([play(1), play(2, conn_country="SECRET")], file)
    with failing(state, DataRejected) as caught:
        await load(acme, tmp_path)
    assert [(reject.source, reject.record, reject.column, reject.rule) for reject in caught[0].rejects] == [
        ("b.json.gz", 2, "conn_country", "pattern")
    ]
    plan = await acme.apply(SpotifyDataLoader(tmp_path, on_error="reject"), tenant_id="acme", operation="load", dry_run=True)
    assert of(plan, "plays").rejects == 1
    assert state.counts("acme")["tracks"] == 0


# --- the rest of an account's export ----------------------------------------------------------------------------------


async def test_an_export_with_playlists_and_library(acme: FixtureManager, state: State, tmp_path: Path):
    entry = {"trackName": "Track 1", "artistName": "Nina Simone", "albumName": "Pastel Blues", "trackUri": f"spotify:track:{IDS[1]}"}
    spoken = {"episodeName": "One", "showName": "Show", "episodeUri": f"spotify:episode:{IDS[50]}"}
    entries = [
        {"track": entry, "episode": None, "addedDate": "2021-01-02"},
        {"track": None, "episode": spoken},
        {"track": None, "localTrack": {"uri": "x"}},
    ]
    lists = {"playlists": [{"name": "Mornings", "lastModifiedDate": "2021-01-03", "items": entries, "description": None, "numberOfFollowers": 2}]}
    library: dict[str, Any] = {name: [] for name in ("tracks", "albums", "shows", "episodes", "artists", "bannedTracks", "bannedArtists", "other")}
    library["tracks"] = [{"artist": "Odetta", "album": "Wild", "track": "Track 2", "uri": f"spotify:track:{IDS[2]}"}]
    library["artists"] = [{"name": "Odetta", "uri": "spotify:artist:artist0000000000000006"}]
    write(tmp_path / "Playlist1.json", lists)
    write(tmp_path / "YourLibrary.json", library)
    write(tmp_path / "Userdata.json", {"username": "alice", "email": "SECRET", "birthdate": "1970-01-01"})
    write(tmp_path / "StreamingHistory_music_0.json", [{"endTime": "2021-05-10 11:03", "artistName": "Odetta", "trackName": "x", "msPlayed": 5}])
    report = await load(acme, tmp_path, user="alice")
    assert {item.dataset: (item.read, item.stored) for item in report.datasets if item.read} == {
        "spotify-account-playlists.playlists": (1, 1),
        "spotify-account-playlists.tracks": (1, 1),
        "spotify-account-playlists.episodes": (1, 1),
        "spotify-account-library.artists": (1, 1),
        "spotify-account-library.tracks": (1, 1),
        "spotify-streaming-history-by-name.plays": (1, 1),
    }
    (row,) = state.rows("SELECT * FROM t_acme.playlists JOIN t_acme.users ON user_id = owner_id")
    assert (row["name"], row["handle"], row["listed_tracks"], row["followers"]) == ("Mornings", "alice", 3, 2)
    assert [(row["position"], row["track_id"]) for row in state.rows("SELECT * FROM t_acme.playlist_tracks")] == [(1, IDS[1])]
    assert [(row["position"], row["episode_id"]) for row in state.rows("SELECT * FROM t_acme.playlist_episodes")] == [(2, IDS[50])]
    assert [row["email"] for row in state.rows("SELECT email FROM t_acme.users")] == [None]
    # The same list, from the Web API.
    write(tmp_path / "api.json", playlist(track(1)))
    await load(acme, tmp_path / "api.json")
    assert state.counts("acme")["playlists"] == 1


async def test_a_file_that_holds_nothing_to_load(acme: FixtureManager, tmp_path: Path):
    write(tmp_path / "devices.json", {"devices": [{"id": "x", "is_active": True, "volume_percent": 5}]})
    report = await load(acme, tmp_path / "devices.json")
    assert (report.datasets, [(step.action, step.object, step.detail) for step in report.steps]) == (
        (),
        [("skip", "devices.json", {"reason": "devices are not kept"})],
    )
    write(tmp_path / "nothing.json", {"tracks": {"items": [], "href": "https://api.spotify.com/v1/x"}})
    report = await acme.apply(SpotifyDataLoader(tmp_path), tenant_id="acme", operation="load", dry_run=True)
    assert [(step.action, step.object) for step in report.steps] == [("skip", "devices.json"), ("skip", "nothing.json")]


async def test_each_file_of_which_nothing_came_is_told(acme: FixtureManager, tmp_path: Path):
    """Among others of its kind too; a file whose records are all bad is none of them."""
    write(tmp_path / "a-track.json", track(1))
    write(tmp_path / "bad.json", {**track(2), "name": None})
    write(tmp_path / "me.json", {"id": "alice", "type": "user", "uri": "spotify:user:alice", "display_name": "Alice"})
    report = await acme.apply(SpotifyDataLoader(tmp_path, on_error="reject"), tenant_id="acme", operation="load")
    told = [(step.object, step.detail) for step in report.steps if step.action == "skip"]
    assert told == [("me.json", {"reason": "it holds no record that is kept"})]
    assert report.dataset("spotify-web-api.tracks").rejects == 1


# --- back again, and packs of the host's ------------------------------------------------------------------------------


async def test_what_was_loaded_is_taken_back(acme: FixtureManager, state: State, tmp_path: Path):
    write(tmp_path / "mpd.slice.0-999.json", a_slice(in_slice(1, 2)))
    empty = state.counts("acme")
    await load(acme, tmp_path / "mpd.slice.0-999.json")
    operation = Operation("take_back", "acme", (SpotifyDataLoader(tmp_path / "mpd.slice.0-999.json"),), backwards=True)
    report = await run(await acme._runtime(), acme.pack, operation)
    assert [(step.action, step.object, step.detail) for step in report.steps] == [
        ("unload", "spotify-playlist-slice.tracks", {"removed": 2}),
        ("unload", "spotify-playlist-slice.playlists", {"removed": 1}),
    ]
    # What came along stays: others may refer to it.
    left = {name: count for name, count in state.counts("acme").items() if count != empty[name]}
    assert left == {"users": 1, "artists": 1, "artist_ids": 1, "albums": 1, "album_ids": 1, "tracks": 2}
    assert (await load(acme, tmp_path / "mpd.slice.0-999.json")).written == 3


async def test_a_pack_without_the_tables(settings: Settings, spoilt: PackFolder, state: State, tmp_path: Path):
    spoilt.write("schema_template.sql", "CREATE TABLE things (id integer PRIMARY KEY)")
    spoilt.manifest(datasets=[])
    for revision in list((spoilt.folder / "migrations").iterdir()):
        revision.unlink()
    shutil.rmtree(spoilt.folder / "shapes", ignore_errors=True)
    write(tmp_path / "a.json", track(1))
    async with FixtureManager(settings, pack=spoilt.pack()) as manager:
        await manager.create_tenant("acme")
        with failing(state, ValidationFailed) as caught:
            await load(manager, tmp_path / "a.json")
        assert "spotify-web-api.artists → artists: no such table is in the schema" in caught[0].message


async def test_a_pack_has_kinds_of_files_of_its_own(settings: Settings, spoilt: PackFolder, state: State, tmp_path: Path):
    target = {"table": "artists", "key": ["artist_id"], "columns": {"artist_id": {"uuid": ["who"], "uuid_kind": "artist"}, "name": {"from": ["who"]}}}
    declared = {"name": "acts", "domain": "mine", "description": "a list of acts", "recognise": {"needs": ["who", "stage"]}}
    (spoilt.folder / "shapes").mkdir()
    write(spoilt.folder / "shapes" / "acts.json", {**declared, "datasets": [{"name": "acts", "targets": [target]}]})
    (tmp_path / "acts.csv").write_text("who,stage\nOdetta,1\n")
    async with FixtureManager(settings, pack=spoilt.pack()) as manager:
        await manager.create_tenant("acme")
        report = await manager.apply(DomainLoader(tmp_path / "acts.csv"), tenant_id="acme", operation="load")
        assert [(item.dataset, item.stored) for item in report.datasets] == [("acts.acts", 1)]
        with failing(state, WrongDomain):
            await load(manager, tmp_path / "acts.csv")
    target["columns"]["nowhere"] = {"from": ["stage"]}
    write(spoilt.folder / "shapes" / "acts.json", {**declared, "datasets": [{"name": "acts", "targets": [target]}]})
    async with FixtureManager(settings, pack=spoilt.pack()) as manager:
        findings = (await manager.validate_pack()).findings
    assert [finding.object for finding in findings if finding.rule == "column"] == ["acts → artists.nowhere"]


async def test_an_export_is_loaded_whatever_it_has_nothing_of(acme: FixtureManager, state: State, tmp_path: Path):
    """Where somebody hears no podcasts, an export has an empty list of them; and much that is no music."""
    write(tmp_path / "StreamingHistory_music_0.json", [{"endTime": "2021-05-10 11:03", "artistName": "Nina", "trackName": "T", "msPlayed": 9}])
    empty = {"StreamingHistory_podcast_0.json": [], "Playlist1.json": {"playlists": []}}
    beside = {"Wrapped2024.json": {"topTracks": {"minutes": 5}}, "MessageData.json": [{"URI": "spotify:message:1", "members": ["a"]}]}
    for name, document in {**empty, **beside}.items():
        write(tmp_path / name, document)
    report = await load(acme, tmp_path, user="alice")
    assert state.counts("acme")["listening_history"] == 1
    skipped = {step.object: step.detail["reason"] for step in report.steps if step.action == "skip" and "reason" in step.detail}
    assert {name: skipped.get(name) for name in empty} == dict.fromkeys(empty, "it holds no record")
    assert set(beside) <= set(skipped)


async def test_a_file_without_a_record_alone(acme: FixtureManager, tmp_path: Path):
    report = await load(acme, write(tmp_path / "x.json", []))
    assert (report.written, [step.action for step in report.steps]) == (0, ["skip"])
    (tmp_path / "tracks.csv").write_text("track_id,track_name,artists\n")
    with pytest.raises(SourceEmpty, match="has a header and no record"):
        await load(acme, tmp_path / "tracks.csv")


async def test_somebodys_own_file_on_a_playlist_is_a_track(acme: FixtureManager, state: State, tmp_path: Path):
    local = {"track": None, "episode": None, "addedDate": "2021-01-01"}
    items = [{**local, "localTrack": {"uri": uri}} for uri in ("spotify:local:Nina+Simone:Live%3A+1964:Mine:9", "spotify:local::::9")]
    write(tmp_path / "Playlist1.json", {"playlists": [{"name": "A", "lastModifiedDate": "2022-01-01", "items": items}]})
    assert of(await load(acme, tmp_path / "Playlist1.json", user="alice"), "tracks").stored == 1
    assert state.value("SELECT listed_tracks FROM t_acme.playlists") == 2
    api = {"name": "Mine", "type": "track", "uri": "spotify:local:x", "id": None, "artists": [{"name": "Nina Simone"}], "duration_ms": 9}
    await load(acme, write(tmp_path / "api.json", [api, track(1)]))
    query = "SELECT t.title, l.title AS album, position FROM t_acme.tracks t JOIN t_acme.playlist_tracks USING (track_id) JOIN t_acme.albums l USING (album_id)"
    assert [tuple(row.values()) for row in state.rows(query)] == [("Mine", "Live: 1964", 1)]
    assert state.counts("acme")["tracks"] == 2
