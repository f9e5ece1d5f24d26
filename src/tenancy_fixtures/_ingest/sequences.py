"""Numbers that count records: each is the one after the last of its kind, or one that came before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl


@dataclass
class Counted:
    """The highest number so far, by the values of the other columns; a record that is refused does not count."""

    _last: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def unordered(self, rows: pl.DataFrame, good: pl.Series | None) -> pl.Series:
        """The mask of records that leave numbers out. The first of its kind may have any: what came before it is elsewhere."""
        mask = []
        for (*kind, number), counts in zip(rows.iter_rows(), [True] * rows.height if good is None else good):
            last = self._last.get(tuple(kind))
            mask.append(counts and number is not None and last is not None and number > last + 1)
            if counts and number is not None and not mask[-1]:
                self._last[tuple(kind)] = number if last is None else max(last, number)
        return pl.Series(mask, dtype=pl.Boolean)
