"""A host's Alembic history as the numbered revisions of a pack."""

from __future__ import annotations

import importlib
import io
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._revisions import Revision
from ..exceptions import PackInvalid
from ..utils import ranked_order
from ._compile import Environment, compiled, context_for

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import Script, ScriptDirectory
    from sqlalchemy import MetaData

_CREATED = re.compile(r"^Create Date: *(\S.*)$", re.MULTILINE)


def read_history(config: Path, *, metadata: str | MetaData | None = None, version_table: str = "alembic_version") -> tuple[Revision, ...]:
    """Every revision of the host's, from base to head, compiled to SQL where that says all; the host's ``env.py`` is not run.

    The modules of the revisions are: they are code, as the pack is. ``metadata`` is what it is, or ``module:attribute``.

    :raises PackInvalid: there is no such history, a revision cannot be read, or there are several heads.
    """
    scripts, settings = _read_scripts(config)
    environment = Environment(settings, scripts, _metadata(metadata) if isinstance(metadata, str) else metadata, version_table)
    ordered = _in_order(config, scripts)
    heads = _heads_after(environment, ordered)
    if len(heads[-1]) > 1:
        message = f"the history of {config} ends in {len(heads[-1])} heads: {', '.join(heads[-1])}"
        raise PackInvalid(message, file=str(config), hint="`alembic merge heads` joins them. A tenant has one structure in the end.")
    return tuple(_revision(environment, number, script, heads[number - 1]) for number, script in enumerate(ordered, start=1))


def _revision(environment: Environment, number: int, script: Script, heads: tuple[str, ...]) -> Revision:
    path = Path(script.path)
    source = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    done = compiled(environment, script)
    facts: dict[str, Any] = {"version": script.revision, "heads": heads, "source": source, "work": done.work, "leaves": done.leaves}
    return Revision(number, script.revision, path, done.sql, **facts)


def _read_scripts(path: Path) -> tuple[ScriptDirectory, Config]:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    if not path.is_file():
        raise PackInvalid(f"no Alembic configuration {str(path)!r}", file=str(path), hint="Name the alembic.ini, relative to the pack's folder.")
    try:
        config = Config(str(path))
        _settle_paths(config, path.resolve().parent)
        return ScriptDirectory.from_config(config), config
    except Exception as error:
        raise PackInvalid(f"{path}: Alembic cannot read it: {error}", file=str(path), hint="`alembic history` should work with it.") from error


def _settle_paths(config: Config, folder: Path) -> None:
    """Let relative paths be meant from the folder of the file, where its authors run Alembic, and not from wherever this process runs."""
    location = config.get_main_option("script_location")
    if location and ":" not in location:
        config.set_main_option("script_location", _escaped(folder / location))
    for entry in re.split(r"[,: ]+", config.get_main_option("prepend_sys_path") or ""):
        place = str((folder / entry).resolve())
        if entry and place not in sys.path:
            sys.path.insert(0, place)
    config.set_main_option("prepend_sys_path", "")
    locations = config.get_main_option("version_locations")
    if locations:
        split = {"os": r"[:;]", ":": ":", ";": ";", "space": " ", "newline": "\n"}
        separator = config.get_main_option("path_separator") or config.get_main_option("version_path_separator") or ""
        places = [_escaped(folder / entry.strip()) for entry in re.split(split.get(separator, "[, ]+"), locations) if entry.strip()]
        config.set_main_option("version_path_separator", "os")
        config.set_main_option("path_separator", "os")
        config.set_main_option("version_locations", (";" if sys.platform == "win32" else ":").join(places))


def _escaped(path: Path) -> str:
    # A percent sign would begin an interpolation.
    return str(path).replace("%", "%%")


def _metadata(reference: str) -> MetaData:
    from sqlalchemy import MetaData

    module_name, _, attribute = reference.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for name in attribute.split("."):
            found = getattr(found, name)
    except Exception as error:
        raise PackInvalid(f"no metadata at {reference!r}: {error}", hint="Give module:attribute, such as myapp.models:Base.metadata.") from error
    if not isinstance(found, MetaData):
        raise PackInvalid(
            f"{reference!r} is a {type(found).__name__}, not a MetaData", hint="Give module:attribute, such as myapp.models:Base.metadata."
        )
    return found


def _in_order(config: Path, scripts: ScriptDirectory) -> list[Script]:
    """Each revision after those that it stands on; of several that could be next, the one that was written first.

    A branch that is merged later than it was begun comes so behind what tenants have already, as often as that can be.

    :raises PackInvalid: a module cannot be imported, or the history is none.
    """
    try:
        every = {script.revision: script for script in scripts.walk_revisions()}
    except Exception as error:
        raise PackInvalid(f"{config}: Alembic cannot read the history: {error}", file=str(config), hint="`alembic history` should work.") from error
    if not every:
        raise PackInvalid(f"{config}: the history has no revision", file=str(config), hint="`alembic revision` writes the first one.")
    needs = {name: script._all_down_revisions for name, script in every.items()}  # noqa: SLF001 - with what it depends on
    return [every[name] for name in ranked_order(needs, lambda name: _created(every[name]))]


def _created(script: Script) -> str:
    found = _CREATED.search(script.longdoc or "") or _CREATED.search(script.module.__doc__ or "")
    return found[1].strip() if found else ""


def _heads_after(environment: Environment, ordered: list[Script]) -> list[tuple[str, ...]]:
    """What Alembic's version table says after each of them, as Alembic itself keeps it."""
    from alembic.runtime.migration import HeadMaintainer, MigrationStep

    heads = HeadMaintainer(context_for(environment, io.StringIO()), ())
    after = []
    for script in ordered:
        heads.update_to_step(MigrationStep.upgrade_from_script(environment.scripts.revision_map, script))
        after.append(tuple(sorted(heads.heads)))
    return after
