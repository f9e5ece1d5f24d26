"""Answers of the Web API that are not what was asked for: each is an error of its own kind, has an end, and is not in the way of the next run."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from tenancy_fixtures._spotify_live._manners import Manners
from tenancy_fixtures.exceptions import QuotaExceeded, WebApiMalformed, WebApiUnavailable
from tests.spotify_api import SpotifyApi, named, speaking, spotify_id
from tests.spotify_fetch import fetch, refuse

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


def head(**tracks) -> dict:
    """A playlist with such a page of tracks."""
    return {**named("playlist", 1), "tracks": {"items": [], "total": 5, "next": None, **tracks}}


# --- what cannot be read --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["1e400", "NaN", "-Infinity"])
def test_a_number_that_is_none(api: SpotifyApi, tmp_path: Path, playlist: str, number: str):
    body = json.dumps(head(total="HERE")).replace('"HERE"', number)
    api.instead[HEAD] = lambda handler: handler.send(body.encode())
    refuse(WebApiMalformed, "no JSON object", api, [playlist], tmp_path)


@pytest.mark.parametrize("levels", [70, 700, 100_000])
def test_a_page_with_too_many_levels(api: SpotifyApi, tmp_path: Path, playlist: str, levels: int):
    body = json.dumps(head(items=["HERE"])).replace('"HERE"', "[" * levels + "]" * levels)
    api.instead[HEAD] = lambda handler: handler.send(body.encode())
    refuse(WebApiMalformed, "nested more deeply|no JSON object", api, [playlist], tmp_path)
    del api.instead[HEAD]
    assert fetch(api, [playlist], tmp_path)[0].kept == 0


def test_a_token_may_say_that_it_lives_for_ever(api: SpotifyApi, tmp_path: Path, playlist: str, monkeypatch):
    def give(path, handler):
        if path == "token":
            handler.answer({"access_token": api.new_token(), "token_type": "Bearer", "expires_in": 10**400})
        return path == "token"

    monkeypatch.setattr(api, "fails", give)
    assert len(fetch(api, [playlist], tmp_path)[1][0]["tracks"]["items"]) == 300


# --- links ----------------------------------------------------------------------------------------------------------------


def test_a_redirect_to_what_is_no_url(api: SpotifyApi, tmp_path: Path, playlist: str):
    api.instead[HEAD] = lambda handler: handler.answer({}, 302, Location="http://127.0.0.1:99999999/v1/more")
    refuse(WebApiMalformed, "no URL", api, [playlist], tmp_path)


# --- no pause -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", ["0", "0.0", "past", "Fri, 31 Dec 99999999999999999 23:59:59 GMT"])
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
