"""Write the mission's import path, ``app.tenancy.fixtures``, into a host's own ``app`` package: modules that only re-export."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from .exceptions import AliasConflict

# A file that holds this line is ours to write anew.
MARKER: Final = "# Written by `tenancy alias`, which may write it again: keep code of your own elsewhere."

MODULES: Final = (
    "base",
    "config_fixtures",
    "constants",
    "data_loaders",
    "exceptions",
    "monitoring",
    "schema_fixtures",
    "tenant_fixtures",
    "utils",
    "validators",
)
PACKAGES: Final = ("scripts", "templates")
SCRIPTS: Final = ("cleanup", "init_tenant", "load_fixtures", "validate_data")

_HEAD = (
    '"""``tenancy_fixtures{name}`` under the path ``app.tenancy.fixtures{name}``: the same objects."""\n\n'
    + MARKER
    + "\n\nfrom __future__ import annotations\n\n"
)

# The names load when they are first used, as in the library itself; type checkers read the import.
_ROOT = """\
from typing import TYPE_CHECKING, Any

import tenancy_fixtures

if TYPE_CHECKING:
    from tenancy_fixtures import *

__all__ = tenancy_fixtures.__all__


def __getattr__(name: str) -> Any:
    return getattr(tenancy_fixtures, name)


def __dir__() -> list[str]:
    return dir(tenancy_fixtures)
"""
_MODULE = "from tenancy_fixtures{name} import *\n"
_SCRIPT = """\
from tenancy_fixtures{name} import main as main

if __name__ == "__main__":
    main()
"""


def alias_files() -> dict[str, str]:
    """The alias's modules: text by path, relative to the host's ``app`` folder."""
    texts = {"__init__.py": _text("", _ROOT)}
    texts.update({f"{name}.py": _text(f".{name}", _MODULE) for name in MODULES})
    texts.update({f"{name}/__init__.py": _text(f".{name}", _MODULE) for name in PACKAGES})
    texts.update({f"scripts/{name}.py": _text(f".scripts.{name}", _SCRIPT) for name in SCRIPTS})
    return {f"tenancy/fixtures/{path}": text for path, text in sorted(texts.items())}


def write_alias(folder: Path, *, dry_run: bool = False, force: bool = False) -> list[Path]:
    """Write the alias below ``folder``, the host's ``app``, and return the files that were (or would be) written.

    Files that are there and up to date are left alone. Nothing is written unless everything can be: a file that somebody
    else wrote is kept, and named in the error; ``force`` replaces it. Nothing outside ``tenancy/fixtures`` is touched, and
    no ``__init__.py`` is added to ``app`` or ``app/tenancy``.

    :raises AliasConflict: the folder is missing or cannot be written, files of others stand in the way, or a module of the
        host's would hide the alias or be hidden by it; ``files`` names them.
    """
    if not folder.is_dir():
        raise AliasConflict(f"no folder {str(folder)!r}", hint="Give the folder of the host's package app.", files=[str(folder)])
    _refuse_modules(folder)
    wanted = {folder / path: text for path, text in alias_files().items()}
    pending = {path: text for path, text in wanted.items() if _read(path) != text}
    foreign = [str(path) for path in pending if _is_foreign(path)]
    if foreign and not force:
        raise AliasConflict(f"not written by this command: {', '.join(foreign)}", hint="Move them away, or replace them with --force.", files=foreign)
    if not dry_run:
        for path, text in pending.items():
            _write(path, text)
    return list(pending)


def _text(name: str, body: str) -> str:
    return (_HEAD + body).replace("{name}", name)


def _refuse_modules(folder: Path) -> None:
    """Of a module and a package of one name Python finds one alone: either hides somebody's code."""
    rivals = [folder / "tenancy.py", *(folder / _rival(path) for path in alias_files())]
    clashing = [str(path) for path in rivals if path.exists()]
    if clashing:
        raise AliasConflict(
            f"of the alias's name: {', '.join(clashing)}", hint="Import tenancy_fixtures instead, or rename what is there.", files=clashing
        )


def _rival(path: str) -> str:
    """``base.py`` for ``base/__init__.py``, and the other way round."""
    package = path[: -len("/__init__.py")]
    return f"{package}.py" if path.endswith("/__init__.py") else f"{path[:-3]}/__init__.py"


def _read(path: Path) -> str | None:
    """The file's text; ``None`` where it is missing or is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _is_foreign(path: Path) -> bool:
    return os.path.lexists(path) and MARKER not in (_read(path) or "").splitlines()


def _write(path: Path, text: str) -> None:
    """Write beside the goal and move there: nobody ever imports half a module."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".alias-") as scratch:
            fresh = Path(scratch, path.name)
            fresh.write_bytes(text.encode())
            fresh.chmod(0o644)
            fresh.replace(path)
    except OSError as error:
        raise AliasConflict(f"{path} cannot be written: {error.strerror}", hint="Check the folder's rights.", files=[str(path)]) from error
