"""Is a pack in order: its templates with each other, its datasets with its schema?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._shapes import Finding
from ..exceptions import PackInvalid
from ..packs import Pack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .._pack_models import Dataset, Target
    from .._pg.database import Transaction
    from .._shapes import Table


NOT_FILLED = "must have a value, has no default, and the dataset does not fill it"


def misfits(dataset: Dataset, tables: Mapping[str, Table]) -> Iterator[Finding]:
    """What a dataset needs of a schema and does not find there: tables, columns, and keys by which rows can be told apart."""
    for target in dataset.targets:
        place, table = f"{dataset.name} → {target.table}", tables.get(target.table)
        if table is None:
            yield Finding("table", "error", place, "no such table is in the schema")
            continue
        missing = [name for name, mapping in target.columns.items() if table.column(name) is None and not mapping.only_if_column]
        yield from (Finding("column", "error", f"{place}.{name}", "no such column is in the schema") for name in missing)
        if not missing and not table.keeps_apart(target.key):
            message = "the dataset's key is not unique in the table: it needs a primary key or a unique index of all rows"
            yield Finding("key", "error", f"{place} ({', '.join(target.key)})", message)


def gaps(dataset: Dataset, tables: Mapping[str, Table]) -> Iterator[Finding]:
    """What would refuse every record of a dataset: columns that must have a value and get none, references that cannot be compared."""
    for target in dataset.targets:
        table = tables[target.table]
        for column in table.columns:
            filled = column.name in target.columns or column.has_default or column.identity or column.generated or column.nullable
            if not filled:
                yield Finding("column", "error", f"{dataset.name} → {target.table}.{column.name}", NOT_FILLED)
        yield from _references(dataset, target, table, tables)


def _references(dataset: Dataset, target: Target, table: Table, tables: Mapping[str, Table]) -> Iterator[Finding]:
    for rule in target.rules:
        if rule.references is None:
            continue
        other = tables.get(rule.references.table)
        for name, theirs in zip(rule.names, rule.references.columns):
            ours, column = table.column(name), other and other.column(theirs)
            if ours is None or not column or (ours.type.name, ours.type.category) != (column.type.name, column.type.category):
                message = f"cannot refer to {rule.references.table}.{theirs}: it must be there, and of the same type"
                yield Finding("references", "error", f"{dataset.name} → {target.table}.{name}", message)


def check_templates(pack: Pack) -> list[Finding]:
    """The files are as their JSON Schemas say, now as when the pack was read, and speak of the same tiers."""
    try:
        if not pack.of_models:
            Pack.from_folder(pack.folder)
    except PackInvalid as error:
        return [Finding("template", "error", str(error.facts.get("file") or pack.folder), error.message)]
    tiers, config = pack.tenant_template.tiers, pack.config_template
    unknown = [name for name in config.tiers if name not in tiers]
    findings = [Finding("tier", "error", name, "has a part in config_template.json, and is no tier of tenant_template.json") for name in unknown]
    for name, part in config.tiers.items():
        places = _other_kinds(config.defaults, part)
        findings += [
            Finding("config", "warning", f"{name}: {place}", "is of another kind than the default that it takes the place of") for place in places
        ]
    for name, tier in tiers.items():
        twice = sorted({feature for feature in tier.features if tier.features.count(feature) > 1})
        findings += [Finding("feature", "warning", f"{name}: {feature}", "is named twice") for feature in twice]
    return findings


def _other_kinds(defaults: Mapping[str, Any], part: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """Places of a tier's configuration whose values are of another kind of JSON than the defaults'."""
    for name, value in part.items():
        default = defaults.get(name)
        if default is None or value is None:
            continue
        if isinstance(default, dict) and isinstance(value, dict):
            yield from _other_kinds(default, value, f"{place}{name}.")
        elif _kind(default) != _kind(value):
            yield f"{place}{name}"


def _kind(value: Any) -> str:
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


async def check_server(transaction: Transaction, pack: Pack) -> list[Finding]:
    """The server has the extensions and schemas that the pack needs."""
    missing = await transaction.all("registry.missing_extensions", names=list(pack.manifest.extensions)) if pack.manifest.extensions else []
    findings = [Finding("extension", "error", row["name"], "is not installed: an administrator runs CREATE EXTENSION") for row in missing]
    for name in pack.manifest.shared_schemas:
        row = await transaction.one("registry.namespace_exists", namespace=name)
        if not (row and row["found"]):
            findings.append(Finding("shared_schema", "warning", name, "is not in the database"))
    return findings
