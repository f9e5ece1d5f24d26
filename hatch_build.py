"""Build hook: fills the default pack's data folder, which git does not keep, before a wheel, an sdist or an editable install is made."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

TEMPLATES = Path("src", "tenancy_fixtures", "templates")
MARK = ".generated-by"


class GeneratePackData(BuildHookInterface):  # type: ignore[type-arg]
    """Runs ``templates/generate.py`` unless the data folder is what this very generator wrote."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Generate the data; a generator that fails fails the build."""
        templates = Path(self.root) / TEMPLATES
        generator, data = templates / "generate.py", templates / "data"
        if generator.is_file() and not _up_to_date(generator, data):
            _generate(generator, data)


def _digest(generator: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in (generator, *generator.parent.glob("words.json")))).hexdigest()


def _up_to_date(generator: Path, data: Path) -> bool:
    mark = data / MARK
    if not mark.is_file():
        return False
    digest, *files = mark.read_text(encoding="utf-8").splitlines()
    return digest == _digest(generator) and all((data / name).is_file() for name in files)


def _generate(generator: Path, data: Path) -> None:
    # Beside the goal and moved there when it is whole: an interrupted build leaves no half of a data folder.
    with tempfile.TemporaryDirectory(dir=generator.parent, prefix=".data-") as folder:
        fresh = Path(folder) / "data"
        fresh.mkdir()
        subprocess.run([sys.executable, str(generator), str(fresh)], check=True)
        files = sorted(path.relative_to(fresh).as_posix() for path in fresh.rglob("*") if path.is_file())
        if not files:
            message = f"{generator} wrote no file"
            raise RuntimeError(message)
        (fresh / MARK).write_text("\n".join([_digest(generator), *files]) + "\n", encoding="utf-8")
        shutil.rmtree(data, ignore_errors=True)
        fresh.rename(data)
