"""Real files of events through the analytics loader: every file is what it is said to be, every record accounted for.

What is expected was counted from the files by other means than this library's readers, before anything was loaded.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import pytest

from tenancy_fixtures import FixtureManager
from tenancy_fixtures.data_loaders import AnalyticsLoader
from tests.acceptance.support import State

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Expected:
    """A file's shape, the dataset that reads it, how many records it has, and how many keys those have."""

    shape: str
    dataset: str
    read: int
    key: str


EVENTS = "events_dbt_snowplow"
FILES = {
    f"{EVENTS}/event/sp_event.csv": Expected("snowplow-events", "events", 6, "event_id"),
    f"{EVENTS}/event/sp_event_update.csv": Expected("snowplow-events", "events", 3, "event_id"),
    f"{EVENTS}/expected/snowplow_page_views_expected.csv": Expected("snowplow-page-views", "page-views", 7, "page_view_id"),
    f"{EVENTS}/expected/snowplow_sessions_expected.csv": Expected("snowplow-sessions", "sessions", 5, "session_id"),
    f"{EVENTS}/web_page/sp_web_page.csv": Expected("snowplow-web-pages", "contexts", 6, "root_id"),
    f"{EVENTS}/web_page/sp_web_page_update.csv": Expected("snowplow-web-pages", "contexts", 3, "root_id"),
}
# The update holds nothing that the base holds: all of its events are new, in three sessions of which one is known.
VISITORS, USERS = {"domain_userid_1", "domain_userid_2", "domain_userid_3", "domain_userid_4"}, {"user_id_1", "user_id_2", "user_id_3"}
# (visitor, session) to its events, its page views, and its first and last second after noon on 1 January 2018.
SESSIONS_OF_BASE = {
    ("domain_userid_1", "user_1_session_1"): (2, 1, 0, 1),
    ("domain_userid_2", "user_2_session_1"): (3, 2, 0, 2),
    ("domain_userid_3", "user_3_session_1"): (1, 1, 0, 0),
}
SESSIONS_OF_BOTH = {
    **SESSIONS_OF_BASE,
    ("domain_userid_1", "user_1_session_1"): (3, 2, 0, 5),
    ("domain_userid_3", "user_3_session_2"): (1, 1, 40, 40),
    ("domain_userid_4", "user_4_session_1"): (1, 1, 30, 30),
}


def records(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("path", FILES)
def test_the_file_holds_what_is_expected(path: str, real_data: Path):
    expected = FILES[path]
    rows = records(real_data / path)
    assert len(rows) == expected.read
    assert len({row[expected.key] for row in rows}) == expected.read


def test_the_events_make_the_sessions_that_are_expected(real_data: Path):
    base, update = (records(real_data / path) for path in list(FILES)[:2])
    assert {row["domain_userid"] for row in base + update} == VISITORS
    assert {row["user_id"] for row in base + update} - {"NULL"} == USERS
    for rows, sessions in ((base, SESSIONS_OF_BASE), (base + update, SESSIONS_OF_BOTH)):
        found: dict[tuple[str, str], list[dict[str, str]]] = {}
        for row in rows:
            found.setdefault((row["domain_userid"], row["domain_sessionid"]), []).append(row)
        assert {key: counted(events) for key, events in found.items()} == sessions


def counted(events: list[dict[str, str]]) -> tuple[int, int, int, int]:
    seconds = sorted(int(event["derived_tstamp"].partition(".")[0].rpartition(":")[2]) for event in events)
    return len(events), sum(event["event"] == "page_view" for event in events), seconds[0], seconds[-1]


def test_no_file_is_left_out(real_data: Path):
    assert {str(path.relative_to(real_data)) for path in (real_data / EVENTS).rglob("*") if path.is_file()} == set(FILES)


@pytest.mark.parametrize("path", FILES)
def test_every_file_is_recognised(path: str, real_data: Path):
    found = AnalyticsLoader.detect(real_data / path)
    assert (found.shape, found.domain) == (f"analytics-{FILES[path].shape}", "analytics"), found
    assert found.why


async def test_every_record_is_accounted_for(real_data: Path, acme: FixtureManager, state: State):
    for path, expected in FILES.items():
        report = await acme.apply(AnalyticsLoader(real_data / path), tenant_id="acme", operation="load")
        (found,) = report.datasets
        assert found.dataset == f"analytics-{expected.shape}.{expected.dataset}"
        assert (found.read, found.stored, found.duplicates, found.rejects, found.lost) == (expected.read, expected.read, 0, 0, 0)
        assert found.ignored_columns == ()
    assert {row["handle"] for row in state.rows("SELECT handle FROM t_acme.users")} == USERS


async def test_an_update_adds_what_is_new_and_meets_what_is_there(real_data: Path, tmp_path: Path, acme: FixtureManager, state: State):
    base, update = (real_data / path for path in list(FILES)[:2])
    await load(acme, base)
    assert sessions(state) == SESSIONS_OF_BASE
    assert await load(acme, update) == (3, 0, 0)
    assert sessions(state) == SESSIONS_OF_BOTH
    # The same events once more, two of them otherwise: one has another name, one happened in another month.
    rows = records(base)
    rows[0]["event_name"], rows[1]["derived_tstamp"] = "page_seen", "2018-02-01 12:00:00.000"
    again = tmp_path / "again.csv"
    with again.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert await load(acme, again) == (0, 2, 4)
    assert state.value("SELECT count(*) FROM t_acme.analytics_events") == 9


async def load(manager: FixtureManager, path: Path) -> tuple[int, int, int]:
    report = await manager.apply(AnalyticsLoader(path), tenant_id="acme", operation="load")
    table = next(table for table in report.datasets[0].tables if table.table == "analytics_events")
    return table.inserted, table.updated, table.unchanged


def sessions(state: State) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    rows = state.rows("SELECT * FROM t_acme.analytics_sessions")
    return {
        (row["visitor_id"], row["session_key"]): (row["events"], row["page_views"], row["started_at"].second, row["ended_at"].second) for row in rows
    }


async def test_sessions_of_the_events_are_those_that_the_source_has_summed_up(real_data: Path, acme: FixtureManager, state: State):
    """Its times are those of a warehouse in New York, and its addresses have no scheme and no fragment."""
    files = list(FILES)
    await acme.apply(AnalyticsLoader([real_data / files[0], real_data / files[1]]), tenant_id="acme", operation="load")
    query = """
        SELECT visitor_id, session_key, started_at {shift} AS started_at, ended_at {shift} AS ended_at,
            regexp_replace(first_page, '^https://|imports.*$', '', 'g') AS page
        FROM t_acme.analytics_sessions ORDER BY 1, 2"""
    ours = state.rows(query.format(shift="- interval '5 hours'"))
    state.run("DELETE FROM t_acme.analytics_sessions")
    await acme.apply(AnalyticsLoader(real_data / files[3]), tenant_id="acme", operation="load")
    assert ours == state.rows(query.format(shift=""))
    users = state.rows("SELECT session_key, handle FROM t_acme.analytics_sessions JOIN t_acme.users USING (user_id)")
    assert {row["session_key"]: row["handle"] for row in users} == {"user_1_session_1": "user_id_1", "user_3_session_2": "user_id_3"}
