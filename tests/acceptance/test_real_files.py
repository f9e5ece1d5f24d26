"""Real files that none of us wrote, through declarations of datasets: every record accounted for, every reject explained.

What is expected was counted from the files by other means than this library's readers, before anything was loaded.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tenancy_fixtures import FixtureManager, Pack, Settings
from tests.acceptance.support import State

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class RealFile:
    """A file, its table and dataset, and what becomes of its records: (source record, column, rule) for each reject."""

    path: str
    read: int
    key: tuple[str, ...]
    types: dict[str, str] = field(default_factory=dict)
    duplicates: int = 0
    rejects: tuple[tuple[int, str, str], ...] = ()
    source: dict[str, Any] = field(default_factory=dict)
    mapping: dict[str, dict[str, Any]] = field(default_factory=dict)
    encoding: str = "utf-8-sig"
    delimiter: str = ","

    def header(self, folder: Path) -> list[str]:
        path = folder / self.path
        with path.open(encoding=self.encoding, newline="") as file:
            return next(csv.reader(file, delimiter=self.delimiter))


NUMBERS = dict.fromkeys(("artist_count", "bpm", "in_spotify_playlists", "in_spotify_charts"), "integer")
FILES = {
    # In record 575 the cell for streams holds the names and values of other columns; four songs are there twice.
    "latin1 with thousands": RealFile(
        "csv_spotify_2023_latin1/spotify-2023.csv",
        953,
        ("track_name", "artist_name"),
        {**NUMBERS, "streams": "bigint", "released_year": "smallint", "released_month": "smallint", "released_day": "smallint"},
        duplicates=4,
        rejects=((575, "streams", "type"),),
        encoding="latin-1",
    ),
    "a mark, and the same cell": RealFile(
        "csv_spotify_2023/spotify-2023.csv",
        856,
        ("track", "artist"),
        {**NUMBERS, "streams": "bigint"},
        duplicates=4,
        rejects=((517, "streams", "type"),),
    ),
    # Six columns in the header and up to thirteen cells: the tags of a recording.
    "ragged tags": RealFile(
        "tsv_mtg_jamendo/autotagging_moodtheme.tsv", 18_486, ("TRACK_ID",), {"DURATION": "real"}, source={"ragged": "join"}, delimiter="\t"
    ),
    "events": RealFile("events_dbt_snowplow/event/sp_event.csv", 6, ("event_id",), {"collector_tstamp": "timestamptz"}),
    "events, changed": RealFile("events_dbt_snowplow/event/sp_event_update.csv", 3, ("event_id",)),
    "page views": RealFile("events_dbt_snowplow/expected/snowplow_page_views_expected.csv", 7, ("page_view_id",)),
    "sessions": RealFile("events_dbt_snowplow/expected/snowplow_sessions_expected.csv", 5, ("session_id",)),
    "pages": RealFile("events_dbt_snowplow/web_page/sp_web_page.csv", 6, ("root_id",)),
    "pages, changed": RealFile("events_dbt_snowplow/web_page/sp_web_page_update.csv", 3, ("root_id",)),
    "models": RealFile("ai_open_clip/docs/model_profile.csv", 85, ("model",), {"mparams": "double precision"}),
    "results of 43 columns": RealFile("ai_open_clip/docs/openclip_results.csv", 121, ("name", "pretrained")),
    "results of 40 columns": RealFile("ai_open_clip/docs/openclip_classification_results.csv", 121, ("name", "pretrained")),
    "results of 24 columns": RealFile("ai_open_clip/docs/openclip_retrieval_results.csv", 121, ("name", "pretrained")),
    "results of 297 columns": RealFile("ai_open_clip/docs/openclip_multilingual_retrieval_results.csv", 123, ("model", "version")),
}


def pack_of(file: RealFile, real: Path, folder: Path) -> Pack:
    header = file.header(real)
    names = {name: f"c{number}" for number, name in enumerate(header)}
    columns = {names[name]: {"from": [name], **file.mapping.get(name, {})} for name in header}
    target = {"table": "things", "key": [names[name] for name in file.key], "columns": columns}
    dataset = {"name": "things", "source": {"path": "none", **file.source}, "targets": [target], "on_error": "reject"}
    declared = [f"{names[name]} {file.types.get(name, 'text')}" for name in header]
    key = ", ".join(names[name] for name in file.key)
    (folder / "pack.json").write_text(json.dumps({"name": "real", "version": "1", "datasets": [dataset]}))
    (folder / "tenant_template.json").write_text('{"default_tier": "one", "tiers": {"one": {}}}')
    (folder / "config_template.json").write_text('{"defaults": {}}')
    (folder / "schema_template.sql").write_text(f"CREATE TABLE things ({', '.join(declared)}, PRIMARY KEY ({key}));")
    return Pack.from_folder(folder)


@pytest.mark.parametrize("name", FILES)
async def test_every_record_is_accounted_for(name: str, real_data: Path, settings: Settings, state: State, tmp_path: Path):
    file = FILES[name]
    pack = pack_of(file, real_data, tmp_path)
    async with FixtureManager(settings, pack=pack) as manager:
        await manager.create_tenant("acme")
        report = (await manager.load_fixtures("acme", sources={"things": real_data / file.path})).dataset("things")
        stored = file.read - file.duplicates - len(file.rejects)
        assert (report.read, report.stored, report.duplicates, report.rejects, report.lost) == (
            file.read,
            stored,
            file.duplicates,
            len(file.rejects),
            0,
        )
        assert [(reject.record, reject.column, reject.rule) for reject in report.listed_rejects] == list(file.rejects)
        assert state.value("SELECT count(*) FROM t_acme.things") == stored
        again = await manager.load_fixtures("acme", sources={"things": real_data / file.path})
        assert (again.dataset("things").skipped, again.written) == (True, 0)


async def test_an_update_of_events_meets_the_rows_that_are_there(real_data: Path, settings: Settings, state: State, tmp_path: Path):
    """Six events, then three: those that are known are updated, the others come on top."""
    base, update = FILES["events"], FILES["events, changed"]
    before, after = ({row["event_id"] for row in rows_of(real_data / file.path)} for file in (base, update))
    async with FixtureManager(settings, pack=pack_of(base, real_data, tmp_path)) as manager:
        await manager.create_tenant("acme")
        await manager.load_fixtures("acme", sources={"things": real_data / base.path})
        report = (await manager.load_fixtures("acme", sources={"things": real_data / update.path})).dataset("things")
        (table,) = report.tables
        assert (table.inserted, table.updated + table.unchanged) == (len(after - before), len(after & before))
        assert state.value("SELECT count(*) FROM t_acme.things") == len(before | after)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))
