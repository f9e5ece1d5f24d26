"""Every statement is a named block that somebody sends, and every statement that is sent is there."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import psycopg
import pytest

import tenancy_fixtures
from tenancy_fixtures._adopt._shared_shapes import MISSING
from tenancy_fixtures._attack._matrix import PROBES
from tenancy_fixtures._pg import sql as named
from tenancy_fixtures._pg.roles import Roles
from tenancy_fixtures.doctor import FAULTS

PACKAGE = Path(tenancy_fixtures.__file__).parent
QUERIES = PACKAGE / "_pg" / "queries"
FILES = sorted(QUERIES.glob("*.sql"))
BLOCK = re.compile(r"^-- name: *([a-z0-9_]+) *$", re.MULTILINE)


def blocks() -> dict[str, str]:
    return {f"{path.stem}.{name}": text for path in FILES for name, text in named._blocks(path.stem).items()}


def calls() -> Iterator[ast.Call]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield node


def texts() -> set[str]:
    nodes = (node for path in PACKAGE.rglob("*.py") for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def composed_names() -> set[str]:
    """Names that are put together: those of a write and of a probe by their block, grants by a role's purpose, questions by the fault that they look for."""
    grants = {f"control_plane.grant_{item.name}" for item in fields(Roles)}
    probes = {f"attack.{block}" for probe in PROBES for step in probe.steps for block in step.blocks}
    return (
        {f"copy.{text}" for text in texts()} | grants | probes | {f"doctor.{name}" for name in FAULTS} | {f"adopt_shared.{name}" for name in MISSING}
    )


def test_every_block_is_sent_by_somebody():
    assert sorted(blocks().keys() - texts() - composed_names()) == []


def test_every_block_that_is_sent_is_there():
    stems = "|".join(path.stem for path in FILES)
    named_in_full = {text for text in texts() if re.fullmatch(rf"({stems})\.[a-z0-9_]*[a-z0-9]", text)}
    assert len(named_in_full) > 50
    assert sorted(named_in_full - blocks().keys()) == []


def test_every_block_of_a_probe_is_there():
    sent = {f"attack.{block}" for probe in PROBES for step in probe.steps for block in step.blocks}
    assert len(sent) > 50
    assert sorted(sent - blocks().keys()) == []


def test_every_block_of_a_write_that_is_sent_is_there():
    sent = {
        call.args[0].value
        for call in calls()
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in ("run", "row", "rows")
        and "target" in ast.unparse(call.func.value)
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }
    assert len(sent) > 20
    assert sorted(f"copy.{name}" for name in sent if f"copy.{name}" not in blocks()) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_block_hides_another(path):
    names = BLOCK.findall(path.read_text(encoding="utf-8"))
    assert [name for name, number in Counter(names).items() if number > 1] == []
    assert all(text for text in named._blocks(path.stem).values()), "a block without a statement"


def test_statements_are_built_from_files_alone():
    # A statement in a string of the code would be one that nobody finds; psycopg.sql puts identifiers together.
    words = re.compile(r"^\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|DROP|GRANT|REVOKE|SET LOCAL|TRUNCATE) ", re.MULTILINE)
    # Clauses of a composed statement, and hints that show a form, are none.
    statements = (text for text in texts() if words.match(text) and not text.startswith("ALTER COLUMN") and "…" not in text)
    assert sorted(statements) == []


def test_a_place_is_filled_with_a_quoted_name(admin_url):
    statement = named.compose("registry.create_namespace", schema=named.identifier('t_"; DROP SCHEMA public'))
    with psycopg.connect(admin_url) as connection:
        text = statement.as_string(connection)
    assert text == 'CREATE SCHEMA "t_""; DROP SCHEMA public"'


@pytest.mark.parametrize("name", ["", "a\x00b", "a" * 64, "ä" * 32])
def test_a_name_that_postgresql_would_cut_is_refused(name):
    with pytest.raises(ValueError, match="identifier"):
        named.identifier("schema", name)


def test_an_unknown_block_is_an_error():
    with pytest.raises(KeyError):
        named.query("registry.nothing")
