"""Records of JSON into frames of text cells, whichever reader found them."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from .._shapes import Reject
from ..exceptions import SourceMalformed
from ._json_values import cell
from ._paths import MISSING, as_name, parse_path
from .readers import RawFrame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .readers import Field, Header
    from .sources import FileSource

_NUL = "\x00"


@dataclass(frozen=True)
class Found:
    """One record: its number and line, its value, the objects around it; or what is wrong with it."""

    number: int
    line: int | None
    value: Any = MISSING
    parents: tuple[Any, ...] = ()
    fault: tuple[str, str] | None = None


_MARKS = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def json_encoding(source: FileSource, declared: str | None) -> str:
    """What the text is encoded in: as declared, or by its byte order mark, or UTF-8 as RFC 8259 wants it."""
    if declared is not None and codecs.lookup(declared).name != "utf-8":
        return declared
    with source.open() as file:
        start = file.read(4)
    return next((encoding for mark, encoding in _MARKS if start.startswith(mark)), "utf-8")


def header_of(records: Sequence[Found], fields: Mapping[str, Field]) -> Header:
    """The columns of a source without a header line, by its first records.

    Every wanted path is one, found or not: a record that lacks it has no value there. A path that may be left to the
    column's default is one only where a record has it. Then come the keys of the records that nobody wants.
    """
    values = [record for record in records if isinstance(record.value, dict)]
    names = [name for name, wanted in fields.items() if not wanted.has_default or any(_has(record, name) for record in values)]
    roots = {parse_path(name).keys[0] for name in fields if not parse_path(name).up}
    extra = dict.fromkeys(key for record in values for key in record.value if key not in roots)
    return (*names, *(as_name(key) for key in extra))


def _has(record: Found, name: str) -> bool:
    return parse_path(name).find(record.value, record.parents) is not MISSING


@dataclass
class JsonFrames:
    """Makes frames of the records of one source."""

    source: FileSource
    header: Header
    fields: Mapping[str, Field]
    _columns: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._columns = [(str(position), name) for position, name in enumerate(self.header)]

    def frame(self, records: Sequence[Found], read: int) -> RawFrame:
        """The frame of some records; ``read`` is how many bytes of the source went into them.

        :raises SourceMalformed: a field shows up that the first records had not, and was left to the column's default.
        """
        self._refuse_late(records)
        rejects, good = [], []
        for record in records:
            row = self._row(record)
            if isinstance(row, Reject):
                rejects.append(row)
            else:
                good.append((record, row))
        cells = pl.DataFrame(
            {position: [row[index] for _, row in good] for index, (position, _) in enumerate(self._columns)},
            schema={position: pl.String for position, _ in self._columns},
        )
        numbers = pl.Series([record.number for record, _ in good], dtype=pl.Int64)
        lines = pl.Series([record.line for record, _ in good], dtype=pl.Int64)
        return RawFrame(cells, numbers, tuple(rejects), read, lines=lines, by_record=True)

    def _row(self, record: Found) -> list[str | None] | Reject:
        if record.fault is not None:
            return self._reject(record, *record.fault)
        if not isinstance(record.value, dict):
            return self._reject(
                record, "record", "expected an object" if record.value is not MISSING else "there is no record where the dataset looks"
            )
        cells: list[str | None] = []
        for _, name in self._columns:
            value = parse_path(name).find(record.value, record.parents)
            try:
                text = None if value is MISSING else cell(value)
            except ValueError:
                return self._reject(record, "encoding", "expected text without half of a surrogate pair", name)
            if text is not None and _NUL in text:
                return self._reject(record, "nul", "expected text without a NUL", name)
            cells.append(text)
        return cells

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
