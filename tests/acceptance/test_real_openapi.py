"""Every answer that Spotify's published OpenAPI describes, made of its own examples, through the loader: each object is a row, none is refused.

Which objects an answer has is told by walking through it, and not by this library's readers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tenancy_fixtures import FixtureManager
from tenancy_fixtures.data_loaders import SpotifyDataLoader
from tests.acceptance.support import State

pytestmark = pytest.mark.anyio

# By path: answers of which nothing is kept, and those that hold no object at all.
KNOWN = {"/audio-analysis/{id}": "spotify-audio-analysis", "/me/player/devices": "spotify-devices"}
UNKNOWN = {"/markets", "/recommendations/available-genre-seeds", "/playlists/{playlist_id}/images"}
# Objects by type (that of a chapter is episode), to the table that they are rows of and its column with their id.
TABLES = {
    "track": ("tracks", "track_id"),
    "album": ("album_ids", "spotify_id"),
    "artist": ("artist_ids", "spotify_id"),
    "playlist": ("playlists", "spotify_id"),
    "episode": ("episodes", "episode_id"),
    "show": ("shows", "spotify_id"),
    "audiobook": ("shows", "spotify_id"),
}
TWINS = (("tracks", "items"), ("track", "item"))
PLACEHOLDER = "text"
_TYPE = re.compile(r"object type|allowed value", re.IGNORECASE)
_QUOTED = re.compile(r"[\"`](\w+)[\"`]")


class OpenApi:
    """Answers made of the document: its examples, and for what has none something of the type that is asked for."""

    def __init__(self, path: Path) -> None:
        self._document = yaml.safe_load(path.read_text(encoding="utf-8"))
        self._made = 0

    def answers(self, choice: int) -> dict[str, Any]:
        """By path what a GET answers; ``choice`` says which of several kinds of items a list has."""
        found = {}
        for path, operations in self._document["paths"].items():
            answer = self._resolved(operations.get("get", {}).get("responses", {}).get("200", {}))
            schema = answer.get("content", {}).get("application/json", {}).get("schema")
            if schema is not None:
                found[path] = self._named(self._make(schema, choice))
        return found

    def limits(self, schema: str) -> dict[str, tuple[float, float]]:
        """The least and the greatest value of an object's members, of those that have both."""
        members = {name: self._resolved(member) for name, member in self._document["components"]["schemas"][schema]["properties"].items()}
        return {name: (item["minimum"], item["maximum"]) for name, item in members.items() if "minimum" in item and "maximum" in item}

    def example(self, schema: str) -> dict[str, Any]:
        return dict(self._named(self._make(self._document["components"]["schemas"][schema], 0)))

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            found = self._document
            for name in node["$ref"][2:].split("/"):
                found = found[name]
            node = found
        return node

    def _make(self, schema: dict[str, Any], choice: int) -> Any:
        schema = self._resolved(schema)
        kinds = schema.get("oneOf") or schema.get("anyOf")
        if kinds:
            return self._make(kinds[min(choice, len(kinds) - 1)], choice)
        if "allOf" in schema or "properties" in schema:
            parts = [self._make(part, choice) for part in schema.get("allOf", ())]
            if parts and not isinstance(parts[0], dict):
                return parts[0]
            own = {name: self._make(member, choice) for name, member in schema.get("properties", {}).items()}
            return _once({name: value for part in (*parts, own) for name, value in part.items()}, choice)
        if "example" in schema:
            return schema["example"].strip() if isinstance(schema["example"], str) else schema["example"]
        return self._plain(schema, choice)

    def _plain(self, schema: dict[str, Any], choice: int) -> Any:
        kind, told = schema.get("type"), schema.get("description") or ""
        if kind == "array":
            return [self._make(schema["items"], choice)]
        if "enum" in schema:
            return schema["enum"][0]
        if kind == "string" and schema.get("format") == "date-time":
            return "2024-01-05T10:11:12.123Z"
        if kind == "string" and _TYPE.search(told) and _QUOTED.search(told):
            return _QUOTED.search(told)[1]  # type: ignore[index]  # it was found
        return {"integer": 1, "number": 1, "boolean": False, "object": {}}.get(kind or "", PLACEHOLDER)

    def _named(self, value: Any) -> Any:
        """The same with an id and a name of its own for each object: examples are of many, and share theirs."""
        if isinstance(value, list):
            return [self._named(item) for item in value]
        if not isinstance(value, dict):
            return value
        value = {name: self._named(member) for name, member in value.items()}
        if value.get("type") in {*TABLES, "audio_features"}:
            self._made += 1
            one = f"{self._made:022d}"
            names = {"id": one, "uri": f"spotify:{value['type']}:{one}", "name": f"{value['type']} {one}"}
            value.update({name: text for name, text in names.items() if name in value})
        told = {"isrc": "USAB12345678", "href": "https://api.spotify.com/v1/somewhere"}
        return {**value, **{name: text for name, text in told.items() if value.get(name) == PLACEHOLDER}}


def _once(value: dict[str, Any], choice: int) -> dict[str, Any]:
    """What a member and the one that it takes the place of both hold is there once: under the newer name, or under the older one."""
    out = {newer if choice else older for older, newer in TWINS if older in value and newer in value}
    return {name: member for name, member in value.items() if name not in out}


def objects(value: Any) -> Iterator[tuple[str, str]]:
    """Type and id of each object in an answer."""
    for member in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(member)
    if isinstance(value, dict) and value.get("type") in TABLES and "name" in value:
        yield value["type"], value["id"]


@pytest.fixture(scope="module")
def published(real_data: Path) -> OpenApi:
    return OpenApi(real_data / "spotify_openapi_sonallux" / "fixed-spotify-open-api.yml")


@pytest.fixture
def answers(published: OpenApi, tmp_path: Path) -> dict[Path, tuple[str, Any]]:
    found = {}
    for choice in (0, 1):
        for number, (path, answer) in enumerate(published.answers(choice).items()):
            file = tmp_path / "answers" / f"{number:02d}-{choice}.json"
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps(answer, default=str), encoding="utf-8")
            found[file] = path, answer
    return found


def expected_shape(path: str) -> str | None:
    return None if path in UNKNOWN or path.endswith("/contains") else KNOWN.get(path, "spotify-web-api")


def test_every_answer_is_recognised(answers: dict[Path, tuple[str, Any]]):
    assert len(answers) == 122
    assert {path: SpotifyDataLoader.detect(file).shape for file, (path, _) in answers.items()} == {
        path: expected_shape(path) for path, _ in answers.values()
    }


async def test_every_object_is_a_row(answers: dict[Path, tuple[str, Any]], acme: FixtureManager, state: State):
    files = {file: answer for file, (path, answer) in answers.items() if expected_shape(path) == "spotify-web-api" and "audio-features" not in path}
    report = await acme.apply(SpotifyDataLoader(files, user="alice"), tenant_id="acme", operation="load")
    assert all(item.read == item.stored + item.duplicates for item in report.datasets)
    there = {kind: state.rows(f"SELECT {column} AS id FROM t_acme.{table}") for kind, (table, column) in TABLES.items()}
    wanted = {pair for answer in files.values() for pair in objects(answer)}
    assert {kind for kind, _ in wanted} == set(TABLES)
    assert wanted <= {(kind, row["id"]) for kind, rows in there.items() for row in rows}


async def test_values_at_the_ends_of_their_ranges(published: OpenApi, acme: FixtureManager, state: State, tmp_path: Path):
    ranges = published.limits("AudioFeaturesObject")
    assert {"key", "time_signature", "acousticness", "valence"} <= set(ranges)
    documents = []
    for end in (0, 1):
        track = published.example("TrackObject")
        features = {**published.example("AudioFeaturesObject"), **{name: limits[end] for name, limits in ranges.items()}, "id": track["id"]}
        documents += [track, features]
    (tmp_path / "ends.json").write_text(json.dumps(documents, default=str), encoding="utf-8")
    report = await acme.apply(SpotifyDataLoader(tmp_path / "ends.json"), tenant_id="acme", operation="load")
    assert report.dataset("spotify-web-api.audio-features").stored == 2
    (row,) = state.rows("SELECT " + ", ".join(f"array_agg({name} ORDER BY {name}) AS {name}" for name in ranges) + " FROM t_acme.audio_features")
    assert {name: tuple(values) for name, values in row.items()} == ranges
