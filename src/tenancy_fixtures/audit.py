"""The audit log: what happened, to whom, by whom. Appended in the transaction of the work itself, its last statement."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from ._shapes import plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from ._pg.database import Transaction


class AuditAction(str, Enum):
    """Every verb that the log knows: ``subject:action``."""

    TENANT_CREATED = "tenant:created"
    TENANT_ADOPTED = "tenant:adopted"
    TENANT_CHANGED = "tenant:changed"
    TENANT_DROPPED = "tenant:dropped"
    SCHEMA_CREATED = "schema:created"
    SCHEMA_CONFINED = "schema:confined"
    SCHEMA_MIGRATED = "schema:migrated"
    SCHEMA_DROPPED = "schema:dropped"
    ROWS_DELETED = "rows:deleted"
    TENANT_RECORDED = "tenant:recorded"
    TENANT_REPAIRED = "tenant:repaired"
    DATABASE_CREATED = "database:created"
    DATABASE_DROPPED = "database:dropped"
    LOGIN_GIVEN = "login:given"
    LOGIN_REMOVED = "login:removed"
    CONFIG_SET = "config:set"
    CONFIG_DROPPED = "config:dropped"
    DATASET_LOADED = "dataset:loaded"
    DATASET_UNLOADED = "dataset:unloaded"
    RUN_FAILED = "run:failed"
    RUN_CRASHED = "run:crashed"


class Auditor(Protocol):
    """What writes the log."""

    async def append(
        self,
        transaction: Transaction,
        action: AuditAction,
        *,
        tenant_id: str,
        uid: UUID | None,
        run_id: UUID | None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Add one entry, in the caller's transaction. ``detail`` holds names and numbers, never a row's value."""
        ...


class AuditLog:
    """Writes to ``tenancy.audit_log``, which takes no change and no removal."""

    async def append(
        self,
        transaction: Transaction,
        action: AuditAction,
        *,
        tenant_id: str,
        uid: UUID | None,
        run_id: UUID | None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Add one entry, in the caller's transaction. ``detail`` holds names and numbers, never a row's value."""
        await transaction.run("audit.append", tenant_id=tenant_id, uid=uid, run_id=run_id, action=action.value, detail=plain(dict(detail or {})))


class NullAuditLog:
    """Writes nothing: what a runtime has while ``audit_logging`` is off."""

    async def append(
        self,
        transaction: Transaction,
        action: AuditAction,
        *,
        tenant_id: str,
        uid: UUID | None,
        run_id: UUID | None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Do nothing."""
