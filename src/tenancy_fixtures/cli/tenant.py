"""``tenancy tenant``: make, list, show and drop tenants; give them logins."""

import sys
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from . import _output
from ._exit import ExitCode
from ._help import PlainCommand, PlainGroup
from ._reports import show_steps
from ._work import (
    DATABASE_HELP,
    AsJson,
    DryRun,
    IdempotencyKey,
    PackOption,
    TenantId,
    Work,
    help_unless_asked,
    in_words,
    opened,
    pairs,
    run,
    settings_for,
)

if TYPE_CHECKING:
    from .._shapes import RunReport, Tenant
    from .._tenant_login import TenantLogin
    from ..packs import Pack
    from ..settings import Settings

tenant_app = typer.Typer(
    cls=PlainGroup, help="Make, list, show and drop tenants; give them logins.", invoke_without_command=True, rich_markup_mode=None
)

_PHRASE = "`tenancy tenant drop` takes a tenant away at once and for good, so it wants to hear --now. Taking one away with time to think is not offered yet."

# What goes with a tenant, by what is done, or else by the fixture that takes it away.
_PARTS = {
    "config": "configuration",
    "schema": "schema {}",
    "database": "database {}",
    "delete rows": "rows in schema {}",
    "tenant": "entry in the registry",
}


@tenant_app.callback()
def tenant(context: typer.Context) -> None:
    """Make, list, show and drop tenants; give them logins."""
    help_unless_asked(context)


@tenant_app.command(cls=PlainCommand, epilog=DATABASE_HELP)
def create(
    context: typer.Context,
    *,
    tenant: TenantId,
    tier: Annotated[Optional[str], typer.Option(metavar="TIER", help="A tier of the pack. Without it: the pack's default.")] = None,
    feature: Annotated[Optional[list[str]], typer.Option(metavar="FEATURE", help="A feature beside those of the tier. Repeatable.")] = None,
    limit: Annotated[
        Optional[list[str]], typer.Option(metavar="NAME=VALUE", help="A limit, such as storage=100GB or api_calls=10k/day. Repeatable.")
    ] = None,
    label: Annotated[Optional[list[str]], typer.Option(metavar="NAME=VALUE", help="A label. Repeatable.")] = None,
    isolation: Annotated[
        Optional[str],
        typer.Option(
            metavar="ISOLATION",
            help="schema (one of its own), row (tables that tenants share) or database (one of its own). Without it: the pack's.",
            show_default=False,
        ),
    ] = None,
    exist_ok: Annotated[bool, typer.Option("--exist-ok", help="A tenant of that id may exist: it is brought to what is asked for.")] = False,
    dry_run: DryRun = False,
    idempotency_key: IdempotencyKey = None,
    pack: PackOption = None,
    as_json: AsJson = False,
) -> None:
    """Make a tenant: its row in the registry, its schema and its configuration, in one transaction."""
    facts: dict[str, Any] = {"tier": tier, "features": feature or None, "isolation": isolation, "exist_ok": exist_ok}
    facts.update(limits=_limits(limit or []) or None, labels=pairs(label or [], "--label") or None)
    _check_id(tenant)
    _check_isolation(isolation)
    settings = settings_for(context, pack)
    kind = _pack_with(tier, settings)
    if dry_run:
        report = run(lambda: _plan_create(settings, kind, tenant, facts))
        if as_json:
            _output.emit(report.to_dict())
        else:
            show_steps(report)
        return
    made = run(lambda: _create(settings, kind, tenant, {**facts, "idempotency_key": idempotency_key}))
    if as_json:
        _output.emit(made.to_dict())
    else:
        _output.say(
            f"Tenant {made.tenant_id!r} is there: {_place(made.isolation)} {made.namespace}, tier {made.tier}, {made.pack} revision {made.revision}."
        )


@tenant_app.command("list", cls=PlainCommand, epilog=DATABASE_HELP)
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List all tenants, by id; with --json one on each line."""
    tenants = run(lambda: _list(settings_for(context)))
    if as_json:
        for item in tenants:
            _output.emit(item.to_dict())
        return
    rows = [
        (item.tenant_id, item.namespace, item.isolation, item.state.value, item.tier, item.pack, item.revision, _output.moment(item.created_at))
        for item in tenants
    ]
    _output.table(("Tenant", "Schema", "Isolation", "State", "Tier", "Pack", "Revision", "Created (UTC)"), rows)
    _output.note(f"{_output.counted(len(tenants), 'tenant')}." if tenants else "No tenants yet: `tenancy tenant create ID` makes one.")


@tenant_app.command(cls=PlainCommand, epilog=DATABASE_HELP)
def show(context: typer.Context, tenant: TenantId, as_json: AsJson = False) -> None:
    """Show a tenant: registry, configuration, what was loaded, the last runs."""
    _check_id(tenant)
    facts = run(lambda: _facts(settings_for(context), tenant))
    if as_json:
        _output.emit(facts)
    else:
        _show(facts)


@tenant_app.command(cls=PlainCommand, epilog=DATABASE_HELP)
def login(
    context: typer.Context,
    tenant: TenantId,
    remove: Annotated[bool, typer.Option("--remove", help="Take the login away.")] = False,
    password_file: Annotated[
        Optional[typer.FileText],
        typer.Option(metavar="FILE", help="A file whose first line is the password, - for standard input. Without it: one is made."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give a tenant a login of its own, which stays within the tenant whatever SQL it runs; again: a new password."""
    _check_id(tenant)
    settings = settings_for(context)
    if remove:
        if password_file is not None:
            raise typer.BadParameter("a login that goes needs no password", param_hint="--password-file")
        report = run(lambda: _remove_login(settings, tenant))
        if as_json:
            _output.emit(report.to_dict())
        else:
            _output.say(f"Tenant {tenant!r} may not log in any more. Sessions that are open go on until they end.")
        return
    password = None if password_file is None else password_file.readline().rstrip("\r\n")
    given = run(lambda: _set_login(settings, tenant, password))
    if as_json:
        _output.emit(given.to_dict())
        return
    _output.say(f"Tenant {tenant!r} may log in as {given.login}. Keep this address, which is told once and has the password in it:")
    _output.say(given.url)


@tenant_app.command(cls=PlainCommand, epilog=DATABASE_HELP)
def drop(
    context: typer.Context,
    tenant: TenantId,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    now: Annotated[bool, typer.Option("--now", help="At once, with no grace period. Needed: there is no other way yet.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take a tenant away at once, with all its data. Its runs and its audit trail stay."""
    _check_id(tenant)
    settings = settings_for(context)
    if not dry_run:
        _make_sure(tenant, yes=yes, now=now)
    report = run(lambda: _drop(settings, tenant, dry_run=dry_run))
    if as_json:
        _output.emit(report.to_dict())
        return
    parts = in_words(_PARTS[step.action if step.action in _PARTS else step.fixture].format(step.object) for step in report.steps)
    _output.say(f"Tenant {tenant!r} would go: {parts}. Nothing was dropped." if dry_run else f"Tenant {tenant!r} is gone: {parts}.")
    for role in [step.detail["kept"] for step in report.steps if step.detail.get("kept")]:
        _output.note(f"Its role {role} stays: it owns something that is in no schema of the tenant's, or a copy of this database uses it.")


def _check_id(tenant: str) -> None:
    from ..utils import TenantUtils

    TenantUtils.check_id(tenant)


def _check_isolation(isolation: Optional[str]) -> None:
    if isolation not in (None, "schema", "row", "database"):
        raise typer.BadParameter(f"no isolation {isolation!r}: it is schema, row or database", param_hint="--isolation")


def _place(isolation: str) -> str:
    return {"row": "rows in schema"}.get(isolation, isolation)


def _make_sure(tenant: str, *, yes: bool, now: bool) -> None:
    if not now:
        raise typer.BadParameter(_PHRASE, param_hint="--now")
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise typer.BadParameter(f"nobody is here to ask whether tenant {tenant!r} may go: say --yes", param_hint="--yes")
    if not typer.confirm(f"Drop tenant {tenant!r} with all its data, now and for good?", err=True):
        _output.note("Nothing was dropped.")
        raise typer.Exit(ExitCode.FAILED)


def _limits(texts: list[str]) -> dict[str, str]:
    """Limits by name, each a quantity.

    :raises typer.BadParameter: one is none; says what it may be.
    """
    from ..exceptions import ConfigurationError
    from ..utils import ConfigUtils

    limits = pairs(texts, "--limit")
    try:
        ConfigUtils.parse_limits(limits)
    except ConfigurationError as error:
        raise typer.BadParameter(". ".join(filter(None, (error.message, error.hint))), param_hint="--limit") from None
    return limits


def _pack_with(tier: Optional[str], settings: "Settings") -> "Pack":
    """The pack that a new tenant is made from.

    :raises typer.BadParameter: it has no such tier; says which it has.
    """
    from ..packs import Pack

    pack = Pack.resolve(settings.pack)
    tiers = pack.tenant_template.tiers
    if tier is not None and tier not in tiers:
        raise typer.BadParameter(f"no tier {tier!r}. The pack {pack.name!r} has: {in_words(tiers)}.", param_hint="--tier")
    return pack


async def _create(settings: "Settings", pack: "Pack", tenant: str, facts: dict[str, Any]) -> "Tenant":
    async with opened(settings, pack=pack) as work:
        return await work.manager.create_tenant(tenant, **facts)


async def _plan_create(settings: "Settings", pack: "Pack", tenant: str, facts: dict[str, Any]) -> "RunReport":
    from ..tenant_fixtures import TenantFixture

    async with opened(settings, pack=pack) as work:
        return await work.manager.plan_tenant(TenantFixture(tenant, **facts))


async def _list(settings: "Settings") -> "list[Tenant]":
    async with opened(settings, needs_pack=False) as work:
        return await work.manager.list_tenants()


async def _set_login(settings: "Settings", tenant: str, password: Optional[str]) -> "TenantLogin":
    async with opened(settings) as work:
        return await work.manager.set_login(tenant, password)


async def _remove_login(settings: "Settings", tenant: str) -> "RunReport":
    async with opened(settings) as work:
        return await work.manager.remove_login(tenant)


async def _drop(settings: "Settings", tenant: str, *, dry_run: bool) -> "RunReport":
    from ..packs import Pack

    # Any pack will do: what goes is what is there, whichever it was made from.
    async with opened(settings, pack=Pack.default()) as work:
        return await work.manager.drop_tenant(tenant, dry_run=dry_run)


async def _facts(settings: "Settings", tenant: str) -> dict[str, Any]:
    from .._shapes import plain
    from ..exceptions import TenantNotFound

    async with opened(settings, needs_pack=False) as work:
        runs = [_run_facts(plain(row)) for row in await work.manager.recent_runs(tenant)]
        try:
            found = await work.manager.get_tenant(tenant)
        except TenantNotFound as error:
            # One that was dropped, or never came about, has left runs that say why.
            error.facts["runs"] = runs
            raise
        config = await work.manager.get_config(tenant)
        return {"tenant": found.to_dict(), "config": config, **await _contents(work, found), "runs": runs}


async def _contents(work: Work, tenant: "Tenant") -> dict[str, Any]:
    """What was loaded, and how large the tables are."""
    from .._shapes import plain

    async with work.manager.place_of(tenant.tenant_id) as place, place.database.transaction(tenant=tenant.tenant_id, role="loader") as transaction:
        ledger = await transaction.all("registry.ledger", uid=tenant.uid)
        # Where that is a database, the registry in there knows the schema.
        here = await transaction.one("registry.find", tenant_id=tenant.tenant_id) or {"namespace": tenant.namespace}
        # What tables that tenants share hold is told to none of them.
        tables = [] if tenant.isolation == "row" else await transaction.all("registry.relation_sizes", namespace=here["namespace"])
    datasets = [{"dataset": row["dataset"], "loaded_at": plain(row["loaded_at"]), **row["report"]} for row in ledger]
    return {"datasets": datasets, "tables": plain(tables)}


def _run_facts(row: dict[str, Any]) -> dict[str, Any]:
    error = row.get("error") or {}
    return {**row, "error": error.get("error"), "message": error.get("message")}


def _show(facts: dict[str, Any]) -> None:
    tenant = facts["tenant"]
    _output.say(
        f"{tenant['tenant_id']}: {tenant['state']}, tier {tenant['tier']}, {_place(tenant['isolation'])} {tenant['namespace']}, {tenant['pack']} revision {tenant['revision']}"
    )
    _output.say(f"  features: {in_words(tenant['features'])}")
    _output.say(f"  limits: {in_words(f'{name} {_limit(value)}' for name, value in sorted(tenant['limits'].items()))}")
    _output.say(f"  labels: {in_words(f'{name}={value}' for name, value in sorted(tenant['labels'].items()))}")
    _output.say(f"  configuration: {in_words(sorted(facts['config']))} (--json has the values)")
    rows, size = sum(item["rows"] for item in facts["tables"]), sum(item["bytes"] for item in facts["tables"])
    if tenant["isolation"] == "row":
        _output.say("  contents: rows of tables that tenants share\n")
    else:
        _output.say(f"  contents: {_output.counted(len(facts['tables']), 'table')}, about {_output.counted(rows, 'row')}, {size / 1e6:,.1f} MB\n")
    loads = [
        (item["dataset"], item["read"], item["stored"], item["duplicates"], item["rejects"], _output.moment(item["loaded_at"]))
        for item in facts["datasets"]
    ]
    _output.table(("Dataset", "Read", "Stored", "Duplicates", "Rejects", "Loaded (UTC)"), loads)
    runs = [(item["operation"], item["state"], _output.moment(item["started_at"]), item["actor"], item["error"]) for item in facts["runs"]]
    _output.table(("Run", "State", "Started (UTC)", "By", "Error"), runs)


def _limit(limit: dict[str, Any]) -> str:
    unit = f" {limit['unit']}" if "unit" in limit else ""
    return f"{limit['value']:,}{unit}{' per ' + limit['period'] if 'period' in limit else ''}"
