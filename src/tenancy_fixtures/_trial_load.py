"""A pack's data loaded into a tenant that is taken back: what only the database can refuse is found before there is a tenant."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from ._data_loader import DataLoader
from ._fixture import NO_RUN, FixtureContext, within_limit
from ._shapes import Finding
from .exceptions import DataRejected
from .schema_fixtures import SchemaFixture
from .tenant_fixtures import TenantFixture

if TYPE_CHECKING:
    from ._shapes import DatasetReport, ValidationReport
    from .packs import Pack
    from .runtime import Runtime


async def with_trial(report: ValidationReport, pack: Pack, runtime: Runtime) -> ValidationReport:
    """A report of a pack that is in order so far, with what a load of all its data adds to it: references, keys, checks of the tables.

    :raises ValidationTimeout: both together took longer than the settings allow.
    """
    left = max(0.001, runtime.settings.validation_timeout - report.seconds)
    began = time.perf_counter()
    findings = await within_limit(_load(pack, runtime), left, f"validation of pack {pack.name!r}")
    seconds = report.seconds + time.perf_counter() - began
    return replace(report, checks=report.checks + len(pack.manifest.datasets), findings=(*report.findings, *findings), seconds=seconds)


async def _load(pack: Pack, runtime: Runtime) -> list[Finding]:
    tenant_id = f"try-{uuid.uuid4().hex}"
    async with (
        runtime.slots,
        runtime.database.session() as session,
        session.transaction(tenant=tenant_id, role="migrator", keep=False) as transaction,
    ):
        context = FixtureContext(tenant_id, transaction, pack, runtime.settings, NO_RUN, runtime.monitor.tracker(None), dry_run=True)
        for fixture in (TenantFixture(tenant_id, isolation="schema"), SchemaFixture()):
            await fixture.apply(context)
        try:
            async with transaction.acting_as(DataLoader.role):
                await DataLoader().plan(context)
        except DataRejected as error:
            if not any(item.listed_rejects for item in context.datasets):
                return [Finding("data", "error", str(error.dataset), error.message)]
    return [finding for item in context.datasets for finding in _findings(item)]


def _findings(report: DatasetReport) -> list[Finding]:
    """What is wrong with a dataset's records, at most one finding a rule and column."""
    places = [(reject.rule, f"{report.dataset}.{reject.column}" if reject.column else report.dataset) for reject in report.listed_rejects]
    first = dict(reversed(list(zip(places, report.listed_rejects))))
    return [
        Finding(rule, "error", name, f"{first[rule, name].source}, record {first[rule, name].record}: {first[rule, name].message}", number)
        for (rule, name), number in Counter(places).items()
    ]
