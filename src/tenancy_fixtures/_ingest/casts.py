r"""Text into values, exactly as PostgreSQL's input functions would, or not at all.

Each function takes a series of text and gives a series of values of the same length, null where the text is not of the
type. Nothing is rounded, cut or guessed: what PostgreSQL would change without a word is null here.

What PostgreSQL accepts and these refuse, on purpose:

- every type: spellings that came with PostgreSQL 16 (``0x1F``, ``1_000``);
- ``float``: hexadecimal (``0x1p3``) and ``nan(…)``; ``numeric``: more digits than ``numeric(p,s)`` keeps;
- ``date`` and ``timestamp``: everything but ISO 8601 with four-digit years, and with ``UTC`` or ``GMT`` in the offset's place (``infinity``, ``epoch``, ``now``, BC, month
  names, ``2020-1-1``, ``20200101``), a time in a ``date``, hour 24, second 60, seconds in an offset, more digits of a second than
  the column keeps, and in ``timestamp`` an offset other than 0, which PostgreSQL would drop;
- ``time``: everything but ``HH:MM`` and ``HH:MM:SS`` with at most as many digits of a second as the column keeps, hour 24 and
  second 60 too;
- ``bytea``: everything but ``\x`` and pairs of hexadecimal digits;
- ``varchar(n)``: more than n characters even if the rest is blanks, which PostgreSQL would cut; ``name`` over 63 bytes likewise;
- ``json`` and ``jsonb``: nested deeper than Python's recursion limit (about a thousand levels); ``jsonb``: numbers beyond
  what ``numeric`` keeps.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Callable

import polars as pl
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

Convert = Callable[[pl.Series], pl.Series]

BLANKS = " \t\n\r\x0b\x0c"  # what isspace() means in the C locale; PostgreSQL skips these around a value
_TRUE = ["true", "t", "1", "yes", "y", "on", "tru", "tr", "ye"]
_FALSE = ["false", "f", "0", "no", "n", "off", "fals", "fal", "fa", "of"]
_UUID = r"^(?:[0-9a-fA-F]{4}(?:-?[0-9a-fA-F]{4}){7}|\{[0-9a-fA-F]{4}(?:-?[0-9a-fA-F]{4}){7}\})$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_TIMESTAMP = (
    r"^(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]*))?)?"
    r" ?(?:[Zz]|UTC|GMT|(?P<sign>[+-])(?P<off_hour>[0-9]{2})(?::?(?P<off_minute>[0-9]{2}))?)?)?$"
)
_TIME = r"^(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]*))?)?$"
_PLAIN = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)$"
_WORD = "nan|[+-]?inf(?:inity)?"
_NUMERIC = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_MAX_DIGITS, _MAX_SCALE, _MAX_EXPONENT = 131072, 16383, 1_073_741_822  # of any numeric
_INTEGER_DIGITS = 30  # more than any integer has
_DATE_LENGTH, _SECONDS_LENGTH = len("2020-01-31"), len("2020-01-31T12:00:00")
_HOURS, _SIXTY, _OFFSET_HOURS = 24, 60, 16  # PostgreSQL takes offsets below 16 hours
_HIGH, _LOW = range(0xD800, 0xDC00), range(0xDC00, 0xE000)  # surrogates
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)")


def trimmed(convert: Convert) -> Convert:
    """The conversion, tried again without the blanks around a value where it failed with them."""

    def retry(text: pl.Series) -> pl.Series:
        values = convert(text)
        if values.null_count() == text.null_count():
            return values
        again = convert(text.filter(values.is_null()).str.strip_chars(BLANKS))
        if again.null_count() == len(again):
            return values
        return values.scatter(values.is_null().arg_true(), again)

    return retry


def to_integer(dtype: Any) -> Convert:
    """Whole numbers in range; ``4.0`` is none, as for PostgreSQL."""
    return trimmed(lambda text: text.cast(dtype, strict=False))


def to_whole(dtype: Any) -> Convert:
    """Whole numbers however they are written: ``85.0`` and ``8.5e1`` are one, and ``85.5`` is none."""
    plain = to_integer(dtype)

    def convert(text: pl.Series) -> pl.Series:
        values = plain(text)
        if values.null_count() == text.null_count():
            return values
        rest = values.is_null() & text.is_not_null()
        again = pl.Series([_whole_number(value) for value in text.filter(rest).to_list()], dtype=pl.String).cast(dtype, strict=False)
        return values.scatter(rest.arg_true(), again)

    return convert


def _whole_number(text: str) -> str | None:
    """The digits of a number that is whole; ``None`` where it is not, or far beyond any integer."""
    if not re.fullmatch(_NUMERIC, text, re.ASCII):
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent of twenty digits
        return None
    return str(int(number)) if abs(number.adjusted()) < _INTEGER_DIGITS and number == number.to_integral_value() else None


def to_float(dtype: Any) -> Convert:
    """Floating point numbers, ``NaN`` and ``Infinity``; what becomes infinite or zero by its size is out of range."""

    def convert(text: pl.Series) -> pl.Series:
        values = text.cast(dtype, strict=False)
        # Comparisons and no functions: each function is a query of its own, and its start costs more than the work.
        extreme = (values == math.inf) | (values == -math.inf) | (values == 0)
        if not extreme.any():
            return values
        extreme = extreme.fill_null(value=False)
        lost = text.filter(extreme).str.contains(r"^[^eE]*[1-9]") & ~text.filter(extreme).str.contains("(?i)inf")
        return values.scatter(extreme.arg_true().filter(lost), None) if lost.any() else values

    return trimmed(convert)


def to_bool(text: pl.Series) -> pl.Series:
    """PostgreSQL's spellings: any beginning of true, false, yes, no; on, off, 1, 0."""
    plain = text == "true"
    if (plain | (text == "false")).all():  # what programs write; it takes a fifth of the time
        return plain
    words = text.str.strip_chars(BLANKS).str.to_lowercase()
    true = words.is_in(_TRUE)
    return _where(true, true | words.is_in(_FALSE))


def to_text(limit: int | None) -> Convert:
    """Text of at most ``limit`` characters."""
    return _fitting(lambda text: text.str.len_chars(), limit)


def to_padded(limit: int | None) -> Convert:
    """``char(n)``: blanks at the end do not count."""
    return _fitting(lambda text: text.str.strip_chars_end(" ").str.len_chars(), limit)


def to_name(text: pl.Series) -> pl.Series:
    """``name``: at most 63 bytes."""
    return _fitting(lambda value: value.str.len_bytes(), 63)(text)


def to_label(labels: Sequence[str]) -> Convert:
    """One of an enum's labels, as it is written there."""
    return lambda text: _where(text, text.is_in(list(labels)))


def to_uuid(text: pl.Series) -> pl.Series:
    """The 16 bytes of a uuid, hyphenated or not, in braces or not."""
    valid = _where(text, text.str.contains(_UUID))
    return valid.str.replace_all(r"[-{}]", "").str.decode("hex", strict=False)


def to_bytes(text: pl.Series) -> pl.Series:
    r"""The bytes of ``\x`` and pairs of hexadecimal digits."""
    valid = _where(text, text.str.contains(r"^\\x(?:[0-9a-fA-F]{2})*$"))
    return valid.str.slice(2).str.decode("hex", strict=False)


def to_date(text: pl.Series) -> pl.Series:
    """``YYYY-MM-DD`` from year 1 on."""
    return _trimmed_date(text)


def _iso_date(text: pl.Series) -> pl.Series:
    plain = _by_arrow(text, pa.date32()) if (text.str.len_bytes() == _DATE_LENGTH).all() else None
    if plain is not None:
        return plain
    return _where(text, text.str.contains(_DATE) & ~text.str.starts_with("0000")).str.strptime(pl.Date, "%Y-%m-%d", strict=False)


_trimmed_date = trimmed(_iso_date)


def to_timestamp(digits: int, *, zone: bool) -> Convert:
    """ISO 8601 with ``T`` or a blank; without an offset it is UTC. ``digits`` of a second are kept.

    Without ``zone`` only an offset of 0 is accepted: PostgreSQL would drop any other and change the moment.
    """

    def convert(text: pl.Series) -> pl.Series:
        plain = _plain_moments(text, digits, zone=zone)
        if plain is not None:
            return plain
        parts = text.str.extract_groups(_TIMESTAMP).struct.unnest()
        moment = parts.select(_moment(digits, zone=zone).alias("moment"))["moment"].cast(pl.Datetime("us"))
        return moment.dt.replace_time_zone("UTC") if zone else moment

    return trimmed(convert)


def _plain_moments(text: pl.Series, digits: int, *, zone: bool) -> pl.Series | None:
    """Moments that are all written with seconds, and all with ``Z`` or all without an offset, a tenth of the time; else ``None``."""
    universal = text.str.ends_with("Z")
    longest = _SECONDS_LENGTH + (1 + digits if digits else 0) + 1
    if text.null_count() == len(text) or (universal.any() and (not zone or not universal.all())) or text.str.len_bytes().max() > longest:  # type: ignore[operator]
        return None
    if text.str.len_bytes().min() < _SECONDS_LENGTH + universal.any():  # type: ignore[operator]
        return None
    found = _by_arrow(text, pa.timestamp("us", "UTC" if universal.any() else None))
    if found is None or found.null_count() > text.null_count():
        return None
    return found.dt.replace_time_zone("UTC") if zone else found


def _by_arrow(text: pl.Series, kind: pa.DataType) -> pl.Series | None:
    """The values as pyarrow parses ISO 8601, which knows all that these columns take but for year 0; ``None`` where one is none."""
    if text.str.starts_with("0000").any():
        return None
    try:
        made = pl.from_arrow(text.to_arrow().cast(pa.large_string()).cast(kind))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    assert isinstance(made, pl.Series)
    return made


def _moment(digits: int, *, zone: bool) -> pl.Expr:
    """Microseconds since 1970 of the groups of the pattern; null where one is out of its range."""
    day, fraction = pl.col("day"), pl.col("fraction").str.strip_chars_end("0").fill_null("")
    hour, minute, second, off_hour, off_minute = (_small(name) for name in ("hour", "minute", "second", "off_hour", "off_minute"))
    offset = (off_hour * 60 + off_minute) * pl.when(pl.col("sign") == "-").then(-1).otherwise(1)
    sound = (hour < _HOURS) & (minute < _SIXTY) & (second < _SIXTY) & (off_hour < _OFFSET_HOURS) & (off_minute < _SIXTY)
    sound = sound & (fraction.str.len_bytes() <= digits) & ~day.str.starts_with("0000") & (pl.lit(zone) | (offset == 0))
    days = day.str.strptime(pl.Date, "%Y-%m-%d", strict=False).cast(pl.Int32).cast(pl.Int64)
    seconds = ((days * 24 + hour) * 60 + minute - offset) * 60 + second
    micros = seconds * 1_000_000 + fraction.str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64, strict=False)
    return pl.when(sound).then(micros)


def _small(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Int64, strict=False).fill_null(0)


def to_time(digits: int) -> Convert:
    """``HH:MM`` or ``HH:MM:SS``, with at most ``digits`` digits of a second."""

    def convert(text: pl.Series) -> pl.Series:
        parts = text.str.extract_groups(_TIME).struct.unnest()
        fraction = pl.col("fraction").str.strip_chars_end("0").fill_null("")
        hour, minute, second = (_small(name) for name in ("hour", "minute", "second"))
        sound = pl.col("hour").is_not_null() & (hour < _HOURS) & (minute < _SIXTY) & (second < _SIXTY) & (fraction.str.len_bytes() <= digits)
        nanos = ((hour * 60 + minute) * 60 + second) * 1_000_000_000 + fraction.str.pad_end(9, "0").str.slice(0, 9).cast(pl.Int64, strict=False)
        return parts.select(pl.when(sound).then(nanos).cast(pl.Time).alias("time"))["time"]

    return trimmed(convert)


def to_numeric(precision: int | None, scale: int | None) -> Convert:
    """Text that ``numeric(precision, scale)`` keeps digit by digit; it stays text, without blanks around it."""
    scale = scale or 0
    whole, part = (_MAX_SCALE, _MAX_SCALE) if precision is None else (precision - scale, scale)
    simple_limits = min(whole, part) >= 0

    def convert(text: pl.Series) -> pl.Series:
        plain = text.str.contains(_PLAIN) & (text.str.len_bytes() < _MAX_SCALE) & simple_limits
        fraction = text.str.extract(r"\.([0-9]*?)0*$", 1).str.len_bytes().fill_null(0)
        digits = text.str.extract(r"^[+-]?0*([0-9]*)", 1).str.len_bytes().fill_null(0)
        fits = plain & (fraction <= max(part, 0)) & (digits <= max(whole, 0))
        rest = (~plain & text.is_not_null()).fill_null(value=False)
        if rest.any():
            exact = [_keeps(value, precision, scale) for value in text.filter(rest).to_list()]
            fits = fits.scatter(rest.arg_true(), pl.Series(exact, dtype=pl.Boolean))
        return _where(text, fits)

    return trimmed(convert)


def _keeps(text: str, precision: int | None, scale: int) -> bool:
    """Whether numeric keeps every digit: the slow way, for exponents and words."""
    if re.fullmatch(_WORD, text, re.ASCII | re.IGNORECASE):
        return precision is None or text.lower() == "nan"
    if not re.fullmatch(_NUMERIC, text, re.ASCII):
        return False
    try:
        _, digits, exponent = Decimal(text).as_tuple()
    except InvalidOperation:
        return False
    # What is written counts first, zeros too.
    if not isinstance(exponent, int) or not -_MAX_SCALE <= exponent <= _MAX_EXPONENT:
        return False
    significant = "".join(map(str, digits)).rstrip("0")
    lowest = exponent + len(digits) - len(significant)
    limit, places = (_MAX_DIGITS, _MAX_SCALE) if precision is None else (precision - scale, scale)
    return not significant or (exponent + len(digits) <= limit and -lowest <= places)


def to_json(*, binary: bool) -> Convert:
    """Text that is JSON; for ``jsonb`` (``binary``) also free of what it cannot hold. It stays text."""

    def convert(text: pl.Series) -> pl.Series:
        sound = [value is not None and _is_json(value, binary) for value in text.to_list()]
        return _where(text, pl.Series(sound, dtype=pl.Boolean))

    return convert


def _is_json(text: str, binary: bool) -> bool:
    try:
        # Numbers stay text: their size is no matter of json, and Python refuses long ones.
        json.loads(text, parse_constant=_refuse, parse_int=_numeric_only if binary else str, parse_float=_numeric_only if binary else str)
    except (ValueError, RecursionError):
        return False
    return not binary or "\\u" not in text or _escapes_are_text(text)


def _refuse(word: str) -> None:
    raise ValueError(word)


def _numeric_only(number: str) -> str:
    if not _keeps(number, None, 0):
        raise ValueError("beyond numeric")
    return number


def _escapes_are_text(document: str) -> bool:
    """No NUL, and surrogates only in pairs."""
    low_due_at = None
    for match in _ESCAPE.finditer(document):
        code = int(match[1], 16) if match[1] else 1
        if code == 0 or (code in _LOW) != (low_due_at == match.start()) or low_due_at not in (None, match.start()):
            return False
        low_due_at = match.end() if code in _HIGH else None
    return low_due_at is None


def _fitting(measure: Convert, limit: int | None) -> Convert:
    def convert(text: pl.Series) -> pl.Series:
        if limit is None:
            return text
        fits = measure(text) <= limit
        return text if fits.all() else _where(text, fits)

    return convert


def _where(values: pl.Series, kept: pl.Series) -> pl.Series:
    """The values with null where they are not kept."""
    return pl.select(pl.when(kept).then(values)).to_series()
