"""Made data: loads without a reject, leads where it should, and is the same for the same seed."""

from __future__ import annotations

import csv
import itertools
import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

pytest.importorskip("mimesis", reason="mimesis, which makes the words, needs Python 3.10")

from tenancy_fixtures import FixtureManager, Pack, Settings
from tenancy_fixtures import exceptions as errors
from tenancy_fixtures._generate import _records, _write
from tests.acceptance.nasty_pack import DATASETS, write_pack
from tests.acceptance.support import PackFolder, State

pytestmark = pytest.mark.anyio

ONE = {"name": "ones", "source": {"path": "ones.csv"}}


@pytest.fixture
async def manager(settings: Settings, anyio_backend: str):
    async with FixtureManager(settings) as manager:
        yield manager


@pytest.fixture
def nasty(tmp_path: Path) -> Pack:
    return Pack.from_folder(write_pack(tmp_path / "nasty"))


def small(tmp_path: Path, schema: str, columns: dict, key: list[str], **more) -> Pack:
    target = {"table": "ones", "key": key, "columns": columns, "rules": more.pop("rules", [])}
    return Pack.from_folder(write_pack(tmp_path / "small", schema, [{**ONE, "targets": [target], **more}]))


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


async def load_all(settings: Settings, pack: Pack, folder: Path, rows: int, seed: int = 1, form: str | None = None) -> FixtureManager:
    """Make records for all datasets and load them: every one is stored, and the tenant is well."""
    async with FixtureManager(settings, pack=pack) as manager:
        made = await manager.generate_data(folder, rows=rows, seed=seed, format=form)
        await manager.create_tenant("acme")
        report = await manager.load_fixtures("acme", sources={item.dataset: item.path for item in made.files}, on_error="fail")
        assert {item.dataset: (item.read, item.stored, item.duplicates, item.rejects) for item in report.datasets} == {
            dataset.name: (rows, rows, 0, 0) for dataset in pack.manifest.datasets
        }
        validation = await manager.validate("acme")
        assert validation.ok, validation.findings
    return manager


# --- it loads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 2, 1500])
async def test_the_default_pack_loads_whole(settings: Settings, state: State, tmp_path: Path, rows: int):
    await load_all(settings, Pack.default(), tmp_path / "data", rows)
    assert state.value("SELECT count(*) FROM t_acme.artists") == rows
    # Not only without a reject: the references mean something.
    assert state.value("SELECT count(*) FROM t_acme.tracks t JOIN t_acme.albums a USING (album_id) WHERE a.artist_id <> t.artist_id") == 0
    if rows > 1000:
        assert 0.9 < state.value("SELECT count(album_id)::float8 / count(*) FROM t_acme.tracks") < 0.99
        assert state.value("SELECT max(n) FROM (SELECT count(*) n FROM t_acme.tracks GROUP BY artist_id) AS t") > 20
        assert state.value("SELECT count(DISTINCT title) FROM t_acme.tracks") > 500
        assert state.value("SELECT count(*) FROM t_acme.users WHERE last_seen_at < created_at") == 0
        assert state.value("SELECT avg(popularity) FROM t_acme.tracks") < 40
        assert state.value("SELECT max(popularity) FROM t_acme.tracks") > 90


@pytest.mark.parametrize(("rows", "seed"), [(1, 1), (3, 1), (600, 1), (600, 2), (676, 3)])
async def test_a_pack_with_everything_loads_whole(settings: Settings, state: State, nasty: Pack, tmp_path: Path, rows: int, seed: int):
    await load_all(settings, nasty, tmp_path / "data", rows, seed)
    assert state.value("SELECT count(*) FROM t_acme.people WHERE missing IS NOT NULL") == 0
    if rows > 100:
        assert state.value("SELECT count(*) FROM t_acme.people WHERE boss IS NOT NULL AND boss <> person_no") > rows * 0.8
        assert state.value("SELECT count(*) FROM t_acme.cities WHERE twin IS NOT NULL") > rows * 0.8
        assert state.value("SELECT count(best_id) FROM t_acme.makers") > rows * 0.8
        assert state.value("SELECT count(DISTINCT mood) FROM t_acme.people") == 3
        assert state.value("SELECT count(nick) FROM t_acme.people") > 0


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
@pytest.mark.parametrize("everything", [False, True])
async def test_other_formats_load_as_well(settings: Settings, state: State, nasty: Pack, tmp_path: Path, form: str, everything: bool):
    await load_all(settings, nasty if everything else Pack.default(), tmp_path / "data", 300, form=form)
    assert state.value("SELECT count(*) FROM t_acme.visits" if everything else "SELECT count(*) FROM t_acme.tracks") == 300


async def test_a_declared_format_is_what_is_made(settings: Settings, state: State, tmp_path: Path):
    columns = {"a": {"from": ["a"]}, "b": {"from": ["b"]}}
    pack = small(tmp_path, "CREATE TABLE ones (a int PRIMARY KEY, b jsonb);", columns, ["a"], source={"path": "ones.json", "format": "json"})
    await load_all(settings, pack, tmp_path / "data", 20)
    assert list(content(tmp_path / "data")) == ["ones.ndjson"]


@pytest.mark.parametrize(
    ("source", "name", "words"),
    [
        ({"path": "ones.arrow", "format": "arrow"}, "a", "reads arrow"),
        ({"path": "ones.ndjson"}, "a.b", "parts of nested records \\(a.b\\)"),
        ({"path": "ones.csv", "comment": "#"}, "a", "the source of dataset ones uses comment"),
    ],
)
async def test_sources_that_are_not_written_are_named(settings: Settings, tmp_path: Path, source: dict, name: str, words: str):
    pack = small(tmp_path, "CREATE TABLE ones (a int PRIMARY KEY);", {"a": {"from": [name]}}, ["a"], source=source)
    async with FixtureManager(settings, pack=pack) as manager:
        with pytest.raises(errors.CannotGenerate, match=words):
            await manager.generate_data(tmp_path / "data", rows=10)
    assert not (tmp_path / "data").exists()


async def test_a_pack_that_the_loader_refuses_is_refused_here_as_well(settings: Settings, nasty: Pack, tmp_path: Path):
    async with FixtureManager(settings, pack=nasty) as manager:
        with pytest.raises(errors.CannotGenerate, match="700 rows need a value each of 'iso'"):
            await manager.generate_data(tmp_path / "data", rows=700)
    assert not (tmp_path / "data").exists()


# --- the same for the same seed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
async def test_the_same_seed_gives_the_same_bytes(manager: FixtureManager, tmp_path: Path, form: str):
    for name, seed in (("one", 7), ("two", 7), ("other", 8)):
        await manager.generate_data(tmp_path / name, rows=200, seed=seed, format=form)
    first, second, other = (content(tmp_path / name) for name in ("one", "two", "other"))
    assert first == second
    assert first.keys() == other.keys() == {f"{dataset.name}.{form}" for dataset in manager.pack.manifest.datasets}
    assert all(first[name] != other[name] for name in first)


async def test_blocks_of_any_size_give_the_same_records(manager: FixtureManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    await manager.generate_data(tmp_path / "whole", rows=301, seed=7)
    monkeypatch.setattr(_write, "BLOCK_ROWS", 100)
    await manager.generate_data(tmp_path / "blocks", rows=301, seed=7)
    assert content(tmp_path / "whole") == content(tmp_path / "blocks")


async def test_a_dataset_is_the_same_made_alone_or_with_others(manager: FixtureManager, tmp_path: Path):
    await manager.generate_data(tmp_path / "all", rows=50, seed=7)
    report = await manager.generate_data(tmp_path / "some", rows=50, datasets=["tracks"], seed=7)
    assert [item.dataset for item in report.files] == ["artists", "albums", "tracks"]
    everything = content(tmp_path / "all")
    assert all(everything[name] == data for name, data in content(tmp_path / "some").items())


async def test_every_form_holds_the_same_records(manager: FixtureManager, tmp_path: Path):
    for form in ("csv", "ndjson", "parquet"):
        await manager.generate_data(tmp_path, rows=100, rows_of={"users": 150}, datasets=["users", "artists"], format=form)
    for name, rows in (("users", 150), ("artists", 100)):
        table = pl.read_parquet(tmp_path / f"{name}.parquet")
        lines = [json.loads(line) for line in (tmp_path / f"{name}.ndjson").read_text(encoding="utf-8").splitlines()]
        with (tmp_path / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            cells = list(csv.DictReader(file))
        assert len(cells) == rows
        assert table.to_dicts() == lines
        assert [{key: "" if value is None else str(value) for key, value in line.items()} for line in lines] == cells
    assert table.schema["popularity"] == pl.Int64
    assert lines[0]["popularity"] is None or isinstance(lines[0]["popularity"], int)


# --- files --------------------------------------------------------------------------------------------------------------


async def test_files_that_are_there_are_kept_unless_asked(manager: FixtureManager, tmp_path: Path):
    (tmp_path / "artists.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(errors.OutputExists) as raised:
        await manager.generate_data(tmp_path, rows=5, datasets=["artists"])
    assert raised.value.files == [str(tmp_path / "artists.csv")]
    assert content(tmp_path) == {"artists.csv": b"mine"}
    await manager.generate_data(tmp_path, rows=5, datasets=["artists"], force=True)
    assert len((tmp_path / "artists.csv").read_text(encoding="utf-8").splitlines()) == 6


async def test_what_breaks_on_the_way_leaves_no_file(manager: FixtureManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    calls = itertools.count()
    whole = _records.Records.frame

    def full_disk(self, rows):
        if next(calls) == 2:
            raise OSError(28, "No space left on device")
        return whole(self, rows)

    monkeypatch.setattr(_records.Records, "frame", full_disk)
    with pytest.raises(errors.ConfigurationError, match="No space left on device"):
        await manager.generate_data(tmp_path, rows=5)
    assert content(tmp_path) == {}


async def test_nothing_is_left_in_the_database(manager: FixtureManager, state: State, tmp_path: Path):
    before = state.snapshot()
    await manager.generate_data(tmp_path, rows=5)
    assert state.snapshot() == before


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"rows": 0}, errors.ConfigurationError),
        ({"rows_of": {"tracks": -1}}, errors.ConfigurationError),
        ({"rows_of": {"trakcs": 1}}, errors.DatasetNotFound),
        ({"datasets": ["trakcs"]}, errors.DatasetNotFound),
        ({"format": "xlsx"}, errors.ConfigurationError),
    ],
)
async def test_what_cannot_be_asked_for_is_refused_before_anything_is_made(manager: FixtureManager, tmp_path: Path, facts: dict, kind: type):
    with pytest.raises(kind):
        await manager.generate_data(tmp_path / "data", **facts)
    assert not (tmp_path / "data").exists()


# --- what cannot be made ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "columns", "more", "words"),
    [
        (
            "a text PRIMARY KEY",
            {"a": {"from": ["a"]}},
            {"rules": [{"column": "a", "rule": "pattern", "pattern": r"\bx{3000}$"}]},
            r"ones\.a.*\\bx\{3000\}",
        ),
        (
            "a int PRIMARY KEY, b text NOT NULL",
            {"a": {"from": ["a"]}, "b": {"from": ["b"]}},
            {"rules": [{"column": "b", "rule": "pattern", "pattern": r"^\p{Greek}+$"}]},
            r"no values can be made for 'b' \(ones\.b\) by its pattern \^\\p\{Greek\}\+\$\nA rule one_of",
        ),
        ("a int PRIMARY KEY, b tsquery NOT NULL", {"a": {"from": ["a"]}, "b": {"from": ["b"]}}, {}, r"ones\.b.*tsquery"),
        ("a bool PRIMARY KEY", {"a": {"from": ["a"]}}, {}, "10 rows need a value each of 'a'"),
        (
            "a int PRIMARY KEY, b int NOT NULL REFERENCES twos",
            {"a": {"from": ["a"]}, "b": {"from": ["b"]}},
            {},
            "ones.b refers to twos, and no dataset",
        ),
        (
            "a int PRIMARY KEY, b uuid NOT NULL REFERENCES threes",
            {"a": {"from": ["a"]}, "b": {"uuid": ["b"]}},
            {},
            "no dataset has a key of uuid kind 'ones'",
        ),
        ("a int PRIMARY KEY, b int NOT NULL, CHECK (b > a * a)", {"a": {"from": ["a"]}, "b": {"from": ["b"]}}, {}, "ones_check of ones"),
        ("a int PRIMARY KEY CHECK (a > 5 AND a < 5)", {"a": {"from": ["a"]}}, {}, "'a'"),
        (
            "a text, b bool, c bool, UNIQUE (b, c)",
            {"b": {"from": ["b"]}, "c": {"from": ["c"]}},
            {"key": ["b", "c"]},
            "b, c have 4 combinations, and 10 rows",
        ),
    ],
)
async def test_what_cannot_be_made_is_named(settings: Settings, tmp_path: Path, schema: str, columns: dict, more: dict, words: str):
    tables = f"CREATE TABLE twos (b int PRIMARY KEY); CREATE TABLE threes (b uuid PRIMARY KEY); CREATE TABLE ones ({schema});"
    pack = small(tmp_path, tables, columns, more.pop("key", ["a"]), **more)
    async with FixtureManager(settings, pack=pack) as manager:
        with pytest.raises(errors.CannotGenerate, match=words):
            await manager.generate_data(tmp_path / "data", rows=10)
    assert not (tmp_path / "data").exists()


async def test_a_dataset_that_does_not_fit_the_schema_is_named(settings: Settings, spoilt: PackFolder, tmp_path: Path):
    spoilt.change("schema_template.sql", "    isrc           text,\n", "")
    for revision in spoilt.folder.glob("migrations/*.sql"):
        revision.unlink()
    async with FixtureManager(settings, pack=spoilt.pack()) as manager:
        with pytest.raises(errors.TenancyError) as raised:
            await manager.generate_data(tmp_path / "data", rows=10)
    assert "isrc" in raised.value.message


async def test_a_kind_of_mapping_that_is_not_known_is_named(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from tenancy_fixtures._generate import _fields

    monkeypatch.setattr(_fields, "_MAPPING", _fields._MAPPING - {"extract"})
    pack = small(tmp_path, "CREATE TABLE ones (a text PRIMARY KEY);", {"a": {"from": ["a"], "extract": "(a+)"}}, ["a"])
    async with FixtureManager(settings, pack=pack) as manager:
        with pytest.raises(errors.CannotGenerate, match="a column of dataset ones uses extract"):
            await manager.generate_data(tmp_path / "data", rows=10)


# --- details ------------------------------------------------------------------------------------------------------------


async def test_words_of_other_encodings_and_marks_for_nothing(settings: Settings, state: State, tmp_path: Path):
    columns = {"a": {"from": ["a"]}, "b": {"from": ["b"], "nulls": ["n/a", "-"]}, "c": {"from": ["c"], "nulls": []}}
    schema = "CREATE TABLE ones (a varchar(3) PRIMARY KEY, b text CHECK (b IN ('é', 'ö', '-', 'ж')), c text);"
    pack = small(tmp_path, schema, columns, ["a"], source={"path": "ones.csv", "encoding": "latin-1", "delimiter": "\t"})
    await load_all(settings, pack, tmp_path / "data", 500)
    found = Counter(row["b"] for row in state.rows("SELECT b FROM t_acme.ones"))
    assert set(found) == {"é", "ö", None}
    assert state.value("SELECT count(*) FROM t_acme.ones WHERE c IS NULL") == 0
    assert b"\xe9" in (tmp_path / "data" / "ones.csv").read_bytes()


async def test_a_single_column_has_no_empty_lines(settings: Settings, state: State, tmp_path: Path):
    pack = small(tmp_path, "CREATE TABLE ones (a int UNIQUE);", {"a": {"from": ["a"]}}, ["a"])
    await load_all(settings, pack, tmp_path / "data", 200)


async def test_derived_rows_are_made_of_the_same_records(settings: Settings, state: State, tmp_path: Path):
    """Artists that no dataset of their own provides come from the tracks, many tracks from one."""
    schema = "CREATE TABLE makers (id uuid PRIMARY KEY, name text NOT NULL UNIQUE); CREATE TABLE ones (a int PRIMARY KEY, maker uuid NOT NULL REFERENCES makers);"
    maker = {"uuid": ["maker"], "uuid_kind": "maker"}
    derived = {"table": "makers", "key": ["id"], "derived": True, "columns": {"id": maker, "name": {"from": ["maker"]}}}
    own = {"table": "ones", "key": ["a"], "columns": {"a": {"from": ["a"]}, "maker": maker}}
    others = {"name": "others", "source": {"path": "o.csv"}, "targets": [{**own, "table": "others"}]}
    pack = Pack.from_folder(
        write_pack(tmp_path / "p", schema + "CREATE TABLE others (LIKE ones INCLUDING ALL);", [{**ONE, "targets": [derived, own]}, others])
    )
    await load_all(settings, pack, tmp_path / "data", 500)
    assert 20 < state.value("SELECT count(*) FROM t_acme.makers") < 500
    assert state.value("SELECT count(*) FROM t_acme.others o WHERE NOT EXISTS (SELECT FROM t_acme.makers m WHERE m.id = o.maker)") == 0


def test_the_nasty_pack_has_what_it_is_for():
    assert len(DATASETS) == 8
