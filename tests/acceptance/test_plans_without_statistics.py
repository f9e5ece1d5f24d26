"""Statements over tables that nothing has looked at yet: the planner takes those for almost empty, and they may hold any number of rows."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tenancy_fixtures import FixtureManager
from tenancy_fixtures._pg import checksums
from tenancy_fixtures._pg.catalog import read_tables
from tenancy_fixtures._pg.database import Transaction
from tenancy_fixtures._pg.roles import Roles
from tenancy_fixtures._pg.sql import compose, identifier, literal
from tests.acceptance.support import State

pytestmark = pytest.mark.anyio


class Explained(Transaction):
    """A transaction that keeps the plans of its composed statements, as they were carried out."""

    plans: list[Any]

    async def run(self, statement: Any, **values: Any) -> int:
        if not isinstance(statement, sql.Composed):
            return await super().run(statement, **values)
        row = await self.one(sql.SQL("EXPLAIN (ANALYZE, FORMAT JSON) ") + statement) or {}
        self.plans = [*getattr(self, "plans", []), row["QUERY PLAN"]]
        return 0


def passes(plan: Any, table: str) -> list[int]:
    """How often each node of a plan that reads a table does so."""
    if isinstance(plan, list):
        return [number for item in plan for number in passes(item, table)]
    if not isinstance(plan, dict):
        return []
    own = [plan["Actual Loops"]] if plan.get("Relation Name") == table else []
    return own + [number for value in plan.values() for number in passes(value, table)]


async def test_a_record_settles_rows_in_one_pass(acme: FixtureManager, state: State):
    """What rows a repair has put back is read from the tenant's table once, and not once for each row that was recorded."""
    uid = uuid.uuid4()
    async with await psycopg.AsyncConnection.connect(state.url) as connection, connection.transaction(force_rollback=True):
        await connection.execute("CREATE TABLE t_acme.things (name text PRIMARY KEY, number integer)")
        await connection.execute("INSERT INTO t_acme.things SELECT 'thing ' || i, i FROM generate_series(1, 3000) AS i")
        table = (await read_tables(connection, "t_acme"))["things"]
        transaction = Explained(connection, Roles(), {})
        await checksums.record(Transaction(connection, Roles(), {}), uid, table, 3000, uid)
        await connection.execute("UPDATE t_acme.things SET number = 0 WHERE name IN ('thing 7', 'thing 8')")
        kept = (await checksums.recorded(transaction, uid))["things"]
        edited = list((await checksums.changes(transaction, uid, table, kept)).edited)
        assert len(edited) == 2
        await checksums.settle(transaction, uid, table, kept, edited[:1])
        assert [passes(plan, "things") for plan in transaction.plans] == [[1]]
        # One row is as it was recorded now, and no other.
        assert list((await checksums.changes(transaction, uid, table, kept)).edited) == edited[1:]


async def test_values_are_not_compared_with_each_tenant(acme: FixtureManager, state: State):
    """A column that may name tenants can name anybody: thousands of values, and hundreds of tenants."""
    async with await psycopg.AsyncConnection.connect(state.url) as connection, connection.transaction(force_rollback=True):
        await connection.execute("CREATE TABLE t_acme.things (tenant_id text)")
        await connection.execute("INSERT INTO t_acme.things SELECT 'somebody ' || i FROM generate_series(1, 3000) AS i")
        await connection.execute(
            "INSERT INTO tenancy.tenants (uid, tenant_id, namespace, tier, pack, release)"
            " SELECT gen_random_uuid(), 'x' || i, 't_x' || i, 'free', 'p', 'r' FROM generate_series(1, 500) AS i"
        )
        other = await (await connection.execute("SELECT uid FROM tenancy.tenants WHERE tenant_id = 'x7'")).fetchone()
        await connection.execute("INSERT INTO t_acme.things VALUES ('x7'), (%s), ('acme')", other)
        uid = await (await connection.execute("SELECT uid FROM tenancy.tenants WHERE tenant_id = 'acme'")).fetchone()
        parts = {"table": identifier("t_acme", "things"), "column": identifier("tenant_id"), "uid": literal(uid[0])}
        statement = compose("isolation.tenants_in_column", **parts)
        transaction = Explained(connection, Roles(), {})
        await transaction.run(statement)
        assert "Nested Loop" not in str(transaction.plans)
        assert await transaction.all(statement) == [{"tenant_id": "x7", "rows": 1}] * 2
