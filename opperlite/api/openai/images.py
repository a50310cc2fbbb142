"""`/v1/images`: generations and edits, whole or as a stream."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from opperlite.api.calls import Call
from opperlite.api.openai.bodies import Body, reference
from opperlite.api.openai.schemas import (
    EditImages,
    GenerateImages,
    ImageEvent,
    ImageObject,
    ImagesResponse,
    ImagesUsage,
    ImageTokens,
)
from opperlite.api.replies import Reply, event
from opperlite.domain import images, types
from opperlite.domain.errors import NotSupported, ValidationFailed
from opperlite.domain.models import Model

# Published tokens of a 1024x1024 image by quality; other sizes go by their pixels (OpenAI's image generation guide).
_TOKENS = {"low": 272, "medium": 1056, "high": 4160}
_SQUARE = 1024 * 1024
_NORMALIZED = ("n", "size", "quality", "style")
_SENDING = ("stream", "partial_images")
_ASIDE = (*_SENDING, "user", "safety_identifier", "moderation")  # they do not change what is made
_WIRE = ("prompt", "model", "image", "images", "mask", "response_format")


async def generate(call: Call) -> Reply:
    """Make images from a prompt."""
    async with AsyncExitStack() as stack:
        body = Body(call, stack)

        async def run() -> Reply:
            wire = await body.read(GenerateImages)
            return await _made(call, wire, body, {}, "image_generation")

        return await call.once(body.fingerprint, run)


async def edit(call: Call) -> Reply:
    """Change an image, or make one of several, as a prompt says; a form or JSON."""
    async with AsyncExitStack() as stack:
        body = Body(call, stack, ("image", "mask", "markup"))

        async def run() -> Reply:
            wire = await body.read(EditImages)
            return await _made(call, wire, body, _sources(wire, body), "image_edit")

        return await call.once(body.fingerprint, run)


async def vary(call: Call) -> Reply:
    """Variations, which their vendor has ended."""
    raise NotSupported("Variations ended with dall-e-2; send the image to /v1/images/edits with a prompt")


def _sources(wire: EditImages, body: Body) -> dict[str, Any]:
    """The image, the mask and further images; raises ValidationFailed, NotSupported."""
    if "markup" in body.files or "markup" in body.members:
        raise NotSupported(
            "markup is not served here; describe the change in the prompt, or send a mask", field="markup"
        )
    listed = list(wire.images or ()) + (wire.image if isinstance(wire.image, list) else [wire.image])
    named = [reference(one, "image") for one in listed if one is not None]
    pictures = [*body.files.get("image", ()), *named]
    if not pictures:
        raise ValidationFailed("Missing required parameter: 'image'", field="image")
    masks = [*body.files.get("mask", ()), *([reference(wire.mask, "mask")] if wire.mask is not None else [])]
    return {"image": pictures[0], "reference_images": tuple(pictures[1:]), "mask": masks[0] if masks else None}


async def _made(call: Call, wire: GenerateImages, body: Body, sources: Mapping[str, Any], name: str) -> Reply:
    services = call.services
    model = services.catalog.find(wire.model, "image") if wire.model else services.catalog.default("image")
    request = request_of(model, wire, body.rest(GenerateImages), sources)
    inline = _inline(model, wire.response_format)
    work = services.images.create(
        call.project,
        request,
        store=not inline,
        inline=inline,
        partials=(wire.partial_images or 0) if wire.stream else 0,
    )
    made = await call.while_connected(work)
    if wire.stream:
        return await asyncio.to_thread(lambda: call.made_events(_events(made, wire, name)))
    return await asyncio.to_thread(lambda: call.made(_response(call, made, wire)))


def request_of(
    model: Model, wire: GenerateImages, rest: Mapping[str, Any], sources: Mapping[str, Any]
) -> types.ImageRequest:
    """The domain's request. What the model itself takes goes to it as it is, to be judged by its own rules; of the rest
    the normalized fields are bridged, and what changes nothing is left out.
    """
    fields = {name: getattr(wire, name) for name in GenerateImages.__struct_fields__ if name not in _WIRE}
    given = {name: value for name, value in {**fields, **rest}.items() if value is not None and name not in _WIRE}
    known = model.spec.parameters
    if "stream" in known:  # how the images are sent changes nothing of them, their seed neither
        given = {name: value for name, value in given.items() if name not in _SENDING}
    normal: dict[str, Any] = {}
    if not _native(model):
        normal = {name: given.pop(name) for name in _NORMALIZED if name in given and name not in known}
        given = {name: value for name, value in given.items() if name in known or name not in _ASIDE}
        normal = {name: value for name, value in normal.items() if value != "auto"}
        output = model.spec.output
        for name, theirs in (("output_format", output.format), ("output_compression", output.compression)):
            if name in given and name not in known and theirs is not None and "." not in theirs:
                given[theirs] = given.pop(name)
        if given.get("background") in ("auto", "opaque") and "background" not in known:
            del given["background"]
    elif wire.response_format is not None:
        given["response_format"] = wire.response_format
    return types.ImageRequest(model=wire.model or model.id, prompt=wire.prompt, parameters=given, **normal, **sources)


def _native(model: Model) -> bool:
    """Whether the model speaks this very API: then all that is sent is for its rules."""
    return "user" in model.spec.parameters


def _inline(model: Model, response_format: str | None) -> bool:
    """Whether the bytes are to be in the reply; models that know response_format answer links by default."""
    if response_format not in (None, "url", "b64_json"):
        raise ValidationFailed(
            f"response_format is url or b64_json, not {response_format!r:.40}",
            field="response_format",
            allowed=["url", "b64_json"],
        )
    default = "url" if "response_format" in model.spec.parameters else "b64_json"
    return (response_format or default) == "b64_json" or (_native(model) and default == "b64_json")


# ---------------------------------------------------------------------------------------------- the reply


def _shown(made: images.Images, wire: GenerateImages) -> dict[str, str]:
    """What the images are, in the words of the request."""
    media = made.outputs[0].media
    return {
        "background": "transparent" if wire.background == "transparent" else "opaque",
        "output_format": media.mime_type.removeprefix("image/"),
        "quality": wire.quality if wire.quality in (*_TOKENS, "xhigh", "max") else "medium",
        "size": f"{media.width}x{media.height}",
    }


def _response(call: Call, made: images.Images, wire: GenerateImages) -> ImagesResponse:
    data = [
        ImageObject(
            b64_json=None if output.data is None else b64encode(output.data).decode(),
            url=call.services.files.link(call.base, output.file.id) if output.file else None,
            revised_prompt=output.revised_prompt,
        )
        for output in made.outputs
    ]
    return ImagesResponse(created=int(made.created), data=data, usage=_usage(made, wire), **_shown(made, wire))


def _events(made: images.Images, wire: GenerateImages, name: str) -> list[bytes]:
    shared: dict[str, Any] = {"created_at": int(made.created), **_shown(made, wire)}
    stages = [
        ImageEvent(
            type=f"{name}.partial_image",
            b64_json=b64encode(stage).decode(),
            partial_image_index=index,
            **shared,
        )
        for index, stage in enumerate(made.partials)
    ]
    finished = [
        ImageEvent(
            type=f"{name}.completed",
            b64_json=b64encode(output.data or b"").decode(),
            usage=_usage(made, wire),
            **shared,
        )
        for output in made.outputs
    ]
    return [event(one, one.type) for one in (*stages, *finished)]


def _usage(made: images.Images, wire: GenerateImages) -> ImagesUsage:
    media = made.outputs[0].media
    each = _TOKENS.get(wire.quality or "medium", _TOKENS["medium"])
    drawn = round(each * (media.width or 0) * (media.height or 0) / _SQUARE) * len(made.outputs)
    text = -(-len(wire.prompt) // 4)
    return ImagesUsage(text, ImageTokens(0, text), drawn, text + drawn)
