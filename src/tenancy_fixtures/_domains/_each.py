"""Records of a list in a document, each for itself: one that is at fault takes none of the others with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from .._ingest.readers import MISBUILT, BadDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._ingest.readers import Made


def each(items: Any, make: Callable[[int, Any], Any], *, what: str = "element") -> Iterator[Made]:
    """What ``make`` gives for each object of a list, by its position from 1; nothing where it gives ``None``.

    An element that is no object, or of which ``make`` can make nothing because it is built otherwise, is a bad record.

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
        except MISBUILT as error:
            yield BadDocument(f"expected {what}s of the shape's structure ({type(error).__name__})")
        else:
            if made is not None:
                yield made
