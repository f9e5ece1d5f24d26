"""The benchmarks run, and print what they promise; the peers that have to be installed are left out here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from benchmarks import _tracks
from benchmarks._measure import interleave

ROOT = Path(__file__).resolve().parents[2]
ROWS = 3000
KINDS = ["csv", "parquet", "ndjson"]
FIGURES = {
    "load": ["csv_seconds", "psql_binary_late_seconds", "loop_lag_p999_ms", "loop_lag_max_ms", "idle_lag_p999_ms", "csv_phases"],
    "loop": ["loop_lag_p999_ms", "loop_lag_max_ms", "idle_lag_p999_ms"],
    "memory": ["peak_rss_mb"],
    "reload": ["manual_merge_seconds"],
    "validate": ["load_seconds", "validate_seconds", "record_seconds", "validate_recorded_seconds"],
}
RATIOS = {
    "load": ["csv_vs_psql_csv_indexed", "csv_vs_psql_csv_late", "parquet_vs_psql_binary_late", "ndjson_vs_psql_csv_late"],
    "loop": [],
    "memory": ["rss_10m_vs_1m"],
    "reload": ["unchanged_vs_first", "one_percent_vs_manual_merge"],
    "validate": ["validate_vs_load", "validate_recorded_vs_load"],
}


@pytest.mark.parametrize("name", list(FIGURES))
def test_a_benchmark_prints_one_object_with_its_figures(name, admin_url):
    command = [sys.executable, "-m", "benchmarks", name, "--rows", str(ROWS), "--rounds", "1", "--without-peers", "--database-url", admin_url]
    done = subprocess.run([*command, "--json", "-"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["name"] == name
    assert result["machine"]["cores"] >= 1
    assert result["server"]["fsync"] in ("on", "off")
    assert sorted(result["ratios"]) == sorted(RATIOS[name])
    assert all(isinstance(value, float) and value > 0 for value in result["ratios"].values())
    assert set(FIGURES[name]) <= set(result["figures"])
    left_out = result["figures"]["missing"]
    assert set(left_out) == (
        {"sqlalchemy", "sqlalchemy_returning", "sqlalchemy_executemany", "dlt", "dlt_csv", "django_loaddata"} if name == "load" else set()
    )
    if name == "memory":
        assert sorted(result["figures"]["by_format"]) == sorted(KINDS)


def test_clean_tenants_are_compared_with_a_schema_made_for_each_test(admin_url):
    command = [sys.executable, "-m", "benchmarks", "testkit", "--tests", "12", "--rounds", "1", "--database-url", admin_url]
    done = subprocess.run([*command, "--json", "-"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["name"], result["tests"], result["figures"]["left_behind"]) == ("testkit", 12, 0)
    assert result["ratios"]["vs_create_all"] == min(result["ratios"]["vs_create_all_1"], result["ratios"]["vs_create_all_4"])
    assert all(result["figures"][f"{name}_{workers}_seconds"]["median"] > 0 for name in ("kit", "create_all") for workers in (1, 4))


def test_tables_that_tenants_share_are_compared_with_a_tenants_own(admin_url):
    command = [sys.executable, "-m", "benchmarks", "load", "--isolation", "row", "--rows", str(ROWS), "--rounds", "1", "--database-url", admin_url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["name"] == "load"
    assert sorted(result["ratios"]) == ["row_beside_rows_vs_schema", "row_vs_schema"]
    assert all(isinstance(value, float) and value > 0 for value in result["ratios"].values())
    assert {"schema_seconds", "row_seconds", "row_rows_per_second", "ratios_spread"} <= set(result["figures"])
    done = subprocess.run([*command[:3], "reload", *command[4:6]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, "--isolation is for load" in done.stderr) == (2, True)


def test_the_rows_are_the_same_each_time_and_in_each_format(tmp_path):
    _tracks.write_files(tmp_path, ROWS, *KINDS, "changed")
    frames = [pl.read_parquet(tmp_path / "tracks.parquet"), pl.concat(_tracks.chunks(ROWS))]
    assert frames[0].equals(frames[1])
    assert frames[0].width == len(_tracks.COLUMNS) == 14
    assert frames[0]["track_id"].n_unique() == ROWS
    assert frames[0]["artist_id"].is_between(1, _tracks.artists_of(ROWS)).all()
    assert pl.read_csv(tmp_path / "tracks.csv")["title"].equals(frames[0]["title"])
    assert pl.read_ndjson(tmp_path / "tracks.ndjson")["tempo"].equals(frames[0]["tempo"])
    changed = pl.read_parquet(tmp_path / "changed.parquet")
    differs = changed["popularity"] != frames[0]["popularity"]
    assert differs.sum() == ROWS // _tracks.CHANGED_ONE_IN
    assert changed.drop("popularity").equals(frames[0].drop("popularity"))


def test_contenders_take_turns_and_slow_ones_take_part_in_the_first_rounds():
    order = []
    contenders = {name: lambda name=name: order.append(name) or 1.0 for name in ("one", "two", "slow")}
    seconds = interleave(contenders, 3, {"slow": 1})
    assert order == ["one", "two", "slow", "two", "one", "one", "two"]
    assert {name: len(values) for name, values in seconds.items()} == {"one": 3, "two": 3, "slow": 1}
