"""Makers for texts: words that suit the column's name, texts that match its pattern, codes of its length."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Callable, Iterator

import numpy as np
import polars as pl

from ._makers import Each, Pieces, Pool
from ._pattern import PatternUnsupported, capacity, only_group_varies, templates
from ._random import key_of
from ._words import BASE36, hinted_slots, kind_of

if TYPE_CHECKING:
    from ._fields import Field, Wants
    from ._makers import Maker
    from ._pattern import Slots
    from ._words import Words

# Texts of a pool that are made by a pattern, and ways in which it is read.
_PATTERN_TEXTS, _WAYS = 4_000, 24
_ROOM = 4  # times as many texts as rows, where a code keeps them apart
_CODE = 12  # signs of a code that nothing is said about
_MOST_CODE = 24  # signs that are drawn; longer ones are filled up
_CODES = ("id", "code", "key", "ref", "hash", "token", "isrc", "sku", "number", "no", "serial", "uri", "checksum", "digest")

Candidate = Callable[[], "Maker"]


@dataclass(frozen=True)
class Need:
    """A field, what is asked of it, the key of its random numbers, and how many rows need a value of their own."""

    item: Field
    wants: Wants
    words: Words
    key: int
    count: int | None

    @property
    def fits(self) -> range:
        """Lengths that the text may have."""
        longest = self.wants.longest
        return range(self.wants.shortest, (10_000 if longest is None else longest) + 1)


def text_candidates(need: Need) -> Iterator[Candidate]:
    """Makers to try, the most natural first; each may still be found not to fit."""
    if need.item.extract is not None:
        yield from _by_pattern(need, need.item.extract, whole=False)
        return
    kind = kind_of(need.item.name, need.item.uses[0].table.name)
    plain = kind == "words" and (need.wants.patterns or need.wants.shortest == need.wants.longest or _is_code(need.item.name))
    hinted = _hinted(need, kind)
    if not plain:
        yield from hinted
    for pattern in need.wants.patterns:
        yield from _by_pattern(need, pattern, whole=True)
    yield lambda: _code(need)
    if plain:
        yield from hinted
    yield lambda: _filled(need)


def _is_code(name: str) -> bool:
    return name.lower().rpartition("_")[2] in _CODES


def _hinted(need: Need, kind: str) -> Iterator[Candidate]:
    if need.count is None:
        texts = [text for text in need.words.pool(kind) if len(text) in need.fits]
        if texts:
            yield lambda: Pool(pl.Series(texts, dtype=pl.String), need.key, tail=True)
        return
    for digits in range(9):
        slots = hinted_slots(kind, need.words, digits)
        fitted = _within(slots, need.fits)
        # Some more than are needed: the codes are no plain numbering then.
        if fitted is not None and capacity(fitted) >= need.count * (_ROOM if digits else 1):
            yield partial(Pieces, fitted, need.key, need.count)
            return


def _within(slots: Slots, lengths: range) -> Slots | None:
    """The pieces that leave texts in these lengths; ``None`` where too little is left."""
    fixed = sum(len(pieces[0]) for pieces in slots if len({len(piece) for piece in pieces}) == 1)
    loose = [place for place, pieces in enumerate(slots) if len({len(piece) for piece in pieces}) > 1]
    share = (lengths.stop - 1 - fixed) // max(len(loose), 1)
    least = -(-(lengths.start - fixed) // max(len(loose), 1))
    fitted = list(slots)
    for place in loose:
        fitted[place] = tuple(piece for piece in slots[place] if least <= len(piece) <= share)
    if (not loose and fixed not in lengths) or not all(fitted):
        return None
    return fitted


def _by_pattern(need: Need, pattern: str, *, whole: bool) -> Iterator[Candidate]:
    try:
        longest = need.wants.longest
        ways = templates(pattern, _WAYS, need.key, longest=longest) if whole else only_group_varies(pattern, need.key)
    except PatternUnsupported:
        return
    if whole:
        ways = [slots for slots in ways if sum(max(map(len, pieces)) for pieces in slots) in need.fits] or ways
    if need.count is None:
        yield lambda: _sampled(ways, need.key)
        return
    for slots in sorted(ways, key=capacity):
        if capacity(slots) >= need.count:
            yield partial(Pieces, slots, need.key, need.count)
    yield lambda: Each(_sampled(ways, need.key).texts, need.key)


def _sampled(ways: list[Slots], key: int) -> Pool:
    each = max(_PATTERN_TEXTS // len(ways), 1)
    rows = np.arange(each, dtype=np.int64)
    made = [Pieces(slots, key_of(key, number), count=each)(rows % max(capacity(slots), 1)) for number, slots in enumerate(ways)]
    return Pool(pl.concat(made).unique(maintain_order=True), key)


def _code(need: Need) -> Maker:
    """Letters and digits, as many as are asked for, or as few as keep the rows apart."""
    width = min(max(_CODE, need.wants.shortest), need.fits.stop - 1)
    slots = _code_slots(width)
    if need.count is not None:
        return Pieces(slots, need.key, need.count)
    return _sampled([slots], need.key)


def _code_slots(width: int) -> Slots:
    """The first signs fill up what is longer than a code need be."""
    return [("0",)] * (width - _MOST_CODE) + [BASE36] * min(width, _MOST_CODE)


def _filled(need: Need) -> Maker:
    """Words up to a great length."""
    plain = " ".join(need.words.pool("word"))
    length = max(need.wants.shortest - _CODE, 0)
    text = (plain * (length // len(plain) + 1))[:length]
    return Pieces([(text,), *[BASE36] * _CODE], need.key, need.count or 1_000)
