"""A database that cannot be served is refused when it is opened, with the fix and without a password."""

from __future__ import annotations

import asyncio
import secrets
import traceback
from dataclasses import replace

import psycopg
import pytest
from psycopg import sql

from tenancy_fixtures._pg import control_plane
from tenancy_fixtures._pg.bootstrap import init_host, with_parts
from tenancy_fixtures._pg.connect import connect
from tenancy_fixtures.exceptions import (
    ConfigurationError,
    ControlPlaneMismatch,
    DatabaseUnavailable,
    NotInitialised,
    PermissionDenied,
    TenancyError,
    UnsafeRole,
)

from .ground import PASSWORD, administer, init, open_and_close


def test_a_newer_control_plane_is_refused_and_left_alone(database_url, admin_database_url):
    administer(admin_database_url, f"UPDATE tenancy.installation SET version = {control_plane.head() + 1}")
    for attempt in (lambda: asyncio.run(open_and_close(database_url)), lambda: init(admin_database_url)):
        with pytest.raises(ControlPlaneMismatch, match=str(control_plane.head() + 1)):
            attempt()
    with psycopg.connect(admin_database_url) as connection:
        assert connection.execute("SELECT version FROM tenancy.installation").fetchone() == (control_plane.head() + 1,)


def test_an_older_control_plane_is_refused_until_init_has_brought_it_forward(database_url, admin_database_url, monkeypatch):
    last = control_plane.migrations()[-1]
    following = replace(last, number=last.number + 1, name="more", sql="CREATE TABLE tenancy.more (i int)")
    monkeypatch.setattr(control_plane, "migrations", lambda: (last, following))
    with pytest.raises(ControlPlaneMismatch, match="tenancy init"):
        asyncio.run(open_and_close(database_url))
    report = init(admin_database_url)
    assert (report.version_before, report.version, report.changed) == (last.number, following.number, True)
    asyncio.run(open_and_close(database_url))
    with psycopg.connect(admin_database_url) as connection:
        assert connection.execute("SELECT number, name FROM tenancy.migrations ORDER BY 1").fetchall()[-1] == (following.number, "more")
        assert connection.execute("SELECT relowner::regrole::text FROM pg_class WHERE oid = 'tenancy.more'::regclass").fetchone() == (
            "tenancy_test_owner",
        )


def test_a_database_without_control_plane_is_told_apart(empty_url, plain_url):
    for url in (empty_url, plain_url):
        with pytest.raises(NotInitialised, match="tenancy init"):
            asyncio.run(open_and_close(url))


def test_production_mode_refuses_who_may_too_much(admin_url, admin_database_url, database_url, plain_login, database):
    asyncio.run(open_and_close(admin_database_url))
    asyncio.run(open_and_close(database_url, mode="production"))
    with pytest.raises(UnsafeRole, match="superuser"):
        asyncio.run(open_and_close(admin_database_url, mode="production"))
    administer(admin_url, "ALTER ROLE {} BYPASSRLS", plain_login)
    try:
        url = with_parts(admin_url, database=database, user=plain_login, password=PASSWORD)
        with pytest.raises(UnsafeRole, match="row-level security"):
            asyncio.run(open_and_close(url, mode="production"))
    finally:
        administer(admin_url, "ALTER ROLE {} NOBYPASSRLS", plain_login)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("postgresql://me:hush-hush@127.0.0.1:1/nowhere", DatabaseUnavailable),
        ("postgresql://me:hush-hush@no-such-host.invalid/nowhere", DatabaseUnavailable),
        ("postgresql://me:a@hush-hush@127.0.0.1:1/nowhere", ConfigurationError),
        ("postgresql://me:hush-hush/b@127.0.0.1:1/nowhere", ConfigurationError),
        ("postgresql://me:a?hush-hush@127.0.0.1:1/nowhere", DatabaseUnavailable),
        ("postgresql://me:%hush-hush@127.0.0.1:1/nowhere", ConfigurationError),
        ("postgresql://me:a#hush-hush@127.0.0.1:1:1/nowhere", ConfigurationError),
        ("host=127.0.0.1 port=1 password=hush-hush nonsense", ConfigurationError),
        ("mysql://me:hush-hush@127.0.0.1/nowhere", ConfigurationError),
    ],
)
def test_no_error_holds_a_password(url, kind, caplog):
    with pytest.raises(TenancyError) as caught:
        asyncio.run(open_and_close(url))
    error = caught.value
    assert type(error) is kind
    assert "hush" not in f"{error!r} {error} {error.to_dict()} {caplog.text}"
    assert "hush" not in "".join(traceback.format_exception(type(error), error, error.__traceback__))


@pytest.mark.parametrize(
    "parts", [{"user": "tenancy_test_no_such_login", "database": "postgres", "password": "hush-hush"}, {"database": "tenancy_test_no_such_database"}]
)
def test_a_login_that_is_refused_is_told_without_the_password(database_url, parts):
    with pytest.raises(PermissionDenied, match="refuses the connection") as caught:
        asyncio.run(open_and_close(with_parts(database_url, **parts)))
    assert next(iter(parts.values())) in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.anyio
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
async def test_a_database_that_is_not_utf8(admin_url, encoding):
    """Found out at once: later it would be bytes in place of text, or a character that has no place."""
    name = f"tenancy_test_{secrets.token_hex(6)}"
    with psycopg.connect(admin_url, autocommit=True) as connection:
        statement = sql.SQL("CREATE DATABASE {} ENCODING {} LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0")
        connection.execute(statement.format(sql.Identifier(name), sql.Literal(encoding)))
        try:
            with pytest.raises(ConfigurationError, match=f"holds text as {encoding}; tenants need UTF8"):
                await init_host(with_parts(admin_url, database=name), roles=None)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.mark.anyio
async def test_the_environment_does_not_choose_the_encoding(admin_url, monkeypatch):
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    async with await connect(admin_url) as connection:
        assert connection.info.encoding == "utf-8"
