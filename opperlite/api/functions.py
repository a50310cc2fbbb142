"""`/v3/functions/{name}/call` and `/v3/call`, by which Opper's own clients ask for media.

What a call is for is told by the members of its output schema, else by its model's type, else by the function's name.
Calls for text are refused: this server makes media.
"""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from opperlite.api.calls import Call, validation
from opperlite.api.replies import Events, Reply, event, json_reply
from opperlite.api.schemas import FunctionCall, FunctionMeta, FunctionReply, NamedCall, PendingOperation
from opperlite.domain import types
from opperlite.domain.errors import ModelNotFound, NotSupported, OpperliteError, ValidationFailed
from opperlite.domain.models import Model
from opperlite.domain.models.bridging import ratio_parameters
from opperlite.domain.models.rules import nested
from opperlite.domain.sources import parse
from opperlite.domain.types import Source

S = TypeVar("S", bound=Struct)
Kind = Literal["image", "video", "tts", "stt"]

# The default names in Opper's packages, and the words that its command line puts in its own.
NAMES: dict[str, Kind] = {"image-gen": "image", "video-gen": "video", "tts": "tts", "stt": "stt"}
_SCHEMA: dict[str, Kind] = {"image": "image", "video": "video", "audio": "tts"}
_SOURCE = re.compile(r"(https?://|data:|gs://|file_)", re.IGNORECASE)
_TEXT = (
    "This server makes media: images, videos, speech and transcriptions. This call asks for something else, such as "
    "text; name a media model, or an output_schema with image, video, audio, or text for an input with audio"
)


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


class _Order(Struct, frozen=True):
    """A call that has been understood."""

    name: str
    kind: Kind
    input: Any
    model: Model
    asked: str
    options: dict[str, Any]


class _Done(Struct, frozen=True):
    """What came of it: the data, or the job that makes it."""

    data: dict[str, Any] | None
    cost: float | None = None
    warnings: tuple[types.Warning, ...] = ()
    job: types.Job | None = None


# ---------------------------------------------------------------------------------------------- handlers


async def run(call: Call) -> Reply:
    """Run a function that makes media: the result, or for videos the operation to wait for."""
    return await _answered(call, lambda wire: call.path("name"))


async def run_named(call: Call) -> Reply:
    """Run a function that makes media, named in the body."""
    return await _answered(call, lambda wire: wire.name or "")


async def stream(call: Call) -> Reply:
    """Run a function that makes media, with the result as server-sent events."""

    async def answer() -> Reply:
        made, _ = await _made(call, await call.json(FunctionCall), call.path("name"))
        text = (made.data or {}).get("text")
        delta = text if isinstance(text, str) else msgspec.json.encode(made.data).decode()
        contents = [event({"type": "content", "delta": delta})] if made.data is not None else []
        return Events([*contents, event({"type": "done"}), event(made, "complete"), b"data: [DONE]\n\n"])

    return await call.once(call.body_fingerprint, answer)


async def _answered(call: Call, name: Callable[[NamedCall], str]) -> Reply:
    async def answer() -> Reply:
        wire = await call.json(NamedCall)
        made, status = await _made(call, wire, name(wire))
        return json_reply(made, status)

    return await call.once(call.body_fingerprint, answer)


async def _made(call: Call, wire: FunctionCall, name: str) -> tuple[FunctionReply, int]:
    began = time.perf_counter()
    order = _understood(call, wire, name)
    done = await call.while_connected(_MAKERS[order.kind](call, order))
    took = round((time.perf_counter() - began) * 1000)
    pending: list[PendingOperation] | UnsetType = UNSET
    if done.job is not None:
        url = f"{call.base}/v3/artifacts/{done.job.id}/status"
        pending = [PendingOperation(done.job.id, url, order.kind)]
    meta = FunctionMeta(
        function_name=name,
        execution_ms=took,
        tts_calls=int(order.kind == "tts"),
        image_gen_calls=int(order.kind == "image"),
        generation_ms=took if done.job is None else UNSET,
        cost=UNSET if done.cost is None else done.cost,
        models_used=[order.model.id],
        model_warnings=[warning.message for warning in done.warnings] or UNSET,
        status="pending" if done.job else UNSET,
        pending_operations=pending,
    )
    return FunctionReply(done.data, meta), 202 if done.job else 200


# ---------------------------------------------------------------------------------------- what it is for


def _understood(call: Call, wire: FunctionCall, name: str) -> _Order:
    """What a call is for and by which model; raises NotSupported, ModelNotFound, ValidationFailed."""
    catalog = call.services.catalog
    wanted = list(_named(wire.model))
    kind = _schema_kind(wire)
    if kind is None and not (wire.output_schema or {}).get("properties"):
        kind = _model_kind(call, wanted) if wanted else NAMES.get(name)
    if kind is None:
        raise NotSupported(_TEXT, field="output_schema")
    if not wanted:
        model = catalog.default(kind)
        return _Order(name, kind, wire.input, model, model.id, {})
    refusal: OpperliteError | None = None
    for asked, options in wanted:  # a list is a chain of fallbacks: the first that there is
        try:
            return _Order(name, kind, wire.input, catalog.find(asked, kind), asked, options)
        except (ModelNotFound, ValidationFailed) as error:
            refusal = refusal or error
    assert refusal is not None
    raise refusal


def _schema_kind(wire: FunctionCall) -> Kind | None:
    properties = (wire.output_schema or {}).get("properties")
    members = properties if isinstance(properties, dict) else {}
    found = next((kind for member, kind in _SCHEMA.items() if member in members), None)
    if found is None and "text" in members and isinstance(wire.input, dict) and "audio" in wire.input:
        return "stt"
    return found


def _model_kind(call: Call, wanted: list[tuple[str, dict[str, Any]]]) -> Kind | None:
    for asked, _ in wanted:
        try:
            return call.services.catalog.find(asked).type
        except ModelNotFound:
            continue
    return None


def _named(model: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The names of a model specification with their options: a name, an object with one, or a list of either."""
    for one in model if isinstance(model, list) else [model] if model is not None else []:
        if isinstance(one, str) and one:
            yield one, {}
        elif isinstance(one, dict) and isinstance(one.get("name"), str):
            options = one.get("options")
            yield one["name"], options if isinstance(options, dict) else {}
        else:
            raise ValidationFailed("model must be a name, an object with a name, or a list of either", field="model")


# ------------------------------------------------------------------------------------------- the media


async def _image(call: Call, order: _Order) -> _Done:
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
    encoded = [b64encode(output.data or b"").decode() for output in made.outputs]
    data: dict[str, Any] = {"image": encoded[0], "mime_type": made.outputs[0].media.mime_type}
    if len(encoded) > 1:
        data["images"] = encoded
    return _Done(data, made.cost, made.warnings)


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


async def _video(call: Call, order: _Order) -> _Done:
    asked, output = _input(order, VideoInput, "prompt"), order.model.spec.output
    parameters = ratio_parameters(order.model, asked.aspect_ratio)
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
    job = await call.services.videos.submit(call.project, request, store=None)
    return _Done(None, None, job.warnings, job)


async def _speech(call: Call, order: _Order) -> _Done:
    asked = _input(order, SpeechInput, "text")
    request = types.SpeechRequest(
        model=order.asked, input=asked.text, voice=asked.voice or None, parameters=order.options
    )
    made = await call.services.audio.speak(call.project, request, store=False)
    data = {"audio": b64encode(made.output.data or b"").decode(), "mime_type": made.output.media.mime_type}
    return _Done(data, made.cost, made.warnings)


async def _transcription(call: Call, order: _Order) -> _Done:
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
    return _Done({"text": made.transcript.text, "language": made.transcript.language}, made.cost, made.warnings)


_MAKERS: dict[Kind, Callable[[Call, _Order], Coroutine[Any, Any, _Done]]] = {
    "image": _image,
    "video": _video,
    "tts": _speech,
    "stt": _transcription,
}


def _input(order: _Order, kind: type[S], main: str) -> S:
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
