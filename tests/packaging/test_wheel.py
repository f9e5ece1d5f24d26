"""The built wheel holds what the library reads, and nothing that only its makers need."""

from __future__ import annotations

import email
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"


@pytest.fixture(scope="session")
def names(wheel) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="session")
def metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_it_holds_the_library_the_alias_and_nothing_else(names):
    assert {name.split("/")[0].split("-")[0] for name in names} == {"tenancy_fixtures", "app"}
    assert not [
        name
        for name in names
        if ("test" in name and "testkit" not in name and not name.endswith("integrations/pytest.py")) or name.endswith((".pyc", ".generated-by"))
    ]


def test_every_source_file_is_in_it(names):
    sources = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != ".generated-by"
    }
    assert sources - names == set()


def test_app_and_app_tenancy_stay_namespace_packages(names):
    assert not names & {"app/__init__.py", "app/tenancy/__init__.py"}


def test_both_names_are_typed(names):
    assert {"tenancy_fixtures/py.typed", "app/tenancy/fixtures/py.typed"} <= names


def test_the_default_pack_comes_with_its_data(names):
    templates = {name[len("tenancy_fixtures/templates/") :] for name in names if name.startswith("tenancy_fixtures/templates/")}
    assert {"__init__.py", "pack.json", "tenant_template.json", "config_template.json", "schema_template.sql"} <= templates
    assert [name for name in templates if name.startswith("migrations/")]
    assert [name for name in templates if name.startswith("data/")]


def test_the_pack_to_begin_with_comes_whole(names):
    here = ROOT / "src" / "tenancy_fixtures" / "_skeleton" / "pack"
    wanted = {f"tenancy_fixtures/_skeleton/pack/{path.relative_to(here).as_posix()}" for path in here.rglob("*") if path.is_file()}
    assert len(wanted) == 8
    assert wanted <= names


def test_the_default_pack_is_read_from_the_wheel(host):
    assert (
        host.python_prints("from tenancy_fixtures.packs import Pack; p = Pack.default(); print(len(p.manifest.datasets) > 0, p.head > 0)")
        == "True True"
    )


def test_importing_it_loads_nothing_heavy(host):
    heavy = "polars pyarrow pgpq pandas sqlalchemy psycopg fastapi cashews alembic"
    program = f"import sys, tenancy_fixtures, app.tenancy.fixtures; print(sorted(set('{heavy}'.split()) & set(sys.modules)))"
    assert host.python_prints(program) == "[]"


def test_pytest_finds_the_plugin(wheel, names):
    (name,) = (name for name in names if name.endswith(".dist-info/entry_points.txt"))
    with zipfile.ZipFile(wheel) as archive:
        assert "[pytest11]\ntenancy = tenancy_fixtures.integrations.pytest\n" in archive.read(name).decode()


def test_the_metadata_say_what_is_promised(metadata):
    assert metadata["Name"] == "tenancy-fixtures"
    assert metadata["Requires-Python"] == ">=3.9"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert set(metadata.get_all("Provides-Extra")) == {"all", "cache", "embedded", "generate", "load", "service", "testing", "web"}
    base = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert not [line for line in base if line.split(">")[0].strip() in {"polars", "pyarrow", "fastapi", "cashews", "redis"}]
