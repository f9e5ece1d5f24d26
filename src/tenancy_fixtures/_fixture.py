"""BaseFixture, a piece of a tenant's desired state, and the run that brings fixtures about: whole or not at all."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from uuid import UUID

from ._pg._cancel import cancelled_once
from ._places import is_here, place_of, project
from ._shapes import DatasetReport, RunReport, RunState, Step, Tenant, TenantState, ValidationReport
from .exceptions import (
    ConfigurationError,
    DatabaseError,
    PackMismatch,
    RunInProgress,
    TenancyError,
    TenantNotFound,
    TenantNotOpened,
    ValidationFailed,
    ValidationTimeout,
)
from .journal import Repeated, Run
from .utils import FixtureUtils

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence

    from ._pg.database import Session, Transaction
    from .audit import AuditAction
    from .monitoring import ProgressListener, Tracker
    from .packs import Pack
    from .runtime import Runtime
    from .settings import Settings

_T = TypeVar("_T")

# The run of a dry run: it is not written down.
NO_RUN = UUID(int=0)


@dataclass
class FixtureContext:
    """What a fixture works with during one run: the tenant, the transaction, the pack.

    ``tenant`` is the registry's row, ``None`` until it exists. Reports of datasets gather in ``datasets``, audit
    entries in ``notes``: they are written as the transaction's last statements. ``passed_over`` has the sources that a fixture was given
    and of which nothing came, and why.
    """

    tenant_id: str
    transaction: Transaction
    pack: Pack
    settings: Settings
    run_id: UUID
    tracker: Tracker
    tenant: Tenant | None = None
    dry_run: bool = False
    datasets: list[DatasetReport] = field(default_factory=list)
    notes: list[tuple[AuditAction, Mapping[str, Any]]] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)
    last: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def at_last(self, statement: str, **values: Any) -> None:
        """Have a statement run, as the migrator, when all else is done: one that lets others wait until the transaction ends."""
        self.last.append((statement, values))

    def use(self, sources: Iterable[str]) -> None:
        """Take sources that something came of out of those that were passed over."""
        for name in sources:
            self.passed_over.pop(name, None)

    def note(self, action: AuditAction, **detail: Any) -> None:
        """Have an audit entry written at the end of the transaction: names and numbers, never a row's value."""
        self.notes.append((action, detail))

    @property
    def existing(self) -> Tenant:
        """The tenant.

        :raises TenantNotFound: nobody has the name.
        """
        if self.tenant is None:
            raise TenantNotFound(
                f"no tenant {self.tenant_id!r}", tenant=self.tenant_id, hint=f"Make it with `tenancy tenant create {self.tenant_id}`."
            )
        return self.tenant


class BaseFixture(ABC):
    """A piece of a tenant's desired state.

    A subclass says what is there to do (:meth:`plan`), does it (:meth:`apply`), and undoes it (:meth:`rollback`);
    :meth:`validate` looks before, :meth:`verify` after. All of it happens inside one transaction with the other fixtures
    of the run; an error anywhere takes everything back. ``name`` is unique in a run, ``depends_on`` names fixtures that
    come first where they are part of it, ``role`` is the purpose of the database role that the work is done with.
    """

    name: ClassVar[str]
    depends_on: ClassVar[tuple[str, ...]] = ()
    role: ClassVar[str] = "migrator"

    @asynccontextmanager
    async def prepared(self, settings: Settings, tracker: Tracker) -> AsyncIterator[None]:  # noqa: ARG002 - subclasses need it
        """Stands around the run: what takes long and needs no database, such as fetching, is done before the transaction begins."""
        yield

    async def validate(self, context: FixtureContext) -> ValidationReport:  # noqa: ARG002 - subclasses need it
        """Look at what is to be done before anything is; an error among the findings ends the run."""
        return ValidationReport(self.name, 0)

    @abstractmethod
    async def plan(self, context: FixtureContext) -> Sequence[Step]:
        """What :meth:`apply` would do now; nothing where the state is as desired. Changes nothing."""

    @abstractmethod
    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        """Bring the state about and say what was done. Idempotent: the desired state is left as it is."""

    async def verify(self, context: FixtureContext) -> ValidationReport:  # noqa: ARG002 - subclasses need it
        """Look at what was done, before it is committed; an error among the findings takes everything back."""
        return ValidationReport(self.name, 0)

    @abstractmethod
    async def rollback(self, context: FixtureContext) -> Sequence[Step]:
        """Take away what :meth:`apply` brings about, and say what was done. Idempotent."""


@dataclass(frozen=True)
class Operation:
    """What a run is asked to do: fixtures, on one tenant, forwards or backwards; ``here``, or in the database where the tenant lives."""

    name: str
    tenant_id: str
    fixtures: tuple[BaseFixture, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    backwards: bool = False
    dry_run: bool = False
    here: bool = False
    idempotency_key: str | None = None
    listener: ProgressListener | None = None

    def in_order(self) -> list[BaseFixture]:
        """The fixtures, each after those that it depends on; backwards where the run takes away.

        :raises ConfigurationError: there are none, or two have one name.
        """
        by_name = {fixture.name: fixture for fixture in self.fixtures}
        if not by_name or len(by_name) < len(self.fixtures):
            raise ConfigurationError("a run needs fixtures, each of another name", hint="Give a subclass a name of its own.")
        names = FixtureUtils.in_order({fixture.name: fixture.depends_on for fixture in self.fixtures})
        ordered = [by_name[name] for name in names]
        return ordered[::-1] if self.backwards else ordered


async def run(runtime: Runtime, pack: Pack, operation: Operation) -> RunReport:
    """Run an operation: written down, then done in one transaction, then ended with it.

    :raises TenancyError: what went wrong; everything was taken back and the run is recorded as failed.
    """
    async with runtime.slots:
        if operation.here:
            return await execute(runtime, pack, operation)
        async with place_of(runtime, operation.tenant_id) as place:
            report = await execute(place, pack, operation)
            if not operation.dry_run:
                # The work is done: where the main registry cannot be reached now, the next operation brings its row forward.
                with suppress(DatabaseError):
                    await project(runtime, place, operation.tenant_id)
        return report


async def execute(runtime: Runtime, pack: Pack, operation: Operation) -> RunReport:
    """Run an operation in this very database, wherever the tenant lives."""
    execution = _Execution(runtime, pack, operation)
    return await cancelled_once(execution.run(), again=execution.cancel_statement)


class _Execution:
    """One run on its way."""

    def __init__(self, runtime: Runtime, pack: Pack, operation: Operation) -> None:
        self._runtime = runtime
        self._pack = pack
        self._operation = operation
        self._fixtures = operation.in_order()
        self._tracker = runtime.monitor.tracker(operation.listener)
        self._steps: list[Step] = []
        self._context: FixtureContext | None = None
        self._session: Session | None = None
        self._began = time.perf_counter()
        self._at = ""

    async def run(self) -> RunReport:
        async with AsyncExitStack() as prepared:
            return await self._run(await self._prepare(prepared))

    def cancel_statement(self) -> None:
        """Ask the server to end what it does for this run, if anything; from any thread."""
        if self._session is not None:
            self._session.cancel_statement()

    async def _prepare(self, prepared: AsyncExitStack) -> TenancyError | None:
        """What went wrong before the transaction: it is written down as the run's failure."""
        fixtures = [fixture for fixture in self._fixtures if type(fixture).prepared is not BaseFixture.prepared]
        if not fixtures or await self._will_end_at_once():
            return None
        try:
            for fixture in fixtures:
                self._at = f"{fixture.name}: prepare"
                await prepared.enter_async_context(fixture.prepared(self._runtime.settings, self._tracker))
        except TenancyError as error:
            return error
        self._at = ""
        return None

    async def _will_end_at_once(self) -> bool:
        """Whether nobody has the tenant's name, or the call was made before: then there is nothing to prepare."""
        operation, role = self._operation, self._fixtures[0].role
        async with self._runtime.database.transaction(tenant=operation.tenant_id, role=role) as transaction:
            if operation.idempotency_key is not None and await self._runtime.journal.knows(transaction, operation.idempotency_key):
                return True
            is_made_here = any(fixture.name == "tenant" for fixture in self._fixtures)
            return not is_made_here and await find_tenant(transaction, operation.tenant_id) is None

    async def _run(self, problem: TenancyError | None) -> RunReport:
        operation = self._operation
        async with self._runtime.database.session() as session:
            self._session = session
            if operation.dry_run:
                return await self._look(session, problem)
            facts: dict[str, Any] = {
                "role": self._fixtures[0].role,
                "arguments": operation.arguments,
                "idempotency_key": operation.idempotency_key,
            }
            run = await self._runtime.journal.start(session, operation.name, operation.tenant_id, **facts)
            if isinstance(run, Repeated):
                return RunReport.from_dict(run.report)
            try:
                report = await self._work(session, run, problem)
            except BaseException as error:
                await self._record_failure(run, error)
                raise
        self._runtime.monitor.record(report)
        return report

    async def _work(self, session: Session, run: Run, problem: TenancyError | None) -> RunReport:
        if problem is not None:
            raise problem
        async with session.transaction(tenant=run.tenant_id, role=run.role) as transaction:
            await self._runtime.journal.hold(transaction, run)
            context = await self._enter(transaction, run.run_id)
            for fixture in self._fixtures:
                async with transaction.acting_as(fixture.role):
                    await self._bring_about(fixture, context)
            report = self._report(run.run_id, RunState.SUCCEEDED)
            uid = context.tenant.uid if context.tenant else None
            await self._runtime.journal.succeed(transaction, run, uid, report)
            for action, detail in context.notes:
                await self._runtime.audit.append(transaction, action, tenant_id=run.tenant_id, uid=uid, run_id=run.run_id, detail=detail)
            for statement, values in context.last:
                async with transaction.acting_as("migrator"):
                    await transaction.run(statement, **values)
        return report

    async def _enter(self, transaction: Transaction, run_id: UUID) -> FixtureContext:
        operation = self._operation
        await transaction.run("database.lock", name=operation.tenant_id)
        tenant = await find_tenant(transaction, operation.tenant_id)
        if tenant is not None and not operation.here and not is_here(transaction, tenant):
            raise RunInProgress("the tenant got a database of its own just now", tenant=operation.tenant_id, hint="Run it again.")
        if tenant is not None and tenant.pack != self._pack.name and not operation.backwards:
            hint = "Use the tenant's own pack: --pack, TENANCY_PACK, or FixtureManager(pack=…)."
            raise PackMismatch(f"the tenant was made from pack {tenant.pack!r}, not {self._pack.name!r}", pack=tenant.pack, hint=hint)
        if tenant is not None and tenant.revision > self._pack.head and not operation.backwards:
            message = f"the tenant is at revision {tenant.revision}, and this release of pack {tenant.pack!r} ends at {self._pack.head}"
            raise PackMismatch(message, pack=tenant.pack, hint="Use the newer release of the pack: a tenant does not go back.")
        if tenant is not None and self._fixtures[0].role != "migrator" and await is_closed(transaction, tenant):
            raise TenantNotOpened.of(operation.tenant_id)
        self._context = FixtureContext(
            operation.tenant_id, transaction, self._pack, self._runtime.settings, run_id, self._tracker, tenant, dry_run=operation.dry_run
        )
        return self._context

    async def _bring_about(self, fixture: BaseFixture, context: FixtureContext) -> None:
        if self._operation.backwards:
            self._at = f"{fixture.name}: rollback"
            self._steps += await fixture.rollback(context)
            return
        self._at = f"{fixture.name}: validate"
        await self._check(fixture, fixture.validate(context), "validate")
        self._at = f"{fixture.name}: apply"
        with self._tracker.phase(fixture.name):
            self._steps += await fixture.apply(context)
        self._at = f"{fixture.name}: verify"
        await self._check(fixture, fixture.verify(context), "verify")

    async def _look(self, session: Session, problem: TenancyError | None) -> RunReport:
        """A dry run: everything is looked at, and the transaction is taken back whatever was said in it."""
        try:
            if problem is not None:
                raise problem
            async with session.transaction(tenant=self._operation.tenant_id, role=self._fixtures[0].role, keep=False) as transaction:
                context = await self._enter(transaction, NO_RUN)
                for fixture in self._fixtures:
                    await self._look_at(fixture, context)
        except TenancyError as error:
            error.locate(tenant=self._operation.tenant_id, step=self._at or None)
            raise
        return self._report(NO_RUN, RunState.SUCCEEDED)

    async def _look_at(self, fixture: BaseFixture, context: FixtureContext) -> None:
        async with context.transaction.acting_as(fixture.role):
            if self._operation.backwards:
                # What would go is known best by letting it go: the transaction brings it back.
                self._at = f"{fixture.name}: rollback"
                self._steps += await fixture.rollback(context)
                return
            self._at = f"{fixture.name}: validate"
            await self._check(fixture, fixture.validate(context), "validate")
            self._at = f"{fixture.name}: plan"
            self._steps += await fixture.plan(context)

    async def _check(self, fixture: BaseFixture, work: Awaitable[ValidationReport], what: str) -> None:
        report = await within_limit(work, self._runtime.settings.validation_timeout, f"{fixture.name}: {what}")
        if not report.ok:
            findings = [finding.to_dict() for finding in report.findings if finding.severity == "error"]
            listed = "; ".join(f"{item['object']}: {item['message']}" for item in findings[:5])
            more = f" … and {len(findings) - 5} more" if len(findings) > 5 else ""  # noqa: PLR2004 - as many as are listed
            how_many = f"{len(findings)} error{'' if len(findings) == 1 else 's'}"
            raise ValidationFailed(f"{fixture.name}: {what} found {how_many}: {listed}{more}", findings=findings)

    async def _record_failure(self, run: Run, error: BaseException) -> None:
        if isinstance(error, TenancyError):
            error.locate(tenant=run.tenant_id, step=self._at or None)
            error.facts.setdefault("run_id", str(run.run_id))
        report = self._report(run.run_id, RunState.FAILED)
        uid = self._context.tenant.uid if self._context and self._context.tenant else None
        # Where the server is gone, the run's lease runs out, and the next run marks it as crashed.
        with suppress(DatabaseError):
            await self._runtime.journal.fail(run, uid, error, report)
        self._runtime.monitor.record(report)

    def _report(self, run_id: UUID, state: RunState) -> RunReport:
        datasets = tuple(self._context.datasets) if self._context else ()
        seconds = time.perf_counter() - self._began
        facts: dict[str, Any] = {"dry_run": self._operation.dry_run, "seconds": round(seconds, 6)}
        return RunReport(run_id, self._operation.tenant_id, self._operation.name, state, tuple(self._steps), datasets, self._tracker.phases, **facts)


async def within_limit(work: Awaitable[_T], seconds: float, what: str) -> _T:
    """Await a validation for that long at most.

    :raises ValidationTimeout: it took longer and was cancelled.
    """
    try:
        # Cancels once and waits for the end of it: a statement on the way is cancelled at the server too.
        return await asyncio.wait_for(work, seconds)
    except asyncio.TimeoutError:
        hint = "Nothing was kept. Raise TENANCY_VALIDATION_TIMEOUT, or validate less at once."
        raise ValidationTimeout(f"{what} took longer than {seconds:g} s and was cancelled", hint=hint) from None


async def find_tenant(transaction: Transaction, tenant_id: str) -> Tenant | None:
    """The registry's row of a tenant, or ``None``; from here on its rows are the ones that the transaction sees in shared tables.

    :raises PoliciesBypassed: the tenant shares tables, and policies do not bind this login.
    """
    row = await transaction.one("registry.find", tenant_id=tenant_id)
    tenant = None if row is None else tenant_of(row)
    await transaction.enter(tenant)
    return tenant


async def is_closed(transaction: Transaction, tenant: Tenant) -> bool:
    """Whether the tenant was adopted, and the loader has no right on its schema yet."""
    return tenant.owner is not None and not await may_enter(transaction, tenant)


async def may_enter(transaction: Transaction, tenant: Tenant) -> bool:
    """Whether the loader has the right to use the tenant's schema; where there is no such role, one login has all rights."""
    if transaction.roles.loader is None:
        return True
    row = await transaction.one("registry.may_enter", namespace=tenant.namespace, role=transaction.roles.loader)
    return bool(row and row["may"])


def tenant_of(row: Mapping[str, Any]) -> Tenant:
    """A registry's row as what it is."""
    return Tenant(**{**row, "state": TenantState(row["state"]), "features": tuple(row["features"])})
