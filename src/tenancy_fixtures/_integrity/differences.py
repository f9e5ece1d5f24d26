"""How a schema's structure differs from what the pack makes, object by object."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from .._shapes import Shape
from .made import belongs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

# What tools of migration keep their history in: no part of what a pack makes, unless it says so itself.
HISTORIES = frozenset({"alembic_version", "django_migrations", "schema_migrations", "ar_internal_metadata", "flyway_schema_history"})

# Definitions by kind and name.
Structure = Mapping[tuple[str, str], str]

_PLACE_OF_COLUMN = re.compile(r"^\d+ ")


@dataclass(frozen=True)
class Difference(Shape):
    """An object that is ``missing``, ``extra`` or ``changed`` against what the pack makes; definitions as PostgreSQL prints them."""

    kind: str
    name: str
    how: str
    expected: Optional[str] = None
    found: Optional[str] = None

    def __str__(self) -> str:
        return f"{self.how}: {self.kind} {self.name}"


def comparable(structure: Mapping[str, str], out_of_force: Iterable[Mapping[str, str]] = ()) -> dict[tuple[str, str], str]:
    """A fingerprint by kind and name, without comments and columns' places.

    What is not in force has another definition: a constraint that was never checked, a trigger, a rule or a reference that is switched off, an
    index that is invalid.
    """
    parts = {tuple(item.split(" ", 1)): text for item, text in structure.items() if not item.startswith("comment on ")}
    found = {(kind, name): _PLACE_OF_COLUMN.sub("", text) if kind == "column" else text for (kind, name), text in parts.items()}
    for row in out_of_force:
        # The fingerprint says the rest.
        if (row["kind"], row["object"]) in found and row["fault"].startswith("is not enforced"):
            found[row["kind"], row["object"]] += f" ({row['fault']})"
    return found


def tables_of(structure: Structure) -> set[str]:
    """The names of its tables."""
    return {name for kind, name in structure if kind == "table"}


def without(structure: Structure, tables: AbstractSet[str]) -> dict[tuple[str, str], str]:
    """A structure without these tables and all that is theirs."""
    there = tables_of(structure) & tables
    if not there:
        return dict(structure)
    return {(kind, name): text for (kind, name), text in structure.items() if name not in there and not belongs(name, text, there)}


def differences(expected: Structure, found: Structure) -> tuple[Difference, ...]:
    """What differs; the parts of a table that is missing, or extra, go with it, and the index of a constraint with that."""
    alone = {name for kind, name in expected.keys() ^ found.keys() if kind == "table"}
    carried = {name.rpartition(".")[2] for kind, name in expected.keys() ^ found.keys() if kind == "constraint"}
    items = []
    for kind, name in sorted(expected.keys() | found.keys()):
        wanted, there = expected.get((kind, name)), found.get((kind, name))
        with_table = kind != "table" and belongs(name, there if there is not None else wanted or "", alone)
        with_constraint = kind == "index" and name in carried and (wanted is None or there is None)
        if wanted != there and not with_table and not with_constraint:
            how = "missing" if there is None else "extra" if wanted is None else "changed"
            items.append(Difference(kind, name, how, wanted, there))
    return tuple(items)


def nearest(made: Mapping[int, Structure], found: Structure) -> tuple[int, tuple[Difference, ...]]:
    """The revision whose structure differs least, the latest of those that differ as little, and the difference."""
    compared: Sequence[tuple[int, tuple[Difference, ...]]] = [(number, differences(structure, found)) for number, structure in made.items()]
    return min(compared, key=lambda item: (len(item[1]), -item[0]))
