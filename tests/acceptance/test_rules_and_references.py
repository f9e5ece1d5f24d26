"""Rules that look beyond a record: references that no foreign key checks, unique values, conditions; and derived values, stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tenancy_fixtures import FixtureManager, Pack
from tenancy_fixtures import exceptions as errors
from tests.acceptance.support import State, failing

pytestmark = pytest.mark.anyio
SHARED_TOO = "all"

SCHEMA = """
CREATE TABLE labels (label text PRIMARY KEY, country text);
CREATE TABLE albums (
    album int PRIMARY KEY, title text NOT NULL, label text, code text, first date, last date, tags text[], plays bigint, line int, file text
);
"""


def copied(*columns: str) -> dict[str, object]:
    return {column: {"from": [column]} for column in columns}


ALBUMS = {
    **copied("album", "title", "label", "code"),
    "first": {"join": {"columns": ["year", "month", "day"], "separator": "-"}, "steps": [{"format": "%Y-%m-%d"}]},
    "last": {"from": ["last"], "steps": ["first_day"]},
    "tags": {"from": ["tags"], "steps": [{"split": "|"}]},
    "plays": {"from": ["plays"], "steps": [{"number": {"thousands": ","}}, {"default": 0}]},
    "line": {"provenance": "record"},
    "file": {"provenance": "source"},
}
RULES = [
    {"rule": "references", "column": "label", "references": {"table": "labels", "columns": ["label"]}},
    {"rule": "unique", "column": "code"},
    {"rule": "expression", "expression": "first <= last"},
]


def write_pack(folder: Path, rules: list[dict[str, object]]) -> Pack:
    (folder / "data").mkdir(exist_ok=True)
    # Albums come first by name: it is the rule that makes them wait for the labels.
    albums = {"table": "albums", "key": ["album"], "columns": ALBUMS, "rules": rules}
    labels = {"table": "labels", "key": ["label"], "columns": copied("label", "country")}
    datasets = [
        {"name": target["table"], "source": {"path": f"data/{target['table']}.csv", "delimiter": ";"}, "targets": [target]}
        for target in (albums, labels)
    ]
    (folder / "pack.json").write_text(json.dumps({"name": "music", "version": "1", "datasets": datasets}))
    (folder / "tenant_template.json").write_text('{"default_tier": "one", "tiers": {"one": {}}}')
    (folder / "config_template.json").write_text('{"defaults": {}}')
    (folder / "schema_template.sql").write_text(SCHEMA)
    return Pack.from_folder(folder)


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    pack = write_pack(tmp_path, RULES)
    rows = [
        "1;One;ECM;a;2001;2;3;2002;jazz|x y;1,281",
        "2;Two;Blue;b;2001;12;31;2001-12-31;;",
        "3;Three;none;c;2001;2;3;2002;;1",
        "4;Four;ECM;a;2001;2;3;2002;;1",
        "5;Five;;;2001;2;3;2000;;1",
        "6;Six;;;2001;2;30;2002;;1",
        "7;Seven;;;2001;2;3;2002;;1,28",
        "8;Eight;nobody;;2001;2;3;2002;;7",
    ]
    (tmp_path / "data/albums.csv").write_text("album;title;label;code;year;month;day;last;tags;plays\n" + "\n".join(rows) + "\n")
    (tmp_path / "data/labels.csv").write_text("label;country\nECM;DE\nBlue;US\n")
    return pack


async def test_rules_beyond_a_record(pack: Pack, settings, state: State):
    async with FixtureManager(settings, pack=pack) as manager:
        await manager.create_tenant("acme")
        with failing(state, errors.DataRejected) as found:
            await manager.load_fixtures("acme")
        assert {(item.record, item.column, item.rule) for item in found[0].rejects} == {
            (3, "label", "reference"),
            (4, "code", "unique"),
            (5, "year, month, day, last", "expression"),
            (6, "year, month, day", "format"),
            (7, "plays", "number"),
            (8, "label", "reference"),
        }
        report = await manager.load_fixtures("acme", on_error="reject")
        assert {item.dataset: (item.read, item.stored, item.rejects) for item in report.datasets} == {"albums": (8, 2, 6), "labels": (2, 2, 0)}
        stored = state.rows("SELECT album, first::text, last::text, tags, plays, line, file FROM t_acme.albums ORDER BY 1")
        assert [tuple(row.values()) for row in stored] == [
            (1, "2001-02-03", "2002-01-01", ["jazz", "x y"], 1281, 1, "albums.csv"),
            (2, "2001-12-31", "2001-12-31", None, 0, 2, "albums.csv"),
        ]
        # Into tables that have rows, the same is asked of the same records.
        (pack.folder / "data/albums.csv").write_text(
            "album;title;label;code;year;month;day;last;tags;plays\n2;Two;Red;b;2001;12;31;2002;;\n9;Nine;ECM;i;2001;1;1;2002;;\n"
        )
        with failing(state, errors.DataRejected) as found:
            await manager.load_fixtures("acme", datasets=["albums"])
        assert [(item.record, item.column, item.rule) for item in found[0].rejects] == [(1, "label", "reference")]


@pytest.mark.parametrize(
    ("table", "column", "own"),
    [("nowhere", "label", "label"), ("labels", "nothing", "label"), ("labels", "label", "album"), ("albums", "first", "code")],
)
async def test_a_reference_that_cannot_be(tmp_path: Path, settings, state: State, table: str, column: str, own: str):
    pack = write_pack(tmp_path, [{"rule": "references", "column": own, "references": {"table": table, "columns": [column]}}])
    async with FixtureManager(settings, pack=pack) as manager:
        await manager.create_tenant("acme")
        with failing(state, errors.PackInvalid) as found:
            await manager.load_fixtures("acme")
        assert f"albums.{own} cannot refer to {table}.{column}" in str(found[0])
