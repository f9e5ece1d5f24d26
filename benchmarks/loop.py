"""How late the event loop comes back during a load of a million rows; :mod:`load` prints the same figures."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks import _tracks
from benchmarks._contenders import Ground
from benchmarks._loop import lag_figures
from benchmarks._measure import missing_formats, result
from benchmarks._server import about, database, server

ROUNDS = 3


def run(rows: int, rounds: int, database_url: str | None, *, peers: bool = True) -> dict[str, Any]:  # noqa: ARG001 - it has none
    """Measure and give the result."""
    with tempfile.TemporaryDirectory(prefix="tenancy-bench-") as name, server(database_url, Path(name)) as admin, database(admin) as url:
        ground = Ground(url, Path(name), rows)
        missing = missing_formats(ground.folder)
        _tracks.write_files(ground.folder, rows, *(kind for kind in _tracks.FORMATS if kind not in missing))
        version, settings = about(url, embedded_one=database_url is None)
        figures = {**lag_figures(ground, missing, rounds), "missing": missing}
    return result("loop", version, figures, {}, {}, rows=rows, rounds=rounds, server=settings)
