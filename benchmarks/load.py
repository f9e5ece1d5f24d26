"""A million tracks of 14 columns into a table with its key, two indexes and a reference, by the library and by its peers.

The library's load is validated, audited and one transaction, from a tenant with an empty table. All contenders have the
same table in the same database, and take turns. What counts: from the file as it is to the last COMMIT, without an
interpreter's start. Two peers are spared a part: psql's binary file is encoded beforehand, and SQLAlchemy is given its
dicts ready made. See benchmarks/README.md.
"""

from __future__ import annotations

import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import _environment, _tracks
from benchmarks._contenders import PSQL, Ground
from benchmarks._loop import lag_figures
from benchmarks._measure import interleave, missing_formats, ratio, result, spread
from benchmarks._server import about, database, server

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5

# What is slower by tens runs on a part of the rows, and not in every round.
SHARES = {"sqlalchemy": 10, "sqlalchemy_executemany": 10, "sqlalchemy_returning": 10, "dlt": 1, "dlt_csv": 1, "django_loaddata": 10}
AT_MOST = {"sqlalchemy_executemany": 2, "sqlalchemy_returning": 1, "dlt_csv": 1, "django_loaddata": 1}

PEERS: dict[str, tuple[str, dict[str, Any]]] = {
    # Where SQLAlchemy rewrites a plain insert() of dicts into INSERT … VALUES of 1,000 rows each: on psycopg2.
    "sqlalchemy": ("sqlalchemy_core", {"driver": "postgresql+psycopg2", "returning": False}),
    # On psycopg it does so only with RETURNING; without, the driver's executemany sends row after row in a pipeline.
    "sqlalchemy_returning": ("sqlalchemy_core", {"driver": "postgresql+psycopg", "returning": True}),
    "sqlalchemy_executemany": ("sqlalchemy_core", {"driver": "postgresql+psycopg", "returning": False}),
    # dlt's fastest, through ADBC, and what it does without those drivers.
    "dlt": ("dlt_arrow", {"format": "parquet"}),
    "dlt_csv": ("dlt_arrow", {"format": "csv"}),
    "django_loaddata": ("django_loaddata", {}),
}
# What is printed: the peer, and which load of ours it is compared with.
RATIOS = {
    "csv_vs_psql_csv_indexed": ("psql_csv_indexed", "csv"),
    "csv_vs_psql_csv_late": ("psql_csv_late", "csv"),
    "parquet_vs_psql_binary_late": ("psql_binary_late", "parquet"),
    "ndjson_vs_psql_csv_late": ("psql_csv_late", "ndjson"),
    "vs_django_loaddata": ("django_loaddata", "ndjson"),
    "vs_sqlalchemy": ("sqlalchemy", "csv"),
    "vs_dlt": ("dlt", "parquet"),
}


def run(rows: int, rounds: int, database_url: str | None, *, peers: bool = True) -> dict[str, Any]:
    """Measure and give the result."""
    python = _environment.interpreter() if peers else None
    with tempfile.TemporaryDirectory(prefix="tenancy-bench-") as name, server(database_url, Path(name)) as admin, database(admin) as url:
        ground = Ground(url, Path(name), rows, python)
        missing = missing_formats(ground.folder)
        if not peers:
            missing |= dict.fromkeys(PEERS, "left out: --without-peers")
        _tracks.write_files(ground.folder, rows, *_tracks.FORMATS)
        ground.encode_binary("tracks")
        version, settings = about(url, embedded_one=database_url is None)
        seconds = interleave(_contenders(ground, missing), rounds, AT_MOST)
        figures = {**_figures(ground, seconds), **lag_figures(ground, missing), "missing": missing}
    pairs = {name: ratio(seconds[slow], seconds[ours]) for name, (slow, ours) in _comparable(seconds).items()}
    figures["ratios_spread"] = pairs
    ratios = {name: found["median"] for name, found in pairs.items()}
    facts = {"rows": rows, "rounds": rounds, "server": settings, "peers": _peer_facts(rows, seconds)}
    return result("load", version, figures, ratios, _environment.versions(python) if python else {}, **facts)


def _contenders(ground: Ground, missing: dict[str, str]) -> dict[str, Callable[[], float]]:
    all_of_them: dict[str, Callable[[], float]] = {kind: partial(ground.tenancy, kind) for kind in _tracks.FORMATS}
    all_of_them |= {name: getattr(ground, name) for name in PSQL}
    for name, (program, task) in PEERS.items():
        all_of_them[name] = partial(ground.peer, program, _part(name, ground.rows), **task)
    return {name: one for name, one in all_of_them.items() if name not in missing}


def _part(name: str, rows: int) -> int:
    return max(1, rows // SHARES[name])


def _comparable(seconds: dict[str, list[float]]) -> dict[str, tuple[str, str]]:
    """Ours is the CSV where the format that is meant cannot be read."""
    return {
        name: (slow, ours if ours in seconds or not name.startswith("vs_") else "csv")
        for name, (slow, ours) in RATIOS.items()
        if slow in seconds and (ours in seconds or name.startswith("vs_"))
    }


def _figures(ground: Ground, seconds: dict[str, list[float]]) -> dict[str, Any]:
    figures: dict[str, Any] = {f"{name}_seconds": spread(values) for name, values in seconds.items()}
    for kind, loads in ground.loads.items():
        phases = [load["loads"][0]["phases"] for load in loads]
        figures[f"{kind}_phases"] = {name: round(statistics.median(phase[name] for phase in phases), 3) for phase in phases[:1] for name in phase}
        figures[f"{kind}_rows_per_second"] = round(ground.rows / statistics.median(seconds[kind]))
        # Of the library's process alone: on a busy machine it says more than the time does.
        figures[f"{kind}_cpu_seconds"] = spread([load["loads"][0]["cpu_seconds"] for load in loads])
        figures[f"{kind}_peak_rss_mb"] = spread([load["peak_rss_mb"] for load in loads])
    return figures


def _peer_facts(rows: int, seconds: dict[str, list[float]]) -> dict[str, Any]:
    """How much of the work each peer was given; its seconds are per row, for all rows."""
    return {
        name: {"rows": _part(name, rows), "scaled_by": rows / _part(name, rows), "rounds": len(seconds[name])} for name in PEERS if name in seconds
    }
