"""Databases that are there already, each with one tenant: looked at one by one, and registered in themselves and in the main one."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from .._fixture import Operation, execute
from .._pg.adopt import Found, read_databases, read_schema, tenants_inside
from .._pg.connect import connect
from .._pg.databases import install
from ..config_fixtures import ConfigFixture
from ..exceptions import ConfigurationError, DatabaseError
from ..tenant_fixtures import TenantFixture
from ._fleet import fitting, ids_doubled, ids_taken, known_before, obstacle_to_id, obstacle_to_work, with_given
from ._judge import Judge
from ._register import AdoptedFixture, There
from ._shapes import Adoption, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from .._fixture import BaseFixture, FixtureContext
    from .._isolation import Isolation
    from .._pg.adopt import FoundDatabase
    from .._pg.database import Transaction
    from .._shapes import Step, ValidationReport
    from ..packs import Pack
    from ..runtime import Runtime
    from ._names import Named, Selection

_PUBLIC = "public"


@dataclass(frozen=True)
class _Inside:
    """The schema of a database that has the tenant's tables; ``uid`` is the tenant's where an earlier call came so far."""

    found: Found
    uid: Optional[UUID]


class DatabaseFleet:
    """Databases that are looked at. ``named`` has the id of each, ``settled`` those that need no look at their structure."""

    def __init__(self, runtime: Runtime, pack: Pack) -> None:
        self._runtime = runtime
        self._pack = pack
        self._judge = Judge(runtime, pack, ())
        self._schema = _PUBLIC
        # What a tenant's own database says of the installation that has adopted it.
        self._mark = ""
        self._inside: dict[str, _Inside] = {}
        # A visit keeps its connection until its end.
        self._visits = asyncio.Semaphore(runtime.settings.max_concurrency)
        self.named: dict[str, Named] = {}
        self.settled: dict[str, Adoption] = {}

    async def read(self, transaction: Transaction, selection: Selection, given: Mapping[str, Named]) -> None:
        """See which there are.

        :raises ConfigurationError: the file of ids names what is not there.
        """
        self._schema = selection.schema or _PUBLIC
        installation = await transaction.one("control_plane.installed_at") or {}
        self._mark = f"adopted for the installation of {installation['installed_at'].isoformat()}"
        there = await read_databases(transaction)
        self.named = with_given(fitting(selection.databases, there), given, "databases")
        taken, known, doubled = await ids_taken(transaction), await known_before(transaction, self.named), ids_doubled(self.named)
        for name, item in self.named.items():
            reason = _obstacle(there[name]) or obstacle_to_id(item.tenant_id, taken, doubled, "database")
            if there[name].adopted:
                self.settled[name] = known[name]
            elif reason is not None:
                self.settled[name] = _conflict(item, reason)

    async def judge(self, item: Named) -> Adoption:
        """What the tenant in one of them is. Nothing is left in it."""
        async with self._visits, self._runtime.visiting(item.schema) as visited:
            try:
                found, reason = await self._look(visited, item)
            except (DatabaseError, ConfigurationError) as error:
                return _conflict(item, f"it cannot be read: {error.message}")
            if found is None or reason is not None:
                return _conflict(item, reason or f"it has no schema {self._schema!r}", found)
            return await self._judge.judge(found, item, visited)

    def fixtures(self, item: Adoption) -> tuple[BaseFixture, ...]:
        """What registers it."""
        inside = self._inside[item.schema]
        return (AdoptedDatabase(self._runtime, item, inside.found, inside.uid, mark=self._mark),)

    async def _look(self, visited: Runtime, item: Named) -> tuple[Found | None, str | None]:
        """The schema, and what stands in the way.

        :raises ConfigurationError: the database holds text in an encoding that is none of ours.
        """
        async with self._runtime.slots:
            # Says at once what a pool would try again and again.
            async with await connect(visited.database.url):
                pass
            async with visited.database.transaction(role="migrator") as transaction:
                return await self._look_at(transaction, item)

    async def _look_at(self, transaction: Transaction, item: Named) -> tuple[Found | None, str | None]:
        found, missing = await read_schema(transaction, self._schema)
        if found is None:
            return None, None
        tenants = await tenants_inside(transaction)
        mine = [row["uid"] for row in tenants if (row["tenant_id"], row["namespace"], row["reason"]) == (item.tenant_id, found.name, self._mark)]
        self._inside[item.schema] = _Inside(found, mine[0] if mine else None)
        if len(tenants) > len(mine):
            hint = "`tenancy eject` on it takes that out"
            return found, f"it has a control plane of its own, with tenant {tenants[0]['tenant_id']!r}: {hint}"
        lacking = f"its owner {found.owner!r} cannot go on with it: {missing}" if missing else None
        return found, await obstacle_to_work(transaction, found) or lacking


def _obstacle(database: FoundDatabase) -> str | None:
    if database.taken is not None:
        return f"it is registered already: of tenant {database.taken!r}"
    return None if database.open else "the login may not connect to it"


def _conflict(item: Named, reason: str, found: Found | None = None) -> Adoption:
    return Adoption(item.schema, Verdict.CONFLICT, item.tenant_id, owner=None if found is None else found.owner, reason=reason)


class AdoptedDatabase(AdoptedFixture):
    """A tenant whose database was there before: entered in the main registry, and, by a run of its own, in that of its database.

    There it is a tenant with a schema. The control plane of it commits first: a second call finds it, and goes on.
    """

    def __init__(self, runtime: Runtime, adoption: Adoption, found: Found, uid: UUID | None, *, mark: str) -> None:
        super().__init__(adoption, found, uid or uuid.uuid4())
        self._runtime = runtime
        self._is_inside = uid is not None
        self._mark = mark

    async def validate(self, context: FixtureContext) -> ValidationReport:
        """See that the run is about this tenant: its own database is looked at in there."""
        return await TenantFixture.validate(self, context)

    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        """Write the registry's row, and the tenant's database's own."""
        await context.transaction.run("databases.stay")
        await TenantFixture.apply(self, context)
        steps = await self._write_down(context)
        if not self._is_inside:
            await self._enter(context.pack)
        return steps

    def _isolation(self, pack: Pack) -> Isolation:  # noqa: ARG002 - others ask the pack
        return There(self.adoption.schema, self.adoption.revision or 0, "database", self._uid)

    async def _enter(self, pack: Pack) -> None:
        name = self.adoption.schema
        await install(self._runtime.database.url, name, adopted=True)
        async with self._runtime.other(name) as place:
            fixtures = (_Entered(self._inner(), self.found, self._uid), ConfigFixture())
            await execute(place, pack, Operation("adopt", self.tenant_id, fixtures, here=True))

    def _inner(self) -> Adoption:
        facts: dict[str, Any] = {**vars(self.adoption), "schema": self.found.name, "reason": self._mark}
        return Adoption(**facts)


class _Entered(AdoptedFixture):
    """The tenant in its own database, by the schema with its tables."""

    async def _is_same(self, transaction: Transaction) -> bool:
        found, _ = await read_schema(transaction, self.found.name)
        return found == self.found
