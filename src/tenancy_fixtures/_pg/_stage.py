"""Rows by way of a temporary table, and one MERGE of those that differ: for a table that has rows, or that COPY may not enter."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from ..constants import MAX_LISTED_REJECTS
from ..exceptions import RowsLost
from . import _rejects
from ._casts import cast_stage
from ._distinct import DistinctKeys
from ._early import EarlyComparison, can_compare_early
from ._lookups import resolve
from ._partitions import make_partitions
from ._put_back import unqualified_nothing
from ._shared_write import insert_shared
from ._target import column, equal, listed, trusted
from ._write import Outcome, move_sequences
from .sql import compose, identifier

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pyarrow as pa

    from .._shapes import ForeignKey
    from ._encode import EncodedFrame
    from ._late import DirectWay
    from ._target import Target
    from ._write import Way

_NO_DUPLICATES: dict[str, Any] = {"count": 0, "conflicts": 0, "records": []}
# Temporary tables are a session's own: a counter keeps several loads of one session apart.
_numbers = itertools.count(1)


class StagedWay:
    """The write through staging, made ready by :meth:`open`.

    ``bare`` is the same table, empty and with its indexes taken off: they are built when its rows are there.
    """

    name = "staged"

    def __init__(self, target: Target, bare: DirectWay | None = None) -> None:
        self.target = target
        self._bare = bare
        number = next(_numbers)
        self.relation = identifier("pg_temp", f"tenancy_stage_{number}")
        self._changes = identifier("pg_temp", f"tenancy_changes_{number}")
        self._noted = identifier("pg_temp", f"tenancy_noted_{number}")
        self.copy_statement = "copy_in"
        self.record_column: str | None = target.record
        self._rows = _rejects.Rows(self.relation, target.record, int)
        self._deferred: list[ForeignKey] = []
        self._keys: DistinctKeys | None = None
        self._early: EarlyComparison | None = None
        if bare is not None:
            bare.named_by(self._rows)

    async def open(self) -> None:
        """Make the staging table; it ends with the transaction at the latest.

        Writers wait until then, but not those of a table that tenants share: there the lock on the tenant does it.
        """
        target = self.target
        if not (target.table.row_security or target.table.shared) and self._bare is None:
            await target.run("lock_writers", table=target.name)
        columns = await self._columns()
        record = column(target.record)
        await target.run("make_stage", stage=self.relation, columns=sql.SQL(", ").join(columns), record=record, table=target.name)
        await target.run("share_stage", stage=self.relation)
        collations = await target.row("has_deterministic_key", {"table": target.regclass, "key": list(target.key)})
        self._keys = DistinctKeys(target, deterministic=collations["deterministic"])

    async def _columns(self) -> list[sql.Composable]:
        """The target's columns; texts as such, and domains as what they are made of."""
        target = self.target
        types = dict.fromkeys(target.text_columns, "text")
        domains = [name for name in target.cast_in_stage if name not in types]
        if domains:
            found = await target.rows("column_types", {"table": target.regclass, "columns": domains})
            types.update({item["column"]: item["bare"] for item in found})
        return [sql.SQL("NULL::{} AS {}").format(trusted(types[name]), column(name)) if name in types else column(name) for name in target.columns]

    def key_hashes(self, frame: pa.Table) -> Any:
        """Hashes by which keys that came twice show."""
        return None if self._keys is None else self._keys.hashes_of(frame)

    def sent(self, frame: EncodedFrame) -> None:
        """Note the keys; the staging table has each row's record number."""
        if self._keys is not None:
            self._keys.add(frame.key_hashes)

    @property
    def eager(self) -> bool:
        """Whether rows are compared as they arrive."""
        return self._early is not None and self._early.hopeful

    async def compare_early(self) -> None:
        """Compare rows as they arrive, where that tells something."""
        target = self.target
        if (
            self._bare is None
            and can_compare_early(target)
            and (await target.row("has_own_rows", table=target.name, relation=sql.Literal(target.regclass)))["found"]
        ):
            self._early = EarlyComparison(target, self.relation, self._noted)
            await self._early.open()

    async def arrived(self, last: int) -> None:
        """Compare what has arrived, up to this record."""
        if self._early is not None:
            await self._early.look_at(last)

    def doubt(self) -> None:
        """Compare all rows once more: others have written since."""
        self._early = None

    async def defer(self, later: Collection[tuple[str, str]]) -> None:
        """Let references to tables that are written after this one wait until :meth:`settle`.

        :raises psycopg.errors.InsufficientPrivilege: the role may not change the table.
        """
        table = self.target.table
        for key in table.foreign_keys:
            if (key.target_schema, key.target_table) not in later:
                continue
            if "INITIALLY DEFERRED" not in key.definition:
                self._deferred.append(key)
            if "DEFERRABLE" not in key.definition:
                await self._alter(key, "defer_reference")
            # Of those that wait by themselves too: where the tables were made in this very transaction, their script ended with none waiting.
            await self.target.run("set_deferred", constraints=identifier(key.schema, key.name))

    async def _alter(self, key: ForeignKey, statement: str) -> None:
        async with self.target.as_owner():
            await self.target.run(statement, table=self.target.name, name=identifier(key.name))

    async def complete(self, sent: int) -> Outcome:
        """Cast, take the duplicates out, and write what differs.

        :raises DataRejected: records that the table refuses.
        :raises RowsLost: rows counted at two ends of a step differ.
        """
        unresolved = tuple([await resolve(self.target, self.relation, lookup) for lookup in self.target.lookups])
        left_out = sum(item.left_out for item in unresolved)
        await cast_stage(self.target, self.relation)
        duplicates = _NO_DUPLICATES
        if self._keys is None or not self._keys.all_differ():
            await self._refuse_empty_keys()
            duplicates = await self._drop_duplicates()
            if duplicates["count"]:
                self.doubt()
        await make_partitions(self.target, self._rows)
        counted = await self._compare(sent)
        arrived = counted["staged"] + duplicates["count"] + left_out
        if arrived != sent:
            raise RowsLost(f"{sent} rows were sent to table {self.target.table.name!r}, {arrived} arrived in staging")
        inserted, updated = counted["missing"], counted["different"]
        await self._write(inserted, updated, counted["staged"])
        if self._bare is not None:
            await self._bare.build_indexes()
        return Outcome(
            inserted=inserted,
            updated=updated,
            unchanged=counted["staged"] - inserted - updated,
            duplicates=duplicates["count"],
            conflicts=duplicates["conflicts"],
            duplicate_records=tuple(duplicates["records"] or ()),
            unresolved=unresolved,
        )

    async def settle(self, peers: Sequence[Way], outcome: Outcome, /) -> None:
        """Check what the table defers, move sequences, renew statistics, and drop the staging table."""
        if self._bare is not None:
            await self._bare.build_references(peers)
        await self._check_deferred()
        if outcome.inserted + outcome.updated:
            async with self.target.as_owner():
                await move_sequences(self.target)
                await self._renew_statistics(outcome.inserted + outcome.updated)
        await self.target.run("drop_stage", stage=self.relation)

    async def _renew_statistics(self, changed: int) -> None:
        if (await self.target.row("worth_analyzing", {"table": self.target.regclass, "changed": changed}))["found"]:
            # Somebody who analyses a shared table waits for the others' loads to end.
            await self.target.run("analyze_unlocked" if self.target.table.shared else "analyze", relation=self.target.name)

    async def name_missing_reference(self, key: ForeignKey) -> Exception | None:
        """The error for staged records whose reference leads nowhere."""
        return await _rejects.reference(self.target, key, self._rows)

    async def _refuse_empty_keys(self) -> None:
        rejected = await _rejects.nulls(self.target, self.target.key, self._rows)
        if rejected:
            raise rejected

    async def _drop_duplicates(self) -> dict[str, Any]:
        target = self.target
        if not (await target.row("has_duplicates", relation=self.relation, key=listed(target.key)))["found"]:
            return _NO_DUPLICATES
        names: dict[str, sql.Composable] = {
            "relation": self.relation,
            "key": listed(target.key),
            "is_twice": equal(target.key, "s", "twice"),
            "conflict": target.contradicting,
            "record": column(target.record),
            "limit": sql.Literal(MAX_LISTED_REJECTS),
        }
        if not target.completing or not target.beside_key:
            return await target.row("drop_duplicates_staged", **names)
        return await target.row("fold_duplicates", **names, **self._folding())

    def _folding(self) -> dict[str, sql.Composable]:
        """Pieces of ``fold_duplicates``: the first of equal keys gets each value that it lacks from the first that has it."""
        names = [item.name for item in self.target.beside_key]
        place = sql.SQL("min(ctid) FILTER (WHERE {0} IS NOT NULL) AS {0}")
        value = sql.SQL("{0} = COALESCE({1}, (SELECT {2} FROM {3} AS o WHERE o.ctid = {4}))")
        lacking = sql.SQL("{} IS NULL AND {} IS NOT NULL")
        return {
            "places": sql.SQL(", ").join(place.format(column(name)) for name in names),
            "values": sql.SQL(", ").join(
                value.format(column(name), column(name, "s"), column(name, "o"), self.relation, column(name, "p")) for name in names
            ),
            "lacking": sql.SQL(" OR ").join(lacking.format(column(name, "s"), column(name, "p")) for name in names),
        }

    async def _compare(self, sent: int) -> dict[str, Any]:
        """Count the staged rows that the table lacks or has otherwise; where it has any rows, note which those are."""
        target = self.target
        if not (await target.row("has_rows", table=target.name))["found"]:
            staged = (await target.row("count_rows", relation=self.relation))["count"]
            return {"staged": staged, "missing": staged, "different": 0}
        names: dict[str, sql.Composable] = {"changes": self._changes, "stage": self.relation, "table": target.name}
        names |= {"match": equal(target.key, "t", "s"), "differs": target.outdated}
        if self._early is not None and self._early.tells(sent):
            await target.run("analyze", relation=self._noted)
            await target.run("make_changes_of_noted", noted=self._noted, **names)
            staged = sent
        else:
            # The plan depends on the key alone: the other columns are only looked at when it matches.
            await target.run("analyze_columns", relation=self.relation, columns=listed(target.key))
            await target.run("make_changes", **names)
            staged = (await target.row("count_rows", relation=self.relation))["count"]
        await target.run("analyze", relation=self._changes)
        return {"staged": staged, **await target.row("count_changes", changes=self._changes)}

    async def _write(self, inserted: int, updated: int, staged: int) -> None:
        if not inserted + updated:
            return
        try:
            async with self.target.connection.transaction():
                written = await self._send_statement(inserted, updated, staged)
        except psycopg.IntegrityError as error:
            raise await self._explained(error) from None
        if written != inserted + updated:
            raise RowsLost(
                f"{inserted + updated} rows of table {self.target.table.name!r} were to be written, {written} were", table=self.target.table.name
            )

    async def _send_statement(self, inserted: int, updated: int, staged: int) -> int:
        target = self.target
        columns, values = listed(target.columns), await self._values()
        if inserted == staged and target.table.shared:
            return await insert_shared(target, self.relation, columns, values, staged, indexed=self._bare is None)
        if inserted == staged:
            return (await target.run("insert_all", table=target.name, columns=columns, values=values, stage=self.relation)).rowcount
        names: dict[str, sql.Composable] = {
            "table": target.name,
            "source": self._source(inserted + updated, staged),
            "columns": columns,
            "values": values,
        }
        match = equal(target.key, "t", "s")
        if not target.changeable:
            return (await target.run("merge_missing", match=match, **names)).rowcount
        return (await target.run("merge", match=match, differs=target.outdated, assignments=target.assignments, **names)).rowcount

    async def _values(self) -> sql.Composable:
        """What a new row gets of the staged row ``s``; where null says nothing, and may not be stored, the column's default."""
        target = self.target
        if not target.completing:
            return listed(target.columns, "s")
        async with unqualified_nothing(target):
            found = await target.rows("needed_defaults", {"table": target.regclass, "columns": list(target.columns)})
        defaults = {item["column"]: trusted(item["expression"]) for item in found}
        value = sql.SQL("COALESCE({}, {})")
        return sql.SQL(", ").join(
            value.format(column(name, "s"), defaults[name]) if name in defaults else column(name, "s") for name in target.columns
        )

    def _source(self, changed: int, staged: int) -> sql.Composable:
        """The rows to merge: those that differ, fetched by their places, or all where fetching most of them would cost more."""
        if changed * 2 > staged:
            return self.relation
        return sql.SQL("({})").format(compose("copy.changed_rows", changes=self._changes, stage=self.relation))

    async def _check_deferred(self) -> None:
        """Deferred constraints would speak up at COMMIT, when nobody can say any more which records they mean."""
        table = self.target.table
        constraints = [(key.name, key.definition) for key in table.foreign_keys]
        constraints += [(index.constraint, index.definition) for index in table.indexes if index.constraint]
        waiting = {key.name for key in self._deferred}
        for name, definition in constraints:
            if "INITIALLY DEFERRED" in definition or name in waiting:
                await self._check_now(identifier(table.schema, name))
        for key in self._deferred:
            if "DEFERRABLE" in key.definition:
                await self.target.run("set_immediate", constraints=identifier(key.schema, key.name))
            else:
                await self._alter(key, "stop_deferring")

    async def _check_now(self, constraint: sql.Identifier) -> None:
        try:
            async with self.target.connection.transaction():
                await self.target.run("set_immediate", constraints=constraint)
                await self.target.run("set_deferred", constraints=constraint)
        except psycopg.IntegrityError as error:
            raise await self._explained(error) from None

    async def _explained(self, error: psycopg.Error) -> Exception:
        after = _rejects.rows_after(self.target, self.relation)
        return await _rejects.from_violation(self.target, error, self._rows, after) or error
