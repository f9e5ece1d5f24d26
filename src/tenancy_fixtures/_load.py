"""Datasets that are finished together: one, or those whose tables refer to each other; tried until no record is refused."""

from __future__ import annotations

from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from ._pg.copy import finish_all
from .constants import MAX_LISTED_REJECTS
from .exceptions import DataRejected, SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._dataset_load import DatasetLoad
    from ._fixture import FixtureContext

# Attempts to find all records that only the database can refuse: one for each kind of fault, and one for each link in a
# chain of records that refer to one that was refused. A load that may leave records out is worth more of them.
_ATTEMPTS, _ATTEMPTS_OF_REJECT = 8, 200


async def load_all(context: FixtureContext, groups: Sequence[Sequence[DatasetLoad]]) -> None:
    """Load groups of datasets in turn. When one has too many bad records, the rest is only read, so that all are found.

    :raises DataRejected: records broke the rules, and more of them than their datasets allow; all datasets' are listed.
    """
    failed: list[DataRejected] = []
    for group in groups:
        try:
            if failed:
                await _only_read(group)
            else:
                await load_together(context, group)
        except DataRejected as error:  # noqa: PERF203 - a group is no hot loop
            failed.append(error)
        finally:
            context.datasets += [load.report for load in group]
    if failed:
        raise _together(failed)


async def load_together(context: FixtureContext, loads: Sequence[DatasetLoad]) -> None:
    """Load datasets, unless the ledger has the same content; each one's ``report`` says what was done.

    A record that only the database can refuse (a reference that leads nowhere, a value that another row has) ends an
    attempt. It is left out of the next, so that all of them are found and, where the dataset allows it, the others loaded.

    :raises DataRejected: records broke the rules, and more of them than the dataset allows.
    :raises RowsLost: what was read and what is stored differ.
    """
    active = [load for load in loads if await load.begin()]
    refusals: list[DataRejected] = []
    while active and not await _succeeds(context, active, refusals):
        pass
    _refuse_bad(context, active, refusals)


async def _succeeds(context: FixtureContext, loads: Sequence[DatasetLoad], refusals: list[DataRejected]) -> bool:
    """Make one attempt; what the database refuses in it is left out of the next."""
    try:
        async with context.transaction.connection.transaction():
            await _attempt(context, loads)
    except DataRejected as error:
        if not error.ordinals:
            raise
        refusals.append(error)
        load = next(load for load in loads if load.dataset.name == error.dataset)
        if not _leave_out(load, error, len(refusals)):
            raise load.rejection(refusals, more=True) from None
        return False
    return True


def _leave_out(load: DatasetLoad, error: DataRejected, attempts: int) -> bool:
    """Leave the refused records out of the next attempt; False where another cannot lead further."""
    new = load.tally.refuse(error)
    limit = _ATTEMPTS_OF_REJECT if load.budget.reject else _ATTEMPTS
    return bool(new) and attempts < limit and not load.budget.ends_early(len(load.tally.refused))


async def _attempt(context: FixtureContext, loads: Sequence[DatasetLoad]) -> None:
    try:
        for load in loads:
            await load.open()
        for load in loads:
            await load.transfer()
        await _finish(context, loads)
        for load in loads:
            await load.end()
    except DataRejected as error:
        for load in loads:
            if load.dataset.name == error.dataset:
                await load.with_lines(error)
        raise
    finally:
        for load in loads:
            load.close()


async def _finish(context: FixtureContext, loads: Sequence[DatasetLoad]) -> None:
    names = ", ".join(load.dataset.name for load in loads)
    async with AsyncExitStack() as stack:
        for load in loads:
            await stack.enter_async_context(load.digested())
        with loads[0].named(), context.tracker.phase(f"integrity {names}"):
            stats = iter(await finish_all([writer for load in loads for writer in load.writers], [book for load in loads for book in load.books()]))
    for load in loads:
        load.stats = [next(stats) for _ in load.writers]


def _refuse_bad(context: FixtureContext, loads: Sequence[DatasetLoad], refusals: Sequence[DataRejected]) -> None:
    """The rows are there; those of a dataset with too many bad records must not stay. A dry run tells how many there are."""
    bad = [load for load in loads if not load.budget.allows(load.tally.rejected, load.tally.read)]
    if context.dry_run:
        for load in bad:
            load.report = replace(load.report, refused=True)
    elif bad:
        raise _together([load.rejection(refusals) for load in bad])


async def _only_read(loads: Sequence[DatasetLoad]) -> None:
    """Find the bad records of datasets that will not be loaded any more."""
    failed = []
    for load in loads:
        # What is wrong with a source is the second problem, and is told when the first is solved.
        with suppress(SourceError):
            await load.only_read()
        if not load.budget.allows(load.tally.rejected, load.tally.read):
            failed.append(load.rejection([]))
    if failed:
        raise _together(failed)


def _together(errors: Sequence[DataRejected]) -> DataRejected:
    """One error for the bad records of several datasets."""
    first, *others = errors
    if not others:
        return first
    also = "; ".join(error.message for error in others)
    rejects = [reject for error in errors for reject in error.rejects]
    facts = {name: value for name, value in first.facts.items() if name != "count"}
    count = sum(error.count or len(error.rejects) for error in errors)
    return DataRejected(f"{first.message}; {also}", rejects=rejects[:MAX_LISTED_REJECTS], hint=first.hint, count=count, **facts)
