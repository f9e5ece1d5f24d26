"""Where tenants stand: which are behind their pack's revisions, and what of their structure is not as the pack makes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ._fixture import within_limit
from ._integrity.differences import HISTORIES, Difference, comparable, differences, tables_of, without
from ._integrity.look import Look, read_structure
from ._integrity.structure import check_release
from ._isolation import isolation_of, read_standing
from ._pg.integrity import not_in_force
from .exceptions import TenancyError
from .validators import made_for, registered_tenant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ._integrity.made import Made
    from ._pg.database import Transaction
    from ._shapes import Tenant
    from .packs import Pack
    from .runtime import Runtime


@dataclass(frozen=True)
class Standing:
    """Where a tenant stands: at which revision of how many, what is not as the pack makes it there, and ``faults`` of what is known of it."""

    tenant_id: str
    revision: int
    head: int
    differences: tuple[Difference, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def is_behind(self) -> bool:
        """Whether the pack has revisions that the tenant lacks."""
        return self.revision < self.head

    @property
    def has_drifted(self) -> bool:
        """Whether it is not what its pack makes at its revision."""
        return bool(self.differences or self.faults)

    @property
    def ok(self) -> bool:
        """Whether the tenant is at the head, and made as the pack makes it."""
        return not self.is_behind and not self.has_drifted

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        facts = {"tenant_id": self.tenant_id, "revision": self.revision, "head": self.head, "behind": self.is_behind, "ok": self.ok}
        return {**facts, "differences": [item.to_dict() for item in self.differences], "faults": list(self.faults)}


async def standing_of(pack: Pack, runtime: Runtime, tenant_id: str) -> Standing:
    """Compare a tenant with what its pack makes at the tenant's revision; ``runtime`` is that of the database where it lives.

    Where Alembic is the author, the revision is what its own table says, whether it was written down yet or not. What is there besides is a
    difference too, and so is what is switched off. Nothing is changed.

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
            stands, _ = await _standing(pack, transaction, await registered_tenant(transaction, tenant_id))
        made = await made_for(pack, runtime, session, stands)
        async with session.transaction(tenant=tenant_id, role="loader", keep=False, snapshot=True) as transaction:
            tenant = await registered_tenant(transaction, tenant_id)
            if not await isolation_of(tenant).exists(transaction, tenant):
                return Standing(tenant_id, tenant.revision, pack.head, (Difference("schema", tenant.namespace, "missing"),))
            stands, unknown = await _standing(pack, transaction, tenant)
            async with transaction.acting_as_owner(tenant):
                structure, out_of_force = await read_structure(transaction, tenant.namespace), await not_in_force(transaction, tenant.namespace)
            look = Look(transaction, tenant, pack, made, structure, {}, (), ())
            await check_release(look)
    unlike = () if made is None else _differences(made, structure, out_of_force)
    faults = [f"{item.rule} {item.object} {item.message}" for item in look.findings if item.severity == "error"]
    # What is a setting of whole sessions is part of no structure.
    faults += [f"{row['kind']} {row['object']} {row['fault']}" for row in out_of_force if row["kind"] == "setting"]
    return Standing(tenant_id, stands.revision, pack.head, unlike, (*faults, *unknown))


async def _standing(pack: Pack, transaction: Transaction, tenant: Tenant) -> tuple[Tenant, tuple[str, ...]]:
    """The tenant at the revision that Alembic's table says, where the pack has such a table, and what is wrong with what that says."""
    if pack.manifest.alembic is None or tenant.pack != pack.name or not await isolation_of(tenant).exists(transaction, tenant):
        return tenant, ()
    number, fault = await read_standing(transaction, pack, tenant)
    return replace(tenant, revision=number), (f"table {fault}",) if fault else ()


def _differences(made: Made, structure: Mapping[str, str], out_of_force: Iterable[Mapping[str, str]]) -> tuple[Difference, ...]:
    expected = comparable(made.structure)
    return differences(expected, without(comparable(structure, out_of_force), HISTORIES - tables_of(expected)))
