"""A schema whose tables tenants share, made by others: whose rows are where, and what is missing to keep them apart."""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Optional

from .._pg.adopt_shared import count_tenants, missing, policy_fixes
from ..exceptions import ConfigurationError
from ._shared_column import NAMES, choose
from ._shared_policies import Policies, settings_in
from ._shared_shapes import MISSING, Missing, SharedReport, SharedTable, TableVerdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .._pg.database import Transaction
    from ._shared_column import Candidate

    Row = Mapping[str, Any]

# What an application sets where no policy says what it does set.
_SETTING: Final = "app.tenant_id"
# These are not asked of PostgreSQL but seen in what policies say.
_OF_POLICIES: Final = frozenset({"policy_using", "policy_check", "policy_unbound", "policy_alternative"})


@dataclass(frozen=True)
class _Held:
    """A table with tenants' rows: ``path`` are the references that lead from it to one with the column, where it has none itself."""

    oid: int
    column: str
    path: tuple[Row, ...] = ()
    followed: bool = False

    @property
    def has(self) -> bool:
        """True where the column is there."""
        return not self.path


@dataclass(frozen=True)
class _Registry:
    """The table that says which tenants there are, and its key."""

    oid: int
    printed: str
    key: str


async def look_at_shared(transaction: Transaction, schema: str, column: str | None = None) -> SharedReport:
    """Look at a schema in a transaction that reads: see :meth:`AdoptingManager.look_at_shared`."""
    began = time.perf_counter()
    there = await transaction.one("adopt_shared.login", schema=schema) or {}
    if not there["there"]:
        raise ConfigurationError(f"there is no schema {schema!r} in this database", hint="Name the one that has the tables.")
    tables = await transaction.all("adopt_shared.tables", schema=schema)
    chosen = choose(schema, await transaction.all("adopt_shared.columns", schema=schema, names=list(NAMES), column=column), column)
    references = await transaction.all("adopt_shared.references", schema=schema)
    policies = await transaction.all("adopt_shared.policies", schema=schema)
    registry = _registry(chosen, references)
    held = _followed(_holding(chosen, references, registry), policies)
    settings = Counter(settings_in(policies))
    setting = settings.most_common(1)[0][0] if settings else _SETTING
    values = _values(schema, held, chosen, setting, registry)
    found = await _missing(transaction, values, held, policies)
    tenants, counted = await count_tenants(transaction, [(registry.oid, registry.key)] if registry else [(i.oid, i.column) for i in held if i.has])
    facts = {row["oid"]: row for row in await transaction.all("adopt_shared.column_facts", oids=values["oids"], columns=values["columns"])}
    lacking = {item.table for item in found}
    by_oid = {item.oid: item for item in held}
    told = tuple(_told(table, by_oid.get(table["oid"]), facts, policies, lacking, registry) for table in tables)
    return SharedReport(
        *(schema, chosen.name, chosen.type, told, tuple(found), registry.printed if registry else None, tuple(sorted(settings))),
        *(tenants, counted, round(time.perf_counter() - began, 6)),
    )


def _registry(chosen: Candidate, references: Iterable[Row]) -> _Registry | None:
    """The table that the column refers to in most tables, where it refers to any."""
    targets = Counter(
        (row["target"], row["target_printed"], row["target_columns"][0])
        for row in references
        if row["columns"] == [chosen.name] and row["source"] in chosen.types and row["source"] != row["target"]
    )
    return _Registry(*targets.most_common(1)[0][0]) if targets else None


def _holding(chosen: Candidate, references: Sequence[Row], registry: _Registry | None) -> list[_Held]:
    """The tables with tenants' rows: with the column, with another that refers to the registry, and those that lead to one of them."""
    left_out = None if registry is None else registry.oid
    held = {oid: _Held(oid, chosen.name) for oid in chosen.types if oid != left_out}
    for oid, own in _by_other_names(references, registry).items():
        if oid not in held and oid != left_out and len(own) == 1:
            held[oid] = _Held(oid, own[0])
    leading = defaultdict(list)
    for row in references:
        leading[row["target"]].append(row)
    waiting = deque([*held, *([left_out] if left_out is not None else [])])
    while waiting:
        target = waiting.popleft()
        for row in leading[target]:
            if row["source"] not in held and row["source"] != left_out:
                onward = held[target].path if target in held else ()
                held[row["source"]] = _Held(row["source"], chosen.name, (row, *onward))
                waiting.append(row["source"])
    return list(held.values())


def _by_other_names(references: Iterable[Row], registry: _Registry | None) -> dict[int, list[str]]:
    """Columns that refer to the registry, by table."""
    found = defaultdict(list)
    for row in references:
        if registry is not None and row["target"] == registry.oid and row["target_columns"] == [registry.key]:
            found[row["source"]].append(row["columns"][0])
    return found


def _followed(held: Iterable[_Held], policies: Sequence[Row]) -> list[_Held]:
    """The same, with those marked whose policies follow rows to the table that has the column."""
    return [replace(item, followed=not item.has and _policies_of(item, policies).hold()) for item in held]


def _policies_of(item: _Held, policies: Sequence[Row], *, following: bool = True) -> Policies:
    parents = [row["target_name"] for row in item.path] if following else []
    return Policies([policy for policy in policies if policy["oid"] == item.oid], item.column, parents)


def _values(schema: str, held: Sequence[_Held], chosen: Candidate, setting: str, registry: Optional[_Registry]) -> dict[str, Any]:
    return {
        "schema": schema,
        "type": chosen.type,
        "setting": setting,
        "key": registry.key if registry else None,
        "oids": [item.oid for item in held],
        "columns": [item.column for item in held],
        "has": [item.has for item in held],
        "through": [item.path[0]["oid"] if item.path else None for item in held],
        "followed": [item.followed for item in held],
    }


async def _missing(transaction: Transaction, values: dict[str, Any], held: Iterable[_Held], policies: Sequence[Row]) -> list[Missing]:
    """All that is missing, in the order in which it is mended."""
    seen = {name: [] if name in _OF_POLICIES else await missing(transaction, f"adopt_shared.{name}", values) for name in MISSING}
    fixes = await policy_fixes(transaction, values)
    for item in held:
        for name, policy, what in _policies_of(item, policies, following=item.followed).faults():
            fix = fixes[policy["oid"], policy["name"]]
            seen[name].append({"table": policy["table"], "object": policy["object"], "missing": what, "fix": fix})
    # A key that is given the column is an index that begins with it.
    keyed = {row["table"] for row in seen["key_lacks"]}
    seen["index_missing"] = [row for row in seen["index_missing"] if row["table"] not in keyed]
    return [Missing(name=name, why=why, **row) for name, why in MISSING.items() for row in seen[name]]


def _told(
    table: Row, item: _Held | None, facts: Mapping[int, Row], policies: Iterable[Row], lacking: set[Optional[str]], registry: _Registry | None
) -> SharedTable:
    fact = facts.get(table["oid"], {})
    verdict = TableVerdict.COMMON if item is None else TableVerdict.LACKS if table["name"] in lacking else TableVerdict.READY
    return SharedTable(
        name=table["name"],
        verdict=verdict,
        column=item.column if item is not None and item.has else None,
        filled=fact.get("filled", False),
        indexed=fact.get("indexed", False),
        by_way_of=tuple(row["target_name"] for row in item.path) if item else (),
        is_registry=registry is not None and registry.oid == table["oid"],
        enabled=table["enabled"],
        forced=table["forced"],
        policies=tuple(policy["name"] for policy in policies if policy["oid"] == table["oid"]),
        rows=table["rows"],
    )
