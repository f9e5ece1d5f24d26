"""Schemas at random: whatever their types, keys, checks and references are, made data loads without a reject, or is refused by name."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

pytest.importorskip("mimesis", reason="mimesis, which makes the words, needs Python 3.10")

from tenancy_fixtures import FixtureManager, Pack, Settings
from tests.acceptance.nasty_pack import write_pack
from tests.acceptance.support import State

ROWS = 70
KEYS = ("integer", "bigint", "text", "varchar(8)", "uuid", "date", "timestamptz", "numeric(8,2)", "char(5)")
TYPES = {
    "smallint": "{c} BETWEEN -3 AND 40",
    "integer": "{c} > 7",
    "bigint": "{c} < 0",
    "numeric(6,1)": "{c} >= 1.5 AND {c} <= 3",
    "numeric": "{c} <> 5",
    "real": "{c} > 0.25",
    "double precision": "{c} BETWEEN -1 AND 1",
    "boolean": "{c}",
    "text": "length({c}) BETWEEN 3 AND 30",
    "varchar(12)": "{c} ~ '^[a-z]+$'",
    "char(4)": "{c} IN ('a', 'bb', 'c''c')",
    "date": "{c} >= '2021-05-05'",
    "timestamp": "{c} < '2023-01-01 12:00:00'",
    "timestamptz(0)": "{c} > '2022-01-01 00:00:00+00'",
    "time": "{c} > '04:00'",
    "interval": "{c} > '5 minutes'",
    "uuid": "{c} IS NOT NULL",
    "jsonb": "jsonb_typeof({c}) = 'object'",
    "bytea": "length({c}) > 3",
    "inet": "{c} << '10.0.0.0/8'",
    "text[]": "cardinality({c}) < 3",
    "integer[]": "cardinality({c}) > 0",
    "mood": "{c} <> 'low'",
    "positive": "{c} < 500",
}
NAMES = ("name", "email", "title", "code", "created_at", "ends_at", "price", "count", "tags", "status", "url", "zz")
HEAD = "CREATE TYPE mood AS ENUM ('low', 'high', 'very, \"high\"'); CREATE DOMAIN positive AS integer CHECK (VALUE > 0);"


@st.composite
def columns(draw: Any) -> list[tuple[str, str]]:
    """Names and definitions of a table's columns beside its key and its references."""
    found = []
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=5, unique=True)):
        kind = draw(st.sampled_from(sorted(TYPES)))
        nullable, check = draw(st.booleans()), draw(st.booleans())
        unique = kind not in ("boolean", "mood", "char(4)", "varchar(12)", "smallint", "json", "jsonb") and not check and draw(st.integers(0, 4)) == 0
        parts = [kind, "" if nullable else "NOT NULL", f"CHECK ({TYPES[kind].format(c=name)})" if check else "", "UNIQUE" if unique else ""]
        found.append((name, " ".join(part for part in parts if part)))
    return found


@st.composite
def schemas(draw: Any) -> tuple[str, list[dict[str, Any]]]:
    """A script, and the datasets that fill its tables."""
    names = [f"t{number}" for number in range(draw(st.integers(1, 3)))]
    keys = {name: draw(st.sampled_from(KEYS)) for name in names}
    script, late, datasets = [HEAD], [], []
    for name in names:
        own = draw(columns())
        key = ["id"]
        references = draw(st.lists(st.sampled_from(names), max_size=2))
        parts = [f"id {keys[name]} NOT NULL", *(f"{column} {definition}" for column, definition in own)]
        for number, other in enumerate(references):
            late.append(f"ALTER TABLE {name} ADD FOREIGN KEY (r{number}) REFERENCES {other};")
            required = "NOT NULL" if draw(st.booleans()) else ""
            parts.append(f"r{number} {keys[other]} {required} {'UNIQUE' if draw(st.integers(0, 4)) == 0 else ''}")
        if draw(st.integers(0, 3)) == 0:
            # A key of two columns beside the one that others refer to.
            parts += ["part smallint NOT NULL", "section text NOT NULL", "UNIQUE (section, part)"]
        script.append(f"CREATE TABLE {name} ({', '.join(parts)}, PRIMARY KEY (id));")
        mapped = [part.split(" ")[0] for part in parts if not part.startswith("UNIQUE (")]
        target = {"table": name, "key": key, "columns": {column: {"from": [column]} for column in mapped}}
        datasets.append({"name": name, "source": {"path": f"{name}.csv"}, "targets": [target]})
    return "\n".join([*script, *late]), datasets


numbers = itertools.count()


@examples(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large])
@given(made=schemas(), seed=st.integers(0, 3))
def test_made_data_of_any_schema_loads_whole(settings: Settings, state: State, tmp_path: Path, made: tuple[str, list[dict[str, Any]]], seed: int):
    schema, datasets = made
    folder = tmp_path / f"p{next(numbers)}"
    pack = Pack.from_folder(write_pack(folder, schema, datasets))
    asyncio.run(_made_and_loaded(settings, pack, folder / "data", seed))


async def _made_and_loaded(settings: Settings, pack: Pack, folder: Path, seed: int) -> None:
    async with FixtureManager(settings, pack=pack) as manager:
        report = await manager.generate_data(folder, rows=ROWS, seed=seed)
        await manager.create_tenant("acme", exist_ok=True)
        try:
            loaded = await manager.load_fixtures("acme", sources={item.dataset: item.path for item in report.files}, on_error="fail")
            assert {(item.read, item.stored, item.rejects) for item in loaded.datasets} == {(ROWS, ROWS, 0)}
            validation = await manager.validate("acme")
            assert validation.ok, validation.findings
        finally:
            await manager.drop_tenant("acme")
