"""Questions to a tenant's tables: are references whole, constraints checked, sequences ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql

from .sql import compose, identifier

if TYPE_CHECKING:
    from .._shapes import ForeignKey, Table
    from .database import Transaction


async def unvalidated(transaction: Transaction, namespace: str) -> list[dict[str, Any]]:
    """Constraints and indexes of a schema that do not hold for every row: ``object``, ``name``, ``kind``."""
    return await transaction.all("integrity.unvalidated", namespace=namespace)


async def count_rows(transaction: Transaction, table: Table) -> int:
    """How many rows a table has."""
    row = await transaction.one(compose("integrity.count_rows", table=identifier(table.schema, table.name)))
    return int((row or {})["rows"])


async def count_orphans(transaction: Transaction, key: ForeignKey) -> int:
    """How many rows refer to nothing."""
    pairs = [(identifier(own), identifier(other)) for own, other in zip(key.columns, key.target_columns)]
    present = sql.SQL(" AND ").join(sql.SQL("child.{} IS NOT NULL").format(own) for own, _ in pairs)
    joined = sql.SQL(" AND ").join(sql.SQL("parent.{} = child.{}").format(other, own) for own, other in pairs)
    names = {"table": identifier(key.schema, key.table), "target": identifier(key.target_schema, key.target_table)}
    row = await transaction.one(compose("integrity.count_orphans", present=present, joined=joined, **names))
    return int((row or {})["rows"])


async def behind_sequences(transaction: Transaction, namespace: str) -> tuple[int, list[str]]:
    """How many sequences feed columns of a schema, and the columns (``table.column``) whose next number is taken."""
    found = await transaction.all("integrity.sequences_behind", namespace=namespace)
    behind = []
    for item in found:
        names = {
            "column": identifier(item["column"]),
            "table": identifier(namespace, item["table"]),
            "sequence": identifier(item["schema"], item["sequence"]),
        }
        row = await transaction.one(compose("integrity.sequence_gap", **names))
        if row and row["behind"]:
            behind.append(f"{item['table']}.{item['column']}")
    return len(found), behind
