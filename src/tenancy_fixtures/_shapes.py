"""The small frozen types that rooms hand to each other: a tenant, a reject, a report; and those that say what a table is."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Optional, TypeVar
from uuid import UUID

from ._table_shapes import Column, ColumnType, ForeignKey, Index, Shape, Table, plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = [
    "Column",
    "ColumnType",
    "DatasetReport",
    "Finding",
    "ForeignKey",
    "Index",
    "Phase",
    "Reject",
    "RunReport",
    "RunState",
    "Shape",
    "Step",
    "Table",
    "TableReport",
    "Tenant",
    "TenantState",
    "ValidationReport",
    "dataset_report",
    "plain",
]

_Kind = TypeVar("_Kind")


# --- a tenant -------------------------------------------------------------------------------------------------------


class TenantState(str, Enum):
    """Where a tenant stands in its life."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    QUARANTINED = "quarantined"


@dataclass(frozen=True)
class Tenant(Shape):
    """A tenant as the registry has it. ``role`` is its own, where it has one: that of the application's sessions.

    ``owner`` is the role that its structure belongs to, where it was adopted; ``None`` where it was made here.
    """

    uid: UUID
    tenant_id: str
    namespace: str
    role: Optional[str]
    isolation: str
    state: TenantState
    tier: str
    features: tuple[str, ...]
    limits: Mapping[str, Any]
    labels: Mapping[str, Any]
    pack: str
    release: str
    revision: int
    created_at: datetime
    updated_at: datetime
    owner: Optional[str] = None

    def __repr__(self) -> str:
        return f"<Tenant {self.tenant_id!r} in {self.namespace}, {self.state.value}, {self.tier}, {self.pack} revision {self.revision}>"


# --- what a run says of itself --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reject(Shape):
    """A record that broke a rule.

    ``source`` is the file's name, ``record`` counts records from 1 in that source, ``line`` the physical line where it
    can be known. ``message`` says what was expected and never holds the record's value.
    """

    source: str
    record: int
    rule: str
    column: str | None = None
    message: str = ""
    line: int | None = None


@dataclass(frozen=True)
class Phase(Shape):
    """Time, records and bytes of one phase of a run (read, write, indexes…)."""

    name: str
    seconds: float
    records: int = 0
    bytes: int = 0

    @property
    def rate(self) -> float:
        """Records per second; 0 where nothing was counted."""
        return self.records / self.seconds if self.seconds > 0 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The fields and the rate as plain JSON-ready values."""
        return {**Shape.to_dict(self), "seconds": round(self.seconds, 6), "rate": round(self.rate, 1)}


@dataclass(frozen=True)
class TableReport(Shape):
    """What a load did to one table."""

    table: str
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0

    @property
    def written(self) -> int:
        """Rows that were inserted, updated or deleted."""
        return self.inserted + self.updated + self.deleted


@dataclass(frozen=True)
class DatasetReport(Shape):
    """What a load did with one dataset. Every record is accounted for: ``lost`` is 0 or the run fails.

    ``read`` counts source records, ``stored`` those whose row is in the dataset's own table afterwards (written now,
    or found there unchanged), ``duplicates`` those whose key came before, ``conflicts`` the duplicates that differ
    from the first. ``tables`` tells what was written, derived tables included. ``skipped`` is true where the ledger
    knows the content already: then ``read`` and the rest are those of the load that stored it and nothing is written.
    ``notes`` say what was guessed of the sources. ``unresolved`` counts values that were to be looked up and were not found;
    ``left_out`` the records that have no row for their sake. ``refused`` says, of a dry run, that the load itself would fail: more
    records are bad than the dataset allows.
    """

    dataset: str
    digest: str
    read: int = 0
    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    rejects: int = 0
    skipped: bool = False
    tables: tuple[TableReport, ...] = ()
    sources: tuple[str, ...] = ()
    ignored_columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    listed_rejects: tuple[Reject, ...] = ()
    unresolved: int = 0
    left_out: int = 0
    refused: bool = False

    @property
    def lost(self) -> int:
        """Records that nothing accounts for; always 0 in a run that succeeded."""
        return self.read - self.stored - self.duplicates - self.rejects - self.left_out

    @property
    def written(self) -> int:
        """Rows inserted, updated or deleted by this run, over all tables."""
        return 0 if self.skipped else sum(table.written for table in self.tables)

    def to_dict(self) -> dict[str, Any]:
        """The fields with ``lost`` and ``written`` as plain JSON-ready values."""
        return {**Shape.to_dict(self), "lost": self.lost, "written": self.written}


class RunState(str, Enum):
    """Where a run stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CRASHED = "crashed"


@dataclass(frozen=True)
class Step(Shape):
    """One thing that a fixture did, or would do: ``action`` (create, update, skip, drop…) on ``object``."""

    fixture: str
    action: str
    object: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding(Shape):
    """Something that a validation saw. ``severity`` is ``error``, ``warning`` or ``info``.

    ``count`` is how many rows or objects it is about. ``keys`` name the first of the rows, only where they were asked for:
    a key may be personal data.
    """

    rule: str
    severity: str
    object: str
    message: str
    count: int = 1
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class ValidationReport(Shape):
    """What a validation saw, and how many checks it made; ``rows`` are those of each table that it counted."""

    subject: str
    checks: int
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0
    rows: Mapping[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """True where no finding is an error."""
        return not self.of("error")

    @property
    def score(self) -> int:
        """Health from 0 to 100: each error takes a fifth of what is left, each warning a thirtieth; rounded down."""
        return math.floor(100 * 0.8 ** len(self.of("error")) * (29 / 30) ** len(self.of("warning")))

    def of(self, severity: str) -> tuple[Finding, ...]:
        """The findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity == severity)

    def to_dict(self) -> dict[str, Any]:
        """The fields with ``ok`` and ``score`` as plain JSON-ready values."""
        return {**Shape.to_dict(self), "ok": self.ok, "score": self.score}


@dataclass(frozen=True)
class RunReport(Shape):
    """What one run did to one tenant: steps, datasets, phases."""

    run_id: UUID
    tenant_id: str
    operation: str
    state: RunState
    steps: tuple[Step, ...] = ()
    datasets: tuple[DatasetReport, ...] = ()
    phases: tuple[Phase, ...] = ()
    dry_run: bool = False
    seconds: float = 0.0

    @property
    def written(self) -> int:
        """Rows inserted, updated or deleted, over all datasets; none where the run failed or was a dry one, since everything was taken back."""
        return sum(dataset.written for dataset in self.datasets) if self.state is RunState.SUCCEEDED and not self.dry_run else 0

    def dataset(self, name: str) -> DatasetReport:
        """The report of one dataset; :class:`KeyError` where the run had none of that name."""
        for report in self.datasets:
            if report.dataset == name:
                return report
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """The fields with ``written`` as plain JSON-ready values."""
        return {**Shape.to_dict(self), "written": self.written}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> RunReport:
        """The report that :meth:`to_dict` made these values of, as a run's row keeps them."""
        nested = {
            "run_id": UUID(content["run_id"]),
            "state": RunState(content["state"]),
            "steps": tuple(_of(Step, item) for item in content["steps"]),
            "datasets": tuple(dataset_report(item) for item in content["datasets"]),
            "phases": tuple(_of(Phase, item) for item in content["phases"]),
        }
        return _of(cls, {**content, **nested})

    def __repr__(self) -> str:
        rows = f", {self.written} row{'' if self.written == 1 else 's'} written" if self.datasets else ""
        return f"<RunReport {self.operation} of {self.tenant_id!r}: {self.state.value}{rows}, {self.seconds:.2f} s>"


def dataset_report(content: Mapping[str, Any]) -> DatasetReport:
    """The report of a dataset from its plain values, as the ledger keeps them."""
    nested = {
        "tables": tuple(_of(TableReport, item) for item in content["tables"]),
        "listed_rejects": tuple(_of(Reject, item) for item in content["listed_rejects"]),
        "sources": tuple(content["sources"]),
        "ignored_columns": tuple(content["ignored_columns"]),
        "notes": tuple(content.get("notes", ())),
    }
    return _of(DatasetReport, {**content, **nested})


def _of(kind: type[_Kind], content: Mapping[str, Any]) -> _Kind:
    names = {item.name for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in content.items() if name in names})
