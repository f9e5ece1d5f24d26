"""Make the default pack's data: an invented catalogue with its listeners, the same bytes for the same seed on every Python.

Run ``python generate.py FOLDER``, or call :func:`generate`. Only the standard library is used, because the package's build
runs this file. Of :mod:`random` only ``random()`` is used, whose sequence Python promises to keep, and of arithmetic only
what IEEE 754 rounds exactly: no powers, no logarithms.
"""

from __future__ import annotations

import csv
import json
import sys
from bisect import bisect_right
from datetime import date, datetime, timedelta, timezone
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SEED = 20240101
ARTISTS, ALBUMS, TRACKS, USERS, PLAYLISTS, LISTENS = 2_500, 4_000, 20_000, 200, 400, 30_000
LARGEST_SINGLE = 3  # tracks; more of them are an album
YEAR = datetime(2024, 1, 1, tzinfo=timezone.utc)  # the year of all listening
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

WORDS = json.loads((Path(__file__).parent / "words.json").read_text(encoding="utf-8"))
SCRIPTS = [(script["share"], script["countries"].split(), script["syllables"].split()) for script in WORDS["scripts"]]
GENRES = [tuple(genre) for genre in WORDS["genres"]]
FIRST_WORDS, LAST_WORDS = WORDS["first_words"].split(), WORDS["last_words"].split()
PLATFORMS = ("android", "ios", "desktop", "web", "speaker", "car")
HOURS = (8, 5, 3, 2, 1, 2, 5, 11, 15, 14, 13, 13, 14, 14, 14, 15, 17, 20, 22, 22, 21, 20, 17, 12)  # listening over the day, UTC
Item = TypeVar("Item")


class Artist(NamedTuple):
    """A performer; ``fame`` (0 to 100) is what popularity, followers and listening hang on."""

    name: str
    spotify_id: str
    country: str
    syllables: Sequence[str]
    genres: Sequence[tuple[str, int, int, int, int]]
    fame: int


class Album(NamedTuple):
    """A release with the number of its tracks."""

    artist: Artist
    title: str
    kind: str
    released: date
    size: int


class Track(NamedTuple):
    """A recording; ``weight`` is how often it is heard, relative to others."""

    uri: str
    title: str
    album: Album
    number: int
    duration_ms: int
    popularity: int

    @property
    def weight(self) -> int:
        """Popularity cubed: a tenth of the tracks gets most of the listening."""
        return (self.popularity + 1) * (self.popularity + 1) * (self.popularity + 1)


class User(NamedTuple):
    """A listener; ``zeal`` is how much they listen, relative to others."""

    handle: str
    display_name: str
    country: str
    created: datetime
    zeal: int


class Dice:
    """Draws that are the same on every Python: all come from ``Random.random``."""

    def __init__(self, seed: int) -> None:
        self.draw = Random(seed).random  # noqa: S311 - repeatable is what it must be

    def below(self, limit: int) -> int:
        """A whole number from 0 to ``limit`` - 1."""
        return int(self.draw() * limit)

    def between(self, least: int, most: int) -> int:
        """A whole number from ``least`` to ``most``, both included."""
        return least + self.below(most - least + 1)

    def chance(self, percent: int) -> bool:
        """True in ``percent`` of a hundred draws."""
        return self.draw() * 100 < percent

    def pick(self, items: Sequence[Item]) -> Item:
        """One of the items, all alike."""
        return items[self.below(len(items))]

    def near(self, centre: float, spread: float) -> float:
        """A number around ``centre``, bell-shaped, at most ``spread`` away from it."""
        return centre + (self.draw() + self.draw() + self.draw() - 1.5) / 1.5 * spread

    def share(self, hundredths: int) -> float:
        """A number from 0 to 1 around so many hundredths."""
        return min(1.0, max(0.0, self.near(hundredths / 100, 0.3)))

    def long_tail(self) -> float:
        """A number from 0 to 1, mostly small."""
        value = self.draw()
        return value * value * value

    def base62(self, length: int) -> str:
        """Letters and digits as in Spotify's ids, the first one a small digit as theirs."""
        return BASE62[self.below(8)] + "".join([BASE62[self.below(62)] for _ in range(length - 1)])


class Weighted(Generic[Item]):
    """Picks by weight; the weights are whole numbers, so that their sums are exact."""

    def __init__(self, dice: Dice, items: Sequence[Item], weights: Iterable[int]) -> None:
        self._dice, self._items, self._sums = dice, items, list(accumulate(weights))

    def pick(self) -> Item:
        """The next item."""
        return self._items[bisect_right(self._sums, self._dice.below(self._sums[-1]))]


def generate(folder: Path, seed: int = SEED) -> None:
    """Write the data sets of ``pack.json`` into ``folder``, which is made if need be; files of the same names are replaced."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    dice = Dice(seed)
    artists = _artists(dice)
    albums = _albums(dice, artists)
    tracks = _tracks(dice, albums)
    users = _users(dice)
    listens = _listens(dice, users, tracks)
    _write_catalogue(folder, dice, artists, albums, tracks)
    _write_users(folder, dice, users, listens)
    _write_playlists(folder, dice, users, tracks)
    _write(folder, "listening_history", "user uri played_at ms_played platform skipped", listens)


# --- names ----------------------------------------------------------------------------------------------------------


def _word(dice: Dice, syllables: Sequence[str]) -> str:
    word = "".join([dice.pick(syllables) for _ in range(dice.between(2, 4))])
    return word[:1].upper() + word[1:]


def _artist_name(dice: Dice, syllables: Sequence[str]) -> str:
    first, second = _word(dice, syllables), _word(dice, syllables)
    forms = (
        f"{first} {second}",
        f"{first}{second}",
        f"{first} & {second}",
        f"{first} {second}",
        f"The {first} {second}",
        f"{first}, {second} + Trio",
    )
    return dice.pick(forms if first.isascii() else forms[:3])


def _title(dice: Dice, syllables: Sequence[str]) -> str:
    if dice.chance(45):
        return f"{_word(dice, syllables)} {_word(dice, syllables)}"
    plain = f"{dice.pick(FIRST_WORDS)} {dice.pick(LAST_WORDS)}"
    own = _word(dice, syllables)
    return dice.pick((plain, plain, f"{plain} in {own}", f"{own}, {plain}", f'"{own}" {plain}', f"{plain} (feat. {own})", f"{plain} - Live"))


# --- catalogue ------------------------------------------------------------------------------------------------------


def _artists(dice: Dice) -> list[Artist]:
    scripts = Weighted(dice, [(countries, syllables) for _, countries, syllables in SCRIPTS], [share for share, _, _ in SCRIPTS])
    artists: dict[str, Artist] = {}
    while len(artists) < ARTISTS:
        countries, syllables = scripts.pick()
        name = _artist_name(dice, syllables)
        genres = [dice.pick(GENRES) for _ in range(dice.between(1, 3))]
        artist = Artist(name, dice.base62(22), dice.pick(countries), syllables, list(dict.fromkeys(genres)), int(dice.long_tail() * 101))
        artists.setdefault(name.lower(), artist)
    return list(artists.values())


def _albums(dice: Dice, artists: list[Artist]) -> list[Album]:
    """One album each, the rest by fame; the sizes add up to the number of tracks."""
    famous = Weighted(dice, artists, (artist.fame + 5 for artist in artists))
    makers = artists + [famous.pick() for _ in range(ALBUMS - len(artists))]
    sizes = [dice.between(1, 2) if dice.chance(45) else dice.between(5, 11) for _ in makers]
    while sum(sizes) != TRACKS:
        index = dice.below(len(sizes))
        if sizes[index] > LARGEST_SINGLE + 1:
            sizes[index] += 1 if sum(sizes) < TRACKS else -1
    taken: set[tuple[str, str]] = set()
    return [_album(dice, artist, size, taken) for artist, size in zip(makers, sizes)]


def _album(dice: Dice, artist: Artist, size: int, taken: set[tuple[str, str]]) -> Album:
    title = _title(dice, artist.syllables)
    while (artist.name, title) in taken:
        title = _title(dice, artist.syllables)
    taken.add((artist.name, title))
    age = int(dice.long_tail() * 60 * 365)
    kind = "single" if size <= LARGEST_SINGLE else "compilation" if dice.chance(4) else "album"
    return Album(artist, title, kind, YEAR.date() - timedelta(days=age + 1), size)


def _tracks(dice: Dice, albums: list[Album]) -> list[Track]:
    return [_track(dice, album, number) for album in albums for number in range(1, album.size + 1)]


def _track(dice: Dice, album: Album, number: int) -> Track:
    title = album.title if number == 1 else _title(dice, album.artist.syllables)
    duration = int(dice.near(215_000, 150_000))
    popularity = int(album.artist.fame * (0.4 + 0.6 * dice.draw()))
    return Track(f"spotify:track:{dice.base62(22)}", title, album, number, duration, popularity)


def _features(dice: Dice, track: Track) -> list[object]:
    _, danceability, energy, acousticness, valence = track.album.artist.genres[0]
    shares = [dice.share(danceability), dice.share(energy)]
    loudness = dice.near(-22 + 16 * shares[1], 5)
    instrumental = dice.share(80) if dice.chance(15) else dice.long_tail() * dice.long_tail() * 0.1
    more = [0.03 + dice.long_tail() * 0.5, dice.share(acousticness), instrumental, 0.05 + dice.long_tail() * 0.9, dice.share(valence)]
    decimals = [f"{value:.3g}" for value in (*shares, *more)]
    tempo = 80 + 30 * dice.below(4) + dice.near(0, 18)
    beats = dice.pick((4, 4, 4, 4, 4, 4, 4, 4, 3, 5))
    return [*decimals[:2], dice.below(12), f"{loudness:.3f}", int(dice.chance(62)), *decimals[2:], f"{tempo:.3f}", beats]


def _write_catalogue(folder: Path, dice: Dice, artists: list[Artist], albums: list[Album], tracks: list[Track]) -> None:
    _write(folder, "artists", "name spotify_id genres popularity followers country", (_artist_row(dice, artist) for artist in artists))
    _write(folder, "albums", "title artist album_type release_date total_tracks label spotify_id", (_album_row(dice, album) for album in albums))
    header = (
        "uri title artist album track_number duration_ms explicit isrc popularity release_year "
        "danceability energy key loudness mode speechiness acousticness instrumentalness liveness valence tempo time_signature"
    )
    _write(folder, "tracks", header, (_track_row(dice, number, track) for number, track in enumerate(tracks)))


def _artist_row(dice: Dice, artist: Artist) -> list[object]:
    followers = artist.fame * artist.fame * artist.fame * dice.between(3, 9) + dice.below(400)
    return [artist.name, artist.spotify_id, _array(genre[0] for genre in artist.genres), artist.fame, followers, artist.country]


def _album_row(dice: Dice, album: Album) -> list[object]:
    label = f"{dice.pick(LAST_WORDS)} Records" if dice.chance(70) else ""
    return [album.title, album.artist.name, album.kind, album.released, album.size, label, dice.base62(22)]


def _track_row(dice: Dice, serial: int, track: Track) -> list[object]:
    album = track.album
    # ZZ is nobody's country code, so the recording codes belong to no recording.
    isrc = f"ZZTF0{album.released.year % 100:02d}{serial:05d}" if dice.chance(90) else ""
    about = [track.uri, track.title, album.artist.name, album.title, track.number, track.duration_ms, _flag(dice.chance(9)), isrc]
    return [*about, track.popularity, album.released.year, *_features(dice, track)]


# --- people ---------------------------------------------------------------------------------------------------------


def _users(dice: Dice) -> list[User]:
    latin = SCRIPTS[0][2]
    users: dict[str, User] = {}
    while len(users) < USERS:
        given, family = _word(dice, latin), _word(dice, latin)
        _, countries, _ = dice.pick(SCRIPTS)
        created = YEAR - timedelta(seconds=dice.between(1, 5 * 365 * 86_400))
        user = User(f"{given}.{family}".lower(), f"{given} {family}", dice.pick(countries), created, 1 + int(dice.long_tail() * 200))
        users.setdefault(user.handle, user)
    return list(users.values())


def _write_users(folder: Path, dice: Dice, users: list[User], listens: list[list[object]]) -> None:
    seen = {row[0]: row[2] for row in listens}  # in order of time: the last one stays
    header = "handle email display_name country locale birth_date plan settings created_at last_seen_at"
    _write(folder, "users", header, (_user_row(dice, user, seen.get(user.handle, "")) for user in users))


def _user_row(dice: Dice, user: User, last_seen: object) -> list[object]:
    born = date(1955, 1, 1) + timedelta(days=dice.below(50 * 365)) if dice.chance(80) else ""
    plan = dice.pick(("free", "free", "free", "premium", "premium", "family", "student"))
    settings = json.dumps({"autoplay": dice.chance(70), "crossfade_seconds": dice.below(13), "theme": dice.pick(("dark", "light"))}, sort_keys=True)
    email = f"{user.handle}@{dice.pick(('example.com', 'example.org', 'example.net'))}"
    return [
        user.handle,
        email,
        user.display_name,
        user.country,
        dice.pick(("en", "de", "fr", "es", "ja")),
        born,
        plan,
        settings,
        _time(user.created),
        last_seen,
    ]


def _write_playlists(folder: Path, dice: Dice, users: list[User], tracks: list[Track]) -> None:
    heard = Weighted(dice, tracks, (track.weight for track in tracks))
    owners = Weighted(dice, users, (user.zeal + 10 for user in users))
    playlists: dict[tuple[str, str], list[object]] = {}
    entries: list[list[object]] = []
    while len(playlists) < PLAYLISTS:
        owner, name = owners.pick(), f"{dice.pick(FIRST_WORDS)} {dice.pick(LAST_WORDS)}"
        if (owner.handle, name) in playlists:
            continue
        created = owner.created + timedelta(seconds=dice.below(int((YEAR - owner.created).total_seconds()) + 300 * 86_400))
        playlists[owner.handle, name] = _playlist_row(dice, owner, name, created)
        entries += _entries(dice, owner, name, created, heard, users)
    _write(folder, "playlists", "owner name description is_public is_collaborative tags created_at", playlists.values())
    _write(folder, "playlist_tracks", "owner playlist position uri added_by added_at", entries)


def _playlist_row(dice: Dice, owner: User, name: str, created: datetime) -> list[object]:
    description = dice.pick(("", "", f"For {dice.pick(LAST_WORDS)} days, and after", f'All that is "{name}"', f"{name}\nkept since {created.year}"))
    tags = dict.fromkeys(dice.pick(GENRES)[0] for _ in range(dice.below(4)))
    return [owner.handle, name, description, _flag(dice.chance(40)), _flag(dice.chance(10)), _array(tags), _time(created)]


def _entries(dice: Dice, owner: User, name: str, created: datetime, heard: Weighted[Track], users: list[User]) -> list[list[object]]:
    entries: list[list[object]] = []
    moment = created
    for position in range(1, 9 + int(dice.long_tail() * 90)):
        moment += timedelta(seconds=dice.between(5, 40_000))
        added_by = dice.pick(users) if dice.chance(5) else owner
        entries.append([owner.handle, name, position, heard.pick().uri, added_by.handle, _time(moment)])
    return entries


def _listens(dice: Dice, users: list[User], tracks: list[Track]) -> list[list[object]]:
    listeners = Weighted(dice, users, (user.zeal for user in users))
    heard = Weighted(dice, tracks, (track.weight for track in tracks))
    hours = Weighted(dice, range(24), HOURS)
    moments: dict[tuple[datetime, str], list[object]] = {}
    while len(moments) < LISTENS:
        user, track = listeners.pick(), heard.pick()
        moment = YEAR + timedelta(days=dice.below(366), hours=hours.pick(), seconds=dice.below(3600))
        skipped = dice.chance(22)
        played = dice.below(track.duration_ms) if skipped else track.duration_ms
        row = [user.handle, track.uri, _time(moment), played, dice.pick(PLATFORMS), _flag(skipped)]
        moments.setdefault((moment, user.handle), row)
    return [row for _, row in sorted(moments.items(), key=lambda item: item[0])]


# --- as text --------------------------------------------------------------------------------------------------------


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z"


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _array(items: Iterable[str]) -> str:
    """As PostgreSQL writes arrays of text."""
    return "{" + ",".join(f'"{item}"' for item in items) + "}"


def _write(folder: Path, name: str, header: str, rows: Iterable[Sequence[object]]) -> None:
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split())
        writer.writerows(rows)


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(f"usage: {Path(sys.argv[0]).name} FOLDER")
    generate(Path(sys.argv[1]))
