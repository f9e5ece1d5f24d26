"""A pack's structure in one schema, made or brought forward: by its script, or by its revisions one after the other; and at which one it is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .._alembic import alone
from .._pg.online import run_online
from .._pg.script import run_script
from .._pg.versions import read_versions, write_versions

if TYPE_CHECKING:
    from .._pg.database import Transaction
    from .._shapes import Tenant
    from ..packs import Pack, Revision


async def make_head(transaction: Transaction, pack: Pack, namespace: str, *, owner: str | None = None) -> None:
    """Make the structure at the pack's head in a schema that is fresh and empty: by its script, or where it has none by its revisions.

    ``owner`` is the role that the schema belongs to where that is one of the host's.

    :raises PackError: PostgreSQL refused it, or it reached out of the schema.
    """
    if pack.schema_sql is None:
        await replay(transaction, pack, namespace, owner=owner)
        return
    shared = pack.manifest.shared_schemas
    await run_script(transaction, pack.schema_sql, file=pack.schema_file, namespace=namespace, fresh=True, shared=shared, owner=owner)
    await _write_versions(transaction, pack, namespace, pack.head, owner)


async def replay(transaction: Transaction, pack: Pack, namespace: str, *, to: int | None = None, owner: str | None = None) -> None:
    """Run the pack's revisions from the first one to that number, or all of them, in a schema that is fresh and empty."""
    for revision in pack.revisions[:to]:
        await run_revision(transaction, pack, namespace, revision, owner=owner, fresh=True)


async def run_revision(
    transaction: Transaction, pack: Pack, namespace: str, revision: Revision, *, owner: str | None = None, fresh: bool = False
) -> None:
    """Bring a schema forward by one revision, and what Alembic's version table says there with it; ``fresh``: nobody uses the schema yet.

    :raises PackError: PostgreSQL refused it, or it reached out of the schema.
    """
    file, shared = revision.file.name, pack.manifest.shared_schemas
    if revision.work is None:
        # Line and column of an error are those of what Alembic's revision compiles to.
        file = file if revision.version is None else f"{file} as SQL"
        await run_script(transaction, revision.sql, file=file, namespace=namespace, fresh=False, shared=shared, owner=owner)
    else:
        async with alone():
            await run_online(transaction, partial(revision.work, fresh=fresh), file=file, namespace=namespace, shared=shared, owner=owner)
    await _write_versions(transaction, pack, namespace, revision.number, owner)


async def read_standing(transaction: Transaction, pack: Pack, tenant: Tenant) -> tuple[int, str]:
    """At which revision a tenant's schema is, and what is wrong with that: where Alembic is the author, its own table says it.

    Where no revision of the pack stands there, the number is the registry's.
    """
    history = pack.manifest.alembic
    if history is None:
        return tenant.revision, ""
    async with transaction.acting_as_owner(tenant):
        versions = await read_versions(transaction, tenant.namespace, history.version_table)
    if versions is None:
        return tenant.revision, f"{history.version_table} is missing"
    number = pack.number_at(versions)
    if number is None:
        return tenant.revision, f"{history.version_table} says {', '.join(versions) or 'nothing'}, where no revision of the pack stands"
    return number, ""


async def _write_versions(transaction: Transaction, pack: Pack, namespace: str, number: int, owner: str | None) -> None:
    history = pack.manifest.alembic
    if history is not None:
        async with transaction.acting_as_role(owner):
            await write_versions(transaction, namespace, history.version_table, pack.versions_at(number))
