"""One of Alembic's revisions as SQL, without a connection and without the host's ``env.py``; or what runs it on a connection.

Alembic's own offline mode does the compiling. Where a revision asks for the connection, or what mode it is in, its SQL would not be the whole of
what it does: it has to run online.
"""

from __future__ import annotations

import io
import re
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from ..exceptions import PackInvalid
from ._proxies import standing_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import Script, ScriptDirectory
    from sqlalchemy import MetaData
    from sqlalchemy.engine import Connection, Dialect

    from .._revisions import OnlineWork

# Words that only a statement of its own can hold, outside of literals, names and comments. A materialised view is refreshed so within one.
_CONCURRENTLY = re.compile(
    r"(?P<quoted>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|(?P<tag>\$[A-Za-z_]*\$).*?(?P=tag)|--[^\n]*|/\*.*?\*/)|(?<!VIEW )\bCONCURRENTLY\b ?",
    re.DOTALL | re.IGNORECASE,
)


class _NeedsConnection(BaseException):
    """The revision asks for what only a connection can tell. No ``except Exception`` of a revision's keeps that from us."""


class _LeavesTransaction(BaseException):
    """The revision wants to commit what is in hand, and go on outside of a transaction."""


@dataclass(frozen=True)
class Environment:
    """What the host's revisions are run in: its configuration, its folder of scripts, and its metadata for their naming conventions."""

    config: Config
    scripts: ScriptDirectory
    metadata: MetaData | None
    version_table: str

    def options(self) -> dict[str, Any]:
        """What any context of Alembic's is configured with."""
        return {"target_metadata": self.metadata, "version_table": self.version_table, "script": self.scripts}


@dataclass(frozen=True)
class Compiled:
    """What a revision does: its SQL, or where SQL does not say all ``work`` on a connection.

    ``leaves`` says that it wants to commit what is in hand and go on outside of a transaction. The SQL does the same within one: that is for a
    schema that nobody uses yet.
    """

    sql: str
    work: OnlineWork | None = None
    leaves: bool = False


def compiled(environment: Environment, script: Script) -> Compiled:
    """The revision as SQL, or what runs it on a connection."""
    output, left = io.StringIO(), []

    @contextmanager
    def noted() -> Iterator[None]:
        left.append(True)
        yield

    try:
        _run(environment, script, context_for(environment, output), noted, offline=True)
    except (_NeedsConnection, Exception, SystemExit):  # noqa: BLE001 - what cannot be said without a connection fails in many ways; online it fails for good
        return Compiled("", lambda connection, *, fresh: run_online(environment, script, connection, fresh=fresh))
    sql = _CONCURRENTLY.sub(lambda found: found["quoted"] or "", output.getvalue())
    return Compiled(sql, leaves=bool(left) or sql != output.getvalue())


def run_online(environment: Environment, script: Script, connection: Connection, *, fresh: bool) -> None:
    """Run the revision on a connection, inside the transaction that is in progress there; in a ``fresh`` schema all of it.

    :raises PackInvalid: it wants to leave that transaction, and there are rows that others use.
    """
    from alembic.runtime.migration import MigrationContext

    context = MigrationContext.configure(connection=connection, opts=environment.options())
    try:
        _run(environment, script, context, nullcontext if fresh else _leaves_transaction, offline=False)
    except _LeavesTransaction:
        raise _refused(script) from None


def context_for(environment: Environment, output: io.StringIO) -> MigrationContext:
    """A context without a connection, that writes SQL for PostgreSQL."""
    from alembic.runtime.migration import MigrationContext

    opts = {**environment.options(), "as_sql": True, "literal_binds": True, "output_buffer": output}
    return MigrationContext.configure(dialect=offline_dialect(), opts=opts)


def offline_dialect() -> Dialect:
    """PostgreSQL as it is on every connection of ours: a backslash in a literal is a backslash, and a percent sign stands once.

    Bytes have no literal here: SQLAlchemy writes them as text, which PostgreSQL would take for an escape where it looks like one.
    """
    from sqlalchemy import LargeBinary
    from sqlalchemy.dialects.postgresql.base import PGDialect

    class WithoutLiteral(LargeBinary):
        def literal_processor(self, dialect: Dialect) -> None:  # noqa: ARG002
            return None

    dialect: Dialect = PGDialect(paramstyle="named")  # type: ignore[no-untyped-call]
    setattr(dialect, "_backslash_escapes", False)  # noqa: B010 - else found out by asking a server for standard_conforming_strings
    dialect.colspecs = {**dialect.colspecs, LargeBinary: WithoutLiteral}
    return dialect


def _run(
    environment: Environment, script: Script, context: MigrationContext, outside: Callable[[], AbstractContextManager[None]], *, offline: bool
) -> None:
    """Call the revision's ``upgrade``; ``outside`` is what it gets for a block outside of the transaction."""
    from alembic.operations import Operations
    from alembic.runtime.environment import EnvironmentContext

    operations = Operations(context)
    surroundings = EnvironmentContext(environment.config, environment.scripts, as_sql=offline)
    surroundings._migration_context = context  # noqa: SLF001 - configure() would make another one
    # Methods of these very objects are what the module-level functions of `op` and `context` call.
    if offline:
        for holder, name in ((operations, "get_bind"), (surroundings, "get_bind"), (surroundings, "is_offline_mode")):
            setattr(holder, name, _needs_connection)
        for holder in (operations, surroundings):
            setattr(holder, "get_context", lambda: _OfflineContext(context, outside))  # noqa: B010 - a method that is no attribute to assign to
    else:
        setattr(context, "autocommit_block", outside)  # noqa: B010 - likewise
    with standing_in(operations, surroundings):
        script.module.upgrade()


class _OfflineContext:
    """What a revision gets for its context while it is compiled: what it does not know without a connection, it does not say."""

    def __init__(self, context: MigrationContext, outside: Callable[[], AbstractContextManager[None]]) -> None:
        self.autocommit_block = outside
        self.dialect = context.dialect
        self.config = context.config
        self.script = context.script
        self.execute = context.execute

    def __getattr__(self, name: str) -> NoReturn:
        raise _NeedsConnection(name)


def _needs_connection(*_: Any, **__: Any) -> NoReturn:
    raise _NeedsConnection


def _leaves_transaction() -> NoReturn:
    raise _LeavesTransaction


def _refused(script: Script) -> PackInvalid:
    message = f"revision {script.revision} ({script.doc}) leaves its transaction: autocommit_block()"
    hint = f"A tenant moves in one transaction. Run this one with Alembic itself, `alembic -x tenant=ID upgrade {script.revision}`; then go on here."
    return PackInvalid(message, file=script.path, revision=script.revision, hint=hint)
