"""A repair leaves what is somebody else's, says so, and does the rest; what it says it has done is done."""

from __future__ import annotations

import pytest

from tenancy_fixtures import FixtureManager, RunReport
from tests.acceptance.support import TRACKS, USERS, State, as_csv, track, user

pytestmark = pytest.mark.anyio
SHARED_TOO = "all"
# They count what is there of all tenants, or change the structure.
ALONE = (
    "test_an_object_of_another_role_is_left_and_the_rest_is_repaired",
    "test_a_schema_of_another_role_is_left",
    "test_rows_of_another_roles_table_are_left",
)


def done(report: RunReport) -> list[tuple[str, str]]:
    return [(step.action, step.object) for step in report.steps if step.action != "leave"]


def left(report: RunReport) -> set[tuple[str, str]]:
    return {(step.detail["rule"], step.object) for step in report.steps if step.action == "leave"}


# --- what is somebody else's ------------------------------------------------------------------------------------------

INDEX = "DROP INDEX t_acme.albums_spotify_id_idx"
STRANGE = {
    "view": (["CREATE VIEW t_acme.report AS SELECT count(*) FROM t_acme.tracks"], {("owner", "view report")}),
    "table": (["ALTER TABLE t_acme.members OWNER TO CURRENT_USER"], {("owner", "table members")}),
    "table of a role without rights": (["ALTER TABLE t_acme.members OWNER TO pg_monitor"], {("owner", "table members")}),
    "type": (["CREATE TYPE t_acme.colour AS ENUM ('red')"], {("owner", "type colour")}),
    "function": (
        ["CREATE FUNCTION t_acme.peek() RETURNS integer LANGUAGE sql SECURITY DEFINER RETURN 1"],
        {("owner", "function peek")},
    ),
    "view of something outside": (
        ["CREATE VIEW t_acme.report AS SELECT count(*) FROM public.elsewhere"],
        {("owner", "view report"), ("isolation", "table public.elsewhere")},
    ),
    "partition": (
        ["CREATE TABLE t_acme.analytics_events_1999 PARTITION OF t_acme.analytics_events FOR VALUES FROM ('1999-01-01') TO ('2000-01-01')"],
        {("owner", "table analytics_events_1999")},
    ),
}


@pytest.fixture
def elsewhere(state: State):
    state.run("CREATE TABLE public.elsewhere (i integer)")
    yield
    state.run("DROP TABLE public.elsewhere CASCADE")


@pytest.mark.parametrize("kind", STRANGE)
async def test_an_object_of_another_role_is_left_and_the_rest_is_repaired(acme: FixtureManager, state: State, elsewhere: None, kind: str):
    statements, told = STRANGE[kind]
    state.run(*statements, INDEX)
    before = owners(state)
    plan = await acme.repair("acme", dry_run=True)
    report = await acme.repair("acme")
    assert done(plan) == done(report) == [("put back", "albums_spotify_id_idx")]
    assert told <= left(report)
    assert done(await acme.repair("acme")) == []
    # The index that was put back is the migrator's as all others are, and what was somebody else's still is.
    assert owners(state) == before | {("albums_spotify_id_idx", "tenancy_test_migrator")}


def owners(state: State) -> set[tuple[str, str]]:
    rows = state.rows("SELECT relname::text AS name, relowner::regrole::text AS owner FROM pg_class WHERE relnamespace = 't_acme'::regnamespace")
    return {(row["name"], row["owner"]) for row in rows}


async def test_a_schema_of_another_role_is_left(acme: FixtureManager, state: State):
    state.run("ALTER SCHEMA t_acme OWNER TO CURRENT_USER", "REVOKE ALL ON t_acme.albums FROM tenancy_test_loader", INDEX)
    report = await acme.repair("acme")
    assert done(report) == []
    assert left(report) == {("owner", "schema t_acme"), ("permission", "albums"), ("index", "albums_spotify_id_idx")}


async def test_rows_of_another_roles_table_are_left(acme: FixtureManager, state: State, tmp_path):
    """Rows that went, rows that refer to nothing, a sequence that is behind: in that table, and beside it."""
    (tmp_path / "users.csv").write_text(as_csv(USERS, [user(1), user(2)]))
    await acme.load_fixtures("acme", sources={"users": tmp_path / "users.csv"})
    nobody = "00000000-0000-4000-8000-000000000000"
    state.run(
        "SET session_replication_role = replica",
        "DELETE FROM t_acme.users WHERE handle = 'user2'",
        f"INSERT INTO t_acme.segment_members (segment_id, user_id) SELECT '{nobody}', user_id FROM t_acme.users",
        "INSERT INTO t_acme.metrics (metric_id, name, granularity, period_start, value) VALUES (1, 'plays', 'day', now(), 1)",
        *(f"ALTER TABLE t_acme.{name} OWNER TO CURRENT_USER" for name in ("users", "segment_members", "metrics")),
        INDEX,
    )
    report = await acme.repair("acme", orphans=True)
    assert done(report) == [("put back", "albums_spotify_id_idx")]
    assert {
        ("missing", "users"),
        ("reference", "segment_members.segment_id"),
        ("sequence", "metrics.metric_id"),
        ("owner", "table users"),
    } <= left(report)


async def test_rows_are_no_orphans_of_rows_that_are_hidden(acme: FixtureManager, state: State, tmp_path):
    (tmp_path / "tracks.csv").write_text(as_csv(TRACKS, [track(1)]))
    await acme.load_fixtures("acme", sources={"tracks": tmp_path / "tracks.csv"})
    state.run(
        "ALTER TABLE t_acme.tracks ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "CREATE POLICY none ON t_acme.tracks USING (false)",
    )
    assert done(await acme.repair("acme", orphans=True)) == []
    assert state.counts("acme")["audio_features"] == 1


# --- what is said to be done ------------------------------------------------------------------------------------------


async def test_what_comes_out_as_it_was_is_not_called_repaired(acme: FixtureManager, state: State):
    """PostgreSQL prints a check over varchar in another way than the pack's over text, however often it is made."""
    state.run("ALTER TABLE t_acme.shows ALTER COLUMN name TYPE varchar(5000)")
    before = state.value("SELECT oid FROM pg_constraint WHERE conname = 'shows_name_check' AND connamespace = 't_acme'::regnamespace")
    report = await acme.repair("acme")
    assert done(report) == []
    assert left(report) == {("column", "shows.name"), ("constraint", "shows.shows_name_check")}
    assert state.value("SELECT oid FROM pg_constraint WHERE conname = 'shows_name_check' AND connamespace = 't_acme'::regnamespace") == before
