"""The application under test, on the database of this run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from httpx import ASGITransport, AsyncClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tenancy_fixtures import Settings


@pytest.fixture
def anyio_backend() -> str:
    """The loop that tests run in."""
    return "asyncio"


@pytest.fixture(scope="session")
def application(tenancy_settings: Settings) -> Any:
    """The module of the application: it reads its settings when it is imported."""
    assert tenancy_settings.database_url is not None
    os.environ["TENANCY_DATABASE_URL"] = tenancy_settings.database_url.get_secret_value()
    import main

    return main


@pytest.fixture
async def client(application: Any) -> AsyncIterator[AsyncClient]:
    """Asks the application, without a server between."""
    async with AsyncClient(transport=ASGITransport(app=application.app), base_url="http://localhost") as client:
        yield client
    await application.manager.close()
