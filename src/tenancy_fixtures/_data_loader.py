"""DataLoader: datasets of the pack, or of the caller's files, into a tenant's tables."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ._fixture import BaseFixture, FixtureContext
from ._ingest import Place, SourceLimits, Spool, as_path
from ._integrity.checksums import keep_up
from ._integrity.shared import open_tables
from ._pg.catalog import read_tables, table_order
from ._reject_log import Budget, RejectTally, check_rejects_path, write_rejects
from ._shapes import Step, ValidationReport
from .audit import AuditAction
from .exceptions import ConfigurationError
from .validators import misfits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ._dataset_load import DatasetLoad
    from ._domains import Settled
    from ._ingest import Hooks
    from ._pack_models import Dataset
    from ._shapes import DatasetReport, Finding, ForeignKey, Table
    from .packs import Pack


@dataclass(frozen=True)
class Wanted:
    """A dataset that a run is to load: where its sources are, and what is done to its records before they are mapped."""

    dataset: Dataset
    place: Place
    hooks: Hooks | None = None


class DataLoader(BaseFixture):
    """Datasets that a tenant should have.

    Without ``datasets`` those named in ``sources`` are meant, and without both all of the pack. ``sources`` puts files of
    the caller's (a file, a folder, a glob, an archive, a URL, ``-`` for standard input) in the place of the pack's. ``on_error`` is ``"fail"`` or ``"reject"``, and
    ``max_errors`` (records) and ``max_share`` (of all records, 0 to 1) bound what is left out with ``reject``; each dataset's
    own rule where they are not given. ``rejects_to`` names a file for all bad records, as NDJSON. What the ledger knows
    already is not read again, unless ``again`` says so: rows that were changed or removed since come back.
    """

    name: ClassVar[str] = "data"
    depends_on: ClassVar[tuple[str, ...]] = ("tenant", "schema")
    role: ClassVar[str] = "loader"

    def __init__(
        self,
        datasets: Iterable[str] | None = None,
        *,
        sources: Mapping[str, str | Path] | None = None,
        on_error: str | None = None,
        max_errors: int | None = None,
        max_share: float | None = None,
        rejects_to: str | Path | None = None,
        again: bool = False,
    ) -> None:
        if on_error not in (None, "fail", "reject"):
            raise ConfigurationError(f"on_error cannot be {on_error!r}", hint="It is fail or reject.")
        self.sources = {name: as_path(path) for name, path in (sources or {}).items()}
        if isinstance(datasets, str):
            raise ConfigurationError("datasets are a list of names, not one text", hint="Write [...] around it.")
        self.datasets = None if datasets is None else tuple(dict.fromkeys([*datasets, *self.sources]))
        self.on_error = on_error
        self.max_errors = max_errors
        self.max_share = max_share
        self.again = again
        self.rejects_to = None if rejects_to is None else Path(rejects_to)
        Budget(reject=True, max_errors=max_errors, max_share=max_share)  # says at once what is wrong with them

    @property
    def arguments(self) -> dict[str, Any]:
        """What was asked for: an idempotency key stands for these."""
        sources = {name: str(path) for name, path in self.sources.items()}
        budget = {"on_error": self.on_error, "max_errors": self.max_errors, "max_share": self.max_share}
        return {"datasets": self.datasets, "sources": sources, "again": self.again, **budget}

    async def validate(self, context: FixtureContext) -> ValidationReport:
        """See that the tenant has the tables and columns that the datasets fill, and that policies hold where it shares them."""
        tables = await read_tables(context.transaction.connection, context.existing.namespace)
        chosen = self._chosen(context.pack)
        open_to_others = await open_tables(context.transaction, context.existing)
        return ValidationReport(self.name, len(chosen), (*open_to_others, *misfits_of(context, chosen, tables)))

    async def plan(self, context: FixtureContext) -> Sequence[Step]:
        """Say for each dataset what a load would write; everything is tried, and the dry run's transaction takes it back."""
        await self._load(context)
        steps = [Step(self.name, "skip" if report.skipped else "load", report.dataset, _outlook(report)) for report in context.datasets]
        return steps + [done.step(self.name) for done in await self._settle(context)]

    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        """Load the datasets in order of references."""
        await self._load(context)
        steps = []
        for report in context.datasets:
            if report.skipped:
                steps.append(Step(self.name, "skip", report.dataset, {"digest": report.digest}))
                continue
            facts = {"read": report.read, "written": report.written, "duplicates": report.duplicates, "rejects": report.rejects}
            steps.append(Step(self.name, "load", report.dataset, facts))
            context.note(AuditAction.DATASET_LOADED, dataset=report.dataset, digest=report.digest, **facts)
        written = {table.table for report in context.datasets for table in report.tables if table.written}
        for done in await self._settle(context):
            steps.append(done.step(self.name))
            written.update(done.tables)
        await keep_up(context.transaction, context.existing, context.run_id, context.pack, written)
        return steps

    async def _settle(self, context: FixtureContext, *, removed: bool = False) -> Sequence[Settled]:  # noqa: ARG002 - others make something of the rows
        """What is made of the rows that were loaded, or removed, in the same transaction."""
        return ()

    async def _load(self, context: FixtureContext) -> None:
        # Here, so that everything but a load works without the data engine.
        from ._load import load_all

        if self.rejects_to is not None:
            await asyncio.to_thread(check_rejects_path, self.rejects_to)
        tables = await read_tables(context.transaction.connection, context.existing.namespace)
        with Spool(SourceLimits.of(context.settings)) as spool:
            groups = self._groups(context, tables, await self._wanted(context, tables, spool))
            try:
                await load_all(context, groups)
            finally:
                if self.rejects_to is not None:
                    await asyncio.to_thread(write_rejects, self.rejects_to, [load.tally for group in groups for load in group])

    async def rollback(self, context: FixtureContext) -> Sequence[Step]:
        """Remove the rows whose keys the sources hold, in reverse order, and forget them in the ledger."""
        tables = await read_tables(context.transaction.connection, context.existing.namespace)
        steps = []
        with Spool(SourceLimits.of(context.settings)) as spool:
            wanted = await self._wanted(context, tables, spool)
            for load in reversed([load for group in self._groups(context, tables, wanted) for load in group]):
                removed = await load.remove()
                if removed:
                    steps.append(Step(self.name, "unload", load.dataset.name, {"removed": removed}))
                    context.note(AuditAction.DATASET_UNLOADED, dataset=load.dataset.name, removed=removed)
        steps += [done.step(self.name) for done in await self._settle(context, removed=True)]
        await keep_up(context.transaction, context.existing, context.run_id, context.pack)
        return steps

    def _chosen(self, pack: Pack) -> list[Dataset]:
        names = self.datasets if self.datasets is not None else tuple(self.sources) or None
        return list(pack.manifest.datasets) if names is None else [pack.dataset(name) for name in names]

    async def _wanted(self, context: FixtureContext, tables: Mapping[str, Table], spool: Spool) -> list[Wanted]:  # noqa: ARG002 - others look at the tables
        """The datasets that this run loads."""
        folder = context.pack.folder
        return [Wanted(item, Place(self.sources.get(item.name, folder / item.source.path), spool)) for item in self._chosen(context.pack)]

    def _groups(self, context: FixtureContext, tables: Mapping[str, Table], wanted: Sequence[Wanted]) -> list[list[DatasetLoad]]:
        """The loads in order of references between the tables that they fill; those in a circle are one group."""
        from ._dataset_load import DatasetLoad
        from ._declared import relied_on

        datasets = [item.dataset for item in wanted]
        declared = [key for item in datasets for target in item.targets for key in relied_on(item, target, tables)]
        order = table_order(_with_references(tables, declared))
        position = {name: number for number, name in enumerate(order.names)}
        circle = {name: members[0] for members in order.cycles for name in members}
        groups: dict[str, list[DatasetLoad]] = {}
        for item in sorted(wanted, key=lambda item: max(position.get(target.table, 0) for target in item.dataset.targets)):
            dataset = item.dataset
            tally = RejectTally(dataset.name, keep_all=self.rejects_to is not None)
            load = DatasetLoad(context, dataset, tables, item.place, self._budget(dataset), tally, item.hooks, again=self.again)
            groups.setdefault(_circle_of(dataset, circle), []).append(load)
        return list(groups.values())

    def _budget(self, dataset: Dataset) -> Budget:
        max_errors = dataset.max_errors if self.max_errors is None else self.max_errors
        max_share = dataset.max_share if self.max_share is None else self.max_share
        return Budget((self.on_error or dataset.on_error) == "reject", max_errors, max_share)


def _circle_of(dataset: Dataset, circle: Mapping[str, str]) -> str:
    """A name for the circle of tables that a dataset fills a part of; its own where there is none."""
    return next((f"circle {circle[target.table]}" for target in dataset.targets if target.table in circle), f"dataset {dataset.name}")


def _outlook(report: DatasetReport) -> dict[str, Any]:
    if report.skipped:
        return {"read": report.read, "rejects": report.rejects}
    kinds = {"insert": "inserted", "update": "updated", "delete": "deleted"}
    written = {name: sum(getattr(table, kind) for table in report.tables) for name, kind in kinds.items()}
    return {"read": report.read, **written, "duplicates": report.duplicates, "rejects": report.rejects}


def _with_references(tables: Mapping[str, Table], declared: Sequence[ForeignKey]) -> dict[str, Table]:
    """The tables as if they had the declared references too: it is the order of the load that counts them."""
    return {
        name: replace(table, foreign_keys=(*table.foreign_keys, *(key for key in declared if key.table == name))) for name, table in tables.items()
    }


def misfits_of(context: FixtureContext, datasets: Sequence[Dataset], tables: Mapping[str, Table]) -> list[Finding]:
    """What datasets need of the tenant's schema and do not find there; where the tenant is behind its pack, with what to do."""
    findings = [finding for dataset in datasets for finding in misfits(dataset, tables)]
    if context.existing.revision < context.pack.head:
        findings = [replace(finding, message=f"{finding.message}: run `tenancy migrate`") for finding in findings]
    return findings
