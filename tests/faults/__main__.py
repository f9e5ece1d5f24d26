"""``python -m tests.faults --points N --json -``: kill, and see whether anything is ever half made."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from . import place
from .kills import Plan, kill_clients


def main() -> int:
    """Run the battery; 0 where nothing is half made, lost, doubled or forgotten, and the control shows that it would be seen."""
    arguments = _parser().parse_args()
    for name in [name for name in os.environ if name.startswith("TENANCY_")]:
        del os.environ[name]  # somebody's settings are not what is tested
    control = max(1, arguments.points // 4) if arguments.control_points is None else arguments.control_points
    datasets = tuple(arguments.datasets.split(",")) if arguments.datasets else None
    plan = Plan(arguments.points, control, arguments.seed, datasets)
    with place.server(arguments.database_url) as url:
        result = asyncio.run(kill_clients(plan, url))
    _write(result, arguments.json)
    faults = sum(result[name] for name in ("half_made", "lost_rows", "double_effects", "unreconciled"))
    return 1 if faults or not result["control"]["half_made"] else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--points", type=int, default=200, help="how many kills (200)")
    parser.add_argument("--control-points", type=int, help="how many kills of the control (a quarter of them)")
    parser.add_argument("--seed", type=int, default=20250131, help="what the moments are drawn from")
    parser.add_argument("--datasets", help="datasets of the default pack to load, by commas (all)")
    parser.add_argument("--database-url", help="an administrator's login on the server to use; without it the battery starts one of its own")
    parser.add_argument("--json", default="-", metavar="FILE", help="where the result goes; - is stdout")
    return parser


def _write(result: dict[str, Any], where: str) -> None:
    text = json.dumps(result, indent=2) + "\n"
    if where == "-":
        sys.stdout.write(text)
    else:
        Path(where).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
