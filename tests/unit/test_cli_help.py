"""Help is plain, complete and quick: it names environment twins and exit codes, and loads nothing heavy."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import tenancy_fixtures
from tenancy_fixtures.cli import app
from tenancy_fixtures.cli._environment import NAMES
from tenancy_fixtures.cli._exit import ExitCode
from tenancy_fixtures.settings import Settings

SOURCES = str(Path(tenancy_fixtures.__file__).resolve().parents[1])
# Newer versions of typer load pydantic for themselves, older ones rich: neither is ours to forbid, our settings are.
HEAVY = (
    "polars",
    "pyarrow",
    "pgpq",
    "sqlalchemy",
    "pydantic_settings",
    "tenancy_fixtures.settings",
    "psycopg",
    "alembic",
    "structlog",
    "fastapi",
    "asyncio",
)


def commands(command=None, path=()):
    command = command or typer.main.get_command(app)
    if hasattr(command, "commands"):
        for name, child in command.commands.items():
            yield from commands(child, (*path, name))
    else:
        yield path


COMMANDS = sorted(commands())


def tenancy(*arguments, **environment):
    known = {name: value for name, value in os.environ.items() if not name.startswith("TENANCY_")}
    environment = {**known, "PYTHONPATH": SOURCES, "COLUMNS": "80", **environment}
    return subprocess.run([sys.executable, "-m", "tenancy_fixtures", *arguments], capture_output=True, text=True, env=environment, check=False)


def test_the_commands_are_these():
    names = "adopt|alias|demo|detect|doctor|eject|init|load|migrate|pack check|pack from-database|pack generate|pack new|pack rowify"
    names += "|server status|server stop"
    names += "|tenant create|tenant drop|tenant list|tenant login|tenant show|validate"
    assert "|".join(" ".join(path) for path in COMMANDS) == names


def test_the_environment_names_are_the_settings():
    assert set(NAMES) == set(Settings.environment_names())


def test_help_names_settings_and_exit_codes():
    text = tenancy("--help").stdout
    assert all(re.search(rf"^ +{name}$", text, re.MULTILINE) for name in NAMES)
    assert all(re.search(rf"^ +{code.value}  {re.escape(code.meaning)}$", text, re.MULTILINE) for code in ExitCode)
    assert "[env var: TENANCY_PACK]" in re.sub(r"\s+", " ", text)
    assert "TENANCY_DEBUG" in text


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_speaks_json_and_explains_itself_in_plain_text(path):
    done = tenancy(*path, "--help")
    assert done.returncode == 0
    assert "--json" in done.stdout
    assert done.stdout.startswith(f"Usage: tenancy {' '.join(path)} ")
    assert "\x1b" not in done.stdout
    assert not set("╭│╰─") & set(done.stdout)


@pytest.mark.parametrize(
    "path", [path for path in COMMANDS if path[0] not in ("alias", "detect", "server") and path != ("pack", "new")], ids=" ".join
)
def test_commands_that_need_a_database_say_how_it_is_named(path):
    assert "TENANCY_DATABASE_URL" in tenancy(*path, "--help").stdout


@pytest.mark.parametrize("arguments", [("--help",), ("load", "--help"), ("tenant", "create", "--help"), ("init", "--frob"), ("--version",)])
def test_help_loads_nothing_heavy(arguments):
    program = f"""
import sys
from tenancy_fixtures.cli import main
try:
    main({list(arguments)!r})
except SystemExit:
    pass
sys.stderr.write("LOADED " + " ".join(name for name in {HEAVY!r} if name in sys.modules) + chr(10))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": SOURCES}, check=False)
    assert done.stderr.splitlines()[-1].strip() == "LOADED"


@pytest.mark.parametrize("group", [(), ("tenant",), ("server",)])
def test_a_group_without_a_command_shows_help_and_is_a_usage_error(group):
    done = tenancy(*group)
    assert done.returncode == ExitCode.USAGE
    assert done.stdout == ""
    assert "Commands:" in done.stderr
