"""The shapes of the domains' data: which kinds of files there are, how each is recognised, and how it is loaded.

A domain is a module here, named in ``DOMAINS``, with a function ``shapes()``. What a declaration can say is in ``shapes/DOMAIN/*.json``;
the module has the functions that the declarations name.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from .._ingest import SourceLimits, Spool, open_sources
from ._detect import Detection, detect_source, together
from ._shape import Documents, KnownShape, Rewrite, shapes_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DOMAINS = ("spotify",)

__all__ = ["DOMAINS", "Detection", "Documents", "KnownShape", "Rewrite", "built_in", "detect", "detect_source", "shapes_in", "together"]


@cache
def built_in() -> tuple[KnownShape, ...]:
    """The shapes of the domains that come with the library."""
    return tuple(shape for name in DOMAINS for shape in import_module(f".{name}", __name__).shapes())


def detect(path: str | Path, shapes: Sequence[KnownShape], limits: SourceLimits | None = None) -> Detection:
    """What a file is, or each file of a folder, a glob or an archive; a URL or standard input is read for it.

    :raises SourceError: nothing is there, it may not be read, or an archive is damaged.
    """
    with Spool(limits) as spool:
        return together(str(path), [detect_source(source, shapes) for source in open_sources(path, spool=spool)])
