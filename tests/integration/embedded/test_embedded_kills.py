"""The embedded PostgreSQL when something is killed: a user, a starter, initdb, the guardian, the server."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import threading
import time

import pytest

from tenancy_fixtures._pg import embedded

SEED = 20250131


def test_a_killed_user_counts_as_gone(settings, person, tools):
    somebody = person(TENANCY_EMBEDDED_IDLE=1)
    assert somebody.word["started"]
    assert embedded.status(settings).users == 1
    somebody.kill()
    tools.eventually(lambda: not tools.processes_of(settings.data_dir), 10)
    assert "database system is shut down" in (settings.data_dir / "server.log").read_text()


def test_the_server_outlives_its_killed_starter(settings, person, tools):
    starter = person()
    assert starter.word["started"]
    other = person()
    assert other.word["started"] is False
    starter.kill()
    time.sleep(1.5)  # longer than the guardian's round
    with tools.connected(other.word["url"]) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert embedded.status(settings).users == 1


def during_initdb(settings, tools):
    """Wait until initdb is at work; the guardian's id."""
    tools.eventually((settings.data_dir / "server" / "data.new" / "base").exists)
    return tools.state_of(settings.data_dir)["guardian"]


def test_what_a_killed_initdb_left_is_made_anew(settings, person, tools):
    starter = person()
    os.kill(during_initdb(settings, tools), signal.SIGKILL)
    assert starter.word["error"] == "ServerUnavailable"
    assert not (settings.data_dir / "server" / "data").exists()
    assert (settings.data_dir / "server" / "data.new").exists()
    with embedded.acquire(settings) as server, tools.connected(server.superuser_url) as connection:
        assert server.started
        assert connection.execute("select count(*) from pg_class").fetchone()[0] > 300
    assert sorted(path.name for path in (settings.data_dir / "server").iterdir()) == ["data"]


def test_a_starter_killed_during_initdb_leaves_a_server_to_join(settings, person, tools):
    starter = person()
    during_initdb(settings, tools)
    starter.kill()
    with embedded.acquire(settings) as server, tools.connected(server.superuser_url) as connection:
        assert server.started is False
        assert connection.execute("select 1").fetchone() == (1,)


def test_a_killed_guardian_takes_the_server_along_cleanly(settings, tools):
    with embedded.acquire(settings) as server:
        with tools.connected(server.superuser_url) as connection:
            connection.execute("create table kept as select 42 as a")
        guardian = tools.state_of(settings.data_dir)["guardian"]
        os.kill(guardian, signal.SIGKILL)
        tools.eventually(lambda: not tools.runs(guardian))
        with embedded.acquire(settings) as again, tools.connected(again.superuser_url) as connection:
            assert again.started
            assert connection.execute("select a from kept").fetchone() == (42,)
    log = (settings.data_dir / "server.log").read_text()
    assert "database system is shut down" in log
    assert "not properly shut down" not in log


def test_a_killed_guardian_leaves_no_server_behind(settings, tools):
    with embedded.acquire(settings):
        os.kill(tools.state_of(settings.data_dir)["guardian"], signal.SIGKILL)
        tools.eventually(lambda: not tools.processes_of(settings.data_dir), 10)
    assert embedded.status(settings).running is False


def test_a_killed_server_is_started_again_where_it_was(settings, tools):
    with embedded.acquire(settings) as server:
        with tools.connected(server.superuser_url) as connection:
            connection.execute("create table kept as select 42 as a")
        first = embedded.status(settings).pid
        os.kill(first, signal.SIGKILL)
        tools.eventually(lambda: embedded.status(settings).pid not in (None, first))
        with embedded.acquire(settings) as again:
            assert again.started is False
        with tools.connected(server.superuser_url) as connection:
            assert connection.execute("select a from kept").fetchone() == (42,)


def test_guardian_and_server_killed_at_once(settings, tools):
    # As after a power failure: postmaster.pid stays, and its number may be anybody's by now.
    server = embedded.acquire(settings)
    state = tools.state_of(settings.data_dir)
    for pid in (state["guardian"], state["pid"]):
        os.kill(pid, signal.SIGKILL)
    tools.eventually(lambda: not tools.processes_of(settings.data_dir))
    left = settings.data_dir / "server" / "data" / "postmaster.pid"
    lines = left.read_text().splitlines()
    switch = {"user": left.stat().st_uid} if os.geteuid() == 0 else {}
    with subprocess.Popen(["sleep", "60"], **switch) as stranger:
        left.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        with embedded.acquire(settings) as again, tools.connected(again.superuser_url) as connection:
            assert again.started
            assert connection.execute("select 1").fetchone() == (1,)
        assert stranger.poll() is None
        stranger.kill()
    server.release()


def test_no_second_server_beside_one_that_still_shuts_down(settings, tools):
    with embedded.acquire(settings) as server, tools.connected(server.superuser_url) as connection:
        backend = connection.info.backend_pid
        os.kill(backend, signal.SIGSTOP)  # the server waits for it
        guardian = tools.state_of(settings.data_dir)["guardian"]
        os.kill(guardian, signal.SIGKILL)
        tools.eventually(lambda: not tools.runs(guardian))
        found = []
        successor = threading.Thread(target=lambda: found.append(embedded.acquire(settings)))
        successor.start()
        time.sleep(1)
        assert not found
        os.kill(backend, signal.SIGCONT)
        successor.join()
        assert found[0].started
        assert not tools.runs(backend)
        found[0].release()
    assert "not properly shut down" not in (settings.data_dir / "server.log").read_text()


def test_stop_ends_an_orphan_too(settings, tools):
    with embedded.acquire(settings):
        guardian = tools.state_of(settings.data_dir)["guardian"]
        os.kill(guardian, signal.SIGKILL)
        tools.eventually(lambda: not tools.runs(guardian))
        embedded.stop(settings)
        tools.eventually(lambda: not tools.processes_of(settings.data_dir), 5)
        assert embedded.stop(settings) is False


@pytest.mark.parametrize("victim", ["starter", "guardian", "both"])
def test_kills_at_any_moment_of_the_first_start(settings, person, tools, victim):
    moments = random.Random(SEED + len(victim))
    for _ in range(3):
        starter = person()
        tools.eventually((settings.data_dir / "start.lock").exists)
        time.sleep(moments.uniform(0, 0.7))
        pid = tools.state_of(settings.data_dir).get("guardian")
        if victim != "guardian":
            starter.kill()
        if victim != "starter" and pid and tools.runs(pid):
            os.kill(pid, signal.SIGKILL)
            tools.eventually(lambda pid=pid: not tools.runs(pid))
        with embedded.acquire(settings) as server, tools.connected(server.superuser_url) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        embedded.stop(settings)
        tools.eventually(lambda: not tools.processes_of(settings.data_dir), 5)
        starter.kill()
        shutil.rmtree(settings.data_dir)


def test_many_come_and_go_while_servers_die(settings, person, tools):
    moments = random.Random(SEED)
    for _ in range(6):
        people = [person(TENANCY_EMBEDDED_IDLE=0.2) for _ in range(3)]
        time.sleep(moments.uniform(0, 0.8))
        people[0].kill()
        pid = tools.state_of(settings.data_dir).get("guardian")
        if pid and moments.random() < 0.5 and tools.runs(pid):
            os.kill(pid, signal.SIGKILL)
            tools.eventually(lambda pid=pid: not tools.runs(pid))
        for somebody in people[1:]:
            somebody.leave()
    with embedded.acquire(settings) as server, tools.connected(server.superuser_url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
