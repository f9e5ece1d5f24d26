"""A fixture that leaves a mark in the database, and a look at what is there: what tests of runs work with."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, Callable, ClassVar

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from tenancy_fixtures import BaseFixture, FixtureContext, FixtureManager
from tenancy_fixtures._shapes import Step, ValidationReport
from tenancy_fixtures.audit import AuditAction

Work = Callable[[FixtureContext], Awaitable[Any]]


async def nothing(context: FixtureContext) -> None:
    pass


class Mark(BaseFixture):
    """A table of the tenant's own, in a schema of its own: something to be there or not."""

    name: ClassVar[str] = "mark"

    def __init__(self, during: Work = nothing, *, validating: Work = nothing, verifying: Work = nothing, **arguments: Any) -> None:
        self.during, self.validating, self.verifying, self.arguments = during, validating, verifying, arguments

    async def validate(self, context: FixtureContext) -> ValidationReport:
        return ValidationReport(self.name, 1, tuple(await self.validating(context) or ()))

    async def plan(self, context: FixtureContext) -> Sequence[Step]:
        return [] if await self._there(context) else [Step(self.name, "create", f"mark_{context.tenant_id}")]

    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        steps = await self.plan(context)
        if steps:
            await context.transaction.run(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(f"mark_{context.tenant_id}")))
            context.note(AuditAction.TENANT_CHANGED, made=1)
        await self.during(context)
        return steps

    async def verify(self, context: FixtureContext) -> ValidationReport:
        return ValidationReport(self.name, 1, tuple(await self.verifying(context) or ()))

    async def rollback(self, context: FixtureContext) -> Sequence[Step]:
        if not await self._there(context):
            return []
        await context.transaction.run(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(f"mark_{context.tenant_id}")))
        return [Step(self.name, "drop", f"mark_{context.tenant_id}")]

    async def _there(self, context: FixtureContext) -> bool:
        return await context.transaction.one("registry.namespace_exists", namespace=f"mark_{context.tenant_id}") == {"found": True}


class Second(Mark):
    name: ClassVar[str] = "second"
    depends_on: ClassVar[tuple[str, ...]] = ("mark",)

    async def plan(self, context: FixtureContext) -> Sequence[Step]:
        assert await self._there(context), "what it depends on comes first"
        return [Step(self.name, "look", "mark")]

    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        steps = await self.plan(context)
        await self.during(context)
        return steps


class Look:
    """The database, as an administrator sees it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __call__(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self._url, row_factory=dict_row) as connection:
            return connection.execute(query, values).fetchall()

    def runs(self) -> list[dict[str, Any]]:
        return self("SELECT * FROM tenancy.runs ORDER BY started_at")

    def audit(self) -> list[str]:
        return [row["action"] for row in self("SELECT action FROM tenancy.audit_log ORDER BY entry")]

    def marks(self) -> list[str]:
        return [row["nspname"] for row in self("SELECT nspname::text FROM pg_namespace WHERE starts_with(nspname, 'mark') ORDER BY 1")]


async def apply(manager: FixtureManager, *fixtures: BaseFixture, tenant: str = "acme", **facts: Any) -> Any:
    return await manager.apply(*fixtures, tenant_id=tenant, operation="try", **facts)


async def broken(context: FixtureContext) -> None:
    raise ZeroDivisionError("swordfish")
