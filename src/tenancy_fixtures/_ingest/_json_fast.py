"""JSON records by pyarrow's parser, where that surely gives what the exact one gives, in a fifth of the time.

The parser is told each column's type, so that it guesses nothing, and refuses what does not fit; whatever it refuses, and
whatever it is known to see otherwise than RFC 8259, is left to the exact parser, from whose values the types are learned.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pajson

from ..constants import MAX_JSON_DEPTH
from ._json_frames import Found, others_in, values_at
from ._json_values import Number
from ._paths import parse_path
from .readers import RawFrame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .readers import Field, Header

# What numbers are parsed as, by the kind of the field. Of numbers that stay text only whole ones show what was written.
_NUMBERS: Final = {"integer": pa.int64(), "real": pa.float32(), "number": pa.float64()}
_UNSEEN: Final = {**_NUMBERS, "boolean": pa.bool_()}
_DIGITS = re.compile(r"-?(?:0|[1-9][0-9]{0,17})", re.ASCII)
# Words that pyarrow takes for numbers and JSON does not know; where no field is unknown they show as values.
_WORDS: Final = r"NaN|Inf"
# A number so near to zero, or with so many zeros, that a float may make it zero.
_TINY: Final = {pa.float64(): r"[0-9.][eE]-0*(?:[2-9][0-9]{2}|[1-9][0-9]{3})|0{60}", pa.float32(): r"[0-9.][eE]-0*(?:[2-9][0-9]|[1-9][0-9]{2})|0{20}"}
_MINUS_ZERO: Final = r"[:\[,][ \t\r\n]*-0(?:[^0-9.eE]|$)"
# pyarrow parses a slice of lines in so many pieces at once.
_PIECES: Final = 4
_LEAST_PIECE: Final = 1 << 16
# Slices in a row that did not go this way: a source that is never plain is not tried for ever.
_FAILURES: Final = 3


class FastParser:
    """Parses records like the ``first`` of their source: those of which each wanted path has values of one kind."""

    def __init__(self, fields: Mapping[str, Field], header: Header, first: Sequence[Found]) -> None:
        self._fields = fields
        self._paths = {name: parse_path(name) for name in fields}
        self._positions = {name: position for position, name in enumerate(header) if name in fields}
        self._width = len(header)
        self._seen: dict[str, set[type]] = {name: set() for name in fields}
        self._fractions: set[str] = set()
        self._others = False
        self._failures = 0
        self._schema: pa.Schema | None = None
        if self._positions and all(path.inside and "" not in path.keys[1:] for path in self._paths.values()):
            self.observe(first)

    @property
    def possible(self) -> bool:
        """Whether trying makes sense."""
        return self._schema is not None and self._failures < _FAILURES

    def observe(self, records: Sequence[Found]) -> None:
        """Learn the kinds of values from records that went the exact way."""
        good = [record for record in records if isinstance(record.value, dict)]
        self._others = self._others or bool(others_in(good, self._fields))
        for name, seen in self._seen.items():
            values = values_at(good, name)
            seen.update({value.__class__ for value in values} - {type(None)})
            if Number in seen and self._fields[name].kind not in _NUMBERS and any(map(_is_fraction, values)):
                self._fractions.add(name)
        types = {name: self._type(name) for name in self._fields}
        merged = None if None in types.values() else _merge([(self._paths[name].keys, kind) for name, kind in types.items()])
        self._schema = pa.schema(list(merged)) if merged is not None and pa.types.is_struct(merged) else None

    def frame(self, data: bytes, lines: Sequence[int], number: int, read: int) -> RawFrame | None:
        """The frame of objects that stand one after the other, from record ``number`` on; ``None`` where that is not certain.

        ``lines`` are where they begin; as a range they say that each object is on one line.
        """
        count = len(lines)
        cells = self._parse(data, count, one_a_line=isinstance(lines, range))
        self._failures = 0 if cells is not None else self._failures + 1
        if cells is None:
            return None
        numbers = pl.int_range(number, number + count, eager=True)
        places = numbers - number + lines[0] if isinstance(lines, range) else pl.Series(lines, dtype=pl.Int64)
        return RawFrame(cells, numbers, (), read, lines=places, by_record=True)

    def _parse(self, data: bytes, count: int, *, one_a_line: bool) -> pl.DataFrame | None:
        if not self._harmless(data):
            return None
        size = max(len(data) // _PIECES, _LEAST_PIECE) if one_a_line else len(data)
        try:
            table = pajson.read_json(
                pa.BufferReader(data),
                read_options=pajson.ReadOptions(use_threads=one_a_line, block_size=size + 1),
                parse_options=pajson.ParseOptions(
                    explicit_schema=self._schema, newlines_in_values=not one_a_line, unexpected_field_behavior="ignore" if self._others else "error"
                ),
            )
        except (pa.ArrowException, UnicodeError):
            return None
        # By their numbers: polars gives a column without a name one of its own.
        rows: pl.DataFrame = pl.DataFrame(table.rename_columns([str(number) for number in range(table.num_columns)]))
        columns = {name: self._column(rows, name, data) for name in self._fields} if table.num_rows == count else {}
        late = [name for name, values in columns.items() if values is not None and name not in self._positions and values.null_count() < count]
        if not columns or late or any(values is None for values in columns.values()):
            return None
        nothing = pl.Series([None], dtype=pl.String).new_from_index(0, count)
        placed = {self._positions[name]: values for name, values in columns.items() if name in self._positions and values is not None}
        return pl.DataFrame([placed.get(position, nothing).alias(str(position)) for position in range(self._width)])

    def _harmless(self, data: bytes) -> bool:
        """Whether there is nothing in it that the parser takes and the exact one does not, or a NUL."""
        if b"\\" in data and b"\\u0000" in data:
            return False
        # Fields that nobody wants may hold anything.
        return not self._others or not (_holds(data, _WORDS) or _may_be_deep(data))

    def _column(self, rows: pl.DataFrame, name: str, data: bytes) -> pl.Series | None:
        """One column; ``None`` where a value may be another one than its text says."""
        assert self._schema is not None
        first, *steps = self._paths[name].keys
        values, kind = rows[str(self._schema.get_field_index(first))], self._fields[name].kind
        for step in steps:
            values = values.struct.field(step) if values.dtype == pl.Struct else values.list.get(int(step), null_on_oob=True)
        if values.dtype.is_float():
            tiny = _TINY[pa.float32() if values.dtype == pl.Float32 else pa.float64()]
            return values if values.is_finite().all() and not ((values == 0).any() and _holds(data, tiny)) else None
        if values.dtype.is_integer() and kind != "integer":
            return None if (values == 0).any() and b"-0" in data and _holds(data, _MINUS_ZERO) else values.cast(pl.String)
        return values.cast(pl.String) if values.dtype == pl.Boolean and kind != "boolean" else values

    def _type(self, name: str) -> pa.DataType | None:
        """The type to parse a field as; ``None`` where its values are of several kinds, or nested."""
        seen, kind = self._seen[name], self._fields[name].kind
        if not seen:
            return _UNSEEN.get(kind, pa.string())
        if seen == {str}:
            return pa.string()
        if seen == {bool}:
            return pa.bool_()
        return _NUMBERS.get(kind, pa.int64()) if seen == {Number} and name not in self._fractions else None


def _is_fraction(value: Any) -> bool:
    return value.__class__ is Number and not _DIGITS.fullmatch(value)


def _may_be_deep(data: bytes) -> bool:
    """Whether some record could be nested too deep: it has so many brackets."""
    if data.count(b"{") + data.count(b"[") - data.count(b"}\n{") <= MAX_JSON_DEPTH:
        return False
    return any(record.count(b"{") + record.count(b"[") >= MAX_JSON_DEPTH for record in data.split(b"}\n{"))


def _holds(data: bytes, pattern: str) -> bool:
    """Whether an expression is found; RE2 looks in a fifth of the time that :mod:`re` takes."""
    return bool(pc.match_substring_regex(pa.array([data], pa.large_binary()), pattern)[0].as_py())


def _merge(items: Sequence[tuple[tuple[str, ...], pa.DataType | None]]) -> pa.DataType | None:
    """The type of a value that has parts of these types at these places; ``None`` where no one type has."""
    ends = {kind for keys, kind in items if not keys}
    if ends:
        return ends.pop() if len(ends) == 1 and not any(keys for keys, _ in items) else None
    numbered = [keys[0].isdecimal() for keys, _ in items]
    if any(numbered):
        element = _merge([(keys[1:], kind) for keys, kind in items]) if all(numbered) else None
        return None if element is None else pa.list_(element)
    names = dict.fromkeys(keys[0] for keys, _ in items)
    found = [(name, _merge([(keys[1:], kind) for keys, kind in items if keys[0] == name])) for name in names]
    return None if any(kind is None for _, kind in found) else pa.struct(found)
