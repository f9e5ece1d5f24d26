"""``tenancy server``: the embedded PostgreSQL."""

import typer

from . import _output
from ._help import PlainCommand, PlainGroup
from ._work import AsJson, help_unless_asked, settings_for

server_app = typer.Typer(cls=PlainGroup, help="Look at the embedded PostgreSQL, or stop it.", invoke_without_command=True, rich_markup_mode=None)

_HELP = "Environment: TENANCY_DATA_DIR names its folder; unset, it is in the user's data folder."


@server_app.callback()
def server(context: typer.Context) -> None:
    """Look at the embedded PostgreSQL, or stop it."""
    help_unless_asked(context)


@server_app.command(cls=PlainCommand, epilog=_HELP)
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Say whether the embedded PostgreSQL runs, and where. Starts nothing."""
    from .._pg import embedded

    found = embedded.status(settings_for(context))
    if as_json:
        _output.emit(found.to_dict())
    elif found.running:
        users = "" if found.users is None else f", in use by {found.users} process{'' if found.users == 1 else 'es'}"
        _output.say(f"PostgreSQL {found.version} runs on 127.0.0.1:{found.port} (process {found.pid}){users}.")
        _output.say(f"Data: {found.data_dir}\nLog: {found.log}")
    else:
        _output.say(f"No embedded PostgreSQL runs. Data: {found.data_dir}{'' if found.data_dir.exists() else ' (not made yet)'}")


@server_app.command(cls=PlainCommand, epilog=_HELP)
def stop(context: typer.Context, as_json: AsJson = False) -> None:
    """Stop the embedded PostgreSQL, whoever uses it. The data stays."""
    from .._pg import embedded

    stopped = embedded.stop(settings_for(context))
    if as_json:
        _output.emit({"stopped": stopped})
    else:
        _output.say("The embedded PostgreSQL has stopped." if stopped else "No embedded PostgreSQL was running.")
