"""Which tables hold reference data, by which key their rows are known, and which columns look like personal data: guesses, for people to look at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .._pack_models import IDENTIFIER
from .._shapes import Shape

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from .._shapes import Index, Table

# Parts of the names of columns that hold what is somebody's own, or secret.
_PERSONAL: Final = re.compile(
    r"(^|_)(e?_?mails?|phones?|mobile|telephone|fax|(first|last|middle|given|family|full|maiden|sur|user|nick)_?names?|login|birth\w*|born|dob|age|gender|sex"
    r"|nationality|ssn|passport|tax_?id|iban|bic|card(_?number)?|cvv|street|address\d?|zip(_?code)?|post(al)?_?code|city|ip(_?address)?|latitude|longitude|salary"
    r"|passw(or)?d\w*|secret|token|api_?key|private_?key|credentials?|signature)(_|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class ReferenceTable(Shape):
    """A table whose rows go into the pack: how many, by which key they are known and why by that, and which columns look personal.

    ``drawn`` are columns whose values the database draws anew when the rows are loaded; they are no part of the data.
    """

    table: str
    dataset: str
    rows: int
    key: tuple[str, ...]
    why: str
    personal: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()


@dataclass(frozen=True)
class LeftOut(Shape):
    """A table whose rows do not go into the pack, and why."""

    table: str
    why: str


def personal_columns(table: Table) -> tuple[str, ...]:
    """Columns that by their names hold personal data, or secrets."""
    return tuple(column.name for column in table.columns if _PERSONAL.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column.name)))


def drawn_columns(table: Table) -> tuple[str, ...]:
    """Identities that no load writes."""
    return tuple(column.name for column in table.columns if column.identity == "always")


def key_of(table: Table, made_up: Collection[str]) -> tuple[tuple[str, ...], str] | None:
    """The columns by which people know a row, and why these; ``made_up`` are those whose values the database makes up. ``None`` where there is no key."""
    required = {column.name for column in table.columns if not column.nullable} - set(drawn_columns(table))
    indexes = [index for index in table.indexes if index.unique and index.columns and required.issuperset(index.columns)]
    natural = [index for index in indexes if not _is_surrogate(index, table, made_up)]
    if natural:
        # A primary key that nobody makes up is one that people chose.
        best = min(natural, key=lambda index: (not index.primary, len(index.columns), index.name))
        return best.columns, f"the {'primary key' if best.primary else 'unique ' + best.name}"
    if indexes:
        return indexes[0].columns, f"{indexes[0].name}, whose values the database makes up: rows that others add may have the same"
    return None


def _is_surrogate(index: Index, table: Table, made_up: Collection[str]) -> bool:
    if len(index.columns) != 1:
        return False
    column = table.column(index.columns[0])
    # A number called id is one that somebody draws, be it in the application.
    drawn = index.primary and column is not None and column.name == "id" and column.type.name in ("int2", "int4", "int8", "uuid")
    return index.columns[0] in made_up or drawn


def can_be_dataset(table: Table) -> bool:
    """Whether a dataset may name the table."""
    return re.fullmatch(IDENTIFIER, table.name) is not None


def dataset_names(tables: Iterable[str]) -> dict[str, str]:
    """A dataset's name for each table, no two alike."""
    names: dict[str, str] = {}
    for table in tables:
        base = re.sub(r"[^a-z0-9_.-]", "_", table.lower()).lstrip("_.-") or "table"
        name, number = base[:63], 1
        while name in names.values():
            number += 1
            name = f"{base[:59]}_{number}"
        names[table] = name
    return names


def closed(chosen: Mapping[str, ReferenceTable], tables: Mapping[str, Table]) -> dict[str, str]:
    """Tables among the chosen that refer to others which are not, or to numbers that are drawn anew: each with the reason."""
    left: dict[str, str] = {}
    while True:
        found = {name: why for name in chosen if name not in left for why in [_open_reference(name, chosen, tables, left)] if why}
        if not found:
            return left
        left.update(found)


def _open_reference(name: str, chosen: Mapping[str, ReferenceTable], tables: Mapping[str, Table], left: Collection[str]) -> str:
    for key in tables[name].foreign_keys:
        target = chosen.get(key.target_table) if key.target_table not in left else None
        if key.target_schema == tables[name].schema and target is None:
            return f"it refers to {key.target_table}, whose rows do not go into the pack"
        if target is not None and set(key.target_columns) & set(target.drawn):
            return f"it refers to {key.target_table} by a number that is drawn anew"
    return ""
