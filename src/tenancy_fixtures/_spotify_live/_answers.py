"""What an answer says, and whether it is what was asked for: a gateway may say with status 200 that it has nothing to give."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from ._wanted import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ._wanted import Kind, Resource

    # Says what is wrong with an answer; ``None`` where it is what was asked for.
    Check = Callable[[dict[str, Any]], str | None]

_NO_PAGE = "what should be a page of items is none"


def read_json(content: bytes) -> Any:
    """What JSON says.

    :raises ValueError: it is none, is nested too deeply, or holds a number that cannot be written as JSON again.
    """
    try:
        return json.loads(content, parse_float=_finite, parse_constant=_finite)
    except RecursionError:
        raise ValueError("too many levels") from None


def part_of(kind: Kind, value: dict[str, Any]) -> str | None:
    """The field with the first page of a resource's parts; ``None`` where it has to be asked for."""
    return next((name for name in kind.parts if isinstance(value.get(name), dict) and "items" in value[name]), None)


def page_fault(value: dict[str, Any]) -> str | None:
    """What is wrong with a page: it has no items, or where the next one is, is no text."""
    whole = isinstance(value.get("items"), list) and isinstance(value.get("next"), (str, type(None)))
    return None if whole else _NO_PAGE


def one(resource: Resource) -> Check:
    """Looks for the faults of the answer to one resource."""
    return page_fault if resource.albums else lambda value: _resource_fault(KINDS[resource.kind], value)


def several(group: Sequence[Resource]) -> Check:
    """Looks for the faults of the answer to several: it lists each of them, or nothing in its place, in their order."""
    kind = KINDS[group[0].kind]

    def fault(value: dict[str, Any]) -> str | None:
        listed = value.get(kind.path)
        if not isinstance(listed, list) or len(listed) != len(group) or not all(isinstance(item, (dict, type(None))) for item in listed):
            return f"of {len(group)} {kind.path} the API gave another number, or none"
        return next(filter(None, (_resource_fault(kind, item) for item in listed if item is not None)), None)

    return fault


def _resource_fault(kind: Kind, value: dict[str, Any]) -> str | None:
    # Which id it has, says nothing: a country may have another track in the place of the one that was asked for.
    if not isinstance(value.get("id"), str):
        return f"what should be one of the {kind.path} is none"
    part = part_of(kind, value)
    return None if part is None else page_fault(value[part])


def _finite(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise ValueError("no number of JSON's")
    return found
