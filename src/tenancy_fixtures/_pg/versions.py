"""Alembic's version table in a tenant's schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .sql import compose, identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .database import Transaction

# PostgreSQL cuts longer names.
_LONGEST = 63


def version_key(table: str) -> str:
    """What Alembic calls the primary key of its table."""
    return f"{table}_pkc"[:_LONGEST]


async def read_versions(transaction: Transaction, namespace: str, table: str) -> list[str] | None:
    """What the version table says; ``None`` where there is none."""
    row = await transaction.one("versions.has_table", namespace=namespace, name=table)
    if not (row and row["found"]):
        return None
    return [row["version"] for row in await transaction.all(compose("versions.said", table=identifier(namespace, table)))]


async def hold_versions(transaction: Transaction, namespace: str, table: str) -> None:
    """Let nobody else write to the version table before the transaction ends, where there is one: what it says stays true until then."""
    row = await transaction.one("versions.has_table", namespace=namespace, name=table)
    if row and row["found"]:
        await transaction.run(compose("versions.hold", table=identifier(namespace, table)))


async def write_versions(transaction: Transaction, namespace: str, table: str, versions: Sequence[str]) -> None:
    """Let the version table say just these, made as Alembic makes it where it is missing."""
    place = identifier(namespace, table)
    await transaction.run(compose("versions.make_table", table=place, key=identifier(version_key(table))))
    await transaction.run(compose("versions.forget", table=place), versions=list(versions))
    await transaction.run(compose("versions.add", table=place), versions=list(versions))
