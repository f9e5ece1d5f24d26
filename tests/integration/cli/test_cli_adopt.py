"""``tenancy adopt`` and ``tenancy eject``: what they say, and what they exit with."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.database_fleet import databases_of
from tests.fleets import fleet_in


@pytest.fixture
def fleet(admin_database_url):
    with fleet_in(admin_database_url) as made:
        made.make("tenant_a", 2)
        made.make("tenant_b", drift="a column too many")
        with made.connection() as connection:
            connection.execute("CREATE SCHEMA tenant_c; CREATE TABLE tenant_c.t (); CREATE SCHEMA tenant_d")
        yield made


def test_a_fleet_comes_and_goes(tenancy, admin_database_url, fleet, look, tmp_path, monkeypatch):
    folder = str(fleet.pack(tmp_path / "pack").folder)
    first = tenancy("adopt", "--schemas", "tenant_%", "--pack", folder, "--dry-run", url=admin_database_url)
    assert first.code == 1
    assert "4 schemas: 1 ready, 1 drifted, 2 in conflict; 1 would be registered." in first.out
    assert "extra: column orders.hotfix" in first.out
    accepting = tenancy("adopt", "--schemas", "tenant_%", "--pack", folder, "--dry-run", "--accept-drift")
    assert "; 2 would be registered." in accepting.out
    assert look("SELECT count(*) FROM tenancy.adoptions") == [(0,)]
    done = tenancy("adopt", "--schemas", "tenant_%", "--pack", folder, "--accept-drift", "--json")
    answer = json.loads(done.out)
    assert (done.code, answer["counts"]) == (1, {"ready": 1, "drifted": 1, "conflict": 2, "registered": 2})
    drifted = next(item for item in answer["adoptions"] if item["schema"] == "tenant_b")
    assert drifted["difference"] == [{"kind": "column", "name": "orders.hotfix", "how": "extra", "expected": None, "found": "text"}]
    assert tenancy("adopt", "--schemas", "tenant_a", "--schemas", "tenant_b", "--pack", folder).code == 0
    again = tenancy("adopt", "--schemas", "tenant_%", "--pack", folder, "--dry-run")
    assert "; 0 would be registered, 2 were before." in again.out
    none = tenancy("adopt", "--schemas", "tenants_%", "--pack", folder)
    assert (none.code, none.out[:10], "No schema fits" in none.err) == (0, "0 schemas:", True)
    assert tenancy("adopt").code == 3
    assert tenancy("adopt", "--schemas", "x", "--pack", folder, "--metadata", "shop.models:metadata").code == 2
    assert tenancy("adopt", "--schemas", "x", "--pack", folder, "--alembic", "alembic.ini").code == 2
    monkeypatch.chdir(tmp_path)
    asked = tenancy("eject")
    assert (asked.code, "say --yes" in asked.err) == (2, True)
    dry = tenancy("eject", "--dry-run")
    assert (dry.code, dry.out.endswith("Nothing was changed.\n")) == (0, True)
    report = json.loads(tenancy("eject", "--yes", "--to", "out.sql", "--json").out)
    assert (report["adopted"], report["rows"]["tenants"], (tmp_path / "out.sql").stat().st_mode & 0o777) == (["tenant_a", "tenant_b"], 2, 0o600)
    assert tenancy("eject", "--yes").code == 3


MODELS = """\
import sqlalchemy as sa

metadata = sa.MetaData(naming_convention={"pk": "%(table_name)s_key"})
"""
REVISION = """\
import sqlalchemy as sa
from alembic import op

revision, down_revision = "a1", None


def upgrade():
    op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True))
"""


def test_constraints_are_named_as_the_models_say(tenancy, admin_database_url, fleet, tmp_path):
    (tmp_path / "conventional_models.py").write_text(MODELS)
    (tmp_path / "alembic" / "versions").mkdir(parents=True)
    (tmp_path / "alembic" / "versions" / "a1.py").write_text(REVISION)
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = alembic\nprepend_sys_path = .\n")
    fleet.schemas["named_a"] = 1
    with fleet.connection() as connection:
        connection.execute("CREATE SCHEMA named_a; CREATE TABLE named_a.notes (id serial, CONSTRAINT notes_key PRIMARY KEY (id))")
        connection.execute("CREATE TABLE named_a.alembic_version (version_num varchar(32) CONSTRAINT alembic_version_pkc PRIMARY KEY)")
        connection.execute("INSERT INTO named_a.alembic_version VALUES ('a1')")
    command = ("adopt", "--schemas", "named_%", "--alembic", str(tmp_path / "alembic.ini"), "--dry-run")
    without = tenancy(*command, url=admin_database_url)
    assert (without.code, "1 drifted" in without.out, "--metadata" in without.err) == (1, True, True)
    right = tenancy(*command, "--metadata", "conventional_models:metadata")
    assert (right.code, "1 ready, 0 drifted" in right.out, right.err) == (0, True, "")
    wrong = tenancy(*command, "--metadata", "conventional_models")
    assert (wrong.code, "Give module:attribute" in wrong.err) == (6, True)


SHARED = """
CREATE SCHEMA shared; CREATE TABLE shared.tenants (id integer PRIMARY KEY);
CREATE TABLE shared.notes (tenant_id integer NOT NULL REFERENCES shared.tenants, id integer, PRIMARY KEY (tenant_id, id));
CREATE TABLE shared.odd (org_id integer);
ALTER TABLE shared.notes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON shared.notes USING (tenant_id = current_setting('app.tenant', true)::integer);
GRANT SELECT ON shared.notes TO pg_monitor;
"""


def test_tables_that_tenants_share_are_looked_at(tenancy, admin_database_url):
    with psycopg.connect(admin_database_url) as connection:
        connection.execute(SHARED)
    found = tenancy("adopt", "--shared", "shared")
    assert found.code == 0
    assert found.out.splitlines()[:3] == [
        "shared: tenants are told apart by tenant_id (integer), which refers to shared.tenants.",
        "Tenants: not counted: the login may not read tenants. Policies read app.tenant.",
        "3 tables: 1 ready, 0 lacking something, 2 common to all; 0 missing.",
    ]
    with psycopg.connect(admin_database_url) as connection:
        connection.execute("ALTER TABLE shared.notes NO FORCE ROW LEVEL SECURITY")
    lacking = tenancy("adopt", "--shared", "shared", url=admin_database_url)
    assert (lacking.code, "0 tenants (exact)." in lacking.out) == (1, True)
    assert lacking.out.endswith(
        "\nsecurity_not_forced: table shared.notes lacks row-level security for its owner\n"
        "  Policies do not bind the table's owner, and whatever works with its rights.\n"
        "  Fix: ALTER TABLE shared.notes FORCE ROW LEVEL SECURITY;\n"
    )
    answer = json.loads(tenancy("adopt", "--shared", "shared", "--column", "org_id", "--json").out)
    assert (answer["ok"], answer["column"], answer["counts"]) == (False, "org_id", {"ready": 0, "lacks": 1, "common": 2})
    assert tenancy("adopt", "--shared", "nobody").code == 3
    assert tenancy("adopt", "--shared", "shared", "--accept-drift").code == 2
    assert tenancy("adopt", "--column", "org_id").code == 2


def test_databases_are_adopted_and_left(tenancy, admin_url, admin_database_url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with databases_of(admin_url) as fleet:
        name, folder = fleet.make("one", 1), str(fleet.pack(tmp_path / "pack").folder)
        fleet.make("two", also="ALTER TABLE orders ADD COLUMN hotfix text")
        found = tenancy("adopt", "--databases", f"{fleet.prefix}%", "--pack", folder, url=admin_database_url)
        assert (found.code, "2 databases: 1 ready, 1 drifted, 0 in conflict; 1 registered." in found.out) == (1, True)
        assert "Database" in found.out
        assert "extra: column orders.hotfix" in found.out
        assert tenancy("adopt", "--databases", "x%", "--schemas", "y%", "--pack", folder).code == 3
        assert tenancy("migrate", "one", "--pack", folder).code == 0
        shown = json.loads(tenancy("tenant", "show", "one", "--json").out)
        assert {table["name"] for table in shown["tables"]} == {"customers", "orders"}
        assert tenancy("validate", "one", "--pack", folder).code == 0
        dropped = tenancy("tenant", "drop", "one", "--dry-run")
        assert (dropped.code, "is its owner's to drop" in dropped.err) == (5, True)
        refused = tenancy("eject", "--yes")
        assert (refused.code, f"the database {name} of tenant one" in refused.err) == (5, True)
        assert tenancy("eject", "--yes", "--to", "one.sql", url=fleet.url(name)).code == 0
        assert tenancy("eject", "--yes", "--to", "main.sql", url=admin_database_url).code == 0
