"""The records of one dataset: any rows of them, at any time, always the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ._random import uniform

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._pack_models import Dataset
    from ._fields import Field
    from ._makers import Maker
    from ._random import Rows

NULL_SHARE = 0.05  # of the values of a field that may have none


class Records:
    """What each field of a dataset is made by. ``count`` is how many records there are."""

    def __init__(self, dataset: Dataset, count: int, fields: Mapping[str, Field]) -> None:
        self.dataset = dataset
        self.count = count
        self.fields = fields
        self.makers: dict[str, Maker] = {}
        self.first_empty: set[str] = set()
        self.null_keys: dict[str, int] = {}

    @property
    def encoding(self) -> str:
        """How the dataset's text files are encoded."""
        return self.dataset.source.encoding or "utf-8"

    def values(self, name: str, rows: Rows) -> pl.Series:
        """The texts of a field without its gaps: what other rows refer to."""
        return self.makers[name](rows)

    def column(self, name: str, rows: Rows) -> pl.Series:
        """The texts of a field, null where it has no value."""
        item = self.fields[name]
        if item.void:
            return pl.Series([None], dtype=pl.String).new_from_index(0, len(rows))
        texts = self.values(name, rows)
        if item.required:
            return texts
        kept = uniform(rows, self.null_keys[name]) >= NULL_SHARE
        if name in self.first_empty:
            kept &= rows > 0
        return texts if kept.all() else pl.select(pl.when(pl.Series(kept)).then(texts)).to_series()

    def frame(self, rows: Rows) -> pl.DataFrame:
        """The records of these rows, as text."""
        return pl.DataFrame([self.column(name, rows).alias(name) for name in self.fields])
