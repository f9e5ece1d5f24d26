"""Rows as they were recorded, and as they are: which went, which changed, which came, and whose they are."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from .._pg import checksums
from .._pg.catalog import read_tables
from .._pg.integrity import LISTED_KEYS, own_tables
from .._shapes import Finding, Step
from ..constants import RECORDED_ROWS
from .shared import open_tables

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from .._pg.checksums import Changes
    from .._pg.database import Transaction
    from .._shapes import Table, Tenant
    from ..packs import Pack
    from .look import Look

# Rows that came and may be a neighbour's: each is looked for among the rows of all tenants that have such a table.
_SOUGHT = 200


async def check_checksums(look: Look) -> None:
    """Compare each table that was recorded. What a tenant adds is its own; what of it is a neighbour's is not."""
    in_sight = {finding.object for finding in await open_tables(look.transaction, look.tenant)}
    for name, kept in (await checksums.recorded(look.transaction, look.tenant.uid)).items():
        table = look.tables.get(name)
        # A neighbour's row with the same key would be taken for one of this tenant's that was edited.
        if table is None or table.hides_rows or name in in_sight or not kept.fits(table):
            continue
        look.checks += 1
        found = await checksums.changes(look.transaction, look.tenant.uid, table, kept)
        look.found(*_findings(look, name, found), checks=0)
        # In tables that tenants share each row says itself whose it is.
        here = {} if table.shared else dict(islice(found.added.items(), _SOUGHT))
        for owner, rows in (await checksums.owners(look.transaction, look.tenant.uid, name, here)).items() if here else ():
            look.found(
                Finding("isolation", "error", name, f"holds rows that are those of another tenant ({owner}), to the last column", rows), checks=0
            )


def _findings(look: Look, name: str, found: Changes) -> list[Finding]:
    kinds = (
        ("missing", "warning", "lacks rows that were recorded", [f"digest {key & (2**64 - 1):016x}" for key in found.missing]),
        ("edited", "warning", "holds rows that are not as they were recorded", [found.names[key] for key in found.edited]),
        ("added", "info", "holds rows that came after it was recorded", [found.names[key] for key in found.added]),
    )
    return [
        Finding(rule, severity, name, message, len(keys), tuple(keys[:LISTED_KEYS]) if look.keys else ())
        for rule, severity, message, keys in kinds
        if keys
    ]


async def record_tables(transaction: Transaction, tenant: Tenant, run_id: UUID, pack: Pack) -> list[Step]:
    """Record what all tables hold now, in place of what was recorded before."""
    steps = []
    for name, table in (await _tables(transaction, tenant)).items():
        rows = await checksums.count_up_to(transaction, table, 2**62)
        await checksums.record(transaction, tenant.uid, table, rows, run_id, key=_natural_key(pack, name))
        steps.append(Step("record", "record", name, {"rows": rows}))
    return steps


async def keep_up(transaction: Transaction, tenant: Tenant, run_id: UUID, pack: Pack, names: Collection[str] | None = None) -> None:
    """After a run has written to these tables, or to any: record those that are small again, and forget what is no longer true of the others."""
    if names is not None and not names:
        return
    known = set(await checksums.recorded(transaction, tenant.uid))
    tables = await _tables(transaction, tenant)
    for name in sorted(known if names is None else {*names}):
        table = tables.get(name)
        rows = await checksums.count_up_to(transaction, table, RECORDED_ROWS) if table else 0
        if table is not None and 0 < rows <= RECORDED_ROWS:
            await checksums.record(transaction, tenant.uid, table, rows, run_id, key=_natural_key(pack, name))
        elif name in known:
            await checksums.forget(transaction, tenant.uid, name)


def _natural_key(pack: Pack, table: str) -> tuple[str, ...]:
    """The key by which the datasets know a table's rows: a number that the database has drawn is none that a source could give again."""
    targets = [target for dataset in pack.manifest.datasets for target in dataset.targets if target.table == table]
    targets.sort(key=lambda target: target.derived)
    return tuple(targets[0].key) if targets else ()


async def _tables(transaction: Transaction, tenant: Tenant) -> Mapping[str, Table]:
    """The tenant's tables that this role may read whole and that are no parts of others: with row security each role sees other rows."""
    own = await own_tables(transaction, tenant.namespace)
    tables = await read_tables(transaction.connection, tenant.namespace)
    seen = {name for name, row in own.items() if row["readable"] and not row["part"]}
    return {name: table for name, table in tables.items() if name in seen and not table.hides_rows}
