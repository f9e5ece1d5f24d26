"""Tables that tenants share: whether policies are in force on them, and the way out of one tenant's rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from ..constants import TENANT_COLUMN
from ..exceptions import RowsLeft
from .catalog import read_tables, table_order
from .rowify import POLICY, TEST, UID
from .sql import compose, identifier, literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._shapes import Table, Tenant
    from .database import Transaction

# A trigger may write rows where others are deleted: what it wrote is deleted too, as often as this.
_PASSES = 3


@dataclass(frozen=True)
class SharedTable:
    """A table, or a ``part`` of one, and what keeps its rows apart; ``own`` where each row says whose it is."""

    name: str
    part: bool
    own: bool
    forced: bool
    policed: bool
    widened: bool
    narrowed: bool

    @property
    def fault(self) -> str | None:
        """Why a tenant might see or touch rows of others here."""
        if self.part:
            return None if self.forced else "has no row-level security of its own: who reads the partition reads the rows of all tenants"
        if not self.own:
            return "does not say whose its rows are"
        if not self.forced:
            return "has its row-level security switched off, or not forced: all tenants' rows are seen"
        if not self.policed:
            return f"lacks the policy {POLICY!r} that shows a tenant its own rows alone"
        return "has another policy that shows more than a tenant's own rows" if self.widened else None

    @property
    def exact(self) -> bool:
        """Whether a tenant sees all of its rows, and those alone."""
        return self.fault is None and not self.narrowed


async def shared_tables(transaction: Transaction, namespace: str) -> list[SharedTable]:
    """All tables of a shared schema, parts of tables too."""
    values = {"column": TENANT_COLUMN, "policy": POLICY, "test": TEST, "uid": UID}
    return [SharedTable(**row) for row in await transaction.all("shared.tables", schema=namespace, **values)]


async def remove_rows(transaction: Transaction, tenant: Tenant) -> dict[str, int]:
    """Delete a tenant's rows from all tables that it shares, those that refer to others first; gives how many, by table.

    The transaction acts as the tables' owner. Each statement names the tenant itself, whatever policies let through.

    :raises RowsLeft: some are still there, or may be.
    """
    states = {table.name: table for table in await shared_tables(transaction, tenant.namespace)}
    tables = await read_tables(transaction.connection, tenant.namespace)
    own = {name: table for name, table in tables.items() if states[name].own and not states[name].part}
    removed = dict.fromkeys(own, 0)
    await transaction.run("shared.plan_for_any_tenant")
    for _ in range(_PASSES):
        for name, count in (await _delete(transaction, own, tenant)).items():
            removed[name] += count
        if not any((await _count(transaction, list(own.values()), tenant)).values()):
            break
    await _refuse_left(transaction, own, tenant, [states[name] for name in own])
    return removed


async def _delete(transaction: Transaction, tables: Mapping[str, Table], tenant: Tenant) -> dict[str, int]:
    order = table_order(tables)
    circle_of = {name: members for members in order.cycles for name in members}
    removed: dict[str, int] = {}
    for name in reversed(order.names):
        if name in removed:
            continue
        if name in circle_of:
            removed.update(await _delete_together(transaction, [tables[member] for member in circle_of[name]], tenant))
        else:
            removed[name] = await transaction.run(compose("shared.delete", **_parts(tables[name], tenant)))
    return removed


async def _delete_together(transaction: Transaction, tables: Sequence[Table], tenant: Tenant) -> dict[str, int]:
    names = [f"gone_{number}" for number, _ in enumerate(tables)]
    others = [compose("shared.delete_one", name=identifier(name), **_parts(table, tenant)) for name, table in zip(names, tables)]
    counts = [sql.SQL("(SELECT count(*) FROM {0}) AS {0}").format(identifier(name)) for name in names]
    row = await transaction.one(compose("shared.delete_beside", others=_listed(others), counts=_listed(counts))) or {}
    return {table.name: row[name] for name, table in zip(names, tables)}


async def _count(transaction: Transaction, tables: Sequence[Table], tenant: Tenant) -> dict[str, int]:
    """How many rows of the tenant's are there, by table."""
    if not tables:
        return {}
    names = [f"left_{number}" for number, _ in enumerate(tables)]
    counts = [compose("shared.count_one", name=identifier(name), **_parts(table, tenant)) for name, table in zip(names, tables)]
    row = await transaction.one(compose("shared.count", counts=_listed(counts))) or {}
    return {table.name: row[name] for name, table in zip(names, tables)}


async def _refuse_left(transaction: Transaction, tables: Mapping[str, Table], tenant: Tenant, states: Sequence[SharedTable]) -> None:
    left = await _count_unfiltered(transaction, list(tables.values()), tenant)
    if left is None:
        # Somebody uses the tables right now. Where policies show a tenant all of its rows, what it sees is all there is.
        hidden = [state.name for state in states if not state.exact]
        if hidden:
            hint = "Try again when nobody uses the tables, or put the policies right first. Nothing was deleted."
            raise RowsLeft(f"policies may hide rows of the tenant's in {', '.join(hidden)}, and the tables are in use", objects=hidden, hint=hint)
        left = await _count(transaction, list(tables.values()), tenant)
    found = [f"{name} ({count})" for name, count in left.items() if count]
    if found:
        hint = "A trigger writes them again, or a policy hides them from the tables' owner. Nothing was deleted."
        raise RowsLeft(
            f"rows of the tenant's are still there: {', '.join(found)}", objects=[name for name, count in left.items() if count], hint=hint
        )


async def _count_unfiltered(transaction: Transaction, tables: Sequence[Table], tenant: Tenant) -> dict[str, int] | None:
    """The same as somebody whom no policy filters: the owner, for a moment that is taken back with its locks. ``None`` where the tables are in use."""
    if not tables:
        return {}
    try:
        async with transaction.connection.transaction(force_rollback=True):
            await transaction.run(compose("shared.lock", tables=_listed([identifier(table.schema, table.name) for table in tables])))
            for table in tables:
                await transaction.run(compose("shared.unfilter", table=identifier(table.schema, table.name)))
            return await _count(transaction, tables, tenant)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.InsufficientPrivilege):
        return None


def _parts(table: Table, tenant: Tenant) -> dict[str, sql.Composable]:
    return {"table": identifier(table.schema, table.name), "column": identifier(TENANT_COLUMN), "uid": literal(tenant.uid)}


def _listed(parts: Sequence[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)
