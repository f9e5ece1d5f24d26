"""A login for one tenant: whoever has it can say what he likes, and stays within that tenant."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Optional

from ._fixture import BaseFixture
from ._pg.bootstrap import with_parts
from ._shapes import Finding, Shape, Step, ValidationReport
from ._tenant_roles import grant_all, make_role
from .audit import AuditAction
from .exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._fixture import FixtureContext
    from ._shapes import Tenant

_SHORTEST = 12  # characters of a password that is chosen
_BYTES = 24  # of one that is made


@dataclass(frozen=True)
class TenantLogin(Shape):
    """A tenant's login: ``url`` has its password in it, which is kept nowhere else."""

    tenant_id: str
    login: str
    url: str = field(repr=False)


def new_password() -> str:
    """One that nobody can guess."""
    return secrets.token_urlsafe(_BYTES)


class LoginFixture(BaseFixture):
    """Lets a tenant's role log in with a password, or, without one, not any more. The password is sent as its verifier."""

    name: ClassVar[str] = "login"

    def __init__(self, password: Optional[str]) -> None:
        if password is not None and len(password) < _SHORTEST:
            raise ConfigurationError("the password is too short", hint=f"At least {_SHORTEST} characters; without one, one is made.")
        self._password = password
        self._database = ""

    def __repr__(self) -> str:
        return f"LoginFixture({'a password' if self._password else None})"

    def given(self, server_url: str, tenant: Tenant) -> TenantLogin:
        """The login that was given, with the address that it connects to: on the server of that URL."""
        url = with_parts(server_url, database=self._database, user=str(tenant.role), password=self._password)
        return TenantLogin(tenant.tenant_id, str(tenant.role), url)

    async def validate(self, context: FixtureContext) -> ValidationReport:
        """See that the tenant has a role that can be let in.

        :raises ConfigurationError: it has none.
        """
        tenant, roles = context.existing, context.transaction.roles
        # Who shares tables has no role but for this.
        if roles.tenants is None or (tenant.role is None and tenant.isolation != "row"):
            hint = "Where the installation has a registrar they do: `tenancy init` as an administrator, then `tenancy migrate`."
            raise ConfigurationError(f"tenant {tenant.tenant_id!r} has no role that could log in", tenant=tenant.tenant_id, hint=hint)
        row = await context.transaction.one("registry.may_connect", role=roles.tenants)
        if row and row["may"]:
            return ValidationReport(self.name, 1)
        message = f"tenants may not connect to it: GRANT CONNECT ON DATABASE … TO {roles.tenants}"
        return ValidationReport(self.name, 1, (Finding("connect", "error", context.transaction.connection.info.dbname, message),))

    async def plan(self, context: FixtureContext) -> Sequence[Step]:
        """Give the login, or take it; nothing where there is none to take."""
        if self._password is None and context.existing.role is None:
            return []
        return [Step(self.name, "take" if self._password is None else "give", context.existing.role or "a role of its own")]

    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        """Set or remove the password of the tenant's role."""
        steps = await self.plan(context)
        if not steps:
            return steps
        self._database = context.transaction.connection.info.dbname
        if context.existing.role is None:
            await make_role(context)
            await grant_all(context.transaction, context.existing)
        tenant, verifier = context.existing, None
        if self._password is not None:
            encrypted = context.transaction.connection.pgconn.encrypt_password(self._password.encode(), str(tenant.role).encode(), b"scram-sha-256")
            verifier = encrypted.decode()
        await context.transaction.run("registry.set_login", uid=tenant.uid, namespace=tenant.namespace, verifier=verifier)
        context.note(AuditAction.LOGIN_REMOVED if verifier is None else AuditAction.LOGIN_GIVEN, login=tenant.role)
        return await self.plan(context)

    async def rollback(self, context: FixtureContext) -> Sequence[Step]:
        """Take the login away."""
        return await LoginFixture(None).apply(context)
