"""How late the event loop comes back while it loads, beside the same loop with nothing to do."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from benchmarks import _tracks

if TYPE_CHECKING:
    from benchmarks._contenders import Ground

# The control lasts about as long as a load of so many rows a second would, within limits.
IDLE_ROWS_PER_SECOND, IDLE_SECONDS = 200_000, (0.2, 10)


def lag_figures(ground: Ground, missing: dict[str, str], rounds: int = 1) -> dict[str, Any]:
    """The worst of all formats, each format's own, and the idle control, in milliseconds over what was asked for."""
    by_format = {}
    for kind in _tracks.FORMATS:
        if kind not in missing:
            by_format[kind] = _median([_lags(ground, kind) for _ in range(rounds)])
    worst = {name: max(found[name] for found in by_format.values()) for name in next(iter(by_format.values()))}
    return {**worst, "loop_lag_by_format": by_format}


def _lags(ground: Ground, kind: str) -> dict[str, float]:
    shortest, longest = IDLE_SECONDS
    seconds = min(longest, max(shortest, ground.rows / IDLE_ROWS_PER_SECOND))
    answer = ground.work(kind, [ground.folder / f"tracks.{kind}"], probe=seconds)
    found = {}
    for prefix, lags in (("loop_lag", answer["lags"]), ("idle_lag", answer["idle"])):
        found |= {f"{prefix}_p999_ms": _milliseconds(_quantile(lags, 0.999)), f"{prefix}_max_ms": _milliseconds(max(lags))}
    return found


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)


def _median(all_found: list[dict[str, float]]) -> dict[str, float]:
    """The median of rounds, but the greatest of what is called the greatest."""
    return {name: (max if "max" in name else statistics.median)(found[name] for found in all_found) for name in all_found[0]}
