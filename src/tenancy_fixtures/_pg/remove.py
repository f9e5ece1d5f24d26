"""Take rows out of a table by their keys: the way back of a load."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from ._casts import cast_stage
from ._lookups import resolve
from ._stage import StagedWay
from ._target import Locate, Target, equal, no_source
from .copy import TableWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from psycopg import AsyncConnection

    from .._shapes import Table
    from .._table_shapes import Lookup
    from ._records import Numbers


class KeyRemover:
    """Collects keys in a staging table, and then deletes the rows that have them. Make one with :func:`open_remover`."""

    def __init__(self, way: StagedWay, batch_size: int) -> None:
        self._way = way
        self._writer = TableWriter(way, batch_size)

    async def write(self, frame: pa.Table, records: Numbers) -> None:
        """Add the keys of a frame."""
        target = self._way.target
        encoded = await anyio.to_thread.run_sync(self._writer.encode, frame.select(list(target.columns)), records)
        await self._writer.send(encoded)

    async def finish(self) -> int:
        """Delete, and give how many rows went."""
        way, target = self._way, self._way.target
        for lookup in target.lookups:
            await resolve(target, way.relation, lookup)
        await cast_stage(target, way.relation)
        deleted = await target.run("delete_staged", table=target.name, stage=way.relation, match=equal(target.key, "t", "s"))
        await target.run("drop_stage", stage=way.relation)
        return deleted.rowcount


async def open_remover(
    connection: AsyncConnection[Any],
    table: Table,
    key: Sequence[str],
    *,
    text_columns: frozenset[str] = frozenset(),
    batch_size: int,
    locate: Locate = no_source,
    lookups: Sequence[Lookup] = (),
) -> KeyRemover:
    """Begin to collect keys of rows that are to go from ``table``; a key whose part is not found by its lookup has no row."""
    asked = tuple(replace(lookup, missing="leave_out") for lookup in lookups if lookup.column in key)
    target = Target(connection, table, tuple(key), tuple(key), text_columns & set(key), locate=locate, lookups=asked)
    way = StagedWay(target)
    await way.open()
    return KeyRemover(way, batch_size)
