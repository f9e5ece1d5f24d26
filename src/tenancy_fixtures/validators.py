"""FixtureValidator looks a pack over before it is used; DataIntegrityValidator looks a tenant over in the database."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

from . import _ingest
from ._ahead import OneAhead
from ._fixture import find_tenant, is_closed, within_limit
from ._integrity.checksums import check_checksums
from ._integrity.clocks import check_clock
from ._integrity.isolation import check_isolation
from ._integrity.look import look_at_tenant
from ._integrity.made import look_at, made_at, made_by, unlike
from ._integrity.pack import NOT_FILLED, check_server, check_templates, gaps, misfits
from ._integrity.rows import check_counts, check_keys, check_references, check_rows
from ._integrity.rules import ask_all, check_rules
from ._integrity.structure import check_force, check_release, check_sequences, check_structure
from ._shapes import Finding, ValidationReport
from .exceptions import ScriptEscaped, ScriptFailed, SourceError, TenancyError, TenantNotFound, TenantNotOpened

if TYPE_CHECKING:
    from ._ingest import FrameStream, SourceLimits, Spool
    from ._integrity.look import Look
    from ._integrity.made import Made
    from ._pack_models import Dataset
    from ._pg.database import Session, Transaction
    from ._shapes import Table, Tenant
    from .packs import Pack
    from .runtime import Runtime

__all__ = ["DataIntegrityValidator", "FixtureValidator", "look_over", "made_by", "misfits"]


class FixtureValidator:
    """Checks a pack: its templates, its script, that its revisions come to the same, that its datasets fit, every record against its rules.

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
        manifest = self.pack.manifest
        checks = 4 + len(self.pack.revisions) + len(manifest.extensions) + len(manifest.checks) + len(manifest.datasets)
        return ValidationReport(self.pack.name, checks, tuple(findings), time.perf_counter() - began)

    async def _findings(self, runtime: Runtime) -> list[Finding]:
        findings = await asyncio.to_thread(check_templates, self.pack)
        tables, others = await self._structure(runtime)
        findings += others
        findings += [finding for shape in self.pack.shapes for dataset in shape.datasets for finding in misfits(dataset, tables)]
        for dataset in self.pack.manifest.datasets:
            unfit = list(misfits(dataset, tables)) or list(gaps(dataset, tables))
            findings += unfit
            if not any(finding.rule in ("table", "references") or finding.message == NOT_FILLED for finding in unfit):
                findings += await self._data(dataset, tables, _ingest.SourceLimits.of(runtime.settings))
        return findings

    async def _structure(self, runtime: Runtime) -> tuple[dict[str, Table], list[Finding]]:
        """The tables that the script makes, what its checks say there, and where the revisions together make something else."""
        async with runtime.slots, runtime.database.session() as session:
            async with session.transaction(role="migrator", keep=False) as transaction:
                findings = await check_server(transaction, self.pack)
            async with made_by(self.pack, session) as (transaction, namespace):
                made = await look_at(transaction, namespace)
                findings += await self._queries(transaction, namespace)
            if self.pack.revisions and self.pack.schema_sql is not None:
                findings += await self._revisions(session, made)
        return dict(made.tables), findings

    async def _queries(self, transaction: Transaction, namespace: str) -> list[Finding]:
        # There is no row yet: a query that gives one is none of rows that break a rule.
        return await ask_all(transaction, namespace, self.pack) if self.pack.manifest.checks else []

    async def _revisions(self, session: Session, made: Made) -> list[Finding]:
        """Each revision can be applied after those before it, and all of them come to what the script makes."""
        try:
            async with made_by(self.pack, session, revisions=True) as (transaction, namespace):
                revisions = await look_at(transaction, namespace)
        except (ScriptFailed, ScriptEscaped) as error:
            return [Finding("revisions", "error", str(error.facts.get("file")), f"cannot be applied after those before it: {error.message}")]
        places = unlike(made.structure, revisions.structure)
        return [Finding("revisions", "error", place, f"differs between {self.pack.schema_file} and the revisions") for place in places]

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


async def look_over(look: Look) -> None:
    """Make every check of a tenant that one transaction can make; what they find gathers in ``look``."""
    await check_release(look)
    await check_structure(look)
    await check_force(look)
    await check_rows(look)
    await check_keys(look)
    await check_references(look)
    await check_sequences(look)
    await check_counts(look)
    await check_checksums(look)
    await check_isolation(look)
    await check_clock(look)


class DataIntegrityValidator:
    """Checks a tenant in the database: structure, keys, references, rows against what was loaded, time, isolation, the pack's own checks.

    What the pack makes must be there, as the pack makes it; what the tenant has besides is its own. With ``keys`` findings name rows
    by their primary keys, which may be personal data.
    """

    def __init__(self, pack: Pack, *, keys: bool = False) -> None:
        self.pack = pack
        self.keys = keys

    async def run(self, runtime: Runtime, tenant_id: str) -> ValidationReport:
        """Make the checks, on one state of the database, and change nothing.

        :raises TenantNotFound: nobody has the name.
        :raises ValidationTimeout: it took longer than the settings allow.
        """
        began = time.perf_counter()
        try:
            look = await within_limit(self._look(runtime, tenant_id), runtime.settings.validation_timeout, f"validation of {tenant_id!r}")
        except TenancyError as error:
            error.locate(tenant=tenant_id, step="validate")
            raise
        return ValidationReport(tenant_id, look.checks, tuple(look.findings), time.perf_counter() - began, look.rows)

    async def _look(self, runtime: Runtime, tenant_id: str) -> Look:
        async with runtime.slots, runtime.database.session() as session:
            async with session.transaction(tenant=tenant_id, role="loader") as transaction:
                tenant = await existing_tenant(transaction, tenant_id)
            made = await made_for(self.pack, runtime, session, tenant)
            async with session.transaction(tenant=tenant_id, role="loader", keep=False, snapshot=True) as transaction:
                # Once more, on the state that all the rest is asked of.
                tenant = await existing_tenant(transaction, tenant_id)
                look = await look_at_tenant(transaction, tenant, self.pack, made, keys=self.keys)
                await look_over(look)
            if made is not None and look.structure:
                look.found(*await check_rules(session, tenant, self.pack, keys=self.keys), checks=len(self.pack.manifest.checks))
        return look


async def made_for(pack: Pack, runtime: Runtime, session: Session, tenant: Tenant) -> Made | None:
    """What the pack makes for a tenant where it stands; ``None`` where it is of another pack or release."""
    shared = tenant.isolation == "row"
    # What tenants share is written down for the head alone.
    known = tenant.revision == pack.head or (0 < tenant.revision < pack.head and not shared)
    if tenant.pack != pack.name or not known or (shared and pack.row_sql is None):
        return None
    return await made_at(runtime, session, pack, tenant.revision, shared=shared, owner=tenant.owner)


async def registered_tenant(transaction: Transaction, tenant_id: str) -> Tenant:
    """The registry's row, whether anybody may use the tenant yet or not.

    :raises TenantNotFound: nobody has the name.
    """
    tenant = await find_tenant(transaction, tenant_id)
    if tenant is None:
        raise TenantNotFound(f"no tenant {tenant_id!r}", tenant=tenant_id, hint="`tenancy tenant list` shows those that exist.")
    return tenant


async def existing_tenant(transaction: Transaction, tenant_id: str) -> Tenant:
    """The registry's row of a tenant that may be used.

    :raises TenantNotFound: nobody has the name.
    :raises TenantNotOpened: it was adopted, and not migrated yet.
    """
    tenant = await registered_tenant(transaction, tenant_id)
    if await is_closed(transaction, tenant):
        raise TenantNotOpened.of(tenant_id)
    return tenant
