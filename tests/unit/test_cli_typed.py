"""What a command tells one to type can be typed as it stands, wherever the command is installed and however it was called."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tenancy_fixtures.cli._typed import command


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with an environment of its own, in which nothing called ``tenancy`` is on the path."""
    scripts = tmp_path / "a clone" / ".venv" / "bin"
    scripts.mkdir(parents=True)
    for name in ("python", "tenancy"):
        (scripts / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (scripts / name).chmod(0o755)
    monkeypatch.chdir(tmp_path / "a clone")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(scripts / "python"))
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "tenancy_fixtures" / "__main__.py"), "demo"])
    return scripts


def test_in_a_clone_it_is_the_environments_script(place):
    assert command() == ".venv/bin/tenancy"


def test_on_the_path_it_is_a_word(place, monkeypatch):
    monkeypatch.setenv("PATH", str(place))
    assert command() == "tenancy"


def test_another_one_on_the_path_is_not_this_one(place, tmp_path, monkeypatch):
    (tmp_path / "tenancy").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "tenancy").chmod(0o755)
    assert command() == ".venv/bin/tenancy"
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "tenancy"), "demo"])
    assert command() == "tenancy"


def test_a_link_to_it_on_the_path_is_this_one(place, tmp_path):
    (tmp_path / "tenancy").symlink_to(place / "tenancy")
    assert command() == "tenancy"


def test_elsewhere_it_is_named_in_full_and_quoted(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command() == "'a clone/.venv/bin/tenancy'"
    monkeypatch.chdir("/")
    assert command() == f"'{Path(*place.relative_to('/').parts)}/tenancy'"


def test_without_a_script_it_is_the_module(place):
    (place / "tenancy").unlink()
    assert command() == ".venv/bin/python -m tenancy_fixtures"
