"""Tenants on the command line, from their making to their end."""

from __future__ import annotations

import io
import shutil

import psycopg
import pytest

from tenancy_fixtures.packs import DEFAULT_FOLDER

from .support import HEAD, Done

BAD_IDS = {"": "it is empty", "a b": "character 2 is ' ' (U+0020)", "a/b": "character 2 is '/' (U+002F)", "a" * 64: "it has 64 characters"}


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
    assert done == Done(0, "Tenant 'acme' is gone: configuration, schema t_acme, entry in the registry.\n", "")
    assert look("SELECT count(*) FROM tenancy.tenants") == [(0,)]
    assert look("SELECT count(*) FROM pg_namespace WHERE nspname = 't_acme'") == [(0,)]


def test_create_in_json_is_the_tenant(tenancy):
    made = tenancy("tenant", "create", "acme", "--json").json
    assert (made["tenant_id"], made["namespace"], made["tier"], made["revision"], made["state"]) == ("acme", "t_acme", "standard", HEAD, "active")
    assert tenancy("tenant", "create", "acme", "--exist-ok", "--json").json["uid"] == made["uid"]


def test_tenants_that_share_tables(tenancy, look):
    plan = tenancy("tenant", "create", "acme", "--isolation", "row", "--dry-run")
    assert plan.out.startswith("acme: would\n  create acme (tier standard, isolation row)\n")
    for name in ("acme", "beta"):
        done = tenancy("tenant", "create", name, "--isolation", "row")
        assert (done.code, done.out.split(", ")[0]) == (0, f"Tenant '{name}' is there: rows in schema shared_spotify_agent")
    assert [(item["namespace"], item["isolation"]) for item in tenancy("tenant", "list", "--json").lines] == [("shared_spotify_agent", "row")] * 2
    assert tenancy("tenant", "list").out.splitlines()[2].split()[:3] == ["acme", "shared_spotify_agent", "row"]
    assert "tier standard, rows in schema shared_spotify_agent" in tenancy("tenant", "show", "acme").out
    done = tenancy("tenant", "create", "acme", "--isolation", "schema", "--exist-ok")
    assert (done.code, "does not change to 'schema'" in done.err) == (3, True)
    done = tenancy("tenant", "drop", "acme", "--yes", "--now")
    assert done == Done(0, "Tenant 'acme' is gone: configuration, rows in schema shared_spotify_agent, entry in the registry.\n", "")
    assert look("SELECT tenant_id, isolation FROM tenancy.tenants") == [("beta", "row")]


def test_a_value_that_is_none_is_2_and_says_what_it_may_be(tenancy, state):
    before = state()
    for option, value, said in (
        ("--tier", "gold", "no tier 'gold'. The pack 'spotify-agent' has: free, standard, premium, enterprise."),
        ("--isolation", "rows", "no isolation 'rows': it is schema, row or database"),
        ("--limit", "storage", "'storage' is not NAME=VALUE"),
        ("--limit", "storage=lots", "limit 'storage' is not a quantity. Write for example"),
        ("--limit", "storage=5XB", "no such unit: 'xb'. Bytes: kB MB GB TB, KiB MiB GiB TiB."),
        ("--limit", "api_calls=5/moon", "no such period: 'moon'. One of second, minute,"),
        ("--limit", "seats=1.5", "limit 'seats' is not a whole number"),
    ):
        for more in ((), ("--dry-run",)):
            done = tenancy("tenant", "create", "acme", option, value, *more)
            assert (done.code, done.out) == (2, ""), value
            assert f"Invalid value for {option}: " in done.err
            assert said in done.err
    assert state() == before


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


ON_A_TENANT = [
    ("tenant", "create"),
    ("tenant", "show"),
    ("tenant", "drop", "--yes", "--now"),
    ("tenant", "login"),
    ("load",),
    ("validate",),
    ("migrate",),
]


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
    assert tenancy("tenant", "create", "other", "--dry-run").out.startswith("other: would\n  create other (tier standard, isolation schema)\n")
    assert tenancy("tenant", "create", "acme", "--dry-run").code == 5
    assert tenancy("tenant", "drop", "acme", "--dry-run") == Done(
        0, "Tenant 'acme' would go: configuration, schema t_acme, entry in the registry. Nothing was dropped.\n", ""
    )
    load = tenancy("load", "acme", "--dataset", f"artists={artists}", "--dry-run", "--json").json
    assert (load["dry_run"], load["read"], load["written"]) == (True, 2, 0)
    bad = artists.with_name("bad.csv")
    bad.write_text(artists.read_text() + "\n".join(["", "x" * 600]), encoding="utf-8")
    told = tenancy("load", "acme", "--dataset", f"artists={bad}", "--dry-run", "--json")
    assert (told.code, [item["refused"] for item in told.json["datasets"]]) == (6, [True])
    assert "would fail" in told.err
    assert tenancy("load", "acme", "--dataset", f"artists={bad}", "--dry-run", "--on-error", "reject").code == 0
    assert tenancy("migrate", "--all", "--dry-run").out == "acme: nothing to do.\n"
    assert state() == before


def test_a_login_of_a_tenants_own(tenancy, tmp_path):
    tenancy("tenant", "create", "acme")
    done = tenancy("tenant", "login", "acme")
    first, url = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert first.startswith("Tenant 'acme' may log in as tenancy_t_")
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT current_schema()").fetchone() == ("t_acme",)
    (tmp_path / "password").write_text("chosen by somebody\n", encoding="utf-8")
    given = tenancy("tenant", "login", "acme", "--password-file", tmp_path / "password", "--json").json
    assert "chosen%20by%20somebody" in given["url"]
    psycopg.connect(given["url"]).close()
    done = tenancy("tenant", "login", "acme", "--remove")
    assert (done.code, done.out) == (0, "Tenant 'acme' may not log in any more. Sessions that are open go on until they end.\n")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(given["url"])
    assert tenancy("tenant", "login", "acme", "--remove", "--password-file", tmp_path / "password").code == 2
    assert tenancy("tenant", "login", "acme", "--password-file", tmp_path / "none").code == 2
