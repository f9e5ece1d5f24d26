"""The same content again, and content of which one row in a hundred has changed, into a tenant that has the rows.

The same manager in the same process loads three times: the file, the file again, and the file with the changes. The peer
for the changes is a merge by hand on a table with the same rows: a staging table filled by binary COPY from a file that was
encoded beforehand, ``ANALYZE``, and one ``MERGE`` of what is new or distinct, in one transaction of psql. So our time holds
reading, checking and auditing, and the peer's does not.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from benchmarks import _tracks
from benchmarks._contenders import Ground, late
from benchmarks._measure import interleave, missing_formats, ratio, result, spread
from benchmarks._server import about, database, server, settle

ROUNDS = 5


def run(rows: int, rounds: int, database_url: str | None, *, peers: bool = True) -> dict[str, Any]:  # noqa: ARG001 - psql alone
    """Measure and give the result."""
    with tempfile.TemporaryDirectory(prefix="tenancy-bench-") as name, server(database_url, Path(name)) as admin, database(admin) as url:
        ground = Ground(url, Path(name), rows)
        missing = missing_formats(ground.folder)
        kinds = [kind for kind in _tracks.FORMATS if kind not in missing]
        _tracks.write_files(ground.folder, rows, *kinds, "changed")
        ground.encode_binary("tracks")
        ground.encode_binary("changed")
        version, settings = about(url, embedded_one=database_url is None)
        took: dict[str, dict[str, list[float]]] = {kind: {"first": [], "unchanged": [], "one_percent": []} for kind in kinds}
        contenders = {kind: _ours(ground, kind, took[kind]) for kind in kinds}
        seconds = interleave({**contenders, "manual_merge": lambda: _manual_merge(ground)}, rounds)
    by_format = {kind: _compared(found, seconds["manual_merge"]) for kind, found in took.items()}
    figures: dict[str, Any] = {"manual_merge_seconds": spread(seconds["manual_merge"]), "by_format": by_format, "missing": missing}
    figures |= {f"{kind}_{what}_seconds": spread(values) for kind, found in took.items() for what, values in found.items()}
    ratios = {name: max(found[name]["median"] for found in by_format.values()) for name in ("unchanged_vs_first", "one_percent_vs_manual_merge")}
    return result("reload", version, figures, ratios, {}, rows=rows, rounds=rounds, server=settings)


def _compared(found: dict[str, list[float]], manual: list[float]) -> dict[str, dict[str, float]]:
    return {"unchanged_vs_first": ratio(found["unchanged"], found["first"]), "one_percent_vs_manual_merge": ratio(found["one_percent"], manual)}


def _ours(ground: Ground, kind: str, took: dict[str, list[float]]) -> Any:
    files = [ground.folder / f"{name}.{kind}" for name in ("tracks", "tracks", "changed")]

    def load() -> float:
        loads = ground.work(kind, files)["loads"]
        if [item["skipped"] for item in loads] != [False, True, False]:
            raise SystemExit("the same content was loaded again")
        for item, values in zip(loads, took.values()):
            values.append(item["seconds"])
        return float(loads[-1]["seconds"])

    return load


def _manual_merge(ground: Ground) -> float:
    columns = list(_tracks.COLUMNS)[1:]
    differs = " OR ".join(f"t.{name} IS DISTINCT FROM s.{name}" for name in columns)
    merge = (
        f"MERGE INTO tracks t USING stage s ON t.track_id = s.track_id "
        f"WHEN MATCHED AND ({differs}) THEN UPDATE SET {', '.join(f'{name} = s.{name}' for name in columns)} "
        f"WHEN NOT MATCHED THEN INSERT VALUES ({', '.join(f's.{name}' for name in _tracks.COLUMNS)})"
    )
    with ground.tables(ground.rows) as schema:
        ground.psql_script(schema, ["BEGIN", *late(r"\copy tracks from 'tracks.binary' with (format binary, freeze)"), "COMMIT"])
        with psycopg.connect(ground.url, autocommit=True) as connection:
            connection.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(schema, "tracks")))
        settle(ground.url)
        stage = [
            "CREATE TEMPORARY TABLE stage (LIKE tracks) ON COMMIT DROP",
            r"\copy stage from 'changed.binary' with (format binary)",
            "ANALYZE stage",
        ]
        return ground.psql_script(schema, ["BEGIN", *stage, merge, "COMMIT"])
