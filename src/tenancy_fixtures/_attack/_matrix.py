"""All probes, by class, and in the order in which they are tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._class_a import CLASS_A
from ._class_b import CLASS_B

if TYPE_CHECKING:
    from ._probes import Probe

PROBES: Final[tuple[Probe, ...]] = (*CLASS_A, *CLASS_B)
