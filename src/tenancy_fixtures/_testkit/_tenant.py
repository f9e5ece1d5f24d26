"""What a test is handed: a clean tenant, and the ways to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from sqlalchemy.engine import Engine

from .._pg.context import open_engine, open_sync_engine
from .._sessions import TenantSessions
from ..manager import FixtureManager

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import Session

    from .._shapes import Tenant
    from ..settings import Settings
    from ._loop import LoopThread
    from ._run import Kit

_Result = TypeVar("_Result")


class Engines:
    """The engines of a worker's database, bound to the tenants; each is made when it is first asked for."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._url = url
        self._settings = settings
        self._sync: TenantSessions | None = None
        self._async: TenantSessions | None = None
        self._given: WeakSet[Session] = WeakSet()

    def session(self, tenant_id: str, **options: Any) -> Session:
        """A session of a tenant."""
        if self._sync is None:
            self._sync = TenantSessions(open_sync_engine(self._url, self._settings), settings=self._settings)
        session = self._sync.session(tenant_id, **options)
        self._given.add(session)
        return session

    def async_session(self, tenant_id: str, **options: Any) -> AsyncSession:
        """The same for coroutines, in whatever loop they run: no connection is kept."""
        if self._async is None:
            self._async = TenantSessions(open_engine(self._url, self._settings, keep=False), settings=self._settings)
        return self._async.async_session(tenant_id, **options)

    def close_sessions(self) -> None:
        """End the transactions of sessions that a test has left open."""
        for session in list(self._given):
            session.close()

    def dispose(self) -> None:
        """Close what is kept."""
        if self._sync is not None and isinstance(self._sync.engine, Engine):
            self._sync.engine.dispose()


@dataclass(frozen=True)
class CleanTenant:
    """A tenant that holds what the template holds, and that no other test has.

    ``url`` is where the application connects: the worker's database, with a login that may act as the application's role.
    ``settings`` are those for a manager, and for whatever else of this library the code under test uses; ``facts`` is the registry's entry.
    """

    tenant_id: str
    url: str = field(repr=False)
    facts: Tenant = field(repr=False)
    settings: Settings = field(repr=False)
    _kit: Kit = field(repr=False)
    _loop: LoopThread = field(repr=False)
    _engines: Engines = field(repr=False)

    @property
    def manager(self) -> FixtureManager:
        """A manager of tenants in the same database, for a test that is a coroutine: ``async with tenant.manager as manager``."""
        return FixtureManager(self.settings, pack=self._kit.pack)

    def run(self, work: Callable[[FixtureManager], Awaitable[_Result]]) -> _Result:
        """Let a manager do some work and wait for it, in a test that is none: ``tenant.run(lambda manager: manager.get_config(…))``."""

        async def worked() -> _Result:
            async with self.manager as manager:
                return await work(manager)

        return self._loop.run(worked())

    def session(self, **options: Any) -> Session:
        """A session of SQLAlchemy that is the tenant's; ``options`` are those of ``Session``."""
        return self._engines.session(self.tenant_id, **options)

    def async_session(self, **options: Any) -> AsyncSession:
        """A session for coroutines that is the tenant's; ``options`` are those of ``AsyncSession``."""
        return self._engines.async_session(self.tenant_id, **options)
