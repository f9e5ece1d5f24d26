"""One worker's part of a run of a suite: a server, a database of its own on it, and the pool of its tenants."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Optional

from .._pg import embedded
from .._pg.testkit import Baseline, Server
from ..exceptions import ConfigurationError
from ..manager import FixtureManager
from ..packs import Pack
from ..settings import Settings
from ._pool import Pool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TEMPLATE_TENANT = "template"

# Seconds to wait for a tenant that a test has left in use: it is left where it is then.
_PATIENCE = 1.0


@dataclass(frozen=True)
class Identity:
    """What the workers of a run have in common: its name (``tenancy_run_`` and twelve digits), and its logins' password."""

    run: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Wishes:
    """What a suite asks for. ``datasets`` are those that every tenant holds (``None``: all of the pack), ``scripts`` run before there is any."""

    url: Optional[str] = field(default=None, repr=False)
    pack: Optional[str] = None
    datasets: Optional[tuple[str, ...]] = None
    scripts: tuple[Path, ...] = ()


class Kit:
    """A worker's database with its pool. Make one with :meth:`start`; :meth:`end` removes what was made, :func:`remove` what several workers made."""

    def __init__(self, server: Server, settings: Settings, pack: Pack, pool: Pool, stack: AsyncExitStack) -> None:
        self.server = server
        self.settings = settings
        self.pack = pack
        self.pool = pool
        self._stack = stack

    @classmethod
    async def start(cls, wishes: Wishes, identity: Identity, worker: str, *, alone: bool) -> Kit:
        """Make the run's template where no other worker has, and a copy of it for this one.

        With ``alone`` there is no other worker, and nobody else removes what is made.

        :raises ConfigurationError: the server's login is no superuser, or the pack's tenants have no schema of their own.
        :raises DatabaseError: nobody answers, or a script is refused.
        :raises PackError: the pack is at fault.
        """
        async with AsyncExitStack() as stack:
            url = await _locate(wishes.url, stack)
            server = await Server.open(url, identity.run, identity.password)
            stack.push_async_callback(server.close)
            # Who is alone works where the template was made, and removes it. Of several workers each has a copy; all goes when all are done,
            # since a server writes down everything that it holds before it drops a database.
            database = identity.run if alone else f"{identity.run}_{worker}"
            if alone:
                stack.push_async_callback(server.remove, identity.run)
            stack.push_async_callback(server.revive)
            pack = Pack.resolve(wishes.pack)
            _require_schemas(pack)
            async with server.alone():
                if not await server.is_finished(identity.run):
                    await server.sweep()
                    await _make_template(server, pack, wishes)
            if not alone:
                await server.copy(database, identity.run)
            settings = Settings.from_env(database_url=server.url_of(database, "service"))
            manager = await stack.enter_async_context(FixtureManager(settings.with_changes(lock_timeout=_PATIENCE), pack=pack))
            baseline = await Baseline.open(server.url_of(database), identity.run)
            stack.push_async_callback(baseline.close)
            return cls(server, settings, pack, Pool(manager, baseline), stack.pop_all())

    @property
    def application_url(self) -> str:
        """Where the host's application connects: with a login that may act as its role and as nothing else."""
        return self.server.url_of(self.database, "application")

    @property
    def database(self) -> str:
        """The name of the worker's database."""
        url = self.settings.database_url
        assert url is not None
        return url.get_secret_value().rpartition("/")[2].partition("?")[0]

    async def end(self) -> None:
        """Close and remove."""
        await self._stack.aclose()


async def remove(wishes: Wishes, identity: Identity) -> None:
    """Remove all that a run has made: when its workers are done."""
    async with AsyncExitStack() as stack:
        server = await Server.open(await _locate(wishes.url, stack), identity.run, identity.password)
        stack.push_async_callback(server.close)
        await server.remove(identity.run)


async def _locate(url: str | None, stack: AsyncExitStack) -> str:
    """The administrator's URL: the one that is named, or that of the embedded server."""
    if url:
        named = Settings.from_env(database_url=url).database_url
        assert named is not None
        return named.get_secret_value()
    server = await asyncio.to_thread(embedded.acquire, Settings.from_env())
    stack.callback(server.release)
    return server.superuser_url


def _require_schemas(pack: Pack) -> None:
    isolation = pack.tenant_template.isolation
    if isolation != "schema":
        hint = "Let the suite use a pack whose tenant_template.json says schema; the tables are the same."
        raise ConfigurationError(
            f"tests are handed tenants with a schema of their own, and pack {pack.name!r} has isolation {isolation!r}", hint=hint
        )


async def _make_template(server: Server, pack: Pack, wishes: Wishes) -> None:
    """The database that every worker's is a copy of: it keeps what the template tenant held, and the tenant itself is gone."""
    await server.make(server.run)
    for script in wishes.scripts:
        await server.execute(server.run, await asyncio.to_thread(script.read_text, encoding="utf-8"))
    settings = Settings.from_env(database_url=server.url_of(server.run, "service"))
    async with FixtureManager(settings, pack=pack) as manager:
        tenant = await manager.create_tenant(_TEMPLATE_TENANT)
        await _load(manager, wishes.datasets)
        baseline = await Baseline.open(server.url_of(server.run), server.run)
        try:
            await baseline.capture(tenant.uid)
        finally:
            await baseline.close()
        await manager.drop_tenant(_TEMPLATE_TENANT)
    await server.finish(server.run)


async def _load(manager: FixtureManager, datasets: Sequence[str] | None) -> None:
    if datasets is None:
        datasets = [dataset.name for dataset in manager.pack.manifest.datasets]
    if datasets:
        await manager.load_fixtures(_TEMPLATE_TENANT, datasets)
