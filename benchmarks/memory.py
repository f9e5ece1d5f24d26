"""The highest resident set of a process that loads tracks, for each format, at so many rows and at ten times as many."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import _tracks
from benchmarks._contenders import Ground
from benchmarks._measure import missing_formats, result, spread
from benchmarks._server import about, database, server

ROUNDS = 1
TIMES = 10


def run(rows: int, rounds: int, database_url: str | None, *, peers: bool = True) -> dict[str, Any]:  # noqa: ARG001 - it has none
    """Measure and give the result."""
    with tempfile.TemporaryDirectory(prefix="tenancy-bench-") as name, server(database_url, Path(name)) as admin, database(admin) as url:
        ground = Ground(url, Path(name), rows)
        missing = missing_formats(ground.folder)
        kinds = [kind for kind in _tracks.FORMATS if kind not in missing]
        small = _peaks(ground, kinds, rows, rounds)
        large = _peaks(ground, kinds, rows * TIMES, rounds)
        version, settings = about(url, embedded_one=database_url is None)
    by_format = {kind: {"peak_rss_mb": small[kind]["median"], "peak_rss_10m_mb": large[kind]["median"]} for kind in kinds}
    for found in by_format.values():
        found["rss_10m_vs_1m"] = round(found["peak_rss_10m_mb"] / found["peak_rss_mb"], 4)
    figures = {"peak_rss_mb": max(found["peak_rss_mb"] for found in by_format.values()), "by_format": by_format}
    figures |= {"spread": {"rows": small, "ten_times_rows": large}, "missing": missing}
    ratios = {"rss_10m_vs_1m": max(found["rss_10m_vs_1m"] for found in by_format.values())}
    return result("memory", version, figures, ratios, {}, rows=rows, rounds=rounds, server=settings)


def _peaks(ground: Ground, kinds: list[str], rows: int, rounds: int) -> dict[str, dict[str, float]]:
    _tracks.write_files(ground.folder, rows, *kinds)
    peaks: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind in kinds:
            peaks[kind].append(ground.work(kind, [ground.folder / f"tracks.{kind}"], rows=rows)["peak_rss_mb"])
            print(f"  {rows} rows of {kind}: {peaks[kind][-1]:.0f} MB", file=sys.stderr, flush=True)
    return {kind: spread(values) for kind, values in peaks.items()}
