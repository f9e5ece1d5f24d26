"""The command line, ``tenancy``: arguments in, exit code out. Heavy rooms are entered by the command that needs them."""

import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn, Optional

import typer

from . import _output
from ._environment import environment_help
from ._exit import ExitCode, exit_codes_help
from ._guard import guarded
from ._help import PlainCommand, PlainGroup
from ._work import DATABASE_HELP, GeneralPack, help_unless_asked
from .adopt import adopt
from .alias import alias
from .demo import demo
from .detect import detect
from .doctor import doctor
from .eject import eject
from .init import init
from .load import load
from .migrate import migrate
from .pack import pack_app
from .server import server_app
from .tenant import tenant_app
from .validate import validate

__all__ = ["ExitCode", "app", "main"]

app = typer.Typer(
    name="tenancy",
    cls=PlainGroup,
    epilog=f"{environment_help()}\n\n{exit_codes_help()}",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (init, load, validate, migrate, adopt, eject, doctor, demo):
    app.command(cls=PlainCommand, epilog=DATABASE_HELP)(_command)
app.command(cls=PlainCommand)(detect)
app.command(cls=PlainCommand)(alias)
app.add_typer(tenant_app, name="tenant")
app.add_typer(pack_app, name="pack")
app.add_typer(server_app, name="server")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        _output.say(f"tenancy-fixtures {version('tenancy-fixtures')}")
        raise typer.Exit


@app.callback()
def tenancy(
    context: typer.Context,
    pack: GeneralPack = None,
    # Read by the guard around everything: what goes wrong before this line is to be seen too.
    _debug: Annotated[
        bool, typer.Option("--debug", envvar="TENANCY_DEBUG", help="Show the traceback of what goes wrong. It may hold values of your data.")
    ] = False,
    _version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    """Make, seed, configure, check and drop the tenants of a PostgreSQL backend: each whole, or not at all."""
    context.obj = pack
    help_unless_asked(context)


def main(arguments: Optional[Sequence[str]] = None) -> NoReturn:
    """Run the command line and end the process with its exit code."""
    sys.exit(guarded(typer.main.get_command(app), list(sys.argv[1:] if arguments is None else arguments)))
