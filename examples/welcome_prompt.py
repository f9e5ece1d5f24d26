"""A fixture of one's own: the prompt that greets a tenant's users. Run it with: python examples/welcome_prompt.py TENANT."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, ClassVar

from psycopg import sql

from tenancy_fixtures import BaseFixture, Finding, FixtureContext, FixtureManager, Step, ValidationReport
from tenancy_fixtures.exceptions import TenancyError

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "welcome"

FIND = sql.SQL("SELECT template FROM {table} WHERE name = %(name)s AND version = 1")
WRITE = sql.SQL("""
    INSERT INTO {table} (name, version, template) VALUES (%(name)s, 1, %(template)s)
    ON CONFLICT (name, version) DO UPDATE SET template = excluded.template
""")
REMOVE = sql.SQL("DELETE FROM {table} WHERE name = %(name)s AND version = 1")


class WelcomePrompt(BaseFixture):
    """The prompt that a tenant's users are greeted with."""

    name: ClassVar[str] = "welcome_prompt"
    depends_on: ClassVar[tuple[str, ...]] = ("tenant", "schema")
    role: ClassVar[str] = "loader"  # it writes rows and makes no tables

    def __init__(self, template: str) -> None:
        self.template = template

    @property
    def arguments(self) -> dict[str, Any]:
        """What was asked for: an idempotency key stands for these."""
        return {"template": self.template}

    async def validate(self, context: FixtureContext) -> ValidationReport:
        """Look at what was asked for, before anything is done."""
        findings = [] if self.template.strip() else [Finding("template", "error", self.name, "is empty")]
        return ValidationReport(self.name, 1, tuple(findings))

    async def plan(self, context: FixtureContext) -> Sequence[Step]:
        """Say what is there to do: write it, or nothing."""
        found = await self._current(context)
        return [] if found == self.template else [Step(self.name, "create" if found is None else "update", NAME)]

    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        """Do it, and say what was done."""
        steps = await self.plan(context)
        if steps:
            await context.transaction.run(self._statement(WRITE, context), name=NAME, template=self.template)
        return steps

    async def verify(self, context: FixtureContext) -> ValidationReport:
        """Look at what was done, before it is committed."""
        there = await self._current(context) == self.template
        return ValidationReport(self.name, 1, () if there else (Finding("template", "error", NAME, "is not what was asked for"),))

    async def rollback(self, context: FixtureContext) -> Sequence[Step]:
        """Take it away."""
        removed = await context.transaction.run(self._statement(REMOVE, context), name=NAME)
        return [Step(self.name, "drop", NAME)] if removed else []

    async def _current(self, context: FixtureContext) -> str | None:
        row = await context.transaction.one(self._statement(FIND, context), name=NAME)
        return None if row is None else str(row["template"])

    def _statement(self, text: sql.SQL, context: FixtureContext) -> sql.Composed:
        # The search path of a transaction is empty: a table is named with its schema.
        return text.format(table=sql.Identifier(context.existing.namespace, "prompts"))


async def main(tenant_id: str) -> None:
    """Greet the users of a tenant that exists."""
    async with FixtureManager() as manager:
        report = await manager.apply(WelcomePrompt("Say hello, then ask what they feel like hearing."), tenant_id=tenant_id)
    print(report.state.value, [f"{step.action} {step.object}" for step in report.steps])


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if len(arguments) != 1:
        sys.exit(f"usage: python {sys.argv[0]} TENANT")
    try:
        asyncio.run(main(arguments[0]))
    except TenancyError as error:
        # An error of the library says in its own words what is wrong and what to do.
        sys.exit(f"Error: {error}")
