"""Documents that are filtered, or made into other records in Python, before a mapping sees them: a stream all the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
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

_FIRST = 1000  # records that tell which fields a source has
_MOST = 16_384  # records of a frame: a small document may give many


class DocumentReader:
    """A source of documents; see :class:`.readers.Reader`.

    Records that are only filtered keep their numbers in the source. Those that ``rewrite`` makes are counted as it makes them,
    and have the line of their document. A source may turn out to hold none.
    """

    def __init__(self, source: FileSource, declared: Source, fields: Mapping[str, Field], hooks: Hooks, kind: str) -> None:
        self._source = source
        self._fields = fields
        self._hooks = hooks
        self._having = [parse_path(name) for name in declared.having]
        self._lacking = [parse_path(name) for name in declared.lacking]
        self._plain = None if hooks.documents else _plain_reader(source, declared, {} if hooks.rewrite else fields, kind)
        first = [record for record, _ in islice(((record, read) for record, read in self._records(FRAME_BYTES) if record), _FIRST)]
        self.header = header_of(first, fields)
        self.notes: tuple[str, ...] = () if hooks.rewrite else notes_of(source, first, fields)

    def frames(self, block_bytes: int = FRAME_BYTES) -> Iterator[RawFrame]:
        """The records; raises as the reader of the format does, and what ``documents`` and ``rewrite`` raise."""
        maker = JsonFrames(self._source, self.header, self._fields)
        waiting: list[Found] = []
        passed = done = read = 0
        for record, read in self._records(block_bytes):
            if record is None:
                passed += 1
            else:
                waiting.append(record)
            if read - done >= block_bytes or len(waiting) >= _MOST:
                yield replace(maker.frame(waiting, read - done), passed=passed)
                waiting, passed, done = [], 0, read
        yield replace(maker.frame(waiting, max(read - done, 0)), passed=passed)

    def _records(self, block_bytes: int) -> Iterator[tuple[Found | None, int]]:
        """The dataset's records; nothing in the place of one that is not the dataset's. Beside each the bytes read by then."""
        number = 1
        for document, read in self._documents(block_bytes):
            if document.fault is None and document.value is not MISSING and not self._is_ours(document):
                if not self._hooks.rewrite:
                    yield None, read
                continue
            if self._hooks.rewrite is None:
                yield document, read
                continue
            for record in self._rewritten(document):
                yield replace(record, number=number), read
                number += 1

    def _rewritten(self, document: Found) -> Iterator[Found]:
        assert self._hooks.rewrite is not None
        if document.fault is not None or document.value is MISSING:
            yield document
            return
        if not isinstance(document.value, dict):
            yield document
            return
        try:
            for value in self._hooks.rewrite(document.value):
                yield Found(0, document.line, as_json(value))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # Where a list or a text stands in an object's place; the error would quote it.
            yield Found(0, document.line, fault=("document", f"expected a document of the shape's structure ({type(error).__name__})"))

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
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (int, float)):
        return Number(repr(value))
    if isinstance(value, Iterable):
        return [as_json(item) for item in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
