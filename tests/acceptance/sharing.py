"""The same tests for tenants that share tables: a manager that makes such ones, a neighbour beside them, and a look at its rows."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from tenancy_fixtures import FixtureManager
from tenancy_fixtures._rowify import row_script
from tenancy_fixtures._shapes import RunReport, Tenant
from tenancy_fixtures.exceptions import TenancyError
from tenancy_fixtures.packs import DEFAULT_FOLDER
from tests.acceptance.support import ENTRIES, PLAYLISTS, TRACKS, USERS, State, as_csv, entry, playlist, track, user
from tests.conftest import ROLES

NEIGHBOUR = "neighbour"
_FILES = {
    "users": as_csv(USERS, [user(1), user(2, plan="family"), user(3)]),
    "tracks": as_csv(TRACKS, [track(1, title="theirs"), track(2)]),
    "playlists": as_csv(PLAYLISTS, [playlist()]),
    "playlist_tracks": as_csv(ENTRIES, [entry(1), entry(2)]),
}


class SharedManager(FixtureManager):
    """Makes tenants that share tables, the first of them a neighbour, which has rows with the same keys that a test gives its own tenant.

    A pack of a test's own is written for it first; its neighbour gets what the test loads first.
    """

    folder: Path
    neighbour: Neighbour

    async def create_tenant(self, tenant_id: str, **facts: Any) -> Tenant:
        if self.pack.row_sql is None or self.pack.folder != DEFAULT_FOLDER:
            self._pack = replace(self.pack, row_sql=await row_script(self.pack, await self._runtime()))
        if NEIGHBOUR not in {tenant.tenant_id for tenant in await self.list_tenants()}:
            await super().create_tenant(NEIGHBOUR, isolation="row")
            await self._fill()
        return await super().create_tenant(tenant_id, **{"isolation": "row", **facts})

    async def load_fixtures(self, tenant_id: str, *arguments: Any, **facts: Any) -> RunReport:
        if not self.neighbour.rows and not self.neighbour.state.is_watched:
            with contextlib.suppress(TenancyError):
                await super().load_fixtures(NEIGHBOUR, *arguments, **facts)
            self.neighbour.remember()
        return await super().load_fixtures(tenant_id, *arguments, **facts)

    async def _fill(self) -> None:
        if self.pack.name == "spotify-agent" and {dataset.name for dataset in self.pack.manifest.datasets} >= _FILES.keys():
            for name, text in _FILES.items():
                (self.folder / f"{name}.csv").write_text(text)
            await super().load_fixtures(NEIGHBOUR, sources={name: self.folder / f"{name}.csv" for name in _FILES})
            self.neighbour.remember()


class Neighbour:
    """A tenant beside the one that a test is about. Whatever becomes of that one, this one's rows are the same at the end."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.rows: dict[str, Any] = {}

    def remember(self) -> None:
        self.rows = self.look()

    def look(self) -> dict[str, Any]:
        """Count and digest of its rows, by table, as somebody whom no policy filters."""
        found = self.state.rows("SELECT namespace::text, uid::text FROM tenancy.tenants WHERE tenant_id = %s", NEIGHBOUR)
        if not found:
            return {}
        namespace, uid = found[0].values()
        query = sql.SQL(
            "SELECT count(*) AS count, coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text AS digest FROM {} AS t WHERE tenant_id = {}"
        )
        with psycopg.connect(self.state.url, autocommit=True) as connection:
            names = connection.execute(_TABLES, (namespace,)).fetchall()
            rows = {name: connection.execute(query.format(sql.Identifier(namespace, name), sql.Literal(uid))).fetchone() for (name,) in names}
        return {name: row for name, row in rows.items() if row and row[0]}


_TABLES = """
SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition
"""


class SharedState(State):
    """The same look for tenants that share tables: what a test says of ``t_acme`` is said of acme's rows, as the tables' owner sees them."""

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with self._session() as connection:
            return connection.execute(self._enter(connection, query), values or None).fetchall()

    def run(self, *statements: str) -> None:
        with self._session() as connection:
            for statement in statements:
                connection.execute(self._enter(connection, statement))
                connection.execute("RESET ROLE")

    def counts(self, tenant_id: str) -> dict[str, int]:
        with self._session() as connection:
            namespace = self._become(connection, tenant_id)
            names = [row["name"] for row in connection.execute(_TABLES.replace("c.relname::text", "c.relname::text AS name"), (namespace,))]
            count = sql.SQL("SELECT count(*) AS count FROM {}")
            return {name: connection.execute(count.format(sql.Identifier(namespace, name))).fetchone()["count"] for name in sorted(names)}

    @contextlib.contextmanager
    def _session(self) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as connection:
            yield connection

    def _enter(self, connection: psycopg.Connection[dict[str, Any]], text: str) -> str:
        if not re.search(r"\bt_acme\b", text):
            return text
        namespace = self._become(connection, "acme")
        return re.sub(r"\bt_acme\b", namespace, text)

    def _become(self, connection: psycopg.Connection[dict[str, Any]], tenant_id: str) -> str:
        query = "SELECT namespace::text, uid::text FROM tenancy.tenants WHERE tenant_id = %s"
        found: Sequence[dict[str, Any]] = connection.execute(query, (tenant_id,)).fetchall()
        assert found, f"no tenant {tenant_id}"
        connection.execute("SELECT set_config('tenancy.tenant_uid', %s, false)", (found[0]["uid"],))
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(str(ROLES.migrator))))
        return str(found[0]["namespace"])
