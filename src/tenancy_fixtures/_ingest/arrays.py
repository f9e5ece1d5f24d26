"""Arrays as PostgreSQL writes them: what is ``["a", null]`` in JSON is ``{"a",NULL}`` there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from ._json_values import cell, parse
from .texts import as_array, as_text

if TYPE_CHECKING:
    from .casts import Convert


def written(name: str) -> Convert:
    """Values of a type, as its cast makes them, as the text that PostgreSQL reads."""
    start = {"uuid": "", "bytea": "\\x"}.get(name)
    return as_text if start is None else lambda values: start + values.bin.encode("hex")


def from_json(element: Convert) -> Convert:
    """JSON arrays as array literals, ``element`` giving the text of their values; other text as it is, for the server."""

    def convert(text: pl.Series) -> pl.Series:
        lists = text.str.starts_with("[").fill_null(value=False)
        if not lists.any():
            return text
        found = [_literal(item, element) for item in text.filter(lists).to_list()]
        # A copy: scatter writes into the values that it is called on, and who compares would see no difference.
        return text.clone().scatter(lists.arg_true(), pl.Series(found, dtype=pl.String))

    return convert


def literals(lists: pl.Series) -> pl.Series:
    """Lists of text as array literals."""
    return as_array(lists, lambda items: items)


def _literal(text: str, element: Convert) -> str | None:
    try:
        return _braced(parse(text), element)
    except (ValueError, RecursionError):
        return None


def _braced(items: list[Any], element: Convert) -> str:
    if any(isinstance(item, list) for item in items):
        if not all(isinstance(item, list) and item for item in items):
            # PostgreSQL has no place for an empty array inside another, and would drop it.
            raise ValueError("no rectangle")
        return "{" + ",".join(_braced(item, element) for item in items) + "}"
    cells = [cell(item) for item in items]
    texts = element(pl.Series(cells, dtype=pl.String)).to_list()
    if texts.count(None) > cells.count(None):
        raise ValueError("a value is not of the type")
    return "{" + ",".join("NULL" if text is None else _quoted(text) for text in texts) + "}"


def _quoted(text: str) -> str:
    if "\x00" in text:
        raise ValueError("NUL is no text")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
