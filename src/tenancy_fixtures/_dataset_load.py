"""The way of one dataset: source → frames → checks → COPY → integrity → ledger, inside the run's transaction."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ._ahead import OneAhead
from ._ingest import content_digest, open_sources, read_dataset, refuse_changed
from ._pg.copy import EncodedFrame, TableWriter, WriteStats, finish_all, open_writer
from ._pg.errors import translated
from ._pg.remove import open_remover
from ._shapes import DatasetReport, Reject, TableReport, dataset_report
from .constants import LATE_INDEX_BYTES, MAX_LISTED_REJECTS
from .exceptions import DataRejected, RowsLost, TenancyError
from .utils import FixtureUtils, ValidationUtils

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ._fixture import FixtureContext
    from ._ingest import FileSource, Frame, FrameStream
    from ._pack_models import Dataset, Target
    from ._shapes import Table


@dataclass
class _Tally:
    """What was read so far: every record is good or rejected."""

    read: int = 0
    rejected: int = 0
    listed: tuple[Reject, ...] = ()

    def add(self, frame: Frame) -> None:
        self.read += frame.records
        self.rejected += frame.rejected
        self.listed += frame.rejects[: MAX_LISTED_REJECTS - len(self.listed)]


@dataclass(frozen=True)
class _Encoded:
    frame: Frame
    targets: tuple[EncodedFrame, ...]


class DatasetLoad:
    """Loads, or only looks at, one dataset of one tenant."""

    def __init__(self, context: FixtureContext, dataset: Dataset, tables: Mapping[str, Table], path: Path, on_error: str | None) -> None:
        self.dataset = dataset
        self._context = context
        self._tables = {target.table: tables[target.table] for target in dataset.targets}
        self._path = path
        self._reject = (on_error or dataset.on_error) == "reject"

    async def look(self) -> DatasetReport:
        """Read and check every record, and write none."""
        with self._named():
            report, sources = await self._begin()
            if report.skipped:
                return report
            with await asyncio.to_thread(self._open, sources) as stream:
                tally = _Tally()
                async with OneAhead(lambda: self._next(stream)) as frames:
                    async for frame in frames:
                        self._count(tally, frame)
                return replace(report, **self._facts(tally, stream))

    async def run(self) -> DatasetReport:
        """Load, unless the ledger has the same content.

        :raises DataRejected: records broke the rules; all of them are listed, up to a limit.
        :raises RowsLost: what was read and what is stored differ.
        """
        with self._named():
            return await self._run()

    async def _run(self) -> DatasetReport:
        report, sources = await self._begin()
        if report.skipped:
            return report
        with await asyncio.to_thread(self._open, sources) as stream:
            writers = await self._writers(stream, sources)
            tally = await self._transfer(stream, writers)
            if tally.rejected and not self._reject:
                raise self._rejected(tally)
            await asyncio.to_thread(refuse_changed, sources)
            with self._context.tracker.phase(f"integrity {self.dataset.name}"):
                stats = await finish_all(writers)
            report = replace(report, **self._facts(tally, stream), **self._stored(stats), tables=tuple(_table_report(item) for item in stats))
        self._account(report, tally, stats)
        await self._enter_ledger(report)
        return report

    async def remove(self) -> int:
        """Delete the rows whose keys the sources hold, and forget the dataset in the ledger; gives how many rows went.

        Derived rows stay: other datasets may refer to them.
        """
        with self._named():
            return await self._remove_all()

    async def _remove_all(self) -> int:
        sources = await asyncio.to_thread(open_sources, self._path)
        removed = 0
        for target in reversed([target for target in self.dataset.targets if not target.derived]):
            with await asyncio.to_thread(self._open, sources) as stream:
                removed += await self._remove(target, stream)
        await self._context.transaction.run("registry.forget_dataset", uid=self._context.existing.uid, dataset=self.dataset.name)
        return removed

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Let an error say which dataset it is about, and in which file its first reject is."""
        try:
            with translated():
                yield
        except TenancyError as error:
            error.facts.setdefault("dataset", self.dataset.name)
            if isinstance(error, DataRejected) and error.rejects:
                error.facts.setdefault("source", error.rejects[0].source)
            raise

    async def _remove(self, target: Target, stream: FrameStream) -> int:
        facts: dict[str, Any] = {"batch_size": self._context.settings.batch_size, "locate": stream.locate}
        table = self._tables[target.table]
        text_columns = stream.text_columns[target.table]
        remover = await open_remover(self._context.transaction.connection, table, target.key, text_columns=text_columns, **facts)
        async with OneAhead(lambda: self._next(stream)) as frames:
            async for frame in frames:
                rows = frame.targets[target.table]
                await remover.write(rows.table, rows.record_numbers)
        return await remover.finish()

    async def _begin(self) -> tuple[DatasetReport, Sequence[FileSource]]:
        """What the ledger says of this content: a report that is ``skipped``, or an empty one."""
        with self._context.tracker.phase("digest"):
            sources = await asyncio.to_thread(open_sources, self._path)
            content = await asyncio.to_thread(content_digest, sources)
        digest = FixtureUtils.digest([content, self.dataset.model_dump(mode="json"), self._context.settings.data_validation])
        values = {"uid": self._context.existing.uid, "dataset": self.dataset.name}
        entry = await self._context.transaction.one("registry.ledger_entry", **values)
        if entry is not None and entry["digest"] == digest:
            known = dataset_report(entry["report"])
            # What was loaded without its bad records is not what a load that allows none asks for.
            if self._reject or not known.rejects:
                return replace(known, skipped=True, tables=()), sources
        return DatasetReport(self.dataset.name, digest, sources=tuple(source.name for source in sources)), sources

    def _open(self, sources: Sequence[FileSource]) -> FrameStream:
        return read_dataset(self.dataset, self._tables, sources, checks=self._context.settings.data_validation)

    async def _writers(self, stream: FrameStream, sources: Sequence[FileSource]) -> list[TableWriter]:
        transaction, large = self._context.transaction, sum(source.size for source in sources) >= LATE_INDEX_BYTES
        writers = []
        for target in self.dataset.targets:
            facts: dict[str, Any] = {"text_columns": stream.text_columns[target.table], "batch_size": self._context.settings.batch_size}
            facts.update(late_indexes=large, as_owner=lambda: transaction.acting_as("migrator"), locate=stream.locate)
            columns = stream.schemas[target.table].names
            writers.append(await open_writer(transaction.connection, self._tables[target.table], columns, target.key, **facts))
        return writers

    async def _transfer(self, stream: FrameStream, writers: Sequence[TableWriter]) -> _Tally:
        """Read, encode and send, each beside the next; after a reject that ends the load, only read on."""
        tally = _Tally()

        def produce() -> _Encoded | None:
            frame = self._next(stream)
            if frame is None:
                return None
            return _Encoded(frame, tuple(_encode(writer, frame, target.table) for writer, target in zip(writers, self.dataset.targets)))

        async with OneAhead(produce) as frames:
            async for item in frames:
                self._count(tally, item.frame)
                if tally.rejected and not self._reject:
                    continue
                with self._context.tracker.phase(f"write {self.dataset.name}"):
                    for writer, encoded in zip(writers, item.targets):
                        await writer.send(encoded)
                        self._context.tracker.count(f"write {self.dataset.name}", encoded.rows, encoded.size)
        return tally

    def _next(self, stream: FrameStream) -> Frame | None:
        with self._context.tracker.phase(f"read {self.dataset.name}"):
            return next(stream, None)

    def _count(self, tally: _Tally, frame: Frame) -> None:
        tally.add(frame)
        self._context.tracker.count(f"read {self.dataset.name}", frame.records, frame.bytes)

    def _facts(self, tally: _Tally, stream: FrameStream) -> dict[str, Any]:
        return {
            "read": tally.read,
            "rejects": tally.rejected,
            "listed_rejects": tally.listed,
            "ignored_columns": stream.ignored_columns,
            "notes": stream.notes,
        }

    def _stored(self, stats: Sequence[WriteStats]) -> dict[str, Any]:
        own = next(item for item in stats if item.table == self.dataset.own.table)
        return {"stored": own.inserted + own.updated + own.unchanged, "duplicates": own.duplicates, "conflicts": own.conflicts}

    def _rejected(self, tally: _Tally) -> DataRejected:
        first = tally.listed[0] if tally.listed else None
        column = f", column {first.column}" if first and first.column else ""
        place = f"; the first: {first.source}, record {first.record}{column}: {first.message}" if first else ""
        hint = "Nothing was loaded. Mend the records, or load with on_error=reject to leave them out."
        message = f"{tally.rejected} of {tally.read} records of {self.dataset.name} broke the rules{place}"
        return DataRejected(message, rejects=tally.listed, hint=hint, count=tally.rejected)

    def _account(self, report: DatasetReport, tally: _Tally, stats: Sequence[WriteStats]) -> None:
        """Nothing may be lost between the source and any of the tables."""
        good = ValidationUtils.unaccounted(tally.read, tally.rejected)
        derived = {target.table for target in self.dataset.targets if target.derived}
        for item in stats:
            counted = item.inserted + item.updated + item.unchanged + item.duplicates
            # Of derived rows only those are sent that no record before has made.
            sent_all = item.sent <= good if item.table in derived else item.sent == good
            if not sent_all or counted != item.sent:
                raise RowsLost(f"{good} records of {report.dataset} were good, {item.sent} were sent to {item.table} and {counted} arrived")
        if report.lost:
            raise RowsLost(f"{report.lost} of {report.read} records of {report.dataset} are not accounted for")

    async def _enter_ledger(self, report: DatasetReport) -> None:
        values = {"uid": self._context.existing.uid, "dataset": report.dataset, "digest": report.digest, "run_id": self._context.run_id}
        await self._context.transaction.run("registry.write_ledger", report=report.to_dict(), **values)


def _encode(writer: TableWriter, frame: Frame, table: str) -> EncodedFrame:
    target = frame.targets[table]
    return writer.encode(target.table, target.record_numbers)


def _table_report(stats: WriteStats) -> TableReport:
    return TableReport(stats.table, stats.inserted, stats.updated, stats.unchanged)
