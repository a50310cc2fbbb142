"""`/v3/videos`, and the artifacts that its jobs become."""

from __future__ import annotations

from opperlite.api.calls import Call
from opperlite.api.images import accepted, source_of, sources_of
from opperlite.api.replies import Reply, json_reply
from opperlite.api.schemas import ArtifactItem, ArtifactList, ArtifactStatus, VideoRequest, moment, warnings_of
from opperlite.domain import types
from opperlite.domain.errors import NotFound, ValidationFailed
from opperlite.domain.files import Files
from opperlite.domain.jobs import JobView

DEFAULT_LIMIT, MAX_LIMIT = 20, 100
_STATES: dict[str, tuple[types.JobState, ...]] = {
    "": (),
    "processing": ("queued", "running"),
    "completed": ("completed",),
    "failed": ("failed",),
}
_KINDS: dict[str, types.JobKind | None] = {"": None, "image": "image", "video": "video"}
_POLL_AFTER = {"Retry-After": "1"}


async def create(call: Call) -> Reply:
    """Accept a video to be made; poll the `status_url` for the result."""

    async def run() -> Reply:
        wire = await call.json(VideoRequest)
        request = types.VideoRequest(
            model=wire.model,
            prompt=wire.prompt,
            image=source_of(wire.image, "image"),
            video=source_of(wire.video, "video"),
            reference_images=sources_of(wire.reference_images),
            parameters=wire.parameters or {},
        )
        job = await call.services.videos.submit(call.project, request, store=wire.store)
        return call.made(accepted(call, job), 202)

    return await call.once(call.body_fingerprint, run)


async def status(call: Call) -> Reply:
    """How a job stands; a completed one has a fresh signed URL."""
    view = await call.services.jobs.view(call.project, call.path("artifact_id"))
    shown = status_of(view, call.services.files, call.base)
    return call.made(shown, headers=_POLL_AFTER if shown.status == "processing" else None)


async def list_artifacts(call: Call) -> Reply:
    """The project's jobs, newest first (an addition of this server)."""
    limit = call.number("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    before = call.text("before")
    try:
        views = await call.services.jobs.page(
            call.project,
            states=_STATES[call.choice("status", tuple(_STATES)) or ""],
            kind=_KINDS[call.choice("type", tuple(_KINDS)) or ""],
            limit=limit + 1,
            before=before,
        )
    except NotFound:
        raise ValidationFailed(f"before names no job of this project: {before!r:.80}", field="before") from None
    return json_reply(ArtifactList([item_of(view) for view in views[:limit]], len(views) > limit))


async def cancel(call: Call) -> Reply:
    """Stop a job (an addition of this server). One that has ended stays as it is."""

    async def run() -> Reply:
        view = await call.services.jobs.cancel(call.project, call.path("artifact_id"))
        return call.made(status_of(view, call.services.files, call.base))

    return await call.once(call.path_fingerprint, run)


def item_of(view: JobView) -> ArtifactItem:
    """A job for a list."""
    job = view.job
    ended = job.state in ("completed", "failed")
    return ArtifactItem(
        id=job.id,
        type=job.kind,
        status="processing" if not ended else "completed" if job.state == "completed" else "failed",
        provider=job.provider,
        model=job.model,
        created_at=moment(job.created_at),
        finished_at=moment(job.finished_at) if job.finished_at is not None else None,
        mime_type=job.mime_type,
        file_id=job.file_id if job.file_id and job.file_id.startswith("file_") else None,
        error=job.error,
        progress=None if ended else int(job.progress * 100),
        queue_position=view.position,
        cancelled=job.cancelled or None,
        warnings=warnings_of(job.warnings),
    )


def status_of(view: JobView, files: Files, base: str) -> ArtifactStatus:
    """A job for the wire."""
    job = view.job
    if job.state == "completed" and view.file is not None:
        return ArtifactStatus(
            id=job.id,
            status="completed",
            provider=job.provider,
            model=job.model,
            mime_type=view.file.mime_type,
            url=files.link(base, view.file.id),
            file_id=view.file.id if view.file.kind != "temporary" else None,
            warnings=warnings_of(job.warnings),
        )
    if job.state == "failed":
        return ArtifactStatus(
            id=job.id,
            status="failed",
            provider=job.provider,
            model=job.model,
            error=job.error or "the generation failed",
            cancelled=job.cancelled or None,
            warnings=warnings_of(job.warnings),
        )
    return ArtifactStatus(
        id=job.id,
        status="processing",
        provider=job.provider,
        model=job.model,
        progress=int(job.progress * 100),
        queue_position=view.position,
    )
