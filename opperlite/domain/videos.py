"""Videos, and images on request: accepted after every check, then made by a job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from opperlite.domain.errors import NotSupported, ProviderFailed, SourceUnusable, ValidationFailed
from opperlite.domain.ids import new_id
from opperlite.domain.images import ImageMaker, image_sources
from opperlite.domain.jobs import Jobs, RunProgress
from opperlite.domain.models import Model, plan_video, settle_image, settle_video
from opperlite.domain.outputs import Studio, media_of
from opperlite.domain.ports import LocalPath, Made, Previewer, PreviewVariant, Sources
from opperlite.domain.sources import Local, copy_blob
from opperlite.domain.types import (
    File,
    ImagePlan,
    ImageRequest,
    Job,
    Project,
    Source,
    VideoPlan,
    VideoRequest,
    Warning,
)


class Order(Struct, frozen=True):
    """A work order as kept in a job's row: one plan, and the blobs it reads by field.

    `remix_of` is the job whose video this one changes.
    """

    video: VideoPlan | None = None
    image: ImagePlan | None = None
    inputs: dict[str, tuple[str, ...]] = {}
    remix_of: str | None = None


def order_of(job: Job) -> Order:
    """A job's work order."""
    return msgspec.msgpack.decode(job.order, type=Order)


class VideoMaker:
    """Accepts generations that outlive their request."""

    def __init__(self, studio: Studio, jobs: Jobs, images: ImageMaker) -> None:
        self._studio = studio
        self._jobs = jobs
        self._images = images

    async def submit(
        self, project: Project, request: VideoRequest, *, store: bool | None, remix_of: str | None = None
    ) -> Job:
        """A queued job, after every rule that can be checked now; raises what `models.plan_video` raises."""
        studio = self._studio
        model, warnings = studio.model(request.model, "video")
        plan = plan_video(model, request)
        fields = {"image": request.image, "video": request.video, "reference_images": request.reference_images}
        async with studio.submitted(project, fields, plan) as inputs:
            plan = settle_video(model, plan, media_of(inputs))
            if request.extension is not None:
                plan = extended(plan, inputs, request.extension)
            warnings += fitted(inputs, plan)
            order = Order(video=plan, remix_of=remix_of)
            return await self._enqueue(project, (model, request.model), order, inputs, store, warnings)

    async def submit_image(self, project: Project, request: ImageRequest, *, store: bool | None) -> Job:
        """A queued job for a single image."""
        studio = self._studio
        if request.n != 1:
            raise ValidationFailed("An asynchronous call makes one image", field="n", allowed=[1])
        model, warnings = self._images.checked(request, store, inline=True)
        plan = self._images.plan(model, request)
        async with studio.submitted(project, image_sources(request), plan) as inputs:
            plan = settle_image(model, plan, media_of(inputs))
            order = Order(image=plan)
            return await self._enqueue(project, (model, request.model), order, inputs, store, warnings)

    async def remix(self, project: Project, job_id: str, request: VideoRequest, *, store: bool | None) -> Job:
        """A queued job that changes, or extends, the video of a completed one; raises NotFound, ValidationFailed."""
        source = await self.made(project, job_id)
        video = Source("blob", source.sha256, "video")
        return await self.submit(project, replace(request, video=video), store=store, remix_of=job_id)

    async def made(self, project: Project, job_id: str) -> File:
        """The file of a completed job; raises NotFound, and ValidationFailed while there is none."""
        view = await self._jobs.view(project, job_id)
        if view.file is None:
            state = "failed" if view.job.state == "failed" else "not finished yet"
            raise ValidationFailed(f"This video has no content: its job is {state}", field="video_id")
        return view.file

    async def preview(self, file: File, variant: PreviewVariant) -> tuple[bytes, str]:
        """A small picture of a video, and its MIME type; raises NotSupported where the provider makes none."""
        studio = self._studio
        if not isinstance(studio.provider, Previewer):
            raise NotSupported(f"This server makes no {variant}; ask for the video itself", field="variant")
        blobs = studio.files.blobs
        async with blobs.workspace() as workspace:
            with blobs.hold(file.sha256):
                if isinstance(blobs, LocalPath):
                    path = blobs.local_path(file.sha256)
                else:
                    path = await copy_blob(studio.files, file.sha256, workspace)
                made = (await studio.provider.preview(path, variant, 1, workspace))[0]
            return await asyncio.to_thread(made.path.read_bytes), made.media.mime_type

    async def _enqueue(
        self,
        project: Project,
        model: tuple[Model, str],
        order: Order,
        inputs: Mapping[str, tuple[Local, ...]],
        store: bool | None,
        warnings: tuple[Warning, ...],
    ) -> Job:
        """Make the inputs durable, hold them until the row names them, write the row, schedule.

        `model` comes with the name by which the caller knows it.
        """
        async with self._adopting() as adopted, AsyncExitStack() as held:
            names = {
                field: tuple([await self._durable(local, held, adopted) for local in locals_])
                for field, locals_ in inputs.items()
            }
            job = Job(
                id=new_id("gen"),
                project_id=project.id,
                kind="video" if order.video is not None else "image",
                model=model[1],
                provider=model[0].provider,
                order=msgspec.msgpack.encode(replace(order, inputs=names)),
                state="queued",
                created_at=self._studio.clock.now(),
                store=self._studio.policy.store_default if store is None else store,
                inputs=tuple(sorted({sha256 for group in names.values() for sha256 in group})),
                warnings=warnings,
            )
            job = await self._jobs.submit(job)
            if not job.ended:
                adopted.clear()
        return job

    async def _durable(self, local: Local, held: AsyncExitStack, adopted: list[str]) -> str:
        if local.sha256 is not None:
            return local.sha256
        blob = await held.enter_async_context(self._studio.files.blobs.adopt(local.path))
        adopted.append(blob.sha256)
        return blob.sha256

    @asynccontextmanager
    async def _adopting(self) -> AsyncIterator[list[str]]:
        """The blobs that this order alone brought; those still listed at the end go, as nothing names them."""
        adopted: list[str] = []
        try:
            yield adopted
        finally:
            for sha256 in adopted:
                await self._studio.files.drop_blob(sha256)


def extended(plan: VideoPlan, inputs: Mapping[str, tuple[Local, ...]], seconds: float) -> VideoPlan:
    """A settled edit, made into its source and `seconds` more; raises ValidationFailed without a source."""
    if not inputs.get("video"):
        raise ValidationFailed("An extension needs the video that it goes on from", field="video")
    fps = plan.fps or 24.0
    kept, added = round((inputs["video"][0].media.duration or 0.0) * fps), max(1, round(seconds * fps))
    return replace(plan, frames=kept + added, extension=added)


def fitted(inputs: Mapping[str, tuple[Local, ...]], plan: VideoPlan) -> tuple[Warning, ...]:
    """A warning where the picture that a clip begins with is resized to the clip: no silent change."""
    for local in inputs.get("image", ()):
        found = (local.media.width, local.media.height)
        if local.media.stored and found != (plan.width, plan.height):
            return (
                Warning(
                    "source_resized",
                    f"The image is {found[0]}x{found[1]}; it was fitted to {plan.width}x{plan.height}, edges cut",
                    {"field": "image", "from": f"{found[0]}x{found[1]}", "to": f"{plan.width}x{plan.height}"},
                ),
            )
    return ()


class Performer:
    """Carries out a job's work order."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    async def __call__(self, job: Job, workspace: Path, progress: RunProgress) -> Made:
        order = order_of(job)
        sources = await self._sources(order, workspace)
        if order.image is not None:
            return (await self._studio.provider.images(order.image, sources, workspace))[0]
        assert order.video is not None
        if order.video.late_failure is not None:
            raise ProviderFailed(order.video.late_failure)
        return await self._studio.provider.video(order.video, sources, workspace, progress, job.checkpoint)

    async def _sources(self, order: Order, workspace: Path) -> Sources:
        paths = {
            field: tuple([await self._path(sha256, workspace) for sha256 in group])
            for field, group in order.inputs.items()
        }

        def one(field: str) -> Path | None:
            return paths[field][0] if paths.get(field) else None

        return Sources(one("image"), one("mask"), one("video"), paths.get("reference_images", ()))

    async def _path(self, sha256: str, workspace: Path) -> Path:
        blobs = self._studio.files.blobs
        if await blobs.size(sha256) is None:
            raise SourceUnusable("A source of this job is gone")
        return (
            blobs.local_path(sha256)
            if isinstance(blobs, LocalPath)
            else await copy_blob(self._studio.files, sha256, workspace)
        )
