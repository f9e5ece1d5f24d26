"""The SQL of a migration, printed for those who run DDL themselves: whole, with what the registry is to know of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ._fixture import Operation, is_closed, run
from ._isolation import isolation_of
from ._pg import printed
from ._pg.sql import identifier, literal
from ._pg.versions import version_key
from ._places import place_of
from ._tenant_roles import sharing_roles, user_of
from .audit import AuditAction
from .exceptions import ConfigurationError
from .schema_fixtures import SchemaFixture
from .validators import registered_tenant

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from psycopg import sql

    from ._pg.database import Transaction
    from ._shapes import Tenant
    from .packs import Pack, Revision
    from .runtime import Runtime


@dataclass(frozen=True)
class MigrationGroup:
    """Tenants of which the same is to be done: which revisions, and the SQL of it, for psql."""

    revisions: tuple[str, ...]
    tenants: tuple[str, ...]
    sql: str

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Pending:
    """One structure that is behind: of a tenant, or of the tenants that share it."""

    tenant: Tenant
    tenants: tuple[str, ...]
    holder: UUID
    revisions: tuple[Revision, ...]
    users: tuple[str, ...]
    roles: dict[str, str | None]
    database: str | None
    path: sql.Composable

    @property
    def kind(self) -> tuple[Any, ...]:
        """What has the same SQL: a procedure lives as long as the connection, so a database of a tenant's own is one by itself."""
        return self.tenant.isolation, self.tenant.owner, self.tenant.revision, tuple(item.number for item in self.revisions), self.database

    @property
    def role(self) -> str:
        """Who writes to the registry."""
        return self.roles["migrator"] or "none"

    @property
    def actor(self) -> str:
        """Who runs the revisions: the structure's owner."""
        return self.tenant.owner or self.role


async def migration_sql(pack: Pack, runtime: Runtime, tenant_ids: Iterable[str], *, to: int | None = None) -> list[MigrationGroup]:
    """What brings tenants to the pack's head, or to revision ``to``: none for those that are there. Changes nothing.

    :raises TenantNotFound: nobody has a name.
    :raises RevisionChanged: a revision was edited after a tenant had applied it.
    :raises ConfigurationError: a tenant has no schema at all, or a revision reads what is there and has no SQL.
    """
    pending: dict[str, _Pending] = {}
    shared: dict[str, list[str]] = {}
    for tenant_id in tenant_ids:
        found = await _look(pack, runtime, tenant_id, to)
        if found is not None:
            shared.setdefault(found.tenant.namespace, []).append(tenant_id)
            pending.setdefault(found.tenant.namespace, found)
    groups: dict[tuple[Any, ...], list[_Pending]] = {}
    for item in pending.values():
        groups.setdefault(item.kind, []).append(item)
    async with runtime.database.transaction(role="migrator") as transaction:
        return [
            MigrationGroup(
                tuple(revision.label for revision in group[0].revisions),
                tuple(name for item in group for name in shared[item.tenant.namespace]),
                printed.as_text(transaction, _group(pack, runtime, transaction, group, number)),
            )
            for number, group in enumerate(groups.values(), start=1)
        ]


async def _look(pack: Pack, runtime: Runtime, tenant_id: str, to: int | None) -> _Pending | None:
    """What is to be done to the structure of a tenant; ``None`` where that is nothing."""
    async with runtime.database.transaction(tenant=tenant_id, role="loader") as transaction:
        await registered_tenant(transaction, tenant_id)
    report = await run(runtime, pack, Operation("migrate", tenant_id, (SchemaFixture(to=to),), dry_run=True))
    if any(step.action == "create" for step in report.steps):
        hint = "`tenancy migrate` makes it anew."
        raise ConfigurationError("the tenant has no schema, and what makes one is more than SQL to print", tenant=tenant_id, hint=hint)
    names = {step.object for step in report.steps if step.action == "migrate"}
    revisions = tuple(item for item in pack.revisions if item.label in names)
    if not revisions:
        return None
    online = [revision.label for revision in revisions if revision.online]
    if online:
        hint = "`tenancy migrate` runs it; so does Alembic itself."
        raise ConfigurationError(f"the revision {online[0]} reads what is there, and is more than SQL to print", tenant=tenant_id, hint=hint)
    async with place_of(runtime, tenant_id) as place, place.database.transaction(tenant=tenant_id, role="migrator") as transaction:
        tenant = await registered_tenant(transaction, tenant_id)
        if tenant.isolation == "row" and any(item.row_sql is None for item in revisions):
            hint = "Write NNNN_name.row.sql beside each revision that has none."
            raise ConfigurationError("a revision does not say what it does to tables that tenants share", tenant=tenant_id, hint=hint)
        holder = await isolation_of(tenant).holder(transaction, tenant)
        users = await _users(transaction, tenant)
        roles = {name: getattr(transaction.roles, name) for name in ("migrator", "loader")}
        database = transaction.connection.info.dbname if place is not runtime else None
        path = printed.search_path(transaction, [tenant.namespace, *pack.manifest.shared_schemas])
    return _Pending(tenant, (tenant_id,), holder, revisions, users, roles, database, path)


async def _users(transaction: Transaction, tenant: Tenant) -> tuple[str, ...]:
    """Whom what the revisions make is granted to; nobody where nobody may use the tenant yet."""
    if await is_closed(transaction, tenant):
        return ()
    owners = [transaction.roles.migrator] if tenant.owner else []
    return tuple(user for user in (user_of(transaction, tenant), *owners, *await sharing_roles(transaction, tenant)) if user)


def _group(pack: Pack, runtime: Runtime, transaction: Transaction, group: list[_Pending], number: int) -> sql.Composable:
    first, name = group[0], identifier(f"tenancy_migrate_{number}")
    title = f"Group {number}: {len(group)} at revision {first.tenant.revision}, to {first.revisions[-1].number}"
    body = printed.dollar_quoted(f"\n{printed.as_text(transaction, _body(pack, runtime, first))}\n", "tenancy")
    parts: list[sql.Composable] = [printed.composed("printed.procedure", title=printed.comment(title), name=name, body=body)]
    parts += [_call(item, name) for item in group]
    if first.database is not None:
        parts = [printed.connect(first.database), *parts, *_projected(pack, first, transaction.connection.info.dbname)]
    return printed.joined(parts)


def _body(pack: Pack, runtime: Runtime, item: _Pending) -> sql.Composable:
    shared = item.tenant.isolation == "row"
    target = item.revisions[-1].number
    facts: dict[str, Any] = {"role": item.role, "actor": item.actor, "lock_timeout": f"{round(runtime.settings.lock_timeout * 1000)}ms"}
    return printed.composed(
        "printed.body",
        standing=printed.composed("printed.standing_shared" if shared else "printed.standing"),
        origin=item.tenant.revision,
        target=target,
        report={"operation": "migrate", "printed": True},
        steps=printed.joined(
            [*(_step(runtime, item, revision, place) for place, revision in enumerate(item.revisions, start=1)), *_versions(pack, item)]
        ),
        reach=printed.composed("printed.reach_shared" if shared else "printed.reach", target=target, release=pack.digest),
        **facts,
    )


def _step(runtime: Runtime, item: _Pending, revision: Revision, ordinal: int) -> sql.Composable:
    text = revision.row_sql if item.tenant.isolation == "row" else revision.sql
    step = printed.composed(
        "printed.step",
        file=printed.comment(revision.file.name),
        text=printed.dollar_quoted(text or "", "revision"),
        number=revision.number,
        name=revision.name,
        digest=revision.digest,
        ordinal=ordinal,
        object=revision.label,
        role=item.role,
        actor=item.actor,
    )
    if not runtime.settings.audit_logging:
        return step
    detail = {"revision": revision.number, "name": revision.name}
    return printed.joined([step, printed.composed("printed.audit", action=AuditAction.SCHEMA_MIGRATED.value, detail=detail)])


def _versions(pack: Pack, item: _Pending) -> list[sql.Composable]:
    """What Alembic's table says then, where Alembic is the author."""
    history = pack.manifest.alembic
    if history is None:
        return []
    facts = {"table": history.version_table, "key": version_key(history.version_table), "role": item.role, "actor": item.actor}
    return [printed.composed("printed.versions", versions=literal(list(item.revisions[-1].heads)), **facts)]


def _call(item: _Pending, name: sql.Identifier) -> sql.Composable:
    tenant = item.tenant
    title = printed.comment(f"{tenant.tenant_id}: schema {tenant.namespace}")
    facts = {"who": tenant.tenant_id, "whose": str(tenant.uid), "holder": str(item.holder), "home": tenant.namespace}
    return printed.composed(
        "printed.tenant", title=title, name=name, path=item.path, grants=printed.grants(item.roles, tenant.namespace, item.users), **facts
    )


def _projected(pack: Pack, item: _Pending, main: str) -> list[sql.Composable]:
    """Back to the main database, whose registry has the tenant too."""
    target, whose = item.revisions[-1].number, str(item.tenant.uid)
    role = identifier(item.roles["migrator"]) if item.roles["migrator"] else printed.comment("NONE")
    update = printed.composed("printed.project", role=role, target=target, release=pack.digest, whose=whose)
    return [
        printed.composed("printed.reached", role=role, target=target, whose=whose),
        printed.connect(main),
        *printed.if_true("tenancy_reached", update),
    ]
