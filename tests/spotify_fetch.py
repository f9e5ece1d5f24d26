"""What the client of the Web API fetches of a local server that speaks it, and what it must refuse."""

from __future__ import annotations

import asyncio
import json
import traceback
from pathlib import Path

import pytest

from tenancy_fixtures import PerformanceTracker, Settings
from tenancy_fixtures._spotify_live import Fetched, WebApiRequest, fetching
from tenancy_fixtures._spotify_live._manners import Manners
from tenancy_fixtures.exceptions import TenancyError
from tests.spotify_api import CLIENT_SECRET, SpotifyApi

QUICK = Manners(attempts=3, first_wait=0.01, patience=2, unsaid=0.2, whole=3)


def fetch(api: SpotifyApi, names, tmp_path: Path, *, manners: Manners = QUICK, market: str | None = None, **settings) -> tuple[Fetched, list]:
    """What came, and the documents in the file."""

    async def run():
        request = WebApiRequest.of(names, market=market, journal=tmp_path / "journal")
        async with fetching(request, Settings(**{**api.settings, **settings}), PerformanceTracker(), manners) as fetched:
            return fetched, [json.loads(line) for line in fetched.file.read_text(encoding="ascii").splitlines()]

    return asyncio.run(run())


def refuse(kind: type[TenancyError], words: str, *arguments, **how) -> TenancyError:
    """It must fail so, and tell nothing of the credentials."""
    with pytest.raises(TenancyError, match=words) as caught:
        fetch(*arguments, **how)
    error = caught.value
    assert type(error) is kind, repr(error)
    assert error.hint
    said = "".join(traceback.format_exception(type(error), error, error.__traceback__)) + repr(error) + json.dumps(error.to_dict())
    assert CLIENT_SECRET not in said
    assert "token-" not in said
    return error
