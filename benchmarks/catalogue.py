"""A catalogue of tracks in CSV, enlarged, into the default pack's three tables, beside ``psql \\copy``.

The records are the real files of ``csv_hit_predictor`` in ``$TENANCY_REAL_DATA`` where they are, and the pack's own
otherwise; the result says which. They are enlarged by repeating them under new track ids. The peers:

- ``psql_bare``: ``\\copy`` of the same file into one wide table of the right types, without any key or index;
- ``psql_indexed``: ``\\copy`` of three files, split beforehand, into the same three tables with all keys, indexes and
  references in place, in one transaction: what people do, except that somebody has split the file for them;
- ``psql_late``: the same, with indexes and references made after the rows, by hand.
"""

from __future__ import annotations

import csv
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from benchmarks._measure import interleave, ratio, spread, surroundings
from benchmarks._server import about, database, drop_schema, drop_tenant, psql, server
from tenancy_fixtures import Pack
from tenancy_fixtures._ingest.uuids import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
HEADER = [
    "track",
    "artist",
    "uri",
    "danceability",
    "energy",
    "key",
    "loudness",
    "mode",
    "speechiness",
    "acousticness",
    "instrumentalness",
    "liveness",
    "valence",
    "tempo",
    "duration_ms",
    "time_signature",
    "chorus_hit",
    "sections",
    "decade",
]
FEATURES = [*HEADER[3:14], "time_signature", "chorus_hit", "sections"]
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


ROUNDS = 10


def run(rows: int, rounds: int, database_url: str | None, *, peers: bool = True) -> dict[str, Any]:  # noqa: ARG001 - psql alone
    """Measure and give the result."""
    with tempfile.TemporaryDirectory(prefix="tenancy-bench-") as name, server(database_url, Path(name)) as admin:
        folder = Path(name)
        origin = _write_files(folder, rows)
        with database(admin) as url:
            version, _ = about(url, embedded_one=database_url is None)
            worker: list[dict[str, Any]] = []
            contenders = {
                "tenancy": lambda: _tenancy(url, folder, worker),
                "psql_bare": lambda: _psql(url, folder, "bare"),
                "psql_indexed": lambda: _psql(url, folder, "indexed"),
                "psql_late": lambda: _psql(url, folder, "late"),
            }
            seconds = interleave(contenders, rounds)
        if any(item["read"] != rows or item["lost"] or item["rejects"] for item in worker):
            sys.exit("the load did not account for every record")
    figures = {f"{name}_seconds": spread(values) for name, values in seconds.items()}
    figures["rows_per_second"] = spread([rows / value for value in seconds["tenancy"]])
    figures["peak_rss_mb"] = spread([item["peak_rss_mb"] for item in worker])
    ratios = {f"vs_{name}": ratio(values, seconds["tenancy"]) for name, values in seconds.items() if name != "tenancy"}
    return {"name": "catalogue", "rows": rows, "rounds": rounds, "origin": origin, **surroundings(version), "figures": figures, "ratios": ratios}


# --- the contenders ---------------------------------------------------------------------------------------------------


def _tenancy(url: str, folder: Path, results: list[dict[str, Any]]) -> float:
    tenant = f"bench_{secrets.token_hex(4)}"
    command = [sys.executable, "-m", "benchmarks._load_worker", url, tenant, str(folder / "all.csv")]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout)
    results.append(result)
    drop_tenant(url, tenant)
    return float(result["seconds"])


def _psql(url: str, folder: Path, kind: str) -> float:
    schema = f"peer_{secrets.token_hex(4)}"
    script = folder / f"{kind}.sql"
    script.write_text(_script(url, schema, folder, kind), encoding="utf-8")
    began = time.perf_counter()
    subprocess.run([psql(), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", str(script)], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    drop_schema(url, schema)
    return seconds


def _script(url: str, schema: str, folder: Path, kind: str) -> str:
    """Make the tables now, and give what psql shall be timed with."""
    with psycopg.connect(url) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        connection.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(schema)))
        if kind == "bare":
            types = {
                "key": "smallint",
                "mode": "smallint",
                "duration_ms": "integer",
                "time_signature": "smallint",
                "sections": "smallint",
                "decade": "smallint",
            }
            columns = ", ".join(f"{name} {'text' if name in HEADER[:3] else types.get(name, 'double precision')}" for name in HEADER)
            connection.execute(f"CREATE TABLE everything ({columns})")  # type: ignore[arg-type]
        else:
            connection.execute(Pack.default().schema_sql)  # type: ignore[arg-type]
        before, after = _late(connection, schema) if kind == "late" else ([], [])
    files = {"everything": ("all.csv", HEADER)} if kind == "bare" else _split_files()
    copies = [f"\\copy {table} ({', '.join(columns)}) from '{folder / name}' csv header" for table, (name, columns) in files.items()]
    return "\n".join(["BEGIN;", f'SET LOCAL search_path = "{schema}";', *before, *copies, *after, "COMMIT;"]) + "\n"


def _late(connection: psycopg.Connection[Any], schema: str) -> tuple[list[str], list[str]]:
    """Take keys, indexes and references of the three tables off, and the statements that put them back."""
    names = list(_split_files())
    constraints = connection.execute(
        """SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid), contype = 'f' FROM pg_constraint
        WHERE connamespace = %s::regnamespace AND contype IN ('p', 'u', 'f') AND (conrelid::regclass::text = ANY (%s) OR confrelid::regclass::text = ANY (%s))
        ORDER BY contype = 'f', 1, 2""",
        [schema, names, names],
    ).fetchall()
    indexes = connection.execute(
        """SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
        WHERE indrelid::regclass::text = ANY (%s) AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))""",
        [names],
    ).fetchall()
    before = [f"ALTER TABLE {table} DROP CONSTRAINT {name};" for table, name, _, _ in reversed(constraints)] + [
        f"DROP INDEX {name};" for name, _ in indexes
    ]
    after = [f"ALTER TABLE {table} ADD CONSTRAINT {name} {text};" for table, name, text, foreign in constraints if not foreign]
    after += [f"{text};" for _, text in indexes]
    after += [f"ALTER TABLE {table} ADD CONSTRAINT {name} {text};" for table, name, text, foreign in constraints if foreign]
    return before, after


def _split_files() -> dict[str, tuple[str, list[str]]]:
    return {
        "artists": ("artists.csv", ["artist_id", "name"]),
        "tracks": ("tracks.csv", ["track_id", "title", "artist_id", "duration_ms", "release_decade"]),
        "audio_features": ("features.csv", ["track_id", *FEATURES]),
    }


# --- the records ------------------------------------------------------------------------------------------------------


def _write_files(folder: Path, rows: int) -> str:
    """The file as it comes, and the three that it would be split into for psql."""
    origin, records = _records()
    # No duplicates: psql could not load them at all.
    unique = list({record["uri"]: record for record in reversed(records)}.values())
    artists: dict[str, uuid.UUID] = {}
    with _writers(folder, ["all.csv", "artists.csv", "tracks.csv", "features.csv"]) as (whole, artist, track, feature):
        whole.writerow(HEADER)
        for writer, (_, columns) in zip((artist, track, feature), _split_files().values()):
            writer.writerow(columns)
        for number in range(rows):
            record = unique[number % len(unique)]
            track_id = _track_id(number)
            name = record["artist"]
            if name not in artists:
                artists[name] = uuid.uuid5(NAMESPACE, f"artist\x1f{name}")
                artist.writerow([artists[name], name])
            whole.writerow([record["track"], name, f"spotify:track:{track_id}", *(record[column] for column in HEADER[3:])])
            track.writerow([track_id, record["track"], artists[name], record["duration_ms"], record["decade"]])
            feature.writerow([track_id, *(record[column] for column in FEATURES)])
    return origin


@contextmanager
def _writers(folder: Path, names: list[str]) -> Iterator[list[Any]]:
    files = [(folder / name).open("w", encoding="utf-8", newline="") for name in names]
    try:
        yield [csv.writer(file) for file in files]
    finally:
        for file in files:
            file.close()


def _records() -> tuple[str, list[dict[str, str]]]:
    real = Path(os.environ.get("TENANCY_REAL_DATA") or ROOT.parent / "shared" / "data") / "csv_hit_predictor"
    if real.is_dir():
        return "csv_hit_predictor", [record for path in sorted(real.glob("*.csv")) for record in _read(path)]
    records = _read(Pack.default().folder / "data" / "tracks.csv")
    for record in records:
        record |= {"track": record["title"], "decade": record.get("release_year", "2000")[:3] + "0"}
        record.setdefault("uri", record.get("track_id", ""))
        for name in FEATURES:
            record.setdefault(name, "")
    return "the pack's own tracks", records


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _track_id(number: int) -> str:
    """The 22 characters of a Spotify id: base 62 of a number that is spread over them as real ones are."""
    value, text = (number * 0x9E3779B97F4A7C15F39CC0605CEDC835 + 1) % (1 << 128), ""
    for _ in range(22):
        value, digit = divmod(value, 62)
        text += DIGITS[digit]
    return text
