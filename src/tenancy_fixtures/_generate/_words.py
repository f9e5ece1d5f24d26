"""Words for texts, by what a column is called: names of people, places and things, as mimesis has them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Callable

from ..exceptions import MissingExtra
from ._random import key_of

if TYPE_CHECKING:
    from ._pattern import Slots

DRAWS = 3_000  # from which a pool is made: all that mimesis knows of most things
BASE36 = tuple("0123456789abcdefghijklmnopqrstuvwxyz")
_PEOPLE = re.compile(r"user|people|person|member|customer|client|employee|staff|author|contact|artist|student|teacher|owner|patient|player|lead")


def load_mimesis() -> Any:
    """The library, imported where it is used.

    :raises MissingExtra: it is not installed.
    """
    try:
        import mimesis
    except ModuleNotFoundError as error:
        hint = "Install tenancy-fixtures[generate]; it needs Python 3.10 or newer."
        raise MissingExtra("making data needs mimesis and numpy", extra="generate", hint=hint) from error
    return mimesis


class Words:
    """Pools of words for one seed, made once each."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._pools: dict[str, tuple[str, ...]] = {}

    def pool(self, kind: str) -> tuple[str, ...]:
        """Different words of a kind; also without regard to case."""
        if kind not in self._pools:
            mimesis = load_mimesis()
            # A seed of its own: words of one kind do not depend on which others were asked for before.
            source = _source(kind, mimesis.Generic(mimesis.Locale.EN, seed=key_of(self._seed, kind) % 2**32))
            drawn = {text.lower(): text for text in (str(source()) for _ in range(DRAWS))}
            self._pools[kind] = tuple(drawn.values())
        return self._pools[kind]


def _source(kind: str, made: Any) -> Callable[[], Any]:
    """What gives a word of a kind."""
    person, address, internet = made.person, made.address, made.internet
    named = {
        "first_name": person.first_name,
        "last_name": person.last_name,
        "full_name": person.full_name,
        "username": person.username,
        "occupation": person.occupation,
        "phone": person.phone_number,
        "gender": person.gender,
        "language": person.language,
        "country": address.country,
        "country_code": address.country_code,
        "city": address.city,
        "state": address.state,
        "street": address.address,
        "postal_code": address.postal_code,
        "locale": made.code.locale_code,
        "word": made.text.word,
        "sentence": made.text.quote,
        "colour": made.text.color,
        "company": made.finance.company,
        "currency": made.finance.currency_iso_code,
        "os": made.development.os,
        "version": made.development.version,
        "mime": made.file.mime_type,
        "extension": made.file.extension,
        "user_agent": internet.user_agent,
        "timezone": made.datetime.timezone,
        "product": made.food.dish,
        "ip": internet.ip_v4,
        "mac": internet.mac_address,
        "ean": made.code.ean,
        "isbn": made.code.isbn,
    }
    word = made.text.word
    together: dict[str, Callable[[], Any]] = {
        "email": lambda: f"{person.username(mask='l.d')}@example.{made.random.choice(('com', 'org', 'net'))}",
        "url": lambda: f"https://example.com/{word()}/{word()}",
        "title": lambda: f"{word().title()} {word().title()}",
        "words": lambda: f"{word()} {word()} {word()}",
    }
    return together.get(kind) or named[kind]


# What a column's name says of it, the first that fits; ``None`` where it depends on the table.
_HINTS: tuple[tuple[str, str | None], ...] = (
    (r"e_?mail", "email"),
    (r"^(user_?name|handle|login|nick(name)?|account|screen_name)$", "username"),
    (r"^(first|given|fore)_?name$", "first_name"),
    (r"^(last|family|sur)_?name$|^surname$", "last_name"),
    (r"(full|display|contact|real)_?name|^(author|artist|owner|composer|singer|customer|manager|person)$", "full_name"),
    (r"^(company|organi[sz]ation|employer|publisher|brand|label|vendor|supplier)(_name)?$", "company"),
    (r"user_?agent", "user_agent"),
    (r"^ip$|ip_?addr|remote_addr", "ip"),
    (r"^mac$|mac_?addr", "mac"),
    (r"url|link|website|homepage|href|^uri$", "url"),
    (r"phone|mobile|^fax$", "phone"),
    (r"country_?code|^country$|iso2|nation$|market", "country_code"),
    (r"country", "country"),
    (r"currency", "currency"),
    (r"locale", "locale"),
    (r"lang", "language"),
    (r"^(city|town)", "city"),
    (r"^(state|province|region|county)$", "state"),
    (r"post(al)?_?code|^zip", "postal_code"),
    (r"street|address", "street"),
    (r"time_?zone|^tz$", "timezone"),
    (r"colou?r", "colour"),
    (r"gender|^sex$", "gender"),
    (r"^(job|occupation|profession|position_title|job_title)", "occupation"),
    (r"mime|content_type|media_type", "mime"),
    (r"extension|suffix", "extension"),
    (r"platform|^os$|operating", "os"),
    (r"version|release$", "version"),
    (r"isbn", "isbn"),
    (r"^ean|barcode|gtin", "ean"),
    (r"product|dish|item_name", "product"),
    (r"description|comment|body|message|text|content|summary|note|bio|abstract|review|lyrics|remark", "sentence"),
    (r"slug|^code$|sku|tag|genre|category|kind|type|status|keyword|topic|group|role", "word"),
    (r"name", None),
    (r"title|album|track|song|playlist|headline|subject", "title"),
)
_KNOWN = tuple((re.compile(pattern), kind) for pattern, kind in _HINTS)


def kind_of(name: str, table: str) -> str:
    """The kind of words that suits a column; several words, where its name says nothing."""
    lowered = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    for pattern, kind in _KNOWN:
        if pattern.search(lowered):
            return kind or ("full_name" if _PEOPLE.search(table.lower()) else "title")
    return "words"


def hinted_slots(kind: str, words: Words, digits: int) -> Slots:
    """Pieces for texts of a kind that are all different: a code of ``digits`` signs, or two lists of words that suffice."""
    stem, separator = _stem(kind, words)
    signs = tuple("0123456789") if kind in _SPACED else BASE36
    code: Slots = [(separator,), *[signs] * digits] if digits else []
    if kind == "email":
        return [*stem, *code, ("@example.",), ("com", "org", "net")]
    return [("https://example.com/",), *stem, *code] if kind == "url" else [*stem, *code]


_SPACED = {"full_name", "title", "words", "sentence"}
_SPACES = {*_SPACED, "company", "city", "product", "occupation", "country", "state"}


def _stem(kind: str, words: Words) -> tuple[Slots, str]:
    """What stands before the code, and what stands between them."""
    if kind == "full_name":
        return [_bare(words.pool("first_name")), (" ",), _bare(words.pool("last_name"))], " "
    if kind in _SPACED:
        plain = _bare(words.pool("word"))
        plain = tuple(word.title() for word in plain) if kind == "title" else plain
        return [plain, (" ",), plain], " "
    separator = {"email": ".", "username": "_", "url": "/"}.get(kind, " " if kind in _SPACES else "-")
    return [_bare(words.pool("word"))] if kind in ("email", "username", "url") else [words.pool(kind)], separator


def _bare(pool: tuple[str, ...]) -> tuple[str, ...]:
    """Words in one piece: the ends of those that are put together cannot be mistaken."""
    return tuple(text for text in pool if text.isalnum() and text.isascii()) or BASE36
