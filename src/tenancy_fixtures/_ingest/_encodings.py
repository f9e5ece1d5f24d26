"""Which encoding a text is in, where nobody said: its byte order mark, its pattern of NULs, UTF-8, and then a guess."""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# UTF-32 before UTF-16: the mark of the one starts with the mark of the other.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# By encoding without a mark: how many bytes a character has, and at which of their places Latin text has a NUL.
_NULS = {"utf-32-le": (4, (1, 2, 3)), "utf-32-be": (4, (0, 1, 2)), "utf-16-le": (2, (1,)), "utf-16-be": (2, (0,))}
_NUL_SHARE = 0.05  # of the characters in a table's first lines: delimiters and ends of lines are Latin in any language
_HEAD = 64 * 1024
# Text with something else than ASCII in it that is enough to tell encodings apart; the guess takes some 50 ms for it.
_ENOUGH = 24 * 1024
# In Western text a letter with an accent stands among plain ones; in other alphabets such bytes follow each other.
_ISOLATED = 0.4
_IMPLAUSIBLE = 0.06
_WESTERN = ("cp1252", "cp1250", "cp850", "mac_roman", "cp437", "iso8859-2")
_LATIN_END = "\u0250"
# Of encodings that read a text alike, the one that is met most.
_COMMON = (
    "cp1252",
    "cp932",
    "euc_jp",
    "gb18030",
    "big5",
    "cp949",
    "cp1251",
    "koi8_r",
    "cp866",
    "cp1253",
    "cp1255",
    "cp1256",
    "cp1254",
    "cp1250",
    "cp874",
)
_NO_TEXT = re.compile(rb"\xef\xbf\xbd?")  # the replacement character, whole or cut: somebody before us read the text wrongly
_HIGH = re.compile(rb"[\x80-\xff]+")
# Signs that may be followed by a letter, and those that no letter comes before.
_BEFORE_LETTERS = frozenset("\u2019\u2018\u201c\u201d\u201a\u201e\u2013\u2014\u2026\u20ac\xa0\xa1\xaa\xab\xb0\xb4\xb7\xba\xbb\xbf")
_AFTER_NO_LETTER = frozenset("\u201a\u201e\u02c6\u20ac\xa1\xa3\xbf\xb9")


@dataclass
class Encoding:
    """The encoding of one source. ``name`` is ``None`` as long as nothing but ASCII was met, and every encoding is still possible."""

    stated: str | None = None
    name: str | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        self.name = self.name or self.stated

    def see_head(self, head: bytes) -> None:
        """Decide by the first bytes of the source, where they tell."""
        marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
        name = _by_nuls(head[:_HEAD]) if marked is None else None
        if marked is not None:
            self._decide(marked, None if marked == "utf-8" else f"encoding {marked}, by its byte order mark")
        elif name is not None:
            self._decide(name, f"encoding {name}, guessed")
        elif b"\x1b$B" in head or b"\x1b$@" in head:
            self._decide("iso2022_jp", "encoding iso2022_jp, guessed")

    def see_text(self, sample: bytes) -> str:
        """Decide by text that is not all ASCII, from its first such byte on."""
        name = _guess(sample)
        self._decide(name, None if name == "utf-8" else f"encoding {name}, guessed")
        return name

    def _decide(self, name: str, note: str | None) -> None:
        self.name, self.note = name, note


def _by_nuls(head: bytes) -> str | None:
    if b"\x00" not in head:
        return None
    return next((name for name, (width, places) in _NULS.items() if _is_wide(head[: len(head) // width * width], name, width, places)), None)


def _is_wide(head: bytes, name: str, width: int, places: tuple[int, ...]) -> bool:
    """Whether characters have that width: enough of them are Latin, most ends of lines are among those, and all are text."""
    units = [head[start : start + width] for start in range(0, len(head), width)]
    latin = [unit for unit in units if all(unit[place] == 0 for place in places)]
    ends = sum(b"\n" in unit or b"\r" in unit for unit in latin)
    if len(latin) < len(units) * _NUL_SHARE or 2 * ends < head.count(b"\n") + head.count(b"\r") or not ends:
        return False
    try:
        return "\x00" not in codecs.getincrementaldecoder(name)().decode(head)
    except UnicodeDecodeError:
        return False


def _guess(sample: bytes) -> str:
    if _is_utf8(sample):
        return "utf-8"
    seen = _NO_TEXT.sub(b"", b"\n".join(_telling(sample.splitlines())))
    runs = _HIGH.findall(seen)
    if sum(len(run) == 1 for run in runs) >= _ISOLATED * sum(map(len, runs)):
        scores = {name: _implausible(seen, name) for name in _WESTERN}
        best = min(scores, key=lambda name: scores[name])
        # When in doubt the first, which most such files are in.
        chosen = _WESTERN[0] if scores[_WESTERN[0]] <= max(_IMPLAUSIBLE, scores[best]) else best
        if scores[chosen] <= 2 * _IMPLAUSIBLE:
            return chosen
    return _normalizer(seen)


def _is_utf8(sample: bytes) -> bool:
    """Whether it is UTF-8, or was: text in which a few bytes are at fault is damaged, and no guess would mend it."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return _was_utf8(sample)
    return True


def _was_utf8(sample: bytes) -> bool:
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(sample)
    bad = sum("\udc80" <= char <= "\udcff" for char in text)
    good = [char for char in text if char > "\x7f" and char != "\ufffd" and not "\udc80" <= char <= "\udcff"]
    # Two bytes that make a Latin letter in UTF-8 hardly stand beside each other in any other encoding's text.
    latin = sum(char < _LATIN_END and char.isalpha() for char in good)
    return len(good) > 2 * bad or latin >= bad


def _telling(lines: Iterable[bytes]) -> Iterable[bytes]:
    """The lines that have more than ASCII in them, as many as are enough."""
    size = 0
    for line in lines:
        if not line.isascii():
            yield line[:_ENOUGH]
            size += len(line)
            if size >= _ENOUGH:
                return


def _implausible(seen: bytes, name: str) -> float:
    """The share of characters beyond ASCII that Western text would not have where they stand."""
    try:
        text = seen.decode(name)
    except UnicodeDecodeError:
        return 1.0
    places = [place for place, char in enumerate(text) if char > "\x7f"]
    return sum(_is_odd(text[place - 1 : place], text[place], text[place + 1 : place + 2]) for place in places) / max(1, len(places))


def _is_odd(before: str, char: str, after: str) -> bool:
    if char.isalpha():
        cased = (char.isupper() and before.islower()) or (char.islower() and after.isupper())
        return cased or char == "\u0192" or unicodedata.category(char) == "Lo" or not unicodedata.name(char, "").startswith("LATIN")
    if unicodedata.category(char) in ("Cc", "Cn", "Co"):
        return True
    return (after.isalpha() and char not in _BEFORE_LETTERS) or (before.isalpha() and char in _AFTER_NO_LETTER)


def _normalizer(seen: bytes) -> str:
    from charset_normalizer import from_bytes

    found = from_bytes(seen).best()
    if found is not None and found.encoding not in ("ascii", "utf_8"):
        alike = found.could_be_from_charset
        return next((name for name in _COMMON if name in alike), found.encoding)
    return next(name for name in ("cp1252", "latin-1") if _implausible(seen, name) < 1 or name == "latin-1")
