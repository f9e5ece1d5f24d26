"""Tables that refer to each other, and to themselves: loaded together, whatever the order of the datasets and their rows."""

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
CREATE TABLE teams (team text PRIMARY KEY, lead text, parent text REFERENCES teams);
CREATE TABLE people (person text PRIMARY KEY, team text NOT NULL REFERENCES teams, mentor text REFERENCES people);
ALTER TABLE teams ADD CONSTRAINT led_by FOREIGN KEY (lead) REFERENCES people{how};
"""


def dataset(name: str, *columns: str) -> dict[str, object]:
    target = {"table": name, "key": [columns[0]], "columns": {column: {"from": [column]} for column in columns}}
    return {"name": name, "source": {"path": f"data/{name}.csv"}, "targets": [target]}


@pytest.fixture(params=["", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED"])
def pack(request: pytest.FixtureRequest, tmp_path: Path) -> Pack:
    (tmp_path / "data").mkdir()
    datasets = [dataset("people", "person", "team", "mentor"), dataset("teams", "team", "lead", "parent")]
    (tmp_path / "pack.json").write_text(json.dumps({"name": "circle", "version": "1", "datasets": datasets}))
    (tmp_path / "tenant_template.json").write_text('{"default_tier": "one", "tiers": {"one": {}}}')
    (tmp_path / "config_template.json").write_text('{"defaults": {}}')
    (tmp_path / "schema_template.sql").write_text(SCHEMA.format(how=request.param))
    return Pack.from_folder(tmp_path)


def write(pack: Pack, people: str, teams: str) -> None:
    (pack.folder / "data/people.csv").write_text("person,team,mentor\n" + people)
    (pack.folder / "data/teams.csv").write_text("team,lead,parent\n" + teams)


async def test_a_circle_is_loaded_and_loaded_again(pack: Pack, settings, state: State):
    write(pack, "ann,red,ben\nben,blue,ann\n", "red,ben,blue\nblue,ann,\n")
    async with FixtureManager(settings, pack=pack) as manager:
        await manager.create_tenant("acme")
        before = state.rows("SELECT conname, pg_get_constraintdef(oid) AS text, condeferrable FROM pg_constraint WHERE contype = 'f' ORDER BY 1")
        assert (await manager.load_fixtures("acme")).written == 4
        # Rows that refer to each other, into tables that have rows.
        write(pack, "ann,red,ben\nben,green,cid\ncid,green,ben\n", "red,ben,green\nblue,ann,\ngreen,cid,blue\n")
        report = await manager.load_fixtures("acme")
        assert {item.dataset: [(table.inserted, table.updated) for table in item.tables] for item in report.datasets} == {
            "people": [(1, 1)],
            "teams": [(1, 1)],
        }
        after = state.rows("SELECT conname, pg_get_constraintdef(oid) AS text, condeferrable FROM pg_constraint WHERE contype = 'f' ORDER BY 1")
        assert after == before
        assert (await manager.validate("acme")).ok


async def test_a_pack_with_a_circle_is_looked_over(pack: Pack, settings, state: State):
    """Tables and rows come about in one transaction there."""
    write(pack, "ann,red,ben\nben,blue,ann\n", "red,ben,blue\nblue,ann,\n")
    async with FixtureManager(settings, pack=pack) as manager:
        report = await manager.validate_pack()
        assert report.ok, report.findings


async def test_a_fault_in_a_circle_is_named(pack: Pack, settings, state: State):
    write(pack, "ann,red,\nben,blue,nobody\ncid,red,\n", "red,ann,\nblue,ben,\n")
    async with FixtureManager(settings, pack=pack) as manager:
        await manager.create_tenant("acme")
        with failing(state, errors.DataRejected) as found:
            await manager.load_fixtures("acme")
        # The second team is led by the person who cannot be loaded.
        assert {(item.source, item.record, item.column, item.rule) for item in found[0].rejects} == {
            ("people.csv", 2, "mentor", "reference"),
            ("teams.csv", 2, "lead", "reference"),
        }
        report = await manager.load_fixtures("acme", on_error="reject")
        assert {item.dataset: (item.read, item.stored, item.rejects) for item in report.datasets} == {"people": (3, 2, 1), "teams": (2, 1, 1)}
        assert (await manager.validate("acme")).ok
