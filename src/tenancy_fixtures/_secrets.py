"""Secrets where none belong: keys, tokens, passwords, private keys and connection strings in a document of any source.

What is found is named by its path and kind. Its value is never told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LISTED = 8  # secrets that a message names
_LONGEST_KEY = 60  # characters of a key that a path shows


@dataclass(frozen=True)
class Secret:
    """What was found, and where: ``providers.0.api_key`` is a member of the first element of ``providers``."""

    path: str
    kind: str


def find_secrets(value: Any, path: str = "") -> Iterator[Secret]:
    """Every secret in a value made of mappings, lists and texts, and in the names of its members."""
    yield from _search(value, path, "")


def secrets_in_words(found: list[Secret]) -> str:
    """What was found, as a message says it."""
    listed = ", ".join(f"{item.path or 'the value'} ({item.kind})" for item in found[:_LISTED])
    return f"{listed} and {len(found) - _LISTED} more" if len(found) > _LISTED else listed


def _search(value: Any, path: str, name: str) -> Iterator[Secret]:
    """``name`` is what the value is called: the nearest key, or that of the list or collection of secrets that it is in."""
    if isinstance(value, Mapping):
        yield from _search_members(value, path, name)
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            yield from _search(item, f"{path}.{position}" if path else str(position), name)
    elif not isinstance(value, bool) and value is not None:
        kind = _kind_of(str(value), name)
        if kind is not None:
            yield Secret(path, kind)


def _search_members(value: Mapping[Any, Any], path: str, name: str) -> Iterator[Secret]:
    # A list of environment variables and the like: {"name": "API_KEY", "value": "…"}.
    called = next((str(value[key]) for key in ("name", "key", "Name", "Key") if isinstance(value.get(key), str)), "")
    inherited = name if _COLLECTION.search(name) else ""
    for key, item in value.items():
        text = str(key)
        kind = _known_name(text)
        shown = "…" if kind else text[:_LONGEST_KEY].replace("\\", "\\\\").replace(".", "\\.")
        here = f"{path}.{shown}" if path else shown
        if kind:
            yield Secret(here, kind)
        tells = called if text.lower() == "value" and called else (inherited or text)
        of_text = text == "token" and not _OF_TEXTS.isdisjoint(value)  # a piece of a text, with its number or its weight
        yield from _search(item, here, "" if of_text else tells)


# --- what a value looks like --------------------------------------------------------------------------------------------

_FORMS: Final = {
    "a private key": r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?=[\s\S]{0,300}?[A-Za-z0-9+/]{20})|AGE-SECRET-KEY-1[0-9A-Z]{50,}",
    "a key of AWS": r"(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])",
    "a token of GitHub": r"gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}",
    "a token of GitLab": r"gl(?:pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_-]{20,}",
    "a token of Slack": r"xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{16,}",
    "a key of Anthropic": r"sk-ant-[A-Za-z0-9_-]{16,}",
    "an API key": r"sk-(?:proj|svcacct|admin|or|lf|live|test)-[A-Za-z0-9_-]{16,}|sk-(?=[A-Za-z]*[0-9])[A-Za-z0-9]{16,}"
    r"|(?:gsk|r8|fw|nvapi|pplx|xai|tgp_v1|lsv2_pt|lsv2_sk|dop_v1|shpat|sq0atp|rpa|pcsk|e2b)[_-](?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{20,}",
    "a token of Hugging Face": r"hf_(?=[A-Za-z]*[0-9A-Z])[A-Za-z0-9]{20,}|api_org_[A-Za-z0-9]{30,}",
    "a key of Google": r"AIza[0-9A-Za-z_-]{35}|GOCSPX-[A-Za-z0-9_-]{20,}|ya29\.[A-Za-z0-9_-]{20,}",
    "a key of Stripe": r"[rs]k_(?:live|test)_[0-9A-Za-z]{16,}|whsec_[0-9A-Za-z+/=]{20,}",
    "a key of SendGrid": r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    "a token of a package index": r"npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{40,}",
    "a token of Databricks": r"dapi[0-9a-f]{32}",
    "a token (JWT)": r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    "a key of Azure": r"(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/=]{20,}",
}
_KINDS: Final = tuple(_FORMS)
_KNOWN: Final = re.compile("(?<![A-Za-z0-9])(?:" + "|".join(f"(?P<f{number}>{form})" for number, form in enumerate(_FORMS.values())) + ")")
_OPENING: Final = "<[({|/.~"  # how a special token, a pattern and a path begin
_SHORTEST = 8  # characters: below that nothing is known by its form
_URL: Final = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s:/@\"'<>]*:([^\s@/\"'<>]+)@")
_DSN: Final = re.compile(r"\b(?:host|hostaddr|server|data source|dbname|database|user id|uid|user)\s*=", re.IGNORECASE)
_DSN_PASSWORD: Final = re.compile(r"\b(?:password|pwd)\s*=\s*(?:'([^']*)'|\"([^\"]*)\"|([^\s;&,'\"]+))", re.IGNORECASE)
_BEARER: Final = re.compile(r"\b(?:bearer|basic)\s+([A-Za-z0-9._~+/=-]{16,})", re.IGNORECASE)
_ASSIGNED: Final = re.compile(r"(?:^|[\s\"'\[,;?&{])-{0,2}([A-Za-z][\w-]{2,60})[\"']?\s*[=:]\s*[\"']?([^\s\"',;&?}]+)", re.MULTILINE)


@lru_cache(maxsize=4096)
def _known_name(name: str) -> str | None:
    return known_form(name)


def known_form(text: str) -> str | None:
    """The kind of secret whose published form is somewhere in a text; ``None`` where there is none, or only one made up for show."""
    if len(text) < _SHORTEST:
        return None
    for match in _KNOWN.finditer(text):
        found = match[0]
        if not _SHOW.search(found.lower()) and len(set(found[-12:])) > 3:  # noqa: PLR2004 - xxxxxxxx has one, abcabcabc three
            assert match.lastgroup is not None
            return _KINDS[int(match.lastgroup[1:])]
    if "://" in text and any(not is_placeholder(match[1]) for match in _URL.finditer(text)):
        return "a connection string with a password"
    if (
        "=" in text
        and _DSN.search(text)
        and any(not is_placeholder(next(filter(None, match.groups()), "")) for match in _DSN_PASSWORD.finditer(text))
    ):
        return "a connection string with a password"
    return None


def _kind_of(text: str, name: str) -> str | None:
    if name.lower().replace("_", "") == "verifytoken":
        # Hugging Face's signature of an evaluation: made to be published.
        return None
    form = known_form(text)
    if form is not None:
        return form
    if _tells(name, text):
        return "a value whose name tells of a secret"
    if " " in text and any(_is_credential(match[1]) and not is_placeholder(match[1]) for match in _BEARER.finditer(text)):
        return "a bearer's token"
    if ("=" in text or ":" in text) and any(_tells(match[1], match[2]) and _is_credential(match[2]) for match in _ASSIGNED.finditer(text)):
        return "a secret in a text"
    return None


# --- what a value is called ---------------------------------------------------------------------------------------------

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_COLLECTION: Final = re.compile(r"(?:^|[_.-])(?:secrets|credentials|passwords|api[_-]?keys)$", re.IGNORECASE)
_OF_TEXTS: Final = frozenset({"id", "logprob", "score", "rank", "prob", "bytes", "special", "count", "start", "end", "index", "normalized"})
_AFTER: Final = frozenset({"value", "text", "plain", "plaintext", "raw", "base64", "b64", "hex", "string"})
_PASSWORDS: Final = frozenset({"password", "passwords", "passwd", "pwd", "passphrase", "passcode", "secret", "secrets"})
_JOINED: Final = frozenset(
    {"apikey", "apikeys", "apisecret", "apitoken", "clientsecret", "secretkey", "accesskey", "privatekey", "accesstoken", "authtoken"}
    | {"refreshtoken", "bearertoken", "authkey", "dbpassword", "authorization"}
)
_OF_KEYS: Final = frozenset(
    {
        "api",
        "access",
        "private",
        "secret",
        "encryption",
        "signing",
        "account",
        "master",
        "auth",
        "storage",
        "subscription",
        "service",
        "ssh",
        "deploy",
    }
)
_OF_TOKENS: Final = frozenset(
    {"access", "api", "auth", "authentication", "authorization", "oauth", "refresh", "bearer", "secret", "security", "personal", "private", "deploy"}
    | {"csrf", "id", "session", "bot", "service", "client", "hf", "hub", "huggingface", "huggingfacehub", "github", "gh", "gitlab", "slack", "npm"}
    | {"pypi", "wandb", "databricks", "telegram", "discord", "vault", "consul", "jwt", "webhook", "user", "login", "openai", "replicate", "app"}
)
# What a tokenizer, and a page of an answer, call a token.
_OTHER_TOKENS: Final = frozenset(
    {"bos", "eos", "pad", "padding", "unk", "unknown", "sep", "separator", "cls", "mask", "image", "img", "audio", "video", "vision", "start", "end"}
    | {"stop", "special", "begin", "beginning", "decoder", "encoder", "forced", "suppress", "prefix", "suffix", "middle", "fim", "eot", "eod", "sot"}
    | {"eom", "eoi", "boi", "boa", "eoa", "tool", "think", "per", "next", "page", "language", "lang", "max", "min", "num", "first", "last", "context"}
    | {
        "prompt",
        "completion",
        "input",
        "output",
        "cached",
        "word",
        "added",
        "content",
        "char",
        "byte",
        "placeholder",
        "verify",
        "target",
        "source",
        "redir",
        "redirect",
        "cursor",
        "continuation",
    }
)


@lru_cache(maxsize=4096)
def _called(name: str) -> str | None:
    """What a name tells of its value: a ``password``, a ``key``, a ``token``, something that is one if it ``looks`` so; or nothing."""
    words = [word.lower() for word in _WORDS.findall(name)]
    while words and (words[-1] in _AFTER or words[-1].isdigit()):
        words.pop()
    if not words:
        return None
    *before, last = words
    if last in _PASSWORDS or (last == "pass" and before):
        return "password"
    if last in _JOINED or (last in ("key", "keys") and before and before[-1] in _OF_KEYS):
        return "key"
    if last == "token" and not _OTHER_TOKENS & set(before):
        return "token" if _OF_TOKENS & set(before) else "looks"
    return "looks" if last in ("credential", "credentials") else None


def _tells(name: str, text: str) -> bool:
    """Whether a name says that its value is a secret, and the value is one, not a stand-in for it."""
    called = _called(name)
    if called is None or is_placeholder(text):
        return False
    if called == "looks":
        return _is_credential(text) or (name.lower() == "token" and _is_password(text))
    if called == "password":
        return not _is_sentence(text)
    # Bearer, and the token, have one blank between them; more words than that tell what would stand there.
    return len(text.split()) < 3 and not text.replace(".", "").isdigit()  # noqa: PLR2004


def _is_sentence(text: str) -> bool:
    """Whether words tell what would stand there; a pass phrase has some too, and neither a capital nor a full stop."""
    words = text.split()
    return len(words) > 6 or (len(words) > 2 and (text[0].isupper() or text.endswith(".")))  # noqa: PLR2004


def _is_password(text: str) -> bool:
    """Whether a value called token, which may be a piece of a text, is longer or more mixed than words are."""
    mixed = any(char.isdigit() for char in text) and any(char.isalpha() for char in text)
    return text.isascii() and text[0] not in _OPENING and len(text.split()) == 1 and len(text) >= (6 if mixed else 12)


def _is_credential(text: str) -> bool:
    """Whether it looks like one: no blank in it, and letters and digits."""
    plain = _BEARER.sub(r"\1", text)
    mixed = any(char.isdigit() for char in plain) and any(char.isalpha() for char in plain)
    return len(plain) >= _SHORTEST and not any(char.isspace() for char in plain) and mixed and plain[0] not in _OPENING and not is_placeholder(plain)


# --- what stands in a secret's place --------------------------------------------------------------------------------------

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
    | {
        "secret",
        "password",
        "passwd",
        "pass",
        "pwd",
        "token",
        "apikey",
        "api_key",
        "api-key",
        "key",
        "example",
        "sample",
        "dummy",
        "fake",
        "placeholder",
    }
    | {"required", "optional", "string", "str", "text", "default", "empty", "foo", "bar", "baz", "env", "changeit", "prompt", "bearer", "basic", "~"}
    | {"read", "write", "inherit", "enabled", "disabled", "allow", "deny"}
)
# Words of a text that was made up to be shown.
_SHOW: Final = re.compile(
    r"your|my[-_ ]?(?:api|secret|token|key|password)|change[-_ ]?me|replace|placeholder|insert|redacted|dummy|x{4,}|\*{3,}|\.{3}|…|[-_ ]here\b"
)
_REFERENCE: Final = re.compile(
    r"\$[A-Z_][A-Z0-9_]*|\$\{(?P<inside>[^}]*)\}|\$\(.*\)|\$\{\{.*\}\}|\{\{.*\}\}|\{[A-Za-z_][\w.]*\}|%\(?\w+\)?[s%]|<[^>]*>|\[[A-Za-z _-]*\]|__\w+__|#\{.*\}#?"
    r"|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|(?:os\.)?(?:environ|getenv)\b.*|process\.env\b.*|env(?:iron)?[:./(].*|!?(?:ENV|env|vault|secret|ref)\b[ :/(].*"
    r"|secrets?[.:/].*|vault[.:/].*|op://.*|ssm:.*|keyring:.*|arn:aws:(?:secretsmanager|ssm):.*|projects/[^/]+/secrets/.*|file:.*|/run/secrets/.*"
    r"|ENC\[.*|@Microsoft\.KeyVault.*",
    re.DOTALL,
)


def is_placeholder(text: str) -> bool:
    """Whether a text only holds a secret's place: a reference to where it is kept, a mask, a word like ``your-key-here``.

    ``${NAME:-value}`` is one if its value is.
    """
    text = text.strip().strip("\"'")
    low = text.lower()
    if low in _STAND_INS or len(set(text)) < 3 or _SHOW.search(low):  # noqa: PLR2004 - a mask is made of one sign, or two
        return True
    found = _REFERENCE.fullmatch(text)
    if found is None:
        return False
    inside = found["inside"] or ""
    return ":-" not in inside or is_placeholder(inside.partition(":-")[2])
