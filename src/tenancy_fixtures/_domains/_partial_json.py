"""Documents of JSON in the first part of a text: the last one may be cut, and is closed where its last whole value ends."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ..constants import MAX_JSON_DEPTH

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIGNS = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|[\[\]{},]', re.DOTALL)
_CLOSING = {"[": "]", "{": "}"}
_DECODER = json.JSONDecoder()


def first_documents(text: str) -> list[Any]:
    """The values at the start of a text, the elements of an array in its place; none where it is no JSON."""
    found: list[Any] = []
    for value in _values(text):
        found += value if isinstance(value, list) else [value]
    return found


def _values(text: str) -> Iterator[Any]:
    at = 0
    while (rest := text[at:].lstrip(" \t\r\n")) and rest[0] in "[{":
        closed = _closed(rest)
        if closed is None:
            return
        part, size = closed
        try:
            yield _DECODER.decode(part)
        except (ValueError, RecursionError):
            return
        at = len(text) - len(rest) + size


def _closed(text: str) -> tuple[str, int] | None:
    """The first value of a text, and how much of the text it is; closed after its last comma where its end is not there."""
    stack: list[str] = []
    whole: tuple[int, str] | None = None
    for sign in _SIGNS.finditer(text):
        mark = sign[0]
        if mark in _CLOSING:
            stack.append(_CLOSING[mark])
            if len(stack) > MAX_JSON_DEPTH:
                return None
        elif mark == ",":
            whole = sign.start(), "".join(reversed(stack))
        elif mark in "]}":
            if not stack or stack.pop() != mark:
                return None
            if not stack:
                return text[: sign.end()], sign.end()
            whole = sign.end(), "".join(reversed(stack))
    return None if whole is None else (text[: whole[0]] + whole[1], len(text))
