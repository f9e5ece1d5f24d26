"""The pack's own checks: queries that give the rows which should not be there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._pg.rules import Answer, ask, lend
from .._shapes import Finding

if TYPE_CHECKING:
    from .._pg.database import Session, Transaction
    from .._shapes import Tenant
    from ..packs import Pack

# Seconds that one of them may take: less than a validation as a whole.
CHECK_SECONDS = 60.0


async def check_rules(session: Session, tenant: Tenant, pack: Pack, *, keys: bool) -> list[Finding]:
    """Ask the pack's checks of a tenant, in a transaction of their own that reads and is taken back."""
    if not pack.manifest.checks:
        return []
    async with session.transaction(tenant=tenant.tenant_id, role="migrator", keep=False) as transaction:
        await transaction.enter(tenant)
        return await ask_all(transaction, tenant.namespace, pack, keys=keys)


async def ask_all(transaction: Transaction, namespace: str, pack: Pack, *, keys: bool = False) -> list[Finding]:
    """What the pack's checks find in a schema."""
    findings = []
    await lend(transaction, namespace, pack.manifest.shared_schemas, CHECK_SECONDS)
    for check in pack.manifest.checks:
        answer = await ask(transaction, check.query)
        if not isinstance(answer, Answer):
            findings.append(Finding("check", "error", check.name, f"cannot be asked: {answer.message}"))
        elif answer.rows:
            message = check.description or "gives rows that should not be there"
            findings.append(Finding("check", check.severity, check.name, message, answer.rows, answer.keys if keys else ()))
    return findings
