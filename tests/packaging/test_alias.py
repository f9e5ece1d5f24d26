"""Two names, one library: what a host sees, whatever is called ``app`` in its tree."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from tenancy_fixtures._alias import MARKER, MODULES, SCRIPTS, alias_files, write_alias
from tenancy_fixtures.exceptions import AliasConflict

APP = Path(__file__).resolve().parents[2] / "src" / "app"

IDENTICAL = """
import importlib, json, sys
found = {}
for name in ["", *sys.argv[1:], ".scripts", ".templates"]:
    real, alias = (importlib.import_module(root + name) for root in ("tenancy_fixtures", "app.tenancy.fixtures"))
    assert alias is not real and "fixtures" in alias.__file__
    names = getattr(real, "__all__", None) or [key for key in vars(real) if not key.startswith("_")]
    found[name] = [key for key in names if getattr(alias, key) is not getattr(real, key)]
print(json.dumps(found))
"""

# What the host has; whether the alias is within reach beside it; the host's own modules.
HOSTS = {
    "no app": ([], True, []),
    "app without __init__": (["app/service.py"], True, ["app.service"]),
    "app with __init__": (["app/__init__.py", "app/service.py"], False, ["app", "app.service"]),
    "a module app": (["app.py"], False, ["app"]),
    "own app/tenancy without __init__": (["app/tenancy/billing.py"], True, ["app.tenancy.billing"]),
    "own app/tenancy with __init__": (["app/tenancy/__init__.py", "app/tenancy/billing.py"], False, ["app.tenancy", "app.tenancy.billing"]),
    "own regular app and app/tenancy": (["app/__init__.py", "app/tenancy/__init__.py"], False, ["app", "app.tenancy"]),
}


def assert_identical(host) -> None:
    modules = [f".{name}" for name in MODULES]
    output = json.loads(host.python_prints(IDENTICAL.replace("*sys.argv[1:]", ", ".join(map(repr, modules)))))
    assert output == {name: [] for name in ["", *modules, ".scripts", ".templates"]}


@pytest.mark.parametrize("name", HOSTS)
def test_the_library_imports_and_the_host_keeps_its_own(host, name):
    files, within_reach, own = HOSTS[name]
    before = host.add(*files).digest()
    location = host.python_prints("import tenancy_fixtures, tenancy_fixtures.exceptions as e; print(tenancy_fixtures.__file__)")
    assert Path(location).is_relative_to(host.python.parent.parent)
    for module in own:
        value = host.python_prints(f"import tenancy_fixtures, importlib; print(importlib.import_module({module!r}).OWN)")
        assert value in files
    if within_reach:
        assert_identical(host)
    else:
        message = host.python_prints("try: import app.tenancy.fixtures\nexcept ModuleNotFoundError as e: print(e.name)")
        assert message in {"app.tenancy", "app.tenancy.fixtures"}
    assert host.digest() == before


@pytest.mark.parametrize("name", [name for name, (_, within_reach, _) in HOSTS.items() if not within_reach and "module" not in name])
def test_a_host_with_its_own_app_can_take_the_alias(host, name):
    files, _, own = HOSTS[name]
    before = host.add(*files).digest()
    written = write_alias(host.folder / "app")
    assert len(written) == len(alias_files())
    assert_identical(host)
    for module in own:
        assert host.python_prints(f"import {module}; print({module}.OWN)") in files
    after = host.digest()
    assert {path: digest for path, digest in after.items() if path in before} == before
    assert set(after) - set(before) == {str(path) for path in written}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("package", ["app.tenancy.fixtures", "tenancy_fixtures"])
def test_each_script_runs_by_its_path(host, package, script):
    done = host.python_prints(f"import runpy, sys; sys.argv = ['x', '--help']; runpy.run_module('{package}.scripts.{script}', run_name='__main__')")
    assert "--help" in done


def test_the_command_runs_by_module(host):
    assert "alias" in host.python_prints(
        "import runpy, sys; sys.argv = ['tenancy', '--help']; runpy.run_module('tenancy_fixtures', run_name='__main__')"
    )


def test_the_shipped_alias_is_what_the_command_writes():
    shipped = {path.relative_to(APP).as_posix(): path.read_text() for path in APP.rglob("*.py")}
    assert shipped == alias_files()


def test_writing_again_writes_nothing(tmp_path):
    assert write_alias(tmp_path)
    assert write_alias(tmp_path) == []


def test_a_dry_run_says_what_it_would_write_and_writes_nothing(tmp_path):
    assert len(write_alias(tmp_path, dry_run=True)) == len(alias_files())
    assert list(tmp_path.iterdir()) == []


def test_an_older_alias_is_renewed(tmp_path):
    write_alias(tmp_path)
    base = tmp_path / "tenancy/fixtures/base.py"
    base.write_text(f'"""Old."""\n{MARKER}\n')
    assert write_alias(tmp_path) == [base]
    assert base.read_text() == alias_files()["tenancy/fixtures/base.py"]


@pytest.mark.parametrize("content", [b"", b"mine = 1\n", b"\xff\xfe", f"'{MARKER}'".encode()])
def test_a_file_of_somebody_else_stays_and_nothing_is_written(tmp_path, content):
    mine = tmp_path / "tenancy/fixtures/utils.py"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(content)
    with pytest.raises(AliasConflict) as caught:
        write_alias(tmp_path)
    assert caught.value.files == [str(mine)]
    assert mine.read_bytes() == content
    assert list(mine.parent.iterdir()) == [mine]
    assert mine in write_alias(tmp_path, force=True)
    assert mine.read_text() == alias_files()["tenancy/fixtures/utils.py"]


@pytest.mark.parametrize("rival", ["tenancy.py", "tenancy/fixtures.py", "tenancy/fixtures/base/__init__.py", "tenancy/fixtures/scripts.py"])
def test_a_module_of_the_same_name_is_never_hidden(tmp_path, rival):
    path = tmp_path / rival
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with pytest.raises(AliasConflict) as caught:
        write_alias(tmp_path, force=True)
    assert caught.value.files == [str(path)]
    assert [item for item in tmp_path.rglob("*") if item.is_file()] == [path]


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(AliasConflict, match="no folder"):
        write_alias(tmp_path / "absent")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    # A file where a folder must be: it stops root as well.
    (tmp_path / "tenancy").write_text("a file")
    with pytest.raises(AliasConflict, match="cannot be written"):
        write_alias(tmp_path)


@pytest.mark.skipif(find_spec("mypy") is None, reason="the floor lane has no type checkers: its job is to run the code")
class TestTypeCheckers:
    """mypy and pyright see through the alias: the same types by both names."""

    CASES = pytest.mark.parametrize(("files", "alias"), [([], False), (["app/service.py"], False), (["app/__init__.py"], True)])

    @staticmethod
    def prepare(host, files, *, alias):
        host.add(*files)
        if alias:
            write_alias(host.folder / "app")
        (host.folder / "reexports.py").write_text((Path(__file__).parent / "reexports.py").read_text())
        # The comment is mypy's: pyright reports the same lines by rules of its own and ignores all of them with it.
        (host.folder / "pyrightconfig.json").write_text(
            '{"typeCheckingMode": "strict", "reportUnnecessaryTypeIgnoreComment": "error", "include": ["reexports.py"]}'
        )

    @staticmethod
    def mypy(host):
        return host.check("-m", "mypy", "--strict", "--python-executable", host.python, "--cache-dir", host.folder / ".mypy_cache", "reexports.py")

    @staticmethod
    def pyright(host):
        return host.check("-m", "pyright", "--pythonpath", host.python)

    @CASES
    def test_mypy_follows(self, host, files, alias):
        self.prepare(host, files, alias=alias)
        done = self.mypy(host)
        assert done.returncode == 0, done.stdout + done.stderr

    @CASES
    def test_pyright_follows(self, host, files, alias):
        self.prepare(host, files, alias=alias)
        done = self.pyright(host)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_pyright_says_where_the_alias_is_out_of_reach(self, host):
        # mypy does not: it joins a regular package in the project with the rest of it elsewhere, as Python would not.
        self.prepare(host, ["app/__init__.py"], alias=False)
        assert "reportMissingImports" in self.pyright(host).stdout
