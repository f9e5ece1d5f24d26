"""The plugin in suites of hosts, each in a process of its own: what a test is handed, that runs leave nothing, and what it says to mistakes."""

from __future__ import annotations

import time

import psycopg
import pytest
from psycopg import sql

from tests.integration.testkit.everything import write_pack

BASICS = """
import asyncio
import dataclasses
from pathlib import Path

import pytest
from sqlalchemy import text

from tenancy_fixtures import FixtureManager
from tenancy_fixtures.integrations.sqlalchemy import TenantSessions

COUNT = text("SELECT count(*) FROM things")


@pytest.fixture(autouse=True)
def told(tenancy_application_url):
    with Path("runs").open("a") as file:
        file.write(tenancy_application_url.rpartition("/")[2] + "\\n")


@pytest.mark.parametrize("turn", range(4))
def test_every_test_writes_and_none_sees_it(tenant, turn):
    with tenant.session() as session:
        assert session.execute(COUNT).scalar() == 3
        session.execute(text("INSERT INTO things VALUES (:id, 'x')"), {"id": 100 + turn})
        session.execute(text("DELETE FROM things WHERE thing_id = 2"))
        session.commit()


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_coroutine(tenant, anyio_backend):
    async with tenant.async_session() as session:
        assert (await session.execute(COUNT)).scalar() == 3
        await session.execute(text("DELETE FROM things"))
        await session.commit()
    async with tenant.manager as manager:
        assert (await manager.get_tenant(tenant.tenant_id)).uid == tenant.facts.uid


def test_sessions_that_are_left_open_are_closed(tenant):
    session = tenant.session()
    session.execute(text("DELETE FROM things"))
    pytest.left = (session, tenant.facts.uid)


def test_and_keep_nobody(tenant):
    assert tenant.facts.uid == pytest.left[1]


def test_neighbours(tenant, tenants):
    first, second = tenants(2)
    assert len({first.tenant_id, second.tenant_id, tenant.tenant_id}) == 3
    with first.session() as session:
        session.execute(text("DELETE FROM things"))
        session.commit()
    with second.session() as session:
        assert session.execute(COUNT).scalar() == 3


def test_a_manager_of_the_hosts_own(tenancy_settings, tenant):
    async def work():
        async with FixtureManager(tenancy_settings) as manager:
            return [found.tenant_id for found in await manager.list_tenants()]

    assert asyncio.run(work()) == [tenant.tenant_id]
    assert tenant.run(lambda manager: manager.validate(tenant.tenant_id)).ok


def test_an_engine_of_the_hosts_own(tenancy_application_url, tenancy_settings, tenant):
    from sqlalchemy import create_engine

    engine = create_engine(tenancy_application_url.replace("postgresql://", "postgresql+psycopg://"))
    with TenantSessions(engine, settings=tenancy_settings).session(tenant.tenant_id) as session:
        assert session.execute(COUNT).scalar() == 3
    engine.dispose()
    assert "tenancy_run" not in repr(tenant)
    with pytest.raises(dataclasses.FrozenInstanceError):
        tenant.tenant_id = "another"
"""


def run_of(suite) -> str:
    """The run's twelve digits, as its tests have told them."""
    (run,) = {line.split("?")[0][len("tenancy_run_") :][:12] for line in (suite.folder / "runs").read_text().split()}
    return run


@pytest.mark.parametrize("workers", [0, 2])
def test_a_suite_gets_what_it_asks_for_and_leaves_nothing(suite, workers):
    suite.write("test_basics.py", BASICS)
    ended, printed = suite.run(*(["-n", str(workers), "--dist", "load"] if workers else []), "-k", "not left_open and not nobody" if workers else "")
    assert ended.get("passed") == (8 if workers else 10), printed
    assert "failed" not in printed.splitlines()[-1]
    assert suite.left(run_of(suite)) == []
    assert len(set((suite.folder / "runs").read_text().split())) == (workers or 1)


def test_what_a_killed_run_has_left_is_removed_by_the_next(suite):
    waiting = (
        "import time, pathlib\ndef test_waits(tenant):\n    pathlib.Path('runs').write_text(tenant.url.rpartition('/')[2])\n    time.sleep(120)\n"
    )
    suite.write("test_waiting.py", waiting)
    process = suite.start()
    while not (suite.folder / "runs").exists():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.1)
    run = run_of(suite)
    process.kill()
    process.communicate()
    assert len(suite.left(run)) > 8
    time.sleep(1)  # the server hears of it
    suite.write("test_waiting.py", "def test_nothing(tenant):\n    pass\n")
    assert suite.run()[0] == {"passed": 1}
    assert suite.left(run) == []


ENDING = """
import psycopg
import pytest
from sqlalchemy import text

END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND {where}"


@pytest.mark.parametrize("where", ["datname = current_database()", "starts_with(current_database(), application_name) AND application_name <> ''"])
def test_ends_all_connections(tenant, where):
    assert ours(tenant) == 3
    with psycopg.connect({admin!r} + tenant.url.rpartition("/")[2].partition("?")[0], autocommit=True) as connection:
        connection.execute(END.format(where=where))


@pytest.mark.parametrize("turn", range(2))
def test_goes_on(tenant, turn):
    assert ours(tenant) == 3
    tenant.run(lambda manager: manager.get_tenant(tenant.tenant_id))


def ours(tenant):
    with tenant.session() as session:
        return session.execute(text("SELECT count(*) FROM things")).scalar()


def test_tells_the_run(tenant):
    from pathlib import Path

    Path("runs").write_text(tenant.url.rpartition("/")[2])
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_a_test_may_end_all_connections(suite, admin_url, workers):
    suite.write("test_ending.py", ENDING.replace("{admin!r}", repr(admin_url.rpartition("/")[0] + "/")))
    ended, printed = suite.run(*(["-n", str(workers)] if workers else []))
    assert ended == {"passed": 5}, printed
    assert suite.left(run_of(suite)) == []


def test_a_suite_that_asks_for_nothing_pays_nothing(suite):
    heavy = {"sqlalchemy", "psycopg", "pydantic", "polars", "pyarrow", "alembic"}
    suite.write("test_plain.py", f"import sys\ndef test_plain():\n    assert sorted({heavy!r} & set(sys.modules)) == []\n")
    ended, printed = suite.run("--tenancy-database-url", "postgresql://nobody@127.0.0.1:1/none", "-p", "no:anyio", "-p", "no:hypothesispytest")
    assert ended == {"passed": 1}, printed


SETUP = "CREATE SCHEMA shared; CREATE TABLE shared.countries (code text PRIMARY KEY); GRANT USAGE ON SCHEMA shared TO PUBLIC; GRANT SELECT ON shared.countries TO PUBLIC;"


def test_a_suite_says_what_there_is_before_any_tenant_and_which_data_they_hold(suite):
    suite.write("shared.sql", SETUP)
    suite.write("pytest.ini", "[pytest]\ntenancy_pack = pack\ntenancy_setup = shared.sql\ntenancy_datasets = none\n")
    body = "with tenant.session() as s: assert s.execute(text('SELECT (SELECT count(*) FROM things), (SELECT count(*) FROM shared.countries)')).one() == (0, 0)"
    suite.write("test_setup.py", f"from sqlalchemy import text\ndef test_both(tenant):\n    {body}\n")
    ended, printed = suite.run()
    assert ended == {"passed": 1}, printed


def test_mistakes_are_said_in_words(suite, admin_url, plain_url):
    suite.write("test_one.py", "def test_one(tenant):\n    pass\n")
    ended, printed = suite.run("--tenancy-database-url", plain_url)
    assert (ended, "made by a superuser, and this login is none" in printed) == ({"error": 1}, True), printed
    write_pack(suite.folder / "another", isolation="row")
    suite.write("pytest.ini", "[pytest]\ntenancy_pack = another\n")
    ended, printed = suite.run()
    assert ended == {"error": 1}, printed
    assert "pack 'everything' has isolation 'row'" in printed
    suite.write("pytest.ini", "[pytest]\ntenancy_pack = nowhere\n")
    ended, printed = suite.run()
    assert (ended, "PackInvalid" in printed) == ({"error": 1}, True), printed


UNRESTING = """
CREATE TABLE items (item integer PRIMARY KEY);
CREATE TABLE others (item integer PRIMARY KEY);
INSERT INTO items VALUES (1);
CREATE FUNCTION logged() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN DELETE FROM items; RETURN NULL; END $$;
{statement}
CREATE TABLE things (thing_id integer PRIMARY KEY, label text NOT NULL);
"""


FIRES = (
    "CREATE TRIGGER logged AFTER {event} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION logged(); ALTER TABLE {table} ENABLE {how} TRIGGER logged;"
)
COPIES = "CREATE RULE copies AS ON INSERT TO items DO ALSO INSERT INTO others VALUES (NEW.item); ALTER TABLE items ENABLE ALWAYS RULE copies;"


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        (FIRES.format(event="INSERT", table="items", how="ALWAYS"), "trigger logged of items"),
        (FIRES.format(event="INSERT OR DELETE", table="others", how="REPLICA"), "trigger logged of others"),
        (COPIES, "rule copies of items"),
        # Nothing that is put back makes these fire.
        (FIRES.format(event="INSERT", table="others", how="ALWAYS"), None),
        (FIRES.format(event="UPDATE", table="items", how="ALWAYS"), None),
    ],
)
def test_tables_that_cannot_be_put_back_unseen_are_no_tenants(suite, statement, fault):
    write_pack(suite.folder / "unresting", UNRESTING.replace("{statement}", statement))
    suite.write("pytest.ini", "[pytest]\ntenancy_pack = unresting\n")
    suite.write(
        "test_one.py",
        "from sqlalchemy import text\ndef test_one(tenant):\n    with tenant.session() as s:\n        assert s.execute(text('SELECT 1 FROM items')).scalar() == 1\n",
    )
    ended, printed = suite.run()
    assert ended == ({"error": 1} if fault else {"passed": 1}), printed
    assert fault is None or f"{fault} does its work also on rows that are put back" in printed


def test_the_hosts_server_may_have_runs_of_others(suite, admin_url):
    """What is alive is left alone: a run lives as long as a connection says so."""
    name = "tenancy_run_" + "ab" * 6
    with psycopg.connect(admin_url, autocommit=True, application_name=name) as other:
        other.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(f"{name}_owner")))
        try:
            suite.write("test_one.py", "def test_one(tenant):\n    pass\n")
            assert suite.run()[0] == {"passed": 1}
            assert suite.left("ab" * 6) == [f"{name}_owner"]
        finally:
            other.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(f"{name}_owner")))
