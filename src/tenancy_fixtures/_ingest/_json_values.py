"""One value of JSON, strictly as RFC 8259 has it, with every digit of its numbers; and the cells that it makes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from itertools import accumulate
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

from ..constants import MAX_JSON_DEPTH

if TYPE_CHECKING:
    from collections.abc import Sequence

BLANKS = b" \t\n\r"
_BLANKS = BLANKS.decode()
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = re.compile(r"[\[{}\]]")
_LEVELS = {"[": 1, "{": 1, "]": -1, "}": -1}


class Number(str):
    """A number as it is written: no digit is lost on the way to the column's type."""

    __slots__ = ()


_PLAIN = frozenset({str, bool, Number, type(None)})


class NotJson(ValueError):
    """Text that is no JSON. ``reason`` holds no piece of it; ``place`` counts its characters from 0."""

    def __init__(self, reason: str, place: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place


class _NoNumber(ValueError):
    """A word that is a number elsewhere."""


def _refuse(word: str) -> Any:
    raise _NoNumber(word)


_DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_refuse)


def parse(text: str) -> Any:
    """The value of a text that holds one value and nothing else; of a key that is there twice the last counts.

    :raises NotJson: it is no JSON, or nested too deep.
    """
    if too_deep(text):
        raise NotJson(f"nested too deep: more than {MAX_JSON_DEPTH} levels", 0)
    start = len(text) - len(text.lstrip(_BLANKS))
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise NotJson(error.msg.lower(), error.pos) from None
    except _NoNumber as error:
        raise NotJson("a word that is no number of json", max(text.find(str(error)), 0)) from None
    rest = text[end:].lstrip(_BLANKS)
    if rest:
        raise NotJson("something follows the value", len(text) - len(rest))
    return value


def too_deep(text: str) -> bool:
    """Whether values are nested deeper than :data:`~tenancy_fixtures.constants.MAX_JSON_DEPTH`, before a parser that recurses gets them."""
    if text.count("[") + text.count("{") <= MAX_JSON_DEPTH:
        return False
    brackets = _BRACKETS.findall(_STRING.sub("", text))
    return max(accumulate(map(_LEVELS.__getitem__, brackets)), default=0) > MAX_JSON_DEPTH


def cell(value: Any) -> str | None:
    """A value as a text cell: strings as they are, numbers as they are written, objects and arrays as compact JSON."""
    if value is None or value.__class__ is str:
        return value
    if value.__class__ is bool:
        return "true" if value else "false"
    # A position in an array is an int of ours.
    return str(value) if value.__class__ in (Number, int) else compact(value)


def cells_of(values: Sequence[Any]) -> Sequence[str | None]:
    """The cells of a column, most of which are of one kind; see :func:`cell`."""
    kinds = set(map(type, values)) - {type(None)}
    if kinds <= {str}:
        return values
    # Nothing is no number's text.
    return [value and str(value) for value in values] if kinds == {Number} else [cell(value) for value in values]


def compact(value: Any) -> str:
    """A value as JSON without blanks."""
    if isinstance(value, dict):
        return "{" + ",".join([f"{encode_basestring(key)}:{compact(item)}" for key, item in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([compact(item) for item in value]) + "]"
    if value is None:
        return "null"
    if value.__class__ is bool:
        return "true" if value else "false"
    return str(value) if value.__class__ is Number else encode_basestring(value)


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
