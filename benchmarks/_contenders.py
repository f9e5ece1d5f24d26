"""Those that load the tracks: the library in each format, psql in three ways, and peers that are installed for the purpose.

Every one gives the seconds for all rows, has an empty table of its own with key, indexes and reference in place when its time
begins, and is asked afterwards whether all rows are there.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import conninfo, sql

from benchmarks import _tracks
from benchmarks._server import drop_schema, drop_tenant, psql, remove_rows, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Drop = Callable[[str, str], None]

PEERS = Path(__file__).resolve().parent / "peers"
PSQL = ("psql_csv_indexed", "psql_csv_late", "psql_binary_late")


@dataclass
class Ground:
    """Where all of them work: one database, one folder of files, one number of rows."""

    url: str
    folder: Path
    rows: int
    python: Path | None = None  # of the environment with the peers
    login: str | None = None  # of the library, where it is not the administrator's
    loads: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # what the library's own workers said

    # --- the library ----------------------------------------------------------------------------------------------------

    def tenancy(self, kind: str) -> float:
        """One load by the library."""
        result = self.work(kind, [self.folder / f"tracks.{kind}"])
        self.loads.setdefault(kind, []).append(result)
        return float(result["loads"][0]["seconds"])

    def isolated(self, kind: str, isolation: str, *, name: str | None = None) -> float:
        """One load by the library into a tenant that is kept apart so."""
        drop = drop_tenant if isolation == "schema" else remove_rows
        result = self.work(kind, [self.folder / f"tracks.{kind}"], isolation=isolation, drop=drop)
        self.loads.setdefault(name or isolation, []).append(result)
        return float(result["loads"][0]["seconds"])

    def share(self, kind: str, tenant: str) -> None:
        """Make the tables that tenants share, and a tenant with all rows in them, who stays."""
        self.work(kind, [self.folder / f"tracks.{kind}"], isolation="row", tenant=tenant, drop=None)

    def work(self, kind: str, files: list[Path], *, rows: int | None = None, drop: Drop | None = drop_tenant, **task: Any) -> dict[str, Any]:
        """Load files one after the other into one new tenant.

        The tenant is dropped at the end, unless it is to stay, and a record that is not accounted for ends the benchmark.
        """
        rows = rows or self.rows
        tenant = task.setdefault("tenant", f"bench_{secrets.token_hex(4)}")
        task |= {"url": self.url, "login": self.login or self.url, "artists": _tracks.artists_of(rows)}
        task |= {"pack": str(_tracks.write_pack(self.folder, kind)), "files": list(map(str, files))}
        result = call([sys.executable, "-m", "benchmarks._worker"], task, cwd=_tracks.ROOT)
        if any(load["read"] != rows or load["stored"] != rows or load["lost"] for load in result["loads"]):
            sys.exit(f"the load of {kind} did not account for every record")
        if drop is not None:
            drop(self.url, tenant)
        return result

    # --- psql -----------------------------------------------------------------------------------------------------------

    def psql_csv_indexed(self) -> float:
        """What people do."""
        return self._psql([r"\copy tracks from 'tracks.csv' with (format csv, header)"])

    def psql_csv_late(self) -> float:
        """What people do who know how: everything off, frozen rows, everything on, in one transaction."""
        return self._psql(late(r"\copy tracks from 'tracks.csv' with (format csv, header, freeze)"))

    def psql_binary_late(self) -> float:
        """The same without a CSV to parse: the limit. The file was encoded before."""
        return self._psql(late(r"\copy tracks from 'tracks.binary' with (format binary, freeze)"))

    def _psql(self, statements: list[str]) -> float:
        with self.tables(self.rows) as schema:
            return self.psql_script(schema, ["BEGIN", *statements, "COMMIT"])

    def psql_script(self, schema: str, statements: list[str]) -> float:
        """Seconds of psql for these statements, in the folder of the files."""
        lines = [f'SET search_path = "{schema}"', *statements]
        script = "".join(line + ("\n" if line.startswith("\\") else ";\n") for line in lines)
        command = [psql(), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.url, "-f", "-"]
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, input=script, text=True, cwd=self.folder)
        return time.perf_counter() - began

    def encode_binary(self, name: str) -> None:
        """Write ``name.binary`` from ``name.csv``, with the server's own hand."""
        with self.tables(self.rows) as schema:
            copies = [rf"\copy tracks from '{name}.csv' with (format csv, header)", rf"\copy tracks to '{name}.binary' with (format binary)"]
            self.psql_script(schema, copies)

    # --- peers ----------------------------------------------------------------------------------------------------------

    def peer(self, name: str, rows: int, **task: Any) -> float:
        """One load by a program of :file:`peers`, of the first ``rows`` rows; the seconds are those that all rows would take."""
        with self.tables(rows) as schema:
            task |= {"schema": schema, "rows": rows, "folder": str(self.folder), "columns": list(_tracks.COLUMNS)}
            task |= {"login": conninfo.conninfo_to_dict(self.url)}
            result = call([str(self.python), str(PEERS / f"{name}.py")], task, cwd=self.folder)
        return float(result["seconds"]) * self.rows / rows

    # --- their tables ---------------------------------------------------------------------------------------------------

    @contextmanager
    def tables(self, rows: int) -> Iterator[str]:
        """A schema with the artists and an empty table of tracks; when it is left, all rows must be there."""
        schema = f"peer_{secrets.token_hex(4)}"
        with psycopg.connect(self.url) as connection:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
            connection.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(schema)))
            connection.execute(_tracks.TABLES.encode())
            artists = sql.Literal(_tracks.artists_of(self.rows))
            connection.execute(sql.SQL(_tracks.ARTISTS).format(schema=sql.Identifier(schema), artists=artists))
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(schema, "artists")))
        settle(self.url)
        yield schema
        with psycopg.connect(self.url) as connection:
            found = (connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, "tracks"))).fetchone() or (0,))[0]
        if found != rows:
            sys.exit(f"{rows} rows were to be loaded, {found} are there")
        drop_schema(self.url, schema)


def late(copy: str) -> list[str]:
    """Indexes and reference off, the rows, and all of it on again."""
    return [*reversed(_tracks.PARTS.values()), "TRUNCATE tracks", copy, *_tracks.PARTS]


def call(command: list[str], task: dict[str, Any], *, cwd: Path) -> dict[str, Any]:
    """Give a program its task on stdin, where no list of processes shows a password, and take its answer."""
    done = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True, cwd=cwd, env=_environment(), check=False)
    if done.returncode:
        sys.exit(f"{command[-1]} failed:\n{done.stderr[-4000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _environment() -> dict[str, str]:
    """Nobody's settings lead a contender elsewhere, and none of them calls home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DLT_", "TENANCY_"))}
    return {**kept, "RUNTIME__DLTHUB_TELEMETRY": "false", "DO_NOT_TRACK": "1"}
