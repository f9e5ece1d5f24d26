"""Runtime: settings, database, journal, audit and monitor of one event loop, opened once and shared."""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import weakref
from collections import OrderedDict
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from ._pg import embedded
from ._pg.bootstrap import DATABASE, SERVICE_LOGIN, make_ready, with_parts
from ._pg.context import open_engine
from ._pg.database import Database
from ._pg.databases import prepare
from .audit import AuditLog, Auditor, NullAuditLog
from .journal import Journal
from .monitoring import FixtureMonitor, NullMonitor
from .settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, MutableMapping

    from sqlalchemy.ext.asyncio import AsyncEngine

# Runtimes that are open, by the loop that they belong to: connections cannot be shared between loops.
_open: MutableMapping[asyncio.AbstractEventLoop, dict[Settings, Runtime]] = weakref.WeakKeyDictionary()
_process = os.getpid()

# Runtimes of other databases that are kept open though nobody uses them at the moment.
_KEPT = 16

# Seconds that the end of the process may take over connections that nobody closed.
_FAREWELL = 5.0


class Runtime:
    """What operations need of their surroundings. Make one with :meth:`open`, or share one with :meth:`current`."""

    def __init__(self, settings: Settings, database: Database, server: embedded.EmbeddedServer | None = None) -> None:
        self.settings = settings
        self.database = database
        self.audit: Auditor = AuditLog() if settings.audit_logging else NullAuditLog()
        self.monitor: FixtureMonitor = FixtureMonitor() if settings.performance_monitoring else NullMonitor()
        self.journal = Journal(database, self.audit)
        # Never more operations at once than this, however many tasks ask.
        self.slots = asyncio.Semaphore(settings.max_concurrency)
        self._server = server
        self._engine: AsyncEngine | None = None
        self._others: OrderedDict[str, _Other] = OrderedDict()

    @property
    def engine(self) -> AsyncEngine:
        """An engine of SQLAlchemy on the same database, made when it is first asked for."""
        if self._engine is None:
            self._engine = open_engine(self.database.url, self.settings)
        return self._engine

    @asynccontextmanager
    async def other(self, name: str) -> AsyncIterator[Runtime]:
        """The runtime of another database of the server, a tenant's own: opened by whoever asks first, closed when it is long unused.

        :raises DatabaseUnavailable: it does not answer.
        :raises PermissionDenied: there is no such database, or the login may not connect to it.
        """
        other = self._others.setdefault(name, _Other())
        self._others.move_to_end(name)
        other.users += 1
        try:
            async with other.lock:
                if other.runtime is None:
                    database = Database(with_parts(self.database.url, database=name), self.settings)
                    await database.open()
                    other.runtime = Runtime(self.settings, database)
            yield other.runtime
        finally:
            other.users -= 1
            await self._close_unused(_KEPT)

    @asynccontextmanager
    async def visiting(self, name: str) -> AsyncIterator[Runtime]:
        """A runtime of another database of the server for a while, to look at it: it need not have a control plane."""
        database = Database(with_parts(self.database.url, database=name), self.settings)
        await database.visit(self.database.roles)
        try:
            yield Runtime(self.settings, database)
        finally:
            await database.close()

    async def prepare_databases(self) -> str:
        """Prepare the embedded server for tenants with databases of their own; gives the name of what they are copies of."""
        assert self._server is not None
        return await prepare(with_parts(self._server.superuser_url, database=DATABASE))

    async def leave(self, name: str) -> None:
        """Close the runtime of another database: it is going to be dropped."""
        other = self._others.pop(name, None)
        if other is not None and other.runtime is not None:
            await other.runtime.close()

    async def _close_unused(self, kept: int) -> None:
        unused = [name for name, other in self._others.items() if other.users == 0]
        for name in unused[: max(0, len(self._others) - kept)]:
            await self.leave(name)

    @classmethod
    async def open(cls, settings: Settings | None = None) -> Runtime:
        """Connect to the database that the settings name, or to an embedded one.

        :raises ConfigurationError: none is named and none may be embedded, or it has no control plane.
        :raises DatabaseUnavailable: nobody answers there.
        """
        settings = settings or Settings.from_env()
        url, server = await _locate(settings)
        database = Database(url, settings)
        try:
            await database.open()
        except BaseException:
            if server is not None:
                server.release()
            raise
        return cls(settings, database, server)

    @classmethod
    async def current(cls, settings: Settings | None = None) -> Runtime:
        """The runtime of the running loop for these settings: opened by whoever asks first.

        One that is never closed gives its connections and its server back with the process.
        """
        settings = settings or Settings.from_env()
        runtimes = _open.setdefault(asyncio.get_running_loop(), {})
        if settings not in runtimes:
            runtime = await cls.open(settings)
            # Another task of this loop may have been quicker.
            if settings in runtimes:
                await runtime.close()
            else:
                runtimes[settings] = runtime
        return runtimes[settings]

    @classmethod
    def opened(cls, settings: Settings) -> Runtime | None:
        """The runtime that :meth:`current` would give, where it is open already."""
        return _open.get(asyncio.get_running_loop(), {}).get(settings)

    async def close(self) -> None:
        """Give connections and server back; a second call does nothing."""
        runtimes = _open.get(asyncio.get_running_loop(), {})
        if runtimes.get(self.settings) is self:
            del runtimes[self.settings]
        for name in list(self._others):
            await self.leave(name)
        if self._engine is not None:
            await self._engine.dispose()
        await self.database.close()
        if self._server is not None:
            self._server.release()


class _Other:
    """The runtime of another database, and how many are using it now."""

    def __init__(self) -> None:
        self.runtime: Runtime | None = None
        self.lock = asyncio.Lock()
        self.users = 0


@atexit.register
def _close_what_is_open() -> None:
    """A console's loop stands still when the process ends, with the pool's tasks on it: asyncio would complain of each."""
    if os.getpid() != _process:
        # A fork shares the connections with its parent: to say goodbye on them would be to hang up on it.
        return
    for loop, runtimes in list(_open.items()):
        for runtime in list(runtimes.values()):
            if not loop.is_closed() and not loop.is_running():
                with suppress(Exception):
                    loop.run_until_complete(asyncio.wait_for(runtime.close(), _FAREWELL))


async def _locate(settings: Settings) -> tuple[str, embedded.EmbeddedServer | None]:
    if settings.database_url is not None:
        return settings.database_url.get_secret_value(), None
    server = await asyncio.to_thread(embedded.acquire, settings)
    try:
        password = await asyncio.to_thread(server.ensure_secret, SERVICE_LOGIN)
        url = await make_ready(server.superuser_url, password)
    except BaseException:
        server.release()
        raise
    if server.started:
        # On stderr: stdout belongs to the command's own answer.
        sys.stderr.write(f"Tenancy Fixtures: embedded PostgreSQL {server.version} on 127.0.0.1:{server.port}, data in {server.data_dir}\n")
    return url, server
