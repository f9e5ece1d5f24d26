"""How a benchmark measures: every contender in turn, round after round, medians with their spread."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import sys
from typing import TYPE_CHECKING, Any

from benchmarks._tracks import FORMATS, write_pack
from tenancy_fixtures import Pack
from tenancy_fixtures.exceptions import PackInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

LIBRARIES = ("tenancy-fixtures", "psycopg", "polars", "pyarrow", "pgpq")


def interleave(contenders: Mapping[str, Callable[[], float]], rounds: int, at_most: Mapping[str, int] | None = None) -> dict[str, list[float]]:
    """Seconds of each contender in each round. The order turns by one each round, so that none always comes first.

    ``at_most`` are contenders that take part in the first rounds only.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        names = [name for name in contenders if number < (at_most or {}).get(name, rounds)]
        for name in names[number % len(names) :] + names[: number % len(names)]:
            seconds[name].append(contenders[name]())
            print(f"  round {number + 1}/{rounds} {name}: {seconds[name][-1]:.2f} s", file=sys.stderr, flush=True)
    return seconds


def spread(values: list[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    return {"median": round(statistics.median(values), 4), "min": round(min(values), 4), "max": round(max(values), 4)}


def ratio(slower: list[float], faster: list[float]) -> dict[str, float]:
    """How many times faster the second is, from the pairs of the same round."""
    return spread([one / other for one, other in zip(slower, faster)])


def missing_formats(folder: Path) -> dict[str, str]:
    """The formats that the library cannot load, and why."""
    missing = {}
    for kind in FORMATS:
        try:
            Pack.from_folder(write_pack(folder, kind))
        except PackInvalid as error:  # noqa: PERF203 - three of them
            missing[kind] = str(error)
    return missing


def result(
    name: str, server_version: str, figures: Mapping[str, Any], ratios: Mapping[str, float], versions: Mapping[str, str], **facts: Any
) -> dict[str, Any]:
    """What a benchmark prints: the machine and the versions first."""
    around = surroundings(server_version)
    return {"name": name, "machine": around["machine"], "versions": {**around["versions"], **versions}, **facts, "figures": figures, "ratios": ratios}


def surroundings(server_version: str) -> dict[str, Any]:
    """The machine and the versions that a result belongs to."""
    machine = {"cores": os.cpu_count(), "system": platform.system(), "architecture": platform.machine()}
    versions = {"python": platform.python_version(), "postgresql": server_version}
    versions |= {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"machine": machine, "versions": versions}
