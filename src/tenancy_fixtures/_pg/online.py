"""Run a revision that reads what is there: on a connection of SQLAlchemy's that is the transaction's own, so that it commits with everything else.

Nothing but the transaction's rights confines it, as the migrator: what it touched outside of its schema is found afterwards, and refused.
"""

from __future__ import annotations

import re
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

import psycopg
from psycopg.rows import tuple_row

from ..exceptions import ScriptEscaped, ScriptFailed, TenancyError
from .script import Watch, become_owner, defer_again, explained, give_search_path, refuse_definers, refuse_escapes, refuse_waiting, tidy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psycopg import AsyncConnection
    from sqlalchemy.engine import Connection

    from .database import Transaction

# Literals, names and comments: a word in them is no statement. SQL functions in the standard's form end with a word of their own.
_QUOTED = re.compile(r"[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|(\$\w*\$).*?\1|--[^\n]*|/\*.*?\*/", re.DOTALL)
_ATOMIC = re.compile(r"\bBEGIN\s+ATOMIC\b.*?\bEND\b", re.DOTALL | re.IGNORECASE)
_ENDS = re.compile(
    r"(?:^|;)\s*(?:COMMIT|END|ABORT|ROLLBACK(?!\s+(?:(?:WORK|TRANSACTION)\s+)?TO\b)|PREPARE\s+TRANSACTION)\b(?!\s+PREPARED)", re.IGNORECASE
)

_NOT_YOURS = "the transaction is not this revision's to end"


async def run_online(
    transaction: Transaction, work: Callable[[Connection], None], *, file: str, namespace: str, shared: Sequence[str] = (), owner: str | None = None
) -> None:
    """Call ``work`` with a connection whose search path is ``namespace`` and the ``shared`` schemas. The transaction acts as the migrator.

    ``owner`` is the role that the schema belongs to where that is one of the host's: the work has its rights.

    :raises ScriptFailed: PostgreSQL refused a statement, or the code itself failed; says where, and no value.
    :raises ScriptEscaped: it tried to end its transaction, or reached another schema.
    """
    watch = Watch(transaction, namespace, shared, confined=False, owner=owner)
    await watch.begin()
    before = await transaction.one("versions.transaction_number")
    if owner:
        await become_owner(transaction, owner)
    await defer_again(transaction, namespace)
    await give_search_path(transaction, [namespace, *shared])
    await _perform(transaction, work, file, owner)
    refuse_escapes(await watch.temporary(), namespace, file)
    await refuse_waiting(transaction, [namespace, *shared], file, confined=False)
    if await transaction.one("versions.transaction_number") != before:
        raise _left(file)
    refuse_escapes(await watch.escapes(), namespace, file)
    refuse_definers(await watch.definers(), file)
    if owner:
        await transaction.set_context(role=transaction.roles.migrator)


async def _perform(transaction: Transaction, work: Callable[[Connection], None], file: str, owner: str | None) -> None:
    transaction.connection.prepare_threshold = None
    held = _Held(transaction.connection)
    try:
        async with transaction.connection.transaction():
            await _call(held, work)
            # Where the revision has swallowed the error, nothing of what it did counts either.
            held.raise_if_left()
            await transaction.run("versions.do_what_waits")
    except BaseException as error:
        with suppress(psycopg.Error):
            await tidy(transaction)
        if held.was_left:
            raise _left(file) from None
        # A revision that ends the process ends itself alone: it may be one of many tenants' that are in hand.
        if isinstance(error, (Exception, SystemExit)) and not isinstance(error, TenancyError):
            _raise_explained(error, file)
        raise
    await tidy(transaction, owner)


async def _call(held: _Held, work: Callable[[Connection], None]) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import StaticPool

    # A type of an extension is told by asking with the driver's own connection, which SQLAlchemy does not get here.
    engine = create_async_engine("postgresql+psycopg://", creator=lambda: _adapted(held), poolclass=StaticPool, use_native_hstore=False)
    try:
        async with engine.connect() as connection:
            await connection.begin()
            held.is_watched = True
            try:
                await connection.run_sync(work)
            finally:
                held.is_watched = False
    finally:
        await engine.dispose()


def _adapted(held: _Held) -> Any:
    """The connection as SQLAlchemy's dialect for an event loop has it."""
    from sqlalchemy.dialects.postgresql.psycopg import AsyncAdapt_psycopg_connection, PGDialectAsync_psycopg

    adapt: Any = AsyncAdapt_psycopg_connection
    try:
        return adapt(held)
    except TypeError:  # from SQLAlchemy 2.1 on
        dialect: Any = PGDialectAsync_psycopg
        return adapt(dialect.import_dbapi(), held)


class _Held:
    """The transaction's connection, for somebody who may not end the transaction; ``was_left`` says that it was tried."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection
        self.is_watched = False
        self.was_left = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def cursor(self, name: str | None = None, /, **options: Any) -> Any:
        """A cursor whose rows are tuples, as SQLAlchemy reads them."""
        if name:
            return self._connection.cursor(name, row_factory=tuple_row, **options)
        return _Cursor(self, self._connection)

    async def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        return await self.cursor().execute(query, params, **options)

    async def commit(self) -> None:
        self._refuse()

    async def rollback(self) -> None:
        self._refuse()

    async def set_autocommit(self, value: bool) -> None:  # noqa: ARG002 - the driver's signature
        self._refuse()

    async def set_isolation_level(self, value: Any) -> None:  # noqa: ARG002 - likewise
        self._refuse()

    def add_notice_handler(self, handler: Any) -> None:
        """SQLAlchemy would log what the server says to every run that has this connection after."""

    async def close(self) -> None:
        """It is somebody else's to close."""

    def see(self, query: Any) -> None:
        """Refuse text that ends the transaction."""
        text = _ATOMIC.sub(" ", _QUOTED.sub(" ", query)) if isinstance(query, str) else ""
        if _ENDS.search(text):
            self._refuse()

    def raise_if_left(self) -> None:
        """Raise where the revision tried to end the transaction."""
        if self.was_left:
            raise psycopg.ProgrammingError(_NOT_YOURS)

    def _refuse(self) -> None:
        # Before and after the revision's own code these are SQLAlchemy's, of a connection that it comes by and gives back.
        if self.is_watched:
            self.was_left = True
            raise psycopg.ProgrammingError(_NOT_YOURS)


class _Cursor(psycopg.AsyncCursor[Any]):
    """A cursor that looks at each statement before the server does."""

    def __init__(self, held: _Held, connection: AsyncConnection[Any]) -> None:
        super().__init__(connection, row_factory=tuple_row)
        self._held = held

    async def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        self._held.see(query)
        return await super().execute(query, params, **options)

    async def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        self._held.see(query)
        await super().executemany(query, params_seq, **options)


def _raise_explained(error: BaseException, file: str) -> NoReturn:
    """Raise what says where a revision failed, without what the error says of rows."""
    cause = getattr(error, "orig", error)
    if isinstance(cause, psycopg.Error) and cause.sqlstate:
        raise explained(cause, "", file) from None
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(file)]
    place = f", line {lines[-1]}" if lines else ""
    hint = "Nothing of the revision was kept."
    raise ScriptFailed(f"{file}{place}: {type(error).__name__}", file=file, line=lines[-1] if lines else None, hint=hint) from None


def _left(file: str) -> ScriptEscaped:
    hint = "A revision runs in one transaction with everything else: take COMMIT, ROLLBACK and the like out of it."
    return ScriptEscaped(f"{file} tries to end its transaction", file=file, hint=hint)
