"""`/v3/images`."""

from __future__ import annotations

import asyncio
from base64 import b64encode

from opperlite.api.calls import Call
from opperlite.api.replies import Reply
from opperlite.api.schemas import Accepted, ImageItem, ImageReply, ImageRequest, ImageUsage, warnings_of
from opperlite.domain import images, types
from opperlite.domain.files import Files
from opperlite.domain.outputs import Output
from opperlite.domain.sources import parse

_LARGE = 1 << 20


async def create(call: Call) -> Reply:
    """Make images, or edit one."""

    async def run() -> Reply:
        wire = await call.json(ImageRequest)
        request = request_of(wire)
        if wire.async_:
            job = await call.services.videos.submit_image(call.project, request, store=wire.store)
            return call.made(accepted(call, job), 202)
        inline = wire.response_format != "url"
        work = call.services.images.create(call.project, request, store=wire.store, inline=inline)
        made = await call.while_connected(work)
        if sum(len(output.data or b"") for output in made.outputs) > _LARGE:
            return await asyncio.to_thread(lambda: call.made(reply_of(made, call.services.files, call.base)))
        return call.made(reply_of(made, call.services.files, call.base))

    return await call.once(call.body_fingerprint, run)


def request_of(wire: ImageRequest) -> types.ImageRequest:
    """The domain's request; sources are parsed by their form."""
    return types.ImageRequest(
        model=wire.model,
        prompt=wire.prompt,
        n=wire.n or 1,
        size=wire.size,
        aspect_ratio=wire.aspect_ratio,
        quality=wire.quality,
        style=wire.style,
        image=source_of(wire.image, "image"),
        mask=source_of(wire.mask, "mask"),
        reference_images=sources_of(wire.reference_images),
        parameters=wire.parameters or {},
    )


def source_of(value: str | None, field: str) -> types.Source | None:
    """A media source, or None."""
    return None if value is None else parse(value, field)


def sources_of(values: list[str] | None) -> tuple[types.Source, ...]:
    """The reference images, each with its place as the field."""
    return tuple(parse(value, f"reference_images[{index}]") for index, value in enumerate(values or ()))


def accepted(call: Call, job: types.Job) -> Accepted:
    """The reply to a job that was accepted."""
    return Accepted(job.id, f"{call.base}/v3/artifacts/{job.id}/status", warnings_of(job.warnings))


def reply_of(made: images.Images, files: Files, base: str) -> ImageReply:
    """The images for the wire."""
    return ImageReply(
        id=made.id,
        model=made.model,
        created=int(made.created),
        data=[_item(output, files, base) for output in made.outputs],
        usage=ImageUsage(made.cost, len(made.outputs)),
        warnings=warnings_of(made.warnings),
    )


def _item(output: Output, files: Files, base: str) -> ImageItem:
    return ImageItem(
        mime_type=output.media.mime_type,
        b64_json=None if output.data is None else b64encode(output.data).decode(),
        file_id=output.file.id if output.file else None,
        url=files.link(base, output.file.id) if output.file else None,
        revised_prompt=output.revised_prompt,
    )
