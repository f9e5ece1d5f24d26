"""Runs: each operation is written down before it begins, and ends together with its work, or as failed, or as crashed."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._shapes import RunState, plain
from .audit import AuditAction
from .constants import RUN_LEASE_SECONDS
from .exceptions import IdempotencyConflict, RunFenced, RunInProgress, TenancyError
from .utils import FixtureUtils

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from ._pg.database import Database, Session, Transaction
    from ._shapes import RunReport, Step
    from .audit import Auditor


@dataclass(frozen=True)
class Run:
    """One operation on one tenant, written down. ``role`` is the purpose of the role that the run works as."""

    run_id: UUID
    tenant_id: str
    operation: str
    role: str


@dataclass(frozen=True)
class Repeated:
    """The run that an idempotency key belongs to already; ``report`` is what it said then."""

    run_id: UUID
    report: Mapping[str, Any]


class Journal:
    """Writes down runs. Each method says in whose transaction it works."""

    def __init__(self, database: Database, audit: Auditor) -> None:
        self._database = database
        self._audit = audit

    async def start(
        self, session: Session, operation: str, tenant_id: str, *, role: str, arguments: Mapping[str, Any], idempotency_key: str | None = None
    ) -> Run | Repeated:
        """Write down that a run begins, in a transaction of its own.

        :raises IdempotencyConflict: the key was used for another operation, tenant or arguments.
        :raises RunInProgress: the run of that key has not ended.
        """
        run = Run(uuid.uuid4(), tenant_id, operation, role)
        digest = FixtureUtils.digest(plain(dict(arguments)))
        await self.reap(session, role)
        async with session.transaction(tenant=tenant_id, role=role) as transaction:
            values = {"run_id": run.run_id, "tenant_id": tenant_id, "operation": operation, "idempotency_key": idempotency_key}
            started = await transaction.one("journal.start", **values, arguments_digest=digest, lease=RUN_LEASE_SECONDS)
            if started is not None:
                return run
            return await _repeated(transaction, run, digest, str(idempotency_key))

    async def knows(self, transaction: Transaction, idempotency_key: str) -> bool:
        """Whether a run that has succeeded has the key. One that is on its way may be dead."""
        row = await transaction.one("journal.by_key", idempotency_key=idempotency_key)
        return row is not None and row["state"] == RunState.SUCCEEDED.value

    async def hold(self, transaction: Transaction, run: Run) -> None:
        """First in the work's transaction: show that the run lives, until the transaction ends.

        :raises RunFenced: it was declared dead meanwhile.
        """
        row = await transaction.one("journal.hold", run_id=run.run_id)
        if row is None or row["state"] != RunState.RUNNING.value:
            raise RunFenced("the run was declared dead before its work began", tenant=run.tenant_id, hint="Nothing was done; run it again.")

    async def succeed(self, transaction: Transaction, run: Run, uid: UUID | None, report: RunReport) -> None:
        """Last in the work's transaction but for the audit: steps and report commit together with the work."""
        await self._add_steps(transaction, run, report.steps)
        await transaction.run("journal.succeed", run_id=run.run_id, uid=uid, report=report.to_dict())

    async def fail(self, run: Run, uid: UUID | None, error: BaseException, report: RunReport) -> None:
        """Write down that the work was rolled back and why, in a transaction of its own."""
        name = "Interrupted" if isinstance(error, (asyncio.CancelledError, KeyboardInterrupt)) else type(error).__name__
        facts = error.to_dict() if isinstance(error, TenancyError) else {"error": name}
        async with self._database.transaction(tenant=run.tenant_id, role=run.role) as transaction:
            ended = await transaction.run("journal.fail", run_id=run.run_id, uid=uid, error=plain(facts), report=report.to_dict())
            if not ended:
                # It had succeeded: only the answer to COMMIT was lost.
                return
            detail = {"operation": run.operation, "error": facts["error"]}
            await self._audit.append(transaction, AuditAction.RUN_FAILED, tenant_id=run.tenant_id, uid=uid, run_id=run.run_id, detail=detail)

    async def reap(self, session: Session, role: str) -> int:
        """Mark runs whose process has died, in a transaction of its own; gives how many."""
        async with session.transaction(role=role) as transaction:
            dead = await transaction.all("journal.reap")
            for row in dead:
                ids = {"tenant_id": row["tenant_id"], "uid": row["uid"], "run_id": row["run_id"]}
                await self._audit.append(transaction, AuditAction.RUN_CRASHED, **ids, detail={"operation": row["operation"]})
        return len(dead)

    async def recent(self, tenant_id: str, limit: int = 20) -> list[dict[str, Any]]:
        """The last runs on a tenant, newest first."""
        async with self._database.transaction(tenant=tenant_id, role="loader") as transaction:
            return await transaction.all("journal.recent", tenant_id=tenant_id, limit=limit)

    async def _add_steps(self, transaction: Transaction, run: Run, steps: Sequence[Step]) -> None:
        for ordinal, step in enumerate(steps, start=1):
            values = {"fixture": step.fixture, "action": step.action, "object": step.object, "detail": plain(dict(step.detail))}
            await transaction.run("journal.add_step", run_id=run.run_id, ordinal=ordinal, **values)


async def _repeated(transaction: Transaction, run: Run, digest: str, key: str) -> Repeated:
    row = await transaction.one("journal.by_key", idempotency_key=key)
    if row is None:
        # It failed between our two statements: the caller may simply try again.
        raise RunInProgress("the run of this idempotency key has just ended", tenant=run.tenant_id, hint="Run it again.")
    if (row["tenant_id"], row["operation"], row["arguments_digest"]) != (run.tenant_id, run.operation, digest):
        raise IdempotencyConflict(
            f"idempotency key {key!r} was used with other arguments", tenant=run.tenant_id, hint="Use a new key for a new operation."
        )
    if row["state"] == RunState.RUNNING.value:
        raise RunInProgress(
            f"the run of idempotency key {key!r} has not ended", tenant=run.tenant_id, hint="Wait for it, or look at it with `tenancy tenant show`."
        )
    return Repeated(row["run_id"], row["report"])
