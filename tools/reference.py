"""Write the pages of the reference that are made from the code: commands, exit codes, settings, shapes, faults and probes. A test keeps them equal.

python tools/reference.py    writes them into docs/reference
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"

COMMANDS = """\
# Commands

<!-- Made by tools/reference.py from the command line itself. -->

`tenancy` and `python -m tenancy_fixtures` are the same. Answers go to stdout; progress, remarks and errors go to stderr.
With `--json` the answer on stdout is one object, or one on each line, and an error is an object too, with `exit_code` in it.
Progress is shown on a terminal only.
"""

SCRIPTS = """\
## Scripts

Four commands can also be run as modules, under both names of the library. They take the same arguments.

| module | command |
|---|---|
| `python -m app.tenancy.fixtures.scripts.init_tenant` | `tenancy tenant create` |
| `python -m app.tenancy.fixtures.scripts.load_fixtures` | `tenancy load` |
| `python -m app.tenancy.fixtures.scripts.validate_data` | `tenancy validate` |
| `python -m app.tenancy.fixtures.scripts.cleanup` | `tenancy tenant drop` |
"""

SETTINGS = """\
# Settings

<!-- Made by tools/reference.py from the settings themselves. -->

Each setting has one environment name. In Python the same settings are the fields of `Settings`: the name without `TENANCY_`,
in small letters. `Settings.from_env()` reads the environment, and keyword arguments win over it. An empty value counts as unset.
A value that does not fit raises `ConfigurationError`, which names the setting and never shows the value.

Secrets (the URLs of the database and of Redis, the client secret) are masked wherever settings are printed.

There is no cache yet: `TENANCY_REDIS_URL`, `TENANCY_CACHE_TTL` and `TENANCY_CACHE_OPTIMIZATION` are accepted and have no effect.
"""


FAULTS = """\
# Faults of an installation

<!-- Made by tools/reference.py from the faults themselves. -->

`tenancy doctor` looks for these, and tells the object that has one, and the SQL or the command that mends it. An error lets a tenant's data out, or the
trace be changed; a warning makes that easier; a note is how the installation is meant to be, and worth to know.
"""

MISSING = """\
## Of tables that tenants share

`tenancy adopt --shared` looks for these in a schema that others have made; [how to](../how-to/adopt.md#tables-that-tenants-share). They are listed in the order in which they are mended.
"""

PROBES = """\
# Probes of an attack

<!-- Made by tools/reference.py from the probes themselves. -->

`tenancy doctor --attack` tries these, from one throw-away tenant (the attacker) to another (the victim); [how to](../how-to/doctor.md#attack-it) says what an answer
means. Class A is ordinary statements, hostile values and qualified names: none may cross. Class B is any SQL at all: what crosses is open to whoever can send SQL of his own.

In every probe four things are looked for: a value of the victim among what the attacker reads, or in an error; rows or a sequence of the victim that are others than
before; and a value of the attacker that the victim reads in the place of its own. What is named here besides is looked for in that probe alone.
"""

_SIGNS = {
    "revealed": "another answer for a key that the victim has than for one that nobody has",
    "done": "that it can be done",
    "named": "the victim's name",
}

SHAPES = """\
# Kinds of files

<!-- Made by tools/reference.py from the declarations of the shapes. -->

Files of these kinds say themselves what they are: the loader of their domain, `DomainLoader` and `tenancy load --file` load them, alone or many
together, and `tenancy detect` says what a file is. How a pack declares more: [shapes](pack.md#shapes).
[Real files](real-files.md) has what became of files that nobody made for this.

Each dataset reads the file for itself, and counts its own records. The rows that come along with them are in the tables in parentheses.
"""


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """The text of each page, by file name."""
    return {"commands.md": _commands(), "settings.md": _settings(), "shapes.md": _shapes(), "faults.md": _faults(), "probes.md": _probes()}


def commands() -> dict[str, Any]:
    """Every command by what one types, the groups too."""
    import typer

    from tenancy_fixtures.cli import app

    return dict(_walk("tenancy", typer.main.get_command(app)))


def _walk(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield words, command
    children = getattr(command, "commands", {})
    for name in command.list_commands(None) if children else ():
        yield from _walk(f"{words} {name}", children[name])


def _commands() -> str:
    parts = [COMMANDS, *(_command(words, command) for words, command in commands().items()), SCRIPTS, _exit_codes()]
    return "\n".join(parts)


def _command(words: str, command: Any) -> str:
    arguments = [item for item in command.params if item.param_type_name == "argument"]
    options = [item for item in command.params if item.param_type_name == "option"]
    usage = " ".join([words, *(["[OPTIONS]"] if options else []), *map(_placeholder, arguments), *(["COMMAND"] if _children(command) else [])])
    rows = [(f"`{item.metavar}`", item.help) for item in arguments] + [(_option(item), _help(item)) for item in options]
    table = ["| | |", "|---|---|", *(f"| {name} | {_cell(text)} |" for name, text in rows)] if rows else []
    lines = [f"## {words}", "", _paragraphs(command.help), "", "```text", usage, "```", "", *table, *([""] if table else [])]
    return "\n".join(lines)


def _children(command: Any) -> bool:
    return bool(getattr(command, "commands", {}))


def _placeholder(argument: Any) -> str:
    return str(argument.metavar)


def _option(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    return f"{names} `{_cell(option.metavar)}`" if option.metavar and not option.is_flag else names


def _help(option: Any) -> str:
    environment = f" Environment: `{option.envvar}`." if option.envvar else ""
    return f"{option.help or ''}{environment}"


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (text or "").split("\n\n"))


def _cell(text: str) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _exit_codes() -> str:
    from tenancy_fixtures.cli import ExitCode

    rows = [f"| {code.value} | {code.meaning} |" for code in ExitCode]
    return "\n".join(["## Exit codes", "", "| code | meaning |", "|---|---|", *rows, ""])


def _faults() -> str:
    from tenancy_fixtures._adopt import MISSING as LACKING
    from tenancy_fixtures.doctor import FAULTS as FOUND

    rows = [f"| `{name}` | {severity} | {why} |" for name, (severity, why) in FOUND.items()]
    lacking = [f"| `{name}` | {why} |" for name, why in LACKING.items()]
    table = [FAULTS, "| fault | severity | why it matters |", "|---|---|---|", *rows]
    return "\n".join([*table, "", MISSING, "| missing | why it matters |", "|---|---|", *lacking, ""])


def _probes() -> str:
    from tenancy_fixtures._attack._matrix import PROBES as TRIED

    parts = [PROBES]
    for name, title in (("a", "Class A"), ("b", "Class B")):
        rows = [
            f"| `{probe.name}` | {probe.about} | {', '.join(probe.isolations)} | {_SIGNS.get(probe.sign or '', '')} |"
            for probe in TRIED
            if probe.attack_class == name
        ]
        parts += [f"## {title}", "", "| probe | what it tries | isolations | besides |", "|---|---|---|---|", *rows, ""]
    return "\n".join(parts)


def _shapes() -> str:
    from tenancy_fixtures._domains import DOMAINS, built_in

    parts = [SHAPES]
    for domain in DOMAINS:
        parts += [f"## {domain}", ""]
        for shape in (item.declared for item in built_in() if item.domain == domain):
            parts += [f"### {shape.name}", "", f"{shape.description[0].upper()}{shape.description[1:]}. Known by {_known_by(shape)}.", ""]
            parts += _datasets(shape) if shape.datasets else [f"Nothing is loaded: {shape.holds_nothing}.", ""]
    return "\n".join(parts)


def _known_by(shape: Any) -> str:
    ways = []
    for known in shape.known_by:
        words = [" or ".join(f"`{name}`" for name in ([item] if isinstance(item, str) else item)) for item in known.needs]
        words += [f"`{pattern}` in {' or '.join(f'`{name}`' for name in names.split('|'))}" for names, pattern in known.values.items()]
        words += [f"`{pattern}` in its text" for pattern in known.text]
        ways.append(", ".join(words) + (f", and no {' or '.join(f'`{name}`' for name in known.lacks)}" if known.lacks else ""))
    return "; or by ".join(ways)


def _datasets(shape: Any) -> list[str]:
    rows = []
    for dataset in shape.datasets:
        own = ", ".join(f"`{target.table}`" for target in dataset.targets if not target.derived)
        along = ", ".join(f"`{target.table}`" for target in dataset.targets if target.derived)
        given = ", ".join(f"`{name}`" for name in dataset.given)
        rows.append(f"| `{dataset.name}` | {dataset.description} | {own}{f' ({along})' if along else ''} | {given} |")
    return ["| dataset | records | tables | can be given |", "|---|---|---|---|", *rows, ""]


def _settings() -> str:
    from tenancy_fixtures.settings import ENV_PREFIX, Settings

    rows = [
        f"| `{ENV_PREFIX}{name.upper()}` | {_kind(field.annotation)} | {_default(field.default)} | {_cell(field.description or '')} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join([SETTINGS, "| environment name | kind | default | meaning |", "|---|---|---|---|", *rows, ""])


def _kind(annotation: Any) -> str:
    text = str(annotation)
    known = {
        "SecretStr": "secret",
        "Path": "path",
        "Literal": "`development` or `production`",
        "bool": "yes or no",
        "int": "whole number",
        "float": "number",
    }
    return next((kind for name, kind in known.items() if name in text), "text")


def _default(value: Any) -> str:
    if value is None:
        return "unset"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    main()
