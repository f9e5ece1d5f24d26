"""FixtureValidator looks a pack over before it is used; DataIntegrityValidator looks a tenant over in the database."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
import weakref
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from . import _ingest
from ._ahead import OneAhead
from ._fixture import find_tenant, within_limit
from ._pg.catalog import PLACE, fingerprint, read_tables
from ._pg.integrity import behind_sequences, count_orphans, count_rows, unvalidated
from ._pg.script import run_script
from ._pg.sql import compose, identifier
from ._shapes import Finding, ValidationReport, dataset_report
from .constants import NAMESPACE_PREFIX
from .exceptions import SourceError, TenancyError, TenantNotFound

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, MutableMapping

    from ._ingest import FrameStream, SourceLimits, Spool
    from ._pack_models import Dataset
    from ._pg.database import Session, Transaction
    from ._shapes import Table, Tenant
    from .packs import Pack
    from .runtime import Runtime


def misfits(dataset: Dataset, tables: Mapping[str, Table]) -> Iterator[Finding]:
    """What a dataset needs of a schema and does not find there: tables, columns, and keys by which rows can be told apart."""
    for target in dataset.targets:
        place, table = f"{dataset.name} → {target.table}", tables.get(target.table)
        if table is None:
            yield Finding("table", "error", place, "no such table is in the schema")
            continue
        missing = [name for name, mapping in target.columns.items() if table.column(name) is None and not mapping.only_if_column]
        yield from (Finding("column", "error", f"{place}.{name}", "no such column is in the schema") for name in missing)
        if not missing and not table.keeps_apart(target.key):
            message = "the dataset's key is not unique in the table: it needs a primary key or a unique index of all rows"
            yield Finding("key", "error", f"{place} ({', '.join(target.key)})", message)


class FixtureValidator:
    """Checks a pack: its script, that its revisions come to the same, that its datasets fit, every record against its rules.

    Script and revisions run in schemas that are taken back again; nothing is left in the database.
    """

    def __init__(self, pack: Pack) -> None:
        self.pack = pack

    async def run(self, runtime: Runtime) -> ValidationReport:
        """Make the checks.

        :raises PackError: the script is at fault.
        :raises ValidationTimeout: it took longer than the settings allow.
        """
        began = time.perf_counter()
        findings = await within_limit(self._findings(runtime), runtime.settings.validation_timeout, f"validation of pack {self.pack.name!r}")
        return ValidationReport(self.pack.name, 1 + len(self.pack.manifest.datasets), tuple(findings), time.perf_counter() - began)

    async def _findings(self, runtime: Runtime) -> list[Finding]:
        tables, findings = await self._structure(runtime)
        for dataset in self.pack.manifest.datasets:
            unfit = list(misfits(dataset, tables))
            findings += unfit
            if not any(finding.rule == "table" for finding in unfit):
                findings += await self._data(dataset, tables, _ingest.SourceLimits.of(runtime.settings))
        return findings

    async def _structure(self, runtime: Runtime) -> tuple[dict[str, Table], list[Finding]]:
        """The tables that the script makes, and where the revisions together make something else."""
        async with runtime.slots, runtime.database.session() as session:
            async with made_by(self.pack, session) as (transaction, namespace):
                tables = await read_tables(transaction.connection, namespace)
                script = await fingerprint(transaction.connection, namespace)
            if not self.pack.revisions:
                return tables, []
            async with made_by(self.pack, session, revisions=True) as (transaction, namespace):
                revisions = await fingerprint(transaction.connection, namespace)
        return tables, [
            Finding("revisions", "error", place, "differs between schema_template.sql and the revisions") for place in _unlike(script, revisions)
        ]

    async def _data(self, dataset: Dataset, tables: dict[str, Table], limits: SourceLimits) -> list[Finding]:
        """What is wrong with a dataset's records, at most one finding a rule and column."""
        counts: Counter[tuple[str, str]] = Counter()
        first: dict[tuple[str, str], str] = {}
        try:
            with _ingest.Spool(limits) as spool, await asyncio.to_thread(self._open, dataset, tables, spool) as stream:
                # A thread reads one frame at a time: a validation that is cancelled waits for no more than that.
                async with OneAhead(lambda: next(stream, None)) as frames:
                    async for frame in frames:
                        for reject in frame.rejects:
                            place = (reject.rule, f"{dataset.name}.{reject.column}" if reject.column else dataset.name)
                            counts[place] += 1
                            first.setdefault(place, f"{reject.source}, record {reject.record}: {reject.message}")
        except SourceError as error:
            return [Finding(type(error).__name__, "error", dataset.name, error.message)]
        return [Finding(rule, "error", name, first[rule, name], number) for (rule, name), number in counts.items()]

    def _open(self, dataset: Dataset, tables: dict[str, Table], spool: Spool) -> FrameStream:
        return _ingest.read_dataset(dataset, tables, _ingest.open_sources(self.pack.folder / dataset.source.path, spool=spool))


@asynccontextmanager
async def made_by(pack: Pack, session: Session, *, revisions: bool = False) -> AsyncIterator[tuple[Transaction, str]]:
    """A schema that the pack's script has made, or its revisions one by one, in a transaction that is taken back."""
    async with session.transaction(role="migrator", keep=False) as transaction:
        namespace = f"{NAMESPACE_PREFIX}try_{uuid.uuid4().hex}"
        await transaction.run(compose("registry.create_namespace", schema=identifier(namespace)))
        shared = pack.manifest.shared_schemas
        if revisions:
            for revision in pack.revisions:
                await run_script(transaction, revision.sql, file=revision.file.name, namespace=namespace, fresh=False, shared=shared)
        else:
            await run_script(transaction, pack.schema_sql, file="schema_template.sql", namespace=namespace, fresh=True, shared=shared)
        yield transaction, namespace


def _unlike(left: Mapping[str, str], right: Mapping[str, str]) -> list[str]:
    """Objects that are in one of two structures only, or not the same in both; those of a table that is missing go with it."""
    ours, theirs = _plain(left), _plain(right)
    alone = {name for kind, name in ours.keys() ^ theirs.keys() if kind == "table"}
    differing = {key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)}
    return sorted(
        f"{kind} {name}"
        for kind, name in differing
        if kind == "table" or not _belongs(name, ours.get((kind, name), theirs.get((kind, name), "")), alone)
    )


# What each pack's script makes, as a fingerprint by the pack's digest: the same for all tenants of a runtime.
_structures: MutableMapping[Runtime, dict[str, Mapping[str, str]]] = weakref.WeakKeyDictionary()


def _plain(structure: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Definitions by kind and name of object, without what is no difference to those who use them: comments, a column's place."""
    parts = {tuple(item.split(" ", 1)): definition for item, definition in structure.items() if not item.startswith("comment on ")}
    return {(kind, name): re.sub(r"^\d+ ", "", text) if kind == "column" else text for (kind, name), text in parts.items()}


def _belongs(name: str, definition: str, tables: set[str]) -> bool:
    """Whether an object goes with one of these tables: then it need not be listed beside it."""
    return any(name.startswith(f"{table}.") or f"{PLACE}.{table} " in definition or f"owned by {table}." in definition for table in tables)


class DataIntegrityValidator:
    """Checks a tenant in the database: structure, constraints, references, sequences, and counts against the ledger.

    What the pack's script makes must be there, as the script makes it; what the tenant has besides is its own.
    """

    def __init__(self, pack: Pack) -> None:
        self.pack = pack

    async def run(self, runtime: Runtime, tenant_id: str) -> ValidationReport:
        """Make the checks, in one transaction that changes nothing.

        :raises TenantNotFound: nobody has the name.
        :raises ValidationTimeout: it took longer than the settings allow.
        """
        began = time.perf_counter()
        try:
            checks, findings = await within_limit(self._look(runtime, tenant_id), runtime.settings.validation_timeout, f"validation of {tenant_id!r}")
        except TenancyError as error:
            error.locate(tenant=tenant_id, step="validate")
            raise
        return ValidationReport(tenant_id, checks, tuple(findings), time.perf_counter() - began)

    async def _look(self, runtime: Runtime, tenant_id: str) -> tuple[int, list[Finding]]:
        async with runtime.slots, runtime.database.session() as session:
            made = await self._made(runtime, session)
            async with session.transaction(tenant=tenant_id, role="loader", keep=False) as transaction:
                tenant = await find_tenant(transaction, tenant_id)
                if tenant is None:
                    raise TenantNotFound(f"no tenant {tenant_id!r}", tenant=tenant_id, hint="`tenancy tenant list` shows those that exist.")
                tables = await read_tables(transaction.connection, tenant.namespace)
                looks = [
                    await self._release(transaction, tenant),
                    await self._structure(transaction, tenant, made),
                    await self._constraints(transaction, tenant),
                    await self._references(transaction, tables),
                    await self._sequences(transaction, tenant),
                    await self._counts(transaction, tenant, tables),
                ]
        return sum(number for number, _ in looks), [finding for _, findings in looks for finding in findings]

    async def _made(self, runtime: Runtime, session: Session) -> Mapping[str, str]:
        known = _structures.setdefault(runtime, {})
        if self.pack.digest not in known:
            async with made_by(self.pack, session) as (transaction, namespace):
                known[self.pack.digest] = await fingerprint(transaction.connection, namespace)
        return known[self.pack.digest]

    async def _release(self, transaction: Transaction, tenant: Tenant) -> tuple[int, list[Finding]]:
        findings = []
        if tenant.pack != self.pack.name:
            findings.append(Finding("pack", "error", tenant.tenant_id, f"was made from pack {tenant.pack!r}, not {self.pack.name!r}"))
            return 1, findings
        if tenant.revision < self.pack.head:
            message = f"is at revision {tenant.revision} of {self.pack.head}: run `tenancy migrate`"
            findings.append(Finding("revision", "warning", tenant.tenant_id, message))
        if tenant.revision > self.pack.head:
            message = f"is at revision {tenant.revision}, and this release of the pack ends at {self.pack.head}: use the newer one"
            findings.append(Finding("revision", "error", tenant.tenant_id, message))
        digests = {revision.number: revision.digest for revision in self.pack.revisions}
        applied = await transaction.all("registry.revisions", uid=tenant.uid)
        edited = [row["name"] for row in applied if digests.get(row["number"], row["digest"]) != row["digest"]]
        findings += [Finding("revision", "error", name, "was edited after it was applied") for name in edited]
        return 1 + len(digests), findings

    async def _structure(self, transaction: Transaction, tenant: Tenant, made: Mapping[str, str]) -> tuple[int, list[Finding]]:
        """Compare with what the script makes: only at the head is the tenant meant to be so."""
        if (tenant.pack, tenant.revision) != (self.pack.name, self.pack.head):
            return 0, []
        wanted = _plain(made)
        there = _plain(await fingerprint(transaction.connection, tenant.namespace))
        gone = {name for kind, name in wanted if kind == "table" and (kind, name) not in there}
        findings = [
            Finding(kind, "error", name, "is not as the pack makes it" if (kind, name) in there else "is missing")
            for (kind, name), definition in wanted.items()
            if there.get((kind, name)) != definition and (kind == "table" or not _belongs(name, definition, gone))
        ]
        return len(wanted), findings

    async def _constraints(self, transaction: Transaction, tenant: Tenant) -> tuple[int, list[Finding]]:
        rows = await unvalidated(transaction, tenant.namespace)
        return 1, [
            Finding(row["kind"], "error", f"{row['object']}: {row['name']}", "is not enforced: never checked for every row, failed, or switched off")
            for row in rows
        ]

    async def _references(self, transaction: Transaction, tables: dict[str, Table]) -> tuple[int, list[Finding]]:
        findings, checks = [], 0
        for table in tables.values():
            for key in table.foreign_keys:
                checks += 1
                orphans = await count_orphans(transaction, key)
                if orphans:
                    findings.append(
                        Finding("reference", "error", f"{table.name}.{','.join(key.columns)}", f"leads to no row of {key.target_table}", orphans)
                    )
        return checks, findings

    async def _sequences(self, transaction: Transaction, tenant: Tenant) -> tuple[int, list[Finding]]:
        checks, behind = await behind_sequences(transaction, tenant.namespace)
        return checks, [Finding("sequence", "error", name, "would give a number that the table has already") for name in behind]

    async def _counts(self, transaction: Transaction, tenant: Tenant, tables: dict[str, Table]) -> tuple[int, list[Finding]]:
        """A table holds at least what the ledger says was stored; more is the tenant's own."""
        findings = []
        entries = await transaction.all("registry.ledger", uid=tenant.uid)
        names = {dataset.name: dataset.own.table for dataset in self.pack.manifest.datasets}
        for entry in entries:
            table = tables.get(names.get(entry["dataset"], ""))
            stored = dataset_report(entry["report"]).stored
            rows = await count_rows(transaction, table) if table else 0
            if table and rows < stored:
                findings.append(Finding("count", "warning", table.name, f"holds {rows} rows, and {stored} were loaded into it", stored - rows))
        return len(entries), findings
