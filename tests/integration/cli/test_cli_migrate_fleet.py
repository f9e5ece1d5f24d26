"""A fleet that is looked at, that is migrated by hand, and whose migration a signal stops."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

import tenancy_fixtures
import tenancy_fixtures._skeleton
from tenancy_fixtures._isolation import make_head
from tests.alembic_host import SMALL, Written, write_host, write_pack

SOURCES = str(Path(tenancy_fixtures.__file__).resolve().parents[1])
NOTES = Path(tenancy_fixtures._skeleton.__file__).parent / "pack"
FIRST = """
CREATE TYPE mood AS ENUM ('calm', 'loud');
CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL, mood mood, CONSTRAINT short CHECK (length(body) < 100));
CREATE INDEX notes_body ON notes (body);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER touched BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION touch();
"""
SECOND = "ALTER TABLE notes ADD COLUMN author text DEFAULT 'it''s $1 {nobody}';\n"
THIRD = "CREATE TABLE tags (note bigint REFERENCES notes, tag text, PRIMARY KEY (note, tag)); -- no end of line"


@pytest.fixture
def pack(tmp_path):
    """A pack of one revision; ``grow`` gives it another."""
    folder = tmp_path / "pack"
    shutil.copytree(NOTES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    manifest = json.loads((folder / "pack.json").read_text("utf-8"))
    (folder / "pack.json").write_text(json.dumps({**manifest, "name": "fleet", "datasets": []}), encoding="utf-8")
    (folder / "schema_template.sql").write_text(FIRST, encoding="utf-8")
    for file in (folder / "migrations").iterdir():
        file.unlink()
    grow(folder, 1, FIRST)
    return folder


def grow(folder, number, text):
    (folder / "migrations" / f"{number:04d}_step.sql").write_text(text, encoding="utf-8")
    head = "\n".join(file.read_text("utf-8") for file in sorted((folder / "migrations").glob("????_step.sql")))
    (folder / "schema_template.sql").write_text(head, encoding="utf-8")


def make(tenancy, pack, *names, isolation="schema"):
    for name in names:
        assert tenancy("tenant", "create", name, "--pack", pack, "--isolation", isolation).code == 0


def test_a_fleet_that_is_as_it_should_be(tenancy, pack, state):
    make(tenancy, pack, "a", "b")
    before = state()
    done = tenancy("migrate", "--all", "--check", "--pack", pack)
    assert (done.code, done.out, done.err) == (0, "2 tenants: 2 as the pack has it, 0 behind, 0 drifted.\n", "")
    some = tenancy("migrate", "a", "nobody", "--check", "--pack", pack)
    assert (some.code, some.out) == (4, "2 tenants: 1 as the pack has it, 0 behind, 0 drifted, 1 failed.\n")
    listed = tenancy("migrate", "a", "--check", "--pack", pack, "--json").json
    assert listed == {"tenant_id": "a", "revision": 1, "head": 1, "behind": False, "ok": True, "differences": [], "faults": []}
    assert state() == before


def test_what_the_pack_makes_is_made_once_for_all_that_are_looked_at(tenancy, pack, monkeypatch):
    make(tenancy, pack, "a", "b", "c")
    times = []

    async def counted(*arguments, **options):
        times.append(arguments)
        return await make_head(*arguments, **options)

    monkeypatch.setattr("tenancy_fixtures._integrity.made.make_head", counted)
    assert tenancy("migrate", "--all", "--check", "--pack", pack).code == 0
    assert len(times) == 1


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("ALTER TABLE t_b.notes ADD COLUMN mine text", "extra: column notes.mine"),
        ("ALTER TABLE t_b.notes ALTER COLUMN body DROP NOT NULL", "changed: column notes.body"),
        ("ALTER TABLE t_b.notes DROP CONSTRAINT short", "missing: constraint notes.short"),
        ("ALTER TABLE t_b.notes DROP CONSTRAINT short, ADD CONSTRAINT short CHECK (length(body) < 100) NOT VALID", "changed: constraint notes.short"),
        ("DROP INDEX t_b.notes_body", "missing: index notes_body"),
        ("CREATE INDEX more ON t_b.notes (mood)", "extra: index more"),
        ("ALTER TABLE t_b.notes DISABLE TRIGGER touched", "changed: trigger notes.touched"),
        ("CREATE TABLE t_b.mine (a integer)", "extra: table mine"),
        ("DROP TABLE t_b.notes", "missing: table notes"),
        ("CREATE OR REPLACE FUNCTION t_b.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$", "changed: function touch()"),
        ("ALTER TYPE t_b.mood ADD VALUE 'still'", "changed: type mood"),
        ("CREATE VIEW t_b.seen AS SELECT 1 AS one", "extra: view seen"),
        ("DROP SCHEMA t_b CASCADE", "missing: schema t_b"),
        ("UPDATE tenancy.revisions SET digest = 'x' WHERE uid = (SELECT uid FROM tenancy.tenants WHERE tenant_id = 'b')", "was edited after it was"),
    ],
)
def test_each_drift_is_named(tenancy, pack, admin_database_url, damage, said):
    make(tenancy, pack, "a", "b")
    with psycopg.connect(admin_database_url, autocommit=True) as connection:
        connection.execute(damage)
    done = tenancy("migrate", "--all", "--check", "--pack", pack)
    assert (done.code, done.err) == (9, "")
    assert said in done.out
    assert done.out.endswith("2 tenants: 1 as the pack has it, 0 behind, 1 drifted.\n")
    lines = tenancy("migrate", "--all", "--check", "--pack", pack, "--json").lines
    assert [line["ok"] for line in lines] == [True, False]
    told = [f"{item['how']}: {item['kind']} {item['name']}" for item in lines[1]["differences"]]
    assert any(said in text for text in (*told, *lines[1]["faults"]))


def test_tenants_that_are_behind_are_compared_where_they_stand(tenancy, pack, admin_database_url):
    make(tenancy, pack, "a", "b")
    grow(pack, 2, SECOND)
    make(tenancy, pack, "c")
    with psycopg.connect(admin_database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE t_b.notes ADD COLUMN author text")
    done = tenancy("migrate", "--all", "--check", "--pack", pack)
    assert (done.code, done.out.splitlines()) == (
        9,
        [
            "a: behind, at revision 1 of 2",
            "b: behind, at revision 1 of 2, 1 difference",
            "  extra: column notes.author",
            "3 tenants: 1 as the pack has it, 2 behind, 1 drifted.",
        ],
    )
    for words in (("--check", "--dry-run"), ("--check", "--to", "1")):
        assert tenancy("migrate", "--all", *words, "--pack", pack).code == 2


def test_tenants_that_share_tables(tenancy, pack, admin_database_url):
    assert tenancy("pack", "rowify", pack).code == 0
    make(tenancy, pack, "a", "b", isolation="row")
    assert tenancy("migrate", "--all", "--check", "--pack", pack).code == 0
    with psycopg.connect(admin_database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE shared_fleet.notes DISABLE ROW LEVEL SECURITY")
    done = tenancy("migrate", "--all", "--check", "--pack", pack)
    assert (done.code, done.out.count("changed: table notes")) == (9, 2)


@pytest.fixture
def environment(database_url):
    return {**os.environ, "PYTHONPATH": SOURCES, "TENANCY_DATABASE_URL": database_url, "TENANCY_MAX_CONCURRENCY": "3"}


@pytest.fixture
def revisions(look):
    """How many tenants are at each revision."""
    return lambda: dict(look("SELECT revision, count(*) FROM tenancy.tenants GROUP BY revision"))


def start(environment, *words):
    command = [sys.executable, "-m", "tenancy_fixtures", *map(str, words)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it has not come about"
        time.sleep(0.02)


TENANTS = [f"t{number:02d}" for number in range(24)]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_lets_those_in_hand_finish_and_begins_no_other(tenancy, pack, environment, revisions, number, code):
    make(tenancy, pack, *TENANTS)
    grow(pack, 2, SECOND + "SELECT pg_sleep(0.4);")
    process = start(environment, "migrate", "--all", "--pack", pack, "--json")
    wait_for(lambda: revisions().get(2, 0) >= 2)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    *reports, stopped, last = map(json.loads, out.splitlines())
    assert (process.returncode, last["error"], last["exit_code"], err) == (code, "Interrupted", code, "")
    finished = [report["tenant_id"] for report in reports]
    assert stopped == {"stopped": True, "finished": len(finished), "given_back": [], "not_begun": TENANTS[len(finished) :]}
    assert finished == TENANTS[: len(finished)]
    assert 2 <= len(finished) <= 12
    assert revisions() == {1: 24 - len(finished), 2: len(finished)}
    checked = tenancy("migrate", "--all", "--check", "--pack", pack)
    assert checked.out.endswith(f"24 tenants: {len(finished)} as the pack has it, {24 - len(finished)} behind, 0 drifted.\n")
    # The same command again goes on.
    again = start(environment, "migrate", "--all", "--pack", pack)
    assert (again.communicate(timeout=60)[1], again.returncode) == ("", 0)
    assert tenancy("migrate", "--all", "--check", "--pack", pack).code == 0


def test_what_does_not_finish_in_time_is_given_back_whole(tenancy, pack, environment, revisions, look):
    make(tenancy, pack, *TENANTS[:5])
    grow(pack, 2, SECOND + "SELECT pg_sleep(60);")
    process = start(environment, "migrate", "--all", "--pack", pack)
    wait_for(lambda: look("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'")[0][0] == 3)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert 4.5 < time.monotonic() - began < 15
    assert (process.returncode, out) == (143, "")
    assert err.splitlines() == [
        "Stopped by a signal: 0 of 5 tenants finished.",
        "Given back in the middle, as they were before: t00, t01, t02.",
        "Not begun: t03, t04.",
        "The same command again goes on with them.",
        "Interrupted. What was not committed is rolled back.",
    ]
    assert revisions() == {1: 5}
    assert look("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'")[0][0] == 0
    assert tenancy("migrate", "--all", "--check", "--pack", pack).out.endswith("5 behind, 0 drifted.\n")


@pytest.fixture
def psql(database_url):
    """Run a script as whoever does the daily work."""
    if shutil.which("psql") is None:
        pytest.skip("psql is not installed")

    def run(script, *options):
        command = ["psql", "--no-psqlrc", "--quiet", *options, "--dbname", database_url]
        return subprocess.run(command, input=script, capture_output=True, text=True, check=False)

    return run


STOP = "--set=ON_ERROR_STOP=1"
TRACE = """
SELECT t.tenant_id, r.number, r.name, r.digest, s.object, u.operation, u.state, a.action, a.detail
FROM tenancy.tenants t JOIN tenancy.revisions r USING (uid) JOIN tenancy.runs u USING (run_id) JOIN tenancy.steps s USING (run_id)
JOIN tenancy.audit_log a USING (run_id)
WHERE r.number > 1 AND s.object LIKE '%' || r.number || '_step' AND a.detail ->> 'revision' = r.number::text ORDER BY 1, 2
"""
GRANTS = "SELECT c.relname, c.relkind, replace(c.relacl::text, t.role::text, 'own'), c.relowner::regrole::text FROM pg_class c JOIN tenancy.tenants t ON t.namespace::regnamespace = c.relnamespace WHERE t.tenant_id = '{}' ORDER BY 1"


def test_what_is_printed_does_what_a_migration_does(tenancy, pack, psql, look, state):
    make(tenancy, pack, "a", "b", "It-s.Me")
    grow(pack, 2, SECOND)
    make(tenancy, pack, "later")
    grow(pack, 3, THIRD)
    before = state()
    printed = tenancy("migrate", "--all", "--print-sql", "--pack", pack)
    assert (printed.code, printed.err, state()) == (0, "", before)
    # What is the same is printed once.
    assert printed.out.count("'it''s $1 {nobody}'") == 1
    assert printed.out.count("CREATE TABLE tags") == 2
    groups = tenancy("migrate", "--all", "--print-sql", "--pack", pack, "--json").lines
    assert [(group["revisions"], group["tenants"]) for group in groups] == [
        (["0002_step", "0003_step"], ["It-s.Me", "a", "b"]),
        (["0003_step"], ["later"]),
    ]
    # One is migrated by the library: the others must be as that one.
    assert tenancy("migrate", "b", "--pack", pack).code == 0
    done = psql(printed.out, STOP)
    assert done.returncode == 0, done.stderr
    assert "b is at revision 3 already" in done.stderr
    assert tenancy("migrate", "--all", "--check", "--pack", pack).out == "4 tenants: 4 as the pack has it, 0 behind, 0 drifted.\n"
    trace = look(TRACE)
    assert len(trace) == 7
    assert [row[1:] for row in trace if row[0] == "a"] == [row[1:] for row in trace if row[0] == "b"]
    assert look(GRANTS.format("a")) == look(GRANTS.format("b"))
    assert len(look(GRANTS.format("a"))) > 4
    assert tenancy("migrate", "--all", "--pack", pack).out.count("nothing to do") == 4
    for name in ("a", "b"):
        assert tenancy("validate", name, "--pack", pack).code == 0
    after = state()
    assert psql(printed.out, STOP).stderr.count("already") == 4
    assert state() == after
    done = tenancy("migrate", "--all", "--print-sql", "--pack", pack)
    assert (done.code, done.out) == (0, "")


def test_what_is_printed_leaves_a_tenant_whole_where_it_fails(tenancy, pack, psql, look, admin_database_url):
    make(tenancy, pack, "a", "b", "c")
    grow(pack, 2, SECOND)
    printed = tenancy("migrate", "--all", "--print-sql", "--pack", pack).out
    with psycopg.connect(admin_database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE t_b.notes ADD COLUMN author text")
        connection.execute("UPDATE tenancy.tenants SET revision = 0 WHERE tenant_id = 'c'")
    done = psql(printed)
    assert 'column "author" of relation "notes" already exists' in done.stderr
    assert "c is not at revision 1 any more: print the SQL anew" in done.stderr
    assert look("SELECT tenant_id, revision FROM tenancy.tenants ORDER BY 1") == [("a", 2), ("b", 1), ("c", 0)]
    assert look("SELECT count(*) FROM tenancy.revisions WHERE number = 2") == [(1,)]


def test_what_is_printed_for_tenants_that_share_tables(tenancy, pack, psql):
    assert tenancy("pack", "rowify", pack).code == 0
    make(tenancy, pack, "a", "b", isolation="row")
    grow(pack, 2, "ALTER TABLE notes ADD COLUMN author text;")
    (pack / "migrations" / "0002_step.row.sql").write_text("ALTER TABLE notes ADD COLUMN author text;", encoding="utf-8")
    assert tenancy("pack", "rowify", pack).code == 0
    groups = tenancy("migrate", "--all", "--print-sql", "--pack", pack, "--json").lines
    assert [group["tenants"] for group in groups] == [["a", "b"]]
    done = psql(groups[0]["sql"], STOP)
    assert (done.returncode, done.stderr) == (0, "")
    assert tenancy("migrate", "--all", "--check", "--pack", pack).out == "2 tenants: 2 as the pack has it, 0 behind, 0 drifted.\n"


def test_what_is_printed_tells_alembic_too(tenancy, tmp_path, psql, look):
    pack = write_pack(tmp_path)
    write_host(pack, SMALL[:1])
    make(tenancy, pack, "a")
    write_host(pack, SMALL[:3])
    # Two heads at once, until they are merged.
    assert "ends in 2 heads" in tenancy("migrate", "--all", "--print-sql", "--pack", pack).err
    write_host(pack, SMALL[:4])
    done = psql(tenancy("migrate", "--all", "--print-sql", "--pack", pack).out, STOP)
    assert (done.returncode, done.stderr) == (0, "")
    assert look("SELECT version_num FROM t_a.alembic_version") == [(SMALL[3].name,)]
    assert tenancy("migrate", "--all", "--check", "--pack", pack).out == "1 tenant: 1 as the pack has it, 0 behind, 0 drifted.\n"
    write_host(pack, SMALL)
    refused = tenancy("migrate", "--all", "--print-sql", "--pack", pack)
    assert (refused.code, refused.out) == (3, "")
    assert "0006_ff6 reads what is there" in refused.err


def test_nothing_is_printed_where_one_tenant_cannot_be_brought_forward(tenancy, pack):
    make(tenancy, pack, "a")
    (pack / "migrations" / "0001_step.sql").write_text("-- other text\n", encoding="utf-8")
    done = tenancy("migrate", "--all", "--print-sql", "--pack", pack)
    assert (done.code, done.out) == (6, "")
    assert tenancy("migrate", "--all", "--print-sql", "--check", "--pack", pack).code == 2
    assert tenancy("migrate", "nobody", "--print-sql", "--pack", pack).code == 4


@pytest.mark.parametrize("reads", [False, True])
def test_what_a_revision_prints_is_no_answer(tenancy, tmp_path, reads):
    made = Written("aa1", (), 'op.create_table("songs", sa.Column("id", sa.Integer, primary_key=True))')
    chatty = Written(
        "bb2", ("aa1",), f'print("DROP TABLE songs;")\nop.add_column("songs", sa.Column("n", sa.Text))\n{"op.get_bind()" if reads else ""}'
    )
    for name, history in (("early", (made,)), ("late", (made, chatty))):
        write_host(tmp_path / name, history)
        write_pack(tmp_path / name)
    make(tenancy, tmp_path / "early", "a", "b")
    printed = tenancy("migrate", "a", "--print-sql", "--pack", tmp_path / "late")
    assert "DROP TABLE" not in printed.out
    done = tenancy("migrate", "--all", "--json", "--pack", tmp_path / "late")
    assert [line["tenant_id"] for line in done.lines] == ["a", "b"]
    assert "DROP TABLE songs;" in done.err
