"""Records of tables of tracks that no column says by itself: everybody who performs a track, where a cell lists several."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .._ingest import fold_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ._spotify_walk import Object

# As the mappings of the shapes name them, whatever stands between their words.
_ARTISTS = ("artist", "artist_name", "artists", "artist_names", "artist(s)_name", "artist_name(s)", "artists_name", "track_artist", "main_artist")
_IDS = ("uri", "track_uri", "spotify_track_uri", "spotify_uri", "track_id", "spotify_id", "spotify_track_id", "id", "url", "track_url")
_ID = re.compile(r"(?:spotify:track:|https?://open\.spotify\.com/(?:intl-[a-z]+/)?track/)?([0-9A-Za-z]{22})(?:\?.*)?")
# A list as Python writes it. Where a name has an apostrophe, its quotes are doubled ones.
_LIST = re.compile(r"\[\s*(?:'[^']*'|\"[^\"]*\")(?:\s*,\s*(?:'[^']*'|\"[^\"]*\"))*\s*\]")
_NAME = re.compile(r"'([^']*)'|\"([^\"]*)\"")


def credits_of_row(row: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001 - every rewriter gets what is given
    """Who performs the track of a row, one record each; none where it is one artist alone, whom the track itself names."""
    cells = {fold_words(name): value for name, value in row.items() if value}
    found = _ID.fullmatch(str(next((cells[name] for name in _IDS if name in cells), "")))
    names = _several(next((cells[name] for name in _ARTISTS if name in cells), ""))
    if found and len(names) > 1:
        for position, name in enumerate(names, start=1):
            yield {"track": found[1], "position": position, "name": name}


def _several(cell: Any) -> list[str]:
    """The names of a cell: in a list, as text or as the format has it, or parted by semicolons. A comma may be part of a name."""
    if isinstance(cell, list):
        return [name for name in cell if isinstance(name, str) and name.strip()]
    names = [single or double for single, double in _NAME.findall(cell)] if _LIST.fullmatch(cell.strip()) else cell.split(";")
    return [name.strip() for name in names if name.strip()]
