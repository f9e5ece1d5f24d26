"""The guardian: parent of the embedded server, outlives whoever started it, stops it when nobody uses it any more.

Loaded by the path of its folder, without the package around it: standard library only, single-threaded, some 10 MB.
Its orders come as JSON on stdin (the password must not show in a process list), its one answer goes to stdout.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

from . import _embedded_locks as locks
from ._embedded_locks import Refused

LOOPBACK = "127.0.0.1"
LOCK_TIMEOUT = 2.0  # Somebody who only asks for the status holds a lock for microseconds.
WATCH_INTERVAL = 1.0
MAX_RESTARTS = 5
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_DATA_TROUBLE = re.compile(
    r"No space left|Disk quota|Permission denied|Read-only file system|Operation not permitted|Input/output error|wrong ownership|invalid permissions"
)
_PORT_TAKEN = re.compile(r"could not bind|Address already in use|could not create any TCP/IP sockets")
_STILL_THERE = re.compile(r"lock file .* already exists|pre-existing shared memory block")


# --- the guardian ---------------------------------------------------------------------------------------------------


class Guardian:
    """Makes the cluster where there is none, runs the server, and watches who uses it."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self.orders = orders
        self.home = Path(orders["home"])
        self.programs = Path(orders["bin"])
        self.cluster = self.home / locks.CLUSTER
        self.data = self.cluster / locks.DATA
        self.port: int = orders["port"]
        self.postmaster: subprocess.Popen[bytes] | None = None
        self.stopping = False
        self.restarts = 0
        self.touched = 0  # when users.lock was last touched, in nanoseconds

    def begin(self) -> None:
        """Take the locks, leave root, and bring the server up."""
        self._open_files()
        self._leave_root()
        self._tell("starting")
        locks.await_orphans(self.server_fd, self.data)
        with contextlib.suppress(FileNotFoundError):
            # Nobody holds the server's lock, so whatever this names (it survives a power failure) is not our server.
            (self.data / "postmaster.pid").unlink()
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster()
        self._start_somewhere()

    def _open_files(self) -> None:
        # All of them before root is left: the folder is not the server's account's to write.
        names = (locks.GUARDIAN_LOCK, locks.SERVER_LOCK, locks.USERS_LOCK, locks.STATE_FILE, locks.LOG_FILE)
        paths = [self.home / name for name in names]
        self.guardian_fd, self.server_fd, self.users_fd, self.state_fd, self.log_fd = map(locks.open_file, paths)
        if not locks.lock(self.guardian_fd, fcntl.LOCK_EX, LOCK_TIMEOUT):
            raise Refused("taken", "another guardian was faster")

    def _leave_root(self) -> None:
        if self.orders["account"] is not None:
            _become(*self.orders["account"])
        if not os.access(self.cluster, os.R_OK | os.W_OK | os.X_OK):
            raise Refused("data", f"{self.cluster} cannot be reached and written by the account that the server runs as")

    def _tell(self, state: str) -> None:
        pid = self.postmaster.pid if self.postmaster is not None and state == "ready" else None
        told = {
            "state": state,
            "guardian": os.getpid(),
            "pid": pid,
            "port": self.port,
            "version": self.orders["version"],
            "host": os.uname().nodename,
        }
        with contextlib.suppress(OSError) if state not in ("starting", "ready") else contextlib.nullcontext():
            locks.write_state(self.state_fd, told)

    # -- initdb

    def _make_cluster(self) -> None:
        # In a sibling that is renamed when it is whole: what a killed initdb leaves is never taken for a cluster.
        fresh = self.cluster / "data.new"
        password_file = self.cluster / "password.new"
        try:
            self._write_password(password_file)
            self._initdb(fresh, password_file)
            self._configure(fresh)
            fresh.rename(self.data)
            _sync(self.cluster)
        finally:
            with contextlib.suppress(FileNotFoundError):
                password_file.unlink()

    def _write_password(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(self.orders["password"])

    def _initdb(self, fresh: Path, password_file: Path) -> None:
        command: list[str | Path] = [self.programs / "initdb", "-D", fresh, "-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8"]
        output = ""
        for locale in self.orders["locales"]:
            if fresh.exists():
                shutil.rmtree(fresh)
            process = self._spawn([*command, f"--pwfile={password_file}", *locale], subprocess.PIPE, signal.SIGKILL)
            output = process.communicate()[0].decode(errors="replace")
            if process.returncode == 0:
                return
            if "invalid locale" not in output:
                break
        shutil.rmtree(fresh, ignore_errors=True)
        line = locks.useful_line(output)
        raise Refused("data" if _DATA_TROUBLE.search(output) else "start", f"initdb failed: {line}")

    def _configure(self, fresh: Path) -> None:
        with (fresh / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("\n# Set by tenancy-fixtures; yours to change.\n")
            file.writelines(f"{name} = {value}\n" for name, value in self.orders["configuration"].items())
            file.flush()
            os.fsync(file.fileno())

    # -- the server

    def _start_somewhere(self) -> None:
        wanted = self.orders["port"]
        if wanted:
            _check_port(wanted)
        # The last port first, so that an address that somebody noted down stays good.
        candidates = [wanted] if wanted else [self.orders["last_port"], *[0] * 8]
        for candidate in candidates:
            port = candidate if wanted else _free_port(candidate)
            try:
                return self._start(port)
            except Refused as refusal:
                if refusal.kind != "port" or wanted:
                    raise
        raise Refused("start", "no free port was found")

    def _start(self, port: int) -> None:
        self.port = port
        logged = os.fstat(self.log_fd).st_size
        fixed = {
            "listen_addresses": LOOPBACK,
            "port": str(port),
            "unix_socket_directories": "",
            "logging_collector": "off",
            "log_destination": "stderr",
        }
        options = [part for name, value in fixed.items() for part in ("-c", f"{name}={value}")]
        self.postmaster = self._spawn([self.programs / "postgres", "-D", self.data, *options], self.log_fd, signal.SIGINT)
        if self._await_ready(self.postmaster):
            return self._tell("ready")
        self._end_postmaster()
        raise self._reason(logged)

    def _spawn(self, command: list[str | Path], output: int, on_death: signal.Signals) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 # our own programs, in a list
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=self.cluster,
            env=self.orders["environment"],
            pass_fds=(self.server_fd,),
            preexec_fn=_die_with_parent(on_death),  # noqa: PLW1509 # this process has one thread
        )

    def _await_ready(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + locks.START_TIMEOUT
        while process.poll() is None and time.monotonic() < deadline:
            lines = locks.postmaster_lines(self.data)
            if lines[:1] == [str(process.pid)] and lines[7:8] == ["ready"]:
                return True
            time.sleep(0.02)
        return False

    def _reason(self, logged: int) -> Refused:
        text = os.pread(self.log_fd, 65536, logged).decode(errors="replace")
        kinds = (("port", _PORT_TAKEN), ("again", _STILL_THERE), ("data", _DATA_TROUBLE))
        kind = next((name for name, pattern in kinds if pattern.search(text)), "start")
        return Refused(kind, locks.useful_line(text))

    def _end_postmaster(self) -> None:
        process = self.postmaster
        if process is None:
            return
        for number, patience in ((signal.SIGINT, locks.STOP_TIMEOUT), (signal.SIGQUIT, locks.ORPHAN_TIMEOUT), (signal.SIGKILL, locks.ORPHAN_TIMEOUT)):
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience)
                return

    # -- watching

    def watch(self) -> None:
        """Wait until nobody uses the server for ``idle`` seconds, or until told to stop; then stop it."""
        bell = self._listen_to_signals()
        last_used = time.monotonic()
        pause = min(WATCH_INTERVAL, self.orders["idle"] / 4)
        while not self.stopping:
            select.select([bell], [], [], pause)
            with contextlib.suppress(BlockingIOError):
                os.read(bell, 4096)
            if self.postmaster is not None and self.postmaster.poll() is not None:
                self._restart()
            if self._in_use():
                last_used = time.monotonic()
            if time.monotonic() - last_used >= self.orders["idle"]:
                break  # The exclusive lock stays ours: who comes now waits until we are gone, and starts anew.
            fcntl.flock(self.users_fd, fcntl.LOCK_UN)
        self._tell("stopping")
        self._end_postmaster()
        self._tell("stopped")

    def _listen_to_signals(self) -> int:
        bell, rope = os.pipe()
        os.set_blocking(bell, False)
        os.set_blocking(rope, False)
        signal.set_wakeup_fd(rope, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop_soon)
        return bell

    def _stop_soon(self, *_: object) -> None:
        self.stopping = True

    def _in_use(self) -> bool:
        """True where somebody uses it, or came and went since we last looked: who comes touches the file."""
        held = not locks.lock(self.users_fd, fcntl.LOCK_EX, 0)
        seen, self.touched = self.touched, os.fstat(self.users_fd).st_mtime_ns
        return held or seen != self.touched

    def _restart(self) -> None:
        # On the same port: those who use it need only connect again.
        self._tell("restarting")
        self.restarts += 1
        if self.restarts > MAX_RESTARTS or not (self.data / "PG_VERSION").exists():
            raise Refused("start", "the server died, and is not started again")
        deadline = time.monotonic() + locks.ORPHAN_TIMEOUT
        while True:
            try:
                return self._start(self.port)
            except Refused as refusal:  # noqa: PERF203 # it waits anyway
                # The dead server's last processes hold its shared memory for a moment.
                if refusal.kind != "again" or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


def _become(uid: int, gid: int) -> None:
    try:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    except PermissionError:
        raise Refused("start", "root may not become another user here, and PostgreSQL does not run as root") from None


def _die_with_parent(number: signal.Signals) -> Callable[[], None]:
    guardian = os.getpid()

    def ask_the_kernel() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
            if os.getppid() != guardian:
                os._exit(1)

    return ask_the_kernel


def _bindable(port: int) -> int:
    """Bind and let go; the port that it was. As PostgreSQL does, connections of the past do not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, port))
        return int(probe.getsockname()[1])


def _check_port(port: int) -> None:
    try:
        _bindable(port)
    except PermissionError:
        raise Refused("start", f"the account that the server runs as may not listen on port {port}") from None
    except OSError:
        raise Refused("port", f"something else listens on port {port}") from None


def _free_port(wish: int) -> int:
    try:
        return _bindable(wish)
    except OSError:
        return _bindable(0)


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


# --- the process ----------------------------------------------------------------------------------------------------


def _detach() -> int:
    """Leave the starter's process tree, terminal and pipes; the descriptor that the answer goes to."""
    if os.fork():
        os._exit(0)
    os.umask(0o077)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    answer = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    return answer


def _answer(fd: int, **facts: Any) -> None:
    with contextlib.suppress(OSError):  # whoever asked may be dead
        os.write(fd, json.dumps(facts).encode() + b"\n")
    os.close(fd)


def main() -> None:
    """Read the orders, bring the server up, answer, watch."""
    orders = json.load(sys.stdin)
    answer = _detach()
    guardian = Guardian(orders)
    try:
        guardian.begin()
    except Refused as refusal:
        _answer(answer, refused=refusal.kind, message=refusal.message)
        return
    except OSError as error:
        _answer(answer, refused="data", message=f"{error.filename or guardian.home}: {error.strerror}")
        return
    _answer(answer, port=guardian.port)
    guardian.watch()
