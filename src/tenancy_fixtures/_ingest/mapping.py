"""From a dataset, the catalogue and the sources' headers to a plan: which cell becomes which column, and how.

Everything that can be wrong with a mapping is found here, before the first record is read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from .._table_shapes import ColumnType
from ..exceptions import ColumnMissing, PackInvalid, SourceMalformed
from .checks import Check, compile_rules, require_pattern
from .readers import Field
from .steps import CompiledStep, as_written, compile_steps
from .types import Cast, cast_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._pack_models import ColumnMapping, Dataset, Join, Target
    from .._shapes import Column, Table
    from .readers import Header

# What is looked up is text until the server has the value.
_TO_LOOK_UP = replace(cast_for(ColumnType("text", "text", "S")), as_text=True)

# Signs that separate cells in files that are called CSV, by their names.
_DELIMITERS = {"semicolon": ";", "tabulator": "\t", "vertical bar": "|", "comma": ","}


@dataclass(frozen=True)
class Input:
    """A source column as a mapping reads it: the first of ``names`` that is there, its null texts, its pattern, its steps."""

    names: tuple[str, ...]
    nulls: tuple[str, ...]
    extract: str | None = None
    steps: tuple[CompiledStep, ...] = ()

    def found(self, header: Header) -> str | None:
        """The column of that header, if it has one."""
        return next((name for name in self.names if name in header), None)

    def __str__(self) -> str:
        return "|".join(self.names)


def is_pattern(name: str) -> bool:
    """Whether the name of a member stands for whatever matches it."""
    return any(sign in name for sign in "*?[")


@dataclass(frozen=True)
class Members:
    """Columns that make one object: those that are named, and those that match a pattern and that nothing else reads (``taken``)."""

    patterns: tuple[str, ...]
    nulls: tuple[str, ...]
    taken: frozenset[str]

    @property
    def named(self) -> bool:
        """Whether all of them are known by their names."""
        return not any(map(is_pattern, self.patterns))

    def found(self, header: Header) -> list[Input]:
        """The columns of that header."""
        free = [name for name in header if name not in self.taken]
        names = [name for name in header if name in self.patterns or (name in free and any(fnmatchcase(name, item) for item in self.patterns))]
        return [Input((name,), self.nulls) for name in names]


@dataclass(frozen=True)
class ColumnPlan:
    """How one target column is made: of one input, of several joined or as a uuid, of a constant, or of where the record stood.

    ``required`` columns reject a record that has no value for them. ``steps`` are those of the joined text.
    """

    name: str
    type: str
    cast: Cast
    inputs: tuple[Input, ...]
    required: bool
    uuid_kind: str | None = None
    const: pl.Series | None = None
    join: Join | None = None
    steps: tuple[CompiledStep, ...] = ()
    provenance: str | None = None
    members: Members | None = None

    @property
    def same(self) -> tuple[object, ...]:
        """What columns with the same values have in common."""
        joined = self.join and (self.join.separator, self.join.skip_nulls)
        return self.inputs, self.uuid_kind, self.type, joined, self.steps, self.provenance, self.members

    def label(self, header: Header) -> str:
        """What rejects call the column: the source's name for it, where it comes from there."""
        return ", ".join(item.found(header) or str(item) for item in self.inputs) or self.name


@dataclass(frozen=True)
class TargetPlan:
    """The columns of one target, in the order in which the writer gets them, and its checks.

    ``uniques`` are columns whose values, taken together, only one record may have; of ``sequences`` the last counts the records of
    those with the same others. ``optional`` rows are made only of the
    records that have a value for each of the ``needed`` columns. Rows that are ``completing`` leave what they lack to others with their key.
    """

    table: str
    columns: tuple[ColumnPlan, ...]
    checks: tuple[Check, ...]
    key: tuple[str, ...] = ()
    derived: bool = False
    uniques: tuple[tuple[str, ...], ...] = ()
    sequences: tuple[tuple[str, ...], ...] = ()
    optional: bool = False
    completing: bool = False

    @cached_property
    def casts(self) -> dict[str, Cast]:
        """The cast of each column."""
        return {column.name: column.cast for column in self.columns}

    @property
    def needed(self) -> list[str]:
        """Columns without which there is no row."""
        return [column.name for column in self.columns if column.required]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of every frame of this target."""
        return pa.schema([(column.name, column.cast.arrow) for column in self.columns])

    @property
    def text_columns(self) -> frozenset[str]:
        """Columns that the server casts from text."""
        return frozenset(column.name for column in self.columns if column.cast.as_text)


@dataclass(frozen=True)
class Plan:
    """What is done with every record of a dataset; ``ignored`` are source columns that no target reads.

    With ``by_record`` each record's first value under several names is read, in tables too.
    """

    targets: tuple[TargetPlan, ...]
    ignored: tuple[str, ...]
    by_record: bool = False


def fitted(dataset: Dataset, tables: Mapping[str, Table]) -> Dataset:
    """The dataset without the columns that the tables lack and may lack."""
    targets = [target.model_copy(update={"columns": _there(target, tables.get(target.table))}) for target in dataset.targets]
    return dataset.model_copy(update={"targets": targets})


def _there(target: Target, table: Table | None) -> dict[str, ColumnMapping]:
    return {name: mapping for name, mapping in target.columns.items() if not mapping.only_if_column or (table and table.column(name))}


def fields_of(dataset: Dataset, tables: Mapping[str, Table]) -> dict[str, Field]:
    """The names under which the dataset would find a column in a source, and what it would do with its values."""
    found: dict[str, Field] = {}
    for target in dataset.targets:
        table = tables.get(target.table)
        for name, mapping in target.columns.items():
            column = table.column(name) if table else None
            left = mapping.optional and column is not None and column.has_default and not _by_default(target, column, mapping)
            field = Field(_kind(column, mapping), left)
            for member in mapping.members or ():
                found.setdefault(member, Field("pattern" if is_pattern(member) else "exact"))
            for other in [other for item in _inputs(mapping) for other in item.names]:
                known = found.get(other, field)
                found[other] = Field(known.kind if known.kind == field.kind else "exact", known.has_default and field.has_default)
    return found


def _kind(column: Column | None, mapping: ColumnMapping) -> str:
    if mapping.steps or mapping.join is not None:
        return "exact"
    if mapping.lookup is not None or column is None or mapping.extract is not None or mapping.uuid is not None:
        return "text"
    if column.type.name == "bool":
        return "boolean"
    cast = cast_for(column.type)
    if cast.as_text or column.type.name in ("json", "jsonb"):
        return "exact"
    return "text" if cast.kind != "number" else "integer" if cast.integral else "real" if column.type.name == "float4" else "number"


def compile_dataset(dataset: Dataset, tables: Mapping[str, Table], headers: Mapping[str, Header], *, checks: bool = True) -> Plan:
    """Compile a dataset for sources with these headers (by source name). ``checks=False`` leaves out the rules, never a cast.

    An optional column that no source has is left out of its table's frames, so that its default is stored. Where only
    some sources have it, the records of the others get null.

    :raises ColumnMissing: a source lacks a column that is not optional, or whose default or key could not be kept.
    :raises SourceMalformed: a source has columns that no target reads, and the dataset calls that an error.
    :raises PackInvalid: the mapping does not fit the table.
    """
    _require_inputs(dataset, tables, headers)
    targets = tuple(_compile_target(dataset, target, tables, headers, checks) for target in dataset.targets)
    return Plan(targets, _ignored(dataset, headers), dataset.source.first_of == "record")


def _compile_target(dataset: Dataset, target: Target, tables: Mapping[str, Table], headers: Mapping[str, Header], checks: bool) -> TargetPlan:
    table = tables[target.table]
    rules = [rule for rule in target.rules if checks]
    needed = {name for rule in rules if rule.rule == "not_null" for name in rule.names} | set(target.key)
    columns = []
    for name, mapping in target.columns.items():
        column = _writable(dataset, table, name)
        if not mapping.optional or len(_lacking(mapping, headers)) < len(headers):
            required = name in needed or not (column.nullable or _by_default(target, column, mapping))
            columns.append(_compile_column(target, column, mapping, required=required, taken=read_names(dataset)))
    _require_complete(dataset, table, columns)
    known = {column.name: column.cast for column in columns}
    uniques, sequences = (
        tuple(tuple(rule.names) for rule in rules if rule.rule == kind and all(name in known for name in rule.names))
        for kind in ("unique", "sequence")
    )
    checks_of_one = compile_rules(rules, known)
    facts = (target.derived, uniques, sequences, target.optional, target.completing)
    return TargetPlan(target.table, tuple(columns), checks_of_one, tuple(target.key), *facts)


def _writable(dataset: Dataset, table: Table, name: str) -> Column:
    column = table.column(name)
    if column is None:
        has = ", ".join(item.name for item in table.columns)
        raise PackInvalid(
            f"dataset {dataset.name}: table {table.name} has no column {name}", table=table.name, column_name=name, hint=f"It has: {has}."
        )
    if column.generated or column.identity == "always":
        raise PackInvalid(
            f"dataset {dataset.name}: {table.name}.{name} is made by the database",
            table=table.name,
            column_name=name,
            hint="Leave it out of the mapping.",
        )
    return column


def _require_complete(dataset: Dataset, table: Table, columns: list[ColumnPlan]) -> None:
    """Columns that must have a value are mapped, unless a trigger may fill them."""
    mapped = {column.name for column in columns}
    lacking = [
        item.name for item in table.columns if not (item.nullable or item.has_default or item.identity or item.generated or item.name in mapped)
    ]
    if lacking and not table.has_triggers:
        raise PackInvalid(
            f"dataset {dataset.name}: {table.name} needs a value for {', '.join(lacking)}", table=table.name, hint="Map it, or give it a default."
        )


def _inputs(mapping: ColumnMapping) -> tuple[Input, ...]:
    nulls = tuple(mapping.nulls)
    if mapping.join is not None:
        return tuple(Input(tuple(part.split("|")), nulls, pattern) for part, pattern in zip(mapping.join.columns, mapping.patterns))
    steps = compile_steps(mapping.steps, "|".join(mapping.source or mapping.uuid or ()))
    if mapping.source is not None:
        return (Input(tuple(mapping.source), nulls, mapping.patterns[0], steps),)
    return tuple(Input(tuple(part.split("|")), nulls, pattern, steps) for part, pattern in zip(mapping.uuid or (), mapping.patterns))


def _require_inputs(dataset: Dataset, tables: Mapping[str, Table], headers: Mapping[str, Header]) -> None:
    """Every source has what every column needs; all that one source lacks is told at once."""
    gaps: dict[str, dict[tuple[str, ...], None]] = {}
    partly = False
    for target in dataset.targets:
        table = tables.get(target.table)
        if table is None:
            raise PackInvalid(f"dataset {dataset.name}: there is no table {target.table}", table=target.table)
        for name, mapping in target.columns.items():
            lacking = _lacking(mapping, headers)
            if _can_be_left(target, _writable(dataset, table, name), mapping, everywhere=len(lacking) == len(headers)):
                continue
            partly = partly or (mapping.optional and len(lacking) < len(headers))
            for source, items in lacking.items():
                gaps.setdefault(source, {}).update(dict.fromkeys(item.names for item in items))
    if gaps:
        source = next(name for name in headers if name in gaps)
        raise _missing(dataset, source, list(gaps[source]), headers[source], others=len(gaps) - 1, partly=partly)


def _lacking(mapping: ColumnMapping, headers: Mapping[str, Header]) -> dict[str, list[Input]]:
    """By source, the inputs of a column that it does not have."""
    found = {source: [item for item in _inputs(mapping) if item.found(header) is None] for source, header in headers.items()}
    return {source: items for source, items in found.items() if items}


def _can_be_left(target: Target, column: Column, mapping: ColumnMapping, *, everywhere: bool) -> bool:
    """Whether records may do without a column that all sources, or only some of them, have not."""
    if target.optional:
        return True
    harmless = (column.nullable or column.has_default) if everywhere else (column.nullable and not column.has_default)
    return mapping.optional and (harmless or _by_default(target, column, mapping)) and column.name not in target.key


def _by_default(target: Target, column: Column, mapping: ColumnMapping) -> bool:
    """Whether null stands for what the row has, and for the column's default where there is no row."""
    return target.completing and mapping.optional and column.has_default and not column.type.domain


def _missing(dataset: Dataset, source: str, wanted: list[tuple[str, ...]], header: Header, *, others: int, partly: bool) -> ColumnMissing:
    more = f"; nor are all columns in {others} more of the sources" if others else ""
    why = " Other sources of the dataset have it, so that its default cannot be stored." if partly else ""
    hint = f"{_describe(header, read_names(dataset), dataset.source.delimiter)}{why}"
    listed = ", ".join(" or ".join(map(repr, names)) for names in wanted)
    return ColumnMissing(f"{source} has no column {listed}{more}", source=source, column=wanted[0][0], hint=hint)


def _describe(header: Header, known: frozenset[str], delimiter: str | None) -> str:
    """What is in a first line, where it is a header: a file without one would show a record here."""
    if not known.isdisjoint(header):
        return f"It has: {', '.join(header)}."
    other = next((name for name, sign in _DELIMITERS.items() if sign != delimiter and len(header) == 1 and sign in header[0]), None)
    if other is not None:
        return f"Its first line is one cell with a {other} in it: is that the delimiter? The dataset's source.delimiter says which."
    return "None of the dataset's columns is in its first line: has the file a header? If not, name its columns in source.header."


def _compile_column(target: Target, column: Column, mapping: ColumnMapping, *, required: bool, taken: frozenset[str]) -> ColumnPlan:
    cast = _TO_LOOK_UP if mapping.lookup is not None else cast_for(column.type)
    for pattern in filter(None, mapping.patterns):
        require_pattern(pattern, column.name, group=True)
    kind = None
    if mapping.uuid is not None:
        kind = mapping.uuid_kind or target.table
        if column.type.name != "uuid" and (cast.kind != "text" or column.type.labels):
            raise PackInvalid(f"{target.table}.{column.name} cannot hold a uuid", table=target.table, column_name=column.name)
    const = None if mapping.const is None else _constant(target, column, mapping, cast)
    steps = () if mapping.join is None else compile_steps(mapping.steps, f"{target.table}.{column.name}")
    members = None if mapping.members is None else Members(tuple(mapping.members), tuple(mapping.nulls), taken)
    declared = "text" if mapping.lookup is not None else column.type.declared
    facts: dict[str, Any] = {"join": mapping.join, "steps": steps, "provenance": mapping.provenance, "members": members}
    return ColumnPlan(column.name, declared, cast, _inputs(mapping), required, kind, const, **facts)


def _constant(target: Target, column: Column, mapping: ColumnMapping, cast: Cast) -> pl.Series:
    text = as_written(mapping.const)
    value = cast.convert(pl.Series([text], dtype=pl.String))
    if value.null_count() or "\x00" in text:
        message = f"the constant of {target.table}.{column.name} is not {cast.expects}"
        raise PackInvalid(message, table=target.table, column_name=column.name)
    return value


def _ignored(dataset: Dataset, headers: Mapping[str, Header]) -> tuple[str, ...]:
    read = read_names(dataset)
    patterns = [pattern for target in dataset.targets for mapping in target.columns.values() for pattern in mapping.members or ()]
    ignored: dict[str, None] = {}
    for source, header in headers.items():
        extra = [name for name in header if name not in read and not any(fnmatchcase(name, pattern) for pattern in patterns)]
        if extra and dataset.extra_columns == "error":
            hint = "Map them, or set extra_columns to ignore."
            raise SourceMalformed(f"{source} has columns that no target reads: {', '.join(extra)}", source=source, columns=extra, hint=hint)
        ignored.update(dict.fromkeys(extra))
    return tuple(ignored)


def read_names(dataset: Dataset) -> frozenset[str]:
    """All names under which the dataset would find a column in a source, and those by which it knows its records."""
    names = (name for target in dataset.targets for mapping in target.columns.values() for item in _inputs(mapping) for name in item.names)
    return frozenset([*names, *dataset.source.having, *dataset.source.lacking])
