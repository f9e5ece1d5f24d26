"""One value of JSON, strictly as RFC 8259 has it, with every digit of its numbers; and the cells that it makes."""

from __future__ import annotations

import json
import re
from typing import Any

from ..constants import MAX_JSON_DEPTH

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_BRACKETS = re.compile(r"[\[{}\]]")


class Number(str):
    """A number as it is written: no digit is lost on the way to the column's type."""

    __slots__ = ()


class TooDeep(ValueError):
    """Values inside each other beyond :data:`~tenancy_fixtures.constants.MAX_JSON_DEPTH`."""


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_refuse)


def parse(text: str) -> Any:
    """The value of a text that holds one value and nothing else.

    :raises ValueError: it is no JSON, or (:class:`TooDeep`) nested too deep.
    """
    refuse_deep(text)
    return DECODER.decode(text)


def refuse_deep(text: str) -> None:
    """See that a text is not nested deeper than allowed, before a parser that recurses gets it.

    :raises TooDeep: it is.
    """
    if text.count("[") + text.count("{") <= MAX_JSON_DEPTH:
        return
    depth = 0
    for bracket in _BRACKETS.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_JSON_DEPTH:
            raise TooDeep(f"nested deeper than {MAX_JSON_DEPTH} levels")


def cell(value: Any) -> str | None:
    """A value as a text cell: strings as they are, numbers as they are written, objects and arrays as compact JSON.

    :raises ValueError: a string holds half of a surrogate pair, which is no text.
    """
    if isinstance(value, str):
        return _sound(value)
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return _sound(compact(value))


def compact(value: Any) -> str:
    """An object or an array as JSON without blanks."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(key)}:{compact(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(compact, value)) + "]"
    if isinstance(value, Number):
        return str(value)
    return _quoted(value) if isinstance(value, str) else {None: "null", True: "true", False: "false"}[value]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _sound(text: str) -> str:
    text.encode("utf-8")  # UnicodeEncodeError is a ValueError
    return str(text)
