"""``tenancy detect``: what files are, and why."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from . import _output
from ._exit import ExitCode
from ._work import AsJson, PackOption, settings_for

if TYPE_CHECKING:
    from .._domains import Detection

_NEAREST = 5  # kinds that a file is not, and has something of, that are shown unasked


def detect(
    context: typer.Context,
    *,
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files, folders, globs, archives or URLs, or - for standard input.", show_default=False)
    ],
    why: Annotated[bool, typer.Option("--why", help="Say also why it is none of the other kinds.")] = False,
    pack: PackOption = None,
    as_json: AsJson = False,
) -> None:
    """Say what files are, and by what they are known, as `tenancy load --file` would load them. No database is needed.

    With --json one object on each line. Exit code 1 where a file is of no kind that is known.
    """
    from ..data_loaders import DomainLoader
    from ..packs import Pack

    known = Pack.resolve(settings_for(context, pack).pack)
    well = True
    for path in paths:
        for found in _each(DomainLoader.detect(path, pack=known)):
            well = well and found.known
            if as_json:
                _output.emit(found.to_dict())
            else:
                _show(found, why=why)
    if not well:
        raise typer.Exit(ExitCode.FAILED)


def _each(found: "Detection") -> "Iterator[Detection]":
    yield from found.parts or (found,)


def _show(found: "Detection", *, why: bool) -> None:
    what = f"{found.shape}, {found.description}" if found.known else "of no kind that is known"
    _output.say(f"{found.source}: {what}")
    for reason in found.why:
        _output.say(f"  {reason}")
    shown = found.rejected if why else found.nearest[:_NEAREST]
    for name in shown:
        _output.say(f"  not {name}: {found.rejected[name]}")
    if not found.known and len(found.rejected) > len(shown):
        _output.say(f"  and of none of {len(found.rejected) - len(shown)} {'other ' if shown else ''}kinds; --why says for each why not")
