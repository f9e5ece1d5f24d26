"""``sync``: rows that a dataset has put there and no longer has are removed, and nobody else's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tenancy_fixtures import FixtureManager, Pack, Settings
from tenancy_fixtures import exceptions as errors
from tests.acceptance.support import State, failing

pytestmark = pytest.mark.anyio
SHARED_TOO = "all"
APART_TOO = True
# They count what is there of all tenants, or change the structure.
ALONE = ("test_nothing_of_others_is_removed_or_changed_along", "test_rows_that_refer_to_each_other_go_together", "test_keys_of_a_tenant_go_with_it")

SCHEMA = """
CREATE TABLE genres (genre text PRIMARY KEY, since timestamptz NOT NULL, title text);
CREATE TABLE stations (station integer PRIMARY KEY, genre text NOT NULL REFERENCES genres);
"""
COLUMNS = {name: {"from": [name]} for name in ("genre", "since", "title")}
TARGET = {"table": "genres", "key": ["genre"], "columns": COLUMNS, "rules": [{"column": "title", "rule": "not_null"}]}
DATASET = {"name": "genres", "sync": True, "source": {"path": "genres.csv"}, "targets": [TARGET]}
DAY = "2020-02-29T12:00:00+02:00"


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    (tmp_path / "pack.json").write_text(json.dumps({"name": "genres", "version": "1", "datasets": [DATASET]}))
    (tmp_path / "tenant_template.json").write_text('{"default_tier": "one", "tiers": {"one": {}}}')
    (tmp_path / "config_template.json").write_text('{"defaults": {}}')
    (tmp_path / "schema_template.sql").write_text(SCHEMA)
    return Pack.from_folder(tmp_path)


def release(pack: Pack, **titles: str) -> None:
    lines = [f"{genre},{DAY},{title}" for genre, title in titles.items()]
    (pack.folder / "genres.csv").write_text("\n".join(["genre,since,title", *lines]) + "\n")


@pytest.fixture
async def manager(settings: Settings, pack: Pack, state: State, anyio_backend: str):
    async with FixtureManager(settings, pack=pack) as manager:
        await manager.create_tenant("acme")
        yield manager


def genres(state: State) -> dict[str, str]:
    return {row["genre"]: row["title"] for row in state.rows("SELECT genre, title FROM t_acme.genres")}


async def test_only_what_the_dataset_put_there_goes(manager: FixtureManager, pack: Pack, state: State):
    state.run("INSERT INTO t_acme.genres VALUES ('own', now(), 'mine'), ('jazz', now(), 'mine too')")
    release(pack, rock="Rock", jazz="Jazz", pop="Pop")
    assert (await manager.load_fixtures("acme")).written == 3
    release(pack, rock="Rock")
    plan = await manager.load_fixtures("acme", dry_run=True)
    assert plan.steps[0].detail == {"read": 1, "insert": 0, "update": 0, "delete": 1, "duplicates": 0, "rejects": 0}
    report = await manager.load_fixtures("acme")
    assert [(table.inserted, table.updated, table.deleted) for table in report.dataset("genres").tables] == [(0, 0, 1)]
    # The row that the tenant had made before the pack had one like it is the tenant's.
    assert genres(state) == {"own": "mine", "jazz": "Jazz", "rock": "Rock"}
    assert (await manager.validate("acme")).ok


async def test_what_was_removed_may_come_back_and_go_again(manager: FixtureManager, pack: Pack, state: State):
    for titles in ({"rock": "Rock", "pop": "Pop"}, {"pop": "Pop"}, {"rock": "Rock", "pop": "Pop"}, {"rock": "Rock"}):
        release(pack, **titles)
        await manager.load_fixtures("acme")
        assert genres(state) == titles


async def test_a_row_that_others_refer_to_stays_and_the_load_fails(manager: FixtureManager, pack: Pack, state: State):
    release(pack, rock="Rock", pop="Pop")
    await manager.load_fixtures("acme")
    state.run("INSERT INTO t_acme.stations VALUES (1, 'pop')")
    release(pack, rock="Rock")
    with failing(state, errors.RowsInUse) as found:
        await manager.load_fixtures("acme")
    assert '1 row of "' in found[0].message
    assert '."stations" refers to them' in found[0].message


@pytest.mark.parametrize("action", ["CASCADE", "SET NULL", "NO ACTION DEFERRABLE INITIALLY DEFERRED"])
async def test_nothing_of_others_is_removed_or_changed_along(manager: FixtureManager, pack: Pack, state: State, action: str):
    state.run(
        "CREATE TABLE t_acme.fans (fan integer PRIMARY KEY, genre text)",
        "GRANT SELECT ON t_acme.fans TO PUBLIC",
        f"ALTER TABLE t_acme.fans ADD FOREIGN KEY (genre) REFERENCES t_acme.genres ON DELETE {action}",
    )
    release(pack, rock="Rock", pop="Pop", jazz="Jazz")
    await manager.load_fixtures("acme")
    state.run("INSERT INTO t_acme.fans VALUES (1, 'pop'), (2, 'pop')")
    release(pack, rock="Rock", jazz="Jazz")
    with failing(state, errors.RowsInUse) as found:
        await manager.load_fixtures("acme")
    assert (found[0].facts["count"], state.value("SELECT count(*) FROM t_acme.fans WHERE genre = 'pop'")) == (2, 2)
    release(pack, rock="Rock", pop="Pop")
    assert [table.deleted for table in (await manager.load_fixtures("acme")).dataset("genres").tables] == [1]


async def test_rows_that_refer_to_each_other_go_together(manager: FixtureManager, pack: Pack, state: State):
    state.run("ALTER TABLE t_acme.genres ADD parent text REFERENCES t_acme.genres ON DELETE CASCADE")
    release(pack, rock="Rock", pop="Pop", punk="Punk")
    await manager.load_fixtures("acme")
    state.run("UPDATE t_acme.genres SET parent = 'rock' WHERE genre = 'punk'")
    release(pack, pop="Pop", punk="Punk")
    with failing(state, errors.RowsInUse):
        await manager.load_fixtures("acme")
    release(pack, pop="Pop")
    assert [table.deleted for table in (await manager.load_fixtures("acme")).dataset("genres").tables] == [2]


async def test_nothing_goes_while_records_are_left_out(manager: FixtureManager, pack: Pack, state: State):
    """The bad record may be the one whose row is missing."""
    release(pack, rock="Rock", pop="Pop")
    await manager.load_fixtures("acme")
    release(pack, rock="")
    report = await manager.load_fixtures("acme", on_error="reject")
    assert (report.dataset("genres").rejects, report.written) == (1, 0)
    assert genres(state) == {"rock": "Rock", "pop": "Pop"}


async def test_keys_of_a_tenant_go_with_it(manager: FixtureManager, pack: Pack, state: State):
    release(pack, rock="Rock")
    await manager.load_fixtures("acme")
    assert state.value("SELECT count(*) FROM tenancy.loaded_keys") == 1
    await manager.drop_tenant("acme")
    assert state.value("SELECT count(*) FROM tenancy.loaded_keys") == 0


async def test_without_sync_nothing_is_remembered_or_removed(settings: Settings, pack: Pack, state: State):
    manifest = json.loads((pack.folder / "pack.json").read_text())
    manifest["datasets"][0]["sync"] = False
    (pack.folder / "pack.json").write_text(json.dumps(manifest))
    async with FixtureManager(settings, pack=Pack.from_folder(pack.folder)) as manager:
        await manager.create_tenant("acme")
        release(pack, rock="Rock", pop="Pop")
        await manager.load_fixtures("acme")
        release(pack, rock="Rock")
        await manager.load_fixtures("acme")
    assert genres(state) == {"rock": "Rock", "pop": "Pop"}
    assert state.value("SELECT count(*) FROM tenancy.loaded_keys") == 0


async def test_content_that_is_known_is_loaded_again_on_request(manager: FixtureManager, pack: Pack, state: State):
    release(pack, rock="Rock", pop="Pop")
    await manager.load_fixtures("acme")
    state.run("DELETE FROM t_acme.genres WHERE genre = 'pop'", "UPDATE t_acme.genres SET title = 'x'")
    assert (await manager.load_fixtures("acme")).written == 0
    report = await manager.load_fixtures("acme", again=True)
    assert [(table.inserted, table.updated) for table in report.dataset("genres").tables] == [(1, 1)]
    assert genres(state) == {"rock": "Rock", "pop": "Pop"}
