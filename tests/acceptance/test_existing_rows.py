"""What becomes of rows that are there: replaced, completed, filled or kept; in a table that has rows, and counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tenancy_fixtures import FixtureManager, Pack, Settings
from tests.acceptance.support import State

pytestmark = pytest.mark.anyio

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


def pack_of(folder: Path, existing: str) -> Pack:
    columns = {name: {"from": [name]} for name in ("id", "name", "note", "data")}
    target = {"table": "things", "key": ["id"], "columns": columns, "existing": existing}
    dataset = {"name": "things", "source": {"path": "none"}, "targets": [target]}
    (folder / "pack.json").write_text(json.dumps({"name": "things", "version": "1", "datasets": [dataset]}))
    (folder / "tenant_template.json").write_text('{"default_tier": "one", "tiers": {"one": {}}}')
    (folder / "config_template.json").write_text('{"defaults": {}}')
    (folder / "schema_template.sql").write_text('CREATE TABLE things (id int PRIMARY KEY, name text, note varchar(9), "data" jsonb);')
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
