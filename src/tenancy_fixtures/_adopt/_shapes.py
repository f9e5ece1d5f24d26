"""What is said of a schema that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Optional

from .._integrity.differences import Difference  # noqa: TC001 - a field's type
from .._shapes import Shape


class Verdict(str, Enum):
    """What a schema is found to be."""

    READY = "ready"
    DRIFTED = "drifted"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Adoption(Shape):
    """One schema: whose it is, what it was found to be, and whether it is a tenant's now.

    ``revision`` is the pack's that it has; of a drifted one the nearest. ``reason`` says why it is in conflict. ``known`` is true where it
    had been adopted before.
    """

    schema: str
    verdict: Verdict
    tenant_id: Optional[str] = None
    revision: Optional[int] = None
    owner: Optional[str] = None
    reason: Optional[str] = None
    difference: tuple[Difference, ...] = ()
    registered: bool = False
    known: bool = False

    def to_row(self) -> dict[str, Any]:
        """What is kept of it in ``tenancy.adoptions``."""
        return {name: value for name, value in self.to_dict().items() if name not in ("registered", "known")}

    def __repr__(self) -> str:
        return f"<Adoption of {self.schema!r}: {self.verdict.value}{', registered' if self.registered else ''}>"


@dataclass(frozen=True)
class AdoptionReport(Shape):
    """All schemas that were looked at, by name."""

    adoptions: tuple[Adoption, ...]
    dry_run: bool = False
    seconds: float = 0.0

    def of(self, verdict: Verdict | str) -> tuple[Adoption, ...]:
        """Those of one verdict."""
        return tuple(item for item in self.adoptions if item.verdict == Verdict(verdict))

    @property
    def counts(self) -> dict[str, int]:
        """How many are ready, drifted and in conflict, and how many of all are registered."""
        return {**{verdict.value: len(self.of(verdict)) for verdict in Verdict}, "registered": sum(item.registered for item in self.adoptions)}

    @property
    def ok(self) -> bool:
        """True where every schema is registered, or would be."""
        return all(item.registered or (self.dry_run and item.verdict is Verdict.READY) for item in self.adoptions)

    def to_dict(self) -> dict[str, Any]:
        """The fields with ``counts`` and ``ok`` as plain JSON-ready values."""
        return {**Shape.to_dict(self), "counts": self.counts, "ok": self.ok}

    def __repr__(self) -> str:
        return f"<AdoptionReport {', '.join(f'{number} {word}' for word, number in self.counts.items())}>"
