"""Tiers, overrides and versions of a tenant's configuration; applying is a desired state."""

from __future__ import annotations

import asyncio
import json

import pytest

from tenancy_fixtures import ConfigFixture, FixtureManager, Settings, TenantFixture
from tenancy_fixtures import exceptions as errors
from tenancy_fixtures.packs import DEFAULT_FOLDER
from tests.acceptance.support import PackFolder, State, failing

pytestmark = pytest.mark.anyio
SHARED_TOO = "all"
APART_TOO = True
# They count what is there of all tenants, or change the structure.
ALONE = (
    "test_a_key_stands_for_one_creation",
    "test_dropping_takes_everything_but_the_trace",
    "test_every_version_is_kept",
    "test_many_at_once_make_one",
)

TENANT = json.loads((DEFAULT_FOLDER / "tenant_template.json").read_text())
CONFIG = json.loads((DEFAULT_FOLDER / "config_template.json").read_text())


def merged(base: dict, over: dict) -> dict:
    return {
        **base,
        **{key: merged(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value for key, value in over.items()},
    }


@pytest.mark.parametrize("tier", [None, *TENANT["tiers"]])
async def test_what_a_tier_gives(manager: FixtureManager, state: State, tier: str | None):
    async with manager:
        tenant = await manager.create_tenant("acme", tier=tier)
        config = await manager.get_config("acme")
    name = tier or "standard"
    assert tenant.tier == name
    assert tenant.features == tuple(sorted(TENANT["tiers"][name]["features"]))
    assert config == merged(CONFIG["defaults"], CONFIG["tiers"][name])
    assert set(tenant.limits) == set(TENANT["tiers"][name]["limits"])
    assert tenant.limits["api_calls"] == {"value": TENANT["tiers"][name]["limits"]["api_calls"], "period": "month"}
    assert tenant.limits["storage"]["unit"] == "bytes"


async def test_overrides_lie_over_the_tier(manager: FixtureManager, state: State):
    async with manager:
        tenant = await manager.create_tenant(
            "acme",
            tier="premium",
            features=["beta"],
            limits={"seats": 7, "storage": "1GiB", "exports": "10k/day"},
            labels={"region": "eu"},
            config={"ai": {"temperature": 0.1}, "own": {"a": [1, 2]}},
        )
        config = await manager.get_config("acme")
    assert tenant.features == tuple(sorted([*TENANT["tiers"]["premium"]["features"], "beta"]))
    assert tenant.limits["seats"] == {"value": 7}
    assert tenant.limits["storage"] == {"value": 2**30, "unit": "bytes"}
    assert tenant.limits["exports"] == {"value": 10_000, "period": "day"}
    assert tenant.limits["workspaces"] == {"value": 25}
    assert tenant.labels == {"region": "eu"}
    assert config == merged(merged(CONFIG["defaults"], CONFIG["tiers"]["premium"]), {"ai": {"temperature": 0.1}, "own": {"a": [1, 2]}})


async def test_every_version_is_kept(acme: FixtureManager, state: State):
    for value in (0.1, 0.1, 0.2):
        await acme.apply(ConfigFixture({"ai": {"temperature": value}}), tenant_id="acme")
    await acme.apply(ConfigFixture(), tenant_id="acme")
    versions = state.rows("SELECT version, value -> 'ai' ->> 'temperature' AS temperature FROM tenancy.config ORDER BY version")
    assert versions == [{"version": 1, "temperature": "0.7"}, {"version": 2, "temperature": "0.1"}, {"version": 3, "temperature": "0.2"}]
    assert (await acme.get_config("acme"))["ai"]["temperature"] == 0.2
    changes = state.rows("SELECT detail FROM tenancy.audit_log WHERE action = 'config:set' ORDER BY entry")
    assert [row["detail"]["version"] for row in changes] == [1, 2, 3]
    assert changes[-1]["detail"]["changed"] == ["ai"]


async def test_applying_twice_changes_nothing(manager: FixtureManager, state: State):
    fixtures = (TenantFixture("acme", tier="premium", features=["beta"], limits={"seats": 7}), ConfigFixture({"own": 1}))
    async with manager:
        await manager.create_tenant("acme", tier="premium")
        first = await manager.apply(*fixtures, tenant_id="acme")
        before = state.snapshot()
        second = await manager.apply(*fixtures, tenant_id="acme")
    assert [(step.fixture, step.action) for step in first.steps] == [("tenant", "update"), ("config", "update")]
    assert second.steps == ()
    assert state.snapshot() == before


async def test_a_tier_brings_its_features_and_limits(acme: FixtureManager, state: State):
    await acme.apply(TenantFixture("acme", tier="enterprise"), tenant_id="acme")
    tenant = await acme.get_tenant("acme")
    assert tenant.features == tuple(sorted(TENANT["tiers"]["enterprise"]["features"]))
    assert tenant.limits["seats"] == {"value": 5000}
    await acme.apply(TenantFixture("acme", tier="free", features=["beta"]), tenant_id="acme")
    tenant = await acme.get_tenant("acme")
    assert tenant.features == ("basic_recommendations", "beta")
    assert tenant.limits["seats"] == {"value": 1}


async def test_features_that_are_given_are_the_ones_beside_the_tiers(acme: FixtureManager, state: State):
    await acme.apply(TenantFixture("acme", features=["one", "two"]), tenant_id="acme")
    await acme.apply(TenantFixture("acme", labels={"a": "b"}), tenant_id="acme")
    assert {"one", "two"} <= set((await acme.get_tenant("acme")).features)
    await acme.apply(TenantFixture("acme", features=["two"]), tenant_id="acme")
    assert (await acme.get_tenant("acme")).features == tuple(sorted([*TENANT["tiers"]["standard"]["features"], "two"]))


async def test_one_that_exists(manager: FixtureManager, state: State):
    async with manager:
        tenant = await manager.create_tenant("acme", tier="premium", labels={"a": "b"}, config={"own": 1})
        with failing(state, errors.TenantExists):
            await manager.create_tenant("acme")
        before = state.snapshot()
        assert await manager.create_tenant("acme", exist_ok=True) == tenant
        assert state.snapshot() == before
        assert (state.last_run()["state"], state.last_run()["report"]["steps"]) == ("succeeded", [])


async def test_many_at_once_make_one(manager: FixtureManager, state: State):
    async with manager:
        made = await asyncio.gather(*(manager.create_tenant("acme") for _ in range(5)), return_exceptions=True)
    assert sorted(type(item).__name__ for item in made) == ["Tenant", *["TenantExists"] * 4]
    assert state.value("SELECT count(*) FROM tenancy.tenants") == 1


async def test_a_key_stands_for_one_creation(manager: FixtureManager, state: State):
    async with manager:
        first = await manager.create_tenant("acme", tier="premium", idempotency_key="sign-up 7")
        assert await manager.create_tenant("acme", tier="premium", idempotency_key="sign-up 7") == first
        before = state.snapshot()
        with pytest.raises(errors.IdempotencyConflict):
            await manager.create_tenant("acme", tier="free", idempotency_key="sign-up 7")
        with pytest.raises(errors.IdempotencyConflict):
            await manager.create_tenant("other", tier="premium", idempotency_key="sign-up 7")
    assert state.snapshot() == before
    assert state.value("SELECT count(*) FROM tenancy.runs") == 1


async def test_apply_tenant_config_creates_and_is_idempotent(settings: Settings, state: State):
    fixture = TenantFixture("premium_001", features=["ai_collaboration"], limits={"storage": "100GB"})
    config = ConfigFixture({"own": 1}, settings=settings)
    report = await config.apply_tenant_config(fixture)
    assert [(step.fixture, step.action) for step in report.steps] == [("tenant", "create"), ("schema", "create"), ("config", "create")]
    before = state.snapshot()
    assert (await config.apply_tenant_config(fixture)).steps == ()
    assert state.snapshot() == before
    async with FixtureManager(settings) as manager:
        assert (await manager.get_tenant("premium_001")).limits["storage"] == {"value": 100 * 10**9, "unit": "bytes"}
        assert (await manager.get_config("premium_001"))["own"] == 1
    await FixtureManager(settings).close()


async def test_what_cannot_be_one_run(acme: FixtureManager, state: State):
    before = state.snapshot()
    for fixtures in ((), (ConfigFixture({"a": 1}), ConfigFixture({"b": 2}))):
        with pytest.raises(errors.ConfigurationError, match="each of another name"):
            await acme.apply(*fixtures, tenant_id="acme")
    assert state.snapshot() == before
    with failing(state, errors.ConfigurationError):
        await acme.apply(TenantFixture("other"), tenant_id="acme")


async def test_closing_what_was_never_opened():
    await FixtureManager(Settings.from_env(database_url="postgresql://nobody@127.0.0.1:1/nowhere")).close()


async def test_a_dry_run_of_a_creation(manager: FixtureManager, state: State):
    from tenancy_fixtures import SchemaFixture

    before, runs = state.snapshot(), state.value("SELECT count(*) FROM tenancy.runs")
    async with manager:
        report = await manager.apply(TenantFixture("acme"), SchemaFixture(), ConfigFixture(), tenant_id="acme", dry_run=True)
    assert [(step.fixture, step.action) for step in report.steps] == [("tenant", "create"), ("schema", "create"), ("config", "create")]
    assert state.snapshot() == before
    assert state.value("SELECT count(*) FROM tenancy.runs") == runs


async def test_dropping_takes_everything_but_the_trace(acme: FixtureManager, state: State):
    await acme.create_tenant("other")
    await acme.load_fixtures("acme", datasets=["users"])
    before = state.snapshot()
    dry = await acme.drop_tenant("acme", dry_run=True)
    assert state.snapshot() == before
    report = await acme.drop_tenant("acme")
    assert [(step.fixture, step.action) for step in report.steps] == [("config", "drop"), ("schema", "drop"), ("tenant", "drop")]
    assert [(step.fixture, step.action) for step in dry.steps] == [(step.fixture, step.action) for step in report.steps]
    assert [tenant.tenant_id for tenant in await acme.list_tenants()] == ["other"]
    for table in ("tenants", "config", "revisions", "ledger"):
        assert state.value(f"SELECT count(DISTINCT uid) FROM tenancy.{table}") == (0 if table == "ledger" else 1)
    assert [run["operation"] for run in await acme.recent_runs("acme")] == ["drop_tenant", "load_fixtures", "create_tenant"]
    assert {entry["action"] for entry in state.audit(report.run_id)} == {"config:dropped", "schema:dropped", "tenant:dropped"}
    assert (await acme.validate("other")).findings == ()
    # The name is free again, and is another tenant.
    assert (await acme.create_tenant("acme")).namespace == "t_acme"


async def test_a_tier_of_another_pack(settings: Settings, spoilt: PackFolder, state: State):
    spoilt.change("tenant_template.json", '"free": {', '"tiny": {"features": [], "limits": {}}, "free": {')
    async with FixtureManager(settings, pack=spoilt.pack()) as manager:
        tenant = await manager.create_tenant("acme", tier="tiny")
    assert (tenant.features, tenant.limits) == ((), {})
