"""Where the embedded server lives: its folder, the account that it runs as, the secrets beside it."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import secrets
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ..exceptions import DatabaseNotConfigured, ServerDataDirectory
from ._embedded_locks import CLUSTER, DATA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..settings import Settings

FOLDER = "tenancy-fixtures"
# PostgreSQL refuses to run as root. Debian's account for it, else the one that every system has.
ACCOUNTS = ("postgres", "nobody")
USE_YOUR_OWN = "Set TENANCY_DATABASE_URL to a PostgreSQL of your own."
_SECRET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class Home:
    """The server's folder. ``account`` is whom the server runs as where that is not ourselves: root's substitute."""

    path: Path
    account: pwd.struct_passwd | None

    @property
    def cluster(self) -> Path:
        """The folder that belongs to the server's account."""
        return self.path / CLUSTER

    @property
    def data(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.cluster / DATA

    @property
    def secrets(self) -> Path:
        """Random passwords, one file each, mode 0600."""
        return self.path / "secrets"

    def data_version(self) -> int | None:
        """The major version that the data is of; ``None`` where there is none yet."""
        try:
            return int((self.data / "PG_VERSION").read_text(encoding="ascii").strip())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ServerDataDirectory(f"{self.data} is not a data directory that can be read", data_dir=str(self.path)) from error


def find_home(settings: Settings) -> Home:
    """Say where the server lives, without making or checking anything."""
    account = _account() if os.geteuid() == 0 else None
    path = settings.data_dir.expanduser().absolute() if settings.data_dir else _default_path(account)
    return Home(path, _owner_of(path / CLUSTER, account))


def prepare_home(settings: Settings) -> Home:
    """Make the server's folders where they are missing.

    :raises ServerDataDirectory: they cannot be made, or belong to somebody else.
    """
    home = find_home(settings)
    _check_name_of_account()
    with explained(home.path):
        _make(home.path, traversable=home.account is not None)
        check_owner(home)
        _make(home.secrets)
        _make(home.cluster)
        if home.account and home.cluster.lstat().st_uid == 0:
            os.chown(home.cluster, home.account.pw_uid, home.account.pw_gid)
    _check_cluster(home)
    return home


def check_owner(home: Home) -> None:
    """Refuse a folder that is not ours alone: a stranger who may write there could read or swap the data.

    :raises ServerDataDirectory: it is another's, or the world may write in it.
    """
    for path in (home.path, home.secrets):
        for found in _stats(path):
            if found.st_uid != os.geteuid():
                _refuse(path, f"belongs to {_name(found.st_uid)}")
            if not stat.S_ISLNK(found.st_mode) and found.st_mode & stat.S_IWOTH:
                _refuse(path, "can be written by everybody")


def _stats(path: Path) -> Iterator[os.stat_result]:
    # The link's own owner counts as well: in a shared folder, a stranger's link would choose where our data goes.
    with contextlib.suppress(FileNotFoundError):
        yield path.lstat()
        yield path.stat()


def _check_cluster(home: Home) -> None:
    found = home.cluster.lstat()
    if not stat.S_ISDIR(found.st_mode):
        _refuse(home.cluster, "is not a folder")
    if found.st_uid != (home.account.pw_uid if home.account else os.geteuid()):
        _refuse(home.cluster, f"belongs to {_name(found.st_uid)}")
    if os.path.lexists(home.data) and home.data_version() is None:
        _refuse(home.data, "holds something that is not a PostgreSQL data directory")


def _refuse(path: Path, why: str) -> NoReturn:
    raise ServerDataDirectory(f"{path} {why}", data_dir=str(path), hint="Set TENANCY_DATA_DIR to a folder of your own.")


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Say of a file's error what to do about it."""
    try:
        yield
    except OSError as error:
        hint = f"Set TENANCY_DATA_DIR to a folder that you can write, or {USE_YOUR_OWN[0].lower()}{USE_YOUR_OWN[1:]}"
        raise ServerDataDirectory(f"{error.filename or path}: {error.strerror}", data_dir=str(path), hint=hint) from error


def _make(path: Path, traversable: bool = False) -> None:
    if path.is_dir():
        return
    if not path.parent.is_dir():
        _make(path.parent, traversable)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
        if traversable:
            path.chmod(0o711)  # the server's account passes through; it cannot list
    if not path.is_dir():
        raise NotADirectoryError(20, "is not a folder", str(path))


# --- where, and as whom ---------------------------------------------------------------------------------------------


def _default_path(account: pwd.struct_passwd | None) -> Path:
    candidates = _root_folders(account) if account else _user_folders()
    chosen = next((folder / FOLDER for folder in candidates if _can_be_written(folder)), None)
    # The name alone keeps users apart; that nobody made it before us is what check_owner is for.
    return chosen or Path(tempfile.gettempdir()).absolute() / f"{FOLDER}-{os.geteuid()}"


def _root_folders(account: pwd.struct_passwd) -> Iterator[Path]:
    # Never root's home, nor somebody else's that sudo left in $HOME.
    wished = os.environ.get("XDG_DATA_HOME", "")
    if wished.startswith("/") and _can_be_entered(Path(wished), account):
        yield Path(wished)
    yield Path("/var/lib")


def _user_folders() -> Iterator[Path]:
    # An empty or relative name is as good as none.
    data, own = Path(os.environ.get("XDG_DATA_HOME", "")), Path(os.environ.get("HOME", ""))
    if data.is_absolute():
        yield data
    if own.is_absolute():
        yield own / ".local" / "share"
    with contextlib.suppress(KeyError):
        yield Path(pwd.getpwuid(os.geteuid()).pw_dir, ".local", "share")


def _can_be_written(folder: Path) -> bool:
    nearest = next(parent for parent in (folder, *folder.parents) if os.access(parent, os.F_OK))
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _can_be_entered(folder: Path, account: pwd.struct_passwd) -> bool:
    existing = [path for path in (folder, *folder.parents) if path.exists()]
    return all(_may_pass(path.stat(), account) for path in existing)


def _may_pass(found: os.stat_result, account: pwd.struct_passwd) -> bool:
    if found.st_uid == account.pw_uid:
        return bool(found.st_mode & stat.S_IXUSR)
    return bool(found.st_mode & (stat.S_IXGRP if found.st_gid == account.pw_gid else stat.S_IXOTH))


def _account() -> pwd.struct_passwd:
    for name in ACCOUNTS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    message = f"PostgreSQL does not run as root, and there is no account {' or '.join(ACCOUNTS)} to run it as"
    raise DatabaseNotConfigured(message, hint=f"Run as another user. {USE_YOUR_OWN}")


def _owner_of(cluster: Path, account: pwd.struct_passwd | None) -> pwd.struct_passwd | None:
    # Data that was made as nobody stays nobody's, also when an account postgres came later.
    if account is not None:
        with contextlib.suppress(OSError, KeyError):
            owner = pwd.getpwuid(cluster.lstat().st_uid)
            return owner if owner.pw_uid else account
    return account


def _check_name_of_account() -> None:
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        message = f"the user id {os.geteuid()} has no account on this system, and PostgreSQL does not run without one"
        raise DatabaseNotConfigured(message, hint=f"Run as a user with an account. {USE_YOUR_OWN}") from None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user id {uid}"


# --- secrets --------------------------------------------------------------------------------------------------------


def read_secret(home: Home, name: str) -> str | None:
    """The secret of that name; ``None`` where there is none."""
    with explained(home.secrets):
        try:
            return _secret_path(home, name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None


def ensure_secret(home: Home, name: str) -> str:
    """The secret of that name; a random one is made and kept where there is none. Safe between processes."""
    return read_secret(home, name) or _keep(home, name, secrets.token_urlsafe(32), replace=False)


def write_secret(home: Home, name: str, value: str | None = None) -> str:
    """Keep ``value``, or a random one, under that name in a file of mode 0600, and return it."""
    return _keep(home, name, value or secrets.token_urlsafe(32), replace=True)


def _keep(home: Home, name: str, value: str, *, replace: bool) -> str:
    path = _secret_path(home, name)
    with explained(home.secrets):
        fd, fresh = tempfile.mkstemp(dir=home.secrets, prefix=".new-")  # mkstemp's files have mode 0600
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write(value)
                file.flush()
                os.fsync(fd)
            if replace:
                Path(fresh).replace(path)
                return value
            with contextlib.suppress(FileExistsError):
                os.link(fresh, path)
            return path.read_text(encoding="utf-8")
        finally:
            with contextlib.suppress(FileNotFoundError):
                Path(fresh).unlink()


def _secret_path(home: Home, name: str) -> Path:
    if not _SECRET_NAME.fullmatch(name):
        raise ValueError("a secret's name is made of letters, digits, '_', '.' and '-'")
    return home.secrets / name
