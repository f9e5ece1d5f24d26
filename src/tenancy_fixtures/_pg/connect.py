"""One connection, and what is wrong where there is none: nobody answers, the login is refused, the URL is none."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict

from ..exceptions import ConfigurationError, DatabaseUnavailable, PermissionDenied

# Seconds to wait for a first connection: a server that is starting answers within it, a wrong address is told soon.
CONNECT_TIMEOUT = 10

# What every connection of ours says of itself, whatever the URL, the environment or the locale would have it say.
PARAMETERS: dict[str, Any] = {"application_name": "tenancy-fixtures", "client_encoding": "UTF8"}

# What a server says that will say it again until somebody changes the login, the URL or the server's rules. libpq gives
# no SQLSTATE for a connection that was never made, only the text; in another language it counts as unavailable.
_REFUSALS = (
    *("authentication failed", "no password supplied", "pg_hba.conf", "is not permitted to log in"),
    *("permission denied for database", "is not currently accepting connections", " does not exist"),
)


async def connect(url: str) -> AsyncConnection[Any]:
    """One connection outside the pool: for ``init``, and to find out early and clearly what is wrong.

    :raises ConfigurationError: the URL is none, or the database holds text in another encoding than UTF-8.
    :raises DatabaseUnavailable: nobody answers there.
    :raises PermissionDenied: the server answers, and refuses this user, password or database.
    """
    _refuse_unclear(url)
    try:
        connection = await AsyncConnection.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT, **PARAMETERS)
    except psycopg.OperationalError as error:
        answer = _last_answer(error)
        if any(refusal in answer for refusal in _REFUSALS):
            hint = "Check user, password and database in TENANCY_DATABASE_URL."
            raise PermissionDenied(f"PostgreSQL refuses the connection: {answer}", hint=hint) from None
        hint = "Check TENANCY_DATABASE_URL and that the server is up."
        raise DatabaseUnavailable(f"PostgreSQL cannot be reached: {answer}", hint=hint) from None
    try:
        _refuse_other_encoding(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


def _refuse_other_encoding(connection: AsyncConnection[Any]) -> None:
    """A database of another encoding has no place for most of the world's text, and SQL_ASCII not even a meaning for it."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        name = connection.info.dbname
        hint = "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and name that one in TENANCY_DATABASE_URL."
        raise ConfigurationError(f"database {name!r} holds text as {encoding}; tenants need UTF8", hint=hint)


def _last_answer(error: psycopg.OperationalError) -> str:
    """What libpq says of the last address that it tried, without the advice that it puts on a line of its own."""
    lines = [
        line.strip()
        for line in str(error).splitlines()
        if line.strip() and not line.strip().startswith(("Is the server running", "Multiple connection"))
    ]
    return lines[-1].lstrip("- ") if lines else "no answer"


def _refuse_unclear(url: str) -> None:
    """Refuse what libpq would not understand, or would split in the middle of the password: its message shows the pieces."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        parts = {"host": "@"}
    ports = str(parts.get("port") or "").split(",")
    if "@" in str(parts.get("host") or "") or not all(port.isdigit() for port in ports if port):
        hint = (
            "Form: postgresql://user:password@host:5432/database, with @ / : ? # % of the password as %40 %2F %3A %3F %23 %25,"
            " and with libpq's parameters: sslmode=require, not ssl=require."
        )
        raise ConfigurationError("TENANCY_DATABASE_URL is not a PostgreSQL URL", hint=hint)
