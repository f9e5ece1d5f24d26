"""The client of Spotify's Web API: what it refuses, what it waits for, what it keeps; against a local server that speaks it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from tenancy_fixtures._spotify_live._manners import Manners, seconds_to_wait
from tenancy_fixtures.exceptions import (
    AccessForbidden,
    ConfigurationError,
    CredentialsRefused,
    MissingExtra,
    QuotaExceeded,
    ResourceGone,
    SourceTooLarge,
    TenancyError,
    WebApiMalformed,
    WebApiUnavailable,
)
from tests.spotify_api import CLIENT_SECRET, SpotifyApi, named, speaking, spotify_id, track
from tests.spotify_fetch import fetch, refuse

TRACK = "spotify:track:" + spotify_id("track", 1)


@pytest.fixture
def api():
    with speaking() as server:
        yield server


# --- credentials and tokens ---------------------------------------------------------------------------------------------


def test_wrong_credentials_are_asked_for_once(api: SpotifyApi, tmp_path: Path):
    names = [api.catalogue.add_playlist(number, range(3)) for number in range(8)]
    error = refuse(CredentialsRefused, "does not know the client id", api, names, tmp_path, spotify_client_secret=CLIENT_SECRET + "x")
    assert error.status == 400
    assert api.asked == {"token": 1}


@pytest.mark.parametrize("lacking", ["spotify_client_id", "spotify_client_secret"])
def test_credentials_that_are_not_set(api: SpotifyApi, tmp_path: Path, lacking: str):
    refuse(ConfigurationError, "needs the credentials", api, [TRACK], tmp_path, **{lacking: None})
    assert not api.asked


def test_a_token_is_renewed_before_it_ends_and_once_for_all_that_wait(api: SpotifyApi, tmp_path: Path):
    api.token_life, api.pause = 1, 0.15
    names = [api.catalogue.add_playlist(number, range(700)) for number in range(4)]
    began = time.monotonic()
    fetch(api, names, tmp_path)
    # Each lives a second, and is given up a tenth before its end.
    assert 2 <= api.tokens <= (time.monotonic() - began) / 0.9 + 1
    # One that ended on its way is all that may be refused.
    assert sum(api.faults.values()) <= api.tokens * 4


def test_a_token_that_is_refused_is_renewed_once_for_all(api: SpotifyApi, tmp_path: Path):
    api.token_uses = 10
    names = [api.catalogue.add_playlist(number, range(700)) for number in range(4)]
    fetch(api, names, tmp_path)
    assert api.tokens == 3  # 28 pages, ten with each
    assert max(api.delivered.values()) == 1


def test_tokens_that_are_never_taken_end_it(api: SpotifyApi, tmp_path: Path):
    api.token_uses = 0
    assert refuse(CredentialsRefused, "none of the tokens", api, [TRACK], tmp_path).status == 401
    assert (api.tokens, sum(api.asked.values())) == (3, 6)


@pytest.mark.parametrize(
    "answer", [{}, {"access_token": "a\nb", "token_type": "Bearer", "expires_in": 9}, {"access_token": "a", "token_type": "mac", "expires_in": 9}]
)
def test_what_is_no_token_is_refused(api: SpotifyApi, tmp_path: Path, answer: dict, monkeypatch):
    monkeypatch.setattr(api, "fails", lambda path, handler: path == "token" and (handler.answer(answer), True)[1])
    refuse(WebApiMalformed, "token is", api, [TRACK], tmp_path)


# --- waiting --------------------------------------------------------------------------------------------------------------


def test_retry_after_in_seconds_and_as_a_date():
    now = 1_700_000_000
    assert seconds_to_wait({"retry-after": "7"}) == 7
    assert seconds_to_wait({"retry-after": "0.5"}) == 0.5
    # By the server's clock, however wrong ours is.
    assert seconds_to_wait({"retry-after": formatdate(now + 9, usegmt=True), "date": formatdate(now, usegmt=True)}) == 9
    assert seconds_to_wait({"retry-after": formatdate(now, usegmt=True), "date": formatdate(now + 5, usegmt=True)}) == 0
    assert 8 < seconds_to_wait({"retry-after": formatdate(time.time() + 10, usegmt=True)}) <= 10
    for text in ("", "soon", "-1", "1e9", "Sat, 99 Nov 2026 99:00:00 GMT", "Fri, 31 Dec 99999999999999999 23:59:59 GMT"):
        assert seconds_to_wait({"retry-after": text}) is None


@pytest.mark.parametrize("kind", ["429", "429-date", "503-after"])
def test_everybody_waits_as_long_as_one_was_told(api: SpotifyApi, tmp_path: Path, kind: str):
    # Who does not wait has enough to do to be seen.
    api.pause = 0.05
    names = [api.catalogue.add_playlist(number, range(1000)) for number in range(6)]
    told = f"/v1/playlists/{names[1][-22:]}/tracks?offset=100&limit=100"
    api.share, api.kinds = 0.0, (kind,)
    api.instead[told] = lambda handler: (api.instead.pop(told), api.fail(kind, told, handler))
    fetch(api, names, tmp_path)
    assert api.impolite == []
    assert sum(api.asked.values()) == 60 + 1 + 1


def test_who_asks_to_wait_too_long_is_not_waited_for(api: SpotifyApi, tmp_path: Path):
    name = api.catalogue.add_playlist(1, range(3))
    path = f"/v1/playlists/{name[-22:]}?additional_types=track,episode"
    api.instead[path] = lambda handler: handler.refuse(429, "quota", Retry_After="86400")
    began = time.monotonic()
    error = refuse(QuotaExceeded, "asks to wait 86,400 s", api, [name], tmp_path)
    assert (error.retry_after, error.status) == (86_400, 429)
    assert time.monotonic() - began < 2
    assert api.asked[path] == 1


def test_who_says_again_and_again_to_wait_is_not_waited_for_without_end(api: SpotifyApi, tmp_path: Path):
    name = api.catalogue.add_playlist(1, range(3))
    path = f"/v1/playlists/{name[-22:]}?additional_types=track,episode"
    api.instead[path] = lambda handler: handler.refuse(429, "slower")
    refuse(QuotaExceeded, "asks to wait", api, [name], tmp_path, manners=Manners(patience=0.5, unsaid=0.2))
    assert api.asked[path] == 3


def test_no_more_at_once_than_is_said(api: SpotifyApi, tmp_path: Path):
    now, most, lock = 0, 0, threading.Lock()

    def slowly(handler):
        nonlocal now, most
        with lock:
            now, most = now + 1, max(most, now + 1)
        time.sleep(0.05)
        with lock:
            now -= 1
        handler.answer({**named("playlist", 1), "tracks": {"items": [], "total": 0, "next": None}})

    names = [f"spotify:playlist:{spotify_id('playlist', number)}" for number in range(12)]
    api.instead = {f"/v1/playlists/{name[-22:]}?additional_types=track,episode": slowly for name in names}
    fetch(api, names, tmp_path, manners=Manners(at_once=3))
    assert most == 3


# --- faults ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("500", WebApiUnavailable, "answered 500"),
        ("503", WebApiUnavailable, "answered 503"),
        ("cut", WebApiUnavailable, "did not come whole"),
        ("hang-up", WebApiUnavailable, "did not come whole"),
        ("no-json", WebApiMalformed, "no JSON object"),
        ("slow", WebApiUnavailable, "did not come in time"),
    ],
)
def test_a_fault_is_tried_so_often_and_then_told(api: SpotifyApi, tmp_path: Path, kind: str, error: type[TenancyError], words: str):
    api.share, api.kinds = 1.0, (kind,)
    refuse(error, words, api, [TRACK], tmp_path, manners=Manners(attempts=3, first_wait=0.01, silence=0.3))
    assert api.asked == {"token": 3}


def test_a_body_that_comes_drop_by_drop_ends(api: SpotifyApi, tmp_path: Path):
    def drip(handler):
        handler.send(b"{", only=1, Content_Length="1000000")
        with contextlib.suppress(OSError):
            for _ in range(40):
                time.sleep(0.05)
                handler.wfile.write(b" ")

    name = api.catalogue.add_playlist(1, range(3))
    api.instead[f"/v1/playlists/{name[-22:]}?additional_types=track,episode"] = drip
    refuse(WebApiUnavailable, "did not come in time", api, [name], tmp_path, manners=Manners(attempts=1, silence=0.5, whole=0.6))


def test_nobody_there(api: SpotifyApi, tmp_path: Path):
    refuse(WebApiUnavailable, "could not be made", api, [TRACK], tmp_path, spotify_accounts_url="http://127.0.0.1:1")


def test_an_answer_may_not_be_of_any_size(api: SpotifyApi, tmp_path: Path):
    name = api.catalogue.add_playlist(1, range(100))
    refuse(WebApiMalformed, "more than 20,000 bytes", api, [name], tmp_path, manners=Manners(answer_bytes=20_000))
    refuse(SourceTooLarge, "max|more than", api, [name], tmp_path, max_total_bytes=10_000)


# --- other hosts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["next", "redirect", "redirect-of-token", "user"])
def test_the_token_goes_to_no_other_host(api: SpotifyApi, tmp_path: Path, how: str, monkeypatch):
    with speaking() as other:
        name = api.catalogue.add_playlist(1, range(300))
        path = f"/v1/playlists/{name[-22:]}?additional_types=track,episode"
        there = other.url.replace("//", "//api.spotify.com@") if how == "user" else other.url
        page = {**named("playlist", 1), "tracks": {"items": [], "total": 9, "next": f"{there}/v1/more"}}
        if how == "redirect-of-token":
            monkeypatch.setattr(api, "fails", lambda path, handler: path == "token" and (handler.answer({}, 307, Location=other.url), True)[1])
        elif how == "redirect":
            api.instead[path] = lambda handler: handler.answer({}, 302, Location=f"{other.url}/v1/more")
        else:
            api.instead[path] = lambda handler: handler.answer(page)
        refuse(WebApiMalformed, "another host|where it may not be", api, [name], tmp_path)
        assert not other.asked


def test_redirects_within_the_host_are_followed_and_not_for_ever(api: SpotifyApi, tmp_path: Path):
    name = api.catalogue.add_playlist(1, range(3))
    path = f"/v1/playlists/{name[-22:]}"
    api.instead[f"{path}?additional_types=track,episode"] = lambda handler: handler.answer({}, 301, Location=f"{path}?moved=1")
    assert fetch(api, [name], tmp_path)[1][0]["uri"] == name
    api.instead[f"{path}?moved=1"] = lambda handler: handler.answer({}, 302, Location=f"{path}?moved=1")
    refuse(WebApiMalformed, "without an end", api, [name], tmp_path)


@pytest.fixture
def secure(tmp_path: Path):
    """The server with TLS, and its certificate."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(words, check=True, capture_output=True, timeout=60)
    with speaking() as server:
        server.speak_tls(certificate, key)
        yield server, certificate


def test_a_certificate_that_nobody_vouches_for(secure, tmp_path: Path):
    refuse(WebApiMalformed, "cannot be trusted", secure[0], [TRACK], tmp_path)
    assert not secure[0].asked


def test_who_speaks_no_tls_is_not_trusted(api: SpotifyApi, tmp_path: Path):
    refuse(WebApiMalformed, "cannot be trusted", api, [TRACK], tmp_path, spotify_accounts_url=api.url.replace("http:", "https:"))
    assert not api.asked


@pytest.mark.parametrize("kind", ["cut", "hang-up"])
def test_a_connection_that_is_cut_within_tls_is_made_again(secure, tmp_path: Path, monkeypatch, kind: str):
    server, certificate = secure
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    name = server.catalogue.add_playlist(1, range(150))
    path = f"/v1/playlists/{name[-22:]}/tracks?offset=100&limit=100"
    server.instead[path] = lambda handler: (server.instead.pop(path), server.fail(kind, path, handler))
    assert len(fetch(server, [name], tmp_path)[1][0]["tracks"]["items"]) == 150
    assert server.asked[path] == 2


# --- what there is --------------------------------------------------------------------------------------------------------


def test_what_is_forbidden_and_what_is_gone(api: SpotifyApi, tmp_path: Path):
    name = api.catalogue.add_playlist(1, range(3))
    api.forbidden = {f"playlists/{name[-22:]}"}
    assert refuse(AccessForbidden, "not for this application", api, [name], tmp_path).status == 403
    refuse(ResourceGone, "has nothing of what was asked for", api, ["spotify:playlist:" + spotify_id("playlist", 9)], tmp_path / "other")


def test_where_several_at_once_are_forbidden_each_is_asked_for(api: SpotifyApi, tmp_path: Path):
    names = api.catalogue.add_tracks(range(3))
    api.forbidden = {"tracks"}
    fetched, documents = fetch(api, [*names, TRACK.replace(TRACK[-22:], spotify_id("track", 99))], tmp_path)
    assert [document["uri"] for document in documents] == names
    assert len(fetched.unknown) == 1
    assert sum(api.asked.values()) == 1 + 1 + 4


def test_a_playlist_that_tells_only_where_its_items_are(api: SpotifyApi, tmp_path: Path):
    name = api.catalogue.add_playlist(1, range(70))
    value = {**api.catalogue.objects["playlists"][name[-22:]], "items": {"href": "", "total": 70}}
    api.instead[f"/v1/playlists/{name[-22:]}?additional_types=track,episode"] = lambda handler: handler.answer(value)
    documents = fetch(api, [name], tmp_path)[1]
    assert len(documents[0]["items"]["items"]) == documents[0]["items"]["total"] == 70


@pytest.mark.parametrize("changes", [1, 9])
def test_a_playlist_that_is_changed_while_it_is_read_is_read_again(api: SpotifyApi, tmp_path: Path, changes: int):
    name = api.catalogue.add_playlist(1, range(250))
    items, second = api.catalogue.parts[f"/v1/playlists/{name[-22:]}/tracks"], f"/v1/playlists/{name[-22:]}/tracks?offset=100&limit=100"

    def change(handler):
        items.insert(0, {"added_at": None, "track": track(1000 + len(items))})
        if len(items) == 250 + changes:
            del api.instead[second]
        handler.answer(api._page(second.partition("?")[0], 100, 100))

    api.instead[second] = change
    if changes > 3:
        refuse(WebApiUnavailable, "changed again and again", api, [name], tmp_path)
        return
    documents = fetch(api, [name], tmp_path)[1]
    assert [item["track"]["id"] for item in documents[0]["tracks"]["items"]] == [item["track"]["id"] for item in items]


@pytest.mark.parametrize(
    "page", [{"items": {}, "total": 3}, {"items": [1], "total": 2, "next": "SELF"}, {"items": [], "total": 3, "next": "http://["}]
)
def test_pages_that_are_none(api: SpotifyApi, tmp_path: Path, page: dict):
    name = f"spotify:artist:{spotify_id('artist', 1)}/albums"
    path = f"/v1/artists/{spotify_id('artist', 1)}/albums?limit=10"
    page = {**page, "next": api.url + path} if page.get("next") == "SELF" else page
    api.instead[path] = lambda handler: handler.answer(page)
    refuse(WebApiMalformed, "is none|links back|no URL|another host", api, [name], tmp_path)


def test_without_httpx_the_extra_is_named(api: SpotifyApi, tmp_path: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)
    assert refuse(MissingExtra, "needs httpx", api, [TRACK], tmp_path).extra == "web"
    assert not [*tmp_path.iterdir()]
