"""Records of the Web API's objects: what the mappings of the shapes ``spotify-web-api`` read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._ingest.uuids import uuid_of
from ._spotify_walk import Object, id_of, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def artists(document: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001 - every rewriter gets what is given
    """Artists that stand for themselves; those that a track or an album credits are made of it."""
    for found in walk(document):
        if found.kind == "artist":
            followers = found.value.get("followers")
            total = followers.get("total") if isinstance(followers, dict) else followers
            yield {**found.value, "id": id_of(found.value), "followers": total}


def albums(document: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001
    """Albums that stand for themselves."""
    for found in walk(document):
        if found.kind == "album":
            yield album_of(found.value, {})


def albums_of_tracks(document: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001
    """Albums that tracks name, each once in a document."""
    seen = set()
    for found in walk(document):
        if found.kind == "track" and (album := track_of(found.value, None)["album"]):
            key = album["id"], album["artist"], album.get("name")
            if key not in seen:
                seen.add(key)
                yield album


def tracks(document: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001
    """Every track, with the album that it is on or in."""
    for found in walk(document):
        if found.kind == "track":
            yield track_of(found.value, found.within)


def track_artists(document: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001
    """Every credit of every track."""
    for found in walk(document):
        if found.kind == "track":
            for position, artist in enumerate(_credited(found.value), start=1):
                yield {"track": track_id(found.value), "position": position, "name": artist.get("name"), "id": id_of(artist)}


def audio_features(document: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001
    """The audio features of tracks."""
    for found in walk(document):
        if found.kind == "audio_features":
            yield {**found.value, "id": id_of(found.value)}


def shows(document: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001
    """Podcasts and audiobooks that stand for themselves."""
    for found in walk(document):
        if found.kind in ("show", "audiobook"):
            yield show_of(found.value)


def episodes(document: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001
    """Episodes and chapters, with the show that they are in."""
    for found in walk(document):
        if found.kind in ("episode", "chapter"):
            show = found.value.get("show") or found.value.get("audiobook") or found.within
            languages = found.value.get("languages")
            first = languages[0] if isinstance(languages, list) and languages else None
            yield {**found.value, "id": id_of(found.value), "language": found.value.get("language") or first, "show": show_of(show) if show else None}


def plays(document: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001
    """What was played recently."""
    for found in walk(document):
        if found.kind == "play":
            yield {"track": track_id(found.value["track"]), "played_at": found.value["played_at"]}


def track_id(track: Object) -> str | None:
    """The Spotify id of a track; where it has none, as a local file, the id of its names."""
    first = next(iter(_credited(track)), {}).get("name")
    found = id_of(track)
    if found is not None or not (first and track.get("name")):
        return found
    return str(uuid_of("track", first, track["name"]))


def track_of(track: Object, album: Object | None) -> Object:
    """A track as the mapping reads it: with its own id, its first artist, its album and that one's artist."""
    credited = _credited(track)
    held = track.get("album") if isinstance(track.get("album"), dict) else album
    first = credited[0] if credited else {}
    return {
        **track,
        "id": track_id(track),
        "artist": first.get("name"),
        "artist_id": id_of(first),
        "album": album_of(held, first) if held and held.get("name") else None,
    }


def album_of(album: Object, otherwise: Object) -> Object:
    """An album as the mapping reads it; ``otherwise`` is the artist where the album names none."""
    first = next(iter(_credited(album)), otherwise)
    plain = {key: value for key, value in album.items() if key not in ("tracks", "available_markets", "images")}
    tracks = album.get("tracks")
    total = album.get("total_tracks", tracks.get("total") if isinstance(tracks, dict) else None)
    return {**plain, "id": id_of(album), "artist": first.get("name"), "artist_id": id_of(first), "total_tracks": total}


def show_of(show: Object) -> Object:
    """A podcast or an audiobook as the mapping reads it."""
    authors = [author.get("name") for author in show.get("authors") or () if isinstance(author, dict)]
    is_book = show.get("type") == "audiobook" or bool(authors)
    return {
        **{key: show.get(key) for key in ("name", "description", "explicit", "languages")},
        "id": id_of(show),
        "kind": "audiobook" if is_book else "podcast",
        "publisher": ", ".join(filter(None, authors)) or show.get("publisher"),
        "total": show.get("total_episodes", show.get("total_chapters")),
    }


def _credited(value: Object) -> list[Object]:
    credited = value.get("artists")
    return [artist for artist in credited if isinstance(artist, dict)] if isinstance(credited, list) else []
