"""From a dataset, the catalogue and sources to typed, checked frames."""

from __future__ import annotations

import uuid
from datetime import date, datetime, timezone
from pathlib import Path

import pyarrow as pa
import pytest

from tenancy_fixtures._ingest import open_sources, read_dataset
from tenancy_fixtures._ingest.uuids import NAMESPACE, UuidMaker
from tenancy_fixtures._pack_models import Dataset
from tenancy_fixtures._shapes import Column, ColumnType, Table
from tenancy_fixtures.exceptions import ColumnMissing, PackInvalid, SourceEmpty, SourceMalformed, SourceMissing, SourceUndecodable


def column(name, kind, *, null=True, default=False, **facts):
    type_facts = {key: facts.pop(key) for key in ("length", "precision", "scale", "labels") if key in facts}
    return Column(name, ColumnType(kind, kind, **type_facts), nullable=null, has_default=default, **facts)


TRACKS = Table(
    "s",
    "tracks",
    (
        column("id", "uuid", null=False),
        column("title", "varchar", null=False, length=20),
        column("artist_id", "uuid"),
        column("plays", "int4"),
        column("rate", "float8"),
        column("price", "numeric", precision=6, scale=2),
        column("released", "date"),
        column("seen", "timestamptz"),
        column("length", "interval"),
        column("kind", "text", null=False, default=True),
        column("row", "int8", null=False, identity="always"),
    ),
)
ARTISTS = Table("s", "artists", (column("id", "uuid", null=False), column("name", "text", null=False)))
TABLES = {"tracks": TRACKS, "artists": ARTISTS}


def dataset(columns, *, rules=(), targets=(), table="tracks", key=("id",), **options):
    own = {"table": table, "key": list(key), "columns": {"id": {"uuid": ["uri"], "uuid_kind": "track"}, **columns}, "rules": list(rules)}
    return Dataset.model_validate({"name": "tracks", "source": {"path": "x.csv"}, "targets": [*targets, own], **options})


TITLE = {"title": {"from": ["title"]}}
ARTIST_TARGET = {
    "table": "artists",
    "key": ["id"],
    "derived": True,
    "columns": {"id": {"uuid": ["artist"], "uuid_kind": "artist"}, "name": {"from": ["artist"]}},
}


@pytest.fixture
def sources(tmp_path):
    def write(*texts):
        for number, text in enumerate(texts):
            (tmp_path / f"{number}.csv").write_bytes(text.encode())
        return open_sources(tmp_path)

    return write


def collect(stream, derived=()):
    """All frames as rows by table, and rejects; after seeing that sums and schemas are right."""
    rows, rejects = {name: [] for name in stream.schemas}, []
    for frame in stream:
        for name, target in frame.targets.items():
            assert name in derived or frame.records == target.table.num_rows + frame.rejected
            assert target.table.schema == stream.schemas[name]
            assert target.table.num_rows == len(target.record_numbers)
            assert target.record_numbers.type == pa.int64()
            rows[name] += [{"#": ordinal, **row} for ordinal, row in zip(target.record_numbers.to_pylist(), target.table.to_pylist())]
        rejects += frame.rejects
    return rows, [(reject.source, reject.record, reject.column, reject.rule) for reject in rejects]


def test_every_column_gets_the_type_of_the_catalogue(sources):
    plain = {name: {"from": [name]} for name in ("title", "plays", "rate", "price", "released", "seen", "length")}
    text = "uri,title,plays,rate,price,released,seen,length\nu1, Élan ,7,.5,12.50,2020-02-29,2020-01-01T01:00:00+01:00,1 mon\nu2,x,,,,,,\n"
    with read_dataset(dataset(plain), TABLES, sources(text)) as stream:
        assert stream.text_columns == {"tracks": {"price", "length"}}
        rows, rejects = collect(stream)
    first, second = rows["tracks"]
    expected = {"title": " Élan ", "plays": 7, "rate": 0.5, "price": "12.50", "released": date(2020, 2, 29), "length": "1 mon"}
    assert {name: first[name] for name in expected} == expected
    assert first["seen"] == datetime(2020, 1, 1, tzinfo=timezone.utc)
    assert [second[name] for name in plain] == ["x", None, None, None, None, None, None]
    assert rejects == []
    assert [str(item.type) for item in stream.schemas["tracks"]] == [
        *("large_binary", "large_string", "int32", "double", "large_string", "date32[day]", "timestamp[us, tz=UTC]", "large_string")
    ]


@pytest.mark.parametrize("kind", ["track", "artiste é"])
def test_uuids_are_those_of_rfc_9562(kind):
    import polars as pl

    maker, values = UuidMaker(), ["a", "é", None, "a", ""]
    expected = [None if value is None else uuid.uuid5(NAMESPACE, f"{kind}\x1f{value}").bytes for value in values]
    assert maker.make(kind, [pl.Series(values)]).to_list() == expected
    pairs = maker.make(kind, [pl.Series(values), pl.Series(["x", "y", "z", None, "w"])])
    assert pairs[1] == uuid.uuid5(NAMESPACE, f"{kind}\x1fé\x1fy").bytes
    assert pairs.is_null().to_list() == [False, False, True, True, False]


def test_remembered_uuids_are_bounded_and_stay_right(monkeypatch):
    import polars as pl

    from tenancy_fixtures._ingest import uuids

    monkeypatch.setattr(uuids, "_REMEMBERED", 10)
    maker = UuidMaker()
    for start in range(0, 100, 7):
        values = [str(number) for number in range(start, start + 9)]
        assert maker.make("k", [pl.Series(values)]).to_list() == [uuid.uuid5(NAMESPACE, f"k\x1f{value}").bytes for value in values]
        assert len(maker._known["k"]) <= 18


def test_targets_share_records_and_a_reject_of_one_is_a_reject_of_all(sources):
    mapping = {**TITLE, "artist_id": {"uuid": ["artist"], "uuid_kind": "artist"}, "plays": {"from": ["plays"]}}
    text = "uri,title,artist,plays\nu1,a,A,1\nu2,b,B,x\nu3,c,,3\nu4,d,C,4\n"
    rows, rejects = collect(read_dataset(dataset(mapping, targets=[ARTIST_TARGET]), TABLES, sources(text)))
    assert [row["#"] for row in rows["tracks"]] == [row["#"] for row in rows["artists"]] == [1, 4]
    assert rows["tracks"][0]["artist_id"] == rows["artists"][0]["id"] == uuid.uuid5(NAMESPACE, "artist\x1fA").bytes
    assert rejects == [("0.csv", 2, "plays", "type"), ("0.csv", 3, "artist", "not_null")]


@pytest.mark.parametrize("block", [30, 4096])
def test_a_derived_row_is_sent_once_with_the_first_good_record_that_makes_it(sources, block):
    text = "uri,title,artist\nu1,,A\nu2,a,A\nu3,b,A\nu4,c,B\n"
    stream = read_dataset(dataset(TITLE, targets=[ARTIST_TARGET]), TABLES, sources(text, text), block_bytes=block)
    rows, _ = collect(stream, derived={"artists"})
    assert [(row["#"], row["name"]) for row in rows["artists"]] == [(2, "A"), (4, "B")]
    assert len(rows["tracks"]) == 6


def test_several_faults_of_a_record_are_several_rejects_and_count_once(sources):
    mapping = {**TITLE, "plays": {"from": ["plays"]}, "rate": {"from": ["rate"]}}
    (frame,) = read_dataset(dataset(mapping), TABLES, sources("uri,title,plays,rate\nu1,,1.5,x\nu2,a,1,1\n1,2\n"))
    assert (frame.records, frame.rejected, frame.targets["tracks"].table.num_rows) == (3, 2, 1)
    found = [(reject.record, reject.column, reject.rule) for reject in frame.rejects]
    assert sorted(found, key=str) == [(1, "plays", "type"), (1, "rate", "type"), (1, "title", "not_null"), (3, None, "cells")]


RULES = [
    {"column": "plays", "rule": "range", "min": 0.5, "max": 10},
    {"column": "rate", "rule": "range", "min": 0},
    {"column": "price", "rule": "range", "max": 99.5},
    {"column": "title", "rule": "length", "min": 2, "max": 4},
    {"column": "title", "rule": "pattern", "pattern": "^[a-zé]+$"},
    {"column": "kind", "rule": "one_of", "values": ["single", "album"]},
    {"column": "plays", "rule": "one_of", "values": [1, 2, 10, 11]},
    {"column": "released", "rule": "not_null"},
]
RULED = {name: {"from": [name]} for name in ("title", "plays", "rate", "price", "kind", "released")}
GOOD = {"uri": "u", "title": "abé", "plays": "1", "rate": "0", "price": "99.50", "kind": "album", "released": "2020-01-01"}


def one_record(**changes):
    record = {**GOOD, **changes}
    return ",".join(record) + "\n" + ",".join(record.values()) + "\n"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"plays": "10"}, []),
        ({"plays": "", "rate": "", "price": ""}, []),
        ({"plays": "0"}, [("plays", "range"), ("plays", "one_of")]),
        ({"plays": "11"}, [("plays", "range")]),
        ({"plays": "3"}, [("plays", "one_of")]),
        ({"rate": "-1e-300"}, [("rate", "range")]),
        ({"rate": "NaN"}, [("rate", "range")]),
        ({"price": "99.51"}, [("price", "range")]),
        ({"price": "NaN"}, [("price", "range")]),
        ({"title": "é"}, [("title", "length")]),
        ({"title": "abcde"}, [("title", "length")]),
        ({"title": "AB"}, [("title", "pattern")]),
        ({"kind": "ep"}, [("kind", "one_of")]),
        ({"released": ""}, [("released", "not_null")]),
        ({"released": "soon"}, [("released", "type")]),
    ],
)
def test_rules(sources, changes, expected):
    rows, rejects = collect(read_dataset(dataset(RULED, rules=RULES), TABLES, sources(one_record(**changes))))
    assert [(column, rule) for _, _, column, rule in rejects] == expected
    assert len(rows["tracks"]) == (0 if expected else 1)


def test_without_checks_rules_are_left_out_and_casts_stay(sources):
    stream = read_dataset(dataset(RULED, rules=RULES), TABLES, sources(one_record(plays="11", kind="ep", released="")), checks=False)
    assert collect(stream)[1] == []
    stream = read_dataset(dataset(RULED, rules=RULES), TABLES, sources(one_record(plays="x", title="")), checks=False)
    assert [reject[2:] for reject in collect(stream)[1]] == [("title", "not_null"), ("plays", "type")]


def test_no_value_is_in_a_message(sources):
    text = one_record(title="SECRET", plays="SECRET", rate="SECRET", price="SECRET", kind="SECRET", released="SECRET")
    (frame,) = read_dataset(dataset(RULED, rules=RULES), TABLES, sources(text))
    assert len(frame.rejects) >= 6
    assert "SECRET" not in repr(frame.rejects)
    assert all(reject.message.startswith("expected ") for reject in frame.rejects)


@pytest.mark.parametrize(
    "rule",
    [
        {"column": "title", "rule": "range", "min": 1},
        {"column": "plays", "rule": "length", "min": 1},
        {"column": "released", "rule": "pattern", "pattern": "2020"},
        {"column": "title", "rule": "pattern", "pattern": "("},
        {"column": "plays", "rule": "one_of", "values": ["x"]},
    ],
)
def test_a_rule_that_does_not_fit(sources, rule):
    with pytest.raises(PackInvalid):
        read_dataset(dataset(RULED, rules=[rule]), TABLES, sources(one_record()))


def test_sources_with_other_column_orders_and_names(sources):
    mapping = {"title": {"from": ["title", "name"]}, "plays": {"from": ["plays"], "optional": True}}
    stream = read_dataset(
        dataset(mapping), TABLES, sources("uri,title,plays\nu1,a,1\nx\nu2,b,2\n", "name,uri\nc,u3\nd,u4\n", "plays,uri,title\ny,u5,e\n6,u6,f\n")
    )
    rows, rejects = collect(stream)
    assert [(row["#"], row["title"], row["plays"]) for row in rows["tracks"]] == [
        (1, "a", 1),
        (3, "b", 2),
        (4, "c", None),
        (5, "d", None),
        (7, "f", 6),
    ]
    assert rejects == [("0.csv", 2, None, "cells"), ("2.csv", 1, "plays", "type")]
    assert [stream.locate(ordinal) for ordinal in (1, 3, 4, 5, 7)] == [("0.csv", 1), ("0.csv", 3), ("1.csv", 1), ("1.csv", 2), ("2.csv", 2)]
    with pytest.raises(IndexError):
        stream.locate(0)


def test_record_numbers_over_small_blocks(sources):
    lines = [f"u{number},t{number}" if number % 5 else f"u{number},{'t' * 30}" for number in range(1, 501)]
    text = "\n".join(["uri,title", *lines]) + "\n"
    stream = read_dataset(dataset(TITLE), TABLES, sources(text, text), block_bytes=100)
    rows, rejects = collect(stream)
    assert [row["#"] for row in rows["tracks"]] == [number for number in range(1, 1001) if number % 5]
    assert all(row["title"] == f"t{stream.locate(row['#'])[1]}" for row in rows["tracks"])
    assert [(source, record) for source, record, *_ in rejects] == [(f"{file}.csv", number) for file in (0, 1) for number in range(5, 501, 5)]


def test_an_optional_column_that_no_source_has_is_left_to_its_default(sources):
    mapping = {**TITLE, "kind": {"from": ["kind"], "optional": True}, "plays": {"from": ["plays"], "optional": True}}
    stream = read_dataset(dataset(mapping, rules=[{"column": "kind", "rule": "length", "max": 3}]), TABLES, sources("uri,title\nu,a\n"))
    assert stream.schemas["tracks"].names == ["id", "title"]


@pytest.mark.parametrize(
    ("mapping", "texts", "source", "missing"),
    [
        (TITLE, ["uri,name\nu,a\n"], "0.csv", "title"),
        ({"title": {"from": ["title", "name"]}}, ["uri,x\nu,a\n"], "0.csv", "title"),
        (TITLE, ["title\na\n"], "0.csv", "uri"),
        ({"title": {"from": ["title"], "optional": True}}, ["uri\nu\n"], "0.csv", "title"),
        ({**TITLE, "id": {"uuid": ["uri"], "optional": True}}, ["title\na\n"], "0.csv", "uri"),
        ({**TITLE, "kind": {"from": ["kind"], "optional": True}}, ["uri,title,kind\nu,a,k\n", "uri,title\nu,a\n"], "1.csv", "kind"),
    ],
)
def test_a_column_that_is_needed(sources, mapping, texts, source, missing):
    with pytest.raises(ColumnMissing) as caught:
        read_dataset(dataset(mapping, extra_columns="ignore"), TABLES, sources(*texts))
    assert (caught.value.source, caught.value.column) == (source, missing)
    assert "It has: " in caught.value.hint


def test_every_column_that_one_source_lacks_is_told(sources):
    mapping = {**TITLE, "kind": {"from": ["kind", "type"]}, "plays": {"from": ["plays"]}}
    with pytest.raises(ColumnMissing) as caught:
        read_dataset(dataset(mapping, extra_columns="ignore"), TABLES, sources("uri,title,kind,plays\nu,a,k,1\n", "uri\nu\n", "title\na\n"))
    assert caught.value.message == "1.csv has no column 'title', 'kind' or 'type', 'plays'; nor are all columns in 1 more of the sources"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("spotify:1,Yesterday\nspotify:2,Help\n", "has the file a header?"),
        ("uri;title\nu;a\n", "one cell with a semicolon"),
        ("uri\ttitle\nu\ta\n", "one cell with a tabulator"),
    ],
)
def test_a_first_line_that_may_be_a_record_is_not_shown(sources, text, hint):
    with pytest.raises(ColumnMissing) as caught:
        read_dataset(dataset(TITLE, source={"path": "x.csv", "delimiter": ","}), TABLES, sources(text))
    assert hint in caught.value.hint
    assert not any(value in str(caught.value) for value in ("Yesterday", "spotify:1"))


def test_columns_that_no_target_reads(sources):
    text = "uri,title,x,y\nu,a,1,2\n"
    with pytest.raises(SourceMalformed, match="x, y"):
        read_dataset(dataset(TITLE), TABLES, sources(text))
    assert read_dataset(dataset(TITLE, extra_columns="ignore"), TABLES, sources(text)).ignored_columns == ("x", "y")


def test_extract_nulls_and_const(sources):
    mapping = {
        "title": {"from": ["title"], "extract": "^t:(.*)$"},
        "plays": {"from": ["plays"], "nulls": ["", "-", "n/a"]},
        "kind": {"const": "single"},
        "rate": {"const": 1.5},
        "artist_id": {"uuid": ["a|artist", "title"], "nulls": ["-"]},
    }
    rows, rejects = collect(read_dataset(dataset(mapping), TABLES, sources("uri,title,plays,artist\nu1,t:x,n/a,A\nu2,y,1,B\nu3,t:z,2,-\n")))
    assert [(row["title"], row["plays"], row["kind"], row["rate"]) for row in rows["tracks"]] == [("x", None, "single", 1.5), ("z", 2, "single", 1.5)]
    assert [row["artist_id"] for row in rows["tracks"]] == [uuid.uuid5(NAMESPACE, "tracks\x1fA\x1ft:x").bytes, None]
    assert rejects == [("0.csv", 2, "title", "pattern")]


def test_a_uuid_in_a_text_column_is_hyphenated(sources):
    table = Table("s", "t", (column("id", "text", null=False),))
    (frame,) = read_dataset(dataset({}, table="t"), {"t": table}, sources("uri\nu\n"))
    assert frame.targets["t"].table["id"].to_pylist() == [str(uuid.uuid5(NAMESPACE, "track\x1fu"))]


@pytest.mark.parametrize(
    ("mapping", "named"),
    [
        ({**TITLE, "nothing": {"from": ["title"]}}, "no column nothing"),
        ({**TITLE, "row": {"from": ["title"]}}, "made by the database"),
        ({}, "needs a value for title"),
        ({"title": {"const": "x" * 21}}, "at most 20 characters"),
        ({**TITLE, "plays": {"const": 1.5}}, "whole number"),
        ({**TITLE, "plays": {"uuid": ["uri"]}}, "cannot hold a uuid"),
        ({"title": {"from": ["title"], "extract": "a"}}, "no group"),
        ({"title": {"from": ["title"], "extract": "("}}, "not a regular expression"),
    ],
)
def test_a_mapping_that_does_not_fit_its_table(sources, mapping, named):
    with pytest.raises(PackInvalid, match=named):
        read_dataset(dataset(mapping, extra_columns="ignore"), TABLES, sources("uri,title\nu,a\n"))


def test_a_table_that_is_not_there(sources):
    with pytest.raises(PackInvalid, match="no table tracks"):
        read_dataset(dataset(TITLE), {}, sources("uri,title\nu,a\n"))


def test_errors_while_reading_end_the_stream(sources):
    found = sources("uri,title\n" + "u,a\n" * 100, "uri,title\n")
    stream = read_dataset(dataset(TITLE), TABLES, found)
    assert next(stream).records == 100
    with pytest.raises(SourceEmpty) as caught:
        list(stream)
    assert caught.value.source == "1.csv"
    stream = read_dataset(dataset(TITLE), TABLES, found)
    found[1].path.write_bytes("uri,title\nu,é\n".encode("utf-16")[:-1])
    with pytest.raises(SourceUndecodable):
        list(stream)
    stream = read_dataset(dataset(TITLE), TABLES, found[:1])
    found[0].path.unlink()
    with pytest.raises(SourceMissing):
        list(stream)


def test_a_closed_stream_ends_and_gives_its_file_back(sources):
    found = sources("uri,title\n" + "u,a\n" * 1000)
    stream = read_dataset(dataset(TITLE), TABLES, found, block_bytes=100)
    next(stream)
    stream.close()
    assert list(stream) == []
    assert found[0].path not in {item.resolve() for item in Path("/proc/self/fd").iterdir()}
