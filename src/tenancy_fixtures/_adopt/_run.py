"""A fleet that is there already: what each tenant of it is, and which become tenants here."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, Union

from .._fixture import Operation, run
from .._pg.adopt import write_adoptions
from ..exceptions import ConfigurationError, StatementRefused, TenantExists
from ._databases import DatabaseFleet
from ._fleet import SchemaFleet
from ._names import read_ids
from ._shapes import Adoption, AdoptionReport, Verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from ..monitoring import ProgressListener
    from ..packs import Pack
    from ..runtime import Runtime
    from ._names import Selection

_UNIQUE_VIOLATION = "23505"
_Fleet = Union[SchemaFleet, DatabaseFleet]
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


async def adopt(
    runtime: Runtime, pack: Pack, selection: Selection, *, accept_drift: bool = False, dry_run: bool = False, listener: ProgressListener | None = None
) -> AdoptionReport:
    """Look at a fleet and register those of it that are ready, and, with ``accept_drift``, those that are drifted.

    Each is registered in a transaction of its own, so that what was begun goes on when it is called again. Nothing but the control plane
    is written to.

    :raises ConfigurationError: the selection says nothing, or names what is not there.
    :raises PackError: the pack's scripts are at fault.
    """
    began = time.perf_counter()
    selection.check()
    given = {} if selection.ids is None else read_ids(selection.ids, selection.place)
    fleet = DatabaseFleet(runtime, pack) if selection.databases else SchemaFleet(runtime, pack)
    async with runtime.slots, runtime.database.transaction(role="migrator") as transaction:
        await fleet.read(transaction, selection, given)
    open_ones = [item for item in fleet.named.values() if item.schema not in fleet.settled]
    judged = await _at_once(open_ones, fleet.judge, f"look at {selection.place}s", listener)
    found = {**fleet.settled, **{item.schema: item for item in judged}}
    if not dry_run:
        found.update(await _register(runtime, pack, fleet, found.values(), accept_drift=accept_drift, listener=listener))
    return AdoptionReport(tuple(found[name] for name in sorted(found)), dry_run, round(time.perf_counter() - began, 6))


async def _register(
    runtime: Runtime,
    pack: Pack,
    fleet: _Fleet,
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
        try:
            await run(runtime, pack, Operation("adopt", str(item.tenant_id), fleet.fixtures(item), here=True))
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
