"""The control plane's numbered scripts, and what makes or upgrades an installation out of them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from ..._shapes import Shape
from ...exceptions import ControlPlaneMismatch, PermissionDenied
from ..connect import connect
from ..errors import translated
from ..roles import Roles, going_again, login_statements, role_statements
from ..sql import Statement, compose, identifier, query

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from psycopg import AsyncConnection

_NAME = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")


@dataclass(frozen=True)
class Migration:
    """One numbered script of the control plane."""

    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True)
class Installation(Shape):
    """The control plane that a database has: its version, and the roles that it works with."""

    version: int
    roles: Roles


@dataclass(frozen=True)
class InitReport(Shape):
    """What ``init`` found and did. ``version_before`` is ``None`` where there was no control plane."""

    database: str
    version_before: Optional[int]
    version: int
    roles: Roles
    changed: bool


@cache
def migrations() -> tuple[Migration, ...]:
    """All scripts in order."""
    found = []
    for path in sorted(Path(__file__).parent.glob("*.sql")):
        match = _NAME.match(path.name)
        if match:
            found.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
    return tuple(found)


def head() -> int:
    """The version that this library serves."""
    return migrations()[-1].number


async def read_installation(connection: AsyncConnection[Any]) -> Installation | None:
    """The installation in the connection's database, or ``None``."""
    cursor = connection.cursor(row_factory=dict_row)
    with translated():
        found = await (await cursor.execute(query("control_plane.exists"))).fetchone()
        if not found or not found["found"]:
            return None
        row = await (await cursor.execute(query("control_plane.read"))).fetchone()
    return None if row is None else Installation(row["version"], Roles.from_mapping(row["roles"]))


async def installed_at(url: str) -> datetime | None:
    """When the control plane of a database was made, which tells it from others; ``None`` where there is none.

    :raises DatabaseError: the URL leads nowhere, or the login is refused.
    """
    async with await connect(url) as connection:
        cursor = connection.cursor(row_factory=dict_row)
        with translated():
            found = await (await cursor.execute(query("control_plane.exists"))).fetchone()
            if not found or not found["found"]:
                return None
            row = await (await cursor.execute(query("control_plane.installed_at"))).fetchone()
    return row["installed_at"] if row else None


async def initialise(
    connection: AsyncConnection[Any], roles: Roles, *, create_roles: bool, logins: Sequence[str] = (), adopted: bool = False
) -> InitReport:
    """Make the control plane, or bring it forward, in one transaction.

    The connection is an administrator's where ``create_roles`` is asked for; otherwise a login that may create a
    schema is enough. ``logins`` may act as migrator and loader afterwards. An ``adopted`` database was there before, and nothing of it is
    touched: schemas are its owner's to make.

    :raises ControlPlaneMismatch: it is newer than this library.
    :raises PermissionDenied: the connection may not do this, or may not let the migrator make schemas.
    """
    with translated():
        return await going_again(lambda: _initialise(connection, roles, create_roles=create_roles, logins=logins, adopted=adopted))


async def _initialise(connection: AsyncConnection[Any], roles: Roles, *, create_roles: bool, logins: Sequence[str], adopted: bool) -> InitReport:
    async with connection.transaction():
        await connection.execute(query("control_plane.lock"))
        before = await read_installation(connection)
        version = None if before is None else before.version
        check_version(version, upgrade=True)
        roles = before.roles.with_new(roles) if before is not None else roles
        database = connection.info.dbname
        for statement in init_statements(roles, database, version, create_roles=create_roles, logins=logins, adopted=adopted):
            await connection.execute(statement)
        if not adopted:
            await _see_that_schemas_can_be_made(connection, roles)
        await _see_that_roles_can_be_made(connection, roles)
    return InitReport(database, version, head(), roles, changed=before != Installation(head(), roles))


async def _see_that_schemas_can_be_made(connection: AsyncConnection[Any], roles: Roles) -> None:
    if roles.migrator is None:
        return
    row = await (await connection.execute(query("control_plane.may_make_schemas"), {"role": roles.migrator})).fetchone()
    if not (row and row[0]):
        database = connection.info.dbname
        hint = f"As its owner or a superuser: GRANT CREATE ON DATABASE {database} TO {roles.migrator}; then run init again. Nothing was kept."
        raise PermissionDenied(f"this login cannot let {roles.migrator!r} make schemas in database {database!r}", hint=hint)


async def _see_that_roles_can_be_made(connection: AsyncConnection[Any], roles: Roles) -> None:
    """A host's own roles may lack what ours are made with."""
    if roles.registrar is None:
        return
    names = {"registrar": roles.registrar, "tenants": roles.tenants, "app": roles.app}
    row = await (await connection.execute(query("control_plane.may_make_roles"), names)).fetchone()
    if not (row and row[0]):
        hint = (
            f"As an administrator: ALTER ROLE {roles.registrar} CREATEROLE; ALTER ROLE {roles.app} NOINHERIT; "
            f"GRANT {roles.tenants} TO {roles.registrar} WITH ADMIN OPTION; then run init again. Nothing was kept."
        )
        raise PermissionDenied(f"{roles.registrar!r} cannot make roles that keep tenants apart", hint=hint)


def check_version(version: int | None, *, upgrade: bool = False) -> None:
    """See that this library can serve a control plane of that version.

    :raises ControlPlaneMismatch: it is newer, or older and no upgrade is under way.
    """
    if version is not None and version > head():
        raise ControlPlaneMismatch(f"the control plane has version {version}; this library serves {head()}", hint="Upgrade tenancy-fixtures.")
    if version is not None and version < head() and not upgrade:
        raise ControlPlaneMismatch(
            f"the control plane has version {version}; this library needs {head()}", hint="Run `tenancy init` to bring it forward."
        )


def init_statements(
    roles: Roles, database: str, version: int | None, *, create_roles: bool, logins: Sequence[str] = (), adopted: bool = False
) -> list[Statement]:
    """Every statement of ``init``, in order: executed by :func:`initialise`, printed by ``init --print-sql``."""
    statements: list[Statement] = role_statements(roles, create=create_roles)
    pending = [migration for migration in migrations() if version is None or migration.number > version]
    if version is None:
        statements.append(query("control_plane.create_schema"))
        if roles.owner:
            statements.append(compose("control_plane.own_schema", owner=identifier(roles.owner)))
    if roles.owner:
        statements.append(compose("control_plane.become", role=identifier(roles.owner)))
    for migration in pending:
        # Our own script, as it is: braces in it are not places.
        statements.append(sql.SQL(migration.sql))
        statements.append(_record(migration))
    if pending or roles.separate:
        # Roles may be new where the version is not.
        statements.append(compose("control_plane.record_installation", version=sql.Literal(head()), roles=sql.Literal(Jsonb(dict(roles.named())))))
    statements.append(query("control_plane.grant_to_all"))
    statements += _grants(roles)
    statements.append(query("control_plane.become_login"))
    if roles.script and roles.migrator:
        statements.append(compose("control_plane.confine_script", script=identifier(roles.script), migrator=identifier(roles.migrator)))
    if roles.registrar and roles.migrator:
        statements.append(compose("control_plane.confine_registrar", registrar=identifier(roles.registrar), migrator=identifier(roles.migrator)))
    if roles.migrator and roles.loader and not adopted:
        parts = {"database": identifier(database), "migrator": identifier(roles.migrator), "loader": identifier(roles.loader)}
        statements.append(compose("control_plane.grant_database", **parts))
    for login in logins:
        statements += login_statements(roles, login, ("migrator", "loader", "app"))
    return statements


def _record(migration: Migration) -> Statement:
    parts = {"number": sql.Literal(migration.number), "name": sql.Literal(migration.name), "digest": sql.Literal(migration.digest)}
    return compose("control_plane.record_migration", **parts)


def _grants(roles: Roles) -> list[Statement]:
    wanted = ("migrator", "loader", "app", "auditor")
    return [compose(f"control_plane.grant_{purpose}", **{purpose: identifier(name)}) for purpose, name in roles.named() if purpose in wanted]
