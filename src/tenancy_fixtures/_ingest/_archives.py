"""The files of a zip or tar archive, without unpacking it to disk: found, named, and those refused that no honest archive holds."""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from ..exceptions import SourceMalformed, SourceTooLarge
from ._codecs import Unpacked, buffered
from ._limits import Account
from ._source_errors import as_text, damaged, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ._extents import Extent, Spool
    from ._limits import Budget

_ENCRYPTED: Final = 0x1
# LZMA in a zip may ask for gigabytes of memory before it gives a byte.
_METHODS: Final = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated", zipfile.ZIP_BZIP2: "bzip2"}
# An entry's line in the directory of a zip, with a long name; what is read at once of a tar is a name or a list of attributes.
_ENTRY_BYTES: Final = 256
_LEAST_READ: Final = 1 << 20
_BLOCK: Final = 512


@dataclass(frozen=True)
class ZipMember:
    """A file in a zip archive. ``size`` is what the archive says of it."""

    account: Account
    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.account.name

    @property
    def size(self) -> int:
        """Bytes, unpacked."""
        return self.info.file_size

    def open(self, ended: Callable[[int], None] | None = None) -> BinaryIO:
        """What it holds; as often as one likes, from any thread."""
        try:
            stream: Any = self.archive.open(self.info)
        except (zipfile.BadZipFile, ValueError, EOFError, struct.error) as error:
            raise damaged(self.name, "cannot be unpacked: its content is damaged") from error
        except OSError as error:
            raise missing(self.name, error) from error
        unpacked = Unpacked(self.account, stream, packed=lambda: self.info.compress_size)
        unpacked.ended = ended
        return buffered(unpacked)


def zip_members(name: str, extent: Extent, spool: Spool, wanted: Callable[[str], bool]) -> Iterator[ZipMember]:
    """The data files of a zip archive, sorted by name.

    :raises SourceMalformed: it is damaged, encrypted, or has entries that no honest archive holds.
    :raises SourceTooLarge: it has more entries than the limits allow.
    """
    file = _open(name, extent, spool.budget)
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError, struct.error) as error:
        file.close()
        raise damaged(name, "is no zip archive that can be read: it is damaged or was cut off") from error
    except BaseException:
        file.close()
        raise
    spool.keep(file)
    spool.keep(archive)
    infos = archive.infolist()
    spool.budget.count(name, len(infos))
    found = _Found(name, wanted)
    for info in infos:
        kind = info.external_attr >> 16
        if not info.is_dir() and found.take(info.filename, info, is_file=not stat.S_IFMT(kind) or stat.S_ISREG(kind)):
            _check_packing(f"{name}/{as_text(info.filename)}", info)
    for member, info in found.sorted():
        yield ZipMember(Account(spool.budget, member), archive, info)


def tar_members(name: str, extent: Extent, spool: Spool, wanted: Callable[[str], bool]) -> Iterator[tuple[str, Extent]]:
    """The data files of a tar archive, sorted by name, with their places in it.

    :raises SourceMalformed: it is damaged, or has entries that no honest archive holds.
    :raises SourceTooLarge: it has more entries than the limits allow.
    """
    found = _Found(name, wanted)
    with _open(name, extent, spool.budget) as file:
        try:
            # Plain: a compressed one was unpacked before, under the watch of the limits.
            with tarfile.open(fileobj=file, mode="r:", errors="surrogateescape") as archive:
                for number, info in enumerate(archive, start=1):
                    spool.budget.count(name, number)
                    if not info.isdir() and found.take(info.name, info, is_file=info.isreg() and not info.issparse()) and _beyond(info, extent):
                        raise damaged(name, "ends in the middle: it was cut off")
                # What follows the last entry is a block of zeros; tarfile also stops at one that it does not understand.
                file.seek(archive.offset)
                if file.read(_BLOCK) != bytes(_BLOCK):
                    raise damaged(name, "ends without the mark of its end: it is damaged or was cut off")
        except (tarfile.TarError, ValueError, OverflowError, EOFError, zlib.error, struct.error) as error:
            raise damaged(name, "is no tar archive that can be read: it is damaged or was cut off") from error
        except OSError as error:
            raise missing(name, error) from error
    for member, info in found.sorted():
        yield member, extent.part(info.offset_data, info.size)


class _Found:
    """The entries of an archive that are data, by the names that reports will call them."""

    def __init__(self, name: str, wanted: Callable[[str], bool]) -> None:
        self._name = name
        self._wanted = wanted
        self._entries: dict[str, Any] = {}

    def take(self, path: str, entry: Any, *, is_file: bool) -> bool:
        """Whether an entry is data: hidden files, those of macOS and those with other suffixes are not.

        :raises SourceMalformed: its path leads out of the archive, it is a link or a device, or it is there twice.
        """
        parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
        member = f"{self._name}/{as_text('/'.join(parts))}"
        if path.startswith(("/", "\\")) or path[1:2] == ":" or ".." in parts:
            raise self._refused(member, "leads out of the archive")
        if any(part.startswith(".") or part == "__MACOSX" for part in parts) or not parts or not self._wanted(parts[-1]):
            return False
        if not is_file:
            raise self._refused(member, "is a link, a device or stored with holes")
        if member in self._entries:
            raise self._refused(member, "is there twice")
        self._entries[member] = entry
        return True

    def sorted(self) -> list[tuple[str, Any]]:
        """Names and entries in the order of the names."""
        return sorted(self._entries.items(), key=lambda item: item[0])

    def _refused(self, member: str, what: str) -> SourceMalformed:
        return SourceMalformed(f"{member} {what}", source=member, hint="Nothing was loaded. Pack the archive of plain files.")


class _Bounded(io.BufferedReader):
    """A reader that gives no more at once than an honest archive asks for: its headers say how much that is, and are not to be trusted."""

    def __init__(self, raw: Any, name: str, limit: int) -> None:
        super().__init__(raw)
        self._named = name
        self._limit = limit

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > self._limit:
            message = f"{self._named} has headers of more than {self._limit:,} bytes"
            raise SourceTooLarge(message, source=self._named, limit="max_sources", hint="Nothing was loaded. Is it an archive of data files?")
        return super().read(size)


def _open(name: str, extent: Extent, budget: Budget) -> _Bounded:
    try:
        return _Bounded(extent.reader(), name, max(_LEAST_READ, budget.limits.files * _ENTRY_BYTES))
    except OSError as error:
        raise missing(name, error) from error


def _check_packing(member: str, info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise SourceMalformed(f"{member} is encrypted", source=member, hint="Unpack the archive with its password, and give the files.")
    if info.compress_type not in _METHODS:
        known = ", ".join(_METHODS.values())
        hint = f"Pack it again; what is read is {known}."
        raise SourceMalformed(f"{member} is packed in a way that is not read here (method {info.compress_type})", source=member, hint=hint)


def _beyond(info: tarfile.TarInfo, extent: Extent) -> bool:
    return info.offset_data + info.size > extent.size
