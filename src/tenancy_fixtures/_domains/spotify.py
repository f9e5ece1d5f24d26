"""Spotify: the Web API, an account's export, slices of the Million Playlist Dataset, tables of tracks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from . import _spotify_account as account
from . import _spotify_api as api
from . import _spotify_pages as pages
from . import _spotify_playlists as playlists
from . import _spotify_tables as tables
from ._shape import shapes_in

if TYPE_CHECKING:
    from ._shape import KnownShape, Rewrite

_REWRITERS: dict[str, Rewrite] = {
    "account_episodes": account.account_episodes,
    "account_playlists": account.account_playlists,
    "account_tracks": account.account_tracks,
    "album_pages": pages.album_pages,
    "albums": api.albums,
    "albums_of_tracks": api.albums_of_tracks,
    "artists": api.artists,
    "audio_features": api.audio_features,
    "credits_of_row": tables.credits_of_row,
    "episodes": api.episodes,
    "playlist_episodes": playlists.playlist_episodes,
    "playlist_page_episodes": pages.playlist_pages("episode"),
    "playlist_page_tracks": pages.playlist_pages("track"),
    "playlist_tracks": playlists.playlist_tracks,
    "playlists": playlists.playlists,
    "plays": api.plays,
    "show_pages": pages.show_pages,
    "shows": api.shows,
    "slice_playlists": playlists.slice_playlists,
    "slice_tracks": playlists.slice_tracks,
    **{f"saved_{kind}": account.saved(kind) for kind in ("tracks", "albums", "artists", "shows", "episodes")},
    "track_artists": api.track_artists,
    "tracks": api.tracks,
}


def shapes() -> tuple[KnownShape, ...]:
    """All kinds of files of the domain."""
    return shapes_in(Path(__file__).parent / "shapes" / "spotify", rewriters=_REWRITERS)
