"""Tables, records and faults at random, in every format: what is stored is what was sent, and every other record is named."""

from __future__ import annotations

import asyncio
import csv
import json
import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from tenancy_fixtures import FixtureManager, Pack, Settings
from tenancy_fixtures.exceptions import DataRejected

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
# By type: texts that are of it, written as PostgreSQL writes them, and texts that are not.
TYPES: dict[str, tuple[st.SearchStrategy[str], list[str]]] = {
    "smallint": (st.integers(-(2**15), 2**15 - 1).map(str), ["32768", "1.5", "x"]),
    "bigint": (st.integers(-(2**63), 2**63 - 1).map(str), ["9223372036854775808", "1e"]),
    "double precision": (
        st.floats(allow_nan=False, allow_infinity=False, width=32).map(lambda value: repr(value).removesuffix(".0")),
        ["1e400", "one"],
    ),
    "numeric(8,2)": (st.integers(-99999999, 99999999).map(lambda cents: f"{cents / 100:.2f}"), ["1.005", "1000000", "-"]),
    "boolean": (st.sampled_from(["true", "false"]), ["2", "maybe"]),
    "text": (WORDS, []),
    "varchar(4)": (WORDS.map(lambda text: text[:4]), ["12345"]),
    "date": (st.dates().map(str), ["2023-02-29", "today"]),
    "timestamptz": (
        st.datetimes(min_value=datetime(1900, 1, 1)).map(lambda moment: f"{moment.isoformat()}+00"),  # noqa: DTZ001 - hypothesis wants bounds without a zone
        ["2020-01-01 25:00", "soon"],
    ),
    "uuid": (st.uuids().map(str), ["123", "g" * 32]),
    "jsonb": (
        st.recursive(st.one_of(st.integers(), WORDS, st.none()), lambda inner: st.lists(inner, max_size=2), max_leaves=4).map(json.dumps),
        ["{", "'x'"],
    ),
    "inet": (st.ip_addresses(v=4).map(str), ["1.2.3", "host"]),
    "interval": (st.integers(0, 10**6).map(lambda seconds: f"{seconds} seconds"), ["soon", "1 fortnight"]),
}
FORMATS = ("csv", "ndjson", "json", "parquet")


@dataclass
class Case:
    """A table, records by column, and which records are expected to be refused for which rule."""

    columns: dict[str, str]
    required: set[str]
    records: list[dict[str, str | None]]
    faults: dict[int, set[str]] = field(default_factory=dict)
    unique: str | None = None
    parents: bool = False
    format: str = "csv"
    large: bool = False


@st.composite
def cases(draw: Any) -> Case:
    kinds = draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=5))
    columns = {f"c{number}": kind for number, kind in enumerate(kinds)}
    case = Case(columns, draw(st.sets(st.sampled_from(sorted(columns)))), [])
    case.format, case.large = draw(st.sampled_from(FORMATS)), draw(st.booleans())
    # One kind of fault that only the database knows: which of two goes first would decide on a third.
    extra = draw(st.sampled_from(["", "unique", "parents"]))
    case.unique, case.parents = ("u" if extra == "unique" else None), extra == "parents"
    for number in range(1, draw(st.integers(1, 12)) + 1):
        case.records.append(draw(_record(case, number)))
    return case


@st.composite
def _record(draw: Any, case: Case, number: int) -> dict[str, str | None]:
    record: dict[str, str | None] = {"id": str(draw(st.integers(1, 15)))}
    for name, kind in case.columns.items():
        good, bad = TYPES[kind]
        fate = draw(st.sampled_from(["good"] * 12 + ["null", "bad"]))
        record[name] = draw(good)
        if fate == "null":
            record[name] = None
            if name in case.required:
                case.faults.setdefault(number, set()).add("not_null")
        elif fate == "bad" and bad:
            record[name] = draw(st.sampled_from(bad))
            case.faults.setdefault(number, set()).add("type" if kind != "varchar(4)" else "length")
    if case.unique:
        record["u"] = str(draw(st.integers(1, 8)))
    if case.parents:
        record["parent"] = draw(st.one_of(st.none(), st.integers(1, 15).map(str)))
    return record


def expected(case: Case) -> tuple[dict[str, dict[str, str | None]], dict[int, set[str]], int]:
    """The rows by key, the rejects, and how many records are duplicates: what a person would work out by hand."""
    faults = {number: set(rules) for number, rules in case.faults.items()}
    while True:
        rows: dict[str, tuple[int, dict[str, str | None]]] = {}
        for number, record in enumerate(case.records, start=1):
            if number not in faults:
                rows.setdefault(str(record["id"]), (number, record))
        found = _refused(case, rows)
        if not found:
            stored = {key: record for key, (_, record) in rows.items()}
            return stored, faults, len(case.records) - len(faults) - len(rows)
        faults.update(found)


def _refused(case: Case, rows: dict[str, tuple[int, dict[str, str | None]]]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    seen: set[str] = set()
    for number, record in sorted(rows.values(), key=lambda row: row[0]):
        if case.unique:
            if str(record["u"]) in seen:
                found[number] = {"unique"}
            seen.add(str(record["u"]))
        if case.parents and record["parent"] is not None and record["parent"] not in rows:
            found[number] = {"reference"}
    return found


def write(case: Case, folder: Path) -> None:
    names = list(case.records[0])
    if case.format == "csv":
        with (folder / "data.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows([record[name] if record[name] is not None else "\\N" for name in names] for record in case.records)
    elif case.format == "parquet":
        pq.write_table(pa.table({name: pa.array([record[name] for record in case.records], pa.string()) for name in names}), folder / "data.parquet")
    elif case.format == "json":
        (folder / "data.json").write_text(json.dumps(case.records))
    else:
        (folder / "data.ndjson").write_text("".join(json.dumps(record) + "\n" for record in case.records))


def pack_of(case: Case, folder: Path) -> Pack:
    rest = [f"{name} {kind}{' NOT NULL' if name in case.required else ''}" for name, kind in case.columns.items()]
    rest += ["u integer UNIQUE"] if case.unique else []
    rest += ["parent integer REFERENCES things"] if case.parents else []
    nulls = ["\\N"]  # an empty text is a text here
    columns = {name: {"from": [name], "nulls": nulls} for name in case.records[0]}
    targets = [{"table": "things", "key": ["id"], "columns": columns}]
    dataset = {"name": "things", "source": {"path": f"data.{case.format}"}, "targets": targets, "on_error": "reject"}
    (folder / "pack.json").write_text(json.dumps({"name": "random", "version": "1", "datasets": [dataset]}))
    (folder / "tenant_template.json").write_text('{"default_tier": "one", "tiers": {"one": {}}}')
    (folder / "config_template.json").write_text('{"defaults": {}}')
    (folder / "schema_template.sql").write_text(f"CREATE TABLE things ({', '.join(['id integer PRIMARY KEY', *rest])});")
    return Pack.from_folder(folder)


async def _load(case: Case, folder: Path, where: Settings, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Any:
    write(case, folder)
    # Both ways of writing: indexes late, and through staging.
    monkeypatch.setattr("tenancy_fixtures._dataset_load.LATE_INDEX_BYTES", 0 if case.large else 1 << 30)
    async with FixtureManager(where, pack=pack_of(case, folder)) as manager:
        await manager.create_tenant("random", exist_ok=True)
        try:
            return await manager.load_fixtures("random", **options)
        finally:
            rows = _stored(where, list(case.records[0]))
            await manager.drop_tenant("random")
            _load.rows = rows  # type: ignore[attr-defined]


def _stored(where: Settings, names: list[str]) -> dict[str, dict[str, str | None]]:
    assert where.database_url is not None
    with psycopg.connect(where.database_url.get_secret_value(), row_factory=dict_row) as connection:
        connection.execute("SET ROLE tenancy_test_loader")
        text = ", ".join(f"{name}::text AS {name}" for name in names)
        return {row["id"]: row for row in connection.execute(f"SELECT {text} FROM t_random.things").fetchall()}  # type: ignore[arg-type]


def _same(where: Settings, case: Case, rows: dict[str, dict[str, str | None]]) -> dict[str, dict[str, str | None]]:
    """The same values as the server writes them."""
    kinds = {"id": "integer", "u": "integer", "parent": "integer", **case.columns}
    assert where.database_url is not None
    with psycopg.connect(where.database_url.get_secret_value(), row_factory=dict_row) as connection:
        cast = {name: f"CAST(CAST(%({name})s AS text) AS {kinds[name]})::text AS {name}" for name in case.records[0]}
        return {key: connection.execute(f"SELECT {', '.join(cast.values())}", record).fetchone() for key, record in rows.items()}  # type: ignore[misc,arg-type]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(case=cases())
def test_what_is_stored_is_what_was_sent(case, settings, monkeypatch):
    stored, faults, duplicates = expected(case)
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(_load(case, Path(folder), settings, monkeypatch)).dataset("things")
        assert _load.rows == _same(settings, case, stored)
        assert (report.read, report.stored, report.rejects, report.duplicates, report.lost) == (
            len(case.records),
            len(stored),
            len(faults),
            duplicates,
            0,
        )
        named: dict[int, set[str]] = {}
        for reject in report.listed_rejects:
            named.setdefault(reject.record, set()).add(reject.rule)
        assert named.keys() == faults.keys()
        # What the server casts is asked one fault at a time, so that not each fault of a record is named.
        assert all(named[number] <= rules for number, rules in faults.items())
        if faults:
            with pytest.raises(DataRejected) as raised:
                asyncio.run(_load(case, Path(folder), settings, monkeypatch, on_error="fail"))
            assert raised.value.count == len(faults)
            assert _load.rows == {}
