"""Every test has clean tenants of its own, and asks the application as they would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from httpx import AsyncClient

    from tenancy_fixtures.integrations.pytest import CleanTenant

pytestmark = pytest.mark.anyio


def of(tenant: CleanTenant) -> dict[str, str]:
    """The header that says whose a request is."""
    return {"X-Tenant": tenant.tenant_id}


async def test_a_title_is_found(client: AsyncClient, tenant: CleanTenant) -> None:
    """The tenant holds the tracks of the pack."""
    found = await client.get("/tracks", params={"title": "slow"}, headers=of(tenant))
    assert all("slow" in track["title"].lower() for track in found.json())
    assert found.json()


async def test_what_is_forgotten_is_forgotten_by_one_tenant(client: AsyncClient, tenants: Callable[[int], list[CleanTenant]]) -> None:
    """Nobody sees what a neighbour does."""
    acme, globex = tenants(2)
    track = (await client.get("/tracks", headers=of(acme))).json()[0]
    removed = await client.delete(f"/tracks/{track['track_id']}", headers=of(acme))
    assert removed.json() == {"tenant": acme.tenant_id, "removed": 1}
    assert track not in (await client.get("/tracks", headers=of(acme))).json()
    assert track in (await client.get("/tracks", headers=of(globex))).json()


async def test_nobody_is_nobody(client: AsyncClient, tenant: CleanTenant) -> None:
    """Who names no tenant gets none."""
    answer = await client.get("/tracks", headers={"X-Tenant": f"{tenant.tenant_id}-not"})
    assert (answer.is_error, answer.json()) == (True, {"detail": "No such tenant."})
