"""Events as Segment, Google Analytics 4 and Snowplow write them, made here by their published formats: loaded, met again, summed up."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenancy_fixtures import FixtureManager
from tenancy_fixtures.data_loaders import AnalyticsLoader, DomainLoader
from tests.acceptance.support import State

pytestmark = pytest.mark.anyio
SHARED_TOO = "all"

SEED = 20_240_229
# In last year: its months have partitions of their own for as long as this test is run.
START = datetime(datetime.now(timezone.utc).year - 1, 1, 31, 23, 0, tzinfo=timezone.utc)


def uuid_by(rng: random.Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4))


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def segment(count: int) -> list[dict[str, Any]]:
    """Calls of analytics.js: https://segment.com/docs/connections/spec/common/."""
    rng, calls = random.Random(SEED), []
    for number in range(count):
        kind = rng.choice(["track", "page", "screen", "identify", "group", "alias"])
        moment = START + timedelta(minutes=rng.choice([1, 3, 10, 29, 40]) * number)
        call = {
            "type": kind,
            "messageId": f"ajs-next-{uuid_by(rng)}",
            "anonymousId": f"anonymous-{number % 7}",
            "userId": f"user-{number % 7}" if number % 3 == 0 else None,
            "timestamp": iso(moment),
            "originalTimestamp": iso(moment),
            "sentAt": iso(moment),
            "receivedAt": iso(moment + timedelta(seconds=1)),
            "channel": "client",
            "context": {
                "ip": f"203.0.113.{number % 250}",
                "userAgent": "Mozilla/5.0 (X11)",
                "library": {"name": "analytics.js", "version": "2.11.1"},
                "page": {"url": f"https://example.com/{number % 5}?q=1", "referrer": "", "title": "Example"},
            },
            "integrations": {"All": True},
        }
        call["traits" if kind in ("identify", "group") else "properties"] = {"email": "a@example.com"} if kind == "identify" else {"n": number}
        call.update({"event": "Song Played"} if kind == "track" else {})
        calls.append(call)
    return calls


def ga4(count: int) -> list[dict[str, Any]]:
    """Rows of ``events_YYYYMMDD``: https://support.google.com/analytics/answer/7029846."""
    rng, rows = random.Random(SEED), []
    empty = {"string_value": None, "int_value": None, "float_value": None, "double_value": None}
    for number in range(count):
        moment = START + timedelta(minutes=7 * number)
        params = {
            "ga_session_id": {"int_value": 1_700_000_000 + number // 10},
            "page_location": {"string_value": f"https://example.com/{number % 5}"},
            "engagement_time_msec": {"int_value": rng.randrange(10_000)},
            "value": {"double_value": 0.5},
        }
        rows.append(
            {
                "event_date": moment.strftime("%Y%m%d"),
                "event_timestamp": int(moment.timestamp() * 1_000_000),
                "event_name": rng.choice(["page_view", "scroll", "user_engagement"]),
                "event_params": [{"key": key, "value": {**empty, **value}} for key, value in params.items()],
                "event_bundle_sequence_id": number,
                "user_id": f"user-{number % 4}" if number % 2 else None,
                "user_pseudo_id": None if number == 5 else f"{1_000 + number % 4}.{1_600_000_000}",
                "device": {"category": "mobile", "operating_system": "iOS"},
                "geo": {"country": "France", "city": "Lyon"},
                "platform": "WEB",
            }
        )
    return rows


SNOWPLOW = ("app_id", "event_id", "event", "event_name", "collector_tstamp", "derived_tstamp", "domain_userid", "network_userid", "user_id")
SNOWPLOW = (*SNOWPLOW, "domain_sessionid", "page_url", "page_referrer", "user_ipaddress", "useragent", "contexts", "se_value")


def snowplow(count: int) -> list[dict[str, Any]]:
    """Enriched events: https://docs.snowplow.io/docs/fundamentals/canonical-event/."""
    rng, events = random.Random(SEED), []
    for number in range(count):
        moment = (START + timedelta(minutes=number)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        contexts = {"schema": "iglu:com.acme/contexts/jsonschema/1-0-0", "data": [{"schema": "iglu:x", "data": {"id": number}}]}
        values = ("web", uuid_by(rng), "page_view", "page_view", moment, moment, f"visitor-{number % 3}", "network", None, f"session-{number % 6}")
        values = (*values, "https://example.com/", None, "198.51.100.x", "Mozilla/5.0", json.dumps(contexts), None)
        events.append(dict(zip(SNOWPLOW, values)))
    return events


def as_ndjson(rows: list[dict[str, Any]], path: Path) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def as_parquet(rows: list[dict[str, Any]], path: Path) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def as_enriched(rows: list[dict[str, Any]], path: Path) -> Path:
    """131 cells without a header, as the enricher writes them."""
    shape = next(shape for shape in AnalyticsLoader.shapes() if shape.name == "analytics-snowplow-enriched")
    header = shape.declared.datasets[0].source.header or []
    lines = ["\t".join(str(row.get(name) or "") for name in header) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def as_csv(rows: list[dict[str, Any]], path: Path) -> Path:
    def cell(value: Any) -> str:
        return "" if value is None else '"' + str(value).replace('"', '""') + '"'

    path.write_text("\r\n".join([",".join(rows[0]), *(",".join(map(cell, row.values())) for row in rows)]) + "\r\n", encoding="utf-8")
    return path


async def load(manager: FixtureManager, *paths: Path, loader: type[DomainLoader] = AnalyticsLoader) -> list[tuple[int, int, int]]:
    report = await manager.apply(loader(paths), tenant_id="acme", operation="load")
    assert all(not item.rejects and not item.lost for item in report.datasets)
    tables = [table for item in report.datasets for table in item.tables if table.table == "analytics_events"]
    return [(table.inserted, table.updated, table.unchanged) for table in tables]


def stored(state: State) -> list[dict[str, Any]]:
    return state.rows("SELECT * FROM t_acme.analytics_events ORDER BY event_id")


async def test_segments_calls(acme: FixtureManager, state: State, tmp_path: Path):
    calls = segment(300)
    path = as_ndjson(calls, tmp_path / "calls.ndjson")
    assert AnalyticsLoader.detect(path).shape == "analytics-segment-events"
    assert await load(acme, path) == [(300, 0, 0)]
    by_id = {call["messageId"]: call for call in calls}
    for row in stored(state):
        call = by_id[row["event_id"]]
        assert row["name"] == call.get("event", call["type"])
        assert (row["visitor_id"], iso(row["occurred_at"]), row["client_ip"]) == (call["anonymousId"], call["timestamp"], call["context"]["ip"])
        assert (row["properties"], row["context"]) == (call.get("properties", call.get("traits")), call["context"])
    users = state.rows("SELECT handle FROM t_acme.users")
    assert {row["handle"] for row in users} == {call["userId"] for call in calls} - {None}
    # The array that an HTTP API gives holds the same calls, one of them changed.
    calls[7]["context"]["ip"] = "198.51.100.1"
    array = tmp_path / "calls.json"
    array.write_text(json.dumps(calls), encoding="utf-8")
    assert await load(acme, array) == [(0, 1, 299)]


async def test_google_analytics_from_two_exports_meets_in_one_row(acme: FixtureManager, state: State, tmp_path: Path):
    rows = ga4(200)
    assert await load(acme, as_parquet(rows, tmp_path / "events.parquet")) == [(200, 0, 0)]
    for row in rows:
        # BigQuery writes whole numbers as text in JSON.
        row["event_timestamp"] = str(row["event_timestamp"])
        for pair in row["event_params"]:
            pair["value"] = {key: str(value) if key == "int_value" else value for key, value in pair["value"].items() if value is not None}
    path = as_ndjson(rows, tmp_path / "events.ndjson")
    assert AnalyticsLoader.detect(path).shape == AnalyticsLoader.detect(tmp_path / "events.parquet").shape == "analytics-ga4-events"
    assert await load(acme, path) == [(0, 0, 200)]
    first = state.rows("SELECT * FROM t_acme.analytics_events WHERE occurred_at = %s", START)[0]
    assert first["properties"]["ga_session_id"] == 1_700_000_000
    assert (first["session_key"], first["page_url"], first["context"]["geo"]["city"]) == ("1700000000", "https://example.com/0", "Lyon")
    # Without consent there is no id of a visitor: the event is there, and belongs to no session.
    assert state.value("SELECT count(*) FROM t_acme.analytics_events WHERE visitor_id IS NULL") == 1
    assert state.value("SELECT sum(events) FROM t_acme.analytics_sessions") == 199
    assert state.value("SELECT count(*) FROM t_acme.analytics_sessions") == len({(n % 4, n // 10) for n in range(200) if n != 5})


@pytest.mark.parametrize("write", [as_csv, as_parquet, as_ndjson, as_enriched])
async def test_snowplows_events_in_every_form(acme: FixtureManager, state: State, tmp_path: Path, write: Any):
    events = snowplow(90)
    path = write(events, tmp_path / f"events.{write.__name__[3:].replace('enriched', 'tsv')}")
    assert AnalyticsLoader.detect(path).shape.startswith("analytics-snowplow-e")
    assert await load(acme, path) == [(90, 0, 0)]
    found = {row["event_id"]: row for row in stored(state)}
    for event in events:
        row = found[event["event_id"]]
        assert (row["visitor_id"], row["session_key"], row["client_ip"]) == (event["domain_userid"], event["domain_sessionid"], "198.51.100.x")
        contexts = row["properties"]["contexts"]
        assert (json.loads(contexts) if isinstance(contexts, str) else contexts) == json.loads(event["contexts"])
        assert "se_value" not in row["properties"]
    assert state.value("SELECT count(*) FROM t_acme.analytics_sessions") == 6


# --- sessions -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [as_ndjson, as_csv, as_parquet, as_enriched], ids=["ndjson", "csv", "parquet", "enriched"])
async def test_what_an_event_lacks_is_read_from_where_it_has_it(acme: FixtureManager, state: State, tmp_path: Path, write: Any):
    """A tracker on a server knows no browser: its events have another visitor, and other moments."""
    events = snowplow(4)
    events[1].update(domain_userid=None, derived_tstamp=None, event_name=None, event="struct")
    await load(acme, write(events, tmp_path / "events"))
    row = state.rows("SELECT * FROM t_acme.analytics_events WHERE event_id = %s", events[1]["event_id"])[0]
    assert (row["visitor_id"], row["name"], row["occurred_at"]) == ("network", "struct", row["received_at"])
    assert {row["visitor_id"] for row in stored(state)} == {"visitor-0", "visitor-2", "network"}


async def test_a_table_of_segments_says_the_same_as_its_calls(acme: FixtureManager, state: State, tmp_path: Path):
    moment = iso(START)
    call = {"messageId": "m", "anonymousId": None, "userId": "u", "type": "track", "event": "Play", "timestamp": None, "receivedAt": moment}
    row = {"id": "m", "anonymous_id": None, "user_id": "u", "event_text": None, "event": "Play", "timestamp": None, "received_at": moment}
    await load(acme, as_ndjson([call], tmp_path / "calls.ndjson"))
    (before,) = stored(state)
    assert (before["visitor_id"], before["occurred_at"]) == ("u", START)
    path = tmp_path / "tracks.csv"
    path.write_text(",".join(row) + "\n" + ",".join(value or "" for value in row.values()) + "\n", encoding="utf-8")
    await load(acme, path)
    assert stored(state) == [{**before, "context": None}]


def calls_at(*minutes: float) -> list[dict[str, Any]]:
    base = {"type": "page", "anonymousId": "a"}
    return [{**base, "messageId": f"m{minute}", "timestamp": iso(START + timedelta(minutes=minute))} for minute in minutes]


def spans(state: State) -> list[tuple[int, int, int]]:
    rows = state.rows("SELECT * FROM t_acme.analytics_sessions ORDER BY started_at")
    return [(*(int((row[name] - START).total_seconds() // 60) for name in ("started_at", "ended_at")), row["events"]) for row in rows]


async def test_a_session_ends_after_half_an_hour_and_late_events_join_two(acme: FixtureManager, state: State, tmp_path: Path):
    await load(acme, as_ndjson(calls_at(0, 30, 60.5, 100), tmp_path / "1.ndjson"))
    assert spans(state) == [(0, 30, 2), (60, 60, 1), (100, 100, 1)]
    # By any loader, and in another transaction: what lies between joins them, what lies before begins another.
    await load(acme, as_ndjson(calls_at(45, -100), tmp_path / "2.ndjson"), loader=DomainLoader)
    assert spans(state) == [(-100, -100, 1), (0, 60, 4), (100, 100, 1)]
    assert state.value("SELECT count(*) FROM t_acme.analytics_visitors WHERE is_stale") == 0


async def test_a_load_that_is_taken_back_takes_its_sessions_back(acme: FixtureManager, state: State, tmp_path: Path):
    first, second = as_ndjson(calls_at(0), tmp_path / "1.ndjson"), as_ndjson(calls_at(10, 90), tmp_path / "2.ndjson")
    await load(acme, first)
    report = await acme.apply(AnalyticsLoader(second), tenant_id="acme", operation="load", dry_run=True)
    assert [step.action for step in report.steps] == ["load", "derive"]
    assert spans(state) == [(0, 0, 1)]
    await load(acme, second)
    assert spans(state) == [(0, 10, 2), (90, 90, 1)]


# --- partitions -----------------------------------------------------------------------------------------------------------


async def test_partitions_come_with_the_load_and_nobody_minds_them(acme: FixtureManager, state: State, tmp_path: Path):
    moments = [START, START + timedelta(hours=2), datetime(1970, 1, 1, tzinfo=timezone.utc), datetime(2999, 1, 1, tzinfo=timezone.utc)]
    calls = [{"type": "page", "anonymousId": "a", "messageId": str(n), "timestamp": iso(moment)} for n, moment in enumerate(moments)]
    await load(acme, as_ndjson(calls, tmp_path / "1.ndjson"))
    places = state.rows("SELECT event_id, tableoid::regclass::text AS place FROM t_acme.analytics_events ORDER BY 1")
    months = [f"{START.year}_01", f"{START.year}_02", "other", "other"]
    assert [row["place"].partition(".")[2] for row in places] == [f"analytics_events_{month}" for month in months]
    # The clock of whoever reported them is all that is wrong.
    assert {item.rule for item in (await acme.validate("acme")).findings} == {"clock"}
    owners = state.rows("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 't_acme'")
    assert len(owners) == 1
    await acme.drop_tenant("acme")
    assert state.value("SELECT count(*) FROM tenancy.tenants WHERE tenant_id = 'acme'") == 0


# --- metrics and segments -------------------------------------------------------------------------------------------------


async def test_metrics_and_segments(acme: FixtureManager, state: State, tmp_path: Path):
    metrics = tmp_path / "metrics.csv"
    metrics.write_text("metric,date,value,dimension\nplays,2024-01-01,12.5,country=FR\nplays,2024-01-02,3,\n", encoding="utf-8")
    segments = as_ndjson([{"segment": "night owls", "definition": {"hour": {"gte": 22}}}], tmp_path / "segments.ndjson")
    members = tmp_path / "members.csv"
    members.write_text("segment,user_id,score\nnight owls,ann,0.5\nby hand,bob,\n", encoding="utf-8")
    shapes = [AnalyticsLoader.detect(path).shape for path in (metrics, segments, members)]
    assert shapes == ["analytics-metrics", "analytics-segments", "analytics-segment-members"]
    await load(acme, metrics, segments, members)
    assert [row["dimension"] for row in state.rows("SELECT * FROM t_acme.metrics ORDER BY period_start")] == ["country=FR", ""]
    found = state.rows(
        "SELECT name, is_dynamic, handle, definition FROM t_acme.segments JOIN t_acme.segment_members USING (segment_id) JOIN t_acme.users USING (user_id) ORDER BY handle"
    )
    assert [(row["name"], row["is_dynamic"], row["handle"]) for row in found] == [("night owls", True, "ann"), ("by hand", False, "bob")]
    assert found[0]["definition"] == {"hour": {"gte": 22}}
