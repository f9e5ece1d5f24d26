"""The table that is loaded: 14 columns of tracks with a key, two indexes and a reference to artists; its rows, from a seed.

    python -m benchmarks._tracks FOLDER ROWS FORMAT…

writes ``tracks.FORMAT`` for each of csv, parquet, ndjson, and ``changed.FORMAT`` too where the word ``changed`` is among
them: the same rows, one in a hundred with another popularity. It runs in a process of its own, so that the memory that it
takes is not counted to anything that is measured.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
FORMATS = ("csv", "parquet", "ndjson")
SEED = 20_240_229
# Rows made at once; a row group of the Parquet file as well.
CHUNK = 100_000
TRACKS_OF_AN_ARTIST = 20
# One row in so many differs in the files of changed rows.
CHANGED_ONE_IN = 100

COLUMNS = {
    "track_id": "text NOT NULL",
    "title": "text NOT NULL",
    "artist_id": "integer NOT NULL",
    "album": "text",
    "duration_ms": "integer NOT NULL",
    "explicit": "boolean NOT NULL",
    "popularity": "smallint",
    "release_date": "date",
    "danceability": "double precision NOT NULL",
    "energy": "double precision NOT NULL",
    "loudness": "double precision NOT NULL",
    "tempo": "double precision NOT NULL",
    "valence": "double precision NOT NULL",
    "added_at": "timestamp with time zone NOT NULL",
}
# What makes the table more than a heap, and how to take it off again: in the order of building.
PARTS = {
    "ALTER TABLE tracks ADD CONSTRAINT tracks_pkey PRIMARY KEY (track_id)": "ALTER TABLE tracks DROP CONSTRAINT tracks_pkey",
    "CREATE INDEX tracks_artist_id_idx ON tracks (artist_id)": "DROP INDEX tracks_artist_id_idx",
    "CREATE INDEX tracks_release_date_idx ON tracks (release_date)": "DROP INDEX tracks_release_date_idx",
    "ALTER TABLE tracks ADD CONSTRAINT tracks_artist_id_fkey FOREIGN KEY (artist_id) REFERENCES artists": "ALTER TABLE tracks DROP CONSTRAINT tracks_artist_id_fkey",
}
TABLES = ";\n".join(
    [
        "CREATE TABLE artists (artist_id integer PRIMARY KEY, name text NOT NULL)",
        "CREATE TABLE tracks (" + ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items()) + ")",
        *PARTS,
        "",
    ]
)
ARTISTS = "INSERT INTO {schema}.artists SELECT number, 'Artist ' || number FROM generate_series(1, {artists}) AS number"

RULES = [
    {"column": "track_id", "rule": "pattern", "pattern": "^[0-9A-Za-z]{22}$"},
    {"column": "title", "rule": "length", "min": 1, "max": 500},
    {"column": "duration_ms", "rule": "range", "min": 1},
    {"column": "popularity", "rule": "range", "min": 0, "max": 100},
    {"column": "danceability", "rule": "range", "min": 0, "max": 1},
    {"column": "energy", "rule": "range", "min": 0, "max": 1},
    {"column": "tempo", "rule": "range", "min": 0, "max": 300},
]
WORDS = [
    *(
        "Night",
        "River",
        "Golden",
        "Paper",
        "Blue",
        "Summer",
        "Broken",
        "Electric",
        "Silent",
        "Morning",
        "Diamond",
        "Velvet",
        "Hollow",
        "Wild",
        "Last",
    ),
    *(
        "Señora",
        "Café",
        "Straße",
        "Übermut",
        "Été",
        "Naïve",
        "Fjäril",
        "東京",
        "夜明け",
        "Москва",
        "Dance",
        "Heart",
        "Machine",
        "Letter",
        "Fire",
        "Road",
    ),
    *(
        "Ghost",
        "Ocean",
        "Mirror",
        "Thunder",
        "Honey",
        "Stranger",
        "Planet",
        "Garden",
        "Ashes",
        "Kingdom",
        "Shadow",
        "Winter",
        "Rain",
        "City",
        "Lights",
    ),
    *("Run, Run", 'The "Best" of', "Don't", "& Co.", "(Live)", "- Remastered", "feat. You", "Pt. 2", "Again", "Home", "Tonight", "Forever", "Away"),
]
_BASE62 = bytes.maketrans(
    bytes(range(256)), bytes(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[byte % 62] for byte in range(256))
)
_ID_LENGTH = 22


def artists_of(rows: int) -> int:
    """How many artists so many tracks refer to."""
    return max(1, rows // TRACKS_OF_AN_ARTIST)


def write_pack(folder: Path, kind: str) -> Path:
    """A pack of this table alone, whose source is of one format."""
    pack = folder / f"pack_{kind}"
    pack.mkdir(exist_ok=True)
    columns = {name: {"from": [name]} for name in COLUMNS}
    target = {"table": "tracks", "key": ["track_id"], "columns": columns, "rules": RULES}
    dataset = {"name": "tracks", "source": {"path": f"data/tracks.{kind}", "format": kind}, "targets": [target]}
    manifest = {"name": "bench", "version": "1.0.0", "description": "One table of tracks, to measure with.", "datasets": [dataset]}
    (pack / "pack.json").write_text(json.dumps(manifest), encoding="utf-8")
    (pack / "tenant_template.json").write_text(
        json.dumps({"default_tier": "basic", "tiers": {"basic": {"features": [], "limits": {}}}}), encoding="utf-8"
    )
    (pack / "config_template.json").write_text(json.dumps({"defaults": {}}), encoding="utf-8")
    (pack / "schema_template.sql").write_text(TABLES, encoding="utf-8")
    return pack


def write_files(folder: Path, rows: int, *what: str) -> None:
    """Write the files, in a process of its own."""
    print(f"  writing {rows} rows as {', '.join(what)}", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "benchmarks._tracks", str(folder), str(rows), *what], check=True, cwd=ROOT)


def chunks(rows: int, *, changed: bool = False) -> Iterator[pl.DataFrame]:
    """The rows, always the same for the same number of them."""
    for number, start in enumerate(range(0, rows, CHUNK)):
        yield _chunk(random.Random(SEED + number), min(CHUNK, rows - start), artists_of(rows), changed=changed)


def _chunk(source: random.Random, rows: int, artists: int, *, changed: bool) -> pl.DataFrame:
    def below(limit: int) -> pl.Series:
        drawn = pa.Array.from_buffers(pa.uint32(), rows, [None, pa.py_buffer(source.randbytes(4 * rows))])
        return pl.Series(pl.from_arrow(drawn)) % limit

    def share(digits: int = 3) -> pl.Series:
        return below(10**digits + 1).cast(pl.Float64) / 10**digits

    def word() -> pl.Series:
        return words.gather(below(len(WORDS)))

    def sometimes(values: pl.Series, one_in: int) -> pl.Series:
        return pl.select(pl.when(below(one_in) > 0).then(values)).to_series()

    words = pl.Series(WORDS)
    popularity = below(101).cast(pl.Int16)
    if changed:
        other = pl.int_range(rows, eager=True) % CHANGED_ONE_IN == 0
        popularity = pl.select(pl.when(other).then((popularity + 1) % 101).otherwise(popularity)).to_series()
    columns = {
        "track_id": _ids(source, rows),
        "title": word() + " " + word() + " " + word(),
        "artist_id": below(artists).cast(pl.Int32) + 1,
        "album": sometimes(word() + " " + word(), 10),
        "duration_ms": below(400_000).cast(pl.Int32) + 30_000,
        "explicit": below(8) == 0,
        "popularity": popularity,
        "release_date": sometimes(below(20_000).cast(pl.Int32).cast(pl.Date), 20),
        "danceability": share(),
        "energy": share(),
        "loudness": share(5) * -40,
        "tempo": share(5) * 150 + 60,
        "valence": share(4),
        "added_at": (below(500_000_000).cast(pl.Int64) * 1_000_000 + 1_200_000_000_000_000).cast(pl.Datetime("us", "UTC")),
    }
    return pl.DataFrame(columns).with_columns(pl.col(pl.Float64).round(4))


def _ids(source: random.Random, rows: int) -> pl.Series:
    """22 characters each, as Spotify's are. That two are equal is less likely than anything else that could go wrong."""
    text = pa.py_buffer(source.randbytes(_ID_LENGTH * rows).translate(_BASE62))
    offsets = pa.array(range(0, _ID_LENGTH * (rows + 1), _ID_LENGTH), pa.int32()).buffers()[1]
    return pl.Series(pl.from_arrow(pa.Array.from_buffers(pa.string(), rows, [None, offsets, text])))


# --- files --------------------------------------------------------------------------------------------------------------


def main(folder: str, rows: str, *what: str) -> None:
    """Write what is asked for in one pass over the rows, or two where changed ones are asked for."""
    kinds = [kind for kind in what if kind in FORMATS]
    _write(Path(folder), "tracks", kinds, chunks(int(rows)))
    if "changed" in what:
        _write(Path(folder), "changed", kinds, chunks(int(rows), changed=True))


def _write(folder: Path, name: str, kinds: list[str], frames: Iterator[pl.DataFrame]) -> None:
    with ExitStack() as stack:
        files: dict[str, Any] = {kind: stack.enter_context((folder / f"{name}.{kind}").open("wb")) for kind in kinds}
        parquet = None
        for number, frame in enumerate(frames):
            if "csv" in kinds:
                frame.write_csv(files["csv"], include_header=number == 0, datetime_format="%Y-%m-%dT%H:%M:%SZ")
            if "ndjson" in kinds:
                frame.with_columns(pl.col("added_at").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).write_ndjson(files["ndjson"])
            if "parquet" in kinds:
                table = frame.to_arrow()
                parquet = parquet or stack.enter_context(pq.ParquetWriter(files["parquet"], table.schema))
                parquet.write_table(table)


if __name__ == "__main__":
    main(*sys.argv[1:])
