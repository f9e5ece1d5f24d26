"""Paths into nested records: ``album.name``, ``artists.0.name``, ``^.collection``; and what a document's records are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DOT = re.compile(r"(?<!\\)\.")
_UP = "^"
_STEP = "[]"
MISSING = object()


@dataclass(frozen=True)
class Path:
    """Where a value is: so many objects further out (``up``), and then from key to key. A number also counts in an array, from 0."""

    up: int
    keys: tuple[str, ...]

    def find(self, record: Any, parents: Sequence[Any]) -> Any:
        """The value, or :data:`MISSING`. ``parents`` are the objects around the record, the nearest last."""
        if self.up > len(parents):
            return MISSING
        value = parents[-self.up] if self.up else record
        for key in self.keys:
            value = _member(value, key)
            if value is MISSING:
                break
        return value


@cache
def parse_path(text: str) -> Path:
    r"""The path that a mapping's name means: keys between dots, ``\.`` for a dot in a key, ``^`` in front for the object around."""
    keys = [key.replace("\\.", ".") for key in _DOT.split(text)]
    up = 0
    while up < len(keys) - 1 and keys[up] == _UP:
        up += 1
    return Path(up, tuple(keys[up:]))


def plain_name(text: str) -> str | None:
    """The key that a name means where it is one at the top of the record; ``None`` for any other path."""
    path = parse_path(text)
    return path.keys[0] if not path.up and len(path.keys) == 1 else None


def as_name(key: str) -> str:
    """How a mapping would name that key of a record."""
    return key.replace(".", "\\.")


def parse_records(text: str) -> tuple[tuple[str, bool], ...]:
    """The steps from a document to its records: ``items[].track`` is ``items``, opened, then ``track``."""
    steps = [(key[: -len(_STEP)], True) if key.endswith(_STEP) else (key, False) for key in _DOT.split(text)] if text else []
    return tuple((key.replace("\\.", "."), opened) for key, opened in steps)


def records_in(value: Any, steps: Sequence[tuple[str, bool]], parents: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """The records below a value with the objects around each; :data:`MISSING` in a record's place where a step leads nowhere."""
    if not steps:
        yield value, parents
        return
    (key, opened), *rest = steps
    found = _member(value, key) if key else value
    around = (*parents, value) if key else parents
    if found is MISSING or (opened and not isinstance(found, list)):
        yield MISSING, around
    elif opened:
        for item in found:
            yield from records_in(item, rest, around)
    else:
        yield from records_in(found, rest, around)


def _member(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return value.get(key, MISSING)
    if isinstance(value, list) and key.isascii() and key.isdigit() and int(key) < len(value):
        return value[int(key)]
    return MISSING
