"""The environment of the peers: made and renewed when a benchmark asks for it, from its own lock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER, LOCK = ".venv-bench", "requirements/benchmarks.txt"
PACKAGES = ("Django", "SQLAlchemy", "dlt", "adbc-driver-postgresql", "psycopg", "psycopg2-binary", "pyarrow")


def interpreter() -> Path:
    """The peers' own Python, with exactly the locked packages in place."""
    command = [sys.executable, str(ROOT / "tools" / "environment.py"), FOLDER, LOCK, "--packages-only"]
    if subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False).returncode:
        sys.exit("the peers could not be installed; --without-peers leaves them out")
    return ROOT / FOLDER / "bin" / "python"


def versions(python: Path) -> dict[str, str]:
    """What is installed there, by name."""
    code = "import importlib.metadata, sys; print('\\n'.join(importlib.metadata.version(name) for name in sys.argv[1:]))"
    done = subprocess.run([str(python), "-c", code, *PACKAGES], check=True, capture_output=True, text=True)
    return {f"peers/{name}": version for name, version in zip(PACKAGES, done.stdout.split())}
