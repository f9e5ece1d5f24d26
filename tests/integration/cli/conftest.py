"""The command line in this process, the database as its administrator sees it, and files to load."""

from __future__ import annotations

import shutil

import psycopg
import pytest
import typer

from tenancy_fixtures.cli import app
from tenancy_fixtures.cli._guard import guarded
from tenancy_fixtures.packs import DEFAULT_FOLDER

from .support import HEAD, Done


@pytest.fixture
def tenancy(database_url, monkeypatch, capsys):
    """Run a command in this process, on a fresh database unless another is named."""
    monkeypatch.setenv("TENANCY_DATABASE_URL", database_url)

    def run(*arguments, url=None):
        if url is not None:
            monkeypatch.setenv("TENANCY_DATABASE_URL", url)
        code = guarded(typer.main.get_command(app), [str(word) for word in arguments])
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def look(admin_database_url):
    """Ask the database as its administrator."""

    def ask(statement, url=admin_database_url):
        with psycopg.connect(url) as connection:
            return connection.execute(statement).fetchall()

    return ask


@pytest.fixture
def state(look):
    """Everything that a dry run must leave as it is."""

    def read():
        schemas = look("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1")
        counts = [
            look(f"SELECT count(*) FROM tenancy.{table}") for table in ("tenants", "runs", "steps", "ledger", "config", "audit_log", "revisions")
        ]
        return schemas, counts

    return read


@pytest.fixture
def artists(tmp_path):
    path = tmp_path / "artists.csv"
    path.write_text("name,spotify_id,genres,popularity,followers,country\nAda,,{},10,5,DE\nBob,,{},20,6,FR\n", encoding="utf-8")
    return path


@pytest.fixture
def longer_pack(tmp_path):
    """The default pack with one more revision."""
    folder = tmp_path / "longer"
    shutil.copytree(DEFAULT_FOLDER, folder, ignore=shutil.ignore_patterns("data", "__pycache__"))
    (folder / "migrations" / f"{HEAD + 1:04d}_more.sql").write_text("ALTER TABLE artists ADD COLUMN more text;", encoding="utf-8")
    return folder
