"""The command line against a real PostgreSQL: what each command does, says and exits with."""

from __future__ import annotations

import io
import json
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass

import psycopg
import pytest
import typer

from tenancy_fixtures._pg.bootstrap import with_parts
from tenancy_fixtures.cli import app
from tenancy_fixtures.cli._guard import guarded
from tenancy_fixtures.packs import DEFAULT_FOLDER
from tenancy_fixtures.settings import Settings

HEAD = 2
BAD_IDS = {"": "it is empty", "a b": "character 2 is ' ' (U+0020)", "a/b": "character 2 is '/' (U+002F)", "a" * 64: "it has 64 characters"}


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self):
        """The one object on stdout."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)

    @property
    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


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


def spoil(path):
    path.write_text(path.read_text(encoding="utf-8").replace(",20,", ",2000,"), encoding="utf-8")


# --- tenants ----------------------------------------------------------------------------------------------------------


def test_a_tenant_from_its_making_to_its_end(tenancy, look):
    done = tenancy("tenant", "create", "acme", "--tier", "premium", "--feature", "x", "--limit", "storage=2TB", "--label", "region=eu")
    assert (done.code, done.err) == (0, "")
    assert "'acme'" in done.out
    assert look("SELECT tier, limits->'storage'->>'value', labels->>'region', 'x' = ANY (features) FROM tenancy.tenants") == [
        ("premium", "2000000000000", "eu", True)
    ]
    shown = tenancy("tenant", "show", "acme")
    assert shown.code == 0
    assert "storage 2,000,000,000,000 bytes" in shown.out
    done = tenancy("tenant", "drop", "acme", "--yes", "--now")
    assert (done.code, done.err) == (0, "")
    assert look("SELECT count(*) FROM tenancy.tenants") == [(0,)]
    assert look("SELECT count(*) FROM pg_namespace WHERE nspname = 't_acme'") == [(0,)]


def test_create_in_json_is_the_tenant(tenancy):
    made = tenancy("tenant", "create", "acme", "--json").json
    assert (made["tenant_id"], made["namespace"], made["tier"], made["revision"], made["state"]) == ("acme", "t_acme", "standard", HEAD, "active")
    assert tenancy("tenant", "create", "acme", "--exist-ok", "--json").json["uid"] == made["uid"]


def test_a_taken_name_is_5(tenancy):
    tenancy("tenant", "create", "acme")
    done = tenancy("tenant", "create", "acme")
    assert (done.code, done.out) == (5, "")
    assert "Error: tenant 'acme' exists already" in done.err
    assert "  hint: " in done.err
    failure = tenancy("tenant", "create", "acme", "--json")
    assert (failure.code, failure.err) == (5, "")
    assert failure.json["error"] == "TenantExists"
    assert failure.json["exit_code"] == 5


def test_the_same_key_is_done_once(tenancy, look):
    first = tenancy("tenant", "create", "acme", "--idempotency-key", "k", "--json").json
    assert tenancy("tenant", "create", "acme", "--idempotency-key", "k", "--json").json == first
    assert look("SELECT count(*) FROM tenancy.runs") == [(1,)]
    assert tenancy("tenant", "create", "acme", "--idempotency-key", "k", "--tier", "free").code == 5


ON_A_TENANT = [("tenant", "create"), ("tenant", "show"), ("tenant", "drop", "--yes", "--now"), ("load",), ("validate",), ("migrate",)]


def test_a_name_that_none_can_have_is_2_and_leaves_nothing(tenancy, state):
    before = state()
    for command in ON_A_TENANT:
        for tenant, problem in BAD_IDS.items():
            done = tenancy(*command, "--json", tenant)
            assert (done.code, done.json["error"]) == (2, "InvalidTenantId"), (command, tenant)
            assert done.json["message"].endswith(problem)
    assert state() == before


def test_nobody_of_that_name_is_4(tenancy):
    for command in ON_A_TENANT[1:]:
        done = tenancy(*command, "nobody", "--json")
        assert (done.code, done.json["error"], done.json["tenant"]) == (4, "TenantNotFound", "nobody"), command


def test_the_runs_of_one_that_never_came_about_are_shown(tenancy, tmp_path):
    shutil.copytree(DEFAULT_FOLDER, tmp_path / "pack", ignore=shutil.ignore_patterns("data"))
    (tmp_path / "pack" / "schema_template.sql").write_text("CREATE TABLE t (\n  x inteeger\n);", encoding="utf-8")
    failed = tenancy("--pack", tmp_path / "pack", "tenant", "create", "acme")
    assert failed.code == 6
    assert "schema_template.sql" in failed.err
    done = tenancy("tenant", "show", "acme")
    assert done.code == 4
    assert "create_tenant" in done.err
    assert [run["error"] for run in tenancy("tenant", "show", "acme", "--json").json["runs"]] == ["ScriptFailed"]


def test_list_is_a_table_or_a_line_each(tenancy):
    assert tenancy("tenant", "list") == Done(0, "", "No tenants yet: `tenancy tenant create ID` makes one.\n")
    assert tenancy("tenant", "list", "--json") == Done(0, "", "")
    for name in ("b", "a", "B"):
        tenancy("tenant", "create", name)
    assert [item["tenant_id"] for item in tenancy("tenant", "list", "--json").lines] == ["B", "a", "b"]
    table = tenancy("tenant", "list").out.splitlines()
    assert [line.split()[0] for line in table[2:]] == ["B", "a", "b"]


def test_show_in_json_has_everything(tenancy, artists):
    tenancy("tenant", "create", "acme")
    tenancy("load", "acme", "--dataset", f"artists={artists}")
    shown = tenancy("tenant", "show", "acme", "--json").json
    assert sorted(shown) == ["config", "datasets", "runs", "tables", "tenant"]
    assert [(item["dataset"], item["read"], item["stored"]) for item in shown["datasets"]] == [("artists", 2, 2)]
    assert [(run["operation"], run["state"]) for run in shown["runs"]] == [("load_fixtures", "succeeded"), ("create_tenant", "succeeded")]
    assert {item["name"]: item["rows"] for item in shown["tables"]}["artists"] == 2
    assert shown["config"]


def test_drop_without_somebody_to_ask_needs_both_words(tenancy, state, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    tenancy("tenant", "create", "acme")
    before = state()
    for given, missing in (((), "--now"), (("--yes",), "--now"), (("--now",), "--yes")):
        done = tenancy("tenant", "drop", "acme", *given)
        assert (done.code, done.out) == (2, "")
        assert missing in done.err
    assert state() == before


def test_plans_change_nothing(tenancy, state, artists):
    tenancy("tenant", "create", "acme")
    before = state()
    plan = tenancy("tenant", "create", "other", "--dry-run", "--json")
    assert [(step["fixture"], step["action"]) for step in plan.json["steps"]] == [("tenant", "create"), ("schema", "create"), ("config", "create")]
    assert tenancy("tenant", "create", "other", "--dry-run").out.startswith("other: would\n  create other (tier standard)\n")
    assert tenancy("tenant", "create", "acme", "--dry-run").code == 5
    assert tenancy("tenant", "drop", "acme", "--dry-run").code == 0
    load = tenancy("load", "acme", "--dataset", f"artists={artists}", "--dry-run", "--json").json
    assert (load["dry_run"], load["read"], load["written"]) == (True, 2, 0)
    assert tenancy("migrate", "--all", "--dry-run").out == "acme: nothing to do.\n"
    assert state() == before


# --- data -------------------------------------------------------------------------------------------------------------


def test_a_load_in_json_is_its_report_and_the_sums(tenancy, look, artists):
    tenancy("tenant", "create", "acme")
    first = tenancy("load", "acme", "--dataset", f"artists={artists}", "--json").json
    sums = ("read", "stored", "duplicates", "rejects", "lost", "written", "inserted", "updated")
    assert [first[name] for name in sums] == [2, 2, 0, 0, 0, 2, 2, 0]
    assert (first["tenant_id"], first["state"], len(first["datasets"])) == ("acme", "succeeded", 1)
    again = tenancy("load", "acme", "--dataset", f"artists={artists}", "--json").json
    assert [again[name] for name in sums] == [2, 2, 0, 0, 0, 0, 0, 0]
    artists.write_text(artists.read_text(encoding="utf-8").replace("Bob,,{},20", "Bob,,{},21"), encoding="utf-8")
    edited = tenancy("load", "acme", "--dataset", f"artists={artists}", "--json").json
    assert [edited[name] for name in sums] == [2, 2, 0, 0, 0, 1, 0, 1]
    assert look("SELECT popularity FROM t_acme.artists WHERE name = 'Bob'") == [(21,)]


def test_a_load_is_told_in_words(tenancy, artists):
    tenancy("tenant", "create", "acme")
    done = tenancy("load", "acme", "--dataset", f"artists={artists}")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[2].split() == ["artists", "2", "2", "0", "0", "2", "0"]
    assert "acme: 2 rows written in " in done.out
    again = tenancy("load", "acme", "--dataset", f"artists={artists}")
    assert "Same content as before, no work: artists.\n" in again.out


def test_bad_records_are_6_and_listed_without_their_values(tenancy, look, artists):
    tenancy("tenant", "create", "acme")
    spoil(artists)
    done = tenancy("load", "acme", "--dataset", f"artists={artists}")
    assert (done.code, done.out) == (6, "")
    assert "artists.csv" in done.err
    assert "popularity" in done.err
    assert "2000" not in done.err
    assert look("SELECT count(*) FROM t_acme.artists") == [(0,)]
    failure = tenancy("load", "acme", "--dataset", f"artists={artists}", "--json")
    assert failure.code == 6
    assert [(item["record"], item["column"]) for item in failure.json["rejects"]] == [(2, "popularity")]


def test_bad_records_can_be_left_out(tenancy, look, artists):
    tenancy("tenant", "create", "acme")
    spoil(artists)
    done = tenancy("load", "acme", "--dataset", f"artists={artists}", "--on-error", "reject", "--json")
    assert (done.code, done.json["read"], done.json["stored"], done.json["rejects"]) == (0, 2, 1, 1)
    assert look("SELECT name FROM t_acme.artists") == [("Ada",)]


def test_what_cannot_be_loaded(tenancy, look):
    tenancy("tenant", "create", "acme")
    for words, code in (
        ("--dataset nothing", 4),
        ("--dataset artists=/no/such.csv", 6),
        ("--dataset artists=", 2),
        ("--dataset =x", 2),
        ("--dataset artists --dataset artists=x", 2),
        ("--on-error ignore", 2),
    ):
        done = tenancy("load", "acme", *words.split(), "--json")
        assert (done.code, done.json["exit_code"]) == (code, code), words
    assert look("SELECT count(*) FROM tenancy.ledger") == [(0,)]


def test_the_demo_twice(tenancy):
    first = tenancy("demo", "--json").json
    assert [(item["tenant_id"], item["tier"], item["created"]) for item in first["tenants"]] == [
        ("demo_standard", "standard", True),
        ("demo_premium", "premium", True),
    ]
    assert first["written"] == sum(item["load"]["written"] for item in first["tenants"]) > 2 * 60_000
    again = tenancy("demo")
    assert (again.code, again.err) == (0, "")
    assert "0 rows changed in " in again.out
    assert tenancy("demo", "--json").json["written"] == 0


# --- checks and revisions ---------------------------------------------------------------------------------------------


def test_validate_one_all_or_the_pack(tenancy):
    for name in ("a", "b"):
        tenancy("tenant", "create", name)
    assert [(item["subject"], item["ok"]) for item in tenancy("validate", "a", "--json").lines] == [("a", True)]
    assert [item["subject"] for item in tenancy("validate", "--json").lines] == ["spotify-agent", "a", "b"]
    only = tenancy("validate", "--pack-only")
    assert only.code == 0
    assert only.out.startswith("spotify-agent: ")
    assert tenancy("validate", "a", "--pack-only").code == 2


def test_findings_that_are_errors_are_1(tenancy, admin_database_url):
    tenancy("tenant", "create", "acme")
    with psycopg.connect(admin_database_url) as connection:
        connection.execute("DROP TABLE t_acme.audio_features CASCADE")
    done = tenancy("validate", "acme")
    assert (done.code, done.err) == (1, "")
    assert "audio_features" in done.out
    report = tenancy("validate", "acme", "--json")
    assert (report.code, report.json["ok"]) == (1, False)
    assert any(item["object"] == "audio_features" and item["severity"] == "error" for item in report.json["findings"])


@pytest.fixture
def longer_pack(tmp_path):
    """The default pack with one more revision."""
    folder = tmp_path / "longer"
    shutil.copytree(DEFAULT_FOLDER, folder, ignore=shutil.ignore_patterns("data", "__pycache__"))
    (folder / "migrations" / f"{HEAD + 1:04d}_more.sql").write_text("ALTER TABLE artists ADD COLUMN more text;", encoding="utf-8")
    return folder


def test_migrate_all_to_the_head(tenancy, longer_pack):
    for name in ("a", "b"):
        tenancy("tenant", "create", name)
    plan = tenancy("migrate", "--all", "--dry-run", "--pack", longer_pack)
    assert plan.out.count("migrate 0003_more") == 2
    done = tenancy("migrate", "--all", "--pack", longer_pack, "--json")
    assert (done.code, [line["tenant_id"] for line in done.lines]) == (0, ["a", "b"])
    assert [item["revision"] for item in tenancy("tenant", "list", "--json").lines] == [HEAD + 1] * 2
    assert tenancy("migrate", "a", "--pack", longer_pack).out.startswith("a: nothing to do")


def test_one_tenant_that_cannot_be_migrated_does_not_stop_the_others(tenancy, longer_pack, admin_database_url):
    for name in ("a", "b", "c"):
        tenancy("tenant", "create", name)
    with psycopg.connect(admin_database_url) as connection:
        connection.execute("ALTER TABLE t_b.artists ADD COLUMN more text")
    done = tenancy("migrate", "--all", "--pack", longer_pack, "--json")
    assert done.code == 6
    assert [line.get("error") for line in done.lines] == [None, "ScriptFailed", None]
    assert done.lines[1]["tenant"] == "b"
    assert [item["revision"] for item in tenancy("tenant", "list", "--json").lines] == [HEAD + 1, HEAD, HEAD + 1]


def test_migrate_wants_to_know_whom(tenancy):
    for words in ("", "a --all", "--all --to -1"):
        assert tenancy("migrate", *words.split()).code == 2, words


# --- init -------------------------------------------------------------------------------------------------------------


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
    assert ("CREATE ROLE" in script.out) is (roles == "create")
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
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


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


# --- surroundings -----------------------------------------------------------------------------------------------------


def test_nobody_answers_is_7_and_keeps_the_password(tenancy):
    done = tenancy("tenant", "list", "--json", url="postgresql://me:s3cret@127.0.0.1:1/x")
    assert (done.code, done.json["error"]) == (7, "DatabaseUnavailable")
    assert "s3cret" not in done.out + done.err


def test_no_database_in_production_is_3(tenancy, monkeypatch):
    monkeypatch.delenv("TENANCY_DATABASE_URL")
    monkeypatch.setenv("TENANCY_MODE", "production")
    for words in [("tenant", "list"), ("init",), ("init", "--print-sql"), ("demo",)]:
        done = tenancy(*words, "--json")
        assert (done.code, done.json["error"]) == (3, "DatabaseNotConfigured")


def test_a_setting_that_is_none_is_3(tenancy, monkeypatch):
    monkeypatch.setenv("TENANCY_BATCH_SIZE", "many")
    done = tenancy("tenant", "list")
    assert done.code == 3
    assert "TENANCY_BATCH_SIZE" in done.err


def test_the_pack_of_the_command_comes_before_the_general_one(tenancy, longer_pack, monkeypatch):
    monkeypatch.setenv("TENANCY_PACK", "/no/such/pack")
    assert tenancy("tenant", "create", "a").code == 6
    assert tenancy("--pack", longer_pack, "tenant", "create", "a", "--json").json["revision"] == HEAD + 1
    assert tenancy("--pack", "/no/such/pack", "tenant", "create", "b", "--pack", longer_pack, "--json").json["revision"] == HEAD + 1


def test_a_pack_is_found_in_a_module_where_the_command_is_typed(tenancy, longer_pack, tmp_path, monkeypatch):
    (tmp_path / "hosts_module_for_cli.py").write_text(
        f"from tenancy_fixtures.packs import Pack\nmine = Pack.from_folder({str(longer_pack)!r})\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [item for item in sys.path if item != ""])
    assert tenancy("tenant", "create", "a", "--pack", "hosts_module_for_cli:mine", "--json").json["revision"] == HEAD + 1
    assert tenancy("tenant", "create", "b", "--pack", "hosts_module_for_cli:yours").code == 6


def test_the_server_that_was_never_started(tenancy, tmp_path, monkeypatch):
    monkeypatch.setenv("TENANCY_DATA_DIR", str(tmp_path / "server"))
    status = tenancy("server", "status", "--json")
    assert (status.code, status.json["running"]) == (0, False)
    assert "No embedded PostgreSQL runs." in tenancy("server", "status").out
    assert tenancy("server", "stop", "--json").json == {"stopped": False}
    assert not (tmp_path / "server").exists()


def test_the_alias_is_written_into_a_hosts_app(tenancy, tmp_path):
    plan = tenancy("alias", tmp_path, "--dry-run", "--json").json
    assert plan["dry_run"]
    assert list(tmp_path.iterdir()) == []
    assert tenancy("alias", tmp_path, "--json").json["files"] == plan["files"]
    assert tenancy("alias", tmp_path) == Done(0, "", "The alias is there already, and up to date.\n")
    (tmp_path / "tenancy" / "fixtures" / "base.py").write_text("mine = 1\n", encoding="utf-8")
    assert tenancy("alias", tmp_path, "--json").json["error"] == "AliasConflict"
    assert tenancy("alias", tmp_path).code == 5
    assert tenancy("alias", tmp_path, "--force").code == 0


def test_settings_of_the_suite_do_not_leak_into_these_tests():
    assert Settings.from_env().database_url is None
