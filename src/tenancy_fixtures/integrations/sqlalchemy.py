"""Sessions of SQLAlchemy, on the host's own engine, that belong to one tenant at a time."""

from __future__ import annotations

from .._sessions import TenantSessions, current_tenant, tenant_context

__all__ = ["TenantSessions", "current_tenant", "tenant_context"]
