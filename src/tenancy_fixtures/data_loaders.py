"""DataLoader: datasets of the pack, or of the caller's files, into a tenant's tables; and the loaders of the domains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ._fixture import BaseFixture, FixtureContext
from ._pg.catalog import order_tables, read_tables
from ._shapes import Step, ValidationReport
from .audit import AuditAction
from .exceptions import ConfigurationError, DatasetNotFound
from .validators import misfits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ._dataset_load import DatasetLoad
    from ._pack_models import Dataset
    from ._shapes import Table
    from .packs import Pack


class DataLoader(BaseFixture):
    """Datasets that a tenant should have.

    Without ``datasets`` those named in ``sources`` are meant, and without both all of the pack. ``sources`` puts files of
    the caller's (a file, a folder, a glob) in the place of the pack's. ``on_error`` is ``"fail"`` or ``"reject"``; each
    dataset's own rule where it is not given. What the ledger knows already is not read again.
    """

    name: ClassVar[str] = "data"
    depends_on: ClassVar[tuple[str, ...]] = ("tenant", "schema")
    role: ClassVar[str] = "loader"

    def __init__(
        self, datasets: Iterable[str] | None = None, *, sources: Mapping[str, str | Path] | None = None, on_error: str | None = None
    ) -> None:
        if on_error not in (None, "fail", "reject"):
            raise ConfigurationError(f"on_error cannot be {on_error!r}", hint="It is fail or reject.")
        self.sources = {name: Path(path) for name, path in (sources or {}).items()}
        self.datasets = None if datasets is None else tuple(dict.fromkeys([*datasets, *self.sources]))
        self.on_error = on_error

    @property
    def arguments(self) -> dict[str, Any]:
        """What was asked for: an idempotency key stands for these."""
        return {"datasets": self.datasets, "sources": {name: str(path) for name, path in self.sources.items()}, "on_error": self.on_error}

    async def validate(self, context: FixtureContext) -> ValidationReport:
        """See that the tenant has the tables and columns that the datasets fill."""
        tables = await read_tables(context.transaction.connection, context.existing.namespace)
        behind = context.existing.revision < context.pack.head
        findings = [finding for dataset in self._chosen(context.pack) for finding in misfits(dataset, tables)]
        if behind:
            findings = [replace(finding, message=f"{finding.message}: run `tenancy migrate`") for finding in findings]
        return ValidationReport(self.name, len(self._chosen(context.pack)), tuple(findings))

    async def plan(self, context: FixtureContext) -> Sequence[Step]:
        """Say for each dataset whether it would be loaded or is there already; every record is checked, none is written."""
        tables = await read_tables(context.transaction.connection, context.existing.namespace)
        steps = []
        for load in self._loads(context, tables):
            report = await load.look()
            context.datasets.append(report)
            action = "skip" if report.skipped else "load"
            steps.append(Step(self.name, action, report.dataset, {"read": report.read, "rejects": report.rejects}))
        return steps

    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        """Load the datasets in order of references."""
        tables = await read_tables(context.transaction.connection, context.existing.namespace)
        steps = []
        for load in self._loads(context, tables):
            report = await load.run()
            context.datasets.append(report)
            if report.skipped:
                steps.append(Step(self.name, "skip", report.dataset, {"digest": report.digest}))
                continue
            facts = {"read": report.read, "written": report.written, "duplicates": report.duplicates, "rejects": report.rejects}
            steps.append(Step(self.name, "load", report.dataset, facts))
            context.note(AuditAction.DATASET_LOADED, dataset=report.dataset, digest=report.digest, **facts)
        return steps

    async def rollback(self, context: FixtureContext) -> Sequence[Step]:
        """Remove the rows whose keys the sources hold, in reverse order, and forget them in the ledger."""
        tables = await read_tables(context.transaction.connection, context.existing.namespace)
        steps = []
        for load in reversed(self._loads(context, tables)):
            removed = await load.remove()
            if removed:
                steps.append(Step(self.name, "unload", load.dataset.name, {"removed": removed}))
                context.note(AuditAction.DATASET_UNLOADED, dataset=load.dataset.name, removed=removed)
        return steps

    def _chosen(self, pack: Pack) -> list[Dataset]:
        names = self.datasets if self.datasets is not None else tuple(self.sources) or None
        return list(pack.manifest.datasets) if names is None else [pack.dataset(name) for name in names]

    def _loads(self, context: FixtureContext, tables: Mapping[str, Table]) -> list[DatasetLoad]:
        """The loads in order of references between the tables that they fill."""
        # Here, so that everything but a load works without the data engine.
        from ._dataset_load import DatasetLoad

        position = {name: number for number, name in enumerate(order_tables(tables))}
        chosen = sorted(self._chosen(context.pack), key=lambda dataset: max(position.get(target.table, 0) for target in dataset.targets))
        return [
            DatasetLoad(context, dataset, tables, self.sources.get(dataset.name, context.pack.folder / dataset.source.path), self.on_error)
            for dataset in chosen
        ]


class SpotifyDataLoader(DataLoader):
    """The music catalogue: artists, albums, tracks with their audio features, playlists.

    ``catalogue`` names files of tracks (a file, a folder, a glob of CSV) that take the place of the pack's; without it the
    pack's own catalogue is loaded.

    :raises DatasetNotFound: while it runs, where the pack has no such datasets.
    """

    name: ClassVar[str] = "spotify"
    DATASETS: ClassVar[tuple[str, ...]] = ("artists", "albums", "tracks", "playlists", "playlist_tracks")

    def __init__(self, catalogue: str | Path | None = None, *, on_error: str | None = None) -> None:
        if catalogue is None:
            super().__init__(None, on_error=on_error)
        else:
            super().__init__(sources={"tracks": catalogue}, on_error=on_error)

    def _chosen(self, pack: Pack) -> list[Dataset]:
        if self.sources:
            return super()._chosen(pack)
        known = [dataset for dataset in pack.manifest.datasets if dataset.name in self.DATASETS]
        if not known:
            raise DatasetNotFound(f"the pack {pack.name!r} has none of the catalogue's datasets", hint=f"They are: {', '.join(self.DATASETS)}.")
        # Playlists belong to users: where the pack has both, neither is loaded without the other.
        needed = [dataset for dataset in pack.manifest.datasets if dataset.name == "users"]
        return [*needed, *known]


__all__ = ["DataLoader", "SpotifyDataLoader"]
