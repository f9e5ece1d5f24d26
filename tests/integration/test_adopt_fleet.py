"""A whole fleet: every schema sorted rightly, nothing of it touched by adopting it, and left as it was by ejecting the library again.

``TEST_FLEET=800`` makes it that many; 60 otherwise.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tenancy_fixtures import FixtureManager, Settings
from tenancy_fixtures._adopt import pack_of_alembic
from tenancy_fixtures._pg.eject import eject
from tests.fleets import DRIFTS, HEAD, Fleet, dump, picture
from tests.integration.test_adopt import adopting, fleet, login

__all__ = ["adopting", "fleet", "login"]

SIZE = int(os.environ.get("TEST_FLEET", "60"))
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60 + 3 * SIZE)]


@pytest.mark.parametrize("alembic", [False, True], ids=["sql", "alembic"])
async def test_every_schema_is_sorted_rightly_and_left_as_it_was(
    adopting: Settings, fleet: Fleet, admin_database_url: str, tmp_path: Path, alembic: bool
) -> None:
    chosen, ways = random.Random(7), list(DRIFTS)
    drifted = dict(zip(chosen.sample(range(SIZE), max(len(ways), SIZE * 3 // 100)), ways * SIZE))
    for number in range(SIZE):
        tenant = (f"c{number}", f"Client-{number}", f"north-{number}-sea", f"UPPER_{number}")[number % 4]
        fleet.make(f"tenant_{tenant}", chosen.randint(1, HEAD), alembic=alembic, drift=drifted.get(number))
    seen, dumped = picture(fleet.admin_url, fleet.schemas), dump(fleet.admin_url, fleet.schemas)
    pack = pack_of_alembic(fleet.alembic(tmp_path / "shop")) if alembic else fleet.pack(tmp_path / "shop")
    async with FixtureManager(adopting, pack=pack) as manager:
        dry = await manager.adopt("tenant_%", dry_run=True)
        report = await manager.adopt("tenant_%", accept_drift=True)
        for item in report.adoptions:
            assert item.revision == fleet.schemas[item.schema], item
            assert item.tenant_id == item.schema[len("tenant_") :]
            assert item.verdict.value == ("drifted" if item.schema in fleet.drifted else "ready"), (item, fleet.drifted.get(item.schema))
            if item.schema in fleet.drifted:
                assert DRIFTS[fleet.drifted[item.schema]][1] in map(str, item.difference), item
        assert [(item.schema, item.verdict) for item in dry.adoptions] == [(item.schema, item.verdict) for item in report.adoptions]
        assert report.counts == {"ready": SIZE - len(drifted), "drifted": len(drifted), "conflict": 0, "registered": SIZE}
    assert picture(fleet.admin_url, fleet.schemas) == seen
    assert dump(fleet.admin_url, fleet.schemas) == dumped
    ejected = await eject(admin_database_url, tmp_path / "out.sql")
    assert len(ejected.adopted) == SIZE
    assert picture(fleet.admin_url, fleet.schemas) == seen
    assert dump(fleet.admin_url, fleet.schemas) == dumped
