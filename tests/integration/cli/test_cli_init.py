"""``tenancy init``: the control plane made, brought forward, and printed, for every kind of login."""

from __future__ import annotations

import secrets
import shutil
import subprocess

import psycopg
import pytest

from tenancy_fixtures._pg.bootstrap import with_parts
from tests.databases import drop_database


def test_init_of_an_empty_database_and_again(tenancy, admin_url, empty_database):
    url = with_parts(admin_url, database=empty_database)
    before = tenancy("tenant", "list", url=url)
    assert before.code == 3
    assert "Run `tenancy init`" in before.err
    first = tenancy("init", "--json", url=url).json
    assert (first["database"], first["version_before"], first["changed"], first["roles"]["owner"]) == (empty_database, None, True, "tenancy_owner")
    assert tenancy("init", url=url).out.startswith(f"The control plane in database {empty_database!r} was up to date: version {first['version']}.\n")
    assert tenancy("tenant", "create", "acme", url=url).code == 0


def test_a_login_with_create_on_its_database_can_do_everything(tenancy, plain_url, artists):
    made = tenancy("init", "--json", url=plain_url).json
    assert made["roles"] == dict.fromkeys(made["roles"])
    for words in [("tenant", "create", "acme"), ("load", "acme", "--dataset", f"artists={artists}"), ("validate", "acme"), ("migrate", "--all")]:
        done = tenancy(*words, url=plain_url)
        assert done.code == 0, done
    assert tenancy("tenant", "drop", "acme", "--now", "--yes", url=plain_url).code == 0


def test_that_login_is_told_that_it_makes_no_roles(tenancy, plain_url):
    done = tenancy("init", "--roles", "create", "--json", url=plain_url)
    assert (done.code, done.json["error"]) == (3, "PermissionDenied")
    assert tenancy("init", "--grant-to", "somebody", url=plain_url).code == 3


def test_a_login_can_be_let_in(tenancy, admin_url, empty_database, plain_login):
    url = with_parts(admin_url, database=empty_database)
    theirs = with_parts(admin_url, database=empty_database, user=plain_login, password="only-for-tests")
    try:
        assert tenancy("init", "--grant-to", plain_login, "--json", url=url).json["logins"] == [plain_login]
        assert tenancy("tenant", "create", "acme", url=theirs).code == 0
        assert tenancy("tenant", "drop", "acme", "--now", "--yes", url=theirs).code == 0
    finally:
        # The login is the session's: other tests want it to be nobody's member.
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f'REVOKE tenancy_migrator, tenancy_loader FROM "{plain_login}"')


def test_a_login_that_is_not_there_is_3_and_nothing_was_made(tenancy, admin_url, empty_database, look):
    url = with_parts(admin_url, database=empty_database)
    done = tenancy("init", "--grant-to", "nosuch", url=url)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("Error: the server has no login 'nosuch'\n  hint: Make it first, as an administrator: CREATE ROLE \"nosuch\" LOGIN")
    assert look("SELECT count(*) FROM pg_namespace WHERE nspname = 'tenancy'", url) == [(0,)]


def test_other_roles_than_those_that_are_there_are_refused(tenancy, admin_url, empty_database):
    url = with_parts(admin_url, database=empty_database)
    assert tenancy("init", "--roles", "none", url=url).code == 0
    done = tenancy("init", "--roles", "create", url=url)
    assert done.code == 3
    assert "has other roles: none" in done.err


def test_what_init_does_not_understand(tenancy):
    for words, code in (
        (("--role", "owner=x"), 3),
        (("--role", "king=x"), 3),
        (("--role", "owner=x y"), 3),
        (("--role", "owner"), 2),
        (("--role", "owner=x", "--roles", "none"), 2),
        (("--grant-to", ""), 2),
        (("--roles", "some"), 2),
    ):
        assert tenancy("init", *words).code == code, words


def run_script(url, script):
    """As an administrator would: with psql, or, where there is none, in one message to the server."""
    if shutil.which("psql"):
        subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", url], input=script, text=True, check=True, capture_output=True)
        return
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(script)


@pytest.mark.parametrize("roles", ["create", "none"])
def test_the_printed_sql_makes_the_same_control_plane(roles, tenancy, admin_url, empty_database, other_database):
    our_url, their_url = with_parts(admin_url, database=empty_database), with_parts(admin_url, database=other_database)
    assert tenancy("init", "--roles", roles, url=our_url).code == 0
    script = tenancy("init", "--roles", roles, "--print-sql", url=their_url)
    assert (script.code, script.err) == (0, "")
    # The server has the roles already, so that it could not tell whether the script makes them.
    assert ("'CREATE ROLE %I NOLOGIN', 'tenancy_owner'" in script.out) is (roles == "create")
    for _ in range(2):
        run_script(their_url, script.out)
        assert structure(our_url) == structure(their_url)
        script = tenancy("init", "--print-sql", url=their_url)
    assert tenancy("init", "--json", url=their_url).json["changed"] is False
    assert tenancy("tenant", "create", "acme", url=their_url).code == 0


@pytest.fixture
def other_database(admin_url):
    name = f"tenancy_test_{secrets.token_hex(6)}"
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield name
        drop_database(admin_url, name)


STRUCTURE = """
SELECT 'schema', n.nspname::text, n.nspowner::regrole::text, n.nspacl::text FROM pg_namespace n WHERE n.nspname = 'tenancy'
UNION ALL SELECT c.relkind::text, c.relname, c.relowner::regrole::text, c.relacl::text FROM pg_class c WHERE c.relnamespace = 'tenancy'::regnamespace
UNION ALL SELECT 'column', a.attrelid::regclass || '.' || a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull || a.attidentity::text
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'tenancy'::regnamespace AND a.attnum > 0
UNION ALL SELECT 'default', d.adrelid::regclass::text, d.adnum::text, pg_get_expr(d.adbin, d.adrelid)
  FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid WHERE c.relnamespace = 'tenancy'::regnamespace
UNION ALL SELECT 'constraint', conname, conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'tenancy'::regnamespace
UNION ALL SELECT 'index', indexname, indexdef, NULL FROM pg_indexes WHERE schemaname = 'tenancy'
UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(t.oid), NULL FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
  WHERE c.relnamespace = 'tenancy'::regnamespace AND NOT tgisinternal
UNION ALL SELECT 'routine', pg_get_functiondef(p.oid), p.proowner::regrole::text, p.proacl::text FROM pg_proc p WHERE p.pronamespace = 'tenancy'::regnamespace
UNION ALL SELECT 'comment', o.objoid::regclass::text, o.objsubid::text, o.description
  FROM pg_description o JOIN pg_class c ON c.oid = o.objoid WHERE o.classoid = 'pg_class'::regclass AND c.relnamespace = 'tenancy'::regnamespace
UNION ALL SELECT 'migration', number::text, name, digest FROM tenancy.migrations
UNION ALL SELECT 'installation', version::text, roles::text, NULL FROM tenancy.installation
"""


def structure(url):
    """Everything in the control plane, owners and rights included, and the rows that it begins with."""
    with psycopg.connect(url) as connection:
        found = connection.execute(STRUCTURE).fetchall()
    assert {row[0] for row in found} > {
        "schema",
        "column",
        "default",
        "constraint",
        "index",
        "trigger",
        "routine",
        "comment",
        "migration",
        "installation",
    }
    return sorted(found, key=str)


def test_printing_sql_changes_nothing(tenancy, admin_url, empty_database, look):
    url = with_parts(admin_url, database=empty_database)
    assert tenancy("init", "--print-sql", "--json", url=url).json["sql"].startswith("BEGIN;\n")
    assert look("SELECT count(*) FROM pg_namespace WHERE nspname = 'tenancy'", url) == [(0,)]
