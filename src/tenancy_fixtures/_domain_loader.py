"""DomainLoader: the caller's files into a tenant's tables, each as the kind of file that it is."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ._data_loader import DataLoader, Wanted, misfits_of
from ._domains import Detection, KnownShape, Settled, built_in, detect, detect_each, find_sources, settle
from ._ingest import Place, as_path
from ._integrity.shared import open_tables
from ._shapes import Step, ValidationReport
from .exceptions import ConfigurationError, DatasetNotFound, UnknownShape, ValidationFailed, WrongDomain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ._fixture import FixtureContext
    from ._ingest import FileSource, Spool
    from ._pack_models import Dataset
    from ._shapes import Table
    from .packs import Pack

NO_RECORD = "it holds no record that is kept"  # why nothing came of a file whose kind holds some
_LISTED = 8  # shapes that a message names
_EMPTY = ""  # the shape of what holds no record: an export has such files where there was nothing to export


class DomainLoader(DataLoader):
    """Files of the caller's that say themselves what they are.

    ``paths`` are files, folders, globs, archives, URLs or ``-`` for standard input. Each file is looked at; files of several
    kinds are loaded in the order of their references, in one transaction. ``given`` are values that files of some kinds do
    not hold, such as whose history it is: ``{"user": "alice"}``. The other arguments are those of :class:`DataLoader`.

    Without paths the pack's own ``DATASETS`` are loaded, those of them that it has.

    A loader of a domain of one's own has a ``domain`` and its :meth:`shapes`.

    :raises UnknownShape: while it runs, for a file of no kind that is known.
    :raises WrongDomain: while it runs, for a file of another domain.
    :raises DatasetNotFound: while it runs without paths, where the pack has none of the datasets.
    """

    name: ClassVar[str] = "files"
    domain: ClassVar[str | None] = None
    DATASETS: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        paths: str | Path | Iterable[str | Path] | None = None,
        *,
        given: Mapping[str, str] | None = None,
        on_error: str | None = None,
        max_errors: int | None = None,
        max_share: float | None = None,
        rejects_to: str | Path | None = None,
        again: bool = False,
    ) -> None:
        super().__init__(on_error=on_error, max_errors=max_errors, max_share=max_share, rejects_to=rejects_to, again=again)
        named = [paths] if isinstance(paths, (str, Path)) else paths
        self.paths = None if named is None else tuple(as_path(path) for path in named)
        self.given = dict(given or {})
        if not (self.DATASETS if self.paths is None else self.paths):
            raise ConfigurationError("no file is named", hint="Give a file, a folder, a glob, an archive or a URL.")

    @classmethod
    def shapes(cls) -> tuple[KnownShape, ...]:
        """The shapes that the loader knows; those of other domains too, so that it can name them."""
        return built_in()

    @classmethod
    def detect(cls, path: str | Path, *, pack: Pack | None = None) -> Detection:
        """Say what a file is and why, or each file of a folder, a glob or an archive; nothing is loaded.

        :raises SourceError: nothing is there, or it may not be read.
        """
        return detect(path, cls.known(pack))

    @classmethod
    def known(cls, pack: Pack | None) -> tuple[KnownShape, ...]:
        """The loader's shapes and those that a pack declares; the pack's in the place of others of the same name, and with their functions."""
        theirs = {shape.name: shape for shape in cls.shapes()}
        own = {
            shape.name: replace(theirs[shape.name], declared=shape) if shape.name in theirs else KnownShape(shape)
            for shape in (pack.shapes if pack else ())
        }
        return (*own.values(), *(shape for name, shape in theirs.items() if name not in own))

    @property
    def arguments(self) -> dict[str, Any]:
        """What was asked for: an idempotency key stands for these."""
        paths = None if self.paths is None else [str(path) for path in self.paths]
        return {**super().arguments, "paths": paths, "given": self.given}

    async def validate(self, context: FixtureContext) -> ValidationReport:
        """See that the tenant has the tables of the pack's datasets. What files need is known when they are looked at, once."""
        if self.paths is None:
            return await super().validate(context)
        return ValidationReport(self.name, 0, tuple(await open_tables(context.transaction, context.existing)))

    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        """Look at the files, and load them in order of references."""
        return self._with_passed_over(context, await super().apply(context))

    async def plan(self, context: FixtureContext) -> Sequence[Step]:
        """Look at the files, and say for each dataset what a load would write."""
        return self._with_passed_over(context, await super().plan(context))

    def _with_passed_over(self, context: FixtureContext, steps: Sequence[Step]) -> list[Step]:
        return [*steps, *(Step(self.name, "skip", name, {"reason": why}) for name, why in context.passed_over.items())]

    async def _settle(self, context: FixtureContext, *, removed: bool = False) -> Sequence[Settled]:
        return await settle(self.domain, context.transaction, context.existing.namespace, removed=removed)

    async def _wanted(self, context: FixtureContext, tables: Mapping[str, Table], spool: Spool) -> list[Wanted]:
        if self.paths is None:
            return await super()._wanted(context, tables, spool)
        known = self.known(context.pack)
        self._check_given(known)
        found = await asyncio.to_thread(self._look, self.paths, known, spool)
        # Until a record of theirs is read.
        context.passed_over.update(
            (source.name, shape.declared.holds_nothing or NO_RECORD) for shape in known for source in found.get(shape.name, ())
        )
        context.passed_over.update((source.name, "it holds no record") for source in found.get(_EMPTY, ()))
        wanted = [
            Wanted(dataset, Place("", spool, tuple(sources)), shape.hooks(dataset, self.given))
            for shape in known
            if (sources := found.get(shape.name))
            for dataset in shape.datasets()
        ]
        findings = misfits_of(context, [item.dataset for item in wanted], tables)
        if findings:
            listed = "; ".join(f"{item.object}: {item.message}" for item in findings[:_LISTED])
            hint = (
                "The shapes' datasets fill tables of the default pack. Add the tables, or declare the shape in your pack with datasets of your own."
            )
            raise ValidationFailed(f"the files do not fit the tenant's schema: {listed}", findings=[item.to_dict() for item in findings], hint=hint)
        return [item for item in wanted if await asyncio.to_thread(_holds_records, item, tables)]

    def _chosen(self, pack: Pack) -> list[Dataset]:
        if self.paths is not None:
            return []
        found = [dataset for dataset in pack.manifest.datasets if dataset.name in self.DATASETS]
        if not found:
            raise DatasetNotFound(f"the pack {pack.name!r} has none of the datasets of {self.name}", hint=f"They are: {', '.join(self.DATASETS)}.")
        return found

    def _look(self, paths: Sequence[str | Path], known: Sequence[KnownShape], spool: Spool) -> dict[str, list[FileSource]]:
        """The sources by shape. Every file that cannot be loaded is told, not only the first."""
        places = [find_sources(path, known, spool) for path in paths]
        _tell_apart([source for sources in places for source in sources])
        found: dict[str, list[FileSource]] = {}
        refused: list[Detection] = []
        for source, detection in (pair for sources in places for pair in detect_each(sources, known)):
            if detection.empty:
                found.setdefault(_EMPTY, []).append(source)
            elif detection.shape is None or (self.domain is not None and detection.domain != self.domain):
                refused.append(detection)
            else:
                found.setdefault(detection.shape, []).append(source)
        if refused:
            raise self._refusal(refused, known)
        return found

    def _refusal(self, refused: Sequence[Detection], known: Sequence[KnownShape]) -> UnknownShape | WrongDomain:
        first = refused[0]
        others = [item.source for item in refused[1 : _LISTED + 1]] + (["…"] if len(refused) > _LISTED + 1 else [])
        more = f"; nor can {len(refused) - 1} more of the files be loaded: {', '.join(others)}" if others else ""
        facts: dict[str, Any] = {"source": first.source, "files": [item.source for item in refused]}
        if first.shape is not None:
            hint = f"Nothing was loaded. Use the loader of {first.domain}, or DomainLoader, which loads files of all domains."
            message = f"{first.source} is {first.description}: it belongs to {first.domain}, not to {self.domain}{more}"
            return WrongDomain(message, shape=first.shape, domain=first.domain, hint=hint, **facts)
        ours = [shape.declared.description for shape in known if self.domain in (None, shape.domain)]
        listed = "; ".join(ours[:_LISTED]) + (f"; and {len(ours) - _LISTED} more" if len(ours) > _LISTED else "")
        hint = f"Nothing was loaded. What can be loaded: {listed}. `tenancy detect` says why it is none of them; a pack can declare more."
        return UnknownShape(f"{first.source} is of no kind that is known: {', '.join(first.why)}{more}", hint=hint, **facts)

    def _check_given(self, known: Sequence[KnownShape]) -> None:
        names = {name for shape in known if self.domain in (None, shape.domain) for item in shape.declared.datasets for name in item.given}
        unknown = sorted(set(self.given) - names)
        if unknown:
            raise ConfigurationError(
                f"no file needs to be given {', '.join(unknown)}", hint=f"What can be given: {', '.join(sorted(names)) or 'nothing'}."
            )


def _holds_records(wanted: Wanted, tables: Mapping[str, Table]) -> bool:
    """Whether the files hold anything of the dataset's: of most kinds a file holds a few, and each would be a table to open."""
    from ._ingest import read_dataset

    def holds_some(source: FileSource) -> bool:
        with read_dataset(wanted.dataset, tables, (source,), hooks=wanted.hooks) as stream:
            return any(frame.records for frame in stream)

    return any(map(holds_some, wanted.place.chosen))


def _tell_apart(sources: Sequence[FileSource]) -> None:
    """Files of several paths may have one name: those get their whole path as their name."""
    counts = Counter(source.name for source in sources)
    for number, source in enumerate(sources, start=1):
        if counts[source.name] > 1:
            source.name = str(source.path) if source.path and source.path.name == source.name else f"{source.name} ({number})"
