"""Values that came with a type of their own, as the text that PostgreSQL prints for them; and as JSON.

Every function gives a series of text of the same length, null where the value is null and where text would not be the
same value: fractions of a microsecond, bytes that are not UTF-8, years that have not four digits.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Callable

import polars as pl
import pyarrow as pa

MICROS = 1_000_000  # of a second
DAY_MICROS = 24 * 60 * 60 * MICROS
FAULT = "\x00"  # in the place of a part that has no text: PostgreSQL's text never holds it
FIRST_DAY, LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31, in days since 1970

_PER_MICRO = {"ms": 1000, "us": 1, "ns": -1000}
# From which size on PostgreSQL prints an exponent: the digits that the type is sure of.
_EXPONENT_FROM: dict[Any, int] = {pl.Float32: 6}
_PLAIN_EXPONENT = 15
_LOWEST_PLAIN = -4
_ESCAPED = r'["\\\x00-\x1f]'

Render = Callable[[pl.Series], pl.Series]


def as_text(values: pl.Series) -> pl.Series:
    """Values of any type as text; lists and structs as JSON."""
    return _rendering(values.dtype, _TEXTS)(values)


def as_json(values: pl.Series) -> pl.Series:
    """Values of any type as JSON documents, digit by digit; text becomes a JSON string."""
    return _sound(_json(values), values)


def as_array(values: pl.Series, element: Render) -> pl.Series:
    """Lists as PostgreSQL's array literals; ``element`` gives the text of the innermost values, null where there is none.

    An empty list inside another is refused: PostgreSQL has no place for it, and would drop it.
    """
    return _sound(_array(values, element, nested=False), values)


def micros(values: pl.Series) -> pl.Series:
    """Dates, moments, times of day and durations as whole microseconds; null where they are not whole or not countable."""
    counts = values.to_physical().cast(pl.Int64)
    if values.dtype == pl.Date:
        return _scaled(counts, DAY_MICROS)
    factor = _PER_MICRO["ns" if values.dtype == pl.Time else values.dtype.time_unit]  # type: ignore[attr-defined]
    if factor > 0:
        return counts if factor == 1 else _scaled(counts, factor)
    whole = counts // -factor
    return _kept(whole, counts % -factor == 0)


def _scaled(counts: pl.Series, factor: int) -> pl.Series:
    limit = (2**63 - 1) // factor
    return _kept(counts, counts.is_between(-limit, limit)) * factor


def _kept(values: pl.Series, kept: pl.Series) -> pl.Series:
    """The values with null where they are not kept."""
    return values if kept.all() else pl.select(pl.when(kept).then(values)).to_series()


def _rendering(dtype: Any, table: dict[Any, Render]) -> Render:
    return table.get(dtype.base_type(), _nothing)


def _nothing(values: pl.Series) -> pl.Series:
    """What has no text at all."""
    return pl.Series([None], dtype=pl.String).new_from_index(0, len(values))


def _plain(values: pl.Series) -> pl.Series:
    return values.cast(pl.String)


# --- numbers and bytes --------------------------------------------------------------------------------------------------


def _float(values: pl.Series) -> pl.Series:
    """The shortest digits that give the number back, with an exponent where PostgreSQL prints one."""
    high = _EXPONENT_FROM.get(values.dtype.base_type(), _PLAIN_EXPONENT)
    text = values.cast(pl.String)
    size = values.abs()
    usual = (size == 0) | ((size >= 10.0**_LOWEST_PLAIN) & (size < 10.0**high))
    plain = usual & text.str.contains(r"^-?[0-9]+\.[0-9]+$")
    if plain.all():
        return text.str.strip_suffix(".0")
    rest = (~plain).fill_null(value=False)
    printed = [_printed(item, high) for item in text.filter(rest).to_list()]
    return text.str.strip_suffix(".0").scatter(rest.arg_true(), pl.Series(printed, dtype=pl.String))


def _printed(text: str, high: int) -> str:
    number = Decimal(text)
    if not number.is_finite():
        return "NaN" if number.is_nan() else f"{'-' if number < 0 else ''}Infinity"
    exponent = number.adjusted() if number else 0
    if _LOWEST_PLAIN <= exponent < high:
        return f"{number.normalize():f}"
    digits = "".join(map(str, number.as_tuple().digits)).rstrip("0")
    return f"{'-' if number < 0 else ''}{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e{exponent:+03d}"


def _bytes(values: pl.Series) -> pl.Series:
    """Bytes are text where they are UTF-8: writers of Parquet often leave out to say so."""
    try:
        text = values.cast(pl.String)
    except pl.exceptions.PolarsError:
        text = pl.Series([_decoded(value) for value in values.to_list()], dtype=pl.String)
    return _kept(text, ~text.str.contains(FAULT, literal=True))


def _decoded(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


# --- time -----------------------------------------------------------------------------------------------------------------


def _date(values: pl.Series) -> pl.Series:
    days = values.to_physical()
    return _kept(values, days.is_between(FIRST_DAY, LAST_DAY)).dt.strftime("%Y-%m-%d")


def _moment(values: pl.Series) -> pl.Series:
    counts = micros(values)
    days = counts // DAY_MICROS
    date = _date(_kept(days, days.is_between(FIRST_DAY, LAST_DAY)).cast(pl.Int32).cast(pl.Date))
    zone = pl.lit("+00" if values.dtype.time_zone else "")  # type: ignore[attr-defined]
    return pl.select(pl.concat_str([date, pl.lit(" "), _clock(counts % DAY_MICROS), zone])).to_series()


def _time(values: pl.Series) -> pl.Series:
    return _clock(micros(values))


def _duration(values: pl.Series) -> pl.Series:
    counts = micros(values)
    counts = _kept(counts, counts > -(2**63))  # has no positive counterpart
    sign = pl.select(pl.when(counts < 0).then(pl.lit("-")).otherwise(pl.lit(""))).to_series()
    return pl.select(pl.concat_str([sign, _clock(counts.abs())])).to_series()


def _clock(counts: pl.Series) -> pl.Series:
    """Microseconds that are not negative as hours, minutes and seconds; the fraction only where there is one."""
    seconds = counts // MICROS
    parts = [(seconds // 3600), seconds // 60 % 60, seconds % 60]
    whole = pl.concat_str([part.cast(pl.String).str.zfill(2) for part in parts], separator=":")
    rest = counts % MICROS
    if not (rest != 0).any():
        return pl.select(whole).to_series()
    fraction = "." + rest.cast(pl.String).str.zfill(6).str.strip_chars_end("0")
    return pl.select(pl.concat_str([whole, pl.when(rest != 0).then(fraction).otherwise(pl.lit(""))])).to_series()


# --- parts inside others ------------------------------------------------------------------------------------------------


def _sound(rendered: pl.Series, values: pl.Series) -> pl.Series:
    """The whole is null where the value is, and where a part could not be rendered."""
    return _kept(rendered, values.is_not_null() & ~rendered.str.contains(FAULT, literal=True))


def _json(values: pl.Series) -> pl.Series:
    """JSON of every value, ``null`` of null, and :data:`FAULT` in what has none."""
    rendered = _rendering(values.dtype, _JSONS)(values)
    return pl.select(pl.when(values.is_null()).then(pl.lit("null")).otherwise(rendered.fill_null(FAULT))).to_series()


def _json_number(values: pl.Series) -> pl.Series:
    return _kept(_float(values), values.is_finite())


def _json_string(values: pl.Series) -> pl.Series:
    text = as_text(values)
    odd = text.str.contains(_ESCAPED).fill_null(value=False)
    quoted = '"' + text + '"'
    if not odd.any():
        return quoted
    escaped = [json.dumps(item, ensure_ascii=False) for item in text.filter(odd).to_list()]
    return quoted.scatter(odd.arg_true(), pl.Series(escaped, dtype=pl.String))


def _json_moment(values: pl.Series) -> pl.Series:
    """ISO 8601, as PostgreSQL's ``to_json`` has it."""
    text = '"' + _moment(values).str.replace(" ", "T", literal=True)
    return text + (':00"' if values.dtype.time_zone else '"')  # type: ignore[attr-defined]


def _json_struct(values: pl.Series) -> pl.Series:
    names = [name for name in values.struct.fields if name]
    if not names:
        return pl.Series(["{}"]).new_from_index(0, len(values))
    parts: list[Any] = []
    for position, name in enumerate(names):
        parts += [pl.lit(f"{',' if position else '{'}{json.dumps(name, ensure_ascii=False)}:"), _json(values.struct.field(name)).alias(str(position))]
    return pl.select(pl.concat_str([*parts, pl.lit("}")])).to_series()


def _json_list(values: pl.Series) -> pl.Series:
    return "[" + _joined(values, _json) + "]"


def _array(values: pl.Series, element: Render, *, nested: bool) -> pl.Series:
    values = _as_list(values)
    inner = values.dtype.inner  # type: ignore[attr-defined]
    deeper = inner.base_type() in (pl.List, pl.Array)
    text = "{" + _joined(values, lambda items: _array(items, element, nested=True) if deeper else _elements(items, element)) + "}"
    if nested:
        lost = values.is_null() | (values.list.len() == 0)
        text = pl.select(pl.when(lost).then(pl.lit(FAULT)).otherwise(text)).to_series()
    return text


def _elements(values: pl.Series, element: Render) -> pl.Series:
    quoted = '"' + element(values).str.replace_all(r'(["\\])', r"\${1}") + '"'
    return pl.select(pl.when(values.is_null()).then(pl.lit("NULL")).otherwise(quoted.fill_null(FAULT))).to_series()


def _joined(values: pl.Series, render: Render) -> pl.Series:
    """Each list's elements, rendered all at once, with commas between them."""
    values = _as_list(values)
    counts = values.list.len().fill_null(0).cast(pl.Int64)
    flat = render(values.filter(counts > 0).explode())
    offsets = pl.concat([pl.Series([0], dtype=pl.Int64), counts.cum_sum()]).cast(pl.Int32)
    # Not a large list: polars 1.20 crashes when it gets one of texts.
    lists = pa.ListArray.from_arrays(offsets.to_arrow(), flat.to_arrow().cast(pa.large_string()))
    return pl.Series(lists, dtype=pl.List(pl.String)).list.join(",")


def _as_list(values: pl.Series) -> pl.Series:
    return values.arr.to_list() if values.dtype.base_type() == pl.Array else values


_INTEGERS: tuple[Any, ...] = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Int128, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)
_COUNTED: dict[Any, Render] = dict.fromkeys((pl.Boolean, pl.Decimal, *_INTEGERS), _plain)
_TEXTS: dict[Any, Render] = {
    **_COUNTED,
    pl.String: lambda values: values,
    **dict.fromkeys((pl.Categorical, pl.Enum), _plain),
    **dict.fromkeys((pl.Float32, pl.Float64), _float),
    pl.Binary: _bytes,
    pl.Date: _date,
    pl.Datetime: _moment,
    pl.Time: _time,
    pl.Duration: _duration,
    **dict.fromkeys((pl.List, pl.Array, pl.Struct), as_json),
}
_JSONS: dict[Any, Render] = {
    **_COUNTED,
    **dict.fromkeys((pl.Float32, pl.Float64), _json_number),
    **dict.fromkeys((pl.String, pl.Categorical, pl.Enum, pl.Binary, pl.Date, pl.Time, pl.Duration), _json_string),
    pl.Datetime: _json_moment,
    pl.Struct: _json_struct,
    **dict.fromkeys((pl.List, pl.Array), _json_list),
}
