"""Which Arrow type the writer gets for which type of the catalogue.

================================  ==================  =======================================
catalogue (``ColumnType.name``)   Arrow               how it travels
================================  ==================  =======================================
int2, int4, int8                  int16, int32, int64  binary COPY
float4, float8                    float, double       binary COPY
bool                              bool                binary COPY
text, varchar, bpchar, name       large_string        binary COPY
date                              date32              binary COPY
timestamp                         timestamp[us]       binary COPY
timestamptz                       timestamp[us, UTC]  binary COPY
time                              time64[us]          binary COPY
uuid                              large_binary        binary COPY, 16 bytes
json, jsonb                       large_string        binary COPY; jsonb needs the jsonb encoder
bytea                             large_binary        binary COPY
enums                             large_string        binary COPY
numeric                           large_string        text, through staging; checked here
anything else                     large_string        text, through staging; checked there
================================  ==================  =======================================

numeric travels as text because pgpq 0.9 has no encoder for decimals; uuid as plain binary because it has none for
fixed sizes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Callable

import polars as pl
import pyarrow as pa

from .._shapes import ColumnType
from . import arrays, casts, typed

if TYPE_CHECKING:
    from .casts import Convert

_TEXT, _BYTES = pa.large_string(), pa.large_binary()
_INTEGERS = {"int2": (pl.Int16, pa.int16(), 16), "int4": (pl.Int32, pa.int32(), 32), "int8": (pl.Int64, pa.int64(), 64)}
_FLOATS = {"float4": (pl.Float32, pa.float32()), "float8": (pl.Float64, pa.float64())}
_OTHERS: dict[str, tuple[pa.DataType, Convert, Callable[[Convert], Convert], str]] = {
    "bool": (pa.bool_(), casts.to_bool, typed.to_bool, "true or false, in one of PostgreSQL's spellings"),
    "date": (pa.date32(), casts.to_date, typed.to_date, "a date as YYYY-MM-DD"),
    "uuid": (_BYTES, casts.to_uuid, typed.to_uuid, "a uuid"),
    "bytea": (_BYTES, casts.to_bytes, typed.to_bytes, "bytes as \\x and hexadecimal digits"),
    "json": (_TEXT, casts.to_json(binary=False), typed.to_json, "a JSON document"),
    "jsonb": (_TEXT, casts.to_json(binary=True), typed.to_json, "a JSON document without NUL"),
}
# What a type of array says of its elements in parentheses.
_ELEMENT_LIMITS = re.compile(r"\((\d+)(?:,(-?\d+))?\)")


@dataclass(frozen=True)
class Cast:
    """How text, and values of any other type, become values of one column type.

    ``convert`` takes text, ``exact`` everything else, ``convert_json`` text that comes from JSON, where ``85.0`` is a whole number
    and an array is in brackets. ``arrow`` is the type that the writer gets; ``as_text`` says that the server
    does the last step; ``rule`` and ``expects`` name the fault where a conversion gives null; ``kind`` (number, text,
    uuid, bytes, other) says which rules fit.
    """

    arrow: pa.DataType
    convert: Convert
    exact: Convert
    expects: str
    rule: str = "type"
    kind: str = "other"
    as_text: bool = False
    convert_json: Convert | None = None

    def read(self, values: pl.Series, *, json: bool) -> pl.Series:
        """Values of any type into values of the column; ``json`` says that text comes from JSON."""
        return self.convert_json(values) if json and self.convert_json and values.dtype == pl.String else self.convert_typed(values)

    def convert_typed(self, values: pl.Series) -> pl.Series:
        """Values of any type, text included, into values of the column; null where that would not be the same value."""
        if values.dtype == pl.String:
            return self.convert(values)
        return self.convert(values.cast(pl.String)) if values.dtype == pl.Null else self.exact(values)

    @property
    def integral(self) -> bool:
        """Whether the values are whole numbers."""
        return bool(pa.types.is_integer(self.arrow))


def cast_for(column: ColumnType) -> Cast:
    """The cast of a column type; for a type that is unknown here, text that the server casts."""
    if column.labels:
        convert = casts.to_label(column.labels)
        return Cast(_TEXT, convert, typed.by_text(convert), f"one of the labels of {column.declared}", rule="one_of", kind="text")
    make = _array if column.category == "A" or column.declared.endswith("[]") else _MAKERS.get(column.name, _unknown)
    return make(column)


def _unknown(column: ColumnType) -> Cast:
    return Cast(_TEXT, _same, typed.by_text(_same), column.declared, as_text=True)


def _same(text: pl.Series) -> pl.Series:
    return text


def _integer(column: ColumnType) -> Cast:
    dtype, arrow, bits = _INTEGERS[column.name]
    convert = casts.to_integer(dtype)
    expects = f"a whole number from {-(2 ** (bits - 1))} to {2 ** (bits - 1) - 1}"
    return Cast(arrow, convert, typed.to_integer(dtype, convert), expects, kind="number", convert_json=casts.to_whole(dtype))


def _float(column: ColumnType) -> Cast:
    dtype, arrow = _FLOATS[column.name]
    convert = casts.to_float(dtype)
    expects = f"a number with a decimal point, if any, in the range of {column.declared}"
    return Cast(arrow, convert, typed.to_float(dtype, convert), expects, kind="number")


def _other(column: ColumnType) -> Cast:
    arrow, convert, exact, expects = _OTHERS[column.name]
    return Cast(arrow, convert, exact(convert), expects, kind={"uuid": "uuid", "bytea": "bytes"}.get(column.name, "other"))


def _characters(column: ColumnType) -> Cast:
    if column.name == "name":
        return Cast(_TEXT, casts.to_name, typed.by_text(casts.to_name), "at most 63 bytes", rule="length", kind="text")
    convert = (casts.to_padded if column.name == "bpchar" else casts.to_text)(column.length)
    if column.length is None:
        return Cast(_TEXT, convert, typed.by_text(convert), "text", kind="text")
    return Cast(_TEXT, convert, typed.by_text(convert), f"at most {column.length} characters", rule="length", kind="text")


def _numeric(column: ColumnType) -> Cast:
    digits = "" if column.precision is None else f", that {column.declared} keeps digit by digit"
    convert = casts.to_numeric(column.precision, column.scale)
    return Cast(_TEXT, convert, typed.by_text(convert), f"a number with a decimal point, if any{digits}", kind="number", as_text=True)


def _timestamp(column: ColumnType) -> Cast:
    zone, digits = column.name == "timestamptz", _second_digits(column)
    convert = casts.to_timestamp(digits, zone=zone)
    expects = f"a moment in ISO 8601 with at most {digits} digits of a second" + ("" if zone else " and no offset but 0")
    return Cast(pa.timestamp("us", "UTC" if zone else None), convert, typed.to_timestamp(digits, convert, zone=zone), expects)


def _time(column: ColumnType) -> Cast:
    digits = _second_digits(column)
    convert = casts.to_time(digits)
    expects = f"a time of day as HH:MM or HH:MM:SS with at most {digits} digits of a second"
    return Cast(pa.time64("us"), convert, typed.to_time(digits, convert), expects)


def _second_digits(column: ColumnType) -> int:
    if column.precision is not None:
        return column.precision
    declared = re.search(r"\((\d)\)", column.declared)
    return int(declared[1]) if declared else 6


def _array(column: ColumnType) -> Cast:
    """Text goes to the server as it is; lists are held to what the type says of their elements."""
    kind = _element_type(column)
    element, written = cast_for(kind), arrays.written(kind.name)
    exact = typed.to_array(lambda values: written(element.read(values, json=False)))
    convert_json = arrays.from_json(lambda text: written(element.read(text, json=True)))
    return replace(_unknown(column), exact=exact, convert_json=convert_json, expects=f"values of {column.declared}")


def _element_type(column: ColumnType) -> ColumnType:
    name, limits = column.element or column.name.removeprefix("_"), _ELEMENT_LIMITS.search(column.declared)
    facts: dict[str, Any] = {}
    if limits and name in ("varchar", "bpchar"):
        facts = {"length": int(limits[1])}
    elif limits and name == "numeric":
        facts = {"precision": int(limits[1]), "scale": int(limits[2] or 0)}
    elif limits and name in _TIMES:
        facts = {"precision": int(limits[1])}
    return ColumnType(name, column.declared.replace("[]", ""), **facts)


_TIMES = {"timestamp": _timestamp, "timestamptz": _timestamp, "time": _time}
_MAKERS: dict[str, Callable[[ColumnType], Cast]] = {
    **dict.fromkeys(_INTEGERS, _integer),
    **dict.fromkeys(_FLOATS, _float),
    **dict.fromkeys(_OTHERS, _other),
    **dict.fromkeys(("text", "varchar", "bpchar", "name"), _characters),
    **_TIMES,
    "numeric": _numeric,
}
