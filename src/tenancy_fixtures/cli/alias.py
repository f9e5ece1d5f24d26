"""``tenancy alias``: the import path ``app.tenancy.fixtures`` in a host's own ``app``."""

from pathlib import Path
from typing import Annotated

import typer

from . import _output
from ._work import AsJson, DryRun


def alias(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of your own package app.", show_default=False)],
    dry_run: DryRun = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that somebody else wrote.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the import path app.tenancy.fixtures into your own package app: modules that only re-export."""
    from .._alias import write_alias

    files = write_alias(folder, dry_run=dry_run, force=force)
    if as_json:
        _output.emit({"folder": str(folder), "files": [str(path) for path in files], "dry_run": dry_run})
        return
    for path in files:
        _output.say(str(path))
    done = "would be written" if dry_run else "written"
    _output.note(f"{_output.counted(len(files), 'file')} {done}." if files else "The alias is there already, and up to date.")
