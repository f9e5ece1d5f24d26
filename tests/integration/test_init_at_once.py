"""Administrators who make control planes in several databases of one server at the same moment."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from tenancy_fixtures._pg.bootstrap import init_host, set_login, with_parts

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def databases(admin_url: str) -> Iterator[list[str]]:
    names = [f"tenancy_test_{secrets.token_hex(6)}" for _ in range(6)]
    with psycopg.connect(admin_url, autocommit=True) as connection:
        for name in names:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield [with_parts(admin_url, database=name) for name in names]
        for name in names:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def test_databases_of_one_server_are_initialised_at_once(databases):
    async def init_all():
        return await asyncio.gather(*(init_host(url, roles=None) for url in databases))

    first, again = asyncio.run(init_all()), asyncio.run(init_all())
    assert all(report.changed for report in first)
    assert not any(report.changed for report in again)


def test_one_login_is_set_from_many_databases_at_once(admin_url, databases):
    login = f"tenancy_test_{secrets.token_hex(6)}"

    async def set_in(url: str) -> None:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            for number in range(10):
                await set_login(connection, login, f"password {number}", ("loader",))

    async def set_in_all() -> None:
        await asyncio.gather(*(init_host(url, roles=None) for url in databases))
        await asyncio.gather(*map(set_in, databases))

    try:
        asyncio.run(set_in_all())
    finally:
        with psycopg.connect(admin_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(login)))
