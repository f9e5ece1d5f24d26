"""The pages that have come, kept until the load has ended: a run that died goes on where it stopped."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from .._pg._embedded_home import check_owner, find_home
from ..exceptions import ConfigurationError
from ._answers import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ..settings import Settings

_LOCK, _REQUEST, _PAGES, _FILE = "lock", "request.json", "pages", ".ndjson"
# Pages of yesterday and of today are not one state of a catalogue.
MAX_AGE: Final = 24 * 3600.0


def default_folder(settings: Settings, digest: str) -> Path:
    """Where the journal of a request is kept if nobody says where: in the folder of the embedded server, by its digest."""
    home = find_home(settings)
    with _explaining(home.path):
        # The server's account passes through the folder, where it is another: it cannot list.
        home.path.mkdir(mode=0o711 if home.account else 0o700, parents=True, exist_ok=True)
        check_owner(home)
        (home.path / "web-api").mkdir(mode=0o700, exist_ok=True)
    return home.path / "web-api" / digest[:32]


class Journal:
    """A folder of pages, for this user alone (0700), and for one process at a time.

    A page is a file that is put in place when it is whole, with a digest of what it holds: what is not whole counts as not there.
    """

    def __init__(self, folder: Path, digest: str) -> None:
        self.folder = folder
        self._pages = folder / _PAGES
        with _explaining(folder):
            _make_own(folder)
            self._lock = _locked(folder / _LOCK)
            try:
                self._begin(digest)
            except BaseException:
                self.close()
                raise

    def read(self, key: str) -> Any:
        """What the page holds; ``None`` where there is none that is whole."""
        try:
            digest, _, content = self._path(key).read_bytes().partition(b"\n")
            return read_json(content) if digest == _digest(content) else None
        except (OSError, ValueError):
            return None

    def keep(self, key: str, value: Any) -> int:
        """Keep a page, and say how many bytes it takes."""
        content = json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()
        path = self._path(key)
        with _explaining(self.folder):
            _write(path, _digest(content) + b"\n" + content)
        return len(content)

    def forget(self, keys: Iterable[str]) -> None:
        """Drop pages."""
        for key in keys:
            with suppress(FileNotFoundError):
                self._path(key).unlink()

    @contextmanager
    def file(self, name: str) -> Iterator[Any]:
        """A file of the journal's own to write into, empty at first; it goes with the journal."""
        path = self.folder / name
        with (
            _explaining(self.folder),
            os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w", encoding="ascii") as file,
        ):
            yield file

    def close(self) -> None:
        """Let go of it; what it holds stays for the next run."""
        os.close(self._lock)

    def remove(self) -> None:
        """Take it away with all that it holds. What is not its own is left."""
        # The load has been committed: that a file stays must not make it look as if it had failed.
        with suppress(OSError):
            self._clear()
            self._pages.rmdir()
            (self.folder / _REQUEST).unlink()
            (self.folder / _LOCK).unlink()
            self.folder.rmdir()
        self.close()

    def _begin(self, digest: str) -> None:
        """Go on with what is there, where it is of the same request and not old."""
        found = _request(self.folder / _REQUEST)
        if found and found.get("request") != digest:
            hint = "Name another folder, or remove this one: it holds the pages of another request that has not ended."
            raise ConfigurationError(f"{self.folder} belongs to another request", hint=hint)
        if not found or not 0 <= time.time() - found["began"] <= MAX_AGE:
            self._clear()
            _write(self.folder / _REQUEST, json.dumps({"request": digest, "began": time.time()}).encode())
        self._pages.mkdir(mode=0o700, exist_ok=True)

    def _clear(self) -> None:
        with suppress(FileNotFoundError):
            for path in self._pages.iterdir():
                path.unlink()
        for path in self.folder.glob(f"*{_FILE}"):
            path.unlink()

    def _path(self, key: str) -> Path:
        return self._pages / hashlib.sha256(key.encode()).hexdigest()


def _make_own(folder: Path) -> None:
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid != os.geteuid():
        raise ConfigurationError(f"{folder} is not a folder of yours", hint="Name a folder for the journal that is yours, or is not there yet.")
    strange = [path.name for path in folder.iterdir() if path.name not in (_LOCK, _REQUEST, _PAGES) and path.suffix not in (_FILE, _PART)]
    if strange:
        raise ConfigurationError(f"{folder} holds other files", hint="Name a folder for the journal that is empty, or is not there yet.")
    folder.chmod(0o700)


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    raise ConfigurationError("another process fetches the same", hint=f"Wait for it, or name another folder for the journal than {path.parent}.")


_PART = ".part"


def _write(path: Path, content: bytes) -> None:
    """The whole file or none: under another name first."""
    part = path.with_name(path.name + _PART)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    part.replace(path)


def _request(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("began"), (int, float)) else None


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


@contextmanager
def _explaining(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "Name a folder for the journal where there is room, and a right to write."
        raise ConfigurationError(f"no journal can be kept in {folder}: {error.strerror or type(error).__name__}", hint=hint) from error
