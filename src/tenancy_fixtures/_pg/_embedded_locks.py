"""Lock files, the state file and what an earlier server left: shared by the guardian and those who use the server.

Three lock files tell the living from the dead, whatever was killed when, because the kernel lets go of a dead process's
locks: ``users.lock`` is held shared by each using process, ``guardian.lock`` by the guardian, and ``server.lock`` by the
guardian and, through an inherited descriptor, by every process of the server and of ``initdb``.

Standard library only, and nothing of the package: the guardian loads this file by itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

STATE_FILE = "server.json"
LOG_FILE = "server.log"
USERS_LOCK = "users.lock"
GUARDIAN_LOCK = "guardian.lock"
SERVER_LOCK = "server.lock"
CLUSTER = "server"  # the folder that belongs to the server's account
DATA = "data"

START_TIMEOUT = 300.0  # Recovery after a crash replays up to a gigabyte of WAL.
STOP_TIMEOUT = 60.0  # A fast shutdown writes a checkpoint.
ORPHAN_TIMEOUT = 10.0


class Refused(Exception):
    """The server cannot run. ``kind`` is ``taken``, ``port``, ``data``, ``again`` or ``start``."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


# --- locks and files ------------------------------------------------------------------------------------------------


def open_file(path: Path) -> int:
    """Open for reading and writing, made with mode 0600 where it is missing; never through a symbolic link."""
    appended = os.O_APPEND if path.name == LOG_FILE else 0
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | appended, 0o600)


def lock(fd: int, operation: int, timeout: float, interval: float = 0.02) -> bool:
    """Take a ``flock`` within ``timeout`` seconds; False where somebody else keeps it."""
    deadline = time.monotonic() + timeout
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(fd, operation | fcntl.LOCK_NB)
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(interval)


def write_state(fd: int, state: dict[str, Any]) -> None:
    """Replace the state in place: the server's account may write this file, but not the folder that it is in."""
    line = json.dumps(state).encode() + b"\n"
    os.pwrite(fd, line, 0)
    os.ftruncate(fd, len(line))


def read_state(path: Path) -> dict[str, Any]:
    """The state as its file has it; empty where there is none, or it is just being written."""
    try:
        with path.open(encoding="utf-8") as file:
            state = json.loads(file.readline())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def useful_line(text: str) -> str:
    """The line that says why: the last that is FATAL, PANIC or an error, else the last of all."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"\b(FATAL|PANIC|ERROR|error):", line)]
    line = (telling or lines or ["(nothing was logged)"])[-1]
    return re.sub(r"^.*?\b(?=(FATAL|PANIC|ERROR):)", "", line)


# --- an earlier server ----------------------------------------------------------------------------------------------


def await_orphans(lock_fd: int, data: Path) -> None:
    """Take the server's lock; a server whose guardian was killed is shut down first, ever less politely."""
    if lock(lock_fd, fcntl.LOCK_EX, 0.1):
        return
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        _signal_postmaster(data, number)
        if lock(lock_fd, fcntl.LOCK_EX, ORPHAN_TIMEOUT):
            return
    raise Refused("start", "processes of an earlier server do not end")


def _signal_postmaster(data: Path, number: signal.Signals) -> None:
    lines = postmaster_lines(data)
    if lines and lines[0].isdigit() and _works_in(int(lines[0]), data):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(int(lines[0]), number)


def _works_in(pid: int, folder: Path) -> bool:
    # The number may belong to another process by now. A postmaster's working directory is its data directory.
    if not Path("/proc/self").exists():
        return True
    try:
        return folder.samefile(f"/proc/{pid}/cwd")
    except OSError:
        return False


def postmaster_lines(data: Path) -> list[str]:
    """The lines of ``postmaster.pid``: the first is the process id, the eighth says ``ready``."""
    try:
        # The second line is the folder's name: any bytes, and none of the line ends that Python knows besides.
        return [line.strip() for line in (data / "postmaster.pid").read_bytes().decode(errors="replace").split("\n")]
    except OSError:
        return []
