"""The command line as a process of its own: terminals, pipes, signals, and the scripts."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

import tenancy_fixtures

SOURCES = str(Path(tenancy_fixtures.__file__).resolve().parents[1])


@pytest.fixture
def environment(database_url):
    return {**os.environ, "PYTHONPATH": SOURCES, "TENANCY_DATABASE_URL": database_url, "TERM": "xterm", "COLUMNS": "100"}


@pytest.fixture
def tenancy(environment):
    def run(*arguments, module="tenancy_fixtures", **changes):
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.run(command, env={**environment, **changes}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def waiting(admin_database_url):
    """True once another session waits for a lock; what the process under test was doing when a signal reaches it."""

    def look():
        with psycopg.connect(admin_database_url, autocommit=True) as connection:
            found = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
            return (found.fetchone() or (0,))[0] > 0

    return look


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_work_whose_answer_is_lost_is_done(environment, admin_database_url):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "tenancy_fixtures", "tenant", "create", "acme"]
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    said = "Error: The work is done and stays done, but standard output could not be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (8, said)
    with psycopg.connect(admin_database_url) as connection:
        assert connection.execute("SELECT count(*) FROM tenancy.tenants WHERE tenant_id = 'acme'").fetchone() == (1,)


@pytest.mark.parametrize("encoding", ["utf-8:surrogateescape", "ascii:strict"])
def test_names_that_are_no_text(tenancy, tmp_path, artists, encoding):
    """A folder and a file may be called by any bytes: they are read, written and told, in JSON by text that every reader takes."""
    folder = tmp_path / os.fsdecode(b"d\xe9ta")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    file = folder / os.fsdecode(b"tr\xe8s.csv")
    file.write_bytes(artists.read_bytes())
    terminal = {"PYTHONIOENCODING": encoding}
    assert tenancy("tenant", "create", "acme", **terminal).returncode == 0
    done = tenancy("load", "acme", "--dataset", f"artists={file}", "--json", **terminal)
    assert json.loads(done.stdout)["datasets"][0]["sources"] == ["tr\ufffds.csv"]
    assert tenancy("load", "acme", "--dataset", f"artists={folder}", **terminal).returncode == 0
    for words in (
        ["load", "acme", "--dataset", f"artists={folder / os.fsdecode(bytes([0xE8]))}"],
        ["--pack", str(folder), "validate", "--pack-only"],
    ):
        for form in ([], ["--json"]):
            done = tenancy(*words, *form, **terminal)
            assert done.returncode == 6, done.stderr
            assert "unexpected" not in done.stdout + done.stderr
            if form:
                json.loads(done.stdout)["message"].encode()
    made = tenancy("alias", str(folder), "--json", **terminal)
    assert (made.returncode, made.stderr) == (0, "")
    made.stdout.encode("ascii")
    assert "\ufffd" in json.dumps(json.loads(made.stdout), ensure_ascii=False)
    assert tenancy("alias", str(folder), "--dry-run", **terminal).returncode == 0


class Terminal:
    """A command with a terminal around it: keys in, the screen out."""

    def __init__(self, environment, *arguments):
        self.master, slave = pty.openpty()
        command = [sys.executable, "-m", "tenancy_fixtures", *arguments]
        self.process = subprocess.Popen(command, env=environment, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        self.screen = ""

    def read(self, until=None, seconds=60.0):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and (until is None or until not in self.screen):
            if not select.select([self.master], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            self.screen += data.decode()
        return self.screen

    def type(self, keys):
        os.write(self.master, keys.encode())

    def end(self):
        self.read()
        os.close(self.master)
        return self.process.wait(60)


def test_a_question_on_a_terminal_is_answered(tenancy, environment):
    assert tenancy("tenant", "create", "acme").returncode == 0
    for answer, code in (("n\n", 1), ("y\n", 0)):
        terminal = Terminal(environment, "tenant", "drop", "acme", "--now")
        assert "with all its data" in terminal.read(until="[y/N]")
        terminal.type(answer)
        assert terminal.end() == code, terminal.screen
    assert tenancy("tenant", "show", "acme").returncode == 4


def test_progress_is_for_a_terminal_alone(tenancy, environment):
    assert tenancy("tenant", "create", "acme").returncode == 0
    piped = tenancy("load", "acme", "--dataset", "artists", "--dataset", "users")
    assert (piped.returncode, piped.stderr) == (0, "")
    assert "\x1b" not in piped.stdout
    terminal = Terminal(environment, "load", "acme", "--dataset", "playlists")
    assert terminal.end() == 0
    assert "records" in terminal.screen.split("Dataset")[0]
    sober = Terminal({**environment, "NO_COLOR": "1"}, "tenant", "list")
    assert sober.end() == 0
    assert "\x1b[" not in sober.screen


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_rolls_back(number, code, tenancy, environment, admin_database_url, waiting):
    assert tenancy("tenant", "create", "acme").returncode == 0
    with psycopg.connect(admin_database_url) as blocker:
        # The load's transaction waits here, in the middle of its work.
        blocker.execute("LOCK TABLE t_acme.users IN ACCESS EXCLUSIVE MODE")
        command = [sys.executable, "-m", "tenancy_fixtures", "load", "acme", "--dataset", "artists", "--dataset", "users", "--json"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while not waiting() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        try:
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, err) == (code, "")
    assert json.loads(out) == {"error": "Interrupted", "message": "Interrupted. What was not committed is rolled back.", "exit_code": code}
    with psycopg.connect(admin_database_url) as connection:
        assert connection.execute("SELECT count(*) FROM t_acme.artists").fetchone() == (0,)
        assert connection.execute("SELECT state FROM tenancy.runs WHERE operation = 'load_fixtures'").fetchall() == [("failed",)]
    shown = json.loads(tenancy("tenant", "show", "acme", "--json").stdout)
    assert [(run["operation"], run["error"]) for run in shown["runs"]] == [("load_fixtures", "Interrupted"), ("create_tenant", None)]
    assert tenancy("load", "acme", "--dataset", "users").returncode == 0


def test_a_reader_that_has_left_does_not_undo_the_work(environment, tenancy):
    shell = f"{sys.executable} -m tenancy_fixtures tenant create acme | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert tenancy("tenant", "show", "acme").returncode == 0


@pytest.mark.parametrize("package", ["tenancy_fixtures", "app.tenancy.fixtures"])
def test_the_scripts_are_the_commands(package, tenancy):
    made = tenancy("acme", "--json", module=f"{package}.scripts.init_tenant")
    assert json.loads(made.stdout)["tenant_id"] == "acme"
    loaded = tenancy("acme", "--dataset", "artists", "--json", module=f"{package}.scripts.load_fixtures")
    assert json.loads(loaded.stdout)["lost"] == 0
    checked = tenancy("acme", "--json", module=f"{package}.scripts.validate_data")
    assert json.loads(checked.stdout)["ok"] is True
    assert tenancy("acme", module=f"{package}.scripts.cleanup").returncode == 2
    assert tenancy("acme", "--yes", "--now", module=f"{package}.scripts.cleanup").returncode == 0
    assert tenancy("tenant", "list", "--json").stdout == ""
