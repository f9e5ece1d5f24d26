"""The same load into a tenant with a schema of its own, into one that shares empty tables, and into one beside whom a neighbour has as many rows.

Rows of shared tables come by way of staging, so that the policy itself checks every one. Where nobody else shares the table, indexes and
references are built when they are there, as in a tenant's own; beside a neighbour they stay on. All tenants are made before, and their login is one that
policies bind. What counts is ``load_fixtures``, as with ``load``.
"""

from __future__ import annotations

import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import _tracks
from benchmarks._contenders import Ground
from benchmarks._measure import interleave, ratio, result, spread
from benchmarks._server import about, database, server, service

ROUNDS = 3
KIND = "csv"
NEIGHBOUR = "bench_neighbour"


def run(rows: int, rounds: int, database_url: str | None, *, peers: bool = True) -> dict[str, Any]:  # noqa: ARG001 - there are none
    """Measure and give the result."""
    with (
        tempfile.TemporaryDirectory(prefix="tenancy-bench-") as name,
        server(database_url, Path(name)) as admin,
        database(admin) as url,
        service(url) as login,
    ):
        ground = Ground(url, Path(name), rows, login=login)
        _tracks.write_files(ground.folder, rows, KIND)
        version, settings = about(url, embedded_one=database_url is None)
        seconds = interleave({isolation: partial(ground.isolated, KIND, isolation) for isolation in ("schema", "row")}, rounds)
        ground.share(KIND, NEIGHBOUR)
        seconds |= interleave({"row_beside_rows": partial(ground.isolated, KIND, "row", name="row_beside_rows")}, rounds)
    pairs = {f"{name}_vs_schema": ratio(seconds["schema"], seconds[name]) for name in ("row", "row_beside_rows")}
    figures: dict[str, Any] = {f"{isolation}_seconds": spread(values) for isolation, values in seconds.items()}
    for isolation, loads in ground.loads.items():
        figures[f"{isolation}_rows_per_second"] = round(rows / statistics.median(seconds[isolation]))
        figures[f"{isolation}_phases"] = {
            phase: round(statistics.median(load["loads"][0]["phases"].get(phase, 0.0) for load in loads), 3)
            for phase in loads[0]["loads"][0]["phases"]
        }
    figures["ratios_spread"] = pairs
    return result("load", version, figures, {name: found["median"] for name, found in pairs.items()}, {}, rows=rows, rounds=rounds, server=settings)
