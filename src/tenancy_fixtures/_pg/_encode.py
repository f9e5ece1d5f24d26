"""From Arrow to PostgreSQL's binary COPY, each column by the type that the catalogue says and never by the one that it has.

pgpq writes what the Arrow type says: an int64 sent into an ``int4`` column fails, or loads wrong bytes without an error.
So every column is compared with its catalogued type first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ..exceptions import MissingExtra, TenancyError
from ._records import compact

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from .._shapes import Column
    from ._records import Numbers

# Types that travel as text in the binary protocol too: their receive function takes the characters.
TEXT_TYPES = frozenset({"text", "varchar", "bpchar", "name", "json", "citext"})

_END = 2  # bytes that end a COPY
_FIXED = {
    "bool": ("bool", "BooleanEncoderBuilder"),
    "int2": ("int16", "Int16EncoderBuilder"),
    "int4": ("int32", "Int32EncoderBuilder"),
    "int8": ("int64", "Int64EncoderBuilder"),
    "float4": ("float32", "Float32EncoderBuilder"),
    "float8": ("float64", "Float64EncoderBuilder"),
    "date": ("date32", "Date32EncoderBuilder"),
    "time": ("time64[us]", "Time64MicrosecondEncoderBuilder"),
    "bytea": ("large_binary", "LargeBinaryEncoderBuilder"),
    "uuid": ("large_binary", "LargeBinaryEncoderBuilder"),
    "jsonb": ("large_string", "LargeStringEncoderBuilder"),
}
_ALIKE = {
    "large_string": ("is_string", "is_large_string", "is_string_view"),
    "large_binary": ("is_binary", "is_large_binary", "is_binary_view", "is_fixed_size_binary"),
}


class Wire(NamedTuple):
    """How one column travels: the Arrow type that is wanted, and pgpq's encoder for it."""

    name: str
    arrow: pa.DataType
    encoder: str
    json: bool


@dataclass(frozen=True)
class EncodedFrame:
    """A frame ready to be sent: its rows in chunks of whole batches, without the header and the end of a COPY."""

    rows: int
    chunks: tuple[bytes, ...]
    records: Numbers
    key_hashes: Any = None

    @property
    def size(self) -> int:
        """Bytes to send."""
        return sum(map(len, self.chunks))


def travels_binary(column: Column) -> bool:
    """True where a column's values can be written without the server's cast from text."""
    kind = column.type
    return kind.name in _FIXED or kind.name in TEXT_TYPES or kind.name in ("timestamp", "timestamptz") or kind.category == "E"


class FrameEncoder:
    """Encodes frames of one table. It keeps no state: threads may share it."""

    def __init__(self, columns: Sequence[Column], text_columns: frozenset[str], batch_size: int, record_column: str | None) -> None:
        try:
            import pgpq  # noqa: F401
            import pyarrow as pa
        except ImportError as error:
            raise MissingExtra("loading data needs pyarrow and pgpq", extra="load", hint="Install tenancy-fixtures[load].") from error
        self._wires = [_wire(column, column.name in text_columns) for column in columns]
        self._batch_size = batch_size
        self._record_column = record_column
        if record_column is not None:
            self._wires.append(Wire(record_column, pa.int64(), "Int64EncoderBuilder", json=False))
        self._schema = pa.schema([(wire.name, wire.arrow) for wire in self._wires])
        self._encoders = {wire.name: _encoder(wire) for wire in self._wires}

    def __call__(self, frame: pa.Table, records: Numbers) -> EncodedFrame:
        """Encode a frame whose rows came from ``records``.

        :raises TenancyError: a column is missing or is not of the Arrow type that its catalogued type asks for.
        """
        if len(records) != frame.num_rows:
            raise TenancyError(f"{frame.num_rows} rows came with {len(records)} record numbers")
        numbers = compact(records)
        if not frame.num_rows:
            return EncodedFrame(0, (), numbers)
        return EncodedFrame(frame.num_rows, tuple(self._chunks(self._checked(frame, numbers))), numbers)

    def _checked(self, frame: pa.Table, numbers: Numbers) -> pa.Table:
        import pyarrow as pa

        arrays = []
        for wire in self._wires:
            if wire.name == self._record_column:
                arrays.append(pa.chunked_array([pa.array(numbers, pa.int64())]))
            elif wire.name in frame.schema.names:
                arrays.append(_as_wire(frame.column(wire.name), wire))
            else:
                raise TenancyError(f"the frame lacks column {wire.name!r}", column_name=wire.name)
        return pa.table(arrays, schema=self._schema)

    def _chunks(self, table: pa.Table) -> Iterator[bytes]:
        from pgpq import ArrowToPostgresBinaryEncoder

        encoder = ArrowToPostgresBinaryEncoder.new_with_encoders(self._schema, self._encoders)
        encoder.write_header()
        pieces: list[bytes] = []
        for batch in table.combine_chunks().to_batches(max_chunksize=self._batch_size):
            pieces.append(encoder.write_batch(batch))
            # pgpq keeps back up to a megabyte: a batch may give nothing, and the one after it all.
            if pieces[-1]:
                yield b"".join(pieces)
                pieces = []
        yield b"".join([*pieces, encoder.finish()[:-_END]])


def _wire(column: Column, as_text: bool) -> Wire:
    import pyarrow as pa

    kind = column.type
    if as_text or kind.name in TEXT_TYPES or kind.category == "E":
        return Wire(column.name, pa.large_string(), "LargeStringEncoderBuilder", json=False)
    if kind.name in ("timestamp", "timestamptz"):
        return Wire(column.name, pa.timestamp("us", "UTC" if kind.name == "timestamptz" else None), "TimestampMicrosecondEncoderBuilder", json=False)
    if kind.name not in _FIXED:
        raise TenancyError(f"column {column.name!r} is of type {kind.declared}, which travels as text only", column_name=column.name)
    arrow, encoder = _FIXED[kind.name]
    return Wire(column.name, pa.type_for_alias(arrow), encoder, json=kind.name == "jsonb")


def _encoder(wire: Wire) -> Any:
    import pyarrow as pa
    from pgpq import encoders
    from pgpq.schema import Jsonb

    builder = getattr(encoders, wire.encoder)
    field = pa.field(wire.name, wire.arrow)
    return builder.new_with_output(field, Jsonb()) if wire.json else builder(field)


def _as_wire(column: pa.ChunkedArray, wire: Wire) -> pa.ChunkedArray:
    """The same values in the form that the encoder takes; another kind of value is refused, never converted."""
    import pyarrow as pa

    if column.type == wire.arrow:
        return column
    if pa.types.is_null(column.type):
        return column.cast(wire.arrow)
    if any(getattr(pa.types, test)(column.type) for test in _ALIKE.get(str(wire.arrow), ())):
        return _cast(column, wire.arrow)
    both_zoned = (
        pa.types.is_timestamp(column.type) and pa.types.is_timestamp(wire.arrow) and column.type.unit == "us" and column.type.tz and wire.arrow.tz
    )
    if both_zoned:
        return column.cast(wire.arrow)
    raise TenancyError(f"column {wire.name!r} came as Arrow {column.type}, and its type in the table asks for {wire.arrow}", column_name=wire.name)


def _cast(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    import pyarrow as pa

    try:
        return column.cast(wanted)
    except pa.ArrowNotImplementedError:
        # pyarrow 17 has no cast from the view types.
        return pa.chunked_array([pa.array(column.to_pylist(), wanted)])
