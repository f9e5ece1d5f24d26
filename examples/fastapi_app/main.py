"""An application in which every request is one tenant's. Start it with: python examples/fastapi_app/main.py

Without TENANCY_DATABASE_URL it starts the embedded PostgreSQL, makes two tenants with some music, and listens on http://127.0.0.1:8000.
"""

from __future__ import annotations

import argparse
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tenancy_fixtures import FixtureManager, Tenant
from tenancy_fixtures.integrations.fastapi import RequestTenants, from_header, from_subdomain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TENANTS = ("acme", "globex")

manager = FixtureManager()
tenants = RequestTenants(manager, from_header("X-Tenant"), from_subdomain("localhost"))

# What a function of the application asks for.
OfTenant = Annotated[Tenant, Depends(tenants.tenant)]
TenantSession = Annotated[AsyncSession, Depends(tenants.session)]


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Tenants are made when customers sign up; here it is done before the first request, and the second start finds them."""
    async with manager:
        for name in TENANTS:
            await manager.create_tenant(name, exist_ok=True)
            await manager.load_fixtures(name, ["artists", "albums", "tracks"])
        yield


app = FastAPI(title="Every request is one tenant's", lifespan=lifespan)


@app.get("/health")
async def health() -> dict[str, str]:
    """Whether we are there; of no tenant."""
    return {"state": "up"}


@app.get("/tracks")
async def tracks(session: TenantSession, title: str = "") -> list[dict[str, Any]]:
    """The tenant's tracks. The statement names no tenant and no schema: it is the tenant's transaction."""
    statement = text("SELECT track_id, title, duration_ms FROM tracks WHERE title ILIKE :title ORDER BY title LIMIT 10")
    return [dict(row) for row in (await session.execute(statement, {"title": f"%{title}%"})).mappings()]


@app.delete("/tracks/{track_id}")
async def forget(track_id: str, tenant: OfTenant, session: TenantSession) -> dict[str, Any]:
    """Take a track out of this tenant's catalogue. What is to last, the application commits."""
    done = await session.execute(text("DELETE FROM tracks WHERE track_id = :track_id"), {"track_id": track_id})
    await session.commit()
    return {"tenant": tenant.tenant_id, "removed": done.rowcount}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000)
    uvicorn.run(app, host="127.0.0.1", port=parser.parse_args().port)
