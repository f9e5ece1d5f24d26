"""Records of a list in a document, each for itself: one that is at fault takes none of the others with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from .._ingest.readers import BadDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._ingest.readers import Made

# What a function does not find in a document that is not built as it should be; Python's own words would quote it.
NOT_AS_IT_SHOULD_BE = (AttributeError, KeyError, TypeError, ValueError, OverflowError)


def each(items: Any, make: Callable[[int, Any], Any], *, what: str = "element") -> Iterator[Made]:
    """What ``make`` gives for each object of a list, by its position from 1; nothing where it gives ``None``.

    An element that is no object, or of which ``make`` makes nothing of because it is built otherwise, is a bad record.

    :raises BadDocument: there is something in the list's place that is no list.
    """
    if items is None:
        return
    if not isinstance(items, list):
        raise BadDocument(f"expected a list of {what}s")
    for position, item in enumerate(items, start=1):
        if not isinstance(item, dict):
            yield BadDocument(f"expected an object as each {what}")
            continue
        try:
            made = make(position, item)
        except BadDocument as error:
            yield error
        except NOT_AS_IT_SHOULD_BE as error:
            yield BadDocument(f"expected an {what} of the shape's structure ({type(error).__name__})")
        else:
            if made is not None:
                yield made
