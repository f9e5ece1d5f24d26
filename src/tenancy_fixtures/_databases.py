"""A database of a tenant's own: made, dropped, and put in order after a crash.

Neither can be part of a transaction. So it is written down first (``tenancy.intents``), then done, and the row of the registry
commits together with the end of it. Whoever is at it holds a lock, which is gone with its process: what is written down and held
by nobody was left by a crash. What undoes a failure is what puts a crash in order: :func:`recover`.
"""

from __future__ import annotations

import uuid
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

from ._fixture import BaseFixture, FixtureContext, Operation, execute, find_tenant
from ._isolation import whose
from ._pg._cancel import undisturbed
from ._pg.databases import Databases, holding, unfinished
from ._shapes import Step
from ._tenant_roles import drop_role
from .audit import AuditAction
from .config_fixtures import ConfigFixture
from .exceptions import DatabaseUnavailable, PermissionDenied, RunInProgress, TenantInUse
from .schema_fixtures import SchemaFixture
from .utils import TenantUtils

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from ._shapes import Tenant
    from .monitoring import Tracker
    from .runtime import Runtime
    from .settings import Settings


class DatabaseFixture(BaseFixture):
    """The database that a tenant should have: a copy of the template, with the tenant's row, schema and configuration in it."""

    name: ClassVar[str] = "database"
    depends_on: ClassVar[tuple[str, ...]] = ("tenant",)

    def __init__(
        self, runtime: Runtime, tenant_id: str, config: Mapping[str, Any] | None = None, *, drop: bool = False, dry_run: bool = False
    ) -> None:
        self._runtime = runtime
        self._tenant_id = tenant_id
        self._config = ConfigFixture(config)
        self._drop = drop
        self._dry_run = dry_run

    @property
    def arguments(self) -> dict[str, Any]:
        """What was asked for: an idempotency key stands for these."""
        return self._config.arguments

    @asynccontextmanager
    async def prepared(self, settings: Settings, tracker: Tracker) -> AsyncIterator[None]:  # noqa: ARG002 - the tracker is for others
        """Write down what is going to be done, and put in order what was left of it where it comes to nothing.

        :raises LockTimeout: somebody else is at it.
        :raises RunInProgress: somebody else has made the tenant just now.
        """
        if self._dry_run:
            yield
            return
        async with holding(self._runtime.database.url, self._runtime.database.roles, self._tenant_id, wait=settings.lock_timeout):
            await recover(self._runtime, self._tenant_id)
            await self._intend()
            try:
                yield
            except BaseException:
                await undisturbed(recover(self._runtime, self._tenant_id))
                raise

    async def plan(self, context: FixtureContext) -> Sequence[Step]:
        """Make the database."""
        return [Step(self.name, "create", context.tenant.namespace if context.tenant else "database", {"revision": context.pack.head})]

    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        """Make the database, and in it, by a run of its own, what the tenant is."""
        tenant, transaction = context.existing, context.transaction
        await transaction.run("databases.stay")
        # Connections to one of that name that was dropped lead nowhere.
        await self._runtime.leave(tenant.namespace)
        async with Databases.of(self._runtime.database.url, self._runtime.database.roles) as databases:
            await databases.create(tenant.namespace, tenant.uid, whose(tenant.tenant_id, tenant.uid))
        async with self._runtime.other(tenant.namespace) as place:
            fixtures = (_Entry(tenant), SchemaFixture(), self._config)
            await execute(place, context.pack, Operation("create_tenant", tenant.tenant_id, fixtures, self.arguments))
            async with place.database.transaction(tenant=tenant.tenant_id, role="migrator") as inside:
                row = await inside.one("registry.find", tenant_id=tenant.tenant_id)
        await transaction.run("registry.project", **row or {})
        await transaction.run("databases.forget", tenant_id=tenant.tenant_id)
        context.tenant = await find_tenant(transaction, tenant.tenant_id)
        context.note(AuditAction.DATABASE_CREATED, database=tenant.namespace)
        return [Step(self.name, "create", tenant.namespace, {"revision": context.pack.head})]

    async def rollback(self, context: FixtureContext) -> Sequence[Step]:
        """Drop the database, with all that is in it.

        :raises TenantInUse: others are connected to it; nothing was dropped.
        """
        if context.tenant is None:
            return []
        tenant, transaction = context.tenant, context.transaction
        if context.dry_run:
            # What a transaction cannot take back is not tried.
            return [Step(self.name, "drop", tenant.namespace)]
        await transaction.run("databases.stay")
        await self._wait_for_others(tenant)
        await self._runtime.leave(tenant.namespace)
        async with Databases.of(self._runtime.database.url, self._runtime.database.roles) as databases:
            # Where somebody has dropped it already, or another has its name, there is nothing to do.
            if await databases.has(tenant.namespace, whose(tenant.tenant_id, tenant.uid)):
                await databases.drop(tenant.namespace)
        await transaction.run("databases.forget", tenant_id=tenant.tenant_id)
        context.note(AuditAction.DATABASE_DROPPED, database=tenant.namespace)
        return [Step(self.name, "drop", tenant.namespace)]

    async def _wait_for_others(self, tenant: Tenant) -> None:
        """Let an operation that is under way on the tenant come to its end. One whose database is gone has none."""
        with suppress(DatabaseUnavailable, PermissionDenied):
            async with (
                self._runtime.other(tenant.namespace) as place,
                place.database.transaction(tenant=tenant.tenant_id, role="migrator") as transaction,
            ):
                await transaction.run("database.lock", name=tenant.tenant_id)

    async def _intend(self) -> None:
        async with self._runtime.database.transaction(tenant=self._tenant_id, role="migrator") as transaction:
            tenant = await find_tenant(transaction, self._tenant_id)
            if self._drop and tenant is not None:
                values = {"uid": tenant.uid, "namespace": tenant.namespace, "kind": "drop"}
            elif tenant is not None:
                raise RunInProgress(f"tenant {self._tenant_id!r} was made just now", tenant=self._tenant_id, hint="Run it again.")
            elif self._drop:
                return
            else:
                uid = uuid.uuid4()
                # Names of databases are the server's, where other installations may have a tenant of that name.
                values = {"uid": uid, "namespace": TenantUtils.namespace(self._tenant_id, uid), "kind": "create"}
            await transaction.run("databases.intend", tenant_id=self._tenant_id, **values)


class _Entry(BaseFixture):
    """The row that the main registry has of the tenant, in that of its own database."""

    name: ClassVar[str] = "tenant"

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    async def plan(self, context: FixtureContext) -> Sequence[Step]:
        """Enter it."""
        return [Step(self.name, "enter", context.tenant_id)]

    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        """Enter it."""
        facts = {**vars(self._tenant), "state": self._tenant.state.value, "features": list(self._tenant.features)}
        await context.transaction.run("registry.enter", **{**facts, "limits": dict(facts["limits"]), "labels": dict(facts["labels"])})
        context.tenant = await find_tenant(context.transaction, context.tenant_id)
        context.note(AuditAction.TENANT_CREATED, namespace=self._tenant.namespace, tier=self._tenant.tier)
        return await self.plan(context)

    async def rollback(self, context: FixtureContext) -> Sequence[Step]:  # noqa: ARG002 - there is nothing to look at
        """Nothing: it goes with the database."""
        return []


async def see_that_it_can(runtime: Runtime) -> None:
    """See that tenants can have databases of their own here.

    :raises NoDatabases: they cannot; says what it takes.
    """
    async with Databases.of(runtime.database.url, runtime.database.roles) as databases:
        await databases.template()


async def refuse_adopted(runtime: Runtime, tenant: Tenant) -> None:
    """See that the database of a tenant that was adopted is gone: it is not the library's to drop.

    :raises TenantInUse: it is there.
    """
    async with runtime.database.transaction(tenant=tenant.tenant_id, role="migrator") as transaction:
        if await transaction.one("databases.find", name=tenant.namespace) is None:
            return
    hint = "Drop the database yourself; then drop the tenant, which takes it out of the registry. Nothing was dropped."
    raise TenantInUse(f"the database {tenant.namespace!r} was adopted, and is its owner's to drop", objects=[tenant.namespace], hint=hint)


async def settle(runtime: Runtime, tenant_id: str) -> None:
    """Put in order what a crash has left of a tenant's database, if anything; wait for whoever is at it.

    :raises LockTimeout: somebody has been at it for long.
    """
    async with runtime.database.transaction(tenant=tenant_id, role="migrator") as transaction:
        if await transaction.one("databases.intent", tenant_id=tenant_id) is None:
            return
    async with holding(runtime.database.url, runtime.database.roles, tenant_id, wait=runtime.settings.lock_timeout):
        await recover(runtime, tenant_id)


async def recover(runtime: Runtime, tenant_id: str) -> None:
    """Put in order what was begun on a tenant's database and did not come to its end. The caller holds the lock.

    One that was being made is dropped. One that was being dropped stays, where it is still whole; where it is not, the tenant goes too.
    """
    async with runtime.database.transaction(tenant=tenant_id, role="migrator") as transaction:
        intent = await transaction.one("databases.intent", tenant_id=tenant_id)
    if intent is None:
        return
    namespace, comment = intent["namespace"], whose(tenant_id, intent["uid"])
    await runtime.leave(namespace)
    async with Databases.of(runtime.database.url, runtime.database.roles) as databases:
        await databases.end_work(namespace, unfinished(intent["uid"]))
        there = await databases.has(namespace, comment)
        if intent["kind"] == "create":
            await databases.drop(unfinished(intent["uid"]))
        if intent["kind"] == "create" and there:
            await databases.drop(namespace)
        elif there:
            there = not await databases.finish_drop(namespace)
    async with runtime.database.transaction(tenant=tenant_id, role="migrator") as transaction:
        tenant = await find_tenant(transaction, tenant_id)
        if intent["kind"] == "create" and runtime.database.roles.for_each_tenant:
            await transaction.run("registry.drop_role", uid=intent["uid"])
        if intent["kind"] == "drop" and not there and tenant is not None:
            await transaction.run("registry.remove", uid=tenant.uid)
            await transaction.run("database.unlock", name=tenant_id)
            await drop_role(transaction, tenant)
            detail = {"namespace": namespace}
            await runtime.audit.append(transaction, AuditAction.TENANT_DROPPED, tenant_id=tenant_id, uid=tenant.uid, run_id=None, detail=detail)
        await transaction.run("databases.forget", tenant_id=tenant_id)
