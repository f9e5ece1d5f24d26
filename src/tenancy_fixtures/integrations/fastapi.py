"""Which tenant a request is for, and that all of its work is done in that tenant's context: for FastAPI, Starlette and any ASGI application."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable
from typing import TYPE_CHECKING, Callable, Optional, Union

from fastapi import HTTPException
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse

from .._sessions import TenantSessions, tenant_context
from .._shapes import Tenant, TenantState
from ..exceptions import InvalidTenantId, TenantNotFound

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from ..manager import FixtureManager

# What a request says of its tenant: an id, or nothing.
Source = Callable[[HTTPConnection], Union[Optional[str], Awaitable[Optional[str]]]]

_STATE = "tenancy_tenant"
_POLICY_VIOLATION = 1008  # RFC 6455, section 7.4.1


def from_header(name: str = "X-Tenant") -> Source:
    """The tenant is what a header says. Anybody can send one: let a proxy of yours set it, or ask for a credential as well."""
    return lambda request: request.headers.get(name)


def from_subdomain(domain: str) -> Source:
    """The tenant is the label before your domain: ``acme`` of ``acme.example.com``."""
    suffix = f".{domain.lower().strip('.')}"

    def label(request: HTTPConnection) -> str | None:
        host = request.headers.get("host", "").lower().rpartition(":")[0] or request.headers.get("host", "").lower()
        name = host[: -len(suffix)] if host.endswith(suffix) else ""
        return name if name and "." not in name else None

    return label


def from_path(prefix: str = "/t/") -> Source:
    """The tenant is the part of the path after a prefix: ``acme`` of ``/t/acme/tracks``. Routes name it as a parameter as usual."""
    start = f"/{prefix.strip('/')}/" if prefix.strip("/") else "/"

    def part(request: HTTPConnection) -> str | None:
        path = request.scope["path"]
        return (path[len(start) :].partition("/")[0] or None) if path.startswith(start) else None

    return part


class RequestTenants:
    """Finds the tenant of a request: :meth:`tenant` and :meth:`session` are dependencies of FastAPI, and :class:`TenantMiddleware` asks it too.

    ``sources`` are asked for its id: :func:`from_header`, :func:`from_subdomain`, :func:`from_path`, or a function of yours, async or not.
    ``credential`` is one too, and more than that: it gives the tenant of whoever has proved who they are, from a token that you have
    verified, say. All that say something must say the same. An unknown tenant is answered with 404; a suspended one with 403
    where the credential is its own, and else like one that is unknown: nobody can find out who is here.

    ``sessions`` are those that :meth:`session` gives, on your own engine; without them they are ``manager.session``.
    """

    def __init__(self, manager: FixtureManager, *sources: Source, credential: Source | None = None, sessions: TenantSessions | None = None) -> None:
        self._manager = manager
        self._sources = sources
        self._credential = credential
        self._sessions = sessions

    async def find(self, request: HTTPConnection) -> Tenant | None:
        """The tenant that the request names, or ``None`` where it names none.

        :raises HTTPException: 404, or 403 for a suspended tenant's own credential.
        """
        known: Tenant | None = getattr(request.state, _STATE, None)
        if known is not None:
            return known
        proved = await _said(self._credential, request) if self._credential else None
        names = {name for name in [proved, *[await _said(source, request) for source in self._sources]] if name is not None}
        if not names:
            return None
        try:
            tenant = await self._manager.get_tenant(names.pop()) if len(names) == 1 else None
        except (TenantNotFound, InvalidTenantId):
            tenant = None
        if tenant is not None and tenant.state is not TenantState.ACTIVE and proved is not None:
            raise HTTPException(403, "The tenant is suspended.")
        if tenant is None or tenant.state is not TenantState.ACTIVE:
            raise _unknown()
        return tenant

    async def tenant(self, request: HTTPConnection) -> AsyncIterator[Tenant]:
        """The dependency: the tenant, in whose context the request's work is done from now on.

        :raises HTTPException: 404 where none is named, and as :meth:`find`.
        """
        tenant = await self.find(request)
        if tenant is None:
            raise _unknown()
        with tenant_context(tenant.tenant_id):
            yield tenant

    async def session(self, request: HTTPConnection) -> AsyncIterator[AsyncSession]:
        """The dependency: a session of the request's tenant. It is closed after the request; what is to last, your code commits.

        :raises HTTPException: as the tenant itself.
        """
        tenant = await self.find(request)
        if tenant is None:
            raise _unknown()
        opened = self._manager.session(tenant.tenant_id) if self._sessions is None else self._sessions.async_session(tenant.tenant_id)
        async with opened as session:
            yield session


class TenantMiddleware:
    """ASGI: every request runs in the context of the tenant that it names. One that names none runs without, and reaches no tenant's rows."""

    def __init__(self, app: ASGIApp, tenants: RequestTenants) -> None:
        self._app = app
        self._tenants = tenants

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        try:
            tenant = await self._tenants.find(request)
        except HTTPException as refusal:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            else:
                await JSONResponse({"detail": refusal.detail}, refusal.status_code)(scope, receive, send)
            return
        if tenant is None:
            await self._app(scope, receive, send)
            return
        setattr(request.state, _STATE, tenant)
        with tenant_context(tenant.tenant_id):
            await self._app(scope, receive, send)


async def _said(source: Source, request: HTTPConnection) -> str | None:
    found = source(request)
    return await found if inspect.isawaitable(found) else found


def _unknown() -> HTTPException:
    return HTTPException(404, "No such tenant.")
