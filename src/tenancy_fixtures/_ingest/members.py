"""Objects of JSON that a record gives: the cells of columns as members of one, and arrays of pairs of a key and a value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Callable

import polars as pl

from .texts import as_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_CONTAINER = r"^[ \t\r\n]*[\[{]"


def as_object(columns: Sequence[tuple[str, pl.Series]], height: int) -> pl.Series:
    """One object of JSON for each record: the cells that have a value, by the names of their columns.

    Text stays text, but what is an array or an object of JSON is one: nothing else can be told of a cell for certain.
    """
    members = []
    for name, cells in columns:
        if cells.null_count() < height:
            value = _embedded(cells) if cells.dtype == pl.String else as_json(cells)
            members.append(pl.lit(f"{json.dumps(name, ensure_ascii=False)}: ") + value)
    if not members:
        return pl.Series(["{}"]).new_from_index(0, height)
    # A member without a value is null as a whole, and left out.
    return pl.select(pl.lit("{") + pl.concat_str(members, separator=", ", ignore_nulls=True) + pl.lit("}")).to_series()


def _embedded(cells: pl.Series) -> pl.Series:
    texts = as_json(cells)
    likely = cells.str.contains(_CONTAINER).fill_null(value=False)
    if not likely.any():
        return texts
    places = likely.arg_true()
    kept = [whole if _is_json(whole) else text for whole, text in zip(cells[places], texts[places])]
    return texts.scatter(places, pl.Series(kept, dtype=pl.String))


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(word: str) -> None:
    raise ValueError(word)


# --- pairs ----------------------------------------------------------------------------------------------------------------


def pairs_as_object(texts: pl.Series) -> pl.Series:
    """``[{"key": "a", "value": {"int_value": "1"}}]`` as ``{"a": 1}``; null where a text is no such array."""
    return _each(texts, lambda pairs: json.dumps({key: _plain(value) for key, value in pairs}, ensure_ascii=False))


def value_of_pair(texts: pl.Series, wanted: str) -> pl.Series:
    """The value under a key as text, null where the key is not there, or a text is no array of pairs."""

    def find(pairs: Iterable[tuple[str, Any]]) -> str | None:
        value = next((_plain(value) for key, value in pairs if key == wanted), None)
        return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    return _each(texts, find)


def are_pairs(texts: pl.Series) -> pl.Series:
    """Whether each text is an array of pairs."""
    return _each(texts, lambda _: "") == ""


def _each(texts: pl.Series, make: Callable[[list[tuple[str, Any]]], str | None]) -> pl.Series:
    made = []
    for text in texts.to_list():
        pairs = None if text is None else _pairs(text)
        made.append(None if pairs is None else make(pairs))
    return pl.Series(made, dtype=pl.String)


def _pairs(text: str) -> list[tuple[str, Any]] | None:
    try:
        pairs = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(pairs, list) or not all(isinstance(pair, dict) and isinstance(pair.get("key"), str) for pair in pairs):
        return None
    return [(pair["key"], pair.get("value")) for pair in pairs]


def _plain(value: Any) -> Any:
    """The one value among ``string_value``, ``int_value`` and their like; whole numbers, which BigQuery writes as text, are numbers."""
    if not isinstance(value, dict) or not any(key.endswith("_value") for key in value):
        return value
    key, found = next(((key, item) for key, item in value.items() if item is not None and key.endswith("_value")), ("", None))
    return int(found) if key == "int_value" and isinstance(found, str) and found.lstrip("-").isdigit() else found
