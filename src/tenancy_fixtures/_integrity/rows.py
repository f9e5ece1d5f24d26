"""Do the rows keep what they should: constraints, keys, references, counts, the order of time?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .._pg import integrity
from .._pg.checksums import lost_keys, recorded
from .._pg.integrity import TableIndex, breaking, count_duplicates, duplicate_keys, index_rows, orphaned
from .._shapes import Finding, ForeignKey, dataset_report
from .clocks import time_conditions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg import sql

    from .._shapes import Table
    from .look import Look


@dataclass(frozen=True)
class _Rule:
    """What no row of a table may be."""

    finding: Finding
    condition: sql.Composable


async def check_rows(look: Look) -> None:
    """Read every table once: count its rows, and those that break a CHECK or lie outside of time."""
    checks = await integrity.table_checks(look.transaction, look.tenant.namespace)
    others = await _written_by_others(look)
    for table in look.tables.values():
        rules = [
            _Rule(Finding("constraint", "error", f"{table.name}.{row['name']}", "is broken by rows"), breaking(row["expression"]))
            for row in checks
            if row["table"] == table.name
        ]
        times = time_conditions(look.pack, table, ordered=table.name not in others)
        rules += [_Rule(Finding("clock", "warning", place, message), condition) for place, condition, message in times]
        look.rows[table.name], broken = await _scan(look, table, rules)
        for rule, number in zip(rules, broken):
            if number:
                finding = replace(rule.finding, count=number, keys=await look.keys_of(table, rule.condition))
                (look.add_to if finding.rule == "constraint" else look.found)(finding)
        look.checks += 1 + len(rules)


async def _written_by_others(look: Look) -> set[str]:
    """Tables to which files have been loaded that are no dataset of the pack: shapes say which of their columns those fill."""
    known = {dataset.name for dataset in look.pack.manifest.datasets}
    entries = await look.transaction.all("registry.ledger", uid=look.tenant.uid)
    return {table.table for entry in entries if entry["dataset"] not in known for table in dataset_report(entry["report"]).tables}


async def _scan(look: Look, table: Table, rules: Sequence[_Rule]) -> tuple[int, list[int]]:
    found = await integrity.try_scan(look.transaction, table, [rule.condition for rule in rules])
    if found is not None:
        return found
    # One by one, and without those that cannot be worked out.
    rows, _ = await integrity.scan(look.transaction, table, [])
    broken = []
    for rule in rules:
        alone = await integrity.try_scan(look.transaction, table, [rule.condition])
        broken.append(alone[1][0] if alone else 0)
        if alone is None:
            look.found(replace(rule.finding, severity="warning", message="cannot be worked out for the rows that are there"), checks=0)
    return rows, broken


async def check_keys(look: Look) -> None:
    """No two rows have the same key, whatever the index says; and an index leads to as many rows as it should."""
    for index in _unique_indexes(look):
        table = look.tables[index.table]
        rows = await count_duplicates(look.transaction, table, index)
        if rows:
            keys = await duplicate_keys(look.transaction, table, index) if look.keys else ()
            look.found(Finding("key", "error", f"{index.table}.{index.name}", "is the same in several rows", rows, keys), checks=0)
        look.checks += 1
    for index in look.indexes:
        if index.ordered and index.table in look.tables:
            await _check_index(look, index)


def _unique_indexes(look: Look) -> Iterator[TableIndex]:
    """Those that are there, those that the pack makes, and the keys by which its datasets tell rows apart."""
    there = [index for index in look.indexes if index.unique and index.table in look.tables]
    names = {(index.table, index.name) for index in there}
    yield from there
    made = look.made.indexes if look.made else ()
    missing = [index for index in made if index.unique and index.table in look.tables and (index.table, index.name) not in names]
    yield from (index for index in missing if _has_columns(look, index))


def _has_columns(look: Look, index: TableIndex) -> bool:
    table = look.made.tables[index.table] if look.made else look.tables[index.table]
    named = next((item.columns for item in table.indexes if item.name == index.name), ())
    return all(look.tables[index.table].column(name) is not None for name in named)


async def _check_index(look: Look, index: TableIndex) -> None:
    table = look.tables[index.table]
    led_to = await index_rows(look.transaction, table, index)
    if led_to is None:
        return
    rows = look.rows[index.table] if index.predicate is None else await integrity.count_where(look.transaction, table, index.condition)
    look.checks += 1
    if led_to != rows:
        look.found(
            Finding("index", "error", index.name, f"leads to {led_to} rows, and the table has {rows}: it is corrupt", abs(rows - led_to)), checks=0
        )


async def check_references(look: Look) -> None:
    """No row refers to nothing: by the constraints that are there, those that the pack makes, and the rules of its datasets."""
    for key in _references(look):
        table = look.tables[key.table]
        look.checks += 1
        orphans = await integrity.count_orphans(look.transaction, table, key)
        if orphans:
            keys = await look.keys_of(table, orphaned(key))
            place, message = f"{key.table}.{','.join(key.columns)}", f"leads to no row of {key.target_table}"
            look.found(Finding("reference", "error" if key.name else "warning", place, message, orphans, keys), checks=0)


def _references(look: Look) -> Iterator[ForeignKey]:
    here, seen = look.tenant.namespace, set()
    there = [key for table in look.tables.values() for key in table.foreign_keys]
    made = [moved(key, here) for table in (look.made.tables.values() if look.made else ()) for key in table.foreign_keys]
    for key in [*there, *made, *_declared(look)]:
        place = (key.table, key.columns, key.target_schema, key.target_table, key.target_columns)
        # Rows that row security hides are there all the same.
        target = look.tables.get(key.target_table)
        readable = key.target_schema != here or (target is not None and not target.hides_rows)
        if place not in seen and readable and key.table in look.tables and _complete(look, key):
            seen.add(place)
            yield key


def moved(key: ForeignKey, schema: str) -> ForeignKey:
    """A reference of the schema that was made for trial, as it is in the tenant's."""
    return replace(key, schema=schema, target_schema=schema if key.target_schema == key.schema else key.target_schema)


def _declared(look: Look) -> Iterator[ForeignKey]:
    here = look.tenant.namespace
    for dataset in look.pack.manifest.datasets:
        for target in dataset.targets:
            for rule in target.rules:
                if rule.references is not None:
                    other = rule.references
                    yield ForeignKey("", here, target.table, tuple(rule.names), here, other.table, tuple(other.columns), "")


def _complete(look: Look, key: ForeignKey) -> bool:
    other = look.tables.get(key.target_table) if key.target_schema == look.tenant.namespace else None
    own = all(look.tables[key.table].column(name) is not None for name in key.columns)
    return own and (other is None or all(other.column(name) is not None for name in key.target_columns))


async def check_counts(look: Look) -> None:
    """A table holds at least what the ledger says was stored; more is the tenant's own. Where its rows are recorded, that says more."""
    uid, kept = look.tenant.uid, await recorded(look.transaction, look.tenant.uid)
    datasets = {dataset.name: dataset for dataset in look.pack.manifest.datasets}
    for entry in await look.transaction.all("registry.ledger", uid=uid):
        look.checks += 1
        dataset = datasets.get(entry["dataset"])
        if dataset is None:  # files of a shape, or a dataset of an earlier release
            continue
        table = look.tables.get(dataset.own.table)
        if table is None or table.hides_rows or (table.name in kept and kept[table.name].fits(table)):
            continue
        lost = await lost_keys(look.transaction, uid, dataset.name, table, dataset.own.key) if dataset.sync else 0
        stored, rows = dataset_report(entry["report"]).stored, look.rows[table.name]
        if lost:
            look.found(Finding("missing", "warning", table.name, f"lacks rows that the dataset {dataset.name} has put there", lost), checks=0)
        elif rows < stored:
            look.found(
                Finding(
                    "count",
                    "warning",
                    table.name,
                    f"holds {rows} rows, and {stored} were loaded into it: `tenancy load --again` brings back what is missing",
                    stored - rows,
                ),
                checks=0,
            )
