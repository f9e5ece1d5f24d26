"""What the acceptance tests look with: the database as an administrator sees it, packs to spoil, records to write."""

from __future__ import annotations

import contextlib
import json
import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from tenancy_fixtures import Pack
from tenancy_fixtures.exceptions import TenancyError
from tests.databases import drop_roles

# Part of every record that a test spoils: it must not come out anywhere.
SECRET = "Zq7-canary-value"

# What a run writes even where it fails; everything else must be as it was.
TRACE = ("steps", "runs", "audit_log")

_OBJECTS = """
SELECT 'schema ' || nspname || ' ' || coalesce(nspacl::text, '') || ' ' || nspowner::regrole::text FROM pg_namespace
  WHERE nspname !~ '^pg_(toast_)?temp_'
UNION ALL SELECT 'relation ' || c.oid::regclass::text || ' ' || c.relkind::text || ' ' || coalesce(c.relacl::text, '') || ' ' || c.relowner::regrole::text
  FROM pg_class c WHERE c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
UNION ALL SELECT 'column ' || a.attrelid::regclass::text || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
UNION ALL SELECT 'constraint ' || conrelid::regclass::text || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid <> 0
UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
UNION ALL SELECT 'routine ' || oid::regprocedure::text FROM pg_proc WHERE pronamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
UNION ALL SELECT 'type ' || oid::regtype::text FROM pg_type WHERE typnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""


class State:
    """The database as an administrator sees it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_watched = False  # whether every change is counted now

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(query, values or None).fetchall()

    def value(self, query: str, *values: Any) -> Any:
        found = self.rows(query, *values)
        return next(iter(found[0].values())) if found else None

    def run(self, *statements: str) -> None:
        """What an administrator does to break things, in one session."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def role(self, tenant_id: str) -> str:
        """The role that has the application's rights on the tenant's tables: its own, or that of all who share them."""
        return str(self.value("SELECT coalesce(role::text, 'tenancy_test_app') FROM tenancy.tenants WHERE tenant_id = %s", tenant_id))

    def clear(self) -> None:
        """Take every tenant away, and the trace of them, as no user of the library could."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for (name,) in connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 't\\_%' OR nspname LIKE 'shared\\_%'").fetchall():
                connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
            drop_roles(connection, [row[0] for row in connection.execute("SELECT role::text FROM tenancy.tenants WHERE role IS NOT NULL")])
            # Without triggers the audit log can be emptied too.
            connection.execute("SET session_replication_role = replica")
            for name in (*TRACE, "ledger", "loaded_keys", "row_digests", "checksums", "config", "revisions", "tenants", "shared_schemas", "locks"):
                connection.execute(sql.SQL("DELETE FROM tenancy.{}").format(sql.Identifier(name)))

    def snapshot(self) -> dict[str, Any]:
        """Every object and, for each table but the trace, how many rows and what they hold."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            content: dict[str, Any] = {"objects": sorted(row[0] for row in connection.execute(_OBJECTS))}
            tables = connection.execute(
                "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg_%' AND n.nspname <> 'information_schema'"
            ).fetchall()
            for schema, name in tables:
                if schema != "tenancy" or name not in TRACE:
                    query = sql.SQL("SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text FROM {} AS t")
                    content[f"{schema}.{name}"] = connection.execute(query.format(sql.Identifier(schema, name))).fetchone()
        return content

    def counts(self, tenant_id: str) -> dict[str, int]:
        """Rows by table of a tenant's schema."""
        namespace = self.value("SELECT namespace::text FROM tenancy.tenants WHERE tenant_id = %s", tenant_id)
        with psycopg.connect(self.url, autocommit=True) as connection:
            names = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", (namespace,))]
            count = sql.SQL("SELECT count(*) FROM {}")
            return {name: connection.execute(count.format(sql.Identifier(namespace, name))).fetchone()[0] for name in names}

    def last_run(self) -> dict[str, Any]:
        found = self.rows("SELECT * FROM tenancy.runs ORDER BY started_at DESC LIMIT 1")
        assert found, "no run was written down"
        return found[0]

    def audit(self, run_id: Any) -> list[dict[str, Any]]:
        return self.rows("SELECT tenant_id, uid, action, detail FROM tenancy.audit_log WHERE run_id = %s ORDER BY entry", run_id)


@contextlib.contextmanager
def failing(
    state: State,
    kind: type[TenancyError],
    *,
    log: pytest.LogCaptureFixture | None = None,
    recorded: bool = True,
    tenant: str | None = "acme",
    secrets: Sequence[str] = (SECRET,),
) -> Iterator[list[Any]]:
    """The block must raise exactly this error, say whose and where, leak nothing, and leave nothing but its trace."""
    before, runs = state.snapshot(), state.value("SELECT count(*) FROM tenancy.runs")
    caught: list[Any] = []
    state.is_watched = True
    with pytest.raises(TenancyError) as raised:
        yield caught
    state.is_watched = False
    error = raised.value
    assert type(error) is kind, f"{error!r}\n{error.to_dict()}"
    caught.append(error)
    assert state.snapshot() == before, "something was left behind"
    assert error.tenant == tenant
    said = ["".join(traceback.format_exception(kind, error, error.__traceback__)), str(error), repr(error), json.dumps(error.to_dict())]
    assert state.value("SELECT count(*) FROM tenancy.runs") == runs + (1 if recorded else 0)
    if recorded:
        said.append(_recorded(state, error))
    if log is not None:
        said.append(log.text)
    for text in said:
        assert not [secret for secret in secrets if secret in text], f"a row's value came out: {text}"


def _recorded(state: State, error: TenancyError) -> str:
    """The failed run, its report and its entry in the audit log."""
    run = state.last_run()
    assert run["state"] == "failed"
    assert run["tenant_id"] == error.tenant
    assert run["finished_at"] is not None
    assert run["error"]["error"] == type(error).__name__
    assert run["error"]["message"] == error.message
    assert run["error"] == json.loads(json.dumps(error.to_dict()))
    assert run["report"]["state"] == "failed"
    assert run["report"]["run_id"] == str(run["run_id"]) == error.run_id
    assert run["report"]["seconds"] > 0
    assert run["report"]["written"] == 0
    entries = state.audit(run["run_id"])
    assert [(entry["action"], entry["detail"]["error"]) for entry in entries] == [("run:failed", type(error).__name__)]
    assert not state.rows("SELECT FROM tenancy.steps WHERE run_id = %s", run["run_id"])
    return json.dumps([run, entries], default=str)


class PackFolder:
    """A copy of the default pack that a test may spoil."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def pack(self) -> Pack:
        return Pack.from_folder(self.folder)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def change(self, name: str, old: str, new: str) -> None:
        text = self.read(name)
        assert old in text, f"{old!r} is not in {name}"
        self.write(name, text.replace(old, new, 1))

    def reduce(self, script: str) -> None:
        """Make it a pack of this script alone, without revisions and datasets."""
        for revision in self.folder.glob("migrations/*.sql"):
            revision.unlink()
        self.manifest(datasets=[])
        self.write("schema_template.sql", script)

    def datasets(self) -> list[dict[str, Any]]:
        """The datasets of the manifest, to choose from."""
        found: list[dict[str, Any]] = json.loads(self.read("pack.json"))["datasets"]
        return found

    def manifest(self, **changes: Any) -> None:
        """Change the named dataset (``tracks={"on_error": …}``) or, without such a dataset, the key of the manifest."""
        manifest = json.loads(self.read("pack.json"))
        for name, change in changes.items():
            found = [dataset for dataset in manifest["datasets"] if dataset["name"] == name]
            if found:
                found[0].update(change)
            else:
                manifest[name] = change
        self.write("pack.json", json.dumps(manifest))


USERS = ("handle", "email", "display_name", "country", "locale", "birth_date", "plan", "settings", "created_at", "last_seen_at")


def user(number: int, **cells: str) -> dict[str, str]:
    """A record of the dataset ``users``; one that is in order unless ``cells`` say otherwise."""
    plain = {"handle": f"user{number}", "email": f"user{number}@example.com", "display_name": SECRET, "country": "FR", "locale": "fr"}
    return {**plain, "birth_date": "1990-01-31", "plan": "free", "settings": "{}", "created_at": "2024-01-01T00:00:00Z", "last_seen_at": "", **cells}


TRACKS = (
    "uri",
    "title",
    "artist",
    "duration_ms",
    "popularity",
    "danceability",
    "energy",
    "key",
    "loudness",
    "mode",
    "speechiness",
    "acousticness",
    "instrumentalness",
    "liveness",
    "valence",
    "tempo",
    "time_signature",
)


def track(number: int, **cells: str) -> dict[str, str]:
    """A record of the dataset ``tracks``."""
    plain = {"uri": f"spotify:track:{number:022d}", "title": SECRET, "artist": f"artist {number}", "duration_ms": "180000", "popularity": "50"}
    features = dict.fromkeys(TRACKS[5:], "0.5") | {"key": "5", "mode": "1", "time_signature": "4", "tempo": "120", "loudness": "-7.5"}
    return {**plain, **features, **cells}


PLAYLISTS = ("owner", "name", "description", "is_public", "is_collaborative", "tags", "created_at")
ENTRIES = ("owner", "playlist", "position", "uri", "added_by", "added_at")


def playlist(**cells: str) -> dict[str, str]:
    """A record of the dataset ``playlists``, of the first user."""
    plain = {"owner": "user1", "name": SECRET, "description": "", "is_public": "true", "is_collaborative": "false", "tags": "{}"}
    return {**plain, "created_at": "2024-01-01T00:00:00Z", **cells}


def entry(position: int, **cells: str) -> dict[str, str]:
    """A record of the dataset ``playlist_tracks``: the first track, in that playlist."""
    plain = {"owner": "user1", "playlist": SECRET, "position": str(position), "uri": f"spotify:track:{1:022d}", "added_by": "user1"}
    return {**plain, "added_at": "2024-01-01T00:00:00Z", **cells}


def as_csv(columns: Sequence[str], records: Sequence[Mapping[str, str]]) -> str:
    """Records as CSV; a cell is quoted where it must be."""

    def cell(text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\r\n') else text

    lines = [",".join(columns), *(",".join(cell(record[name]) for name in columns) for record in records)]
    return "\n".join(lines) + "\n"


def written(name: str, content: bytes) -> Callable[[Path], Path]:
    """Makes a file in the folder that it is given."""

    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def of_users(*records: dict[str, str], columns: tuple[str, ...] = USERS) -> Callable[[Path], Path]:
    """Makes ``users.csv`` of these records."""
    return written("users.csv", as_csv(columns, records).encode())


def of_tracks(*records: dict[str, str]) -> Callable[[Path], Path]:
    """Makes ``tracks.csv`` of these records."""
    return written("tracks.csv", as_csv(TRACKS, records).encode())


@contextlib.contextmanager
def without_root() -> Iterator[None]:
    """As a user whom file rights hold back: root reads everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def is_text(entry: bytes) -> bool:
    try:
        entry.decode()
    except UnicodeDecodeError:
        return False
    return True
