"""Sessions of SQLAlchemy that belong to one tenant: each transaction begins by saying whose it is, and without a tenant none begins."""

from __future__ import annotations

import json
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from ._pg.context import text_of
from ._pg.control_plane import check_version
from ._pg.database import judge_login
from ._pg.roles import Roles, is_tenants
from .exceptions import ConfigurationError, NoTenant, NotInitialised, PoliciesBypassed, TenantNotFound, TenantNotOpened, TenantSuspended, WrongTenant
from .settings import Settings
from .utils import TenantUtils

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, RowMapping, TextClause
    from sqlalchemy.engine import Engine
    from sqlalchemy.pool import ConnectionPoolEntry

# Names the tenant of an engine, a connection or a session itself, in place of the context's.
OPTION = "tenancy_tenant"
# Where an engine keeps its binding: for as long as the engine lives.
_BINDING = "tenancy_sessions"

_NO_RIGHT, _NO_ROLE = "42501", "22023"  # insufficient_privilege; invalid_parameter_value

_current: ContextVar[str | None] = ContextVar("tenancy_tenant", default=None)


def current_tenant() -> str | None:
    """The tenant in whose context this code runs, or ``None``."""
    return _current.get()


@contextmanager
def tenant_context(tenant_id: str) -> Iterator[None]:
    """Let code run in the context of a tenant: transactions that begin in it are the tenant's.

    It goes along with ``await``, with tasks made in it and with ``asyncio.to_thread``; a thread that is started in
    another way begins without a tenant, unless it runs in a copy of the context (``contextvars.copy_context().run``).

    :raises InvalidTenantId: the id cannot be a tenant's.
    """
    token = _current.set(TenantUtils.check_id(tenant_id))
    try:
        yield
    finally:
        _current.reset(token)


class TenantSessions:
    """Binds an engine of the host's, with any driver, to the tenants: from now on each of its transactions is one tenant's.

    The tenant is that of :func:`tenant_context`, or of the execution option ``tenancy_tenant``. The first statements of a
    transaction take the rights of the application's role, and make the tenant's schema the only one that names are looked
    up in, for that transaction alone. A transaction without a tenant does not begin.

    ``shared_schemas`` are looked up after the tenant's own. ``translate`` is the schema that the host's models name for
    the tenant's (``Table(…, schema="tenant")``): it is translated to the tenant's in each transaction.

    What the host does with its sessions, commits and rollbacks stays the host's. Where the URL leads to a pooler in
    transaction mode, the driver must not prepare statements, unless the pooler knows them: see docs/how-to/sessions.md.

    :raises ConfigurationError: the engine is bound already.
    """

    def __init__(
        self, engine: Engine | AsyncEngine, *, settings: Settings | None = None, shared_schemas: Sequence[str] = (), translate: str | None = None
    ) -> None:
        self.engine = engine
        self._sync = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
        self._settings = settings or Settings.from_env()
        self._shared = json.dumps(list(shared_schemas))
        self._translate = translate
        self._role: str | None = None
        self._known = False
        if self._sync.get_execution_options().get(_BINDING) is not None:
            raise ConfigurationError("the engine is bound to the tenants already", hint="Use its binding, or release() it first.")
        self._sync.update_execution_options(**{_BINDING: self})
        for name, listener in self._listeners():
            event.listen(self._sync, name, listener)

    def __repr__(self) -> str:
        return f"<TenantSessions on {self._sync.url.render_as_string(hide_password=True)}>"

    def session(self, tenant_id: str | None = None, **options: Any) -> Session:
        """A session of one tenant: of the one that is named, or of the context's. ``options`` are those of ``Session``.

        :raises InvalidTenantId: the id cannot be a tenant's.
        :raises ConfigurationError: the engine is an asynchronous one.
        """
        engine = self._of(tenant_id)
        if isinstance(engine, AsyncEngine):
            raise ConfigurationError("the engine is an AsyncEngine", hint="Use async_session().")
        return Session(engine, **options)

    def async_session(self, tenant_id: str | None = None, **options: Any) -> AsyncSession:
        """The same on an ``AsyncEngine``; ``options`` are those of ``AsyncSession``.

        :raises InvalidTenantId: the id cannot be a tenant's.
        :raises ConfigurationError: the engine is no asynchronous one.
        """
        engine = self._of(tenant_id)
        if not isinstance(engine, AsyncEngine):
            raise ConfigurationError("the engine is no AsyncEngine", hint="Use session().")
        return AsyncSession(engine, **options)

    def release(self) -> None:
        """Take the binding off the engine again."""
        self._sync.update_execution_options(**{_BINDING: None})
        for name, listener in self._listeners():
            event.remove(self._sync, name, listener)

    def _of(self, tenant_id: str | None) -> Engine | AsyncEngine:
        return self.engine if tenant_id is None else self.engine.execution_options(**{OPTION: TenantUtils.check_id(tenant_id)})

    def _listeners(self) -> list[tuple[str, Any]]:
        return [
            ("begin", self._begin),
            ("begin_twophase", self._begin),
            ("before_cursor_execute", self._refuse_strangers),
            *((name, _leave) for name in ("commit", "rollback", "commit_twophase", "rollback_twophase")),
            ("checkout", _taken),
        ]

    def _begin(self, connection: Connection, _: Any = None) -> None:
        """Let the transaction that begins be the tenant's, or none."""
        tenant_id = _tenant_of(connection)
        if tenant_id is None:
            raise NoTenant("a transaction begins, and nobody said whose it is", hint="Begin it within tenant_context(…), or name the tenant.")
        connection.info[OPTION] = _ENTERING
        try:
            self._enter(connection, tenant_id)
        except BaseException:
            _leave(connection)
            raise
        connection.info[OPTION] = tenant_id

    def _enter(self, connection: Connection, tenant_id: str) -> None:
        if not self._known:
            self._learn(connection)
        try:
            connection.execute(_statement("context.begin"), {"role": self._role, "tenant": tenant_id})
            row = connection.execute(_statement("context.enter"), {"shared": self._shared}).mappings().first()
        except DBAPIError as error:
            explained = _explained(error, tenant_id)
            if explained is None:
                raise
            raise explained from error
        if row is None:
            # Nobody has the name, or what was said is forgotten already.
            said = connection.execute(_statement("context.whose")).mappings().one()
            if said["tenant"] != tenant_id:
                raise _not_entered(tenant_id)
            raise TenantNotFound(f"no tenant {tenant_id!r}", tenant=tenant_id, hint="`tenancy tenant list` shows those that exist.")
        _refuse_entry(row, tenant_id)
        if row["leftovers"]:
            connection.execute(_statement("context.discard"))
        if self._translate is not None:
            connection.execution_options(schema_translate_map={self._translate: row["namespace"]})

    def _learn(self, connection: Connection) -> None:
        """What the installation is and who we are in it, once for each engine."""
        if not connection.execute(_statement("control_plane.exists")).scalar():
            raise NotInitialised("the engine's database has no control plane", hint="Run `tenancy init`.")
        installation = connection.execute(_statement("control_plane.read")).mappings().one()
        check_version(installation["version"])
        login = connection.execute(_statement("roles.login_rights")).mappings().one()
        if is_tenants(login["login"]):
            hint = "It needs no binding, and no other rights: use the engine as it is. It finds the tenant's tables first."
            raise ConfigurationError("the engine's login is a tenant's own", hint=hint)
        hint = "Let the engine use a login with no rights but a membership in the application's role: GRANT tenancy_app TO it."
        judge_login(dict(login), self._settings, hint=hint)
        self._role = Roles.from_mapping(installation["roles"]).app
        self._known = True

    def _refuse_strangers(self, connection: Connection, *_: Any) -> None:
        """Before each statement: the transaction is a tenant's, and still that of the context."""
        entered = connection.info.get(OPTION)
        if entered is _ENTERING:
            return
        if entered is None:
            raise NoTenant(
                "a statement outside of a tenant's transaction", hint="Its transaction did not begin: close the connection, and take another."
            )
        now = _tenant_of(connection)
        if now is not None and now != entered:
            raise WrongTenant(f"the transaction is of tenant {entered!r}, and the context of {now!r}", tenant=now, hint="End it first.")


def sessions_of(engine: AsyncEngine, settings: Settings) -> TenantSessions:
    """The binding of an engine: made once."""
    found = engine.sync_engine.get_execution_options().get(_BINDING)
    return found if isinstance(found, TenantSessions) else TenantSessions(engine, settings=settings)


@cache
def _statement(name: str) -> TextClause:
    return text(text_of(name))


class _Entering:
    """Mark of a connection on which a transaction's first statements are under way."""


_ENTERING = _Entering()


def _tenant_of(connection: Connection) -> str | None:
    named = connection.get_execution_options().get(OPTION)
    return _current.get() if named is None else TenantUtils.check_id(named)


def _leave(connection: Connection, *_: Any) -> None:
    """The transaction is over: the connection is nobody's."""
    if not connection.invalidated:
        connection.info.pop(OPTION, None)


def _taken(_: Any, record: ConnectionPoolEntry, *__: Any) -> None:
    """The connection comes from the pool: it is nobody's, however its last transaction ended."""
    record.info.pop(OPTION, None)


def _explained(error: DBAPIError, tenant_id: str) -> ConfigurationError | None:
    state = getattr(error.orig, "sqlstate", None)
    if state == _NO_ROLE:
        hint = f"Run `tenancy migrate {tenant_id}`: it makes the role and gives it its rights."
        return ConfigurationError("the tenant's role is not on this server", tenant=tenant_id, hint=hint)
    return _not_entered(tenant_id) if state == _NO_RIGHT else None


def _refuse_entry(row: RowMapping, tenant_id: str) -> None:
    if row["elsewhere"]:
        hint = f"Bind an engine on the database {row['namespace']!r}, or use manager.session."
        raise ConfigurationError(f"tenant {tenant_id!r} has a database of its own, and this is another", tenant=tenant_id, hint=hint)
    if row["entered"] is None:
        raise TenantSuspended(f"tenant {tenant_id!r} is {row['state']}", tenant=tenant_id, hint="Nothing of it can be reached until it is active.")
    if row["closed"]:
        raise TenantNotOpened.of(tenant_id)
    if row["exempt"]:
        hint = "Let the engine use a login without SUPERUSER and BYPASSRLS, in an installation that has roles."
        raise PoliciesBypassed("policies keep tenants apart that share tables, and they do not bind this login", tenant=tenant_id, hint=hint)


def _not_entered(tenant_id: str) -> ConfigurationError:
    hint = "It may be in AUTOCOMMIT, where nothing lasts; or its login may not act as the application's role: GRANT tenancy_app TO it."
    return ConfigurationError("the connection does not keep whose transaction it is", tenant=tenant_id, hint=hint)
