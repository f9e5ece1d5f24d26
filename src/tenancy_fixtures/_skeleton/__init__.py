"""Packs to begin one's own with: a small one that works as it is, or a copy of the default pack; and kinds of files, to be changed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .._pack_folder import whole_folder
from .._pack_models import NAME
from ..packs import DEFAULT_FOLDER, SHAPES

if TYPE_CHECKING:
    from collections.abc import Sequence

_PACK: Final = Path(__file__).parent / "pack"
_MANIFEST, _NAME = "pack.json", re.compile(r'"name": "[^"]*"')
# What stands beside the default pack, and is none of it.
_NO_PART: Final = ("*.py", "__pycache__", "words.json", "schemas", ".generated-by")


def name_for(folder: Path) -> str:
    """What a pack in that folder is called: the folder's name, without what no pack's name may hold."""
    name = re.sub(r"[^a-z0-9_.-]+", "-", folder.resolve().name.lower()).strip("_.-")[:63]
    return name if re.fullmatch(NAME, name) else "my-pack"


def write_pack(folder: Path, name: str, *, default: bool = False, shapes: Sequence[Path] = ()) -> list[Path]:
    """Write a pack into a folder that is not there yet, or empty, and return its files: all of them are there, or none.

    It is the small one, or a copy of the ``default`` pack. ``shapes`` are declarations that it gets besides.

    :raises OutputExists: the folder holds something, or is none.
    :raises PackError: it cannot be written.
    """
    with whole_folder(folder) as fresh:
        # Contents alone: what is installed may be closed to changes.
        source, ignored = (DEFAULT_FOLDER, shutil.ignore_patterns(*_NO_PART)) if default else (_PACK, None)
        shutil.copytree(source, fresh, copy_function=shutil.copyfile, ignore=ignored)
        manifest = _NAME.sub(f'"name": "{name}"', (fresh / _MANIFEST).read_text(encoding="utf-8"), count=1)
        (fresh / _MANIFEST).write_text(manifest, encoding="utf-8")
        for shape in shapes:
            (fresh / SHAPES).mkdir(exist_ok=True)
            shutil.copyfile(shape, fresh / SHAPES / shape.name)
        files = sorted(path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file())
    return [folder / path for path in files]
