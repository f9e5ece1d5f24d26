"""Values that a load finds in other tables: a source knows a row by an id of its own, and not by its key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tenancy_fixtures import DataLoader, FixtureManager, Pack, Settings
from tenancy_fixtures._fixture import Operation, run
from tenancy_fixtures.exceptions import DataRejected, PackInvalid
from tests.acceptance.support import State

pytestmark = pytest.mark.anyio
SHARED_TOO = "all"

SCRIPT = """
    CREATE TABLE shops (shop_id uuid PRIMARY KEY, code text);
    CREATE TABLE sales (sale_id int PRIMARY KEY, shop_id uuid REFERENCES shops);
    CREATE TABLE shelves (shop_id uuid NOT NULL REFERENCES shops, position int, PRIMARY KEY (shop_id, position));"""
SHOPS = {"table": "shops", "key": ["shop_id"], "columns": {"shop_id": {"from": ["id"]}, "code": {"from": ["code"]}}}
ONE, TWO = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"


def lookup(**facts: Any) -> dict:
    return {"from": ["shop"], "lookup": {"table": "shops", "by": "code", "value": "shop_id", **facts.pop("how", {})}, **facts}


def pack_of(folder: Path, **columns: dict) -> Pack:
    """Sales come before shops, by name and by declaration: only the lookup says what must be there first."""
    sales = {"table": "sales", "key": ["sale_id"], "columns": {"sale_id": {"from": ["id"]}, "shop_id": columns.get("sales", lookup(optional=True))}}
    shelves = {"table": "shelves", "key": ["shop_id", "position"]}
    shelves["columns"] = {"position": {"from": ["position"]}, "shop_id": columns.get("shelves", lookup(how={"missing": "leave_out"}))}
    datasets = [{"name": target["table"], "source": {"path": "none"}, "targets": [target]} for target in (sales, shelves, SHOPS)]
    (folder / "pack.json").write_text(json.dumps({"name": "shops", "version": "1", "datasets": datasets}))
    (folder / "tenant_template.json").write_text('{"default_tier": "one", "tiers": {"one": {}}}')
    (folder / "config_template.json").write_text('{"defaults": {}}')
    (folder / "schema_template.sql").write_text(SCRIPT)
    return Pack.from_folder(folder)


def sources(folder: Path, **records: list) -> dict[str, Path]:
    for name, items in records.items():
        (folder / f"{name}.json").write_text(json.dumps(items))
    return {name: folder / f"{name}.json" for name in records}


SALES = [{"id": 1, "shop": "a"}, {"id": 2, "shop": "b"}, {"id": 3, "shop": None}, {"id": 4, "shop": "c"}]
SHELVES = [{"shop": "a", "position": 1}, {"shop": "c", "position": 1}, {"shop": "a", "position": 2}, {"shop": "a", "position": 2}]
STORED = "SELECT sale_id, shop_id::text FROM t_acme.sales ORDER BY 1"


async def test_what_is_looked_up_is_there_or_told_and_tried_again(settings: Settings, state: State, tmp_path: Path):
    shops = [{"id": ONE, "code": "a"}, {"id": TWO, "code": "b"}]
    async with FixtureManager(settings, pack=pack_of(tmp_path)) as manager:
        await manager.create_tenant("acme")
        run = await manager.load_fixtures("acme", sources=sources(tmp_path, sales=SALES, shelves=SHELVES, shops=shops))
        sales, shelves = run.dataset("sales"), run.dataset("shelves")
        assert [tuple(row.values()) for row in state.rows(STORED)] == [(1, ONE), (2, TWO), (3, None), (4, None)]
        assert (sales.read, sales.stored, sales.unresolved, sales.left_out, sales.lost) == (4, 4, 1, 0, 0)
        assert sales.notes == ("no shop_id: 1 row of sales name a row of shops that is not there yet, by its code; load that one, and this again",)
        assert (shelves.read, shelves.stored, shelves.duplicates, shelves.unresolved, shelves.left_out, shelves.lost) == (4, 2, 1, 1, 1, 0)
        assert "left out: 1 row of shelves" in shelves.notes[0]
        shops.append({"id": "00000000-0000-0000-0000-000000000003", "code": "c"})
        run = await manager.load_fixtures("acme", sources=sources(tmp_path, sales=SALES, shelves=SHELVES, shops=shops))
        assert [(item.dataset, item.unresolved, item.skipped) for item in run.datasets] == [
            ("shops", 0, False),
            ("sales", 0, False),
            ("shelves", 0, False),
        ]
        assert state.rows(STORED)[3]["shop_id"] == shops[2]["id"]
        assert state.rows("SELECT count(*) AS count FROM t_acme.shelves") == [{"count": 3}]
        run = await manager.load_fixtures("acme", sources=sources(tmp_path, sales=SALES, shelves=SHELVES, shops=shops))
        assert all(item.skipped for item in run.datasets)


async def test_a_record_without_its_row_is_a_reject(settings: Settings, state: State, tmp_path: Path):
    pack = pack_of(tmp_path, sales=lookup())
    shops = [{"id": ONE, "code": "a"}]
    async with FixtureManager(settings, pack=pack) as manager:
        await manager.create_tenant("acme")
        with pytest.raises(DataRejected) as caught:
            await manager.load_fixtures("acme", sources=sources(tmp_path, sales=SALES, shops=shops))
        assert [(item.record, item.rule, item.column) for item in caught.value.rejects] == [(2, "lookup", "shop_id"), (4, "lookup", "shop_id")]
        assert state.rows(STORED) == []
        run = await manager.load_fixtures("acme", sources=sources(tmp_path, sales=SALES, shops=shops), on_error="reject")
        assert (run.dataset("sales").stored, run.dataset("sales").rejects) == (2, 2)


async def test_the_rows_of_a_dataset_are_found_when_they_are_to_go(settings: Settings, state: State, tmp_path: Path):
    async with FixtureManager(settings, pack=pack_of(tmp_path)) as manager:
        await manager.create_tenant("acme")
        files = sources(tmp_path, shelves=SHELVES, shops=[{"id": ONE, "code": "a"}])
        await manager.load_fixtures("acme", sources=files)
        operation = Operation("take_back", "acme", [DataLoader(sources={"shelves": files["shelves"]})], backwards=True)
        await run(await manager._runtime(), manager.pack, operation)
        assert state.rows("SELECT count(*) AS count FROM t_acme.shelves") == [{"count": 0}]


@pytest.mark.parametrize("how", [{"table": "none"}, {"by": "none"}, {"value": "none"}, {"value": "code"}])
async def test_a_lookup_that_cannot_be_is_an_error_of_the_pack(how: dict, settings: Settings, state: State, tmp_path: Path):
    pack = pack_of(tmp_path, sales=lookup(how=how))
    async with FixtureManager(settings, pack=pack) as manager:
        await manager.create_tenant("acme")
        with pytest.raises(PackInvalid, match=r"sales\.shop_id cannot be looked up"):
            await manager.load_fixtures("acme", sources=sources(tmp_path, sales=SALES))
        assert state.rows(STORED) == []
