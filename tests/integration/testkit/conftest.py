"""A run of a suite that has one worker, without pytest around it; and suites in a process of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tenancy_fixtures._testkit._loop import LoopThread
from tenancy_fixtures._testkit._run import Identity, Kit, Wishes
from tests.integration.testkit.everything import write_pack


class Bench:
    """A kit, and a loop to ask it with."""

    def __init__(self, loop: LoopThread, kit: Kit) -> None:
        self.loop, self.kit = loop, kit
        self.admin_url = kit.server.url_of(kit.database)

    def take(self, count: int = 1):
        return self.loop.run(self.kit.pool.take(count))

    def give_back(self, tenants):
        self.kit.pool.give_back(tenants)

    def run(self, work):
        return self.loop.run(work(self.kit.pool.manager))


@pytest.fixture(scope="module")
def bench(admin_url, tmp_path_factory) -> Iterator[Bench]:
    pack = write_pack(tmp_path_factory.mktemp("packs") / "everything")
    loop = LoopThread()
    kit = loop.run(Kit.start(Wishes(admin_url, str(pack)), Identity(f"tenancy_run_{os.urandom(6).hex()}", "only-for-tests"), "main", alone=True))
    yield Bench(loop, kit)
    loop.run(kit.end())
    loop.close()


class Suite:
    """A host's suite in a folder of its own."""

    def __init__(self, folder: Path, admin_url: str) -> None:
        self.folder, self.admin_url = folder, admin_url
        self.write("pytest.ini", "[pytest]\nfilterwarnings = error\ntenancy_pack = pack\n")
        write_pack(folder / "pack")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TENANCY_", "PYTEST_"))}
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:timeout", *arguments]
        environment = {**kept, "TENANCY_TEST_DATABASE_URL": self.admin_url}
        return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, *arguments: str) -> tuple[dict[str, int], str]:
        """How many tests ended in which way, and all that was printed."""
        printed, _ = self.start(*arguments).communicate(timeout=280)
        return {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|errors?|skipped)", printed.splitlines()[-1])}, printed

    def left(self, run: str = "") -> list[str]:
        """Databases and roles of runs, or of the one that is named, that are still there."""
        with psycopg.connect(self.admin_url) as connection:
            rows = connection.execute(
                "SELECT datname::text FROM pg_database WHERE starts_with(datname, 'tenancy_run_' || %(run)s)"
                " UNION ALL SELECT rolname::text FROM pg_roles WHERE starts_with(rolname, 'tenancy_run_' || %(run)s)",
                {"run": run},
            )
            return [row[0] for row in rows]


@pytest.fixture
def suite(tmp_path, admin_url) -> Suite:
    return Suite(tmp_path, admin_url)
