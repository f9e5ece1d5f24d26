"""A folder for embedded servers, and other processes that use them. Whatever a test leaves running is ended by its id."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

import tenancy_fixtures
from tenancy_fixtures.settings import Settings

SOURCES = Path(tenancy_fixtures.__file__).resolve().parents[1]
NOBODY = pwd.getpwnam("nobody")

PERSON = """
import json, sys
from tenancy_fixtures.exceptions import TenancyError
from tenancy_fixtures.settings import Settings
from tenancy_fixtures._pg import embedded
try:
    server = embedded.acquire(Settings.from_env())
except TenancyError as error:
    print(json.dumps(error.to_dict()), flush=True)
else:
    print(json.dumps({**server.to_dict(), "url": server.superuser_url}), flush=True)
    sys.stdin.read()
"""


class Person:
    """Another process that uses the server until it leaves or is killed. ``word`` is what it says: a server, or an error."""

    def __init__(self, process):
        self.process = process
        self._word = None

    @property
    def word(self):
        if self._word is None:
            line = self.process.stdout.readline()
            self._word = json.loads(line) if line else {"error": "died", "message": self.process.stderr.read()}
        return self._word

    def leave(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(30)

    def kill(self):
        self.process.kill()
        self.process.wait(30)

    def close(self):
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


@pytest.fixture(autouse=True)
def _no_pod(monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


@pytest.fixture
def place():
    """A folder that root's substitute can enter: pytest's own are closed to it."""
    folder = Path(tempfile.mkdtemp(prefix="tenancy-embedded-"))
    folder.chmod(0o755)
    yield folder
    for state in folder.rglob("server.json"):
        end_guardian(state.parent)
    shutil.rmtree(folder)


@pytest.fixture
def settings(place):
    return Settings.from_env(data_dir=place / "home", embedded_idle=30)


@pytest.fixture
def person(place, request):
    """Start a process that uses the server: ``person(TENANCY_…=…, user=…)``."""
    people = []

    def start(user=None, program=PERSON, **environment):
        known = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCES), "TENANCY_DATA_DIR": str(place / "home"), "TENANCY_EMBEDDED_IDLE": "30"}
        environment = {name: str(value) for name, value in {**known, **environment}.items() if value is not None}
        switch = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        python = request.getfixturevalue("open_python") if user else sys.executable
        if user:
            environment["LD_LIBRARY_PATH"] = str(Path(python).parents[1] / "lib")  # a copy does not find its own libpython
            environment["PYTHONPATH"] = os.pathsep.join([str(SOURCES), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen([python, "-c", program], text=True, cwd="/", env=environment, **pipes, **switch)
        people.append(Person(process))
        return people[-1]

    yield start
    for somebody in people:
        somebody.close()


@pytest.fixture
def nobody():
    """The account ``nobody``, for root to become; None where the suite does not run as root."""
    if os.geteuid() != 0:
        return None
    if not all(_readable_to_all(Path(folder)) for folder in (SOURCES, sysconfig.get_path("platlib"))):
        pytest.skip("the sources and the libraries lie where the account nobody cannot read them")
    return NOBODY


def _readable_to_all(folder):
    return all(path.stat().st_mode & 0o001 for path in (folder.resolve(), *folder.resolve().parents))


@pytest.fixture(scope="session")
def open_python():
    """A Python that everybody may run: this one, or a copy where it lies in root's home."""
    python = Path(sys.executable).resolve()
    if _readable_to_all(python.parent) and _readable_to_all(Path(sys.base_prefix)):
        yield str(python)
        return
    with tempfile.TemporaryDirectory(prefix="tenancy-python-") as folder:
        Path(folder).chmod(0o755)
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        (Path(folder) / "bin").mkdir()
        shutil.copy2(python, Path(folder) / "bin" / version)
        ignored = shutil.ignore_patterns("test", "tests", "site-packages", "idlelib", "config-*", "*.a")
        shutil.copytree(Path(sys.base_prefix) / "lib", Path(folder) / "lib", symlinks=True, ignore=ignored)
        yield str(Path(folder) / "bin" / version)


def state_of(home):
    try:
        return json.loads((home / "server.json").read_text())
    except (OSError, ValueError):
        return {}


def runs(pid):
    """True for a process that lives; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def end_guardian(home):
    pid = state_of(home).get("guardian")
    if pid and str(home) in _command_line(pid):
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not runs(pid), 60)
    for orphan in processes_of(home):
        with contextlib.suppress(ProcessLookupError):
            os.kill(orphan, signal.SIGKILL)
    eventually(lambda: not processes_of(home), 60)


def processes_of(home):
    """The guardian, the server and all its processes, initdb and its own."""
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _is_of(folder, home) and runs(folder.name)]


def _is_of(process, home):
    try:
        cwd = str((process / "cwd").readlink())
    except OSError:
        cwd = ""
    return cwd.startswith(f"{home}/") or any(word == str(home) or word.startswith(f"{home}/") for word in _command_line(process.name).split("\0"))


def _command_line(pid):
    try:
        return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return ""


@contextlib.contextmanager
def connected(url):
    with contextlib.closing(psycopg.connect(url, connect_timeout=10, autocommit=True)) as connection:
        yield connection


@pytest.fixture
def tools():
    """The functions above, for tests: importlib mode knows no shared module."""
    return sys.modules[__name__]
