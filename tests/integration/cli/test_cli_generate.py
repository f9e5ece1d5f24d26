"""``tenancy pack generate``: files, numbers, answers."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("mimesis", reason="mimesis, which makes the words, needs Python 3.10")


def test_what_it_made_loads(tenancy, tmp_path):
    made = tenancy("pack", "generate", "--rows", 30, "--rows", "users=40", "--seed", 3, "--to", tmp_path, "--json").json
    assert {item["dataset"]: item["rows"] for item in made["files"]}["users"] == 40
    assert sum(item["rows"] for item in made["files"]) == 6 * 30 + 40
    tenancy("tenant", "create", "acme")
    loaded = tenancy("load", "acme", *(f"--dataset={item['dataset']}={item['path']}" for item in made["files"]), "--json").json
    assert (loaded["read"], loaded["stored"], loaded["rejects"]) == (220, 220, 0)
    assert tenancy("validate", "acme").code == 0


def test_it_is_told_in_words_and_quiet_in_a_pipe(tenancy, tmp_path):
    done = tenancy("pack", "generate", "--rows", "artists=7", "--to", tmp_path)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[2].split()[:2] == ["artists", "7"]
    assert "7 records made in " in done.out
    assert [path.name for path in tmp_path.iterdir()] == ["artists.csv"]


def test_files_that_are_there_are_a_conflict(tenancy, tmp_path):
    words = ("pack", "generate", "--dataset", "artists", "--rows", 3, "--format", "ndjson", "--to", tmp_path)
    assert tenancy(*words).code == 0
    before = (tmp_path / "artists.ndjson").read_bytes()
    refused = tenancy(*words, "--seed", 9)
    assert (refused.code, refused.out) == (5, "")
    assert "there already" in refused.err
    assert "--force" in refused.err
    assert (tmp_path / "artists.ndjson").read_bytes() == before
    assert tenancy(*words, "--seed", 9, "--force").code == 0
    assert (tmp_path / "artists.ndjson").read_bytes() != before


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--rows", "none"), 2),
        (("--rows", "0"), 2),
        (("--rows", "=5"), 2),
        (("--rows", "artists=-5"), 2),
        (("--rows", "5", "--rows", "6"), 2),
        (("--rows", "artists=5", "--rows", "artists=5"), 2),
        (("--format", "xlsx"), 2),
        (("--rows", "nothing=5"), 4),
        (("--dataset", "nothing"), 4),
        (("--rows", "listening_history=9", "--rows", "99999999999"), 3),
    ],
)
def test_what_cannot_be_asked_for_has_its_exit_code(tenancy, tmp_path, words, code):
    assert tenancy("pack", "generate", "--to", tmp_path / "data", *words).code == code
    assert not (tmp_path / "data").exists()


def test_a_folder_that_cannot_be_written_is_an_error_of_the_set_up(tenancy, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = tenancy("pack", "generate", "--rows", 3, "--to", tmp_path / "file")
    assert done.code == 3
    assert "cannot be written" in done.err


@pytest.mark.parametrize("missing", ["mimesis", "numpy", "polars"])
def test_without_the_libraries_the_extra_is_named(database_url, tmp_path, missing):
    code = f"import sys; sys.modules[{missing!r}] = None; from tenancy_fixtures.cli import main; main(['pack', 'generate', '--to', {str(tmp_path / 'data')!r}])"
    surroundings = {"TENANCY_DATABASE_URL": database_url}
    done = subprocess.run([sys.executable, "-c", code], env=surroundings, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3, done.stderr
    assert "tenancy-fixtures[generate]" in done.stderr
    assert not (tmp_path / "data").exists()
