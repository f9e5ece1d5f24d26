"""What stands in a secret's place: a reference to where it is kept, a mask, words that tell what would stand there."""

from __future__ import annotations

import re
from typing import Final

from ._looks import is_drawn

_STAND_INS: Final = frozenset(
    {
        "",
        "none",
        "null",
        "nil",
        "undefined",
        "true",
        "false",
        "yes",
        "no",
        "n/a",
        "na",
        "todo",
        "tbd",
        "fixme",
        "redacted",
        "masked",
        "hidden",
        "unset",
    }
    | {"secret", "password", "passwd", "pass", "pwd", "token", "apikey", "api_key", "api-key", "key", "example", "sample", "dummy", "fake", "removed"}
    | {"required", "optional", "string", "str", "text", "default", "empty", "foo", "bar", "baz", "env", "changeit", "prompt", "bearer", "basic", "~"}
    | {"read", "write", "inherit", "enabled", "disabled", "allow", "deny", "placeholder", "unused", "lm-studio"}
)
# Words of which a whole text is made that only says that nothing is needed there, or that something would stand there: sk-no-key-required.
_FILLING: Final = frozenset(
    {
        "no",
        "not",
        "none",
        "need",
        "needed",
        "required",
        "necessary",
        "unused",
        "use",
        "set",
        "in",
        "env",
        "from",
        "the",
        "a",
        "an",
        "to",
        "be",
        "goes",
    }
    | {"key", "keys", "api", "token", "secret", "password", "access", "private", "auth", "client", "sk", "hf", "test", "fake", "dummy", "some", "any"}
    | {
        "enter",
        "put",
        "add",
        "paste",
        "your",
        "my",
        "own",
        "value",
        "default",
        "empty",
        "local",
        "here",
        "abc",
        "123",
        "1234",
        "abc123",
        "xxx",
        "id",
        "see",
    }
)
# Words of a text that was made up to be shown. They stand for themselves: a piece of what was drawn at random may be called so by chance.
_SHOWN: Final = re.compile(
    r"(?<![a-z0-9])(?:your|my[-_ ]?(?:api|secret|token|key|password)|change[-_ ]?(?:me|it|this)|replace(?:[-_ ]?(?:me|this|with))?|placeholder|insert"
    r"|redacted|masked|dummy|fake|example|sample|here)(?![a-z0-9])"
)
_JOINED: Final = re.compile(
    r"(?:your|my(?:own)?(?:super)?(?:api|secret|token|key|password)|change(?:me|it|this)|replace|insert|enter(?:your|the|an?|api|key|password|token)|dummy|fake|placeholder|redacted|example)[a-z]*\d{0,3}"
    r"|[a-z]+(?:goes)?here"
)
_MASK: Final = re.compile(
    r"(?<![a-z0-9])x{4,}[a-z0-9]{0,4}(?![a-z0-9])|x{8,}|(?<![a-z0-9])\*{3,}|\*{3,}$|\*{4,}|\.{3}|…|[A-Za-z0-9/]{8}EXAMPLE(?:KEY)?$", re.IGNORECASE
)
_NOT_OF_WORDS: Final = re.compile(r"[^a-z0-9]+")
_REFERENCE: Final = re.compile(
    r"\$[A-Z_][A-Z0-9_]*|\$\{(?P<inside>[^}]*)\}|\$\(.*\)|\$\{\{.*\}\}|\{\{.*\}\}|\{[A-Za-z_][\w.:-]*\}|%\(?\w+\)?[s%]|<[^>]*>|\[[A-Za-z _-]*\]|__\w+__|#\{.*\}#?"
    r"|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|(?:os\.)?(?:environ|getenv)\b.*|process\.env\b.*|env(?:iron)?[:./(].*|!?(?:ENV|env|vault|secret|ref)\b[ :/(].*"
    r"|!Ref\b.*|\$env:\w+|%env\(.*|(?:[a-z]+[-+])?(?:secretref|secretsmanager|keyvault|vaultref):.*|(?:gsm|bws|doppler|infisical|keychain)://.*|secrets?[.:/].*|vault[.:/].*|op://.*|ssm:.*|sm://.*|keyring:.*|arn:aws:(?:secretsmanager|ssm|kms):.*|projects/[^/]+/secrets/.*|file:.*"
    r"|/run/secrets/.*|alias/.*|ENC\[.*|@Microsoft\.KeyVault.*|(?:st|dbutils|settings|config)\.secrets\b.*",
    re.DOTALL,
)
_FALLBACK: Final = re.compile(r"(?:[A-Z_][A-Z0-9_]*(?::-|:=|:|-)|oc\.env:\w+,\s*)(?!\?)(.*)", re.DOTALL)


def is_placeholder(text: str) -> bool:
    """Whether a text only holds a secret's place: a reference to where it is kept, a mask, a word like ``your-key-here``.

    ``${NAME:-value}`` is one if its value is.
    """
    text = text.strip().strip("\"'").rstrip(":")
    if text.lower() in _STAND_INS or len(set(text)) < 3 or is_shown(text):  # noqa: PLR2004 - a mask is made of one sign, or two
        return True
    found = _REFERENCE.fullmatch(text)
    if found is None:
        return False
    fallback = _FALLBACK.fullmatch(found["inside"] or "")
    return fallback is None or is_placeholder(fallback[1])


def is_shown(text: str) -> bool:
    """Whether a text was made up to be shown, by its words or by a mask."""
    low = text.lower()
    if _MASK.search(text):
        return True
    if _SHOWN.search(low):
        return not is_drawn(text)
    words = [word for word in _NOT_OF_WORDS.split(low) if word]
    return _JOINED.fullmatch("".join(words)) is not None or (len(words) > 1 and _FILLING.issuperset(words))
