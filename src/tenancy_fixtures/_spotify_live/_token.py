"""The token of the client credentials: one for all requests, renewed before it ends, and when the API takes it no more."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import TYPE_CHECKING

from ..exceptions import ConfigurationError, CredentialsRefused, WebApiError, WebApiMalformed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..settings import Settings
    from ._exchange import Answer, Exchange

_OK, _BAD_REQUEST, _UNAUTHORISED, _FORBIDDEN = 200, 400, 401, 403
# No token is used for longer than a day, whatever it says.
_LONGEST = 24 * 3600
# Seconds before its end that a token is renewed; for one that lives shortly, a tenth of its life.
_BEFORE = 30.0
_HINT = "Check TENANCY_SPOTIFY_CLIENT_ID and TENANCY_SPOTIFY_CLIENT_SECRET: both are on the application's page in Spotify's dashboard."


class Token:
    """Gives the token that is in force. Whoever asks while it is being renewed waits for that, and asks no second time."""

    def __init__(self, exchange: Exchange, settings: Settings) -> None:
        if not (settings.spotify_client_id and settings.spotify_client_secret):
            message = "the Web API needs the credentials of an application"
            hint = "Set TENANCY_SPOTIFY_CLIENT_ID and TENANCY_SPOTIFY_CLIENT_SECRET. An application is made in Spotify's dashboard for developers."
            raise ConfigurationError(message, hint=hint)
        secret = settings.spotify_client_secret.get_secret_value()
        self._basic = "Basic " + base64.b64encode(f"{settings.spotify_client_id}:{secret}".encode()).decode()
        self._exchange = exchange
        self._lock = asyncio.Lock()
        self._value: str | None = None
        self._renew_at = 0.0
        self._failure: WebApiError | None = None

    def __repr__(self) -> str:
        return "<Token>"

    async def get(self, *, instead_of: str | None = None) -> str:
        """The token; a new one ``instead_of`` one that was refused.

        :raises CredentialsRefused: the credentials are not known.
        """
        async with self._lock:
            if self._failure is not None:
                # Who waited for it would hear the same.
                raise self._failure
            if self._value is None or self._value == instead_of or time.monotonic() >= self._renew_at:
                try:
                    await self._renew()
                except WebApiError as error:
                    self._failure = error
                    raise
            assert self._value is not None
            return self._value

    async def _renew(self) -> None:
        url = self._exchange.url_of("/api/token")
        answer = await self._exchange.ask("POST", url, self._headers, form={"grant_type": "client_credentials"})
        if answer.status in (_BAD_REQUEST, _UNAUTHORISED, _FORBIDDEN):
            raise CredentialsRefused("Spotify does not know the client id, or the secret is not its", status=answer.status, hint=_HINT)
        self._value, life = _read(answer)
        self._renew_at = time.monotonic() + life - min(_BEFORE, life / 10)

    async def _headers(self) -> Mapping[str, str]:
        return {"authorization": self._basic}


def _read(answer: Answer) -> tuple[str, float]:
    value = answer.value if answer.status == _OK and isinstance(answer.value, dict) else {}
    token, kind, life = value.get("access_token"), value.get("token_type"), value.get("expires_in")
    if not (isinstance(token, str) and token.isascii() and token.isprintable() and token and isinstance(life, (int, float)) and life > 0):
        raise WebApiMalformed("what should be a token is none", status=answer.status, hint="Check TENANCY_SPOTIFY_ACCOUNTS_URL.")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise WebApiMalformed("the token is of a kind that nobody knows", hint="Check TENANCY_SPOTIFY_ACCOUNTS_URL.")
    return token, float(min(life, _LONGEST))
