"""What a process holds of the embedded server: its place among the users, and the right to start or stop it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from typing import TYPE_CHECKING, ClassVar

from ..exceptions import ServerUnavailable
from . import _embedded_locks as locks
from ._embedded_home import explained

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ._embedded_home import Home

START_LOCK = "start.lock"
GRACE = 30.0  # beyond the guardian's own time limits, which give the better message


class Lease:
    """This process's shared lock on ``users.lock``; counted, so that several uses in one process share it."""

    def __init__(self, path: Path) -> None:
        self.fd = open_lock(path)
        self.count = 0
        # The guardian keeps it only while it stops the server.
        if not locks.lock(self.fd, fcntl.LOCK_SH, locks.STOP_TIMEOUT + GRACE):
            os.close(self.fd)
            raise ServerUnavailable("the server is stopping, and does not end", hint=f"See {path.with_name(locks.LOG_FILE)}")

    def is_of(self, path: Path) -> bool:
        """False where the file was removed and made again since: nobody looks at ours any more."""
        try:
            return os.path.samestat(os.fstat(self.fd), path.stat())
        except OSError:
            return False

    def give_back(self) -> None:
        """One use less. Closing, not unlocking: a forked child may share the lock, and still use the server."""
        self.count -= 1
        if self.count <= 0:
            os.close(self.fd)


def open_lock(path: Path) -> int:
    """Open a file of the server's folder, its errors explained."""
    with explained(path):
        return locks.open_file(path)


class _Process:
    """What this process holds."""

    mutex = threading.RLock()
    leases: ClassVar[dict[Path, Lease]] = {}
    start_locks: ClassVar[set[int]] = set()


def _after_fork() -> None:
    # The thread that was starting a server is not in the child, which must not keep others from starting one.
    _Process.mutex = threading.RLock()
    while _Process.start_locks:
        os.close(_Process.start_locks.pop())


os.register_at_fork(after_in_child=_after_fork)


def take_lease(home: Home) -> Lease:
    """Be a user of the server from now on."""
    path = home.path / locks.USERS_LOCK
    lease = _Process.leases.get(home.path)
    if lease is None or not lease.is_of(path):
        lease = _Process.leases[home.path] = Lease(path)
    lease.count += 1
    os.utime(lease.fd)  # a visit may be shorter than the guardian's round
    return lease


def end_lease(home: Home, lease: Lease) -> None:
    """Be one use less; the last one lets the server go."""
    with _Process.mutex:
        lease.give_back()
        if lease.count <= 0 and _Process.leases.get(home.path) is lease:
            del _Process.leases[home.path]


@contextlib.contextmanager
def starting(home: Home) -> Iterator[None]:
    """Be the only one, on this machine, who starts or stops this server."""
    with _Process.mutex:
        fd = open_lock(home.path / START_LOCK)
        _Process.start_locks.add(fd)
        try:
            if not locks.lock(fd, fcntl.LOCK_EX, locks.START_TIMEOUT + GRACE):
                raise ServerUnavailable("another process is starting or stopping the server, and does not end")
            yield
        finally:
            _Process.start_locks.discard(fd)
            os.close(fd)
