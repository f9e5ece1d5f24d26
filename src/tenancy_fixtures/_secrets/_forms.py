"""Secrets within a text: by the forms in which they are published, in URLs and headers, behind a name, and in commands."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ._looks import is_credential, is_drawn, is_drawn_behind_a_prefix, is_path
from ._names import tells_within
from ._stand_ins import is_placeholder, is_shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Found(NamedTuple):
    """A secret's place in a text, and its kind."""

    start: int
    end: int
    kind: str


_FORMS: Final = {
    "a private key": r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?=[\s\S]{0,300}?[A-Za-z0-9+/]{20})|AGE-SECRET-KEY-1[0-9A-Z]{50,}",
    "a key of AWS": r"(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])|(?<=X-Amz-Signature=)[0-9a-f]{64}",
    "a token of GitHub": r"gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}",
    "a token of GitLab": r"gl(?:pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_-]{20,}",
    "a token of Slack": r"xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}"
    r"|hooks\.slack\.com/(?:services|workflows|triggers)/[TE][A-Z0-9]+/[A-Z0-9]+/[A-Za-z0-9/]{16,}",
    "a key of Anthropic": r"sk-ant-[A-Za-z0-9_-]{16,}",
    "an API key": r"sk-(?:proj|svcacct|admin|or|lf|live|test|helicone)-[A-Za-z0-9_-]{16,}|sk-[A-Za-z0-9]{16,}"
    r"|(?:gsk|r8|fw|nvapi|pplx|xai|tgp_v1|lsv2_pt|lsv2_sk|ls_|dop_v1|shpat|sq0atp|rpa|pcsk|e2b|tvly|jina|llx|csk|sbp|ntn|lin_api|figd|glsa|glc"
    r"|dckr_pat|pscale_tkn|pscale_pw|PMAK|pnu|KGAT|wandb_v1|rubygems|hvs|dp\.pt)[_.-][A-Za-z0-9_-]{20,}|(?:fc|key)-[0-9a-f]{32}(?![0-9A-Za-z])|pat[A-Za-z0-9]{14}\.[0-9a-f]{64}",
    "a token of Hugging Face": r"hf_[A-Za-z0-9]{20,}|api_org_[A-Za-z0-9]{30,}",
    "a key of Google": r"AIza[0-9A-Za-z_-]{35}|GOCSPX-[A-Za-z0-9_-]{20,}|ya29\.[A-Za-z0-9_-]{20,}|1//0[A-Za-z0-9_-]{40,}|(?<=X-Goog-Signature=)[0-9a-f]{64,}",
    "a key of Stripe": r"[rs]k_(?:live|test)_[0-9A-Za-z]{16,}|whsec_[0-9A-Za-z+/=]{20,}",
    "a key of SendGrid": r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    "a token of a package index": r"npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{40,}",
    "a token of Databricks": r"dapi[0-9a-f]{32}",
    "a token of Telegram": r"(?:bot)?[0-9]{8,10}:AA[A-Za-z0-9_-]{30,36}(?![A-Za-z0-9_-])",
    "a token of Discord": r"discord(?:app)?\.com/api/(?:v[0-9]{1,2}/)?webhooks/[0-9]{15,20}/[A-Za-z0-9_-]{30,}"
    r"|[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}",
    "a token (JWT)": r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    "a key of Azure": r"(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/=]{20,}|(?<=[?&])sig=[A-Za-z0-9%+/=_-]{20,}"
    r"|[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}|webhook\.office\.com/webhookb2/[A-Za-z0-9@/-]{40,}",
}
_KINDS: Final = tuple(_FORMS)
# Their prefixes are words as well, or begin some.
_OF_WORDS: Final = frozenset({"a key of Anthropic", "an API key", "a token of Hugging Face", "a token of a package index", "a token of Discord"})
_KNOWN: Final = re.compile("(?<![A-Za-z0-9])(?:" + "|".join(f"(?P<f{number}>{form})" for number, form in enumerate(_FORMS.values())) + ")")
_END: Final = re.compile(r"-----END [A-Z0-9 ]{1,60}-----")
_SHORTEST: Final = 8  # characters: below that nothing is known by its form
_LEAST_SIGNS: Final = 4  # different ones in the end of a key: xxxxxxxx has one, abcabcabc three
_CONNECTION: Final = "a connection string with a password"
_IN_A_TEXT: Final = "a secret in a text"
_URL: Final = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s:/@\"'<>]*:([^\s/\"'<>]+)@")
# Sentry's URLs have a key before the @ which is public.
_URL_TOKEN: Final = re.compile(r"(?<![A-Za-z0-9+.-])https?://([A-Za-z0-9_-]{20,})@(?!o[0-9]+\.|[\w.-]{0,60}sentry)")
_DSN: Final = re.compile(r"\b(?:host|hostaddr|server|data source|dbname|database|user id|uid|user)\s{0,8}=", re.IGNORECASE)
_DSN_PASSWORD: Final = re.compile(r"\b(?:password|pwd)\s{0,8}=\s{0,8}(?:'([^']*)'|\"([^\"]*)\"|([^\s;&,'\"]+))", re.IGNORECASE)
_SCHEME: Final = re.compile(r"\b(bearer|basic|(?<=[:=\"'] )token|(?<=[:=\"'])token|api-?key)\s{1,8}([A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE)
_COOKIE: Final = re.compile(r"\bcookie[\"']?\s{0,8}[:=]\s{0,8}[\"']?([^\r\n\"']{8,4096})", re.IGNORECASE)
_PAIR: Final = re.compile(r"=\s{0,8}([^;=\s]+)")
_VALUE: Final = r"(\$\{[^{}]*\}|\{\{[^{}]*\}\}|[^\s\"',;&?}\\]+)"
_ASSIGNED: Final = re.compile(r"(?:^|[\s\"'\[,;?&{`])-{0,2}([A-Za-z][\w-]{2,60})\\?[\"']?\s{0,8}([=:])\s{0,8}\\?[\"']?" + _VALUE, re.MULTILINE)
_QUERY: Final = re.compile(r"[?&](?:key|code|auth|pass|pw)=([^\s&#\"'<>]{12,})")
_FLAG: Final = re.compile(r"(?:^|[\s\"'`])--?([A-Za-z][\w-]{2,60})\s{1,8}[\"']?(?!-)" + _VALUE, re.MULTILINE)
_ELEMENT: Final = re.compile(r"<([A-Za-z][\w-]{2,60})>([^<>\s]{6,200})</")
_COMMANDS: Final = tuple(
    re.compile(command + r"[^\n;|]{0,160}?\s" + flag + r"[\"']?([^\s\"'|;]+)")
    for command, flag in (
        (r"\bcurl\b", r"(?:-u|--user|--proxy-user)(?:\s{1,8}|=)?[\"']?[^\s:\"']{0,60}:"),
        (r"(?<![\w-])(?:mysql|mysqldump|mysqladmin|mysqlimport|mariadb|mariadb-dump)(?=\s)", r"-p"),
        (r"\bsshpass\b", r"-p\s{0,8}"),
        (r"\bredis-cli\b", r"-a\s{1,8}"),
        (r"\bmachine\s{1,8}\S{1,200}", r"password\s{1,8}"),  # a line of .netrc
        (r"\b(?:docker|podman|helm|az|oc)\s{1,8}(?:registry\s{1,8})?login\b", r"-p\s{1,8}"),
    )
)

_COMMAND: Final = re.compile(r"(?:.*/)?(?:curl|mysql|mysqldump|mysqladmin|mariadb|sshpass|redis-cli)")


def known_in(text: str) -> Iterator[Found]:
    """What is a secret whatever it is called: published forms, and connection strings with a password."""
    if len(text) < _SHORTEST:
        return
    yield from _published(text)
    if "://" in text:
        yield from (Found(*match.span(1), _CONNECTION) for match in _URL.finditer(text) if not is_placeholder(match[1]))
        yield from (Found(*match.span(1), _CONNECTION) for match in _URL_TOKEN.finditer(text) if is_drawn(match[1]))
    if "=" in text and _DSN.search(text):
        for match in _DSN_PASSWORD.finditer(text):
            group = match.lastindex or 0
            if not is_placeholder(match[group]) and not is_path(match[group]):
                yield Found(*match.span(group), _CONNECTION)


def told_in(text: str) -> Iterator[Found]:
    """What a text tells to be a secret by the words before it: the scheme of a header, a name, a flag, a command."""
    if len(text) >= _SHORTEST:
        yield from _in_headers(text)
        yield from _named(text)
        yield from in_commands(text)


def in_commands(text: str) -> Iterator[Found]:
    """The passwords of commands that take them by one letter: ``curl -u``, ``mysql -p``."""
    for command in _COMMANDS:
        yield from (Found(*match.span(1), "a password of a command") for match in command.finditer(text) if not is_placeholder(match[1]))


def in_command(words: Sequence[Any]) -> list[str]:
    """The passwords in a command whose words are the items of a list."""
    texts = [word for word in words if isinstance(word, str)]
    if not any(_COMMAND.fullmatch(text) for text in texts):
        return []
    command = " ".join(texts)
    return [command[found.start : found.end] for found in in_commands(command)]


def _published(text: str) -> Iterator[Found]:
    done = 0  # the end of the last key in a block: what is in it is not looked at again, nor is its end looked for
    for match in _KNOWN.finditer(text):
        if match.start() < done:
            continue
        assert match.lastgroup is not None
        kind, end = _KINDS[int(match.lastgroup[1:])], match.end()
        if is_shown(match[0]) or len(set(match[0][-12:])) < _LEAST_SIGNS:
            continue
        if kind in _OF_WORDS and not is_drawn_behind_a_prefix(match[0]):
            continue
        if match[0].startswith("-----"):
            last = _END.search(text, end)
            done = end = last.end() if last else len(text)
        yield Found(match.start(), end, kind)


def _named(text: str) -> Iterator[Found]:
    for match in _ASSIGNED.finditer(text):
        if tells_within(match[1], match[3], sure=match[2] == "="):
            yield Found(*match.span(3), _IN_A_TEXT)
    for form in (_FLAG, _ELEMENT):
        yield from (Found(*match.span(2), _IN_A_TEXT) for match in form.finditer(text) if tells_within(match[1], match[2], sure=True))
    yield from (Found(*match.span(1), _IN_A_TEXT) for match in _QUERY.finditer(text) if is_drawn(match[1]))


def _in_headers(text: str) -> Iterator[Found]:
    if " " in text:
        for match in _SCHEME.finditer(text):
            if _logs_in(match[1].lower(), match[2]) and not is_placeholder(match[2]):
                yield Found(*match.span(2), "a bearer's token" if match[1].lower() == "bearer" else "what logs in over HTTP")
    for cookie in _COOKIE.finditer(text):
        start = cookie.start(1)
        for pair in _PAIR.finditer(cookie[1]):
            if is_credential(pair[1]) and not is_placeholder(pair[1]):
                yield Found(start + pair.start(1), start + pair.end(1), "a cookie")


def _logs_in(scheme: str, value: str) -> bool:
    """Whether a value is what the scheme asks for: prose has these words too, and names of models behind them."""
    if scheme != "basic":
        return is_credential(value)
    try:
        name, colon, password = b64decode(value, validate=True).decode().partition(":")
    except (NotBase64, UnicodeDecodeError):
        return False
    return bool(colon) and name.isprintable() and password.isprintable() and not is_placeholder(password)
