"""``tenancy load``: datasets into a tenant."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from . import _output
from ._exit import ExitCode
from ._progress import progress
from ._reports import show_left_out, show_load, show_not_fetched, show_steps, sums
from ._work import AsJson, DryRun, IdempotencyKey, PackOption, TenantId, opened, pairs, run, settings_for

if TYPE_CHECKING:
    from .._fixture import BaseFixture
    from .._shapes import RunReport
    from ..settings import Settings


class OnError(str, Enum):
    """What becomes of a load with bad records."""

    FAIL = "fail"
    REJECT = "reject"


def load(
    context: typer.Context,
    *,
    tenant: TenantId,
    dataset: Annotated[
        Optional[list[str]],
        typer.Option(
            metavar="NAME[=PATH]",
            help="A dataset of the pack; with PATH from this file, folder, glob, archive or URL, or from standard input (-). Repeatable. Without it: all of the pack.",
        ),
    ] = None,
    file: Annotated[
        Optional[list[str]],
        typer.Option(
            metavar="PATH",
            help="A file, folder, glob, archive or URL, or standard input (-), that says itself what it is: see `tenancy detect`. Repeatable.",
        ),
    ] = None,
    given: Annotated[
        Optional[list[str]],
        typer.Option(metavar="NAME=VALUE", help="With --file: what the files do not hold, such as user=alice, whose history it is. Repeatable."),
    ] = None,
    from_web_api: Annotated[
        Optional[list[str]],
        typer.Option(
            metavar="RESOURCE",
            help="Fetch it from Spotify's Web API: spotify:playlist:ID (or track, album, artist, show, episode, audiobook, chapter), spotify:artist:ID/albums, or the address of its page. Repeatable.",
        ),
    ] = None,
    market: Annotated[
        Optional[str], typer.Option(metavar="COUNTRY", help="With --from-web-api: what is to be had in this country, as FR.", show_default=False)
    ] = None,
    journal: Annotated[
        Optional[Path],
        typer.Option(
            metavar="FOLDER",
            help="With --from-web-api: keep pages here until the load has ended; the same command goes on where it stopped. Without it: in a folder of yours.",
            show_default=False,
        ),
    ] = None,
    on_error: Annotated[
        Optional[OnError],
        typer.Option(
            metavar="fail|reject",
            help="Load nothing where a record breaks a rule, or leave such records out. Without it: as the pack says.",
            show_default=False,
        ),
    ] = None,
    max_errors: Annotated[
        Optional[int], typer.Option(min=0, metavar="N", help="With reject: fail all the same when more than N records are bad.", show_default=False)
    ] = None,
    max_share: Annotated[
        Optional[float],
        typer.Option(
            min=0, max=1, metavar="SHARE", help="With reject: fail when more than this share of all records (0 to 1) is bad.", show_default=False
        ),
    ] = None,
    rejects: Annotated[
        Optional[Path], typer.Option(metavar="FILE", help="Write every bad record to this file, as NDJSON: where it is and what is wrong with it.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Load content that is known, too: rows that were changed or removed since come back.")
    ] = False,
    phases: Annotated[bool, typer.Option("--phases", help="Show what took how long. A long load shows it anyway, and --json always has it.")] = False,
    dry_run: DryRun = False,
    idempotency_key: IdempotencyKey = None,
    pack: PackOption = None,
    as_json: AsJson = False,
) -> None:
    """Load datasets into a tenant, all in one transaction. Content that was loaded before is no work, unless --again is given."""
    from ..utils import TenantUtils

    TenantUtils.check_id(tenant)
    if sum(map(bool, (file, dataset, from_web_api))) > 1 or (given and not file):
        message = "files that say what they are, datasets by name, or the Web API, not two of them; and --given goes with --file"
        raise typer.BadParameter(message, param_hint="--file")
    if (market or journal) and not from_web_api:
        raise typer.BadParameter("--market and --journal go with it", param_hint="--from-web-api")
    rules: dict[str, Any] = {
        "on_error": on_error.value if on_error else None,
        "max_errors": max_errors,
        "max_share": max_share,
        "rejects_to": rejects,
        "again": again,
    }
    if from_web_api:
        chosen: dict[str, Any] = {"resources": from_web_api, "market": market, "journal": journal}
    elif file:
        chosen = {"paths": file, "given": pairs(given or [], "--given")}
    else:
        datasets, sources = _chosen(dataset or [])
        chosen = {"datasets": datasets or None, "sources": sources}
    settings = settings_for(context, pack)
    report = run(lambda: _load(settings, tenant, {**chosen, **rules}, dry_run=dry_run, idempotency_key=idempotency_key))
    show_not_fetched(report)
    if as_json:
        _output.emit({**report.to_dict(), **sums(report)})
    elif dry_run:
        show_steps(report)
        show_left_out(report)
    else:
        show_load(report, phases=phases)
    refused = [item.dataset for item in report.datasets if item.refused]
    if refused:
        _output.note(f"The load itself would fail: more records are bad than allowed, of {', '.join(refused)}.")
        raise typer.Exit(ExitCode.BAD_INPUT)


def _chosen(texts: list[str]) -> tuple[list[str], dict[str, str]]:
    """The datasets' names, and the sources of those that have one of the caller's."""
    parts = [text.partition("=") for text in texts]
    names = [name for name, _, _ in parts]
    for name, separator, path in parts:
        if not name or (separator and not path):
            raise typer.BadParameter("it is NAME or NAME=PATH", param_hint="--dataset")
        if names.count(name) > 1:
            raise typer.BadParameter(f"{name!r} is given twice", param_hint="--dataset")
    sources = {name: path for name, separator, path in parts if separator}
    if list(sources.values()).count("-") > 1:
        raise typer.BadParameter("standard input (-) can be read once only", param_hint="--dataset")
    return names, sources


def _loader(facts: dict[str, Any]) -> "BaseFixture":
    from ..data_loaders import DataLoader, DomainLoader, SpotifyDataLoader

    if "resources" in facts:
        return SpotifyDataLoader.from_web_api(**facts)
    return DomainLoader(**facts) if "paths" in facts else DataLoader(**facts)


async def _load(settings: "Settings", tenant: str, facts: dict[str, Any], **how: Any) -> "RunReport":
    from ..exceptions import DataRejected

    loader = _loader(facts)

    with progress() as listener:
        async with opened(settings, listener=listener) as work:
            try:
                return await work.manager.apply(loader, tenant_id=tenant, operation="load_fixtures", **how)
            except DataRejected as error:
                # What is an argument in Python is an option here.
                error.hint = error.hint and error.hint.replace("on_error=reject", "--on-error reject")
                raise
