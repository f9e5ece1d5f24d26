"""``tenancy pack``: work on a pack itself."""

import shlex
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from . import _output
from ._exit import ExitCode
from ._help import PlainCommand, PlainGroup
from ._progress import progress
from ._typed import command
from ._work import DATABASE_HELP, PACK_FORM, AsJson, PackOption, help_unless_asked, opened, run, settings_for
from .validate import look_over

if TYPE_CHECKING:
    from .._from_database import PackWritten, Wishes
    from .._generate import GenerationReport
    from ..settings import Settings

pack_app = typer.Typer(cls=PlainGroup, help="Work on a pack itself.", invoke_without_command=True, rich_markup_mode=None)


class Format(str, Enum):
    """What a file of made data is written as."""

    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"


@pack_app.callback()
def pack_group(context: typer.Context) -> None:
    """Work on a pack itself."""
    help_unless_asked(context)


@pack_app.command(cls=PlainCommand)
def new(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where the pack goes: a folder that is not there yet, or empty.", show_default=False)
    ],
    name: Annotated[
        Optional[str], typer.Option(metavar="NAME", help="What the pack is called. Without it: what the folder is called.", show_default=False)
    ] = None,
    default: Annotated[
        bool, typer.Option("--default", help="A copy of the default pack, under its name: the tenants that are made from it can go on with the copy.")
    ] = False,
    shape: Annotated[
        Optional[list[str]],
        typer.Option(metavar="KIND", help="Put the declaration of this kind of files into the pack, to be changed. Repeatable.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Begin a pack of your own: a small one that works as it is, with a README that says what each file is for; or a copy of the default pack."""
    import re

    from .._domains import declarations
    from .._pack_models import NAME
    from .._skeleton import name_for, write_pack
    from ..packs import Pack

    if name is not None and not re.fullmatch(NAME, name):
        raise typer.BadParameter("a pack's name is 1 to 63 of a-z 0-9 _ . - and begins with a letter or digit", param_hint="--name")
    kinds = declarations() if shape else {}
    unknown = [kind for kind in shape or () if kind not in kinds]
    if unknown:
        raise typer.BadParameter(f"no such kind of files: {', '.join(unknown)}; there are {', '.join(kinds)}", param_hint="--shape")
    name = name or (Pack.default().name if default else name_for(folder))
    files = write_pack(folder, name, default=default, shapes=[kinds[kind] for kind in shape or ()])
    if as_json:
        _output.emit({"pack": name, "folder": str(folder), "files": [str(path) for path in files]})
        return
    for path in files:
        _output.say(str(path))
    _output.note(f"The pack {name!r} is there. Look it over: {command()} pack check {shlex.quote(str(folder))}")


@pack_app.command("from-database", cls=PlainCommand, epilog=DATABASE_HELP)
def from_database(
    context: typer.Context,
    schema: Annotated[str, typer.Argument(metavar="SCHEMA", help="The schema, as PostgreSQL spells it.", show_default=False)],
    *,
    to: Annotated[
        Optional[Path],
        typer.Option(metavar="FOLDER", help="A folder that is not there yet, or empty. Without it: one of the schema's name.", show_default=False),
    ] = None,
    name: Annotated[
        Optional[str], typer.Option(metavar="NAME", help="What the pack is called. Without it: what the folder is called.", show_default=False)
    ] = None,
    data: Annotated[
        Optional[list[str]],
        typer.Option(metavar="TABLE", help="A table whose rows go into the pack, however many there are, and personal or not. Repeatable."),
    ] = None,
    rows: Annotated[
        int, typer.Option(metavar="N", min=0, help="Other tables go in where they have at most so many rows, and look like no personal data.")
    ] = 500,
    shared_schema: Annotated[
        Optional[list[str]], typer.Option(metavar="NAME", help="Another schema that the pack may refer to, and all tenants share. Repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a pack from a schema that is there: its script, and the rows of its reference tables, with keys that are guessed. The schema is only read.

    The script is run, and the rows are loaded, in a schema that is taken back, and compared: what would not be the same is an error, and nothing is written.
    """
    import re

    from .._from_database import Wishes
    from .._pack_models import NAME
    from .._skeleton import name_for

    folder = to or Path(re.sub(r"[^A-Za-z0-9_.-]+", "-", schema).lstrip("-.") or "pack")
    name = name or name_for(folder)
    if not re.fullmatch(NAME, name):
        raise typer.BadParameter("a pack's name is 1 to 63 of a-z 0-9 _ . - and begins with a letter or digit", param_hint="--name")
    wishes = Wishes(tuple(data or ()), tuple(shared_schema or ()), rows)
    written = run(lambda: _from_database(settings_for(context), schema, folder, name, wishes))
    if as_json:
        _output.emit(written.to_dict())
        return
    _show_written(written)
    _output.note(f"Look it over: {command()} pack check {shlex.quote(str(folder))}")


async def _from_database(settings: "Settings", schema: str, folder: Path, name: str, wishes: "Wishes") -> "PackWritten":
    async with opened(settings, needs_pack=False) as work:
        return await work.manager.pack_from_database(schema, folder, name=name, wishes=wishes)


def _show_written(written: "PackWritten") -> None:
    _output.say(f"The pack {written.pack!r} is in {written.folder}: {_output.counted(written.objects, 'definition')} of schema {written.schema}.")
    for what, names in (("Extensions", written.extensions), ("Shared schemas", written.shared_schemas)):
        if names:
            _output.say(f"{what}: {', '.join(names)}.")
    if written.data:
        _output.say("Rows that are in it. The keys are guessed, look at them:")
        _output.table(("Table", "Rows", "Key", "Because it is"), [(item.table, item.rows, ", ".join(item.key), item.why) for item in written.data])
    personal = [item for item in written.data if item.personal]
    if personal:
        listed = "; ".join(f"{item.table}: {', '.join(item.personal)}" for item in personal)
        _output.note(f"Looks like personal data, and is in the pack: {listed}.")
    if written.left_out:
        _output.say("Tables whose rows are not in it:")
        _output.table(("Table", "Why"), [(item.table, item.why) for item in written.left_out])


@pack_app.command(cls=PlainCommand, epilog=DATABASE_HELP)
def check(
    context: typer.Context,
    folder: Annotated[
        str, typer.Argument(metavar=PACK_FORM, help="The pack: its folder, or where a Pack made in Python is found.", show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Look over a pack: templates, every record of its data, and its scripts, which the database is asked to run and to forget.

    The same as `tenancy validate --pack-only`. Exit code 1 where a finding is an error, 6 where the pack cannot be used at all.
    """
    look_over(settings_for(context, folder), pack_only=True, as_json=as_json)


@pack_app.command(cls=PlainCommand, epilog=DATABASE_HELP)
def rowify(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The pack whose schema_template.row.sql is written.", show_default=False)],
    *,
    check_only: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 where the file is not what would be written.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write what makes a pack's schema one that several tenants share, each seeing its own rows: for people to read and keep.

    It is worked out from what schema_template.sql makes, in a transaction that is taken back.
    """
    from .._rowify import write_row_script
    from ..packs import ROW_SCHEMA

    file = folder / ROW_SCHEMA
    text = run(lambda: _row_script(settings_for(context, str(folder))))
    same = file.exists() and file.read_text(encoding="utf-8") == text
    if not same and not check_only:
        write_row_script(file, text)
    if as_json:
        _output.emit({"file": str(file), "changed": not same, "written": not same and not check_only})
    elif check_only:
        _output.say(f"{file} is as it should be." if same else f"{file} is not what the schema asks for: `{command()} pack rowify` writes it.")
    else:
        _output.say(f"{file} is as it was." if same else str(file))
    if check_only and not same:
        raise typer.Exit(ExitCode.FAILED)


async def _row_script(settings: "Settings") -> str:
    from .._rowify import row_script

    async with opened(settings) as work:
        return await row_script(work.manager.pack, work.runtime)


@pack_app.command(cls=PlainCommand, epilog=DATABASE_HELP)
def generate(
    context: typer.Context,
    *,
    to: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the files go, one for each dataset: DATASET.csv and the like.", show_default=False)
    ],
    rows: Annotated[
        Optional[list[str]],
        typer.Option(
            metavar="[DATASET=]N",
            help="How many records each dataset gets, or this one. Repeatable. Without a number for all: 1000. With numbers for single ones alone only these are made.",
            show_default=False,
        ),
    ] = None,
    dataset: Annotated[
        Optional[list[str]],
        typer.Option(
            metavar="NAME", help="A dataset to make records for; those that it refers to are made too. Repeatable. Without it: all of the pack."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed gives the same records, another one others.")] = 0,
    format_: Annotated[
        Optional[Format],
        typer.Option("--format", metavar="csv|ndjson|parquet", help="Without it: the format that the dataset reads.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    pack: PackOption = None,
    as_json: AsJson = False,
) -> None:
    """Make records for the datasets of a pack, from its schema and rules: they load without a reject.

    Keys are distinct, references lead to records that are made as well. Each file appears whole, or not at all.
    """
    every, single = _numbers(rows or [])
    facts: dict[str, Any] = {"rows": every, "rows_of": single, "datasets": dataset or None, "seed": seed, "force": force}
    settings = settings_for(context, pack)
    report = run(lambda: _generate(settings, to, {**facts, "format": format_.value if format_ else None}))
    if as_json:
        _output.emit(report.to_dict())
        return
    _output.table(("Dataset", "Records", "Bytes", "File"), [(item.dataset, item.rows, item.bytes, item.path) for item in report.files])
    _output.say(f"{_output.counted(sum(item.rows for item in report.files), 'record')} made in {report.seconds:.2f} s.")


def _numbers(texts: list[str]) -> tuple[Optional[int], dict[str, int]]:
    """The number for every dataset, if there is one, and those for single ones."""
    every: Optional[int] = None
    single: dict[str, int] = {}
    for text in texts:
        name, separator, number = text.rpartition("=")
        if not number.isdecimal() or int(number) < 1 or (separator and not name):
            raise typer.BadParameter(f"{text!r} is neither N nor DATASET=N, with a number from 1 on", param_hint="--rows")
        if name in single or (not separator and every is not None):
            raise typer.BadParameter(f"{text!r} is said twice", param_hint="--rows")
        if separator:
            single[name] = int(number)
        else:
            every = int(number)
    return every, single


async def _generate(settings: "Settings", to: Path, facts: dict[str, Any]) -> "GenerationReport":
    with progress() as listener:
        async with opened(settings, listener=listener) as work:
            return await work.manager.generate_data(to, **facts)
