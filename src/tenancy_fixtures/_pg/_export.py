"""The control plane as SQL that psql runs: the scripts that made it, and its rows as the server copies them out."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from psycopg import AsyncClientCursor, sql
from psycopg.rows import dict_row

from ..exceptions import OutputExists
from .catalog import read_tables, table_order
from .control_plane import init_statements
from .sql import compose, identifier, query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from psycopg import AsyncConnection

    from .roles import Roles

_HEAD = """\
-- The control plane of tenancy fixtures, as it was when the library was taken out of database {database}.
-- To go back, as an administrator: run this file in that database with psql, and then `tenancy migrate --all`, which makes tenants' roles
-- and gives them their rights. Logins are members of the roles again with `tenancy init --grant-to`.
\\set ON_ERROR_STOP on
SET client_encoding = 'UTF8';
SET client_min_messages = warning;
BEGIN;
"""


class Export:
    """Writes the control plane of a connection's database to a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    async def write(
        self, connection: AsyncConnection[Any], roles: Roles, *, create_roles: bool, made: Sequence[str] = (), shared: Sequence[str] = ()
    ) -> dict[str, int]:
        """Write all of it, with what makes the roles where they are ours; gives the rows of each table.

        The migrator gets back what is in schemas that were ``made`` here, or that tenants have ``shared``.
        """
        self._say(_HEAD.format(database=connection.info.dbname.replace("\n", " ")))
        statements = init_statements(roles, connection.info.dbname, None, create_roles=create_roles)
        if roles.owner:
            statements.append(compose("control_plane.become", role=identifier(roles.owner)))
        # These two are among the rows that follow.
        statements.append(query("eject.forget_installation"))
        for statement in statements:
            self._say(f"{statement.as_string(connection).strip().rstrip(';')};\n")
        rows = {}
        # Each table after those that it refers to.
        for table in table_order(await read_tables(connection, "tenancy")).names:
            rows[table] = await self._copy(connection, table)
        cursor = await connection.cursor(row_factory=dict_row).execute(query("eject.sequences"))
        self._say("".join(f"{row['statement']};\n" for row in await cursor.fetchall()))
        self._say(f"{query('control_plane.become_login').as_string(connection)};\n")
        if shared:
            self._say_run(connection, "eject.take_function_back", schema=shared[0], owner=roles.owner)
        if create_roles:
            self._say_run(connection, "eject.giving", made=[], homes=[*made, *shared], owner=roles.migrator)
        self._say("COMMIT;\n")
        return rows

    def _say_run(self, connection: AsyncConnection[Any], block: str, **values: Any) -> None:
        """Let psql ask for statements, and run them: what is there then is looked at then."""
        self._say(f"{AsyncClientCursor(connection).mogrify(query(block), values).strip()}\n\\gexec\n")

    async def _copy(self, connection: AsyncConnection[Any], table: str) -> int:
        cursor = connection.cursor(row_factory=dict_row)
        columns = [row["name"] for row in await (await cursor.execute(query("eject.columns"), {"table": table})).fetchall()]
        parts = {"table": identifier("tenancy", table), "columns": sql.SQL(", ").join(map(identifier, columns))}
        self._say(f"{compose('eject.copy_in', **parts).as_string(connection).strip()};\n")
        async with cursor.copy(compose("eject.copy_out", **parts)) as copy:
            async for block in copy:
                self._file.write(block)
        self._say("\\.\n\n")
        return cursor.rowcount

    def _say(self, text: str) -> None:
        self._file.write(text.encode())


def refuse_existing(path: Path) -> None:
    """See that nobody's file would be written over.

    :raises OutputExists: there is one.
    """
    if path.exists():
        raise OutputExists(f"{str(path)!r} is there already", files=[str(path)], hint="Name another file with --to.")


@asynccontextmanager
async def written(path: Path, *, keep: bool) -> AsyncIterator[Export]:
    """A file that is there as a whole before the caller's transaction commits, for nobody else to read; gone where that fails."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield Export(file)
            file.flush()
            os.fsync(file.fileno())
        if keep:
            unfinished.replace(path)
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()
