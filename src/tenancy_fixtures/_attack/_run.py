"""An attack from its beginning to its end: whom it is led against, with which engine, and what is left of it."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from .._pg.connect import connect
from .._pg.context import open_engine, text_of
from .._sessions import TenantSessions, current_tenant
from ..exceptions import ConfigurationError
from ..manager import FixtureManager
from ..runtime import Runtime
from ..settings import Settings
from ._crossing import Attack
from ._matrix import PROBES
from ._report import AttackReport
from ._tenants import left_behind, probe_pack, remove, throw_away

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from ._report import Outcome
    from ._tenants import Ground

# The isolations that tenants can be made with.
_MADE: Final = ("schema",)


async def attack(settings: Settings | None = None, *, url: str | None = None, remove_left: bool = False) -> AttackReport:
    """Make two tenants, try to cross from one to the other through the application's login, and drop both again.

    ``url`` is the application's, with ``postgresql+asyncpg://`` for that driver; the settings' own without it. With ``remove_left``
    the tenants of attacks that did not come to their end are dropped first: those of one that goes on at this moment as well.

    :raises ConfigurationError: the login cannot act for tenants, so that nothing would be shown by an attack.
    :raises DatabaseUnavailable: nobody answers there, or the connection was lost.
    """
    if current_tenant() is not None:
        raise ConfigurationError("an attack cannot run in the context of a tenant", hint="Call it outside of tenant_context().")
    settings, began = settings or Settings.from_env(), time.perf_counter()
    was_open = Runtime.opened(settings) is not None
    runtime = await Runtime.current(settings)
    try:
        manager = FixtureManager(settings, pack=probe_pack())
        left = await left_behind(manager)
        removed = await remove(manager, left) if remove_left else []
        outcomes: list[Outcome] = []
        for isolation in _MADE:
            outcomes += await _attack(manager, runtime, url or runtime.database.url, isolation)
        still = tuple(item for item in left if item not in removed)
        return AttackReport(_MADE, tuple(outcomes), still, tuple(removed), round(time.perf_counter() - began, 6))
    finally:
        if not was_open:
            await runtime.close()


async def _attack(manager: FixtureManager, runtime: Runtime, url: str, isolation: str) -> list[Outcome]:
    engine = await _engine_for(url, runtime.settings)
    try:
        async with throw_away(manager, runtime, isolation) as ground:
            sessions = TenantSessions(engine, settings=runtime.settings)
            await _see_that_it_can(ground, sessions)
            return await Attack(ground, sessions).run(PROBES)
    finally:
        await engine.dispose()


async def _engine_for(url: str, settings: Settings) -> AsyncEngine:
    """An engine of the driver that the URL names.

    :raises ConfigurationError: of that driver there is none.
    """
    driver = (re.match(r"postgres(?:ql)?\+(\w+)://", url) or ["", "psycopg"])[1]
    plain = re.sub(r"^postgres(ql)?\+\w+://", "postgresql://", url)
    # Who cannot log in is told so in plain words.
    await (await connect(plain)).close()
    if driver.startswith("psycopg"):
        return open_engine(plain, settings)
    if driver != "asyncpg":
        raise ConfigurationError(f"an attack knows no driver {driver!r}", hint="Name psycopg or asyncpg in the URL, or no driver.")
    arguments: dict[str, Any] = {"statement_cache_size": 0, "prepared_statement_cache_size": 0} if settings.pooler else {}
    return create_async_engine(re.sub(r"^postgres(ql)?\+", "postgresql+", url), connect_args=arguments)


async def _see_that_it_can(ground: Ground, sessions: TenantSessions) -> None:
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
