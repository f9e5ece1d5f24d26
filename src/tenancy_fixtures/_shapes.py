"""The small frozen types that rooms hand to each other: a table as the catalogue has it, a reject, a report."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_Kind = TypeVar("_Kind")


class Shape:
    """What every result has: ``to_dict()`` gives plain JSON-ready values."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON-ready values, nested results included."""
        return {item.name: plain(getattr(self, item.name)) for item in dataclasses.fields(self)}  # type: ignore[arg-type]


def plain(value: Any) -> Any:
    """Turn a value of a result into what ``json.dumps`` takes."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item) for item in value)
    for kind, convert in _PLAIN:
        if isinstance(value, kind):
            return convert(value)
    if value is None or isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    # A date, a decimal, a number that JSON does not know…
    return str(value)


_PLAIN: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (Shape, lambda value: value.to_dict()),
    (Enum, lambda value: value.value),
    (datetime, lambda value: value.isoformat()),
    ((UUID, PurePath), str),
)


# --- what a table is ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ColumnType(Shape):
    """A column's type as PostgreSQL's catalogue names it.

    ``name`` is ``pg_type.typname`` of the base type (domains are followed): ``int4``, ``text``, ``timestamptz``…;
    ``declared`` what ``format_type`` prints (``numeric(10,2)``, ``character varying(40)``): it is what a cast is
    written with. ``length`` is the limit in characters of ``varchar(n)`` and ``char(n)``; ``precision`` and ``scale``
    those of ``numeric(p,s)``; of a type of time, ``precision`` is the digits of a second. ``labels`` are an enum's.
    """

    name: str
    declared: str
    category: str = "U"
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    element: str | None = None
    labels: tuple[str, ...] = ()
    domain: bool = False


@dataclass(frozen=True)
class Column(Shape):
    """One column. ``generated`` columns and ``identity = 'always'`` ones are not written by a load."""

    name: str
    type: ColumnType
    nullable: bool = True
    has_default: bool = False
    identity: str = ""
    generated: bool = False


@dataclass(frozen=True)
class Index(Shape):
    """One index; ``definition`` is PostgreSQL's own ``CREATE INDEX`` or, for a constraint, ``PRIMARY KEY (…)``.

    ``unique`` says that no two rows of the table have the same values in ``columns``, as long as none of them is null.
    """

    name: str
    columns: tuple[str, ...]
    unique: bool
    primary: bool
    definition: str
    constraint: str | None = None


@dataclass(frozen=True)
class ForeignKey(Shape):
    """One reference; ``definition`` is PostgreSQL's own ``FOREIGN KEY … REFERENCES …``."""

    name: str
    schema: str
    table: str
    columns: tuple[str, ...]
    target_schema: str
    target_table: str
    target_columns: tuple[str, ...]
    definition: str


@dataclass(frozen=True)
class Table(Shape):
    """One table as the catalogue has it. ``referenced_by`` are the foreign keys of others that point here.

    ``partition_key`` are the columns that say in which partition a row is, ``partition_strategy`` is ``range``, ``list`` or ``hash``.
    """

    schema: str
    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    referenced_by: tuple[ForeignKey, ...] = ()
    row_security: bool = False
    partition_strategy: str = ""
    partition_key: tuple[str, ...] = ()
    has_triggers: bool = False

    @property
    def partitioned(self) -> bool:
        """Whether its rows are in partitions."""
        return bool(self.partition_strategy)

    def column(self, name: str) -> Column | None:
        """The column of that name, or ``None``."""
        return next((column for column in self.columns if column.name == name), None)

    def keeps_apart(self, columns: Iterable[str]) -> bool:
        """Whether no two rows can have the same values in these columns; of a partitioned table, none that a load writes.

        PostgreSQL keeps rows of several partitions apart only by what the partitions are told apart by; a load, which merges
        by the key alone, moves a row whose partition has changed.
        """
        wanted = {*columns, *self.partition_key}
        return any(index.unique and wanted.issuperset(index.columns) for index in self.indexes)


# --- a tenant -------------------------------------------------------------------------------------------------------


class TenantState(str, Enum):
    """Where a tenant stands in its life."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    QUARANTINED = "quarantined"


@dataclass(frozen=True)
class Tenant(Shape):
    """A tenant as the registry has it."""

    uid: UUID
    tenant_id: str
    namespace: str
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
    ``notes`` say what was guessed of the sources.
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

    @property
    def lost(self) -> int:
        """Records that nothing accounts for; always 0 in a run that succeeded."""
        return self.read - self.stored - self.duplicates - self.rejects

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
