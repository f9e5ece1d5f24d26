"""Making data: the schema in a transaction that is taken back, the plan, the files."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .._pg.catalog import read_tables
from ..exceptions import CannotGenerate, ConfigurationError
from ..validators import made_by, misfits
from ._plan import Planner
from ._random import MOST_ROWS
from ._words import load_mimesis
from ._write import FORMATS, GeneratedFile, GenerationReport, RecordWriter, file_names, own_format, refuse_nested, whole_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..monitoring import ProgressListener
    from ..packs import Pack
    from ..runtime import Runtime
    from ._records import Records

DEFAULT_ROWS = 1_000


async def generate(  # noqa: PLR0913 - each is a choice of the caller's own
    pack: Pack,
    runtime: Runtime,
    folder: Path,
    *,
    rows: int | None = None,
    rows_of: Mapping[str, int] | None = None,
    datasets: Sequence[str] | None = None,
    seed: int = 0,
    form: str | None = None,
    force: bool = False,
    listener: ProgressListener | None = None,
) -> GenerationReport:
    """Make records for datasets of a pack, and for those that they refer to; see :meth:`.manager.FixtureManager.generate_data`."""
    began = time.perf_counter()
    load_mimesis()
    counts = _counts(pack, DEFAULT_ROWS if rows is None else rows, rows_of or {}, form)
    named = datasets if datasets is not None else (rows is None and rows_of) or [item.name for item in pack.manifest.datasets]
    chosen = [pack.dataset(name).name for name in named]
    made = await _planned(pack, runtime, counts, chosen, seed)
    for records in made:
        refuse_nested(records, form or own_format(records))
    names = file_names(made, form)
    with whole_files(folder, list(names.values()), force=force) as scratch:
        files = [await _written(records, scratch / names[records.dataset.name], form or own_format(records), listener) for records in made]
    placed = tuple(GeneratedFile(item.dataset, str(folder / Path(item.path).name), item.rows, item.bytes) for item in files)
    return GenerationReport(pack.name, seed, placed, round(time.perf_counter() - began, 6))


def _counts(pack: Pack, rows: int, rows_of: Mapping[str, int], form: str | None) -> dict[str, int]:
    counts = {dataset.name: rows for dataset in pack.manifest.datasets}
    counts.update({pack.dataset(name).name: number for name, number in rows_of.items()})
    if any(not 0 < number <= MOST_ROWS for number in counts.values()):
        raise ConfigurationError(f"a number of rows is not between 1 and {MOST_ROWS:,}")
    if form is not None and form not in FORMATS:
        raise ConfigurationError(f"data cannot be written as {form!r}", hint=f"It is {', '.join(FORMATS)}.")
    return counts


async def _planned(pack: Pack, runtime: Runtime, counts: Mapping[str, int], chosen: Sequence[str], seed: int) -> list[Records]:
    async with runtime.slots, runtime.database.session() as session, made_by(pack, session) as (transaction, schema):
        tables = await read_tables(transaction.connection, schema)
        for dataset in pack.manifest.datasets:
            for finding in misfits(dataset, tables):
                raise CannotGenerate(f"{finding.object}: {finding.message}", dataset=dataset.name, hint="`tenancy validate --pack-only` lists all.")
        return await Planner(pack.manifest.datasets, tables, transaction, seed).plan(schema, counts, chosen)


async def _written(records: Records, path: Path, form: str, listener: ProgressListener | None) -> GeneratedFile:
    name = records.dataset.name
    with path.open("wb") as file, RecordWriter(records, file, form) as writer:
        while writer.written < records.count:
            written = await asyncio.to_thread(writer.next_block)
            if listener is not None:
                listener(f"generate {name}", written, file.tell())
        await asyncio.to_thread(writer.close)
        return GeneratedFile(name, str(path), records.count, file.tell())
