"""``tenancy init``: the control plane and its roles, made or brought forward; or the SQL for who runs it themselves."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from . import _output
from ._work import AsJson, in_words, pairs, run, settings_for

if TYPE_CHECKING:
    from .._pg.control_plane import Installation
    from .._pg.roles import Roles
    from ..settings import Settings


class RoleChoice(str, Enum):
    """Whether roles are made."""

    CREATE = "create"
    NONE = "none"


def init(
    context: typer.Context,
    print_sql: Annotated[bool, typer.Option("--print-sql", help="Print the SQL, in one transaction, and run nothing.")] = False,
    roles: Annotated[
        Optional[RoleChoice],
        typer.Option(
            metavar="create|none",
            help="Make roles of least privilege, or work with the login's own rights. Without it: create, where the login may.",
            show_default=False,
        ),
    ] = None,
    role: Annotated[
        Optional[list[str]],
        typer.Option(
            metavar="PURPOSE=NAME",
            help="A role that you have made, one for each of owner, migrator, loader, app, auditor, script; registrar and tenants where tenants are to have roles. Repeatable.",
        ),
    ] = None,
    grant_to: Annotated[Optional[list[str]], typer.Option(metavar="LOGIN", help="Let this login do the work from now on. Repeatable.")] = None,
    databases: Annotated[bool, typer.Option("--databases", help="Prepare the server for tenants with databases of their own.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the control plane in the database, or bring it forward. Harmless to repeat."""
    wish = _wish(roles, role or [], grant_to or [], databases=databases)
    settings = settings_for(context)
    if print_sql:
        if databases:
            raise typer.BadParameter("a database cannot be made in a transaction: run `tenancy init --databases` itself", param_hint="--databases")
        _print_sql(run(lambda: _script(settings, wish)), as_json=as_json)
        return
    report = run(lambda: _initialise(settings, wish))
    if as_json:
        _output.emit(report)
    else:
        _tell(report)


@dataclass(frozen=True)
class _Wish:
    """What was asked for: ``named`` are the host's roles; ``create`` is ``None`` where the login's rights decide."""

    named: Optional["Roles"]
    create: Optional[bool]
    logins: list[str]
    databases: bool = False

    def roles(self, *, may_create: bool) -> "Roles":
        """The roles of a new control plane."""
        from .._pg.roles import Roles

        if self.named is not None:
            return self.named
        return Roles.prefixed() if (may_create if self.create is None else self.create) else Roles()

    def check(self, roles: "Roles", installed: Optional["Installation"]) -> None:
        """See that what was asked for can be had.

        :raises ConfigurationError: the database has other roles already, or none that a login could be let into.
        """
        from ..exceptions import ConfigurationError

        if installed is not None and (self.create is not None or self.named is not None) and roles != installed.roles.with_new(roles):
            names = in_words(name for _, name in installed.roles.named())
            raise ConfigurationError(f"the control plane has other roles: {names}", hint="Leave --roles and --role away to bring it forward.")
        if self.logins and not (installed.roles if installed else roles).separate:
            raise ConfigurationError(
                "there are no roles that a login could be let into", hint="Leave --grant-to away, or have roles made: --roles create."
            )


def _wish(choice: Optional[RoleChoice], named: list[str], logins: list[str], *, databases: bool) -> _Wish:
    from .._pg.roles import Roles

    if named and choice is not None:
        raise typer.BadParameter("either your own roles or --roles, not both", param_hint="--role")
    for login in logins:
        if not 1 <= len(login.encode()) <= 63:  # noqa: PLR2004 - PostgreSQL's NAMEDATALEN - 1
            raise typer.BadParameter("a login's name has 1 to 63 bytes", param_hint="--grant-to")
    roles = Roles.from_mapping(pairs(named, "--role")) if named else None
    return _Wish(roles, None if choice is None else choice is RoleChoice.CREATE, logins, databases)


async def _initialise(settings: "Settings", wish: _Wish) -> dict[str, Any]:
    from .._pg.bootstrap import init_host
    from .._pg.databases import bring_forward, prepare
    from ..exceptions import PermissionDenied

    if settings.database_url is None:
        return await _initialise_embedded(settings, wish)
    url = settings.database_url.get_secret_value()
    installed, may_create = await _look(url)
    roles = wish.roles(may_create=may_create)
    wish.check(roles, installed)
    if wish.create and not may_create:
        raise PermissionDenied("the login may not make roles", hint="Use one with CREATEROLE, name roles with --role, or go without: --roles none.")
    made_here = wish.named is None and roles.separate
    await _check_logins(url, wish.logins)
    report = await init_host(url, roles=None if made_here else roles, logins=wish.logins)
    template = await prepare(url) if wish.databases else None
    await bring_forward(url)
    return {**report.to_dict(), "embedded": False, "logins": wish.logins, "template": template}


async def _look(url: str) -> tuple[Optional["Installation"], bool]:
    """The control plane that is there, and whether the login may make roles."""
    from .._pg.connect import connect
    from .._pg.control_plane import read_installation
    from .._pg.errors import translated
    from .._pg.sql import query

    async with await connect(url) as connection:
        installed = await read_installation(connection)
        with translated():
            row = await (await connection.execute(query("bootstrap.may_create_roles"))).fetchone()
        return installed, bool(row and row[0])


async def _check_logins(url: str, logins: list[str]) -> None:
    """See that whoever is to be let in is there.

    :raises ConfigurationError: a login is not; nothing was made.
    """
    from .._pg.connect import connect
    from .._pg.errors import translated
    from .._pg.sql import query
    from ..exceptions import ConfigurationError

    async with await connect(url) as connection:
        for login in logins:
            with translated():
                row = await (await connection.execute(query("roles.role_exists"), {"name": login})).fetchone()
            if not (row and row[0]):
                name = login.replace('"', '""')
                hint = f"Make it first, as an administrator: CREATE ROLE \"{name}\" LOGIN NOINHERIT PASSWORD '…';"
                raise ConfigurationError(f"the server has no login {login!r}", hint=hint)


async def _initialise_embedded(settings: "Settings", wish: _Wish) -> dict[str, Any]:
    """The embedded server is ours: it is made ready on first use, with our roles."""
    from .._pg.bootstrap import DATABASE
    from .._pg.control_plane import Installation, head
    from ..exceptions import ConfigurationError
    from ..runtime import Runtime

    if wish.logins:
        raise ConfigurationError("the embedded server has one login, its own", hint="Set TENANCY_DATABASE_URL to a PostgreSQL of your own.")
    runtime = await Runtime.current(settings)
    try:
        roles = runtime.database.roles
        wish.check(wish.roles(may_create=True), Installation(head(), roles))
        template = await runtime.prepare_databases() if wish.databases else None
        return {"database": DATABASE, "version": head(), "roles": roles.to_dict(), "embedded": True, "logins": [], "template": template}
    finally:
        await runtime.close()


async def _script(settings: "Settings", wish: _Wish) -> str:
    """What init would send to the database that the URL leads to, in one transaction. The login need only be let in."""
    from .._pg.connect import connect
    from .._pg.control_plane import check_version, init_statements, read_installation
    from .._pg.sql import query
    from ..exceptions import DatabaseNotConfigured

    if settings.database_url is None:
        raise DatabaseNotConfigured("for which database is the SQL?", hint="Set TENANCY_DATABASE_URL.")
    async with await connect(settings.database_url.get_secret_value()) as connection:
        installed = await read_installation(connection)
        # Whoever runs the script is an administrator, whatever this login may do.
        roles = wish.roles(may_create=True)
        wish.check(roles, installed)
        version = None if installed is None else installed.version
        check_version(version, upgrade=True)
        facts: dict[str, Any] = {"create_roles": wish.named is None and roles.separate, "logins": wish.logins}
        statements = init_statements(installed.roles.with_new(roles) if installed else roles, connection.info.dbname, version, **facts)
        texts = [statement.as_string(connection).strip().rstrip(";") for statement in [query("control_plane.lock"), *statements]]
    return "".join(f"{text};\n\n" for text in ["BEGIN", *texts]) + "COMMIT;\n"


def _print_sql(text: str, *, as_json: bool) -> None:
    if as_json:
        _output.emit({"sql": text})
    else:
        _output.raw(text)


def _tell(report: dict[str, Any]) -> None:
    place = f"database {report['database']!r}{' of the embedded server' if report['embedded'] else ''}"
    done = "is ready" if report.get("changed") is not False else "was up to date"
    _output.say(f"The control plane in {place} {done}: version {report['version']}.")
    _output.say(f"Roles: {in_words(name for name in report['roles'].values() if name)}.")
    if report["logins"]:
        _output.say(f"May do the work: {in_words(report['logins'])}.")
    if report["template"]:
        _output.say(f"Tenants may have databases of their own, copies of {report['template']}.")
