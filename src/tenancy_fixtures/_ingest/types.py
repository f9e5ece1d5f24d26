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
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from . import casts

if TYPE_CHECKING:
    from .._shapes import ColumnType

_TEXT, _BYTES = pa.large_string(), pa.large_binary()
_INTEGERS = {"int2": (pl.Int16, pa.int16(), 16), "int4": (pl.Int32, pa.int32(), 32), "int8": (pl.Int64, pa.int64(), 64)}
_FLOATS = {"float4": (pl.Float32, pa.float32()), "float8": (pl.Float64, pa.float64())}
_OTHERS = {
    "bool": (pa.bool_(), casts.to_bool, "true or false, in one of PostgreSQL's spellings"),
    "date": (pa.date32(), casts.to_date, "a date as YYYY-MM-DD"),
    "uuid": (_BYTES, casts.to_uuid, "a uuid"),
    "bytea": (_BYTES, casts.to_bytes, "bytes as \\x and hexadecimal digits"),
    "json": (_TEXT, casts.to_json(binary=False), "a JSON document"),
    "jsonb": (_TEXT, casts.to_json(binary=True), "a JSON document without NUL"),
}


@dataclass(frozen=True)
class Cast:
    """How text becomes a value of one column type.

    ``arrow`` is the type that the writer gets; ``as_text`` says that the server does the last step; ``rule`` and
    ``expects`` name the fault where ``convert`` gives null; ``kind`` (number, text, uuid, bytes, other) says which rules fit.
    ``labelled`` types are enums, ``digits`` of a second are kept by moments, and ``whole`` is how an integer is read where
    ``85.0`` is one, as in JSON.
    """

    arrow: pa.DataType
    convert: casts.Convert
    expects: str
    rule: str = "type"
    kind: str = "other"
    as_text: bool = False
    labelled: bool = False
    digits: int = 6
    whole: casts.Convert | None = None

    @property
    def integral(self) -> bool:
        """Whether the values are whole numbers."""
        return bool(pa.types.is_integer(self.arrow))


def cast_for(column: ColumnType) -> Cast:
    """The cast of a column type; for a type that is unknown here, text that the server casts."""
    if column.labels:
        return Cast(_TEXT, casts.to_label(column.labels), f"one of the labels of {column.declared}", rule="one_of", kind="text", labelled=True)
    make = _MAKERS.get(column.name)
    return Cast(_TEXT, lambda text: text, column.declared, as_text=True) if make is None else make(column)


def _integer(column: ColumnType) -> Cast:
    dtype, arrow, bits = _INTEGERS[column.name]
    expects = f"a whole number from {-(2 ** (bits - 1))} to {2 ** (bits - 1) - 1}"
    return Cast(arrow, casts.to_integer(dtype), expects, kind="number", whole=casts.to_whole(dtype))


def _float(column: ColumnType) -> Cast:
    dtype, arrow = _FLOATS[column.name]
    return Cast(arrow, casts.to_float(dtype), f"a number with a decimal point, if any, in the range of {column.declared}", kind="number")


def _other(column: ColumnType) -> Cast:
    arrow, convert, expects = _OTHERS[column.name]
    return Cast(arrow, convert, expects, kind={"uuid": "uuid", "bytea": "bytes"}.get(column.name, "other"))


def _characters(column: ColumnType) -> Cast:
    if column.name == "name":
        return Cast(_TEXT, casts.to_name, "at most 63 bytes", rule="length", kind="text")
    convert = casts.to_padded if column.name == "bpchar" else casts.to_text
    return Cast(_TEXT, convert(column.length), f"at most {column.length} characters", rule="length", kind="text")


def _numeric(column: ColumnType) -> Cast:
    digits = "" if column.precision is None else f", that {column.declared} keeps digit by digit"
    return Cast(
        _TEXT, casts.to_numeric(column.precision, column.scale), f"a number with a decimal point, if any{digits}", kind="number", as_text=True
    )


def _timestamp(column: ColumnType) -> Cast:
    zone = column.name == "timestamptz"
    declared = re.search(r"\((\d)\)", column.declared)
    digits = int(declared[1]) if declared else 6
    expects = f"a moment in ISO 8601 with at most {digits} digits of a second" + ("" if zone else " and no offset but 0")
    return Cast(pa.timestamp("us", "UTC" if zone else None), casts.to_timestamp(digits, zone=zone), expects, digits=digits)


_MAKERS = {
    **dict.fromkeys(_INTEGERS, _integer),
    **dict.fromkeys(_FLOATS, _float),
    **dict.fromkeys(_OTHERS, _other),
    **dict.fromkeys(("text", "varchar", "bpchar", "name"), _characters),
    **dict.fromkeys(("timestamp", "timestamptz"), _timestamp),
    "numeric": _numeric,
}
