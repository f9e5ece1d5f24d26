"""A pack's folder that is written whole, or not at all."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .exceptions import OutputExists, PackError

if TYPE_CHECKING:
    from collections.abc import Iterator


def refuse_taken(folder: Path) -> bool:
    """See that a folder is not there, or empty; gives whether it is there.

    :raises OutputExists: the folder holds something, or is none.
    """
    there = folder.exists()
    if there and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputExists(f"there already: {folder}", hint="Name a folder that is not there, or empty.", files=[str(folder)])
    return there


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into, whose contents are ``folder`` when that has ended well, and nothing otherwise.

    :raises OutputExists: the folder holds something, or is none.
    :raises PackError: it cannot be written.
    """
    try:
        there = refuse_taken(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".pack-") as scratch:
            fresh = Path(scratch, "pack")
            yield fresh
            _move(fresh, folder, there=there)
    except OSError as error:
        raise PackError(f"{folder} cannot be written: {error.strerror}", hint="Check the folder's rights.", file=str(folder)) from error


def _move(fresh: Path, folder: Path, *, there: bool) -> None:
    if not there:
        fresh.replace(folder)
        return
    # Somebody may stand in it.
    for path in sorted(fresh.iterdir()):
        path.replace(folder / path.name)
