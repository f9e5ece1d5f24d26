"""A small pack that works as it is, to begin one's own with."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

from .._pack_models import NAME
from ..exceptions import OutputExists, PackError

_PACK: Final = Path(__file__).parent / "pack"
_MANIFEST, _OWN_NAME = "pack.json", '"name": "my-pack"'


def name_for(folder: Path) -> str:
    """What a pack in that folder is called: the folder's name, without what no pack's name may hold."""
    name = re.sub(r"[^a-z0-9_.-]+", "-", folder.resolve().name.lower()).strip("_.-")[:63]
    return name if re.fullmatch(NAME, name) else "my-pack"


def write_pack(folder: Path, name: str) -> list[Path]:
    """Write the pack into a folder that is not there yet, or empty, and return its files: all of them are there, or none.

    :raises OutputExists: the folder holds something, or is none.
    :raises PackError: it cannot be written.
    """
    try:
        there = folder.exists()
        if there and (not folder.is_dir() or any(folder.iterdir())):
            raise OutputExists(f"there already: {folder}", hint="Name a folder that is not there, or empty.", files=[str(folder)])
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".pack-") as scratch:
            fresh = Path(scratch, "pack")
            # Contents alone: what is installed may be closed to changes.
            shutil.copytree(_PACK, fresh, copy_function=shutil.copyfile)
            manifest = (fresh / _MANIFEST).read_text(encoding="utf-8").replace(_OWN_NAME, f'"name": "{name}"', 1)
            (fresh / _MANIFEST).write_text(manifest, encoding="utf-8")
            files = sorted(path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file())
            _move(fresh, folder, there=there)
    except OSError as error:
        raise PackError(f"{folder} cannot be written: {error.strerror}", hint="Check the folder's rights.", file=str(folder)) from error
    return [folder / path for path in files]


def _move(fresh: Path, folder: Path, *, there: bool) -> None:
    if not there:
        fresh.replace(folder)
        return
    # Somebody may stand in it.
    for path in sorted(fresh.iterdir()):
        path.replace(folder / path.name)
