"""The API's answers to requests with a token: a page, or nothing, where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..exceptions import AccessForbidden, CredentialsRefused, WebApiMalformed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._answers import Check
    from ._exchange import Exchange
    from ._manners import Manners
    from ._token import Token

_OK, _UNAUTHORISED, _FORBIDDEN, _GONE = 200, 401, 403, frozenset({404, 410})


class Client:
    """Asks the API, with a token that is in force."""

    def __init__(self, exchange: Exchange, token: Token, manners: Manners) -> None:
        self.exchange = exchange
        self._token = token
        self._manners = manners

    async def get(self, url: str, check: Check) -> tuple[dict[str, Any], int] | None:
        """The object at a URL of the API and the bytes that it came in, or ``None``, where nothing is there. ``check`` looks for its faults.

        :raises CredentialsRefused: it takes none of the tokens that were got for it.
        :raises AccessForbidden: it does not allow it.
        :raises WebApiError: as :meth:`Exchange.ask`.
        """
        place, used, renewals = url.partition("?")[0], "", 0
        refused: str | None = None

        async def headers() -> Mapping[str, str]:
            nonlocal used
            used = await self._token.get(instead_of=refused)
            return {"authorization": f"Bearer {used}", "accept": "application/json"}

        while True:
            answer = await self.exchange.ask("GET", url, headers, check=check)
            if answer.status != _UNAUTHORISED:
                break
            refused, renewals = used, renewals + 1
            if renewals > self._manners.renewals:
                message, hint = (
                    f"{place}: none of the tokens is taken",
                    "Check that TENANCY_SPOTIFY_API_URL and TENANCY_SPOTIFY_ACCOUNTS_URL belong together.",
                )
                raise CredentialsRefused(message, source=place, status=answer.status, hint=hint)
        if answer.status in _GONE:
            return None
        if answer.status == _FORBIDDEN:
            hint = (
                "Nothing was loaded. An application sees what is public, and of some playlists not the items: load an export of the account instead."
            )
            raise AccessForbidden(f"{place} is not for this application", source=place, status=answer.status, hint=hint)
        if answer.status != _OK:
            message = f"{place}: the server answered {answer.status}"
            raise WebApiMalformed(message, source=place, status=answer.status, hint="Nothing was loaded. Check what is asked for, and the market.")
        return answer.value, answer.size
