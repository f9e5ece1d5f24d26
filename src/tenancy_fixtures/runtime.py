"""Runtime: settings, database, journal, audit and monitor of one event loop, opened once and shared."""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING

from ._pg import embedded
from ._pg.bootstrap import SERVICE_LOGIN, make_ready
from ._pg.context import open_engine
from ._pg.database import Database
from .audit import AuditLog, Auditor, NullAuditLog
from .journal import Journal
from .monitoring import FixtureMonitor, NullMonitor
from .settings import Settings

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from sqlalchemy.ext.asyncio import AsyncEngine

# Runtimes that are open, by the loop that they belong to: connections cannot be shared between loops.
_open: MutableMapping[asyncio.AbstractEventLoop, dict[Settings, Runtime]] = weakref.WeakKeyDictionary()
_process = os.getpid()

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

    @property
    def engine(self) -> AsyncEngine:
        """An engine of SQLAlchemy on the same database, made when it is first asked for."""
        if self._engine is None:
            self._engine = open_engine(self.database.url, self.settings)
        return self._engine

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
        if self._engine is not None:
            await self._engine.dispose()
        await self.database.close()
        if self._server is not None:
            self._server.release()


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
