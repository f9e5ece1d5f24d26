"""FixtureManager: tenants made, loaded, checked, migrated and dropped, in a few calls."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _generate
from ._adopt import AdoptingManager
from ._databases import DatabaseFixture, refuse_adopted, see_that_it_can, settle
from ._drift import Standing, standing_of
from ._fixture import BaseFixture, Operation, find_tenant, run, tenant_of
from ._migration_sql import MigrationGroup, migration_sql
from ._places import place_of
from ._repair import RecordFixture, RepairFixture
from ._tenant_login import LoginFixture, TenantLogin, new_password
from ._trial_load import with_trial
from .config_fixtures import ConfigFixture
from .data_loaders import DataLoader
from .exceptions import ConfigurationError, IdempotencyConflict, TenantNotFound
from .packs import Pack
from .runtime import Runtime
from .schema_fixtures import SchemaFixture
from .settings import Settings
from .tenant_fixtures import TenantFixture
from .utils import TenantUtils, ValidationUtils
from .validators import DataIntegrityValidator, FixtureValidator, made_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from types import TracebackType

    from sqlalchemy.ext.asyncio import AsyncSession

    from ._generate import GenerationReport
    from ._shapes import RunReport, Tenant, ValidationReport
    from .monitoring import ProgressListener


class FixtureManager(AdoptingManager):
    """Brings tenants about and looks after them.

    Both arguments are optional: settings come from the environment, the pack from them. With ``async with`` it opens
    and closes its own runtime; without, it opens the loop's shared one on first use. ``listener`` hears of progress:
    phase, records and bytes so far.
    """

    def __init__(self, settings: Settings | None = None, *, pack: Pack | None = None, listener: ProgressListener | None = None) -> None:
        self.settings = settings or Settings.from_env()
        self._pack = pack
        self._listener = listener
        self._own: Runtime | None = None

    def __repr__(self) -> str:
        return f"<FixtureManager, pack {self.pack.name!r}, {'open' if self._own else 'opens on first use'}>"

    async def __aenter__(self) -> FixtureManager:  # noqa: PYI034 - typing.Self needs Python 3.11
        self._own = await Runtime.open(self.settings)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Give connections back, and the embedded server where this process has no other use of it."""
        runtime, self._own = self._own or Runtime.opened(self.settings), None
        if runtime is not None:
            await runtime.close()

    @property
    def pack(self) -> Pack:
        """The pack that tenants are made from.

        :raises PackInvalid: the one that the settings name is not in order.
        """
        if self._pack is None:
            self._pack = Pack.resolve(self.settings.pack)
        return self._pack

    async def create_tenant(  # noqa: PLR0913 - each is a choice of the caller's own
        self,
        tenant_id: str,
        *,
        tier: str | None = None,
        features: Iterable[str] | None = None,
        limits: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
        isolation: str | None = None,
        exist_ok: bool = False,
        idempotency_key: str | None = None,
    ) -> Tenant:
        """Make a tenant: its row in the registry, its schema, its configuration, in one transaction.

        ``isolation`` is ``"schema"``, a schema of its own, ``"row"``, rows in tables that the pack's tenants share, or ``"database"``, a
        database of its own; the pack says which where it is not given.

        :raises InvalidTenantId: the id cannot be a tenant's.
        :raises TenantExists: the name is taken, and ``exist_ok`` is not given.
        :raises PackError: a template or the schema's script is at fault; nothing was kept.
        :raises NoDatabases: the tenant is to have a database of its own, and the installation is not prepared for that.
        :raises IdempotencyConflict: the key was used for something else, or for this tenant before it was dropped.
        """
        fixture = TenantFixture(tenant_id, tier=tier, features=features, limits=limits, labels=labels, isolation=isolation, exist_ok=exist_ok)
        await self._make(fixture, config, idempotency_key=idempotency_key)
        try:
            return await self.get_tenant(tenant_id)
        except TenantNotFound:
            if idempotency_key is None:
                raise
            hint = "Use a new key to make it again."
            raise IdempotencyConflict(f"the tenant that idempotency key {idempotency_key!r} made was dropped", tenant=tenant_id, hint=hint) from None

    async def plan_tenant(self, fixture: TenantFixture, config: Mapping[str, Any] | None = None) -> RunReport:
        """What :meth:`create_tenant` would do for this tenant."""
        return await self._make(fixture, config, dry_run=True)

    async def _make(
        self, fixture: TenantFixture, config: Mapping[str, Any] | None, *, dry_run: bool = False, idempotency_key: str | None = None
    ) -> RunReport:
        tenant_id = fixture.tenant_id
        facts: dict[str, Any] = {"tenant_id": tenant_id, "operation": "create_tenant", "dry_run": dry_run, "idempotency_key": idempotency_key}
        if not dry_run:
            await settle(await self._runtime(), tenant_id)
        if (fixture.isolation or self.pack.tenant_template.isolation) == "database" and await self._is_new(tenant_id, idempotency_key):
            await see_that_it_can(await self._runtime())
            return await self._apply(fixture, DatabaseFixture(await self._runtime(), tenant_id, config, dry_run=dry_run), here=True, **facts)
        return await self._apply(fixture, SchemaFixture(), ConfigFixture(config), **facts)

    async def load_fixtures(  # noqa: PLR0913 - each is a choice of the caller's own
        self,
        tenant_id: str,
        datasets: Iterable[str] | None = None,
        *,
        sources: Mapping[str, str | Path] | None = None,
        on_error: str | None = None,
        max_errors: int | None = None,
        max_share: float | None = None,
        rejects_to: str | Path | None = None,
        again: bool = False,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> RunReport:
        """Load datasets into a tenant, all in one transaction; content that is there already is no work.

        Without ``datasets`` those named in ``sources`` are loaded, and without both all of the pack. ``sources`` puts
        files of the caller's (a file, a folder, a glob, an archive, a URL, ``-`` for standard input) in the place of the pack's. ``on_error`` is ``"fail"`` or
        ``"reject"``, which leaves bad records out: at most ``max_errors`` of them, and at most ``max_share`` (0 to 1) of all;
        the dataset's own rule where they are not given. ``rejects_to`` names a file that lists every bad record as NDJSON,
        whether the load succeeds or not. ``again`` loads what is known as well: rows that were changed or removed since come back.

        :raises TenantNotFound: nobody has the name.
        :raises DataRejected: records broke the rules; ``rejects`` lists them, nothing was kept.
        :raises SourceError: a file is missing or cannot be read as what it should be.
        """
        budget: dict[str, Any] = {"on_error": on_error, "max_errors": max_errors, "max_share": max_share}
        loader = DataLoader(datasets, sources=sources, rejects_to=rejects_to, again=again, **budget)
        return await self.apply(loader, tenant_id=tenant_id, operation="load_fixtures", dry_run=dry_run, idempotency_key=idempotency_key)

    async def apply(
        self,
        *fixtures: BaseFixture,
        tenant_id: str,
        operation: str = "apply",
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> RunReport:
        """Bring fixtures about on one tenant, in one transaction, each after those that it depends on.

        ``dry_run`` only looks: the report's steps are what would be done.
        """
        facts: dict[str, Any] = {"dry_run": dry_run, "idempotency_key": idempotency_key}
        return await self._apply(*fixtures, tenant_id=tenant_id, operation=operation, **facts)

    async def _apply(
        self, *fixtures: BaseFixture, tenant_id: str, operation: str, dry_run: bool = False, here: bool = False, idempotency_key: str | None = None
    ) -> RunReport:
        TenantUtils.check_id(tenant_id)
        if idempotency_key is not None and (not idempotency_key or ValidationUtils.unstorable(idempotency_key)):
            raise ConfigurationError(
                "an idempotency key cannot be empty, and is text without a NUL", tenant=tenant_id, hint="Leave it out, or name the call."
            )
        arguments = {fixture.name: getattr(fixture, "arguments", {}) for fixture in fixtures}
        facts: dict[str, Any] = {"dry_run": dry_run, "here": here, "idempotency_key": idempotency_key, "listener": self._listener}
        return await run(await self._runtime(), self.pack, Operation(operation, tenant_id, fixtures, arguments, **facts))

    async def _is_new(self, tenant_id: str, idempotency_key: str | None) -> bool:
        """Whether nobody has the name, or the call has made the tenant before, and is to say so."""
        runtime = await self._runtime()
        async with runtime.database.transaction(tenant=TenantUtils.check_id(tenant_id), role="migrator") as transaction:
            if idempotency_key is not None and await runtime.journal.knows(transaction, idempotency_key):
                return True
            return await find_tenant(transaction, tenant_id) is None

    async def validate(self, tenant_id: str, *, keys: bool = False) -> ValidationReport:
        """Look a tenant over in the database: structure, keys, references, rows against what was loaded, isolation, the pack's own checks.

        With ``keys`` findings name rows by their primary keys, which may be personal data. Nothing is changed.

        :raises TenantNotFound: nobody has the name.
        :raises ValidationTimeout: it took longer than the settings allow.
        """
        async with self.place_of(tenant_id) as place:
            return await DataIntegrityValidator(self.pack, keys=keys).run(place, tenant_id)

    async def validate_pack(self) -> ValidationReport:
        """Look the pack over: templates, revisions, every record of its data against its rules and then, by a load that is taken back, the tables'.

        :raises PackError: the script is at fault.
        :raises ValidationTimeout: it took longer than the settings allow.
        """
        runtime = await self._runtime()
        report = await FixtureValidator(self.pack).run(runtime)
        return await with_trial(report, self.pack, runtime) if report.ok and self.pack.manifest.datasets else report

    async def generate_data(
        self,
        folder: str | Path,
        *,
        rows: int | None = None,
        rows_of: Mapping[str, int] | None = None,
        datasets: Iterable[str] | None = None,
        seed: int = 0,
        format: str | None = None,  # noqa: A002 - what the file's form is called everywhere
        force: bool = False,
    ) -> GenerationReport:
        """Make records for the pack's datasets, one file each, ``DATASET.csv`` and the like: as a load takes them, without a reject.

        ``rows`` records each (1000, where nothing is said), or as many as ``rows_of`` says. Made are ``datasets``; without them
        all, but only those in ``rows_of`` where ``rows`` is not given; and always those that they refer to. ``format`` is ``"csv"``, ``"ndjson"`` or ``"parquet"``; the dataset's own
        where it is not given. The same seed, pack and numbers of rows give the same bytes. Nothing is left in the database.

        :raises CannotGenerate: the schema or a rule asks for values that cannot be made.
        :raises OutputExists: there are such files, and ``force`` is not given; nothing was written.
        :raises DatasetNotFound: the pack has no dataset of a name.
        :raises MissingExtra: the extra ``generate`` is not installed.
        """
        names = None if datasets is None else list(datasets)
        runtime, listener = await self._runtime(), self._listener
        facts: dict[str, Any] = {"rows_of": rows_of, "datasets": names, "form": format, "force": force, "listener": listener}
        return await _generate.generate(self.pack, runtime, Path(folder), rows=rows, seed=seed, **facts)

    async def record(self, tenant_id: str) -> RunReport:
        """Record what all tables of a tenant hold now: a later validation finds the rows that went, changed or came since.

        Loads do so by themselves for tables of up to 100,000 rows.

        :raises TenantNotFound: nobody has the name.
        """
        await self.get_tenant(tenant_id)
        return await self.apply(RecordFixture(), tenant_id=tenant_id, operation="record")

    async def repair(self, tenant_id: str, *, rows: bool = True, orphans: bool = False, dry_run: bool = False) -> RunReport:
        """Repair what can be repaired safely, in one transaction.

        What the pack makes is put back, sequences go on after their tables' last numbers, and, with ``rows``, rows that are missing or
        edited come from the pack's sources again. Nothing that a user has written is deleted; with ``orphans`` rows that refer to nothing
        are treated as the ON DELETE of their constraint says. The report's steps say what was done (``dry_run``: would be), and with the
        action ``leave`` what was not.

        :raises TenantNotFound: nobody has the name.
        """
        tenant = await self.get_tenant(tenant_id)
        async with self.place_of(tenant_id) as place, place.slots, place.database.session() as session:
            made = await made_for(self.pack, place, session, tenant)
        return await self.apply(RepairFixture(made, rows=rows, orphans=orphans), tenant_id=tenant_id, operation="repair", dry_run=dry_run)

    async def migrate(self, tenant_id: str, *, to: int | None = None, dry_run: bool = False) -> RunReport:
        """Bring a tenant's schema to the pack's head, or to revision ``to``.

        :raises TenantNotFound: nobody has the name.
        :raises RevisionChanged: a revision was edited after this tenant had applied it.
        """
        await self.get_tenant(tenant_id)
        return await self.apply(SchemaFixture(to=to), tenant_id=tenant_id, operation="migrate", dry_run=dry_run)

    async def standing(self, tenant_id: str) -> Standing:
        """Where a tenant stands: its revision of the pack's, and what of its structure is not as the pack makes it there. Changes nothing.

        :raises TenantNotFound: nobody has the name.
        """
        async with self.place_of(tenant_id) as place:
            return await standing_of(self.pack, place, tenant_id)

    async def migration_sql(self, tenant_ids: Iterable[str], *, to: int | None = None) -> list[MigrationGroup]:
        """The SQL that brings tenants to the pack's head, or to ``to``, for psql: whole, registry included, once for those with the same to do."""
        return await migration_sql(self.pack, await self._runtime(), tenant_ids, to=to)

    async def set_login(self, tenant_id: str, password: str | None = None) -> TenantLogin:
        """Give a tenant a login of its own, with that password or one that is made; one that it has gets the new password.

        Whatever SQL such a session runs, it stays within the tenant: for people, and for programs that are not trusted.

        :raises TenantNotFound: nobody has the name.
        :raises ConfigurationError: the tenant has no role of its own, or the password is too short.
        """
        secret = new_password() if password is None else password
        fixture = LoginFixture(secret)
        await self.get_tenant(tenant_id)
        await self.apply(fixture, tenant_id=tenant_id, operation="set_login")
        return fixture.given((await self._runtime()).database.url, await self.get_tenant(tenant_id))

    async def remove_login(self, tenant_id: str) -> RunReport:
        """Take a tenant's login away; sessions that it has open go on until they end.

        :raises TenantNotFound: nobody has the name.
        """
        await self.get_tenant(tenant_id)
        return await self.apply(LoginFixture(None), tenant_id=tenant_id, operation="remove_login")

    async def drop_tenant(self, tenant_id: str, *, dry_run: bool = False) -> RunReport:
        """Take a tenant away at once, with all its data: schema (or its rows in shared tables), configuration, ledger, registry. Runs and audit stay.

        :raises TenantNotFound: nobody has the name.
        :raises TenantInUse: objects outside its schema stand on it, such as a view of its tables, or it was adopted with its database, which
            is still there; nothing was dropped.
        :raises RowsLeft: rows in tables that it shares with others cannot be deleted, or not be seen; nothing was dropped.
        """
        runtime = await self._runtime()
        try:
            tenant = await self.get_tenant(tenant_id)
        finally:
            # Of one that was never finished something may be left; one that was half dropped may be gone now.
            if not dry_run:
                await settle(runtime, TenantUtils.check_id(tenant_id))
        fixtures: tuple[BaseFixture, ...] = (TenantFixture(tenant_id), SchemaFixture(), ConfigFixture())
        if tenant.isolation == "database" and tenant.owner is not None:
            await refuse_adopted(runtime, tenant)
            fixtures = (TenantFixture(tenant_id),)
        elif tenant.isolation == "database":
            fixtures = (TenantFixture(tenant_id), DatabaseFixture(runtime, tenant_id, drop=True, dry_run=dry_run))
        facts: dict[str, Any] = {"backwards": True, "dry_run": dry_run, "here": True, "listener": self._listener}
        # What goes is known from the database: a pack that is no more in order must not keep a tenant.
        return await run(runtime, self._pack or Pack.default(), Operation("drop_tenant", tenant_id, fixtures, **facts))

    async def get_tenant(self, tenant_id: str) -> Tenant:
        """A tenant as the registry has it.

        :raises TenantNotFound: nobody has the name.
        """
        runtime = await self._runtime()
        async with runtime.database.transaction(tenant=TenantUtils.check_id(tenant_id), role="loader") as transaction:
            tenant = await find_tenant(transaction, tenant_id)
        if tenant is None:
            raise TenantNotFound(f"no tenant {tenant_id!r}", tenant=tenant_id, hint="`tenancy tenant list` shows those that exist.")
        return tenant

    async def list_tenants(self) -> list[Tenant]:
        """All tenants, by name."""
        runtime = await self._runtime()
        async with runtime.database.transaction(role="loader") as transaction:
            return [tenant_of(row) for row in await transaction.all("registry.list")]

    async def recent_runs(self, tenant_id: str, limit: int = 20) -> list[dict[str, Any]]:
        """The last runs on a tenant, newest first; also of one that was dropped, or that was never made."""
        runtime = await self._runtime()
        runs = await runtime.journal.recent(TenantUtils.check_id(tenant_id), limit)
        async with self.place_of(tenant_id) as place:
            if place is not runtime:
                runs = sorted([*runs, *await place.journal.recent(tenant_id, limit)], key=lambda run: run["started_at"], reverse=True)
        return runs[:limit]

    async def get_config(self, tenant_id: str) -> dict[str, Any]:
        """A tenant's configuration as it is in force; empty where it has none.

        :raises TenantNotFound: nobody has the name.
        """
        tenant = await self.get_tenant(tenant_id)
        async with self.place_of(tenant_id) as place, place.database.transaction(tenant=tenant_id, role="loader") as transaction:
            row = await transaction.one("registry.current_config", uid=tenant.uid)
        return dict(row["value"]) if row else {}

    @asynccontextmanager
    async def session(self, tenant_id: str, **options: Any) -> AsyncIterator[AsyncSession]:
        """A session of SQLAlchemy that is the tenant's, with the rights of the application's role; closed, and not committed, at the end.

        ``options`` are those of ``AsyncSession``. For the engine of your own application: :class:`.integrations.sqlalchemy.TenantSessions`.

        :raises TenantNotFound: nobody has the name; when the first transaction begins.
        :raises TenantSuspended: it may not be used now; likewise.
        """
        from ._sessions import sessions_of

        async with self.place_of(tenant_id) as place, sessions_of(place.engine, self.settings).async_session(tenant_id, **options) as session:
            yield session

    @asynccontextmanager
    async def place_of(self, tenant_id: str) -> AsyncIterator[Runtime]:
        """The runtime of the database that holds the tenant: its own, or the main one, which also stands for a tenant that does not exist."""
        async with place_of(await self._runtime(), TenantUtils.check_id(tenant_id)) as place:
            yield place

    async def _runtime(self) -> Runtime:
        return self._own or await Runtime.current(self.settings)
