"""A file of JSON documents, cut at the commas of the array that holds the records."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Dict, NamedTuple, Tuple

from ._json_scan import ARRAY, ARRAY_END, COMMA, LINE_END, OBJECT, OBJECT_END, Fault, Scanner, Sign
from ._json_values import BLANKS, NotJson, parse
from ._paths import MISSING, Around

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from ._paths import Steps

_KEY = re.compile(rb'\s*("(?:[^"\\]|\\.)*")\s*:\s*', re.DOTALL)
_OPENING, _CLOSING = (ARRAY, OBJECT), {ARRAY: ARRAY_END, OBJECT: OBJECT_END}

# By the number of the document, and how deep: members of the objects around the records.
Surroundings = Dict[Tuple[int, int], Dict[str, Any]]


class Part(NamedTuple):
    """A value that holds records: its text, the byte and the line where that begins, what is around, and the steps to the records.

    Without a text, there is nothing where the dataset looks for records.
    """

    data: bytes | None
    at: int
    line: int
    outer: Around | None
    position: int | None
    steps: Steps


@dataclass
class _Members:
    """An object on the way to the records, while its members go by: where the one at hand begins, and where what was entered in it ended."""

    start: int
    entered: int = -1
    count: int = 0
    there: bool = False
    values: dict[str, Any] = field(default_factory=dict)


class Cutter:
    """Gives the parts of a file of documents, one after the other. What is in memory is a part, and never a document.

    ``steps`` lead to the records; where the document is an array, they begin at each of its elements, unless the first opens it.
    ``around`` are members of the objects around the records, as :meth:`surroundings` collects them. Each part is to be parsed
    by who gets it: what is cut wrongly, because the text is no JSON, is then no JSON either.
    """

    def __init__(self, read: Callable[[int], bytes], steps: Steps, block_bytes: int, around: Surroundings | None = None) -> None:
        self._steps = steps
        # The keys that lead from an object to the array of the records, as far as only keys do.
        opened = next((number for number, (_, opened) in enumerate(steps) if opened), None)
        self._keys = [] if opened is None or not steps[0][0] else [key for key, _ in steps[: opened + 1]]
        self._scanner = Scanner(read, len(self._keys) + 1, block_bytes)
        self._signs = self._scanner.signs()
        self._around = around or {}
        self._document = 0
        self._collected: Surroundings | None = None
        self._collect: frozenset[str] = frozenset()

    def parts(self) -> Iterator[Part]:
        """The parts in their order.

        :raises Fault: the file is no JSON, or one part exceeds 64 MB.
        """
        start, closed = 0, False
        for sign in self._signs:
            if sign.byte == LINE_END:
                yield from self._loose(start, sign.at, closed=closed)
                start, closed = self._forget(sign.at + 1), False
            elif sign.byte in _OPENING:
                self._expect_blank(start, sign.at, "something stands before the array or object")
                self._forget(sign.at)
                end = yield from self._enter(sign)
                start, closed = self._forget(end + 1), True
                self._document += 1
            elif sign.byte != COMMA:
                raise Fault("a bracket closes what was not opened", sign.at)
        yield from self._loose(start, self._scanner.end, closed=closed)

    def surroundings(self, keys: frozenset[str]) -> Surroundings:
        """The members with these keys of the objects around the records, wherever in them they stand: the whole file is read.

        :raises Fault: as :meth:`parts`.
        """
        self._collected, self._collect = {}, keys
        for _ in self.parts():
            pass
        return self._collected

    def _enter(self, sign: Sign) -> Generator[Part, None, int]:
        if sign.byte == ARRAY:
            opens = bool(self._steps) and not self._steps[0][0]
            return (yield from self._array(sign, 0, None, self._steps[1:] if opens else self._steps))
        if self._keys:
            return (yield from self._object(sign, 0, None))
        end = self._close(sign)
        yield self._part(sign.at, end + 1, None, None, self._steps)
        return end

    def _loose(self, start: int, end: int, *, closed: bool) -> Iterator[Part]:
        """A line outside of arrays and objects: nothing, or a document that is a single value."""
        if self._scanner.take(start, end).strip(BLANKS):
            if closed:
                raise Fault("something follows the array or object", start)
            yield self._part(start, end, None, None, ())
            self._document += 1

    def _close(self, opened: Sign) -> int:
        """Where what was opened there is closed."""
        for sign in self._signs:
            if sign.level == opened.level:
                self._expect_closing(sign, opened.byte)
                return sign.at
        raise self._unclosed()

    def _array(self, opened: Sign, level: int, outer: Around | None, steps: Steps) -> Generator[Part, None, int]:
        start, position = opened.at + 1, 0
        for sign in self._signs:
            if sign.byte == COMMA and sign.level == level + 1:
                if self._collected is None:
                    yield self._part(start, sign.at, outer, position, steps)
                start, position = self._forget(sign.at + 1), position + 1
            elif sign.level == level:
                self._expect_closing(sign, ARRAY)
                if self._collected is None and (position or self._scanner.take(start, sign.at).strip(BLANKS)):
                    yield self._part(start, sign.at, outer, position, steps)
                return sign.at
        raise self._unclosed()

    def _object(self, opened: Sign, level: int, outer: Around | None) -> Generator[Part, None, int]:
        here, inside = Around(self._around.get((self._document, level), {}), outer), _Members(opened.at + 1)
        for sign in self._signs:
            if sign.level == level:
                self._expect_closing(sign, OBJECT)
                self._end_member(inside, sign.at, last=True)
                if self._collected is not None:
                    self._collected[self._document, level] = {key: value for key, value in inside.values.items() if key in self._collect}
                if not inside.there:
                    yield Part(None, sign.at, self._scanner.line_of(sign.at), here, None, ())
                return sign.at
            if sign.byte == COMMA and sign.level == level + 1:
                self._end_member(inside, sign.at, last=False)
            elif inside.entered < 0 and sign.level == level + 1 and self._leads_on(inside.start, sign, level):
                if inside.there:
                    raise Fault("the key that leads to the records is there twice", sign.at)
                inside.there = True
                self._forget(sign.at)
                inside.entered = yield from self._deeper(sign, level + 1, here)
        raise self._unclosed()

    def _deeper(self, sign: Sign, level: int, here: Around) -> Generator[Part, None, int]:
        if level == len(self._keys):
            return (yield from self._array(sign, level, here, self._steps[level:]))
        return (yield from self._object(sign, level, here))

    def _end_member(self, inside: _Members, at: int, *, last: bool) -> None:
        if inside.entered >= 0:
            self._expect_blank(inside.entered + 1, at, "a comma or a bracket is missing")
        elif not last or inside.count or self._scanner.take(inside.start, at).strip(BLANKS):
            inside.values.update(self._member(inside.start, at))
        inside.start, inside.entered, inside.count = self._forget(at + 1), -1, inside.count + 1

    def _leads_on(self, start: int, sign: Sign, level: int) -> bool:
        """Whether the array or object that opens there is the next step to the records."""
        if sign.byte != (ARRAY if level + 1 == len(self._keys) else OBJECT):
            return False
        found = _KEY.fullmatch(self._scanner.take(start, sign.at))
        return found is not None and bool(self._parse(found[1], start) == self._keys[level])

    def _member(self, start: int, end: int) -> dict[str, Any]:
        value: dict[str, Any] = self._parse(b"{" + self._scanner.take(start, end) + b"}", start - 1)
        if len(value) != 1:
            raise Fault("expected a key and its value", start)
        return value

    def _parse(self, data: bytes, at: int) -> Any:
        text = data.decode("utf-8")
        try:
            return parse(text)
        except NotJson as error:
            raise Fault(error.reason, at + len(text[: error.place].encode())) from None

    def _part(self, start: int, end: int, outer: Around | None, position: int | None, steps: Steps) -> Part:
        data = self._scanner.take(start, end)
        blanks = len(data) - len(data.lstrip(BLANKS))
        return Part(data, start, self._scanner.line_of(start + blanks), outer, position, steps)

    def _expect_blank(self, start: int, end: int, reason: str) -> None:
        data = self._scanner.take(start, end)
        if data.strip(BLANKS):
            raise Fault(reason, start + len(data) - len(data.lstrip(BLANKS)))

    def _expect_closing(self, sign: Sign, opened: int) -> None:
        if sign.byte != _CLOSING[opened]:
            raise Fault("a bracket closes one of the other kind", sign.at)

    def _unclosed(self) -> Fault:
        return Fault("it ends before everything is closed", self._scanner.end)

    def _forget(self, at: int) -> int:
        self._scanner.keep_from = at
        return at


def value_of(part: Part) -> Any:
    """The value of a part; ``MISSING`` where there is none.

    :raises Fault: it is no JSON.
    """
    if part.data is None:
        return MISSING
    text = part.data.decode("utf-8")
    try:
        return parse(text)
    except NotJson as error:
        raise Fault(error.reason, part.at + len(text[: error.place].encode())) from None
