"""Derived values of real files: what they write in their own way is read as it is meant, and only what is none is a reject."""

from __future__ import annotations

import csv
from datetime import date, datetime, timezone
from pathlib import Path

import pytest

from tenancy_fixtures._ingest import open_sources, read_dataset
from tenancy_fixtures._pack_models import Dataset
from tenancy_fixtures._shapes import Column, ColumnType, Table

NUMBERS = ("in_spotify_playlists", "in_deezer_playlists", "in_shazam_charts", "bpm")
KINDS = {"track": "text", "streams": "int8", **dict.fromkeys(NUMBERS, "int4"), "mode": "int2", "released": "date", "artists": "_text", "line": "int4"}


def column(name, kind):
    return Column(name, ColumnType(kind, "text[]", "A", element="text") if kind == "_text" else ColumnType(kind, kind))


def read(path, kinds, mapped, key, rules=(), **source):
    table = Table("s", "things", tuple(column(name, kind) for name, kind in kinds.items()))
    target = {"table": "things", "key": [key], "columns": mapped, "rules": list(rules)}
    dataset = Dataset.model_validate({"name": "d", "source": {"path": "x", **source}, "targets": [target], "extra_columns": "ignore"})
    with read_dataset(dataset, {"things": table}, open_sources(path)) as stream:
        frames = list(stream)
    rows = [row for frame in frames for row in frame.targets["things"].table.to_pylist()]
    rejects = [reject for frame in frames for reject in frame.rejects]
    assert sum(frame.records for frame in frames) == len(rows) + len({reject.record for reject in rejects})
    return rows, rejects


def tracks(numbers):
    return {
        "track": {"from": ["track_name"]},
        "streams": {"from": ["streams"]},
        **{name: {"from": [name], "steps": numbers} for name in NUMBERS},
        "mode": {"from": ["mode"], "steps": ["lower", {"map": {"major": 1, "minor": 0}}]},
        "released": {"join": {"columns": ["released_year", "released_month", "released_day"], "separator": "-"}, "steps": [{"format": "%Y-%m-%d"}]},
        "artists": {"from": ["artist_name"], "steps": [{"split": ", "}]},
        "line": {"provenance": "record"},
    }


@pytest.fixture
def chart(real_data) -> Path:
    return real_data / "csv_spotify_2023_latin1" / "spotify-2023.csv"


def test_a_chart_with_dates_in_three_columns_and_thousands(chart):
    rows, rejects = read(chart, KINDS, tracks([{"number": {"thousands": ","}}]), "line")
    with chart.open(encoding="latin-1", newline="") as file:
        cells = dict(enumerate(csv.DictReader(file), start=1))
    assert len(cells) == 953
    assert [(reject.column, reject.rule) for reject in rejects] == [("streams", "type")]
    for row in rows:
        cell = cells[row["line"]]
        assert row["released"] == date(*(int(cell[f"released_{part}"]) for part in ("year", "month", "day")))
        assert [row[name] for name in NUMBERS] == [int(cell[name].replace(",", "")) if cell[name] else None for name in NUMBERS]
        assert (row["mode"], row["streams"]) == ({"Major": 1, "Minor": 0}[cell["mode"]], int(cell["streams"]))
        assert row["artists"].count('"') >= 2 * len(cell["artist_name"].split(", "))


def test_thousands_are_never_guessed(chart):
    _, rejects = read(chart, KINDS, tracks([]), "line")
    with chart.open(encoding="latin-1", newline="") as file:
        commas = {(number, name) for number, row in enumerate(csv.DictReader(file), start=1) for name in NUMBERS if "," in row[name]}
    assert len(commas) == 86
    assert {(reject.record, reject.column) for reject in rejects if reject.rule == "type" and reject.column != "streams"} == commas


def test_the_same_track_twice_is_told(chart):
    rules = [{"rule": "unique", "columns": ["track", "artists"]}]
    _, rejects = read(chart, KINDS, tracks([{"number": {"thousands": ","}}]), "line", rules)
    with chart.open(encoding="latin-1", newline="") as file:
        seen, again = set(), set()
        for number, row in enumerate(csv.DictReader(file), start=1):
            # The record whose streams are none is no record that others repeat.
            if row["streams"].isdigit():
                key = (row["track_name"], row["artist_name"])
                again |= {number} if key in seen else set()
                seen.add(key)
    assert again
    assert {reject.record for reject in rejects if reject.rule == "unique"} == again


def test_a_playlist_with_epochs(real_data):
    mapped = {"pid": {"from": ["pid"]}, "at": {"from": ["modified_at"], "steps": [{"epoch": "s"}]}, "collaborative": {"from": ["collaborative"]}}
    kinds = {"pid": "int4", "at": "timestamptz", "collaborative": "bool"}
    rows, rejects = read(real_data / "mpd_readme_example", kinds, mapped, "pid", records="playlists[]")
    assert rejects == []
    assert [row["at"] > datetime(2010, 1, 1, tzinfo=timezone.utc) and row["collaborative"] is False for row in rows] == [True]


def test_release_dates_that_are_only_years_or_months(real_data):
    mapped = {"id": {"from": ["id"]}, "date": {"from": ["date"], "steps": ["first_day"]}}
    files = sorted((real_data / "musicbrainz_ws_picard").glob("release*.json"))
    found = 0
    for path in files:
        rows, rejects = read(path, {"id": "text", "date": "date"}, mapped, "id")
        assert {reject.column for reject in rejects} <= {"id"}  # a list of releases is none
        found += sum(row["date"] is not None for row in rows)
    assert found
