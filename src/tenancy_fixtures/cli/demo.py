"""``tenancy demo``: two tenants of the default pack, made and seeded, and what that took."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from . import _output
from ._progress import progress
from ._typed import command
from ._work import AsJson, Work, opened, run, settings_for

if TYPE_CHECKING:
    from .._shapes import RunReport
    from ..settings import Settings

# Tier by tenant.
_TENANTS = {"demo_standard": "standard", "demo_premium": "premium"}


@dataclass(frozen=True)
class _Seeded:
    """One tenant of the demo: seconds for its making, and the report of its load."""

    tenant_id: str
    tier: str
    created: bool
    create_seconds: float
    load: "RunReport"

    @property
    def rate(self) -> float:
        """Records read and written each second; 0 where nothing was loaded."""
        records = sum(item.read for item in self.load.datasets if not item.skipped)
        return records / self.load.seconds if self.load.seconds else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON-ready values."""
        seconds = round(self.create_seconds, 6)
        facts = {"tenant_id": self.tenant_id, "tier": self.tier, "created": self.created, "create_seconds": seconds, "rate": round(self.rate, 1)}
        return {**facts, "load": self.load.to_dict()}


def demo(context: typer.Context, as_json: AsJson = False) -> None:
    """Make two tenants of the default pack, seed them, and show rows, rates and timings. A second run changes nothing."""
    began = time.perf_counter()
    seeded = run(lambda: _demo(settings_for(context)))
    seconds = time.perf_counter() - began
    written = sum(item.load.written for item in seeded)
    if as_json:
        _output.emit({"tenants": [item.to_dict() for item in seeded], "written": written, "seconds": round(seconds, 6)})
    else:
        _show(seeded, written, seconds)


async def _demo(settings: "Settings") -> list[_Seeded]:
    from ..packs import Pack

    with progress() as listener:
        async with opened(settings, pack=Pack.default(), listener=listener) as work:
            return [await _seed(work, tenant, tier) for tenant, tier in _TENANTS.items()]


async def _seed(work: Work, tenant: str, tier: str) -> _Seeded:
    there = {item.tenant_id for item in await work.manager.list_tenants()}
    began = time.perf_counter()
    await work.manager.create_tenant(tenant, tier=tier, exist_ok=True)
    create_seconds = time.perf_counter() - began
    return _Seeded(tenant, tier, tenant not in there, create_seconds, await work.manager.load_fixtures(tenant))


def _show(seeded: list[_Seeded], written: int, seconds: float) -> None:
    columns = ("Tenant", "Tier", "Created in (s)", "Loaded in (s)", "Rows written", "Records/s")
    _output.table(columns, [_tenant_row(item) for item in seeded])
    _output.say()
    rows = [(item.tenant_id, data.dataset, data.read, data.stored, data.rejects, data.written) for item in seeded for data in item.load.datasets]
    _output.table(("Tenant", "Dataset", "Records", "Stored", "Rejects", "Rows written"), rows)
    _output.say()
    if written:
        _output.say(f"{_output.counted(written, 'row')} written in {seconds:.2f} s. Run it again: nothing will change.")
    else:
        _output.say(f"0 rows changed in {seconds:.2f} s: everything was there already.")
    _output.say(f"Look at one of them:  {command()} tenant show demo_premium")
    _output.say(f"Take it away again:   {command()} tenant drop demo_premium --yes --now")


def _tenant_row(item: _Seeded) -> tuple[Any, ...]:
    created = item.create_seconds if item.created else "was there"
    return item.tenant_id, item.tier, created, item.load.seconds, item.load.written, round(item.rate) or None
