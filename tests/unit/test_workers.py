"""Worker processes: real ones, that work, fail, crash, overrun, are cancelled and replaced."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from opperlite.adapters.offline_tasks import Inspect, MakeImages, MakeVideo
from opperlite.adapters.workers import Workers
from opperlite.domain.errors import ProviderFailed, SourceUnusable
from opperlite.domain.ports import Sources
from opperlite.domain.types import ImagePlan, Media, VideoPlan
from tests.fakes import png

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workers() -> AsyncIterator[Workers]:
    """One process for all tests, since starting one takes a while; some of them replace it."""
    opened = Workers(1)
    yield opened
    await opened.close()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(png(30, 20))
    return path


def endless(folder: Path) -> MakeVideo:
    """Minutes of work."""
    plan = VideoPlan("openai/sora-2", "a storm at sea", 1280, 720, 24.0, 24 * 600)
    return MakeVideo(plan, Sources(), folder)


def pids(workers: Workers) -> list[int]:
    return [worker._process.pid for worker in workers._idle]


async def running(task: asyncio.Task[object], begun: asyncio.Event) -> None:
    waiting = asyncio.create_task(begun.wait())
    await asyncio.wait([task, waiting], timeout=20, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    assert begun.is_set(), "the work did not begin"


async def test_a_task_is_done_and_the_process_kept(workers: Workers, picture: Path) -> None:
    for _ in range(3):
        done = await workers.do(Inspect(picture))
        assert done.media == Media("image", "image/png", len(png(30, 20)), width=30, height=20)
    assert len(pids(workers)) == 1


async def test_bad_media_is_the_sources_fault(workers: Workers, picture: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(b"no media")
    with pytest.raises(SourceUnusable, match="unknown bytes"):
        await workers.do(Inspect(bad))
    broken = tmp_path / "broken.png"
    broken.write_bytes(png(30, 20)[:45])
    plan = ImagePlan("m", "x", 1, 16, 16)
    for field, sources in (("image", Sources(image=broken)), ("mask", Sources(image=picture, mask=broken))):
        with pytest.raises(SourceUnusable) as caught:
            await workers.do(MakeImages(plan, sources, tmp_path, "test"))
        assert caught.value.details["field"] == field
    with pytest.raises(SourceUnusable) as caught:
        await workers.do(MakeImages(plan, Sources(reference_images=(picture, broken)), tmp_path, "test"))
    assert caught.value.details["field"] == "reference_images[1]"
    assert len(pids(workers)) == 1, "the process lives on"


async def test_a_defect_is_a_failure_with_its_trace(workers: Workers, tmp_path: Path) -> None:
    with pytest.raises(ProviderFailed, match="settled") as caught:
        await workers.do(MakeImages(ImagePlan("m", "x", 1, None, None), Sources(), tmp_path, "test"))
    assert "Traceback" in caught.value.details["trace"]
    assert len(pids(workers)) == 1


async def test_a_process_that_dies_fails_its_task_and_is_replaced(
    workers: Workers, picture: Path, tmp_path: Path
) -> None:
    await workers.do(Inspect(picture))
    (pid,) = pids(workers)
    begun = asyncio.Event()
    task = asyncio.create_task(workers.do(endless(tmp_path), lambda _: begun.set()))
    await running(task, begun)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ProviderFailed, match="SIGKILL"):
        await task
    assert (await workers.do(Inspect(picture))).media is not None
    assert pids(workers) != [pid]


async def test_a_process_that_died_idle_is_not_asked(workers: Workers, picture: Path) -> None:
    await workers.do(Inspect(picture))
    (pid,) = pids(workers)
    process = workers._idle[0]._process
    os.kill(pid, signal.SIGKILL)
    await process.wait()
    assert (await workers.do(Inspect(picture))).media is not None
    assert pids(workers) != [pid]


async def test_what_takes_too_long_is_stopped(picture: Path, tmp_path: Path) -> None:
    workers = Workers(1, time_limit=0.3)
    began = time.monotonic()
    with pytest.raises(ProviderFailed, match=r"longer than 0\.3 s"):
        await workers.do(endless(tmp_path))
    assert time.monotonic() - began < 4
    workers._time_limit = 60.0
    assert (await workers.do(Inspect(picture))).media is not None
    await workers.close()


async def test_cancelling_stops_the_work_within_a_second(workers: Workers, picture: Path, tmp_path: Path) -> None:
    begun = asyncio.Event()
    fractions: list[float] = []

    def report(fraction: float) -> None:
        fractions.append(fraction)
        begun.set()

    task = asyncio.create_task(workers.do(endless(tmp_path), report))
    await running(task, begun)
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 1.5
    count = len(fractions)
    assert (await workers.do(Inspect(picture))).media is not None, "no late word of the old task disturbs the next"
    assert len(fractions) == count
    assert all(0 <= fraction <= 1 for fraction in fractions)


async def test_cancelling_twice_leaves_no_confused_process(workers: Workers, picture: Path, tmp_path: Path) -> None:
    begun = asyncio.Event()
    task = asyncio.create_task(workers.do(endless(tmp_path), lambda _: begun.set()))
    await running(task, begun)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(3):
        done = await workers.do(Inspect(picture))
        assert done.media is not None
        assert done.made is None


async def test_cancelling_at_any_moment_keeps_replies_and_tasks_together(workers: Workers, picture: Path) -> None:
    await workers.do(Inspect(picture))
    for delay in range(30):
        task = asyncio.create_task(workers.do(Inspect(picture)))
        for _ in range(delay):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await workers.do(Inspect(picture))).media is not None


async def test_no_more_run_than_allowed_and_closing_ends_every_one(picture: Path) -> None:
    workers = Workers(2)
    await asyncio.gather(*(workers.do(Inspect(picture)) for _ in range(12)))
    processes = [worker._process for worker in workers._idle]
    assert 1 <= len(processes) <= 2
    await workers.close()
    assert [process.returncode for process in processes] == [0] * len(processes)


async def test_a_process_that_cannot_be_started_is_a_failure(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opperlite.adapters.workers.worker_command", lambda: ["/no/such/program"])
    with pytest.raises(ProviderFailed, match="cannot be started"):
        await Workers(1).do(Inspect(picture))
