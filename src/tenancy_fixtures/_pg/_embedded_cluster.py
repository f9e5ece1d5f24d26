"""Starting, joining, asking after and stopping the embedded server, between processes that do so at once."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exceptions import ServerDataDirectory, ServerError, ServerPortInUse, ServerUnavailable, ServerVersionMismatch
from . import _embedded_locks as locks
from ._embedded_binaries import usable_binaries
from ._embedded_home import USE_YOUR_OWN, ensure_secret, explained, read_secret
from ._embedded_leases import GRACE, START_LOCK, Lease, end_lease, open_lock, starting, take_lease

if TYPE_CHECKING:
    from ..settings import Settings
    from ._embedded_binaries import Binaries
    from ._embedded_home import Home

SUPERUSER = "postgres"
LOG_LIMIT = 10 * 1024 * 1024

# No settings of speed against safety: the data is the user's. Statements and what they say of values stay out of the log.
CONFIGURATION = {
    "timezone": "'UTC'",
    "max_locks_per_transaction": "256",  # a tenant's schema with all its tables and indexes is made or dropped in one transaction
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}

# Loads the guardian from its folder under a name of its own: neither our package nor its dependencies are imported.
BOOT = """
import sys, types
package = types.ModuleType("embedded")
package.__path__ = [sys.argv[1]]
sys.modules["embedded"] = package
from embedded import _embedded_guardian
_embedded_guardian.main()
"""


# --- starting and joining -------------------------------------------------------------------------------------------


def acquire(home: Home, settings: Settings) -> tuple[dict[str, Any], Lease, bool]:
    """Join the server, or start it: its state, the lease, and whether it was this call that started it."""
    with starting(home):
        lease = take_lease(home)
        try:
            state = await_guardian(home)
            started = state is None
            if state is None:
                state = _start(home, settings)
            _check_joinable(home, settings, state)
        except BaseException:
            end_lease(home, lease)
            raise
        return state, lease, started


def guardian_lives(home: Home) -> bool:
    """True while some guardian holds its lock."""
    return _locked(home.path / locks.GUARDIAN_LOCK)


def _locked(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not locks.lock(fd, fcntl.LOCK_SH, 0)
    finally:
        os.close(fd)


def state_of(home: Home) -> dict[str, Any]:
    """What the guardian last said of itself."""
    return locks.read_state(home.path / locks.STATE_FILE)


def log_of(home: Home) -> Path:
    """The server's log."""
    return home.path / locks.LOG_FILE


def await_guardian(home: Home) -> dict[str, Any] | None:
    """The state of the server that runs, once it is ready; ``None`` where none does."""
    deadline = time.monotonic() + locks.START_TIMEOUT + GRACE
    while guardian_lives(home):
        state = state_of(home)
        if state.get("state") == "ready":
            return state
        if time.monotonic() > deadline:
            raise _unavailable(home, "the server is starting or stopping, and does not end")
        time.sleep(0.02)
    return None


def _check_joinable(home: Home, settings: Settings, state: dict[str, Any]) -> None:
    if state["host"] != os.uname().nodename:
        raise _unavailable(home, f"the server runs on another machine, {state['host']}, and is not reached from here")
    if settings.postgres_port not in (0, state["port"]):
        message = f"the server runs on port {state['port']}, not on {settings.postgres_port}"
        raise ServerUnavailable(message, data_dir=str(home.path), hint="Stop it first (tenancy server stop), or leave TENANCY_POSTGRES_PORT unset.")


def _start(home: Home, settings: Settings) -> dict[str, Any]:
    binaries = usable_binaries(settings, home)
    _check_version(home, binaries)
    orders = _orders(home, settings, binaries)
    _rotate_log(home)
    _forget_state(home)
    answer = _send_out(home, orders)
    if answer.get("refused") not in (None, "taken"):
        raise _explain(home, settings, answer)
    state = await_guardian(home)
    if state is None:
        raise _unavailable(home, "the server did not start")
    return state


def _check_version(home: Home, binaries: Binaries) -> None:
    found = home.data_version()
    if found in (None, binaries.major):
        return
    message = f"{home.path} holds data of PostgreSQL {found}, and the server is PostgreSQL {binaries.major}"
    hint = (
        f"To go on with it, set TENANCY_POSTGRES_BIN to the programs of PostgreSQL {found}; export it with them to move to {binaries.major}. "
        f"To begin anew, set TENANCY_DATA_DIR to another folder, or move {home.path} away."
    )
    raise ServerVersionMismatch(message, data_version=found, server_version=binaries.major, data_dir=str(home.path), hint=hint)


def _orders(home: Home, settings: Settings, binaries: Binaries) -> dict[str, Any]:
    return {
        "home": str(home.path),
        "bin": str(binaries.folder),
        "version": binaries.version,
        "account": [home.account.pw_uid, home.account.pw_gid] if home.account else None,
        "port": settings.postgres_port,
        "last_port": state_of(home).get("port") or 0,
        "idle": settings.embedded_idle,
        "password": password(home),
        "locales": binaries.locales,
        "configuration": CONFIGURATION,
        "environment": _environment(settings),
    }


def password(home: Home) -> str:
    """The superuser's password; made where there is no data yet."""
    if home.data_version() is None:
        return ensure_secret(home, SUPERUSER)
    known = read_secret(home, SUPERUSER)
    if known is None:
        path = home.secrets / SUPERUSER
        raise ServerDataDirectory(
            f"{path} is missing: nobody knows the password of the data", data_dir=str(home.path), hint="Restore it, or use another folder."
        )
    return known


def _environment(settings: Settings) -> dict[str, str]:
    kept = ("PATH", "TMPDIR", *(("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if settings.postgres_bin else ()))
    return {"LC_ALL": "C", **{name: os.environ[name] for name in kept if name in os.environ}}


def _rotate_log(home: Home) -> None:
    log = log_of(home)
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))


def _forget_state(home: Home) -> None:
    # What a killed guardian said last must not be taken for its successor's word.
    fd = open_lock(home.path / locks.STATE_FILE)
    with explained(home.path):
        locks.write_state(fd, {"state": "starting", "port": state_of(home).get("port")})
    os.close(fd)


# --- the guardian's process -----------------------------------------------------------------------------------------


def _send_out(home: Home, orders: dict[str, Any]) -> dict[str, Any]:
    log = open_lock(log_of(home))
    command = [_interpreter(), "-I", "-S", "-c", BOOT, str(Path(__file__).parent), str(home.path)]
    try:
        process = subprocess.Popen(  # noqa: S603 # this Python, in a list
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd="/", start_new_session=True
        )
    finally:
        os.close(log)
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(orders).encode())
            process.stdin.close()
        return _answer(process.stdout.fileno())


def _answer(fd: int) -> dict[str, Any]:
    deadline = time.monotonic() + locks.START_TIMEOUT + GRACE
    text = b""
    while not text.endswith(b"\n"):
        if not _readable(fd, deadline):
            return {"refused": "start", "message": "the server takes too long to start"}
        part = os.read(fd, 65536)
        if not part:
            return {"refused": "start", "message": None}
        text += part
    answer: dict[str, Any] = json.loads(text)
    return answer


def _readable(fd: int, deadline: float) -> bool:
    with selectors.DefaultSelector() as selector:  # select() fails in a process with many open files
        selector.register(fd, selectors.EVENT_READ)
        return bool(selector.select(max(0.0, deadline - time.monotonic())))


def _interpreter() -> str:
    # Where Python is embedded (uwsgi), sys.executable is not Python.
    candidates = (sys.executable, getattr(sys, "_base_executable", None), Path(sys.exec_prefix, "bin", "python3"))
    for candidate in (Path(candidate) for candidate in candidates if candidate):
        if candidate.name.lower().startswith(("python", "pypy")) and os.access(candidate, os.X_OK):
            return str(candidate)
    raise ServerUnavailable("no Python interpreter was found to watch over the server", hint=USE_YOUR_OWN)


def _explain(home: Home, settings: Settings, answer: dict[str, Any]) -> ServerError:
    message = answer["message"] or locks.useful_line(_tail(home))
    if answer["refused"] == "port":
        hint = "Set TENANCY_POSTGRES_PORT to another port, or unset it for a free one."
        return ServerPortInUse(message, port=settings.postgres_port, hint=hint)
    if answer["refused"] == "data":
        account = f" The server runs as {home.account.pw_name}." if home.account else ""
        hint = f"Free some space or mend the rights there, or set TENANCY_DATA_DIR to another folder.{account}"
        return ServerDataDirectory(message, data_dir=str(home.path), log=str(log_of(home)), hint=hint)
    return _unavailable(home, f"the server did not start: {message}")


def _unavailable(home: Home, message: str) -> ServerUnavailable:
    log = log_of(home)
    return ServerUnavailable(message, data_dir=str(home.path), log=str(log), hint=f"See {log}")


def _tail(home: Home) -> str:
    try:
        return log_of(home).read_bytes()[-16384:].decode(errors="replace")
    except OSError:
        return ""


# --- stopping and asking --------------------------------------------------------------------------------------------


def stop(home: Home) -> bool:
    """Stop the server now, whoever uses it; False where none ran."""
    if not (home.path / START_LOCK).exists():
        return False
    with starting(home):
        ran = guardian_lives(home)
        if ran:
            _end_guardian(home)
        return _end_orphans(home) or ran


def _end_guardian(home: Home) -> None:
    deadline = time.monotonic() + locks.STOP_TIMEOUT + GRACE
    told = False
    while guardian_lives(home):
        # A guardian that has only just taken its lock has not written its number yet.
        pid = state_of(home).get("guardian")
        if pid and not told:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            told = True
        if time.monotonic() > deadline:
            raise _unavailable(home, "the server does not stop")
        time.sleep(0.02)


def _end_orphans(home: Home) -> bool:
    path = home.path / locks.SERVER_LOCK
    if not _locked(path):
        return False
    fd = open_lock(path)
    try:
        locks.await_orphans(fd, home.data)
    except locks.Refused as refusal:
        raise _unavailable(home, refusal.message) from None
    finally:
        os.close(fd)
    return True


def count_users(home: Home) -> int | None:
    """How many processes use the server; ``None`` where the system does not tell (only Linux does)."""
    try:
        inode = (home.path / locks.USERS_LOCK).stat().st_ino
        table = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return None
    fields = [line.split() for line in table.splitlines() if "->" not in line]
    return sum(1 for field in fields if field[1] == "FLOCK" and field[3] == "READ" and field[5].endswith(f":{inode}"))
