"""Where records come from: a file, the files of a folder, or a glob; and the digest of what they hold."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from .._shapes import Shape
from ..exceptions import SourceEmpty, SourceMalformed, SourceMissing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

SUFFIXES = (".csv", ".tsv", ".json", ".ndjson", ".jsonl", ".parquet", ".arrow", ".ipc", ".feather")
_WILD = frozenset("*?[")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class FileSource(Shape):
    """One file of records. ``name`` is what rejects and reports call it; ``size`` is in bytes.

    ``modified_ns`` is when it was last written, so that a change while it is being read is seen.
    """

    name: str
    path: Path
    size: int
    modified_ns: int = 0

    def open_seekable(self) -> BinaryIO:
        """The same, for a reader that goes back and forth."""
        return self.open()

    def open(self) -> BinaryIO:
        """The bytes of the source, from the first on.

        :raises SourceMissing: it has gone, or may not be read any more.
        """
        try:
            return self.path.open("rb")
        except OSError as error:
            raise missing(self.name, error) from error


def open_sources(path: Path, *, suffixes: Sequence[str] = SUFFIXES) -> tuple[FileSource, ...]:
    """Find the files that ``path`` names, sorted by name, and see that each can be read.

    A folder gives its own files with one of the ``suffixes`` (in any case; hidden files and subfolders are left
    alone); a glob gives every file that it matches.

    :raises SourceMissing: nothing is there, or there is no right to read it.
    :raises SourceEmpty: a file of 0 bytes.
    """
    files = _find(path, tuple(suffix.lower() for suffix in suffixes))
    names = _names(files)
    return tuple(_open(name, file) for name, file in sorted(zip(names, files)))


def content_digest(sources: Iterable[FileSource]) -> str:
    """SHA-256, in hex, over what the sources hold, in their order.

    Names, places and times do not count: a copy that was moved or touched has the digest of its original. Each file's
    length goes in before its content, so that moving bytes from one file to its neighbour changes the digest.

    :raises SourceMissing: a file has gone, or may not be read any more.
    """
    digest = hashlib.sha256()
    for source in sources:
        size, content = _digest_file(source)
        digest.update(size.to_bytes(8, "big"))
        digest.update(content)
    return digest.hexdigest()


def refuse_changed(sources: Iterable[FileSource]) -> None:
    """See that nobody wrote to the sources since :func:`open_sources` found them: their digest is of what was read.

    :raises SourceMalformed: one was changed, or has gone.
    """
    for source in sources:
        try:
            now = source.path.stat()
        except OSError as error:
            raise missing(source.name, error) from error
        if (now.st_size, now.st_mtime_ns) != (source.size, source.modified_ns):
            hint = "Nothing was loaded. Load it again when whoever writes it has finished."
            raise SourceMalformed(f"{source.name} changed while it was being read", source=source.name, hint=hint)


def missing(name: str, error: OSError) -> SourceMissing:
    """The error for a file that the system would not open."""
    name = _as_text(name)
    return SourceMissing(
        f"{name} cannot be read: {error.strerror or type(error).__name__}", source=name, hint="Check the path and the rights to read it."
    )


def _as_text(name: str) -> str:
    """A file's name as text that a report can hold: names are bytes, and not always UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace").replace("\x00", "\ufffd")


def _find(path: Path, suffixes: tuple[str, ...]) -> list[Path]:
    if "\x00" in str(path):
        raise SourceMissing("no file has a NUL in its name", source=_as_text(str(path)), hint="Check the path.")
    try:
        if path.is_dir():
            found = [item for item in path.iterdir() if item.suffix.lower() in suffixes and not item.name.startswith(".") and not item.is_dir()]
            what = f"the folder {path.name!r} has no file that ends in {' or '.join(suffixes)}"
        elif _WILD & set(str(path)) and not path.exists():
            found = _glob(path)
            what = f"no file matches {str(path)!r}"
        else:
            return [path]
    except OSError as error:
        raise missing(str(path), error) from error
    if not found:
        raise SourceMissing(_as_text(what), source=_as_text(str(path)), hint="Give a file, a folder with such files, or a glob.")
    return found


def _glob(path: Path) -> list[Path]:
    parts = path.parts
    first = next(index for index, part in enumerate(parts) if _WILD & set(part))
    root = path.__class__(*parts[:first]) if first else path.__class__()
    return [item for item in root.glob(str(path.__class__(*parts[first:]))) if not item.is_dir()]


def _names(files: list[Path]) -> list[str]:
    """File names; with their folders where two files have the same name."""
    short = [_as_text(file.name) for file in files]
    return short if len(set(short)) == len(short) else [_as_text(file.as_posix()) for file in files]


def _open(name: str, path: Path) -> FileSource:
    try:
        # Opening a pipe waits for somebody who writes to it; a device may never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise SourceMissing(f"{name} is no regular file", source=name, hint="Save it to a file first.")
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            size = file.seek(0, 2)
    except OSError as error:
        raise missing(name, error) from error
    if size == 0:
        raise SourceEmpty(f"{name} is empty", source=name, hint="It needs a header and at least one record.")
    return FileSource(name, path, size, found.st_mtime_ns)


def _digest_file(source: FileSource) -> tuple[int, bytes]:
    digest, size = hashlib.sha256(), 0
    try:
        with source.open() as file:
            for chunk in iter(lambda: file.read(_CHUNK), b""):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise missing(source.name, error) from error
    return size, digest.digest()
