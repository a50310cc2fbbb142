"""The runner of jobs: leases, recovery, cancellation, stop, failure, quota, with time in the test's hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from opperlite.adapters.blobs_local import LocalBlobs
from opperlite.adapters.metadata_sqlite import SqliteMetadata
from opperlite.adapters.queue_inprocess import InProcessQueue
from opperlite.domain import jobs as jobs_module
from opperlite.domain.errors import NotFound, ProviderFailed, StorageFailed, TooManyRequests
from opperlite.domain.files import Files
from opperlite.domain.jobs import Jobs, JobView, RunProgress
from opperlite.domain.ports import Made
from opperlite.domain.types import Job, Media, Organisation, Policy, Project
from tests.fakes import FakeClock, QuickProvider, png

PROJECT = Project("p", "o", "p", 1000.0, 1000.0, 0.0)
POLICY = Policy(jobs=2, job_attempts=3, job_lease=30.0, shutdown_grace=0.0)


class Bench:
    """A store, blobs and a clock, and runners over them whose work is a function of the test."""

    def __init__(self, store: SqliteMetadata, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.clock = FakeClock()
        self.blobs = LocalBlobs(folder)
        self.files = Files(store, self.blobs, self.clock, QuickProvider(), POLICY, b"s" * 32)
        self.begun: asyncio.Queue[Job] = asyncio.Queue()
        self.gate = asyncio.Event()
        self.failure: BaseException | None = None
        self.checkpoints: list[str | None] = []
        self.numbers = 0

    def runner(self, policy: Policy = POLICY, perform: Callable[..., Awaitable[Made]] | None = None) -> Jobs:
        return Jobs(self.store, InProcessQueue(), self.files, self.clock, policy, perform or self.perform)

    async def perform(self, job: Job, workspace: Path, progress: RunProgress) -> Made:
        self.checkpoints.append(job.checkpoint)
        await progress.checkpoint(f"upstream of attempt {job.attempts}")
        progress.report(0.4)
        self.begun.put_nowait(job)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        path = workspace / "clip"
        path.write_bytes(png(note=job.id))
        return Made(path, Media("image", "image/png", path.stat().st_size))

    def job(self, **members: object) -> Job:
        self.numbers += 1
        values: dict[str, object] = {
            "id": f"gen_{self.numbers}",
            "project_id": "p",
            "kind": "video",
            "model": "m/x",
            "provider": "m",
            "order": b"",
            "state": "queued",
            "created_at": self.clock.now(),
        }
        return Job(**(values | members))  # type: ignore[arg-type]

    async def row(self, job: Job) -> Job:
        row = await self.store.job("p", job.id)
        assert row is not None
        return row

    async def ended(self, runner: Jobs, job: Job) -> JobView:
        for _ in range(1000):
            view = await runner.view(PROJECT, job.id)
            if view.job.ended:
                return view
            await asyncio.sleep(0.005)
        raise AssertionError("the job did not end")

    def remains(self) -> list[str]:
        return sorted(path.name for path in self.folder.rglob("*/*") if path.is_file() and len(path.name) >= 32)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with SqliteMetadata.open(tmp_path / "store.db") as store:
        await store.ensure_project(Organisation("o", "o", 10**6, 100, 0.0), PROJECT)
        opened = Bench(store, tmp_path)
        yield opened
        opened.blobs.close()


@pytest.fixture
def quick_renewal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases are renewed every few milliseconds instead of every few seconds."""
    monkeypatch.setattr(jobs_module, "_IDLE_RENEWAL", 0.001)


async def test_a_job_runs_to_its_file(bench: Bench) -> None:
    runner = bench.runner()
    await runner.start()
    job = bench.job()
    await runner.submit(job)
    await bench.begun.get()
    view = await runner.view(PROJECT, job.id)
    assert (view.job.state, view.job.progress, view.position) == ("running", 0.4, None)
    bench.gate.set()
    view = await bench.ended(runner, job)
    assert view.file is not None
    assert (view.job.state, view.job.progress, view.file.kind) == ("completed", 1.0, "generated")
    await runner.stop()
    assert bench.remains() == [view.file.sha256]


async def test_no_more_run_than_allowed_in_the_order_they_came(bench: Bench) -> None:
    runner = bench.runner()
    await runner.start()
    jobs = [bench.job() for _ in range(5)]
    for job in jobs:
        await runner.submit(job)
    assert [(await bench.begun.get()).id for _ in range(2)] == [job.id for job in jobs[:2]]
    await asyncio.sleep(0.02)
    assert (runner.running, bench.begun.empty()) == (2, True)
    assert [(await runner.view(PROJECT, job.id)).position for job in jobs] == [None, None, 0, 1, 2]
    bench.gate.set()
    for job in jobs:
        await bench.ended(runner, job)
    assert [(await bench.begun.get()).id for _ in range(3)] == [job.id for job in jobs[2:]]
    await runner.stop()


async def test_the_row_is_written_before_anything_is_scheduled(bench: Bench) -> None:
    runner = bench.runner(replace(POLICY, max_queued_jobs=1))
    first, second = bench.job(), bench.job()
    await runner.submit(first)
    with pytest.raises(TooManyRequests):
        await runner.submit(second)
    assert (await bench.row(first)).state == "queued"
    with pytest.raises(NotFound):
        await runner.view(PROJECT, second.id)


async def test_what_an_earlier_process_left_is_taken_up(bench: Bench) -> None:
    waiting, running, done = bench.job(), bench.job(), bench.job()
    for job in (waiting, running, done):
        await bench.store.add_job(job, 100)
    await bench.store.take_job(running.id, "dead", bench.clock.now(), bench.clock.now() + 10**6, 3)
    await bench.store.save_checkpoint(running.id, "dead", "upstream-7")
    await bench.store.cancel_job("p", done.id, bench.clock.now())
    runner = bench.runner()
    await runner.start()
    bench.gate.set()
    for job in (waiting, running):
        assert (await bench.ended(runner, job)).job.state == "completed"
    assert sorted(bench.checkpoints, key=str) == [None, "upstream-7"]
    assert (await bench.row(running)).attempts == 2
    await runner.stop()


async def test_a_job_that_was_interrupted_too_often_fails(bench: Bench) -> None:
    job = bench.job()
    await bench.store.add_job(job, 100)
    for attempt in range(3):
        await bench.store.take_job(job.id, f"dead{attempt}", bench.clock.now(), bench.clock.now() + 60, 3)
        await bench.store.reset_leases()
    runner = bench.runner()
    await runner.start()
    view = await bench.ended(runner, job)
    assert (view.job.state, view.job.error) == ("failed", "the work was interrupted 3 times")
    assert bench.begun.empty()
    await runner.stop()


@pytest.mark.usefixtures("quick_renewal")
async def test_the_lease_is_renewed_while_the_work_goes_on(bench: Bench) -> None:
    runner = bench.runner()
    await runner.start()
    job = bench.job()
    await runner.submit(job)
    await bench.begun.get()
    for _ in range(5):
        bench.clock.advance(20)
        while ((await bench.row(job)).lease_until or 0) < bench.clock.now() + POLICY.job_lease:
            await asyncio.sleep(0.01)
        assert await bench.store.unfinished_jobs(bench.clock.now()) == []
    bench.gate.set()
    assert (await bench.ended(runner, job)).job.attempts == 1
    await runner.stop()


@pytest.mark.usefixtures("quick_renewal")
async def test_a_job_that_was_taken_by_another_is_let_go(bench: Bench) -> None:
    runner = bench.runner()
    await runner.start()
    job = bench.job()
    await runner.submit(job)
    await bench.begun.get()
    taken = None
    while taken is None:  # the lease may be renewed in between
        await bench.store.reset_leases()
        taken = await bench.store.take_job(job.id, "other", bench.clock.now(), bench.clock.now() + 60, 3)
    for _ in range(200):
        if runner.running == 0:
            break
        await asyncio.sleep(0.01)
    assert runner.running == 0
    row = await bench.row(job)
    assert (row.state, row.owner) == ("running", "other")
    await runner.stop()
    assert bench.remains() == []


async def test_a_result_that_comes_too_late_is_dropped(bench: Bench) -> None:
    """Another has the job by the time the work is done: its file must not be written."""
    runner = bench.runner()
    await runner.start()
    job = bench.job()
    await runner.submit(job)
    await bench.begun.get()
    await bench.store.reset_leases()
    await bench.store.take_job(job.id, "other", bench.clock.now(), bench.clock.now() + 60, 3)
    bench.gate.set()
    for _ in range(200):
        if runner.running == 0:
            break
        await asyncio.sleep(0.01)
    assert (await bench.row(job)).owner == "other"
    await runner.stop()
    assert bench.remains() == []


async def test_stopping_puts_back_what_does_not_finish(bench: Bench) -> None:
    runner = bench.runner()
    await runner.start()
    jobs = [bench.job() for _ in range(4)]
    for job in jobs:
        await runner.submit(job)
    for _ in range(2):
        await bench.begun.get()
    await runner.stop()
    for job in jobs:
        row = await bench.row(job)
        assert (row.state, row.attempts, row.owner) == ("queued", 0, None)
    assert runner.running == 0
    assert bench.remains() == []
    again = bench.runner()
    await again.start()
    bench.gate.set()
    for job in jobs:
        assert (await bench.ended(again, job)).job.state == "completed"
    await again.stop()


@pytest.mark.parametrize("turns", range(0, 40, 3))
async def test_stopping_at_any_moment_leaves_no_job_taken(bench: Bench, turns: int) -> None:
    runner = bench.runner()
    await runner.start()
    job = bench.job()
    await runner.submit(job)
    for _ in range(turns):
        await asyncio.sleep(0 if turns < 20 else 0.0005)
    await runner.stop()
    row = await bench.row(job)
    assert (row.state, row.attempts) == ("queued", 0)


async def test_stopping_waits_for_its_grace(bench: Bench) -> None:
    runner = bench.runner(replace(POLICY, shutdown_grace=5.0))
    await runner.start()
    job, waiting = bench.job(), [bench.job() for _ in range(3)]
    for one in (job, *waiting):
        await runner.submit(one)
    await bench.begun.get()
    asyncio.get_running_loop().call_later(0.03, bench.gate.set)
    await runner.stop()
    assert (await bench.row(job)).state == "completed"
    assert (await bench.row(waiting[-1])).state == "queued", "a stop begins nothing new"


@pytest.mark.parametrize("turns", range(0, 30, 2))
async def test_cancelling_at_any_moment_is_final(bench: Bench, turns: int) -> None:
    runner = bench.runner()
    await runner.start()
    job = bench.job()
    await runner.submit(job)
    for _ in range(turns):
        await asyncio.sleep(0 if turns < 16 else 0.0005)
    view = await runner.cancel(PROJECT, job.id)
    assert (view.job.state, view.job.error, view.job.cancelled) == ("failed", "cancelled", True)
    for _ in range(200):
        if runner.running == 0:
            break
        await asyncio.sleep(0.005)
    assert runner.running == 0
    assert (await runner.view(PROJECT, job.id)).job == view.job
    await runner.stop()
    assert (await bench.row(job)).cancelled
    assert bench.remains() == []


@pytest.mark.parametrize("step", ["blobs.keep", "store.project", "store.end_job"])
async def test_cancelling_while_the_result_is_kept_leaves_no_bytes(
    bench: Bench, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name = getattr(bench, step.partition(".")[0]), step.partition(".")[2]
    original, reached, go_on = getattr(owner, name), asyncio.Event(), asyncio.Event()

    async def slow(*args: object) -> object:
        reached.set()
        await go_on.wait()
        return await original(*args)

    monkeypatch.setattr(owner, name, slow)
    runner = bench.runner()
    await runner.start()
    job = bench.job()
    bench.gate.set()
    await runner.submit(job)
    await reached.wait()
    assert (await runner.cancel(PROJECT, job.id)).job.cancelled
    await asyncio.sleep(0.01)
    go_on.set()
    while runner.running:
        await asyncio.sleep(0.005)
    await runner.stop()
    assert (await bench.row(job)).cancelled
    assert bench.remains() == []


def slow_to_tell(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Let the store set the first event when a job was taken, and tell the taker only once the second is set."""
    original, taken, told = bench.store.take_job, asyncio.Event(), asyncio.Event()

    async def take_job(*args: object) -> Job | None:
        job = await original(*args)  # type: ignore[arg-type]
        taken.set()
        await told.wait()
        return job

    monkeypatch.setattr(bench.store, "take_job", take_job)
    return taken, told


async def test_a_job_cancelled_while_it_is_taken_does_not_begin(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store may be slow to answer: the job was taken there, then cancelled, and only then is the taker told."""
    taken, told = slow_to_tell(bench, monkeypatch)
    runner = bench.runner()
    await runner.start()
    job = bench.job()
    await runner.submit(job)
    await taken.wait()
    assert (await runner.cancel(PROJECT, job.id)).job.cancelled
    told.set()
    await asyncio.sleep(0.02)
    assert (runner.running, bench.begun.empty()) == (0, True)
    assert (await runner.view(PROJECT, job.id)).job.cancelled
    await runner.stop()


async def test_a_job_taken_while_the_runner_stops_is_put_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, told = slow_to_tell(bench, monkeypatch)
    runner = bench.runner()
    await runner.start()
    job = bench.job()
    await runner.submit(job)
    await taken.wait()
    stopping = asyncio.create_task(runner.stop())
    await asyncio.sleep(0.01)
    told.set()
    await asyncio.wait_for(stopping, 5)
    assert await bench.row(job) == job
    assert bench.begun.empty()


async def test_only_its_project_cancels_a_job(bench: Bench) -> None:
    runner = bench.runner()
    job = bench.job()
    await runner.submit(job)
    stranger = Project("other", "o", "other", 1.0, 1.0, 0.0)
    for ask in (runner.view, runner.cancel):
        with pytest.raises(NotFound):
            await ask(stranger, job.id)
    assert (await bench.row(job)).state == "queued"


@pytest.mark.parametrize(
    ("failure", "told"),
    [(ProviderFailed("the model refused"), "the model refused"), (ValueError("secret"), "internal error")],
)
async def test_a_failure_is_the_jobs_end(bench: Bench, failure: Exception, told: str) -> None:
    bench.failure = failure
    bench.gate.set()
    runner = bench.runner()
    await runner.start()
    async with bench.blobs.stage() as staging:
        await staging.write(b"source")
        blob = await staging.finish()
        job = bench.job(inputs=(blob.sha256,))
        await runner.submit(job)
    view = await bench.ended(runner, job)
    assert view.job.state == "failed"
    assert view.job.error is not None
    assert view.job.error.startswith(told)
    assert "secret" not in view.job.error
    await runner.stop()
    assert bench.remains() == [], "its source went too"


async def test_a_source_is_kept_until_the_end(bench: Bench) -> None:
    runner = bench.runner()
    await runner.start()
    async with bench.blobs.stage() as staging:
        await staging.write(b"source")
        blob = await staging.finish()
        job = bench.job(inputs=(blob.sha256,))
        await runner.submit(job)
    await bench.begun.get()
    await bench.files.drop_blob(blob.sha256)
    assert await bench.blobs.size(blob.sha256) == 6
    bench.gate.set()
    await bench.ended(runner, job)
    await runner.stop()
    assert await bench.blobs.size(blob.sha256) is None


async def test_over_the_quota_the_result_is_temporary(bench: Bench) -> None:
    small = Project("small", "tiny", "small", 1000.0, 1000.0, 0.0)
    await bench.store.ensure_project(Organisation("tiny", "tiny", 10, 100, 0.0), small)
    bench.gate.set()
    runner = bench.runner()
    await runner.start()
    job = bench.job(project_id="small")
    await runner.submit(job)
    for _ in range(500):
        view = await runner.view(small, job.id)
        if view.job.ended:
            break
        await asyncio.sleep(0.005)
    assert view.file is not None
    assert view.file.kind == "temporary"
    assert [(warning.code, warning.details["reason"]) for warning in view.job.warnings] == [
        ("storage_skipped", "quota_exceeded")
    ]
    assert (await bench.store.usage("tiny", bench.clock.now())).files == 0
    await runner.stop()


async def test_a_store_that_fails_for_a_moment_loses_no_job(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "_RESCAN", 0.02)
    bench.gate.set()
    original, failures = bench.store.take_job, [StorageFailed("disk full"), StorageFailed("disk full")]

    async def take_job(*args: object) -> Job | None:
        if failures:
            raise failures.pop()
        return await original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.store, "take_job", take_job)
    runner = bench.runner()
    await runner.start()
    jobs = [bench.job(), bench.job()]
    for job in jobs:
        await runner.submit(job)
    for job in jobs:
        assert (await bench.ended(runner, job)).job.state == "completed"
    await runner.stop()


async def test_progress_never_goes_back_nor_tells_the_end_before_it_comes(bench: Bench) -> None:
    progress = RunProgress(bench.store, bench.job())
    seen = []
    for fraction in (0.1, 0.5, 0.3, 1.0, 5.0, -1.0):
        progress.report(fraction)
        seen.append(progress.fraction)
    assert seen == [0.1, 0.5, 0.5, 0.99, 0.99, 0.99]


async def test_ended_records_are_forgotten_in_time(bench: Bench) -> None:
    bench.gate.set()
    runner = bench.runner(replace(POLICY, job_ttl=100.0))
    await runner.start()
    job = bench.job()
    await runner.submit(job)
    await bench.ended(runner, job)
    bench.clock.advance(99)
    assert await runner.sweep() == 0
    bench.clock.advance(1)
    with pytest.raises(NotFound):
        await runner.view(PROJECT, job.id)
    assert await runner.sweep() == 1
    await runner.stop()
