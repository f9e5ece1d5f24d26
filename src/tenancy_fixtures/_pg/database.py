"""Connections and transactions: a pool, and transactions that know their tenant, their role and their limits."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from .. import constants
from ..exceptions import DatabaseUnavailable, NotInitialised, PermissionDenied, PoliciesBypassed, UnsafeRole
from .connect import CONNECT_TIMEOUT, PARAMETERS, connect
from .control_plane import check_version, read_installation
from .errors import translated
from .roles import Roles
from .sql import compose, identifier, query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from psycopg import AsyncConnection

    from .._shapes import Tenant
    from ..settings import Settings
    from .sql import Statement

# Purposes of roles that work on tenants' rows, or own their tables.
_TOUCHES_ROWS = frozenset({"migrator", "loader", "app", "script"})


class Transaction:
    """One transaction in progress. Statements are named blocks of ``queries/``, or composed by :mod:`._pg.sql`."""

    def __init__(self, connection: AsyncConnection[Any], roles: Roles, context: Mapping[str, Any]) -> None:
        self.connection = connection
        self.roles = roles
        self._context = context

    async def run(self, statement: str | Statement, **values: Any) -> int:
        """Execute and give the number of rows touched."""
        return (await self._execute(statement, values)).rowcount

    async def one(self, statement: str | Statement, **values: Any) -> dict[str, Any] | None:
        """Execute and give the first row by column name, or ``None``."""
        return await (await self._execute(statement, values)).fetchone()

    async def all(self, statement: str | Statement, **values: Any) -> list[dict[str, Any]]:
        """Execute and give all rows by column name."""
        return await (await self._execute(statement, values)).fetchall()

    async def _execute(self, statement: str | Statement, values: Mapping[str, Any]) -> psycopg.AsyncCursor[dict[str, Any]]:
        text = query(statement) if isinstance(statement, str) else statement
        bound = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in values.items()}
        return await self.connection.cursor(row_factory=dict_row).execute(text, bound or None)

    async def set_context(self, *, role: str | None = None) -> None:
        """Set role, tenant, search path and limits as the transaction began with: first, and after foreign SQL.

        ``role`` is the one that acts now, where it is not the transaction's own.
        """
        await self.run("database.begin", **{**self._context, "role": role or self._context["role"]})

    async def enter(self, tenant: Tenant | None) -> None:
        """Let the rows of shared tables that are seen and written from here on be that tenant's; without one there are none.

        :raises PoliciesBypassed: the tenant shares tables, and policies do not bind this login, or a role that it acts as.
        """
        if tenant is not None and tenant.isolation == "row":
            await self._refuse_exempt()
        uid = "" if tenant is None else str(tenant.uid)
        self._context = {**self._context, "tenant_uid": uid}
        await self.run("database.enter", tenant_uid=uid)

    async def _refuse_exempt(self) -> None:
        names = [name for purpose, name in self.roles.named() if purpose in _TOUCHES_ROWS]
        exempt = await self.all("roles.exempt", names=names)
        if exempt:
            listed = ", ".join(repr(row["role"]) for row in exempt)
            hint = "Use a login without SUPERUSER and BYPASSRLS: `tenancy init --grant-to` that name, and name it in TENANCY_DATABASE_URL."
            raise PoliciesBypassed(f"policies keep tenants apart that share tables, and they do not bind {listed}", hint=hint)

    @asynccontextmanager
    async def acting_as(self, purpose: str) -> AsyncIterator[None]:
        """Switch to the role of that purpose for a part of the transaction, and back."""
        async with self.acting_as_role(getattr(self.roles, purpose)):
            yield

    @asynccontextmanager
    async def acting_as_owner(self, tenant: Tenant) -> AsyncIterator[None]:
        """Switch to the role that owns the structure of a tenant that was adopted, and back; for others nothing changes.

        :raises PermissionDenied: the login may not act as that role; says what is missing.
        """
        if tenant.owner is not None:
            await self.require_owner(tenant.owner)
        async with self.acting_as_role(tenant.owner):
            yield

    async def require_owner(self, owner: str) -> None:
        """See that the login may act as a role that is none of ours.

        :raises PermissionDenied: it may not; says what is missing.
        """
        row = await self.one("database.may_become", role=owner) or {}
        if not row["may"]:
            grant = compose("roles.grant_role", role=identifier(owner), member=identifier(row["login"])).as_string(self.connection)
            raise PermissionDenied(
                f"the structure belongs to {owner!r}, and {row['login']!r} may not act as it", hint=f"As an administrator: {grant};"
            )

    @asynccontextmanager
    async def acting_as_role(self, name: str | None) -> AsyncIterator[None]:
        """Switch to a role for a part of the transaction, and back; ``None`` leaves it as it is."""
        if name is None:
            yield
            return
        row = await self.one("database.current_role")
        await self.run("database.set_role", role=name)
        yield
        # Not reached after an error: the transaction, or the savepoint, takes the setting back with everything else.
        await self.run("database.set_role", role=(row or {})["role"])


class Session:
    """One connection for one operation: the run's row, the work and its end travel on it, in turn."""

    def __init__(self, connection: AsyncConnection[Any], roles: Roles, settings: Settings) -> None:
        self._connection = connection
        self._roles = roles
        self._settings = settings
        self.is_spoiled = False

    def cancel_statement(self) -> None:
        """Ask the server to end the statement in progress, if there is one. It waits for the server: call it in a thread.

        The connection is not used again: the server may hear of it when the statement has long ended, and another one goes on.
        """
        if not self._connection.closed and self._connection.info.transaction_status == TransactionStatus.ACTIVE:
            self.is_spoiled = True
            self._connection.cancel()

    @asynccontextmanager
    async def transaction(
        self, *, tenant: str | None = None, role: str | None = None, keep: bool = True, snapshot: bool = False
    ) -> AsyncIterator[Transaction]:
        """A transaction with its limits, its role (by purpose) and its tenant set before anything else is said in it.

        With ``keep=False`` it is rolled back at its end; with ``snapshot`` it reads one state of the database, and writes nothing.

        :raises DatabaseError: what the server refused, translated.
        """
        with translated():
            if snapshot:
                await self._connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
                await self._connection.set_read_only(True)
            try:
                async with self._connection.transaction(force_rollback=not keep):
                    transaction = Transaction(self._connection, self._roles, self._context(tenant, role))
                    await transaction.set_context()
                    yield transaction
            finally:
                if snapshot and not self._connection.closed:
                    await self._connection.set_isolation_level(None)
                    await self._connection.set_read_only(None)

    def _context(self, tenant: str | None, role: str | None) -> dict[str, Any]:
        return {
            "tenant": tenant or "",
            # Known when the tenant is: until then rows of shared tables are nobody's.
            "tenant_uid": "",
            "role": getattr(self._roles, role) if role else None,
            "lock_timeout": f"{round(self._settings.lock_timeout * 1000)}ms",
            "statement_timeout": f"{round(self._settings.statement_timeout * 1000)}ms",
        }


class Database:
    """A pool of connections to one database that has a control plane. Make one with :meth:`open`."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._settings = settings
        self.roles = Roles()
        self._pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
            url,
            min_size=0,
            # One more than operations at once: heartbeats and readers are not kept waiting by them.
            max_size=settings.max_concurrency + 1,
            timeout=CONNECT_TIMEOUT,
            reconnect_timeout=CONNECT_TIMEOUT,
            # Ours is the only name that the pool's threads and log lines carry: the URL has the password in it.
            name="tenancy-fixtures",
            open=False,
            kwargs={
                "autocommit": True,
                **PARAMETERS,
                "connect_timeout": CONNECT_TIMEOUT,
                "prepare_threshold": None if settings.pooler else 5,
            },
        )
        self.url = url

    async def open(self) -> None:
        """Connect, and see that the control plane is there and that the login is a safe one.

        :raises DatabaseUnavailable: nobody answers.
        :raises NotInitialised: there is no control plane.
        :raises UnsafeRole: the login is a superuser, in production mode.
        """
        connection = await connect(self.url)
        async with connection:
            installation = await read_installation(connection)
            if installation is None:
                raise NotInitialised(f"database {connection.info.dbname!r} has no control plane", hint="Run `tenancy init`.")
            check_version(installation.version)
            await _refuse_unsafe(connection, self._settings)
        self.roles = installation.roles
        await self._pool.open()

    async def visit(self, roles: Roles) -> None:
        """Be ready to connect to a database that need not have a control plane, as these roles."""
        self.roles = roles
        await self._pool.open()

    async def close(self) -> None:
        """Give all connections back to the server."""
        await self._pool.close()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Borrow one connection."""
        with translated():
            async with self._pool.connection() as connection:
                session = Session(connection, self.roles, self._settings)
                try:
                    yield session
                finally:
                    if session.is_spoiled:
                        await connection.close()
                    elif not self._settings.pooler:
                        await _reset(connection)

    @asynccontextmanager
    async def transaction(self, *, tenant: str | None = None, role: str | None = None) -> AsyncIterator[Transaction]:
        """Borrow a connection for one transaction; see :meth:`Session.transaction`."""
        async with self.session() as session, session.transaction(tenant=tenant, role=role) as transaction:
            yield transaction


async def _reset(connection: AsyncConnection[Any]) -> None:
    """Take back what a pack's script may have left in the session: settings, advisory locks, temporary tables.

    Here and not as the pool's own ``reset``: the pool resets in a task of its own, which takes a cancel for a failed
    reset and waits on, so that ``asyncio.run`` would never come to its end where a manager was not closed.
    """
    try:
        await connection.execute(query("database.reset_session"))
    except psycopg.Error:
        # Lost, or in no state to go on with: the pool replaces it.
        await connection.close()
    except BaseException:
        await connection.close()
        raise


async def _refuse_unsafe(connection: AsyncConnection[Any], settings: Settings) -> None:
    row = await (await connection.cursor(row_factory=dict_row).execute(query("roles.login_rights"))).fetchone()
    if row is None:
        raise PermissionDenied("the login cannot read its own rights")
    hint = (
        f"CREATE ROLE … LOGIN NOINHERIT, then run `tenancy init --grant-to` that name, and use it in TENANCY_DATABASE_URL instead of {row['login']}."
    )
    judge_login(row, settings, hint=hint)


def judge_login(row: Mapping[str, Any], settings: Settings, *, hint: str) -> None:
    """See that a login (``roles.login_rights``) is a safe one on a server that we know; ``hint`` says which to use instead.

    :raises DatabaseUnavailable: the server is too old.
    :raises UnsafeRole: the login is a superuser or exempt from row-level security, in production mode.
    """
    if row["server_version"] < constants.MIN_POSTGRES * 10_000:
        raise DatabaseUnavailable(f"PostgreSQL {row['server_version'] // 10_000} is too old", hint=f"Version {constants.MIN_POSTGRES} is the least.")
    if settings.production and (row["superuser"] or row["bypass_rls"]):
        what = "a superuser" if row["superuser"] else "exempt from row-level security"
        raise UnsafeRole(f"login {row['login']!r} is {what}, and the mode is production", hint=hint)
