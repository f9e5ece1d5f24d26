"""Which source record a row came from: positions in the order of sending, kept small."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    from collections.abc import Sequence

# A range of numbers, or (an Arrow array of) numbers that never decrease.
Numbers = Union[range, "Sequence[int]", Any]


class RecordNumbers:
    """The record number of each row that was sent, by its position (from 1).

    Frames without a gap, which is nearly all of them, cost a few bytes each.
    """

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._frames: list[Numbers] = []
        self._removed: list[int] = []
        self._next = 1

    def add(self, numbers: Numbers) -> None:
        """The next ``len(numbers)`` rows came from these records."""
        if len(numbers):
            self._starts.append(self._next)
            self._frames.append(numbers)
            self._next += len(numbers)

    @property
    def last(self) -> int:
        """The record number of the last row; 0 before there is one."""
        return number_at(self._frames[-1], -1) if self._frames else 0

    def remove(self, positions: Sequence[int]) -> None:
        """Rows at these positions (ascending, as they were sent) are gone: from now on positions count those that stay."""
        # How many rows stay before each of the removed ones: it turns a new position into an old one by one bisection.
        self._removed = [position - 1 - index for index, position in enumerate(positions)]

    def __call__(self, position: int) -> int:
        """The record number of the row at that position."""
        sent = position + bisect_left(self._removed, position)
        frame = bisect_right(self._starts, sent) - 1
        return number_at(self._frames[frame], sent - self._starts[frame])


def number_at(numbers: Numbers, offset: int) -> int:
    """The number at an offset from 0, whatever holds the numbers."""
    value = numbers[offset]
    return int(value.as_py() if hasattr(value, "as_py") else value)


def compact(numbers: Numbers) -> Numbers:
    """A range in place of an array that has no gap; else the numbers as they are."""
    if isinstance(numbers, range) or not len(numbers):
        return numbers
    import pyarrow as pa
    import pyarrow.compute as pc

    found = numbers.to_arrow() if hasattr(numbers, "to_arrow") else numbers
    array = found.cast(pa.int64()) if isinstance(found, pa.Array) else pa.array(found, pa.int64())
    if pc.all(pc.equal(pc.subtract(array[1:], array[:-1]), 1)).as_py() is not False:
        return range(array[0].as_py(), array[-1].as_py() + 1)
    return array
