"""Turn the driver's errors into ours, once, without a value of a row."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import errors as driver
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from .. import exceptions as ours

if TYPE_CHECKING:
    from collections.abc import Iterator

# By SQLSTATE, or by its class (the first two characters); the longer one wins.
_KINDS: dict[str, tuple[type[ours.DatabaseError], str]] = {
    "08": (ours.DatabaseUnavailable, "Check that the server is up and can be reached."),
    "28": (ours.PermissionDenied, "Check user and password in TENANCY_DATABASE_URL."),
    "40": (ours.SerializationConflict, "Nothing was kept; run it again."),
    "42501": (ours.PermissionDenied, "Run `tenancy init` as an administrator, or grant the role to this login."),
    "53": (ours.OutOfResources, "Free disk, memory, locks or connections of the server; nothing was kept."),
    "55P03": (ours.LockTimeout, "Another operation holds this tenant; wait for it, or raise TENANCY_LOCK_TIMEOUT."),
    "57P": (ours.DatabaseUnavailable, "The server is shutting down or starting; try again."),
    "58030": (ours.OutOfResources, "The server could not read or write its disk; nothing was kept."),
}

# Classes whose primary message is about the statement and not about data: only these are passed on.
_HARMLESS_MESSAGES = frozenset({"08", "25", "26", "28", "3D", "3F", "40", "42", "53", "55", "57", "58", "0A", "2D"})


@contextmanager
def translated() -> Iterator[None]:
    """Raise this library's error in place of the driver's.

    The driver's own error holds the row in its DETAIL and would print it with every traceback, so it is not chained;
    it stays at hand as ``driver_error``.
    """
    try:
        yield
    except psycopg.Error as error:
        raise translate(error) from None


def translate(error: psycopg.Error) -> ours.DatabaseError:
    """This library's error for one of the driver's: by SQLSTATE, with names of objects but no values."""
    state = error.sqlstate
    kind, hint = _kind(error, state)
    diagnosis, names = error.diag, {}
    # A function's RAISE says whatever it likes, in these fields too.
    if not raised_by_code(error):
        names = {"schema": diagnosis.schema_name, "table": diagnosis.table_name, "column_name": diagnosis.column_name}
        names["constraint"] = diagnosis.constraint_name
    translated_error = kind(_message(error, state), hint=hint, sqlstate=state, **names)
    translated_error.__dict__["driver_error"] = error
    return translated_error


def _kind(error: psycopg.Error, state: str | None) -> tuple[type[ours.DatabaseError], str | None]:
    if isinstance(error, (PoolTimeout, TooManyRequests, PoolClosed)) or (state is None and isinstance(error, psycopg.OperationalError)):
        return ours.DatabaseUnavailable, "Check TENANCY_DATABASE_URL and that the server is up and can be reached."
    for length in (5, 3, 2):
        found = _KINDS.get((state or "")[:length])
        if found is not None:
            return found
    return ours.StatementRefused, None


def _message(error: psycopg.Error, state: str | None) -> str:
    if state is None:
        # Connection failures carry host and port, never data. What the driver could not convert is quoted by it.
        return f"PostgreSQL: {type(error).__name__ if isinstance(error, psycopg.DataError) else str(error).strip() or type(error).__name__}"
    name = _condition(state)
    if raised_by_code(error):
        return f"PostgreSQL: {name} ({state}), raised by a function"
    if state[:2] in _HARMLESS_MESSAGES and error.diag.message_primary and not _made_by_code(error):
        return f"PostgreSQL: {error.diag.message_primary} ({state} {name})"
    place = ".".join(part for part in (error.diag.schema_name, error.diag.table_name, error.diag.column_name) if part)
    constraint = f", constraint {error.diag.constraint_name}" if error.diag.constraint_name else ""
    return f"PostgreSQL: {name} ({state}){f' in {place}' if place else ''}{constraint}"


def raised_by_code(error: psycopg.Error) -> bool:
    """Whether a function's RAISE chose state and message: the state says nothing about what is in the message then."""
    return error.diag.source_function == "exec_stmt_raise"


def _made_by_code(error: psycopg.Error) -> bool:
    """Whether a function made the statement that failed: its text, and so the message, may be made of a row's values."""
    return bool(error.diag.internal_query) or "PL/pgSQL function" in (error.diag.context or "")


def _condition(state: str) -> str:
    try:
        return driver.lookup(state).__name__
    except KeyError:
        return "error"
