"""What can be asked for of Spotify's Web API, and the journal of what came."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tenancy_fixtures import PerformanceTracker, Settings
from tenancy_fixtures._spotify_live import WebApiRequest, fetching
from tenancy_fixtures._spotify_live import _journal as journals
from tenancy_fixtures._spotify_live._journal import Journal
from tenancy_fixtures._spotify_live._wanted import batches, parse, path_of
from tenancy_fixtures.exceptions import ConfigurationError
from tests.spotify_api import speaking, spotify_id

TRACK = "spotify:track:" + spotify_id("track", 1)


# --- what is asked for --------------------------------------------------------------------------------------------------


def test_names_of_resources():
    one, two = spotify_id("a", 1), spotify_id("a", 2)
    names = [
        f"spotify:playlist:{one}",
        f"https://open.spotify.com/playlist/{one}?si=abc",
        f"https://open.spotify.com/intl-de/artist/{two}/albums",
        f"spotify:artist:{two}",
        f"spotify:user:me:playlist:{two}",
    ]
    assert [item.uri for item in parse(names)] == [
        f"spotify:playlist:{one}",
        f"spotify:artist:{two}/albums",
        f"spotify:artist:{two}",
        f"spotify:playlist:{two}",
    ]
    assert path_of(parse(names)[1], "FR") == f"/artists/{two}/albums?limit=10&market=FR"


@pytest.mark.parametrize(
    "name", ["", "spotify:track:short", "spotify:user:me", f"spotify:album:{spotify_id('a', 1)}/albums", "track", "https://example.org/"]
)
def test_what_is_no_resource_is_refused(name):
    with pytest.raises(ConfigurationError, match="nothing that the Web API"):
        parse([name])


def test_a_market_has_two_letters_and_nothing_is_no_request():
    with pytest.raises(ConfigurationError, match="no market"):
        WebApiRequest.of([TRACK], market="fr")
    with pytest.raises(ConfigurationError, match="nothing is asked for"):
        WebApiRequest.of([])


def test_as_many_at_once_as_the_api_allows():
    kinds = {"track": 120, "album": 41, "artist": 50, "playlist": 3}
    names = [f"spotify:{kind}:{spotify_id(kind, number)}" for kind, count in kinds.items() for number in range(count)]
    assert [(group[0].kind, len(group)) for group in batches(parse(names))] == [
        *[("track", 50), ("track", 50), ("track", 20)],
        *[("album", 20), ("album", 20), ("album", 1)],
        ("artist", 50),
        *[("playlist", 1)] * 3,
    ]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://api.example.org/v1", "spotify_api_url"),
        ("https://me:hush@api.example.org", "spotify_api_url"),
        ("http://127.0.0.1.example.org/", "spotify_accounts_url"),
        ("https://accounts.example.org/?a=b", "spotify_accounts_url"),
        ("accounts.example.org", "spotify_accounts_url"),
    ],
)
def test_secrets_go_where_nobody_listens(url, name):
    with pytest.raises(ConfigurationError, match=f"TENANCY_{name.upper()}"):
        Settings.from_env(**{name: url})


# --- the journal ------------------------------------------------------------------------------------------------------------


def test_a_journal_is_of_one_request_one_process_and_one_day(tmp_path: Path, monkeypatch):
    folder = tmp_path / "deep" / "journal"
    journal = Journal(folder, "one")
    journal.keep("/a", {"items": ["é"]})
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()} == {0o600}
    with pytest.raises(ConfigurationError, match="another process"):
        Journal(folder, "one")
    journal.close()
    with pytest.raises(ConfigurationError, match="another request"):
        Journal(folder, "two")
    journal = Journal(folder, "one")
    assert (journal.read("/a"), journal.read("/b")) == ({"items": ["é"]}, None)
    journal.close()
    now = time.time()
    monkeypatch.setattr(journals.time, "time", lambda: now + journals.MAX_AGE + 1)
    journal = Journal(folder, "one")
    assert journal.read("/a") is None
    journal.keep("/c", {})
    journal.remove()
    assert not folder.exists()


def test_a_journal_takes_nobodys_folder(tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for name, words in (("mine", "other files"), ("link", "not a folder of yours"), ("mine/thesis.txt/x", "no journal can be kept")):
        with pytest.raises(ConfigurationError, match=words):
            Journal(tmp_path / name, "one")
    assert (tmp_path / "mine" / "thesis.txt").read_text(encoding="utf-8") == "years of work"


def test_without_a_name_the_journal_is_in_the_users_folder(tmp_path: Path):
    async def run(api):
        settings = Settings(**api.settings, data_dir=tmp_path / "data")
        async with fetching(WebApiRequest.of(api.catalogue.add_tracks(range(2))), settings, PerformanceTracker()) as fetched:
            return fetched.file.parent, fetched.file.parent.stat().st_mode & 0o777

    with speaking() as api:
        folder, mode = asyncio.run(run(api))
    assert (folder.parent, mode) == (tmp_path / "data" / "web-api", 0o700)
    assert not folder.exists()


def test_a_page_that_is_half_there_is_none(tmp_path: Path):
    journal = Journal(tmp_path / "journal", "one")
    journal.keep("/a", {"items": [1, 2, 3]})
    (page,) = (tmp_path / "journal" / "pages").iterdir()
    whole = page.read_bytes()
    for end in range(len(whole)):
        page.write_bytes(whole[:end])
        assert journal.read("/a") is None
    page.write_bytes(whole[:-3] + b"4]}")
    assert journal.read("/a") is None
    journal.close()
