"""Reads the documentation's Markdown, and does what it says as a reader would: block by block, in order."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parents[2]
READMES = tuple(ROOT / name for name in ("README.md", "README.fr.md", "README.de.md"))
PAGES = (*READMES, *sorted((ROOT / "docs").rglob("*.md")))

_BLOCK = re.compile(r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>[a-z]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_NUMBER = re.compile(r"\d[\d,]*\.\d+")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?")
_CHECKS = re.compile(r"\b[\d,]+ checks")  # a newer PostgreSQL has more to look at
_PHASES = "Phase Seconds Records MB Records/s"  # shown where a load took long
_PHASE = re.compile(r"\S.* #(?: (?:-|#|[\d,]+)){3}")
_STARTED = "Tenancy Fixtures: embedded PostgreSQL"

ADMIN = "postgresql://admin:PASSWORD@db.example.org:5432/app"
SERVICE = "postgresql://tenancy_service:PASSWORD@db.example.org:5432/app"
LEFT_OUT = "…"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the remark in the HTML comment before it."""

    language: str
    text: str
    mark: str = ""
    line: int = 0


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [Block(m["language"], m["text"], m["mark"] or "", text.count("\n", 0, m.start("language")) + 1) for m in _BLOCK.finditer(text)]


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def headings(page: Path) -> list[tuple[int, str]]:
    return [(len(m[1]), m[2]) for m in _HEADING.finditer(prose(page))]


def links(page: Path) -> list[str]:
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings."""
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for _, text in headings(page)}


@dataclass
class Reader:
    """Somebody at a shell, in a clone: ``python`` and ``tenancy`` are this suite's, and no setting of another is in the way.

    ``stands_for`` says what a name in the documentation means here: a server's address, a login.
    """

    folder: Path
    data: Path
    stands_for: dict[str, str] = field(default_factory=dict)
    admin_url: str = ""
    printed: str = ""

    def __post_init__(self) -> None:
        shutil.copytree(ROOT / "examples", self.folder / "examples")
        commands = {"python": '"$@"', "python3": '"$@"', "tenancy": '-m tenancy_fixtures "$@"'}
        # What make adds, an environment of its own, the suite runs in already.
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert "@.venv/bin/python -m tenancy_fixtures demo" in makefile
        commands["make"] = """-c 'import sys; from tenancy_fixtures.cli import main; sys.argv[0] = ".venv/bin/tenancy"; main()' "$@\""""
        for name, words in commands.items():
            script = self.folder / "bin" / name
            script.parent.mkdir(exist_ok=True)
            script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}\n', encoding="utf-8")
            script.chmod(0o755)

    def follow(self, page: Path) -> int:
        """Do what the page says and compare what it promises; gives the number of blocks that ran."""
        ran = 0
        for block in blocks(page):
            place = f"{page.name}, line {block.line}"
            if block.mark.startswith("not run"):
                self.printed = ""
            elif block.mark.startswith("file: "):
                assert (ROOT / block.mark[len("file: ") :]).read_text(encoding="utf-8") == block.text, f"{place}: not the file's text"
            elif block.language in ("sh", "python", "sql"):
                self._run(block, place)
                ran += 1
            elif block.language == "text" and self.printed and not block.mark:
                compare(block.text, self.printed, place)
                self.printed = ""
        return ran

    def _run(self, block: Block, place: str) -> None:
        text = self._here(block.text)
        if block.language == "sql":
            with psycopg.connect(self.admin_url, autocommit=True) as connection:
                connection.execute(text)
            return
        expected = int(block.mark[len("exit: ") :]) if block.mark.startswith("exit: ") else 0
        words = ["sh", "-e", "-c", text] if block.language == "sh" else [sys.executable, str(Path(__file__).with_name("snippet.py")), text]
        done = subprocess.run(
            words, cwd=self.folder, env=self._environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False
        )
        assert done.returncode == expected, f"{place}: exit code {done.returncode}\n{done.stdout}"
        self.printed = self._there(done.stdout)

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TENANCY_", "PYTHON"))}
        path = os.pathsep.join([str(self.folder / "bin"), kept.get("PATH", "")])
        own = {"PATH": path, "PYTHONPATH": str(ROOT / "src"), "TENANCY_DATA_DIR": str(self.data), "TENANCY_EMBEDDED_IDLE": "30", "LC_ALL": "C.UTF-8"}
        return {**kept, **own}

    def _here(self, text: str) -> str:
        for name in sorted(self.stands_for, key=len, reverse=True):
            text = text.replace(name, self.stands_for[name])
        assert "db.example.org" not in text, "an address that stands for nothing here"
        return text

    def _there(self, text: str) -> str:
        for name, value in self.stands_for.items():
            text = text.replace(value, name)
        return text


def compare(promised: str, printed: str, place: str) -> None:
    """Every promised line must be there, in order and without a gap but where the page says that it leaves lines out."""
    actual, position = normal(printed), 0
    gap = False
    for line in normal(promised):
        if line == LEFT_OUT:
            gap = True
            continue
        position = actual.index(line, position) if gap and line in actual[position:] else position
        rest = actual[position:]
        assert rest[:1] == [line], f"{place} promises\n{line}\nand this came:\n" + "\n".join(rest)
        position, gap = position + 1, False
    assert gap or position == len(actual), f"{place} leaves out the end without saying so:\n" + "\n".join(actual[position:])


def normal(text: str) -> list[str]:
    """Lines without what differs from run to run and from server to server: times, rates, numbers of checks, the width of columns, the phases of a slow load."""
    lines, rates, phases = [], False, False
    for raw in text.splitlines():
        line = " ".join(_NUMBER.sub("#", _MOMENT.sub("@", _CHECKS.sub("# checks", raw))).split())
        if not line or set(line) == {"─"} or line.startswith(_STARTED):
            rates = rates and bool(line)
            continue
        phases = line == _PHASES or (phases and _PHASE.fullmatch(line) is not None)
        if phases:
            continue
        cells = line.rpartition(" ")
        if rates and re.fullmatch(r"[\d,]+|#|-", cells[2]):
            line = f"{cells[0]} #"
        rates = line.endswith("Records/s") or (rates and line != LEFT_OUT)
        lines.append(line)
    return lines
