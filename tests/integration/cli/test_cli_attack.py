"""``tenancy doctor --attack``: what it says, what it leaves, and what it exits with."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import psycopg
import pytest

from tenancy_fixtures._attack._crossing import Attack
from tenancy_fixtures._attack._matrix import PROBES
from tenancy_fixtures._attack._report import AttackReport, Outcome
from tests.integration.broken import EVERYWHERE

CLASSES = {name: [probe.name for probe in PROBES if probe.attack_class == name and "schema" in probe.isolations] for name in ("a", "b")}


@pytest.fixture
def reported(monkeypatch):
    """Let an attack come to this report."""

    def report(*crossed, left=()):
        outcomes = tuple(
            Outcome(probe.name, probe.attack_class, "schema", probe.about, "crossed" if probe.name in crossed else "refused", "42501", None)
            for probe in PROBES
            if "schema" in probe.isolations
        )

        async def attack(*_, **__):
            return AttackReport(("schema",), outcomes, left)

        monkeypatch.setattr("tenancy_fixtures.doctor.attack", attack)

    return report


def test_the_answer_in_json_has_this_form(tenancy, app_database_url, look):
    done = tenancy("doctor", "--attack", "--json", "--url", app_database_url)
    answer = done.json
    assert list(answer) == ["schema", "row", "database"]
    assert answer["database"] is None
    for isolation in ("schema", "row"):
        assert {name: sorted(part) for name, part in answer[isolation].items()} == {
            "class_a": ["leaked", "leaks", "tried"],
            "class_b": ["open", "tried"],
        }
        a, b = answer[isolation]["class_a"], answer[isolation]["class_b"]
        tried = [len([probe for probe in PROBES if probe.attack_class == name and isolation in probe.isolations]) for name in ("a", "b")]
        assert [a["tried"], b["tried"]] == tried
        assert a["leaks"] == len(a["leaked"])
    assert {"set_role_neighbour", "catalogue"} <= set(answer["schema"]["class_b"]["open"])
    assert answer["schema"]["class_a"]["leaks"] == 0
    assert answer["row"]["class_a"]["leaks"] == 0
    assert done.code == 0
    assert done.err.startswith("Not tried in database isolation: ")
    assert look("SELECT count(*) FROM tenancy.tenants") == [(0,)]


def test_a_leak_is_told_to_a_person_and_exits_with_1(tenancy, app_database_url, admin_database_url):
    with psycopg.connect(admin_database_url) as connection:
        connection.execute(EVERYWHERE.encode())
    done = tenancy("doctor", "--attack", "--url", app_database_url)
    assert done.code == 1
    assert "doctor-attack-…-attacker" in done.err
    everything = done.out.splitlines()
    lines = everything[everything.index("schema isolation") :]
    assert lines[1].startswith(f"  class A, ordinary statements: {len(CLASSES['a'])} probes, ")
    assert " leaks: " in lines[1]
    assert {"select", "merge", "copy_to"} <= set(lines[1].partition(" leaks: ")[2].split(", "))
    assert lines[2].startswith(f"  class B, any SQL at all: {len(CLASSES['b'])} probes, ")
    (row,) = [line for line in everything if line.split()[:1] == ["schema"] and " select " in line]
    assert " ".join(row.split()) == "schema A select crossed read read the victim's table by its full name"


def test_open_paths_of_class_b_alone_exit_with_0(tenancy, reported):
    reported("tenants", "config")
    done = tenancy("doctor", "--attack")
    assert done.code == 0
    assert f"class A, ordinary statements: {len(CLASSES['a'])} probes, 0 leaks\n" in done.out
    assert f"class B, any SQL at all: {len(CLASSES['b'])} probes, 2 open paths: tenants, config\n" in done.out


def test_one_leak_exits_with_1(tenancy, reported):
    reported("view")
    done = tenancy("doctor", "--attack", "--json")
    assert (done.code, done.json["schema"]["class_a"]) == (1, {"tried": len(CLASSES["a"]), "leaks": 1, "leaked": ["view"]})


def test_what_was_left_is_named(tenancy, reported):
    reported(left=("doctor-attack-0-victim",))
    done = tenancy("doctor", "--attack", "--json")
    assert done.code == 0
    assert "doctor-attack-0-victim. --remove-left drops them." in done.err


def test_what_was_left_is_dropped_where_that_is_asked_for(tenancy, app_database_url, look):
    assert tenancy("tenant", "create", "doctor-attack-0-victim").code == 0
    done = tenancy("doctor", "--attack", "--remove-left", "--url", app_database_url)
    assert "Dropped doctor-attack-0-victim" in done.err
    assert look("SELECT count(*) FROM tenancy.tenants") == [(0,)]


def test_an_interrupted_attack_leaves_nothing(tenancy, app_database_url, look, monkeypatch):
    there = []

    async def interrupted(self, probe):
        there.extend(look("SELECT tenant_id FROM tenancy.tenants"))
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)

    monkeypatch.setattr(Attack, "try_one", interrupted)
    assert tenancy("doctor", "--attack", "--url", app_database_url).code == 130
    assert len(there) == 2
    assert look("SELECT tenant_id FROM tenancy.tenants") == []


def test_a_dry_run_lists_the_probes_and_makes_nothing(tenancy, state):
    before = state()
    done = tenancy("doctor", "--attack", "--dry-run")
    assert (done.code, done.err) == (0, f"{len(PROBES)} probes. Nothing was tried.\n")
    assert [line.split()[1] for line in done.out.splitlines()[-len(PROBES) :]] == [probe.name for probe in PROBES]
    listed = [json.loads(line) for line in tenancy("doctor", "--attack", "--dry-run", "--json").out.splitlines()]
    assert [(item["probe"], item["class"]) for item in listed] == [(probe.name, probe.attack_class) for probe in PROBES]
    assert state() == before


def test_in_production_it_is_the_same(tenancy, app_database_url, monkeypatch):
    monkeypatch.setenv("TENANCY_MODE", "production")
    done = tenancy("doctor", "--attack", "--json", "--url", app_database_url)
    assert done.json["schema"]["class_a"] == {"tried": len(CLASSES["a"]), "leaks": 0, "leaked": []}


def test_in_production_an_administrators_login_is_refused(tenancy, admin_database_url, monkeypatch, look):
    monkeypatch.setenv("TENANCY_MODE", "production")
    done = tenancy("doctor", "--attack", "--json", "--url", admin_database_url)
    assert (done.code, done.json["error"]) == (3, "UnsafeRole")
    assert look("SELECT count(*) FROM tenancy.tenants") == [(0,)]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("notaurl", "is not a PostgreSQL URL"),
        ("postgresql://nobody:nothing@{place}/{name}", "refuses the connection"),
        ("postgresql+asyncpg://{login}@{place}/postgres", "leads to another database"),
    ],
)
def test_a_url_that_leads_elsewhere_makes_nothing(tenancy, admin_database_url, look, url, said):
    login, _, place = admin_database_url.partition("://")[2].rpartition("/")[0].rpartition("@")
    done = tenancy("doctor", "--attack", "--url", url.format(login=login, place=place, name=admin_database_url.rpartition("/")[2]))
    assert done.code != 0
    assert said in done.err
    assert "--url" in done.err
    assert look("SELECT count(*) FROM tenancy.runs") == [(0,)]


def test_with_logins_of_their_own(tenancy):
    done = tenancy("doctor", "--attack", "--own-login", "--json")
    assert (done.code, done.json["schema"]["class_b"]["open"]) == (0, ["catalogue"])
    assert done.json["row"]["class_b"]["open"] == []
    both = tenancy("doctor", "--attack", "--own-login", "--url", "postgresql://x")
    assert both.code == 2
    assert "--own-login" in both.err


@pytest.mark.parametrize("words", [("--url", "postgresql://x"), ("--own-login",), ("--remove-left",), ("--dry-run",)])
def test_options_of_an_attack_go_with_one(tenancy, words):
    done = tenancy("doctor", *words)
    assert done.code == 2
    assert "goes with --attack" in done.err
