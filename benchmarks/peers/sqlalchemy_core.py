"""SQLAlchemy Core: ``insert()`` with a list of dicts, on psycopg, in one transaction. Making the dicts is not counted."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from sqlalchemy import URL, MetaData, Table, create_engine, insert


def main(task: dict[str, Any]) -> float:
    """Seconds for all rows of the task."""
    login = task["login"]
    query = {"options": f"-csearch_path={task['schema']}"}
    place = {"host": login.get("host"), "port": int(login.get("port") or 5432), "database": login.get("dbname"), "query": query}
    engine = create_engine(URL.create(task["driver"], login.get("user"), login.get("password"), **place))
    tracks = Table("tracks", MetaData(), autoload_with=engine)
    rows = pq.read_table(Path(task["folder"]) / "tracks.parquet").slice(0, task["rows"]).to_pylist()
    statement = insert(tracks).returning(tracks.c.track_id) if task["returning"] else insert(tracks)
    began = time.perf_counter()
    with engine.begin() as connection:
        connection.execute(statement, rows)
    return time.perf_counter() - began


if __name__ == "__main__":
    print(json.dumps({"seconds": main(json.load(sys.stdin))}))
