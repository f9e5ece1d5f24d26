"""Rows made to order: records that are generated for a pack's datasets once, and inserted as often as tests ask for them."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from .._pg.catalog import read_tables
from .._pg.testkit import insert_rows, read_rows
from ..exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .._pack_models import Dataset
    from .._shapes import ForeignKey, Table, Tenant
    from ..manager import FixtureManager
    from ..packs import Pack

# Rows of a dataset that are made at once, and as many as a test can have of it: more are a load's work.
MOST_ROWS = 200
_WORKSHOP = "workshop"

_Row = dict[str, Any]


@dataclass(frozen=True)
class Sample:
    """Rows of a dataset's own table, ``main``, and of those that they refer to: by table, the columns alone that records bring."""

    main: str
    tables: Mapping[str, Table]
    columns: Mapping[str, tuple[str, ...]]
    rows: Mapping[str, Sequence[_Row]]

    def with_parents(self, table: str, rows: Sequence[_Row], own: frozenset[str]) -> Iterator[tuple[str, list[_Row]]]:
        """What must be there before these rows, furthest first; not what columns of ``own`` refer to, which the caller gives."""
        for key in self.tables[table].foreign_keys:
            if key.target_table in self.rows and key.target_table != table and not own & set(key.columns):
                parents = self._parents(key, rows)
                if parents:
                    yield from self.with_parents(key.target_table, parents, frozenset())
                    yield key.target_table, parents

    def _parents(self, key: ForeignKey, rows: Sequence[_Row]) -> list[_Row]:
        wanted = {tuple(row.get(name) for name in key.columns) for row in rows}
        return [row for row in self.rows[key.target_table] if tuple(row.get(name) for name in key.target_columns) in wanted]

    def with_ancestors(self, table: str, rows: Sequence[_Row]) -> list[_Row]:
        """These rows, and those of the same table that they refer to."""
        found = list(rows)
        for key in self.tables[table].foreign_keys:
            more = self._parents(key, found) if key.target_table == table else []
            while more:
                more = [row for row in more if row not in found]
                found = [*more, *found]
                more = self._parents(key, more) if more else []
        return found


class Samples:
    """The samples of a worker, each made when it is first asked for."""

    def __init__(self, manager: FixtureManager, pack: Pack) -> None:
        self._manager = manager
        self._pack = pack
        self._made: dict[tuple[str, int], Sample] = {}

    async def insert(self, tenant: Tenant, dataset: str, *, seed: int, start: int, count: int, values: _Row) -> list[_Row]:
        """Insert ``count`` rows of a dataset from row ``start`` on, with ``values`` in place of their own, and what they refer to.

        :raises DatasetNotFound: the pack has no dataset of the name.
        :raises CannotGenerate: records for it cannot be made.
        :raises ConfigurationError: a value is for no column of its table, or there are not so many rows.
        :raises DatabaseError: the server refuses a row.
        """
        sample = await self._sample(dataset, seed)
        rows = sample.rows[sample.main][start : start + count]
        if len(rows) < count:
            raise ConfigurationError(
                f"{dataset} has {MOST_ROWS} rows for one test, and no more", hint="Load them: manager.generate_data makes files."
            )
        known = {column.name for column in sample.tables[sample.main].columns}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigurationError(f"table {sample.main!r} has no column {', '.join(unknown)}", hint=f"It has {', '.join(sorted(known))}.")
        return await self._written(tenant, sample, rows, values)

    async def _written(self, tenant: Tenant, sample: Sample, rows: Sequence[_Row], values: _Row) -> list[_Row]:
        own = frozenset(values)
        async with (
            self._manager.place_of(tenant.tenant_id) as place,
            place.database.transaction(tenant=tenant.tenant_id, role="loader") as transaction,
        ):
            tables = await read_tables(transaction.connection, tenant.namespace)
            for table, parents in sample.with_parents(sample.main, sample.with_ancestors(sample.main, rows), own):
                text = _as_json(sample.with_ancestors(table, parents))
                await insert_rows(transaction, tables[table], sample.columns[table], text, missing=True)
            ancestors = [row for row in sample.with_ancestors(sample.main, rows) if row not in rows]
            columns = sample.columns[sample.main]
            if ancestors:
                await insert_rows(transaction, tables[sample.main], columns, _as_json(ancestors), missing=True)
            columns = tuple(dict.fromkeys([*columns, *values]))
            return await insert_rows(transaction, tables[sample.main], columns, _as_json([{**row, **values} for row in rows]))

    async def _sample(self, dataset: str, seed: int) -> Sample:
        if (dataset, seed) not in self._made:
            self._made[dataset, seed] = await self._make(self._pack.dataset(dataset), seed)
        return self._made[dataset, seed]

    async def _make(self, dataset: Dataset, seed: int) -> Sample:
        """Generate records and load them into a tenant that is dropped again: what comes out has been through the pack's own rules."""
        with tempfile.TemporaryDirectory(prefix="tenancy-factory-") as folder:
            report = await self._manager.generate_data(Path(folder), rows=MOST_ROWS, datasets=[dataset.name], seed=seed)
            tenant = await self._manager.create_tenant(_WORKSHOP)
            try:
                await self._manager.load_fixtures(_WORKSHOP, sources={file.dataset: file.path for file in report.files})
                return await self._read(tenant, dataset, [self._pack.dataset(file.dataset) for file in report.files])
            finally:
                await self._manager.drop_tenant(_WORKSHOP)

    async def _read(self, tenant: Tenant, dataset: Dataset, loaded: Sequence[Dataset]) -> Sample:
        columns: dict[str, tuple[str, ...]] = {}
        for target in (target for item in loaded for target in item.targets):
            columns[target.table] = tuple(dict.fromkeys([*columns.get(target.table, ()), *target.columns]))
        main = next((target.table for target in dataset.targets if not target.derived), dataset.targets[0].table)
        rows: dict[str, list[_Row]] = {}
        async with (
            self._manager.place_of(tenant.tenant_id) as place,
            place.database.transaction(tenant=tenant.tenant_id, role="loader") as transaction,
        ):
            tables = await read_tables(transaction.connection, tenant.namespace)
            for table, names in columns.items():
                found = await read_rows(transaction, tables[table])
                rows[table] = [{name: row[name] for name in names} for row in found]
        return Sample(main, tables, columns, rows)


def _as_json(rows: Sequence[_Row]) -> str:
    return json.dumps(rows, default=_as_text)


def _as_text(value: object) -> str:
    """What PostgreSQL reads a value from."""
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "\\x" + bytes(value).hex()
    if isinstance(value, timedelta):
        return f"{value.total_seconds()} seconds"
    if isinstance(value, (UUID, Decimal)):
        return str(value)
    raise ConfigurationError(f"a value of type {type(value).__name__} cannot be a column's", hint="Give text that PostgreSQL reads it from.")
