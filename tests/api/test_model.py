"""The whole API against a model in memory: a hypothesis state machine of random calls, clock moves and restarts.

The long profile (`HYPOTHESIS_PROFILE=long`) runs hundreds of long ones at random.
"""

from __future__ import annotations

import asyncio
import base64
import shutil
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from opperlite.domain.ports import Made, Progress, Sources
from opperlite.domain.types import OrganisationChanges, ProjectChanges, VideoPlan
from tests.api.conftest import World, world_of
from tests.fakes import NOW, QuickProvider, png
from tests.truth import faults, orphans

T = TypeVar("T")

LONG = settings.get_current_profile_name() == "long"
TOKENS = ("one", "two")
UPLOAD_TTL, GENERATED_TTL, JOB_TTL = 1000.0, 300.0, 400.0
QUOTA_BYTES, QUOTA_FILES = 1500, 6
RULES = {
    "upload_ttl": UPLOAD_TTL,
    "generated_ttl": GENERATED_TTL,
    "job_ttl": JOB_TTL,
    "temporary_ttl": 200.0,
    "quota_bytes": QUOTA_BYTES,
    "quota_files": QUOTA_FILES,
    "orphan_grace": -1e10,
    "max_queued_jobs": 3,
    "shutdown_grace": 0.01,  # a stop does not wait for what is held
}
NOTES = st.integers(0, 4)
IMAGE = {"model": "local/image", "size": "64x64"}
VIDEO = {"model": "openai/sora-2", "prompt": "a kite"}


@dataclass
class FileModel:
    data: bytes | None  # None where the bytes are the provider's
    size: int
    expires: float


@dataclass
class JobModel:
    state: str = "processing"
    ended: float = 0.0
    file: str | None = None
    warned: bool = False
    store: bool = True
    expires: float = 0.0


@dataclass
class ProjectModel:
    token: str
    files: dict[str, FileModel] = field(default_factory=dict)  # in the order of their making
    jobs: dict[str, JobModel] = field(default_factory=dict)
    keys: dict[str, tuple[bytes, httpx.Response]] = field(default_factory=dict)
    zero_data_retention: bool = False
    quota_files: int = QUOTA_FILES


class HeldProvider(QuickProvider):
    """Videos wait while they are held; images do not."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = asyncio.Event()

    async def video(
        self, plan: VideoPlan, sources: Sources, workspace: Path, progress: Progress, checkpoint: str | None
    ) -> Made:
        await self.let_go.wait()
        return await super().video(plan, sources, workspace, progress, checkpoint)


class Api(RuleBasedStateMachine):
    """What the server is asked, and what it should say."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="opperlite-"))
        self.projects = {token: ProjectModel(token) for token in TOKENS}
        self.now = NOW
        self.provider = HeldProvider()
        self.world: World
        self.stack: AsyncExitStack

    @initialize()
    def start(self) -> None:
        async def enter() -> None:
            self.stack = AsyncExitStack()
            folder = self.folder / "data"
            self.world = await self.stack.enter_async_context(world_of(folder, policy=RULES, provider=self.provider))
            self.world.clock.advance(self.now - NOW)

        self.runner.run(enter())

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.runner.run(self.stack.aclose())
        self.runner.close()
        shutil.rmtree(self.folder)

    def ask(self, token: str, method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            async with self.world.client_of(token) as client:
                return await client.request(method, path, **options)

        return self.runner.run(send())

    # ------------------------------------------------------------------------------------- the model

    def live(self, project: ProjectModel) -> dict[str, FileModel]:
        return {id: file for id, file in project.files.items() if file.expires > self.now}

    def fits(self, project: ProjectModel, size: int) -> bool:
        live = self.live(project).values()
        return sum(file.size for file in live) + size <= QUOTA_BYTES and len(live) < project.quota_files

    # ----------------------------------------------------------------------------------------- rules

    @rule(token=st.sampled_from(TOKENS), note=NOTES, ttl=st.sampled_from([None, 50, 5000]), key=st.sampled_from("-ab"))
    def upload(self, token: str, note: int, ttl: int | None, key: str) -> None:
        project, data = self.projects[token], png(note="x" * (note * 100))
        headers = {"Idempotency-Key": key} if key != "-" else {}
        asked = data + str(ttl).encode()
        reply = self.ask(
            token,
            "POST",
            "/v3/files",
            files={"file": ("a.png", data)},
            data={} if ttl is None else {"ttl_seconds": str(ttl)},
            headers=headers,
        )
        if headers and key in project.keys:
            before, first = project.keys[key]
            assert reply.status_code == (first.status_code if before == asked else 422)
            assert before != asked or reply.content == first.content
            return
        if project.zero_data_retention:
            assert reply.json()["status"] == "skipped"
        elif self.fits(project, len(data)):
            assert reply.status_code == 200, reply.text
            expires = self.now + min(UPLOAD_TTL, ttl or UPLOAD_TTL)
            project.files[reply.json()["id"]] = FileModel(data, len(data), expires)
        else:
            assert reply.status_code == 413, reply.text
        if headers and reply.status_code == 200:
            project.keys[key] = (asked, reply)

    @rule(token=st.sampled_from(TOKENS), n=st.integers(1, 3), store=st.booleans())
    def image(self, token: str, n: int, store: bool) -> None:
        project = self.projects[token]
        reply = self.ask(token, "POST", "/v3/images", json=IMAGE | {"prompt": str(n), "n": n, "store": store})
        assert reply.status_code == 200, reply.text
        warned = []
        for index, item in enumerate(reply.json()["data"]):
            data = base64.b64decode(item["b64_json"])
            if store and not project.zero_data_retention and self.fits(project, len(data)):
                project.files[item["file_id"]] = FileModel(data, len(data), self.now + GENERATED_TTL)
            else:
                assert "file_id" not in item
                warned += [index] if store else []
        assert [one["details"]["index"] for one in reply.json().get("warnings", [])] == warned

    @rule(token=st.sampled_from(TOKENS), store=st.booleans())
    def video(self, token: str, store: bool) -> None:
        """It is held, so that a job stays in progress until it is let go or cancelled."""
        self.provider.let_go.clear()
        project = self.projects[token]
        reply = self.ask(token, "POST", "/v3/videos", json=VIDEO | {"store": store})
        waiting = [job for job in project.jobs.values() if job.state == "processing"]
        if len(waiting) >= RULES["max_queued_jobs"]:
            assert reply.status_code == 429
            return
        assert reply.status_code == 202, reply.text
        project.jobs[reply.json()["id"]] = JobModel(store=store)

    @rule()
    def let_go(self) -> None:
        """Every job ends; which of them still fit the quota is told by their own order, so the model follows it."""
        self.provider.let_go.set()
        for project in self.projects.values():
            for job_id, job in project.jobs.items():
                if job.state == "processing":
                    self._ended(project, job_id, job)

    def _ended(self, project: ProjectModel, job_id: str, job: JobModel) -> None:
        async def wait() -> dict[str, Any]:
            async with self.world.client_of(project.token) as client:
                for _ in range(1000):
                    shown: dict[str, Any] = (await client.get(f"/v3/artifacts/{job_id}/status")).json()
                    if shown["status"] != "processing":
                        return shown
                    await asyncio.sleep(0.002)
            raise AssertionError(f"{job_id} does not end")

        shown = self.runner.run(wait())
        assert shown["status"] == "completed", shown
        job.state, job.ended, job.file = "completed", self.now, shown.get("file_id")
        job.expires = self.now + (GENERATED_TTL if job.file else RULES["temporary_ttl"])
        assert not (job.file and (not job.store or project.zero_data_retention))
        assert bool(shown.get("warnings")) == (job.store and job.file is None)
        if job.file is not None:
            size = self.ask(project.token, "GET", f"/v3/files/{job.file}").json()["bytes"]
            project.files[job.file] = FileModel(None, size, job.expires)

    @rule(token=st.sampled_from(TOKENS), choice=st.integers(0, 9))
    def cancel(self, token: str, choice: int) -> None:
        project = self.projects[token]
        if not project.jobs:
            return
        job_id = list(project.jobs)[choice % len(project.jobs)]
        job = project.jobs[job_id]
        reply = self.ask(token, "POST", f"/v3/artifacts/{job_id}/cancel")
        if self._forgotten(project, job):
            assert reply.status_code == 404, reply.text
        elif job.state == "processing":
            assert reply.json()["cancelled"] is True
            job.state, job.ended = "failed", self.now
        else:
            assert reply.json()["status"] == job.state

    def _forgotten(self, project: ProjectModel, job: JobModel) -> bool:
        if job.state == "processing":
            return False
        gone = job.state == "completed" and (job.expires <= self.now or (job.file and job.file not in project.files))
        return job.ended + JOB_TTL <= self.now or bool(gone)

    @rule(token=st.sampled_from(TOKENS), choice=st.integers(0, 9))
    def delete(self, token: str, choice: int) -> None:
        project = self.projects[token]
        if not project.files:
            return
        file_id = list(project.files)[choice % len(project.files)]
        there = file_id in self.live(project)
        other = TOKENS[1 - TOKENS.index(token)]
        assert self.ask(other, "DELETE", f"/v3/files/{file_id}").status_code == 404
        assert self.ask(token, "DELETE", f"/v3/files/{file_id}").status_code == (204 if there else 404)
        assert self.ask(token, "GET", f"/v3/files/{file_id}").status_code == 404
        del project.files[file_id]

    @rule(seconds=st.sampled_from([1, 60, 250, 500]))
    def move_the_clock(self, seconds: float) -> None:
        self.now += seconds
        self.world.clock.advance(seconds)

    @rule(token=st.sampled_from(TOKENS), on=st.booleans())
    def retain_nothing(self, token: str, on: bool) -> None:
        """Holds within a tenth of a second (`Projects._refresh`)."""
        if on != self.projects[token].zero_data_retention:
            self._change(token, ProjectChanges(zero_data_retention=on))
            self.projects[token].zero_data_retention = on
            self.runner.run(asyncio.sleep(0.11))

    @rule(token=st.sampled_from(TOKENS), files=st.sampled_from([2, QUOTA_FILES]))
    def change_the_quota(self, token: str, files: int) -> None:
        self._change(token, OrganisationChanges(quota_files=files))
        self.projects[token].quota_files = files

    def _change(self, token: str, changes: ProjectChanges | OrganisationChanges) -> None:
        async def change() -> None:
            services = self.world.services
            project = await services.projects.authenticate(token)
            if isinstance(changes, ProjectChanges):
                await services.store.change_project(project.id, changes)
            else:
                await services.store.change_organisation(project.organisation_id, changes)

        self.runner.run(change())

    @rule()
    def sweep(self) -> None:
        async def work() -> None:
            await self.world.services.sweep()
            await self.world.services.files.sweep_orphans()

        self.runner.run(work())
        for project in self.projects.values():
            project.files = self.live(project)

    @rule()
    def restart(self) -> None:
        """What is in progress is put back, and goes on from the row."""
        self.runner.run(self.stack.aclose())
        self.start()

    # ------------------------------------------------------------------------------------ invariants

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def every_list_and_counter_is_true(self) -> None:
        for token, project in self.projects.items():
            live = self.live(project)
            page = self.ask(token, "GET", "/v3/files?limit=100").json()
            assert [file["id"] for file in page["data"]] == list(live)[::-1]
            assert page["meta"]["total"] == len(live)
            for job_id, job in project.jobs.items():
                reply = self.ask(token, "GET", f"/v3/artifacts/{job_id}/status")
                if self._forgotten(project, job):
                    assert reply.status_code == 404, reply.text
                else:
                    assert reply.json()["status"] == job.state
        assert faults(self.world.folder) == []

    @rule(token=st.sampled_from(TOKENS), choice=st.integers(0, 9))
    def read_back(self, token: str, choice: int) -> None:
        project = self.projects[token]
        live = self.live(project)
        if not live:
            return
        file_id = list(live)[choice % len(live)]
        link = self.ask(token, "GET", f"/v3/files/{file_id}/content").json()["url"]
        data = self.ask(token, "GET", link).content
        assert len(data) == live[file_id].size
        assert live[file_id].data in (None, data)

    @rule()
    def nothing_is_left_over(self) -> None:
        self.let_go()
        self.sweep()
        for _ in range(100):
            if not orphans(self.world.folder):
                return
            self.runner.run(asyncio.sleep(0.01))
        raise AssertionError(orphans(self.world.folder))


TestApi = Api.TestCase
TestApi.settings = settings(
    max_examples=300 if LONG else 10,
    stateful_step_count=60 if LONG else 24,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
