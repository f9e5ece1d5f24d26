"""What a value is called, and whether the name and the value together tell of a secret."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

from ._looks import WORDS, is_credential, is_drawn, is_mixed, is_path, is_public
from ._stand_ins import is_placeholder

# A header is one that logs in; what looks is one if its value looks so, and so is what has a short name without an account beside it.
Called = Literal["password", "key", "header", "cookie", "looks", "short", "kept"]

KEPT: Final = "kept among secrets"  # what tells of the members of a collection of secrets

_AFTER: Final = frozenset({"value", "text", "plain", "plaintext", "raw", "base64", "b64", "hex", "string"})
_PASSWORDS: Final = frozenset({"password", "passwords", "passwd", "pwd", "passphrase", "passcode", "secret", "secrets"})
_SHORT: Final = frozenset({"pass", "pw", "pswd"})
_OF_PASSES: Final = frozenset(
    {"db", "database", "smtp", "imap", "mail", "email", "user", "admin", "root", "ftp", "sftp", "ssh", "proxy", "mysql", "pg", "postgres"}
    | {"sql", "redis", "mongo", "mongodb", "rabbitmq", "amqp", "ldap", "http", "auth", "basic", "login", "jdbc", "registry", "wifi", "account"}
    | {"mqtt", "kafka", "vpn"}
)
# A name in one word of small letters: dbpassword, apikey, hftoken.
_JOINED: Final = re.compile(r"([a-z0-9]*?)(api)?(keys?|token|password|passwd|secret|pass)")
_HEADERS: Final = frozenset({"authorization", "auth", "xauth"})
_COOKIES: Final = frozenset({"cookie", "cookies", "setcookie"})
_OF_KEYS: Final = frozenset({"api", "access", "private", "secret", "encryption", "signing", "auth", "ssh", "subscription", "master", "account"})
# Whose key it is, or what for: most of them call other things a key as well, such as the place of an object in a store.
_OF_OTHER_KEYS: Final = frozenset(
    {"storage", "service", "deploy", "shared", "webhook", "app", "client", "admin", "server", "root", "hmac", "aes", "jwt", "license"}
    | {"functions", "openai", "ai", "azure", "anthropic", "claude", "cohere", "mistral", "groq", "gemini", "google", "vertex", "palm"}
    | {"huggingface", "hf", "replicate", "together", "togetherai", "fireworks", "deepseek", "perplexity", "openrouter", "xai", "nvidia"}
    | {"bedrock", "aws", "gcp", "cloudflare", "ai21", "wandb", "comet", "neptune", "mlflow", "clearml", "langchain", "langsmith", "langfuse"}
    | {"litellm", "helicone", "pinecone", "weaviate", "qdrant", "serpapi", "serper", "tavily", "exa", "brave", "bing", "jina", "voyage"}
    | {"elevenlabs", "deepgram", "assemblyai", "stripe", "sendgrid", "twilio", "github", "gitlab", "slack", "databricks", "snowflake", "datadog"}
    | {"sentry", "rapidapi", "gpt", "llm", "dashscope", "zhipu", "moonshot", "kaggle"}
)
_OF_TOKENS: Final = frozenset(
    {"access", "api", "auth", "authentication", "authorization", "oauth", "refresh", "bearer", "secret", "security", "personal", "private", "deploy"}
    | {"hf", "hub", "huggingface", "huggingfacehub", "github", "gh", "gitlab", "slack", "npm", "pypi", "wandb", "databricks", "telegram", "discord"}
    | {"vault", "consul", "jwt", "webhook", "openai", "replicate"}
)
# What a tokenizer, and a page of an answer, call a token.
_OTHER_TOKENS: Final = frozenset(
    {"bos", "eos", "pad", "padding", "unk", "unknown", "sep", "separator", "cls", "mask", "image", "img", "audio", "video", "vision", "start", "end"}
    | {"stop", "special", "begin", "beginning", "decoder", "encoder", "forced", "suppress", "prefix", "suffix", "middle", "fim", "eot", "eod", "sot"}
    | {"eom", "eoi", "boi", "boa", "eoa", "tool", "think", "per", "next", "page", "language", "lang", "max", "min", "num", "first", "last", "context"}
    | {"prompt", "completion", "input", "output", "cached", "word", "added", "content", "char", "byte", "placeholder", "verify", "target", "source"}
    | {"redir", "redirect", "cursor", "continuation", "system", "assistant", "sub"}
)
_OTHERS: Final = frozenset({"credential", "credentials", "bearer", "pat", "sas"})
_SCHEME: Final = re.compile(r"(?:bearer|basic|token|api-?key|bot|digest)\s+(?=\S)", re.IGNORECASE)
_NAMED: Final = re.compile(r"[A-Za-z]+(?:[-_. ][A-Za-z]+)+")
_COOKIE: Final = re.compile(r"=\s*([^;=\s]+)")
_CODE: Final = re.compile(r"[a-z_]\.[a-z_]|[()\[\]]")  # form.password1, getpass()
_LABEL: Final = frozenset({"password", "passwd", "passphrase", "passcode", "secret", "key", "token", "credential", "credentials", "apikey"})
_LEAST_NUMBER: Final = 4  # digits of a number that is a password: labels have such names as well, and small numbers
_WORD: Final = 8  # letters of a word that is no key


@lru_cache(maxsize=4096)
def called(name: str) -> Called | None:
    """What a name tells of its value."""
    if name == KEPT:
        return "kept"
    words = [word.lower() for word in WORDS.findall(name)]
    while words and (words[-1] in _AFTER or words[-1].isdigit()):
        words.pop()
    if not words:
        return None
    joined = _JOINED.fullmatch(words[-1])
    *before, last = words[:-1] + [part for part in joined.groups() if part] if joined else words
    return _password(before, last, alone=name.isalpha()) or _header(before, last) or _key_or_token(before, last)


def _password(before: list[str], last: str, *, alone: bool) -> Called | None:
    if last in _PASSWORDS:
        return "password"
    if last not in _SHORT:
        return None
    if before:
        return "password" if before[-1] in _OF_PASSES else "looks"
    return "short" if alone else "looks"  # pass@1 is a measure


def _header(before: list[str], last: str) -> Called | None:
    if last in _COOKIES:
        return "cookie"
    return "header" if last in _HEADERS and (last != "auth" or before in ([], ["x"])) else None


def _key_or_token(before: list[str], last: str) -> Called | None:
    if last in ("key", "keys") and before:
        if before[-1] in _OF_KEYS:
            return "key"
        return "looks" if before[-1] in _OF_OTHER_KEYS else None
    if last == "token" and not _OTHER_TOKENS & set(before):
        return "key" if _OF_TOKENS & set(before) else "looks"
    return "looks" if last in _OTHERS else None


def tells(name: str, text: str) -> bool:
    """Whether a name says that its value is a secret, and the value is one, not a stand-in for it."""
    kind = called(name)
    if kind is None or is_placeholder(text):
        return False
    if kind == "password":
        return _is_password(name, text)
    scheme = _SCHEME.match(text)
    bare = text[scheme.end() :] if scheme else text
    if is_placeholder(bare) or is_path(bare) or is_public(bare) or _is_name(name, bare):
        return False
    if kind == "key" or (kind == "header" and scheme and not bare.islower()):
        return _is_key(bare)
    return is_credential(bare) or _is_special(kind, name, bare)


def _is_special(kind: Called, name: str, text: str) -> bool:
    """Whether a value that does not look like a key is one for what it is called."""
    if kind == "cookie":
        return any(is_credential(value) and not is_placeholder(value) for value in _COOKIE.findall(text))
    if kind == "kept":
        return text.isalnum() and is_mixed(text)
    return name.lower() == "token" and _is_odd(text)


def tells_within(name: str, text: str, *, sure: bool) -> bool:
    """The same of a name and a value within a text, where code and prose have such pairs too. ``sure`` says that they are no prose."""
    kind = called(name)
    if kind is None or not tells(name, text):
        return False
    if kind == "password":
        return is_mixed(text, 6 if sure else 8) and not _CODE.search(text)
    return is_credential(text) if kind == "key" else is_drawn(text)


def _is_name(name: str, text: str) -> bool:
    """Whether a value only names what would stand there: ``db-password``, ``Enter password``, or the same as its own name."""
    return text.lower() == name.lower() or (_NAMED.fullmatch(text) is not None and not _LABEL.isdisjoint(re.split(r"[-_. ]", text.lower())))


def _is_password(name: str, text: str) -> bool:
    if text.isdigit():
        return len(text) >= _LEAST_NUMBER
    if text.replace(".", "", 1).isdigit() or (name.lower().endswith("pwd") and is_path(text)):
        return False  # a figure of a measure; where a shell is
    return not _is_sentence(text) and not _is_name(name, text)


def _is_key(text: str) -> bool:
    """Whether it may be a key or a token: one word, neither a number nor a short one of small letters."""
    return len(text.split()) == 1 and not text.replace(".", "").isdigit() and not (text.isalpha() and text.islower() and len(text) <= _WORD)


def _is_sentence(text: str) -> bool:
    """Whether words tell what would stand there; a pass phrase has some too, and neither a capital nor a full stop."""
    words = text.split()
    return len(words) > 6 or (len(words) > 2 and (text[0].isupper() or text.endswith(".")))  # noqa: PLR2004


def _is_odd(text: str) -> bool:
    """Whether a value called token, which may be a piece of a text, is longer or more mixed than words are."""
    return text.isascii() and len(text.split()) == 1 and (is_mixed(text, 6) or (len(text) >= 12 and text[0] not in "<[({|/.~"))  # noqa: PLR2004
