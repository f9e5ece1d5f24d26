"""A web API on the command line: what is fetched, what is told, and how it ends."""

from __future__ import annotations

import pytest

from tests.spotify_api import CLIENT_SECRET, speaking, spotify_id


@pytest.fixture
def api(monkeypatch):
    with speaking() as server:
        for name, value in server.settings.items():
            monkeypatch.setenv(f"TENANCY_{name.upper()}", value)
        yield server


@pytest.fixture
def acme(tenancy):
    tenancy("tenant", "create", "acme")
    return tenancy


def test_what_is_fetched_is_loaded_and_what_is_unknown_is_told(acme, api, look, tmp_path):
    names = [*api.catalogue.add_tracks(range(3)), f"spotify:track:{spotify_id('track', 9)}"]
    words = [word for name in names for word in ("--from-web-api", name)]
    done = acme("load", "acme", *words, "--market", "FR", "--journal", tmp_path / "journal", "--phases")
    assert done.code == 0
    assert done.err == f"Unknown to the Web API, and not loaded: {names[3]}.\n"
    assert "fetch from the Web API" in done.out
    assert any("market=FR" in path for path in api.asked)
    assert look("SELECT count(*) FROM t_acme.tracks") == [(3,)]
    dry = acme("load", "acme", *words, "--journal", tmp_path / "journal", "--dry-run")
    assert "fetch the Web API (requests 2, pages 1, kept 0" in dry.out


def test_faults_are_told_with_a_code_of_their_own(acme, api, monkeypatch, tmp_path):
    words = ["load", "acme", "--from-web-api", f"spotify:playlist:{spotify_id('playlist', 1)}", "--journal", tmp_path / "journal"]
    assert acme(*words).code == 6
    api.forbidden = {f"playlists/{spotify_id('playlist', 1)}"}
    assert acme(*words).code == 3
    path = f"/v1/playlists/{spotify_id('playlist', 1)}?additional_types=track,episode"
    api.instead[path] = lambda handler: handler.refuse(429, "quota", Retry_After="9999")
    done = acme(*words, "--json")
    assert (done.code, done.json["error"], done.json["retry_after"]) == (7, "QuotaExceeded", 9999)
    assert CLIENT_SECRET not in done.out + done.err
    monkeypatch.setenv("TENANCY_SPOTIFY_CLIENT_SECRET", "wrong")
    done = acme(*words)
    assert (done.code, "does not know the client id" in done.err) == (3, True)
    assert acme("load", "acme", "--from-web-api", "spotify:nothing").code == 3


@pytest.mark.parametrize("words", [["--market", "FR"], ["--from-web-api", "x", "--file", "y"], ["--from-web-api", "x", "--dataset", "tracks"]])
def test_what_does_not_go_together(acme, words):
    assert acme("load", "acme", *words).code == 2
