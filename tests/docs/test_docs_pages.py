"""The documentation names everything that there is, nothing that there is not, and says the same in three languages."""

from __future__ import annotations

import importlib.util
import inspect
import re
import shlex
from pathlib import Path
from urllib.parse import unquote

import pytest

import tenancy_fixtures
from tenancy_fixtures import exceptions
from tenancy_fixtures.cli import ExitCode
from tenancy_fixtures.settings import Settings
from tests.acceptance import test_real_analytics, test_real_models, test_real_musicbrainz, test_real_spotify, test_real_webhooks
from tests.docs.support import PAGES, READMES, ROOT, anchors, blocks, headings, links, prose

CHANGELOG = ROOT / "CHANGELOG.md"
REFERENCE = ROOT / "docs" / "reference"
TEXTS = (*PAGES, CHANGELOG)
OTHER_NAMES = {"TENANCY_DEBUG", "TENANCY_TEST_DATABASE_URL", "TENANCY_TEST_REDIS_URL", "TENANCY_REAL_DATA"}
ERRORS = {name for name, item in vars(exceptions).items() if inspect.isclass(item) and item.__module__.startswith("tenancy_fixtures.")}
SNIPPETS = (
    """\
from app.tenancy.fixtures import FixtureManager
manager = FixtureManager()
await manager.create_tenant("tenant_001")
await manager.load_fixtures("tenant_001")
""",
    """\
from app.tenancy.fixtures import TenantFixture, ConfigFixture
tenant_fixture = TenantFixture(tenant_id="premium_001", features=["ai_collaboration", "advanced_analytics"],
                               limits={"api_calls": 10000, "storage": "100GB"})
config_fixture = ConfigFixture()
await config_fixture.apply_tenant_config(tenant_fixture)
""",
)


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def spans(page):
    """The words between backticks, outside blocks."""
    return re.findall(r"`([^`\n]+)`", prose(page))


def first_cells(page):
    """What the rows of the page's tables are about."""
    return [row.strip() for row in re.findall(r"^\| *([^|]*?) *\|", prose(page), re.MULTILINE) if not set(row) <= set("- ")]


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools" / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def options(reference):
    """The options of each command, by the words that one types."""
    return {words: {name for item in command.params for name in item.opts} | {"--help", "-h"} for words, command in reference.commands().items()}


# --- three languages --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", READMES[1:], ids=name_of)
def test_the_languages_have_the_same_form(page):
    assert [level for level, _ in headings(page)] == [level for level, _ in headings(READMES[0])]
    assert [(b.language, b.text, b.mark) for b in blocks(page)] == [(b.language, b.text, b.mark) for b in blocks(READMES[0])]
    assert [link for link in links(page) if link != page.name] == [link for link in links(READMES[0]) if link != page.name]


@pytest.mark.parametrize("page", READMES[1:], ids=name_of)
def test_the_languages_speak_of_the_same_things(page):
    names = re.compile(r"--[a-z-]+|TENANCY_[A-Z_]+|[A-Za-z]+_[a-z_]+|[A-Z][a-z]+[A-Z]\w+|\w+=\w+|/")
    mine, english = ({span for span in spans(item) if names.search(span)} for item in (page, READMES[0]))
    assert mine == english
    assert [cell for cell in first_cells(page) if "`" in cell or cell.isdigit()] == [
        cell for cell in first_cells(READMES[0]) if "`" in cell or cell.isdigit()
    ]


@pytest.mark.parametrize("page", READMES[1:], ids=name_of)
def test_a_translation_is_one(page):
    paragraphs = {line for line in prose(READMES[0]).splitlines() if len(line) > 40 and not line.startswith(("[", "- How", "- Ref"))}
    assert not paragraphs & set(prose(page).splitlines())


@pytest.mark.parametrize("page", READMES, ids=name_of)
def test_the_first_snippets_are_there_word_for_word(page):
    assert set(SNIPPETS) <= {block.text for block in blocks(page)}


@pytest.mark.parametrize("page", READMES, ids=name_of)
def test_the_readme_has_every_setting_with_its_default_and_every_exit_code(page):
    rows = dict(re.findall(r"^\| `?(\w+)`? \| ([^|]*?) \|", prose(page), re.MULTILINE))
    for name, field in Settings.model_fields.items():
        shown = rows.pop(f"TENANCY_{name.upper()}")
        wanted = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
        assert shown == f"`{wanted}`" or (field.default is None and "`" not in shown), name
    assert {code.value for code in ExitCode} == {int(name) for name in rows if name.isdigit()}


# --- the reference ----------------------------------------------------------------------------------------------------


def test_the_reference_is_what_the_code_says(reference):
    for name, text in reference.pages().items():
        assert (REFERENCE / name).read_text(encoding="utf-8") == text, f"{name} is old: python tools/reference.py"


def test_every_command_option_and_exit_code_is_in_the_reference(options):
    text = (REFERENCE / "commands.md").read_text(encoding="utf-8")
    assert len(options) > 10
    for words, names in options.items():
        section = text.partition(f"\n## {words}\n")[2].partition("\n## ")[0]
        assert section, words
        assert [name for name in names - {"--help", "-h"} if name.startswith("-") and f"`{name}`" not in section] == [], words
    assert [code for code in ExitCode if f"| {code.value} | {code.meaning} |" not in text] == []


def test_every_setting_is_in_the_reference():
    text = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    assert [name for name in Settings.environment_names() if f"| `{name}` |" not in text] == []


def test_every_error_is_in_the_reference_once_and_no_other():
    named = [cell.strip("`") for cell in first_cells(REFERENCE / "errors.md") if cell.startswith("`")]
    assert sorted(named) == sorted(ERRORS)


def test_the_reference_tells_which_errors_pass():
    """Where it says "try again", the error is a transient one, and the other way round."""
    rows = re.findall(r"^\| `(\w+)` \| .*? \| (.*?) \|$", (REFERENCE / "errors.md").read_text(encoding="utf-8"), re.MULTILINE)
    again = {name for name, advice in rows if re.search(r"try again|repeat the call", advice)}
    assert again == {name for name in ERRORS if issubclass(getattr(exceptions, name), exceptions.Transient) and name != "Transient"}


def test_every_key_of_a_pack_is_in_its_reference():
    from tenancy_fixtures import _pack_models as models
    from tenancy_fixtures import _shape_models as shapes

    named = set(spans(REFERENCE / "pack.md")) | set(re.findall(r'"(\w+)":', "".join(block.text for block in blocks(REFERENCE / "pack.md"))))
    keys = {
        field.alias or name
        for item in [*vars(models).values(), *vars(shapes).values()]
        if inspect.isclass(item) and issubclass(item, models.Model)
        for name, field in item.model_fields.items()
    }
    assert len(keys) > 25
    assert sorted(keys - named) == []


def test_the_architecture_places_every_room():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {path.stem for path in Path(tenancy_fixtures.__file__).parent.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert sorted(room for room in rooms - {"__init__"} if not re.search(rf"\b{room}\b", text)) == []


# --- every page -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", TEXTS, ids=name_of)
def test_links_lead_somewhere(page):
    for link in links(page):
        target, _, anchor = unquote(link).partition("#")
        if target.startswith(("https://", "http://")):
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), link
        assert ROOT in file.parents, link
        assert not anchor or anchor in anchors(file), link


@pytest.mark.parametrize("page", TEXTS, ids=name_of)
def test_commands_options_and_names_that_a_page_speaks_of_exist(page, options):
    commands = [span for span in spans(page) if span.startswith("tenancy ")]
    for block in blocks(page):
        commands += [line for line in block.text.splitlines() if block.language == "sh" and line.startswith("tenancy ") and not line.endswith("\\")]
    for text in commands:
        words = shlex.split(text.partition(" >")[0])
        command = " ".join(words[:3]) if " ".join(words[:3]) in options else " ".join(words[:2])
        known = options["tenancy"] if words[1].startswith("-") else options[command]
        assert [word for word in words if word.startswith("--") and word.partition("=")[0] not in known] == [], text
    names = set(re.findall(r"\bTENANCY_[A-Z_]+\b", page.read_text(encoding="utf-8")))
    assert sorted(names - set(Settings.environment_names()) - OTHER_NAMES) == []
    goals = {goal for span in spans(page) for goal in re.findall(r"^make ([a-z-]+)", span)}
    assert [goal for goal in goals if not re.search(rf"^{goal}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)] == []


@pytest.mark.parametrize("page", TEXTS, ids=name_of)
def test_no_page_speaks_of_one_machine(page):
    places = re.compile(r"(?<![\w.])/(?:work|root|home|tmp|Users|mnt)/\S*|127\.0\.0\.1:\d+|" + re.escape(str(ROOT)))
    assert places.findall(page.read_text(encoding="utf-8")) == []


def test_a_decision_is_short_and_has_its_three_parts():
    folder = ROOT / "docs" / "decisions"
    pages = sorted(folder.glob("[0-9]*.md"))
    assert [page.name[:4] for page in pages] == [f"{number:04d}" for number in range(1, len(pages) + 1)]
    listed = links(folder / "README.md")
    for page in pages:
        assert [text for level, text in headings(page) if level == 2] == ["Context", "Decision", "Consequences"]
        assert len(page.read_text(encoding="utf-8").splitlines()) < 45
        assert page.name in listed


def test_every_guide_is_listed_where_they_all_are():
    listed = links(ROOT / "docs" / "README.md")
    assert [page.name for page in sorted((ROOT / "docs" / "how-to").glob("*.md")) if f"how-to/{page.name}" not in listed] == []


def test_every_kind_that_a_real_file_is_of_is_in_the_table_of_them():
    text = (ROOT / "docs" / "reference" / "real-files.md").read_text(encoding="utf-8")
    named = set()
    for prefix, module in (
        ("spotify-", test_real_spotify),
        ("", test_real_models),
        ("analytics-", test_real_analytics),
        ("musicbrainz-", test_real_musicbrainz),
    ):
        named |= {f"{prefix}{expected.shape}" for expected in module.FILES.values()}
    assert {name for name in (*named, "collaboration-webhooks") if f"`{name}`" not in text} == set()
    counted = {
        f"{sum(test_real_models.PARAMETERS.values()):,} parameters",
        f"{len(test_real_models.PARAMETERS)} configurations",
        f"{test_real_webhooks.FILES} payloads",
        f"{len(test_real_webhooks.EVENTS)} events",
        f"{len(test_real_musicbrainz.UNKNOWN)} answers of AcoustID",
    }
    assert {words for words in counted if words not in text} == set()


def test_every_page_can_be_found_from_the_first():
    reached, waiting = set(), [READMES[0]]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        waiting += [
            (page.parent / link.partition("#")[0]).resolve() for link in links(page) if not link.startswith("http") and link.partition("#")[0]
        ]
    assert set(PAGES) - reached <= {ROOT / "docs" / "README.md"}


def test_the_changelog_tells_what_is_not_released():
    text = CHANGELOG.read_text(encoding="utf-8")
    section = text.partition("## [Unreleased]\n")[2].partition("\n## ")[0]
    assert re.findall(r"^- ", section, re.MULTILINE)
    for name in re.findall(r"`([A-Z][a-z]+[A-Z]\w+)`", section):
        assert name in tenancy_fixtures.__all__ or name in ERRORS, name
    for path in re.findall(r"`([\w./-]+/[\w./-]*)`", section):
        assert (ROOT / path).exists(), path
