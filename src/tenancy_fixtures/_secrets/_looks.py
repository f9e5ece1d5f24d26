"""How a value looks that nobody reads: whether it is made of words, or drawn at random; whether it is a path, or a key that is public."""

from __future__ import annotations

import re
from typing import Final

WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_OPENING: Final = "<[({|/.~$%"  # how a special token, a pattern, a path and a reference begin
_RUN: Final = re.compile(r"[A-Za-z0-9]+")
# A run as names have them: a word, one with a number behind it, a number with its unit: bert, v2, 320d.
_PLAIN: Final = re.compile(r"[A-Za-z]+[0-9]{0,4}|[0-9]+[A-Za-z]{0,2}")
_SIGNS: Final = re.compile(r"[\w.@:/\\ ~#-]+")
# A folder with a plain name, which base64 hardly ever has between two strokes; a file with a suffix; a beginning that only paths have.
_PATH: Final = re.compile(
    r"(?:^|[/\\])[a-z][a-z_-]{2,}[/\\]|[/\\][a-z][a-z_-]{2,}$|[/\\][\w.-]*\.[A-Za-z][A-Za-z0-9]{0,11}$|^(?:~|#|\.{1,2}|[A-Za-z]:)(?:[/\\]|$)"
)
_FILE: Final = re.compile(r"[\w.-]{1,120}\.(?:pem|key|crt|cer|der|pub|p12|pfx|jks|json|ya?ml|toml|env|txt)|id_(?:rsa|dsa|ecdsa|ed25519)")
_PUBLIC: Final = re.compile(
    r"https?://[^\s@]*|(?:ssh-[a-z0-9]+|ecdsa-[a-z0-9-]+|age1)\s?[A-Za-z0-9+/=]{20,}(?:\s.*)?|-----BEGIN (?!.*PRIVATE)[\s\S]*"
)

_SHORTEST: Final = 8  # characters of what is known by its looks
_OF_A_RUN: Final = 6  # characters of a run that tells something
# Characters of a run, and how long its words are on average at most. Of a thousand drawn of letters and digits, five have longer ones; of
# those drawn of letters alone, or of hexadecimal digits, a few in a hundred. Names of models have three and more.
_DRAWN: Final = ((20, 3.5), (12, 2.7))
_BEHIND_A_PREFIX: Final = 5.0  # the same where a prefix tells most of it


def is_mixed(text: str, least: int = _SHORTEST) -> bool:
    """Whether it has letters and digits, no blank, and does not begin as a path, a pattern or a reference does."""
    if len(text) < least or text[0] in _OPENING:
        return False
    return any(char.isdigit() for char in text) and any(char.isalpha() for char in text) and not any(char.isspace() for char in text)


def is_drawn(text: str) -> bool:
    """Whether letters, digits and cases change places as in no word, name or version: it was drawn at random."""
    return any(len(run) >= least and len(run) / len(WORDS.findall(run)) <= longest for run in _RUN.findall(text) for least, longest in _DRAWN)


def is_drawn_behind_a_prefix(text: str) -> bool:
    """The same of what follows a known prefix, which words do as well: ``sk-`` begins ``sk-learn-contrib``."""
    runs = [(len(run), len(WORDS.findall(run))) for run in _RUN.findall(text) if len(run) > 3]  # noqa: PLR2004 - v2 is in names, too
    return any(words > 2 for _, words in runs) and sum(length for length, _ in runs) <= _BEHIND_A_PREFIX * sum(words for _, words in runs)  # noqa: PLR2004 - fp16 has two


def is_credential(text: str, least: int = _SHORTEST) -> bool:
    """Whether it looks like a key or a token: mixed within a run, and no path, name or version."""
    if is_path(text) or any(char.isspace() for char in text):
        return False
    return is_drawn(text) or (is_mixed(text, least) and any(len(run) >= _OF_A_RUN and not _PLAIN.fullmatch(run) for run in _RUN.findall(text)))


def is_path(text: str) -> bool:
    """Whether it is the path of a file or a folder."""
    return _SIGNS.fullmatch(text) is not None and (_PATH.search(text) is not None or _FILE.fullmatch(text) is not None)


def is_public(text: str) -> bool:
    """Whether anybody may see it: a link without a password, a public key, a certificate."""
    return _PUBLIC.fullmatch(text) is not None
