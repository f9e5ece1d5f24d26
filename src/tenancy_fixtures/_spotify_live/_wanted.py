"""What can be asked for, how it is called, and how it is asked for with as few requests as the API allows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from ..exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# How a resource is called: its URI, or the address of its page; an artist's albums with a word behind.
_NAME = re.compile(
    r"(?:spotify:(?:user:[^:]+:)?|https://open\.spotify\.com/(?:intl-[a-z]+/)?(?:user/[^/]+/)?)"
    r"(?P<kind>track|album|artist|playlist|show|episode|audiobook|chapter)[:/](?P<id>[0-9A-Za-z]{22})(?P<albums>/albums)?(?:\?[^#]*)?(?:#.*)?"
)
_MARKET = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True)
class Kind:
    """A kind of resource: where it is, how many the API gives at once, and which of its fields hold a page of parts."""

    name: str
    batch: int = 1
    parts: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The path of all of them, and the name of the list in the answer to several ids."""
        return f"{self.name}s"


# From the API's published description. A show or an audiobook has its parts only when it is asked for alone.
KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("artist", 50),
        Kind("album", 20, ("tracks",)),
        Kind("track", 50),
        Kind("playlist", 1, ("tracks", "items")),
        Kind("show", 1, ("episodes",)),
        Kind("episode", 50),
        Kind("audiobook", 1, ("chapters",)),
        Kind("chapter", 50),
    )
}
# Pages that no answer links to: how many items they may have.
_PAGE: Final = {"artist": 10}
_MOST: Final = 50


@dataclass(frozen=True)
class Resource:
    """One thing to fetch; ``albums`` are those of an artist, in place of the artist."""

    kind: str
    id: str
    albums: bool = False

    @property
    def uri(self) -> str:
        """How it is called."""
        return f"spotify:{self.kind}:{self.id}{'/albums' if self.albums else ''}"


def parse(names: Iterable[str]) -> tuple[Resource, ...]:
    """What is meant by names, each once, in their order.

    :raises ConfigurationError: one is no resource's, or there are none.
    """
    found: dict[Resource, None] = {}
    for name in names:
        match = _NAME.fullmatch(name)
        if match is None or (match["albums"] and match["kind"] != "artist"):
            hint = "Write spotify:playlist:ID or the address of its page; also track, album, artist, show, episode, audiobook, chapter; and spotify:artist:ID/albums."
            raise ConfigurationError(f"{name!r} is nothing that the Web API could be asked for", hint=hint)
        found[Resource(match["kind"], match["id"], bool(match["albums"]))] = None
    if not found:
        raise ConfigurationError("nothing is asked for", hint="Name at least one resource, such as spotify:playlist:ID.")
    return tuple(found)


def check_market(market: str | None) -> str | None:
    """The code of a country, as it was given.

    :raises ConfigurationError: it is none.
    """
    if market is not None and not _MARKET.fullmatch(market):
        raise ConfigurationError(f"{market!r} is no market", hint="Give the two capital letters of a country (ISO 3166), such as FR.")
    return market


def batches(resources: Sequence[Resource]) -> list[tuple[Resource, ...]]:
    """The resources in groups that one request each can ask for."""
    by_kind: dict[tuple[str, bool], list[Resource]] = {}
    for item in resources:
        by_kind.setdefault((item.kind, item.albums), []).append(item)
    found = []
    for (kind, albums), items in by_kind.items():
        size = 1 if albums else KINDS[kind].batch
        found += [tuple(items[start : start + size]) for start in range(0, len(items), size)]
    return found


def path_of_several(group: Sequence[Resource], market: str | None) -> str:
    """Where several of one kind are asked for."""
    return _path(KINDS[group[0].kind].path, market, ids=",".join(item.id for item in group))


def path_of(resource: Resource, market: str | None) -> str:
    """Where one is asked for."""
    place = f"{KINDS[resource.kind].path}/{resource.id}"
    if resource.albums:
        return _path(f"{place}/albums", market, limit=str(_PAGE["artist"]))
    # Without it the API calls episodes tracks.
    more = {"additional_types": "track,episode"} if resource.kind == "playlist" else {}
    return _path(place, market, **more)


def path_of_parts(resource: Resource, market: str | None) -> str:
    """Where the first page of its parts is, for an answer that holds none."""
    more = {"additional_types": "track,episode"} if resource.kind == "playlist" else {}
    return _path(f"{KINDS[resource.kind].path}/{resource.id}/{KINDS[resource.kind].parts[-1]}", market, limit=str(_MOST), **more)


def _path(place: str, market: str | None, **values: str) -> str:
    query = {**values, **({"market": market} if market else {})}
    return f"/{place}?{urlencode(query, safe=',')}" if query else f"/{place}"
