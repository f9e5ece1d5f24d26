"""Columns of Arrow, of whatever type their writer chose, as columns of polars that mean the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ._json_values import cell, compact, parse
from .texts import FAULT, as_text

if TYPE_CHECKING:
    from collections.abc import Sequence

# Digits of a decimal that polars holds.
_POLARS_DIGITS = 38


class Unreadable(Exception):
    """A column whose values are of a type that is not read, or are none of their type."""


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type to cast to, so that polars takes the values as they are.

    Codes become what they stand for, seconds milliseconds, decimals that polars cannot hold text, and maps lists of keys and values.

    :raises Unreadable: there is none.
    """
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    return _plain_nested(kind) if pa.types.is_nested(kind) else _plain_value(kind)


def _plain_value(kind: pa.DataType) -> pa.DataType:
    for is_such, plain in _PLAIN:
        if is_such(kind):
            return plain
    if pa.types.is_decimal(kind):
        held = kind.precision <= _POLARS_DIGITS and 0 <= kind.scale <= kind.precision
        return pa.decimal128(kind.precision, kind.scale) if held else pa.string()
    if pa.types.is_timestamp(kind) and kind.unit == "s":
        return pa.timestamp("ms", kind.tz)
    if str(kind) in _TEXTS or (pa.types.is_primitive(kind) and not pa.types.is_interval(kind)):
        return kind
    raise Unreadable(f"is of type {kind}, which is not read")


_TEXTS = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view")
_PLAIN = (
    (pa.types.is_null, pa.string()),
    (pa.types.is_boolean, pa.bool_()),
    (pa.types.is_float16, pa.float32()),
    (pa.types.is_date64, pa.date32()),
    (pa.types.is_time, pa.time64("ns")),
    (lambda kind: kind == pa.duration("s"), pa.duration("ms")),
    (pa.types.is_fixed_size_binary, pa.binary()),
)


def _plain_nested(kind: pa.DataType) -> pa.DataType:
    types = pa.types
    if types.is_map(kind):
        return pa.large_list(pa.struct([("key", plain_type(kind.key_type)), ("value", plain_type(kind.item_type))]))
    if types.is_struct(kind):
        return pa.struct([(field.name, plain_type(field.type)) for field in kind])
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return pa.large_list(plain_type(kind.value_type))
    raise Unreadable(f"is of type {kind}, which is not read")


def as_series(values: pa.Array) -> tuple[pl.Series, pl.Series | None]:
    """The values in polars, and a mask of those that are bytes which are no text in UTF-8: they are null.

    :raises Unreadable: their type is not read, or they are none of it.
    """
    bad = None
    try:
        values.validate(full=True)
    except (pa.ArrowException, UnicodeDecodeError):
        if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
            raise Unreadable("holds values that are none of its type") from None
        values, bad = _only_text(values)
    try:
        plain = _cast(values, plain_type(values.type))
        # By way of a table: polars 1.20 crashes when it gets a large list of texts by itself.
        series: pl.Series = pl.DataFrame(pa.table({"": plain})).to_series()
    except (pa.ArrowException, pl.exceptions.PolarsError):
        raise Unreadable(f"is of type {values.type}, and holds values that cannot be read") from None
    return (_as_object(series) if pa.types.is_map(values.type) else series), bad


def _cast(values: pa.Array, plain: pa.DataType) -> pa.Array:
    if isinstance(values.type, pa.BaseExtensionType):
        values = values.storage
    if pa.types.is_run_end_encoded(values.type):
        values = pc.run_end_decode(values)
    if pa.types.is_map(values.type):
        # A map is laid out as the list of its entries.
        values = values.cast(pa.list_(pa.struct([("key", values.type.key_type), ("value", values.type.item_type)])))
    return values if values.type == plain else values.cast(plain)


def _as_object(entries: pl.Series) -> pl.Series:
    """The entries of maps as the JSON objects that they mean, with every digit; a text that is refused where JSON has none of it."""
    texts = as_text(entries)
    lists = [None if text is None else parse(text) for text in texts.to_list()]
    objects = [None if items is None else compact({cell(item["key"]): item["value"] for item in items}) for items in lists]
    lost = texts.is_null() & entries.is_not_null()
    return pl.select(pl.when(lost).then(pl.lit(FAULT)).otherwise(pl.Series(objects, dtype=pl.String))).to_series()


def _only_text(values: pa.Array) -> tuple[pa.Array, pl.Series]:
    """The same text with null for what is not UTF-8, and where that is."""
    kind = pa.large_binary() if pa.types.is_large_string(values.type) else pa.binary()
    raw = pa.Array.from_buffers(kind, len(values), values.buffers(), values.null_count, values.offset)
    try:
        raw.validate(full=True)
    except pa.ArrowException:
        raise Unreadable("holds values that are none of its type") from None
    texts = [None if value is None else _decoded(value) for value in raw.to_pylist()]
    bad = pl.Series([text is None and value.is_valid for text, value in zip(texts, raw)], dtype=pl.Boolean)
    return pa.array(texts, pa.large_string()), bad


def _decoded(value: bytes) -> str | None:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return None


def leads_on(kind: pa.DataType, steps: Sequence[str]) -> bool:
    """Whether values of a type have something at the end of the steps."""
    kind = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    if not steps:
        return True
    if pa.types.is_struct(kind):
        index = kind.get_field_index(steps[0])
        return index >= 0 and leads_on(kind[index].type, steps[1:])
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return is_list and steps[0].isdecimal() and leads_on(kind.value_type, steps[1:])


def follow_series(values: pl.Series, steps: Sequence[str]) -> pl.Series:
    """What is at the end of the steps in each of the values."""
    for step in steps:
        values = values.struct.field(step) if values.dtype == pl.Struct else values.list.get(int(step), null_on_oob=True)
    return values
