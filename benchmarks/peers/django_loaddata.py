"""Django: ``loaddata`` of a fixture, one JSON object a line, which reads it in a stream. Writing the fixture is not counted."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.db import models


def main(task: dict[str, Any]) -> float:
    """Seconds for all rows of the task."""
    login = task["login"]
    database = {"ENGINE": "django.db.backends.postgresql", "NAME": login.get("dbname"), "USER": login.get("user"), "PASSWORD": login.get("password")}
    database |= {"HOST": login.get("host"), "PORT": login.get("port"), "OPTIONS": {"options": f"-csearch_path={task['schema']}"}}
    settings.configure(DATABASES={"default": database}, INSTALLED_APPS=["__main__"], USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.AutoField")
    django.setup()
    _make_models()
    fixture = _write_fixture(Path(task["folder"]), task["rows"])
    began = time.perf_counter()
    call_command("loaddata", str(fixture), verbosity=0)
    return time.perf_counter() - began


def _make_models() -> None:
    def model(kind: str, **fields: models.Field[Any, Any]) -> None:
        meta = type("Meta", (), {"app_label": "__main__", "db_table": kind.lower() + "s", "managed": False})
        type(kind, (models.Model,), {"__module__": "__main__", "Meta": meta, **fields})

    model("Artist", artist_id=models.IntegerField(primary_key=True), name=models.TextField())
    numbers = {name: models.FloatField() for name in ("danceability", "energy", "loudness", "tempo", "valence")}
    model(
        "Track",
        track_id=models.TextField(primary_key=True),
        title=models.TextField(),
        artist=models.ForeignKey("__main__.Artist", models.DO_NOTHING),
        album=models.TextField(null=True),
        duration_ms=models.IntegerField(),
        explicit=models.BooleanField(),
        popularity=models.SmallIntegerField(null=True),
        release_date=models.DateField(null=True),
        **numbers,
        added_at=models.DateTimeField(),
    )


def _write_fixture(folder: Path, rows: int) -> Path:
    fixture = folder / f"tracks_{rows}.jsonl"
    with (folder / "tracks.ndjson").open(encoding="utf-8") as source, fixture.open("w", encoding="utf-8") as target:
        for line, _ in zip(source, range(rows)):
            record = json.loads(line)
            key, artist = record.pop("track_id"), record.pop("artist_id")
            target.write(json.dumps({"model": "__main__.track", "pk": key, "fields": {**record, "artist": artist}}) + "\n")
    return fixture


if __name__ == "__main__":
    print(json.dumps({"seconds": main(json.load(sys.stdin))}))
