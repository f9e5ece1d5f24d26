"""The way of one dataset: source → frames → checks → COPY, and what became of each record."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ._ahead import OneAhead, beside
from ._declared import declared_lookups, declared_references
from ._ingest import content_digest, content_sketch, read_dataset, refuse_changed
from ._pg.copy import EncodedFrame, KeyBook, TableWriter, WriteStats, open_writer
from ._pg.errors import translated
from ._pg.remove import open_remover
from ._shapes import DatasetReport, TableReport, dataset_report
from .constants import LATE_INDEX_BYTES, MAX_LISTED_REJECTS
from .exceptions import DataRejected, RowsLost, TenancyError
from .utils import FixtureUtils, ValidationUtils

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from ._fixture import FixtureContext
    from ._ingest import FileSource, Frame, FrameStream, Hooks, Place
    from ._pack_models import Dataset, Target
    from ._reject_log import Budget, RejectTally
    from ._shapes import Table


@dataclass(frozen=True)
class _Encoded:
    frame: Frame
    targets: tuple[EncodedFrame, ...]


class DatasetLoad:
    """One dataset on its way into one tenant; :func:`._load.load_together` says what happens when.

    A load may need several attempts: records that only the database can refuse are found by trying, and left out next time.
    """

    def __init__(
        self,
        context: FixtureContext,
        dataset: Dataset,
        tables: Mapping[str, Table],
        place: Place,
        budget: Budget,
        tally: RejectTally,
        hooks: Hooks | None = None,
        *,
        again: bool = False,
    ) -> None:
        self.dataset = dataset
        self.budget = budget
        self._tables = {target.table: tables[target.table] for target in dataset.targets}
        self._lookups = {target.table: declared_lookups(dataset, target, tables) for target in dataset.targets}
        self._references = {target.table: declared_references(dataset, target, tables) for target in dataset.targets}
        self.report = DatasetReport(dataset.name, "")
        self.tally = tally
        self.writers: list[TableWriter] = []
        self.stats: Sequence[WriteStats] = ()
        self._again = again
        self._context = context
        self._place = place
        self._hooks = hooks
        self._sources: Sequence[FileSource] = ()
        self._sketch: str | None = None
        self._stream: FrameStream | None = None
        self._books: list[KeyBook] = []
        self._bare = True

    # --- before the first attempt ---------------------------------------------------------------------------------------

    async def begin(self) -> bool:
        """Find the sources and ask the ledger; False where it knows their content, and the report says what it knows."""
        with self.named():
            self.report, self._sources = await self._look_up()
        if self.report.skipped:
            self._context.use(source.name for source in self._sources)
        return not self.report.skipped

    async def _look_up(self) -> tuple[DatasetReport, Sequence[FileSource]]:
        with self._context.tracker.phase("digest"):
            sources = await asyncio.to_thread(self._place.open)
        entry = await self._context.transaction.one("registry.ledger_entry", uid=self._context.existing.uid, dataset=self.dataset.name)
        fresh = DatasetReport(self.dataset.name, "", sources=tuple(source.name for source in sources))
        self._sketch = await asyncio.to_thread(content_sketch, sources)
        known = None if entry is None else entry["report"].get("sketch")
        if self._sketch is not None and (entry is None or self._again or known not in (None, self._sketch)):
            # The ledger cannot know it: the digest is taken while the server is busy with what was read.
            return fresh, sources
        digest = await asyncio.to_thread(self._digest_of, sources)
        if entry is not None and entry["digest"] == digest and not self._again:
            known = dataset_report(entry["report"])
            # What was loaded without its bad records is not what a load that allows none asks for.
            # What it did not find in other tables may be there by now.
            if self.budget.allows(known.rejects, known.read) and not known.unresolved:
                return replace(known, skipped=True, tables=()), sources
        return replace(fresh, digest=digest), sources

    def _digest_of(self, sources: Sequence[FileSource]) -> str:
        """What the ledger compares: the content of the sources, and what is done to it."""
        with self._context.tracker.phase("digest"):
            content = content_digest(sources)
        given: dict[str, Any] = dict(self._hooks.given) if self._hooks else {}
        if self._hooks and self._hooks.by_file:
            given["files"] = [source.place for source in sources]
        settings = self._context.settings
        return FixtureUtils.digest([content, self.dataset.model_dump(mode="json"), settings.data_validation, *([given] if given else [])])

    # --- one attempt ----------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Begin to read the sources from their start, and make the tables ready for rows; :meth:`close` ends it."""
        with self.named():
            await self._open_stream()
            for target in self.dataset.targets:
                self.writers.append(await self._open_writer(target))
            if self.dataset.sync:
                await self._open_books()

    def close(self) -> None:
        """Give the open file back."""
        if self._stream is not None:
            self.report = replace(self.report, **self._facts(self._stream))
            self._stream.close()
            self._stream = None

    async def _open_stream(self) -> FrameStream:
        self.tally.start_again()
        self.writers, self._books = [], []
        self._stream = await asyncio.to_thread(self._read)
        return self._stream

    def _acting_as_owner(self) -> AbstractAsyncContextManager[None]:
        """Act as who owns the tables: the migrator, or the role that the tenant was adopted from."""
        context = self._context
        adopted = context.existing.owner is not None
        return context.transaction.acting_as_owner(context.existing) if adopted else context.transaction.acting_as("migrator")

    async def _open_writer(self, target: Target) -> TableWriter:
        transaction, large = self._context.transaction, sum(source.size for source in self._sources) >= LATE_INDEX_BYTES
        stream = self._reading
        facts: dict[str, Any] = {"text_columns": stream.text_columns[target.table], "batch_size": self._context.settings.batch_size}
        facts.update(late_indexes=large and self._bare, as_owner=self._acting_as_owner, locate=stream.locate)
        facts.update(dataset=self.dataset.name, lasting=not self._context.dry_run, existing=target.existing, partitions=target.partitions)
        if self._context.settings.data_validation:
            facts["references"] = self._references[target.table]
        facts["lookups"] = self._lookups[target.table]
        columns = stream.schemas[target.table].names
        return await open_writer(transaction.connection, self._tables[target.table], columns, target.key, **facts)

    async def _open_books(self) -> None:
        """Remember whose rows are there; children come first, since their rows must go before those that they refer to."""
        own = [writer for writer, target in zip(self.writers, self.dataset.targets) if not target.derived]
        self._books = [KeyBook(writer.route, self._context.existing.uid, self.dataset.name) for writer in reversed(own)]
        for book in self._books:
            await book.open()

    def books(self) -> Sequence[KeyBook]:
        """What has to be taken out of the tables; nothing where records were left out, since theirs might be the rows that are missing."""
        return () if self.tally.rejected else self._books

    async def transfer(self) -> None:
        """Read, encode and send every record: while a frame is sent, the next is encoded and the one after it read.

        :raises DataRejected: the server refused a value, or there are more bad records than the budget allows.
        """
        stream, tracker = self._reading, self._context.tracker

        def encode(frame: Frame) -> _Encoded:
            return _Encoded(frame, tuple(_encode(writer, frame, target.table) for writer, target in zip(self.writers, self.dataset.targets)))

        with self.named():
            async with OneAhead(lambda: self._next(stream)) as frames, frames.then(encode) as encoded_frames, self._sending():
                async for item in encoded_frames:
                    self._count(item.frame)
                    with tracker.phase(f"write {self.dataset.name}"):
                        for writer, encoded in zip(self.writers, item.targets):
                            await writer.send(encoded)
                            tracker.count(f"write {self.dataset.name}", encoded.rows, encoded.size)
            await asyncio.to_thread(refuse_changed, self._sources)

    async def only_read(self) -> None:
        """Read and check every record, and write none."""
        with self.named():
            if not await self.begin():
                return
            try:
                stream = await self._open_stream()
                async with OneAhead(lambda: self._next(stream)) as frames:
                    async for frame in frames:
                        self._count(frame)
            finally:
                self.close()

    def _count(self, frame: Frame) -> None:
        self.tally.add(frame)
        if frame.records:
            self._context.use((frame.source,))
        self._context.tracker.count(f"read {self.dataset.name}", frame.records, frame.bytes)
        if self.budget.ends_early(self.tally.rejected):
            raise self.rejection([])

    @asynccontextmanager
    async def _sending(self) -> AsyncIterator[None]:
        """Writers of several tables take turns on the connection; a single one has it for itself."""
        try:
            async with AsyncExitStack() as stack:
                for writer in self.writers if len(self.writers) == 1 else ():
                    await stack.enter_async_context(writer.alone())
                yield
        except DataRejected:
            # COPY stops at the first row that it refuses. A staging table takes them all, and is then asked which.
            self._bare = False
            raise

    @asynccontextmanager
    async def digested(self) -> AsyncIterator[None]:
        """Take the digest of what was read beside what is done inside, where nobody needed it before."""
        if self.report.digest:
            yield
            return
        async with beside(lambda: self._digest_of(self._sources)) as digest:
            yield
            with self.named():
                self.report = replace(self.report, digest=await digest)
                await asyncio.to_thread(refuse_changed, self._sources)

    async def end(self) -> None:
        """Every record accounted for, and the ledger told.

        :raises RowsLost: what was read and what is stored differ.
        """
        own = next(item for item in self.stats if item.table == self.dataset.own.table)
        stored: dict[str, Any] = {"stored": own.inserted + own.updated + own.unchanged, "duplicates": own.duplicates, "conflicts": own.conflicts}
        removed = {book.table: book.removed for book in self._books}
        tables = tuple(_table_report(item, removed.get(item.table, 0)) for item in self.stats)
        stored.update(left_out=own.left_out, unresolved=sum(missing.count for item in self.stats for missing in item.unresolved))
        self.report = replace(self.report, **self._facts(self._reading), **stored, tables=tables)
        self._account()
        with self.named():
            await self._enter_ledger()

    async def with_lines(self, error: DataRejected) -> None:
        """Let the records that the database refused have their lines in the file as well."""
        error.rejects = await asyncio.to_thread(self._reading.with_lines, error.rejects)

    # --- what became of it ----------------------------------------------------------------------------------------------

    def rejection(self, refusals: Sequence[DataRejected], *, more: bool = False) -> DataRejected:
        """The error for the records that broke the rules; ``refusals`` are what the database said of some of them.

        ``more`` says that there may be more of them than were found.
        """
        tally, first = self.tally, next(iter(self.tally.listed), None)
        if len(refusals) == 1 and tally.rejected == len(tally.refused) and not self.budget.reject:
            # It names the constraint as well.
            refusals[0].rejects = refusals[0].rejects[:MAX_LISTED_REJECTS]
            refusals[0].facts.setdefault("source", first.source if first else None)
            refusals[0].facts.setdefault("notes", self.report.notes)
            return refusals[0]
        column = f", column {first.column}" if first and first.column else ""
        place = f"; the first: {first.source}, record {first.record}{column}: {first.message}" if first else ""
        message = (
            f"{'at least ' if more else ''}{tally.rejected} of {tally.read} records of {self.dataset.name} broke the rules{self.budget.words}{place}"
        )
        hint = tally.hint or ("Mend the records, and load again: there may be more." if more else self.budget.hint)
        return DataRejected(
            message,
            rejects=tally.listed,
            hint=f"Nothing was loaded. {hint}",
            count=tally.rejected,
            dataset=self.dataset.name,
            source=first.source if first else None,
            notes=self.report.notes,
        )

    def _facts(self, stream: FrameStream) -> dict[str, Any]:
        tally = self.tally
        facts = {"read": tally.read, "rejects": tally.rejected, "listed_rejects": tally.listed}
        own = self.dataset.own.table
        notes = (*stream.notes, *(note for item in self.stats for note in _notes_of_rows(item, own=item.table == own)))
        return {**facts, "ignored_columns": stream.ignored_columns, "notes": notes}

    @contextmanager
    def named(self) -> Iterator[None]:
        """Let an error say which dataset it is about."""
        try:
            with translated():
                yield
        except TenancyError as error:
            error.facts.setdefault("dataset", self.dataset.name)
            raise

    @property
    def _reading(self) -> FrameStream:
        assert self._stream is not None
        return self._stream

    def _read(self) -> FrameStream:
        return read_dataset(
            self.dataset, self._tables, self._sources, checks=self._context.settings.data_validation, left_out=self.tally.refused, hooks=self._hooks
        )

    def _next(self, stream: FrameStream) -> Frame | None:
        with self._context.tracker.phase(f"read {self.dataset.name}"):
            return next(stream, None)

    def _account(self) -> None:
        """Nothing may be lost between the source and any of the tables."""
        good = ValidationUtils.unaccounted(self.tally.read, self.tally.rejected)
        derived = {target.table for target in self.dataset.targets if target.derived}
        for item in self.stats:
            counted = item.inserted + item.updated + item.unchanged + item.duplicates + item.left_out
            # Of derived rows only those are sent that no record before has made.
            sent_all = item.sent <= good if item.table in derived else item.sent == good
            if not sent_all or counted != item.sent:
                raise RowsLost(f"{good} records of {self.dataset.name} were good, {item.sent} were sent to {item.table} and {counted} arrived")
        if self.report.lost:
            raise RowsLost(f"{self.report.lost} of {self.report.read} records of {self.dataset.name} are not accounted for")

    async def _enter_ledger(self) -> None:
        report = self.report
        values = {"uid": self._context.existing.uid, "dataset": report.dataset, "digest": report.digest, "run_id": self._context.run_id}
        await self._context.transaction.run("registry.write_ledger", report={**report.to_dict(), "sketch": self._sketch}, **values)

    # --- the way back ---------------------------------------------------------------------------------------------------

    async def remove(self) -> int:
        """Delete the rows whose keys the sources hold, and forget the dataset in the ledger; gives how many rows went.

        Derived rows stay: other datasets may refer to them.
        """
        with self.named():
            self._sources = await asyncio.to_thread(self._place.open)
            removed = 0
            for target in reversed([target for target in self.dataset.targets if not target.derived]):
                with await asyncio.to_thread(self._read) as stream:
                    removed += await self._remove(target, stream)
            await self._context.transaction.run("registry.forget_dataset", uid=self._context.existing.uid, dataset=self.dataset.name)
        return removed

    async def _remove(self, target: Target, stream: FrameStream) -> int:
        facts: dict[str, Any] = {"batch_size": self._context.settings.batch_size, "locate": stream.locate}
        facts["lookups"] = self._lookups[target.table]
        table, text_columns = self._tables[target.table], stream.text_columns[target.table]
        remover = await open_remover(self._context.transaction.connection, table, target.key, text_columns=text_columns, **facts)
        async with OneAhead(lambda: self._next(stream)) as frames:
            async for frame in frames:
                rows = frame.targets[target.table]
                await remover.write(rows.table, rows.record_numbers)
        return await remover.finish()


def _notes_of_rows(stats: WriteStats, *, own: bool) -> list[str]:
    """What the caller should know of rows that were written, or were not: contradictions, and what was not found in other tables.

    ``own`` says that the table is the dataset's own, and not one whose rows come along.
    """
    notes = []
    if own and stats.conflicts:
        rows = f"{stats.conflicts} duplicate{'' if stats.conflicts == 1 else 's'} of {stats.table}"
        notes.append(
            f"{rows} say{'s' if stats.conflicts == 1 else ''} otherwise than the record with the same key that came first, and that one is stored"
        )
    for item in stats.unresolved:
        if item.count:
            rows = f"{item.count} row{'' if item.count == 1 else 's'} of {stats.table}"
            fate = f"left out: {rows} name" if item.left_out else f"no {item.lookup.column}: {rows} name"
            notes.append(f"{fate} a row of {item.lookup.table} that is not there yet, by its {item.lookup.by}; load that one, and this again")
    return notes


def _encode(writer: TableWriter, frame: Frame, table: str) -> EncodedFrame:
    target = frame.targets[table]
    return writer.encode(target.table, target.record_numbers)


def _table_report(stats: WriteStats, removed: int) -> TableReport:
    return TableReport(stats.table, stats.inserted, stats.updated, stats.unchanged, removed)
