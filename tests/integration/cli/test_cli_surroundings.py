"""What stands around every command: the database's address, settings, packs, the embedded server, a host's own app."""

from __future__ import annotations

import sys

import pytest

from tenancy_fixtures.settings import Settings

from .support import HEAD, Done


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


@pytest.mark.parametrize("pack", ["/no/such/pack", "no_such_module:pack"])
def test_what_needs_no_pack_asks_for_none(pack, tenancy, monkeypatch):
    tenancy("tenant", "create", "a")
    monkeypatch.setenv("TENANCY_PACK", pack)
    for words in ("tenant list", "tenant show a", "init --print-sql", "server status", "tenant drop a --dry-run", "tenant drop a --yes --now"):
        done = tenancy(*words.split())
        assert done.code == 0, (words, done.err)
    assert tenancy("tenant", "create", "b").code == 6


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
