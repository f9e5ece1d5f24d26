"""The steps that a mapping takes from a source's text to the text that is cast: each from text to text, null of null.

Text is all that they know, so that they may stand in any order, and a date written by ``format`` is read as any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Callable

import polars as pl

from .._pack_models import Step
from ..exceptions import PackInvalid
from .arrays import from_json, literals
from .casts import BLANKS
from .members import are_pairs, pairs_as_object, value_of_pair
from .texts import as_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .casts import Convert

_EPOCH_DIGITS = {"s": 6, "ms": 3, "us": 0}  # of a unit's fraction that a microsecond keeps
# Digits of a whole number from which it is taken for the next smaller unit: seconds have 9 to 11 from 1973 to 5138, in
# which years milliseconds have 12 to 14. No file holds moments of both ages.
_EPOCH_FROM = ((15, "us"), (12, "ms"), (0, "s"))
_EPOCH_WHOLE = 18  # digits of microseconds that 64 bits hold, and more than any calendar does
_CLOCK, _CALENDAR = set("HIklMSpPTRrXfs.369"), set("YCyGgmbBhdeDFxvjUWVaAucs")
_SAMPLE = datetime(2001, 2, 3, 4, 5, 6)  # noqa: DTZ001 - formats have a zone or none
_BELOW_MICROS = r"\.[0-9]{6}[0-9]*[1-9]"  # digits that polars leaves out without a word
_LISTED = 12  # values of a map that a message names


@dataclass(frozen=True)
class CompiledStep:
    """``convert`` gives null where the step is not possible: a reject with ``rule``, unless ``refused`` says which those are."""

    convert: Convert
    rule: str
    expects: str = ""
    refused: Convert | None = None

    def faults(self, before: pl.Series, after: pl.Series) -> pl.Series | None:
        """Where the step was not possible; ``None`` where it was everywhere."""
        if after.null_count() <= before.null_count():
            return None
        lost = after.is_null() & before.is_not_null()
        return lost if self.refused is None else lost & self.refused(before)


def compile_steps(steps: Sequence[Any], column: str) -> tuple[CompiledStep, ...]:
    """The steps of a column, the same object for the same steps: what two targets need alike is made once.

    :raises PackInvalid: a format is none.
    """
    try:
        return _compile_all(tuple(step if isinstance(step, str) else step.model_dump_json(exclude_unset=True) for step in steps))
    except ValueError as error:
        raise PackInvalid(f"the steps of {column} cannot be taken: {error}", column_name=column, hint="See the list of steps.") from None


@lru_cache(maxsize=1024)
def _compile_all(steps: tuple[str, ...]) -> tuple[CompiledStep, ...]:
    return tuple(_WORDS[step] if step in _WORDS else _compile(Step.model_validate_json(step)) for step in steps)


def _compile(step: Step) -> CompiledStep:
    name = step.name
    return _MAKERS[name](getattr(step, name), step)


# --- words ----------------------------------------------------------------------------------------------------------------


def _first_day(text: pl.Series) -> pl.Series:
    year = text.str.replace(r"^([0-9]{4})$", "${1}-01-01")
    return year.str.replace(r"^([0-9]{4}-[0-9]{2})$", "${1}-01")


_WORDS = {
    "strip": CompiledStep(lambda text: text.str.strip_chars(), "strip"),
    "lower": CompiledStep(lambda text: text.str.to_lowercase(), "lower"),
    "upper": CompiledStep(lambda text: text.str.to_uppercase(), "upper"),
    "first_day": CompiledStep(_first_day, "first_day"),
    "pairs": CompiledStep(pairs_as_object, "pairs", "an array of objects with a key and a value"),
}


# --- with something to say ------------------------------------------------------------------------------------------------


def _replace(pairs: dict[str, str], _: Step) -> CompiledStep:
    def convert(text: pl.Series) -> pl.Series:
        for old, new in pairs.items():
            text = text.str.replace_all(old, new, literal=True)
        return text

    return CompiledStep(convert, "replace")


def _map(values: dict[str, Any], step: Step) -> CompiledStep:
    old = list(values)
    new = pl.Series([None if value is None else as_written(value) for value in values.values()], dtype=pl.String)

    def convert(text: pl.Series) -> pl.Series:
        found = text.replace_strict(old, new, default=None, return_dtype=pl.String)
        return found if step.otherwise != "keep" else pl.select(pl.when(text.is_in(old)).then(found).otherwise(text)).to_series()

    def refused(text: pl.Series) -> pl.Series:
        # What the map itself calls no value is no fault.
        return ~text.is_in(old) if step.otherwise == "reject" else pl.Series([False]).new_from_index(0, len(text))

    more = f" or {len(old) - _LISTED} more" if len(old) > _LISTED else ""
    return CompiledStep(convert, "map", f"one of {', '.join(old[:_LISTED])}{more}", refused)


def _number(marks: Any, _: Step) -> CompiledStep:
    thousands, decimal = marks.thousands, marks.decimal
    fraction = f"(?:{_literal(decimal)}[0-9]+)?"
    grouped = f"|[0-9]{{1,3}}(?:{_literal(thousands)}[0-9]{{3}})+" if thousands else ""
    shape = f"^[+-]?(?:[0-9]+{grouped}){fraction}$"

    def convert(text: pl.Series) -> pl.Series:
        bare = text.str.strip_chars(BLANKS)
        digits = pl.select(pl.when(bare.str.contains(shape)).then(bare)).to_series()
        if thousands:
            digits = digits.str.replace_all(thousands, "", literal=True)
        return digits.str.replace(decimal, ".", literal=True)

    groups = f", thousands separated by {thousands!r}" if thousands else ""
    return CompiledStep(convert, "number", f"a number with {decimal!r} before its fraction{groups}")


def _format(pattern: str, _: Step) -> CompiledStep:
    kind = _kind(pattern)

    def convert(text: pl.Series) -> pl.Series:
        read = as_text(text.str.strip_chars(BLANKS).str.strptime(kind, pattern, strict=False))
        return read if kind == pl.Date else pl.select(pl.when(~text.str.contains(_BELOW_MICROS)).then(read)).to_series()

    return CompiledStep(convert, "format", f"a date or time as {pattern}")


def _kind(pattern: str) -> Any:
    """What a format describes: a date, a time of day, or a moment.

    :raises ValueError: it is no format.
    """
    directives = _directives(pattern)
    clock, calendar = bool(directives & _CLOCK), bool(directives & _CALENDAR)
    kind = pl.Time if clock and not calendar else pl.Datetime("us") if clock else pl.Date
    # What it writes it must read: the only test of a format that says no.
    sample = pl.Series([_SAMPLE]).dt.replace_time_zone("UTC") if "z" in directives else pl.Series([_SAMPLE])
    try:
        read = sample.dt.strftime(pattern).str.strptime(kind, pattern, strict=False).item()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        read = None
    if not (clock or calendar) or read is None or not _agrees(read, calendar=calendar, clock=clock):
        raise ValueError(f"{pattern!r} is no format of a whole date or time")
    return kind


def _agrees(read: Any, *, calendar: bool, clock: bool) -> bool:
    same_day = not calendar or (read.year, read.month, read.day) == (_SAMPLE.year, _SAMPLE.month, _SAMPLE.day)
    return same_day and (not clock or (read.hour, read.minute) == (_SAMPLE.hour, _SAMPLE.minute))


def _directives(pattern: str) -> set[str]:
    """The letters after each percent sign.

    :raises ValueError: one is none.
    """
    found, rest = set(), pattern.replace("%%", "")
    for part in rest.split("%")[1:]:
        letter = part.lstrip("-_0.:#3456789")[:1] if part[:1] in "-_0.:#3456789" else part[:1]
        if letter not in _LETTERS:
            raise ValueError(f"{pattern!r} is no format: %{part[:2]} means nothing")
        found.add(letter)
    return found


_LETTERS = _CLOCK | _CALENDAR | {"z"}


def _epoch(unit: str, _: Step) -> CompiledStep:
    micros = _micros_of_any() if unit == "auto" else _micros(_EPOCH_DIGITS[unit])

    def convert(text: pl.Series) -> pl.Series:
        parts = text.str.strip_chars(BLANKS).str.extract_groups(r"^(?P<sign>[+-]?)(?P<whole>[0-9]+)(?:\.(?P<part>[0-9]+))?$").struct.unnest()
        return as_text(parts.select(micros.alias("micros"))["micros"].cast(pl.Datetime("us", "UTC")))

    units = "s, ms or us" if unit == "auto" else unit
    return CompiledStep(convert, "epoch", f"a number of {units} since 1970, to the microsecond")


def _micros_of_any() -> pl.Expr:
    digits = pl.col("whole").str.strip_chars_start("0").str.len_bytes()
    return pl.coalesce([pl.when(digits >= least).then(_micros(_EPOCH_DIGITS[unit])) for least, unit in _EPOCH_FROM])


def _micros(places: int) -> pl.Expr:
    part, whole = pl.col("part").fill_null("").str.strip_chars_end("0"), pl.col("whole").str.strip_chars_start("0").str.zfill(1)
    fits = (part.str.len_bytes() <= places) & (whole.str.len_bytes() + places <= _EPOCH_WHOLE)
    digits = pl.concat_str([whole, part.str.pad_end(places, "0")])
    value = pl.when(fits).then(digits).cast(pl.Int64, strict=False)
    return value * pl.when(pl.col("sign") == "-").then(-1).otherwise(1)


def _shift(places: int, _: Step) -> CompiledStep:
    """By its digits, so that none is rounded away."""
    if places >= 0:
        digits = pl.col("part").str.pad_end(places, "0")
        whole, part = pl.col("whole") + digits.str.slice(0, places), digits.str.slice(places)
    else:
        digits = pl.col("whole").str.zfill(1 - places)
        size = digits.str.len_bytes().cast(pl.Int64) + places
        whole, part = digits.str.slice(0, size), digits.str.slice(size) + pl.col("part")
    number = pl.concat_str([pl.col("sign"), whole, pl.when(part != "").then(pl.concat_str([pl.lit("."), part])).otherwise(pl.lit(""))])

    def convert(text: pl.Series) -> pl.Series:
        parts = text.str.strip_chars(BLANKS).str.extract_groups(r"^(?P<sign>[+-]?)(?P<whole>[0-9]+)(?:\.(?P<part>[0-9]*))?$").struct.unnest()
        return parts.with_columns(pl.col("part").fill_null("")).select(number.alias("number"))["number"]

    return CompiledStep(convert, "shift", "a number without an exponent")


def _split(separator: str, _: Step) -> CompiledStep:
    def convert(text: pl.Series) -> pl.Series:
        pieces = literals(text.str.split(separator).list.eval(pl.element().str.strip_chars(BLANKS)))
        if not text.str.starts_with("[").any():
            return pieces
        # A list of the source's own is JSON by now, whatever is in its values.
        return pl.select(pl.when(text.str.starts_with("[")).then(pl.coalesce(from_json(as_text)(text), pieces)).otherwise(pieces)).to_series()

    return CompiledStep(convert, "split")


def _default(value: Any, _: Step) -> CompiledStep:
    text = as_written(value)
    return CompiledStep(lambda values: values.fill_null(text), "default")


def _pair(key: str, _: Step) -> CompiledStep:
    return CompiledStep(
        lambda text: value_of_pair(text, key),
        "pair",
        "an array of objects with a key and a value",
        lambda text: ~are_pairs(text).fill_null(value=False),
    )


def as_written(value: Any) -> str:
    """A value of a pack as text that PostgreSQL reads."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _literal(sign: str) -> str:
    return f"[{sign}]" if sign not in "^]\\" else f"\\{sign}"


_MAKERS: dict[str, Callable[[Any, Step], CompiledStep]] = {
    "replace": _replace,
    "map": _map,
    "number": _number,
    "format": _format,
    "epoch": _epoch,
    "shift": _shift,
    "split": _split,
    "default": _default,
    "pair": _pair,
}
