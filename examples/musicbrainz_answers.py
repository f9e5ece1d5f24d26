"""Makes answers as MusicBrainz gives them, of music that nobody has made. Run it with: python examples/musicbrainz_answers.py FOLDER."""

from __future__ import annotations

import json
import random
import sys
import uuid
from pathlib import Path
from typing import Any

SEED = 20


class Answers:
    """Answers that fit together, the same ones each time."""

    def __init__(self) -> None:
        self.chance = random.Random(SEED)  # noqa: S311 - nothing here is a secret

    def new_id(self) -> str:
        """An id of the form that MusicBrainz's have."""
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))

    def artist(self) -> dict[str, Any]:
        """An artist of whom only the year is known in which they began."""
        facts = {"id": self.new_id(), "name": "The Paper Lanterns", "sort-name": "Paper Lanterns, The", "type": "Group", "country": "FR"}
        return {**facts, "disambiguation": "", "gender": None, "life-span": {"begin": "1998", "end": None, "ended": False}, "isnis": []}

    def recording(self, artist: dict[str, Any], title: str) -> dict[str, Any]:
        """A recording with its artist."""
        facts = {"id": self.new_id(), "title": title, "length": self.chance.randrange(120_000, 300_000), "video": False, "disambiguation": ""}
        return {**facts, "first-release-date": "2004-05", "artist-credit": credited(artist)}

    def release(self, artist: dict[str, Any], recordings: list[dict[str, Any]]) -> dict[str, Any]:
        """A release of the recordings, with a hidden track before the first one."""
        hidden = self.recording(artist, "Before the Rain")
        tracks = [self.track(number, recording) for number, recording in enumerate(recordings, start=1)]
        medium = {"position": 1, "format": "CD", "title": "", "track-count": len(tracks), "pregap": self.track(0, hidden), "tracks": tracks}
        group = {"id": self.new_id(), "title": "Harbour", "primary-type": "Album", "secondary-types": ["Live"], "first-release-date": "2004-05-21"}
        label = {"id": self.new_id(), "name": "Quay Records", "sort-name": "Quay Records", "label-code": None, "disambiguation": ""}
        facts = {"id": self.new_id(), "title": "Harbour", "status": "Official", "date": "2004-05-21", "country": "FR", "barcode": ""}
        return {
            **facts,
            "release-events": [{"date": "2004-05-21", "area": {"name": "France", "iso-3166-1-codes": ["FR"]}}],
            "text-representation": {"language": "eng", "script": "Latn"},
            "release-group": group,
            "artist-credit": credited(artist),
            "label-info": [{"catalog-number": "QR 17", "label": label}],
            "media": [medium],
        }

    def track(self, number: int, recording: dict[str, Any]) -> dict[str, Any]:
        """A recording as it is on a medium."""
        return {
            "id": self.new_id(),
            "position": number,
            "number": str(number),
            "recording": recording,
            **{key: recording[key] for key in ("title", "length")},
        }


def credited(artist: dict[str, Any]) -> list[dict[str, Any]]:
    """An artist as a release and a recording name it."""
    return [{"name": artist["name"], "joinphrase": "", "artist": {key: artist[key] for key in ("id", "name", "sort-name", "type", "country")}}]


def main(folder: Path) -> None:
    """Write an artist, a recording and a release."""
    answers = Answers()
    artist = answers.artist()
    recordings = [answers.recording(artist, title) for title in ("Low Tide", "Lighthouse")]
    folder.mkdir(parents=True, exist_ok=True)
    for name, answer in (("artist", artist), ("recording", recordings[0]), ("release", answers.release(artist, recordings))):
        (folder / f"{name}.json").write_text(json.dumps(answer, indent=2), encoding="utf-8")
        print(f"{folder / name}.json")


if __name__ == "__main__":
    if len(sys.argv[1:]) != 1:
        sys.exit(f"usage: python {sys.argv[0]} FOLDER")
    main(Path(sys.argv[1]))
