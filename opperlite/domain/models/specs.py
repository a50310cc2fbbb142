"""What a catalog file may say, as structs: one provider, its wordings, and its models with their rules.

Decoding is strict: an unknown key, a wrong type or a missing member is an error of the file (see `loading`).
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from msgspec import Struct, field

from opperlite.domain.models.refusals import Refusals
from opperlite.domain.models.rules import Field, Rule, SizeRule
from opperlite.domain.types import SourceForm

ModelType = Literal["image", "video", "tts", "stt"]
Capability = Literal[
    "image_generation", "image_edit", "video_generation", "image_to_video", "video_editing", "tts", "stt"
]
InputName = Literal["image", "mask", "reference_images", "video", "audio"]
PictureFormat = Literal["png", "jpeg", "webp"]
AudioFormat = Literal["aac", "aiff", "flac", "m4a", "mkv", "mp3", "mp4", "mpeg", "mpga", "ogg", "opus", "wav", "webm"]
SpeechFormat = Literal["mp3", "wav", "opus", "aac", "flac", "pcm"]


class _Spec(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    pass


# ---------------------------------------------------------------------- what the model lists publish as `params`


class ImageParams(_Spec, frozen=True, kw_only=True):
    sizes: tuple[str, ...] = ()
    size_constraints: SizeRule | None = None
    aspect_ratios: tuple[str, ...] = ()
    resolutions: tuple[str, ...] = ()
    qualities: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    default: str | None = None


class ImageEditParams(_Spec, frozen=True, kw_only=True):
    aspect_ratios: tuple[str, ...] = ()
    default: str | None = None


class VideoParams(_Spec, frozen=True, kw_only=True):
    aspect_ratios: tuple[str, ...] = ()
    resolutions: tuple[str, ...] = ()
    durations: tuple[float, ...] = ()
    min_duration: float | None = None
    max_duration: int | None = None
    min_fps: int | None = None
    max_fps: int | None = None
    min_frames: int | None = None
    max_frames: int | None = None
    speed_modes: tuple[str, ...] = ()
    supports_seed: bool | None = None
    size_constraints: SizeRule | None = None


class TTSParams(_Spec, frozen=True, kw_only=True):
    voices: tuple[str, ...] = ()
    default_voice: str | None = None
    max_length: int | None = None
    min_speed: float | None = None
    max_speed: float | None = None
    formats: tuple[SpeechFormat, ...] = ()


class STTParams(_Spec, frozen=True, kw_only=True):
    languages: tuple[str, ...] = ()
    default_language: str | None = None
    formats: tuple[AudioFormat, ...] = ()
    diarize: bool | None = None
    stream: bool | None = None


class Params(_Spec, frozen=True, kw_only=True):
    image: ImageParams | None = None
    image_edit: ImageEditParams | None = None
    video: VideoParams | None = None
    tts: TTSParams | None = None
    stt: STTParams | None = None


# ------------------------------------------------------------------------------------------------- prices


class Rate(_Spec, frozen=True, kw_only=True):
    """A price that holds under a condition over the provider's parameters; US dollars per unit."""

    unit: Literal["image", "megapixel", "second", "generation"]
    amount: float
    when: dict[str, Any] = {}


class Pricing(_Spec, frozen=True, kw_only=True):
    """US dollars. `image_prices` is by quality and size; `rates` come before the plain prices, the first that fits."""

    image_prices: dict[str, dict[str, float]] = {}
    price_per_image: float | None = None
    price_per_megapixel: float | None = None
    price_per_generation: float | None = None
    price_per_second: float | None = None
    price_per_minute: float | None = None
    price_per_m_chars: float | None = None
    rates: tuple[Rate, ...] = ()


# --------------------------------------------------------------------------- inputs, bridging, what comes out


class Input(_Spec, frozen=True, kw_only=True):
    """What a media input may be. `sources` are the forms beside "file", which works everywhere.

    `parameter` is the provider's own field for it; `max_total` counts the image and the reference images together;
    `equals` says whose pixel size it must have: the one that the request asks for, or the image's. `late` inputs are
    those whose bytes the provider looks at only while it works: the job then fails.
    """

    sources: tuple[SourceForm, ...] = ("url", "data")
    parameter: str | None = None
    required: bool = False
    max_count: int | None = None
    max_total: int | None = None
    mime: tuple[str, ...] = ()
    max_bytes: int | None = None
    equals: Literal["requested", "image"] | None = None
    late: bool = False


class Tier(_Spec, frozen=True, kw_only=True):
    """Parameters for sizes whose long side is up to `up_to` pixels; the last tier has no limit."""

    set: dict[str, Any] = {}
    up_to: int | None = None


class Bridge(_Spec, frozen=True, kw_only=True):
    """How the normalized fields become the provider's parameters; a name is a dotted parameter path.

    `always` is sent with every call. Where `n` is missing, one call is made per image.
    """

    always: dict[str, Any] = {}
    n: str | None = None
    native: Literal["size", "ratio"] = "size"
    size: str | None = None
    sides: tuple[str, str] | None = None
    sides_with: dict[str, Any] = {}
    ratio: str | None = None
    ratio_sizes: dict[str, str] = {}
    tiers: tuple[Tier, ...] = ()
    quality: dict[str, dict[str, Any]] = {}
    quality_sizes: dict[str, dict[str, str]] = {}
    style: str | None = None
    voice: str | None = None
    format: str | None = None
    formats: dict[str, str] = {}
    format_fallback: str | None = None
    speed: str | None = None
    language: str | None = None
    prompt: str | None = None
    diarize: dict[str, Any] = {}
    plain: dict[str, Any] = {}


class Output(_Spec, frozen=True, kw_only=True):
    """Which parameters decide what is made; a text is a dotted parameter path, a number or boolean the fixed value.

    Sides come from the first of these that is given: `size`, `width` and `height` (where `custom` holds), the ratio in
    `sizes[tier]`, the ratio over `areas[tier]` pixels with sides a multiple of `multiple`; else they are `default`.
    A source image decides the ratio where the value is one of `auto`, where `auto_on_edit` is set and the caller named
    neither size nor ratio, and, being the only one, where `image_decides` is set. `edit` says what an input video
    decides: everything ("source"), all but the length, which is added to its own ("extend"), or nothing ("own").
    """

    size: str | None = None
    separator: str = "x"
    width: str | None = None
    height: str | None = None
    custom: dict[str, Any] = {}
    ratio: str | None = None
    tier: str | None = None
    sizes: dict[str, dict[str, str]] = {}
    areas: dict[str, int] = {}
    multiple: int = 1
    auto: tuple[str, ...] = ()
    default: str | None = None
    auto_on_edit: bool = False
    image_decides: bool = False
    edit: Literal["own", "source", "extend"] = "own"
    fps: float | str | None = None
    default_fps: float | None = None
    frames: str | None = None
    duration: float | str | None = None
    audio: bool | str = False
    format: str | None = None
    formats: dict[str, PictureFormat] = {}
    default_format: PictureFormat = "png"
    compression: str | None = None
    transparent: dict[str, Any] = {}
    style: str | None = None
    seed: str | None = None
    n: str | None = None
    voice: str | None = None
    speed: str | None = None
    language: str | None = None
    languages: dict[str, str] = {}
    instructions: str | None = None
    speech_format: str | None = None
    speech_formats: dict[str, SpeechFormat] = {}
    diarize: dict[str, Any] = {}
    prompt: str | None = None
    translates: bool = True


# ------------------------------------------------------------------------------------------ files and models


class ModelSpec(_Spec, frozen=True, kw_only=True):
    """One model as a catalog file describes it, its groups already merged in."""

    id: str
    type: ModelType
    name: str
    description: str = ""
    capabilities: tuple[Capability, ...]
    aliases: tuple[str, ...] = ()
    extends: tuple[str, ...] = ()
    speed: str = "medium"
    cost: float = 0.0
    quality: str = "medium"
    country: str | None = None
    region: str | None = None
    featured: bool = False
    family: str | None = None
    maker: str | None = None
    api_type: str | None = None
    retired_at: dt.date | None = None
    successor: str | None = None
    params: Params = field(default_factory=Params)
    pricing: Pricing = field(default_factory=Pricing)
    pricing_known: bool = True
    prompt_length: int | None = None
    parameters: dict[str, Field] = {}
    closed: bool = True
    rules: tuple[Rule, ...] = ()
    inputs: dict[InputName, Input] = {}
    bridge: Bridge = field(default_factory=Bridge)
    output: Output = field(default_factory=Output)


class ProviderSpec(_Spec, frozen=True, kw_only=True):
    """A provider: the prefix of its models' names, what to call it, and how it treats null members."""

    id: str
    name: str
    aliases: tuple[str, ...] = ()
    country: str | None = None
    null_is_absent: bool = True


class CatalogFile(_Spec, frozen=True, kw_only=True):
    """A whole catalog file before its groups, partial models that models name in `extends`, are merged in."""

    provider: ProviderSpec
    errors: Refusals = field(default_factory=Refusals)
    groups: dict[str, dict[str, Any]] = {}
    models: tuple[dict[str, Any], ...] = ()


class Model(Struct, frozen=True, kw_only=True):
    """A model as the program uses it: what the lists publish, and the rules that judge a request.

    `retired_at` is an RFC 3339 text, `retired` the same moment in Unix seconds; both may lie in the future, when the
    vendor has announced an end. `line` is where in `file` the model begins; 0 where that was not looked up.
    """

    id: str
    type: ModelType
    provider: str
    provider_display_name: str
    name: str
    model_id: str
    capabilities: tuple[str, ...]
    description: str
    speed: str
    cost: float
    quality: str
    context_window: int
    aliases: tuple[str, ...]
    api_type: str | None
    country: str | None
    region: str | None
    featured: bool
    family: str | None
    maker: str | None
    params: dict[str, Any]
    pricing: dict[str, Any]
    pricing_known: bool
    retired_at: str | None
    retired: float | None
    successor: str | None
    spec: ModelSpec
    refusals: Refusals
    null_is_absent: bool
    file: str
    line: int
