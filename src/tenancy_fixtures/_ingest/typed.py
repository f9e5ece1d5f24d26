"""Values that have a type already, as Parquet and Arrow bring them, into values of the column's type, or into text.

Nothing is rounded, cut or wrapped around: what would not be the same value is null, and so a reject of its record. What
has no way of its own is written as text, as PostgreSQL itself would, and goes the way of text.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

if TYPE_CHECKING:
    from .casts import Convert
    from .types import Cast

_MICROS = {"ns": 1000, "us": 1, "ms": 1}
_DAY = 86_400_000_000
_INTEGERS = {pa.int16(): pl.Int16, pa.int32(): pl.Int32, pa.int64(): pl.Int64}
_FLOATS = {pa.float32(): pl.Float32, pa.float64(): pl.Float64}


def convert_typed(values: pl.Series, cast: Cast, declared: str) -> pl.Series:
    """The values in the cast's own type, null where they are not of it; ``declared`` is the column's type in PostgreSQL."""
    way = _way(values.dtype, cast)
    if way is not None:
        return way(values)
    text = _as_array(values) if declared.endswith("[]") and isinstance(values.dtype, pl.List) else as_text(values)
    return (cast.whole or cast.convert)(text)
    # What could not even be written as text was a value all the same.


def _way(kind: Any, cast: Cast) -> Convert | None:
    """The direct way from one type to another; ``None`` where text is the way."""
    if cast.as_text or cast.labelled:
        return None
    arrow, is_number, is_moment = cast.arrow, kind.is_numeric() and not kind.is_decimal(), isinstance(kind, (pl.Date, pl.Datetime))
    ways: list[tuple[bool, Convert]] = [
        (is_number and arrow in _INTEGERS, lambda values: _to_integer(values, _INTEGERS[arrow])),
        (is_number and arrow in _FLOATS, lambda values: _to_float(values, _FLOATS[arrow])),
        (arrow == pa.bool_() and kind == pl.Boolean, lambda values: values),
        (arrow == pa.date32() and is_moment, _to_date),
        (is_moment and pa.types.is_timestamp(arrow) and cast.digits == _ALL_DIGITS, lambda values: _to_moment(values, zone=arrow.tz is not None)),
        (cast.kind == "bytes" and kind == pl.Binary, lambda values: values),
        (cast.kind == "uuid" and kind == pl.Binary, lambda values: _where(values, values.bin.size() == _UUID_BYTES)),
    ]
    return next((way for fits, way in ways if fits), None)


_ALL_DIGITS, _UUID_BYTES = 6, 16


def _to_integer(values: pl.Series, kind: Any) -> pl.Series:
    if values.dtype.is_float():
        values = _where(values, values.is_finite() & (values == values.floor()) & (values.abs() < 2.0**63))
    return values.cast(kind, strict=False)


def _to_float(values: pl.Series, kind: Any) -> pl.Series:
    made = values.cast(kind, strict=False)
    if not values.dtype.is_float() or made.dtype == values.dtype:
        return made
    # A double that float4 has no room for: PostgreSQL refuses it as well.
    lost = (made.is_infinite() & ~values.is_infinite()) | ((made == 0) & (values != 0))
    return _where(made, ~lost) if lost.any() else made


def _to_date(values: pl.Series) -> pl.Series:
    if values.dtype == pl.Date:
        return values
    moment = values.dt.replace_time_zone(None) if values.dtype.time_zone is None or values.dtype.time_zone == "UTC" else None  # type: ignore[attr-defined]
    if moment is None:
        return pl.Series([None], dtype=pl.Date).new_from_index(0, len(values))
    day = moment.dt.date()
    return _where(day, day.cast(moment.dtype) == moment)


def _to_moment(values: pl.Series, *, zone: bool) -> pl.Series:
    if values.dtype == pl.Date:
        values = values.cast(pl.Datetime("us"))
    named = values.dtype.time_zone  # type: ignore[attr-defined]
    if named not in (None, "UTC"):
        if not zone:
            return pl.Series([None], dtype=pl.Datetime("us")).new_from_index(0, len(values))
        values = values.dt.convert_time_zone("UTC")
    made = values.dt.replace_time_zone(None)
    if made.dtype.time_unit == "ns":  # type: ignore[attr-defined]
        whole = made.to_physical() % _MICROS["ns"] == 0
        made = _where(made, whole) if not whole.all() else made
    made = made.dt.cast_time_unit("us")
    return made.dt.replace_time_zone("UTC") if zone else made


# --- text -------------------------------------------------------------------------------------------------------------


def as_text(values: pl.Series) -> pl.Series:
    """The values as PostgreSQL would write them; null where they are null.

    :raises ValueError: there is no text for values of the type.
    """
    kind = values.dtype
    if kind == pl.String:
        return values
    if kind == pl.Null or isinstance(kind, (pl.Categorical, pl.Enum)) or kind == pl.Boolean or kind.is_integer():
        return values.cast(pl.String)
    if kind == pl.Binary:
        return pl.Series([None if value is None else _decoded(value) for value in values.to_list()], dtype=pl.String)
    if isinstance(kind, pl.Decimal):
        return values.cast(pl.String)
    return pl.Series([None if value is None else _written(value) for value in values.to_list()], dtype=pl.String) if _slow(kind) else _moments(values)


def _decoded(value: bytes) -> str | None:
    """Bytes that are text, which writers of Parquet often do not say of theirs; ``None`` where they are none for PostgreSQL."""
    try:
        return value.decode("utf-8") if b"\x00" not in value else None
    except UnicodeDecodeError:
        return None


def _slow(kind: Any) -> bool:
    return not isinstance(kind, (pl.Date, pl.Datetime, pl.Time, pl.Duration))


def _moments(values: pl.Series) -> pl.Series:
    kind = values.dtype
    if isinstance(kind, pl.Date):
        return values.dt.to_string("%Y-%m-%d")
    if isinstance(kind, pl.Time):
        return values.dt.to_string("%H:%M:%S%.f")
    if isinstance(kind, pl.Duration):
        nanos = values.dt.total_nanoseconds()
        micros = pl.select(pl.when(nanos % 1000 == 0).then(nanos // 1000)).to_series().cast(pl.String)
        return pl.select(pl.concat_str(micros, pl.lit(" microseconds"))).to_series()
    utc = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if kind.time_zone else values  # type: ignore[attr-defined]
    return utc.dt.to_string("%Y-%m-%dT%H:%M:%S%.f" + ("+00" if kind.time_zone else ""))  # type: ignore[attr-defined]


def _written(value: Any) -> str:
    if isinstance(value, float):
        return _number(value)
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=str)


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    text = repr(value)
    return text.removesuffix(".0")


def _plain(value: Any) -> Any:
    """What JSON has no number for is text there."""
    if isinstance(value, float) and not math.isfinite(value):
        return _number(value)
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, pl.Series)):
        return [_plain(item) for item in value]
    return value


def _as_array(values: pl.Series) -> pl.Series:
    """Lists as PostgreSQL's array literals."""
    return pl.Series([None if value is None else _literal(value) for value in values.to_list()], dtype=pl.String)


def _literal(items: Any) -> str:
    return "{" + ",".join(map(_element, items)) + "}"


def _element(item: Any) -> str:
    if item is None:
        return "NULL"
    if isinstance(item, list):
        return _literal(item)
    text = str(as_text(pl.Series([item])).item())
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _where(values: pl.Series, kept: pl.Series) -> pl.Series:
    return pl.select(pl.when(kept).then(values)).to_series()
