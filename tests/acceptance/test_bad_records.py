"""Records that are at fault: each is named by file, number, column and rule, no value comes out, and nothing is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tenancy_fixtures import FixtureManager
from tenancy_fixtures import exceptions as errors
from tenancy_fixtures.constants import LATE_INDEX_BYTES
from tests.acceptance.support import (
    ENTRIES,
    PLAYLISTS,
    SECRET,
    USERS,
    State,
    as_csv,
    entry,
    failing,
    of_tracks,
    of_users,
    playlist,
    track,
    user,
    written,
)

pytestmark = pytest.mark.anyio
SHARED_TOO = "all"


FIRST, SECOND = user(1), user(2)


def raw(old: bytes, new: bytes) -> Callable[[Path], Path]:
    """The two good users and a third one, in whose line something is replaced."""
    lines = as_csv(USERS, [user(1), user(2), user(3)]).encode().splitlines(keepends=True)
    assert old in lines[3]
    return written("users.csv", b"".join(lines[:3]) + lines[3].replace(old, new, 1))


SHORT, LONG = "x" * 64, "x" * 65

# How the file is made; the dataset; record, column and rule of each reject.
RECORDS: dict[str, tuple[Callable[[Path], Path], str, list[tuple[int, str | None, str]]]] = {
    "no_utf8": (raw(b"FR", "éàü".encode() + b"\xff"), "users", [(3, None, "encoding")]),
    "date": (of_users(FIRST, user(2, birth_date=SECRET)), "users", [(2, "birth_date", "type")]),
    "date_that_is_none": (of_users(FIRST, user(2, birth_date="2023-02-29")), "users", [(2, "birth_date", "type")]),
    "timestamp": (of_users(user(1, created_at=SECRET)), "users", [(1, "created_at", "type")]),
    "json": (of_users(FIRST, SECOND, user(3, settings='{"a": ' + SECRET)), "users", [(3, "settings", "type")]),
    "integer": (of_tracks(track(1), track(2, duration_ms=SECRET)), "tracks", [(2, "duration_ms", "type")]),
    "fraction": (of_tracks(track(1, duration_ms="1.5")), "tracks", [(1, "duration_ms", "type")]),
    "int4_range": (of_tracks(track(1, duration_ms="2147483648")), "tracks", [(1, "duration_ms", "type")]),
    "int2_range": (of_tracks(track(1, popularity="32768")), "tracks", [(1, "popularity", "type")]),
    "int8_range": (of_tracks(track(1, duration_ms="9" * 30)), "tracks", [(1, "duration_ms", "type")]),
    "float": (of_tracks(track(1), track(2), track(3, energy=SECRET)), "tracks", [(3, "energy", "type")]),
    "rule_range": (of_tracks(track(1, popularity="101")), "tracks", [(1, "popularity", "range")]),
    "nan": (of_tracks(track(1, energy="NaN")), "tracks", [(1, "energy", "range")]),
    "pattern": (of_users(FIRST, user(2, email=SECRET)), "users", [(2, "email", "pattern")]),
    "uri": (of_tracks(track(1), track(2, uri=SECRET)), "tracks", [(2, "uri", "pattern")]),
    "one_of": (of_users(FIRST, user(2, plan=SECRET)), "users", [(2, "plan", "one_of")]),
    "too_long": (of_users(user(1, handle=SHORT), user(2, handle=SECRET + LONG)), "users", [(2, "handle", "length")]),
    "empty": (of_users(FIRST, user(2, handle="")), "users", [(2, "handle", "not_null")]),
    "extra_field": (raw(b"fr,", f"fr,{SECRET},".encode()), "users", [(3, None, "cells")]),
    "field_short": (raw(b"fr,", b""), "users", [(3, None, "cells")]),
    "nul": (raw(b"fr", b"f\x00r"), "users", [(3, None, "nul")]),
    "unique": (
        of_users(user(1, email=f"{SECRET}@example.com"), SECOND, user(3, email=f"{SECRET.upper()}@EXAMPLE.com")),
        "users",
        [(3, "email", "unique")],
    ),
    "check": (of_users(FIRST, user(2, email=f"@{SECRET}")), "users", [(2, "email", "pattern")]),
}


@pytest.mark.parametrize("name", RECORDS)
async def test_a_record_that_is_at_fault(kept: FixtureManager, state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str):
    make, dataset, expected = RECORDS[name]
    path = make(tmp_path)
    with failing(state, errors.DataRejected, log=caplog) as found:
        await kept.load_fixtures("acme", sources={dataset: path})
    error = found[0]
    assert [(reject.record, reject.column, reject.rule) for reject in error.rejects] == expected
    assert [reject.source for reject in error.rejects] == [path.name] * len(expected)
    assert (error.dataset, error.source, error.count) == (dataset, path.name, len(expected))
    assert all(reject.message for reject in error.rejects)
    report = state.last_run()["error"]["rejects"]
    assert [(reject["source"], reject["record"], reject["column"]) for reject in report] == [
        (path.name, record, column) for record, column, _ in expected
    ]


async def test_what_only_the_database_knows(acme: FixtureManager, state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """The same rules, met by the server: with checks of its own, and with rows that are there already."""
    await acme.load_fixtures("acme", sources={"users": of_users(user(1))(tmp_path)})
    state.run("ALTER TABLE t_acme.users ADD CONSTRAINT no_secrets CHECK (locale <> 'xx')")
    path = of_users(user(2), user(3, locale="xx"), user(4), user(5, locale="xx"))(tmp_path)
    with failing(state, errors.DataRejected, log=caplog) as found:
        await acme.load_fixtures("acme", sources={"users": path})
    assert [(reject.record, reject.rule) for reject in found[0].rejects] == [(2, "check"), (4, "check")]
    assert (found[0].constraint, found[0].dataset, found[0].source) == ("no_secrets", "users", "users.csv")

    path = of_users(user(2), user(3, email="USER1@example.com"))(tmp_path)
    with failing(state, errors.DataRejected, log=caplog, secrets=(SECRET, "USER1", "user1")) as found:
        await acme.load_fixtures("acme", sources={"users": path})
    assert [(reject.record, reject.column, reject.rule) for reject in found[0].rejects] == [(2, "email", "unique")]


async def test_a_reference_that_leads_nowhere(acme: FixtureManager, state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    good = {
        "users": of_users(user(1))(tmp_path),
        "tracks": of_tracks(track(1))(tmp_path),
        "playlists": written("playlists.csv", as_csv(PLAYLISTS, [playlist()]).encode())(tmp_path),
    }
    nowhere = "spotify:track:" + "Zq7canaryvalue".ljust(22, "0")
    broken = written("entries.csv", as_csv(ENTRIES, [entry(1), entry(2, uri=nowhere), entry(3), entry(4, uri=nowhere)]).encode())(tmp_path)
    # All in one run: the good datasets before it are taken back as well.
    with failing(state, errors.DataRejected, log=caplog, secrets=(SECRET, "Zq7canary")) as found:
        await acme.load_fixtures("acme", sources={**good, "playlist_tracks": broken})
    error = found[0]
    assert [(reject.source, reject.record, reject.column, reject.rule) for reject in error.rejects] == [
        ("entries.csv", record, "track_id", "reference") for record in (2, 4)
    ]
    assert (error.dataset, error.source, error.count, error.table, error.constraint) == (
        "playlist_tracks",
        "entries.csv",
        2,
        "playlist_tracks",
        "playlist_tracks_track_id_fkey",
    )
    # And into tables that have rows.
    await acme.load_fixtures("acme", sources=good)
    with failing(state, errors.DataRejected, log=caplog, secrets=(SECRET, "Zq7canary")) as found:
        await acme.load_fixtures("acme", sources={"playlist_tracks": broken})
    assert [reject.record for reject in found[0].rejects] == [2, 4]


async def test_a_broken_reference_in_a_large_file(acme: FixtureManager, state: State, tmp_path: Path):
    """Large enough for rows without indexes first: the reference is met when it is put back, and the record still named."""
    nowhere = {7777: 9001, 11999: 9002}
    files = {
        "users": of_users(user(1))(tmp_path),
        "tracks": of_tracks(track(1), track(2))(tmp_path),
        "playlists": written("playlists.csv", as_csv(PLAYLISTS, [playlist()]).encode())(tmp_path),
        "playlist_tracks": written(
            "entries.csv", as_csv(ENTRIES, [entry(number, uri=f"spotify:track:{nowhere.get(number, 1):022d}") for number in range(1, 12001)]).encode()
        )(tmp_path),
    }
    assert files["playlist_tracks"].stat().st_size > LATE_INDEX_BYTES
    with failing(state, errors.DataRejected) as found:
        await acme.load_fixtures("acme", sources=files)
    assert [(reject.source, reject.record, reject.column) for reject in found[0].rejects] == [
        ("entries.csv", record, "track_id") for record in nowhere
    ]


async def test_a_dataset_that_is_not_there(acme: FixtureManager, state: State, tmp_path: Path):
    with failing(state, errors.DatasetNotFound):
        await acme.load_fixtures("acme", datasets=["songs"])
    with failing(state, errors.DatasetNotFound):
        await acme.load_fixtures("acme", sources={"songs": tmp_path})
    with pytest.raises(errors.ConfigurationError, match="on_error"):
        await acme.load_fixtures("acme", on_error="ignore")


async def test_what_a_program_reads(acme: FixtureManager, tmp_path: Path):
    """The error as JSON, as the command line prints it."""
    with pytest.raises(errors.DataRejected) as raised:
        await acme.load_fixtures("acme", sources={"users": of_users(FIRST, user(2, plan=SECRET))(tmp_path)})
    said = json.loads(json.dumps(raised.value.to_dict()))
    assert {name: said[name] for name in ("error", "tenant", "step", "dataset", "source", "count")} == {
        "error": "DataRejected",
        "tenant": "acme",
        "step": "data: apply",
        "dataset": "users",
        "source": "users.csv",
        "count": 1,
    }
    assert said["rejects"][0]["record"] == 2
    assert said["rejects"][0]["column"] == "plan"
