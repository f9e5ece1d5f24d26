"""Bad records: with ``reject`` they are left out and listed, with ``fail`` all of them are listed and nothing is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenancy_fixtures import FixtureManager
from tenancy_fixtures import exceptions as errors
from tenancy_fixtures.constants import MAX_LISTED_REJECTS
from tests.acceptance.support import SECRET, USERS, State, as_csv, failing, user

pytestmark = pytest.mark.anyio

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
        assert sorted((item.record, item.rule) for item in found[0].rejects) == [(5, "type"), (7, "cells"), (9, "not_null")]
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


async def test_what_only_the_database_refuses_ends_the_load(acme: FixtureManager, state: State, tmp_path: Path):
    (tmp_path / "users.csv").write_text(as_csv(USERS, [user(1), user(2, email="USER1@example.com"), user(3)]))
    with failing(state, errors.DataRejected) as found:
        await acme.load_fixtures("acme", sources={"users": tmp_path / "users.csv"}, on_error="reject")
    assert [(item.record, item.column, item.rule) for item in found[0].rejects] == [(2, "email", "unique")]
