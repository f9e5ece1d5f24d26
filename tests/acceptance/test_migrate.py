"""A tenant that was made from an earlier release and brought forward equals a new one; what fails leaves it where it was."""

from __future__ import annotations

import pytest

from tenancy_fixtures import FixtureManager, Settings
from tenancy_fixtures import exceptions as errors
from tests.acceptance.support import PackFolder, State, failing

pytestmark = pytest.mark.anyio

_SHAPE = """
SELECT 'column ' || c.relname || ' ' || a.attnum || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull || ' '
    || coalesce(pg_get_expr(d.adbin, d.adrelid), '') || ' ' || coalesce(col_description(c.oid, a.attnum), '') AS part
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
-- PostgreSQL 18 names what makes a column NOT NULL; no script for 15 can choose that name.
UNION ALL SELECT 'constraint ' || conrelid::regclass::text || CASE WHEN contype <> 'n' THEN ' ' || conname ELSE '' END || ' '
  || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = %s::regnamespace
UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = %s
UNION ALL SELECT 'relation ' || relname || ' ' || relkind::text || ' ' || coalesce(relacl::text, '') || ' ' || relowner::regrole::text || ' '
    || coalesce(obj_description(oid, 'pg_class'), '') FROM pg_class WHERE relnamespace = %s::regnamespace
UNION ALL SELECT 'schema ' || coalesce(nspacl::text, '') || nspowner::regrole::text FROM pg_namespace WHERE nspname = %s
"""


def shape(state: State, namespace: str) -> list[str]:
    """Every object of a schema with its rights and comments, without the names of the schema and its tenant's role."""
    role = state.value("SELECT role::text FROM tenancy.tenants WHERE namespace = %s", namespace)
    return sorted(row["part"].replace(f"{namespace}.", "").replace(role, "tenant") for row in state.rows(_SHAPE, *[namespace] * 5))


@pytest.fixture
def first_release(spoilt: PackFolder, tmp_path) -> PackFolder:
    """The pack as it was at its first release: its head is the first revision."""
    for later in sorted((spoilt.folder / "migrations").iterdir())[1:]:
        later.unlink()
    spoilt.write("schema_template.sql", spoilt.read("migrations/0001_initial.sql"))
    spoilt.manifest(datasets=[])
    return spoilt


async def test_an_old_tenant_brought_forward_equals_a_new_one(settings: Settings, first_release: PackFolder, manager: FixtureManager, state: State):
    async with FixtureManager(settings, pack=first_release.pack()) as earlier:
        tenant = await earlier.create_tenant("old")
        assert tenant.revision == 1
    async with manager:
        warned = await manager.validate("old")
        assert warned.ok
        assert [finding.rule for finding in warned.findings] == ["revision"]

        before, runs = state.snapshot(), state.value("SELECT count(*) FROM tenancy.runs")
        dry = await manager.migrate("old", dry_run=True)
        later = [revision.file.stem for revision in manager.pack.revisions[1:]]
        assert later[:2] == ["0002_segments_and_listening_context", "0003_what_spotify_says"]
        assert [step.object for step in dry.steps] == later
        assert state.snapshot() == before
        assert state.value("SELECT count(*) FROM tenancy.runs") == runs

        report = await manager.migrate("old")
        assert [(step.fixture, step.action, step.object) for step in report.steps] == [("schema", "migrate", name) for name in later]
        await manager.create_tenant("new")
        old, new = await manager.get_tenant("old"), await manager.get_tenant("new")
        assert (old.revision, old.release) == (new.revision, new.release) == (manager.pack.head, manager.pack.digest)
        assert shape(state, "t_old") == shape(state, "t_new")
        assert len(shape(state, "t_new")) > 300
        assert [entry["action"] for entry in state.audit(report.run_id)] == ["schema:migrated"] * len(later)
        assert (await manager.validate("old")).findings == ()
        # What it has is left alone, and the data goes in.
        assert (await manager.migrate("old")).steps == ()
        assert (await manager.load_fixtures("old", datasets=["users"])).dataset("users").stored == 200


async def test_a_step_at_a_time(settings: Settings, first_release: PackFolder, state: State):
    async with FixtureManager(settings, pack=first_release.pack()) as manager:
        await manager.create_tenant("acme")
    first_release.write("migrations/0002_two.sql", "CREATE TABLE two (a integer PRIMARY KEY)")
    first_release.write("migrations/0003_three.sql", "ALTER TABLE two ADD COLUMN b text; CREATE INDEX ON two (b)")
    async with FixtureManager(settings, pack=first_release.pack()) as manager:
        await manager.migrate("acme", to=2)
        assert (await manager.get_tenant("acme")).revision == 2
        with failing(state, errors.PackInvalid):
            await manager.migrate("acme", to=4)
        await manager.migrate("acme")
        assert (await manager.get_tenant("acme")).revision == 3
        with failing(state, errors.ConfigurationError) as raised:
            await manager.migrate("acme", to=2)
        assert "does not go back" in raised[0].message
    assert [row["number"] for row in state.rows("SELECT number FROM tenancy.revisions ORDER BY 1")] == [1, 2, 3]


async def test_a_release_that_is_older_than_the_tenant(settings: Settings, first_release: PackFolder, manager: FixtureManager, state: State):
    async with manager:
        await manager.create_tenant("acme")
    async with FixtureManager(settings, pack=first_release.pack()) as earlier:
        assert [(finding.rule, finding.severity) for finding in (await earlier.validate("acme")).findings] == [("revision", "error")]
        with failing(state, errors.PackMismatch):
            await earlier.migrate("acme")
        await earlier.drop_tenant("acme")


async def test_a_revision_that_was_edited(settings: Settings, first_release: PackFolder, state: State):
    async with FixtureManager(settings, pack=first_release.pack()) as manager:
        await manager.create_tenant("acme")
    first_release.write("migrations/0001_initial.sql", first_release.read("migrations/0001_initial.sql") + "-- better now\n")
    first_release.write("migrations/0002_two.sql", "CREATE TABLE two (a integer PRIMARY KEY)")
    async with FixtureManager(settings, pack=first_release.pack()) as manager:
        with failing(state, errors.RevisionChanged) as found:
            await manager.migrate("acme")
        assert (found[0].revision, found[0].file) == (1, "0001_initial.sql")
        with failing(state, errors.RevisionChanged, recorded=False):
            await manager.migrate("acme", dry_run=True)
        report = await manager.validate("acme")
    assert not report.ok
    assert [(finding.rule, finding.severity, finding.object) for finding in report.findings if finding.severity == "error"] == [
        ("revision", "error", "initial")
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("CREATE TABLE two (a integer);\nALTER TABLE users DROP COLUMN email;\nSELEC 1", errors.ScriptFailed),
        ("DROP TABLE users CASCADE; COMMIT", errors.ScriptEscaped),
        ("ALTER TABLE users ADD COLUMN must text NOT NULL", errors.ScriptFailed),
        ("ALTER TABLE users ADD CHECK (handle <> 'user1')", errors.ScriptFailed),
        ("DROP TABLE t_neighbour.users CASCADE", errors.ScriptEscaped),
    ],
)
async def test_a_revision_that_fails_leaves_the_tenant_where_it_was(
    settings: Settings, first_release: PackFolder, state: State, text: str, kind: type[errors.TenancyError]
):
    async with FixtureManager(settings) as manager:
        await manager.create_tenant("neighbour")
    async with FixtureManager(settings, pack=first_release.pack()) as manager:
        await manager.create_tenant("acme")
    state.run("INSERT INTO t_acme.users (handle, email, display_name) VALUES ('user1', 'user1@example.com', 'One')")
    first_release.write("migrations/0002_good.sql", "CREATE TABLE good ()")
    first_release.write("migrations/0003_bad.sql", text)
    async with FixtureManager(settings, pack=first_release.pack()) as manager:
        # Both revisions are one run: the good one is taken back with the bad one.
        with failing(state, kind) as found:
            await manager.migrate("acme")
        assert found[0].file == "0003_bad.sql"
        assert (await manager.get_tenant("acme")).revision == 1


async def test_data_of_a_later_release_asks_for_its_revision(settings: Settings, first_release: PackFolder, manager: FixtureManager, state: State):
    async with FixtureManager(settings, pack=first_release.pack()) as earlier:
        await earlier.create_tenant("acme")
    async with manager:
        with failing(state, errors.ValidationFailed) as found:
            await manager.load_fixtures("acme", datasets=["users", "listening_history"])
    assert {finding["object"] for finding in found[0].findings} >= {"users → users.last_seen_at"}
    assert "tenancy migrate" in found[0].message


async def test_nobody_has_the_name(manager: FixtureManager, state: State):
    async with manager:
        with failing(state, errors.TenantNotFound, recorded=False):
            await manager.migrate("acme")


async def test_a_tenant_of_another_pack_is_left_alone(settings: Settings, spoilt: PackFolder, manager: FixtureManager, state: State):
    spoilt.manifest(name="another")
    async with manager:
        await manager.create_tenant("acme")
    async with FixtureManager(settings, pack=spoilt.pack()) as other:
        for call in (other.migrate, other.load_fixtures):
            with pytest.raises(errors.PackMismatch) as caught:
                await call("acme")
            assert (caught.value.tenant, caught.value.pack) == ("acme", "spotify-agent")
        # Whoever takes a tenant away need not know what it was made from.
        await other.drop_tenant("acme")
