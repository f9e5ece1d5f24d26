"""What is there already: schemas, whose they are, their structure, and what tools of the host's say of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from psycopg.types.json import Jsonb

from .catalog import fingerprint
from .integrity import not_in_force
from .sql import compose, identifier, query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from .database import Transaction


@dataclass(frozen=True)
class Found:
    """A schema. ``reachable`` says that ``login`` may act as its owner; ``strangers`` own parts of it; ``taken`` names the tenant that has it."""

    oid: int
    name: str
    owner: str
    login: str
    reachable: bool
    tables: int
    strangers: tuple[str, ...]
    taken: Optional[str]
    adopted: bool


async def read_schemas(transaction: Transaction) -> dict[str, Found]:
    """All schemas of the database but the server's and ours, by name."""
    rows = await transaction.all(compose("adopt.schemas", parts=query("adopt.parts")))
    return {row["name"]: Found(**{**row, "strangers": tuple(row["strangers"])}) for row in rows}


@dataclass(frozen=True)
class FoundDatabase:
    """A database. ``open`` says that the login may connect to it; ``taken`` names the tenant that has it."""

    name: str
    open: bool
    taken: Optional[str]
    adopted: bool


async def read_databases(transaction: Transaction) -> dict[str, FoundDatabase]:
    """All databases of the server but this one and templates, by name."""
    return {row["name"]: FoundDatabase(**row) for row in await transaction.all("adopt.databases")}


async def read_schema(transaction: Transaction, name: str) -> tuple[Found | None, str | None]:
    """A schema of a database that is to be one tenant's, and what its owner has to be given before he can go on with it, as a statement."""
    row = await transaction.one(compose("adopt.schema", parts=query("adopt.parts")), schema=name)
    if row is None:
        return None, None
    may_make_schemas, may_make_tables = row.pop("may_make_schemas"), row.pop("may_make_tables")
    found = Found(**{**row, "strangers": tuple(row["strangers"])})
    parts = {"database": identifier(transaction.connection.info.dbname), "schema": identifier(name), "owner": identifier(found.owner)}
    if not may_make_schemas:
        return found, compose("adopt.let_make_schemas", **parts).as_string(transaction.connection)
    return found, None if may_make_tables else compose("adopt.let_make_tables", **parts).as_string(transaction.connection)


async def tenants_inside(transaction: Transaction) -> list[dict[str, Any]]:
    """The tenants that a database's own control plane knows; none where it has no control plane."""
    there = await transaction.one("control_plane.exists")
    return await transaction.all("adopt.tenants_inside") if there and there["found"] else []


async def read_structure(transaction: Transaction, found: Found) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """A schema's fingerprint, and what in it is not in force; read as its owner, for whom PostgreSQL prints its names as they are."""
    async with transaction.acting_as_role(found.owner):
        return await fingerprint(transaction.connection, found.name), await not_in_force(transaction, found.name)


async def read_registry(transaction: Transaction, schema: str, table: str, column: str, owner: str) -> list[str]:
    """The names in a column of a host's registry, as the table's owner reads it.

    :raises PermissionDenied: the login may not act as that role.
    """
    await transaction.require_owner(owner)
    async with transaction.acting_as_role(owner):
        rows = await transaction.all(compose("adopt.registered_names", column=identifier(column), table=identifier(schema, table)))
    return [row["name"] for row in rows]


async def grant_that_is_missing(transaction: Transaction, found: Found) -> str:
    """The statement that lets the login act as the schema's owner, for an administrator."""
    return compose("roles.grant_role", role=identifier(found.owner), member=identifier(found.login)).as_string(transaction.connection)


async def write_adoptions(transaction: Transaction, rows: Sequence[Mapping[str, Any]], uid: UUID | None = None) -> None:
    """Write down what was found; ``uid`` is the tenant's that it is now."""
    await transaction.run("adopt.write", rows=Jsonb([{**row, "uid": None if uid is None else str(uid)} for row in rows]))
