"""What a way of keeping tenants apart has to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from uuid import UUID  # noqa: TC003 - a field's type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._fixture import FixtureContext
    from .._pg.database import Transaction
    from .._shapes import Step, Tenant
    from ..packs import Pack, Revision


@dataclass(frozen=True)
class Place:
    """Who a new tenant is, where its tables are, or will be, and which revision of the pack they have there."""

    uid: UUID
    namespace: str
    revision: int
    release: str


class Isolation(Protocol):
    """Where tenants' tables are, and how their structure comes about, moves and goes. Rows are read and written alike."""

    name: str

    def require(self, pack: Pack) -> None:
        """See that tenants of this pack can be kept apart so.

        :raises PackError: the pack has not what it takes.
        """

    async def place(self, context: FixtureContext, uid: UUID) -> Place:
        """Choose where the tables of a new tenant are going to be."""

    async def holder(self, transaction: Transaction, tenant: Tenant) -> UUID:
        """What the revisions of the tenant's structure hang on."""

    async def exists(self, transaction: Transaction, tenant: Tenant) -> bool:
        """Whether the structure is there."""

    async def create(self, context: FixtureContext) -> None:
        """Make the structure at the pack's head."""

    async def migrate(self, context: FixtureContext, revision: Revision) -> None:
        """Bring the structure forward by one revision."""

    async def reach(self, context: FixtureContext, revision: int) -> None:
        """Write down which revision the structure has now."""

    async def remove(self, context: FixtureContext) -> Sequence[Step]:
        """Take away all that is the tenant's, and nothing that is others'."""
