"""Requests to one host: asked again where an answer did not come whole, held back where the host asks for it, and never sent elsewhere."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from ..exceptions import MissingExtra, QuotaExceeded, WebApiError, WebApiMalformed, WebApiUnavailable
from ._answers import read_json
from ._manners import Gate, Manners, seconds_to_wait

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    import httpx

    from ._answers import Check

    # Gives the headers of a request when it is about to go.
    Headers = Callable[[], Awaitable[Mapping[str, str]]]

_OK, _REDIRECTS, _TOO_MANY, _FAULTS = 200, frozenset({301, 302, 303, 307, 308}), 429, 500
_UNAVAILABLE = 503
_AGAIN = "What was fetched is kept: the same call goes on from there."


@dataclass(frozen=True)
class Answer:
    """A status, headers with names in small letters, and what the JSON of the body says; ``None`` where it is none and need not be."""

    status: int
    headers: Mapping[str, str]
    value: Any
    size: int


class _TryAgain(Exception):
    """A fault that may pass; ``last`` is what to raise where it does not."""

    def __init__(self, last: WebApiError) -> None:
        super().__init__(last.message)
        self.last = last


class Exchange:
    """Speaks with the host of ``base``. ``requests`` counts what was sent."""

    def __init__(self, http: httpx.AsyncClient, base: str, manners: Manners) -> None:
        self.base = base
        self.requests = 0
        self._http = http
        self._manners = manners
        self._gate = Gate()

    async def ask(self, method: str, url: str, headers: Headers, *, form: Mapping[str, str] | None = None, check: Check | None = None) -> Answer:
        """The host's answer, once it is neither a fault nor a request to wait. Redirects are followed where they stay at the host.

        ``check`` says what is wrong with what came as if it were in order: that is a fault, too.

        :raises QuotaExceeded: it asks to wait for longer than is allowed.
        :raises WebApiUnavailable: faults, as often as was tried.
        :raises WebApiMalformed: no JSON, not what was asked for, too large, or leading elsewhere.
        """
        # stamina writes of each attempt to the standard output of a host that has not set up structlog.
        from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential, wait_random

        manners, patience = self._manners, _Patience(self._manners.patience)
        wait = wait_exponential(manners.first_wait, manners.longest_wait) + wait_random(0, manners.first_wait)
        attempts = AsyncRetrying(retry=retry_if_exception_type(_TryAgain), stop=stop_after_attempt(manners.attempts), wait=wait, reraise=True)
        try:
            async for attempt in attempts:
                with attempt:
                    return _checked(await self._once(method, url, headers, form, patience), url, check)
        except _TryAgain as error:
            raise error.last from None
        raise AssertionError("an attempt answers or fails")  # pragma: no cover

    def url_of(self, link: str, within: str | None = None) -> str:
        """A link as a URL of this host; relative to ``within``, or to the base.

        :raises WebApiMalformed: it leads to another host: the token would go with it.
        """
        import httpx

        base = within or self.base
        try:
            url = httpx.URL(base.rstrip("/") + link) if within is None and link.startswith("/") else httpx.URL(base).join(link)
            origin = _origin(str(url))
        except (httpx.InvalidURL, ValueError):
            # httpx lets some pass that cannot be written, or have a port that there is none of.
            raise WebApiMalformed(f"{_host(self.base)} links to what is no URL", hint="Nothing was loaded.") from None
        if origin != _origin(self.base):
            message = f"{_host(self.base)} links to another host"
            raise WebApiMalformed(message, hint="Nothing was loaded, and the token was sent nowhere. Check TENANCY_SPOTIFY_API_URL.")
        return str(url)

    async def _once(self, method: str, url: str, headers: Headers, form: Mapping[str, str] | None, patience: _Patience) -> Answer:
        """One attempt: until there is an answer that no one has to wait for."""
        redirects = 0
        while True:
            answer = await self._send(method, url, await self._allowed(headers), form)
            wait = self._told(answer)
            if wait is not None:
                patience.spend(wait, url, answer.status)
                self._gate.close(wait)
            elif answer.status >= _FAULTS:
                message = f"{_public(url)}: the server answered {answer.status}"
                raise _TryAgain(WebApiUnavailable(message, source=_public(url), status=answer.status, hint=f"Try again later. {_AGAIN}"))
            elif answer.status in _REDIRECTS:
                redirects += 1
                url = self._redirected(method, url, answer, redirects)
            else:
                return answer

    def _told(self, answer: Answer) -> float | None:
        """How long the host asks to wait; ``None`` where it does not ask."""
        if answer.status not in (_TOO_MANY, _UNAVAILABLE):
            return None
        # No time at all, or one that is over, is no word for how long: who took it as one would ask without a pause, and without an end.
        wait = seconds_to_wait(answer.headers)
        if wait:
            return max(wait, self._manners.least)
        return self._manners.unsaid if answer.status == _TOO_MANY else None

    async def _allowed(self, headers: Headers) -> Mapping[str, str]:
        """The headers, as soon as a request may go: fetching them may take long enough for the host to have asked for silence again."""
        while True:
            await self._gate.passed()
            found = await headers()
            if self._gate.open:
                return found

    async def _send(self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None) -> Answer:
        import httpx

        self.requests += 1
        try:
            return await asyncio.wait_for(self._receive(method, url, headers, form), self._manners.whole)
        except (asyncio.TimeoutError, httpx.TimeoutException):
            self._lost(url, "did not come in time")
        except (httpx.TransportError, httpx.DecodingError) as error:
            if _is_about_trust(error, connecting=isinstance(error, httpx.ConnectError)):
                hint = "Nothing was loaded. Check the URL, the certificate of the server and the certificates that this machine trusts."
                message = f"{_host(url)} cannot be trusted: its certificate is not in order, or it speaks no TLS"
                raise WebApiMalformed(message, source=_public(url), hint=hint) from None
            self._lost(url, "did not come whole: the connection was lost, or could not be made")

    def _lost(self, url: str, what: str) -> NoReturn:
        hint = f"Check the network and try again later. {_AGAIN}"
        raise _TryAgain(WebApiUnavailable(f"{_public(url)} {what}", source=_public(url), hint=hint)) from None

    async def _receive(self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None) -> Answer:
        body = bytearray()
        async with self._http.stream(method, url, headers=dict(headers), data=dict(form) if form else None) as response:
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > self._manners.answer_bytes:
                    message = f"{_public(url)} answers with more than {self._manners.answer_bytes:,} bytes"
                    raise WebApiMalformed(message, source=_public(url), hint="Nothing was loaded. No page of the API is that large.")
        known = {name.lower(): value for name, value in response.headers.items()}
        value = await asyncio.to_thread(self._parsed, url, response.status_code, bytes(body))
        return Answer(response.status_code, known, value, len(body))

    def _parsed(self, url: str, status: int, body: bytes) -> Any:
        try:
            value = read_json(body)
        except ValueError:
            value = None
        if status == _OK and not isinstance(value, dict):
            message = f"{_public(url)}: the answer is no JSON object"
            raise _TryAgain(WebApiMalformed(message, source=_public(url), status=status, hint="Nothing was loaded. Check TENANCY_SPOTIFY_API_URL."))
        return value

    def _redirected(self, method: str, url: str, answer: Answer, redirects: int) -> str:
        if method != "GET" or redirects > self._manners.redirects or "location" not in answer.headers:
            message = f"{_public(url)} is redirected without an end, or where it may not be"
            raise WebApiMalformed(message, source=_public(url), status=answer.status, hint="Nothing was loaded. Check TENANCY_SPOTIFY_API_URL.")
        return self.url_of(answer.headers["location"], url)


def _checked(answer: Answer, url: str, check: Check | None) -> Answer:
    fault = check(answer.value) if check is not None and answer.status == _OK else None
    if fault is None:
        return answer
    message, hint = f"{_public(url)}: {fault}", "Nothing was loaded. Check TENANCY_SPOTIFY_API_URL."
    raise _TryAgain(WebApiMalformed(message, source=_public(url), status=answer.status, hint=hint))


class _Patience:
    """What one request may still be told to wait."""

    def __init__(self, seconds: float) -> None:
        self._whole = self._left = seconds

    def spend(self, seconds: float, url: str, status: int) -> None:
        self._left -= seconds
        if self._left < 0:
            message = f"{_host(url)} asks to wait {seconds:,.0f} s: the limit of requests, or the quota, is used up"
            hint = f"Try again after that time, or raise TENANCY_WEB_API_WAIT ({self._whole:g} s, for one request in all). {_AGAIN}"
            raise QuotaExceeded(message, source=_public(url), status=status, retry_after=seconds, hint=hint)


def open_http(manners: Manners) -> httpx.AsyncClient:
    """A client that verifies TLS and follows no redirect by itself.

    :raises MissingExtra: httpx is not installed.
    """
    try:
        import httpx
    except ModuleNotFoundError as error:
        raise MissingExtra("a web API needs httpx", extra="web", hint="Install tenancy-fixtures[web].") from error
    timeout = httpx.Timeout(manners.silence, connect=manners.connect, pool=None)
    limits = httpx.Limits(max_connections=manners.at_once, max_keepalive_connections=manners.at_once)
    return httpx.AsyncClient(timeout=timeout, limits=limits, follow_redirects=False, headers={"user-agent": "tenancy-fixtures"})


def _is_about_trust(error: BaseException | None, *, connecting: bool) -> bool:
    """Whether TLS is what failed; a connection that is cut within TLS is one that was lost."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return any(
        isinstance(item, ssl.SSLCertVerificationError) or (connecting and isinstance(item, ssl.SSLError) and not isinstance(item, ssl.SSLEOFError))
        for item in chain
    )


def _origin(url: str) -> tuple[str, str, int | None, bool]:
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port, "@" in parts.netloc


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _public(url: str) -> str:
    """A URL without its query, which lists ids."""
    return url.partition("?")[0]
