"""``tenancy adopt``: tenants that are there already, sorted and registered; nothing of theirs is touched."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from . import _output
from ._exit import ExitCode
from ._progress import progress
from ._shared_tables import look_at_shared
from ._work import AsJson, DryRun, PackOption, in_words, opened, run, settings_for

if TYPE_CHECKING:
    from .._adopt import Adoption, AdoptionReport
    from ..settings import Settings

_SHOWN = 3  # differences of one schema that a person is shown


def adopt(  # noqa: PLR0917 - each is an option
    context: typer.Context,
    schemas: Annotated[
        Optional[list[str]],
        typer.Option(metavar="PATTERN", help="Which schemas, as in 'tenant_%': the id is what the % stands for. Repeatable.", show_default=False),
    ] = None,
    registry: Annotated[
        Optional[str],
        typer.Option(metavar="TABLE", help="A table with the schemas' names: django-tenants, or SCHEMA.TABLE[.COLUMN].", show_default=False),
    ] = None,
    databases: Annotated[
        Optional[list[str]],
        typer.Option(
            metavar="PATTERN", help="Which databases of the server, each with one tenant; for an administrator. Repeatable.", show_default=False
        ),
    ] = None,
    schema: Annotated[
        Optional[str],
        typer.Option(metavar="NAME", help="In each of those databases, the schema with the tenant's tables. Without it: public.", show_default=False),
    ] = None,
    ids: Annotated[
        Optional[Path],
        typer.Option(
            metavar="FILE",
            help="CSV with the columns schema (or database) and tenant_id, and revision where that has to be said.",
            show_default=False,
        ),
    ] = None,
    alembic: Annotated[
        Optional[Path],
        typer.Option(metavar="FILE", help="An alembic.ini in place of a pack: its history says what each schema is.", show_default=False),
    ] = None,
    metadata: Annotated[
        Optional[str],
        typer.Option(
            metavar="MODULE:ATTRIBUTE", help="The models that --alembic's revisions take their naming conventions from.", show_default=False
        ),
    ] = None,
    shared: Annotated[
        Optional[str],
        typer.Option(metavar="SCHEMA", help="A schema whose tables tenants share: only say what is missing to keep them apart.", show_default=False),
    ] = None,
    column: Annotated[
        Optional[str],
        typer.Option(
            metavar="NAME", help="With --shared: the column that tells tenants apart. Without it: the one that stands out.", show_default=False
        ),
    ] = None,
    accept_drift: Annotated[bool, typer.Option("--accept-drift", help="Register those as well that are not as the pack makes them.")] = False,
    dry_run: DryRun = False,
    pack: PackOption = None,
    as_json: AsJson = False,
) -> None:
    """Register tenants that are there already, as they are. Writes only to the control plane; nothing of the tenants is touched.

    Each schema, or database, is compared with what the pack makes, and is ready, drifted or in conflict. Run it again after mending: it goes on with those that are left.

    With --shared nothing is written at all: each thing that is missing is told with its reason and the SQL that would mend it. Exit code 1 where there is any.
    """
    if shared is not None or column is not None:
        others = {
            "--schemas": schemas,
            "--registry": registry,
            "--databases": databases,
            "--schema": schema,
            "--ids": ids,
            "--alembic": alembic,
            "--metadata": metadata,
            "--accept-drift": accept_drift,
            "--pack": pack,
        }
        look_at_shared(settings_for(context), shared, column, [name for name, value in others.items() if value], as_json=as_json)
        return
    if alembic is not None and pack is not None:
        raise typer.BadParameter("a pack, or Alembic's configuration, and not both", param_hint="--alembic")
    if metadata is not None and alembic is None:
        raise typer.BadParameter("it goes with --alembic; a pack says it in pack.json", param_hint="--metadata")
    settings = settings_for(context, pack)
    wish = {"schemas": schemas or [], "registry": registry, "databases": databases or [], "schema": schema, "ids": ids}
    report = run(lambda: _adopt(settings, alembic, metadata, {**wish, "accept_drift": accept_drift, "dry_run": dry_run}))
    if as_json:
        _output.emit(report.to_dict())
    else:
        _tell(report, "database" if databases else "schema", accept_drift=accept_drift)
        if alembic is not None and metadata is None and any(map(_lacks_constraint, report.of("drifted"))):
            _output.note("Constraints have other names where revisions follow naming conventions of models: name the models with --metadata.")
    if not report.ok:
        raise typer.Exit(ExitCode.FAILED)


async def _adopt(settings: "Settings", alembic: Optional[Path], metadata: Optional[str], wish: dict[str, Any]) -> "AdoptionReport":
    from .._adopt import pack_of_alembic

    pack = None if alembic is None else pack_of_alembic(alembic, metadata)
    with progress("databases" if wish["databases"] else "schemas") as listener:
        async with opened(settings, pack=pack, listener=listener) as work:
            return await work.manager.adopt(**wish)


def _tell(report: "AdoptionReport", place: str, *, accept_drift: bool) -> None:
    counts = report.counts
    known = sum(item.known for item in report.adoptions)
    if report.dry_run:
        may = ("ready", "drifted") if accept_drift else ("ready",)
        done = f"{sum(item.verdict.value in may and not item.known for item in report.adoptions):,} would be registered"
    else:
        done = f"{counts['registered'] - known:,} registered"
    before = f", {known:,} were before" if known else ""
    _output.say(
        f"{_output.counted(len(report.adoptions), place)}: {counts['ready']:,} ready, {counts['drifted']:,} drifted, {counts['conflict']:,} in conflict; {done}{before}."
    )
    if not report.adoptions:
        _output.note(f"No {place} fits. In a pattern % stands for the id, and upper case is not lower case.")
    at = Counter(item.revision for item in report.of("ready"))
    if at:
        _output.say(f"Ready at {in_words(f'revision {number}: {count:,}' for number, count in sorted(at.items(), key=lambda pair: pair[0] or 0))}.")
    rows = [
        (item.schema, item.tenant_id, item.verdict.value, item.revision, _why(item)) for item in report.adoptions if item.verdict.value != "ready"
    ]
    _output.table((place.capitalize(), "Tenant", "Verdict", "Revision", "Why"), rows)


def _lacks_constraint(item: "Adoption") -> bool:
    return any(difference.kind == "constraint" and difference.how == "missing" for difference in item.difference)


def _why(item: "Adoption") -> str:
    if item.reason is not None:
        return item.reason
    shown = "; ".join(str(difference) for difference in item.difference[:_SHOWN])
    more = len(item.difference) - _SHOWN
    return f"{shown}; and {more} more: --json lists them" if more > 0 else shown
