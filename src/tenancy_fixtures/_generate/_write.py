"""Records into files, block by block: each file is whole when it appears under its name."""

from __future__ import annotations

import codecs
import io
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Iterator, Sequence

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from .._shapes import Shape
from ..exceptions import CannotGenerate, ConfigurationError, OutputExists

if TYPE_CHECKING:
    from ._records import Records

FORMATS = ("csv", "ndjson", "parquet")
BLOCK_ROWS = 65_536  # made and written at once: some 60 MB of a wide dataset
_TYPED = {"int2": pl.Int64, "int4": pl.Int64, "int8": pl.Int64, "float4": pl.Float64, "float8": pl.Float64}


@dataclass(frozen=True)
class GeneratedFile(Shape):
    """One dataset's file: how many records and bytes it holds."""

    dataset: str
    path: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class GenerationReport(Shape):
    """What was made: the same seed, pack, rows and versions of the libraries give the same bytes again."""

    pack: str
    seed: int
    files: tuple[GeneratedFile, ...]
    seconds: float


def file_names(made: Sequence[Records], form: str | None) -> dict[str, str]:
    """The name of each dataset's file: its format is the dataset's own unless one is asked for."""
    return {records.dataset.name: f"{records.dataset.name}.{form or own_format(records)}" for records in made}


def own_format(records: Records) -> str:
    """The format in which the dataset's own source is read; where it is found by the name, that of its own file, or CSV.

    :raises CannotGenerate: files of that format are not written.
    """
    source = records.dataset.source
    declared = source.path.rpartition(".")[2] if source.format == "auto" else source.format
    if declared == "json":
        return "ndjson"  # a file of many documents
    if source.format != "auto" and declared not in FORMATS:
        message = f"dataset {records.dataset.name} reads {declared}, and such files are not written"
        raise CannotGenerate(message, dataset=records.dataset.name, hint=f"Ask for another format: {', '.join(FORMATS)}.")
    return declared if declared in FORMATS else "csv"


def refuse_nested(records: Records, form: str) -> None:
    """In formats whose records nest a name with a path in it would be another one.

    :raises CannotGenerate: the dataset reads such names.
    """
    nested = [name for name in records.fields if set(name) & set(".[")]
    if nested and form != "csv":
        message = f"dataset {records.dataset.name} reads parts of nested records ({', '.join(nested)}), and only CSV can be made for that"
        raise CannotGenerate(message, dataset=records.dataset.name, hint="Ask for csv.")


@contextmanager
def whole_files(folder: Path, names: Sequence[str], *, force: bool) -> Iterator[Path]:
    """A folder to write the files into; at the end they are moved to where they belong, or are gone.

    :raises OutputExists: there are such files, and ``force`` is not given.
    :raises ConfigurationError: the folder cannot be written.
    """
    there = [str(folder / name) for name in names if (folder / name).exists() or (folder / name).is_symlink()]
    if there and not force:
        raise OutputExists(f"there already: {', '.join(there)}", hint="Name another folder, or replace them with --force.", files=there)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".generate-") as scratch:
            yield Path(scratch)
            for name in names:
                (Path(scratch) / name).replace(folder / name)
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be written: {error.strerror}", hint="Name a folder where there is room and the right to write."
        ) from error


class RecordWriter:
    """Writes one dataset's records to a file that is open."""

    def __init__(self, records: Records, file: IO[bytes], form: str) -> None:
        self._records = records
        self._file = file
        self._form = form
        self._encode = codecs.getincrementalencoder(records.encoding)().encode
        self._parquet: pq.ParquetWriter | None = None
        self.written = 0

    def __enter__(self) -> RecordWriter:  # noqa: PYI034 - typing.Self needs Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what belongs at the end; the file itself stays open."""
        parquet, self._parquet = self._parquet, None
        if parquet is not None:
            parquet.close()

    def next_block(self) -> int:
        """Write the next records; gives how many there are so far."""
        rows = np.arange(self.written, min(self.written + BLOCK_ROWS, self._records.count), dtype=np.int64)
        write = {"csv": self._as_csv, "ndjson": self._as_ndjson, "parquet": self._as_parquet}[self._form]
        write(self._records.frame(rows))
        self.written += len(rows)
        return self.written

    def _as_csv(self, frame: pl.DataFrame) -> None:
        fields = self._records.fields
        # What stands for no value may be a word; the empty text needs none.
        words = [pl.col(name).fill_null(fields[name].nulls[0]) for name in frame.columns if fields[name].nulls and fields[name].nulls[0]]
        text = io.BytesIO()
        frame.with_columns(words).write_csv(text, include_header=self.written == 0, separator=self._records.dataset.source.delimiter or ",")
        self._put(text)

    def _as_ndjson(self, frame: pl.DataFrame) -> None:
        text = io.BytesIO()
        frame.with_columns(self._typed()).write_ndjson(text)
        self._put(text)

    def _put(self, text: io.BytesIO) -> None:
        """Write text, which is UTF-8, in the dataset's own encoding."""
        plain = self._records.encoding.lower() in ("utf-8", "utf8")
        self._file.write(text.getbuffer() if plain else self._encode(text.getvalue().decode()))

    def _as_parquet(self, frame: pl.DataFrame) -> None:
        table = frame.with_columns(self._typed()).to_arrow()
        if self._parquet is None:
            self._parquet = pq.ParquetWriter(self._file, table.schema, compression="zstd")
        self._parquet.write_table(table)

    def _typed(self) -> list[pl.Expr]:
        """Numbers and truths as such, where the format has them; what has a form of its own stays text."""
        plain = [item for item in self._records.fields.values() if item.own and item.extract is None]
        numbers = [pl.col(item.name).cast(_TYPED[item.type]) for item in plain if item.type in _TYPED]
        return numbers + [pl.col(item.name) == "true" for item in plain if item.type == "bool"]
