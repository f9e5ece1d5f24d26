"""What to type for this very command line, here: the way to it that was used, as short as it can be."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path


def command() -> str:
    """``tenancy`` where the shell finds this one under that name, else the way to it from here, such as ``.venv/bin/tenancy``."""
    called = Path(sys.argv[0])
    script = called if called.stem == "tenancy" else Path(sys.executable).with_name("tenancy")
    found = shutil.which("tenancy")
    if found and _is_one(Path(found), script):
        return "tenancy"
    # `python -m tenancy_fixtures` needs no script beside its interpreter.
    return (
        shlex.quote(_from_here(script))
        if script is called or script.exists()
        else f"{shlex.quote(_from_here(Path(sys.executable)))} -m tenancy_fixtures"
    )


def _is_one(left: Path, right: Path) -> bool:
    return left.resolve().with_suffix("") == right.resolve().with_suffix("")


def _from_here(path: Path) -> str:
    """Relative where it is below the folder in which one types; links are kept, an environment's interpreter is one."""
    here = Path.cwd()
    return str((here / path).relative_to(here)) if here in (here / path).parents else str(path)
