"""What the values of a document are called: by their key, by the name beside them, by the list or the collection that they are in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ._looks import is_credential
from ._names import KEPT, called

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_COLLECTION: Final = re.compile(r"(?:^|[_.-])(?:secrets|credentials|passwords|cookies|api[_-]?keys)$", re.IGNORECASE)
# What stands beside a token that is a piece of a text, and beside a password that is called by a short word.
_OF_TEXTS: Final = frozenset({"id", "logprob", "score", "rank", "prob", "bytes", "special", "count", "start", "end", "index", "normalized"})
_OF_ACCOUNTS: Final = frozenset({"user", "username", "login", "email", "host", "hostname", "uid"})
_DESCRIBING: Final = frozenset({"type", "kind", "name", "title", "description", "provider", "region", "scope", "version", "url", "endpoint", "$ref"})
_NAMES: Final = ("name", "key", "Name", "Key", "header", "variable")
_VALUES: Final = frozenset({"value", "text", "plain", "plaintext", "raw", "base64", "hex", "string", "secret_value"})
_WORD: Final = re.compile(r"[A-Za-z][\w-]{1,60}")
_FLAG: Final = re.compile(r"--?([A-Za-z][\w-]{1,60})")


def members(value: Mapping[Any, Any], name: str) -> Iterator[tuple[str, Any, str]]:
    """Of each member its key, its value and what tells of it. ``name`` is what the mapping is called."""
    # A list of environment variables and the like: {"name": "API_KEY", "value": "…"}.
    beside = next((str(value[key]) for key in _NAMES if isinstance(value.get(key), str)), "")
    kept = name == KEPT or _COLLECTION.search(name) is not None
    account = any(isinstance(key, str) and key.lower() in _OF_ACCOUNTS for key in value)
    numbered = len(value) > 2 and all(_is_number(item) for item in value.values())  # noqa: PLR2004 - the labels of a model, the words of a vocabulary
    for key, item in value.items():
        text = str(key)
        low = text.lower()
        if numbered or (text == "token" and not _OF_TEXTS.isdisjoint(value)):
            yield text, item, ""
        elif low in _VALUES and (beside or called(name)):
            yield text, item, beside if low == "value" and beside else name
        elif called(text) == "short" and (account or called(f"{name}_{text}") == "password"):
            yield text, item, "password"
        else:
            yield text, item, KEPT if kept and low not in _DESCRIBING and not called(text) else text


def items(value: Sequence[Any], name: str) -> Iterator[tuple[Any, str]]:
    """Of each item its value and what tells of it: ``name``, which is that of the list, a flag before it, the first of a pair."""
    pair = len(value) == 2 and isinstance(value[1], str) and is_credential(value[1])  # noqa: PLR2004 - else they may be two names
    before = ""
    for item in value:
        text = item if isinstance(item, str) else ""
        yield item, (before if before and not text.startswith("-") else name)
        flag = _FLAG.fullmatch(text)
        before = flag[1] if flag else text if pair and _WORD.fullmatch(text) and called(text) else ""


def _is_number(value: Any) -> bool:
    """Whether it is one, as a reader of JSON gives it too: a text of its digits, of a type of its own."""
    return not isinstance(value, (bool, Mapping, list, tuple)) and type(value) is not str and value is not None
