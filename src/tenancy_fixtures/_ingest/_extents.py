"""Where bytes lie that can be read at any place: in a file of the caller's, or in the one temporary file of a load."""

from __future__ import annotations

import io
import os
import tempfile
import threading
import weakref
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Union

from ..exceptions import SourceMissing, SourceTooLarge
from ._limits import Account, Budget, SourceLimits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import Protocol

    from _typeshed import WriteableBuffer

    class Closeable(Protocol):
        """What is given back when the sources are."""

        def close(self) -> object:
            """Give it back."""


_BUFFER = 1 << 16


@dataclass(frozen=True)
class LocalFile:
    """A file of the caller's, as it was found. ``modified_ns`` is when it was last written."""

    path: Path
    size: int
    modified_ns: int

    def descriptor(self) -> int:
        """A descriptor of its own for whoever reads it."""
        return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)


@dataclass(frozen=True)
class Extent:
    """A stretch of a file."""

    file: Union[LocalFile, Spool]
    start: int
    size: int

    def open(self) -> BinaryIO:
        """Its bytes, seekable; as often as one likes, from any thread."""
        if isinstance(self.file, LocalFile) and self.start == 0 and self.size == self.file.size:
            return self.file.path.open("rb")
        return io.BufferedReader(self.reader(), _BUFFER)

    def reader(self) -> io.RawIOBase:
        """The same, without a buffer."""
        return _ExtentReader(self.file.descriptor(), self.start, self.size)

    def part(self, start: int, size: int) -> Extent:
        """A stretch of the stretch."""
        return Extent(self.file, self.start + start, size)


class _ExtentReader(io.RawIOBase):
    """Reads at places of its own from a descriptor of its own: nobody else's reading moves it."""

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._start = start
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError(22, "Invalid argument")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        wanted = max(0, min(len(view), self._size - self._at))
        data = os.pread(self._descriptor, wanted, self._start + self._at)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


class Spool:
    """What the sources of one load share: the temporary file for what lies in no file of the caller's, and the watch over their size.

    The file is ours alone (0600, in the system's temporary folder), is made when something is put into it, and has no name from
    then on: whatever becomes of the process, it is gone with it. Close it, or use it with ``with``; closing it also stops a
    thread that is still filling it.
    """

    def __init__(self, limits: SourceLimits | None = None) -> None:
        self.budget = Budget(limits or SourceLimits())
        self.closed = False
        self._end = 0
        self._filling = threading.Lock()
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._release: Any = None
        self._kept: list[Closeable] = []

    def take(self, name: str, chunks: Iterable[bytes], *, counted: bool = False) -> Extent:
        """Keep what ``chunks`` give; ``counted``: their stream watches over the limits itself.

        :raises SourceTooLarge: it is more than the limits allow, or than there is room for.
        """
        with self.filling(name, counted=counted) as region:
            for chunk in chunks:
                region.write(chunk)
        return region.extent

    @contextmanager
    def filling(self, name: str, *, counted: bool = False) -> Iterator[Region]:
        """A region to write into; what was written is given back where that fails."""
        with self._filling:
            region = Region(self, name, self._end, None if counted else Account(self.budget, name))
            try:
                yield region
            except BaseException:
                with self._lock:
                    if self._descriptor is not None:
                        os.ftruncate(self._descriptor, region.start)
                raise
            self._end = region.start + region.size

    def descriptor(self) -> int:
        """A descriptor of its own for whoever reads what was kept.

        :raises SourceMissing: it was closed.
        """
        with self._lock:
            return os.dup(self._file("the temporary file"))

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Put bytes at a place; for :class:`Region`."""
        view = memoryview(data)
        while view:
            with self._lock:
                try:
                    written = os.pwrite(self._file(name), view, offset)
                except OSError as error:
                    message = f"{name} cannot be kept in the temporary folder: {error.strerror}"
                    raise SourceTooLarge(message, source=name, hint="Nothing was loaded. Name a folder with more room in TMPDIR.") from error
            offset, view = offset + written, view[written:]

    def keep(self, item: Closeable) -> None:
        """Close it with the spool."""
        self._kept.append(item)

    def close(self) -> None:
        """Give everything back. Streams that are open stay so; no new one can be opened."""
        with self._lock:
            self.closed = True
            kept, self._kept = self._kept, []
            if self._release is not None:
                self._descriptor = None
                self._release()
        for item in kept:
            item.close()

    def __enter__(self) -> Spool:  # noqa: PYI034  # typing.Self needs Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _file(self, name: str) -> int:
        if self.closed:
            raise SourceMissing(f"{name} was closed while it was being read", source=name)
        if self._descriptor is None:
            with tempfile.TemporaryFile(prefix="tenancy-") as file:
                self._descriptor = os.dup(file.fileno())
            self._release = weakref.finalize(self, os.close, self._descriptor)
        return self._descriptor


class Region:
    """A stretch of the spool that is being written."""

    def __init__(self, spool: Spool, name: str, start: int, account: Account | None) -> None:
        self._spool = spool
        self._account = account
        self._name = name
        self.start = start
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append bytes.

        :raises SourceTooLarge: they are more than the limits allow, or than there is room for.
        """
        if self._account is not None:
            self._account.grew(self.size + len(data))
        self._spool.write(self._name, self.start + self.size, data)
        self.size += len(data)

    @property
    def extent(self) -> Extent:
        """What was written."""
        return Extent(self._spool, self.start, self.size)
