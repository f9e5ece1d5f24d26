"""What commands share: their common options, the settings, an open manager, the event loop."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional, TypeVar

import typer

from . import _output
from ._exit import ExitCode

if TYPE_CHECKING:
    from ..manager import FixtureManager
    from ..monitoring import ProgressListener
    from ..packs import Pack
    from ..runtime import Runtime
    from ..settings import Settings

_T = TypeVar("_T")

AsJson = Annotated[bool, typer.Option("--json", help="Answer on stdout in JSON: one object, or one on each line. Errors too.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
_PACK_HELP = "The pack to use. Without it: the one that comes with the library."
PACK_FORM = "FOLDER|MODULE:ATTRIBUTE"
GeneralPack = Annotated[Optional[str], typer.Option("--pack", envvar="TENANCY_PACK", metavar=PACK_FORM, help=_PACK_HELP)]
# Not tied to the environment once more: the general option would lose to it.
PackOption = Annotated[Optional[str], typer.Option("--pack", metavar=PACK_FORM, help=f"{_PACK_HELP} Also TENANCY_PACK.")]


def _key(text: Optional[str]) -> Optional[str]:
    if text is not None and (not text or "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text)):
        raise typer.BadParameter("a key cannot be empty, and is text")
    return text


IdempotencyKey = Annotated[
    Optional[str], typer.Option(metavar="KEY", callback=_key, help="A name for this very call: repeated with the same name it is done once.")
]
TenantId = Annotated[
    str, typer.Argument(metavar="TENANT", help="The tenant's id: 1 to 63 of A-Z a-z 0-9 _ . - beginning with a letter or digit.", show_default=False)
]

DATABASE_HELP = (
    "Environment: TENANCY_DATABASE_URL names the PostgreSQL to work on; unset, an embedded one is used. `tenancy --help` lists all settings."
)


@dataclass(frozen=True)
class Work:
    """A manager, and the open runtime that it works with."""

    manager: "FixtureManager"
    runtime: "Runtime"


def settings_for(context: typer.Context, pack: Optional[str] = None) -> "Settings":
    """The settings of the environment, with the pack of the command line: the command's own before the general one."""
    from ..settings import Settings, misspelt

    for name, meant in misspelt():
        _output.note(f"{name} is no setting and is not read. Is {meant} meant?")
    pack = pack or context.obj
    if pack is None:
        return Settings.from_env()
    if ":" in pack and not Path(pack).exists() and "" not in sys.path:
        # module:attribute is looked for where the command is typed too, as `python -m` would.
        sys.path.insert(0, "")
    return Settings.from_env(pack=pack)


@asynccontextmanager
async def opened(
    settings: "Settings", *, pack: "Optional[Pack]" = None, needs_pack: bool = True, listener: "Optional[ProgressListener]" = None
) -> AsyncIterator[Work]:
    """A manager on an open runtime, closed afterwards. A pack that the work needs is read first: a broken one starts no server."""
    from ..manager import FixtureManager
    from ..packs import Pack
    from ..runtime import Runtime

    if pack is None and needs_pack:
        pack = Pack.resolve(settings.pack)
    runtime = await Runtime.current(settings)
    try:
        yield Work(FixtureManager(settings, pack=pack, listener=listener), runtime)
    finally:
        await runtime.close()


async def tenants_of_pack(work: Work) -> list[str]:
    """The ids of all tenants that were made from the pack; says on stderr how many others are passed over."""
    tenants, name = await work.manager.list_tenants(), work.manager.pack.name
    others = [tenant.pack for tenant in tenants if tenant.pack != name]
    if others:
        _output.note(f"Skipped {_output.counted(len(others), 'tenant')} of other packs: {in_words(sorted(set(others)))}. Name theirs with --pack.")
    return [tenant.tenant_id for tenant in tenants if tenant.pack == name]


def run(work: Callable[[], Awaitable[_T]]) -> _T:
    """Run a command's work on an event loop, to its end or until a signal stops it."""
    # Here, not above: the loop takes longer to load than the help to print.
    from ._loop import run_until_signalled

    with _output.kept_for_answers():
        return run_until_signalled(work)


def help_unless_asked(context: typer.Context) -> None:
    """For a group without a command: say what there is, and that something was missing."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(ExitCode.USAGE)


def pairs(values: Iterable[str], option: str) -> dict[str, str]:
    """``name=value`` options by name.

    :raises typer.BadParameter: one has no ``=``, or a name is there twice.
    """
    found: dict[str, str] = {}
    for text in values:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint=option)
        if name in found:
            raise typer.BadParameter(f"{name!r} is given twice", param_hint=option)
        found[name] = value
    return found


def in_words(values: Iterable[Any]) -> str:
    """Values with commas between them, or ``none``."""
    return ", ".join(str(value) for value in values) or "none"
