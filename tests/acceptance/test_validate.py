"""``validate`` sees what is wrong with a tenant, ``validate_pack`` what is wrong with a pack; both say so of nothing else."""

from __future__ import annotations

import time

import pytest

from tenancy_fixtures import FixtureManager, Settings, ValidationReport
from tenancy_fixtures import exceptions as errors
from tests.acceptance.support import ENTRIES, PLAYLISTS, SECRET, TRACKS, USERS, PackFolder, State, as_csv, entry, failing, playlist, track, user

pytestmark = pytest.mark.anyio
SHARED_TOO = "all"
# They count what is there of all tenants, or change the structure.
ALONE = (
    "test_a_table_that_is_gone",
    "test_a_schema_that_is_gone",
    "test_a_column_a_constraint_or_an_index_that_is_gone",
    "test_what_the_tenant_has_besides_is_its_own",
    "test_one_that_takes_too_long",
    "test_a_partition_needs_no_rights_of_its_own",
)


def seen(report: ValidationReport) -> list[tuple[str, str, str, int]]:
    return sorted((finding.rule, finding.severity, finding.object, finding.count) for finding in report.findings)


@pytest.fixture
async def loaded(acme: FixtureManager, tmp_path) -> FixtureManager:
    """A manager whose tenant has three users, two tracks and a playlist."""
    files = {
        "users": as_csv(USERS, [user(1), user(2), user(3)]),
        "tracks": as_csv(TRACKS, [track(1), track(2)]),
        "playlists": as_csv(PLAYLISTS, [playlist()]),
        "playlist_tracks": as_csv(ENTRIES, [entry(1), entry(2)]),
    }
    for name, text in files.items():
        (tmp_path / f"{name}.csv").write_text(text)
    await acme.load_fixtures("acme", sources={name: tmp_path / f"{name}.csv" for name in files})
    return acme


async def test_a_tenant_that_is_in_order(loaded: FixtureManager, state: State):
    await loaded.create_tenant("empty")
    before = state.snapshot()
    for name in ("acme", "empty"):
        report = await loaded.validate(name)
        assert (report.ok, report.findings, report.subject) == (True, (), name)
        assert report.checks > 40
        assert report.to_dict()["ok"] is True
    assert state.snapshot() == before


async def test_a_reference_that_leads_nowhere(loaded: FixtureManager, state: State):
    state.run("SET session_replication_role = replica", f"DELETE FROM t_acme.tracks WHERE track_id = '{1:022d}'")
    report = await loaded.validate("acme")
    assert not report.ok
    assert seen(report) == [
        ("missing", "warning", "tracks", 1),
        ("reference", "error", "audio_features.track_id", 1),
        ("reference", "error", "playlist_tracks.track_id", 2),
    ]


@pytest.mark.parametrize("table", ["audio_features", "prompts", "workflows"])
async def test_a_table_that_is_gone(loaded: FixtureManager, state: State, table: str):
    """One that a dataset fills, and ones that only the schema's script knows."""
    state.run(f"DROP TABLE t_acme.{table} CASCADE")
    report = await loaded.validate("acme")
    assert not report.ok
    assert ("table", "error", table, 1) in seen(report)


async def test_a_column_a_constraint_or_an_index_that_is_gone(loaded: FixtureManager, state: State):
    state.run(
        "ALTER TABLE t_acme.users DROP COLUMN display_name",
        "ALTER TABLE t_acme.tracks DROP CONSTRAINT tracks_artist_id_fkey",
        "DROP INDEX t_acme.artists_genres_idx",
    )
    report = await loaded.validate("acme")
    assert not report.ok
    assert {"users.display_name", "tracks.tracks_artist_id_fkey", "artists_genres_idx"} <= {finding.object for finding in report.findings}


async def test_what_the_tenant_has_besides_is_its_own(loaded: FixtureManager, state: State):
    state.run(
        "CREATE TABLE t_acme.own (a integer PRIMARY KEY)",
        "ALTER TABLE t_acme.users ADD COLUMN own text",
        "CREATE INDEX own_index ON t_acme.users (locale)",
    )
    state.run("GRANT SELECT ON t_acme.own TO tenancy_test_loader")
    assert (await loaded.validate("acme")).ok


async def test_a_partition_needs_no_rights_of_its_own(acme: FixtureManager, state: State):
    state.run(
        "SET ROLE tenancy_test_migrator",
        "CREATE TABLE t_acme.analytics_events_1999 PARTITION OF t_acme.analytics_events FOR VALUES FROM ('1999-01-01') TO ('2000-01-01')",
    )
    assert (await acme.validate("acme")).findings == ()
    assert (await acme.repair("acme", dry_run=True)).steps == ()


@pytest.mark.parametrize(
    ("damage", "severity", "message"),
    [
        ("REVOKE INSERT, UPDATE ON t_acme.albums FROM tenancy_test_loader", "error", "lacks rights: INSERT, UPDATE for the loader"),
        ("REVOKE DELETE ON t_acme.albums FROM {role}", "warning", "lacks rights: DELETE for the application"),
        (
            "REVOKE SELECT ON t_acme.albums FROM {role}, tenancy_test_loader",
            "error",
            "lacks rights: SELECT for the loader; SELECT for the application",
        ),
    ],
    ids=["loader", "application", "both"],
)
async def test_rights_that_are_missing_are_named(acme: FixtureManager, state: State, damage: str, severity: str, message: str):
    state.run(damage.format(role=state.role("acme")))
    report = await acme.validate("acme")
    assert [(item.rule, item.severity, item.object, item.message) for item in report.findings] == [("permission", severity, "albums", message)]
    steps = (await acme.repair("acme")).steps
    assert [(step.action, step.object) for step in steps] == [("grant", "albums")]
    assert (await acme.validate("acme")).findings == ()


async def test_a_sequence_that_is_behind(settings: Settings, spoilt: PackFolder, state: State):
    for revision in spoilt.folder.glob("migrations/*.sql"):
        revision.unlink()
    spoilt.manifest(datasets=[])
    spoilt.write(
        "schema_template.sql",
        "CREATE TABLE orders (order_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, note text); CREATE TABLE old (id serial PRIMARY KEY)",
    )
    async with FixtureManager(settings, pack=spoilt.pack()) as manager:
        await manager.create_tenant("acme")
        assert (await manager.validate("acme")).findings == ()
        state.run("INSERT INTO t_acme.orders (note) VALUES ('a'), ('b')", "INSERT INTO t_acme.old DEFAULT VALUES")
        assert (await manager.validate("acme")).findings == ()
        state.run("INSERT INTO t_acme.orders (order_id) VALUES (3)", "INSERT INTO t_acme.old (id) VALUES (100)")
        assert seen(await manager.validate("acme")) == [("sequence", "error", "old.id", 1), ("sequence", "error", "orders.order_id", 1)]


async def test_fewer_rows_than_the_ledger_says(loaded: FixtureManager, state: State):
    state.run("DELETE FROM t_acme.users WHERE handle <> 'user1'")
    report = await loaded.validate("acme")
    assert ("missing", "warning", "users", 2) in seen(report)


async def test_a_constraint_that_was_never_checked(loaded: FixtureManager, state: State):
    state.run("ALTER TABLE t_acme.users ADD CONSTRAINT later CHECK (locale <> 'fr') NOT VALID")
    report = await loaded.validate("acme")
    assert [(finding.rule, finding.severity) for finding in report.findings] == [("constraint", "error")]
    assert "later" in report.findings[0].object


async def test_a_schema_that_is_gone(loaded: FixtureManager, state: State):
    state.run("DROP SCHEMA t_acme CASCADE")
    report = await loaded.validate("acme")
    assert not report.ok
    assert {"users", "tracks", "prompts"} <= {finding.object for finding in report.findings if finding.rule == "table"}
    # Desired state: it is made again, and nothing passes for loaded that is not there.
    await loaded.migrate("acme")
    assert (await loaded.validate("acme")).findings == ()
    assert not (await loaded.load_fixtures("acme", datasets=["users"])).dataset("users").skipped


async def test_one_that_takes_too_long(loaded: FixtureManager, settings: Settings, state: State):
    """Somebody holds a table: the validation is cancelled within a second, also on the server, and leaves nothing."""
    import psycopg

    with psycopg.connect(state.url) as holder:
        holder.execute("LOCK TABLE t_acme.users")
        async with FixtureManager(settings.with_changes(validation_timeout=0.5)) as manager:
            began = time.monotonic()
            with pytest.raises(errors.ValidationTimeout, match=r"took longer than 0\.5 s") as raised:
                await manager.validate("acme")
            assert time.monotonic() - began < 5
            working = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
                " AND state <> 'idle' AND pid NOT IN (pg_backend_pid(), %s)"
            )
            assert state.value(working, holder.info.backend_pid) == 0
            assert raised.value.tenant == "acme"
            # Its connection is in order, and goes on working.
            assert (await manager.get_tenant("acme")).tenant_id == "acme"
    assert (await loaded.validate("acme")).ok


async def test_a_pack_that_is_in_order(settings: Settings, spoilt: PackFolder, state: State):
    spoilt.manifest(datasets=[item for item in spoilt.datasets() if item["name"] == "users"])
    spoilt.write("data/users.csv", as_csv(USERS, [user(1)]))
    before = state.snapshot()
    async with FixtureManager(settings, pack=spoilt.pack()) as manager:
        assert (await manager.validate_pack()).findings == ()
    assert state.snapshot() == before


async def test_a_pack_with_broken_records(settings: Settings, spoilt: PackFolder, state: State):
    spoilt.manifest(datasets=[item for item in spoilt.datasets() if item["name"] in ("users", "tracks", "artists", "albums")])
    spoilt.write("data/users.csv", as_csv(USERS, [user(1), user(2, plan=SECRET), user(3), user(4, plan=SECRET), user(5, birth_date=SECRET)]))
    spoilt.write("data/tracks.csv", as_csv(TRACKS, [track(1, energy="2")]))
    spoilt.write("data/artists.csv", "name\n")
    before = state.snapshot()
    async with FixtureManager(settings, pack=spoilt.pack()) as manager:
        report = await manager.validate_pack()
    assert not report.ok
    assert seen(report) == [
        ("ColumnMissing", "error", "artists", 1),
        ("SourceMissing", "error", "albums", 1),
        ("one_of", "error", "users.plan", 2),
        ("range", "error", "tracks.energy", 1),
        ("type", "error", "users.birth_date", 1),
    ]
    assert next(finding.message for finding in report.findings if finding.rule == "one_of").startswith("users.csv, record 2: ")
    assert SECRET not in str(report.to_dict())
    assert state.snapshot() == before


async def test_a_pack_whose_script_makes_other_tables(settings: Settings, spoilt: PackFolder, state: State):
    spoilt.manifest(datasets=[item for item in spoilt.datasets() if item["name"] == "users"])
    spoilt.write("data/users.csv", as_csv(USERS, [user(1)]))
    spoilt.write("schema_template.sql", "CREATE TABLE people ()")
    async with FixtureManager(settings, pack=spoilt.pack()) as manager:
        assert ("table", "error", "users → users", 1) in seen(await manager.validate_pack())
    spoilt.write("schema_template.sql", "CREATE TABLE users (oops")
    async with FixtureManager(settings, pack=spoilt.pack()) as manager:
        with pytest.raises(errors.ScriptFailed):
            await manager.validate_pack()


async def test_a_pack_whose_revisions_come_to_something_else(settings: Settings, spoilt: PackFolder):
    spoilt.manifest(datasets=[])
    head = spoilt.read("schema_template.sql")
    spoilt.write("schema_template.sql", head + "CREATE TABLE only_in_head (a integer PRIMARY KEY); ALTER TABLE users ADD COLUMN nickname text;")
    async with FixtureManager(settings, pack=spoilt.pack()) as manager:
        assert seen(await manager.validate_pack()) == [
            ("revisions", "error", "column users.nickname", 1),
            ("revisions", "error", "table only_in_head", 1),
        ]


@pytest.mark.parametrize(
    ("table", "unique"),
    [
        ("a integer PRIMARY KEY, b text NOT NULL", False),
        ("a integer PRIMARY KEY, b text NOT NULL, UNIQUE (a, b)", False),
        ("a integer PRIMARY KEY, b text NOT NULL); CREATE UNIQUE INDEX ON things (b) WHERE a > 5; --", False),
        ("a integer PRIMARY KEY, b text NOT NULL); CREATE UNIQUE INDEX ON things (lower(b)); --", False),
        ("a integer PRIMARY KEY, b text NOT NULL UNIQUE", True),
        ("a integer PRIMARY KEY, b text NOT NULL); CREATE UNIQUE INDEX ON things (b) INCLUDE (a); --", True),
    ],
)
async def test_a_key_that_keeps_no_rows_apart(settings: Settings, spoilt: PackFolder, state: State, table: str, unique: bool):
    target = {"table": "things", "key": ["b"], "columns": {"a": {"from": ["a"]}, "b": {"from": ["b"]}}}
    spoilt.manifest(datasets=[{"name": "things", "source": {"path": "data/things.csv"}, "targets": [target]}])
    spoilt.write("data/things.csv", "a,b\n1,x\n2,y\n")
    spoilt.write("schema_template.sql", f"CREATE TABLE things ({table}\n)" if not table.endswith("--") else f"CREATE TABLE things ({table}")
    for revision in spoilt.folder.glob("migrations/*.sql"):
        revision.unlink()
    async with FixtureManager(settings, pack=spoilt.pack()) as manager:
        found = seen(await manager.validate_pack())
        assert found == ([] if unique else [("key", "error", "things → things (b)", 1)])
        await manager.create_tenant("acme")
        if unique:
            assert (await manager.load_fixtures("acme")).dataset("things").stored == 2
            return
        with failing(state, errors.ValidationFailed) as raised:
            await manager.load_fixtures("acme")
        assert "is not unique" in raised[0].message
