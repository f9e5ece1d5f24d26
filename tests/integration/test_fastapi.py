"""Requests and their tenants: by header, subdomain, path and credential; what is unknown, suspended or contradictory."""

# ruff: noqa: FAST002, B008 - annotations are texts here, and know no local name
from __future__ import annotations

import httpx
import psycopg
import pytest
from fastapi import Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tenancy_fixtures import FixtureManager, Settings, Tenant
from tenancy_fixtures.exceptions import NoTenant
from tenancy_fixtures.integrations.fastapi import RequestTenants, TenantMiddleware, from_header, from_path, from_subdomain
from tenancy_fixtures.integrations.sqlalchemy import TenantSessions, current_tenant

pytestmark = pytest.mark.anyio

SCHEMA = text("SELECT current_schema()")


async def of_token(request) -> str | None:
    """A credential that somebody has verified: here it is what it says."""
    return request.headers.get("authorization", "").removeprefix("Bearer ") or None


@pytest.fixture
async def tenants(manager: FixtureManager, anyio_backend: str):
    async with manager:
        for name in ("ada", "bob"):
            await manager.create_tenant(name)
        yield manager


def application(manager: FixtureManager, *sources, **facts) -> FastAPI:
    tenants = RequestTenants(manager, *sources, **facts)
    app = FastAPI()

    @app.get("/t/{tenant}/here")
    @app.get("/here")
    async def here(tenant: Tenant = Depends(tenants.tenant), session: AsyncSession = Depends(tenants.session)):
        schema = (await session.execute(SCHEMA)).scalar()
        return {"tenant": tenant.tenant_id, "context": current_tenant(), "schema": schema}

    @app.get("/sync")
    def in_a_thread(tenant: Tenant = Depends(tenants.tenant)):
        return {"context": current_tenant()}

    return app


def client(app) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ada.example.com")


async def test_a_header_names_the_tenant(tenants):
    async with client(application(tenants, from_header())) as http:
        for name in ("ada", "bob"):
            answer = await http.get("/here", headers={"X-Tenant": name})
            assert (answer.status_code, answer.json()) == (200, {"tenant": name, "context": name, "schema": f"t_{name}"})
            assert (await http.get("/sync", headers={"X-Tenant": name})).json() == {"context": name}
            # What a request was about is over with it.
            assert (await http.get("/here")).status_code == 404
            assert current_tenant() is None


@pytest.mark.parametrize("name", ["nobody", "", "a b", "-", "ä", "a" * 99, "ada'; DROP TABLE x; --"])
async def test_an_unknown_tenant(name: str, tenants):
    async with client(application(tenants, from_header())) as http:
        answer = await http.get("/here", headers=[(b"X-Tenant", name.encode())])
        assert (answer.status_code, answer.json()) == (404, {"detail": "No such tenant."})


@pytest.mark.parametrize(
    ("host", "code", "tenant"),
    [
        ("ada.example.com", 200, "ada"),
        ("BOB.Example.com:8000", 200, "bob"),
        ("example.com", 404, None),
        ("x.ada.example.com", 404, None),
        ("ada.example.com.evil.org", 404, None),
        ("adaexample.com", 404, None),
    ],
)
async def test_a_subdomain_names_the_tenant(host: str, code: int, tenant: str | None, tenants):
    async with client(application(tenants, from_subdomain("example.com"))) as http:
        answer = await http.get("/here", headers={"host": host})
        assert (answer.status_code, answer.json().get("tenant")) == (code, tenant)


async def test_a_path_names_the_tenant(tenants):
    async with client(application(tenants, from_path())) as http:
        assert (await http.get("/t/bob/here")).json()["schema"] == "t_bob"
        assert (await http.get("/t/nobody/here")).status_code == 404
        assert (await http.get("/here")).status_code == 404


async def test_what_contradicts_is_nobody(tenants):
    app = application(tenants, from_header(), from_subdomain("example.com"), credential=of_token)
    async with client(app) as http:
        assert (await http.get("/here", headers={"X-Tenant": "ada"})).json()["tenant"] == "ada"
        assert (await http.get("/here", headers={"X-Tenant": "bob"})).status_code == 404
        assert (await http.get("/here", headers={"Authorization": "Bearer bob"})).status_code == 404
        assert (await http.get("/here", headers={"Authorization": "Bearer ada", "X-Tenant": "ada"})).status_code == 200


async def test_a_suspended_tenant_is_told_to_itself_alone(tenants, admin_database_url: str):
    with psycopg.connect(admin_database_url) as connection:
        connection.execute("UPDATE tenancy.tenants SET state = 'suspended' WHERE tenant_id = 'ada'")
    async with client(application(tenants, from_header(), credential=of_token)) as http:
        own = await http.get("/here", headers={"Authorization": "Bearer ada"})
        assert (own.status_code, own.json()) == (403, {"detail": "The tenant is suspended."})
        other = await http.get("/here", headers={"X-Tenant": "ada"})
        unknown = await http.get("/here", headers={"X-Tenant": "nobody"})
        assert (other.status_code, other.content, other.headers) == (unknown.status_code, unknown.content, unknown.headers)
        assert (await http.get("/here", headers={"X-Tenant": "ada", "Authorization": "Bearer bob"})).status_code == 404


async def test_sessions_on_the_hosts_own_engine(tenants, app_database_url: str, settings: Settings):
    engine = create_async_engine(app_database_url.replace("postgresql://", "postgresql+psycopg://"))
    app = application(tenants, from_header(), sessions=TenantSessions(engine, settings=settings))
    async with client(app) as http:
        assert (await http.get("/here", headers={"X-Tenant": "bob"})).json()["schema"] == "t_bob"
    await engine.dispose()


async def test_a_middleware_for_any_application(tenants, app_database_url: str, settings: Settings):
    engine = create_async_engine(app_database_url.replace("postgresql://", "postgresql+psycopg://"))
    TenantSessions(engine, settings=settings)

    async def here(request):
        async with AsyncSession(engine) as session:
            return PlainTextResponse(f"{current_tenant()} {(await session.execute(SCHEMA)).scalar()}")

    async def health(request):
        return PlainTextResponse(str(current_tenant()))

    app = Starlette(routes=[Route("/here", here), Route("/health", health)])
    app.add_middleware(TenantMiddleware, tenants=RequestTenants(tenants, from_header()))
    async with client(app) as http:
        assert (await http.get("/here", headers={"X-Tenant": "ada"})).text == "ada t_ada"
        assert (await http.get("/here", headers={"X-Tenant": "bob"})).text == "bob t_bob"
        assert (await http.get("/health")).text == "None"
        refused = await http.get("/here", headers={"X-Tenant": "nobody"})
        assert (refused.status_code, refused.json()) == (404, {"detail": "No such tenant."})
        with pytest.raises(NoTenant):
            await http.get("/here")
    await engine.dispose()


async def test_the_middleware_asks_the_registry_once(tenants):
    asked = []

    class Counting(FixtureManager):
        async def get_tenant(self, tenant_id: str) -> Tenant:
            asked.append(tenant_id)
            return await tenants.get_tenant(tenant_id)

    requests = RequestTenants(Counting(tenants.settings), from_header())
    inner = FastAPI()

    @inner.get("/here")
    async def here(tenant: Tenant = Depends(requests.tenant)):
        return tenant.tenant_id

    inner.add_middleware(TenantMiddleware, tenants=requests)
    async with client(inner) as http:
        assert (await http.get("/here", headers={"X-Tenant": "ada"})).json() == "ada"
    assert asked == ["ada"]


@pytest.mark.parametrize("name", ["ada", "nobody"])
async def test_a_web_socket(name: str, tenants):
    said = []

    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1000, "reason": current_tenant()})

    async def send(message):
        said.append(message)

    async def receive():
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/", "headers": [(b"x-tenant", name.encode())], "query_string": b""}
    await TenantMiddleware(app, RequestTenants(tenants, from_header()))(scope, receive, send)
    assert said[-1] == ({"type": "websocket.close", "code": 1000, "reason": "ada"} if name == "ada" else {"type": "websocket.close", "code": 1008})
    assert len(said) == (2 if name == "ada" else 1)
