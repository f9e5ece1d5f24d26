"""Conditions over the columns of a record, in a small part of SQL, as polars expressions.

polars reads the SQL. Here is said what of it a condition may hold: columns of the target, comparisons, arithmetic but
division, text, ``CASE``, and the functions below. So nothing aggregates, nothing reads another table, and a condition means
the same in every version of polars. Division is left out because whole numbers are divided in two ways there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from ..exceptions import PackInvalid
from .casts import BLANKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .types import Cast

KEYWORDS = frozenset(
    [
        "and",
        "or",
        "not",
        "is",
        "null",
        "in",
        "between",
        "like",
        "ilike",
        "case",
        "when",
        "then",
        "else",
        "end",
        "true",
        "false",
        "distinct",
        "from",
        "date",
        "timestamp",
        "year",
        "month",
        "day",
        "hour",
        "minute",
    ]
)
FUNCTIONS = frozenset(
    [
        "abs",
        "ceil",
        "floor",
        "length",
        "char_length",
        "lower",
        "upper",
        "left",
        "right",
        "substr",
        "starts_with",
        "ends_with",
        "strpos",
        "coalesce",
        "nullif",
        "greatest",
        "least",
        "extract",
    ]
)
_BEFORE_PARENTHESES = frozenset(["and", "or", "not", "in", "between", "like", "ilike", "case", "when", "then", "else", "from"])
_TOKEN = re.compile(
    r"""\s+|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|"(?P<quoted>(?:[^"]|"")+)"|'(?:[^']|'')*'|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![A-Za-z_])"""
    r"""|<>|!=|<=|>=|\|\||--(?P<comment>)|[-+*%<>=(),]"""
)


def compile_condition(text: str, columns: Mapping[str, Cast], place: str) -> tuple[pl.Expr, tuple[str, ...]]:
    """The expression of a condition, and the columns that it reads. It is meant for rows that went through :func:`comparable`.

    :raises PackInvalid: it is no such condition; ``place`` says of what.
    """
    names = _names(text, columns, place)
    try:
        expression = pl.sql_expr(text)
        # Rows of nothing show what types do not go together; null makes no value fail.
        sample = comparable(pl.DataFrame({name: _sample(cast) for name, cast in columns.items()}), columns)
        result = sample.select(expression.alias("result"))["result"]
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = str(error).strip().split("\n")[0]
        raise _invalid(place, text, reason) from None
    if result.dtype != pl.Boolean or len(result) != len(sample):
        raise _invalid(place, text, "its result is not true or false")
    if not names:
        raise _invalid(place, text, "it reads no column")
    return expression, names


def comparable(rows: pl.DataFrame, columns: Mapping[str, Cast]) -> pl.DataFrame:
    """The rows as conditions see them: whole numbers in 64 bits, numbers that travel as text as doubles, moments in UTC, uuids as text."""
    return rows.select(_comparable(name, rows.schema[name], columns[name]) for name in rows.columns)


def _comparable(name: str, kind: pl.DataType, cast: Cast) -> pl.Expr:
    value = pl.col(name)
    if kind == pl.Binary:
        digits = value.bin.encode("hex")
        spans = ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))
        text = pl.concat_str([digits.str.slice(*span) for span in spans], separator="-") if cast.kind == "uuid" else "\\x" + digits
        return text.alias(name)
    if kind.is_integer():
        return value.cast(pl.Int64)
    if kind.is_float() or (cast.kind == "number" and cast.as_text):
        return (value.str.strip_chars(BLANKS) if kind == pl.String else value).cast(pl.Float64, strict=False)
    return value.dt.replace_time_zone(None) if isinstance(kind, pl.Datetime) else value


def _sample(cast: Cast) -> pl.Series:
    empty = pl.Series([None, None], dtype=pl.String)
    return cast.convert(empty)


def _names(text: str, columns: Mapping[str, Cast], place: str) -> tuple[str, ...]:
    """The columns that a condition reads, in their order, after seeing that it holds nothing else."""
    found: dict[str, None] = {}
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None or token["comment"] is not None:
            raise _invalid(place, text, f"what stands at character {position + 1} is not allowed")
        position = token.end()
        name = token["quoted"].replace('""', '"') if token["quoted"] else token["word"]
        if name is None:
            continue
        if not token["quoted"] and text[position:].lstrip()[:1] == "(" and name.lower() not in _BEFORE_PARENTHESES:
            if name.lower() not in FUNCTIONS:
                raise _invalid(place, text, f"there is no function {name}; there are {', '.join(sorted(FUNCTIONS))}")
        elif name in columns:
            found[name] = None
        elif token["quoted"] or name.lower() not in KEYWORDS:
            raise _invalid(place, text, f"{name} is no mapped column of the target")
    return tuple(found)


def _invalid(place: str, text: str, reason: str) -> PackInvalid:
    message = f"the condition of {place} cannot be used: {reason}: {text}"
    return PackInvalid(message, hint="It is SQL over the target's columns: comparisons, AND, OR, NOT, +, -, *, %, CASE and a few functions.")
