"""Is the tenant made as its pack makes it, and is all of it in force?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._isolation import isolation_of
from .._pg.integrity import next_number, not_in_force, sequences
from .._pg.versions import read_versions
from .._shapes import Finding
from .made import belongs, plain

if TYPE_CHECKING:
    from .look import Look


async def check_release(look: Look) -> None:
    """The tenant is of this pack, and its revisions are those that were applied to it."""
    tenant, pack = look.tenant, look.pack
    if tenant.pack != pack.name:
        look.found(Finding("pack", "error", tenant.tenant_id, f"was made from pack {tenant.pack!r}, not {pack.name!r}"))
        return
    if tenant.revision < pack.head:
        message = f"is at revision {tenant.revision} of {pack.head}: run `tenancy migrate`"
        look.found(Finding("revision", "warning", tenant.tenant_id, message))
    if tenant.revision > pack.head:
        message = f"is at revision {tenant.revision}, and this release of the pack ends at {pack.head}: use the newer one"
        look.found(Finding("revision", "error", tenant.tenant_id, message))
    if tenant.tier not in pack.tenant_template.tiers:
        look.found(Finding("tier", "warning", tenant.tenant_id, f"is of the tier {tenant.tier!r}, which the pack no longer has"))
    holder = await isolation_of(tenant).holder(look.transaction, tenant)
    digests = {revision.number: revision.digest for revision in pack.revisions}
    applied = {row["number"]: row for row in await look.transaction.all("registry.revisions", uid=holder)}
    edited = [row["name"] for number, row in applied.items() if digests.get(number, row["digest"]) != row["digest"]]
    # Alembic's revisions are Python: another form of one may do the same.
    severity = "error" if pack.manifest.alembic is None else "warning"
    look.found(*(Finding("revision", severity, name, "was edited after it was applied") for name in edited), checks=2 + len(digests))
    if max(applied, default=0) != tenant.revision:
        message = f"is at revision {tenant.revision}, yet {max(applied, default=0)} is the last that was written down as applied"
        look.found(Finding("revision", "error", tenant.tenant_id, message))
    await _check_versions(look)


async def _check_versions(look: Look) -> None:
    """Where Alembic is the author, its own table says what the registry says."""
    history, tenant = look.pack.manifest.alembic, look.tenant
    if history is None or history.version_table not in look.tables:
        return
    versions = await read_versions(look.transaction, tenant.namespace, history.version_table) or []
    if look.pack.number_at(versions) != tenant.revision:
        message = f"says {', '.join(versions) or 'nothing'}, and the registry revision {tenant.revision}: `tenancy migrate` follows Alembic"
        look.found(Finding("revision", "warning", history.version_table, message))


async def check_structure(look: Look) -> None:
    """All that the pack makes is there, as the pack makes it. What the tenant has besides is its own."""
    if look.made is None:
        return
    wanted, there = plain(look.made.structure), plain(look.structure)
    gone = {name for kind, name in wanted if kind == "table" and (kind, name) not in there}
    # An index that stands for a constraint goes with it.
    carried = {name.rpartition(".")[2] for kind, name in wanted if kind == "constraint" and (kind, name) not in there}
    findings = [
        Finding(kind, "error", name, "is not as the pack makes it" if (kind, name) in there else "is missing")
        for (kind, name), definition in wanted.items()
        if there.get((kind, name)) != definition
        and (kind == "table" or not belongs(name, definition, gone))
        and not (kind == "index" and name in carried)
    ]
    look.found(*findings, checks=len(wanted))


async def check_force(look: Look) -> None:
    """Constraints, indexes, triggers and rules work, unless the pack itself switched them off."""
    made = look.made.structure if look.made else {}
    for row in await not_in_force(look.transaction, look.tenant.namespace):
        place = f"{row['kind']} {row['object']}"
        if row["kind"] in ("trigger", "rule") and look.made is not None and place not in made:
            continue  # the tenant's own
        if made.get(place) == look.structure.get(place) and made.get(place) != plain(made).get((row["kind"], row["object"]), made.get(place)):
            continue
        look.found(Finding(row["kind"], "error", row["object"], row["fault"]), checks=0)
    look.checks += 4


async def check_sequences(look: Look) -> None:
    """Every sequence has a number to give, and none that its table has."""
    for item in await sequences(look.transaction, look.tenant.namespace):
        if item.table in look.tables:
            number = await next_number(look.transaction, look.tenant.namespace, item)
            fault = "has no number left" if number.used_up else "would give a number that the table has already" if number.behind else None
            look.found(*([Finding("sequence", "error", item.object, fault)] if fault else []), checks=1)
