"""``tenancy eject``: the library is taken out of a database, and a plain fleet is left."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from . import _output
from ._exit import ExitCode
from ._work import AsJson, in_words, run, settings_for

if TYPE_CHECKING:
    from .._pg.eject import EjectReport
    from ..settings import Settings


def eject(
    context: typer.Context,
    to: Annotated[Path, typer.Option(metavar="FILE", help="Where the control plane goes, as SQL for psql.")] = Path("tenancy.sql"),
    owner: Annotated[
        Optional[str],
        typer.Option(
            metavar="ROLE",
            help="Who gets what our roles own of tenants' schemas. Without it: who owns most of those that were adopted, or else this login.",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take the library out of the database: tenants' schemas stay, with the rights that they had; the control plane becomes a file.

    For an administrator, as `tenancy init` is. All of it is done, or nothing.
    """
    settings = settings_for(context)
    if not dry_run:
        _make_sure(yes=yes)
    report = run(lambda: _eject(settings, to, owner, dry_run=dry_run))
    if as_json:
        _output.emit(report.to_dict())
    else:
        _tell(report)


def _make_sure(*, yes: bool) -> None:
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise typer.BadParameter(
            "nobody is here to ask whether the control plane may go: say --yes, or look first with --dry-run", param_hint="--yes"
        )
    if not typer.confirm("Take the library out of the database? `tenancy eject --dry-run` lists what goes.", err=True):
        _output.note("Nothing was changed.")
        raise typer.Exit(ExitCode.FAILED)


async def _eject(settings: "Settings", to: Path, owner: Optional[str], *, dry_run: bool) -> "EjectReport":
    from .._pg.eject import eject as take_out
    from ..exceptions import DatabaseNotConfigured

    if settings.database_url is None:
        hint = "Set TENANCY_DATABASE_URL. The embedded server has nothing but the library's own: `tenancy server stop`, and remove its data."
        raise DatabaseNotConfigured("out of which database is the library to be taken?", hint=hint)
    return await take_out(settings.database_url.get_secret_value(), to, owner=owner, dry_run=dry_run)


def _tell(report: "EjectReport") -> None:
    would = "would be " if report.dry_run else ""
    left = [(report.adopted, "adopted"), (report.made, "made here"), (report.shared, "shared by tenants")]
    schemas = in_words(f"{len(names):,} {what}" for names, what in left if names)
    _output.say(f"Database {report.database!r}: schemas left as they are: {schemas}.")
    _output.say(f"Rights of the installation's roles {would}taken on {report.revoked:,} objects; {report.given:,} {would}given to {report.owner}.")
    rows = sum(report.rows.values())
    _output.say(
        f"The control plane {would}written to {report.file} ({_output.counted(rows, 'row')} of {len(report.rows)} tables), and {would}dropped."
    )
    _output.say(f"Roles {would}dropped: {len(report.dropped):,}.")
    for role, places in report.kept.items():
        _output.note(f"The role {role} stays: {in_words(places)} has something of it.")
    if report.dry_run:
        _output.say("Nothing was changed.")
