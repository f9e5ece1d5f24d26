"""Where records come from: files, folders, globs, archives, standard input, URLs; and the digest of what they hold."""

from __future__ import annotations

import hashlib
import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Optional, Tuple, TypeVar, Union

from ..exceptions import SourceEmpty, SourceMalformed, SourceMissing
from ._archives import ZipMember, tar_members, zip_members
from ._codecs import CODECS, HEAD_BYTES, buffered, codec_of, unpack
from ._extents import Extent, LocalFile, Spool
from ._limits import Account
from ._local import SUFFIXES, Wanted, find, in_words, is_wanted, local_path, look_at, names_of
from ._remote import fetch, scheme_of
from ._source_errors import as_text, damaged, missing
from ._standard_input import NAME as STDIN
from ._standard_input import take_input

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# What each suffix promises. A name may end in two: records.csv.gz, records.tar.zst.
_PROMISED: Final = {**CODECS, ".zip": "zip", ".tar": "tar", ".tgz": "gzip", ".tzst": "zstd", ".tbz2": "bzip2"}
_SHORT_TARS: Final = ([".tgz"], [".tzst"], [".tbz2"])
_CHUNK = 1 << 20
_DIGEST_BYTES = 32
# Bytes at either end of a file that its sketch looks at: the time of an export, its first rows, the footer of a Parquet file.
_SKETCHED = 1 << 16
# Times its packed size that a source is taken to hold until it was read once: too much costs some milliseconds, too little
# a load with indexes in place.
_ESTIMATED_RATIO: Final = 20

_Raw = Union[Extent, ZipMember]
_AnyRaw = TypeVar("_AnyRaw", Extent, ZipMember, _Raw)


class FileSource:
    """One file of records. ``name`` is what rejects and reports call it.

    Its bytes are those inside: where the file is compressed, or a member of an archive, they are unpacked on the way.
    """

    def __init__(self, name: str, raw: _Raw, spool: Spool, *, codec: str | None = None, origin: LocalFile | None = None) -> None:
        self.name = name
        self.origin = origin
        self._found_as = name
        self._raw = raw
        self._spool = spool
        self._codec = codec
        self._size: int | None = None
        self._keeping = threading.Lock()
        self._account = Account(spool.budget, name)
        if self.plain:
            self._account.grew(raw.size)
        self._seekable: Extent | None = raw if isinstance(raw, Extent) and codec is None else None

    def __repr__(self) -> str:
        return f"<FileSource {self.name!r}, {self.size} bytes>"

    @property
    def size(self) -> int:
        """Bytes of what is inside: as they were counted where the source was read before, else as its archive says, or a high estimate."""
        if self._size is not None:
            return self._size
        return self._raw.size * _ESTIMATED_RATIO if self._codec else self._raw.size

    @property
    def plain(self) -> bool:
        """Whether it is a file of the caller's as it lies there: nothing is unpacked or fetched to read it."""
        return self._codec is None and isinstance(self._raw, Extent) and isinstance(self._raw.file, LocalFile)

    @property
    def path(self) -> Path | None:
        """The file of the caller's that it is, or is in."""
        return self.origin.path if self.origin else None

    @property
    def place(self) -> str:
        """Where it is, as far as its caller said: the path of a file, an archive and the path in it, a URL's last part."""
        return self.path.as_posix() if self.path is not None and self.path.name == self._found_as else self._found_as

    @property
    def modified_ns(self) -> int:
        """When that file was last written; 0 where there is none."""
        return self.origin.modified_ns if self.origin else 0

    def open(self) -> BinaryIO:
        """The bytes of the source, from the first on; as often as one likes, from any thread.

        :raises SourceMissing: it has gone, or may not be read any more.
        :raises SourceMalformed: from reading, packed bytes that are damaged.
        :raises SourceTooLarge: from reading, more bytes than the limits allow.
        """
        try:
            if self._codec is None:
                return self._raw.open() if isinstance(self._raw, Extent) else self._raw.open(self._ended)
            unpacked = unpack(self._account, self._codec, self._raw.open())
        except OSError as error:
            raise missing(self.name, error) from error
        unpacked.ended = self._ended
        return buffered(unpacked)

    def open_seekable(self) -> BinaryIO:
        """The same bytes, seekable: the file itself, or what was unpacked into the temporary file of the load, once.

        :raises SourceMissing, SourceMalformed, SourceTooLarge: as :meth:`open` and reading its stream.
        """
        with self._keeping:
            if self._seekable is None:
                with self.open() as stream:
                    self._seekable = self._spool.take(self.name, _pieces(stream), counted=True)
        try:
            return self._seekable.open()
        except OSError as error:
            raise missing(self.name, error) from error

    def refuse_closed(self) -> None:
        """Give up where the load was given up: a thread that reads for long asks now and then.

        :raises SourceMissing: the sources were closed.
        """
        if self._spool.closed:
            raise SourceMissing(f"{self.name} was closed while it was being read", source=self.name)

    def _ended(self, size: int) -> None:
        self._size = size


class Sources(Tuple[FileSource, ...]):  # noqa: SLOT001 - a tuple's subclass can have none
    """The sources of one load, in order. Close them, or use them with ``with``: some may lie in a temporary file."""

    spool: Spool

    def close(self) -> None:
        """Give back the temporary file, if there is one."""
        self.spool.close()

    def __enter__(self) -> Sources:  # noqa: PYI034  # typing.Self needs Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class Place:
    """Where a dataset's sources are: what :func:`open_sources` is called with, or some of the sources that it found."""

    path: str | Path
    spool: Spool
    chosen: tuple[FileSource, ...] = ()

    def open(self) -> Sequence[FileSource]:
        """The sources; raises as :func:`open_sources`."""
        return self.chosen or open_sources(self.path, spool=self.spool)


def as_path(place: str | Path) -> str | Path:
    """What a caller calls a source: a URL and ``-`` stay texts, everything else is a path."""
    return place if isinstance(place, str) and (place == "-" or scheme_of(place)) else Path(place)


def open_sources(path: str | Path, *, spool: Spool | None = None, wanted: Wanted = is_wanted) -> Sources:
    """Find the files that ``path`` leads to, sorted by name, and see that each can be read.

    A folder gives its own files with a suffix of records or of archives (in any case; hidden files and subfolders are
    left alone; ``wanted`` may say otherwise); a glob gives every file that it matches; an archive gives its members, likewise. A text may also be a URL, or ``-``
    for standard input: these are kept in the ``spool``, with what else must be unpacked first. Whoever gives a spool closes
    it; without one, the sources have their own. To be called in a worker thread.

    :raises SourceMissing: nothing is there, or there is no right to read it.
    :raises SourceEmpty: a file of 0 bytes.
    :raises SourceMalformed: an archive or a compressed file is damaged, or is not what its name says.
    :raises SourceTooLarge: more bytes or files than the limits allow.
    """
    own = spool is None
    spool = spool or Spool()
    try:
        sources = Sources(source for name, extent, origin in _places(path, spool, wanted) for source in _expand(name, extent, spool, origin, wanted))
        spool.budget.count(as_text(str(path)), len(sources))
    except BaseException:
        if own:
            spool.close()
        raise
    sources.spool = spool
    return sources


def content_digest(sources: Iterable[FileSource]) -> str:
    """BLAKE2b (RFC 7693) of 256 bits, in hex, over what the sources hold, in their order.

    As hard to forge as SHA-256, and three times as fast where the processor has no instructions for that: every load waits for it.

    Names, places, times and packing do not count: a copy that was moved, touched or compressed has the digest of its
    original. Each file's length goes in before its content, so that moving bytes from one file to its neighbour changes the digest.

    :raises SourceMissing: a file has gone, or may not be read any more.
    :raises SourceMalformed, SourceTooLarge: as :meth:`FileSource.open`.
    """
    digest = _digest()
    for source in sources:
        size, content = _digest_file(source)
        digest.update(size.to_bytes(8, "big"))
        digest.update(content)
    return digest.hexdigest()


def content_sketch(sources: Sequence[FileSource]) -> str | None:
    """A digest of how long the sources are, and of how each begins and ends: where it differs, so does what they hold. That costs no reading.

    ``None`` where one of them is not plain: all of it would have to be unpacked.

    :raises SourceMissing: a file has gone, or may not be read any more.
    """
    if not all(source.plain for source in sources):
        return None
    digest = _digest()
    for source in sources:
        try:
            with source.open_seekable() as file:
                digest.update(source.size.to_bytes(8, "big") + file.read(_SKETCHED))
                file.seek(max(source.size - _SKETCHED, 0))
                digest.update(file.read(_SKETCHED))
        except OSError as error:  # noqa: PERF203 - files are no hot loop
            raise missing(source.name, error) from error
    return digest.hexdigest()


def refuse_changed(sources: Iterable[FileSource]) -> None:
    """See that nobody wrote to the sources since :func:`open_sources` found them: their digest is of what was read.

    :raises SourceMalformed: one was changed.
    :raises SourceMissing: one has gone.
    """
    for origin, name in {source.origin: source.name for source in sources if source.origin}.items():
        try:
            now = origin.path.stat()
        except OSError as error:
            raise missing(name, error) from error
        if (now.st_size, now.st_mtime_ns) != (origin.size, origin.modified_ns):
            hint = "Nothing was loaded. Load it again when whoever writes it has finished."
            raise SourceMalformed(f"{name} changed while it was being read", source=name, hint=hint)


_Found = Tuple[str, Extent, Optional[LocalFile]]


def _places(path: str | Path, spool: Spool, wanted: Wanted) -> Iterator[_Found]:
    """Names and bytes of the files that a path leads to, packed as they are."""
    scheme = scheme_of(path) if isinstance(path, str) else None
    if path == "-":
        yield STDIN, _filled(STDIN, take_input(spool)), None
    elif scheme and scheme != "file":
        for name, extent in fetch(str(path), spool, wanted):
            yield name, _filled(name, extent), None
    else:
        files = find(local_path(str(path)) if scheme else Path(path), wanted)
        spool.budget.count(as_text(str(path)), len(files))
        for name, file in sorted(zip(names_of(files), files)):
            found = look_at(name, file)
            yield name, _filled(name, Extent(found, 0, found.size)), found


def _filled(name: str, raw: _AnyRaw) -> _AnyRaw:
    if raw.size == 0:
        raise _nothing(name)
    return raw


def _nothing(name: str) -> SourceEmpty:
    return SourceEmpty(f"{name} is empty", source=name, hint="It needs a header and at least one record.")


def _expand(name: str, extent: Extent, spool: Spool, origin: LocalFile | None, wanted: Wanted) -> Iterator[FileSource]:
    """The sources in a file: the file itself, or, where it is an archive, its members."""
    codec = _codec(name, extent)
    if codec == "zip":
        yield from _members(name, ((member.name, member) for member in zip_members(name, extent, spool, wanted)), spool, origin)
        return
    source = FileSource(name, extent, spool, codec=None if codec == "tar" else codec, origin=origin)
    if codec not in (None, "tar"):
        codec = _inner_codec(source)
        if codec == "tar":
            # A compressed archive cannot be read here and there: what is inside is kept, once.
            with source.open() as stream:
                extent = spool.take(name, _pieces(stream), counted=True)
    if codec == "tar":
        yield from _members(name, tar_members(name, extent, spool, wanted), spool, origin)
    else:
        yield source


def _members(archive: str, members: Iterable[tuple[str, _Raw]], spool: Spool, origin: LocalFile | None) -> Iterator[FileSource]:
    """The sources in an archive; an archive in an archive is not entered."""
    empty = True
    for name, raw in members:
        empty, codec = False, _codec(name, _filled(name, raw))
        source = FileSource(name, raw, spool, codec=codec, origin=origin)
        if codec in ("zip", "tar") or (codec and _inner_codec(source)):
            hint = "Nothing was loaded. Unpack the outer archive, and give the folder with what was in it."
            raise SourceMalformed(f"{name} is an archive in an archive", source=name, hint=hint)
        yield source
    if empty:
        hint = "Give an archive with data files; those of archives in it are not looked for."
        raise SourceMissing(f"{archive} holds no file that ends in {in_words(SUFFIXES)}, packed or not", source=archive, hint=hint)


def _codec(name: str, raw: _Raw) -> str | None:
    """How a file is packed, by its content; its name may promise nothing else.

    :raises SourceMalformed: the name says that it is packed, and it is not.
    """
    codec, promised = codec_of(_head(name, raw)), _promised(name)
    if codec == "xz":
        raise SourceMalformed(f"{name} is packed by xz, which is not read here", source=name, hint="Unpack it, or pack it with gzip or zstd.")
    if codec is None and promised == "tar":
        # Old archives have no magic word.
        return "tar"
    if codec is None and promised is not None:
        raise damaged(name, f"is no {promised}, though its name says so")
    return codec


def _inner_codec(source: FileSource) -> str | None:
    """What is inside a compressed file: ``tar``, or ``None`` for records.

    :raises SourceEmpty: there is nothing.
    :raises SourceMalformed: it is packed once more.
    """
    name = source.name
    with source.open() as stream:
        head = stream.read(HEAD_BYTES)
    if not head:
        raise _nothing(name)
    inner, suffixes = codec_of(head), Path(name.lower()).suffixes
    if inner not in (None, "tar"):
        raise SourceMalformed(f"{name} is packed twice: inside is {inner}", source=name, hint="Nothing was loaded. Unpack it once.")
    return "tar" if suffixes[-1:] in _SHORT_TARS or suffixes[-2:-1] == [".tar"] else inner


def _head(name: str, raw: _Raw) -> bytes:
    try:
        with closing(raw.open()) as stream:
            return stream.read(HEAD_BYTES)
    except OSError as error:
        raise missing(name, error) from error


def _promised(name: str) -> str | None:
    return _PROMISED.get(Path(name.lower()).suffix)


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: stream.read(_CHUNK), b"")


def _digest() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=_DIGEST_BYTES)


def _digest_file(source: FileSource) -> tuple[int, bytes]:
    digest, size = _digest(), 0
    try:
        with source.open() as file:
            for chunk in _pieces(file):
                source.refuse_closed()
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise missing(source.name, error) from error
    return size, digest.digest()


__all__ = [
    "SUFFIXES",
    "FileSource",
    "Place",
    "Sources",
    "Spool",
    "as_path",
    "content_digest",
    "content_sketch",
    "missing",
    "open_sources",
    "refuse_changed",
]
