"""Records for the datasets of any pack, made from its schema and a seed. Its libraries are imported when they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..exceptions import MissingExtra

if TYPE_CHECKING:
    from ._run import generate
    from ._write import GeneratedFile, GenerationReport

__all__ = ["GeneratedFile", "GenerationReport", "generate"]

_LAZY = {"generate": "_run", "GeneratedFile": "_write", "GenerationReport": "_write"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] in ("numpy", "polars", "pyarrow"):
            hint = "Install tenancy-fixtures[generate]; it needs Python 3.10 or newer."
            raise MissingExtra("making data needs mimesis and numpy", extra="generate", hint=hint) from error
        raise
