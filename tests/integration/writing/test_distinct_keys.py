"""Keys that surely differ are not looked at again; all others are, and count the same as ever."""

from __future__ import annotations

import pytest
from psycopg import errors

from tenancy_fixtures._pg import _distinct


@pytest.fixture
def asked(monkeypatch):
    """The answers to whether all keys differ."""
    answers = []
    all_differ = _distinct.DistinctKeys.all_differ

    def remembered(keys):
        answers.append(all_differ(keys))
        return answers[-1]

    monkeypatch.setattr(_distinct.DistinctKeys, "all_differ", remembered)
    return answers


@pytest.mark.parametrize(("ids", "certain", "duplicates"), [([1, 2, 3], True, 0), ([1, 2, 1], False, 1)])
async def test_keys_over_several_frames(connection, writer, frame, asked, ids, certain, duplicates):
    made = await writer(connection, "artists", ["id", "name"], late_indexes=False)
    for number, value in enumerate(ids, start=1):
        await made.write(frame(id=[value], name=[f"name {number}"]), [number])
    assert (await made.finish()).duplicates == duplicates
    assert asked == [certain]


async def test_more_keys_than_are_kept(connection, load, artists, asked, monkeypatch):
    monkeypatch.setattr(_distinct, "_LIMIT", 2)
    stats = await load(connection, "artists", artists, late_indexes=False)
    assert (stats.inserted, asked) == (3, [False])


async def test_texts_that_the_server_casts(connection, load, frame, asked):
    rows = frame(id=["1", "01", "2"], name=["a", "b", "c"])
    stats = await load(connection, "artists", rows, late_indexes=False, text_columns=frozenset({"id"}))
    assert (stats.inserted, stats.duplicates, asked) == (2, 1, [False])


async def test_texts_that_a_collation_calls_equal(connection, load, frame, asked):
    try:
        await connection.execute("CREATE COLLATION tf_copy.anyhow (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    except errors.FeatureNotSupported:
        pytest.skip("this server was built without ICU")
    await connection.execute("CREATE TABLE tf_copy.words (word text COLLATE tf_copy.anyhow PRIMARY KEY)")
    stats = await load(connection, "words", frame(word=["One", "ONE", "two"]), key=("word",), late_indexes=False)
    assert (stats.inserted, stats.duplicates, asked) == (2, 1, [False])
