"""Bad records: with ``reject`` they are left out and listed, with ``fail`` all of them are listed and nothing is loaded."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tenancy_fixtures import FixtureManager
from tenancy_fixtures import exceptions as errors
from tenancy_fixtures.constants import MAX_LISTED_REJECTS
from tests.acceptance.support import SECRET, USERS, State, as_csv, failing, of_tracks, track, user

pytestmark = pytest.mark.anyio
SHARED_TOO = "all"
APART_TOO = True

# Two faults in record 4; a record that is no row at all; several rules.
BAD = {2: {"plan": SECRET}, 4: {"email": "nobody", "country": "France"}, 5: {"birth_date": "31.1.1990"}, 9: {"handle": ""}}
EXPECTED = [
    (2, "plan", "one_of"),
    (4, "country", "pattern"),
    (4, "email", "pattern"),
    (5, "birth_date", "type"),
    (7, None, "cells"),
    (9, "handle", "not_null"),
]


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    lines = as_csv(USERS, [user(number, **BAD.get(number, {})) for number in range(1, 11)]).splitlines()
    lines[7] += f",{SECRET}"
    (tmp_path / "users.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "users.csv"


def rewrite(path: Path, *records: dict[str, str]) -> None:
    path.write_text(as_csv(USERS, records))


async def test_fail_lists_all_problems_of_all_records(acme: FixtureManager, state: State, mixed: Path):
    with failing(state, errors.DataRejected) as found:
        await acme.load_fixtures("acme", sources={"users": mixed})
    assert sorted((item.record, item.column or "", item.rule) for item in found[0].rejects) == [
        (record, column or "", rule) for record, column, rule in EXPECTED
    ]
    assert found[0].count == 5
    assert found[0].message.startswith("5 of 10 records of users broke the rules; the first: users.csv, record 2, column plan: ")


async def test_reject_loads_the_good_ones_and_lists_the_bad(acme: FixtureManager, state: State, mixed: Path):
    report = (await acme.load_fixtures("acme", sources={"users": mixed}, on_error="reject")).dataset("users")
    assert (report.read, report.stored, report.rejects, report.duplicates, report.lost, report.written) == (10, 5, 5, 0, 0, 5)
    assert sorted((item.record, item.column or "", item.rule) for item in report.listed_rejects) == [
        (record, column or "", rule) for record, column, rule in EXPECTED
    ]
    assert all(item.source == "users.csv" for item in report.listed_rejects)
    assert {row["handle"] for row in state.rows("SELECT handle FROM t_acme.users")} == {f"user{number}" for number in (1, 3, 6, 8, 10)}
    said = state.value("SELECT report::text FROM tenancy.runs ORDER BY started_at DESC LIMIT 1") + state.value(
        "SELECT report::text FROM tenancy.ledger"
    )
    assert SECRET not in said

    again = (await acme.load_fixtures("acme", sources={"users": mixed}, on_error="reject")).dataset("users")
    assert (again.skipped, again.written, again.rejects) == (True, 0, 5)
    assert again.listed_rejects == report.listed_rejects


async def test_what_was_loaded_with_rejects_does_not_pass_for_whole(acme: FixtureManager, state: State, mixed: Path):
    await acme.load_fixtures("acme", sources={"users": mixed}, on_error="reject")
    with failing(state, errors.DataRejected) as found:
        await acme.load_fixtures("acme", sources={"users": mixed})
    assert found[0].count == 5


async def test_mending_the_records_loads_them(acme: FixtureManager, state: State, mixed: Path):
    await acme.load_fixtures("acme", sources={"users": mixed}, on_error="reject")
    rewrite(mixed, *(user(number) for number in range(1, 11)))
    report = (await acme.load_fixtures("acme", sources={"users": mixed})).dataset("users")
    assert [(table.table, table.inserted, table.updated, table.unchanged) for table in report.tables] == [("users", 5, 0, 5)]


async def test_nothing_but_bad_records(acme: FixtureManager, state: State, tmp_path: Path):
    (tmp_path / "users.csv").write_text(as_csv(USERS, [user(number, plan=SECRET) for number in (1, 2)]))
    report = (await acme.load_fixtures("acme", sources={"users": tmp_path}, on_error="reject")).dataset("users")
    assert (report.read, report.stored, report.rejects, report.written) == (2, 0, 2, 0)
    assert state.counts("acme")["users"] == 0


async def test_a_long_list_is_cut_and_counted(acme: FixtureManager, state: State, tmp_path: Path):
    many = MAX_LISTED_REJECTS + 500
    (tmp_path / "users.csv").write_text(as_csv(USERS, [user(number, plan=SECRET) for number in range(many)]))
    with failing(state, errors.DataRejected) as found:
        await acme.load_fixtures("acme", sources={"users": tmp_path})
    assert (len(found[0].rejects), found[0].count) == (MAX_LISTED_REJECTS, many)


async def test_record_numbers_are_each_files_own(acme: FixtureManager, state: State, tmp_path: Path):
    (tmp_path / "b.csv").write_text(as_csv(USERS, [user(4), user(5, plan=SECRET)]))
    (tmp_path / "a.csv").write_text(as_csv(USERS, [user(1, plan=SECRET), user(2), user(3)]))
    with failing(state, errors.DataRejected) as found:
        await acme.load_fixtures("acme", sources={"users": tmp_path})
    assert [(item.source, item.record) for item in found[0].rejects] == [("a.csv", 1), ("b.csv", 2)]


async def test_without_validation_the_rules_are_left_to_the_database(acme: FixtureManager, state: State, mixed: Path, settings):
    """The flag takes the pack's rules away, and neither types nor constraints."""
    async with FixtureManager(settings.with_changes(data_validation=False)) as manager:
        with failing(state, errors.DataRejected) as found:
            await manager.load_fixtures("acme", sources={"users": mixed})
        assert sorted((item.record, item.rule) for item in found[0].rejects) == [
            *[(2, "check"), (4, "check"), (5, "type"), (7, "cells"), (9, "not_null")],
        ]
        rewrite(mixed, user(1), user(2, plan="none"))
        with failing(state, errors.DataRejected) as found:
            await manager.load_fixtures("acme", sources={"users": mixed})
        assert [(item.record, item.rule) for item in found[0].rejects] == [(2, "check")]


async def test_duplicates_are_no_rejects(acme: FixtureManager, state: State, tmp_path: Path):
    records = [user(1), user(1), user(2), user(1, display_name="Somebody else")]
    (tmp_path / "users.csv").write_text(as_csv(USERS, records))
    report = (await acme.load_fixtures("acme", sources={"users": tmp_path})).dataset("users")
    assert (report.read, report.stored, report.duplicates, report.conflicts, report.rejects, report.lost) == (4, 2, 2, 1, 0, 0)
    assert state.value("SELECT display_name FROM t_acme.users WHERE handle = 'user1'") == SECRET


# Each breaks another rule that only the database knows: two unique indexes, a check of its own.
REFUSED = {2: {"email": "USER1@example.com"}, 5: {"locale": "xx"}, 6: {"email": "USER4@example.com"}, 8: {"locale": "xx"}}


@pytest.fixture
def refused(state: State, acme: FixtureManager, tmp_path: Path) -> Path:
    state.run("ALTER TABLE t_acme.users ADD CONSTRAINT no_secrets CHECK (locale <> 'xx')")
    (tmp_path / "refused.csv").write_text(as_csv(USERS, [user(number, **REFUSED.get(number, {})) for number in range(1, 11)]))
    return tmp_path / "refused.csv"


async def test_what_only_the_database_refuses_is_left_out_too(acme: FixtureManager, state: State, refused: Path):
    report = (await acme.load_fixtures("acme", sources={"users": refused}, on_error="reject")).dataset("users")
    assert (report.read, report.stored, report.rejects, report.lost, report.written) == (10, 6, 4, 0, 6)
    assert sorted((item.record, item.column, item.rule) for item in report.listed_rejects) == [
        *[(2, "email", "unique"), (5, None, "check"), (6, "email", "unique"), (8, None, "check")],
    ]
    assert {row["handle"] for row in state.rows("SELECT handle FROM t_acme.users")} == {f"user{number}" for number in (1, 3, 4, 7, 9, 10)}


async def test_what_only_the_database_refuses_is_found_as_a_whole(acme: FixtureManager, state: State, refused: Path):
    with failing(state, errors.DataRejected) as found:
        await acme.load_fixtures("acme", sources={"users": refused})
    assert sorted((item.record, item.rule) for item in found[0].rejects) == [(2, "unique"), (5, "check"), (6, "unique"), (8, "check")]
    assert found[0].count == 4
    assert state.last_run()["report"]["datasets"][0]["rejects"] == 4


@pytest.mark.parametrize(
    ("budget", "allowed"), [({"max_errors": 5}, True), ({"max_errors": 4}, False), ({"max_share": 0.5}, True), ({"max_share": 0.49}, False)]
)
async def test_a_budget(acme: FixtureManager, state: State, mixed: Path, budget: dict[str, float], allowed: bool):
    if allowed:
        report = await acme.load_fixtures("acme", sources={"users": mixed}, on_error="reject", **budget)
        assert report.dataset("users").rejects == 5
        return
    with failing(state, errors.DataRejected) as found:
        await acme.load_fixtures("acme", sources={"users": mixed}, on_error="reject", **budget)
    assert found[0].count == 5
    assert "raise the budget" in found[0].hint


@pytest.mark.parametrize(
    ("budget", "allowed"), [({"max_errors": 4}, True), ({"max_errors": 3}, False), ({"max_share": 0.4}, True), ({"max_share": 0.39}, False)]
)
async def test_a_budget_counts_what_the_database_refuses(acme: FixtureManager, state: State, refused: Path, budget: dict[str, float], allowed: bool):
    if allowed:
        assert (await acme.load_fixtures("acme", sources={"users": refused}, on_error="reject", **budget)).dataset("users").rejects == 4
        return
    with failing(state, errors.DataRejected) as found:
        await acme.load_fixtures("acme", sources={"users": refused}, on_error="reject", **budget)
    assert found[0].count == 4


@pytest.mark.parametrize("wrong", [{"max_errors": -1}, {"max_share": 1.5}])
async def test_a_budget_that_is_none(acme: FixtureManager, wrong: dict[str, float]):
    with pytest.raises(errors.ConfigurationError, match="cannot be"):
        await acme.load_fixtures("acme", on_error="reject", **wrong)


@pytest.mark.parametrize("on_error", ["reject", "fail"])
async def test_all_bad_records_in_a_file(acme: FixtureManager, state: State, tmp_path: Path, on_error: str):
    """More than a report lists, the reader's and the database's, and no value of any."""
    many = MAX_LISTED_REJECTS + 10
    spoilt = [user(number, plan=SECRET) for number in range(many)]
    (tmp_path / "users.csv").write_text(as_csv(USERS, [*spoilt, user(many), user(many + 1, email=f"USER{many}@example.com")]))
    target = tmp_path / "rejects.ndjson"
    load = acme.load_fixtures("acme", sources={"users": tmp_path / "users.csv"}, on_error=on_error, rejects_to=target)
    if on_error == "reject":
        assert (await load).dataset("users").rejects == many + 1
    else:
        with pytest.raises(errors.DataRejected) as raised:
            await load
        assert (raised.value.count, len(raised.value.rejects)) == (many + 1, MAX_LISTED_REJECTS)
    lines = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert [(line["record"], line["rule"]) for line in lines] == [*((number, "one_of") for number in range(1, many + 1)), (many + 2, "unique")]
    assert set(lines[0]) == {"dataset", "source", "record", "line", "column", "rule", "message"}
    assert SECRET not in target.read_text(encoding="utf-8")
    assert sorted(os.listdir(tmp_path)) == ["rejects.ndjson", "users.csv"]  # noqa: PTH208 - a list of names


async def test_a_file_for_rejects_that_cannot_be(acme: FixtureManager, state: State, mixed: Path, tmp_path: Path):
    with failing(state, errors.ConfigurationError) as found:
        await acme.load_fixtures("acme", sources={"users": mixed}, on_error="reject", rejects_to=tmp_path / "nowhere" / "rejects.ndjson")
    assert "rejects cannot be written" in found[0].message


async def test_the_bad_records_of_all_datasets_are_found(acme: FixtureManager, state: State, mixed: Path, tmp_path: Path):
    """The first that fails ends the writing; the rest is read to the end."""
    tracks = of_tracks(track(1), track(2, duration_ms=SECRET))(tmp_path)
    with failing(state, errors.DataRejected) as found:
        await acme.load_fixtures("acme", sources={"users": mixed, "tracks": tracks})
    assert {(item.source, item.record) for item in found[0].rejects} == {("users.csv", record) for record in (2, 4, 5, 7, 9)} | {("tracks.csv", 2)}
    assert found[0].count == 6
    assert {item["dataset"]: item["rejects"] for item in state.last_run()["report"]["datasets"]} == {"users": 5, "tracks": 1}


def as_they_are(*paths: Path) -> list[tuple[bool, bytes]]:
    return [(path.is_symlink(), path.read_bytes()) for path in paths]


def others(folder: Path) -> tuple[Path, Path]:
    """A file of somebody's, and a link to it."""
    other, link = folder / "other.txt", folder / "link"
    other.write_text("mine\n")
    link.symlink_to(other)
    return other, link


@pytest.mark.parametrize("what", ["source", "other", "folder", "link"])
@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_list_of_rejects_takes_no_other_files_place(
    acme: FixtureManager, state: State, mixed: Path, tmp_path: Path, what: str, dry_run: bool
):
    """The source itself, a file of somebody's, a folder, a link to anything: all stay as they are."""
    other, link = others(tmp_path)
    target = {"source": mixed, "other": other, "folder": tmp_path, "link": link}[what]
    before = as_they_are(mixed, other, link)
    with pytest.raises(errors.ConfigurationError, match="rejects cannot be written"):
        await acme.load_fixtures("acme", sources={"users": mixed}, on_error="reject", rejects_to=target, dry_run=dry_run)
    assert as_they_are(mixed, other, link) == before
    assert state.counts("acme")["users"] == 0


async def test_a_list_of_rejects_takes_the_place_of_the_one_before(acme: FixtureManager, state: State, mixed: Path, tmp_path: Path):
    target = tmp_path / "rejects.ndjson"
    for spoilt, found in ((2, 2), (0, 0), (1, 1)):
        (tmp_path / "users.csv").write_text(as_csv(USERS, [user(n, plan=SECRET if n < spoilt else "free") for n in range(4)]))
        await acme.load_fixtures("acme", sources={"users": tmp_path / "users.csv"}, on_error="reject", rejects_to=target)
        assert len(target.read_text().splitlines()) == found
