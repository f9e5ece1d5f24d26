"""Where tenants stand: which are behind their pack's revisions, and what of their structure is not as the pack makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._fixture import within_limit
from ._integrity.look import Look, read_structure
from ._integrity.made import plain, unlike
from ._integrity.structure import check_force, check_release
from ._isolation import isolation_of
from .exceptions import TenancyError
from .validators import made_for, registered_tenant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._integrity.made import Made
    from .packs import Pack
    from .runtime import Runtime


@dataclass(frozen=True)
class Difference:
    """One object that is not as the pack makes it. Definitions are PostgreSQL's own, ``None`` where there is no such object."""

    object: str
    fault: str
    expected: str | None = None
    found: str | None = None


@dataclass(frozen=True)
class Standing:
    """Where a tenant stands: at which revision of how many, and what is not as the pack makes it there."""

    tenant_id: str
    revision: int
    head: int
    differences: tuple[Difference, ...] = ()

    @property
    def is_behind(self) -> bool:
        """Whether the pack has revisions that the tenant lacks."""
        return self.revision < self.head

    @property
    def ok(self) -> bool:
        """Whether the tenant is at the head, and made as the pack makes it."""
        return not self.is_behind and not self.differences

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        facts = {"tenant_id": self.tenant_id, "revision": self.revision, "head": self.head, "behind": self.is_behind, "ok": self.ok}
        return {**facts, "differences": [vars(item) for item in self.differences]}


async def standing_of(pack: Pack, runtime: Runtime, tenant_id: str) -> Standing:
    """Compare a tenant with what its pack makes at the tenant's revision; ``runtime`` is that of the database where it lives.

    What is there besides is a difference too, and so is what is switched off. Nothing is changed.

    :raises TenantNotFound: nobody has the name.
    :raises ValidationTimeout: it took longer than the settings allow.
    """
    try:
        return await within_limit(_look(pack, runtime, tenant_id), runtime.settings.validation_timeout, f"the look at {tenant_id!r}")
    except TenancyError as error:
        error.locate(tenant=tenant_id, step="check")
        raise


async def _look(pack: Pack, runtime: Runtime, tenant_id: str) -> Standing:
    async with runtime.slots, runtime.database.session() as session:
        async with session.transaction(tenant=tenant_id, role="loader") as transaction:
            tenant = await registered_tenant(transaction, tenant_id)
        made = await made_for(pack, runtime, session, tenant)
        async with session.transaction(tenant=tenant_id, role="loader", keep=False, snapshot=True) as transaction:
            tenant = await registered_tenant(transaction, tenant_id)
            if not await isolation_of(tenant).exists(transaction, tenant):
                return Standing(tenant_id, tenant.revision, pack.head, (Difference(f"schema {tenant.namespace}", "is missing"),))
            async with transaction.acting_as_owner(tenant):
                structure = await read_structure(transaction, tenant.namespace)
                look = Look(transaction, tenant, pack, made, structure, {}, (), ())
                await check_force(look)
            await check_release(look)
    unlike_made = [] if made is None else _differences(made, structure)
    faults = [Difference(f"{item.rule} {item.object}", item.message) for item in look.findings if item.severity == "error"]
    return Standing(tenant_id, tenant.revision, pack.head, (*unlike_made, *faults))


def _differences(made: Made, structure: Mapping[str, str]) -> list[Difference]:
    wanted, there = plain(made.structure), plain(structure)
    found = []
    for place in unlike(made.structure, structure):
        kind, _, name = place.partition(" ")
        expected, actual = wanted.get((kind, name)), there.get((kind, name))
        fault = "is missing" if actual is None else "is none of the pack's" if expected is None else "is not as the pack makes it"
        found.append(Difference(place, fault, expected, actual))
    return found
