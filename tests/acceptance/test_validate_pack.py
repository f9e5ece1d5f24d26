"""A pack's own checks can read its tenant's tables and nothing else; ``validate_pack`` sees what is wrong with templates and datasets."""

from __future__ import annotations

from typing import Any

import pytest

from tenancy_fixtures import FixtureManager, Settings
from tenancy_fixtures import exceptions as errors
from tests.acceptance.support import PackFolder, State

pytestmark = pytest.mark.anyio

SCRIPT = "CREATE TABLE things (thing_id integer PRIMARY KEY, size integer); CREATE TABLE others (thing_id integer NOT NULL)"


def check(query: str, **facts: Any) -> dict[str, Any]:
    return {"name": "the-check", "query": query, **facts}


async def found_by(settings: Settings, pack: PackFolder, state: State, query: str, **facts: Any) -> list[tuple[str, str, int, tuple[str, ...]]]:
    """What a check finds among three things, one of them large, of the first of two tenants."""
    state.clear()
    pack.reduce(SCRIPT)
    pack.manifest(checks=[check(query, **facts)])
    async with FixtureManager(settings, pack=pack.pack()) as manager:
        for name in ("acme", "globex"):
            await manager.create_tenant(name)
            state.run(f"INSERT INTO t_{name}.things VALUES (1, 5), (2, 7), (3, 900)")
        before = state.snapshot()
        report = await manager.validate("acme", keys=True)
        assert state.snapshot() == before
    return [(item.severity, item.message, item.count, item.keys) for item in report.findings if item.rule == "check"]


async def test_a_check_names_the_rows(settings: Settings, spoilt: PackFolder, state: State):
    query = "SELECT thing_id, 'x' AS kind FROM things WHERE size > 6 ORDER BY thing_id -- large ones"
    found = await found_by(settings, spoilt, state, query, description="is too large", severity="warning")
    assert found == [("warning", "is too large", 2, ("2, x", "3, x"))]
    assert await found_by(settings, spoilt, state, "SELECT thing_id FROM things WHERE size < 0") == []


@pytest.mark.parametrize(
    "query",
    [
        "SELECT thing_id FROM t_globex.things",
        "SELECT tenant_id FROM tenancy.tenants",
        "SELECT set_config('role', 'tenancy_test_migrator', true)",
        "SELECT 1) AS a) AS b) AS c), true); DELETE FROM things; SELECT ((((1",
        "SELECT nextval('t_globex.no_sequence')",
        "SELECT * FROM nothing",
        "SELECT FROM (",
    ],
)
async def test_a_check_reaches_nothing_else(settings: Settings, spoilt: PackFolder, state: State, query: str):
    [(severity, message, _, keys)] = await found_by(settings, spoilt, state, query)
    assert (severity, message.startswith("cannot be asked: "), keys) == ("error", True, ())


async def test_a_check_that_never_ends(settings: Settings, spoilt: PackFolder, state: State, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tenancy_fixtures._integrity.rules.CHECK_SECONDS", 0.3)
    [(severity, message, *_)] = await found_by(settings, spoilt, state, "SELECT pg_sleep(100)")
    assert (severity, "57014" in message) == ("error", True)


@pytest.mark.parametrize(
    ("checks", "place"),
    [
        ([check("SELECT 1;")], "/checks/0/query"),
        ([check("")], "/checks/0/query"),
        ([check("SELECT 1", severity="bad")], "/checks/0/severity"),
        ([check("SELECT 1"), check("SELECT 2")], "/"),
        ([{**check("SELECT 1"), "name": "A b"}], "/checks/0/name"),
    ],
)
def test_checks_that_are_none(spoilt: PackFolder, checks: list[dict[str, Any]], place: str):
    spoilt.manifest(checks=checks)
    with pytest.raises(errors.PackInvalid) as raised:
        spoilt.pack()
    assert raised.value.facts["pointer"] == place


async def findings_of(settings: Settings, pack: PackFolder) -> set[tuple[str, str, str]]:
    async with FixtureManager(settings, pack=pack.pack()) as manager:
        return {(item.rule, item.severity, item.object) for item in (await manager.validate_pack()).findings}


async def test_templates_that_do_not_agree(settings: Settings, spoilt: PackFolder, state: State):
    spoilt.reduce(SCRIPT)
    before = state.snapshot()
    spoilt.manifest(checks=[check("SELECT oops FROM things")], extensions=["no_such_extension"], shared_schemas=["no_such_schema"])
    spoilt.write("tenant_template.json", '{"default_tier": "a", "tiers": {"a": {"features": ["x", "x"]}}}')
    spoilt.write("config_template.json", '{"defaults": {"n": 1, "deep": {"t": "x"}}, "tiers": {"a": {"n": 2.5, "deep": {"t": 3}}, "b": {}}}')
    assert await findings_of(settings, spoilt) == {
        ("check", "error", "the-check"),
        ("extension", "error", "no_such_extension"),
        ("shared_schema", "warning", "no_such_schema"),
        ("feature", "warning", "a: x"),
        ("config", "warning", "a: deep.t"),
        ("tier", "error", "b"),
    }
    assert state.snapshot() == before


async def test_a_template_that_was_broken_since(settings: Settings, spoilt: PackFolder, state: State):
    spoilt.reduce(SCRIPT)
    pack = spoilt.pack()
    spoilt.write("config_template.json", "{")
    async with FixtureManager(settings, pack=pack) as manager:
        [finding] = (await manager.validate_pack()).findings
    assert (finding.rule, "config_template.json" in finding.message) == ("template", True)


async def test_revisions_that_cannot_follow_each_other(settings: Settings, spoilt: PackFolder, state: State):
    spoilt.reduce(SCRIPT)
    spoilt.write("migrations/0001_first.sql", SCRIPT)
    spoilt.write("migrations/0002_second.sql", "ALTER TABLE nothing ADD COLUMN a integer")
    assert await findings_of(settings, spoilt) == {("revisions", "error", "0002_second.sql")}


async def test_a_dataset_that_every_record_would_break(settings: Settings, spoilt: PackFolder, state: State):
    spoilt.reduce("CREATE TABLE things (thing_id integer PRIMARY KEY, name text NOT NULL); CREATE TABLE others (other_id text PRIMARY KEY)")
    target = {"table": "things", "key": ["thing_id"], "columns": {"thing_id": {"from": ["id"]}}}
    rule = {"rule": "references", "column": "thing_id", "references": {"table": "others", "columns": ["other_id"]}}
    spoilt.manifest(datasets=[{"name": "things", "source": {"path": "data/things.csv"}, "targets": [{**target, "rules": [rule]}]}])
    spoilt.write("data/things.csv", "id\n1\n")
    assert await findings_of(settings, spoilt) == {("column", "error", "things → things.name"), ("references", "error", "things → things.thing_id")}


async def test_records_that_only_the_tables_refuse(settings: Settings, spoilt: PackFolder, state: State):
    spoilt.reduce(
        "CREATE TABLE things (thing_id integer PRIMARY KEY, size integer CONSTRAINT small CHECK (size < 100));"
        "CREATE TABLE parts (part_id integer PRIMARY KEY, thing_id integer REFERENCES things)"
    )
    spoilt.manifest(datasets=[dataset("parts", "part_id", "thing_id"), dataset("things", "thing_id", "size")])
    spoilt.write("data/things.csv", "thing_id,size\n1,5\n2,500\n3,600\n")
    spoilt.write("data/parts.csv", "part_id,thing_id\n1,1\n2,9\n")
    before = state.snapshot()
    async with FixtureManager(settings, pack=spoilt.pack()) as manager:
        report = await manager.validate_pack()
    assert {(item.severity, item.object, item.count) for item in report.findings} == {("error", "things", 2), ("error", "parts.thing_id", 1)}
    assert not any("500" in item.message or "600" in item.message for item in report.findings)
    assert state.snapshot() == before
    spoilt.write("data/things.csv", "thing_id,size\n1,5\n9,50\n")
    assert await findings_of(settings, spoilt) == set()
    assert state.snapshot() == before


def dataset(name: str, key: str, other: str) -> dict[str, Any]:
    target = {"table": name, "key": [key], "columns": {column: {"from": [column]} for column in (key, other)}}
    return {"name": name, "source": {"path": f"data/{name}.csv"}, "targets": [target]}
