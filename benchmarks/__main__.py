"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path

NAMES = ("catalogue", "load", "loop", "memory", "reload", "testkit", "validate")


def main() -> None:
    """Run one benchmark and print its result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--rows", type=int, default=1_000_000, help="records to load (1000000)")
    parser.add_argument("--tests", type=int, default=500, help="with testkit: tests of each suite (500)")
    parser.add_argument("--rounds", type=int, help="rounds, each contender once in each; each benchmark has a number of its own")
    parser.add_argument("--database-url", help="an administrator's login on a server of your own; without it an embedded one is started")
    parser.add_argument("--isolation", choices=("row",), help="with load: into tables that tenants share, beside a schema of a tenant's own")
    parser.add_argument("--without-peers", action="store_true", help="leave out the peers that have to be installed")
    parser.add_argument("--json", default="-", metavar="FILE", help="where the result goes; - for standard output")
    arguments = parser.parse_args()
    if arguments.isolation and arguments.name != "load":
        parser.error("--isolation is for load")
    benchmark = import_module(f"benchmarks.{arguments.isolation or arguments.name}")
    rounds = arguments.rounds or benchmark.ROUNDS
    size = arguments.tests if arguments.name == "testkit" else arguments.rows
    result = benchmark.run(size, rounds, arguments.database_url, peers=not arguments.without_peers)
    text = json.dumps(result, indent=2)
    if arguments.json == "-":
        sys.stdout.write(text + "\n")
    else:
        Path(arguments.json).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
