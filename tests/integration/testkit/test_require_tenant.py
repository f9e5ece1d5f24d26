"""A statement that runs in a transaction of no tenant fails the test: it is named without its values, and with the place that it came from."""

from __future__ import annotations

import pytest

STRAYS = """
import asyncio
from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from tenancy_fixtures.integrations.sqlalchemy import TenantSessions

SECRET = text("SELECT 'Zq7-canary', 4711, CAST(:value AS text)")


@contextmanager
def engine_on(url):
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()


async def ask(url, driver, *statements, watch=None):
    engine = create_async_engine(url.replace("postgresql://", f"postgresql+{driver}://"))
    if watch:
        watch(engine)
    async with engine.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


def test_stray(tenancy_application_url):
    with engine_on(tenancy_application_url) as engine, engine.connect() as connection:
        connection.execute(SECRET, {"value": "Zq7-canary"})  # the place


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_stray_coroutine(tenancy_application_url, driver):
    asyncio.run(ask(tenancy_application_url, driver, "SELECT 1 AS stray"))


def test_within_a_fixture(require_tenant, tenancy_application_url):
    with engine_on(tenancy_application_url) as engine:
        require_tenant(engine, allow=["^SELECT 9 AS nine$"])
        with engine.connect() as connection:
            connection.execute(text("SELECT 9 AS nine"))
            connection.execute(text("SELECT 8 AS own"))


def test_a_tenants(tenant, tenancy_application_url, tenancy_settings):
    with tenant.session() as session:
        session.execute(text("SELECT count(*) FROM things"))
        with session.begin_nested():
            session.execute(text("DELETE FROM things"))
    with engine_on(tenancy_application_url) as engine:
        with TenantSessions(engine, settings=tenancy_settings).session(tenant.tenant_id) as session:
            session.execute(text("SELECT count(*) FROM things"))


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_whose_context_is_told_by_hand(tenant, tenancy_application_url, driver):
    told = f"SELECT set_config('tenancy.tenant_id', '{tenant.tenant_id}', true)"
    asyncio.run(ask(tenancy_application_url, driver, told, "SELECT 1 AS fine"))


def test_of_what_may_be(tenancy_application_url):
    with engine_on(tenancy_application_url) as engine, engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        connection.execute(text("SELECT count(*) FROM public.health"))


def test_of_another_kind_of_database():
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        connection.execute(text("SELECT 1 AS lite"))
    engine.dispose()
"""
ALLOWED = "tenancy_allow_without_tenant =\n    ^SELECT 1$\n    FROM public\\.health\n"


@pytest.mark.parametrize("how", ["option", "ini"])
def test_of_all_tests_those_fail_that_let_a_statement_stray(suite, how):
    suite.write("setup.sql", "CREATE TABLE public.health (state text); GRANT SELECT ON public.health TO PUBLIC")
    said = "tenancy_require_tenant = true\n" if how == "ini" else ""
    suite.write("pytest.ini", "[pytest]\nfilterwarnings = error\ntenancy_pack = pack\ntenancy_setup = setup.sql\n" + said + ALLOWED)
    suite.write("test_strays.py", STRAYS)
    ended, printed = suite.run(*(["--tenancy-require-tenant"] if how == "option" else []), "--tb=short", "-rN")
    assert ended == {"failed": 4, "passed": 5, "error": 1}, printed
    assert "Zq7" not in printed
    assert "4711" not in printed
    line = next(number for number, text in enumerate(STRAYS.splitlines(), 1) if "# the place" in text)
    assert f"test_strays.py:{line}, in test_stray\n    SELECT '…', '…', CAST(%(value)s AS text)" in printed
    assert printed.count("in ask\n    SELECT '…' AS stray") == 2
    assert printed.count("SELECT '…' AS own") == 2  # by the fixture, and by the option
    assert printed.count("SELECT '…' AS nine") == 1  # by the option, which allows something else
    for fine in ("AS fine", "AS lite", "health"):
        assert fine not in printed, fine


def test_without_the_option_nobody_listens(suite):
    suite.write("test_strays.py", STRAYS)
    ended, printed = suite.run(*(f"test_strays.py::{name}" for name in ("test_stray", "test_stray_coroutine", "test_within_a_fixture")))
    assert "SELECT '…' AS nine" not in printed
    # The summary at the end tells it again where nobody sits at a terminal.
    assert (ended, printed.partition("short test summary")[0].count(" AS own")) == ({"passed": 4, "error": 1}, 1), printed
