"""Records of playlists: the Web API's, and those of the Million Playlist Dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._each import each
from ._spotify_api import track_id
from ._spotify_walk import Object, content_of, entries_of, id_of, kind_of, page_of, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .._ingest.readers import Made

# Whose the playlists of a slice are: it tells of none. There each one's number belongs to its name.
ANONYMOUS = "million-playlist-dataset"
_APART = "\x1f"


def playlists(document: Any, given: Mapping[str, str]) -> Iterator[Object]:
    """Playlists of the Web API."""
    for found in walk(document):
        if found.kind == "playlist":
            page = page_of(found.value, "playlist")
            entries = [entry for entry in entries_of(page) if content_of(entry) is not None]
            followers = found.value.get("followers")
            yield {
                **_key_of(found.value, given),
                **{key: found.value.get(key) for key in ("name", "description", "public", "collaborative")},
                "id": id_of(found.value),
                "total": page.get("total"),
                "listed": len(entries) if "items" in page else None,
                "followers": followers.get("total") if isinstance(followers, dict) else None,
            }


def playlist_tracks(document: Any, given: Mapping[str, str]) -> Iterator[Object]:
    """The tracks among the entries of playlists."""
    yield from _entries(document, given, "track")


def playlist_episodes(document: Any, given: Mapping[str, str]) -> Iterator[Object]:
    """The episodes among the entries of playlists."""
    yield from _entries(document, given, "episode")


def _entries(document: Any, given: Mapping[str, str], wanted: str) -> Iterator[Object]:
    for found in walk(document):
        held = content_of(found.value) if found.kind == "entry" else None
        if held is None or found.within is None or (kind_of(held) == "track") != (wanted == "track"):
            continue
        yield {
            **_key_of(found.within, given),
            "position": found.position,
            "id": track_id(held) if wanted == "track" else id_of(held),
            "added_at": found.value.get("added_at"),
            **added_by(found.value),
        }


def added_by(entry: Object) -> Object:
    """Who added an entry, as the mappings read it."""
    who = entry.get("added_by")
    return {"added_by": who.get("id") or None, "added_by_name": who.get("display_name") or who.get("id")} if isinstance(who, dict) else {}


def _key_of(playlist: Object, given: Mapping[str, str]) -> Object:
    owner = playlist.get("owner")
    handle = owner.get("id") if isinstance(owner, dict) else None
    name = owner.get("display_name") if isinstance(owner, dict) else None
    return {"owner": handle or given.get("user"), "owner_name": name or handle or given.get("user"), "key": playlist.get("name")}


def slice_playlists(playlist: Any, given: Mapping[str, str]) -> Iterator[Object]:
    """A playlist of a slice."""
    tracks = playlist.get("tracks")
    yield {**playlist, "tracks": None, **_slice_key(playlist, given), "listed": len(tracks) if isinstance(tracks, list) else None}


def slice_tracks(playlist: Any, given: Mapping[str, str]) -> Iterator[Made]:
    """The tracks of a playlist of a slice."""
    key = _slice_key(playlist, given)

    def placed(_: int, track: Object) -> Object:
        position = track.get("pos")
        return {**track, **key, "position": None if position is None else int(float(position)) + 1}

    yield from each(playlist.get("tracks"), placed, what="track")


def _slice_key(playlist: Object, given: Mapping[str, str]) -> Object:
    if given.get("user"):
        return {"owner": given["user"], "owner_name": given["user"], "key": playlist.get("name")}
    pid = playlist.get("pid")
    return {"owner": ANONYMOUS, "owner_name": ANONYMOUS, "key": f"{playlist.get('name')}{_APART}{pid}" if pid is not None else playlist.get("name")}
