"""The conformance suite of JobQueue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from opperlite.adapters.queue_inprocess import InProcessQueue
from opperlite.domain.ports import JobQueue

IMPLEMENTATIONS: dict[str, Callable[[], JobQueue]] = {"inprocess": InProcessQueue}


@pytest.fixture(params=IMPLEMENTATIONS)
def queue(request: pytest.FixtureRequest) -> JobQueue:
    return IMPLEMENTATIONS[request.param]()


async def test_ids_come_in_the_order_they_went(queue: JobQueue) -> None:
    for name in ("a", "b", "c"):
        await queue.put(name)
    assert [await queue.get() for _ in range(3)] == ["a", "b", "c"]


async def test_waiting_tells_how_many_are_before(queue: JobQueue) -> None:
    for name in ("a", "b", "c"):
        await queue.put(name)
    assert [queue.waiting(name) for name in ("a", "b", "c", "d")] == [0, 1, 2, None]
    await queue.get()
    assert [queue.waiting(name) for name in ("a", "b", "c")] == [None, 0, 1]


async def test_an_id_that_waits_keeps_its_place(queue: JobQueue) -> None:
    for name in ("a", "b", "a"):
        await queue.put(name)
    assert [queue.waiting("a"), queue.waiting("b")] == [0, 1]
    assert await queue.get() == "a"
    await queue.put("a")
    assert [await queue.get(), await queue.get()] == ["b", "a"], "once taken it may come again"


async def test_takers_wait_for_what_comes(queue: JobQueue) -> None:
    takers = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    for name in ("a", "b", "c"):
        await queue.put(name)
        await asyncio.sleep(0)
    assert sorted(await asyncio.wait_for(asyncio.gather(*takers), 10)) == ["a", "b", "c"]


async def test_a_taker_that_goes_away_takes_nothing_with_it(queue: JobQueue) -> None:
    for _ in range(3):
        leaving = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    await queue.put("a")
    assert await asyncio.wait_for(queue.get(), 10) == "a"
