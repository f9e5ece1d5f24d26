"""What the documentation tells a reader to type works, and prints what it says."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tenancy_fixtures._pg import embedded
from tenancy_fixtures._pg.bootstrap import with_parts
from tenancy_fixtures.settings import Settings
from tests.databases import drop_database
from tests.docs.support import ADMIN, LEFT_OUT, READMES, ROOT, SERVICE, Reader, blocks, compare

PASSWORD = "only-for-tests"
GUIDES = [*sorted((ROOT / "docs" / "how-to").glob("*.md")), ROOT / "docs" / "reference" / "errors.md", ROOT / "docs" / "reference" / "pack.md"]


@pytest.fixture
def host(admin_url):
    """A database, and the name of a login to be, on the server that the suite runs against; both are gone afterwards."""
    name = f"docs_{secrets.token_hex(6)}"
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield name
    drop_database(admin_url, name, f"{name}_template", f"{name}_t_east")
    with psycopg.connect(admin_url, autocommit=True) as connection:
        for login in (f"{name}_service", f"{name}_plain"):
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(login)))


@pytest.fixture(scope="module")
def data_dir():
    """Where the readers' embedded server keeps its data. Not below tmp_path: whom the server runs as may not enter it."""
    folder = Path(tempfile.mkdtemp(prefix="tenancy-docs-"))
    folder.chmod(0o755)
    yield folder / "server"
    embedded.stop(Settings.from_env(data_dir=folder / "server"))
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def reader(host, admin_url, data_dir, tmp_path):
    """Somebody in a clone, with an embedded server and a database on another server."""
    login, admin = f"{host}_service", with_parts(admin_url, database=host)
    service = with_parts(admin_url, database=host, user=login, password=PASSWORD)
    plain = with_parts(admin_url, database=host, user=f"{host}_plain", password=PASSWORD)
    stands_for = {
        ADMIN: admin,
        SERVICE: service,
        SERVICE.replace("tenancy_service", "plain_login"): plain,
        "tenancy_service": login,
        "plain_login": f"{host}_plain",
        "'PASSWORD'": f"'{PASSWORD}'",
        "DATABASE app": f"DATABASE {host}",
        "database 'app'": f"database '{host}'",
        "app_template": f"{host}_template",
        "app_t_": f"{host}_t_",
    }
    return Reader(tmp_path, data_dir, stands_for, admin)


@pytest.mark.timeout(180)
def test_the_readme_does_what_it_says(reader):
    assert reader.follow(READMES[0]) > 12


@pytest.mark.timeout(180)
@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_a_guide_does_what_it_says(reader, page):
    if page.stem == "generate-data":
        pytest.importorskip("mimesis", reason="mimesis, which makes the words, needs Python 3.10")
    assert reader.follow(page) > 0


def test_the_example_answers_a_users_mistake_in_words(database_url):
    def run(*arguments, url=database_url):
        command = [sys.executable, str(ROOT / "examples" / "welcome_prompt.py"), *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "TENANCY_DATABASE_URL": url}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr

    assert run("nobody") == "Error: no tenant 'nobody'\nMake it with `tenancy tenant create nobody`.\n"
    assert run("a b").startswith("Error: 'a b' cannot be a tenant id: ")
    assert run("nobody", url="postgresql://me:s3cret@127.0.0.1:1/x").startswith("Error: PostgreSQL cannot be reached")
    assert run().startswith("usage: python ")


def test_a_promise_that_is_not_kept_is_seen():
    printed = "Tenant  Records\n───\nacme   3\nbeta   4\n3 rows in 0.12 s\n"
    compare("Tenant Records\nacme 3\n…\n3 rows in 9.99 s\n", printed, "here")
    for wrong in ("Tenant Records\nacme 3\n3 rows in 0.12 s\n", "acme 3\n…\n", "Tenant Records\n…\nacme 4\n…\n", "Tenant Records\nacme 3\n"):
        with pytest.raises(AssertionError):
            compare(wrong, printed, "here")


def test_the_phases_of_a_load_that_took_long_are_no_promise():
    phases = "Phase         Seconds  Records    MB  Records/s\n───\nfiles            6.12        -     -          -\nread artists     0.02    1,500  0.01      5,800\n"
    compare("acme: 3 rows written in 0.12 s.\n", f"{phases}acme: 3 rows written in 6.12 s.\n", "here")
    with pytest.raises(AssertionError):
        compare("acme: 3 rows written in 0.12 s.\n", f"{phases}beta: nothing to do\nacme: 3 rows written in 6.12 s.\n", "here")


def test_what_is_left_out_is_marked_the_same_way_everywhere():
    assert [page.name for page in READMES for block in blocks(page) if "..." in block.text.splitlines()] == []
    assert any(LEFT_OUT in block.text.splitlines() for block in blocks(READMES[0]))
