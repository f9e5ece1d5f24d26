"""The rules of a target as vectorised expressions: one pass over a frame finds every fault."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from ..exceptions import PackInvalid
from .casts import BLANKS
from .expressions import comparable, compile_condition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._pack_models import Rule
    from .types import Cast

_LISTED = 12  # values of a one_of rule that a message names
_FITTING = {"range": ("number",), "length": ("text",), "pattern": ("text",), "one_of": ("number", "text")}
# What ``compile_rules`` makes a check of; not_null is seen to earlier, unique over all frames, references by the database.
_OF_A_ROW = ("range", "length", "pattern", "one_of", "expression")


@dataclass(frozen=True)
class Check:
    """One rule: ``broken`` is true where the values of the target columns break it, and never for null.

    ``conditional`` checks, and every ``when``, read rows that went through :func:`.expressions.comparable`. What breaks a
    check that is ``told`` is no reject.
    """

    broken: pl.Expr
    columns: tuple[str, ...]
    rule: str
    message: str
    conditional: bool = False
    when: pl.Expr | None = None
    told: bool = False


def compile_rules(rules: Sequence[Rule], columns: Mapping[str, Cast]) -> tuple[Check, ...]:
    """The checks of the rules of a target; ``columns`` are its mapped columns. A rule for another is left out.

    :raises PackInvalid: a rule does not fit its column's type, a pattern is none, or a condition is none.
    """
    return tuple(_compile(rule, columns) for rule in rules if rule.rule in _OF_A_ROW and all(name in columns for name in rule.names))


def _compile(rule: Rule, columns: Mapping[str, Cast]) -> Check:
    if rule.rule == "expression":
        holds, names = compile_condition(str(rule.expression), columns, "an expression rule")
        check = Check(~holds, names, "expression", f"expected {rule.expression}", conditional=True)
    else:
        check = compile_rule(rule, columns[str(rule.column)])
    if rule.when is not None:
        when, _ = compile_condition(rule.when, columns, f"when of a {rule.rule} rule")
        check = replace(check, when=when, message=f"{check.message} when {rule.when}")
    return replace(check, broken=check.broken.fill_null(value=False), told=rule.severity == "warning")


def compile_rule(rule: Rule, cast: Cast) -> Check:
    """The check of one rule on a target column.

    ``range`` compares numbers (``NaN`` is in no range; float4 is compared as such, numeric as a double), ``length`` counts characters,
    ``pattern`` is a regular expression found anywhere in the text, ``one_of`` compares whole values.

    :raises PackInvalid: the rule does not fit the column's type, or its pattern is none.
    """
    column = str(rule.column)
    if cast.kind not in _FITTING[rule.rule] and not (cast.as_text and rule.rule in ("length", "pattern")):
        raise PackInvalid(f"a {rule.rule} rule does not fit the type of {column}", column_name=column, hint="See which rules fit which types.")
    make = {"range": _range, "length": _length, "pattern": _pattern, "one_of": _one_of}[rule.rule]
    broken, message = make(rule, cast)
    return Check(broken.fill_null(value=False), (column,), rule.rule, f"expected {message}")


def find_broken(frame: pl.DataFrame, checks: Sequence[Check], columns: Mapping[str, Cast]) -> list[tuple[pl.Series, Check]]:
    """The checks that some row breaks, each with its mask."""
    if not checks:
        return []
    masks = frame.select(check.broken.alias(str(position)) for position, check in enumerate(checks) if not check.conditional)
    found = {int(mask.name): mask for mask in masks.get_columns()}
    if len(found) < len(checks) or any(check.when is not None for check in checks):
        found.update(_conditional(comparable(frame, columns), checks, found))
    return [(found[position], check) for position, check in enumerate(checks) if found[position].any()]


def _conditional(rows: pl.DataFrame, checks: Sequence[Check], found: Mapping[int, pl.Series]) -> dict[int, pl.Series]:
    masks = {}
    for position, check in enumerate(checks):
        mask = rows.select(check.broken.alias("broken"))["broken"] if check.conditional else found[position]
        masks[position] = mask if check.when is None else mask & rows.select(check.when.fill_null(value=False).alias("when"))["when"]
    return masks


def require_pattern(pattern: str, column: str, *, group: bool = False) -> None:
    """See that a pattern is a regular expression (of Rust's regex crate), with a group where one is needed.

    :raises PackInvalid: it is not.
    """
    try:
        groups = pl.Series([""]).str.extract_groups(pattern).struct.fields
    except pl.exceptions.PolarsError as error:
        raise PackInvalid(f"the pattern of {column} is not a regular expression: {pattern}", column_name=column) from error
    if group and not any(groups):  # polars 1.20 has one nameless field where there is no group
        raise PackInvalid(f"the pattern of {column} has no group: {pattern}", column_name=column, hint="Put what is to be kept in parentheses.")


def _range(rule: Rule, cast: Cast) -> tuple[pl.Expr, str]:
    value, whole = _number(str(rule.column), cast), cast.integral
    # NaN is above every bound.
    broken = value.is_nan() if rule.max is None and not whole else pl.lit(value=False)
    if rule.min is not None:
        broken = broken | (value < (_whole(rule.min, math.ceil) if whole else rule.min))
    if rule.max is not None:
        broken = broken | (value > (_whole(rule.max, math.floor) if whole else rule.max))
    return broken, f"a number {_span(rule)}"


def _length(rule: Rule, _: Cast) -> tuple[pl.Expr, str]:
    length = pl.col(str(rule.column)).str.len_chars().cast(pl.Int64)
    broken = pl.lit(value=False)
    if rule.min is not None:
        broken = broken | (length < rule.min)
    if rule.max is not None:
        broken = broken | (length > rule.max)
    return broken, f"a length {_span(rule)}"


def _pattern(rule: Rule, _: Cast) -> tuple[pl.Expr, str]:
    pattern = str(rule.pattern)
    require_pattern(pattern, str(rule.column))
    return ~pl.col(str(rule.column)).str.contains(pattern), f"text that matches {pattern}"


def _one_of(rule: Rule, cast: Cast) -> tuple[pl.Expr, str]:
    values = list(rule.values or ())
    more = f" or {len(values) - _LISTED} more" if len(values) > _LISTED else ""
    message = f"one of {', '.join(map(str, values[:_LISTED]))}{more}"
    if cast.kind == "text":
        return ~pl.col(str(rule.column)).is_in([str(value) for value in values]), message
    strange = [value for value in values if isinstance(value, str)]
    if strange:
        raise PackInvalid(f"a one_of rule of {rule.column} lists text, and the column holds numbers", column_name=rule.column)
    value = _number(str(rule.column), cast)
    equal = [value == number for number in values]
    return ~pl.any_horizontal(equal) if equal else pl.lit(value=True), message


def _number(column: str, cast: Cast) -> pl.Expr:
    value = pl.col(column)
    if cast.as_text:
        return value.str.strip_chars(BLANKS).cast(pl.Float64, strict=False)
    return value


def _whole(bound: float, rounding: Any) -> int | float:
    """The bound as a whole number, so that large ones are compared exactly."""
    return rounding(bound) if math.isfinite(bound) and abs(bound) < 2**63 else bound


def _span(rule: Rule) -> str:
    low, high = (None if bound is None else f"{bound:.15g}" for bound in (rule.min, rule.max))
    if low is None:
        return f"of at most {high}"
    return f"of at least {low}" if high is None else f"from {low} to {high}"
