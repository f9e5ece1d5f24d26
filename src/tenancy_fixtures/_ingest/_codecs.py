"""Compressed bytes: what they are by their first bytes, and what they hold."""

from __future__ import annotations

import bz2
import gzip
import io
import sys
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from ..exceptions import MissingExtra
from ._source_errors import damaged, missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import WriteableBuffer

    from ._limits import Account

CODECS: Final = {".gz": "gzip", ".zst": "zstd", ".bz2": "bzip2"}
HEAD_BYTES: Final = 512
_CHUNK = 1 << 20
_BUFFER = 1 << 17
_ZSTD, _SKIPPABLE = b"\x28\xb5\x2f\xfd", b"\x2a\x4d\x18"
_BZIP2 = (b"1AY&SY", b"\x17rE8P\x90")  # the first block, or the end of what holds none
_TAR_MAGIC, _TAR_AT, _TAR_SUM = b"ustar", 257, slice(148, 156)


def codec_of(head: bytes) -> str | None:
    """The compression, or the archive, that bytes begin as: ``gzip``, ``zstd``, ``bzip2``, ``xz``, ``zip``, ``tar``; ``None`` for anything else."""
    if head.startswith(b"\x1f\x8b\x08"):
        return "gzip"
    if head.startswith(_ZSTD) or (head[1:4] == _SKIPPABLE and 0x50 <= head[0] <= 0x5F):  # noqa: PLR2004 - the sixteen magic numbers of skippable frames
        return "zstd"
    if head.startswith(b"BZh") and head[4:10] in _BZIP2:
        return "bzip2"
    if head.startswith(b"\xfd7zXZ\x00"):
        return "xz"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    return "tar" if _is_tar(head) else None


def _is_tar(head: bytes) -> bool:
    """Whether a block is a tar header: the magic word can stand in a text too, its checksum cannot."""
    if len(head) < HEAD_BYTES or not head.startswith(_TAR_MAGIC, _TAR_AT):
        return False
    plain = head[: _TAR_SUM.start] + b" " * 8 + head[_TAR_SUM.stop : HEAD_BYTES]
    return head[_TAR_SUM].strip(b" \x00").lstrip(b"0") == b"%o" % sum(plain)


class Unpacked(io.RawIOBase):
    """What a packed source holds, as a stream whose errors say which source it is, and whose size is watched.

    ``packed`` says how many packed bytes were read so far; ``ended`` is told the size when all was read.
    """

    def __init__(self, account: Account, stream: BinaryIO, *, packed: Callable[[], int], below: BinaryIO | None = None) -> None:
        super().__init__()
        self._name = account.name
        self._account = account
        self._stream = stream
        self._below = below
        self._packed = packed
        self._size = 0
        self.ended: Callable[[int], None] | None = None

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self._read(min(len(view), _CHUNK))
        view[: len(data)] = data
        self._size += len(data)
        self._account.grew(self._size, self._packed())
        if not data and len(view) and self.ended is not None:
            self.ended(self._size)
        return len(data)

    def _read(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except EOFError as error:
            raise damaged(self._name, "ends in the middle: it was cut off") from error
        except _broken() as error:
            raise damaged(self._name, "cannot be unpacked: its content is damaged") from error
        except OSError as error:
            # gzip and bz2 report damage as an OSError, without the number that one of the system has.
            raise missing(self._name, error) if error.errno else damaged(self._name, "cannot be unpacked: its content is damaged") from error

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
            if self._below is not None:
                self._below.close()
        super().close()


def unpack(account: Account, codec: str, below: BinaryIO) -> Unpacked:
    """What the compressed stream holds; closing it closes both.

    :raises MissingExtra: zstd needs a package that is not there.
    """
    try:
        stream = _OPENERS[codec](below)
    except BaseException:
        below.close()
        raise
    return Unpacked(account, stream, packed=below.tell, below=below)


def buffered(raw: Unpacked) -> BinaryIO:
    """The stream with the methods that readers call."""
    return io.BufferedReader(raw, _BUFFER)


def _zstd() -> Any:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ModuleNotFoundError as error:
        raise MissingExtra("reading zstd needs backports.zstd", extra="load", hint="Install tenancy-fixtures[load].") from error
    return zstd


def _broken() -> tuple[type[Exception], ...]:
    """What decoders raise where the content is damaged: zstd's only where it is in use at all."""
    module = sys.modules.get("compression.zstd") or sys.modules.get("backports.zstd")
    return (zlib.error, zipfile.BadZipFile) if module is None else (zlib.error, zipfile.BadZipFile, module.ZstdError)


_OPENERS: Final[dict[str, Callable[[BinaryIO], BinaryIO]]] = {
    "gzip": lambda below: cast("BinaryIO", gzip.GzipFile(fileobj=below, mode="rb")),
    "zstd": lambda below: cast("BinaryIO", _zstd().ZstdFile(below)),
    "bzip2": lambda below: cast("BinaryIO", bz2.BZ2File(below)),
}
