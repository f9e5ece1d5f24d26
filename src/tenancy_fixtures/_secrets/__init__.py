"""Secrets where none belong: keys, tokens, passwords, private keys and connection strings in a document of any source.

What is found is named by its path and kind, or taken out. Its value is never told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ._forms import in_command, known_in, told_in
from ._members import items, members
from ._names import tells
from ._removal import without_secrets
from ._stand_ins import is_placeholder

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Secret", "find_secrets", "is_placeholder", "secrets_in_words", "without_secrets"]

_LISTED = 8  # secrets that a message names
_LONGEST_KEY = 60  # characters of a key that a path shows


@dataclass(frozen=True)
class Secret:
    """What was found, and where: ``providers.0.api_key`` is a member of the first element of ``providers``."""

    path: str
    kind: str


def find_secrets(value: Any, path: str = "") -> Iterator[Secret]:
    """Every secret in a value made of mappings, lists and texts, and in the names of its members. Each path is told once."""
    told = set()
    for found in _search(value, path, ""):
        if found.path not in told:
            told.add(found.path)
            yield found


def secrets_in_words(found: list[Secret]) -> str:
    """What was found, as a message says it."""
    listed = ", ".join(f"{item.path or 'the value'} ({item.kind})" for item in found[:_LISTED])
    return f"{listed} and {len(found) - _LISTED} more" if len(found) > _LISTED else listed


def _search(value: Any, path: str, name: str) -> Iterator[Secret]:
    """``name`` is what tells of the value: the nearest key, or that of the list or collection of secrets that it is in."""
    if isinstance(value, Mapping):
        yield from _search_members(value, path, name)
    elif isinstance(value, (list, tuple)):
        for position, (item, told) in enumerate(items(value, name)):
            yield from _search(item, f"{path}.{position}" if path else str(position), told)
        if in_command(value):
            yield Secret(path, "a password of a command")
    elif not isinstance(value, bool) and value is not None:
        kind = _kind_of(str(value), name)
        if kind is not None:
            yield Secret(path, kind)


def _search_members(value: Mapping[Any, Any], path: str, name: str) -> Iterator[Secret]:
    for key, item, told in members(value, name):
        kind = _known_name(key)
        shown = "…" if kind else key[:_LONGEST_KEY].replace("\\", "\\\\").replace(".", "\\.")
        here = f"{path}.{shown}" if path else shown
        if kind:
            yield Secret(here, kind)
        yield from _search(item, here, told)


@lru_cache(maxsize=4096)
def _known_name(name: str) -> str | None:
    return next((found.kind for found in known_in(name)), None)


def _kind_of(text: str, name: str) -> str | None:
    if name.lower().replace("_", "") == "verifytoken":
        # Hugging Face's signature of an evaluation: made to be published.
        return None
    for found in known_in(text):
        return found.kind
    if tells(name, text):
        return "a value whose name tells of a secret"
    return next((found.kind for found in told_in(text)), None)
