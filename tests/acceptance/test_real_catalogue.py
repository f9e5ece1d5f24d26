"""Six files of real tracks into a new tenant: every cell is there, the same content is no work, one edit is one row."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tenancy_fixtures import FixtureManager
from tests.acceptance.support import State

pytestmark = pytest.mark.anyio

READ, STORED, DUPLICATES = 41106, 40560, 546
NUMBERS = ("danceability", "energy", "loudness", "speechiness", "acousticness", "instrumentalness", "liveness", "valence", "tempo", "chorus_hit")
WHOLE = ("key", "mode", "time_signature", "sections")


class Catalogue:
    """The files as the csv module reads them: the judge of what the tables must hold."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records: list[tuple[Path, dict[str, str]]] = []
        for path in sorted(folder.glob("*.csv")):
            with path.open(encoding="utf-8", newline="") as file:
                self.records += [(path, record) for record in csv.DictReader(file)]

    def first(self) -> dict[str, dict[str, str]]:
        """The first record of each track."""
        found: dict[str, dict[str, str]] = {}
        for _, record in self.records:
            found.setdefault(record["uri"], record)
        return found

    def artists(self) -> set[str]:
        return {record["artist"] for _, record in self.records}

    def conflicts(self) -> int:
        first = self.first()
        # What no target reads does not count: two records that differ in `target` alone are alike.
        plain = [{**record, "target": ""} for _, record in self.records]
        return sum(record != {**first[record["uri"]], "target": ""} for record in plain)


@pytest.fixture(scope="module")
def catalogue(real_data: Path) -> Catalogue:
    return Catalogue(real_data / "csv_hit_predictor")


@pytest.fixture
def copy(catalogue: Catalogue, tmp_path: Path) -> Path:
    """A copy that was moved and touched."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for path in sorted(catalogue.folder.glob("*.csv")):
        shutil.copyfile(path, folder / f"moved-{path.name}")
        os.utime(folder / f"moved-{path.name}", (1, 1))
    return folder


@pytest.fixture
def one_file(catalogue: Catalogue, tmp_path: Path) -> Catalogue:
    """A copy of the first file alone."""
    folder = tmp_path / "one"
    folder.mkdir()
    path = min(catalogue.folder.glob("*.csv"))
    shutil.copyfile(path, folder / path.name)
    return Catalogue(folder)


async def load(manager: FixtureManager, folder: Path) -> Any:
    return (await manager.load_fixtures("real_001", sources={"tracks": folder})).dataset("tracks")


def expected(record: dict[str, str]) -> dict[str, Any]:
    """What the tables must say of a track."""
    track = {"title": record["track"], "artist": record["artist"], "duration_ms": int(record["duration_ms"]), "release_decade": int(record["decade"])}
    unknown = dict.fromkeys(("album_id", "explicit", "isrc", "popularity", "track_number", "release_year"))
    return {**track, **unknown, **{name: float(record[name]) for name in NUMBERS}, **{name: int(record[name]) for name in WHOLE}}


async def test_every_cell_of_every_track(manager: FixtureManager, catalogue: Catalogue, state: State):
    async with manager:
        await manager.create_tenant("real_001")
        report = await load(manager, catalogue.folder)
    assert (report.read, report.stored, report.duplicates, report.rejects, report.lost) == (READ, STORED, DUPLICATES, 0, 0)
    assert report.conflicts == DUPLICATES == catalogue.conflicts()
    assert report.ignored_columns == ("target",)
    assert report.sources == tuple(path.name for path in sorted(catalogue.folder.glob("*.csv")))
    assert {table.table: (table.inserted, table.updated, table.unchanged) for table in report.tables} == {
        "artists": (len(catalogue.artists()), 0, 0),
        "tracks": (STORED, 0, 0),
        "audio_features": (STORED, 0, 0),
    }

    first = catalogue.first()
    assert (len(catalogue.records), len(first)) == (READ, STORED)
    stored = state.rows(
        "SELECT t.*, f.*, a.name AS artist FROM t_real_001.tracks t JOIN t_real_001.artists a USING (artist_id) JOIN t_real_001.audio_features f USING (track_id)"
    )
    found = {f"spotify:track:{row['track_id']}": row for row in stored}
    assert set(found) == set(first)
    wrong = [uri for uri, record in first.items() for name, value in expected(record).items() if found[uri][name] != value]
    assert wrong == []
    assert {row["name"] for row in state.rows("SELECT name FROM t_real_001.artists")} == catalogue.artists()


async def test_the_same_content_is_no_work(manager: FixtureManager, catalogue: Catalogue, copy: Path, state: State):
    async with manager:
        await manager.create_tenant("real_001")
        await load(manager, catalogue.folder)
        before = state.snapshot()
        again = await load(manager, catalogue.folder)
        moved = await load(manager, copy)
        for report in (again, moved):
            assert (report.skipped, report.written) == (True, 0)
            assert (report.read, report.stored, report.duplicates, report.rejects, report.lost) == (READ, STORED, DUPLICATES, 0, 0)
        assert state.snapshot() == before

        edit(copy, 2, energy="0.8540000000000001")
        edited = await load(manager, copy)
        assert {table.table: (table.inserted, table.updated) for table in edited.tables if table.written} == {"audio_features": (0, 1)}
        assert (edited.read, edited.stored, edited.duplicates, edited.rejects, edited.lost) == (READ, STORED, DUPLICATES, 0, 0)


def edit(folder: Path, number: int, **cells: str) -> None:
    """Change cells of one record of the folder's first file and leave every other byte as it is; no cells: take it out."""
    path = min(folder.glob("*.csv"))
    lines = path.read_bytes().split(b"\r\n")
    header = next(csv.reader([lines[0].decode()]))
    record = dict(zip(header, next(csv.reader([lines[number].decode()]))))
    assert '"' not in lines[number].decode(), "take a record without quotes"
    lines[number : number + 1] = [",".join({**record, **cells}.values()).encode()] if cells else []
    path.write_bytes(b"\r\n".join(lines))


async def test_one_edit_is_one_row(manager: FixtureManager, one_file: Catalogue, state: State):
    async with manager:
        await manager.create_tenant("real_001")
        await load(manager, one_file.folder)

        async def written() -> dict[str, tuple[int, int]]:
            report = await load(manager, one_file.folder)
            assert (report.skipped, report.read, report.stored) == (False, len(one_file.records), len(one_file.first()))
            assert report.lost == report.rejects == 0
            return {table.table: (table.inserted, table.updated) for table in report.tables if table.written}

        edit(one_file.folder, 1, track="Another title")
        assert await written() == {"tracks": (0, 1)}
        edit(one_file.folder, 1, duration_ms="196708")
        assert await written() == {"tracks": (0, 1)}
        edit(one_file.folder, 1, energy="0.4711")
        assert await written() == {"audio_features": (0, 1)}
        # A name that is known leads elsewhere; one that is not makes an artist. The artist that the record had stays.
        edit(one_file.folder, 1, artist="Pretty Ricky")
        assert await written() == {"tracks": (0, 1)}
        edit(one_file.folder, 1, artist="Nobody has this name")
        assert await written() == {"artists": (1, 0), "tracks": (0, 1)}
        edit(one_file.folder, 1, target="0")
        assert await written() == {}
    row = state.rows(
        "SELECT t.title, t.duration_ms, f.energy, a.name"
        " FROM t_real_001.tracks t JOIN t_real_001.artists a USING (artist_id) JOIN t_real_001.audio_features f USING (track_id)"
        " WHERE track_id = '4GiXBCUF7H6YfNQsnBRIzl'"
    )
    assert row == [{"title": "Another title", "duration_ms": 196708, "energy": 0.4711, "name": "Nobody has this name"}]


async def test_duplicates_that_lose_and_records_that_come_and_go(manager: FixtureManager, one_file: Catalogue, state: State):
    records = [record for _, record in one_file.records]
    seen: set[str] = set()
    loser = next(number for number, record in enumerate(records, start=1) if record["uri"] in seen or seen.add(record["uri"]))
    stored = len(one_file.first())
    async with manager:
        await manager.create_tenant("real_001")
        await load(manager, one_file.folder)
        before = state.snapshot()

        edit(one_file.folder, loser, energy="0.123", track="A title that nobody sees")
        report = await load(manager, one_file.folder)
        assert (report.skipped, report.written, report.read, report.stored) == (False, 0, len(records), stored)
        assert report.conflicts == Catalogue(one_file.folder).conflicts()

        # What is not in the source any more stays: a load adds and mends, it does not take away.
        line = one_file.records[0][0].read_bytes().split(b"\r\n")[1].decode()
        edit(one_file.folder, 1)
        report = await load(manager, one_file.folder)
        assert (report.read, report.stored, report.written, report.lost) == (len(records) - 1, stored - 1, 0, 0)
        after = state.snapshot()
        assert {name for name in after if after[name] != before[name]} == {"tenancy.ledger"}

        with one_file.records[0][0].open("ab") as file:
            file.write(b"\r\n" + line.replace(records[0]["uri"], "spotify:track:" + "z" * 22).encode())
        report = await load(manager, one_file.folder)
        assert {table.table: (table.inserted, table.updated) for table in report.tables if table.written} == {
            "tracks": (1, 0),
            "audio_features": (1, 0),
        }
        assert (report.read, report.stored) == (len(records), stored)
