"""What a reader of any format gives: the source's columns, and its records as frames; and which reader a source needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Tuple

from ..constants import FRAME_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from .._pack_models import Source
    from .._shapes import Reject
    from .sources import FileSource

Header = Tuple[str, ...]  # a source's column names, in its order


@dataclass(frozen=True)
class RawFrame:
    """Some records of one source as they stand there.

    ``cells`` has one column per header column, named by its position (``"0"``, ``"1"``…): text, or, where the format has
    types of its own, values of any type. ``numbers`` are the record numbers of its rows, counted from 1 in the source;
    ``rejects`` are the records that are not among the rows; ``bytes`` is how much of the file was read since the frame before.
    """

    cells: pl.DataFrame
    numbers: pl.Series
    rejects: tuple[Reject, ...] = ()
    bytes: int = 0

    @property
    def records(self) -> int:
        """Records that this frame accounts for, rejected ones included."""
        return self.cells.height + len({reject.record for reject in self.rejects})


class Reader(Protocol):
    """One source, opened: its columns are known, its records are read when they are asked for.

    ``notes`` say in words what was guessed of the source, such as its encoding: the report of the load tells them.
    """

    header: Header
    notes: tuple[str, ...]

    def frames(self, block_bytes: int = FRAME_BYTES) -> Iterator[RawFrame]:
        """The records, in frames of about ``block_bytes`` bytes each."""


def open_reader(source: FileSource, declared: Source, wanted: frozenset[str]) -> Reader:  # noqa: ARG001 - formats without a header line ask for what is wanted
    """The reader for a source, as the dataset declares it. ``wanted`` are the names under which its mapping would find a column.

    :raises SourceError: the source cannot be read in that format.
    """
    from ._csv import CsvReader

    return CsvReader(source, declared)
