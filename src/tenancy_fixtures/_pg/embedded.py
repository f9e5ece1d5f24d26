"""A real PostgreSQL for who names none: started on first use, shared by a user's processes, stopped when idle.

Every function here blocks, for a second at the first start: call it in a thread from async code.
"""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable
from urllib.parse import quote

from .._shapes import Shape
from ..exceptions import DatabaseNotConfigured

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

    from ..settings import Settings

__all__ = ["EmbeddedServer", "ServerStatus", "acquire", "check_allowed", "status", "stop"]

_HINT = "Set TENANCY_DATABASE_URL to a PostgreSQL of your own."


@dataclass(frozen=True, repr=False)
class EmbeddedServer(Shape):
    """A server that this process uses until :meth:`release`, or until it ends.

    ``superuser_url`` is a libpq URL with the password in it. ``version`` is the server's (``18.6``), ``started`` is
    True where this call started it, ``data_dir`` is the folder of the server's data, log and secrets.
    """

    superuser_url: str
    version: str
    port: int
    data_dir: Path
    started: bool
    _release: Callable[[], None]
    _secrets: _Secrets

    def release(self) -> None:
        """Use the server no more. It stops ``embedded_idle`` seconds after its last user; a second call does nothing."""
        self._release()

    def read_secret(self, name: str) -> str | None:
        """A secret that was kept beside the data; ``None`` where there is none of that name.

        :raises ServerDataDirectory: it cannot be read.
        """
        return self._secrets.read(name)

    def ensure_secret(self, name: str) -> str:
        """A secret of that name, made at random at first: processes that ask at once get the same.

        :raises ServerDataDirectory: it cannot be read or kept.
        """
        return self._secrets.ensure(name)

    def write_secret(self, name: str, value: str | None = None) -> str:
        """Keep ``value`` (or a new random one) as the secret of that name in a file of mode 0600, and return it.

        :raises ServerDataDirectory: it cannot be kept.
        """
        return self._secrets.write(name, value)

    @property
    def secrets_dir(self) -> Path:
        """The folder with the secrets, mode 0700."""
        return self._secrets.folder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<EmbeddedServer PostgreSQL {self.version} at {self._masked_url()}, data in {self.data_dir}>"

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON-ready values, the password masked."""
        known = {"superuser_url": self._masked_url(), "version": self.version, "port": self.port}
        return {**known, "data_dir": str(self.data_dir), "started": self.started}

    def _masked_url(self) -> str:
        return _url("***", self.port)


@dataclass(frozen=True)
class ServerStatus(Shape):
    """Whether the embedded server runs. ``pid`` is the postmaster's; ``users`` counts processes, where the system tells."""

    running: bool
    data_dir: Path
    version: str | None = None
    port: int | None = None
    pid: int | None = None
    users: int | None = None
    log: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON-ready values."""
        return {**Shape.to_dict(self), "data_dir": str(self.data_dir), "log": str(self.log) if self.log else None}


class _Secrets:
    def __init__(self, home: Any) -> None:
        from . import _embedded_home

        self._rooms, self._home = _embedded_home, home
        self.folder: Path = home.secrets

    def read(self, name: str) -> str | None:
        return self._rooms.read_secret(self._home, name)

    def ensure(self, name: str) -> str:
        return self._rooms.ensure_secret(self._home, name)

    def write(self, name: str, value: str | None) -> str:
        return self._rooms.write_secret(self._home, name, value)


def check_allowed(settings: Settings) -> None:
    """Say whether a server may be embedded here.

    :raises DatabaseNotConfigured: not in production mode, not inside Kubernetes, not on Windows.
    """
    if settings.production:
        raise DatabaseNotConfigured("no database is named, and none is embedded in production mode", hint=_HINT)
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        raise DatabaseNotConfigured("no database is named, and none is embedded inside Kubernetes: its data would go with the pod", hint=_HINT)
    _check_platform()


def _check_platform() -> None:
    if sys.platform == "win32":
        raise DatabaseNotConfigured("no database is named, and none can be embedded on Windows", hint=_HINT)


def acquire(settings: Settings) -> EmbeddedServer:
    """Use the embedded server: start it, or join the one that runs.

    Several calls in one process share one registration; the server lives until the last is released.

    :raises DatabaseNotConfigured: none may be started here.
    :raises MissingExtra: the extra ``embedded`` is not installed.
    :raises ServerDataDirectory: no room, no rights, or another's folder.
    :raises ServerVersionMismatch: the data is of another major version.
    :raises ServerPortInUse: something else listens on ``postgres_port``.
    :raises ServerUnavailable: it did not start; the message has the log's last word.
    """
    check_allowed(settings)
    from . import _embedded_cluster as cluster
    from . import _embedded_home as homes
    from . import _embedded_leases as leases

    home = homes.prepare_home(settings)
    state, lease, started = cluster.acquire(home, settings)
    release = _once(lambda: leases.end_lease(home, lease))
    try:
        url = _url(cluster.password(home), state["port"])
    except BaseException:
        release()
        raise
    return EmbeddedServer(url, state["version"], state["port"], home.path, started, release, _Secrets(home))


def status(settings: Settings) -> ServerStatus:
    """Ask after the embedded server without starting or making anything.

    :raises ServerDataDirectory: its folder belongs to somebody else.
    """
    _check_platform()
    from . import _embedded_cluster as cluster
    from . import _embedded_home as homes

    home = homes.find_home(settings)
    with homes.explained(home.path):
        homes.check_owner(home)
        log = cluster.log_of(home)
        state = cluster.state_of(home) if cluster.guardian_lives(home) else {}
        if state.get("state") != "ready":
            return ServerStatus(False, home.path, log=log if log.exists() else None)
        return ServerStatus(True, home.path, state["version"], state["port"], state["pid"], cluster.count_users(home), log)


def stop(settings: Settings) -> bool:
    """Stop the embedded server now, whoever uses it, and wait until it has gone; False where it did not run.

    :raises ServerUnavailable: it does not stop.
    :raises ServerDataDirectory: its folder belongs to somebody else.
    """
    _check_platform()
    from . import _embedded_cluster as cluster
    from . import _embedded_home as homes

    home = homes.find_home(settings)
    with homes.explained(home.path):
        homes.check_owner(home)
        return cluster.stop(home)


def _url(password: str, port: int) -> str:
    return f"postgresql://postgres:{quote(password, safe='*')}@127.0.0.1:{port}/postgres"


def _once(action: Callable[[], None]) -> Callable[[], None]:
    mutex = threading.Lock()
    left = [action]

    def run() -> None:
        with mutex:
            todo = left.pop() if left else None
        if todo:
            todo()

    return run
