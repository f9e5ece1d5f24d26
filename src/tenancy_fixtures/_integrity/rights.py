"""The rights of loader and application: what they are given on a tenant's schema after every script, and have no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from .._pg.sql import compose, identifier
from .._tenant_roles import user_of

if TYPE_CHECKING:
    from .._pg.database import Transaction
    from .._shapes import Tenant
    from .made import Made


@dataclass(frozen=True)
class MissingRights:
    """An object, and the rights on it that ``loader`` and ``user``, the application's, lack; ``owned`` where the migrator can give them."""

    kind: str
    name: str
    owned: bool
    loader: Optional[str]
    user: Optional[str]

    @property
    def object(self) -> str:
        """What findings and steps call it: tables by their name alone."""
        return self.name if self.kind == "table" else f"{self.kind} {self.name}"

    @property
    def message(self) -> str:
        """Who lacks what."""
        whose = {"the loader": self.loader, "the application": self.user}
        return "lacks rights: " + "; ".join(f"{rights} for {who}" for who, rights in whose.items() if rights)


async def missing_rights(transaction: Transaction, tenant: Tenant, made: Made | None) -> list[MissingRights]:
    """The objects of a schema on which rights are missing: those of the migrator's and those that the pack makes. None where one login does everything."""
    roles, user = transaction.roles, user_of(transaction, tenant)
    if not roles.migrator or not roles.loader or not user:
        return []
    values = {"migrator": tenant.owner or roles.migrator, "loader": roles.loader, "user": user, "made": list(made.structure) if made else []}
    return [MissingRights(**row) for row in await transaction.all("isolation.missing_rights", namespace=tenant.namespace, **values)]


async def give_rights(transaction: Transaction, tenant: Tenant, item: MissingRights) -> None:
    """Give loader and application again what they are to have on an object of the migrator's."""
    namespace = tenant.namespace
    roles = {"loader": identifier(transaction.roles.loader or ""), "user": identifier(user_of(transaction, tenant) or "")}
    async with transaction.acting_as_owner(tenant):
        if item.kind == "schema":
            await transaction.run(compose("registry.grant_schema", schema=identifier(namespace), **roles))
        elif item.kind == "sequence":
            await transaction.run(compose("isolation.grant_sequence", sequence=identifier(namespace, item.name), **roles))
        else:
            await transaction.run(compose("isolation.grant_table", table=identifier(namespace, item.name), **roles))
