"""Objects of the Web API wherever they are in a document: in a page, in a search result, in a list of saved things, in each other."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Object = dict[str, Any]

_ID = re.compile(r"(?:^|[:/])([0-9A-Za-z]{22})(?:[?/].*)?$")
_PLACE = re.compile(r"(?:^spotify:|/v1/)(?:user[s]?[:/][^:/]+[:/])?(track|album|artist|playlist|show|episode|audiobook|chapter)s?[:/]")
_KINDS = frozenset({"track", "album", "artist", "playlist", "show", "episode", "audiobook", "chapter", "audio_features"})
_OF_ALBUMS = frozenset({"album_type", "album_group", "release_date", "total_tracks", "images", "tracks"})
# What else is of such a type, without being it: where something was played from, and who did something.
_BESIDE = frozenset(
    {"context", "owner", "added_by", "images", "external_urls", "external_ids", "available_markets", "linked_from", "restrictions", "seeds"}
)
# Where a collection keeps its parts, by its kind.
_PARTS = {"album": ("tracks",), "playlist": ("tracks", "items"), "show": ("episodes",), "audiobook": ("chapters",)}


@dataclass(frozen=True)
class Found:
    """One object of a ``kind``, and the collection that it is in: ``within``, and its ``position`` there, from 1."""

    kind: str
    value: Object
    within: Object | None = None
    position: int | None = None


@dataclass(frozen=True)
class _Around:
    album: Object | None = None
    show: Object | None = None


def walk(document: Any) -> Iterator[Found]:
    """Every object of a document, in its order; each entry of a playlist and each play besides, as ``entry`` and ``play``."""
    yield from _walk(document, _Around())


def id_of(value: Object) -> str | None:
    """The 22 characters: ``id``, or what ``uri`` or ``href`` end with."""
    for key in ("id", "uri", "href"):
        text = value.get(key)
        found = _ID.search(text) if isinstance(text, str) else None
        if found:
            return found[1]
    return None


def page_of(collection: Object, kind: str) -> Object:
    """The page with a collection's parts; an empty one where it has none, and where its answer says no more than how many there are."""
    for key in _PARTS[kind]:
        page = collection.get(key)
        if isinstance(page, dict):
            return page
        if isinstance(page, list):
            return {"items": page}
    return {}


def entries_of(page: Object) -> list[Any]:
    """What is on a page."""
    items = page.get("items")
    return items if isinstance(items, list) else []


def first_position(page: Object) -> int:
    """The position of a page's first entry in its collection, from 1."""
    return int(float(page.get("offset") or 0)) + 1


def content_of(entry: Any) -> Object | None:
    """What an entry of a playlist holds: a track, an episode, or nothing, where it was removed."""
    if not isinstance(entry, dict):
        return None
    held = next((entry[key] for key in ("track", "item", "episode") if isinstance(entry.get(key), dict)), None)
    return held if held is not None and kind_of(held) in ("track", "episode", "chapter") else None


def kind_of(value: Object) -> str | None:
    """What an object is: by its type, by where it is kept, else by what it has."""
    kind = value.get("type")
    if isinstance(kind, str) and kind in _KINDS and ("name" in value or kind == "audio_features"):
        return kind
    if value.get("danceability") is not None and value.get("tempo") is not None and "name" not in value:
        return "audio_features"
    if not isinstance(value.get("name"), str):
        return None
    places = [place for key in ("uri", "href") if isinstance(value.get(key), str) and (place := _PLACE.search(value[key]))]
    if places:
        return str(places[0][1])
    return "track" if _is_track(value) else None


def _is_track(value: Object) -> bool:
    """Whether an object that does not say what it is has what a track has."""
    if isinstance(value.get("uri"), str) and value["uri"].startswith("spotify:local:"):
        return True
    # Of a track no more may have been asked for than these; an album says besides when it came out, or how it looks.
    return "artists" in value and ("duration_ms" in value or (id_of(value) is not None and not _OF_ALBUMS & set(value)))


def _walk(value: Any, around: _Around) -> Iterator[Found]:
    if isinstance(value, list):
        for item in value:
            yield from _walk(item, around)
        return
    if not isinstance(value, dict):
        return
    kind = kind_of(value)
    if kind is None:
        yield from _envelope(value, around)
    elif kind in _PARTS:
        yield from _collection(kind, value, around)
    else:
        yield Found(kind, value, around.album if kind == "track" else around.show)


def _envelope(value: Object, around: _Around) -> Iterator[Found]:
    if isinstance(value.get("played_at"), str) and isinstance(value.get("track"), dict):
        yield Found("play", value)
    for key, item in value.items():
        if key not in _BESIDE:
            yield from _walk(item, around)


def _collection(kind: str, value: Object, around: _Around) -> Iterator[Found]:
    yield Found(kind, value)
    page = page_of(value, kind)
    entries = entries_of(page)
    if kind == "playlist":
        for position, entry in enumerate(entries, start=first_position(page)):
            held = content_of(entry)
            if held is not None:
                yield Found("entry", entry, value, position)
                yield from _walk(held, _Around())
        return
    around = replace(around, album=value) if kind == "album" else replace(around, show=value)
    yield from _walk(entries, around)
