"""The two throw-away tenants of an attack: made as any other, filled with values that nothing else has, and always taken away again."""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import anyio

from .._fixture import BaseFixture, FixtureContext
from .._pg.sql import compose, identifier
from .._shapes import Step
from ..audit import AuditAction
from ..exceptions import TenancyError, TenantNotFound
from ..manager import FixtureManager
from ..packs import Pack
from ..utils import TenantUtils

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from .._shapes import Tenant
    from ..runtime import Runtime

# What the ids of all of them begin with: those of an attack whose process died are known by it.
PREFIX: Final = "doctor-attack-"

# Keys of items: the first is there for both tenants, the second for one of them alone, the last for nobody.
SHARED_KEY: Final = 1
OWN_KEYS: Final = {"attacker": 1001, "victim": 2002}
NOBODYS_KEY: Final = 9009

_PACK: Final = Path(__file__).parent / "pack"

# Large objects of the whole database are known by number: high up, where none that is given by itself will be for long.
_LARGE_OBJECTS: Final = 3_000_000_000


def probe_pack(isolation: str = "schema", word: str = "") -> Pack:
    """The pack that both are made from: tenants that share tables cannot have all that others have, and share theirs with no other attack."""
    pack = _pack()
    if isolation == "row":
        return replace(pack, manifest=pack.manifest.model_copy(update={"name": f"{pack.name}{word and '-'}{word}"}))
    return replace(pack, schema_sql=f"{pack.schema_sql}" + (_PACK / "unshared.sql").read_text(encoding="utf-8"))


@cache
def _pack() -> Pack:
    return Pack.from_folder(_PACK)


@dataclass(frozen=True)
class Side:
    """One of the two. ``marker`` stands in each of its values that nobody else may see, ``code`` in those that others may guess."""

    name: str
    tenant: Tenant
    marker: str = field(repr=False)
    code: str

    @property
    def role(self) -> str:
        """The role that is this tenant's alone; what it would be called where the installation gives tenants none."""
        return self.tenant.role or f"tenancy_t_{self.tenant.uid.hex}"

    @property
    def large_object(self) -> int:
        """The number that a large object of this tenant's gets."""
        return _LARGE_OBJECTS + self.tenant.uid.int % 1_000_000_000


class ProbeRows(BaseFixture):
    """The rows of one of the two, and nothing else in its tables: as they are before every probe."""

    name: ClassVar[str] = "probe_rows"

    def __init__(self, side: Side, isolation: str) -> None:
        self._side = side
        self._isolation = isolation

    async def plan(self, context: FixtureContext) -> Sequence[Step]:
        """Fill the tables."""
        return [Step(self.name, "fill", context.existing.namespace)]

    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        """Empty the tables, and fill them."""
        side, transaction = self._side, context.transaction
        schema = identifier(context.existing.namespace)
        keys = [SHARED_KEY, OWN_KEYS[side.name]]
        await transaction.run("attack.speak_for", uid=str(context.existing.uid))
        await transaction.run(compose("attack.definer", schema=schema))
        await transaction.run(compose("attack.empty", schema=schema))
        await transaction.run(compose("attack.fill_items", schema=schema), keys=keys, code=side.code, secret=side.marker)
        await transaction.run(compose("attack.fill_notes", schema=schema), secret=side.marker)
        await transaction.run(compose("attack.fill_events", schema=schema), secret=side.marker)
        await transaction.run("attack.restart", sequence=f"{context.existing.namespace}.numbers")
        if self._isolation != "row":
            await transaction.run(compose("attack.refresh", schema=schema))
        await transaction.run(compose("attack.analyze", schema=schema))
        return await self.plan(context)

    async def rollback(self, context: FixtureContext) -> Sequence[Step]:
        """Empty the tables."""
        await context.transaction.run("attack.speak_for", uid=str(context.existing.uid))
        await context.transaction.run(compose("attack.empty", schema=identifier(context.existing.namespace)))
        return [Step(self.name, "empty", context.existing.namespace)]


class SharedTables(BaseFixture):
    """The tables that the two share: they go with the last of them, where those of others would stay."""

    name: ClassVar[str] = "shared_tables"

    async def plan(self, context: FixtureContext) -> Sequence[Step]:
        """Drop the schema that they are in, where nobody else is."""
        row = await context.transaction.one("attack.shared_schema", pack=context.existing.pack)
        return [Step(self.name, "drop", row["namespace"])] if row and row["tenants"] == 1 else []

    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        """Drop it, and what is known of it."""
        steps, transaction = await self.plan(context), context.transaction
        for step in steps:
            row = await transaction.one("attack.shared_schema", pack=context.existing.pack) or {}
            await transaction.run("registry.remove_revisions", uid=row["uid"])
            await transaction.run("attack.forget_shared_schema", uid=row["uid"])
            await transaction.run(compose("registry.drop_namespace", schema=identifier(step.object)))
            context.note(AuditAction.SCHEMA_DROPPED, namespace=step.object)
        return steps

    async def rollback(self, context: FixtureContext) -> Sequence[Step]:
        """Drop them likewise."""
        return await self.apply(context)


@dataclass(frozen=True)
class Ground:
    """Where an attack takes place: both tenants of one isolation, and who may look at them and put them right."""

    isolation: str
    attacker: Side
    victim: Side
    manager: FixtureManager
    runtime: Runtime

    async def look(self) -> tuple[str, str]:
        """What the attacker's and the victim's rows are, as their owner sees them."""
        return await self._state(self.attacker), await self._state(self.victim)

    async def restore(self) -> None:
        """Put the rows of both back to what they were."""
        for side in (self.attacker, self.victim):
            await self.manager.apply(ProbeRows(side, self.isolation), tenant_id=side.tenant.tenant_id, operation="attack")

    async def _state(self, side: Side) -> str:
        name = side.tenant.tenant_id
        async with self.manager.place_of(name) as place, place.database.transaction(tenant=name, role="migrator") as transaction:
            await transaction.run("attack.speak_for", uid=str(side.tenant.uid))
            row = await transaction.one(compose("attack.state", schema=identifier(side.tenant.namespace)))
        return str((row or {})["state"])


@asynccontextmanager
async def throw_away(runtime: Runtime, isolation: str = "schema") -> AsyncIterator[Ground]:
    """Two tenants for as long as the block lasts: gone afterwards, also where it fails or is cancelled."""
    word = secrets.token_hex(6)
    ids = [TenantUtils.check_id(f"{PREFIX}{word}-{name}") for name in OWN_KEYS]
    manager = FixtureManager(runtime.settings, pack=probe_pack(isolation, word))
    try:
        attacker, victim = [await _made(manager, tenant_id, name, isolation) for tenant_id, name in zip(ids, OWN_KEYS)]
        ground = Ground(isolation, attacker, victim, manager, runtime)
        await ground.restore()
        yield ground
    finally:
        # Whoever cancels an attack does not want to keep its tenants.
        with anyio.CancelScope(shield=True):
            await remove(manager, ids)


async def left_behind(manager: FixtureManager) -> list[str]:
    """The tenants of attacks that did not come to their end, or that go on at this moment."""
    return [tenant.tenant_id for tenant in await manager.list_tenants() if tenant.tenant_id.startswith(PREFIX)]


async def remove(manager: FixtureManager, ids: Sequence[str]) -> list[str]:
    """Drop those of the tenants that are there, and give their ids; an error of one is raised when all others that can go are gone.

    One on which another stands goes after it: a key that crosses must not keep either.
    """
    there = set(await left_behind(manager))
    waiting, gone = [item for item in ids if item in there], []
    while waiting:
        errors = {tenant_id: error for tenant_id in waiting if (error := await _drop(manager, tenant_id)) is not None}
        gone += [item for item in waiting if item not in errors]
        if len(errors) == len(waiting):
            raise next(iter(errors.values()))
        waiting = list(errors)
    return gone


async def _drop(manager: FixtureManager, tenant_id: str) -> TenancyError | None:
    try:
        tenant = await manager.get_tenant(tenant_id)
        if tenant.isolation == "row":
            theirs = probe_pack("row")
            pack = replace(theirs, manifest=theirs.manifest.model_copy(update={"name": tenant.pack}))
            await FixtureManager(manager.settings, pack=pack).apply(SharedTables(), tenant_id=tenant_id, operation="attack")
        await manager.drop_tenant(tenant_id)
    except TenantNotFound:
        # Another attack has removed it.
        return None
    except TenancyError as error:
        return error
    return None


async def _made(manager: FixtureManager, tenant_id: str, name: str, isolation: str) -> Side:
    marker: Any = f"marker{secrets.token_hex(12)}"
    tenant = await manager.create_tenant(tenant_id, config={"secret": marker}, isolation=isolation)
    return Side(name, tenant, marker, f"code{secrets.token_hex(12)}")
