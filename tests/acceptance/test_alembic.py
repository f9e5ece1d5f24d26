"""The host's Alembic stays the author: its revisions make and move tenants, and Alembic's own table says so in each of them."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from tenancy_fixtures import FixtureManager, Pack, Settings
from tenancy_fixtures import exceptions as errors
from tests.acceptance.support import State, failing
from tests.alembic_host import SMALL, Written, write_host, write_pack

pytestmark = pytest.mark.anyio

FIVE = SMALL[:5]


def hosted(folder: Path, revisions: tuple[Written, ...] = FIVE, schema: str | None = None) -> Pack:
    write_host(folder, revisions)
    return Pack.from_folder(write_pack(folder, schema=schema))


def versions(state: State, namespace: str) -> list[str]:
    return [row["version_num"] for row in state.rows(f"SELECT version_num FROM {namespace}.alembic_version ORDER BY 1")]


async def test_a_new_tenant_gets_all_revisions(settings: Settings, tmp_path, state: State):
    async with FixtureManager(settings, pack=hosted(tmp_path)) as manager:
        tenant = await manager.create_tenant("acme")
        assert tenant.revision == 5
        assert versions(state, "t_acme") == ["ee5"]
        assert [row["title"] for row in state.rows("SELECT title FROM t_acme.songs ORDER BY id")] == ["50% \\ :off", "it's"]
        assert {row["genre"] for row in state.rows("SELECT genre FROM t_acme.songs")} == {"it's 100% \\ new"}
        assert [row["name"] for row in state.rows("SELECT name FROM tenancy.revisions ORDER BY number")] == [item.name for item in FIVE]
        assert (await manager.validate("acme")).findings == ()
        assert (await manager.validate_pack()).ok


async def test_a_tenant_moves_with_the_history(settings: Settings, tmp_path, state: State):
    async with FixtureManager(settings, pack=hosted(tmp_path / "early", FIVE[:2])) as manager:
        await manager.create_tenant("old")
        assert versions(state, "t_old") == ["bb2"]
    async with FixtureManager(settings, pack=hosted(tmp_path / "late")) as manager:
        await manager.migrate("old", to=3)
        assert versions(state, "t_old") == ["bb2", "cc3"]
        report = await manager.migrate("old")
        assert [step.object for step in report.steps] == ["0004_dd4", "0005_ee5"]
        assert versions(state, "t_old") == ["ee5"]
        assert (await manager.validate("old")).findings == ()


async def test_another_form_of_a_revision_is_no_other_revision(settings: Settings, tmp_path, state: State):
    pack = hosted(tmp_path)
    async with FixtureManager(settings, pack=pack) as manager:
        await manager.create_tenant("acme")
    file = pack.revisions[0].file
    file.write_text(file.read_text(encoding="utf-8") + "# formatted\n", encoding="utf-8")
    async with FixtureManager(settings, pack=Pack.from_folder(tmp_path)) as manager:
        await manager.migrate("acme")
        [finding] = (await manager.validate("acme")).findings
        assert (finding.severity, finding.object, finding.message) == ("warning", "aa1", "was edited after it was applied")


HEAD = """
CREATE TABLE songs (id serial PRIMARY KEY, title text NOT NULL, genre varchar(20) DEFAULT 'it''s 100% \\ new');
CREATE INDEX songs_by_title ON songs (title);
"""


async def test_a_script_of_the_head_is_compared_with_the_history(settings: Settings, tmp_path, state: State):
    async with FixtureManager(settings, pack=hosted(tmp_path / "same", FIVE[:4], HEAD)) as manager:
        assert (await manager.validate_pack()).findings == ()
        await manager.create_tenant("acme")
        assert versions(state, "t_acme") == ["dd4"]
        assert (await manager.validate("acme")).findings == ()
    async with FixtureManager(settings, pack=hosted(tmp_path / "other", FIVE[:4], HEAD.replace("CREATE INDEX", "-- "))) as manager:
        [finding] = (await manager.validate_pack()).findings
        assert (finding.severity, finding.object) == ("error", "index songs_by_title")


def models(*columns: sa.Column) -> sa.MetaData:
    metadata = sa.MetaData()
    genre = sa.Column("genre", sa.String(20), server_default="it's 100% \\ new")
    sa.Table("songs", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("title", sa.Text, nullable=False), genre, *columns)
    sa.Index("songs_by_title", metadata.tables["songs"].c.title)
    return metadata


async def test_models_are_compared_with_the_history(settings: Settings, tmp_path, state: State):
    ini = write_host(tmp_path, FIVE[:4])
    async with FixtureManager(settings, pack=Pack.from_metadata("mine", models(), migrations=ini)) as manager:
        assert (await manager.validate_pack()).findings == ()
        await manager.create_tenant("acme")
        assert versions(state, "t_acme") == ["dd4"]
        assert (await manager.validate("acme")).findings == ()
    further = models(sa.Column("cover", sa.Text))
    async with FixtureManager(settings, pack=Pack.from_metadata("mine", further, migrations=ini)) as manager:
        [finding] = (await manager.validate_pack()).findings
        assert (finding.severity, finding.object) == ("error", "column songs.cover")
        assert re.search("differs between the models and the revisions", finding.message)


def alembic(state: State, folder: Path, schema: str, *command: str) -> str:
    """A command of the host's own Alembic, with its own ``env.py``, in a process of its own."""
    url = state.url.replace("postgresql://", "postgresql+psycopg://", 1)
    environment = {**os.environ, "HOST_URL": url, "HOST_SCHEMA": schema}
    done = subprocess.run([sys.executable, "-m", "alembic", *command], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


OUTSIDE = """
with op.get_context().autocommit_block():
    op.execute("ALTER TYPE mood ADD VALUE 'loud'")
    op.create_index("songs_by_genre", "songs", ["genre"], postgresql_concurrently=True)
"""
ONLINE_OUTSIDE = """
bind = op.get_bind()
with op.get_context().autocommit_block():
    bind.execute(sa.text("ALTER TYPE mood ADD VALUE 'sad'"))
"""


async def test_a_revision_that_leaves_its_transaction_is_for_new_tenants_and_for_alembic(settings: Settings, tmp_path, state: State):
    mood = Written("m1", ("ee5",), "op.execute(\"CREATE TYPE mood AS ENUM ('calm')\")")
    outside = Written("m2", ("m1",), OUTSIDE)
    online = Written("m3", ("m2",), ONLINE_OUTSIDE)
    late = Written("m4", ("m3",), 'op.add_column("songs", sa.Column("mood", sa.Text))')
    async with FixtureManager(settings, pack=hosted(tmp_path / "early")) as manager:
        await manager.create_tenant("old")
    folder = tmp_path / "late"
    async with FixtureManager(settings, pack=hosted(folder, (*FIVE, mood, outside, online, late))) as manager:
        await manager.create_tenant("new")
        for dry_run in (True, False):
            with failing(state, errors.PackInvalid, tenant="old", recorded=not dry_run) as caught:
                await manager.migrate("old", dry_run=dry_run)
            assert "alembic -x tenant=old upgrade m2" in str(caught[0].hint)
        await manager.migrate("old", to=6)
        alembic(state, folder, "t_old", "upgrade", "m2")
        # Whether it leaves is known once it runs.
        with failing(state, errors.PackInvalid, tenant="old") as caught:
            await manager.migrate("old")
        assert "alembic -x tenant=ID upgrade m3" in str(caught[0].hint)
        alembic(state, folder, "t_old", "upgrade", "m3")
        report = await manager.migrate("old")
        assert [(step.action, step.object) for step in report.steps] == [("follow", "0008_m3"), ("migrate", "0009_m4")]
        for name in ("old", "new"):
            assert versions(state, f"t_{name}") == ["m4"]
            assert (await manager.standing(name)).ok
            labels = f"SELECT enumlabel FROM pg_enum WHERE enumtypid = 't_{name}.mood'::regtype ORDER BY enumsortorder"
            assert [row["enumlabel"] for row in state.rows(labels)] == ["calm", "loud", "sad"]


async def test_alembic_itself_goes_on_where_we_were_and_we_where_it_was(settings: Settings, tmp_path, state: State):
    async with FixtureManager(settings, pack=hosted(tmp_path)) as manager:
        await manager.create_tenant("acme")
        assert "ee5 (head)" in alembic(state, tmp_path, "t_acme", "current")
        alembic(state, tmp_path, "t_acme", "downgrade", "aa1")
        assert versions(state, "t_acme") == ["aa1"]
        [finding] = [item for item in (await manager.validate("acme")).findings if item.object == "alembic_version"]
        assert (finding.severity, finding.message) == ("warning", "says aa1, and the registry revision 5: `tenancy migrate` follows Alembic")
        standing = await manager.standing("acme")
        assert (standing.revision, standing.is_behind, standing.has_drifted) == (1, True, False)
        steps = ["0001_aa1", "0002_bb2", "0003_cc3", "0004_dd4"]
        dry = await manager.migrate("acme", to=4, dry_run=True)
        assert [(step.action, step.object) for step in dry.steps] == list(zip(["follow", *["migrate"] * 3], steps))
        report = await manager.migrate("acme", to=4)
        assert [step.object for step in report.steps] == steps
        alembic(state, tmp_path, "t_acme", "upgrade", "head")
        assert (await manager.standing("acme")).ok
        report = await manager.migrate("acme")
        assert [(step.action, step.object) for step in report.steps] == [("follow", "0005_ee5")]
        assert (await manager.get_tenant("acme")).revision == 5
        assert (await manager.validate("acme")).findings == ()
        assert (await manager.migrate("acme")).steps == ()


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE t_acme.alembic_version SET version_num = 'zz9'", "says zz9, where no revision of the pack stands"),
        ("DROP TABLE t_acme.alembic_version", "is missing"),
    ],
)
async def test_where_no_revision_stands(settings: Settings, tmp_path, state: State, statement: str, fault: str):
    async with FixtureManager(settings, pack=hosted(tmp_path)) as manager:
        await manager.create_tenant("acme")
        state.run(statement)
        with failing(state, errors.PackMismatch) as caught:
            await manager.migrate("acme")
        assert "alembic stamp" in str(caught[0].hint)
        assert f"table alembic_version {fault}" in (await manager.standing("acme")).faults


def reading(body: str) -> tuple[Written, ...]:
    """The small history, and one more revision that runs on a connection."""
    return (*SMALL, Written("gg7", ("ff6",), f"bind = op.get_bind()\n{body}"))


async def test_a_revision_that_reads_runs_on_our_transaction(settings: Settings, tmp_path, state: State):
    async with FixtureManager(settings, pack=hosted(tmp_path / "early")) as manager:
        await manager.create_tenant("old")
    body = """
from sqlalchemy.orm import Session
context.get_context().connection.execute(sa.text("UPDATE songs SET title = title || ' ' || current_schema()"))
with bind.begin_nested() as inner:
    bind.exec_driver_sql("DELETE FROM songs; SELECT 1")
    inner.rollback()
session = Session(bind)
session.execute(sa.text("CREATE TABLE made (at timestamptz, body jsonb)"))
session.execute(sa.text("INSERT INTO made VALUES (now(), :body)").bindparams(sa.bindparam("body", type_=sa.JSON)), {"body": {"a": [1, "%"]}})
session.commit()
assert bind.execute(sa.text("SELECT body FROM made")).scalar_one() == {"a": [1, "%"]}
assert sorted(sa.inspect(bind).get_table_names()) == ["alembic_version", "made", "songs"]
assert not context.is_offline_mode()
rows = bind.execute(sa.text("SELECT title FROM songs"), execution_options={"stream_results": True})
assert len(list(rows)) == 2
op.bulk_insert(sa.table("songs", sa.column("title", sa.Text)), [{"title": f"t{n}"} for n in range(3)])
"""
    async with FixtureManager(settings, pack=hosted(tmp_path / "late", reading(body))) as manager:
        await manager.migrate("old")
        await manager.create_tenant("new")
        for name in ("old", "new"):
            assert versions(state, f"t_{name}") == ["gg7"]
            titles = [row["title"] for row in state.rows(f"SELECT title FROM t_{name}.songs ORDER BY id")]
            assert titles == [f"50% \\ :off t_{name}", f"it's t_{name}", "t0", "t1", "t2"]
            assert [row["genre"] for row in state.rows(f"SELECT genre FROM t_{name}.songs ORDER BY id")][:2] == ["50% \\", "IT'S"]
            assert (await manager.validate(name)).findings == ()
        assert (await manager.validate_pack()).ok


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ("bind.commit()", errors.ScriptEscaped, "tries to end its transaction"),
        ("bind.rollback()", errors.ScriptEscaped, "tries to end its transaction"),
        ("try:\n    bind.commit()\nexcept BaseException:\n    pass", errors.ScriptEscaped, "tries to end its transaction"),
        (
            "from sqlalchemy.orm import Session\nsession = Session(bind)\nsession.connection()\nsession.rollback()",
            errors.ScriptEscaped,
            "tries to end its transaction",
        ),
        ("op.execute('SELECT 1; /* ; */ commit')", errors.ScriptEscaped, "tries to end its transaction"),
        ("bind.exec_driver_sql('ROLLBACK')", errors.ScriptEscaped, "tries to end its transaction"),
        ('bind.exec_driver_sql("DO $$ BEGIN COMMIT; END $$")', errors.ScriptEscaped, "invalid transaction termination"),
        ("with op.get_context().autocommit_block():\n    pass", errors.PackInvalid, "leaves its transaction"),
        ("bind.connection.dbapi_connection.autocommit = True", errors.ScriptEscaped, "tries to end its transaction"),
        ("op.execute('CREATE TABLE public.mine (a int)')", errors.ScriptEscaped, "permission denied for schema public"),
        ("op.execute('CREATE TABLE t_globex.mine (a int)')", errors.ScriptEscaped, "reaches outside"),
        ("bind.execute(sa.text('SELECT count(*) FROM t_globex.songs'))", errors.ScriptEscaped, "reaches outside"),
        ("op.execute(\"UPDATE t_globex.songs SET title = ''\")", errors.ScriptEscaped, "reaches outside"),
        ("op.execute('DROP TABLE t_globex.songs')", errors.ScriptEscaped, "reaches outside"),
        ("op.execute('CREATE TEMP TABLE x (a int)')", errors.ScriptEscaped, "reaches outside"),
        ("op.execute('CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 1')", errors.ScriptEscaped, "SECURITY DEFINER"),
        ("op.execute('SELECT nothing FROM songs')", errors.ScriptFailed, 'column "nothing" does not exist'),
        ("op.execute(\"INSERT INTO songs (id, title) VALUES (77, 'Zq7-canary-value'), (77, '')\")", errors.ScriptFailed, "23505"),
        ("raise KeyError('Zq7-canary-value')", errors.ScriptFailed, "gg7_step.py, line 17: KeyError"),
    ],
)
async def test_a_revision_online_that_is_refused_leaves_nothing(
    settings: Settings, tmp_path, state: State, body: str, kind: type[errors.TenancyError], message: str
):
    async with FixtureManager(settings, pack=hosted(tmp_path / "early")) as manager:
        await manager.create_tenant("acme")
        await manager.create_tenant("globex")
    async with FixtureManager(settings, pack=hosted(tmp_path / "late", reading(body))) as manager:
        with failing(state, kind) as caught:
            await manager.migrate("acme")
        assert message in caught[0].message
        assert (await manager.get_tenant("acme")).revision == 5
    # The connection is as good as before.
    async with FixtureManager(settings, pack=hosted(tmp_path / "other", SMALL)) as manager:
        await manager.migrate("acme")
        assert versions(state, "t_acme") == ["ff6"]


async def test_schemas_that_all_refer_to(settings: Settings, tmp_path, state: State):
    state.run("CREATE SCHEMA world", "CREATE TABLE world.countries (code text PRIMARY KEY)", "INSERT INTO world.countries VALUES ('SE')")
    state.run("GRANT USAGE ON SCHEMA world TO PUBLIC", "GRANT SELECT, REFERENCES ON world.countries TO PUBLIC")
    body = """
op.add_column("songs", sa.Column("country", sa.Text, sa.ForeignKey("world.countries.code")))
op.get_bind().execute(sa.text("UPDATE songs SET country = (SELECT code FROM countries)"))
"""
    write_host(tmp_path, reading(body))
    write_pack(tmp_path)
    manifest = tmp_path / "pack.json"
    refused, allowed = Pack.from_folder(tmp_path), manifest.read_text(encoding="utf-8")[:-1] + ', "shared_schemas": ["world"]}'
    try:
        async with FixtureManager(settings, pack=refused) as manager:
            with failing(state, errors.ScriptFailed):
                await manager.create_tenant("acme")
        manifest.write_text(allowed, encoding="utf-8")
        async with FixtureManager(settings, pack=Pack.from_folder(tmp_path)) as manager:
            await manager.create_tenant("acme")
            assert state.rows("SELECT DISTINCT country FROM t_acme.songs") == [{"country": "SE"}]
            assert versions(state, "t_acme") == ["gg7"]
    finally:
        state.run("DROP SCHEMA world CASCADE")


@pytest.mark.parametrize("reads", ["", "op.get_bind()"])
async def test_a_revision_that_ends_the_process_ends_itself_alone(settings: Settings, tmp_path, state: State, reads):
    async with FixtureManager(settings, pack=hosted(tmp_path / "early", FIVE[:1])) as manager:
        await manager.create_tenant("acme")
    leaving = Written("bb2", ("aa1",), f"{reads}\nimport sys\nsys.exit(3)")
    async with FixtureManager(settings, pack=hosted(tmp_path / "late", (FIVE[0], leaving))) as manager:
        with pytest.raises(errors.ScriptFailed, match="SystemExit"):
            await manager.migrate("acme")
    assert versions(state, "t_acme") == ["aa1"]


async def test_alembic_at_work_at_the_same_time(settings: Settings, admin_database_url: str, tmp_path, state: State):
    counting = Written("bb2", ("aa1",), 'op.get_bind().exec_driver_sql("SELECT pg_sleep(4)")\nop.execute("UPDATE songs SET title = title || \'+\'")')
    async with FixtureManager(settings, pack=hosted(tmp_path / "early", FIVE[:1])) as manager:
        await manager.create_tenant("acme")
    state.run("INSERT INTO t_acme.songs (title) VALUES ('a')")
    async with FixtureManager(settings, pack=hosted(tmp_path / "late", (FIVE[0], counting))) as manager:
        await manager.get_tenant("acme")
        environment = {**os.environ, "HOST_SCHEMA": "t_acme", "HOST_URL": admin_database_url.replace("postgresql://", "postgresql+psycopg://")}
        command = [sys.executable, "-m", "alembic", "upgrade", "head"]
        with subprocess.Popen(command, cwd=tmp_path / "late", env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as alembic:  # noqa: ASYNC220 - it is not waited for
            asleep = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
            while alembic.poll() is None and not state.value(asleep):  # noqa: ASYNC110 - the server says it
                await asyncio.sleep(0.05)
            # Whoever comes last finds that the tenant is not where it was.
            (outcome,) = await asyncio.gather(manager.migrate("acme"), return_exceptions=True)
            alembic.communicate()
    assert state.value("SELECT title FROM t_acme.songs") == "a+"
    assert versions(state, "t_acme") == ["bb2"]
    assert isinstance(outcome, errors.TenancyError) or alembic.returncode != 0
