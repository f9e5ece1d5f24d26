"""A host that writes its revisions with Alembic: folders of them, made for tests, and Alembic itself to compare with."""

from __future__ import annotations

import json
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

# One that leaves the tenants to this library.
TENANTS_ENV = """\
from tenancy_fixtures.integrations.alembic import run_for_tenants

run_for_tenants(target_metadata=None)
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


TEMPLATE = '''\
"""${message}"""
import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
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
    (folder / "migrations" / "script.py.mako").write_text(TEMPLATE, encoding="utf-8")
    for order, item in enumerate(revisions):
        downs = None if not item.downs else item.downs[0] if len(item.downs) == 1 else item.downs
        bodies = {"up": textwrap.indent(textwrap.dedent(item.up), "    "), "down": textwrap.indent(textwrap.dedent(item.down), "    ")}
        text = REVISION.format(title=item.title, name=item.name, downs=downs, depends=item.depends, order=order, **bodies)
        (versions / f"{item.name}_step.py").write_text(text, encoding="utf-8")
    return folder / "alembic.ini"


def write_pack(folder: Path, *, name: str = "hosted", schema: str | None = None, **alembic: str) -> Path:
    """Write a pack whose revisions are those of the ``alembic.ini`` beside it."""
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


def _read(number: int, body: str, down: str = "pass", downs: tuple[str, ...] | None = None) -> Written:
    """A revision of the long history; those of ``READING`` run on a connection."""
    return Written(f"r{number:02d}", (f"r{number - 1:02d}",) if downs is None else downs, body, down)


READING = ("r11", "r13", "r16", "r19", "r21", "r24", "r26", "r28")

_ENUM = 'sa.dialects.postgresql.ENUM("low", "high", name="urgency")'


def long_history() -> tuple[Written, ...]:
    """Thirty revisions with two branches that are merged; eight of them, ``READING``, read what is there and write.

    After the tenth there are tables to put rows in: :data:`ROWS`. The twentieth wants addresses of mail that are unique.
    """
    return (
        Written(
            "r01",
            (),
            """
            op.create_table("customers", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text, nullable=False),
                            sa.Column("email", sa.String(120)))
            op.create_table("orders", sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
                            sa.Column("customer_id", sa.Integer, sa.ForeignKey("customers.id", name="orders_customer"), nullable=False),
                            sa.Column("cents", sa.Integer, nullable=False))
            """,
        ),
        _read(2, 'op.create_index("orders_by_customer", "orders", ["customer_id"])'),
        _read(
            3,
            "op.execute(\"CREATE TYPE order_state AS ENUM ('open', 'paid')\")\n"
            'op.add_column("orders", sa.Column("state", sa.Enum("open", "paid", name="order_state", create_type=False), server_default="open"))',
        ),
        _read(4, 'op.add_column("orders", sa.Column("note", sa.Text, server_default="it\'s 100% \\\\ new: :none"))'),
        _read(
            5,
            """
            plans = op.create_table("plans", sa.Column("code", sa.String(10), primary_key=True), sa.Column("price", sa.Numeric(8, 2)),
                                    sa.Column("since", sa.Date))
            import datetime
            op.bulk_insert(plans, [{"code": "free", "price": 0, "since": datetime.date(2020, 1, 2)}, {"code": "50%", "price": 9.5, "since": None}])
            """,
        ),
        _read(6, 'op.add_column("customers", sa.Column("city", sa.Text))'),
        _read(7, 'op.create_table("tags", sa.Column("word", sa.Text, primary_key=True))', downs=("r05",)),
        _read(8, "pass", downs=("r06", "r07")),
        _read(9, 'op.create_check_constraint("orders_cents", "orders", "cents >= 0")'),
        _read(10, 'op.execute("CREATE VIEW order_totals AS SELECT customer_id, sum(cents) AS cents FROM orders GROUP BY 1")'),
        _read(
            11,
            """
            op.add_column("customers", sa.Column("surname", sa.Text))
            bind = op.get_bind()
            for row in bind.execute(sa.text("SELECT id, name FROM customers ORDER BY id")).all():
                first, _, last = row.name.partition(" ")
                bind.execute(sa.text("UPDATE customers SET name = :first, surname = :last WHERE id = :id"), {"first": first, "last": last, "id": row.id})
            """,
        ),
        _read(12, 'op.alter_column("customers", "email", type_=sa.Text)'),
        _read(
            13,
            """
            cities = op.create_table("cities", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text, unique=True))
            names = op.get_bind().execute(sa.text("SELECT DISTINCT city FROM customers WHERE city IS NOT NULL ORDER BY 1")).scalars().all()
            if names:
                op.bulk_insert(cities, [{"name": name} for name in names])
            """,
        ),
        _read(14, 'op.create_table_comment("cities", "where \'they\' are; 100%")'),
        _read(
            15,
            """
            op.execute('''CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.word := upper(NEW.word); RETURN NEW; END $$''')
            op.execute("CREATE TRIGGER tags_shout BEFORE INSERT ON tags FOR EACH ROW EXECUTE FUNCTION shout()")
            """,
        ),
        _read(
            16,
            """
            from sqlalchemy.orm import Session
            op.add_column("customers", sa.Column("spent", sa.BigInteger, server_default="0", nullable=False))
            customers = sa.table("customers", sa.column("id", sa.Integer), sa.column("spent", sa.BigInteger))
            orders = sa.table("orders", sa.column("customer_id"), sa.column("cents"))
            with Session(op.get_bind()) as session:
                for customer, cents in session.execute(sa.select(orders.c.customer_id, sa.func.sum(orders.c.cents)).group_by(orders.c.customer_id)):
                    session.execute(sa.update(customers).where(customers.c.id == customer).values(spent=cents))
                session.commit()
            """,
        ),
        _read(17, 'op.alter_column("orders", "note", new_column_name="remark")'),
        _read(18, 'op.execute("INSERT INTO tags SELECT DISTINCT lower(city) FROM customers WHERE city IS NOT NULL ORDER BY 1")'),
        _read(
            19,
            f"""
            {_ENUM}.create(op.get_bind(), checkfirst=True)
            op.add_column("orders", sa.Column("urgency", {_ENUM.replace("name=", "create_type=False, name=")}))
            op.execute("UPDATE orders SET urgency = (CASE WHEN cents > 500 THEN 'high' ELSE 'low' END)::urgency")
            """,
        ),
        _read(20, 'op.create_index("customers_email", "customers", [sa.text("lower(email)")], unique=True)'),
        _read(
            21,
            """
            names = [column["name"] for column in sa.inspect(op.get_bind()).get_columns("customers")]
            if "plan" not in names:
                op.add_column("customers", sa.Column("plan", sa.String(10), sa.ForeignKey("plans.code", name="customers_plan")))
            op.execute("UPDATE customers SET plan = 'free'")
            """,
        ),
        _read(22, 'op.add_column("tags", sa.Column("uses", sa.Integer, server_default="0"))', downs=("r20",)),
        _read(23, "pass", downs=("r21", "r22")),
        _read(
            24,
            """
            bind = op.get_bind()
            words = bind.execute(sa.text("SELECT word, (SELECT count(*) FROM customers WHERE upper(city) = word) AS uses FROM tags")).mappings().all()
            if words:
                bind.execute(sa.text("UPDATE tags SET uses = :uses WHERE word = :word"), [dict(row) for row in words])
            """,
        ),
        _read(25, 'op.execute("DROP VIEW order_totals")'),
        _read(
            26,
            """
            connection = op.get_context().connection
            plans = sa.Table("plans", sa.MetaData(), autoload_with=connection)
            connection.execute(plans.insert().values(code="gold", price=sa.select(sa.func.max(plans.c.price) + 1).scalar_subquery()))
            """,
            "op.execute(\"DELETE FROM plans WHERE code = 'gold'\")",
        ),
        _read(
            27,
            'op.add_column("customers", sa.Column("facts", sa.dialects.postgresql.JSONB, server_default="{}"))',
            'op.drop_column("customers", "facts")',
        ),
        _read(
            28,
            """
            customers = sa.table("customers", sa.column("id"), sa.column("name"), sa.column("facts", sa.dialects.postgresql.JSONB))
            bind = op.get_bind()
            for row in bind.execute(sa.select(customers)).all():
                assert row.facts == {}
                bind.execute(sa.update(customers).where(customers.c.id == row.id).values(facts={"letters": len(row.name), "name": [row.name, "100%"]}))
            """,
        ),
        _read(29, 'op.execute("CREATE SEQUENCE invoice_numbers START 1000")', 'op.execute("DROP SEQUENCE invoice_numbers")'),
        _read(30, 'op.drop_column("orders", "remark")', 'op.add_column("orders", sa.Column("remark", sa.Text, server_default="back"))'),
    )


# What a tenant has after the tenth revision, by its number: other rows, and another number of them, in each.
ROWS = """
INSERT INTO {schema}.customers (name, email, city)
    SELECT 'First' || n || ' O''Last ' || {number}, 'user' || n || '@example.com', CASE n % 3 WHEN 0 THEN 'Malmö' WHEN 1 THEN 'City ' || {number} END
    FROM generate_series(1, 3 + {number} % 5) AS n;
INSERT INTO {schema}.orders (customer_id, cents, state)
    SELECT c.id, 100 * n + {number}, CASE WHEN n > 3 THEN 'paid' ELSE 'open' END::{schema}.order_state
    FROM {schema}.customers AS c, generate_series(1, 2 + {number} % 7) AS n
"""
