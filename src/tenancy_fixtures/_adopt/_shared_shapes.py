"""What is said of tables that tenants share, and of what is missing there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Optional

from .._shapes import Shape

# By name, in the order in which it is mended: why it matters.
MISSING: Final[dict[str, str]] = {
    "column_type": "Values of two types are compared by a cast: no reference can hold both columns, and no index is used.",
    "column_missing": "Which tenant a row belongs to is said by another table alone: a policy, a copy and an erasure have to follow it there.",
    "column_nullable": "A row without a tenant is nobody's: no policy shows it, and nobody erases it.",
    "key_lacks": "A tenant cannot have a value that a neighbour has, learns that he has it, and references to the key may lead to a neighbour's row.",
    "reference_lacks": "A row may refer to a neighbour's: PostgreSQL checks references past all policies.",
    "index_missing": "Each question of one tenant reads the rows of all.",
    "security_off": "Every statement that forgets its WHERE reads and changes the rows of all tenants.",
    "security_not_forced": "Policies do not bind the table's owner, and whatever works with its rights.",
    "policy_missing": "Row-level security without a policy shows nobody anything, and one without a test of the tenant shows everything.",
    "policy_using": "Policies are joined with OR: this one shows rows of other tenants, whatever the others say.",
    "policy_check": "Rows can be written that are another tenant's.",
    "policy_unbound": "The test compares with nothing that says whose turn it is: it shows everybody the same rows.",
    "policy_alternative": "One side of the OR lets rows through without the test: see that no tenant can reach it.",
    "partition_open": "Whoever may read the partition itself passes by the policies of its table.",
    "view_definer": "It reads with the rights of its owner, whom policies may not bind, and shows that to whoever may read the view.",
    "materialized_view": "It holds rows of all tenants, and whoever may read it sees them.",
    "definer_function": "It works with the rights of its owner, whom policies may not bind, whoever calls it.",
    "role_bypasses": "Policies do not hold for it.",
    "role_acts_as_owner": "Who may act as the owner may switch row-level security off.",
    "role_is_owner": "An owner may switch row-level security off, and policies do not bind a superuser or a role with BYPASSRLS at all.",
    "truncate_granted": "No policy is asked by TRUNCATE: it removes the rows of all tenants.",
}


class TableVerdict(str, Enum):
    """What a table is found to be: it keeps tenants apart, it lacks something for that, or it holds no tenant's rows."""

    READY = "ready"
    LACKS = "lacks"
    COMMON = "common"


@dataclass(frozen=True)
class Missing(Shape):
    """One thing that is missing. ``name`` is one of ``MISSING``, ``table`` the one that it is about, ``fix`` the SQL that would mend it: advice."""

    name: str
    object: str
    missing: str
    why: str
    fix: str
    table: Optional[str] = None


@dataclass(frozen=True)
class SharedTable(Shape):
    """One table. ``column`` tells whose its rows are; ``filled`` says that it is NOT NULL, ``indexed`` that an index begins with it.

    ``by_way_of`` are the tables, nearest first, that lead from one without the column to one that has it. ``rows`` is an estimate.
    """

    name: str
    verdict: TableVerdict
    column: Optional[str] = None
    filled: bool = False
    indexed: bool = False
    by_way_of: tuple[str, ...] = ()
    is_registry: bool = False
    enabled: bool = False
    forced: bool = False
    policies: tuple[str, ...] = ()
    rows: Optional[int] = None


@dataclass(frozen=True)
class SharedReport(Shape):
    """A schema whose tables tenants share. ``registry`` is the table that the column refers to, ``settings`` are those that policies read.

    ``tenants`` is how many there are, where this login can know it; ``counted`` says how that is known, or why not.
    """

    schema: str
    column: str
    type: str
    tables: tuple[SharedTable, ...]
    missing: tuple[Missing, ...] = ()
    registry: Optional[str] = None
    settings: tuple[str, ...] = ()
    tenants: Optional[int] = None
    counted: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """True where nothing is missing."""
        return not self.missing

    @property
    def counts(self) -> dict[str, int]:
        """How many tables are ready, lack something, and are common to all."""
        return {verdict.value: len(self.of(verdict)) for verdict in TableVerdict}

    def of(self, verdict: TableVerdict | str) -> tuple[SharedTable, ...]:
        """The tables of one verdict."""
        return tuple(table for table in self.tables if table.verdict == TableVerdict(verdict))

    def to_dict(self) -> dict[str, Any]:
        """The fields with ``counts`` and ``ok`` as plain JSON-ready values."""
        return {**Shape.to_dict(self), "counts": self.counts, "ok": self.ok}

    def __repr__(self) -> str:
        return f"<SharedReport of {self.schema!r} by {self.column!r}, {len(self.missing)} missing>"
