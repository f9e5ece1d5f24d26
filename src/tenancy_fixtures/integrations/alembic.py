"""Alembic's own commands for tenants: what a host's ``env.py`` calls, so that ``alembic -x tenant=acme upgrade head`` works on that tenant.

Without ``-x tenant=…`` a command goes through all tenants of the registry, one after the other, in one process.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from .._pg import hosts
from ..exceptions import ConfigurationError, TenantNotFound
from ..settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.engine import Connection, Engine

__all__ = ["run_for_tenants"]


@dataclass(frozen=True)
class _Place:
    """Where a tenant's tables are, and who has rights on them."""

    tenant_id: str
    namespace: str
    database: str | None = None
    users: tuple[str, ...] = ()


def run_for_tenants(engine: Engine | str | None = None, *, shared_schemas: Sequence[str] = (), **options: Any) -> None:
    """Run the command that is under way for each tenant that ``-x tenant=ID`` names (several with commas), or else for all of the registry.

    Each has a transaction of its own, its schema as the search path and Alembic's version table in it. What a revision makes belongs to
    whom the schema belongs to, where the login may act for that role, and the tenant's roles get their rights on it. ``--sql`` writes the
    same for somebody else to run. With ``-x schema=NAME`` the registry is not asked.

    ``engine`` is the host's own, or a URL; without it ``TENANCY_DATABASE_URL`` names the database. ``options`` are those of Alembic's
    ``context.configure``, such as ``target_metadata``.

    :raises ConfigurationError: no database is named, a command compares models with tables and more than one tenant is meant, or a tenant's
        tables are not its own.
    :raises TenantNotFound: nobody has the name.
    :raises alembic.util.CommandError: of several tenants some failed; the others are done.
    """
    from alembic import context

    asked = context.get_x_argument(as_dictionary=True)
    with _connected(engine, needed=not (context.is_offline_mode() and "schema" in asked)) as own:
        places = _places(own, asked)
        if _compares() and len(places) != 1:
            hint = "Name one that is at the head: alembic -x tenant=ID …"
            raise ConfigurationError("models are compared with the tables of one tenant", hint=hint)
        if len(places) == 1:
            _run_for(own, places[0], shared_schemas, options)
            return
        outcomes = {place.tenant_id: _outcome(own, place, shared_schemas, options) for place in places}
    failed = {name: error for name, error in outcomes.items() if error is not None}
    if failed:
        _raise_failed(failed, len(places))


def _outcome(own: Engine | None, place: _Place, shared: Sequence[str], options: dict[str, Any]) -> Exception | None:
    """Nothing, or why one of several tenants has kept nothing: the others go on."""
    from alembic import context

    if not context.is_offline_mode():
        # Whose is what the command says next, such as `current`.
        context.config.print_stdout("%s:", place.tenant_id)
    try:
        _run_for(own, place, shared, options)
    except Exception as error:  # noqa: BLE001 - told at the end, with those of the others
        return error
    return None


def _run_for(own: Engine | None, place: _Place, shared: Sequence[str], options: dict[str, Any]) -> None:
    from alembic import context

    if own is None or context.is_offline_mode():
        _write(place, shared, options)
        return
    with hosts.of_database(own, place.database) as engine, engine.connect() as connection:
        # What is set for one tenant must not meet the next one who gets the connection from a pool.
        connection.detach()
        hosts.enter(connection, place.namespace, shared)
        _perform(connection, place, shared, options)


def _perform(connection: Connection, place: _Place, shared: Sequence[str], options: dict[str, Any]) -> None:
    from alembic import context

    moved: list[Any] = []
    callbacks = options.get("on_version_apply", ())
    callbacks = [*(callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]), lambda **step: moved.append(step)]
    # Of the schemas in the search path the first one with such a table would be looked at; a comparison knows it by no schema's name.
    schema = {"version_table_schema": place.namespace} if shared and not _compares() else {}
    context.configure(connection=connection, **{**schema, **options, "on_version_apply": callbacks})
    with context.begin_transaction():
        context.run_migrations()
        if moved:
            hosts.grant(connection, place.namespace, place.users)
    connection.commit()


def _write(place: _Place, shared: Sequence[str], options: dict[str, Any]) -> None:
    """What ``--sql`` says for one tenant."""
    from alembic import context

    given = {"dialect_name": "postgresql", "literal_binds": True, "dialect_opts": {"paramstyle": "named"}, **options}
    context.configure(**given)
    write = context.get_context().impl.static_output
    write(f"-- Tenant {place.tenant_id}{f', in the database {place.database}' if place.database else ''}")
    with context.begin_transaction():
        for statement in hosts.entering(place.namespace, shared):
            write(f"{statement};")
        context.run_migrations()
        for statement in hosts.grants(place.namespace, place.users):
            write(f"{statement};")


def _compares() -> bool:
    """Whether the command compares models with tables: ``revision --autogenerate``, ``check``."""
    from alembic import context

    under_way: Any = getattr(context, "_proxy", None)
    revision = under_way.context_opts.get("revision_context") if under_way is not None else None
    return revision is not None


@contextmanager
def _connected(engine: Engine | str | None, *, needed: bool) -> Iterator[Engine | None]:
    if not needed:
        yield None
        return
    if engine is None:
        url = Settings.from_env().database_url
        if url is None:
            raise ConfigurationError("no database is named", hint="Set TENANCY_DATABASE_URL, or give run_for_tenants your engine.")
        engine = url.get_secret_value()
    if not isinstance(engine, str):
        yield engine
        return
    made = hosts.open_engine(engine)
    try:
        yield made
    finally:
        made.dispose()


def _places(engine: Engine | None, asked: dict[str, str]) -> list[_Place]:
    if engine is None or "schema" in asked:
        return [_Place(asked["schema"], asked["schema"])]
    places = {row["tenant_id"]: row for row in hosts.registered(engine)}
    names = [name.strip() for name in asked["tenant"].split(",")] if "tenant" in asked else [name for name in places if places[name]["own"]]
    return [_place(name, places.get(name)) for name in names]


def _place(name: str, row: dict[str, Any] | None) -> _Place:
    if row is None:
        raise TenantNotFound(f"no tenant {name!r}", tenant=name, hint="`tenancy tenant list` shows those that exist.")
    if not row["own"] and row["isolation"] == "database":
        hint = f"Run Alembic on the database {row['namespace']!r}, as before, or `tenancy migrate {name}`."
        raise ConfigurationError(f"{name!r} was adopted with a database of its own, and this is another", tenant=name, hint=hint)
    if not row["own"]:
        raise ConfigurationError(f"{name!r} shares its tables with others", tenant=name, hint="Alembic's revisions are for tables of one tenant.")
    database = row["namespace"] if row["isolation"] == "database" else None
    return _Place(name, row["namespace"], database, tuple(cast("list[str]", row["users"])))


def _raise_failed(failed: dict[str, Exception], of: int) -> None:
    from alembic.util import CommandError

    # What PostgreSQL says may quote a row; what Alembic says does not.
    listed = ", ".join(f"{name} ({error if isinstance(error, CommandError) else type(error).__name__})" for name, error in failed.items())
    first = next(iter(failed))
    message = f"{len(failed)} of {of} tenants failed and kept nothing: {listed}. alembic -x tenant={first} … says why."
    raise CommandError(message) from None
