"""The ways of keeping tenants apart, by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import ConfigurationError
from ._database import DatabaseIsolation
from ._row import RowIsolation
from ._schema import SchemaIsolation

if TYPE_CHECKING:
    from .._shapes import Tenant
    from ._form import Isolation

_KINDS: dict[str, Isolation] = {kind.name: kind for kind in (SchemaIsolation(), RowIsolation(), DatabaseIsolation())}


def named(name: str) -> Isolation:
    """The isolation of that name.

    :raises ConfigurationError: there is none.
    """
    if name not in _KINDS:
        raise ConfigurationError(f"tenants cannot be kept apart by {name!r}", hint=f"Isolations are: {', '.join(_KINDS)}.")
    return _KINDS[name]


def isolation_of(tenant: Tenant) -> Isolation:
    """How this tenant is kept apart."""
    return named(tenant.isolation)
