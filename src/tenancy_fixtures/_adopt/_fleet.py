"""Schemas that are there already, in one database: which of them are looked at, and what stands in the way of each."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from .._integrity.differences import Difference
from .._pg.adopt import grant_that_is_missing, read_schemas
from ..config_fixtures import ConfigFixture
from ..exceptions import ConfigurationError, InvalidTenantId
from ..utils import TenantUtils
from ._judge import Judge
from ._names import Named, id_by_pattern
from ._register import AdoptedFixture
from ._registries import schemas_of
from ._shapes import Adoption, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .._fixture import BaseFixture
    from .._pg.adopt import Found
    from .._pg.database import Transaction
    from ..packs import Pack
    from ..runtime import Runtime
    from ._names import Selection


class SchemaFleet:
    """Schemas that are looked at. ``named`` has the id of each, ``settled`` those that need no look at their structure."""

    def __init__(self, runtime: Runtime, pack: Pack) -> None:
        self._runtime = runtime
        self._pack = pack
        self._schemas: dict[str, Found] = {}
        self._judge: Judge
        self.named: dict[str, Named] = {}
        self.settled: dict[str, Adoption] = {}

    async def read(self, transaction: Transaction, selection: Selection, given: Mapping[str, Named]) -> None:
        """See which there are.

        :raises ConfigurationError: the selection names what is not there.
        """
        self._schemas = await read_schemas(transaction)
        names = {name: name for name in await schemas_of(transaction, selection.registry)} if selection.registry else {}
        self.named = with_given({**fitting(selection.schemas, self._schemas), **names}, given)
        self.settled = await self._settle(transaction)
        self._judge = Judge(self._runtime, self._pack, [self._schemas[name] for name in self.named if name in self._schemas])

    async def judge(self, item: Named) -> Adoption:
        """What one of them is."""
        return await self._judge.judge(self._schemas[item.schema], item)

    def fixtures(self, item: Adoption) -> tuple[BaseFixture, ...]:
        """What registers it."""
        return AdoptedFixture(item, self._schemas[item.schema]), ConfigFixture()

    async def _settle(self, transaction: Transaction) -> dict[str, Adoption]:
        taken, known, doubled = await ids_taken(transaction), await known_before(transaction, self.named), ids_doubled(self.named)
        settled = {}
        for name, item in self.named.items():
            schema = self._schemas.get(name)
            if schema is not None and schema.adopted:
                settled[name] = known[name]
                continue
            shared = f"what tenants of the pack {self._pack.name!r} share is no tenant's" if name in self._pack.manifest.shared_schemas else None
            reason = shared or await _obstacle(transaction, schema, item, taken, doubled)
            if reason is not None:
                owner = None if schema is None else schema.owner
                settled[name] = Adoption(name, Verdict.CONFLICT, item.tenant_id, owner=owner, reason=reason)
        return settled


def fitting(patterns: Iterable[str], there: Iterable[str]) -> dict[str, str]:
    """The names that patterns fit, and the id of each."""
    found = ((name, id_by_pattern(pattern, name)) for pattern in patterns for name in there)
    return {name: tenant_id for name, tenant_id in found if tenant_id is not None}


def with_given(names: Mapping[str, str], given: Mapping[str, Named], what: str = "schemas") -> dict[str, Named]:
    """Those names, each with what a file of ids says of it.

    :raises ConfigurationError: the file names others.
    """
    strange = sorted(given.keys() - names.keys())
    if strange:
        raise ConfigurationError(f"the file of ids names {what} that are not among them: {', '.join(strange[:5])}", hint="Check their spelling.")
    return {name: given.get(name, Named(name, tenant_id)) for name, tenant_id in names.items()}


async def ids_taken(transaction: Transaction) -> set[str]:
    """The ids that tenants have."""
    return {row["tenant_id"] for row in await transaction.all("adopt.ids")}


def ids_doubled(named: Mapping[str, Named]) -> set[str]:
    """The ids that more than one is to have."""
    return {tenant_id for tenant_id, count in Counter(item.tenant_id for item in named.values()).items() if count > 1}


async def known_before(transaction: Transaction, names: Iterable[str]) -> dict[str, Adoption]:
    """What earlier calls have found."""
    return {row["schema"]: _known(row) for row in await transaction.all("adopt.known", names=list(names))}


async def _obstacle(transaction: Transaction, schema: Found | None, item: Named, taken: set[str], doubled: set[str]) -> str | None:
    if schema is None:
        return "there is no such schema"
    if schema.taken is not None:
        return f"it is registered already: of tenant {schema.taken!r}"
    return obstacle_to_id(item.tenant_id, taken, doubled) or await obstacle_to_work(transaction, schema)


def obstacle_to_id(tenant_id: str, taken: set[str], doubled: set[str], what: str = "schema") -> str | None:
    """Why a tenant cannot have the id."""
    try:
        TenantUtils.check_id(tenant_id)
    except InvalidTenantId as error:
        return f"{error.message}: name the tenant in a file of ids"
    if tenant_id in doubled:
        return f"another {what} is to be tenant {tenant_id!r} too: name them in a file of ids"
    return f"there is a tenant {tenant_id!r} already, with another {what}: name this one in a file of ids" if tenant_id in taken else None


async def obstacle_to_work(transaction: Transaction, schema: Found) -> str | None:
    """Why nobody can go on with a schema."""
    if not schema.reachable:
        return f"the login may not act as its owner: {await grant_that_is_missing(transaction, schema)}"
    if schema.strangers:
        return f"parts of it belong to others than its owner {schema.owner!r}: {', '.join(schema.strangers)}"
    return None if schema.tables else "it has no tables"


def _known(row: Mapping[str, Any]) -> Adoption:
    difference = tuple(Difference(**item) for item in row["difference"])
    return Adoption(**{**row, "verdict": Verdict(row["verdict"]), "difference": difference}, registered=True, known=True)
