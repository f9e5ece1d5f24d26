"""Which records broke a rule of the database: PostgreSQL names a constraint and one row, a report names all records."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

import psycopg
from psycopg import errors, sql

from .._shapes import Reject
from ..constants import TENANT_COLUMN
from ..exceptions import DataRejected
from ._target import column, listed, paired, trusted
from .sql import compose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._shapes import ForeignKey
    from ._target import Target

# Records that one question names: a load leaves them out and tries again, so a thousand at a time would be many times.
LIMIT = sql.Literal(100_000)

_RULES = {"23502": "not_null", "23503": "reference", "23505": "unique", "23514": "check", "23P01": "exclusion", "22001": "length"}
_MESSAGES = {
    "not_null": "a value is required",
    "reference": "refers to a row that is not there",
    "unique": "the same value is in another row",
    "check": "the table's check constraint refuses it",
    "exclusion": "it collides with another row",
    "length": "longer than the column",
    "lookup": "there is no row that it names",
    "partition": "there is no partition for it",
    "type": "not of the column's type",
}


@dataclass(frozen=True)
class Rows:
    """Where the rows of a load can be asked about: a FROM item, its column with numbers, and what those numbers mean."""

    relation: sql.Composable
    record: str
    number: Callable[[int], int]

    @property
    def record_column(self) -> sql.Identifier:
        """The column that holds the numbers."""
        return column(self.record)


def rejected(
    target: Target, rule: str, columns: Sequence[str], numbers: Sequence[int], count: int | None = None, constraint: str | None = None
) -> DataRejected:
    """The error for records that broke a rule of the table; ``count`` is exact, ``numbers`` lists the first of them."""
    named = ", ".join(columns) or None
    message = f"{_MESSAGES[rule]}{f' ({constraint})' if constraint else ''}"
    rejects = [Reject(*target.locate(number), rule=rule, column=named, message=message) for number in numbers]
    total = len(rejects) if count is None else count
    how_many = f"{total} record{'' if total == 1 else 's'} of" if total else "records of"
    where = f"{f', column {named}' if named else ''}{f', constraint {constraint}' if constraint else ''}"
    text = f"{how_many} table {target.table.name!r} broke a rule of the database: {_MESSAGES[rule]}{where}"
    facts = {"rule": rule, "table": target.table.name, "column_name": named, "constraint": constraint, "dataset": target.dataset}
    error = DataRejected(text, rejects=rejects, count=total, **facts)
    error.ordinals = tuple(numbers)
    return error


def from_copy(target: Target, error: psycopg.Error, number: Callable[[int], int]) -> DataRejected | None:
    """The error for a COPY that stopped at a row; PostgreSQL stops at the first, so one record is named.

    ``None`` where it did not stop for a row's sake.
    """
    state = error.sqlstate or ""
    context = (error.diag.context or "").splitlines()
    # «COPY name, line 5, column x» in any language: the first number after the first comma counts the rows of the statement.
    place = next((re.search(r",[^,\d]*(\d+)(.*)$", line) for line in context if line.startswith("COPY ")), None)
    if place is None or (state not in _RULES and not state.startswith("22")):
        return None
    columns = [error.diag.column_name] if error.diag.column_name else [name for name in target.columns if place[2].split(":")[0].endswith(" " + name)]
    return rejected(target, _RULES.get(state, "type"), columns, [number(int(place[1]))], constraint=error.diag.constraint_name)


async def from_violation(target: Target, error: psycopg.Error, rows: Rows, after: sql.Composable) -> DataRejected | None:
    """The error for a statement that broke a constraint of the target; its savepoint must have been rolled back.

    ``rows`` are the load's own; ``after`` is the table as it would be, as a FROM item. ``None`` where it was not a rule.
    """
    name = error.diag.constraint_name
    if error.diag.table_name != target.table.name and not target.table.partitioned:
        return None
    try:
        async with target.connection.transaction():
            if isinstance(error, errors.UniqueViolation) and name:
                return await unique(target, error.diag.schema_name or target.table.schema, name, rows, after)
            if isinstance(error, errors.ForeignKeyViolation) and name:
                return await _reference_by_name(target, name, rows)
            if isinstance(error, errors.NotNullViolation) and error.diag.column_name in target.columns:
                return await nulls(target, [error.diag.column_name], rows)
            if isinstance(error, errors.CheckViolation) and name:
                return await _check(target, name, rows)
    except (errors.UndefinedColumn, errors.InsufficientPrivilege):
        # A column that the load does not write, or a table that the role may not read: which records cannot be said.
        pass
    rule = _RULES.get(error.sqlstate or "")
    return rejected(target, rule, [error.diag.column_name] if error.diag.column_name else [], [], 0, name) if rule else None


async def nulls(target: Target, columns: Sequence[str], rows: Rows) -> DataRejected | None:
    """The error for records without a value in one of ``columns``; ``None`` where all have one."""
    is_null = sql.SQL(" OR ").join(sql.SQL("{} IS NULL").format(column(name)) for name in columns)
    found = await target.row("null_keys", rows=rows.relation, record=rows.record_column, is_null=is_null, limit=LIMIT)
    return _named(target, "not_null", columns, found, rows, None)


async def unique(target: Target, schema: str, name: str, rows: Rows, after: sql.Composable) -> DataRejected | None:
    """The error for records that repeat what a unique index allows once."""
    index = await target.row("unique_parts", {"schema": schema, "name": name})
    return await repeated(target, index, rows, after, name) if index else None


async def repeated(target: Target, index: dict[str, Any], rows: Rows, after: sql.Composable, name: str) -> DataRejected | None:
    """The same for an index that is known by its parts (the block ``unique_parts``)."""
    # The load's rows are all one tenant's, and do not say so.
    own = {TENANT_COLUMN} if target.table.shared else set()
    expressions = [trusted(text) for text in index["expressions"] if text not in own]
    conditions = [] if index["nulls_equal"] else [sql.SQL("({}) IS NOT NULL").format(part) for part in expressions]
    if index["predicate"]:
        conditions.append(sql.SQL("({})").format(trusted(index["predicate"])))
    found = await target.row(
        "unique_violations",
        rows=after,
        record=rows.record_column,
        expressions=sql.SQL(", ").join(expressions),
        indexed=sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("true"),
        limit=LIMIT,
    )
    return _named(target, "unique", [item for item in index["columns"] if item not in own], found, rows, name)


async def reference(target: Target, key: ForeignKey, rows: Rows) -> DataRejected | None:
    """The error for records that refer to a row that neither the other table nor, for a self reference, the load has."""
    to_itself = (key.target_schema, key.target_table) == (target.table.schema, target.table.name)
    other = sql.Identifier(key.target_schema, key.target_table)
    found = await target.row(
        "reference_violations",
        rows=rows.relation,
        record=rows.record_column,
        all_given=sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(column(name, "r")) for name in key.columns),
        target=other,
        others=rows.relation if to_itself else other,
        matches_target=paired(key.target_columns, key.columns, "p", "r"),
        limit=LIMIT,
    )
    error = _named(target, "reference", key.columns, found, rows, key.name)
    if error is not None and not to_itself:
        error.hint = f"The rows of {key.target_table} must be there first: load the dataset that fills it, or both together."
    return error


async def _reference_by_name(target: Target, name: str, rows: Rows) -> DataRejected | None:
    key = next((key for key in target.table.foreign_keys if key.name == name), None)
    return await reference(target, key, rows) if key else None


async def _check(target: Target, name: str, rows: Rows) -> DataRejected | None:
    constraint = await target.row("check_expression", {"table": target.regclass, "name": name})
    if not constraint:
        return None
    expression = trusted(constraint["expression"])
    whole = await _with_generated(target, rows.relation)
    found = await target.row("check_violations", rows=whole, record=rows.record_column, expression=expression, limit=LIMIT)
    return _named(target, "check", [], found, rows, name)


async def _with_generated(target: Target, relation: sql.Composable) -> sql.Composable:
    """A FROM item: the rows with the columns that PostgreSQL makes of others, which a staging table lacks."""
    generated = await target.rows("generated_columns", {"table": target.regclass})
    if not generated:
        return relation
    more = sql.SQL(", ").join(sql.SQL("({}) AS {}").format(trusted(item["expression"]), column(item["column"])) for item in generated)
    return sql.SQL("(SELECT r.*, {} FROM {} AS r)").format(more, relation)


def _named(target: Target, rule: str, columns: Sequence[str], found: dict[str, Any], rows: Rows, constraint: str | None) -> DataRejected | None:
    if not found["count"]:
        return None
    return rejected(target, rule, columns, [rows.number(number) for number in found["records"]], found["count"], constraint)


def rows_after(target: Target, stage: sql.Composable) -> sql.Composable:
    """A FROM item: the table as it would be when the stage has been merged into it."""
    kept = [item.name for item in target.table.columns if item.name not in target.columns]
    return compose(
        "copy.rows_after",
        staged=listed(target.columns, "s"),
        columns=listed(target.columns, "t"),
        kept=listed(kept, "t") if kept else sql.SQL("NULL"),
        record=column(target.record),
        stage=stage,
        table=target.name,
        match=paired(target.key, target.key, "t", "s"),
    )
