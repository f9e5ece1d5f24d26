"""Answers of the Web API that are not what was asked for: each is an error of its own kind, has an end, and is not in the way of the next run."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from tenancy_fixtures._spotify_live import WebApiRequest, _pages
from tenancy_fixtures._spotify_live._journal import Journal
from tenancy_fixtures._spotify_live._manners import Manners
from tenancy_fixtures.exceptions import QuotaExceeded, WebApiMalformed, WebApiUnavailable
from tests.spotify_api import SpotifyApi, named, speaking, spotify_id
from tests.spotify_fetch import fetch, refuse

PLAYLIST = f"/v1/playlists/{spotify_id('playlist', 1)}"
HEAD = f"{PLAYLIST}?additional_types=track,episode"
ALBUMS = f"/v1/artists/{spotify_id('artist', 1)}/albums"
# A client that went on and on would be told what it asked for in the end: a test fails, and does not hang.
ENOUGH = 60


@pytest.fixture
def api():
    with speaking() as server:
        yield server


@pytest.fixture
def playlist(api: SpotifyApi) -> str:
    return api.catalogue.add_playlist(1, range(300))


@pytest.fixture
def albums(api: SpotifyApi) -> str:
    return api.catalogue.add_albums_of(1, range(25))


def head(**tracks) -> dict:
    """A playlist with such a page of tracks."""
    return {**named("playlist", 1), "tracks": {"items": [], "total": 5, "next": None, **tracks}}


# --- what came is not what was asked for ----------------------------------------------------------------------------------

WRONG = [{"error": {"status": 502}}, {}, head(items=None), head(items={}), head(next={})]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_answer_is_not_kept(api: SpotifyApi, tmp_path: Path, playlist: str, wrong: dict):
    api.instead[HEAD] = lambda handler: handler.answer(wrong)
    assert refuse(WebApiMalformed, "is none", api, [playlist], tmp_path).status == 200
    assert api.asked[HEAD] == 3
    del api.instead[HEAD]
    fetched, documents = fetch(api, [playlist], tmp_path)
    assert (fetched.pages, fetched.kept) == (3, 0)
    assert len(documents[0]["tracks"]["items"]) == 300


@pytest.mark.parametrize("wrong", WRONG[::2])
def test_a_wrong_answer_is_a_fault_that_may_pass(api: SpotifyApi, tmp_path: Path, playlist: str, wrong: dict):
    api.instead[HEAD] = lambda handler: (api.instead.pop(HEAD), handler.answer(wrong))
    assert len(fetch(api, [playlist], tmp_path)[1][0]["tracks"]["items"]) == 300
    assert api.asked[HEAD] == 2


@pytest.mark.parametrize("wrong", [{"error": {"status": 502}}, {}, {"items": None, "total": 300}])
def test_of_a_wrong_page_the_others_are_kept(api: SpotifyApi, tmp_path: Path, playlist: str, wrong: dict):
    second = f"{PLAYLIST}/tracks?offset=100&limit=100"
    api.instead[second] = lambda handler: handler.answer(wrong)
    refuse(WebApiMalformed, "page of items is none", api, [playlist], tmp_path)
    del api.instead[second]
    fetched, documents = fetch(api, [playlist], tmp_path)
    assert (fetched.pages, fetched.kept) == (2, 1)
    assert len(documents[0]["tracks"]["items"]) == 300


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("wrong", [{"error": {"status": 502}}, {}, {"tracks": None}, {"tracks": [{}, {}]}, {"tracks": [1, 2]}])
def test_a_wrong_answer_to_one_or_several_is_not_kept(api: SpotifyApi, tmp_path: Path, wrong: dict, count: int):
    names = api.catalogue.add_tracks(range(count))
    ids = ",".join(name[-22:] for name in names)
    path = f"/v1/tracks/{ids}" if count == 1 else f"/v1/tracks?ids={ids}"
    api.instead[path] = lambda handler: handler.answer(wrong)
    refuse(WebApiMalformed, "is none|or none", api, names, tmp_path)
    del api.instead[path]
    assert [document["uri"] for document in fetch(api, names, tmp_path)[1]] == names


@pytest.mark.parametrize("wrong", [{}, head(total=float("inf"))])
def test_a_wrong_page_of_a_journal_is_asked_for_again(api: SpotifyApi, tmp_path: Path, playlist: str, wrong: dict):
    journal = Journal(tmp_path / "journal", WebApiRequest.of([playlist]).digest(f"{api.url}/v1"))
    journal.keep(HEAD.removeprefix("/v1"), wrong)
    journal.close()
    fetched, documents = fetch(api, [playlist], tmp_path)
    assert (fetched.pages, fetched.kept) == (3, 0)
    assert len(documents[0]["tracks"]["items"]) == 300


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

NOWHERE = ["http://127.0.0.1:99999999/v1/more", "http://127.0.0.1:port/", "http://[::1", "/v1/\ud800", "http://\ud800/"]


@pytest.mark.parametrize("link", NOWHERE)
def test_a_page_that_links_to_what_is_no_url_is_forgotten(api: SpotifyApi, tmp_path: Path, playlist: str, link: str):
    api.instead[HEAD] = lambda handler: handler.answer(head(next=link))
    refuse(WebApiMalformed, "no URL", api, [playlist], tmp_path)
    del api.instead[HEAD]
    fetched, documents = fetch(api, [playlist], tmp_path)
    assert (fetched.kept, len(documents[0]["tracks"]["items"])) == (0, 300)


def test_a_redirect_to_what_is_no_url(api: SpotifyApi, tmp_path: Path, playlist: str):
    api.instead[HEAD] = lambda handler: handler.answer({}, 302, Location=NOWHERE[0])
    refuse(WebApiMalformed, "no URL", api, [playlist], tmp_path)


def test_pages_that_link_in_a_circle_are_forgotten(api: SpotifyApi, tmp_path: Path, albums: str):
    path = f"{ALBUMS}?limit=10"
    api.instead[path] = lambda handler: handler.answer({"items": [1], "total": 25, "next": api.url + path})
    refuse(WebApiMalformed, "links back", api, [albums], tmp_path)
    del api.instead[path]
    fetched, documents = fetch(api, [albums], tmp_path)
    assert (fetched.kept, len(documents)) == (0, 25)


@pytest.mark.parametrize("items", [[], [{"id": "a"}]])
@pytest.mark.parametrize("total", [5, None])
def test_pages_that_always_link_to_a_new_one_have_an_end(api: SpotifyApi, tmp_path: Path, albums: str, monkeypatch, items: list, total: int | None):
    def more(handler):
        number = sum(api.asked.values())
        link = f"{ALBUMS}?number={number}" if number < ENOUGH else None
        api.instead[f"{ALBUMS}?number={number}"] = more
        handler.answer({"items": items, "total": total, "next": link and api.url + link})

    if total is None:
        monkeypatch.setattr(_pages, "_MOST_PAGES", 20)
    api.instead[f"{ALBUMS}?limit=10"] = more
    refuse(WebApiMalformed, "more than all items", api, [albums], tmp_path)
    assert sum(api.asked.values()) < 25
    # None of them is there for the next run to follow.
    api.instead.clear()
    fetched, documents = fetch(api, [albums], tmp_path)
    assert (fetched.kept, len(documents)) == (0, 25)


def test_pages_may_have_fewer_items_than_the_first(api: SpotifyApi, tmp_path: Path, playlist: str):
    api.instead[HEAD] = lambda handler: handler.answer(
        {**named("playlist", 1), "tracks": {**api._page(f"{PLAYLIST}/tracks", 100, 0), "next": f"{api.url}{PLAYLIST}/tracks?offset=100&limit=10"}}
    )
    fetched, documents = fetch(api, [playlist], tmp_path)
    assert (fetched.pages, len(documents[0]["tracks"]["items"])) == (21, 300)


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
