"""SIGKILL of the client at seeded moments of create + load: is a tenant ever half made?

Each point: a worker makes a tenant and loads it, is stopped at its moment, the server is asked where it was, and it is
killed. Once the server has ended its connections, the tenant must be wholly absent, wholly created, or wholly loaded,
as the server's word on the transaction says; the next command must bring it to loaded, with each effect written down
once; dropping it must leave nothing. The control does the same work in steps that commit on their own.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg

from tenancy_fixtures.base import FixtureManager
from tenancy_fixtures.settings import Settings

from . import place
from .observer import Facts, Observer, Snapshot, differences, shortage
from .workers import Workers, workers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .place import Place
    from .workers import Worker

# What a tenant wholly is after none, the first, both of its transactions.
STATES = ("absent", "created", "loaded")
# Of the kills, this many are meant for each span of the work: creating is shorter, and makes most of what could be torn.
SHARES = {"begin": 0.6, "created": 0.4}
# One kill in so many is aimed at the milliseconds around a COMMIT, which a spread over seconds would seldom hit.
AIMED_EVERY = 10
LAST_STATEMENTS = ("%SET state = 'succeeded'%", "%INSERT INTO tenancy.audit_log%")
AROUND = 0.004
# The control commits after each step and has no trace in common with the real thing; a tenant is half made without it too.
STRUCTURE_ALONE = frozenset({"trace"})


@dataclass(frozen=True)
class Plan:
    """How many kills, of what. ``datasets`` of the pack are loaded, all where they are not named.

    ``calibration`` undisturbed runs, of which the median counts, measure the time over which the kills are spread.
    """

    points: int
    control_points: int
    seed: int
    datasets: tuple[str, ...] | None = None
    calibration: int = 3


@dataclass(frozen=True)
class Moment:
    """When to kill: so many seconds after the worker says ``after``; or, where ``seen`` is given, after the server is seen
    to have got a statement like that from it.
    """

    after: str
    seconds: float
    seen: str | None = None


@dataclass
class Tally:
    """What became of the points."""

    moments: Counter[str] = field(default_factory=Counter)
    half_made: set[str] = field(default_factory=set)
    lost_rows: int = 0
    double_effects: int = 0
    commits_in_flight: int = 0
    problems: list[str] = field(default_factory=list)

    def blame(self, tenant: str, where: str, lines: Sequence[str]) -> None:
        self.problems.append(f"{tenant}, {where}: {'; '.join(lines[:12])}")


def schedule(count: int, spans: dict[str, float], random_moments: random.Random) -> list[Moment]:
    """Moments spread evenly over each span of the work, in random order.

    The spans are a little longer than measured: some workers are to be killed after their last commit.
    """
    counts = {"begin": round(count * SHARES["begin"])}
    counts["created"] = count - counts["begin"]
    moments = []
    for after, share in counts.items():
        aimed = share // AIMED_EVERY
        spread = share - aimed
        moments += [Moment(after, (index + random_moments.random()) / spread * spans[after] * 1.05) for index in range(spread)]
        moments += [Moment(after, random_moments.random() * AROUND, random_moments.choice(LAST_STATEMENTS)) for _ in range(aimed)]
    random_moments.shuffle(moments)
    return moments


class Battery:
    """The kills of one plan in one place."""

    def __init__(self, plan: Plan, where: Place, observer: Observer, staff: Workers) -> None:
        self._plan = plan
        self._place = where
        self._observer = observer
        self._staff = staff
        self._reference: dict[str, Facts] = {}
        self._random = random.Random(plan.seed)

    async def run(self) -> dict[str, Any]:
        began = time.perf_counter()
        await self._learn()
        kills, control = Tally(), Tally()
        spans = await self._measure("whole")
        for number, moment in enumerate(schedule(self._plan.points, spans, self._random)):
            await self._point(f"kill-{number}", moment, kills)
            report_progress("kill", number + 1, self._plan.points, kills)
        control_spans = await self._measure("stepwise")
        for number, moment in enumerate(schedule(self._plan.control_points, control_spans, self._random)):
            await self._control_point(f"control-{number}", moment, control)
            report_progress("control", number + 1, self._plan.control_points, control)
        unreconciled = await self._reconcile()
        seen = {"unreconciled": unreconciled, "runs": await self._observer.run_states("kill-%"), "seconds": round(time.perf_counter() - began, 1)}
        return self._result(kills, control, spans, seen)

    async def _learn(self) -> None:
        """What absent, created and loaded look like, by looking at a tenant that nobody disturbs."""
        self._reference["absent"] = await self._observer.look("reference")
        async with self._manager() as manager:
            await manager.create_tenant("reference")
            self._reference["created"] = await self._observer.look("reference")
            await manager.load_fixtures("reference", self._plan.datasets)
            self._reference["loaded"] = await self._observer.look("reference")
            await manager.drop_tenant("reference")
        loaded = self._reference["loaded"]
        assert all(loaded[name] for name in ("registry", "structure", "rights", "revisions", "config", "ledger", "trace"))
        assert sum(loaded["rows"].values())
        assert not any(facts["orphans"] for facts in self._reference.values())

    async def _measure(self, way: str) -> dict[str, float]:
        """Seconds from the beginning to ``created``, and from there to ``loaded``."""
        creating, loading = [], []
        for number in range(self._plan.calibration):
            worker, began = await self._begin(way, f"measured-{way}-{number}")
            try:
                created = await worker.hear("created")
                loading.append(await worker.hear("loaded") - created)
                creating.append(created - began)
            finally:
                worker.kill()
                self._staff.prepare()
            await self._observer.until_alone()
            async with self._manager() as manager:
                await manager.drop_tenant(f"measured-{way}-{number}")
        return {"begin": statistics.median(creating), "created": statistics.median(loading)}

    async def _begin(self, way: str, tenant: str) -> tuple[Worker, float]:
        worker = self._staff.take()
        return worker, await worker.begin(way=way, tenant=tenant, datasets=self._plan.datasets)

    async def _kill(self, way: str, tenant: str, moment: Moment) -> Snapshot:
        worker, reached = await self._begin(way, tenant)
        try:
            if moment.after != "begin":
                reached = await worker.hear(moment.after)
            if moment.seen is not None:
                reached = await self._observer.until_seen(moment.seen)
            await asyncio.sleep(max(0, reached + moment.seconds - time.perf_counter()))
            worker.pause()
            snapshot = await self._observer.snapshot(tenant)
        finally:
            worker.kill()
            self._staff.prepare()
        await self._observer.until_alone()
        return snapshot

    async def _point(self, tenant: str, moment: Moment, tally: Tally) -> None:
        snapshot = await self._kill("whole", tenant, moment)
        facts = await self._observer.look(tenant)
        await self._judge(tenant, snapshot, facts, tally)
        async with self._manager() as manager:
            await manager.create_tenant(tenant, exist_ok=True)
            await manager.load_fixtures(tenant, self._plan.datasets)
            self._judge_recovered(tenant, await self._observer.look(tenant), tally)
            await manager.drop_tenant(tenant)
        left = differences(await self._observer.look(tenant), self._reference["absent"], STRUCTURE_ALONE)
        if left:
            tally.half_made.add(tenant)
            tally.blame(tenant, "after it was dropped", left)

    async def _judge(self, tenant: str, snapshot: Snapshot, facts: Facts, tally: Tally) -> None:
        """Whole or not at all, and as the server says that the transaction ended."""
        state = self._state(facts)
        commits = await self._observer.progress(tenant)
        tally.moments[where_it_was(snapshot, commits)] += 1
        tally.commits_in_flight += commits > snapshot.commits
        expected = STATES[commits]
        if snapshot.xid is not None:
            expected = STATES[snapshot.commits + (await self._observer.fate(snapshot.xid) == "committed")]
        if state != expected:
            tally.half_made.add(tenant)
            tally.blame(tenant, f"killed while {where_it_was(snapshot, commits)}, and not {expected}", differences(facts, self._reference[expected]))
        if expected == "loaded":
            tally.lost_rows += shortage(facts["rows"], self._reference["loaded"]["rows"])

    def _judge_recovered(self, tenant: str, facts: Facts, tally: Tally) -> None:
        """What the next command made of it: everything, once."""
        loaded = self._reference["loaded"]
        wrong = differences(facts, loaded)
        if not wrong:
            return
        lost = shortage(facts["rows"], loaded["rows"])
        doubled = sum(shortage(loaded[name], facts[name]) for name in ("rows", "trace"))
        tally.lost_rows += lost
        tally.double_effects += doubled
        if not (lost or doubled):
            tally.half_made.add(tenant)
        tally.blame(tenant, "after the next command", wrong)

    async def _control_point(self, tenant: str, moment: Moment, tally: Tally) -> None:
        await self._kill("stepwise", tenant, moment)
        facts = await self._observer.look(tenant)
        if self._state(facts, STRUCTURE_ALONE) is None:
            tally.half_made.add(tenant)
        await self._observer.erase(tenant)

    def _state(self, facts: Facts, ignored: frozenset[str] = frozenset()) -> str | None:
        return next((state for state, expected in self._reference.items() if not differences(facts, expected, ignored)), None)

    async def _reconcile(self) -> int:
        """Once the last lease is over any command, here one on another tenant, ends what died."""
        await asyncio.sleep(await self._observer.lease_left() + 0.1)
        async with self._manager() as manager:
            await manager.create_tenant("afterwards")
            await manager.drop_tenant("afterwards")
        return await self._observer.unreconciled("kill-%")

    def _manager(self) -> FixtureManager:
        return FixtureManager(Settings.from_env(database_url=self._place.url))

    def _result(self, kills: Tally, control: Tally, spans: dict[str, float], seen: dict[str, Any]) -> dict[str, Any]:
        inside = sum(number for name, number in kills.moments.items() if name.startswith("inside"))
        return {
            "points": self._plan.points,
            "half_made": len(kills.half_made),
            "lost_rows": kills.lost_rows,
            "double_effects": kills.double_effects,
            "inside_transaction": round(inside / self._plan.points, 3),
            "moments": dict(sorted(kills.moments.items())),
            "commits_in_flight": kills.commits_in_flight,
            "control": {"points": self._plan.control_points, "half_made": len(control.half_made)},
            "measured": {"create": round(spans["begin"], 3), "load": round(spans["created"], 3)},
            "seed": self._plan.seed,
            "server_version": self._place.version,
            "problems": kills.problems[:50],
            **seen,
        }


def where_it_was(snapshot: Snapshot, commits: int) -> str:
    """Where in its work a worker was: by the server's locks, and by what has been committed since."""
    if snapshot.working or commits > snapshot.commits:
        if snapshot.commits:
            return "inside load"
        return "inside create, after its first DDL" if snapshot.building or commits else "inside create, before its first DDL"
    return ("before", "between", "after")[snapshot.commits]


def report_progress(what: str, done: int, points: int, tally: Tally) -> None:
    """A line now and then on a terminal's stderr."""
    if sys.stderr.isatty() and (done % 10 == 0 or done == points):
        sys.stderr.write(f"\r{what} {done}/{points}, half made {len(tally.half_made)} ")
        sys.stderr.flush()


async def kill_clients(plan: Plan, server_url: str) -> dict[str, Any]:
    """The whole battery of kills in a database of its own on that server."""
    async with place.database(server_url) as where, await psycopg.AsyncConnection.connect(where.admin_url, autocommit=True) as connection:
        with workers({"TENANCY_DATABASE_URL": where.url}) as staff:
            return await Battery(plan, where, Observer(connection), staff).run()
