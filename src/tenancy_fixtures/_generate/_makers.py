"""What makes the texts of one field: each maker gives the value of any row, whatever was made before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Sequence

import numpy as np
import polars as pl

from ._random import below, bits, permuted, uniform

if TYPE_CHECKING:
    from ._pattern import Slots
    from ._random import Rows

DAY = 86_400
_LARGEST = 2**62
_SPARE = 16  # times as many texts as rows: they look drawn, not counted
_HEX = tuple("0123456789abcdef")


class Maker(Protocol):
    """Gives the text of each row, never null; ``capacity`` is how many different ones there are, ``None`` for more than enough."""

    @property
    def capacity(self) -> int | None:
        """How many rows can have values of their own."""
        ...

    def __call__(self, rows: Rows) -> pl.Series:
        """The texts of these rows."""
        ...


@dataclass(frozen=True)
class Pool:
    """One of some texts; with ``tail`` the first ones are frequent and the last ones rare."""

    texts: pl.Series
    key: int
    tail: bool = False

    @property
    def capacity(self) -> int:
        """One for each text."""
        return len(self.texts)

    def __call__(self, rows: Rows) -> pl.Series:
        """A text drawn for each row."""
        return self.texts.gather(below(rows, self.key, len(self.texts), tail=self.tail))


@dataclass(frozen=True)
class Each:
    """Each of some texts once."""

    texts: pl.Series
    key: int

    @property
    def capacity(self) -> int:
        """One for each text."""
        return len(self.texts)

    def __call__(self, rows: Rows) -> pl.Series:
        """The texts in another order."""
        return self.texts.gather(permuted(rows, self.key, len(self.texts)))


class Pieces:
    """Texts put together of pieces; the first ``count`` rows get different ones, if ``count`` is given."""

    def __init__(self, slots: Slots, key: int, count: int | None = None) -> None:
        self._slots = [pl.Series(pieces, dtype=pl.String) for pieces in slots]
        self._key = key
        self._counted = self._choose(count)
        self._product = _product(len(self._slots[place]) for place in self._counted)

    @property
    def capacity(self) -> int:
        """As many as the places that number the rows allow."""
        return self._product

    def _choose(self, count: int | None) -> list[int]:
        """The places that together number the rows, from the last on; what the others hold is drawn."""
        chosen: list[int] = []
        product = 1
        for place in reversed(range(len(self._slots))):
            size = len(self._slots[place])
            if count is None or product >= count * _SPARE or product * size > _LARGEST:
                break
            chosen.append(place)
            product *= size
        return chosen

    def __call__(self, rows: Rows) -> pl.Series:
        """The texts of these rows."""
        number = permuted(rows, self._key, self._product)
        parts: dict[int, pl.Series] = {}
        for place in self._counted:
            size = len(self._slots[place])
            parts[place] = self._slots[place].gather(number % size)
            number = number // size
        for place, pieces in enumerate(self._slots):
            if place not in parts:
                parts[place] = pieces.gather(below(rows, self._key + place + 1, len(pieces)))
        return _joined([parts[place] for place in range(len(self._slots))], len(rows))


@dataclass(frozen=True)
class Counted:
    """Numbers from ``start`` on, in steps, with ``scale`` digits after the point: ``prefix`` and ``suffix`` around them."""

    start: int
    step: int = 1
    scale: int = 0
    limit: int | None = None
    prefix: str = ""
    suffix: str = ""

    @property
    def capacity(self) -> int | None:
        """Steps up to the limit."""
        return None if self.limit is None else max((self.limit - self.start) // self.step + 1, 0)

    def __call__(self, rows: Rows) -> pl.Series:
        """The number of each row."""
        numbers = pl.Series(self.start + rows * self.step)
        texts = decimals(numbers, self.scale)
        return texts if not (self.prefix or self.suffix) else pl.select(pl.lit(self.prefix) + texts + pl.lit(self.suffix)).to_series()


@dataclass(frozen=True)
class Moments:
    """Moments of a row: a beginning that all of a row's moments share, and ``rank`` says how long after it this one is.

    ``start`` and ``span`` are seconds since 1970; ``form`` is date, timestamp or timestamptz. With ``distinct`` rows every row
    has one of its own, in whole ``unit`` seconds.
    """

    form: str
    start: int
    span: int
    key: int
    own_key: int
    rank: int = 0
    distinct: int | None = None

    @property
    def capacity(self) -> int:
        """One for each second, or day."""
        return max(self.span // self._unit, 1)

    @property
    def _unit(self) -> int:
        return DAY if self.form == "date" else 1

    def __call__(self, rows: Rows) -> pl.Series:
        """The moments of these rows."""
        # A rank's own day is even, the days between odd: moments of two ranks are never on the same day.
        later = self.rank * 2 * DAY
        if self.distinct is None:
            seconds = self.start + below(rows, self.key, self.span) + later + below(rows, self.own_key, DAY) * (self.rank > 0)
        else:
            step = max(self.span // self._unit // self.distinct, 1) * self._unit
            seconds = self.start + permuted(rows, self.key, self.distinct) * step + later
        return _moment_texts(pl.Series(seconds), self.form)


@dataclass(frozen=True)
class Digits:
    """Random digits in groups with signs between them: ``form`` has ``#`` for each hexadecimal digit, as a uuid's."""

    form: str
    key: int
    capacity: int | None = None

    def __call__(self, rows: Rows) -> pl.Series:
        """The texts of these rows; no two of them have the same first 16 digits."""
        width = self.form.count("#")
        words = [bits(rows, self.key + number) for number in range(-(-width // 16))]
        digits = _joined([pl.Series(_hexadecimal(word), dtype=pl.String) for word in words], len(rows))
        parts: list[pl.Expr] = []
        taken = 0
        for piece in _runs(self.form):
            if piece.strip("#"):
                parts.append(pl.lit(piece))
            else:
                parts.append(pl.lit(digits.str.slice(taken, len(piece))))
                taken += len(piece)
        return pl.select(pl.concat_str(parts)).to_series() if len(rows) else pl.Series([], dtype=pl.String)


@dataclass
class Referred:
    """What another dataset, or this one, has in a field of the rows that these rows refer to."""

    provider: Values
    name: str
    draw: Draw
    capacity: int | None = field(default=None)

    def __call__(self, rows: Rows) -> pl.Series:
        """The values of the rows that were drawn."""
        return self.provider.values(self.name, self.draw(rows))


class Values(Protocol):
    """Where the values of a field of any row can be had."""

    def values(self, name: str, rows: Rows) -> pl.Series:
        """The texts of these rows."""
        ...


class Draw(Protocol):
    """Says which row another row refers to."""

    def __call__(self, rows: Rows) -> Rows:
        """The rows that these rows refer to."""
        ...


@dataclass(frozen=True)
class AnyRow:
    """One of ``number`` rows, the first ones more often than the last."""

    number: int
    key: int

    def __call__(self, rows: Rows) -> Rows:
        """Rows drawn with a long tail."""
        return below(rows, self.key, self.number, tail=True)


@dataclass(frozen=True)
class OwnRow:
    """Each of ``number`` rows at most once."""

    number: int
    key: int

    def __call__(self, rows: Rows) -> Rows:
        """The rows in another order."""
        return permuted(rows, self.key, self.number)


@dataclass(frozen=True)
class EarlierRow:
    """A row before: any, or with ``next_one`` the one just before. The first row leads to itself."""

    key: int
    next_one: bool = False

    def __call__(self, rows: Rows) -> Rows:
        """Rows with smaller numbers."""
        drawn = rows - 1 if self.next_one else (uniform(rows, self.key) * rows).astype(np.int64)
        return np.minimum(np.maximum(drawn, 0), np.maximum(rows - 1, 0))


@dataclass(frozen=True)
class SameRow:
    """The row itself: where each row must be referred to once, and none may be left out."""

    def __call__(self, rows: Rows) -> Rows:
        """The rows as they are."""
        return rows


@dataclass(frozen=True)
class Digit:
    """One place of a number with places of different sizes: rows that are counted through all combinations of them.

    ``turn`` moves this place on with what stands before it, so that two places do not run side by side.
    """

    weight: int
    size: int
    turn: int | None = None

    def __call__(self, rows: Rows) -> Rows:
        """This place's number of each row."""
        digit = rows // self.weight % self.size
        if self.turn is None:
            return digit
        return (digit + below(rows // (self.weight * self.size), self.turn, self.size)) % self.size


@dataclass(frozen=True)
class Listed:
    """Texts by a place in them that is drawn."""

    texts: pl.Series
    draw: Draw

    @property
    def capacity(self) -> int:
        """One for each text."""
        return len(self.texts)

    def __call__(self, rows: Rows) -> pl.Series:
        """The texts that were drawn."""
        return self.texts.gather(self.draw(rows))


def decimals(numbers: pl.Series, scale: int) -> pl.Series:
    """Whole numbers of units as text, with ``scale`` digits after the point: exact, however large."""
    if scale <= 0:
        return numbers.cast(pl.String)
    unit = 10**scale
    size = numbers.abs()
    sign = pl.select(pl.when(numbers < 0).then(pl.lit("-")).otherwise(pl.lit(""))).to_series()
    return pl.select(pl.concat_str([sign, size // unit, pl.lit("."), (size % unit).cast(pl.String).str.zfill(scale)])).to_series()


def _moment_texts(seconds: pl.Series, form: str) -> pl.Series:
    # The year with four digits, whatever it is: polars does not fill it up on every platform.
    moment = (seconds * 1_000_000).cast(pl.Datetime("us"))
    if form == "date":
        return moment.cast(pl.Date).cast(pl.String)
    return moment.dt.strftime("%Y-%m-%dT%H:%M:%S" + ("Z" if form == "timestamptz" else ""))


def _hexadecimal(word: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> list[str]:
    text = word.astype(">u8").tobytes().hex()
    return [text[place : place + 16] for place in range(0, len(text), 16)]


def _runs(form: str) -> list[str]:
    runs: list[str] = []
    for sign in form:
        if runs and (sign == "#") == (runs[-1][-1] == "#"):
            runs[-1] += sign
        else:
            runs.append(sign)
    return runs


def _joined(parts: Sequence[pl.Series], height: int) -> pl.Series:
    if height == 0:
        return pl.Series([], dtype=pl.String)
    return parts[0] if len(parts) == 1 else pl.select(pl.concat_str(list(parts))).to_series()


def _product(sizes: object) -> int:
    product = 1
    for size in sizes:  # type: ignore[attr-defined]
        product *= size
    return product
