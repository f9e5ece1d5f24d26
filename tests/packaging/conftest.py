"""The wheel, built once, and throwaway environments and host projects to try it in."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def quiet_environment() -> dict[str, str]:
    misleading = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "MYPYPATH")
    return {**{name: value for name, value in os.environ.items() if name not in misleading}, "PYTHONDONTWRITEBYTECODE": "1"}


def run(*command: object, cwd: Path, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, env=quiet_environment(), capture_output=True, text=True, timeout=timeout, check=False)


def succeed(*command: object, cwd: Path) -> str:
    done = run(*command, cwd=cwd)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Host:
    """A host's project: a folder, and a Python that has our wheel."""

    folder: Path
    python: Path

    def add(self, *files: str) -> Host:
        """Write modules that know their own name, so that it can be seen which one was imported."""
        for file in files:
            path = self.folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"OWN = {file!r}\n", encoding="utf-8")
        return self

    def python_prints(self, program: str) -> str:
        return succeed(self.python, "-c", program, cwd=self.folder).strip()

    def check(self, *words: object) -> subprocess.CompletedProcess[str]:
        """Run a tool of the suite's own environment in the project."""
        return run(sys.executable, *words, cwd=self.folder)

    def digest(self) -> dict[str, str]:
        files = (path for path in self.folder.rglob("*") if path.is_file() and ".mypy_cache" not in path.parts)
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    succeed(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def python(wheel, tmp_path_factory) -> Path:
    """A Python of its own with the wheel; the dependencies are borrowed from here, because installing them takes minutes.

    A path in a .pth file is not searched for .pth files, so this project's editable install is not borrowed with them.
    """
    home = tmp_path_factory.mktemp("host") / "env"
    venv.create(home, with_pip=True, symlinks=True)
    interpreter = home / "bin" / "python"
    succeed(interpreter, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=home)
    (site,) = home.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text("\n".join(dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])), encoding="utf-8")
    return interpreter


@pytest.fixture
def host(python, tmp_path) -> Host:
    folder = tmp_path / "a host's project"
    folder.mkdir()
    return Host(folder, python)
