"""What Opper's own clients ask of a function that makes media, and what it answers them."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from opperlite.api.calls import Call, naming, validation
from opperlite.domain import types
from opperlite.domain.errors import ValidationFailed
from opperlite.domain.models import Model
from opperlite.domain.models.bridging import ratio_parameters
from opperlite.domain.models.rules import nested
from opperlite.domain.outputs import Output
from opperlite.domain.sources import parse
from opperlite.domain.types import Source

S = TypeVar("S", bound=Struct)
Kind = Literal["image", "video", "tts", "stt"]

_SOURCE = re.compile(r"(https?://|data:|gs://|file_)", re.IGNORECASE)


class ImageInput(Struct, frozen=True):
    """What a call for an image says."""

    description: str
    reference_image: str | None = None
    size: str | None = None
    quality: str | None = None
    style: str | None = None
    n: int | None = None
    mime_type: str | None = None


class VideoInput(Struct, frozen=True):
    """What a call for a video says."""

    prompt: str
    aspect_ratio: str | None = None
    resolution: str | None = None
    source_image: str | None = None
    source_video: str | None = None
    ref_images: list[str] | None = None
    frame_num: int | None = None
    fps: int | float | None = None
    speed_mode: str | None = None
    seed: int | None = None


class SpeechInput(Struct, frozen=True):
    """What a call for speech says."""

    text: str
    voice: str | None = None


class RecordingInput(Struct, frozen=True):
    """What a call for a transcription says."""

    audio: str
    language: str | None = None
    prompt: str | None = None


class Order(Struct, frozen=True):
    """A call that has been understood."""

    name: str
    kind: Kind
    input: Any
    model: Model
    asked: str
    options: dict[str, Any]


class Done(Struct, frozen=True):
    """What came of it: the data, or the job that makes it."""

    data: dict[str, Any] | None
    cost: float | None = None
    warnings: tuple[types.Warning, ...] = ()
    job: types.Job | None = None


async def _image(call: Call, order: Order) -> Done:
    asked = _input(order, ImageInput, "description")
    reference = _media(asked.reference_image, "input.reference_image")
    takes_image = "image" in order.model.spec.inputs
    request = types.ImageRequest(
        model=order.asked,
        prompt=asked.description,
        n=asked.n or 1,
        size=asked.size,
        quality=asked.quality,
        style=asked.style,
        image=reference if takes_image else None,
        reference_images=(reference,) if reference is not None and not takes_image else (),
        parameters={**_picture_format(order.model, asked.mime_type), **order.options},
    )
    made = await call.services.images.create(call.project, request, store=False, inline=True)
    encoded = [await _encoded(output) for output in made.outputs]
    data: dict[str, Any] = {"image": encoded[0], "mime_type": made.outputs[0].media.mime_type}
    if len(encoded) > 1:
        data["images"] = encoded
    return Done(data, made.cost, made.warnings)


def _picture_format(model: Model, mime_type: str | None) -> dict[str, Any]:
    output = model.spec.output
    if mime_type is None:
        return {}
    wanted = mime_type.removeprefix("image/")
    for name, format_ in output.formats.items():
        if format_ == wanted and output.format is not None:
            return nested(output.format, name)
    if wanted == output.default_format:
        return {}
    allowed = sorted({f"image/{one}" for one in (*output.formats.values(), output.default_format)})
    raise ValidationFailed(
        f"{model.id} makes no {mime_type[:40]!r}; it makes {', '.join(allowed)}",
        field="input.mime_type",
        allowed=allowed,
    )


async def _video(call: Call, order: Order) -> Done:
    asked, output = _input(order, VideoInput, "prompt"), order.model.spec.output
    parameters = ratio_parameters(order.model, asked.aspect_ratio)
    names = {f"parameters.{output.ratio or output.size}": "input.aspect_ratio"}
    for member, value, path in (
        ("resolution", asked.resolution, output.tier or output.size),
        ("frame_num", asked.frame_num, output.frames),
        ("fps", asked.fps, output.fps),
        ("seed", asked.seed, output.seed),
        ("speed_mode", asked.speed_mode, "speed_mode"),
    ):
        if value is None:
            continue
        if not isinstance(path, str) or path.partition(".")[0] not in order.model.spec.parameters:
            raise ValidationFailed(f"{order.model.id} has no {member}; leave it out", field=f"input.{member}")
        parameters |= nested(path, value)
        names[f"parameters.{path}"] = f"input.{member}"
    request = types.VideoRequest(
        model=order.asked,
        prompt=asked.prompt,
        image=_media(asked.source_image, "input.source_image"),
        video=_media(asked.source_video, "input.source_video"),
        reference_images=tuple(
            source
            for index, one in enumerate(asked.ref_images or ())
            if (source := _media(one, f"input.ref_images[{index}]")) is not None
        ),
        parameters={**parameters, **order.options},
    )
    with naming(names):
        job = await call.services.videos.submit(call.project, request, store=None)
    return Done(None, None, job.warnings, job)


async def _speech(call: Call, order: Order) -> Done:
    asked = _input(order, SpeechInput, "text")
    request = types.SpeechRequest(
        model=order.asked, input=asked.text, voice=asked.voice or None, parameters=order.options
    )
    made = await call.services.audio.speak(call.project, request, store=False)
    data = {"audio": await _encoded(made.output), "mime_type": made.output.media.mime_type}
    return Done(data, made.cost, made.warnings)


async def _transcription(call: Call, order: Order) -> Done:
    asked = _input(order, RecordingInput, "audio")
    audio = _media(asked.audio, "input.audio")
    if audio is None:
        raise ValidationFailed("input.audio is empty", field="input.audio")
    request = types.TranscriptionRequest(
        model=order.asked,
        audio=audio,
        language=asked.language or None,
        prompt=asked.prompt or None,
        parameters=order.options,
    )
    made = await call.services.audio.transcribe(call.project, request)
    return Done({"text": made.transcript.text, "language": made.transcript.language}, made.cost, made.warnings)


MAKERS: dict[Kind, Callable[[Call, Order], Coroutine[Any, Any, Done]]] = {
    "image": _image,
    "video": _video,
    "tts": _speech,
    "stt": _transcription,
}


# What the members of `input` are called where errors name a field.
MEMBERS: dict[Kind, dict[str, str]] = {
    "image": {
        "prompt": "input.description",
        "image": "input.reference_image",
        "reference_images": "input.reference_image",
        **{name: f"input.{name}" for name in ("n", "size", "quality", "style")},
    },
    "video": {
        "prompt": "input.prompt",
        "image": "input.source_image",
        "video": "input.source_video",
        "reference_images": "input.ref_images",
        "aspect_ratio": "input.aspect_ratio",
    },
    "tts": {"input": "input.text", "voice": "input.voice"},
    "stt": {"audio": "input.audio", "language": "input.language", "prompt": "input.prompt"},
}


async def _encoded(output: Output) -> str:
    """The bytes in base64, made outside the loop: they may be many."""
    return await asyncio.to_thread(lambda: b64encode(output.data or b"").decode())


def _input(order: Order, kind: type[S], main: str) -> S:
    """The call's input as a struct; a plain text is its main member. Raises ValidationFailed."""
    given = order.input
    if isinstance(given, str):
        given = {main: given}
    if isinstance(given, dict) and main not in given:
        other = next((name for name in ("prompt", "description", "text", "input") if name in given), None)
        given = {**given, main: given[other]} if other is not None else given
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        refusal = validation(error, kind)
        refusal.details["field"] = f"input.{refusal.details['field']}".replace("input.body", "input")
        raise refusal from None


def _media(value: str | None, field: str) -> Source | None:
    """A media source; bare base64, which Opper's packages send, is one as well."""
    if not value:
        return None
    if _SOURCE.match(value):
        return parse(value, field)
    return Source("data", f"data:application/octet-stream;base64,{value}", field)
