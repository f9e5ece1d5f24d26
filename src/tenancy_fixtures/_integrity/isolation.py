"""Is all of it this tenant's own, and does nothing of it lead to a neighbour?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._fixture import is_closed
from .._pg.sql import compose, identifier, literal
from .._shapes import Finding
from .._tenant_roles import lacks_role, sharing_roles
from .rights import missing_rights
from .shared import open_tables

if TYPE_CHECKING:
    from typing import Any

    from .look import Look
    from .rights import MissingRights

_TENANT_COLUMNS = ("tenant_id", "tenant_uid", "tenant")


async def check_isolation(look: Look) -> None:
    """Owners, rights, references in and out, functions' texts, and rows that name another tenant."""
    values = {"uid": look.tenant.uid, "namespace": look.tenant.namespace}
    neighbours = {row["namespace"]: row["tenant_id"] for row in await look.transaction.all("isolation.other_tenants", **values)}
    await _check_owners(look)
    await _check_grants(look)
    await _check_rights(look)
    await _check_reach(look, neighbours)
    await _check_schema(look)
    await _check_rows(look)
    look.found(*await open_tables(look.transaction, look.tenant), checks=len(look.tables) if look.tenant.isolation == "row" else 0)


async def _check_owners(look: Look) -> None:
    for row in await look.transaction.all(
        "isolation.strange_owners", namespace=look.tenant.namespace, migrator=look.tenant.owner or look.transaction.roles.migrator
    ):
        look.found(Finding("owner", "warning", row["object"], f"belongs to the role {row['owner']!r}"), checks=0)
    look.checks += 1


async def _check_grants(look: Look) -> None:
    roles, own = look.transaction.roles, look.tenant.role if look.tenant.isolation != "row" else None
    # Where the tenant has a role of its own, that of all tenants' applications is a stranger.
    known = [name for purpose, name in roles.named() if own is None or purpose != "app"] + ([own] if own else [])
    known += await sharing_roles(look.transaction, look.tenant)
    known += [look.tenant.owner] if look.tenant.owner else []
    values: dict[str, Any] = {"namespace": look.tenant.namespace, "known": known, "separate": bool(known)}
    for row in await look.transaction.all("isolation.strange_grants", **values):
        severity, whom = ("error", "everybody") if row["everybody"] else ("warning", f"the role {row['grantee']!r}")
        look.found(Finding("grant", severity, row["object"], f"is open to {whom}: {row['rights']}"), checks=0)
    look.checks += 1


async def _check_rights(look: Look) -> None:
    """Loader and application may do what they are given to do after every script."""
    if await lacks_role(look.transaction, look.tenant) and not await is_closed(look.transaction, look.tenant):
        had = look.tenant.role
        message = (
            f"{had!r} is not on this server" if had else "the application's role has the rights on the schema, for all tenants: `tenancy migrate`"
        )
        look.found(Finding("role", "error" if had else "warning", look.tenant.namespace, message), checks=0)
    lacking = await missing_rights(look.transaction, look.tenant, look.made)
    for item in lacking:
        severity = "error" if item.loader and _is_made(look, item) else "warning"
        look.found(Finding("permission", severity, item.object, item.message), checks=0)
    look.checks += 1
    # Without the schema nothing in it can be read, and that is told. What is left are tables of others.
    told = {item.object for item in lacking}
    closed = any(item.kind == "schema" and item.loader for item in lacking)
    for name in look.unreadable if not closed else ():
        if name not in told:
            severity = "error" if look.made and name in look.made.tables else "warning"
            look.found(Finding("permission", severity, name, "cannot be read by the loader"), checks=0)


def _is_made(look: Look, item: MissingRights) -> bool:
    return item.kind == "schema" or (look.made is not None and f"{item.kind} {item.name}" in look.made.structure)


async def _check_reach(look: Look, neighbours: dict[str, str]) -> None:
    """Views, defaults, references… that stand on objects elsewhere, and objects elsewhere that stand on this schema's."""
    namespace, allowed = look.tenant.namespace, [look.tenant.namespace, *look.pack.manifest.shared_schemas]
    for row in await look.transaction.all("script.reaches", namespace=namespace, allowed=allowed):
        if row["object"].startswith("index "):  # of the table that a reference leads to, which is told
            continue
        owner = _owner_of(row["object"], neighbours)
        message = f"of another tenant ({owner}) is used by this one" if owner else "is outside the schema and used by it"
        look.found(Finding("isolation", "error" if owner else "warning", row["object"], message), checks=0)
    for row in await look.transaction.all("registry.dependents", namespace=namespace):
        owner = _owner_of(row["object"], neighbours)
        message = f"of another tenant ({owner}) uses this one's" if owner else "is outside the schema and uses it"
        look.found(Finding("isolation", "error" if owner else "info", row["object"], message), checks=0)
    for row in await look.transaction.all("isolation.bodies", uid=look.tenant.uid, namespace=namespace):
        look.found(Finding("isolation", "error", f"function {row['name']}", f"names the schema of another tenant ({row['tenant_id']})"), checks=0)
    look.checks += 3


def _owner_of(description: str, neighbours: dict[str, str]) -> str | None:
    """Whose an object is, by the schema in its description: ``table t_other.users``."""
    words = description.replace('"', "").split()
    return next((neighbours[schema] for word in words for schema in [word.partition(".")[0]] if schema in neighbours), None)


async def _check_schema(look: Look) -> None:
    row = await look.transaction.one("isolation.whose_schema", namespace=look.tenant.namespace)
    comment = (row or {}).get("comment") or ""
    look.checks += 1
    if comment.startswith("Tenant ") and str(look.tenant.uid) not in comment:
        look.found(Finding("isolation", "error", f"schema {look.tenant.namespace}", "was made for another tenant, by its own comment"), checks=0)


async def _check_rows(look: Look) -> None:
    for table in look.tables.values():
        for name in [column.name for column in table.columns if column.name in _TENANT_COLUMNS]:
            parts = {"table": identifier(table.schema, table.name), "column": identifier(name), "uid": literal(look.tenant.uid)}
            look.checks += 1
            for row in await look.transaction.all(compose("isolation.tenants_in_column", **parts)):
                message = f"holds rows of another tenant ({row['tenant_id']})"
                look.found(Finding("isolation", "error", f"{table.name}.{name}", message, row["rows"]), checks=0)
