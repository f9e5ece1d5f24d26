"""The set-up says what is missing instead of failing somewhere later."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NINE = 'case "$*" in *version_info*) echo 3.9 ;; esac\n'
REFUSES = 'echo "python3.9: command not found" >&2; exit 127\n'


def make(goal: str, python: object) -> subprocess.CompletedProcess[str]:
    """The Makefile as a user's shell would run it, whatever make runs the suite: its variables say that it is a part of another."""
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
    return subprocess.run(["make", goal, f"PYTHON={python}"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def program(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(0o755)
    return path


def floor_python(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "tools/floor_python.sh"], env=environment, capture_output=True, text=True, check=False)


def tool(tmp_path: Path, prelude: str, *, folder: str = ".venv-absent") -> subprocess.CompletedProcess[str]:
    code = f"import runpy, sys\n{prelude}\nsys.argv = ['environment.py', {folder!r}, 'requirements/newest.txt']\nrunpy.run_path({str(ROOT / 'tools/environment.py')!r}, run_name='__main__')"
    return subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)


class TestFloorPython:
    def test_a_name_on_path_that_refuses_is_passed_over(self, tmp_path):
        program(tmp_path / "shims/python3.9", REFUSES)
        good = program(tmp_path / "a folder/python3.9", NINE)
        assert floor_python(PATH=f"{tmp_path}/shims:{tmp_path}/a folder", HOME="").stdout.strip() == str(good)

    def test_pyenv_is_asked_last(self, tmp_path):
        program(tmp_path / "shims/python3.9", REFUSES)
        good = program(tmp_path / "pyenv root/versions/3.9.18/bin/python", NINE)
        assert floor_python(PATH=f"{tmp_path}/shims", PYENV_ROOT=f"{tmp_path}/pyenv root").stdout.strip() == str(good)

    def test_the_one_that_is_named_wins(self, tmp_path):
        program(tmp_path / "bin/python3.9", NINE)
        named = program(tmp_path / "named", NINE)
        assert floor_python(PATH=f"{tmp_path}/bin", PYTHON39=str(named)).stdout.strip() == str(named)

    def test_one_that_is_named_and_is_another_is_an_error(self, tmp_path):
        program(tmp_path / "bin/python3.9", NINE)
        done = floor_python(PATH=f"{tmp_path}/bin", PYTHON39=str(program(tmp_path / "named", "echo 3.12\n")))
        assert done.returncode == 1
        assert "not a Python 3.9" in done.stderr

    def test_none_is_an_error_that_says_what_to_do(self, tmp_path):
        done = floor_python(PATH=str(tmp_path), PYENV_ROOT=str(tmp_path))
        assert done.returncode == 1
        assert "PYTHON39=" in done.stderr


class TestEnvironment:
    def test_an_old_python_is_named(self, tmp_path):
        done = tool(tmp_path, "sys.version_info = (3, 8, 18)")
        assert done.returncode == 1
        assert "Python 3.9 or newer is needed" in done.stderr

    def test_a_python_without_ensurepip_is_told_what_to_install(self, tmp_path):
        done = tool(tmp_path, "sys.modules['ensurepip'] = None")
        assert done.returncode == 1
        assert "-venv" in done.stderr
        assert not (ROOT / ".venv-absent").exists()

    @pytest.mark.parametrize(("home", "possible"), [("", False), ("/nonexistent", False), ("relative", False), (None, True)])
    def test_a_cache_needs_a_home(self, tmp_path, home, possible):
        tools = str(ROOT / "tools")
        environment = {**os.environ, "HOME": str(tmp_path) if home is None else home}
        code = f"import sys; sys.path.insert(0, {tools!r}); import environment; print(environment.cache_possible(), environment.environment().get('PIP_NO_CACHE_DIR'))"
        environment.pop("PIP_NO_CACHE_DIR", None)
        done = subprocess.run([sys.executable, "-B", "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.split() == [str(possible), "None" if possible else "1"]

    def test_the_makefile_refuses_an_old_python_in_words(self, tmp_path):
        old = program(
            tmp_path / "python",
            'case "$*" in *environment.py*) echo reached ;; *) shift; exec '
            f'"{sys.executable}" -c "import sys; sys.version_info = (3, 8); $*" ;; esac\n',
        )
        done = make("environment", old)
        assert done.returncode != 0
        assert "Python 3.9 or newer is needed" in done.stderr
        assert "reached" not in done.stdout

    @pytest.mark.parametrize("name", ["no-such-python", "ls"])
    def test_the_makefile_says_in_one_line_that_there_is_no_such_python(self, name):
        done = make("demo", name)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert f"PYTHON={name} is no Python that runs here" in done.stderr
        assert "make PYTHON=python3.11 demo" in done.stderr
