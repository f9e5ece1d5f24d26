"""The same tests for tenants with databases of their own: a manager that makes such ones, and a look into them."""

from __future__ import annotations

import re
from typing import Any

from tenancy_fixtures import FixtureManager
from tenancy_fixtures._pg import databases
from tenancy_fixtures._pg.bootstrap import with_parts
from tenancy_fixtures._shapes import Tenant
from tests.acceptance.support import State
from tests.databases import drop_database

_OWN = "SELECT namespace::text FROM tenancy.tenants WHERE isolation = 'database'"


class ApartManager(FixtureManager):
    """Makes tenants with databases of their own, in an installation that it prepares first."""

    state: ApartState

    async def create_tenant(self, tenant_id: str, **facts: Any) -> Tenant:
        await self.state.prepare()
        return await super().create_tenant(tenant_id, **{"isolation": "database", **facts})


class ApartState(State):
    """The same look: what a test says of ``t_acme``, and of the trace, is said of acme's database."""

    async def prepare(self) -> None:
        if self.main.value("SELECT template FROM tenancy.installation") is None:
            await databases.prepare(self.url)

    @property
    def main(self) -> State:
        return State(self.url)

    def own(self) -> tuple[State, str] | None:
        """Acme's database, and what its schema is called."""
        namespace = self.main.value(_OWN + " AND tenant_id = 'acme'")
        return None if namespace is None else (State(with_parts(self.url, database=namespace)), namespace)

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        found = self.own()
        return self.main.rows(query, *values) if found is None else found[0].rows(_named(query, found[1]), *values)

    def run(self, *statements: str) -> None:
        found = self.own()
        if found is None:
            self.main.run(*statements)
        else:
            found[0].run(*(_named(statement, found[1]) for statement in statements))

    def counts(self, tenant_id: str) -> dict[str, int]:
        found = self.own()
        return self.main.counts(tenant_id) if found is None else found[0].counts(tenant_id)

    def snapshot(self) -> dict[str, Any]:
        found = self.own()
        return {"main": self.main.snapshot(), "own": None if found is None else found[0].snapshot()}

    def clear(self) -> None:
        names = [row["namespace"] for row in self.main.rows(_OWN)]
        drop_database(self.url, *names)
        super().clear()


def template_of(url: str) -> str | None:
    """The template that a module's database has, to be dropped with it."""
    found = State(url).value("SELECT template::text FROM tenancy.installation")
    return None if found is None else str(found)


def _named(text: str, namespace: str) -> str:
    return re.sub(r"\bt_acme\b", namespace, text)
