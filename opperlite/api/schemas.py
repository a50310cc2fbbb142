"""Every structure on the wire of `/v3`: what requests decode into and replies are encoded from.

The OpenAPI document is generated from these structs. Unknown members are ignored and null means absent.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from opperlite.domain import types
from opperlite.domain.models import Model

MAX_PROMPT = 32_000

ModelName = Annotated[
    str,
    Meta(min_length=1, max_length=256, description="The model, as `provider/name`; `GET /v3/models` lists them."),
]
Prompt = Annotated[str, Meta(min_length=1, max_length=MAX_PROMPT, description="What is to be made.")]
MediaSource = Annotated[
    str,
    Meta(
        min_length=1,
        description="An http(s) URL, a data-URI (`data:<type>;base64,<data>`) or a file id (`file_…`) of this project.",
        examples=["file_9f86d081884c7d659a2feaa0c55ad015"],
    ),
]
Parameters = Annotated[
    dict[str, Any],
    Meta(description="Passed to the provider as they are; the model's own rules judge them."),
]
Store = Annotated[bool, Meta(description="Keep the output as a file. The default is the server's, true unless set.")]


class Warning(Struct, frozen=True, omit_defaults=True):
    """A soft trouble told beside a successful result, such as `storage_skipped` or `model_retired`."""

    code: str
    message: str
    details: dict[str, Any] = field(default_factory=dict)


# ------------------------------------------------------------------------------------------------ files


class File(Struct, frozen=True, omit_defaults=True):
    """A stored file. Times are RFC 3339 in UTC; `mime_type` is judged by the bytes."""

    id: Annotated[str, Meta(examples=["file_9f86d081884c7d659a2feaa0c55ad015"])]
    bytes: Annotated[int, Meta(ge=0)]
    created_at: Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
    expires_at: Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
    filename: str
    mime_type: Annotated[str, Meta(examples=["image/jpeg"])]
    purpose: Annotated[str, Meta(examples=["reference_media"])]
    status: Annotated[
        Literal["ready", "skipped"],
        Meta(description="`skipped` when the project keeps no data: the id is then of no use."),
    ]
    object: Literal["file"] | None = None
    warnings: tuple[Warning, ...] | None = None


class PageMeta(Struct, frozen=True):
    """Which part of the list this is: the limit and offset in force, and the total."""

    limit: int
    offset: int
    total: int


class FileList(Struct, frozen=True):
    """A page of files, newest first."""

    data: list[File]
    meta: PageMeta


class FileLink(Struct, frozen=True):
    """A signed URL that reads the file for about an hour, without a key."""

    url: Annotated[str, Meta(extra_json_schema={"format": "uri"})]
    bytes: int
    mime_type: str


# ----------------------------------------------------------------------------------------------- images


class ImageRequest(Struct, frozen=True):
    """A call for images."""

    model: ModelName
    prompt: Prompt
    n: Annotated[int, Meta(ge=1, le=4, description="How many images.")] | None = None
    size: (
        Annotated[str, Meta(max_length=32, description="Pixel size `WxH`, one of the model's.", examples=["1024x1024"])]
        | None
    ) = None
    aspect_ratio: (
        Annotated[str, Meta(max_length=32, description="Ratio `W:H`, bridged to a size.", examples=["16:9"])] | None
    ) = None
    quality: Annotated[str, Meta(max_length=32, description="low, medium, high; 4k where the model has it.")] | None = (
        None
    )
    style: Annotated[str, Meta(max_length=64, description="Such as vivid or natural.")] | None = None
    response_format: Literal["b64_json", "url"] | None = None
    store: Store | None = None
    parameters: Parameters | None = None
    image: MediaSource | None = None
    mask: MediaSource | None = None
    reference_images: Annotated[list[MediaSource], Meta(max_length=16)] | None = None
    async_: Annotated[bool, Meta(description="Answer 202 at once and make the one image as a job.")] | None = field(
        default=None, name="async"
    )


class ImageItem(Struct, frozen=True, omit_defaults=True):
    """One image: inline, as a file with a signed URL, or both."""

    mime_type: Annotated[str, Meta(examples=["image/png"])]
    b64_json: str | None = None
    file_id: str | None = None
    url: Annotated[str, Meta(extra_json_schema={"format": "uri"})] | None = None
    revised_prompt: str | None = None


class ImageUsage(Struct, frozen=True):
    """What the call costs at the vendor's list price, in US dollars, and how many images it made."""

    cost: float
    images: int


class ImageReply(Struct, frozen=True, omit_defaults=True):
    """The images. `created` is Unix seconds."""

    id: Annotated[str, Meta(examples=["img_9f86d081884c7d659a2feaa0c55ad015"])]
    model: str
    created: int
    data: list[ImageItem]
    usage: ImageUsage
    warnings: tuple[Warning, ...] | None = None


# ------------------------------------------------------------------------------------------ videos, jobs


class VideoRequest(Struct, frozen=True):
    """A call for a video."""

    model: ModelName
    prompt: Prompt
    parameters: Parameters | None = None
    image: MediaSource | None = None
    video: MediaSource | None = None
    reference_images: Annotated[list[MediaSource], Meta(max_length=16)] | None = None
    store: Store | None = None


class Accepted(Struct, frozen=True, omit_defaults=True):
    """A job was accepted: poll `status_url` until it is completed or failed."""

    id: Annotated[str, Meta(examples=["gen_9f86d081884c7d659a2feaa0c55ad015"])]
    status_url: Annotated[str, Meta(extra_json_schema={"format": "uri"})]
    warnings: tuple[Warning, ...] | None = None


class ArtifactStatus(Struct, frozen=True, omit_defaults=True):
    """How a job stands. `url` is there when completed, signed anew on each read and good for about an hour.

    `progress` (percent of the work really done), `queue_position` and `cancelled` are additions of this server.
    """

    id: str
    status: Literal["processing", "completed", "failed"]
    provider: str | None = None
    model: str | None = None
    mime_type: str | None = None
    url: Annotated[str, Meta(extra_json_schema={"format": "uri"})] | None = None
    file_id: str | None = None
    error: str | None = None
    progress: Annotated[int, Meta(ge=0, le=100)] | None = None
    queue_position: Annotated[int, Meta(ge=0)] | None = None
    cancelled: bool | None = None
    warnings: tuple[Warning, ...] | None = None


class ArtifactItem(Struct, frozen=True, omit_defaults=True):
    """A job in a list; its status route has the link."""

    id: str
    type: Literal["image", "video"]
    status: Literal["processing", "completed", "failed"]
    provider: str
    model: str
    created_at: Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
    finished_at: Annotated[str, Meta(extra_json_schema={"format": "date-time"})] | None = None
    mime_type: str | None = None
    file_id: str | None = None
    error: str | None = None
    progress: Annotated[int, Meta(ge=0, le=100)] | None = None
    queue_position: Annotated[int, Meta(ge=0)] | None = None
    cancelled: bool | None = None
    warnings: tuple[Warning, ...] | None = None


class ArtifactList(Struct, frozen=True):
    """A page of jobs, newest first; for the next one send the last id as `before` while `has_more`."""

    data: list[ArtifactItem]
    has_more: bool


# ------------------------------------------------------------------------------------------------ audio


class SpeechRequest(Struct, frozen=True):
    """A call for speech."""

    model: ModelName
    input: Annotated[str, Meta(min_length=1, description="The text to speak.")]
    voice: (
        Annotated[str, Meta(max_length=128, description="One of the model's voices; its default when empty.")] | None
    ) = None
    format: Literal["mp3", "wav", "opus", "aac", "flac", "pcm"] | None = None
    speed: Annotated[float, Meta(ge=0.25, le=4.0)] | None = None
    store: Store | None = None
    parameters: Parameters | None = None


class Audio(Struct, frozen=True, omit_defaults=True):
    """The spoken audio, inline and, when stored, as a file with a signed URL."""

    b64_json: str
    mime_type: Annotated[str, Meta(examples=["audio/mpeg"])]
    file_id: str | None = None
    url: Annotated[str, Meta(extra_json_schema={"format": "uri"})] | None = None


class SpeechUsage(Struct, frozen=True):
    """The cost in US dollars and the Unicode code points of the input."""

    cost: float
    characters: int


class SpeechReply(Struct, frozen=True, omit_defaults=True):
    """The speech. `created` is Unix seconds."""

    id: Annotated[str, Meta(examples=["spch_9f86d081884c7d659a2feaa0c55ad015"])]
    model: str
    created: int
    audio: Audio
    usage: SpeechUsage
    warnings: tuple[Warning, ...] | None = None


class TranscriptionRequest(Struct, frozen=True):
    """A call for the text of a recording of at most 25 MiB."""

    model: ModelName
    audio: MediaSource
    language: Annotated[str, Meta(max_length=35, description="ISO 639-1, such as en.")] | None = None
    prompt: Annotated[str, Meta(max_length=MAX_PROMPT, description="Words to expect.")] | None = None
    diarize: Annotated[bool, Meta(description="Tell speakers apart, on models that can.")] | None = None
    stream: Annotated[bool, Meta(description="Answer with server-sent events, on models that can.")] | None = None
    parameters: Parameters | None = None


class Segment(Struct, frozen=True, omit_defaults=True):
    """A stretch of speech; times in seconds."""

    start: float
    end: float
    text: str
    speaker: str | None = None


class Word(Struct, frozen=True):
    """A word; times in seconds."""

    word: str
    start: float
    end: float


class TranscriptionUsage(Struct, frozen=True):
    """The cost in US dollars and the seconds of audio."""

    cost: float
    seconds: float


class TranscriptionReply(Struct, frozen=True, omit_defaults=True):
    """What was said. `duration` in seconds, `language` as ISO 639-1."""

    id: Annotated[str, Meta(examples=["trsc_9f86d081884c7d659a2feaa0c55ad015"])]
    model: str
    created: int
    text: str
    usage: TranscriptionUsage
    duration: float | None = None
    language: str | None = None
    segments: list[Segment] | None = None
    words: list[Word] | None = None
    warnings: tuple[Warning, ...] | None = None


# --------------------------------------------------------------------------------------------- functions


class FunctionCall(Struct, frozen=True):
    """A call of a function, as Opper's packages send it. What it is for is told by `output_schema`, else by the model.

    `input` is a text or an object: `description`, `size`, … for an image, `prompt`, … for a video, `text` and `voice`
    for speech, `audio` (base64) and `language` for a transcription.
    """

    input: Any = None
    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    model: Annotated[Any, Meta(description="A name, `{name, options}`, or a list of either to fall back on.")] = None
    instructions: str | None = None


class NamedCall(FunctionCall, frozen=True):
    """A call of a function that the body names."""

    name: str | None = None


class PendingOperation(Struct, frozen=True):
    """A job to wait for."""

    id: str
    status_url: Annotated[str, Meta(extra_json_schema={"format": "uri"})]
    type: str


class FunctionMeta(Struct, frozen=True, kw_only=True):
    """How the call went; `cost` is US dollars at the vendor's list price."""

    function_name: str
    script_cached: bool = False
    execution_ms: int
    llm_calls: int = 0
    tts_calls: int = 0
    image_gen_calls: int = 0
    generation_ms: int | UnsetType = UNSET
    cost: float | UnsetType = UNSET
    models_used: list[str]
    model_warnings: list[str] | UnsetType = UNSET
    status: str | UnsetType = UNSET
    pending_operations: list[PendingOperation] | UnsetType = UNSET


class FunctionReply(Struct, frozen=True):
    """The result by the output schema, or null while an operation is pending."""

    data: dict[str, Any] | None
    meta: FunctionMeta


# ----------------------------------------------------------------------------------------- models, system


class ModelInfo(Struct, frozen=True, omit_defaults=True):
    """A model. `speed`, `quality` and `cost` are relative scores; `pricing` holds US dollars."""

    id: Annotated[str, Meta(examples=["openai/gpt-image-1"])]
    type: Literal["image", "video", "tts", "stt"]
    provider: str
    provider_display_name: str
    name: str
    model_id: str
    capabilities: tuple[str, ...]
    speed: str
    cost: float
    quality: str
    context_window: int
    description: str
    aliases: tuple[str, ...] | None = None
    api_type: str | None = None
    country: str | None = None
    family: str | None = None
    featured: bool | None = None
    maker: str | None = None
    params: dict[str, Any] | None = None
    pricing: dict[str, Any] | None = None
    pricing_known: Annotated[bool, Meta(description="False: no price is known, and `usage.cost` is 0.")] | None = None
    region: str | None = None
    retired_at: Annotated[str, Meta(extra_json_schema={"format": "date-time"})] | None = None
    successor: str | None = None


class ModelList(Struct, frozen=True):
    """A page of models."""

    models: list[ModelInfo]
    total: int
    offset: int
    limit: int


class Health(Struct, frozen=True):
    """The server answers."""

    status: Literal["ok"] = "ok"


class Ready(Struct, frozen=True):
    """The server can work."""

    status: Literal["ready"] = "ready"


# -------------------------------------------------------------------------------- from the domain's types


@lru_cache(maxsize=4096)  # lists are asked again and again
def moment(seconds: float) -> str:
    """Unix seconds as RFC 3339 in UTC, to the millisecond."""
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1000):03}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def warnings_of(warnings: tuple[types.Warning, ...]) -> tuple[Warning, ...] | None:
    """Warnings for the wire, or None so that an empty list is left out."""
    return tuple(Warning(one.code, one.message, one.details) for one in warnings) or None


def file_of(file: types.File, warnings: tuple[types.Warning, ...] = (), *, kept: bool = True) -> File:
    """A file for the wire."""
    return File(
        id=file.id,
        object="file",
        bytes=file.bytes,
        created_at=moment(file.created_at),
        expires_at=moment(file.expires_at),
        filename=file.filename,
        mime_type=file.mime_type,
        purpose=file.purpose,
        status="ready" if kept else "skipped",
        warnings=warnings_of(warnings) if warnings else None,
    )


def model_of(model: Model) -> ModelInfo:
    """A model for the wire."""
    return ModelInfo(
        id=model.id,
        type=model.type,
        provider=model.provider,
        provider_display_name=model.provider_display_name,
        name=model.name,
        model_id=model.model_id,
        capabilities=model.capabilities,
        speed=model.speed,
        cost=model.cost,
        quality=model.quality,
        context_window=model.context_window,
        description=model.description,
        aliases=model.aliases or None,
        api_type=model.api_type,
        country=model.country,
        family=model.family,
        featured=model.featured or None,
        maker=model.maker,
        params=model.params or None,
        pricing=model.pricing or None,
        pricing_known=model.pricing_known,
        region=model.region,
        retired_at=model.retired_at,
        successor=model.successor,
    )
