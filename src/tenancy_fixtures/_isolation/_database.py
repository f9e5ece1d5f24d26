"""Each tenant has a database of its own, and in it a schema, as if it were alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import ConfigurationError
from ._form import Place
from ._schema import SchemaIsolation

if TYPE_CHECKING:
    from uuid import UUID

    from .._fixture import FixtureContext


class DatabaseIsolation(SchemaIsolation):
    """A database for each tenant, with a registry and a trace of its own; whatever is done there is done as with a schema for each tenant."""

    name = "database"

    async def place(self, context: FixtureContext, uid: UUID) -> Place:  # noqa: ARG002 - both are written down already
        """The database that is written down for the tenant, since it is made outside of this transaction.

        :raises ConfigurationError: none is.
        """
        intent = await context.transaction.one("databases.intent", tenant_id=context.tenant_id)
        if intent is None:
            hint = "Make it with `tenancy tenant create --isolation database`, or FixtureManager.create_tenant."
            raise ConfigurationError("a tenant with a database of its own is not made along with other work", tenant=context.tenant_id, hint=hint)
        return Place(intent["uid"], intent["namespace"], 0, context.pack.digest)
