"""JSON records by pyarrow's parser, where that surely gives what the exact one gives, in a fifth of the time.

The parser is told each column's type, so that it guesses nothing, and refuses what does not fit; whatever it refuses, and
whatever it is known to see otherwise than RFC 8259, is left to the exact parser, from whose values the types are learned.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

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
# Words that pyarrow takes for numbers and JSON does not know, where a value may stand: ids of a large file hold them too. Where
# no field is unknown and none is in an array they show as values.
_WORDS: Final = r"[:\[,][ \t\r\n]*-?(?:NaN|Inf)"
# pyarrow parses a slice of lines in so many pieces at once.
_PIECES: Final = 2


class _Zero(NamedTuple):
    """What may be behind a zero: numbers so near to it, or with so many zeros, that a float makes them zero; and -0.

    ``exact`` says it; ``likely`` is in all of these, begins with a certain sign, and is found in a tenth of the time.
    """

    likely: str
    exact: str
    zeros: int = 0

    def may_be_in(self, data: bytes) -> bool:
        """Whether a zero from this text may be none."""
        return (_holds(data, self.likely) and _holds(data, self.exact)) or (bool(self.zeros) and b"0" * self.zeros in data)


_ZEROS: Final[dict[Any, _Zero]] = {
    pl.Float64: _Zero(r"-0*[1-9][0-9]{2}", r"[0-9.][eE]-0*(?:[2-9][0-9]{2}|[1-9][0-9]{3})", 60),
    pl.Float32: _Zero(r"-0*[1-9][0-9]", r"[0-9.][eE]-0*(?:[2-9][0-9]|[1-9][0-9]{2})", 20),
    pl.Int64: _Zero(r"-0(?:[^0-9.eE]|$)", r"[:\[,][ \t\r\n]*-0(?:[^0-9.eE]|$)"),
}
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
        # Elements of arrays that no path leads to are parsed, and looked at by nobody.
        self._in_arrays = any(key.isdecimal() for path in self._paths.values() for key in path.keys)
        self._failures = 0
        self._schema: pa.Schema | None = None
        self._values: dict[str, pl.Expr] = {}
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
        self._values = {name: self._value(name) for name in self._fields} if self._schema is not None else {}

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
        size = len(data) // _PIECES if one_a_line else len(data)
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
        if table.num_rows != count:
            return None
        # By their numbers: polars gives a column without a name one of its own.
        rows: pl.DataFrame = pl.DataFrame(table.rename_columns([str(number) for number in range(table.num_columns)]))
        values = rows.select(**self._values)
        return values.select(self._columns(values)) if self._same(values, data) else None

    def _same(self, values: pl.DataFrame, data: bytes) -> bool:
        """Whether no value may be another one than its text says, and none belongs to a field that is not expected."""
        kinds = {
            name: kind for name, kind in values.schema.items() if kind.is_float() or (kind.is_integer() and self._fields[name].kind != "integer")
        }
        late = [name for name in self._fields if name not in self._positions]
        facts = values.select(
            *(pl.col(name).is_finite().all().alias(f"finite {name}") for name, kind in kinds.items() if kind.is_float()),
            *((pl.col(name) == 0).any().alias(f"zero {name}") for name in kinds),
            *(pl.col(name).is_null().all().alias(f"null {name}") for name in late),
        )
        found = facts.row(0, named=True) if facts.width else {}
        if not all(fact for what, fact in found.items() if not what.startswith("zero ")):
            return False
        zeros = {kind for name, kind in kinds.items() if found[f"zero {name}"]}
        return not any(_ZEROS[kind.base_type()].may_be_in(data) for kind in zeros)

    def _columns(self, values: pl.DataFrame) -> list[pl.Expr]:
        """The values at their places in the header; what others need as text is text."""
        placed = {position: pl.col(name) for name, position in self._positions.items()}
        for name, position in self._positions.items():
            kind, wanted = values.schema[name], self._fields[name].kind
            if (kind.is_integer() and wanted != "integer") or (kind == pl.Boolean and wanted != "boolean"):
                placed[position] = pl.col(name).cast(pl.String)
        return [placed.get(position, pl.lit(None, pl.String)).alias(str(position)) for position in range(self._width)]

    def _value(self, name: str) -> pl.Expr:
        """The way to a field's values in what was parsed."""
        assert self._schema is not None
        first, *steps = self._paths[name].keys
        root = self._schema.get_field_index(first)
        value, kind = pl.col(str(root)), self._schema.field(root).type
        for step in steps:
            deeper = pa.types.is_struct(kind)
            value = value.struct.field(step) if deeper else value.list.get(int(step), null_on_oob=True)
            kind = kind.field(step).type if deeper else kind.value_type
        return value

    def _harmless(self, data: bytes) -> bool:
        """Whether there is nothing in it that the parser takes and the exact one does not, or a NUL."""
        if _holds(data, r"\\u0000"):
            return False
        # Fields that nobody wants may hold anything.
        if (self._others or self._in_arrays) and _holds(data, _WORDS):
            return False
        return not self._others or not _may_be_deep(data)

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
