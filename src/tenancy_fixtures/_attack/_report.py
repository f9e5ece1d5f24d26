"""What an attack tells: of each probe what became of it, and of each isolation what crossed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Optional

from .._shapes import Shape
from ._probes import EVERY_ISOLATION

if TYPE_CHECKING:
    from collections.abc import Mapping

REFUSED: Final = "refused"  # a statement failed, or no transaction began
NOTHING: Final = "nothing"  # all went well, and nothing of the neighbour's was there
CROSSED: Final = "crossed"
UNTRIED: Final = "untried"  # the engine's driver cannot


@dataclass(frozen=True)
class Outcome(Shape):
    """What became of one probe: ``refused``, ``nothing``, ``crossed`` or ``untried``.

    ``error`` is the SQLSTATE, or the error's name where there is none, that ended it; ``sign`` is what showed the crossing.
    """

    probe: str
    attack_class: str
    isolation: str
    about: str
    result: str
    error: Optional[str] = None
    sign: Optional[str] = None


@dataclass(frozen=True)
class AttackReport(Shape):
    """What was tried, in which isolations, and what crossed. ``cannot`` tells why tenants of an isolation could not be made.

    ``left`` are tenants of an attack that did not come to its end.
    """

    isolations: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    left: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    cannot: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """True where no probe of class A crossed."""
        return not any(self.crossed(isolation, "a") for isolation in self.isolations)

    def of(self, isolation: str, attack_class: str) -> tuple[Outcome, ...]:
        """The outcomes of one class in one isolation, without what could not be tried."""
        return tuple(item for item in self.outcomes if (item.isolation, item.attack_class) == (isolation, attack_class) and item.result != UNTRIED)

    def crossed(self, isolation: str, attack_class: str) -> tuple[str, ...]:
        """The names of the probes of one class that crossed in one isolation."""
        return tuple(item.probe for item in self.of(isolation, attack_class) if item.result == CROSSED)

    def to_dict(self) -> dict[str, Any]:
        """By isolation: what was tried and what crossed, as plain JSON-ready values; ``None`` where the installation has no such tenants."""
        return {isolation: self._summary(isolation) if isolation in self.isolations else None for isolation in EVERY_ISOLATION}

    def _summary(self, isolation: str) -> dict[str, Any]:
        leaked, is_open = self.crossed(isolation, "a"), self.crossed(isolation, "b")
        return {
            "class_a": {"tried": len(self.of(isolation, "a")), "leaks": len(leaked), "leaked": list(leaked)},
            "class_b": {"tried": len(self.of(isolation, "b")), "open": list(is_open)},
        }
