"""Paths into nested records: ``album.name``, ``artists.0.name``, ``^.collection``, ``^index``; and what a document's records are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Optional, Tuple

from ..exceptions import PackInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator

# A key is everything up to a dot that no backslash takes the meaning of.
_KEY = re.compile(r"(?:[^.\\]|\\.|\\$)*", re.DOTALL)
_ESCAPED = re.compile(r"\\([.\\^\[])")
_UP: Final = "^"
_INDEX: Final = "^index"
_STEP: Final = "[]"
MISSING = object()

Steps = Tuple[Tuple[str, bool], ...]


class Around(NamedTuple):
    """An object around a record, the one around that, and its position in the array that it is in."""

    value: Any
    outer: Optional[Around] = None
    position: Optional[int] = None


class Located(NamedTuple):
    """A value, the object around it, and its position, or that of what it is in, in the nearest array around."""

    value: Any
    outer: Optional[Around] = None
    position: Optional[int] = None


@dataclass(frozen=True)
class Path:
    """Where a value is: so many objects further out (``up``), and then from key to key. A number also counts in an array, from 0.

    ``index`` is the position there instead of a value.
    """

    up: int
    keys: tuple[str, ...]
    index: bool = False

    @property
    def inside(self) -> bool:
        """Whether it stays in the record."""
        return not (self.up or self.index)

    def find(self, record: Located) -> Any:
        """The value, or :data:`MISSING`."""
        at: Located | Around | None = record
        for _ in range(self.up):
            at = at.outer if at is not None else None
        if at is None:
            return MISSING
        if self.index:
            return MISSING if at.position is None else at.position
        value = at.value
        for key in self.keys:
            value = _member(value, key)
            if value is MISSING:
                break
        return value


@cache
def parse_path(text: str) -> Path:
    r"""The path that a mapping's name means.

    Keys are between dots; ``\.`` is a dot in a key, ``\\`` a backslash, ``\^`` a ``^`` at its start. ``^`` in front is the object
    around, ``^index`` at the end the position in the array.
    """
    keys = _split(text)
    up = 0
    while up < len(keys) - 1 and keys[up] == _UP:
        up += 1
    if keys[up:] == [_INDEX]:
        return Path(up, (), index=True)
    return Path(up, tuple(_unescaped(key) for key in keys[up:]))


def plain_name(text: str) -> str | None:
    """The key that a name means where it is one at the top of the record; ``None`` for any other path."""
    path = parse_path(text)
    return path.keys[0] if path.inside and len(path.keys) == 1 else None


def as_name(key: str) -> str:
    """How a mapping would name that key of a record; what no report can hold is replaced."""
    text = key.encode("utf-8", "replace").decode().replace("\x00", "\ufffd").replace("\\", "\\\\").replace(".", "\\.")
    return f"\\{text}" if text.startswith(_UP) else text


def parse_records(text: str) -> Steps:
    r"""The steps from a document to its records: ``items[].track`` is ``items``, opened, then ``track``. ``\[`` is a bracket in a key.

    :raises PackInvalid: a step has no name, or brackets elsewhere than at its end.
    """
    if not text:
        return ()
    steps: list[tuple[str, bool]] = []
    for number, part in enumerate(_split(text)):
        name, opened = (part[: -len(_STEP)], True) if part.endswith(_STEP) else (part, False)
        deeper = 0
        while name.endswith(_STEP):
            name, deeper = name[: -len(_STEP)], deeper + 1
        if (not name and (number or not opened)) or "[" in name.replace("\\[", ""):
            raise PackInvalid(f"source.records is no path: {text!r}", hint="Write it as in items[].track, with [] for each array to step into.")
        steps.append((_unescaped(name), opened))
        steps += [("", True)] * deeper
    return tuple(steps)


def records_in(at: Located, steps: Steps) -> Iterator[Located]:
    """The records below a value; :data:`MISSING` in a record's place where a step leads nowhere."""
    if not steps:
        yield at
        return
    (key, opened), rest = steps[0], steps[1:]
    found = _member(at.value, key) if key else at.value
    outer = Around(*at) if key else at.outer
    if found is MISSING or (opened and not isinstance(found, list)):
        yield Located(MISSING, outer, at.position)
    elif opened:
        for position, item in enumerate(found):
            yield from records_in(Located(item, outer, position), rest)
    else:
        yield from records_in(Located(found, outer, at.position), rest)


def _member(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return value.get(key, MISSING)
    if isinstance(value, list) and key.isascii() and key.isdigit() and int(key) < len(value):
        return value[int(key)]
    return MISSING


def _split(text: str) -> list[str]:
    parts, start = [], 0
    while start <= len(text):
        found = _KEY.match(text, start)
        assert found is not None  # it matches nothing, too
        parts.append(found[0])
        start = found.end() + 1
    return parts


def _unescaped(part: str) -> str:
    return _ESCAPED.sub(r"\1", part)
