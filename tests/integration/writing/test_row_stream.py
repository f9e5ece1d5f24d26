"""Several frames by one COPY: the same rows, the same records named, and a connection that can always go on."""

from __future__ import annotations

import asyncio
import dataclasses

import anyio
import pytest
from psycopg.pq import TransactionStatus

from tenancy_fixtures._pg import _row_stream
from tenancy_fixtures.exceptions import DataRejected, RowsLost


@pytest.fixture
def statements(monkeypatch):
    """How many COPYs were begun."""
    begun = []
    begin = _row_stream.RowStream._begin

    async def counted(stream):
        begun.append(stream)
        return await begin(stream)

    monkeypatch.setattr(_row_stream.RowStream, "_begin", counted)
    return begun


async def send_slices(made, rows, size=1):
    for start in range(0, rows.num_rows, size):
        await made.send(made.encode(rows.slice(start, size), range(start + 1, start + 1 + min(size, rows.num_rows - start))))


@pytest.fixture(params=[32, 2])
def frames_of_a_copy(request, monkeypatch):
    monkeypatch.setattr(_row_stream, "_FRAMES_OF_A_COPY", request.param)
    return request.param


async def test_frames_share_a_copy(connection, late, writer, fetch, artists, statements, frames_of_a_copy):
    made = await writer(connection, "artists", ["id", "name"], late_indexes=late)
    async with made.alone():
        await send_slices(made, artists)
    stats = await made.finish()
    assert (stats.sent, stats.inserted, len(statements)) == (3, 3, 1 if frames_of_a_copy > 3 else 2)
    assert await fetch(connection, "SELECT id, name FROM tf_copy.artists ORDER BY id") == [(1, "Ann"), (2, "Bob"), (3, "Cy")]


async def test_outside_each_frame_has_a_copy_of_its_own(connection, writer, artists, statements):
    made = await writer(connection, "artists", ["id", "name"])
    await send_slices(made, artists)
    assert len(statements) == 3
    assert connection.info.transaction_status == TransactionStatus.INTRANS


@pytest.mark.usefixtures("frames_of_a_copy")
async def test_a_refused_row_is_named_whichever_frame_it_came_in(connection, writer, frame):
    await connection.execute("ALTER TABLE tf_copy.artists ADD CHECK (id <> 4)")
    made = await writer(connection, "artists", ["id", "name"])
    assert made.way == "direct"
    with pytest.raises(DataRejected) as caught:
        async with made.alone():
            await send_slices(made, frame(id=[1, 2, 3, 4, 5], name=["a", "b", "c", "d", "e"]))
    assert [reject.record for reject in caught.value.rejects] == [4]
    assert connection.info.transaction_status == TransactionStatus.INERROR


async def test_what_the_server_counts_otherwise_is_told_at_the_end(connection, late, writer, artists):
    made = await writer(connection, "artists", ["id", "name"], late_indexes=late)

    async def send():
        async with made.alone():
            await made.send(made.encode(artists, range(1, 4)))
            await made.send(dataclasses.replace(made.encode(artists.slice(0, 0), []), rows=1))

    with pytest.raises(RowsLost, match="4 rows were sent"):
        await send()


async def test_who_fails_between_two_frames_leaves_a_connection_that_can_roll_back(connection, writer, artists):
    made = await writer(connection, "artists", ["id", "name"])

    async def send():
        async with made.alone():
            await send_slices(made, artists)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await send()
    assert connection.info.transaction_status == TransactionStatus.INERROR
    await connection.rollback()
    await connection.execute("SELECT 1")


@pytest.mark.parametrize("scope", ["anyio", "asyncio"])
async def test_a_cancel_between_two_frames_leaves_a_connection_that_can_roll_back(connection, writer, artists, scope):
    made = await writer(connection, "artists", ["id", "name"])
    sent = asyncio.Event()

    async def send():
        async with made.alone():
            await send_slices(made, artists)
            sent.set()
            await asyncio.sleep(60)

    if scope == "anyio":
        with anyio.CancelScope() as cancelled:
            asyncio.get_running_loop().call_later(0.3, cancelled.cancel)
            await send()
    else:
        task = asyncio.ensure_future(send())
        await sent.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert connection.info.transaction_status == TransactionStatus.INERROR
    await connection.rollback()
