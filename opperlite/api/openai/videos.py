"""`/v1/videos`: the same jobs as those of `/v3/videos`, and what they made."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from typing import Any

from litestar.types import ASGIApp
from msgspec.structs import replace

from opperlite.api.calls import Call, naming
from opperlite.api.downloads import Download
from opperlite.api.openai.bodies import Body, reference
from opperlite.api.openai.schemas import (
    CreateVideo,
    EditVideo,
    ExtendVideo,
    RemixVideo,
    Video,
    VideoDeleted,
    VideoError,
    VideoList,
)
from opperlite.api.replies import Reply, json_reply
from opperlite.domain import types
from opperlite.domain.errors import NotFound, NotSupported, ValidationFailed
from opperlite.domain.jobs import JobView
from opperlite.domain.models.bridging import clip_parameters
from opperlite.domain.ports import PreviewVariant
from opperlite.domain.videos import order_of

DEFAULT_LIMIT, MAX_LIMIT = 20, 100
DEFAULT_MODEL = "sora-2"  # VideoCreateParams: "Defaults to `sora-2`"
EXTENSIONS = ("4", "8", "12", "16", "20")  # VideoExtendParams
ORDERS = ("desc", "asc")
VARIANTS: dict[str, PreviewVariant | None] = {
    "video": None,
    "thumbnail": "thumbnail",
    "spritesheet": "spritesheet",
}
_POLL = {"OpenAI-Poll-After-Ms": "500"}
_SECONDS = re.compile(r"[0-9]{1,4}(\.[0-9]{1,3})?")


async def create(call: Call) -> Reply:
    """Accept a video to be made; retrieve it until it is completed or failed."""
    async with AsyncExitStack() as stack:
        body = Body(call, stack, ("input_reference",))

        async def run() -> Reply:
            wire = await body.read(CreateVideo)
            model = call.services.catalog.find(wire.model or DEFAULT_MODEL, "video")
            known = model.spec.parameters
            asked = {"seconds": None if wire.seconds is None else str(wire.seconds), "size": wire.size}
            own = {name: value for name, value in asked.items() if value is not None and name in known}
            seconds, size = (None if name in known else value for name, value in asked.items())
            bridged = clip_parameters(model, None if seconds is None else _number(seconds), size)
            request = types.VideoRequest(
                model=wire.model or DEFAULT_MODEL,
                prompt=wire.prompt,
                image=_image(wire, body),
                parameters={**body.rest(CreateVideo), **bridged, **own},
            )
            with naming({"image": "input_reference"}):
                job = await call.services.videos.submit(call.project, request, store=None)
            return call.made(video_of(JobView(job)), headers=_POLL)

        return await call.once(body.fingerprint, run)


def _image(wire: CreateVideo, body: Body) -> types.Source | None:
    if body.files.get("input_reference"):
        return body.files["input_reference"][0]
    if wire.input_reference is None:
        return None
    return reference(wire.input_reference, "input_reference")


async def remix(call: Call) -> Reply:
    """Make a completed video anew with another prompt."""
    async with AsyncExitStack() as stack:
        body = Body(call, stack)

        async def run() -> Reply:
            wire = await body.read(RemixVideo)
            return await _again(call, _id(call.path("video_id")), types.VideoRequest(model="", prompt=wire.prompt))

        return await call.once(body.fingerprint, run)


async def edit(call: Call) -> Reply:
    """Change a video, one that was made here or a file, as a prompt says."""
    return await _changed(call, EditVideo)


async def extend(call: Call) -> Reply:
    """Go on with a video, one that was made here or a file, for some seconds."""
    return await _changed(call, ExtendVideo)


async def _changed(call: Call, kind: type[EditVideo]) -> Reply:
    async with AsyncExitStack() as stack:
        body = Body(call, stack, ("video",))

        async def run() -> Reply:
            wire = await body.read(kind)
            request = types.VideoRequest(
                model=wire.model or "",
                prompt=wire.prompt,
                extension=_extension(wire) if isinstance(wire, ExtendVideo) else None,
                parameters=body.rest(kind),
            )
            if body.files.get("video"):
                source = body.files["video"][0]
                request = replace(request, model=wire.model or DEFAULT_MODEL, video=source)
                job = await call.services.videos.submit(call.project, request, store=None)
                return call.made(video_of(JobView(job)), headers=_POLL)
            if not isinstance(wire.video, dict) or not isinstance(wire.video.get("id"), str):
                raise ValidationFailed("video must be a file, or {id} of a completed video", field="video")
            return await _again(call, _id(wire.video["id"]), request)

        return await call.once(body.fingerprint, run)


async def _again(call: Call, job_id: str, request: types.VideoRequest) -> Reply:
    """A new job from the video of another, with its model unless one is named."""
    view = await call.services.jobs.view(call.project, job_id)
    request = request if request.model else replace(request, model=view.job.model)
    job = await call.services.videos.remix(call.project, job_id, request, store=None)
    return call.made(video_of(JobView(job)), headers=_POLL)


def _extension(wire: ExtendVideo) -> float:
    if str(wire.seconds) not in EXTENSIONS:
        raise ValidationFailed(
            f"Invalid value: {str(wire.seconds)[:40]!r}. Supported values are: {', '.join(EXTENSIONS)}.",
            field="seconds",
            allowed=list(EXTENSIONS),
        )
    return float(wire.seconds)


def _number(text: str) -> float:
    if not _SECONDS.fullmatch(text) or not float(text):
        raise ValidationFailed(f"seconds must be a number of seconds, not {text[:40]!r}", field="seconds")
    return float(text)


async def get_video(call: Call) -> Reply:
    """How a video stands."""
    view = await call.services.jobs.view(call.project, _id(call.path("video_id")))
    return call.made(video_of(_video(view)), headers=None if view.job.ended else _POLL)


async def list_videos(call: Call) -> Reply:
    """The project's videos, newest first unless `order` is asc."""
    limit = call.number("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    after = call.text("after")
    try:
        views = await call.services.jobs.page(
            call.project,
            kind="video",
            limit=limit + 1,
            before=None if after is None else _id(after),
            oldest_first=call.choice("order", ORDERS) == "asc",
        )
    except NotFound:
        raise ValidationFailed(f"after names no video of this project: {after!r:.80}", field="after") from None
    data = [video_of(view) for view in views[:limit]]
    return json_reply(
        VideoList(
            data=data,
            first_id=data[0].id if data else None,
            last_id=data[-1].id if data else None,
            has_more=len(views) > limit,
        )
    )


async def get_content(call: Call) -> ASGIApp:
    """A completed video's bytes, or a small picture of it."""
    variant = VARIANTS[call.choice("variant", tuple(VARIANTS)) or "video"]
    job_id = _id(call.path("video_id"))
    _video(await call.services.jobs.view(call.project, job_id))
    file = await call.services.videos.made(call.project, job_id)
    if variant is not None:
        data, mime_type = await call.while_connected(call.services.videos.preview(file, variant))
        return Reply(200, data, mime_type)
    return Download(call.services.files, file, "attachment")


async def delete_video(call: Call) -> Reply:
    """Forget a video: its job, its work if it is not done yet, and its file."""
    job_id = _id(call.path("video_id"))
    _video(await call.services.jobs.view(call.project, job_id))
    await call.services.jobs.delete(call.project, job_id)
    return json_reply(VideoDeleted(call.path("video_id")))


async def no_characters(call: Call) -> Reply:
    """Characters, which this server does not make."""
    raise NotSupported("Characters are not served here; describe them in the prompt, or send an input_reference")


def _id(video_id: str) -> str:
    """The job of a video: `video_…` and `gen_…` are two names of it."""
    return f"gen_{video_id.removeprefix('video_')}" if video_id.startswith("video_") else video_id


def _video(view: JobView) -> JobView:
    if view.job.kind != "video":
        raise NotFound(f"No video {view.job.id[:64]!r} in this project")
    return view


def video_of(view: JobView) -> Video:
    """A job for the wire."""
    job, order = view.job, order_of(view.job)
    plan = order.video
    assert plan is not None
    length = round((plan.frames or 0) / (plan.fps or 24.0), 3)
    failed = job.state == "failed"
    code = "cancelled" if job.cancelled else "generation_failed"
    states: dict[types.JobState, Any] = {"queued": "queued", "running": "in_progress"}
    return Video(
        id=_name(job.id),
        created_at=int(job.created_at),
        completed_at=None if job.finished_at is None else int(job.finished_at),
        expires_at=None if view.file is None else int(view.file.expires_at),
        model=job.model,
        progress=int(job.progress * 100),
        prompt=plan.prompt,
        seconds=f"{length:g}",
        size=f"{plan.width}x{plan.height}",
        status=states.get(job.state, job.state),
        error=VideoError(code, job.error or "the generation failed") if failed else None,
        remixed_from_video_id=None if order.remix_of is None else _name(order.remix_of),
    )


def _name(job_id: str) -> str:
    return f"video_{job_id.removeprefix('gen_')}"
