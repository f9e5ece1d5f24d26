"""One of Alembic's revisions as SQL, without a connection and without the host's ``env.py``; or what runs it on a connection.

Alembic's own offline mode does the compiling. Where a revision asks for the connection, or what mode it is in, its SQL would not be the whole of
what it does: it has to run online.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from ..exceptions import PackInvalid
from ._proxies import standing_in

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import Script, ScriptDirectory
    from sqlalchemy import MetaData
    from sqlalchemy.engine import Connection, Dialect

    from .._revisions import OnlineWork

# Words that only a statement of its own can hold: literals, names and comments are taken out before.
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|(\$[A-Za-z_]*\$).*?\1|--[^\n]*|/\*.*?\*/", re.DOTALL)
_CONCURRENTLY = re.compile(r"\bCONCURRENTLY\b", re.IGNORECASE)


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


def compiled(environment: Environment, script: Script) -> tuple[str, OnlineWork | None]:
    """The revision's SQL and nothing, or no SQL and what runs it on a connection.

    :raises PackInvalid: it leaves its transaction, so that a tenant could be left half migrated.
    """
    output = io.StringIO()
    try:
        _run(environment, script, context_for(environment, output), offline=True)
    except _LeavesTransaction:
        raise _refused(script) from None
    except (_NeedsConnection, Exception):  # noqa: BLE001 - what cannot be said without a connection fails in many ways; online it fails for good
        return "", lambda connection: run_online(environment, script, connection)
    sql = output.getvalue()
    if _CONCURRENTLY.search(_QUOTED.sub(" ", sql)):
        raise _refused(script)
    return sql, None


def run_online(environment: Environment, script: Script, connection: Connection) -> None:
    """Run the revision on a connection, inside the transaction that is in progress there.

    :raises PackInvalid: it wants to leave that transaction.
    """
    from alembic.runtime.migration import MigrationContext

    context = MigrationContext.configure(connection=connection, opts=environment.options())
    try:
        _run(environment, script, context, offline=False)
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


def _run(environment: Environment, script: Script, context: MigrationContext, *, offline: bool) -> None:
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
            setattr(holder, "get_context", lambda: _OfflineContext(context))  # noqa: B010 - a method that is no attribute to assign to
    else:
        setattr(context, "autocommit_block", _leaves_transaction)  # noqa: B010 - likewise
    with standing_in(operations, surroundings):
        script.module.upgrade()


class _OfflineContext:
    """What a revision gets for its context while it is compiled: what it does not know without a connection, it does not say."""

    def __init__(self, context: MigrationContext) -> None:
        self.dialect = context.dialect
        self.config = context.config
        self.script = context.script
        self.execute = context.execute

    def autocommit_block(self) -> NoReturn:
        _leaves_transaction()

    def __getattr__(self, name: str) -> NoReturn:
        raise _NeedsConnection(name)


def _needs_connection(*_: Any, **__: Any) -> NoReturn:
    raise _NeedsConnection


def _leaves_transaction() -> NoReturn:
    raise _LeavesTransaction


def _refused(script: Script) -> PackInvalid:
    hint = (
        "A tenant moves in one transaction, whole or not at all. Make the index without CONCURRENTLY, or add the value of the enum in the transaction "
        "(PostgreSQL 12 and later can) and use it in a later revision; where it must be outside, run this revision with Alembic itself, tenant by tenant."
    )
    message = f"revision {script.revision} ({script.doc}) leaves its transaction: autocommit_block(), or CONCURRENTLY"
    return PackInvalid(message, file=script.path, revision=script.revision, hint=hint)
