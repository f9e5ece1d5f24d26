"""What becomes of rows that are there: replaced, completed, filled or kept; in a table that has rows, and counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tenancy_fixtures import FixtureManager, Pack, Settings
from tests.acceptance.support import State

pytestmark = pytest.mark.anyio
SHARED_TOO = "all"
# They count what is there of all tenants, or change the structure.
ALONE = ("test_a_default_that_is_no_constant_is_the_new_rows_own",)

BEFORE = [
    {"id": 1, "name": "one", "note": None, "data": {"a": 1}},
    {"id": 2, "name": None, "note": "n", "data": None},
    {"id": 3, "name": "three", "note": "x", "data": [1]},
]
AFTER = [
    {"id": 1, "name": None, "note": "new", "data": {"a": 2}},
    {"id": 2, "name": "two", "note": None, "data": None},
    {"id": 3, "name": "three", "note": "x"},
    {"id": 4, "name": "four"},
]
EXPECTED = {
    "replace": ([(1, None, "new", {"a": 2}), (2, "two", None, None), (3, "three", "x", None)], 3),
    "complete": ([(1, "one", "new", {"a": 2}), (2, "two", "n", None), (3, "three", "x", [1])], 2),
    "fill": ([(1, "one", "new", {"a": 1}), (2, "two", "n", None), (3, "three", "x", [1])], 2),
    "keep": ([(1, "one", None, {"a": 1}), (2, None, "n", None), (3, "three", "x", [1])], 0),
}


SCRIPT = 'CREATE TABLE things (id int PRIMARY KEY, name text, note varchar(9), "data" jsonb, flag boolean NOT NULL DEFAULT false);'
COLUMNS = {**{name: {"from": [name]} for name in ("id", "name", "note", "data")}, "flag": {"from": ["flag"], "optional": True}}


def pack_of(folder: Path, existing: str, *, script: str = SCRIPT, columns: dict = COLUMNS) -> Pack:
    target = {"table": "things", "key": ["id"], "columns": columns, "existing": existing}
    dataset = {"name": "things", "source": {"path": "none"}, "targets": [target]}
    (folder / "pack.json").write_text(json.dumps({"name": "things", "version": "1", "datasets": [dataset]}))
    (folder / "tenant_template.json").write_text('{"default_tier": "one", "tiers": {"one": {}}}')
    (folder / "config_template.json").write_text('{"defaults": {}}')
    (folder / "schema_template.sql").write_text(script)
    return Pack.from_folder(folder)


@pytest.mark.parametrize("existing", EXPECTED)
async def test_rows_that_are_there(existing: str, settings: Settings, state: State, tmp_path: Path):
    rows, updated = EXPECTED[existing]
    async with FixtureManager(settings, pack=pack_of(tmp_path, existing)) as manager:
        await manager.create_tenant("acme")
        for number, records in enumerate((BEFORE, AFTER)):
            (tmp_path / f"{number}.json").write_text(json.dumps(records))
            report = (await manager.load_fixtures("acme", sources={"things": tmp_path / f"{number}.json"})).dataset("things")
        found = [tuple(row.values()) for row in state.rows("SELECT id, name, note, data FROM t_acme.things ORDER BY id")]
        assert found == [*rows, (4, "four", None, None)]
        (table,) = report.tables
        assert (table.inserted, table.updated, table.unchanged) == (1, updated, 3 - updated)
        assert (report.read, report.stored, report.duplicates, report.lost) == (4, 4, 0, 0)


PARTS = [
    {"id": 1, "name": None, "note": "first"},
    {"id": 1, "name": "one", "note": None, "flag": True},
    {"id": 1, "name": "other", "note": "second", "flag": False},
    {"id": 2, "name": "two", "note": None, "flag": None},
    {"id": 2, "name": "two", "note": None, "flag": None},
    {"id": 3, "name": "three", "note": "alone", "flag": None},
]


@pytest.mark.parametrize("existing", ["complete", "fill"])
async def test_records_with_one_key_complete_each_other_in_one_load(existing: str, settings: Settings, state: State, tmp_path: Path):
    """The first is kept and gets what it lacks; only what is said otherwise is a conflict. Null stands for no default that it overwrites."""
    pack = pack_of(tmp_path, existing)
    (tmp_path / "parts.json").write_text(json.dumps(PARTS))
    (tmp_path / "again.json").write_text(json.dumps([{"id": 1, "flag": None}, {"id": 2, "note": "late", "flag": None}]))
    async with FixtureManager(settings, pack=pack) as manager:
        await manager.create_tenant("acme")
        report = (await manager.load_fixtures("acme", sources={"things": tmp_path / "parts.json"})).dataset("things")
        assert (report.read, report.stored, report.duplicates, report.conflicts) == (6, 3, 3, 1)
        expected = [(1, "one", "first", True), (2, "two", None, False), (3, "three", "alone", False)]
        assert [tuple(row.values()) for row in state.rows("SELECT id, name, note, flag FROM t_acme.things ORDER BY id")] == expected
        await manager.load_fixtures("acme", sources={"things": tmp_path / "again.json"})
        expected[1] = (2, "two", "late", False)
        assert [tuple(row.values()) for row in state.rows("SELECT id, name, note, flag FROM t_acme.things ORDER BY id")] == expected


async def test_a_default_that_is_no_constant_is_the_new_rows_own(settings: Settings, state: State, tmp_path: Path):
    script = """
        CREATE SEQUENCE numbers START 7;
        CREATE FUNCTION label() RETURNS text LANGUAGE sql AS $$ SELECT 'made' $$;
        CREATE TABLE things (id int PRIMARY KEY, number bigint NOT NULL DEFAULT nextval('numbers'), tags text[] NOT NULL DEFAULT '{a,b}',
                             label text NOT NULL DEFAULT label());"""
    columns = {"id": {"from": ["id"]}, **{name: {"from": [name], "optional": True} for name in ("number", "tags", "label")}}
    pack = pack_of(tmp_path, "complete", script=script, columns=columns)
    records = [{"id": 1, "number": None, "tags": None, "label": None}, {"id": 1, "tags": ["x"]}, {"id": 2, "number": 3, "label": "own"}]
    (tmp_path / "things.json").write_text(json.dumps(records))
    async with FixtureManager(settings, pack=pack) as manager:
        await manager.create_tenant("acme")
        await manager.load_fixtures("acme", sources={"things": tmp_path / "things.json"})
    found = [tuple(row.values()) for row in state.rows("SELECT id, number, tags, label FROM t_acme.things ORDER BY id")]
    assert found == [(1, 7, ["x"], "made"), (2, 3, ["a", "b"], "own")]


@pytest.mark.parametrize("existing", ["complete", "fill"])
async def test_derived_rows_complete_each_other_too(existing: str, settings: Settings, state: State, tmp_path: Path):
    script = "CREATE TABLE makers (name text PRIMARY KEY, code text, tags text[]); CREATE TABLE things (id int PRIMARY KEY, maker text);"
    columns = {"id": {"from": ["id"]}, "maker": {"from": ["maker"]}}
    pack_of(tmp_path, "replace", script=script, columns=columns)
    maker = {"name": {"from": ["maker"]}, "code": {"from": ["code"], "optional": True}, "tags": {"from": ["tags"], "optional": True}}
    derived = {"table": "makers", "key": ["name"], "derived": True, "existing": existing, "columns": maker}
    dataset = {"name": "things", "source": {"path": "none"}, "targets": [derived, {"table": "things", "key": ["id"], "columns": columns}]}
    (tmp_path / "pack.json").write_text(json.dumps({"name": "things", "version": "1", "datasets": [dataset]}))
    pack = Pack.from_folder(tmp_path)
    records = [
        {"id": 1, "maker": "a"},
        {"id": 2, "maker": "a", "code": "x"},
        {"id": 3, "maker": "a", "code": "y"},
        {"id": 4, "maker": "a", "tags": ["t"]},
    ]
    (tmp_path / "things.json").write_text(json.dumps(records))
    async with FixtureManager(settings, pack=pack) as manager:
        await manager.create_tenant("acme")
        await manager.load_fixtures("acme", sources={"things": tmp_path / "things.json"})
    assert state.rows("SELECT name, code, tags FROM t_acme.makers") == [{"name": "a", "code": "x", "tags": ["t"]}]
