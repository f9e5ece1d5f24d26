"""The default pack: its files agree with each other, and its data is sound and the same everywhere."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tenancy_fixtures import templates
from tenancy_fixtures._pack_models import PackManifest
from tenancy_fixtures.packs import DEFAULT_FOLDER, Pack, json_schemas
from tenancy_fixtures.templates.generate import generate

DIGEST = "c1d41148a5b9b15b8bb7ba359bb66e1aa550e68ff4c235c3fedde189695282bc"  # of the data of the default seed: tenants were seeded with it
REFERENCES = {
    "artist_id": ("artist", 1),
    "album_id": ("album", 2),
    "user_id": ("user", 1),
    "owner_id": ("user", 1),
    "added_by": ("user", 1),
    "playlist_id": ("playlist", 2),
}
REAL = Path(os.environ.get("TENANCY_REAL_DATA") or Path(__file__).parents[3] / "shared" / "data") / "csv_hit_predictor"


@pytest.fixture(scope="module")
def pack():
    return Pack.default()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    generate(folder)
    return folder


def records(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def digest(folder):
    content = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        content.update(path.name.encode() + b"\0" + path.read_bytes())
    return content.hexdigest()


def sources(mapping):
    """Each group of alternatives that a mapping reads."""
    return [part.split("|") for part in mapping.uuid] if mapping.uuid else [mapping.source]


# --- templates ------------------------------------------------------------------------------------------------------


def test_it_is_whole(pack):
    assert pack.name == "spotify-agent"
    assert [dataset.name for dataset in pack.manifest.datasets] == [
        "users",
        "artists",
        "albums",
        "tracks",
        "playlists",
        "playlist_tracks",
        "listening_history",
    ]
    assert pack.head == 6
    assert pack.manifest.extensions == []
    assert pack.manifest.shared_schemas == []


def test_tiers_grow_and_the_configuration_knows_them(pack):
    tiers = pack.tenant_template.tiers
    assert list(tiers) == ["free", "standard", "premium", "enterprise"]
    assert set(pack.config_template.tiers) == set(tiers)
    assert pack.tenant_template.default_tier == "standard"
    for lower, higher in zip(list(tiers.values()), list(tiers.values())[1:]):
        assert set(lower.features) < set(higher.features)
        assert lower.limits["api_calls"] < higher.limits["api_calls"]
        assert set(lower.limits) == set(higher.limits)
    assert {"ai_collaboration", "advanced_analytics"} <= set(tiers["premium"].features)
    assert tiers["premium"].limits["storage"] == "100GB"


def test_a_tier_only_changes_what_the_defaults_have(pack):
    def check(part, defaults, path):
        for key, value in part.items():
            assert key in defaults, f"{path}/{key}"
            assert isinstance(value, type(defaults[key])), f"{path}/{key}"
            if isinstance(value, dict):
                check(value, defaults[key], f"{path}/{key}")

    for tier, part in pack.config_template.tiers.items():
        check(part, pack.config_template.defaults, tier)
    assert sum(pack.config_template.defaults["recommendation"]["weights"].values()) == pytest.approx(1)


def meaning(schema):
    """A JSON Schema without what says nothing: pydantic's releases differ in it."""
    if isinstance(schema, list):
        return [meaning(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    implied = {"type"} if {"enum", "const"} & set(schema) else set()
    return {key: meaning(value) for key, value in schema.items() if key not in implied and (key, value) != ("additionalProperties", True)}


@pytest.mark.parametrize("name", ["pack.json", "tenant_template.json", "config_template.json"])
def test_json_schemas_are_those_of_the_models(name):
    path = DEFAULT_FOLDER / "schemas" / name.replace(".json", ".schema.json")
    assert meaning(json.loads(path.read_text(encoding="utf-8"))) == meaning(json_schemas()[name]), f"write {path.name} again from json_schemas()"


def test_json_schemas_are_complete():
    assert {path.name.replace(".schema.json", ".json") for path in (DEFAULT_FOLDER / "schemas").iterdir()} == set(json_schemas())


def test_a_changed_model_is_seen():
    changed = {**json_schemas()["pack.json"], "required": ["name"]}
    assert meaning(changed) != meaning(json_schemas()["pack.json"])


# --- mappings -------------------------------------------------------------------------------------------------------


def test_an_id_is_made_the_same_way_everywhere(pack):
    seen = Counter()
    for dataset in pack.manifest.datasets:
        for target in dataset.targets:
            for column, mapping in target.columns.items():
                if mapping.uuid is not None:
                    assert (mapping.uuid_kind, len(mapping.uuid)) == REFERENCES[column], (dataset.name, target.table, column)
                    seen[mapping.uuid_kind] += 1
    assert seen == {"user": 4, "artist": 4, "album": 2, "playlist": 2}


def test_the_making_of_ids_is_documented():
    assert "6f6f2c5e-3d0b-5b1e-9a57-7c1f6a0f5e11" in templates.__doc__
    assert "U+001F" in templates.__doc__


def test_only_tracks_may_hold_more_than_is_read(pack):
    assert [dataset.name for dataset in pack.manifest.datasets if dataset.extra_columns == "ignore"] == ["tracks"]
    assert pack.dataset("tracks").own.table == "tracks"
    assert [target.table for target in pack.dataset("tracks").targets] == ["artists", "tracks", "audio_features"]


def test_every_column_of_the_data_is_read_and_every_one_needed_is_there(pack, data):
    assert {path.stem for path in data.iterdir()} == {dataset.name for dataset in pack.manifest.datasets}
    for dataset in pack.manifest.datasets:
        with (data / f"{dataset.name}.csv").open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file))
        assert dataset.source.path == f"data/{dataset.name}.csv"
        mappings = [mapping for target in dataset.targets for mapping in target.columns.values()]
        read = {name for mapping in mappings for group in sources(mapping) for name in group}
        assert set(header) <= read, dataset.name
        for mapping in mappings:
            assert mapping.optional or all(set(group) & set(header) for group in sources(mapping)), (dataset.name, mapping)


# --- generated data -------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes(data, tmp_path):
    generate(tmp_path / "again")
    generate(tmp_path / "other", seed=7)
    assert digest(tmp_path / "again") == digest(data) == DIGEST
    assert digest(tmp_path / "other") != DIGEST


def pythons():
    """Python 3.9 to 3.13, on the PATH or under pyenv's root."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in range(9, 14):
        candidates = [*root.glob(f"3.{minor}.*/bin/python"), shutil.which(f"python3.{minor}")]
        for candidate in filter(None, candidates):
            probe = subprocess.run([candidate, "-c", "import sys; print(sys.version_info[1])"], capture_output=True, text=True, check=False)
            if probe.stdout.strip() == str(minor):
                yield str(candidate)
                break


def test_every_python_gives_the_same_bytes(tmp_path):
    found = list(pythons())
    if not found:
        pytest.skip("no Python besides this one on the PATH or under pyenv")
    for index, python in enumerate(found):
        folder = tmp_path / str(index)
        script = DEFAULT_FOLDER / "generate.py"
        subprocess.run([python, "-B", "-I", str(script), str(folder)], check=True, env={"LC_ALL": "C"})  # isolated: hashes differ each time
        assert digest(folder) == DIGEST, python


def test_there_is_as_much_as_promised(data):
    counts = {path.stem: len(records(path)) for path in data.iterdir()}
    assert 12_000 <= counts.pop("playlist_tracks") <= 13_000
    assert counts == {"users": 200, "artists": 2_500, "albums": 4_000, "tracks": 20_000, "playlists": 400, "listening_history": 30_000}


def test_references_are_sound_and_keys_unique(data):
    rows = {path.stem: records(path) for path in data.iterdir()}

    def keys(name, *columns):
        found = [tuple(row[column] for column in columns) for row in rows[name]]
        assert len(found) == len(set(found)), name
        return set(found)

    def refers(name, columns, target):
        assert {tuple(row[column] for column in columns) for row in rows[name]} <= target, (name, columns)

    users, artists, albums = keys("users", "handle"), keys("artists", "name"), keys("albums", "artist", "title")
    tracks, playlists = keys("tracks", "uri"), keys("playlists", "owner", "name")
    keys("playlist_tracks", "owner", "playlist", "position")
    keys("listening_history", "user", "played_at", "uri")
    refers("albums", ["artist"], artists)
    refers("tracks", ["artist", "album"], albums)
    refers("playlists", ["owner"], users)
    refers("playlist_tracks", ["owner", "playlist"], playlists)
    refers("playlist_tracks", ["added_by"], users)
    refers("playlist_tracks", ["uri"], tracks)
    refers("listening_history", ["user"], users)
    refers("listening_history", ["uri"], tracks)


def test_it_looks_like_listening(data):
    tracks = {row["uri"]: row for row in records(data / "tracks.csv")}
    users = {row["handle"]: row for row in records(data / "users.csv")}
    history = records(data / "listening_history.csv")
    heard = Counter(row["uri"] for row in history)
    top_tenth = sum(count for _, count in heard.most_common(2_000))
    assert top_tenth > 0.5 * len(history)
    assert [row["played_at"] for row in history] == sorted(row["played_at"] for row in history)
    for row in history:
        assert row["played_at"].startswith("2024-")
        assert users[row["user"]]["created_at"] < row["played_at"] <= users[row["user"]]["last_seen_at"]
        assert 0 <= int(row["ms_played"]) <= int(tracks[row["uri"]]["duration_ms"])
    owners = {(row["owner"], row["name"]): row for row in records(data / "playlists.csv")}
    for row in records(data / "playlist_tracks.csv"):
        assert users[row["owner"]]["created_at"] < owners[row["owner"], row["playlist"]]["created_at"] < row["added_at"]


def test_it_has_what_real_text_has(data):
    names = "".join(row["name"] for row in records(data / "artists.csv"))
    for script in (r"[A-Z]", r"[À-ž]", r"[Ѐ-ӿ]", r"[Ͱ-Ͽ]", "[\u30a0-\u30ff]", r"[가-힣]", r"[一-鿿]", r"[؀-ۿ]", r"[֐-׿]", r"[ऀ-ॿ]"):
        assert re.search(script, names), script
    titles = {mark for row in records(data / "tracks.csv") for mark in ',"(&' if mark in row["title"] + row["artist"]}
    assert titles == set(',"(&')
    assert any("\n" in row["description"] for row in records(data / "playlists.csv"))
    assert any(row["birth_date"] == "" for row in records(data / "users.csv"))
    assert all(b"\r" not in path.read_bytes() for path in data.iterdir())


def test_people_are_nobody(data):
    assert all(row["email"].split("@")[1] in {"example.com", "example.org", "example.net"} for row in records(data / "users.csv"))


# --- real files -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real():
    if not REAL.is_dir():
        pytest.skip("no real files: set TENANCY_REAL_DATA to the folder that holds csv_hit_predictor")
    return [row for path in sorted(REAL.glob("*.csv")) for row in records(path)]


def holds(rule, text):
    """The rule as plain Python; blank is null, and null passes."""
    if text == "":
        return rule.rule != "not_null"
    if rule.rule == "not_null":
        return True
    if rule.rule == "pattern":
        return re.search(rule.pattern, text) is not None
    if rule.rule == "one_of":
        return text in {str(value) for value in rule.values}
    size = len(text) if rule.rule == "length" else float(text)
    return (rule.min is None or size >= rule.min) and (rule.max is None or size <= rule.max)


def check_rules(dataset, rows):
    header = set(rows[0])
    for target in dataset.targets:
        for rule in target.rules:
            (group,) = sources(target.columns[rule.column])
            column = next((name for name in group if name in header), None)
            assert column or target.columns[rule.column].optional
            broken = sum(not holds(rule, row[column]) for row in rows) if column else 0
            assert broken == 0, (target.table, rule)


def test_own_records_keep_the_rules(pack, data):
    for dataset in pack.manifest.datasets:
        check_rules(dataset, records(data / f"{dataset.name}.csv"))


def test_real_tracks_keep_the_rules(pack, real):
    dataset = pack.dataset("tracks")
    assert len(real) == 41_106
    check_rules(dataset, real)
    extract = re.compile(dataset.own.columns["track_id"].extract)
    assert len({extract.search(row["uri"])[1] for row in real}) == 40_560


def test_real_tracks_have_all_needed_columns_and_one_is_ignored(pack, real):
    mappings = [mapping for target in pack.dataset("tracks").targets for mapping in target.columns.values()]
    read = {name for mapping in mappings for group in sources(mapping) for name in group}
    assert set(real[0]) - read == {"target"}
    assert all(mapping.optional or all(set(group) & set(real[0]) for group in sources(mapping)) for mapping in mappings)


def test_no_artist_is_a_real_one(data, real):
    known = {row["artist"].lower() for row in real}
    assert not [row["name"] for row in records(data / "artists.csv") if row["name"].lower() in known]


def test_the_manifest_survives_a_round_trip(pack):
    assert PackManifest.model_validate_json(pack.manifest.model_dump_json(by_alias=True, exclude_none=True)) == pack.manifest
