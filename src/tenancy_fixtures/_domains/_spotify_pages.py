"""Pages of the Web API that stand alone: whose part each entry is, their ``href`` alone says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Callable

from ._spotify_api import track_id
from ._spotify_playlists import added_by
from ._spotify_walk import Object, content_of, entries_of, first_position, id_of, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HREF = re.compile(r"/v1/(?:users/[^/]+/)?(album|playlist|show|audiobook)s/([0-9A-Za-z]{22})/(?:tracks|items|episodes|chapters)(?:[?/]|$)")


def album_pages(document: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001 - every rewriter gets what is given
    """Tracks, and the id of the album that they are on."""
    for owner, _, entry in _entries(document, "album"):
        if isinstance(entry, dict) and kind_of(entry) == "track":
            yield {"id": track_id(entry), "name": entry.get("name"), "album": owner}


def show_pages(document: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001
    """Episodes and chapters, and the id of the podcast or audiobook that they are of."""
    for owner, _, entry in _entries(document, "show", "audiobook"):
        if isinstance(entry, dict) and kind_of(entry) in ("episode", "chapter"):
            yield {"id": id_of(entry), "name": entry.get("name"), "show": owner}


def playlist_pages(wanted: str) -> Callable[[Any, Mapping[str, str]], Iterator[Object]]:
    """What makes records of the entries of playlists that hold a ``track``, or an ``episode``."""

    def entries(document: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001
        for owner, position, entry in _entries(document, "playlist"):
            held = content_of(entry)
            if held is not None and (kind_of(held) == "track") == (wanted == "track"):
                held_id = track_id(held) if wanted == "track" else id_of(held)
                yield {"playlist": owner, "position": position, "id": held_id, "added_at": entry.get("added_at"), **added_by(entry)}

    return entries


def _entries(document: Any, *kinds: str) -> Iterator[tuple[str, int, Any]]:
    """The id of the owner of a page of such a kind, and each of its entries with the position there, from 1."""
    for page in document if isinstance(document, list) else [document]:
        found = _HREF.search(page["href"]) if isinstance(page, dict) and isinstance(page.get("href"), str) else None
        if found and found[1] in kinds and kind_of(page) is None:
            for position, entry in enumerate(entries_of(page), start=first_position(page)):
                yield found[2], position, entry
