"""Enter a tenant that is there already into the registry: in one transaction with its revisions and its trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional
from uuid import UUID  # noqa: TC003 - a field's type

from .._isolation import Place, named
from .._pg.adopt import write_adoptions
from .._shapes import Step
from ..audit import AuditAction
from ..exceptions import ConfigurationError
from ..tenant_fixtures import TenantFixture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._fixture import FixtureContext
    from .._isolation import Isolation
    from .._pg.adopt import Found
    from .._pg.database import Transaction
    from .._shapes import ValidationReport
    from ..packs import Pack
    from ._shapes import Adoption


@dataclass
class There:
    """The place of a tenant whose schema, or database, is there: all else is as with one of our making."""

    namespace: str
    revision: int
    name: str = "schema"
    uid: Optional[UUID] = None

    def require(self, pack: Pack) -> None:
        """Every pack will do."""

    async def place(self, context: FixtureContext, uid: UUID) -> Place:
        """Where it is, and at which revision."""
        return Place(self.uid or uid, self.namespace, self.revision, context.pack.digest)

    def __getattr__(self, name: str) -> Any:
        return getattr(named(self.name), name)


class AdoptedFixture(TenantFixture):
    """A tenant whose schema was there before: entered as what it was found to be, and nothing of it is touched."""

    def __init__(self, adoption: Adoption, found: Found, uid: UUID | None = None) -> None:
        super().__init__(str(adoption.tenant_id), exist_ok=False)
        self.adoption = adoption
        self.found = found
        self._uid = uid

    @property
    def arguments(self) -> dict[str, Any]:
        """What is adopted."""
        return {"schema": self.adoption.schema, "revision": self.adoption.revision}

    async def validate(self, context: FixtureContext) -> ValidationReport:
        """See that the schema is still the one that was looked at.

        :raises ConfigurationError: it is another, or another's.
        """
        if not await self._is_same(context.transaction):
            raise ConfigurationError(f"the schema {self.found.name!r} was replaced, or given to another role, meanwhile", hint="Run it again.")
        return await super().validate(context)

    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        """Write the registry's row, the revisions that the schema has, and what was found."""
        await super().apply(context)
        revisions = [item for item in context.pack.revisions if item.number <= (self.adoption.revision or 0)]
        columns = {
            "numbers": [item.number for item in revisions],
            "names": [item.name for item in revisions],
            "digests": [item.digest for item in revisions],
        }
        await context.transaction.run("adopt.add_revisions", uid=context.existing.uid, run_id=context.run_id, **columns)
        return await self._write_down(context)

    async def _write_down(self, context: FixtureContext) -> Sequence[Step]:
        namespace, owner = context.existing.namespace, self.found.owner
        await context.transaction.run("adopt.own", uid=context.existing.uid, owner=owner)
        await write_adoptions(context.transaction, [self.adoption.to_row()], uid=context.existing.uid)
        facts = {"namespace": namespace, "owner": owner, "revision": self.adoption.revision, "verdict": self.adoption.verdict.value}
        context.note(AuditAction.TENANT_ADOPTED, **facts)
        return [Step(self.name, "adopt", namespace, facts)]

    async def _is_same(self, transaction: Transaction) -> bool:
        values = {"oid": self.found.oid, "namespace": self.found.name, "owner": self.found.owner}
        row = await transaction.one("adopt.same_schema", **values)
        return bool(row and row["same"])

    def _isolation(self, pack: Pack) -> Isolation:  # noqa: ARG002 - others ask the pack
        return There(self.found.name, self.adoption.revision or 0, uid=self._uid)
