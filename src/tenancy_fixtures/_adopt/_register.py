"""Enter a tenant that is there already into the registry: in one transaction with its revisions and its trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._isolation import Place, named
from .._pg.adopt import write_adoptions
from .._shapes import Step
from ..audit import AuditAction
from ..exceptions import ConfigurationError
from ..tenant_fixtures import TenantFixture

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from .._fixture import FixtureContext
    from .._isolation import Isolation
    from .._pg.adopt import Found
    from .._shapes import ValidationReport
    from ..packs import Pack
    from ._shapes import Adoption


@dataclass(frozen=True)
class _There:
    """The place of a tenant whose schema is there: all else is as with a schema of our making."""

    namespace: str
    revision: int

    name = "schema"

    def require(self, pack: Pack) -> None:
        """Every pack will do."""

    async def place(self, context: FixtureContext, uid: UUID) -> Place:
        """Where it is, and at which revision."""
        return Place(uid, self.namespace, self.revision, context.pack.digest)

    def __getattr__(self, name: str) -> Any:
        return getattr(named("schema"), name)


class AdoptedFixture(TenantFixture):
    """A tenant whose schema was there before: entered as what it was found to be, and nothing of it is touched."""

    def __init__(self, adoption: Adoption, found: Found) -> None:
        super().__init__(str(adoption.tenant_id), exist_ok=False)
        self.adoption = adoption
        self.found = found

    @property
    def arguments(self) -> dict[str, Any]:
        """What is adopted."""
        return {"schema": self.adoption.schema, "revision": self.adoption.revision}

    async def validate(self, context: FixtureContext) -> ValidationReport:
        """See that the schema is still the one that was looked at.

        :raises ConfigurationError: it is another, or another's.
        """
        values = {"oid": self.found.oid, "namespace": self.found.name, "owner": self.found.owner}
        row = await context.transaction.one("adopt.same_schema", **values)
        if not (row and row["same"]):
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
        await context.transaction.run("adopt.own", uid=context.existing.uid, owner=self.found.owner)
        await context.transaction.run("adopt.add_revisions", uid=context.existing.uid, run_id=context.run_id, **columns)
        await write_adoptions(context.transaction, [self.adoption.to_row()], uid=context.existing.uid)
        facts = {"namespace": self.found.name, "owner": self.found.owner, "revision": self.adoption.revision, "verdict": self.adoption.verdict.value}
        context.note(AuditAction.TENANT_ADOPTED, **facts)
        return [Step(self.name, "adopt", self.found.name, facts)]

    def _isolation(self, pack: Pack) -> Isolation:  # noqa: ARG002 - others ask the pack
        return _There(self.found.name, self.adoption.revision or 0)
