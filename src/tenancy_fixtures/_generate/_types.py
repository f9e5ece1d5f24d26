"""Makers for values of every type that PostgreSQL reads from text, by what a column is called and what is asked of it."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import partial
from typing import TYPE_CHECKING, Callable, Iterator, Union

import numpy as np
import polars as pl

from ._makers import DAY, Counted, Digits, Each, Pieces, Pool, decimals
from ._texts import text_candidates
from ._words import BASE36, kind_of

if TYPE_CHECKING:
    from ._makers import Maker
    from ._texts import Candidate, Need

    # Form, beginning and length in seconds, and how many rows need one of their own.
    MomentMaker = Callable[[str, int, int, Union[int, None]], Maker]

_NUMBERS = 10_000  # different numbers that a column is drawn from
_WHOLE_BOUNDS = Decimal(1_000_000)  # a range that is not wider is used in full
_HEX = tuple("0123456789abcdef")
_TAIL = re.compile(
    r"popular|follow|count|plays|views|likes|total|score|amount|price|size|sales|visits|hits|quantity|stock|volume|position|rank|weight"
)
# Where the numbers of a column lie, by its name: the first that fits.
_RANGES = (
    (r"year", 1960, 2024),
    (r"decade", 1950, 2020),
    (r"month", 1, 12),
    (r"^day|_day$", 1, 28),
    (r"hour", 0, 23),
    (r"minute", 0, 59),
    (r"^age$|_age$", 18, 90),
    (r"percent|pct|popularity", 0, 100),
    (r"(duration|length).*_ms|^ms_|_ms$|millis", 30_000, 600_000),
    (r"second|duration", 1, 600),
    (r"^lat", -90, 90),
    (r"^(lon|lng)", -180, 180),
    (r"rating|stars", 1, 5),
    (r"price|cost|amount|fee", 1, 500),
    (r"quantity|qty", 1, 20),
    (r"position|track_number|line|rank|level", 1, 40),
    (r"port$", 1_024, 65_535),
    (r"tempo|bpm", 60, 180),
    (r"ness$|share|ratio|probability|energy|valence", 0, 1),
    (r"follow|plays|views|likes|total", 0, 1_000_000),
)
_SPAN_OF_ALL = (datetime(2020, 1, 1, tzinfo=timezone.utc), datetime(2024, 12, 1, tzinfo=timezone.utc))
_SPAN_OF_BIRTHS = (datetime(1945, 1, 1, tzinfo=timezone.utc), datetime(2006, 12, 31, tzinfo=timezone.utc))
_FIRST_DAY = -62_135_596_800 + 366 * DAY  # the year 2; seconds since 1970
_LAST_DAY = 253_370_764_800  # the year 9999
# The n-th example of a type.
_EXAMPLES: dict[str, Callable[[int], str]] = {
    "bool": lambda n: "false" if n % 2 else "true",
    "time": lambda n: f"{n % 24:02}:{n * 7 % 60:02}:{n * 11 % 60:02}",
    "timetz": lambda n: f"{n % 24:02}:{n * 7 % 60:02}:{n * 11 % 60:02}+00",
    "interval": lambda n: f"{1 + n} minutes",
    "inet": lambda n: f"10.{n % 7}.{n % 11}.{1 + n % 250}",
    "cidr": lambda n: f"10.{n % 7}.{n % 250}.0/24",
    "macaddr": lambda n: f"02:00:00:00:{n % 250:02x}:{n % 17:02x}",
    "macaddr8": lambda n: f"02:00:00:00:00:00:{n % 250:02x}:{n % 17:02x}",
    "point": lambda n: f"({n},{n * 3 % 100})",
    "int4range": lambda n: f"[{n},{n + 10})",
    "numrange": lambda n: f"[{n}.5,{n + 10}.5)",
    "daterange": lambda n: f"[2024-{1 + n % 11:02}-01,2024-{2 + n % 11:02}-01)",
    "tstzrange": lambda n: f"[2024-{1 + n % 11:02}-01 00:00Z,2024-{2 + n % 11:02}-01 00:00Z)",
}
# Types whose examples another one's are, too.
_LIKE = {"jsonb": "json", "int8range": "int4range", "tsrange": "daterange"}
_TEXTS = {"text", "varchar", "bpchar", "name", "citext"}
_INTEGERS = {"int2", "int4", "int8", "oid"}
_DECIMALS = {"numeric", "float4", "float8", "money"}
_MOMENTS = {"date", "timestamp", "timestamptz"}


def candidates(need: Need, moments: MomentMaker) -> Iterator[Candidate]:
    """Makers for a field, the most natural first; none where its type is not known.

    ``moments`` makes those that belong to a row's others: of a form, in a span (start and length in seconds).
    """
    name = need.item.type
    if need.wants.values is not None:
        texts = pl.Series(need.wants.values, dtype=pl.String)
        yield lambda: Pool(texts, need.key, tail=True) if need.count is None else Each(texts, need.key)
    elif name in _TEXTS:
        yield from text_candidates(need)
    elif name in _INTEGERS or name in _DECIMALS:
        yield from _numbers(need, 0 if name in _INTEGERS else _scale(need))
    elif name in _MOMENTS:
        start, span = _window(need)
        yield lambda: moments(name, start, span, need.count)
    elif need.count is None:
        yield from _plain(need, name)
    else:
        yield from _distinct(need, name)


# --- numbers ------------------------------------------------------------------------------------------------------------


def _scale(need: Need) -> int:
    kind = need.item.main.column.type
    if kind.name == "numeric" and kind.precision is not None:
        return kind.scale or 0
    return {"numeric": 2, "money": 2, "float4": 3}.get(kind.name, 4)


def _numbers(need: Need, scale: int) -> Iterator[Candidate]:
    low, high = _bounds(need)
    unit = Decimal(10) ** scale
    first, last = int((low * unit).to_integral_value(ROUND_CEILING)), int((high * unit).to_integral_value(ROUND_FLOOR))
    if need.count is None:
        yield lambda: _number_pool(need, first, last, scale)
        return
    least, most = need.wants.low, need.wants.high
    limit = 2**62 if most is None else int((most * unit).to_integral_value(ROUND_FLOOR))
    for start in (max(first, 1), first, -(2**62) if least is None else int((least * unit).to_integral_value(ROUND_CEILING))):
        if limit - start + 1 >= need.count:
            yield partial(_counted, start, limit, scale)


def _counted(start: int, limit: int, scale: int) -> Maker:
    if scale >= 0:
        return Counted(start, scale=scale, limit=limit)
    return Counted(start * 10**-scale, step=10**-scale, limit=limit * 10**-scale)


def _number_pool(need: Need, first: int, last: int, scale: int) -> Maker:
    number = min(last - first + 1, _NUMBERS)
    steps = np.arange(number, dtype=np.int64)
    values = [first + (last - first) * int(step) // max(number - 1, 1) for step in steps]
    if scale < 0:
        texts = pl.Series([str(value * 10**-scale) for value in values], dtype=pl.String)
    else:
        texts = decimals(pl.Series(values, dtype=pl.Int64), scale)
    return Pool(texts, need.key, tail=bool(_TAIL.search(need.item.name.lower())))


def _bounds(need: Need) -> tuple[Decimal, Decimal]:
    """Where the numbers lie: what the name suggests of what is allowed, else all of a narrow range, else a part of a wide one."""
    low, high = _asked(need)
    name = need.item.name.lower()
    usual = next(((Decimal(first), Decimal(last)) for pattern, first, last in _RANGES if re.search(pattern, name)), None)
    if usual is None and low is not None and high is not None and high - low <= _WHOLE_BOUNDS:
        return low, high
    first, last = usual or (Decimal(0), Decimal(1000))
    least = first if low is None else max(low, first)
    most = last if high is None else min(high, last)
    if least <= most:
        return _within_type(need, least, most)
    if low is not None and low > last:
        return _within_type(need, low, low + 1000 if high is None else min(low + 1000, high))
    assert high is not None, "bounds that nobody gave exclude nothing"
    return _within_type(need, high - 1000 if low is None else max(high - 1000, low), high)


def _asked(need: Need) -> tuple[Decimal | None, Decimal | None]:
    """The bounds that somebody thought of: not those of the type."""
    bits = {"int2": 15, "int4": 31, "int8": 63}.get(need.item.type, 0)
    low, high = need.wants.low, need.wants.high
    return (None if bits and low == -(2**bits) else low), (None if bits and high == 2**bits - 1 else high)


def _within_type(need: Need, low: Decimal, high: Decimal) -> tuple[Decimal, Decimal]:
    wants = need.wants
    return (low if wants.low is None else max(low, wants.low)), (high if wants.high is None else min(high, wants.high))


# --- moments ------------------------------------------------------------------------------------------------------------


def _window(need: Need) -> tuple[int, int]:
    """Beginning and length in seconds of the time that moments lie in: longer where every row needs a day of its own."""
    births = "birth" in need.item.name.lower() or need.item.name.lower() == "dob"
    start, end = (int(moment.timestamp()) for moment in (_SPAN_OF_BIRTHS if births else _SPAN_OF_ALL))
    first, last = _moment(need.wants.first), _moment(need.wants.last)
    if first is not None and first + DAY > start:
        start = first + DAY
        end = max(end, start + 365 * DAY)
    if last is not None and last - DAY < end:
        end = last - DAY
        start = min(start, end - 365 * DAY) if first is None else start
    unit = DAY if need.item.type == "date" else 1
    if need.count is not None and (end - start) // unit < need.count:
        start = max(end - need.count * unit, _FIRST_DAY)
        end = min(max(end, start + need.count * unit), _LAST_DAY)
    return start, max(end - start, 1)


def _moment(text: str | None) -> int | None:
    """Seconds since 1970 of a moment as PostgreSQL prints it; ``None`` for what is none."""
    match = re.match(r"(\d{4})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d))?", text or "")
    if match is None:
        return None
    return int(datetime(*(int(part or 0) for part in match.groups()), tzinfo=timezone.utc).timestamp())  # type: ignore[misc,arg-type]


# --- all other types ------------------------------------------------------------------------------------------------------


def _plain(need: Need, name: str) -> Iterator[Candidate]:
    if name == "uuid":
        yield lambda: Digits("########-####-4###-8###-############", need.key)
    elif name == "bytea":
        yield lambda: Digits(r"\x################################", need.key)
    else:
        texts = _examples(need, name)
        if texts:
            yield lambda: Pool(pl.Series(texts, dtype=pl.String), need.key)


def _examples(need: Need, name: str) -> list[str]:
    """Some values of a type, each as PostgreSQL reads it."""
    kind = need.item.main.column.type
    if kind.category == "A":
        return _arrays(need, str(kind.element))
    bits = re.search(r"\((\d+)\)", kind.declared)
    width = int(bits[1]) if bits else 1
    words = need.words.pool("word")
    example = {
        **_EXAMPLES,
        "json": lambda n: f'{{"theme": "{words[n]}", "size": {n}}}',
        "tsvector": lambda n: f"{words[n]} {words[n + 1]}",
        "bit": lambda n: format(n, "b").zfill(width)[-width:],
        "varbit": lambda n: format(n % 2 ** min(width, 8), "b"),
    }.get(_LIKE.get(name, name))
    return list(dict.fromkeys(map(example, range(500)))) if example else []


def _arrays(need: Need, element: str) -> list[str]:
    if element in _TEXTS:
        pool = need.words.pool(kind_of(need.item.name, need.item.uses[0].table.name))
        parts = [text for text in pool if text.isalnum()] or list(need.words.pool("word"))
    elif element in _INTEGERS or element in _DECIMALS:
        parts = [str(number) for number in range(100)]
    else:
        return ["{}"]
    # Of one, two and three parts, and some without any.
    size = len(parts)
    return list(dict.fromkeys("{" + ",".join(parts[(7 * n + k * k) % size] for k in range(n % 4)) + "}" for n in range(2_000)))


def _distinct(need: Need, name: str) -> Iterator[Candidate]:
    kind = need.item.main.column.type
    if name in ("uuid", "bytea"):
        yield from _plain(need, name)
    elif name in ("json", "jsonb"):
        yield lambda: Counted(1, prefix='{"number": ', suffix="}")
    elif name == "interval":
        yield lambda: Counted(1, suffix=" seconds")
    elif name == "inet":
        yield lambda: Pieces([("fd00::",), *[_HEX] * 4, (":",), *[_HEX] * 4], need.key, need.count)
    elif name in ("macaddr", "macaddr8"):
        pairs = [*[[(":",), _HEX, _HEX]] * (5 if name == "macaddr" else 7)]
        yield lambda: Pieces([("02",), *(piece for pair in pairs for piece in pair)], need.key, need.count)
    elif kind.category == "A" and kind.element in (_TEXTS | {"int4", "int8"}):
        signs = BASE36 if kind.element in _TEXTS else tuple("123456789")
        yield lambda: Pieces([("{",), *[signs] * 9, ("}",)], need.key, need.count)
    elif name in ("time", "timetz"):
        texts = [f"{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}" for n in range(DAY)]
        yield lambda: Each(pl.Series(texts, dtype=pl.String), need.key)
    else:
        examples = _examples(need, name)
        if examples:
            yield lambda: Each(pl.Series(examples, dtype=pl.String), need.key)
