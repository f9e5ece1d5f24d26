"""JSON documents, one or several in a file, read value by value: what is in memory is a record, never the document."""

from __future__ import annotations

import codecs
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..constants import FRAME_BYTES, MAX_RECORD_BYTES
from ..exceptions import SourceEmpty, SourceMalformed
from ._bytes import Utf8Stream
from ._json_frames import Found, JsonFrames, header_of, json_encoding
from ._json_values import DECODER, TooDeep, refuse_deep
from ._paths import MISSING, parse_records, records_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .._pack_models import Source
    from .readers import Field, RawFrame
    from .sources import FileSource

_BLANKS = " \t\n\r"
_CHUNK = 1 << 16
_FIRST = 1000  # records that tell which fields a source has
_FRAME_RECORDS = 16_384
# An error so near to the end of what was read may be the end itself.
_NEAR_END = 16


class JsonReader:
    """A source of JSON; see :class:`.readers.Reader`.

    The records are the document itself where it is an object, its elements where it is an array, or what the dataset's
    ``records`` path leads to. Of the objects around a record those members are known that come before it.
    """

    def __init__(self, source: FileSource, declared: Source, fields: Mapping[str, Field]) -> None:
        self._source = source
        self._encoding = json_encoding(source, declared.encoding)
        self._steps = parse_records(declared.records)
        self._fields = fields
        with closing(Utf8Stream(source, self._encoding)) as stream:
            first = [record for record, _ in islice(self._records(stream), _FIRST)]
        if not first:
            raise SourceEmpty(f"{source.name} holds no record", source=source.name, hint="It needs at least one object.")
        self.header = header_of(first, fields)
        self.notes: tuple[str, ...] = ()

    def frames(self, block_bytes: int = FRAME_BYTES) -> Iterator[RawFrame]:
        """The records.

        :raises SourceMalformed: the text is no JSON, with line and column; or a record exceeds 64 MB.
        :raises SourceUndecodable: bytes that are not text in the encoding.
        """
        maker = JsonFrames(self._source, self.header, self._fields)
        with closing(Utf8Stream(self._source, self._encoding)) as stream:
            waiting: list[Found] = []
            done, waiting_from = 0, 0
            for record, place in self._records(stream):
                waiting.append(record)
                if len(waiting) >= _FRAME_RECORDS or place - waiting_from >= block_bytes:
                    yield maker.frame(waiting, stream.consumed - done)
                    waiting, done, waiting_from = [], stream.consumed, place
            if waiting or stream.consumed > done:
                yield maker.frame(waiting, stream.consumed - done)

    def _records(self, stream: Utf8Stream) -> Iterator[tuple[Found, int]]:
        """The records in order, each with the place in the text after it."""
        text, number, documents = _Text(self._source, stream), 0, 0
        while start := text.peek():
            documents += 1
            if documents > 1 and start not in "[{":
                raise text.malformed("after the document comes what is neither an object nor an array")
            for line, value, parents in _document(text, self._steps):
                number += 1
                yield Found(number, line, value, parents), text.place


def _document(text: _Text, steps: Sequence[tuple[str, bool]]) -> Iterator[tuple[int, Any, tuple[Any, ...]]]:
    """The records of the document that begins here."""
    if text.peek() == "[" and not (steps and not steps[0][0]):
        yield from _elements(text, steps, ())
    else:
        yield from _values(text, steps, ())


def _values(text: _Text, steps: Sequence[tuple[str, bool]], parents: tuple[Any, ...]) -> Iterator[tuple[int, Any, tuple[Any, ...]]]:
    """The records of the value that begins here; arrays on the way are read element by element."""
    text.peek()
    line = text.line
    if not any(opened for _, opened in steps):
        for value, around in records_in(text.value(), steps, parents):
            yield line, value, around
    elif not steps[0][0] and text.peek() == "[":
        yield from _elements(text, steps[1:], parents)
    elif steps[0][0] and text.peek() == "{":
        yield from _members(text, steps, parents)
    else:
        text.value()
        yield line, MISSING, parents


def _members(text: _Text, steps: Sequence[tuple[str, bool]], parents: tuple[Any, ...]) -> Iterator[tuple[int, Any, tuple[Any, ...]]]:
    (key, opened), rest = steps[0], steps[1:]
    line, before, found = text.line, {}, False
    for name in text.members():
        if name != key or found:
            before[name] = text.value()
            continue
        found = True
        around = (*parents, dict(before))
        if not opened:
            yield from _values(text, rest, around)
        elif text.peek() == "[":
            yield from _elements(text, rest, around)
        else:
            text.value()
            yield line, MISSING, around
    if not found:
        yield line, MISSING, parents


def _elements(text: _Text, steps: Sequence[tuple[str, bool]], parents: tuple[Any, ...]) -> Iterator[tuple[int, Any, tuple[Any, ...]]]:
    for _ in text.elements():
        yield from _values(text, steps, parents)


class _Text:
    """The text of a source from which values are taken; holds no more of it than the value at hand needs."""

    def __init__(self, source: FileSource, stream: Utf8Stream) -> None:
        self._source = source
        self._stream = stream
        self._text = ""
        self._at = 0
        self._before = 0
        self._line_begins = 0
        self._ended = False
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self.line = 1

    @property
    def place(self) -> int:
        """Characters that were taken so far."""
        return self._before + self._at

    def peek(self) -> str:
        """The next character that is no blank; nothing at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BLANKS:
                self._step()
            if self._at < len(self._text) or not self._more(_CHUNK):
                return self._text[self._at : self._at + 1]

    def members(self) -> Iterator[str]:
        """The keys of the object that begins here; after each its value must be taken."""
        self._step()
        if self.peek() != "}":
            yield self._name()
            while self._goes_on("}"):
                yield self._name()
        self._take("}")

    def elements(self) -> Iterator[None]:
        """Once for each element of the array that begins here; each must be taken."""
        self._step()
        if self.peek() != "]":
            yield
            while self._goes_on("]"):
                yield
        self._take("]")

    def value(self) -> Any:
        """Take the value that begins here."""
        self.peek()
        size = _CHUNK
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._at)
                if end < len(self._text) or self._text[end - 1] in '"]}' or not self._more(size):
                    refuse_deep(self._text[self._at : end])
                    self._move(end)
                    return value
            except (RecursionError, TooDeep) as error:
                raise self.malformed("nested too deep") from error
            except ValueError as error:
                if self._is_fault(error) or not self._more(size):
                    raise self.malformed(str(getattr(error, "msg", error)).lower(), getattr(error, "pos", self._at)) from None
            size *= 2

    def _is_fault(self, error: ValueError) -> bool:
        """Whether an error is one whatever may come after what was read."""
        place = getattr(error, "pos", 0)
        open_string = str(error).startswith("Unterminated string")
        return not open_string and place < len(self._text) - _NEAR_END

    def _name(self) -> str:
        if self.peek() != '"':
            raise self.malformed("expected a name in double quotes")
        name = self.value()
        self._take(":")
        return str(name)

    def _goes_on(self, end: str) -> bool:
        char = self.peek()
        if char == end:
            return False
        self._take(",")
        return True

    def _take(self, wanted: str) -> None:
        if self.peek() != wanted:
            raise self.malformed(f"expected {wanted}")
        self._step()

    def _step(self) -> None:
        self._move(self._at + 1)

    def _move(self, end: int) -> None:
        newlines = self._text.count("\n", self._at, end)
        if newlines:
            self.line += newlines
            self._line_begins = self._before + self._text.rfind("\n", self._at, end) + 1
        self._at = end

    def _more(self, size: int) -> bool:
        if self._ended:
            return False
        if len(self._text) - self._at > MAX_RECORD_BYTES:
            raise self.malformed(f"a value of more than {MAX_RECORD_BYTES >> 20} MB begins here")
        piece = self._stream.read(size)
        self._ended = not piece
        self._before += self._at
        # A piece may end inside a character of several bytes.
        self._text, self._at = self._text[self._at :] + self._decode(piece), 0
        return True

    def malformed(self, what: str, at: int | None = None) -> SourceMalformed:
        """The error for a text that is no JSON here, or at a place in what is at hand."""
        at = self._at if at is None else at
        line = self.line + self._text.count("\n", self._at, at)
        last = self._text.rfind("\n", self._at, at)
        column = self._before + at - self._line_begins + 1 if last < 0 else at - last
        message = f"{self._source.name}, line {line}: the text is no JSON: {what}"
        return SourceMalformed(message, source=self._source.name, line=line, column=column, hint="Nothing was loaded. Mend the file.")
