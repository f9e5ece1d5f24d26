"""What the checks look at: a tenant, its tables, and what its pack makes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .._pg.catalog import fingerprint, read_tables
from .._pg.integrity import keys_where, may_use, own_tables, read_heap_only, read_indexes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg import sql

    from .._pg.database import Transaction
    from .._pg.integrity import TableIndex
    from .._shapes import Finding, Table, Tenant
    from ..packs import Pack
    from .made import Made


@dataclass
class Look:
    """One look at a tenant, in one transaction. Findings, checks and rows gather in it.

    ``tables`` are those whose rows can be read and that are no parts of others; ``made`` is what the pack makes for a tenant at this
    revision, ``None`` where that cannot be said. With ``keys`` findings name rows by their keys.
    """

    transaction: Transaction
    tenant: Tenant
    pack: Pack
    made: Made | None
    structure: Mapping[str, str]
    tables: Mapping[str, Table]
    unreadable: tuple[str, ...]
    indexes: tuple[TableIndex, ...]
    keys: bool = False
    checks: int = 0
    findings: list[Finding] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)

    def found(self, *findings: Finding, checks: int = 1) -> None:
        """Add findings, and how many checks it took to come by them."""
        self.findings += findings
        self.checks += checks

    def add_to(self, finding: Finding) -> None:
        """Add a finding, to the one about the same object where there is one: two faults of one constraint are one finding."""
        place = next((number for number, item in enumerate(self.findings) if (item.rule, item.object) == (finding.rule, finding.object)), None)
        if place is None:
            self.findings.append(finding)
        else:
            self.findings[place] = replace(finding, message=f"{self.findings[place].message}, and {finding.message}")

    async def keys_of(self, table: Table, condition: sql.Composable) -> tuple[str, ...]:
        """The keys of the first rows for which a condition is true, where keys are asked for."""
        return await keys_where(self.transaction, table, condition) if self.keys else ()


async def look_at_tenant(transaction: Transaction, tenant: Tenant, pack: Pack, made: Made | None, *, keys: bool = False) -> Look:
    """Begin a look: what is there, and what of it can be read."""
    await read_heap_only(transaction)
    structure = await read_structure(transaction, tenant.namespace)
    own = await own_tables(transaction, tenant.namespace)
    tables = await read_tables(transaction.connection, tenant.namespace)
    # Partitions are read through their table.
    whole = {name: table for name, table in tables.items() if not (own.get(name) or {}).get("part")}
    unreadable = tuple(name for name in whole if not (own.get(name) or {}).get("readable"))
    readable = {name: table for name, table in whole.items() if name not in unreadable}
    indexes = tuple(await read_indexes(transaction, tenant.namespace))
    return Look(transaction, tenant, pack, made, structure, readable, unreadable, indexes, keys)


async def read_structure(transaction: Transaction, namespace: str) -> dict[str, str]:
    """What is there, as its owner reads it where this role may not use the schema: PostgreSQL would print other names."""
    if await may_use(transaction, namespace):
        return await fingerprint(transaction.connection, namespace)
    async with transaction.acting_as("migrator"):
        return await fingerprint(transaction.connection, namespace)
