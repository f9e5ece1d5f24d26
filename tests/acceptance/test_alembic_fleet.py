"""Thirty revisions of Alembic's, eight of which read, over many tenants: what comes of them is what Alembic itself makes of the same rows.

``TENANCY_TEST_TENANTS`` says how many (50 is what the library promises; a usual run has fewer).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tenancy_fixtures import FixtureManager, Pack, Settings
from tenancy_fixtures import exceptions as errors
from tests.acceptance.support import State
from tests.alembic_host import READING, ROWS, long_history, write_host, write_pack

pytestmark = pytest.mark.anyio

TENANTS = int(os.environ.get("TENANCY_TEST_TENANTS", "6"))
HISTORY = long_history()

# The host's own way: each schema in turn, by Alembic and nothing else, in one process.
OWN_RUNS = """
import os, sys
from alembic import command
from alembic.config import Config

for schema in sys.argv[2:]:
    os.environ["HOST_SCHEMA"] = schema
    command.upgrade(Config("alembic.ini"), sys.argv[1])
"""

STRUCTURE = """
SELECT 'column ' || c.relname || ' ' || a.attnum || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull || a.attidentity::text
    || coalesce(pg_get_expr(d.adbin, d.adrelid), '') || coalesce(obj_description(c.oid), '') AS part
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  WHERE c.relnamespace = %s::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL SELECT 'constraint ' || conrelid::regclass::text || conname || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = %s::regnamespace
UNION ALL SELECT 'trigger ' || pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
  WHERE c.relnamespace = %s::regnamespace AND NOT t.tgisinternal
UNION ALL SELECT 'routine ' || pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = %s::regnamespace
UNION ALL SELECT 'enum ' || t.typname || e.enumlabel || e.enumsortorder FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid
  WHERE t.typnamespace = %s::regnamespace
"""


def content(url: str, schema: str) -> tuple[list[str], dict[str, list[str]]]:
    """Every object and every row of a schema, without its name."""
    with psycopg.connect(url, autocommit=True) as connection:
        parts = sorted(row[0].replace(f"{schema}.", "") for row in connection.execute(STRUCTURE, [schema] * 5))
        names = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])]
        rows = {}
        for name in sorted(names):
            query = sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1").format(sql.Identifier(schema, name))
            rows[name] = [row[0] for row in connection.execute(query)]
    return parts, rows


def run(state: State, folder: Path, *command: str, schema: str = "") -> str:
    environment = {**os.environ, "HOST_URL": state.url.replace("postgresql://", "postgresql+psycopg://", 1), "HOST_SCHEMA": schema}
    done = subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def packs(folder: Path) -> tuple[Pack, Pack]:
    """The pack at its tenth revision, and at its last."""
    for name, revisions in (("early", HISTORY[:10]), ("late", HISTORY)):
        write_host(folder / name, revisions)
        write_pack(folder / name)
    early, late = Pack.from_folder(folder / "early"), Pack.from_folder(folder / "late")
    assert [item.version for item in late.revisions if item.online] == list(READING)
    assert len(late.revisions) == 30
    return early, late


async def test_what_we_make_of_a_history_is_what_alembic_makes_of_it(settings: Settings, tmp_path, state: State):
    early, late = packs(tmp_path)
    ours, theirs = [f"t_f{number}" for number in range(TENANTS)], [f"host_{number}" for number in range(TENANTS)]
    async with FixtureManager(settings, pack=early) as manager:
        await asyncio.gather(*(manager.create_tenant(f"f{number}") for number in range(TENANTS)))
    state.run(*(f"CREATE SCHEMA {schema}" for schema in theirs))
    run(state, tmp_path / "early", "-c", OWN_RUNS, "head", *theirs)
    state.run(*(ROWS.format(schema=schema, number=number) for names in (ours, theirs) for number, schema in enumerate(names)))

    # One of them has what the twentieth revision does not take.
    bad, good = ours[1], [schema for schema in ours if schema != ours[1]]
    state.run(f"UPDATE {bad}.customers SET email = 'User1@example.com' WHERE id = 2")
    before = content(state.url, bad)
    async with FixtureManager(settings, pack=late) as manager:
        outcomes = await asyncio.gather(*(manager.migrate(f"f{number}") for number in range(TENANTS)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)] == [errors.ScriptFailed]
        assert isinstance(outcomes[1], errors.ScriptFailed)
        assert "r20_step.py as SQL" in outcomes[1].message
        assert content(state.url, bad) == before
        assert (await manager.get_tenant("f1")).revision == 10
        run(state, tmp_path / "late", "-c", OWN_RUNS, "head", *theirs)
        made = [content(state.url, schema) for schema in theirs]
        assert [content(state.url, schema) for schema in good] == [item for number, item in enumerate(made) if number != 1]
        assert all(rows["alembic_version"] == ["(r30)"] for _, rows in made)
        assert len({str(rows["customers"]) for _, rows in made}) == TENANTS

        # What was in its way is gone: it comes to the same as well.
        state.run(f"UPDATE {bad}.customers SET email = 'user2@example.com' WHERE id = 2")
        await manager.migrate("f1")
        assert content(state.url, bad) == made[1]

        # Alembic goes on by itself, back and forth.
        assert "r30 (head)" in run(state, tmp_path / "late", "-m", "alembic", "current", schema=bad)
        for schema in (bad, theirs[1]):
            run(state, tmp_path / "late", "-m", "alembic", "downgrade", "r25", schema=schema)
            run(state, tmp_path / "late", "-m", "alembic", "upgrade", "head", schema=schema)
        assert content(state.url, bad) == content(state.url, theirs[1])
        assert (await manager.migrate("f1")).steps == ()
        assert (await manager.validate("f0")).ok

        # A new tenant gets all of it at once.
        await manager.create_tenant("fresh")
        assert content(state.url, "t_fresh")[0] == made[0][0]
    state.run(*(f"DROP SCHEMA {schema} CASCADE" for schema in theirs))
