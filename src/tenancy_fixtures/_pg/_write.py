"""What the two ways of writing have in common: their form, what they tell, and what follows a write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from psycopg import sql

from ._target import column
from .sql import identifier

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pyarrow as pa

    from .._shapes import ForeignKey
    from ._encode import EncodedFrame
    from ._lookups import Unresolved
    from ._target import Target


@dataclass(frozen=True)
class Outcome:
    """What a way made of the rows that were sent."""

    inserted: int
    updated: int = 0
    unchanged: int = 0
    duplicates: int = 0
    conflicts: int = 0
    duplicate_records: tuple[int, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()


class Way(Protocol):
    """How rows get into the table: where COPY sends them, and what happens when all are there."""

    name: str
    target: Target
    relation: sql.Identifier
    copy_statement: str
    record_column: str | None

    def key_hashes(self, frame: pa.Table) -> Any:
        """What :meth:`sent` wants to know of the keys of a frame, made in any thread."""

    def sent(self, frame: EncodedFrame) -> None:
        """These rows are on their way."""

    @property
    def eager(self) -> bool:
        """Whether it wants :meth:`arrived` to be called after each frame."""

    async def compare_early(self) -> None:
        """Nobody else writes to the table before :meth:`complete`, unless :meth:`doubt` is called: its rows are what they will be."""

    async def arrived(self, last: int, /) -> None:
        """All rows up to this record are in :attr:`relation`."""

    def doubt(self) -> None:
        """Others have written in this transaction since the rows arrived, or are going to."""

    async def defer(self, later: Collection[tuple[str, str]]) -> None:
        """References to these tables (schema, name) lead to rows that are not there yet: check them in :meth:`settle`."""

    async def complete(self, sent: int) -> Outcome:
        """All rows are there: make them the table's, and check all but references."""

    async def settle(self, peers: Sequence[Way], outcome: Outcome, /) -> None:
        """Check references, now that all tables of the load are complete."""

    async def name_missing_reference(self, key: ForeignKey) -> Exception | None:
        """The error that names the records which break this foreign key of the way's own table."""


async def move_sequences(target: Target) -> None:
    """Move what numbers the written columns past the numbers that were written; upwards only.

    Like every call of a sequence this outlives a rollback, which does no harm; where nothing is to last it is left undone.
    """
    if not target.lasting:
        return
    numbers = [item.name for item in target.written if item.type.name in ("int2", "int4", "int8", "numeric")]
    found: list[dict[str, Any]] = await target.rows("sequences", {"table": target.regclass, "columns": numbers})
    for item in found:
        sequence = identifier(item["schema"], item["sequence"])
        name = sql.Literal(sequence.as_string(target.connection))
        await target.run("move_sequence", sequence=sequence, sequence_name=name, column=column(item["column"]), table=target.name)
