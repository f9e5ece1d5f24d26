"""dlt: a resource that yields Arrow tables from the Parquet file, appended to the table. Reading the file is counted."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 100_000


def main(task: dict[str, Any], folder: str) -> float:
    """Seconds for all rows of the task."""
    login = task["login"]
    credentials = {"host": login.get("host"), "port": int(login.get("port") or 5432), "database": login.get("dbname"), "username": login.get("user")}
    credentials["password"] = login.get("password") or "none"
    destination = dlt.destinations.postgres(credentials=credentials)
    pipeline = dlt.pipeline("bench", pipelines_dir=folder, destination=destination, dataset_name=task["schema"])

    @dlt.resource(name="tracks", write_disposition="append")
    def tracks() -> Iterator[pa.Table]:
        left = task["rows"]
        for batch in pq.ParquetFile(Path(task["folder"]) / "tracks.parquet").iter_batches(CHUNK):
            yield pa.Table.from_batches([batch.slice(0, left)])
            left -= min(left, batch.num_rows)
            if not left:
                return

    began = time.perf_counter()
    pipeline.run(tracks(), loader_file_format=task["format"]).raise_on_failed_jobs()
    return time.perf_counter() - began


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps({"seconds": main(json.load(sys.stdin), name)}))
