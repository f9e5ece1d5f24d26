"""The schemas that a registry of the host's names: that of django-tenants, or any table with a column of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._pg.adopt import read_registry
from ..exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._pg.database import Transaction

DJANGO_TENANTS = "django-tenants"
_COLUMN, _SHARED = "schema_name", "public"


async def schemas_of(transaction: Transaction, registry: str) -> list[str]:
    """The names in a registry: ``django-tenants``, or ``schema.table`` and, where it is not ``schema_name``, ``.column``.

    :raises ConfigurationError: there is no such table or column, or not one alone.
    :raises PermissionDenied: the login may not act as the role that owns it.
    """
    schema, table, column = await _django_tenants(transaction) if registry == DJANGO_TENANTS else _parts(registry)
    found = await transaction.one("adopt.registry_table", schema=schema, table=table)
    if found is None or column not in found["columns"]:
        what = f"no table {schema}.{table}" if found is None else f"the table {schema}.{table} has no column {column!r}"
        raise ConfigurationError(what, hint=f"Name a registry as SCHEMA.TABLE[.COLUMN], or {DJANGO_TENANTS}.")
    names = await read_registry(transaction, schema, table, column, found["owner"])
    # What all tenants share is no tenant's.
    return [name for name in names if name != _SHARED]


async def _django_tenants(transaction: Transaction) -> tuple[str, str, str]:
    found: Sequence[dict[str, str]] = await transaction.all("adopt.registry_columns", schema=_SHARED, column=_COLUMN)
    if len(found) == 1:
        return found[0]["schema"], found[0]["table"], found[0]["column"]
    listed = ", ".join(f"{row['schema']}.{row['table']}" for row in found) or "none"
    message = f"in {_SHARED} there has to be one table with a unique column {_COLUMN!r}, and there are {len(found)}"
    raise ConfigurationError(message, hint=f"Name it as SCHEMA.TABLE. Found: {listed}.")


def _parts(registry: str) -> tuple[str, str, str]:
    parts = registry.split(".")
    if not all(parts) or len(parts) not in (2, 3):
        raise ConfigurationError(f"{registry!r} is no registry", hint=f"Write SCHEMA.TABLE[.COLUMN], or {DJANGO_TENANTS}.")
    return parts[0], parts[1], parts[2] if len(parts) == 3 else _COLUMN  # noqa: PLR2004 - schema, table, column
