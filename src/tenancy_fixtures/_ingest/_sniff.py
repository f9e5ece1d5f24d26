"""The dialect of a CSV file, where nobody said: the one under which its first lines are a table with the wanted columns."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import TYPE_CHECKING

from ._dialect import DELIMITER, QUOTE, Dialect, is_blank
from ._header import count_wanted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from .._pack_models import Source

# How much of a file is looked at, and how far its header may be from its start.
SAMPLE_BYTES = 64 * 1024
_RECORDS = 200
_HEADER_LINES = 50
# So many wanted names in one line are no coincidence, however many other columns there are.
_ENOUGH = 4

# The usual first: of what fits equally well, the first is taken.
_DELIMITERS = (DELIMITER, ";", "\t", "|", "\x1f", "^", ":", "~")
_WORDS = {"\t": "tab", "\x1f": "unit separator (U+001F)", "": "none"}
_ESCAPE = "\\"


@dataclass(frozen=True)
class _Trial:
    """A dialect, and how well it fits: how many of the wanted names are in the header, which share of the records is as wide."""

    dialect: Dialect
    matched: int
    share: float

    @property
    def score(self) -> tuple[int, float]:
        return self.matched, round(self.share, 3)


def find_dialect(sample: str, declared: Source, wanted: Collection[str], *, whole: bool) -> tuple[Dialect, tuple[str, ...]]:
    """The dialect, as it is declared or, for the rest, as it seems to be; and notes on what is neither declared nor usual.

    ``sample`` is the start of the file, ``whole`` whether it is all of it.
    """
    lines = _lines(sample, whole=whole)
    usual = Dialect.of(declared)
    best = _try(lines, usual, declared, wanted)
    if best.share < 1 or best.matched < len(wanted) or not wanted:
        others = [replace(usual, delimiter=delimiter, quote=quote, escape=escape) for delimiter, quote, escape in _others(sample, declared)]
        best = max([best, *(_try(lines, dialect, declared, wanted) for dialect in others)], key=lambda trial: trial.score)
    return best.dialect, _notes(best.dialect, usual, lines)


def _lines(sample: str, *, whole: bool) -> list[str]:
    lines = list(io.StringIO(sample, newline=""))
    return lines if whole or len(lines) == 1 else lines[:-1]


def _others(sample: str, declared: Source) -> Iterator[tuple[str, str, str]]:
    delimiters = [declared.delimiter] if declared.delimiter else [sign for sign in _DELIMITERS if sign in sample] or [DELIMITER]
    for delimiter in delimiters:
        quotes = [declared.quote] if declared.quote is not None else _quotes(sample, delimiter)
        for quote, escape in product(quotes, [declared.escape] if declared.escape is not None else ["", _ESCAPE]):
            if not escape or declared.escape or re.search(rf"\\[{re.escape(delimiter + quote)}\r\n]", sample):
                yield delimiter, quote, escape


def _quotes(sample: str, delimiter: str) -> list[str]:
    """The quotes that a sample may have; none where several cells begin with one and no cell ends with one.

    One alone is rather a quote that was never closed.
    """
    border = rf"[{re.escape(delimiter)}\r\n]"
    quotes = [QUOTE]
    if re.search(rf"(?:^|{border})'", sample):
        quotes.append("'")
    if len(re.findall(rf'(?:^|{border})"(?=[^"\r\n]*[\r\n])', sample)) > 1 and not re.search(rf'"(?:{border}|$)', sample):
        quotes.append("")
    return quotes


def _try(lines: Sequence[str], dialect: Dialect, declared: Source, wanted: Collection[str]) -> _Trial:
    if dialect.names is not None:
        return _Trial(dialect, 0, _share(lines[dialect.skip :], dialect, len(dialect.names)))
    at, cells = _find_header(lines, dialect, wanted, search=declared.skip is None)
    body = lines[at:]
    found = replace(dialect, skip=at if declared.skip is None else dialect.skip)
    return _Trial(found, count_wanted(cells, wanted), _share(body[_height(body, dialect) :], dialect, len(cells)))


def _find_header(lines: Sequence[str], dialect: Dialect, wanted: Collection[str], *, search: bool) -> tuple[int, list[str]]:
    """In which line the header stands, and its cells: the first line with something in it, unless a later one has more of the wanted names."""
    places = [at for at in range(dialect.skip, min(len(lines), dialect.skip + _HEADER_LINES)) if _may_begin(lines[at], dialect)]
    if not places:
        return dialect.skip, []
    headers = [(at, _record(lines[at:], dialect)) for at in (places if search else places[:1])]
    first, best = headers[0], max(headers, key=lambda item: count_wanted(item[1], wanted))
    if best is first or not _is_header(best[1], wanted):
        # Blank lines before the header are passed over in any case.
        return (0 if search else dialect.skip), first[1]
    return best


def _is_header(cells: Sequence[str], wanted: Collection[str]) -> bool:
    """Whether a line further down is a header for sure: what stands before it is left out, and must not be records."""
    matched = count_wanted(cells, wanted)
    return matched >= _ENOUGH or (matched * 2 >= min(len(wanted), len(cells)) and (matched > 1 or len(wanted) == 1))


def _may_begin(line: str, dialect: Dialect) -> bool:
    return not is_blank(line) and not dialect.is_comment(line)


def _record(lines: Sequence[str], dialect: Dialect) -> list[str]:
    try:
        return next(csv.reader((line.replace("\x00", "\ufffd") for line in lines), **dialect.options), [])
    except csv.Error:
        return []


def _height(body: Sequence[str], dialect: Dialect) -> int:
    """How many lines there are to the end of the first record, with blank ones and comments before it."""
    before = next((at for at, line in enumerate(body) if _may_begin(line, dialect)), len(body))
    reader = csv.reader((line.replace("\x00", "\ufffd") for line in body[before:]), **dialect.options)
    try:
        next(reader, None)
    except csv.Error:
        return len(body)
    return before + reader.line_num


def _share(lines: Sequence[str], dialect: Dialect, width: int) -> float:
    """The share of the records that are as wide as the header, and well written."""
    kept = [line.replace("\x00", "\ufffd") for line in lines if not dialect.is_comment(line)]
    reader, before, good, read = csv.reader(kept, **dialect.options), 0, 0, 0
    try:
        for cells in islice(reader, _RECORDS):
            text = kept[before : reader.line_num]
            before = reader.line_num
            read += bool(cells)
            good += bool(cells) and dialect.fits(len(cells), width) and _is_well_written(text, dialect)
    except csv.Error:
        read += 1
    return good / read if read else 0.0


def _is_well_written(text: Sequence[str], dialect: Dialect) -> bool:
    if not dialect.quote or not any(dialect.quote in line for line in text):
        return True
    try:
        next(csv.reader(text, strict=True, **dialect.options), None)
    except csv.Error:
        return False
    return True


def _notes(found: Dialect, usual: Dialect, lines: Sequence[str]) -> tuple[str, ...]:
    notes = [
        f"{name} {_WORDS.get(value, value)}, guessed"
        for name, value, other in (
            ("delimiter", found.delimiter, usual.delimiter),
            ("quote", found.quote, usual.quote),
            ("escape", found.escape, usual.escape),
        )
        if value != other
    ]
    if found.skip != usual.skip and any(not is_blank(line) for line in lines[: found.skip]):
        notes.append(f"the header is line {found.skip + 1}; what stands before it is left out")
    return tuple(notes)
