"""Records of a CSV file that are none of its table's: ragged ones, those with a NUL, a header that comes again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from .._shapes import Reject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .readers import RawFrame
    from .sources import FileSource

# Places that are looked at; a file that is ragged throughout has many.
_MAX_PLACES = 1000
_EXPECTED = {"nul": "expected text without a NUL byte", "encoding": "expected text in UTF-8"}


def of_cells(source: FileSource, number: int, width: int, found: int) -> Reject:
    """The reject of a record that is too short or too long."""
    return Reject(source.name, number, "cells", message=f"expected {width} cells, as in the header, found {found}")


def of_text(source: FileSource, number: int, rule: str) -> Reject:
    """The reject of a record that holds what PostgreSQL has no text for."""
    return Reject(source.name, number, rule, message=_EXPECTED[rule])


def without(sign: str, rule: str, source: FileSource, cells: pl.DataFrame, numbers: pl.Series) -> tuple[pl.DataFrame, pl.Series, list[Reject]]:
    """The rows without a sign, which stands for what breaks the rule, and the rejects of the others."""
    found = cells.select(pl.any_horizontal(pl.all().str.contains(sign, literal=True)).alias(rule))[rule]
    return cells.filter(~found), numbers.filter(~found), [of_text(source, number, rule) for number in numbers.filter(found)]


def without_header(source: FileSource, frame: RawFrame, header: Sequence[str]) -> RawFrame:
    """A frame in which a record that is the header once more is a reject: files that were put together have such."""
    cells = frame.cells
    if not cells.height or len(header) == 1 or not (cells["0"] == header[0]).any():
        return frame
    again = cells.select(pl.all_horizontal(pl.col(str(place)) == name for place, name in enumerate(header)).alias("again"))["again"]
    rejects = [Reject(source.name, number, "header", message="expected a record, found the header again") for number in frame.numbers.filter(again)]
    if not rejects:
        return frame
    every = tuple(sorted([*frame.rejects, *rejects], key=lambda reject: reject.record))
    return type(frame)(cells.filter(~again), frame.numbers.filter(~again), every, frame.bytes)


class OtherTable:
    """Watches for a second table in a file.

    ``last`` is where records fit no more that had all fitted so far, and ``others`` where several begin that are all of one other width:
    tables only where a blank line stands before them.
    """

    def __init__(self) -> None:
        self.others: list[int] = []
        self._message = ""
        self._first = self._previous = self._ragged_from = self._read = self._count = 0

    @property
    def last(self) -> int | None:
        """The record from which on none fits; ``None`` where the last one does, one before does not, or none ever did."""
        after = self._read - self._ragged_from + 1
        is_table = self._previous == self._read and self._ragged_from > 1 and after == self._count > 1
        return self._ragged_from if is_table else None

    def watch(self, frame: RawFrame) -> None:
        """Look at the next frame."""
        for reject in frame.rejects:
            if reject.rule == "cells":
                self._note(reject)
        self._read += frame.records

    def _note(self, reject: Reject) -> None:
        self._count += 1
        follows = reject.record == self._previous + 1
        if not follows:
            self._ragged_from = reject.record
        if follows and reject.message == self._message:
            if reject.record == self._first + 1 > 2 and len(self.others) < _MAX_PLACES:  # noqa: PLR2004 - the first record's width is a matter of the header
                self.others.append(self._first)
        else:
            self._first, self._message = reject.record, reject.message
        self._previous = reject.record
