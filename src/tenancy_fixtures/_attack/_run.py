"""An attack from its beginning to its end: whom it is led against, with which engine, and what is left of it."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from .._pg.bootstrap import with_parts
from .._pg.connect import connect
from .._pg.context import open_engine, text_of
from .._pg.control_plane import installed_at
from .._sessions import TenantSessions, current_tenant
from ..exceptions import ConfigurationError, NoDatabases, PoliciesBypassed, TenancyError, TenantNotFound
from ..manager import FixtureManager
from ..runtime import Runtime
from ..settings import Settings
from ..utils import TenantUtils
from ._crossing import Attack, Sessions
from ._matrix import PROBES
from ._report import AttackReport
from ._tenants import left_behind, probe_pack, remove, throw_away

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncEngine

    from ._report import Outcome
    from ._tenants import Ground

# The isolations that tenants can be made with.
_MADE: Final = ("schema", "row", "database")


async def attack(settings: Settings | None = None, *, url: str | None = None, own_login: bool = False, remove_left: bool = False) -> AttackReport:
    """See :func:`.doctor.attack`."""
    if current_tenant() is not None:
        raise ConfigurationError("an attack cannot run in the context of a tenant", hint="Call it outside of tenant_context().")
    settings, began = settings or Settings.from_env(), time.perf_counter()
    was_open = Runtime.opened(settings) is not None
    runtime = await Runtime.current(settings)
    try:
        if url is not None:
            await _see_that_it_leads_here(url, runtime)
        manager = FixtureManager(settings, pack=probe_pack())
        left = await left_behind(manager)
        removed = await remove(manager, left) if remove_left else []
        outcomes: list[Outcome] = []
        cannot: dict[str, str] = {}
        for isolation in _MADE:
            way = _as_tenant(runtime, isolation) if own_login else _as_application(runtime, isolation, url or runtime.database.url)
            try:
                outcomes += await way
            except (PoliciesBypassed, NoDatabases) as error:
                cannot[isolation] = error.message
        still = tuple(item for item in left if item not in removed)
        made = tuple(item for item in _MADE if item not in cannot)
        return AttackReport(made, tuple(outcomes), still, tuple(removed), cannot, round(time.perf_counter() - began, 6))
    finally:
        if not was_open:
            await runtime.close()


async def _see_that_it_leads_here(url: str, runtime: Runtime) -> None:
    """See that the application's URL is one, and that its database is this one: before anything is made.

    :raises ConfigurationError: it is none, or leads to another database.
    :raises DatabaseError: it leads nowhere.
    """
    try:
        theirs = await installed_at(_plain(url))
    except TenancyError as error:
        error.hint = "Check --url: user, password, host and database of the application."
        raise
    if theirs is None or theirs != await installed_at(runtime.database.url):
        raise ConfigurationError("--url leads to another database", hint="Name the application's login in the database of TENANCY_DATABASE_URL.")


def _plain(url: str) -> str:
    return re.sub(r"^postgres(ql)?\+\w+://", "postgresql://", url)


async def _as_application(runtime: Runtime, isolation: str, url: str) -> list[Outcome]:
    """With one login, which works for all tenants. It is tried before there are any: who is refused has nothing made."""
    engine = await _engine_for(url, runtime.settings)
    try:
        async with throw_away(runtime, isolation) as ground:
            if isolation == "database":
                return await _in_databases(ground, url)
            return await _lead(ground, TenantSessions(engine, settings=runtime.settings), engine)
    finally:
        await engine.dispose()


async def _in_databases(ground: Ground, url: str) -> list[Outcome]:
    """The same in the tenants' own databases: nobody is in them any more when they are dropped."""
    settings, engines = ground.runtime.settings, {}
    try:
        for side in (ground.attacker, ground.victim):
            engines[side.tenant.tenant_id] = await _engine_for(with_parts(url, database=side.tenant.namespace), settings)
        bound = {name: TenantSessions(engine, settings=settings) for name, engine in engines.items()}
        return await _lead(ground, EachDatabase(bound, ground.attacker.tenant.tenant_id), *engines.values())
    finally:
        for engine in engines.values():
            await engine.dispose()


async def _as_tenant(runtime: Runtime, isolation: str) -> list[Outcome]:
    """With a login of each tenant's own.

    :raises ConfigurationError: tenants have no roles in this installation, so that none can have a login.
    """
    engines: dict[str, AsyncEngine] = {}
    async with throw_away(runtime, isolation) as ground:
        try:
            for side in (ground.attacker, ground.victim):
                login = await ground.manager.set_login(side.tenant.tenant_id)
                engines[side.tenant.tenant_id] = await _engine_for(login.url, runtime.settings)
            return await _lead(ground, OwnLogins(engines, ground.attacker.tenant.tenant_id), *engines.values())
        finally:
            for engine in engines.values():
                await engine.dispose()


async def _lead(ground: Ground, sessions: Sessions, *engines: AsyncEngine) -> list[Outcome]:
    await _see_that_it_can(ground, sessions)
    return await Attack(ground, sessions, *engines).run(PROBES)


class EachDatabase:
    """Sessions in each tenant's own database. Whoever else is asked for, and nobody, is looked for in the attacker's."""

    def __init__(self, bound: Mapping[str, TenantSessions], attacker: str) -> None:
        self._bound = bound
        self._attacker = attacker

    def async_session(self, tenant_id: str | None = None, **options: Any) -> AsyncSession:
        """A session of one tenant, or of nobody.

        :raises InvalidTenantId: the id cannot be a tenant's.
        """
        return self._bound.get(tenant_id or "", self._bound[self._attacker]).async_session(tenant_id, **options)


class OwnLogins:
    """Sessions in which whoever connects is known by its login, and needs to say no more. Nobody's are the attacker's: it says nothing of itself."""

    def __init__(self, engines: Mapping[str, AsyncEngine], nobody: str) -> None:
        self._engines = engines
        self._nobody = nobody

    def async_session(self, tenant_id: str | None = None, **options: Any) -> AsyncSession:
        """A session with the login of one tenant.

        :raises InvalidTenantId: the id cannot be a tenant's.
        :raises TenantNotFound: nobody has the name.
        """
        name = self._nobody if tenant_id is None else TenantUtils.check_id(tenant_id)
        if name not in self._engines:
            raise TenantNotFound(f"no tenant {name!r}", tenant=name)
        return AsyncSession(self._engines[name], **options)


async def _engine_for(url: str, settings: Settings) -> AsyncEngine:
    """An engine of the driver that the URL names.

    :raises ConfigurationError: of that driver there is none.
    """
    driver = (re.match(r"postgres(?:ql)?\+(\w+)://", url) or ["", "psycopg"])[1]
    plain = _plain(url)
    # Who cannot log in is told so in plain words.
    await (await connect(plain)).close()
    if driver.startswith("psycopg"):
        return open_engine(plain, settings)
    if driver != "asyncpg":
        raise ConfigurationError(f"an attack knows no driver {driver!r}", hint="Name psycopg or asyncpg in the URL, or no driver.")
    arguments: dict[str, Any] = {"statement_cache_size": 0, "prepared_statement_cache_size": 0} if settings.pooler else {}
    return create_async_engine(re.sub(r"^postgres(ql)?\+", "postgresql+", url), connect_args=arguments)


async def _see_that_it_can(ground: Ground, sessions: Sessions) -> None:
    """Let each tenant read its own rows: where not even that works, a refusal would show nothing.

    :raises ConfigurationError: it does not work.
    """
    for side in (ground.attacker, ground.victim):
        try:
            async with sessions.async_session(side.tenant.tenant_id) as session:
                read = (await session.execute(text(text_of("attack.read_own")))).scalars().all()
        except (DBAPIError, ConfigurationError) as error:
            # A kind of its own says more: no control plane, a login that is not a safe one.
            if isinstance(error, ConfigurationError) and type(error) is not ConfigurationError:
                raise
            reason = error.message if isinstance(error, ConfigurationError) else getattr(error.orig, "sqlstate", None) or type(error.orig).__name__
            hint = "Name the application's login (--url), a member of the application's role: GRANT tenancy_app TO it."
            raise ConfigurationError(f"the login cannot act for a tenant, so an attack would show nothing: {reason}", hint=hint) from None
        if not read:
            raise ConfigurationError("the application's login sees no rows of a tenant's own", hint="Check the rights and policies that hold for it.")
