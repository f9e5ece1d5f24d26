"""The shapes of the domains' data: which kinds of files there are, how each is recognised, and how it is loaded.

A domain is a module here, named in ``DOMAINS``, with a function ``shapes()``. What a declaration can say is in ``shapes/DOMAIN/*.json``;
the module has the functions that the declarations name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from .._ingest import SourceLimits, Spool, is_wanted, open_sources
from .._shapes import Step
from ._detect import Detection, detect_source, together
from ._shape import Documents, KnownShape, Rewrite, shapes_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._ingest import FileSource, Sources
    from .._pg.database import Transaction

DOMAINS = ("ai_models", "analytics", "collaboration", "spotify")

__all__ = [
    "DOMAINS",
    "Detection",
    "Documents",
    "KnownShape",
    "Rewrite",
    "Settled",
    "built_in",
    "declarations",
    "detect",
    "detect_each",
    "find_sources",
    "settle",
    "shapes_in",
]


@cache
def built_in() -> tuple[KnownShape, ...]:
    """The shapes of the domains that come with the library."""
    return tuple(shape for name in DOMAINS for shape in import_module(f".{name}", __name__).shapes())


def declarations() -> dict[str, Path]:
    """The files in which the kinds of the domains are declared, by the kinds' names."""
    files = sorted((Path(__file__).parent / "shapes").glob("*/*.json"))
    return {json.loads(file.read_text(encoding="utf-8"))["name"]: file for file in files}


@dataclass(frozen=True)
class Settled:
    """What a domain has made of its tables: counts, and the tables that it may have written to."""

    domain: str
    counts: Mapping[str, int]
    tables: tuple[str, ...]

    def step(self, fixture: str) -> Step:
        """The same as a step of a run."""
        return Step(fixture, "derive", self.domain, dict(self.counts))


async def settle(domain: str | None, transaction: Transaction, namespace: str, *, removed: bool = False) -> list[Settled]:
    """Let a domain, or each of them, make of its tables what is made when their rows are loaded, or ``removed``; nothing where nothing was to do."""
    done = []
    for name in DOMAINS:
        module = import_module(f".{name}", __name__)
        if domain in (None, name) and hasattr(module, "settle"):
            done.append(Settled(name, await module.settle(transaction, namespace, removed=removed), module.SETTLED))
    return [item for item in done if item.counts]


def detect(path: str | Path, shapes: Sequence[KnownShape], limits: SourceLimits | None = None) -> Detection:
    """What a file is, or each file of a folder, a glob or an archive; a URL or standard input is read for it.

    :raises SourceError: nothing is there, it may not be read, or an archive is damaged.
    """
    with Spool(limits) as spool:
        return together(str(path), [found for _, found in detect_each(find_sources(path, shapes, spool), shapes)])


def detect_each(sources: Sequence[FileSource], shapes: Sequence[KnownShape]) -> list[tuple[FileSource, Detection]]:
    """What each of several files is. One among others that only its name spoke for, and that is nothing known, is passed over.

    :raises SourceMissing: one has gone, or may not be read.
    """
    found = [(source, detect_source(source, shapes)) for source in sources]
    return found if len(found) == 1 else [(source, what) for source, what in found if what.known or is_wanted(source.name)]


def find_sources(path: str | Path, shapes: Sequence[KnownShape], spool: Spool) -> Sources:
    """The files that a path leads to: in folders and archives those with a suffix of records, and those that are called as a shape says.

    :raises SourceError: as :func:`open_sources`.
    """
    patterns = {pattern.lower() for shape in shapes for known in shape.declared.known_by for pattern in known.files}

    def wanted(name: str) -> bool:
        last = name.rpartition("/")[2].lower()
        return is_wanted(name) or any(fnmatch(last, pattern) for pattern in patterns)

    return open_sources(path, spool=spool, wanted=wanted)
