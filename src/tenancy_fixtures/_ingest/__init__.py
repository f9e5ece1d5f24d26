"""From a source to typed, checked frames; knows no database.

``open_sources`` finds the files (a ``Spool`` keeps what is no plain file, within ``SourceLimits``), ``content_digest`` tells whether they hold what was loaded before, ``read_dataset``
reads them. The data engine is imported when records are read, not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..exceptions import MissingExtra
from ._header import count_wanted, fold_words
from ._limits import SourceLimits
from ._local import is_wanted
from .sources import FileSource, Place, Sources, Spool, as_path, content_digest, content_sketch, open_sources, refuse_changed

if TYPE_CHECKING:
    from .frames import Frame, TargetFrame
    from .readers import Hooks
    from .stream import FrameStream, read_dataset

__all__ = [
    "FileSource",
    "Frame",
    "FrameStream",
    "Hooks",
    "Place",
    "SourceLimits",
    "Sources",
    "Spool",
    "TargetFrame",
    "as_path",
    "content_digest",
    "content_sketch",
    "count_wanted",
    "fold_words",
    "is_wanted",
    "open_sources",
    "read_dataset",
    "refuse_changed",
]

_LAZY = {"Frame": "frames", "TargetFrame": "frames", "FrameStream": "stream", "Hooks": "readers", "read_dataset": "stream"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] in ("polars", "pyarrow"):
            raise MissingExtra("loading data needs polars and pyarrow", extra="load", hint="Install tenancy-fixtures[load].") from error
        raise
