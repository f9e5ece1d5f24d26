"""Makes or renews a virtual environment with exactly the locked packages and this project, editable; or with the packages alone.

    python tools/environment.py FOLDER LOCK [--packages-only]

Does nothing where the folder is up to date already. Needs Python 3.9 with venv and a package index, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAMP = "tenancy-environment.json"
OLDEST = (3, 9)
# Settings of pip and Python that would lead the installation somewhere else than into the folder.
MISLEADING = ("PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV", "__PYVENV_LAUNCHER__")


def main(arguments: list[str]) -> None:
    """Bring the folder up to date with the lock and the project."""
    if sys.version_info < OLDEST:
        sys.exit(
            f"Python {'.'.join(map(str, OLDEST))} or newer is needed; {sys.executable} is {sys.version.split()[0]}. Try: make PYTHON=python3.11 …"
        )
    folder, lock = ROOT / arguments[0], ROOT / arguments[1]
    packages_only = arguments[2:] == ["--packages-only"]
    wanted = state(folder, lock, packages_only=packages_only)
    found = stamp_of(folder)
    if found == wanted:
        return
    if {**found, "project": None} != {**wanted, "project": None}:
        say(
            f"Making {folder.name} with Python {sys.version.split()[0]} from {lock.relative_to(ROOT)}; the first time this fetches a few hundred megabytes"
        )
        make_environment(folder)
        pip(folder, "--require-hashes", "-r", str(lock))
    if not packages_only:
        say(f"Installing the project into {folder.name}")
        pip(folder, "--no-deps", "--no-build-isolation", "--force-reinstall", "-e", ".")
    (folder / STAMP).write_text(json.dumps(wanted), encoding="utf-8")


def state(folder: Path, lock: Path, *, packages_only: bool) -> dict[str, str | None]:
    """What the folder depends on. Its place is in it, because an environment that was moved does not work."""
    templates = ROOT / "src/tenancy_fixtures/templates"
    project = [ROOT / "pyproject.toml", ROOT / "hatch_build.py", templates / "generate.py", templates / "words.json"]
    return {
        "place": str(folder),
        "python": f"{os.path.realpath(sys.executable)} {sys.version}",
        "lock": digest(lock),
        "project": None if packages_only else digest(*project),
    }


def stamp_of(folder: Path) -> dict[str, str | None]:
    """What the folder was made from; nothing where it is not there or was not finished."""
    try:
        found = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and (folder / "bin" / "python").exists() else {}


def digest(*files: Path) -> str:
    """SHA-256 over the files that are there."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file())).hexdigest()


def make_environment(folder: Path) -> None:
    """An empty environment, in place of any that was there."""
    try:
        import ensurepip  # noqa: F401
        import venv
    except ImportError as error:
        version = ".".join(map(str, sys.version_info[:2]))
        sys.exit(
            f"{sys.executable} lacks the module {error.name}: on Debian and Ubuntu install python{version}-venv, or name another interpreter: make PYTHON=… …"
        )
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True, symlinks=True)


def pip(folder: Path, *arguments: str) -> None:
    """Run the environment's own pip; its failure is ours."""
    command = [
        str(folder / "bin" / "python"),
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        "install",
        "--quiet",
        "--no-warn-script-location",
    ]
    done = subprocess.run([*command, *arguments], cwd=ROOT, env=environment(), check=False)
    if done.returncode:
        sys.exit(
            f"pip failed (status {done.returncode}); its messages are above. A package index must be reachable: pip's own settings (PIP_INDEX_URL …) are respected."
        )


def environment() -> dict[str, str]:
    """The environment for pip: nothing that misleads it, and no cache where no home can hold one."""
    result = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    result["PIP_ROOT_USER_ACTION"] = "ignore"
    if not cache_possible():
        result.setdefault("PIP_NO_CACHE_DIR", "1")
    return result


def cache_possible() -> bool:
    """Whether there is a home folder of ours to keep a cache in. An empty ``HOME`` would lead pip to ``/.cache``."""
    home = os.environ.get("HOME")
    if home is None:
        try:
            home = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            return False
    folder = Path(home)
    return folder.is_absolute() and folder.is_dir() and folder.stat().st_uid == os.getuid() and os.access(folder, os.W_OK)


def say(text: str) -> None:
    """One line on stderr: stdout belongs to the command that follows."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
