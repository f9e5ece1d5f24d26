"""What a host's own runs of Alembic say on connections of SQLAlchemy's: whose tables they are at, and who may use what they make."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from psycopg.conninfo import conninfo_to_dict

from ..exceptions import ConfigurationError, NotInitialised
from .connect import CONNECT_TIMEOUT, PARAMETERS
from .context import text_of
from .sql import identifier, query

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.engine import Connection, Engine


def open_engine(url: str) -> Engine:
    """An engine on a libpq URL, that keeps no connection."""
    from sqlalchemy import URL, create_engine
    from sqlalchemy.pool import NullPool

    parts: dict[str, Any] = {**conninfo_to_dict(url), **PARAMETERS, "connect_timeout": CONNECT_TIMEOUT}
    named = {ours: parts.pop(theirs, None) for ours, theirs in (("username", "user"), ("password", "password"), ("database", "dbname"))}
    made = URL.create("postgresql+psycopg", **named, query={name: str(value) for name, value in parts.items()})
    return create_engine(made, poolclass=NullPool)


@contextmanager
def of_database(engine: Engine, database: str | None) -> Iterator[Engine]:
    """The engine, or one on another database of the same server."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    if database is None:
        yield engine
        return
    other = create_engine(engine.url.set(database=database), poolclass=NullPool)
    try:
        yield other
    finally:
        other.dispose()


def registered(engine: Engine) -> list[dict[str, Any]]:
    """The registry's tenants: where they are, whether their tables are their own, and which roles use them.

    :raises NotInitialised: the database has no registry.
    """
    from sqlalchemy import text

    with engine.connect() as connection:
        connection.detach()
        if not connection.execute(text(text_of("hosts.exists"))).scalar_one():
            raise NotInitialised(f"database {engine.url.database!r} has no control plane", hint="Run `tenancy init`.")
        connection.execute(text(text_of("hosts.read_registry")))
        return [dict(row) for row in connection.execute(text(text_of("hosts.tenants"))).mappings()]


def enter(connection: Connection, namespace: str, shared: Sequence[str]) -> None:
    """Let a session be at one schema, for whom that belongs to.

    :raises ConfigurationError: there is no such schema.
    """
    from sqlalchemy import text

    if connection.execute(text(text_of("hosts.act")), {"namespace": namespace}).first() is None:
        raise ConfigurationError(f"there is no schema {namespace!r}", hint="Make the tenant first: `tenancy tenant create`.")
    connection.execute(text(text_of("hosts.set_search_path")), {"path": _path(namespace, shared)})
    connection.commit()
    # What reflection takes for the schema that names without one are in.
    connection.dialect.default_schema_name = namespace


def entering(namespace: str, shared: Sequence[str]) -> list[str]:
    """The statements with which a script begins that others run."""
    return [f"SET search_path TO {_path(namespace, shared)}"]


def grant(connection: Connection, namespace: str, users: Sequence[str]) -> None:
    """Give a tenant's roles their rights on all that its schema holds now."""
    from sqlalchemy import text

    for statement in grants(namespace, users):
        connection.execute(text(statement.replace(":", "\\:")))


def grants(namespace: str, users: Sequence[str]) -> list[str]:
    """The statements that give loader and user, in this order, their rights."""
    if len(users) != 2:  # noqa: PLR2004 - where one login does everything there is nobody to give rights to
        return []
    parts = {"schema": _quoted(namespace), "loader": _quoted(users[0]), "user": _quoted(users[1])}
    whole = [query(f"registry.{name}").as_string(None).format(**parts) for name in ("grant_schema", "grant_objects")]
    # One statement on each line of these blocks.
    return [line.rstrip(";") for text in whole for line in text.splitlines() if not line.startswith("--")]


def _path(namespace: str, shared: Sequence[str]) -> str:
    return ", ".join(_quoted(name) for name in (namespace, *shared))


def _quoted(name: str) -> str:
    """A name as PostgreSQL quotes it: without a connection at hand not every release of the driver does."""
    identifier(name)
    return '"' + name.replace('"', '""') + '"'
