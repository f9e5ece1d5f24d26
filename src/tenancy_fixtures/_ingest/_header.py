"""The names of a table's columns: as its header writes them, or as the mapping does where only case, blanks or what stands between words differ."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..exceptions import SourceMalformed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from .readers import Header
    from .sources import FileSource

_BETWEEN_WORDS = re.compile(r"[\s_-]+")
_NEW_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BLANKS = " \t\r\n\v\f\xa0\u200b\ufeff"


def fold(name: str) -> str:
    """A name without the blanks (and byte order marks) around it, in small letters."""
    return name.strip(_BLANKS).casefold()


def fold_words(name: str) -> str:
    """A name as :func:`fold` has it, however its words are parted: ``Track Name`` and ``trackName`` are ``track_name``."""
    return _BETWEEN_WORDS.sub("_", fold(_NEW_WORD.sub("_", name)))


def count_wanted(cells: Iterable[str], wanted: Collection[str]) -> int:
    """How many of the wanted names are among these cells, whatever their case and blanks, and what stands between their words."""
    there = {form(cell) for cell in cells for form in (fold, fold_words)}
    return len({fold_words(name) for name in wanted if fold(name) in there or fold_words(name) in there})


def name_columns(source: FileSource, cells: Sequence[str], wanted: Collection[str]) -> tuple[Header, tuple[str, ...]]:
    """The names that the mapping is given, and notes on those that it would not have found as they are written.

    A blank name that nobody wants becomes ``(column 3)``.

    :raises SourceMalformed: a name that the mapping wants is there twice, or one holds a NUL.
    """
    if any("\x00" in cell for cell in cells):
        raise SourceMalformed(f"the header of {source.name} holds a NUL byte", source=source.name)
    alike = _alike(cells, wanted)
    named = [alike.get(place, cell) for place, cell in enumerate(cells)]
    names = tuple(name if name.strip(_BLANKS) or name in wanted else f"(column {place})" for place, name in enumerate(named, start=1))
    _refuse_twice(source, names, wanted)
    return names, (_other_spellings(alike),) if alike else ()


def _other_spellings(alike: Mapping[int, str]) -> str:
    one = len(alike) == 1
    places, read_as = ", ".join(str(place + 1) for place in alike), ", ".join(alike.values())
    return f"column{'' if one else 's'} {places} {'is' if one else 'are'} read as {read_as}: only case, blanks or what stands between words differ"


def _alike(cells: Sequence[str], wanted: Collection[str]) -> dict[int, str]:
    """By place, the wanted name of a column that no column is called exactly, where just one is called nearly so."""
    lacking = sorted(name for name in wanted if name not in cells)
    found: dict[int, str] = {}
    for name in lacking:
        places = [place for place, cell in enumerate(cells) if cell not in wanted and fold(cell) == fold(name)]
        if len(places) == 1 and sum(fold(other) == fold(name) for other in lacking) == 1:
            found[places[0]] = name
    # Names that only differ in what stands between their words are ways to write one name: the first will do for all of them.
    known = {fold_words(name) for name in wanted if name in cells} | {fold_words(name) for name in found.values()}
    for name in lacking:
        places = [place for place, cell in enumerate(cells) if cell not in wanted and place not in found and fold_words(cell) == fold_words(name)]
        if fold_words(name) not in known and len(places) == 1 and fold(cells[places[0]]) != fold(name):
            found[places[0]] = name
            known.add(fold_words(name))
    return dict(sorted(found.items()))


def _refuse_twice(source: FileSource, names: Header, wanted: Collection[str]) -> None:
    for name in dict.fromkeys(names):
        if name in wanted and names.count(name) > 1:
            places = ", ".join(str(place) for place, other in enumerate(names, start=1) if other == name)
            message = f"the header of {source.name} names columns {places} alike, and the dataset reads {name!r}"
            raise SourceMalformed(message, source=source.name, column=name, hint="Give every column that is read a name of its own.")
