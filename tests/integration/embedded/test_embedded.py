"""The embedded PostgreSQL: starting, joining, keeping, stopping, and saying why not."""

from __future__ import annotations

import os
import stat
import threading
import time
from pathlib import Path

import psycopg
import pytest

from tenancy_fixtures._pg import embedded
from tenancy_fixtures.exceptions import (
    ConfigurationError,
    DatabaseNotConfigured,
    MissingExtra,
    ServerDataDirectory,
    ServerPortInUse,
    ServerUnavailable,
    ServerVersionMismatch,
)

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")


def test_it_starts_and_says_where(settings, tools):
    with embedded.acquire(settings) as server, tools.connected(server.superuser_url) as connection:
        row = connection.execute(
            "select current_setting('server_version'), current_user, current_setting('fsync'), upper('é'), current_database()"
        ).fetchone()
        assert row == (server.version, "postgres", "on", "É", "postgres")
        assert server.started
        assert server.data_dir == settings.data_dir
        encodings = connection.execute("select distinct pg_encoding_to_char(encoding) from pg_database").fetchall()
        assert encodings == [("UTF8",)]


def test_the_password_shows_nowhere(settings, tools):
    with embedded.acquire(settings) as server:
        password = (settings.data_dir / "secrets" / "postgres").read_text()
        assert len(password) >= 32
        assert password in server.superuser_url
        assert password not in repr(server)
        assert password not in str(server.to_dict())
        for pid in tools.processes_of(settings.data_dir):
            assert password.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
        readable = [path for path in settings.data_dir.rglob("*") if path.is_file() and password.encode() in path.read_bytes()]
        assert readable == [settings.data_dir / "secrets" / "postgres"]
        assert stat.S_IMODE(readable[0].stat().st_mode) == 0o600


def test_a_wrong_password_is_refused(settings):
    with embedded.acquire(settings) as server:
        password = server.read_secret("postgres")
        for wrong in ("", "postgres", password[:-1]):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(server.superuser_url.replace(password, wrong), connect_timeout=10)


def test_it_listens_on_loopback_alone(settings):
    with embedded.acquire(settings) as server:
        listening = [
            line.split()[1]
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
            if line.split()[3] == "0A"
        ]
        assert [address for address in listening if address.endswith(f":{server.port:04X}")] == [f"0100007F:{server.port:04X}"]
        assert f".s.PGSQL.{server.port}" not in Path("/proc/net/unix").read_text()


def test_statements_and_values_stay_out_of_its_log(settings, tools):
    with embedded.acquire(settings) as server, tools.connected(server.superuser_url) as connection:
        connection.execute("create table t (a int primary key check (a < 5))")
        for statement in ("insert into t values (4711)", "select 'hidden-value'::int", "select hidden_column"):
            with pytest.raises(psycopg.Error):
                connection.execute(statement)
        log = (settings.data_dir / "server.log").read_text()
        assert "ready to accept connections" in log
        assert "4711" not in log
        assert "hidden" not in log


def test_a_second_process_joins(settings, person, tools):
    with embedded.acquire(settings) as server:
        other = person()
        assert other.word["started"] is False
        assert other.word["url"] == server.superuser_url
        assert embedded.status(settings).users == 2
    with tools.connected(other.word["url"]) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_four_processes_at_once_get_one_server(person, settings, tools):
    words = [somebody.word for somebody in [person() for _ in range(4)]]
    assert sorted(word["started"] for word in words) == [False, False, False, True]
    assert len({word["url"] for word in words}) == 1
    assert embedded.status(settings).users == 4
    guardians = [pid for pid in tools.processes_of(settings.data_dir) if b"_embedded_guardian" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert guardians == [tools.state_of(settings.data_dir)["guardian"]]


def test_threads_share_one_registration(settings, tools):
    servers = []
    threads = [threading.Thread(target=lambda: servers.append(embedded.acquire(settings))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(server.started for server in servers) == [False] * 7 + [True]
    for server in servers[:7]:
        server.release()
        server.release()
    assert embedded.status(settings).users == 1
    servers[7].release()
    assert embedded.status(settings).users == 0


def test_a_forked_child_does_not_take_the_lease_along(settings):
    with embedded.acquire(settings) as server:
        child = os.fork()
        if child == 0:
            server.release()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert embedded.status(settings).users == 1


def test_data_address_and_secrets_are_kept(settings, tools):
    with embedded.acquire(settings) as server:
        app = server.ensure_secret("app")
        with tools.connected(server.superuser_url) as connection:
            connection.execute("create table kept as select 42 as a")
    assert embedded.stop(settings) is True
    with embedded.acquire(settings) as again:
        assert again.started
        assert again.superuser_url == server.superuser_url
        assert again.read_secret("app") == app
        with tools.connected(again.superuser_url) as connection:
            assert connection.execute("select a from kept").fetchone() == (42,)


def test_secrets(settings):
    with embedded.acquire(settings) as server:
        assert server.read_secret("loader") is None
        first = server.ensure_secret("loader")
        assert server.ensure_secret("loader") == first
        assert server.write_secret("loader") != first
        assert server.write_secret("loader", "x") == server.read_secret("loader") == "x"
        assert stat.S_IMODE((server.secrets_dir / "loader").stat().st_mode) == 0o600
        assert stat.S_IMODE(server.secrets_dir.stat().st_mode) == 0o700
        for name in ("", "../x", "a/b", "a\0b", ".hidden"):
            with pytest.raises(ValueError, match="name"):
                server.read_secret(name)


def test_stop_and_status(settings, tools):
    assert embedded.status(settings) == embedded.ServerStatus(running=False, data_dir=settings.data_dir)
    assert embedded.stop(settings) is False
    assert not settings.data_dir.exists()
    server = embedded.acquire(settings)
    status = embedded.status(settings)
    assert (status.running, status.version, status.port, status.users) == (True, server.version, server.port, 1)
    assert status.to_dict()["data_dir"] == str(settings.data_dir)
    with tools.connected(server.superuser_url) as connection:
        postmaster = connection.execute("select pg_backend_pid()").fetchone()[0]
        assert embedded.stop(settings) is True  # whoever is connected
        tools.eventually(lambda: not tools.processes_of(settings.data_dir), 5)
    assert not tools.runs(postmaster)
    assert embedded.status(settings).running is False
    assert embedded.stop(settings) is False
    assert "database system is shut down" in status.log.read_text()
    server.release()


def test_it_stops_when_nobody_uses_it(settings, tools):
    settings = settings.with_changes(embedded_idle=1)
    server = embedded.acquire(settings)
    time.sleep(2.5)
    assert embedded.status(settings).running  # as long as somebody does
    left = time.monotonic()
    server.release()
    tools.eventually(lambda: not tools.processes_of(settings.data_dir))
    assert 0.7 < time.monotonic() - left < 20
    assert "database system is shut down" in (settings.data_dir / "server.log").read_text()


def test_who_comes_back_in_time_finds_it(settings):
    settings = settings.with_changes(embedded_idle=4)
    starts = []
    for _ in range(6):
        with embedded.acquire(settings) as server:  # a visit far shorter than the guardian's round
            starts.append(server.started)
        time.sleep(1)
    assert starts == [True, *[False] * 5]


def test_a_starter_in_a_pipe_is_not_held_up(person, settings):
    # As in $(tenancy init): the guardian must not keep the pipe open.
    somebody = person()
    assert somebody.word["started"]
    started = time.monotonic()
    somebody.process.stdin.close()
    assert somebody.process.stdout.read() == ""
    assert time.monotonic() - started < 10
    assert embedded.status(settings).running


def test_production_and_kubernetes_refuse(settings, monkeypatch):
    with pytest.raises(DatabaseNotConfigured, match="production") as caught:
        embedded.acquire(settings.with_changes(mode="production"))
    assert "TENANCY_DATABASE_URL" in caught.value.hint
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(DatabaseNotConfigured, match="Kubernetes"):
        embedded.acquire(settings)
    assert not settings.data_dir.exists()


def test_the_port_that_was_asked_for(settings, tools):
    with embedded.acquire(settings) as server:
        port = server.port
        with pytest.raises(ServerUnavailable, match=f"runs on port {port}"):
            embedded.acquire(settings.with_changes(postgres_port=port + 1))
        other = settings.with_changes(data_dir=settings.data_dir.with_name("other"), postgres_port=port)
        with pytest.raises(ServerPortInUse, match=str(port)) as caught:
            embedded.acquire(other)
        assert caught.value.port == port
        tools.eventually(lambda: not tools.processes_of(other.data_dir), 5)
        embedded.stop(settings)
    with embedded.acquire(other) as server:
        assert server.port == port
    with embedded.acquire(settings) as moved:  # whose last port is taken now
        assert moved.port != port


@pytest.mark.skipif(not DEBIAN_15.exists(), reason="no second major version of PostgreSQL on this machine")
def test_data_of_another_major_version(settings):
    old = settings.with_changes(postgres_bin=DEBIAN_15)
    with embedded.acquire(old) as server:
        assert server.version.startswith("15.")
    embedded.stop(old)
    with pytest.raises(ServerVersionMismatch, match=r"PostgreSQL 15.*PostgreSQL 18") as caught:
        embedded.acquire(settings)
    assert (caught.value.data_version, caught.value.server_version) == (15, 18)
    assert "TENANCY_POSTGRES_BIN" in caught.value.hint
    with embedded.acquire(old) as server:  # and nothing was harmed
        assert server.started


def test_programs_that_are_not_there(settings, place, monkeypatch):
    with pytest.raises(ConfigurationError, match="initdb is missing"):
        embedded.acquire(settings.with_changes(postgres_bin=place))
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(MissingExtra) as caught:
        embedded.acquire(settings)
    assert caught.value.extra == "embedded"


def test_a_configuration_that_does_not_start(settings):
    embedded.acquire(settings).release()
    embedded.stop(settings)
    conf = settings.data_dir / "server" / "data" / "postgresql.conf"
    sound = conf.read_text()
    conf.write_text(sound + "shared_buffers = many\n")
    with pytest.raises(ServerUnavailable, match=r"FATAL: .*configuration file .* contains errors") as caught:
        embedded.acquire(settings)
    assert caught.value.log == str(settings.data_dir / "server.log")
    conf.write_text(sound)
    with embedded.acquire(settings) as server:
        assert server.started


def test_a_lost_password_is_told(settings):
    embedded.acquire(settings).release()
    embedded.stop(settings)
    (settings.data_dir / "secrets" / "postgres").unlink()
    with pytest.raises(ServerDataDirectory, match=r"secrets/postgres is missing"):
        embedded.acquire(settings)
