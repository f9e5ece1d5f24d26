"""A fleet that is there already: which schemas it has, what each is, and which become tenants."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Optional, TypeVar

from .._fixture import Operation, run
from .._integrity.differences import Difference
from .._pg.adopt import grant_that_is_missing, read_schemas, write_adoptions
from ..config_fixtures import ConfigFixture
from ..exceptions import ConfigurationError, InvalidTenantId, StatementRefused, TenantExists
from ..utils import TenantUtils
from ._judge import Judge
from ._names import Named, check_pattern, id_by_pattern, read_ids
from ._register import AdoptedFixture
from ._registries import schemas_of
from ._shapes import Adoption, AdoptionReport, Verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from .._pg.adopt import Found
    from .._pg.database import Transaction
    from ..monitoring import ProgressListener
    from ..packs import Pack
    from ..runtime import Runtime

_UNIQUE_VIOLATION = "23505"
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Selection:
    """Which schemas are looked at: those that patterns fit, or that a registry of the host's names. ``ids`` is a file that names tenants."""

    schemas: tuple[str, ...] = ()
    registry: Optional[str] = None
    ids: Optional[Path] = None

    def check(self) -> None:
        """See that it says what to look at.

        :raises ConfigurationError: it says nothing, or too much.
        """
        if bool(self.schemas) == bool(self.registry):
            raise ConfigurationError("schemas are named by patterns, or by a registry", hint="Give --schemas 'tenant_%', or --registry.")
        for pattern in self.schemas:
            check_pattern(pattern)


async def adopt(
    runtime: Runtime, pack: Pack, selection: Selection, *, accept_drift: bool = False, dry_run: bool = False, listener: ProgressListener | None = None
) -> AdoptionReport:
    """Look at a fleet's schemas and register those that are ready, and, with ``accept_drift``, those that are drifted.

    Each is registered in a transaction of its own, so that what was begun goes on when it is called again. Nothing but the control plane
    is written to.

    :raises ConfigurationError: the selection says nothing, or names what is not there.
    :raises PackError: the pack's scripts are at fault.
    """
    began = time.perf_counter()
    selection.check()
    given = {} if selection.ids is None else read_ids(selection.ids)
    async with runtime.slots, runtime.database.transaction(role="migrator") as transaction:
        schemas = await read_schemas(transaction)
        named = await _named(transaction, selection, schemas, given)
        settled = await _settled(transaction, pack, schemas, named)
    judge = Judge(runtime, pack, [schemas[name] for name in named if name in schemas])
    open_ones = [item for item in named.values() if item.schema not in settled]
    judged = await _at_once(open_ones, lambda item: judge.judge(schemas[item.schema], item), "look at schemas", listener)
    found = {**settled, **{item.schema: item for item in judged}}
    if not dry_run:
        found.update(await _register(runtime, pack, schemas, found.values(), accept_drift=accept_drift, listener=listener))
    return AdoptionReport(tuple(found[name] for name in sorted(found)), dry_run, round(time.perf_counter() - began, 6))


async def _named(transaction: Transaction, selection: Selection, schemas: Mapping[str, Found], given: Mapping[str, Named]) -> dict[str, Named]:
    """Which schemas are looked at, and the id of each."""
    names = {name: name for name in await schemas_of(transaction, selection.registry)} if selection.registry else {}
    for pattern in selection.schemas:
        fitting = ((name, id_by_pattern(pattern, name)) for name in schemas)
        names = {**{name: tenant_id for name, tenant_id in fitting if tenant_id is not None}, **names}
    strange = sorted(given.keys() - names.keys())
    if strange:
        raise ConfigurationError(f"the file of ids names schemas that are not among them: {', '.join(strange[:5])}", hint="Check their spelling.")
    return {name: given.get(name, Named(name, tenant_id)) for name, tenant_id in names.items()}


async def _settled(transaction: Transaction, pack: Pack, schemas: Mapping[str, Found], named: Mapping[str, Named]) -> dict[str, Adoption]:
    """Those that need no look at their structure: they are tenants since an earlier call, or something stands in the way."""
    taken = {row["tenant_id"] for row in await transaction.all("adopt.ids")}
    known = {row["schema"]: row for row in await transaction.all("adopt.known", names=list(named))}
    doubled = {tenant_id for tenant_id, count in Counter(item.tenant_id for item in named.values()).items() if count > 1}
    settled = {}
    for name, item in named.items():
        schema = schemas.get(name)
        if schema is not None and schema.adopted:
            settled[name] = _known(known[name])
            continue
        shared = f"what tenants of the pack {pack.name!r} share is no tenant's" if name in pack.manifest.shared_schemas else None
        reason = shared or await _obstacle(transaction, schema, item, taken, doubled)
        if reason is not None:
            owner = None if schema is None else schema.owner
            settled[name] = Adoption(name, Verdict.CONFLICT, item.tenant_id, owner=owner, reason=reason)
    return settled


async def _obstacle(transaction: Transaction, schema: Found | None, item: Named, taken: set[str], doubled: set[str]) -> str | None:
    if schema is None:
        return "there is no such schema"
    if schema.taken is not None:
        return f"it is registered already: of tenant {schema.taken!r}"
    return _obstacle_to_id(item.tenant_id, taken, doubled) or await _obstacle_to_work(transaction, schema)


def _obstacle_to_id(tenant_id: str, taken: set[str], doubled: set[str]) -> str | None:
    try:
        TenantUtils.check_id(tenant_id)
    except InvalidTenantId as error:
        return f"{error.message}: name the tenant in a file of ids"
    if tenant_id in doubled:
        return f"another schema is to be tenant {tenant_id!r} too: name them in a file of ids"
    return f"there is a tenant {tenant_id!r} already, with another schema: name this one in a file of ids" if tenant_id in taken else None


async def _obstacle_to_work(transaction: Transaction, schema: Found) -> str | None:
    if not schema.reachable:
        return f"the login may not act as its owner: {await grant_that_is_missing(transaction, schema)}"
    if schema.strangers:
        return f"parts of it belong to others than its owner {schema.owner!r}: {', '.join(schema.strangers)}"
    return None if schema.tables else "it has no tables"


def _known(row: Mapping[str, Any]) -> Adoption:
    difference = tuple(Difference(**item) for item in row["difference"])
    return Adoption(**{**row, "verdict": Verdict(row["verdict"]), "difference": difference}, registered=True, known=True)


async def _register(
    runtime: Runtime,
    pack: Pack,
    schemas: Mapping[str, Found],
    found: Iterable[Adoption],
    *,
    accept_drift: bool,
    listener: ProgressListener | None,
) -> dict[str, Adoption]:
    """Make tenants of those that may be, and write down what the others are."""
    verdicts = {Verdict.READY, Verdict.DRIFTED} if accept_drift else {Verdict.READY}
    fresh = [item for item in found if not item.known]
    wanted = [item for item in fresh if item.verdict in verdicts]

    async def register(item: Adoption) -> Adoption:
        fixtures = (AdoptedFixture(item, schemas[item.schema]), ConfigFixture())
        try:
            await run(runtime, pack, Operation("adopt", str(item.tenant_id), fixtures, here=True))
        except (TenantExists, ConfigurationError, StatementRefused) as error:
            # Somebody else was quicker, with the id or with the schema.
            if isinstance(error, StatementRefused) and error.facts.get("sqlstate") != _UNIQUE_VIOLATION:
                raise
            return replace(item, verdict=Verdict.CONFLICT, reason=error.message)
        return replace(item, registered=True)

    done = {item.schema: item for item in await _at_once(wanted, register, "register tenants", listener)}
    left = [done.get(item.schema, item) for item in fresh]
    async with runtime.slots, runtime.database.transaction(role="migrator") as transaction:
        await write_adoptions(transaction, [item.to_row() for item in left if not item.registered])
    return done


async def _at_once(
    items: Sequence[_Item], work: Callable[[_Item], Awaitable[_Result]], phase: str, listener: ProgressListener | None
) -> list[_Result]:
    """Work on all items, as many at once as the runtime's slots allow; the first error ends it."""
    tasks = [asyncio.ensure_future(work(item)) for item in items]
    results = []
    try:
        for number, task in enumerate(tasks, start=1):
            results.append(await task)
            if listener is not None:
                listener(phase, number, 0)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return results
