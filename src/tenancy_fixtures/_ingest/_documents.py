"""Documents of which Python makes the records that a mapping sees: a stream all the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..constants import FRAME_BYTES
from ..exceptions import SourceMalformed
from ._json import JsonReader
from ._json_frames import Found, JsonFrames, header_of, notes_of
from ._json_values import Number
from ._ndjson import NdjsonReader
from ._paths import MISSING, parse_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._pack_models import Source
    from .readers import Field, Hooks, RawFrame
    from .sources import FileSource

_FIRST = 1000  # records, or documents, that tell which fields a source has
_MOST = 16_384  # records of a frame: a small document may give many
_PLAIN = frozenset({str, bool, Number, type(None)})


class DocumentReader:
    """A source of documents; see :class:`.readers.Reader`.

    Records that ``rewrite`` makes are counted as it makes them, and have the line of their document. A source may turn out to
    hold none.
    """

    def __init__(self, source: FileSource, declared: Source, fields: Mapping[str, Field], hooks: Hooks, kind: str) -> None:
        self._source = source
        self._fields = fields
        self._hooks = hooks
        self._having = [parse_path(name) for name in declared.having]
        self._lacking = [parse_path(name) for name in declared.lacking]
        self._plain = None if hooks.documents else _plain_reader(source, declared, {} if hooks.rewrite else fields, kind)
        first = list(islice((record for record, _ in self._records(islice(self._documents(FRAME_BYTES), _FIRST))), _FIRST))
        self.header = header_of(first, fields)
        self.notes: tuple[str, ...] = () if hooks.rewrite else notes_of(source, first, fields)

    def frames(self, block_bytes: int = FRAME_BYTES) -> Iterator[RawFrame]:
        """The records; raises as the reader of the format does, and what ``documents`` raises."""
        maker = JsonFrames(self._source, self.header, self._fields)
        waiting: list[Found] = []
        done = read = 0
        for record, read in self._records(self._documents(block_bytes)):
            waiting.append(record)
            if read - done >= block_bytes or len(waiting) >= _MOST:
                yield maker.frame(waiting, read - done)
                waiting, done = [], read
        yield maker.frame(waiting, read - done)

    def _records(self, documents: Iterator[tuple[Found, int]]) -> Iterator[tuple[Found, int]]:
        """The dataset's records, beside each the bytes that were read by then."""
        rewrite, number = self._hooks.rewrite, 1
        for document, read in documents:
            if rewrite is None or not isinstance(document.value, dict):
                yield Found(number, document.line, *document.at, document.fault), read
                number += 1
            elif self._is_ours(document):
                try:
                    for value in rewrite(document.value):
                        yield Found(number, document.line, as_json(value)), read
                        number += 1
                except (AttributeError, KeyError, TypeError, ValueError) as error:
                    # Where a list or a text stands in an object's place; the error would quote it.
                    reason = f"expected a document of the shape's structure ({type(error).__name__})"
                    yield Found(number, document.line, fault=("document", reason)), read
                    number += 1

    def _is_ours(self, document: Found) -> bool:
        there = all(path.find(document.at) not in _NOTHING for path in self._having)
        return there and all(path.find(document.at) in _NOTHING for path in self._lacking)

    def _documents(self, block_bytes: int) -> Iterator[tuple[Found, int]]:
        if self._plain is not None:
            yield from self._plain.found(block_bytes)
            return
        assert self._hooks.documents is not None
        with self._source.open() as file:
            for number, value in enumerate(self._hooks.documents(file), start=1):
                yield Found(number, None, as_json(value)), 0


class _Nothing:
    """What counts as no value: none, null, an empty text."""

    def __contains__(self, value: Any) -> bool:
        return value is MISSING or value is None or (isinstance(value, str) and not value)


_NOTHING = _Nothing()


def _plain_reader(source: FileSource, declared: Source, fields: Mapping[str, Field], kind: str) -> JsonReader | NdjsonReader:
    if kind not in ("json", "ndjson"):
        hint = "Nothing was loaded. Tables are mapped column by column."
        raise SourceMalformed(f"{source.name} is {kind}, and its dataset reads documents of JSON", source=source.name, hint=hint)
    return JsonReader(source, declared, fields) if kind == "json" else NdjsonReader(source, declared, fields)


def as_json(value: Any) -> Any:
    """A value of Python's as the readers of JSON give it: numbers as they are written, times in ISO 8601."""
    if value.__class__ in _PLAIN:
        return value
    if isinstance(value, Mapping):
        return {str(key): item if item.__class__ in _PLAIN else as_json(item) for key, item in value.items()}
    if isinstance(value, (int, float)):
        return Number(repr(value))
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Iterable):
        return [item if item.__class__ in _PLAIN else as_json(item) for item in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
