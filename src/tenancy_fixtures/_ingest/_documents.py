"""Documents, or rows of a table, that are searched for secrets, or of which Python makes the records that a mapping sees: a stream all the way."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from .._secrets import find_secrets, secrets_in_words
from ..constants import FRAME_BYTES
from ..exceptions import SourceMalformed
from ._json import JsonReader
from ._json_frames import Found, JsonFrames, header_of, notes_of
from ._json_values import as_json
from ._ndjson import NdjsonReader
from ._paths import MISSING, parse_path
from ._table_documents import TableDocuments
from .readers import MISBUILT, BadDocument

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .._pack_models import Source
    from .readers import Field, Hooks, Made, RawFrame
    from .sources import FileSource

_FIRST = 1000  # records, or documents, that tell which fields a source has
_MOST = 16_384  # records of a frame: a small document may give many


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
        self._plain = None if hooks.documents else _plain_reader(source, declared, {} if hooks.rewrite else fields, hooks, kind)
        first = list(islice((record for record, _ in self._records(islice(self._documents(FRAME_BYTES), _FIRST))), _FIRST))
        self.holds_records = bool(first)
        self.header = header_of(first, fields)
        self._notes = () if hooks.rewrite else notes_of(source, first, fields)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was guessed of a table, and which paths no record has."""
        return (*self._notes, *(self._plain.notes if isinstance(self._plain, TableDocuments) else ()))

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
        for found, read in documents:
            document = self._without_secrets(found)
            if rewrite is None or document.fault is not None or not isinstance(document.value, dict):
                yield Found(number, document.line, *document.at, document.fault), read
                number += 1
            elif self._is_ours(document):
                try:
                    for value in rewrite(document.value, self._source.place):
                        yield _made(number, document.line, value), read
                        number += 1
                except MISBUILT as error:
                    # Where a list or a text stands in an object's place.
                    own = f"expected a document of the shape's structure ({type(error).__name__})"
                    yield Found(number, document.line, fault=("document", str(error) if isinstance(error, BadDocument) else own)), read
                    number += 1

    def _without_secrets(self, document: Found) -> Found:
        if not self._hooks.refuse_secrets or document.fault is not None:
            return document
        secrets = list(find_secrets(document.value)) if document.value is not MISSING else []
        return replace(document, fault=("secret", f"expected no secret, found {secrets_in_words(secrets)}")) if secrets else document

    def _is_ours(self, document: Found) -> bool:
        there = all(path.find(document.at) not in _NOTHING for path in self._having)
        return there and all(path.find(document.at) in _NOTHING for path in self._lacking)

    def _documents(self, block_bytes: int) -> Iterator[tuple[Found, int]]:
        if self._plain is not None:
            yield from self._plain.found(block_bytes)
            return
        assert self._hooks.documents is not None
        try:
            with self._source.open() as file:
                for number, value in enumerate(self._hooks.documents(file), start=1):
                    yield Found(number, None, as_json(value)), 0
        except SourceMalformed as error:
            if "source" in error.facts:
                raise
            hint = error.hint or "Nothing was loaded. Mend the file."
            raise SourceMalformed(f"{self._source.name}: {error.message}", source=self._source.name, hint=hint, **error.facts) from None


def _made(number: int, line: int | None, value: Made) -> Found:
    """A record that ``rewrite`` has made, or said to be bad."""
    return Found(number, line, fault=("document", str(value))) if isinstance(value, BadDocument) else Found(number, line, as_json(value))


class _Nothing:
    """What counts as no value: none, null, an empty text."""

    def __contains__(self, value: Any) -> bool:
        return value is MISSING or value is None or (isinstance(value, str) and not value)


_NOTHING = _Nothing()


def _plain_reader(
    source: FileSource, declared: Source, fields: Mapping[str, Field], hooks: Hooks, kind: str
) -> JsonReader | NdjsonReader | TableDocuments:
    if kind == "json":
        return JsonReader(source, declared, fields)
    if kind == "ndjson":
        return NdjsonReader(source, declared, fields)
    return TableDocuments(source, declared, (*hooks.columns, *fields), hooks.hints)
