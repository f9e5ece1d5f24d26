"""A tenant of a million rows looked over: what a check of all of them takes beside the load of them, and that it raises no false alarm.

The same manager in the same process loads the CSV, looks the tenant over, records what its tables hold, and looks it over once more, now
comparing every row with the record.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import _tracks
from benchmarks._contenders import Ground
from benchmarks._measure import missing_formats, ratio, result, spread
from benchmarks._server import about, database, server

ROUNDS = 3


def run(rows: int, rounds: int, database_url: str | None, *, peers: bool = True) -> dict[str, Any]:  # noqa: ARG001 - it has none
    """Measure and give the result."""
    with tempfile.TemporaryDirectory(prefix="tenancy-bench-") as name, server(database_url, Path(name)) as admin, database(admin) as url:
        ground = Ground(url, Path(name), rows)
        missing = missing_formats(ground.folder)
        _tracks.write_files(ground.folder, rows, "csv")
        version, settings = about(url, embedded_one=database_url is None)
        seconds: dict[str, list[float]] = {"load": [], "validate": [], "record": [], "validate_recorded": []}
        checks = [_one(ground, seconds) for _ in range(rounds)]
    figures: dict[str, Any] = {f"{name}_seconds": spread(values) for name, values in seconds.items()}
    figures |= {"checks": checks[-1], "false_alarms": 0, "missing": missing}
    ratios = {f"{name}_vs_load": ratio(seconds["load"], seconds[name])["median"] for name in ("validate", "validate_recorded")}
    return result("validate", version, figures, ratios, {}, rows=rows, rounds=rounds, server=settings)


def _one(ground: Ground, seconds: dict[str, list[float]]) -> int:
    """One round; gives how many checks were made."""
    found = ground.work("csv", [ground.folder / "tracks.csv"], validate=True)
    alarms = [item for validation in found["validations"] for item in validation["findings"]]
    if alarms:
        sys.exit(f"nothing is wrong, and yet: {alarms}")
    took = (found["loads"][0]["seconds"], found["validations"][0]["seconds"], found["record_seconds"], found["validations"][1]["seconds"])
    for name, value in zip(seconds, took):
        seconds[name].append(value)
    print("  " + ", ".join(f"{name} {values[-1]:.2f} s" for name, values in seconds.items()), file=sys.stderr, flush=True)
    return int(found["validations"][1]["checks"])
