"""Values that came with a type of their own into the values of a column: the same value, or null.

Each function makes a conversion for one column type, out of the conversion for text. What a format's type and the
column's have in common is converted directly; everything else goes as the text that PostgreSQL prints for it, so that a
value means the same whatever the format in which it came. Nothing wraps around, and nothing is rounded, with one
exception: a ``real`` column holds the nearest real of a double, as it does of a text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from .texts import DAY_MICROS, FIRST_DAY, LAST_DAY, as_array, as_json, as_text, micros

if TYPE_CHECKING:
    from .casts import Convert

# What PostgreSQL can hold, in days and microseconds since 1970; a moment has no upper limit that 64 bits reach.
_FIRST_DAY, _LAST_DAY = -2_440_588, 2_145_042_905
_FIRST_MOMENT = -210_866_803_200_000_000
_UUID_BYTES = 16
_WHOLE_LIMIT = 2.0**63


def by_text(convert: Convert) -> Convert:
    """Any value as PostgreSQL prints it."""
    return lambda values: convert(as_text(values))


def to_integer(dtype: Any, convert: Convert) -> Convert:
    """Whole numbers in range, also where they came as floats or decimals."""

    def exact(values: pl.Series) -> pl.Series:
        if values.dtype.is_integer():
            return values.cast(dtype, strict=False)
        if values.dtype.is_float():
            whole = (values == values.floor()) & (values >= -_WHOLE_LIMIT) & (values < _WHOLE_LIMIT)
            return _kept(values, whole).cast(pl.Int64, strict=False).cast(dtype, strict=False)
        text = as_text(values)
        return convert(text.str.replace(r"\.0*$", "") if values.dtype.is_decimal() else text)

    return exact


def to_float(dtype: Any, convert: Convert) -> Convert:
    """Floats in range, and whole numbers that a float is equal to."""

    def exact(values: pl.Series) -> pl.Series:
        if values.dtype.is_integer():
            found = values.cast(dtype)
            return _kept(found, (found.cast(values.dtype, strict=False) == values).fill_null(value=False))
        if values.dtype.is_float():
            found = values.cast(dtype)
            return _kept(found, ~((found.is_infinite() & values.is_finite()) | ((found == 0) & (values != 0))))
        return convert(as_text(values))

    return exact


def to_bool(convert: Convert) -> Convert:
    """Truth values; numbers as PostgreSQL reads their text, 1 and 0."""
    return lambda values: values if values.dtype == pl.Boolean else convert(as_text(values))


def to_bytes(convert: Convert) -> Convert:
    """Bytes as they are."""
    return lambda values: values if values.dtype == pl.Binary else convert(as_text(values))


def to_uuid(convert: Convert) -> Convert:
    """The 16 bytes of a uuid."""

    def exact(values: pl.Series) -> pl.Series:
        return _kept(values, values.bin.size() == _UUID_BYTES) if values.dtype == pl.Binary else convert(as_text(values))

    return exact


def to_date(convert: Convert) -> Convert:
    """Dates, and moments that are a midnight in no zone or in UTC."""

    def exact(values: pl.Series) -> pl.Series:
        if values.dtype.base_type() not in (pl.Date, pl.Datetime):
            return convert(as_text(values))
        days = values.to_physical() if values.dtype == pl.Date else _midnights(values)
        return _kept(days, days.is_between(_FIRST_DAY, _LAST_DAY)).cast(pl.Int32).cast(pl.Date)

    return exact


def to_timestamp(digits: int, convert: Convert, *, zone: bool) -> Convert:
    """Moments, to the last digit; without a zone they are UTC. Without ``zone`` those of another zone are refused, as text is."""
    step = 10 ** (6 - digits)

    def exact(values: pl.Series) -> pl.Series:
        if values.dtype.base_type() not in (pl.Date, pl.Datetime):
            return convert(as_text(values))
        counts = micros(values if zone or values.dtype == pl.Date else _unzoned(values))
        # From numbers and not by way of moments: polars gives up on years that PostgreSQL has.
        return _kept(counts, (counts % step == 0) & (counts >= _FIRST_MOMENT)).cast(pl.Datetime("us", "UTC" if zone else None))

    return exact


def to_time(digits: int, convert: Convert) -> Convert:
    """Times of day, to the last digit."""
    step = 10 ** (6 - digits)

    def exact(values: pl.Series) -> pl.Series:
        if values.dtype != pl.Time:
            return convert(as_text(values))
        return _kept(values, micros(values) % step == 0)

    return exact


def to_json(convert: Convert) -> Convert:
    """Lists, structs and everything else as JSON documents."""
    return lambda values: convert(as_json(values))


def to_array(element: Convert) -> Convert:
    """Lists as array literals; ``element`` gives the text of one of their values, or null."""

    def exact(values: pl.Series) -> pl.Series:
        if values.dtype.base_type() not in (pl.List, pl.Array):
            return as_text(values)
        return as_array(values, element)

    return exact


def _midnights(values: pl.Series) -> pl.Series:
    counts = micros(_unzoned(values))
    return _kept(counts // DAY_MICROS, counts % DAY_MICROS == 0)


def _unzoned(values: pl.Series) -> pl.Series:
    """Moments in no zone or in UTC, without it; those of another zone are null unless its clocks show UTC."""
    zone = values.dtype.time_zone  # type: ignore[attr-defined]
    if zone is None:
        return values
    utc = values.to_physical().cast(pl.Datetime(values.dtype.time_unit))  # type: ignore[attr-defined]
    if zone == "UTC":
        return utc
    usual = (micros(utc) // DAY_MICROS).is_between(FIRST_DAY, LAST_DAY)
    return _kept(utc, usual & (_kept(values, usual).dt.replace_time_zone(None) == utc))


def _kept(values: pl.Series, kept: pl.Series) -> pl.Series:
    return pl.select(pl.when(kept).then(values)).to_series()
