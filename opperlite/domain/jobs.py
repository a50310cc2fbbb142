"""Jobs: generations that outlive their request.

The row is the truth: it is written before anything is scheduled, taken by compare-and-set under a lease that is renewed
while the work goes on, and ended together with its file in one step. The queue only carries ids. What runs is also kept
in memory, so that a poll of a live job asks no disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from opperlite.domain.errors import NotFound, OpperliteError, QuotaExceeded
from opperlite.domain.files import Files, skipped
from opperlite.domain.ids import new_id
from opperlite.domain.outputs import named
from opperlite.domain.ports import Clock, JobQueue, Made, MetadataStore
from opperlite.domain.types import BlobRef, File, Job, JobKind, JobState, Policy, Project, Warning

log = logging.getLogger("opperlite.jobs")

_RESCAN = 15.0
_IDLE_RENEWAL = 1.0

Perform = Callable[[Job, Path, "RunProgress"], Awaitable[Made]]


class JobView(Struct, frozen=True):
    """A job as its owner sees it: `file` once completed, `position` while others wait before it."""

    job: Job
    file: File | None = None
    position: int | None = None


class RunProgress:
    """`ports.Progress` of one running job."""

    def __init__(self, store: MetadataStore, job: Job) -> None:
        self._store = store
        self._job = job
        self.fraction = 0.0

    def report(self, fraction: float) -> None:
        self.fraction = max(self.fraction, min(fraction, 0.99))

    async def checkpoint(self, note: str) -> None:
        assert self._job.owner is not None
        await self._store.save_checkpoint(self._job.id, self._job.owner, note)


class _Live:
    """A job that has not ended, in memory: its row as last seen, its progress, its task once it runs."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.progress: RunProgress | None = None
        self.task: asyncio.Task[None] | None = None


class Jobs:
    """The runner: takes jobs, bounded in number, and sees each to its end."""

    def __init__(
        self, store: MetadataStore, queue: JobQueue, files: Files, clock: Clock, policy: Policy, perform: Perform
    ) -> None:
        self._store = store
        self._queue = queue
        self._files = files
        self._clock = clock
        self._policy = policy
        self._perform = perform
        self._owner = new_id("run")
        self._live: dict[str, _Live] = {}
        self._takers: list[asyncio.Task[None]] = []
        self._idle: set[asyncio.Task[None]] = set()
        self._taking: set[str] = set()
        self._rescanner: asyncio.Task[None] | None = None
        self._stopping = False

    # ------------------------------------------------------------------------------------- for callers

    async def submit(self, job: Job) -> Job:
        """Write the row, unless an earlier attempt has, then schedule it; the job as it stands.

        Raises TooManyRequests.
        """
        job = await self._store.add_job(job, self._policy.max_queued_jobs)
        if job.state == "queued":
            self._live.setdefault(job.id, _Live(job))
            await self._queue.put(job.id)
        return job

    async def view(self, project: Project, job_id: str) -> JobView:
        """The job as it stands; raises NotFound, also for a completed one whose file is gone."""
        live = self._live.get(job_id)
        if live is not None and live.job.project_id == project.id:
            return JobView(self._as_it_runs(live.job), position=self._position(live.job))
        stored = await self._store.job(project.id, job_id)
        if stored is None or self._forgotten(stored):
            raise NotFound(f"No job {job_id[:64]!r} in this project")
        if stored.state != "completed":
            return JobView(stored, position=self._position(stored))
        file = await self._store.linked_file(stored.file_id or "", self._clock.now())
        if file is None:
            raise NotFound("The result of this job has expired or been deleted")
        return JobView(stored, file)

    def _forgotten(self, job: Job) -> bool:
        return job.finished_at is not None and job.finished_at + self._policy.job_ttl <= self._clock.now()

    async def page(
        self,
        project: Project,
        *,
        states: Sequence[JobState] = (),
        kind: JobKind | None = None,
        limit: int = 20,
        before: str | None = None,
        oldest_first: bool = False,
    ) -> Sequence[JobView]:
        """The project's jobs, newest first unless `oldest_first`, behind `before`; without their files.

        Raises NotFound where no job is named `before`: an empty page would look like the end of the list.
        """
        if before is not None and await self._store.job(project.id, before) is None:
            raise NotFound(f"No job {before[:64]!r} in this project")
        jobs = await self._store.jobs(
            project.id,
            states=states,
            kind=kind,
            limit=limit,
            before=before,
            oldest_first=oldest_first,
            ended_after=self._clock.now() - self._policy.job_ttl,
        )
        return [JobView(self._as_it_runs(job), position=self._position(job)) for job in jobs]

    def _as_it_runs(self, job: Job) -> Job:
        live = self._live.get(job.id)
        return job if live is None or live.progress is None else replace(job, progress=live.progress.fraction)

    def _position(self, job: Job) -> int | None:
        return self._queue.waiting(job.id) if job.state == "queued" else None

    async def cancel(self, project: Project, job_id: str) -> JobView:
        """End a job and stop its work; one that has ended stays as it is. Raises NotFound."""
        job = await self._store.cancel_job(project.id, job_id, self._clock.now())
        if job is None or self._forgotten(job):
            raise NotFound(f"No job {job_id[:64]!r} in this project")
        live = self._live.pop(job_id, None)
        self._taking.discard(job_id)
        if live is not None:
            if live.task is not None:
                live.task.cancel()
            await self._drop_inputs(job)
        return await self.view(project, job_id) if job.state == "completed" else JobView(job)

    async def delete(self, project: Project, job_id: str) -> None:
        """Forget a job, its work and its result; raises NotFound."""
        job = (await self.cancel(project, job_id)).job
        if job.file_id is not None:
            await self._store.end_file(project.id, job.file_id, self._clock.now())
        await self._store.delete_job(project.id, job_id)

    # ------------------------------------------------------------------------------------ start and stop

    async def start(self) -> None:
        """Recover what an earlier process left, then run."""
        await self._store.reset_leases()
        await self._rescan()
        self._takers = [
            asyncio.create_task(self._take_forever(), name=f"jobs-{number}") for number in range(self._policy.jobs)
        ]
        self._rescanner = asyncio.create_task(self._rescan_forever(), name="jobs-rescan")

    async def stop(self) -> None:
        """Finish what runs within the grace time; put the rest back as if it had never been taken."""
        self._stopping = True
        rescanner = [self._rescanner] if self._rescanner is not None else []
        for task in (*self._idle, *rescanner):
            task.cancel()
        if self._takers:
            await asyncio.wait(self._takers, timeout=self._policy.shutdown_grace)
        for live in self._live.values():
            if live.task is not None:
                live.task.cancel()
        await asyncio.gather(*self._takers, *rescanner, return_exceptions=True)

    @property
    def running(self) -> int:
        """How many jobs are being worked on."""
        return sum(live.task is not None for live in self._live.values())

    @property
    def waiting(self) -> int:
        """How many jobs wait for their turn."""
        return len(self._queue)

    async def _rescan(self) -> None:
        for job_id in await self._store.unfinished_jobs(self._clock.now()):
            live = self._live.get(job_id)
            if live is None or live.task is None:
                await self._queue.put(job_id)

    async def _rescan_forever(self) -> None:
        while True:
            await asyncio.sleep(_RESCAN)
            try:
                await self._rescan()
            except OpperliteError as error:
                log.error("looking for waiting jobs failed: %s", error)

    # --------------------------------------------------------------------------------------- the work

    async def _take_forever(self) -> None:
        taker = asyncio.current_task()
        assert taker is not None
        while not self._stopping:
            self._idle.add(taker)
            job_id = await self._queue.get()
            self._idle.discard(taker)
            try:
                await self._take(job_id)
            except OpperliteError as error:
                log.error("job %s could not be taken: %s", job_id, error)

    async def _take(self, job_id: str) -> None:
        now, policy = self._clock.now(), self._policy
        self._taking.add(job_id)
        try:
            job = await self._store.take_job(job_id, self._owner, now, now + policy.job_lease, policy.job_attempts)
            wanted = job_id in self._taking
        finally:
            self._taking.discard(job_id)
        if job is None or not wanted:  # ended, or cancelled while it was taken
            self._live.pop(job_id, None)
            return
        if self._stopping:
            await self._store.release_job(job_id, self._owner)
            return
        live = self._live.setdefault(job_id, _Live(job))
        live.job, live.progress = job, RunProgress(self._store, job)
        live.task = asyncio.create_task(self._run(job, live.progress), name=f"job {job_id}")
        await asyncio.wait([live.task])
        if live.task.cancelled() and not self._stopping:
            log.info("job %s was cancelled", job_id)
        elif not live.task.cancelled() and (error := live.task.exception()) is not None:
            log.error("job %s broke the runner", job_id, exc_info=error)
        self._live.pop(job_id, None)

    async def _run(self, job: Job, progress: RunProgress) -> None:
        work = asyncio.current_task()
        assert work is not None
        lease = asyncio.create_task(self._keep_lease(job, work))
        try:
            async with self._files.blobs.workspace() as workspace:
                made = await self._perform(job, workspace, progress)
                ending = asyncio.create_task(self._end_completed(job, made))
                try:
                    await asyncio.shield(ending)
                finally:  # what is done is soon kept, or dropped if it was cancelled meanwhile: not left half-way
                    await asyncio.wait([ending])
        except asyncio.CancelledError:
            await asyncio.shield(self._store.release_job(job.id, self._owner))
            raise
        except OpperliteError as error:
            await self._end_failed(job, error.message)
        except Exception:
            log.exception("job %s failed inside the server", job.id)
            await self._end_failed(job, "internal error; the server's log names the cause")
        finally:
            lease.cancel()

    async def _keep_lease(self, job: Job, work: asyncio.Task[None]) -> None:
        """Renew the lease while the work goes on; stop the work when the job is no longer ours."""
        assert job.owner is not None
        while True:
            await asyncio.sleep(min(_IDLE_RENEWAL * 10, self._policy.job_lease / 3))
            with suppress(OpperliteError):
                if not await self._store.renew_lease(job.id, job.owner, self._clock.now() + self._policy.job_lease):
                    work.cancel()
                    return

    async def _end_completed(self, job: Job, made: Made) -> None:
        project = await self._store.project(job.project_id)
        assert project is not None
        reason = "zero_data_retention" if job.store and project.zero_data_retention else None
        kept: BlobRef | None = None
        try:
            async with self._files.blobs.adopt(made.path) as kept:
                for kind in ("generated", "temporary") if job.store and not reason else ("temporary",):
                    file = self._files.describe(project, kept, made.media.mime_type, named(job.id, made.media), kind)
                    ended = self._ended(job, file, (skipped(reason),) if reason else ())
                    try:
                        if not await self._store.end_job(ended, file, self._clock.now()):
                            log.info("job %s was ended by somebody else", job.id)
                        break
                    except QuotaExceeded:
                        reason = "quota_exceeded"
        finally:
            if kept is not None:
                await self._files.drop_blob(kept.sha256)  # only if the row was not written
        await self._drop_inputs(job)

    def _ended(self, job: Job, file: File, warnings: tuple[Warning, ...]) -> Job:
        return replace(
            job,
            state="completed",
            progress=1.0,
            file_id=file.id,
            mime_type=file.mime_type,
            warnings=(*job.warnings, *warnings),
            finished_at=self._clock.now(),
        )

    async def _end_failed(self, job: Job, message: str) -> None:
        failed = replace(job, state="failed", error=message, finished_at=self._clock.now())
        await self._store.end_job(failed, None, self._clock.now())
        await self._drop_inputs(job)

    async def _drop_inputs(self, job: Job) -> None:
        for sha256 in job.inputs:
            await self._files.drop_blob(sha256)

    async def sweep(self) -> int:
        """Forget jobs whose records have lived long enough; how many."""
        return await self._store.expired_jobs(self._clock.now() - self._policy.job_ttl, 10_000)
