"""Which files a path of this machine leads to, and which of many are data."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Final
from urllib.parse import unquote

from ..exceptions import SourceMissing
from ._codecs import CODECS
from ._extents import LocalFile
from ._source_errors import as_text, missing

if TYPE_CHECKING:
    from collections.abc import Iterable

SUFFIXES: Final = (".csv", ".tsv", ".txt", ".json", ".ndjson", ".jsonl", ".parquet", ".arrow", ".feather", ".ipc")
_ARCHIVES: Final = (".zip", ".tar", ".tgz", ".tzst", ".tbz2")
_WILD = frozenset("*?[")
# Whether a file among others, by its name, is data.
Wanted = Callable[[str], bool]


def local_path(url: str) -> Path:
    """The path of a ``file://`` URL.

    :raises SourceMissing: it is of another machine.
    """
    host, slash, path = url.partition("://")[2].partition("/")
    if host not in ("", "localhost"):
        raise SourceMissing("a file:// URL names another machine", source="file://", hint="A file of this one is file:///path.")
    return Path(unquote(slash + path))


def find(path: Path, wanted: Wanted) -> list[Path]:
    """The file, the files of the folder that are wanted, or those that the glob matches.

    :raises SourceMissing: there is none, or no right to look.
    """
    if "\x00" in str(path):
        raise SourceMissing("no file has a NUL in its name", source=as_text(str(path)), hint="Check the path.")
    hint = "Give a file, a folder with such files, or a glob."
    try:
        if path.is_dir():
            found = [item for item in path.iterdir() if wanted(item.name) and not item.is_dir()]
            what = f"the folder {path.name!r} has no file that ends in {in_words(SUFFIXES)}, packed or not"
            if not found and any(item.is_dir() for item in path.iterdir()):
                hint = f"Folders in it are left alone: '{path}/**/*' is a glob for all that is in them."
        elif _WILD & set(str(path)) and not path.exists():
            found = _glob(path)
            what = f"no file matches {str(path)!r}"
        else:
            return [path]
    except OSError as error:
        raise missing(str(path), error) from error
    if not found:
        raise SourceMissing(as_text(what), source=as_text(str(path)), hint=as_text(hint))
    return found


def _glob(path: Path) -> list[Path]:
    parts = path.parts
    first = next(index for index, part in enumerate(parts) if _WILD & set(part))
    root = path.__class__(*parts[:first]) if first else path.__class__()
    return [item for item in root.glob(str(path.__class__(*parts[first:]))) if not item.is_dir()]


def names_of(files: list[Path]) -> list[str]:
    """File names; with their folders where two files have the same name."""
    short = [as_text(file.name) for file in files]
    return short if len(set(short)) == len(short) else [as_text(file.as_posix()) for file in files]


def look_at(name: str, path: Path) -> LocalFile:
    """The file as it is now.

    :raises SourceMissing: it is not there, is no regular file, or may not be read.
    """
    try:
        # Opening a pipe waits for somebody who writes to it; a device may never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise SourceMissing(f"{name} is no regular file", source=name, hint="Save it to a file first, or pipe it in and name it -.")
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            return LocalFile(path, file.seek(0, 2), found.st_mtime_ns)
    except OSError as error:
        raise missing(name, error) from error


def is_wanted(name: str) -> bool:
    """Whether a file among others is taken: by its suffixes, and not if it is hidden."""
    name = name.lower()
    if name.startswith("."):
        return False
    stem, dot, last = name.rpartition(".")
    plain = stem if dot + last in CODECS else name
    return plain.endswith((*SUFFIXES, ".tar")) or name.endswith(_ARCHIVES)


def in_words(suffixes: Iterable[str]) -> str:
    """Suffixes as a sentence names them."""
    *first, last = suffixes
    return f"{', '.join(first)} or {last}"
