"""Records of an account's export beside its history: playlists, and what is saved in the library."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from .._ingest.uuids import uuid_of
from ._each import each

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .._ingest.readers import Made
    from ._shape import Rewrite
    from ._spotify_walk import Object

# Artist, album, title, and how long it is. Colons within them are escaped.
_LOCAL = re.compile(r"spotify:local:([^:]+):([^:]*):([^:]+):[0-9]*")


def account_playlists(playlist: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001 - every rewriter gets what is given
    """A playlist, with how many entries it lists."""
    entries = playlist.get("items")
    yield {**playlist, "items": None, "listed": len(entries) if isinstance(entries, list) else None}


def account_tracks(playlist: Any, given: Mapping[str, str]) -> Iterator[Made]:  # noqa: ARG001
    """The tracks of a playlist, with their places among all of its entries. What is no entry is told here."""
    yield from each(playlist.get("items"), partial(_held, playlist, "track"), what="entry")


def account_episodes(playlist: Any, given: Mapping[str, str]) -> Iterator[Made]:  # noqa: ARG001
    """The episodes of a playlist, likewise."""
    for made in each(playlist.get("items"), partial(_held, playlist, "episode"), what="entry"):
        if isinstance(made, dict):
            yield made


def _held(playlist: Object, kind: str, position: int, entry: Object) -> Object | None:
    held = entry.get(kind) or (_local_track(entry.get("localTrack")) if kind == "track" else None)
    if not isinstance(held, dict):
        return None
    return {**held, "playlist": playlist.get("name"), "position": position, "added": entry.get("addedDate")}


def _local_track(local: Any) -> Object | None:
    """A file of somebody's own, which is known by its names alone: as in the Web API, they make its id. What has none is only counted."""
    uri = local.get("uri") if isinstance(local, dict) else None
    found = _LOCAL.fullmatch(uri) if isinstance(uri, str) else None
    if found is None:
        return None
    artist, album, title = map(unquote_plus, found.groups())
    return {"trackName": title, "artistName": artist, "albumName": album or None, "trackUri": str(uuid_of("track", artist, title))}


def saved(kind: str) -> Rewrite:
    """What is saved of a kind: ``tracks``, ``albums``, ``artists``, ``shows`` or ``episodes``."""

    def of_kind(library: Any, given: Mapping[str, str]) -> Iterator[Made]:  # noqa: ARG001
        yield from each(library.get(kind), lambda _, item: item)

    return of_kind
