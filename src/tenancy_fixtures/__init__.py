"""Tenancy Fixtures: tenants of a PostgreSQL backend, whole, seeded, configured, checked and audited.

The public names load when they are first used, so that ``import tenancy_fixtures`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._shapes import Finding as Finding
    from ._shapes import RunReport as RunReport
    from ._shapes import Step as Step
    from ._shapes import Tenant as Tenant
    from ._shapes import ValidationReport as ValidationReport
    from .base import BaseFixture as BaseFixture
    from .base import FixtureContext as FixtureContext
    from .base import FixtureManager as FixtureManager
    from .config_fixtures import ConfigFixture as ConfigFixture
    from .data_loaders import AIModelLoader as AIModelLoader
    from .data_loaders import AnalyticsLoader as AnalyticsLoader
    from .data_loaders import CollaborationLoader as CollaborationLoader
    from .data_loaders import DataLoader as DataLoader
    from .data_loaders import Detection as Detection
    from .data_loaders import DomainLoader as DomainLoader
    from .data_loaders import SpotifyDataLoader as SpotifyDataLoader
    from .exceptions import TenancyError as TenancyError
    from .monitoring import FixtureMonitor as FixtureMonitor
    from .monitoring import PerformanceTracker as PerformanceTracker
    from .packs import Pack as Pack
    from .schema_fixtures import SchemaFixture as SchemaFixture
    from .settings import Settings as Settings
    from .tenant_fixtures import TenantFixture as TenantFixture
    from .utils import ConfigUtils as ConfigUtils
    from .utils import FixtureUtils as FixtureUtils
    from .utils import TenantUtils as TenantUtils
    from .utils import ValidationUtils as ValidationUtils
    from .validators import DataIntegrityValidator as DataIntegrityValidator
    from .validators import FixtureValidator as FixtureValidator

_HOME = {
    "AIModelLoader": "data_loaders",
    "AnalyticsLoader": "data_loaders",
    "CollaborationLoader": "data_loaders",
    "BaseFixture": "base",
    "ConfigFixture": "config_fixtures",
    "ConfigUtils": "utils",
    "DataIntegrityValidator": "validators",
    "DataLoader": "data_loaders",
    "Detection": "data_loaders",
    "DomainLoader": "data_loaders",
    "Finding": "_shapes",
    "FixtureContext": "base",
    "FixtureManager": "base",
    "FixtureMonitor": "monitoring",
    "FixtureUtils": "utils",
    "FixtureValidator": "validators",
    "Pack": "packs",
    "PerformanceTracker": "monitoring",
    "RunReport": "_shapes",
    "SchemaFixture": "schema_fixtures",
    "Settings": "settings",
    "SpotifyDataLoader": "data_loaders",
    "Step": "_shapes",
    "TenancyError": "exceptions",
    "Tenant": "_shapes",
    "TenantFixture": "tenant_fixtures",
    "TenantUtils": "utils",
    "ValidationReport": "_shapes",
    "ValidationUtils": "utils",
}

__all__ = [
    "AIModelLoader",
    "AnalyticsLoader",
    "BaseFixture",
    "CollaborationLoader",
    "ConfigFixture",
    "ConfigUtils",
    "DataIntegrityValidator",
    "DataLoader",
    "Detection",
    "DomainLoader",
    "Finding",
    "FixtureContext",
    "FixtureManager",
    "FixtureMonitor",
    "FixtureUtils",
    "FixtureValidator",
    "Pack",
    "PerformanceTracker",
    "RunReport",
    "SchemaFixture",
    "Settings",
    "SpotifyDataLoader",
    "Step",
    "TenancyError",
    "Tenant",
    "TenantFixture",
    "TenantUtils",
    "ValidationReport",
    "ValidationUtils",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
