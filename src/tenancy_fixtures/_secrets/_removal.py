"""A document without its secrets: where one more text is lost sooner than one of them is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ._forms import in_command, known_in, told_in
from ._members import items, members
from ._names import called, tells

REMOVED: Final = "[removed]"
_NAME: Final = re.compile(
    r"(?:^|[._-])(?:secrets?|tokens?|passwords?|passwd|passphrase|pwd|private_?keys?|api_?keys?|access_?keys?|authorization|credentials?|cookies?)$",
    re.IGNORECASE,
)
_SURE: Final = frozenset({"password", "key", "cookie"})
_PERMISSIONS: Final = frozenset({"read", "write", "admin", "none", "inherit"})  # what may be done with secrets


def without_secrets(value: Any) -> Any:
    """The same document with ``[removed]`` for all texts in what is called a secret, and for what texts hold in a secret's form."""
    return _without(value, "", inside=False)


def _without(value: Any, name: str, *, inside: bool) -> Any:
    if isinstance(value, Mapping):
        return {_of_text(key, ""): _without(item, told, inside=inside or _is_secret(key, told)) for key, item, told in members(value, name)}
    if isinstance(value, (list, tuple)):
        done = [_without(item, told, inside=inside or (told != name and _is_secret(told, told))) for item, told in items(value, name)]
        for password in in_command(value):
            done = [item.replace(password, REMOVED) if isinstance(item, str) else item for item in done]
        return done
    if type(value) is str:
        return REMOVED if inside and value and value.lower() not in _PERMISSIONS else _of_text(value, name)
    number = not isinstance(value, bool) and value is not None
    return REMOVED if number and tells(name, str(value)) else value


def _is_secret(key: str, told: str) -> bool:
    return _NAME.search(key) is not None or called(key) in _SURE or called(told) in _SURE


def _of_text(text: str, name: str) -> str:
    """A text without its secrets."""
    if name and tells(name, text):
        return REMOVED
    parts, done = [], 0
    for start, end, _ in sorted((*known_in(text), *told_in(text))):
        if end > done:
            parts += [text[done:start], REMOVED] if start >= done else []
            done = end
    return "".join(parts) + text[done:]
