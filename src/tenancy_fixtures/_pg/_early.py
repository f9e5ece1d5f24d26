"""Staged rows compared as they arrive, while the next ones are still being read, with those rows of the table that lie where they should.

Who loads a table again mostly brings its rows in the order in which they lie there. So the rows of a frame have their like in a short
stretch of the table: it is found by looking a few of them up, read once, and compared in memory that nobody misses. What is not found
in it is looked for in the whole table when all rows are there, and where the order is another, so is everything: no answer hangs on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql

from ._target import column, equal
from .sql import literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._target import Target

# Rows of a frame that are looked up, about; some hundredths of a millisecond each.
_SAMPLE = 32
# Frames after which the rows' order has shown.
_PATIENCE = 3


def can_compare_early(target: Target) -> bool:
    """Whether staged rows are what will be written, and each has one row of one heap at most that is the same.

    Policies would have the whole table read for each frame, and the partitions of a table each have places of their own.
    """
    table = target.table
    as_sent = not target.cast_in_stage and not target.lookups
    return as_sent and table.keeps_apart(target.key) and not (table.partitioned or table.row_security or table.shared)


class EarlyComparison:
    """Notes which staged rows differ from the table's, and which were not found; made by a way for itself, when nobody else writes."""

    def __init__(self, target: Target, stage: sql.Identifier, noted: sql.Identifier) -> None:
        self._noted = noted
        self._target = target
        self._stage = stage
        self._page = 0  # of staging, with the last row that was seen
        self._record = 0  # that row's
        self._frames = self._seen = self._unknown = 0

    async def open(self) -> None:
        """Make the table of notes; it ends with the transaction."""
        await self._target.run("make_noted", noted=self._noted)

    @property
    def hopeful(self) -> bool:
        """Whether rows lie where they should, as far as that has shown."""
        return self._frames < _PATIENCE or 2 * self._unknown <= self._seen

    def tells(self, sent: int) -> bool:
        """Whether every row that was sent was seen, and most were found."""
        return self._seen == sent and 2 * self._unknown <= sent

    async def look_at(self, last: int) -> None:
        """Compare the rows that are new in staging, of which the last has this record number."""
        if not self.hopeful:
            return
        near = await self._stretch()
        found = await self._compare(near)
        self._frames, self._record = self._frames + 1, last
        self._seen, self._unknown = self._seen + found["seen"], self._unknown + found["unknown"]
        self._page = _page(found["last"]) if found["last"] else self._page

    async def _stretch(self) -> range:
        """The pages of the table in which most of the new rows have their like, as far as some of them tell."""
        target = self._target
        relation = sql.Literal(self._stage.as_string(target.connection))
        new = (await target.row("count_pages", relation=relation))["pages"] - self._page
        step = max(new // _SAMPLE, 1)
        asked = [f"({self._page + number},1)" for number in range(0, new, step)]
        match = equal(target.key, "t", "s")
        found = await target.rows("find_places", stage=self._stage, table=target.name, match=match, places=literal(asked))
        return stretch([_page(row["place"]) for row in found], asked=len(asked), reach=2 * new, slack=step)

    async def _compare(self, near: range) -> dict[str, Any]:
        target, (begin, low, high) = self._target, (literal(f"({page},0)") for page in (self._page, near.start, near.stop))
        return await target.row(
            "compare_near",
            noted=self._noted,
            stage=self._stage,
            table=target.name,
            match=equal(target.key, "t", "s"),
            differs=target.outdated,
            record=column(target.record, "s"),
            last=literal(self._record),
            begin=begin,
            low=low,
            high=high,
        )


def stretch(pages: Sequence[int], *, asked: int, reach: int, slack: int) -> range:
    """The pages from the first of these to the last, and ``slack`` more at both ends; none where fewer than a third of those asked for are close together.

    Pages farther than ``reach`` from the middle one are those of rows that have moved.
    """
    middle = sorted(pages)[len(pages) // 2] if pages else 0
    near = [page for page in pages if abs(page - middle) <= reach]
    if not near or 3 * len(near) < asked:
        return range(0)
    return range(max(min(near) - slack, 0), max(near) + slack + 1)


def _page(place: str) -> int:
    return int(place[1:].partition(",")[0])
