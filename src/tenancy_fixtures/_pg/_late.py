"""Rows straight into an empty table whose indexes and references are taken off first and put back afterwards.

Building an index of rows that are there costs a third of maintaining it row by row, and a table emptied in the same
transaction takes rows that are frozen at once. The builds are also the check of uniqueness and of references.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from psycopg import errors

from .. import constants
from ..constants import TENANT_COLUMN
from ..exceptions import RowsLost
from . import _rejects
from ._put_back import PutBack, unqualified_nothing
from ._records import RecordNumbers
from ._target import column, equal, listed
from ._write import Outcome, move_sequences
from .sql import compose, identifier

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pyarrow as pa

    from .._shapes import ForeignKey
    from ._encode import EncodedFrame
    from ._put_back import Part
    from ._target import Target
    from ._write import Way
_NO_DUPLICATES = Outcome(inserted=0)


class DirectWay:
    """The write into the bare heap. Make one with :meth:`open`, on a table that is locked and empty."""

    name = "direct"
    eager = False
    record_column: str | None = None

    def __init__(self, target: Target) -> None:
        self.target = target
        self.relation = target.name
        self.copy_statement = "copy_in_frozen"
        self._numbers = RecordNumbers()
        self._indexes: list[Part] = []
        self._references: list[Part] = []
        self._duplicates = _NO_DUPLICATES
        numbered = compose("copy.numbered_rows", record=column(target.record), table=target.name)
        self._rows = _rejects.Rows(numbered, target.record, self._numbers)

    async def open(self) -> bool:
        """Take everything off; False, with nothing changed, where it cannot be taken off and put back as it was."""
        try:
            async with self.target.connection.transaction(), self.target.as_owner():
                await self._take_off()
        except (errors.DependentObjectsStillExist, errors.InsufficientPrivilege):
            # A view that groups by the primary key depends on it; a role that is not the owner may not drop at all.
            return False
        if self.target.table.shared:
            # No COPY enters it, and policies do not hold for TRUNCATE.
            return True
        # Outside of that savepoint: COPY … FREEZE asks for a table emptied in the very (sub)transaction that it runs in.
        async with self.target.as_owner():
            await self.target.run("truncate", table=self.target.name)
        return True

    async def _take_off(self) -> None:
        target = self.target
        async with unqualified_nothing(target):
            self._indexes = await target.rows("removable_indexes", {"table": target.regclass})
            self._references = await target.rows("removable_references", {"table": target.regclass})
        for part in self._references:
            await target.run("drop_constraint", table=identifier(part["schema"], part["table"]), name=identifier(part["name"]))
        for part in self._indexes:
            if part["constraint"]:
                await target.run("drop_constraint", table=target.name, name=identifier(part["constraint"]))
            else:
                await target.run("drop_index", index=identifier(part["schema"], part["name"]))

    def key_hashes(self, _frame: pa.Table, /) -> None:
        """The index on the key will tell whether one comes twice."""

    def sent(self, frame: EncodedFrame) -> None:
        """Note which records the next rows of the heap came from."""
        self._numbers.add(frame.records)

    async def compare_early(self) -> None:
        """There is nothing to compare with."""

    async def arrived(self, _last: int, /) -> None:
        """They are where they belong."""

    def doubt(self) -> None:
        """Nothing was compared."""

    async def defer(self, later: Collection[tuple[str, str]], /) -> None:
        """Nothing waits: the references are off."""

    # --- when all rows are there ---------------------------------------------------------------------------------------

    async def complete(self, sent: int) -> Outcome:
        """Put the indexes back; rows whose key came before are taken out.

        :raises DataRejected: records that another unique index does not allow, or that lack a part of the key.
        :raises RowsLost: the table does not hold the rows that were sent.
        """
        if any(item.nullable for item in self.target.written if item.name in self.target.key):
            await self._refuse_empty_keys()
        if not any(self._is_key(part) for part in self._indexes):
            async with self.target.as_owner():
                await self._drop_duplicates()
        await self.build_indexes()
        found = await self.target.row("count_rows", relation=self.target.name)
        if found["count"] + self._duplicates.duplicates != sent:
            raise RowsLost(f"{sent} rows were sent to table {self.target.table.name!r}, {found['count'] + self._duplicates.duplicates} arrived")
        return replace(self._duplicates, inserted=found["count"])

    async def settle(self, peers: Sequence[Way], _outcome: Outcome, /) -> None:
        """Put the references back, which checks them, move sequences, and renew statistics."""
        await self.build_references(peers)
        async with self.target.as_owner():
            await move_sequences(self.target)
            await self.target.run("analyze", relation=self.target.name)

    async def name_missing_reference(self, key: ForeignKey) -> Exception | None:
        """The error for rows whose reference leads nowhere."""
        return await _rejects.reference(self.target, key, self._rows)

    # --- for rows that came by way of staging, too ----------------------------------------------------------------------

    def named_by(self, rows: _rejects.Rows) -> None:
        """The heap is filled from elsewhere: ask there which records its rows came from."""
        self._rows = rows

    async def build_indexes(self) -> None:
        """Put the indexes back, the key's own first: it finds duplicates, and they are taken out."""
        async with self.target.as_owner(), PutBack(self.target).in_own_tablespace() as put_back:
            for part in sorted(self._indexes, key=lambda part: not self._is_key(part)):
                await self._build(put_back, part)

    async def build_references(self, peers: Sequence[Way]) -> None:
        """Put the references back; ``peers`` are all the tables of the load."""
        async with self.target.as_owner():
            for part in self._references:
                await self._put_back_reference(part, peers)

    def _is_key(self, part: Part) -> bool:
        own = {TENANT_COLUMN} if self.target.table.shared else set()
        return bool(part["unique"]) and not part["special"] and set(part["columns"]) - own == set(self.target.key)

    async def _refuse_empty_keys(self) -> None:
        rejected = await _rejects.nulls(self.target, self.target.key, self._rows)
        if rejected:
            raise rejected

    async def _put_back_reference(self, part: Part, peers: Sequence[Way]) -> None:
        try:
            await PutBack(self.target).reference(part)
        except errors.ForeignKeyViolation as error:
            raise (await _name_in(peers, part) or error) from None

    async def _build(self, put_back: PutBack, part: Part) -> None:
        try:
            await put_back.index(part)
        except errors.UniqueViolation as error:
            if not self._is_key(part) or self._duplicates.duplicates:
                rejected = await _rejects.repeated(self.target, part, self._rows, self._rows.relation, part["name"])
                raise (rejected or error) from None
            await self._drop_duplicates()
            await put_back.index(part)

    async def _drop_duplicates(self) -> None:
        target = self.target
        found = await target.row(
            "drop_duplicates_direct",
            relation=target.name,
            key=listed(target.key),
            is_twice=equal(target.key, "s", "twice"),
            conflict=target.contradicting,
        )
        positions = found["positions"] or []
        records = tuple(map(self._numbers, positions[: constants.MAX_LISTED_REJECTS]))
        self._numbers.remove(positions)
        self._duplicates = Outcome(0, duplicates=found["count"], conflicts=found["conflicts"], duplicate_records=records)


async def _name_in(peers: Sequence[Way], part: Part) -> Exception | None:
    """Ask the way that wrote the referring table; what it does not know was there before the load."""
    for way in peers:
        if (way.target.table.schema, way.target.table.name) == (part["schema"], part["table"]):
            key = next((key for key in way.target.table.foreign_keys if key.name == part["name"]), None)
            return await way.name_missing_reference(key) if key else None
    return None
