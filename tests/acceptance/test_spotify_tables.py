"""Tables of tracks as people publish them: other headers, other formats, the same rows."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenancy_fixtures import FixtureManager, SpotifyDataLoader
from tests.acceptance.support import State

pytestmark = pytest.mark.anyio
SHARED_TOO = "all"

ID = "4GiXBCUF7H6YfNQsnBRIzl"
FEATURES = {
    "danceability": "0.578", "energy": "0.471", "key": "4", "loudness": "-7.27", "mode": "1", "speechiness": "0.0289", "acousticness": "0.368",
    "instrumentalness": "0", "liveness": "0.159", "valence": "0.532", "tempo": "133.061",
}  # fmt: skip
WITHOUT_FEATURES = "spotify-tracks"
WITH_FEATURES = "spotify-tracks-with-features"
LUCKY = {"title": "Lucky Man", "artist": "Montgomery Gentry"}

# Name → file, shape, records, and what the rows must say.
TABLES: dict[str, tuple[str, str, dict[str, str], dict[str, Any]]] = {
    "a table of genres": (
        "dataset.csv",
        WITH_FEATURES,
        {
            "": "0",
            "track_id": ID,
            "artists": "Montgomery Gentry;Somebody Else",
            "album_name": "Some People Change",
            "track_name": "Lucky Man",
            "popularity": "57",
            "duration_ms": "196707",
            "explicit": "False",
            **FEATURES,
            "time_signature": "4",
            "track_genre": "country",
        },
        {
            **LUCKY,
            "performers": ["Montgomery Gentry", "Somebody Else"],
            "album": "Some People Change",
            "popularity": 57,
            "duration_ms": 196707,
            "explicit": False,
            "tags": ["country"],
            "time_signature": 4,
        },
    ),
    "artists as a list of Python's": (
        "tracks.csv",
        WITH_FEATURES,
        {
            "id": ID,
            "name": "Lucky Man",
            "popularity": "6",
            "duration_ms": "196707",
            "explicit": "0",
            "artists": "['Montgomery Gentry', 'Other']",
            "id_artists": "['45tIt06XoI0Iio4LBEVpls']",
            "release_date": "2006-10",
            **FEATURES,
        },
        {
            **LUCKY,
            "performers": ["Montgomery Gentry", "Other"],
            "album": None,
            "explicit": False,
            "release_year": 2006,
            "time_signature": None,
            "tempo": 133.061,
        },
    ),
    "songs of playlists": (
        "spotify_songs.csv",
        WITH_FEATURES,
        {
            "track_id": ID,
            "track_name": "Lucky Man",
            "track_artist": "Montgomery Gentry",
            "track_popularity": "66",
            "track_album_id": "x",
            "track_album_name": "Some People Change",
            "track_album_release_date": "2006-10-24",
            "playlist_name": "P",
            "playlist_genre": "country",
            **FEATURES,
            "duration_ms": "196707",
        },
        {**LUCKY, "album": "Some People Change", "popularity": 66, "release_year": 2006, "tags": ["country"]},
    ),
    "an export of a playlist": (
        "my_playlist.csv",
        WITH_FEATURES,
        {
            "Track URI": f"spotify:track:{ID}",
            "Track Name": "Lucky Man",
            "Album Name": "Some People Change",
            "Artist Name(s)": "Montgomery Gentry",
            "Release Date": "2006",
            "Track Duration (ms)": "196707",
            "Popularity": "40",
            "Explicit": "false",
            "Added By": "",
            "Genres": "country,rock",
            **{name.capitalize(): value for name, value in FEATURES.items()},
        },
        {**LUCKY, "album": "Some People Change", "duration_ms": 196707, "tags": ["country", "rock"], "valence": 0.532},
    ),
    "keys by their names": (
        "songs.tsv",
        WITH_FEATURES,
        {
            "uri": f"spotify:track:{ID}",
            "title": "Lucky Man",
            "artist_name": "Montgomery Gentry",
            **FEATURES,
            "key": "C#",
            "mode": "Minor",
            "isrc": "US-SM1-06-02500",
        },
        {**LUCKY, "key": 1, "mode": 0, "isrc": "USSM10602500"},
    ),
    "no more than names": (
        "list.csv",
        WITHOUT_FEATURES,
        {"url": f"https://open.spotify.com/track/{ID}?si=1", "song": "Lucky Man", "artist": "Montgomery Gentry"},
        {**LUCKY, "duration_ms": None, "tempo": None},
    ),
}

STORED = """
SELECT t.*, a.name AS artist, l.title AS album, f.*, t.track_id AS track_id FROM t_acme.tracks t LEFT JOIN t_acme.artists a USING (artist_id)
LEFT JOIN t_acme.albums l USING (album_id) LEFT JOIN t_acme.audio_features f USING (track_id)
"""
CREDITS = "SELECT a.name FROM t_acme.track_artists JOIN t_acme.artists a USING (artist_id) ORDER BY position"


def write(path: Path, record: dict[str, str]) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, record, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerow(record)
    return path


@pytest.mark.parametrize("name", TABLES)
async def test_headers_of_all_kinds(name: str, acme: FixtureManager, state: State, tmp_path: Path):
    file, shape, record, expected = TABLES[name]
    report = await acme.apply(SpotifyDataLoader(write(tmp_path / file, record)), tenant_id="acme", operation="load")
    # Everybody who performs it has a credit, where the cell lists several.
    performers = expected.get("performers", [])
    found = {item.dataset: (item.read, item.stored) for item in report.datasets if item.read}
    assert found == {f"{shape}.tracks": (1, 1), **({f"{shape}.track-artists": (2, 2)} if performers else {})}
    assert [row["name"] for row in state.rows(CREDITS)] == performers
    (row,) = state.rows(STORED)
    assert row["track_id"] == ID
    assert {key: row[key] for key in expected if key != "performers"} == {key: value for key, value in expected.items() if key != "performers"}


async def test_parquet_with_types(acme: FixtureManager, state: State, tmp_path: Path):
    features = {name: [int(value) if name in ("key", "mode") else float(value)] for name, value in FEATURES.items()}
    columns = {
        "track_id": [ID],
        "track_name": ["Lucky Man"],
        "artists": [["Montgomery Gentry", "Other"]],
        "duration_ms": [196707],
        "explicit": [True],
    }
    pq.write_table(pa.table({**columns, **features}), tmp_path / "train.parquet")
    report = await acme.apply(SpotifyDataLoader(tmp_path / "train.parquet"), tenant_id="acme", operation="load")
    stored = {item.dataset.partition(".")[2]: item.stored for item in report.datasets}
    assert stored == {"tracks": 1, "track-artists": 2}
    assert [row["name"] for row in state.rows(CREDITS)] == ["Montgomery Gentry", "Other"]
    (row,) = state.rows(STORED)
    assert (row["artist"], row["explicit"], row["tempo"], row["duration_ms"]) == ("Montgomery Gentry", True, 133.061, 196707)


async def test_all_of_them_are_one_track(acme: FixtureManager, state: State, tmp_path: Path):
    for file, _, record, _ in TABLES.values():
        write(tmp_path / file, record)
    report = await acme.apply(SpotifyDataLoader(tmp_path), tenant_id="acme", operation="load")
    found = {item.dataset: (item.read, item.stored, item.duplicates) for item in report.datasets if item.read}
    assert found == {f"{WITH_FEATURES}.tracks": (5, 1, 4), f"{WITHOUT_FEATURES}.tracks": (1, 1, 0), f"{WITH_FEATURES}.track-artists": (4, 2, 2)}
    # Two tables name another second performer: the first one is stored, and it is told.
    (credits_of,) = [item for item in report.datasets if item.dataset.endswith("with-features.track-artists")]
    assert any("1 duplicate of track_artists says otherwise" in note for note in credits_of.notes)
    assert state.value("SELECT count(*) FROM t_acme.tracks") == 1


async def test_a_cell_that_is_no_id_is_a_reject(acme: FixtureManager, tmp_path: Path):
    (tmp_path / "list.csv").write_text(f"track_id,title,artist\n{ID},a,b\nnone,c,d\n")
    report = await acme.apply(SpotifyDataLoader(tmp_path / "list.csv", on_error="reject"), tenant_id="acme", operation="load")
    (reject,) = report.datasets[0].listed_rejects
    assert (reject.record, reject.column, reject.rule) == (2, "track_id", "pattern")


async def load_rows(manager: FixtureManager, path: Path, rows: list[dict[str, Any]], **options: Any) -> Any:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return await manager.apply(SpotifyDataLoader(path, **options), tenant_id="acme", operation="load")


async def test_lists_of_parquet_are_lists(acme: FixtureManager, state: State, tmp_path: Path):
    rows = [
        {"track_id": ID, "track_name": "A", "artists": ["X", "Y"], "genres": ["a", "b, c"]},
        {"track_id": ID[::-1], "track_name": "B", "artists": [], "genres": None},
    ]
    await load_rows(acme, tmp_path / "tracks.parquet", rows)
    found = state.rows("SELECT title, name, tags FROM t_acme.tracks LEFT JOIN t_acme.artists USING (artist_id) ORDER BY title")
    assert [tuple(row.values()) for row in found] == [("A", "X", ["a", "b, c"]), ("B", None, None)]


async def test_objects_are_no_names_of_artists(acme: FixtureManager, state: State, tmp_path: Path):
    rows = [{"track_id": ID, "track_name": "A", "artists": [{"name": "X", "id": "1"}]}]
    report = await load_rows(acme, tmp_path / "tracks.parquet", rows, on_error="reject", max_share=1.0)
    assert [(item.rule, item.column) for dataset in report.datasets for item in dataset.listed_rejects] == [("pattern", "artists")]
    assert state.rows("SELECT * FROM t_acme.artists") == []


async def test_an_album_is_called_as_it_is_whatever_parts_artists(acme: FixtureManager, state: State, tmp_path: Path):
    path = tmp_path / "tracks.csv"
    ids = [ID, ID[::-1]]
    lines = [f"https://open.spotify.com/intl-de/track/{found}?si=1,T,Bach;Gould,Suites; No. {number}" for number, found in enumerate(ids)]
    path.write_text("\n".join(["url,title,artists,album", *lines]) + "\n", encoding="utf-8")
    await acme.apply(SpotifyDataLoader(path), tenant_id="acme", operation="load")
    query = "SELECT l.title, name FROM t_acme.tracks t JOIN t_acme.albums l USING (album_id) JOIN t_acme.artists a ON a.artist_id = l.artist_id ORDER BY 1"
    assert [tuple(row.values()) for row in state.rows(query)] == [("Suites; No. 0", "Bach"), ("Suites; No. 1", "Bach")]
