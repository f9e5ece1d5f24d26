"""A file as a stream of UTF-8 bytes, whatever its encoding, that knows how far it is read."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from ..exceptions import PackInvalid, SourceUndecodable
from .sources import missing

if TYPE_CHECKING:
    from .sources import FileSource

_UTF8_BOM = b"\xef\xbb\xbf"
_CHUNK = 1 << 20


class Utf8Stream:
    """The bytes of a source as UTF-8, without a byte order mark, for a parser that calls :meth:`read`.

    Every byte is decoded on the way (0.12 s for the 166 MB of a million records), so that one that is no text is met
    here, at a known place, and not somewhere in the parser; UTF-8 is then passed on as it is. ``consumed`` counts the file's own bytes; ``holds_nul`` turns true
    when a NUL goes by; :meth:`end_with` adds bytes after the last, and ``limit`` makes the file end after so many of its own bytes.

    :raises SourceMissing: the file cannot be opened or read.
    :raises SourceUndecodable: from :meth:`read`, bytes that are not text in the stated encoding.
    :raises PackInvalid: nobody knows an encoding of that name.
    """

    def __init__(self, source: FileSource, encoding: str = "utf-8", *, limit: int | None = None) -> None:
        self._source = source
        self._limit = limit
        self._decoder, self._is_utf8 = _decoder(encoding)
        self._encoding = encoding
        self._ahead = b""
        self._tail = b""
        self._ended = False
        self.consumed = 0
        self.holds_nul = False
        self._file = source.open()
        try:
            self._ahead = self._fill(_CHUNK).removeprefix(_UTF8_BOM)
        except BaseException:
            self._file.close()
            raise

    @property
    def closed(self) -> bool:
        """What a parser asks before it reads."""
        return self._file.closed

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def put_mark(self) -> None:
        """Go on with a byte order mark, for a parser that drops one: without it, it would drop the text's own."""
        self._ahead = _UTF8_BOM + self._ahead

    def end_with(self, tail: bytes) -> None:
        """Let ``tail`` follow the file's last byte."""
        if self._ended:
            self._ahead += tail
        else:
            self._tail = tail

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes (2 or more); none at the end.

        A piece never ends between CR and LF: pyarrow takes an LF at the start of a block for the rest of a line's end,
        even inside a quoted cell, and drops it.
        """
        if size < 0:
            return b"".join(iter(lambda: self.read(_CHUNK), b""))
        data = self._ahead
        # A piece that is short, but not the last, would look like a record that does not fit into a block.
        while len(data) < size and not self._ended:
            more = self._fill(size - len(data))
            data = data + more if data else more
        cut = min(size, len(data))
        if 1 < cut < len(data) + (not self._ended) and data[cut - 1 : cut] == b"\r":
            cut -= 1
        self._ahead = data[cut:]
        return data[:cut]

    def readline(self, limit: int) -> bytes:
        """The bytes up to and with the next end of line (LF, CR LF or CR), or up to ``limit`` bytes."""
        while True:
            end = _line_end(self._ahead)
            if end is not None or len(self._ahead) >= limit:
                break
            more = self._fill(_CHUNK)
            if not more:
                break
            self._ahead += more
        cut = len(self._ahead) if end is None else end
        line, self._ahead = self._ahead[:cut], self._ahead[cut:]
        return line

    def _fill(self, size: int) -> bytes:
        """The next piece of text: never empty before the end."""
        data = b""
        while not data and not self._ended:
            raw = self._read_file(size)
            self._ended = not raw
            data = self._decode(raw) + (self._tail if self._ended else b"")
        self.holds_nul = self.holds_nul or b"\x00" in data
        return data

    def _read_file(self, size: int) -> bytes:
        if self._limit is not None:
            size = min(size, self._limit - self.consumed)
        try:
            return self._file.read(size)
        except OSError as error:
            raise missing(self._source.name, error) from error

    def _decode(self, raw: bytes) -> bytes:
        start = self.consumed - len(self._decoder.getstate()[0])
        last = not raw and self._limit is None
        try:
            text = self._decoder.decode(raw, final=last)
            data = raw if self._is_utf8 else text.encode("utf-8")
        except UnicodeError as error:
            raise undecodable(self._source, self._encoding, start + getattr(error, "start", 0)) from error
        self.consumed += len(raw)
        return data


def undecodable(source: FileSource, encoding: str, offset: int, record: int | None = None) -> SourceUndecodable:
    """The error for bytes that are not text in the stated encoding."""
    where = f"byte {offset}" if record is None else f"byte {offset}, record {record}"
    return SourceUndecodable(
        f"{source.name} is not {encoding} at {where}",
        source=source.name,
        offset=offset,
        record=record,
        hint="Save it in that encoding, or state the one it is in.",
    )


def _decoder(encoding: str) -> tuple[codecs.IncrementalDecoder, bool]:
    """What decodes the encoding, and whether it is UTF-8."""
    try:
        info = codecs.lookup(encoding)
        "".encode(encoding)  # refuses codecs that are no text encodings (base64, rot13…)
    except LookupError as error:
        raise PackInvalid(f"no text encoding is called {encoding!r}", hint="Name one that Python's codecs know, such as utf-8 or latin-1.") from error
    if info.name in ("utf-8", "utf-8-sig"):
        return codecs.getincrementaldecoder("utf-8")(), True
    if info.incrementaldecoder is None:
        raise PackInvalid(f"{encoding!r} cannot be read as a stream", hint="Convert the file to UTF-8.")
    return info.incrementaldecoder(), False


def _line_end(data: bytes) -> int | None:
    """Where the first line ends; ``None`` where that cannot be known yet."""
    newline, cr = data.find(b"\n"), data.find(b"\r")
    if cr != -1 and cr < len(data) - 1 and (newline == -1 or cr < newline):
        return cr + 2 if data[cr + 1 : cr + 2] == b"\n" else cr + 1
    return newline + 1 if newline != -1 else None
