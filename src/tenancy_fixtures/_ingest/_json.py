"""JSON documents, one or several in a file, cut into records as they stream by: what is in memory is a frame, never the document."""

from __future__ import annotations

from contextlib import closing, contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from ..constants import FRAME_BYTES
from ..exceptions import SourceEmpty, SourceMalformed
from ._bytes import Utf8Stream, sign_of_fault
from ._json_cut import Cutter, Part, value_of
from ._json_fast import FastParser
from ._json_frames import Found, JsonFrames, header_of, json_encoding, notes_of
from ._json_scan import Fault
from ._json_values import BLANKS
from ._paths import Located, parse_path, parse_records, records_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .._pack_models import Source
    from ._json_cut import Surroundings
    from .readers import Field, RawFrame
    from .sources import FileSource

_FIRST = 1000  # records that tell which fields a source has
_LEAST_BLOCK = 4  # bytes: a character is not longer


class JsonReader:
    """A source of JSON; see :class:`.readers.Reader`.

    The records are the document itself where it is an object, its elements where it is an array, or what the dataset's
    ``records`` path leads to.
    """

    holds_records = True

    def __init__(self, source: FileSource, declared: Source, fields: Mapping[str, Field]) -> None:
        self._source = source
        self._encoding = json_encoding(source, declared.encoding)
        self._steps = parse_records(declared.records)
        self._fields = fields
        self._fault = sign_of_fault()
        self._around = self._look_around()
        with self._parts(FRAME_BYTES) as parts:
            first = list(islice(_found(parts, 1, self._fault), _FIRST))
        if not first:
            raise SourceEmpty(f"{source.name} holds no record", source=source.name, hint="It needs at least one object.")
        self.header = header_of(first, fields)
        self.notes = notes_of(source, first, fields)
        self._fast = FastParser(fields, self.header, first)

    def frames(self, block_bytes: int = FRAME_BYTES) -> Iterator[RawFrame]:
        """The records. One that holds bytes that are not UTF-8 is a reject.

        :raises SourceMalformed: the text is no JSON, with line and column; or a record exceeds 64 MB.
        :raises SourceUndecodable: bytes that are not text in an encoding other than UTF-8, or around the records.
        """
        maker = JsonFrames(self._source, self.header, self._fields, self._fault)
        with self._stream(fault=self._fault) as stream:
            waiting: list[Part] = []
            number, size, done = 1, 0, 0
            for part in self._cut(stream, block_bytes):
                waiting.append(part)
                size += len(part.data or b"")
                if size >= block_bytes:
                    frame = self._frame(maker, waiting, number, stream.consumed - done, fast=not stream.holds_fault)
                    waiting, size, done, number = [], 0, stream.consumed, number + frame.records
                    yield frame
            if waiting or stream.consumed > done:
                yield self._frame(maker, waiting, number, stream.consumed - done, fast=not stream.holds_fault)

    def found(self, block_bytes: int = FRAME_BYTES) -> Iterator[tuple[Found, int]]:
        """The records as values, each with the bytes of the source that were read by then; raises as :meth:`frames`."""
        number = 1
        with self._stream() as stream:
            for part in self._cut(stream, block_bytes):
                for record in _found([part], number):
                    number += 1
                    yield record, stream.consumed

    def _frame(self, maker: JsonFrames, parts: Sequence[Part], number: int, read: int, *, fast: bool) -> RawFrame:
        objects = _objects(parts) if fast and self._fast.possible else []
        frame = self._fast.frame(b"\n".join(objects), [part.line for part in parts], number, read) if objects else None
        if frame is not None:
            return frame
        records = list(_found(parts, number, None if fast else self._fault))
        if objects:
            self._fast.observe(records)
        return maker.frame(records, read)

    def _look_around(self) -> Surroundings:
        """What the mapping asks of the objects around the array of the records, which may stand after it."""
        paths = [parse_path(name) for name in self._fields]
        keys = frozenset(path.keys[0] for path in paths if path.up and path.keys)
        # Around the first array there is an object only where a key leads from it.
        if not keys or not self._steps or not self._steps[0][0]:
            return {}
        with self._stream() as stream:
            return Cutter(stream.read, self._steps, FRAME_BYTES).surroundings(keys)

    def _cut(self, stream: Utf8Stream, block_bytes: int) -> Iterator[Part]:
        return Cutter(stream.read, self._steps, max(block_bytes, _LEAST_BLOCK), self._around).parts()

    @contextmanager
    def _parts(self, block_bytes: int) -> Iterator[Iterator[Part]]:
        with self._stream(fault=self._fault) as stream:
            yield self._cut(stream, block_bytes)

    @contextmanager
    def _stream(self, *, fault: str | None = None) -> Iterator[Utf8Stream]:
        """The text of the source, with ``fault`` for what is none; of a fault in the JSON, its place is told."""
        try:
            with closing(Utf8Stream(self._source, self._encoding, fault=fault)) as stream:
                yield stream
        except Fault as error:
            line, column = self._place(error.at)
            message = f"{self._source.name}, line {line}: the text is no JSON: {error.reason}"
            hint = "Nothing was loaded. Mend the file."
            raise SourceMalformed(message, source=self._source.name, line=line, column=column, hint=hint) from None

    def _place(self, at: int) -> tuple[int, int]:
        """Line and column, from 1, of a byte of the text."""
        line, tail = 1, b""
        with closing(Utf8Stream(self._source, self._encoding)) as stream:
            while at > 0 and (data := stream.read(FRAME_BYTES)[:at]):
                at -= len(data)
                line += data.count(b"\n")
                tail = data[data.rfind(b"\n") + 1 :] if b"\n" in data else tail + data
        return line, len(tail.decode("utf-8", "ignore")) + 1


def _found(parts: Sequence[Part] | Iterator[Part], number: int, fault: str | None = None) -> Iterator[Found]:
    """The records of some parts, from record ``number`` on; where ``fault`` is given, one that holds it is no text."""
    sign = None if fault is None else fault.encode()
    for part in parts:
        value = value_of(part)
        if sign is not None and not part.steps and part.data is not None and sign in part.data:
            yield Found(number, part.line, fault=("encoding", "expected text in UTF-8"))
            number += 1
            continue
        for record in records_in(Located(value, part.outer, part.position), part.steps):
            yield Found(number, part.line, *record)
            number += 1


def _objects(parts: Sequence[Part]) -> list[bytes]:
    """The texts of parts that are records each, if each is surely one object or no JSON at all; else none.

    No value of JSON has a brace that closes before one that opens with only a blank between: none goes from one text to the next.
    """
    texts = [part.data.strip(BLANKS) for part in parts if part.data is not None and not part.steps]
    return texts if len(texts) == len(parts) and all(text[:1] == b"{" and text[-1:] == b"}" for text in texts) else []
