"""A file as a stream of UTF-8 bytes, whatever its encoding, that knows how far it is read."""

from __future__ import annotations

import codecs
import re
import secrets
from typing import TYPE_CHECKING

from ..exceptions import PackInvalid, SourceUndecodable
from ._encodings import Encoding
from .sources import missing

if TYPE_CHECKING:
    from .sources import FileSource

_UTF8_BOM = b"\xef\xbb\xbf"
_CHUNK = 1 << 20
# How much from the first byte on that is not ASCII decides about the encoding.
_SAMPLE = 1 << 18
_HEAD = 1 << 16
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_NO_CHARACTERS = [chr(code) for code in range(0xFDD0, 0xFDF0)]
_FAULTS = re.compile("[\udc80-\udcff]+")  # what Python makes of bytes that are not UTF-8, where it is told to keep them


def sign_of_fault() -> str:
    """A text to stand for bytes that are not UTF-8: of signs that are no characters, which no format gives a meaning, and that no file holds."""
    return "".join(secrets.choice(_NO_CHARACTERS) for _ in range(16))


class Utf8Stream:
    """The bytes of a source as UTF-8, without a byte order mark, for a parser that calls :meth:`read`.

    Every byte is decoded on the way (0.12 s for the 166 MB of a million records), so that one that is no text is met
    here, at a known place, and not somewhere in the parser; UTF-8 is then passed on as it is. An encoding that nobody stated
    stays open while all is ASCII, which is the same text in any, and is decided by what follows the first byte that is not: no
    byte is read twice for it. Streams of one source share its :class:`Encoding`. ``consumed`` counts the file's own bytes; ``lines`` those that :meth:`readline` gave; ``holds_nul`` turns true
    when a NUL goes by; :meth:`end_with` adds bytes after the last, and ``limit`` makes the file end after so many of its own bytes.
    With ``fault`` bytes that are not UTF-8 are no error where the encoding is that one: this text stands for them, and ``holds_fault`` turns true.

    :raises SourceMissing: the file cannot be opened or read.
    :raises SourceUndecodable: from :meth:`read`, bytes that are not text in the stated encoding.
    :raises PackInvalid: nobody knows an encoding of that name.
    """

    def __init__(self, source: FileSource, encoding: Encoding | str = "utf-8", *, limit: int | None = None, fault: str | None = None) -> None:
        self._source = source
        self._limit = limit
        self._fault = fault
        self._encoding = Encoding(encoding) if isinstance(encoding, str) else encoding
        self._decoder, self._is_utf8 = _decoder(self._encoding.name)
        self._ahead = b""
        self._tail = b""
        self._ended = False
        self._nul: bytes | None = None
        self.consumed = 0
        self.lines = 0
        self.holds_nul = self.holds_fault = False
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

    def put_for_nul(self, sign: bytes) -> None:
        """Give ``sign`` in place of every NUL from here on, for a parser that does not see what stands right behind one."""
        self._nul = sign
        self._ahead = self._without_nul(self._ahead)

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
        self.lines += 1
        line, self._ahead = self._ahead[:cut], self._ahead[cut:]
        return line

    def _fill(self, size: int) -> bytes:
        """The next piece of text: never empty before the end."""
        data = b""
        while not data and not self._ended:
            raw = self._read_file(size)
            self._ended = not raw
            data = self._decode(raw) + (self._tail if self._ended else b"")
        return self._without_nul(data)

    def _without_nul(self, data: bytes) -> bytes:
        if b"\x00" not in data:
            return data
        self.holds_nul = True
        return data if self._nul is None else data.replace(b"\x00", self._nul)

    def _read_file(self, size: int) -> bytes:
        if self._limit is not None:
            size = min(size, self._limit - self.consumed)
        try:
            return self._file.read(size)
        except OSError as error:
            raise missing(self._source.name, error) from error

    def _decode(self, raw: bytes) -> bytes:
        if self._encoding.name is None:
            raw = self._open_encoding(raw)
        held = self._decoder.getstate()[0]
        last = not raw and self._limit is None
        try:
            text = self._decoder.decode(raw, final=last)
            data = self._whole(held + raw) if self._is_utf8 else text.encode("utf-8")
        except UnicodeError as error:
            if self._fault is None or not self._is_utf8:
                offset = self.consumed - len(held) + getattr(error, "start", 0)
                raise undecodable(self._source, str(self._encoding.name or "utf-8"), offset) from error
            data = self._mended(held + raw, self._fault, last=last)
        self.consumed += len(raw)
        return data

    def _whole(self, data: bytes) -> bytes:
        """The bytes without those of a character that goes on in the next ones."""
        rest = len(self._decoder.getstate()[0])
        return data[:-rest] if rest else data

    def _mended(self, data: bytes, fault: str, *, last: bool) -> bytes:
        """The bytes with ``fault`` for those that are no text."""
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        text = decoder.decode(data, final=last)
        self._decoder.setstate(decoder.getstate())
        self.holds_fault = True
        return _FAULTS.sub(fault, text).encode("utf-8")

    def _open_encoding(self, raw: bytes) -> bytes:
        """Decide about the encoding, if these bytes tell; gives them, with those that had to be read to know."""
        if self.consumed == 0:
            raw += self._more(_HEAD - len(raw))
            self._encoding.see_head(raw)
        first = None if self._encoding.name is not None or raw.isascii() else _NOT_ASCII.search(raw)
        if first is not None:
            raw += self._more(first.start() + _SAMPLE - len(raw))
            self._encoding.see_text(raw[first.start() : first.start() + _SAMPLE])
        if self._encoding.name is not None:
            self._decoder, self._is_utf8 = _decoder(self._encoding.name)
        return raw

    def _more(self, size: int) -> bytes:
        pieces = []
        while size > 0:
            piece = self._read_file(size)
            if not piece:
                break
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)


def undecodable(source: FileSource, encoding: str, offset: int, record: int | None = None) -> SourceUndecodable:
    """The error for bytes that are not text in the stated encoding."""
    where = f"byte {offset}" if record is None else f"byte {offset}, record {record}"
    return SourceUndecodable(
        f"{source.name} is not {encoding} at {where}",
        source=source.name,
        offset=offset,
        record=record,
        hint="Save it in that encoding, or state the one it is in as the source's encoding.",
    )


def _decoder(encoding: str | None) -> tuple[codecs.IncrementalDecoder, bool]:
    """What decodes the encoding, and whether it is UTF-8, as ASCII is, too."""
    encoding = encoding or "utf-8"
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
