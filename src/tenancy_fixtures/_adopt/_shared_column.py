"""The column that tells tenants apart: the one that most tables have, by the names that such columns have."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# As they are with small letters and without underscores. Those that say "tenant" come before the others, which may be something else.
_SURE: Final = ("tenant", "tenantid", "tenantuid", "tenantuuid", "tenantkey", "tenantcode")
_WHO: Final = [
    "org",
    "organization",
    "organisation",
    "account",
    "customer",
    "workspace",
    "company",
    "client",
    "team",
    "site",
    "shop",
    "store",
    "school",
]
NAMES: Final = (*_SURE, *(f"{who}{end}" for who in _WHO for end in ("id", "uid", "uuid")))


@dataclass(frozen=True)
class Candidate:
    """A column by its name: its type in each table that has it."""

    name: str
    types: Mapping[int, str]

    @property
    def type(self) -> str:
        """The type that most tables have it with."""
        return Counter(self.types.values()).most_common(1)[0][0]

    def __str__(self) -> str:
        return f"{self.name} ({self.type}, in {len(self.types)} tables)"


def choose(schema: str, rows: Iterable[Mapping[str, Any]], given: str | None) -> Candidate:
    """The column that is given, or that stands out.

    :raises ConfigurationError: none does, or several; says which.
    """
    types: dict[str, dict[int, str]] = defaultdict(dict)
    for row in rows:
        types[row["name"]][row["oid"]] = row["type"]
    if given is not None:
        if given not in types:
            raise ConfigurationError(f"no table in schema {schema!r} has a column {given!r}", hint="Name the column that tells tenants apart.")
        return Candidate(given, types[given])
    candidates = sorted((Candidate(*item) for item in types.items()), key=lambda item: (-len(item.types), item.name))
    found = _outstanding([item for item in candidates if _bare(item.name) in _SURE]) or _outstanding(candidates)
    if found is None:
        listed = ", ".join(map(str, candidates))
        what = f"several may be: {listed}" if candidates else "none has a name such as tenant_id"
        message = f"which column of schema {schema!r} tells tenants apart is not clear: {what}"
        raise ConfigurationError(message, hint="Name it with --column.", candidates=tuple(item.name for item in candidates))
    return found


def _outstanding(candidates: Sequence[Candidate]) -> Candidate | None:
    """The first, where no other is in more than half as many tables."""
    if not candidates or (len(candidates) > 1 and 2 * len(candidates[1].types) > len(candidates[0].types)):
        return None
    return candidates[0]


def _bare(name: str) -> str:
    return name.replace("_", "").lower()
