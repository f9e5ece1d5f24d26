"""What a table is, as the catalogue has it; and what all small frozen types have in common that rooms hand to each other."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


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
class Lookup(Shape):
    """A staged text of ``column`` stands for ``value`` of the row of a table whose ``by`` it is.

    ``missing`` is what becomes of a row for which there is none: ``null`` in the column, ``leave_out``, or ``reject``.
    """

    column: str
    schema: str
    table: str
    by: str
    value: str
    missing: str


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
    ``shared`` says that its rows are several tenants': policies and a default look after the column that says whose, and no other part
    of this names it. A tenant's table is the same to whoever reads or writes it, shared or not.
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
    shared: bool = False

    @property
    def hides_rows(self) -> bool:
        """Whether there may be rows of the tenant's that not every role sees: by policies that are not those of shared tables."""
        return self.row_security and not self.shared

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
