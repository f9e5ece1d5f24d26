"""Which records repeat values that the dataset allows once, over all frames.

What is remembered of a record is a hash of 64 bits: a million records cost 8 MB. Two different values have the same hash
once in some three billion loads of a hundred thousand records, once in thirty million loads of a million.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

# A run is merged into the one before once it is as large as this part of it: each hash is moved a few times at most.
_MERGE_FROM = 0.5
_SEED = 7  # any; the same for all frames of a load


@dataclass
class Seen:
    """Hashes in sorted runs, each much smaller than the one before."""

    runs: list[pl.Series] = field(default_factory=list)

    def known(self, hashes: pl.Series) -> pl.Series:
        """Which hashes were added before."""
        found = pl.Series([False]).new_from_index(0, len(hashes))
        for run in self.runs:
            places = run.search_sorted(hashes, side="left")
            inside = places < len(run)
            found = found | (inside & (run.gather(pl.select(pl.when(inside).then(places).otherwise(0)).to_series()) == hashes))
        return found

    def add(self, hashes: pl.Series) -> None:
        """Remember hashes that are not known."""
        run = hashes.sort()
        while self.runs and len(run) >= len(self.runs[-1]) * _MERGE_FROM:
            run = pl.concat([self.runs.pop(), run]).sort()
        if len(run):
            self.runs.append(run.rechunk())


def hashes_of(rows: pl.DataFrame) -> pl.Series:
    """A hash for each row; null where one of its values is, which is equal to nothing."""
    hashes = rows.hash_rows(seed=_SEED)
    whole = pl.select(pl.all_horizontal([column.is_not_null() for column in rows.get_columns()])).to_series()
    return hashes if whole.all() else pl.select(pl.when(whole).then(hashes)).to_series()


def repeated(hashes: Sequence[pl.Series], seen: Sequence[Seen], good: pl.Series | None) -> list[pl.Series]:
    """For each rule, the rows of a frame whose hash a good row before has, of this frame or another.

    A row that breaks one rule gives way for all: what else it holds may come again.
    """
    known = [book.known(column) for book, column in zip(seen, hashes)]
    suspects = pl.select(pl.any_horizontal([mask | column.is_duplicated() for mask, column in zip(known, hashes)])).to_series()
    rows = (suspects if good is None else suspects & good).fill_null(value=False).arg_true()
    masks: list[list[int]] = [[] for _ in hashes]
    taken: list[set[int]] = [set() for _ in hashes]
    values, before = ([column.gather(rows).to_list() for column in columns] for columns in (hashes, known))
    for place, row in enumerate(rows.to_list()):
        broken = [rule for rule, column in enumerate(values) if column[place] is not None and (before[rule][place] or column[place] in taken[rule])]
        for rule in broken:
            masks[rule].append(row)
        for rule, column in enumerate(values if not broken else ()):
            taken[rule].add(column[place])
    return [_mask(found, len(suspects)) for found in masks]


def _mask(rows: list[int], height: int) -> pl.Series:
    nothing = pl.Series([False]).new_from_index(0, height)
    return nothing.scatter(rows, True) if rows else nothing
