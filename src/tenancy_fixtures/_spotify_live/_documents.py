"""Documents from the pages of the journal: one for each resource, a collection with all of its parts in it, one on each line of a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._pages import items_of
from ._wanted import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ._journal import Journal
    from ._wanted import Resource


_NAME = "web-api.ndjson"


@dataclass(frozen=True)
class Document:
    """Where a resource is in the journal: the answer at ``link``, at ``index`` of its list where several were asked for; its parts are in ``part``.

    ``first`` is the page of parts that had to be asked for, where the answer holds none; ``more`` are those after the first.
    """

    resource: Resource
    link: str
    index: int | None = None
    part: str | None = None
    first: str | None = None
    more: tuple[str, ...] = ()


def write_file(journal: Journal, documents: Iterable[Document]) -> Path:
    """Write the documents into a file of the journal's, and say which."""
    last = _Last(journal)
    with journal.file(_NAME) as file:
        for document in documents:
            file.writelines(_texts(last, document))
    return journal.folder / _NAME


class _Last:
    """Reads pages, and keeps the last one: documents that follow each other are of one answer."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._link = ""
        self._value: Any = None

    def read(self, link: str) -> Any:
        if link != self._link:
            self._link, self._value = link, self._journal.read(link)
            assert self._value is not None, "pages are kept until the files are written"
        return self._value


def _texts(pages: _Last, document: Document) -> Iterator[str]:
    """The text of a document, piece by piece: one of ten thousand tracks is never whole in memory."""
    value = pages.read(document.link)
    if document.resource.albums:
        for link in (document.link, *document.more):
            for item in items_of(pages.read(link)):
                yield _text(item) + "\n"
        return
    kind = KINDS[document.resource.kind]
    if document.index is not None:
        value = value[kind.path][document.index]
    if document.part is None:
        yield _text(value) + "\n"
        return
    first = pages.read(document.first) if document.first else value[document.part]
    yield _text({key: item for key, item in value.items() if key not in kind.parts})[:-1]
    whole = {"href": first.get("href"), "total": first.get("total"), "offset": 0, "next": None}
    yield f',"{document.part}":{_text(whole)[:-1]},"items":['
    yield ",".join(map(_text, items_of(first)))
    written = bool(items_of(first))
    for link in document.more:
        items = items_of(pages.read(link))
        yield ("," if written and items else "") + ",".join(map(_text, items))
        written = written or bool(items)
    yield "]}}\n"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))
