"""Databases for tests of one room: with separate roles, and for a login that has nothing but CREATE on the database."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest

from tenancy_fixtures import FixtureManager
from tenancy_fixtures._pg.bootstrap import init_host, with_parts
from tenancy_fixtures._pg.database import Database
from tenancy_fixtures._pg.roles import Roles
from tenancy_fixtures.settings import Settings
from tests.databases import drop_database

from .ground import PASSWORD, Ground, Place, administer
from .marks import Look


@contextmanager
def new_database(admin_url: str, template: str = "template1") -> Iterator[str]:
    name = f"tenancy_test_{secrets.token_hex(6)}"
    administer(admin_url, "CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log", name, template)
    try:
        yield name
    finally:
        drop_database(admin_url, name)


@pytest.fixture
def empty_database(admin_url: str) -> Iterator[str]:
    """A database without a control plane."""
    with new_database(admin_url) as name:
        yield name


@pytest.fixture(scope="session")
def plain_login(admin_url: str) -> Iterator[str]:
    """A login that is nobody's member and owns nothing."""
    name = f"tenancy_test_plain_{secrets.token_hex(4)}"
    administer(admin_url, "CREATE ROLE {} LOGIN NOINHERIT PASSWORD '" + PASSWORD + "'", name)
    yield name
    administer(admin_url, "DROP ROLE {}", name)


@pytest.fixture
def plain_url(admin_url: str, empty_database: str, plain_login: str) -> str:
    """That login's URL on an empty database where it has CREATE, and nothing else."""
    administer(admin_url, "GRANT CREATE ON DATABASE {} TO {}", empty_database, plain_login)
    return with_parts(admin_url, database=empty_database, user=plain_login, password=PASSWORD)


@pytest.fixture(scope="session")
def plain_template(admin_url: str, plain_login: str) -> Iterator[str]:
    """A database with a control plane without roles, made by that login; tests clone it."""
    with new_database(admin_url) as name:
        administer(admin_url, "GRANT CREATE ON DATABASE {} TO {}", name, plain_login)
        asyncio.run(init_host(with_parts(admin_url, database=name, user=plain_login, password=PASSWORD), roles=Roles()))
        yield name


@pytest.fixture(scope="module", params=["separate roles", "one login"])
def ground(request, admin_url, template_database, plain_template, plain_login) -> Iterator[Ground]:
    separate = request.param == "separate roles"
    parts = (template_database, "tenancy_test_service") if separate else (plain_template, plain_login)
    ground = Ground(request.param, admin_url, *parts)
    yield ground
    ground.clear()


@pytest.fixture
def place(ground: Ground) -> Place:
    return ground.place()


@pytest.fixture
def untouched(place: Place) -> Iterator[None]:
    before = place.look()
    yield
    assert place.look() == before


@pytest.fixture
async def script_database(place: Place, anyio_backend: str) -> AsyncIterator[Database]:
    # One connection, so that what a script leaves in a session is met by the transaction that follows.
    database = Database(place.url, Settings.from_env(database_url=place.url, max_concurrency=1))
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def schema_gone(place: Place) -> Iterator[None]:
    yield
    administer(place.admin_url, "DROP SCHEMA IF EXISTS t_x CASCADE")


@pytest.fixture
def look(admin_database_url: str) -> Look:
    return Look(admin_database_url)


@pytest.fixture
async def opened(manager: FixtureManager, anyio_backend: str) -> AsyncIterator[FixtureManager]:
    async with manager:
        yield manager


@pytest.fixture
def empty_url(admin_url: str, empty_database: str) -> str:
    return with_parts(admin_url, database=empty_database)
