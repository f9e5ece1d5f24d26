"""Rows of a table as documents: an object of texts, or of a format's own values, by the names of the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..constants import FRAME_BYTES
from ._json_frames import Found
from ._json_values import as_json
from ._paths import plain_name
from .readers import Field, open_reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .._pack_models import Source
    from .sources import FileSource


class TableDocuments:
    """A source of any format that has columns, all of which are wanted; ``known`` are those that it may have, as are ``hints``.

    :raises SourceMalformed: two columns have one name.
    """

    def __init__(self, source: FileSource, declared: Source, known: Sequence[str], hints: Iterable[str] = ()) -> None:
        fields = {**{name: Field("hint") for name in hints}, **{name: Field("exact") for name in known}}
        header = open_reader(source, declared, fields).header
        self._reader = open_reader(source, declared, {name: Field("exact") for name in header})
        self._names = [plain_name(name) or name for name in self._reader.header]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was guessed of the table."""
        return self._reader.notes

    def found(self, block_bytes: int = FRAME_BYTES) -> Iterator[tuple[Found, int]]:
        """The rows, each with the bytes of the source that were read by then; raises as the reader of the format."""
        read = 0
        for frame in self._reader.frames(block_bytes):
            read += frame.bytes
            bad = {reject.record: (reject.rule, reject.message) for reject in frame.rejects}
            rows = zip(frame.numbers, frame.cells.select(map(str, range(len(self._names)))).iter_rows())
            good = {number: as_json(dict(zip(self._names, row))) for number, row in rows}
            for number in sorted({*bad, *good}):
                yield Found(number, None, good.get(number), fault=bad.get(number)), read
