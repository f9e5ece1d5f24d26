"""The default pack's own data: it loads whole, its references are sound, a second load is no work, and it can be taken back."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path
from typing import Any

import pytest

from tenancy_fixtures import DataLoader, FixtureManager, Pack, SpotifyDataLoader
from tenancy_fixtures._fixture import Operation, run
from tenancy_fixtures.packs import DEFAULT_FOLDER
from tests.acceptance.support import TRACKS, USERS, PackFolder, State, as_csv, track, user

pytestmark = pytest.mark.anyio
SHARED_TOO = "all"
APART_TOO = True
# They count what is there of all tenants, or change the structure.
ALONE = ("test_an_idempotency_key_stands_for_one_load", "test_the_trace_of_a_load", "test_sequences_are_ahead_and_statistics_new")

DATASETS = ("users", "artists", "albums", "tracks", "playlists", "playlist_tracks", "listening_history")


def records(name: str) -> list[dict[str, str]]:
    with (DEFAULT_FOLDER / "data" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def files() -> dict[str, list[dict[str, str]]]:
    return {name: records(name) for name in DATASETS}


async def take_back(manager: FixtureManager, *fixtures: Any) -> Any:
    """Run fixtures backwards: the manager itself only does so for a whole tenant."""
    operation = Operation("take_back", "acme", fixtures, backwards=True)
    return await run(await manager._runtime(), manager.pack, operation)


async def test_everything_is_there(acme: FixtureManager, state: State, files: dict[str, list[dict[str, str]]]):
    report = await acme.load_fixtures("acme")
    assert [dataset.dataset for dataset in report.datasets].index("users") < [dataset.dataset for dataset in report.datasets].index("playlists")
    assert {dataset.dataset for dataset in report.datasets} == set(DATASETS)
    for dataset in report.datasets:
        facts = (dataset.read, dataset.stored, dataset.duplicates, dataset.rejects, dataset.lost)
        assert facts == (len(files[dataset.dataset]), len(files[dataset.dataset]), 0, 0, 0), dataset.dataset
    counts = {table: number for table, number in state.counts("acme").items() if number}
    assert counts == {**{name: len(files[name]) for name in DATASETS}, "audio_features": len(files["tracks"])}
    assert report.written == sum(counts.values())
    assert len(files["tracks"]) == 20000

    # Spot checks that do not use the library: cells as the csv module reads them.
    stored = {row["handle"]: row for row in state.rows("SELECT * FROM t_acme.users")}
    for record in files["users"]:
        row = stored[record["handle"]]
        assert (row["email"], row["display_name"], row["plan"], row["locale"]) == tuple(
            record[name] for name in ("email", "display_name", "plan", "locale")
        )
        assert (row["birth_date"].isoformat() if row["birth_date"] else "") == record["birth_date"]
    plays = state.rows("SELECT u.handle, l.track_id, l.ms_played, l.platform FROM t_acme.listening_history l JOIN t_acme.users u USING (user_id)")
    heard = [
        (record["user"], record["uri"].rpartition(":")[2], int(record["ms_played"]), record["platform"] or None)
        for record in files["listening_history"]
    ]
    assert sorted(map(repr, heard)) == sorted(repr(tuple(row.values())) for row in plays)

    looked = await acme.validate("acme")
    assert looked.ok
    assert looked.findings == ()
    assert looked.checks > 40


async def test_the_trace_of_a_load(acme: FixtureManager, state: State, settings: Any):
    report = await acme.load_fixtures("acme")
    uid = state.value("SELECT uid FROM tenancy.tenants")
    run_row = state.last_run()
    assert (run_row["run_id"], run_row["uid"], run_row["operation"], run_row["state"]) == (report.run_id, uid, "load_fixtures", "succeeded")
    assert run_row["error"] is None
    assert run_row["report"] == report.to_dict()
    steps = state.rows("SELECT ordinal, fixture, action, object, detail FROM tenancy.steps WHERE run_id = %s ORDER BY ordinal", report.run_id)
    assert [(step["ordinal"], step["fixture"], step["action"], step["object"]) for step in steps] == [
        (number, "data", "load", dataset.dataset) for number, dataset in enumerate(report.datasets, start=1)
    ]
    assert [step["detail"]["written"] for step in steps] == [dataset.written for dataset in report.datasets]
    ledger = {row["dataset"]: row for row in state.rows("SELECT * FROM tenancy.ledger")}
    assert {name: (row["uid"], row["digest"], row["run_id"]) for name, row in ledger.items()} == {
        dataset.dataset: (uid, dataset.digest, report.run_id) for dataset in report.datasets
    }
    # Beside the report it is written down what the file looked like.
    assert all(re.fullmatch("[0-9a-f]{64}", row["report"].pop("sketch")) for row in ledger.values())
    assert {name: row["report"] for name, row in ledger.items()} == {dataset.dataset: dataset.to_dict() for dataset in report.datasets}
    audit = state.audit(report.run_id)
    assert [(entry["action"], entry["uid"], entry["detail"]["dataset"]) for entry in audit] == [
        ("dataset:loaded", uid, dataset.dataset) for dataset in report.datasets
    ]
    # Time, records, bytes and rate of each phase.
    phases = {phase.name: phase for phase in report.phases}
    for dataset in report.datasets:
        read, written = phases[f"read {dataset.dataset}"], phases[f"write {dataset.dataset}"]
        assert read.records == dataset.read
        assert read.bytes == (DEFAULT_FOLDER / "data" / f"{dataset.dataset}.csv").stat().st_size
        assert written.bytes > 0
        assert read.seconds > 0
        assert math.isclose(read.to_dict()["rate"], read.records / read.seconds, rel_tol=0.01)
    assert 0 < report.seconds < 250
    assert repr(report).startswith("<RunReport load_fixtures of 'acme': succeeded, ")


async def test_a_second_load_is_no_work(acme: FixtureManager, state: State):
    first = await acme.load_fixtures("acme")
    before = state.snapshot()
    second = await acme.load_fixtures("acme")
    assert state.snapshot() == before
    assert second.written == 0
    for dataset, same in zip(first.datasets, second.datasets):
        assert same.skipped
        assert (same.dataset, same.digest, same.read, same.stored) == (dataset.dataset, dataset.digest, dataset.read, dataset.stored)
    assert {row["action"] for row in state.rows("SELECT action FROM tenancy.steps WHERE run_id = %s", second.run_id)} == {"skip"}
    assert state.audit(second.run_id) == []


async def test_a_dry_run_reads_and_writes_nothing(acme: FixtureManager, state: State):
    before, runs = state.snapshot(), state.value("SELECT count(*) FROM tenancy.runs")
    report = await acme.load_fixtures("acme", dry_run=True)
    assert report.dry_run
    assert report.written == 0
    assert {(step.action, step.object, step.detail["read"]) for step in report.steps} == {
        ("load", item.dataset, item.read) for item in report.datasets
    }
    assert report.dataset("tracks").read == 20000
    assert state.snapshot() == before
    assert state.value("SELECT count(*) FROM tenancy.runs") == runs


async def test_sequences_are_ahead_and_statistics_new(acme: FixtureManager, state: State):
    await acme.load_fixtures("acme")
    fed = ("users", "artists", "albums", "tracks", "audio_features", "playlists", "playlist_tracks", "listening_history")
    estimates = {
        row["relname"]: row["reltuples"] for row in state.rows("SELECT relname, reltuples FROM pg_class WHERE relnamespace = 't_acme'::regnamespace")
    }
    counts = state.counts("acme")
    assert {name: estimates[name] for name in fed} == {name: counts[name] for name in fed}
    known = {row["tablename"] for row in state.rows("SELECT DISTINCT tablename FROM pg_stats WHERE schemaname = 't_acme'")}
    assert set(fed) <= known
    # A number that the table draws itself collides with nothing.
    state.run(
        "INSERT INTO t_acme.listening_history (user_id, track_id, played_at, ms_played) SELECT user_id, track_id, now(), 1 FROM t_acme.listening_history LIMIT 1"
    )


async def test_sequences_move_past_what_was_loaded(settings: Any, spoilt: PackFolder, state: State):
    """A key that the source brings, in a column that is also numbered by the table."""
    spoilt.manifest(
        datasets=[
            {
                "name": "orders",
                "source": {"path": "data/orders.csv"},
                "targets": [{"table": "orders", "key": ["order_id"], "columns": {"order_id": {"from": ["id"]}, "note": {"from": ["note"]}}}],
            }
        ]
    )
    script = "CREATE TABLE orders (order_id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, note text)"
    for revision in spoilt.folder.glob("migrations/*.sql"):
        revision.unlink()
    spoilt.write("schema_template.sql", script)
    spoilt.write("data/orders.csv", "id,note\n7,a\n4711,b\n12,c\n")
    async with FixtureManager(settings, pack=spoilt.pack()) as manager:
        await manager.create_tenant("acme")
        await manager.load_fixtures("acme")
        assert (await manager.validate("acme")).ok
    assert state.value("INSERT INTO t_acme.orders (note) VALUES ('own') RETURNING order_id") == 4712


async def test_taking_a_load_back(acme: FixtureManager, state: State, tmp_path: Path):
    empty = state.snapshot()
    await acme.load_fixtures("acme")
    report = await take_back(acme, DataLoader())
    assert {(step.action, step.object) for step in report.steps} == {("unload", name) for name in DATASETS}
    assert [step.object for step in report.steps].index("playlists") < [step.object for step in report.steps].index("users")
    after = state.snapshot()
    assert {name for name in after if after[name] != empty[name]} == set()
    assert {entry["action"] for entry in state.audit(report.run_id)} == {"dataset:unloaded"}
    # Idempotent, and what is gone can be loaded again.
    assert (await take_back(acme, DataLoader())).steps == ()
    assert (await acme.load_fixtures("acme")).dataset("tracks").written == 40000


async def test_taking_back_leaves_what_is_not_in_the_source(acme: FixtureManager, state: State, tmp_path: Path):
    (tmp_path / "a.csv").write_text(as_csv(USERS, [user(1), user(2)]))
    (tmp_path / "b.csv").write_text(as_csv(USERS, [user(3)]))
    await acme.load_fixtures("acme", sources={"users": tmp_path / "b.csv"})
    await acme.load_fixtures("acme", sources={"users": tmp_path / "a.csv"})
    report = await take_back(acme, DataLoader(sources={"users": tmp_path / "a.csv"}))
    assert report.steps[0].detail == {"removed": 2}
    assert [row["handle"] for row in state.rows("SELECT handle FROM t_acme.users")] == ["user3"]


async def test_the_spotify_loader(acme: FixtureManager, state: State, tmp_path: Path):
    (tmp_path / "songs.csv").write_text(as_csv(TRACKS, [track(1), track(2)]))
    report = await acme.apply(SpotifyDataLoader(tmp_path / "songs.csv"), tenant_id="acme", operation="load")
    assert [(item.dataset, item.read, item.stored) for item in report.datasets] == [("spotify-tracks-with-features.tracks", 2, 2)]
    assert {table: number for table, number in state.counts("acme").items() if number} == {"artists": 2, "audio_features": 2, "tracks": 2}

    report = await acme.apply(SpotifyDataLoader(), tenant_id="acme", operation="load")
    assert {item.dataset for item in report.datasets} == set(SpotifyDataLoader.DATASETS)
    assert state.counts("acme")["tracks"] == 20002
    assert state.counts("acme")["listening_history"] == 0


async def test_only_what_is_asked_for(acme: FixtureManager, state: State, tmp_path: Path):
    report = await acme.load_fixtures("acme", datasets=["users"])
    assert [item.dataset for item in report.datasets] == ["users"]
    assert (await acme.load_fixtures("acme", datasets=[])).datasets == ()
    (tmp_path / "users.csv").write_text(as_csv(USERS, [user(1)]))
    report = await acme.load_fixtures("acme", datasets=["artists"], sources={"users": tmp_path / "users.csv"})
    assert {item.dataset: item.read for item in report.datasets} == {"artists": 2500, "users": 1}


async def test_an_idempotency_key_stands_for_one_load(acme: FixtureManager, state: State):
    first = await acme.load_fixtures("acme", datasets=["users"], idempotency_key="once")
    again = await acme.load_fixtures("acme", datasets=["users"], idempotency_key="once")
    assert (again.run_id, again.steps, again.datasets) == (first.run_id, first.steps, first.datasets)
    assert state.value("SELECT count(*) FROM tenancy.runs WHERE operation = 'load_fixtures'") == 1


async def test_the_pack_itself_is_in_order(manager: FixtureManager, state: State):
    before = state.snapshot()
    async with manager:
        report = await manager.validate_pack()
    assert (report.ok, report.findings, report.subject) == (True, (), "spotify-agent")
    pack = Pack.default()
    # Templates, structure and what fills it; each revision and rule; each dataset by itself, and loaded on trial.
    assert report.checks == 4 + len(pack.revisions) + len(pack.manifest.checks) + 2 * len(pack.manifest.datasets)
    assert state.snapshot() == before
