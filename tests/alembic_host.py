"""A host that writes its revisions with Alembic: folders of them, made for tests, and Alembic itself to compare with."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

INI = """\
[alembic]
script_location = migrations
prepend_sys_path = .

[loggers]
keys = root
[handlers]
keys =
[formatters]
keys =
[logger_root]
level = WARNING
handlers =
"""

# What a host has that keeps each tenant in a schema, and names the one to migrate: none of it is ours.
ENV = """\
import os

from alembic import context
from sqlalchemy import create_engine, text

if os.environ.get("HOST_SCHEMA") is None:
    raise RuntimeError("this env.py is for the host's own runs")

engine = create_engine(os.environ["HOST_URL"])
with engine.connect() as connection:
    connection.execute(text('SET search_path TO "%s"' % os.environ["HOST_SCHEMA"]))
    connection.commit()
    connection.dialect.default_schema_name = os.environ["HOST_SCHEMA"]
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()
"""

REVISION = '''\
"""{title}

Revision ID: {name}
Create Date: 2024-01-01 00:00:{order:02d}.000000
"""
import sqlalchemy as sa
from alembic import context, op

revision = {name!r}
down_revision = {downs!r}
branch_labels = None
depends_on = {depends!r}


def upgrade():
{up}


def downgrade():
{down}
'''


@dataclass(frozen=True)
class Written:
    """One revision: what stands in its two functions, and after which others it comes."""

    name: str
    downs: tuple[str, ...]
    up: str
    down: str = "pass"
    depends: tuple[str, ...] | None = None
    title: str = "a step"


def write_host(folder: Path, revisions: Sequence[Written], *, ini: str = INI) -> Path:
    """Write the host's folder of Alembic and give its configuration."""
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    (folder / "alembic.ini").write_text(ini, encoding="utf-8")
    (folder / "migrations" / "env.py").write_text(ENV, encoding="utf-8")
    for order, item in enumerate(revisions):
        downs = None if not item.downs else item.downs[0] if len(item.downs) == 1 else item.downs
        bodies = {"up": textwrap.indent(textwrap.dedent(item.up), "    "), "down": textwrap.indent(textwrap.dedent(item.down), "    ")}
        text = REVISION.format(title=item.title, name=item.name, downs=downs, depends=item.depends, order=order, **bodies)
        (versions / f"{item.name}_step.py").write_text(text, encoding="utf-8")
    return folder / "alembic.ini"


def write_pack(folder: Path, *, name: str = "hosted", schema: str | None = None, **alembic: str) -> Path:
    """Write a pack whose revisions are those of the ``alembic.ini`` beside it."""
    import json

    manifest = {"name": name, "version": "1", "alembic": {"config": "alembic.ini", **alembic}}
    tenant = {"default_tier": "standard", "tiers": {"standard": {}}}
    for file, content in (("pack.json", manifest), ("tenant_template.json", tenant), ("config_template.json", {"defaults": {}})):
        (folder / file).write_text(json.dumps(content), encoding="utf-8")
    if schema is not None:
        (folder / "schema_template.sql").write_text(schema, encoding="utf-8")
    return folder


# A small history with a branch, a merge, and one that reads.
SMALL = (
    Written(
        "aa1",
        (),
        'op.create_table("songs", sa.Column("id", sa.Integer, primary_key=True), sa.Column("title", sa.Text, nullable=False))',
        'op.drop_table("songs")',
    ),
    Written(
        "bb2",
        ("aa1",),
        'op.add_column("songs", sa.Column("genre", sa.String(20), server_default="it\'s 100% \\\\ new"))',
        'op.drop_column("songs", "genre")',
    ),
    Written("cc3", ("aa1",), 'op.create_index("songs_by_title", "songs", ["title"])', 'op.drop_index("songs_by_title")'),
    Written("dd4", ("bb2", "cc3"), "pass"),
    Written(
        "ee5",
        ("dd4",),
        'op.bulk_insert(sa.table("songs", sa.column("title", sa.Text)), [{"title": "50% \\\\ :off"}, {"title": "it\'s"}])',
        'op.execute("DELETE FROM songs")',
    ),
    Written(
        "ff6",
        ("ee5",),
        """
        titles = [row[0] for row in op.get_bind().execute(sa.text("SELECT title FROM songs ORDER BY id"))]
        for title in titles:
            op.get_bind().execute(sa.text("UPDATE songs SET genre = :genre WHERE title = :title"), {"genre": title[:5].upper(), "title": title})
        """,
    ),
)
