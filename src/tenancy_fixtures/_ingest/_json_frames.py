"""Records of JSON into frames of cells, whichever reader found them."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from .._shapes import Reject
from ..exceptions import SourceMalformed
from ._json_values import cells_of
from ._paths import MISSING, Around, Located, Path, as_name, parse_path
from .readers import RawFrame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .readers import Field, Header
    from .sources import FileSource

_NUL = "\x00"


@dataclass(frozen=True)
class Found:
    """One record: its number and line, its value, the object around it and its position; or what is wrong with it."""

    number: int
    line: int | None
    value: Any = MISSING
    outer: Around | None = None
    position: int | None = None
    fault: tuple[str, str] | None = None

    @property
    def at(self) -> Located:
        """Where paths begin."""
        return Located(self.value, self.outer, self.position)


_MARKS = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def json_encoding(source: FileSource, declared: str | None) -> str:
    """What the text is encoded in: as declared, or by its byte order mark, or UTF-8 as RFC 8259 wants it."""
    if declared is not None and not is_utf8(declared):
        return declared
    with source.open() as file:
        start = file.read(4)
    return next((encoding for mark, encoding in _MARKS if start.startswith(mark)), "utf-8")


def is_utf8(encoding: str) -> bool:
    """Whether that is a name of UTF-8; who opens the source says what is no name of anything."""
    try:
        return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")
    except LookupError:
        return False


def header_of(records: Sequence[Found], fields: Mapping[str, Field]) -> Header:
    """The columns of a source without a header line, by its first records.

    Every wanted path is one, found or not: a record that lacks it has no value there. A path that may be left to the
    column's default is one only where a record has it. Then come the keys of the records that nobody wants.
    """
    values = [record for record in records if isinstance(record.value, dict)]
    names = [name for name, wanted in fields.items() if not wanted.has_default or any(_has(record, name) for record in values)]
    return (*names, *(as_name(key) for key in others_in(values, fields)))


def others_in(records: Sequence[Found], fields: Mapping[str, Field]) -> tuple[str, ...]:
    """The keys of records that no path begins with."""
    paths = [parse_path(name) for name in fields]
    roots = {path.keys[0] for path in paths if path.inside}
    return tuple(dict.fromkeys(key for record in records if isinstance(record.value, dict) for key in record.value if key not in roots))


def notes_of(source: FileSource, records: Sequence[Found], fields: Mapping[str, Field]) -> tuple[str, ...]:
    """What to say of paths that no first record has: a misspelt one would otherwise be a column of nulls without a word."""
    values = [record for record in records if isinstance(record.value, dict)]
    absent = [name for name in fields if values and not any(_has(record, name) for record in values)]
    return (f"{source.name}: none of the first {len(values)} records has {', '.join(absent)}",) if absent else ()


def _has(record: Found, name: str) -> bool:
    return parse_path(name).find(record.at) is not MISSING


@dataclass
class JsonFrames:
    """Makes frames of the records of one source. Where ``fault`` stands in a text were bytes that are none."""

    source: FileSource
    header: Header
    fields: Mapping[str, Field]
    fault: str = _NUL
    _paths: list[tuple[str, str, Path]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._paths = [(str(position), name, parse_path(name)) for position, name in enumerate(self.header) if name in self.fields]

    def frame(self, records: Sequence[Found], read: int) -> RawFrame:
        """The frame of some records; ``read`` is how many bytes of the source went into them.

        :raises SourceMalformed: a field shows up that the first records had not, and was left to the column's default.
        """
        self._refuse_late(records)
        rejects: dict[int, Reject] = {}
        good = []
        for record in records:
            reason = _why_bad(record)
            if reason is None:
                good.append(record)
            else:
                rejects[record.number] = self._reject(record, *reason)
        columns = [(position, name, self._column(good, name, path, rejects)) for position, name, path in self._paths]
        kept = [index for index, record in enumerate(good) if record.number not in rejects]
        if len(kept) < len(good):
            good = [good[index] for index in kept]
            columns = [(position, name, [texts[index] for index in kept]) for position, name, texts in columns]
        nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(good))
        found = {position: pl.Series(texts, dtype=pl.String) for position, _, texts in columns}
        cells = pl.DataFrame([found.get(str(position), nothing).alias(str(position)) for position in range(max(len(self.header), 1))])
        numbers = pl.Series([record.number for record in good], dtype=pl.Int64)
        lines = pl.Series([record.line for record in good], dtype=pl.Int64)
        return RawFrame(cells, numbers, tuple(rejects[number] for number in sorted(rejects)), read, lines=lines, by_record=True)

    def _column(self, records: Sequence[Found], name: str, path: Path, rejects: dict[int, Reject]) -> Sequence[str | None]:
        """The cells of one column; records of which it cannot be written as text are rejected."""
        texts = cells_of(_values(records, path))
        whole = "".join([text for text in texts if text])
        if _NUL in whole or self.fault in whole or not _is_text(whole):
            for record, text in zip(records, texts):
                reason = self._no_text(text)
                if reason is not None:
                    rejects.setdefault(record.number, self._reject(record, *reason, name))
        return texts

    def _no_text(self, text: str | None) -> tuple[str, str] | None:
        if text is None or _NUL in text:
            return None if text is None else ("nul", "expected text without a NUL")
        if self.fault in text:
            return ("encoding", "expected text in UTF-8")
        return None if _is_text(text) else ("encoding", "expected text without half of a surrogate pair")

    def _reject(self, record: Found, rule: str, message: str, column: str | None = None) -> Reject:
        return Reject(self.source.name, record.number, rule, column, message, record.line)

    def _refuse_late(self, records: Sequence[Found]) -> None:
        left = [name for name, wanted in self.fields.items() if wanted.has_default and name not in self.header]
        for name in left:
            late = next((record for record in records if isinstance(record.value, dict) and _has(record, name)), None)
            if late is not None:
                message = f"{self.source.name}: the field {name} shows up in record {late.number}, and the first records had none"
                hint = "Its column has a default, which records before it have got. Put a record that has the field first, or give it to all."
                raise SourceMalformed(message, source=self.source.name, record=late.number, line=late.line, hint=hint)


def values_at(records: Sequence[Found], name: str) -> list[Any]:
    """What a path leads to in each of the records, which are objects; null where there is nothing."""
    return _values(records, parse_path(name))


def _values(records: Sequence[Found], path: Path) -> list[Any]:
    if path.inside and len(path.keys) == 1:
        key = path.keys[0]
        return [record.value.get(key) for record in records]
    values = [path.find(record.at) for record in records]
    return [None if value is MISSING else value for value in values]


def _why_bad(record: Found) -> tuple[str, str] | None:
    if record.fault is not None:
        return record.fault
    if isinstance(record.value, dict):
        return None
    return "record", "expected an object" if record.value is not MISSING else "there is no record where the dataset looks"


def _is_text(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
