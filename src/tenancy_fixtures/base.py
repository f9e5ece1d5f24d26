"""BaseFixture and FixtureManager: the two names that a host begins with."""

from __future__ import annotations

from ._fixture import BaseFixture, FixtureContext
from .manager import FixtureManager

__all__ = ["BaseFixture", "FixtureContext", "FixtureManager"]
