"""Rows that are compared as they arrive: the same outcome whatever their order, and no second look at the table where they keep it."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from tenancy_fixtures._pg import _early, _target
from tenancy_fixtures._pg._early import stretch

ROWS = 6_000
FRAME = 500
COMPARED_ANEW, COMPARED_EARLY = "make_changes", "make_changes_of_noted"


@pytest.fixture
def statements(monkeypatch):
    """The names of what is executed for a target."""
    sent = []
    run = _target.Target.run

    async def noted(self, statement, values=None, /, **parts):
        sent.append(statement)
        return await run(self, statement, values, **parts)

    monkeypatch.setattr(_target.Target, "run", noted)
    return sent


@pytest.fixture
async def table(connection):
    """A table of rows that lie in the order of their keys, some forty in a page."""
    await connection.execute("CREATE TABLE tf_copy.songs (id int PRIMARY KEY, title text, length float8, UNIQUE (title))")
    await connection.execute(f"INSERT INTO tf_copy.songs SELECT n, 'song ' || n || repeat('.', 150), n / 7.0 FROM generate_series(1, {ROWS}) AS n")
    return connection


def songs(numbers, changed=()):
    titles = [f"song {number}" + "." * 150 for number in numbers]
    lengths = [number / 7.0 + (number in changed) for number in numbers]
    return pa.table({"id": pa.array(numbers, pa.int32()), "title": pa.array(titles, pa.large_string()), "length": pa.array(lengths, pa.float64())})


@pytest.fixture
def load(writer):
    """Load songs by their numbers, frame after frame on a connection of one's own."""

    async def loaded(connection, numbers, changed=(), size=FRAME, **facts):
        made = await writer(connection, "songs", ["id", "title", "length"], **facts)
        assert made.way == "staged"
        rows = songs(numbers, changed)
        async with made.alone():
            for start in range(0, len(numbers), size):
                part = rows.slice(start, size)
                await made.send(made.encode(part, range(start + 1, start + 1 + part.num_rows)))
        return await made.finish()

    return loaded


def outcome(stats):
    return (stats.sent, stats.inserted, stats.updated, stats.unchanged, stats.duplicates)


async def stored(fetch, connection):
    return dict(await fetch(connection, "SELECT id, round((length - id / 7.0)::numeric)::int FROM tf_copy.songs"))


async def test_rows_in_the_order_of_the_table_are_looked_at_once(table, load, fetch, statements):
    changed = {1, FRAME, FRAME + 1, 4_321, ROWS}
    assert outcome(await load(table, range(1, ROWS + 1), changed)) == (ROWS, 0, len(changed), ROWS - len(changed), 0)
    assert COMPARED_EARLY in statements
    assert COMPARED_ANEW not in statements
    found = await stored(fetch, table)
    assert {number for number, more in found.items() if more} == changed
    assert len(found) == ROWS


async def test_rows_that_are_new_or_gone_or_have_moved(table, load, fetch, statements):
    await table.execute("UPDATE tf_copy.songs SET length = length + 1 WHERE id % 50 = 0")
    numbers = [*(number for number in range(1, ROWS + 1) if number % 9), *range(ROWS + 1, ROWS + 1_501)]
    new, again = 1_500, sum(1 for number in numbers if number <= ROWS and number % 50 == 0)
    assert outcome(await load(table, numbers)) == (len(numbers), new, again, len(numbers) - new - again, 0)
    assert COMPARED_EARLY in statements
    found = await stored(fetch, table)
    assert {number for number, more in found.items() if more} == {number for number in range(1, ROWS + 1) if number % 450 == 0}
    assert len(found) == ROWS + new


@pytest.mark.parametrize("order", ["reversed", "shuffled", "second half first"])
async def test_any_order_has_the_same_outcome(table, load, fetch, statements, order):
    numbers = list(range(1, ROWS + 301))
    if order == "reversed":
        numbers.reverse()
    elif order == "shuffled":
        random.Random(4).shuffle(numbers)
    else:
        numbers = numbers[ROWS // 2 :] + numbers[: ROWS // 2]
    changed = set(range(1, ROWS, 60))
    assert outcome(await load(table, numbers, changed)) == (ROWS + 300, 300, len(changed), ROWS - len(changed), 0)
    assert (COMPARED_ANEW in statements) == (order == "shuffled")
    found = await stored(fetch, table)
    assert {number for number, more in found.items() if more} == changed
    assert len(found) == ROWS + 300


async def test_rows_in_no_order_stop_the_search(table, load, statements):
    numbers = list(range(1, ROWS + 1))
    random.Random(4).shuffle(numbers)
    await load(table, numbers)
    assert statements.count("compare_near") == _early._PATIENCE < ROWS // FRAME


async def test_keys_that_come_twice_are_compared_when_they_are_taken_out(table, load, fetch, statements):
    numbers = [*range(1, ROWS + 1), 77, 78]
    assert outcome(await load(table, numbers, {78})) == (ROWS + 2, 0, 1, ROWS - 1, 2)
    assert COMPARED_ANEW in statements
    assert {number for number, more in (await stored(fetch, table)).items() if more} == {78}


async def test_several_tables_are_compared_when_all_are_there(table, load, writer, fetch, frame, statements):
    """What the first table gets changes the second, which was compared before."""
    from tenancy_fixtures._pg.copy import finish_all

    await table.execute("CREATE TABLE tf_copy.makers (id int PRIMARY KEY, name text UNIQUE); INSERT INTO tf_copy.makers VALUES (1, 'Ann')")
    await table.execute(
        "CREATE TABLE tf_copy.works (id int PRIMARY KEY, maker text REFERENCES tf_copy.makers (name) ON UPDATE CASCADE);"
        "INSERT INTO tf_copy.works SELECT n, 'Ann' FROM generate_series(1, 40) AS n; INSERT INTO tf_copy.makers VALUES (2, 'Bob')"
    )
    makers = await writer(table, "makers", ["id", "name"])
    works = await writer(table, "works", ["id", "maker"])
    for made, rows in ((works, frame(id=list(range(1, 41)), maker=["Ann"] * 40)), (makers, frame(id=[1, 3], name=["Anna", "Ann"]))):
        async with made.alone():
            await made.send(made.encode(rows, range(1, rows.num_rows + 1)))
    assert statements.count("compare_near") == 2
    _, stats = await finish_all([makers, works])
    assert stats.updated == 40
    assert await fetch(table, "SELECT DISTINCT maker FROM tf_copy.works") == [("Ann",)]


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE tf_copy.songs DROP CONSTRAINT songs_pkey",
        "CREATE TABLE tf_copy.more () INHERITS (tf_copy.songs)",
    ],
)
async def test_keys_that_nothing_keeps_apart_are_not_compared_early(table, load, statements, statement):
    await table.execute(statement)
    assert (await load(table, range(1, 1_001), {5})).updated == 1
    assert not {"compare_near", COMPARED_EARLY} & set(statements)


@pytest.mark.parametrize(("existing", "kept"), [("keep", True), ("complete", False), ("fill", True)])
async def test_what_becomes_of_rows_that_are_there(table, load, fetch, statements, existing, kept):
    changed = {10, 2_000, ROWS}
    stats = await load(table, range(1, ROWS + 201), changed, existing=existing)
    assert outcome(stats) == (ROWS + 200, 200, 0 if kept else 3, ROWS - (0 if kept else 3), 0)
    assert COMPARED_EARLY in statements
    assert {number for number, more in (await stored(fetch, table)).items() if more} == (set() if kept else changed)


def test_a_stretch_leaves_out_rows_that_have_moved():
    near = list(range(100, 131))
    assert stretch([*near, 9_000], asked=32, reach=60, slack=2) == range(98, 133)
    assert stretch([0, *near], asked=32, reach=60, slack=200) == range(331)


@pytest.mark.parametrize("pages", [[], [5] * 10, list(range(0, 32_000, 1_000))])
def test_there_is_no_stretch_where_rows_lie_apart_or_are_few(pages):
    assert stretch(pages, asked=32, reach=60, slack=2) == range(0)
