"""Tenants share tables: policies show each of them its own rows alone."""

from __future__ import annotations

import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from .._pg import shared
from .._pg.rowify import lacking
from .._pg.script import run_script
from .._pg.sql import compose, identifier, literal
from .._shapes import Step
from .._tenant_roles import grant_all
from ..audit import AuditAction
from ..constants import TENANT_COLUMN
from ..exceptions import PackInvalid, PackMismatch, ScriptFailed
from ..packs import ROW_SCHEMA, SCHEMA
from ..utils import TenantUtils
from ._form import Place
from ._replay import make_head

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from uuid import UUID

    from .._fixture import FixtureContext
    from .._pg.database import Transaction
    from .._shapes import Tenant
    from ..packs import Pack, Revision

_ANEW = "`tenancy pack rowify` writes it anew."


class RowIsolation:
    """One schema for all tenants of a pack. It is made with the first of them, moves once for all, and stays when the last one goes."""

    name = "row"

    def require(self, pack: Pack) -> None:
        """The pack says what makes its tables ones that tenants share.

        :raises PackInvalid: it does not, or its revisions are Alembic's, which know nothing of shared tables.
        """
        if pack.manifest.alembic is not None:
            message = f"the revisions of the pack {pack.name!r} are Alembic's, and are written for tables of one tenant"
            raise PackInvalid(message, file="pack.json", hint="Isolations `schema` and `database` run them. For `row`, write revisions as SQL.")
        _row_script(pack)

    async def place(self, context: FixtureContext, uid: UUID) -> Place:
        """The schema that the pack's tenants share. Until this transaction ends it stays at its revision.

        :raises PackMismatch: a newer release of the pack has brought it further.
        """
        await self._enter_schema(context)
        row = await context.transaction.one("shared.of_pack", pack=context.pack.name) or {}
        if row["revision"] > context.pack.head:
            message = f"the tables that tenants of {context.pack.name!r} share are at revision {row['revision']}, and this release of the pack ends at {context.pack.head}"
            raise PackMismatch(message, pack=context.pack.name, hint="Use the newer release of the pack: tables do not go back.")
        return Place(uid, row["namespace"], row["revision"], row["release"])

    async def holder(self, transaction: Transaction, tenant: Tenant) -> UUID:
        """The shared schema."""
        row = await transaction.one("shared.of_namespace", namespace=tenant.namespace)
        # Without it there is nothing that was applied.
        return row["uid"] if row else tenant.uid

    async def exists(self, transaction: Transaction, tenant: Tenant) -> bool:
        """Whether the schema is there."""
        row = await transaction.one("registry.namespace_exists", namespace=tenant.namespace)
        return bool(row and row["found"])

    async def create(self, context: FixtureContext) -> None:
        """Make the schema, and of its tables such that tenants share.

        :raises PackInvalid: the pack's script for that is missing, or does not belong to its head.
        """
        tenant, pack, transaction = context.existing, context.pack, context.transaction
        schema, holder = identifier(tenant.namespace), await self.holder(context.transaction, tenant)
        # Where somebody has dropped the schema, what is known of it and of its tenants' rows is no longer true.
        await transaction.run("registry.remove_revisions", uid=holder)
        await transaction.run("shared.remove_ledgers", namespace=tenant.namespace)
        await transaction.run(compose("registry.create_namespace", schema=schema))
        comment = literal(f"Shared by the tenants of pack {pack.name} ({holder})")
        await transaction.run(compose("registry.describe_namespace", schema=schema, comment=comment))
        async with _nobodys(context):
            await make_head(transaction, pack, tenant.namespace)
            await share(transaction, pack, tenant.namespace)
        await grant_all(transaction, tenant)

    async def migrate(self, context: FixtureContext, revision: Revision) -> None:
        """Run what the pack says of this revision for tables that tenants share.

        :raises PackInvalid: it says nothing, or afterwards tenants could not share them.
        """
        file = f"{revision.file.stem}.row.sql"
        if revision.row_sql is None:
            message = f"{revision.file.name} is written for tables of one tenant, and there is no {file}"
            hint = f"Write {file} beside it: what the revision does to tables that tenants share, keys with {TENANT_COLUMN} and policies included."
            raise PackInvalid(message, file=file, revision=revision.number, hint=f"{hint} Nothing was changed.")
        namespace, transaction = context.existing.namespace, context.transaction
        async with _nobodys(context):
            await run_script(transaction, revision.row_sql, file=file, namespace=namespace, fresh=False, shared=context.pack.manifest.shared_schemas)
            await refuse_open(transaction, namespace, file)
        await grant_all(transaction, context.existing)

    async def reach(self, context: FixtureContext, revision: int) -> None:
        """Write it down for the schema and for all of its tenants."""
        values = {"namespace": context.existing.namespace, "revision": revision, "release": context.pack.digest}
        await context.transaction.run("shared.set_release", **values)
        await context.transaction.run("shared.set_tenants_release", **values)

    async def remove(self, context: FixtureContext) -> Sequence[Step]:
        """Delete the tenant's rows from every table, and nothing else; nothing of others' is touched, nor the schema.

        :raises RowsLeft: rows of the tenant's are still there.
        """
        tenant = context.existing
        if not await self.exists(context.transaction, tenant):
            return []
        removed = await shared.remove_rows(context.transaction, tenant)
        rows = sum(removed.values())
        context.note(AuditAction.ROWS_DELETED, namespace=tenant.namespace, rows=rows, tables=sorted(name for name, count in removed.items() if count))
        return [Step("schema", "delete rows", tenant.namespace, {"rows": rows})]

    async def _enter_schema(self, context: FixtureContext) -> None:
        """Let there be an entry for the pack's shared schema; who comes second waits for the first to commit."""
        transaction, uid = context.transaction, uuid.uuid4()
        namespace = TenantUtils.shared_namespace(context.pack.name)
        taken = await transaction.one("registry.namespace_taken", namespace=namespace)
        if taken and taken["taken"]:
            namespace = TenantUtils.shared_namespace(context.pack.name, uid)
        await transaction.run("shared.add", namespace=namespace, uid=uid, pack=context.pack.name, release=context.pack.digest)


@asynccontextmanager
async def _nobodys(context: FixtureContext) -> AsyncIterator[None]:
    """What a script does to shared tables it does for nobody in particular: no row is seen, and none can be written."""
    await context.transaction.enter(None)
    yield
    await context.transaction.enter(context.existing)


def _row_script(pack: Pack) -> str:
    if pack.row_sql is None:
        raise PackInvalid(f"the pack {pack.name!r} has no {ROW_SCHEMA}", file=ROW_SCHEMA, hint="`tenancy pack rowify` writes it.")
    return pack.row_sql


async def share(transaction: Transaction, pack: Pack, namespace: str) -> None:
    """Make of a schema that the pack's script has made one that tenants share, and see that it is.

    :raises PackInvalid: the pack has no file that says how, or it is not one of this script; says what.
    :raises CannotShare: the schema holds what tenants cannot share.
    """
    script = _row_script(pack)
    try:
        await run_script(transaction, script, file=ROW_SCHEMA, namespace=namespace, fresh=False, shared=pack.manifest.shared_schemas)
    except ScriptFailed as error:
        facts = {name: error.facts.get(name) for name in ("line", "column", "sqlstate")}
        raise PackInvalid(f"{ROW_SCHEMA} does not fit {SCHEMA}: {error.message}", file=ROW_SCHEMA, hint=_ANEW, **facts) from None
    await refuse_open(transaction, namespace, ROW_SCHEMA)


async def refuse_open(transaction: Transaction, namespace: str, file: str) -> None:
    """See that a schema is one that tenants share.

    :raises PackInvalid: it lacks something, which ``file`` should have made.
    :raises CannotShare: it holds what tenants cannot share.
    """
    for statements in (await lacking(transaction, namespace, file=file)).values():
        hint = _ANEW if file == ROW_SCHEMA else "Add it there. Nothing was kept."
        raise PackInvalid(f"{file} leaves something open; it lacks: {statements[0]}", file=file, hint=hint)
