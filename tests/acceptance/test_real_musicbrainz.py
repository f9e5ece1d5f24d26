"""MusicBrainz's real answers through the loader of docs/how-to/your-own-domain.md: every file is what it is said to be, or of no kind that is known.

What is expected was counted from the files by other means than this library's readers, before anything was loaded.
"""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tenancy_fixtures import FixtureManager, Pack, Settings
from tenancy_fixtures.exceptions import UnknownShape
from tests.acceptance.support import State

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "musicbrainz_ws_picard"


@dataclass(frozen=True)
class Expected:
    """A file's shape, and by dataset how many records are read, and which are bad: (how many, column, rule)."""

    shape: str
    read: dict[str, int] = field(default_factory=dict)
    rejects: dict[str, tuple[int, str, str]] = field(default_factory=dict)


def release(tracks: int = 0, credits: int = 0, labels: int = 0) -> Expected:  # noqa: A002 - they are called so
    counts = {"releases": 1, "tracks": tracks, "release-artists": credits, "release-labels": labels}
    return Expected("release", {name: count for name, count in counts.items() if count})


def recording(credits: int) -> Expected:  # noqa: A002
    return Expected("recording", {"recordings": 1, **({"recording-artists": credits} if credits else {})})


def page(releases: int) -> Expected:
    """The ids of these releases are no MusicBrainz ids: 123, 456, 789."""
    return Expected("release-page", {"releases": releases}, {"releases": (releases, "id", "type")})


def without_id(shape: str, **read: int) -> Expected:
    """A file in which every value is null, ids too."""
    counts = {name.replace("_", "-"): count for name, count in read.items()}
    # Records that a function makes name what they belong to.
    return Expected(
        shape, counts, {name: (count, "of" if name.endswith(("-artists", "-labels")) else "id", "not_null") for name, count in counts.items()}
    )


FILES = {
    "artist": Expected("artist", {"artists": 1}),
    "artist_arabic": Expected("artist", {"artists": 1}),
    "artist_ended": Expected("artist", {"artists": 1}),
    "artist_null": without_id("artist", artists=1),
    "collection_list": Expected("collections"),
    "country": release(),
    "country_null": without_id("release", releases=1),
    "recording": recording(1),
    "recording_artist_aliases": recording(1),
    "recording_artist_aliases_locales": recording(1),
    "recording_artist_name_change": recording(1),
    "recording_composer": recording(1),
    "recording_credits": recording(1),
    "recording_generic_instrument": recording(0),
    "recording_instrumental": recording(0),
    "recording_multi_artists_1": recording(3),
    "recording_multi_artists_2": recording(3),
    "recording_multiple_works": recording(0),
    "recording_null": without_id("recording", recordings=1, recording_artists=1),
    "recording_video": recording(1),
    "recording_video_null": recording(1),
    "release": release(tracks=10, credits=1, labels=1),
    "release_5medias": release(credits=1, labels=1),
    "release_djmix": release(),
    "release_group": Expected("release-group", {"release-groups": 1, "releases": 25}),
    "release_group_2": page(3),
    "release_group_3": page(2),
    "release_group_4": page(2),
    "release_group_5": page(1),
    "release_group_null": without_id("release-group", release_groups=1, releases=25),
    "release_multidisc": release(tracks=7),
    "release_no_type": release(tracks=1, credits=1),
    "release_null": without_id("release", releases=1, release_artists=1, release_labels=1),
}
# Answers of another service, and pieces of answers: a medium, a track, releases without their ids.
UNKNOWN = {
    "acoustid": "releasegroups",
    "acoustid_no_metadata": "results",
    "acoustid_null": "releasegroups",
    "label_info": "releases",
    "label_info_null": "releases",
    "media_null": "track-count",
    "media_pregap": "track-count",
    "track": "recording",
    "track_null": "recording",
    "track_pregap": "recording",
}


@pytest.fixture(scope="module")
def loader() -> Any:
    spec = importlib.util.spec_from_file_location("musicbrainz_loader", ROOT / "examples" / "musicbrainz_loader.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MusicBrainzLoader


@pytest.fixture(scope="module")
def pack() -> Pack:
    return Pack.from_folder(ROOT / "examples" / "musicbrainz-pack")


@pytest.fixture
async def music(settings: Settings, pack: Pack, state: State, anyio_backend: str) -> AsyncIterator[FixtureManager]:
    async with FixtureManager(settings, pack=pack) as manager:
        await manager.create_tenant("acme")
        yield manager


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_recognised(name: str, real_data: Path, loader: Any, pack: Pack):
    found = loader.detect(real_data / FOLDER / f"{name}.json", pack=pack)
    assert (found.shape, found.domain) == (f"musicbrainz-{FILES[name].shape}", "musicbrainz"), found


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_none_of_them_says_what_it_is(name: str, real_data: Path, loader: Any, pack: Pack):
    found = loader.detect(real_data / FOLDER / f"{name}.json", pack=pack)
    assert not found.known
    assert UNKNOWN[name] in found.why[0]
    assert {f"musicbrainz-{shape}" for shape in ("artist", "recording", "release", "release-group", "release-page")} <= set(found.rejected)


async def test_every_record_is_accounted_for(real_data: Path, loader: Any, music: FixtureManager):
    for name, expected in FILES.items():
        report = await music.apply(loader(real_data / FOLDER / f"{name}.json", on_error="reject"), tenant_id="acme", operation="load")
        found = {item.dataset.split(".")[1]: item for item in report.datasets if item.read}
        assert {key: item.read for key, item in found.items()} == expected.read, name
        assert {key: item.rejects for key, item in found.items() if item.rejects} == {key: bad[0] for key, bad in expected.rejects.items()}, name
        for key, (count, column, rule) in expected.rejects.items():
            why = {(item.record, item.column, item.rule) for item in found[key].listed_rejects}
            assert {(record, column, rule) for record in range(1, count + 1)} <= why, name
        assert all(not item.lost and not item.duplicates for item in found.values()), name


async def test_a_file_of_no_kind_loads_nothing(real_data: Path, loader: Any, music: FixtureManager, state: State):
    for name in UNKNOWN:
        with pytest.raises(UnknownShape, match=rf"{name}\.json is of no kind that is known"):
            await music.apply(loader(real_data / FOLDER / f"{name}.json"), tenant_id="acme", operation="load")
    assert set(state.counts("acme").values()) == {0}


async def test_what_several_answers_say_meets_in_one_row(real_data: Path, loader: Any, music: FixtureManager, state: State):
    """A recording names its artist, and the artist's own answer says the rest; a release names its group, and so on."""
    names = ("recording", "artist", "release", "release_group", "recording_multi_artists_1")
    await music.apply(loader([real_data / FOLDER / f"{name}.json" for name in names]), tenant_id="acme", operation="load")
    (artist,) = state.rows("SELECT * FROM t_acme.artists WHERE name = 'Ed Sheeran'")
    assert (artist["sort_name"], artist["kind"], artist["begun"], str(artist["begun_on"])) == ("Sheeran, Ed", "Person", "1991-02-17", "1991-02-17")
    assert state.value("SELECT count(*) FROM t_acme.recording_artists WHERE artist_id = %s", artist["artist_id"]) == 2
    assert state.value("SELECT count(*) FROM t_acme.releases WHERE title = 'The Dark Side of the Moon'") == 25
    assert state.value("SELECT count(*) FROM t_acme.releases WHERE released ~ '^[0-9]{4}$' AND released_on <> (released || '-01-01')::date") == 0


def test_no_file_is_left_out(real_data: Path):
    assert {path.stem for path in (real_data / FOLDER).iterdir()} == {*FILES, *UNKNOWN}
