"""Rows into a table at the speed of COPY: the write of a load.

There are two ways, and the table decides. **Direct**: a table without rows has its indexes and references taken off, is
filled as a bare heap, and gets them back. **Staged**: rows go to a temporary table, where the server casts what came as
text, and one MERGE writes those that differ; an empty table is bare in the meantime here as well. Either way the first of several records with one key wins, rows are counted at every hand-over, and a record that
the table refuses is named.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Callable

import anyio.to_thread
import psycopg

from .. import constants
from .._shapes import Phase, Shape
from ._cancel import cancelled_once
from ._encode import EncodedFrame, FrameEncoder, travels_binary
from ._late import DirectWay
from ._row_stream import RowStream
from ._shared_write import is_nobody_elses
from ._stage import StagedWay
from ._sync import KeyBook
from ._target import Locate, Target, as_we_are, no_source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager

    import pyarrow as pa
    from psycopg import AsyncConnection

    from .._shapes import ForeignKey, Table
    from .._table_shapes import Lookup
    from ._lookups import Unresolved
    from ._records import Numbers
    from ._write import Outcome, Way

__all__ = ["EncodedFrame", "KeyBook", "TableWriter", "WriteStats", "finish_all", "open_writer", "travels_binary"]


@dataclass(frozen=True)
class WriteStats(Shape):
    """What became of the rows that were sent to one table: ``sent`` is the sum of the next four.

    ``duplicates`` had a key that came before, ``conflicts`` are those of them that differ from the first. The first
    thousand of them are listed by record number. ``way`` is ``direct`` or ``staged``.
    """

    table: str
    way: str
    sent: int
    inserted: int
    updated: int = 0
    unchanged: int = 0
    duplicates: int = 0
    conflicts: int = 0
    duplicate_records: tuple[int, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()
    phases: tuple[Phase, ...] = ()

    @property
    def left_out(self) -> int:
        """Rows that were sent and not written, since a value that they need was not found."""
        return sum(item.left_out for item in self.unresolved)


class TableWriter:
    """Writes frames into one table inside the caller's transaction. Make one with :func:`open_writer`.

    :meth:`encode` may run in a thread of the caller's, a frame ahead of :meth:`send`; :meth:`write` is both. Writers
    that share a connection may be open together, but send in turn, and are finished by :func:`finish_all`.
    """

    def __init__(self, way: Way, batch_size: int) -> None:
        self.route = way
        self._target = way.target
        self._encoder = FrameEncoder(self._target.written, self._target.text_columns, batch_size, way.record_column)
        self._stream = RowStream(way)
        self._alone = False
        self._copying = 0.0
        self._phases: list[Phase] = []

    @property
    def way(self) -> str:
        """``direct`` or ``staged``."""
        return self.route.name

    def encode(self, frame: pa.Table, records: Numbers) -> EncodedFrame:
        """Turn a frame into bytes of COPY. ``records`` has each row's record number; they never decrease.

        Changes nothing and needs no loop: call it in any thread.

        :raises TenancyError: a column is missing or not of the Arrow type that the table's column asks for.
        """
        return replace(self._encoder(frame, records), key_hashes=self.route.key_hashes(frame))

    async def write(self, frame: pa.Table, records: Numbers) -> None:
        """Encode in a worker thread, then send."""
        await self.send(await anyio.to_thread.run_sync(self.encode, frame, records))

    async def send(self, frame: EncodedFrame) -> None:
        """Send an encoded frame, batch by batch.

        :raises DataRejected: the server refused a value; names the record.
        :raises RowsLost: the server counted other rows than were sent.
        """
        if frame.rows:
            with self._timed():
                await self._stream.send(frame, go_on=self._alone)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Frames that are sent inside go on in one COPY, which is ended at the end: nobody else may use the connection meanwhile.

        It raises what :meth:`send` raises, for any frame that was sent inside.
        """
        self._alone = True
        try:
            await cancelled_once(self.route.compare_early())
            yield
            with self._timed():
                await self._stream.end()
        finally:
            self._alone = False
            await self._stream.abandon()

    async def finish(self) -> WriteStats:
        """Make the rows that were sent the table's; see :func:`finish_all`."""
        return (await finish_all([self]))[0]

    @contextmanager
    def _timed(self) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._copying += time.perf_counter() - start

    async def complete(self) -> Outcome:
        """The first half of :func:`finish_all`: everything but references."""
        self._phases.append(Phase("copy", self._copying, self._stream.sent, self._stream.bytes))
        start = time.perf_counter()
        outcome = await self.route.complete(self._stream.sent)
        self._phases.append(Phase("indexes" if self.way == "direct" else "merge", time.perf_counter() - start, self._stream.sent))
        return outcome

    async def settle(self, peers: Sequence[Way], outcome: Outcome) -> WriteStats:
        """The second half of :func:`finish_all`: references, sequences, statistics."""
        start = time.perf_counter()
        await self.route.settle(peers, outcome)
        self._phases.append(Phase("references", time.perf_counter() - start, self._stream.sent))
        facts = {
            name: getattr(outcome, name)
            for name in ("inserted", "updated", "unchanged", "duplicates", "conflicts", "duplicate_records", "unresolved")
        }
        return WriteStats(self._target.table.name, self.way, self._stream.sent, phases=tuple(self._phases), **facts)


async def open_writer(  # noqa: PLR0913 - each is a choice of the caller's own
    connection: AsyncConnection[Any],
    table: Table,
    columns: Sequence[str],
    key: Sequence[str],
    *,
    text_columns: frozenset[str] = frozenset(),
    batch_size: int = constants.DEFAULT_BATCH_SIZE,
    late_indexes: bool = True,
    as_owner: Callable[[], AbstractAsyncContextManager[None]] = as_we_are,
    locate: Locate = no_source,
    dataset: str | None = None,
    lasting: bool = True,
    references: Sequence[ForeignKey] = (),
    existing: str = "replace",
    partitions: str | None = None,
    lookups: Sequence[Lookup] = (),
) -> TableWriter:
    """Begin to write ``columns`` of a table; rows with the same ``key`` are the same row.

    ``text_columns`` come as text and are cast by the server, which needs staging. ``late_indexes`` says that the load is
    large enough to gain from taking indexes off, which is done only where the table is empty, is an ordinary one without
    row-level security, triggers and rules, and ``as_owner`` may do DDL on it. The table stays locked until the
    transaction ends. ``dataset`` is what errors call the load; ``lasting=False`` says that all of it will be taken back.
    ``references`` are checked as if they were foreign keys of the table. ``existing`` is what becomes of rows that are there:
    ``replace``, ``complete`` (a null replaces nothing), ``fill`` (only nulls are replaced) or ``keep``. ``partitions`` is for
    what span of time (``month``) a table that is partitioned by ranges of a time gets the partitions that its rows need. ``lookups`` are text columns whose values are found in other tables.

    :raises PackInvalid: the columns, the key and the table do not go together.
    """
    facts = (as_owner, locate, dataset, lasting, tuple(references), existing, partitions, tuple(lookups))
    target = Target(connection, table, tuple(columns), tuple(key), frozenset(text_columns), *facts)
    way = await cancelled_once(_choose(target, late_indexes=late_indexes))
    return TableWriter(way, batch_size)


async def finish_all(writers: Sequence[TableWriter], books: Sequence[KeyBook] = ()) -> list[WriteStats]:
    """Finish writers of one transaction together: first every table's rows and keys, then the references between them.

    So tables that refer to each other, in a circle too, are checked when all of their rows are there, and a reference that
    leads nowhere is told with the record that holds it, whichever of the tables had its foreign keys taken off. ``books``
    are settled in their order when all rows are there, before the references are looked at.

    :raises DataRejected: records that the tables refuse.
    :raises RowsLost: rows counted at two ends of a step differ.
    """
    return await cancelled_once(_finish_all(list(writers), books))


async def _finish_all(writers: list[TableWriter], books: Sequence[KeyBook]) -> list[WriteStats]:
    peers = [writer.route for writer in writers]
    names = [(way.target.table.schema, way.target.table.name) for way in peers]
    for number, way in enumerate(peers, start=1):
        if len(peers) > 1:
            # What one table gets may change another: by its triggers, and by references that cascade.
            way.doubt()
        await way.defer(set(names[number:]) - {names[number - 1]})
    outcomes = [await writer.complete() for writer in writers]
    for book in books:
        await book.settle()
    await _check_references(peers)
    return [await writer.settle(peers, outcome) for writer, outcome in zip(writers, outcomes)]


async def _check_references(ways: Sequence[Way]) -> None:
    """References that a pack declares, and that the tables may not have."""
    for way in ways:
        for key in way.target.references:
            error = await way.name_missing_reference(key)
            if error is not None:
                raise error


async def _choose(target: Target, *, late_indexes: bool) -> Way:
    direct = DirectWay(target)
    bare = late_indexes and await _may_go_direct(target) and await direct.open()
    # COPY does not enter a table with policies: rows that tenants share come by way of staging, and the policy looks at each.
    if bare and not target.text_columns and not target.completing and not target.table.shared:
        return direct
    staged = StagedWay(target, direct if bare else None)
    await staged.open()
    return staged


async def _may_go_direct(target: Target) -> bool:
    """Ask first without a lock: a table in use is not closed to its readers only to find that it has rows."""
    possible = (await target.row("can_go_direct", {"table": target.regclass, "shared": target.table.shared}))["possible"]
    if possible and target.table.shared:
        return await is_nobody_elses(target)
    if not possible or (await target.row("has_rows", table=target.name))["found"]:
        return False
    try:
        async with target.connection.transaction(), target.as_owner():
            await target.run("lock_all", table=target.name)
    except psycopg.errors.InsufficientPrivilege:
        return False
    return not (await target.row("has_rows", table=target.name))["found"]
