"""``tenancy validate``: the plan and the question of a repair, the record, keys, and the page."""

from __future__ import annotations

from html.parser import HTMLParser

import psycopg
import pytest

from tenancy_fixtures._shapes import Finding, ValidationReport
from tenancy_fixtures.cli import _html

VOID = {"meta", "link", "br", "input"}


class Page(HTMLParser):
    """What a page holds: that its elements are closed in order, and the names that it shows."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.texts, self.links = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture
def damaged(tenancy, artists, admin_database_url):
    """A tenant with two artists, one of them edited, without an index, and with a sequence that is behind."""
    tenancy("tenant", "create", "acme")
    tenancy("load", "acme", "--dataset", f"artists={artists}")
    with psycopg.connect(admin_database_url) as connection:
        connection.execute("DROP INDEX t_acme.artists_genres_idx")
        connection.execute("UPDATE t_acme.artists SET popularity = 99 WHERE name = 'Ada'")
        connection.execute("INSERT INTO t_acme.metrics (metric_id, name, granularity, period_start, value) VALUES (1, 'plays', 'day', now(), 1)")
    return tenancy


def rules(done):
    return sorted((item["rule"], item["object"]) for item in done.lines[-1]["findings"])


FOUND = [("edited", "artists"), ("index", "artists_genres_idx"), ("sequence", "metrics.metric_id")]


def test_a_plan_shows_and_changes_nothing(damaged, state):
    before = state()
    done = damaged("validate", "acme", "--repair", "--dry-run", "--json")
    assert done.code == 0
    assert [(step["action"], step["object"]) for step in done.json["steps"]] == [
        ("put back", "artists_genres_idx"),
        ("move", "metrics.metric_id"),
        ("leave", "artists"),
    ]
    assert state() == before
    assert rules(damaged("validate", "acme", "--json")) == FOUND


def test_nobody_to_ask_and_nothing_said(damaged):
    for words in (("--repair",), ("--repair", "--json")):
        done = damaged("validate", "acme", *words)
        assert (done.code, "nobody is there" in done.out + done.err) == (2, True)
    assert rules(damaged("validate", "acme", "--json")) == FOUND


@pytest.mark.parametrize("answer", ["y", "n"])
def test_somebody_is_asked(damaged, monkeypatch, answer):
    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
    done = damaged("validate", "acme", "--repair")
    assert "would repair 2 objects" in done.out
    assert "Repair tenant 'acme' so?" in done.err
    assert (done.code, "repaired 2 objects" in done.out, "Nothing was changed." in done.err) == (
        (0, True, False) if answer == "y" else (1, False, True)
    )


class Terminal:
    """Somebody at a keyboard."""

    def __init__(self, text):
        self.lines = text.splitlines(keepends=True)

    def isatty(self):
        return True

    def readline(self, *_):
        return self.lines.pop(0)


def test_a_repair_and_what_is_left(damaged):
    done = damaged("validate", "acme", "--repair", "--yes", "--json")
    assert done.code == 0
    assert rules(done) == [("edited", "artists")]
    assert damaged("validate", "acme", "--record").code == 0
    assert damaged("validate", "acme", "--json").json["findings"] == []


def test_options_that_do_not_go_together(tenancy):
    tenancy("tenant", "create", "acme")
    for words in (
        "--repair",
        "--record",
        "acme --dry-run",
        "acme --yes",
        "acme --orphans",
        "acme --keep-rows",
        "acme --repair --record --yes",
        "acme --html /nowhere/report.html",
    ):
        assert tenancy("validate", *words.split()).code == 2, words


def test_keys_are_shown_to_those_who_ask(damaged, look):
    key = str(look("SELECT artist_id FROM t_acme.artists WHERE name = 'Ada'")[0][0])
    assert key in damaged("validate", "acme", "--keys").out
    assert key in damaged("validate", "acme", "--keys", "--json").out
    assert key not in damaged("validate", "acme").out + damaged("validate", "acme", "--json").out


def test_a_page(damaged, tmp_path, look):
    path = tmp_path / "report.html"
    done = damaged("validate", "--keys", "--html", path)
    assert done.code == 1
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert {"acme", "spotify-agent", "artists_genres_idx", "metrics.metric_id"} <= {item.strip() for item in page.texts}
    assert "health 61 of 100" in " ".join(page.texts)
    assert "script" not in page.tags
    assert all(link.startswith("#") for link in page.links)
    assert "http" not in text.replace('http-equiv="Content-Security-Policy"', "")
    assert str(look("SELECT artist_id FROM t_acme.artists WHERE name = 'Ada'")[0][0]) not in text
    assert {"th", "caption", "main", "h1", "h2", "h3", "meter"} <= set(page.tags)


def test_a_page_escapes_whatever_a_name_holds():
    name = "<script>alert(1)</script>\"'&\x1b[31m\u202e"
    report = ValidationReport(name, 1, (Finding(name, "error", name, name, 2, ("secret-key",)),), 0.1, {name: 3})
    text = _html.page([report, report])
    page = Page(text)
    assert "script" not in page.tags
    assert "\x1b" not in text
    assert "secret-key" not in text
    assert any("<script>alert(1)</script>" in item for item in page.texts)
