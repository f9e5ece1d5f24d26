"""Files that are at fault, rights and room that are lacking: a specific error, and nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tenancy_fixtures import FixtureManager, Settings
from tenancy_fixtures import exceptions as errors
from tenancy_fixtures._pg.bootstrap import with_parts
from tests.acceptance.support import SECRET, USERS, State, as_csv, failing, of_tracks, of_users, track, user, without_root, written

pytestmark = pytest.mark.anyio


# --- files ----------------------------------------------------------------------------------------------------------

GOOD = as_csv(USERS, [user(1), user(2)]).encode()


def folder_of(*files: tuple[str, bytes]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "files").mkdir()
        for name, content in files:
            (folder / "files" / name).write_bytes(content)
        return folder / "files"

    return make


LINES = GOOD.splitlines(keepends=True)
ONE_COLUMN_LESS = tuple(name for name in USERS if name != "email")

FILES: dict[str, tuple[Callable[[Path], Path], type[errors.SourceError], dict[str, Any]]] = {
    "missing": (lambda folder: folder / "users.csv", errors.SourceMissing, {}),
    "empty": (written("users.csv", b""), errors.SourceEmpty, {}),
    "blank": (written("users.csv", b"\n\r\n\n"), errors.SourceEmpty, {}),
    "header_only": (written("users.csv", LINES[0]), errors.SourceEmpty, {}),
    "header_without_end": (written("users.csv", LINES[0].rstrip()), errors.SourceEmpty, {}),
    "one_of_two_empty": (folder_of(("users.csv", GOOD), ("zzz.csv", b"")), errors.SourceEmpty, {"source": "zzz.csv"}),
    "folder_without_files": (folder_of(("users.md", GOOD)), errors.SourceMissing, {"source": None}),
    "glob_without_files": (lambda folder: folder / "*.csv", errors.SourceMissing, {"source": None}),
    # UTF-8 that was damaged: no other encoding would mend it.
    "header_not_utf8": (
        written("users.csv", LINES[0].replace(b"plan", "plän".encode() + b"\xff") + "é".encode() * 9),
        errors.SourceUndecodable,
        {"record": None},
    ),
    "utf16_cut": (written("users.csv", GOOD.decode().encode("utf-16")[:-1]), errors.SourceUndecodable, {"record": 2, "offset": 2 * len(GOOD)}),
    "lacks_a_column": (of_users(user(1), columns=ONE_COLUMN_LESS), errors.ColumnMissing, {"column": "email"}),
    "extra_column": (of_users(user(1, phone=SECRET), columns=(*USERS, "phone")), errors.SourceMalformed, {"columns": ["phone"]}),
    "column_twice": (of_users(user(1), columns=(*USERS, "email")), errors.SourceMalformed, {}),
    "column_without_name": (of_users(user(1) | {"": SECRET}, columns=(*USERS, "")), errors.SourceMalformed, {}),
    "unclosed_quote": (written("users.csv", LINES[0] + LINES[1] + LINES[2].replace(b"user2,", b'"user2,', 1)), errors.SourceMalformed, {"record": 2}),
    "second_file_lacks_a_column": (
        folder_of(("a.csv", GOOD), ("b.csv", as_csv(ONE_COLUMN_LESS, [user(3)]).encode())),
        errors.ColumnMissing,
        {"column": "email", "source": "b.csv"},
    ),
}


@pytest.mark.parametrize("name", FILES)
async def test_a_file_that_is_at_fault(kept: FixtureManager, state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str):
    make, kind, facts = FILES[name]
    path = make(tmp_path)
    with failing(state, kind, log=caplog) as found:
        await kept.load_fixtures("acme", sources={"users": path})
    error = found[0]
    expected = {"source": "users.csv", **facts}
    assert {fact: getattr(error, fact) for fact in expected} == expected | ({} if expected["source"] else {"source": str(path)})
    assert path.name in error.message or (error.source or "") in error.message
    assert error.step == "data: apply"


async def test_a_name_that_is_no_text(acme: FixtureManager, state: State, tmp_path: Path):
    """File names are bytes: one that is not UTF-8 is a file like any other, and NUL is in none."""
    folder = tmp_path / "files"
    folder.mkdir()
    try:
        (folder / os.fsdecode(b"caf\xe9.csv")).write_bytes(GOOD)
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    report = (await acme.load_fixtures("acme", sources={"users": folder})).dataset("users")
    assert (report.stored, report.sources) == (2, ("caf\ufffd.csv",))
    with failing(state, errors.SourceMissing):
        await acme.load_fixtures("acme", sources={"users": "users\x00.csv"})


@pytest.mark.parametrize("what", ["file", "folder"])
async def test_no_right_to_read(acme: FixtureManager, state: State, reachable: Path, what: str):
    folder = reachable / "files"
    folder.mkdir()
    (folder / "users.csv").write_bytes(GOOD)
    # What is loaded lazily is loaded now, while everything may still be read.
    await acme.load_fixtures("acme", sources={"users": folder})
    path = folder if what == "folder" else folder / "users.csv"
    path.chmod(0)
    try:
        with failing(state, errors.SourceMissing) as found, without_root():
            await acme.load_fixtures("acme", sources={"users": path})
    finally:
        path.chmod(0o755)
    assert path.name in found[0].source
    assert "Permission denied" in found[0].message


# --- rights and room ------------------------------------------------------------------------------------------------


async def test_a_login_without_any_right(admin_database_url: str, state: State):
    name = "tenancy_test_nobody"
    state.run(f"DROP ROLE IF EXISTS {name}", f"CREATE ROLE {name} LOGIN PASSWORD 'only-for-tests'")
    url = with_parts(admin_database_url, database=admin_database_url.rpartition("/")[2], user=name, password="only-for-tests")
    before = state.snapshot()
    try:
        with pytest.raises(errors.PermissionDenied) as raised:
            async with FixtureManager(Settings.from_env(database_url=url)) as manager:
                await manager.create_tenant("acme")
        assert raised.value.sqlstate == "42501"
        assert "tenancy init" in raised.value.hint
    finally:
        assert state.snapshot() == before
        state.run(f"DROP ROLE {name}")


async def test_a_wrong_password(database_url: str, state: State):
    wrong = database_url.replace("only-for-tests", "not-the-one")
    with contextlib.suppress(psycopg.OperationalError):
        psycopg.connect(wrong).close()
        pytest.skip("this server trusts everybody")
    with pytest.raises(errors.PermissionDenied) as raised:
        async with FixtureManager(Settings.from_env(database_url=wrong)):
            pass
    assert "not-the-one" not in json.dumps(raised.value.to_dict())
    assert "not-the-one" not in "".join(traceback.format_exception(None, raised.value, raised.value.__traceback__))


async def test_the_applications_login_may_not_make_tenants(app_database_url: str, state: State):
    before = state.snapshot()
    async with FixtureManager(Settings.from_env(database_url=app_database_url)) as manager:
        with pytest.raises(errors.PermissionDenied):
            await manager.create_tenant("acme")
    assert state.snapshot() == before


async def test_no_right_to_make_a_schema(manager: FixtureManager, state: State, database: str):
    state.run(f'REVOKE CREATE ON DATABASE "{database}" FROM tenancy_test_migrator')
    async with manager:
        try:
            with failing(state, errors.PermissionDenied) as found:
                await manager.create_tenant("acme")
        finally:
            state.run(f'GRANT CREATE ON DATABASE "{database}" TO tenancy_test_migrator')
    assert (found[0].sqlstate, found[0].step) == ("42501", "schema: apply")


async def test_no_right_to_write_a_table(acme: FixtureManager, state: State, tmp_path: Path):
    state.run("REVOKE INSERT ON t_acme.users FROM tenancy_test_loader")
    with failing(state, errors.PermissionDenied) as found:
        await acme.load_fixtures("acme", sources={"users": of_users(user(1))(tmp_path)})
    assert "users" in found[0].message
    assert found[0].step == "data: apply"


@pytest.fixture
def little_room(tmp_path: Path, state: State, database: str) -> Any:
    """A tablespace of 4 MB, for the tables of tenants that are made from here on."""
    if os.geteuid() != 0:
        pytest.skip("a file system of 4 MB can only be mounted as root")
    owner = state.value("SELECT (pg_stat_file(current_setting('data_directory'))).size IS NOT NULL") and Path(
        state.value("SELECT current_setting('data_directory')")
    )
    if not owner.is_dir():
        pytest.skip("the server runs on another machine: its disk cannot be made small from here")
    mount, name = Path("/tmp") / f"tenancy_little_{database[-12:]}", f"tenancy_little_{database[-12:]}"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", mount], check=False, capture_output=True).returncode:
        mount.rmdir()
        pytest.skip("a file system of 4 MB cannot be mounted here")
    os.chown(mount, owner.stat().st_uid, owner.stat().st_gid)
    state.run(f"CREATE TABLESPACE {name} LOCATION '{mount}'")
    yield name
    state.run("DROP SCHEMA IF EXISTS t_acme CASCADE", f"DROP TABLESPACE {name}")
    subprocess.run(["umount", mount], check=True)
    mount.rmdir()


async def test_no_room_on_the_disk(acme: FixtureManager, state: State, tmp_path: Path, little_room: str):
    for table in ("users", "artists", "tracks", "audio_features"):
        state.run(f"ALTER TABLE t_acme.{table} SET TABLESPACE {little_room}")
    path = of_tracks(*(track(number, title=SECRET * 20) for number in range(1, 12001)))(tmp_path)
    with failing(state, errors.OutOfResources) as found:
        await acme.load_fixtures("acme", sources={"tracks": path})
    assert found[0].sqlstate == "53100"
    assert isinstance(found[0], errors.Transient)
    # With less to store it works.
    report = await acme.load_fixtures("acme", sources={"tracks": of_tracks(track(1))(tmp_path)})
    assert report.dataset("tracks").stored == 1
