"""Records of an account's export beside its history: playlists, and what is saved in the library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ._shape import Rewrite
    from ._spotify_walk import Object


def account_playlists(playlist: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001 - every rewriter gets what is given
    """A playlist, with how many entries it lists."""
    entries = playlist.get("items")
    yield {**playlist, "items": None, "listed": len(entries) if isinstance(entries, list) else None}


def account_tracks(playlist: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001
    """The tracks of a playlist, with their places among all of its entries."""
    for position, entry in enumerate(playlist.get("items") or (), start=1):
        if isinstance(entry.get("track"), dict):
            yield {**entry["track"], "playlist": playlist.get("name"), "position": position, "added": entry.get("addedDate")}


def account_episodes(playlist: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001
    """The episodes of a playlist, likewise."""
    for position, entry in enumerate(playlist.get("items") or (), start=1):
        if isinstance(entry.get("episode"), dict):
            yield {**entry["episode"], "playlist": playlist.get("name"), "position": position, "added": entry.get("addedDate")}


def saved(kind: str) -> Rewrite:
    """What is saved of a kind: ``tracks``, ``albums``, ``artists``, ``shows`` or ``episodes``."""

    def of_kind(library: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001
        yield from library.get(kind) or ()

    return of_kind
