"""What a reader of any format gives: the source's columns, and its records as frames; and which reader a source needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Callable, Protocol, Tuple, Union, runtime_checkable

from ..constants import FRAME_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    import polars as pl

    from .._pack_models import Source
    from .._shapes import Reject
    from .sources import FileSource

Header = Tuple[str, ...]  # a source's column names, in its order


@dataclass(frozen=True)
class Field:
    """What the mapping does with a name under which it would find a column.

    ``kind`` (integer, real, number, boolean, text; exact where each character counts) is what its values should be; of a ``pattern``
    all columns are wanted whose names match it; a ``hint`` is not wanted, and only tells a header from a line before it.
    ``has_default`` says that a source without the column leaves its values to the table.
    """

    kind: str = "text"
    has_default: bool = False


@dataclass(frozen=True)
class RawFrame:
    """Some records of one source as they stand there.

    ``cells`` has one column per header column, named by its position (``"0"``, ``"1"``…): text, or, where the format has
    types of its own, values of any type. ``numbers`` are the record numbers of its rows, counted from 1 in the source, and
    ``lines`` their physical lines where the reader knows them; ``rejects`` are the records that are not among the rows;
    ``bytes`` is how much of the file was read since the frame before. ``by_record`` says that each record has fields of its
    own, as in JSON, where a whole number may be written as ``85.0``. ``passed`` counts records that are not the dataset's: they
    have numbers, and are accounted for elsewhere.
    """

    cells: pl.DataFrame
    numbers: pl.Series
    rejects: tuple[Reject, ...] = ()
    bytes: int = 0
    lines: pl.Series | None = None
    by_record: bool = False
    passed: int = 0

    @property
    def records(self) -> int:
        """Records that this frame accounts for, rejected ones included."""
        return self.cells.height + len({reject.record for reject in self.rejects})


class Reader(Protocol):
    """One source, opened: its columns are known, its records are read when they are asked for.

    ``notes`` say in words what was guessed of the source, such as its encoding: the report of the load tells them. A plain tuple will do.
    ``holds_records`` is False where the source has none for its dataset: which columns it lacks says nothing then.
    """

    header: Header
    holds_records: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """What was guessed so far; all of it after the last frame."""
        ...

    def frames(self, block_bytes: int = FRAME_BYTES) -> Iterator[RawFrame]:
        """The records, in frames of about ``block_bytes`` bytes each."""


@runtime_checkable
class LineReader(Protocol):
    """A reader of a text format, which can say in which lines records begin."""

    def lines(self, records: Collection[int]) -> dict[int, int]:
        """The physical lines, from 1, of the records with these numbers, as far as they can be known.

        Asked in the order of the records, it costs one more reading of the source, as far as the last of them.
        """
        ...

    def close(self) -> None:
        """Give the file back that :meth:`lines` reads."""
        ...


class BadDocument(ValueError):
    """What ``rewrite`` raises for a document that is none of its: the text becomes the reject's, and holds no value.

    Yielded in a record's place, it is that one record's reject, and the document's others go on.
    """


# What a function of ours meets in a document that is built otherwise than it should be; Python's own words would quote it.
MISBUILT = (AttributeError, KeyError, TypeError, ValueError, OverflowError)
# What ``rewrite`` makes of a document: a record, or why there is none.
Made = Union[Mapping[str, Any], BadDocument]


@dataclass(frozen=True)
class Hooks:
    """What is done in Python to what a dataset reads.

    ``rewrite`` makes any number of records of each document, or row; it gets the place of its file besides. ``documents`` reads
    documents from the bytes of a source that is no JSON. ``given`` are values that every record has beside its own, by the name
    that a mapping calls them. ``by_file`` says that the place of the file is among what its records are made of. ``refuse_secrets`` makes
    documents with a secret in them bad records. ``columns`` are some that a table may have, and ``hints`` more of them: its
    header is known by them.
    """

    rewrite: Callable[[Any, str], Iterable[Made]] | None = None
    documents: Callable[[BinaryIO], Iterable[Any]] | None = None
    given: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    hints: frozenset[str] = frozenset()
    by_file: bool = False
    refuse_secrets: bool = False

    @property
    def reads_documents(self) -> bool:
        """Whether something is done to whole documents."""
        return bool(self.rewrite or self.documents or self.refuse_secrets)


def open_reader(source: FileSource, declared: Source, fields: Mapping[str, Field], hooks: Hooks | None = None) -> Reader:
    """The reader for a source, as the dataset declares it. ``fields`` are the names under which its mapping would find a column.

    :raises SourceError: the source cannot be read in that format.
    """
    kind = declared.format if declared.format != "auto" else detect(source)
    patterns = [name for name, field in fields.items() if field.kind == "pattern"]
    hints = frozenset(name for name, field in fields.items() if field.kind == "hint").union(hooks.hints if hooks else ())
    fields = {name: field for name, field in fields.items() if field.kind not in ("pattern", "hint")}
    if hooks and hooks.reads_documents:
        from ._documents import DocumentReader

        return DocumentReader(source, declared, fields, hooks, kind)
    if kind in ("parquet", "arrow"):
        from ._columnar import ArrowReader, ParquetReader

        return (ParquetReader if kind == "parquet" else ArrowReader)(source, fields, patterns)
    if kind == "json":
        from ._json import JsonReader

        return JsonReader(source, declared, fields)
    if kind == "ndjson":
        from ._ndjson import NdjsonReader

        return NdjsonReader(source, declared, fields)
    from ._csv import CsvReader

    return CsvReader(source, declared, frozenset(fields), hints)


_SUFFIXES = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), "csv"),
    **dict.fromkeys((".ndjson", ".jsonl"), "ndjson"),
    ".json": "json",
    ".parquet": "parquet",
    **dict.fromkeys((".arrow", ".ipc", ".feather"), "arrow"),
}
_PACKED = (".gz", ".zst", ".bz2", ".xz")
_LOOK = 4096


def detect(source: FileSource) -> str:
    """The format of a source: what its content cannot but be, else what its name says, else what its first character says."""
    with source.open() as file:
        start = file.read(_LOOK)
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return "arrow"
    name = source.name.lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    named = next((kind for suffix, kind in _SUFFIXES.items() if name.endswith(suffix)), None)
    first = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if named is not None and not (name.endswith(".txt") and first in (b"{", b"[")):
        return named
    return "json" if first in (b"{", b"[") else "csv"
