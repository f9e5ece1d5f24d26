"""Answers of the Web API that are not what was asked for: each is an error of its own kind, has an end, and is not in the way of the next run."""

from __future__ import annotations

import time
from email.utils import formatdate
from pathlib import Path

import pytest

from tenancy_fixtures._spotify_live._manners import Manners
from tenancy_fixtures.exceptions import QuotaExceeded, WebApiUnavailable
from tests.spotify_api import SpotifyApi, speaking, spotify_id
from tests.spotify_fetch import refuse

HEAD = f"/v1/playlists/{spotify_id('playlist', 1)}?additional_types=track,episode"
# A client that went on and on would be told what it asked for in the end: a test fails, and does not hang.
ENOUGH = 60


@pytest.fixture
def api():
    with speaking() as server:
        yield server


@pytest.fixture
def playlist(api: SpotifyApi) -> str:
    return api.catalogue.add_playlist(1, range(300))


# --- no pause -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", ["0", "0.0", "past"])
@pytest.mark.parametrize(("status", "kind"), [(429, QuotaExceeded), (503, WebApiUnavailable)])
def test_who_says_to_wait_no_time_is_not_asked_without_end(api: SpotifyApi, tmp_path: Path, playlist: str, status: int, kind: type, after: str):
    def busy(handler):
        if api.asked[HEAD] >= ENOUGH:
            del api.instead[HEAD]
        handler.refuse(status, "slower", Retry_After=formatdate(time.time() - 3600, usegmt=True) if after == "past" else after)

    api.instead[HEAD] = busy
    manners = Manners(attempts=3, first_wait=0.01, patience=0.5, unsaid=0.2)
    refuse(kind, "asks to wait|answered 503", api, [playlist], tmp_path, manners=manners)
    assert api.asked[HEAD] == 3


@pytest.mark.parametrize("status", [429, 503])
def test_who_says_to_wait_hardly_any_time_is_not_asked_without_end(api: SpotifyApi, tmp_path: Path, playlist: str, status: int):
    def busy(handler):
        if api.asked[HEAD] >= ENOUGH:
            del api.instead[HEAD]
        handler.refuse(status, "slower", Retry_After="0.001")

    api.instead[HEAD] = busy
    refuse(QuotaExceeded, "asks to wait", api, [playlist], tmp_path, manners=Manners(patience=0.5, least=0.2))
    assert api.asked[HEAD] == 3
