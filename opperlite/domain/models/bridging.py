"""The normalized fields of a call, checked against what a model publishes and turned into its provider's parameters.

Sources: the images guide's table of parameters, and the contract's decisions 19 to 23.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from opperlite.domain.errors import ValidationFailed
from opperlite.domain.models.geometry import nearest_ratio, parse_ratio
from opperlite.domain.models.rules import describe_size, field_at, is_type, merge, nested, parse_size, size_problem
from opperlite.domain.models.specs import ImageParams, Model
from opperlite.domain.types import ImageRequest, SpeechRequest, TranscriptionRequest

TIERS = ("low", "medium", "high")  # the normalized qualities of every image model (images guide)
OLD_TIERS = {"standard": "medium", "hd": "high"}  # still sent by Opper's own clients (contract C.3)
MOST_IMAGES = 4  # images guide: "n … max 4"
LONGEST_PROMPT = 32_000  # characters (contract, decision 30)
LONGEST_INPUT = 4096  # characters of speech where the model publishes no other limit (contract, decision 30)
SPEEDS = (0.25, 4.0)  # contract A.12
SPEECH_FORMATS = ("mp3", "wav", "opus", "aac", "flac", "pcm")  # contract A.12


class Body:
    """Provider parameters in the making, with the normalized field that each of them came from."""

    def __init__(self, always: dict[str, Any]) -> None:
        self.parameters: dict[str, Any] = dict(always)
        self.origin: dict[str, str] = {}

    def put(self, field: str, parameters: dict[str, Any]) -> None:
        self.parameters = merge(self.parameters, parameters)
        self.origin.update(dict.fromkeys(parameters, field))

    def set(self, field: str, path: str | None, value: Any) -> None:
        if path is not None and value is not None:
            self.put(field, nested(path, value))


def invalid(field: str, message: str, allowed: Any = None) -> ValidationFailed:
    return ValidationFailed(message, field=field, allowed=allowed)


def check_text(field: str, text: str, longest: int) -> None:
    """Refuse an empty or too long prompt or input."""
    if not text.strip():
        raise invalid(field, f"{field} is empty; a text of 1 to {longest} characters is needed")
    if len(text) > longest:
        raise invalid(field, f"{field} has {len(text)} characters; at most {longest} are allowed", longest)


def one_of(field: str, value: str, allowed: Iterable[str], whose: str) -> None:
    listed = list(allowed)
    if value not in listed:
        known = ", ".join(listed)
        told = f"{whose} takes {known}" if known else f"{whose} takes none"
        raise invalid(field, f"{field} {value[:100]!r} is not allowed: {told}", listed)


# ------------------------------------------------------------------------------------------------ images


def image_body(model: Model, request: ImageRequest) -> Body:
    """What the provider would be sent for an image request, before the caller's own `parameters`."""
    bridge = model.spec.bridge
    published = model.spec.params.image or ImageParams()
    body = Body(bridge.always)
    if not is_type(request.n, "integer") or not 1 <= request.n <= MOST_IMAGES:
        raise invalid("n", f"n must be a whole number from 1 to {MOST_IMAGES}; found {request.n!r}", [1, 2, 3, 4])
    if request.n != 1:
        body.set("n", bridge.n, request.n)
    quality = normal_quality(request.quality)
    one_of("quality", quality, published.qualities or TIERS, model.id)
    body.put("quality", bridge.quality.get(quality, {}))
    if request.style is not None:
        one_of("style", request.style, published.styles, model.id)
        body.set("style", bridge.style, request.style)
    _bridge_size(model, request, quality, published, body)
    return body


def normal_quality(quality: str | None) -> str:
    """The normalized tier: "medium" where none is given, and the old words in today's."""
    return OLD_TIERS.get(quality, quality) if quality is not None else "medium"


def _bridge_size(model: Model, request: ImageRequest, quality: str, published: ImageParams, body: Body) -> None:
    """Size and ratio: the model's native one wins when both are given (contract, decision 21)."""
    bridge = model.spec.bridge
    size, ratio = request.size, request.aspect_ratio
    if size is not None and ratio is not None:
        size, ratio = (size, None) if bridge.native == "size" else (None, ratio)
    if size is not None:
        if bridge.native == "size" or bridge.sides:
            _put_size(model, size, published, body)
        else:
            _put_size_as_ratio(model, size, request.quality is None, published, body)
    elif ratio is not None and bridge.native == "ratio":
        one_of("aspect_ratio", ratio, published.aspect_ratios, model.id)
        body.set("aspect_ratio", bridge.ratio, ratio)
    elif ratio is not None or quality in bridge.quality_sizes:
        _put_ratio_as_size(model, ratio, bridge.quality_sizes.get(quality, bridge.ratio_sizes), published, body)


def _put_size(model: Model, size: str, published: ImageParams, body: Body) -> None:
    bridge, limits = model.spec.bridge, published.size_constraints
    sides = parse_size(size)
    if size not in published.sizes:
        if limits is None:
            one_of("size", size, published.sizes, model.id)
        allowed: Any = [*published.sizes, describe_size(limits)] if limits and published.sizes else None
        allowed = allowed or (describe_size(limits) if limits else list(published.sizes))
        if sides is None or (limits is not None and size_problem(limits, *sides)):
            listed = ", ".join(allowed) if isinstance(allowed, list) else allowed
            raise invalid("size", f"size {size[:100]!r} is not allowed: {model.id} takes {listed}", allowed)
    if bridge.sides is not None and sides is not None:
        body.put("size", {**bridge.sides_with, bridge.sides[0]: sides[0], bridge.sides[1]: sides[1]})
    else:
        body.set("size", bridge.size, size)


def _put_size_as_ratio(model: Model, size: str, free: bool, published: ImageParams, body: Body) -> None:
    """A pixel size for a ratio model: the nearest ratio, and the tier by the long side where no quality was asked."""
    bridge, sides = model.spec.bridge, parse_size(size)
    if sides is None:
        raise invalid("size", f"size {size[:100]!r} is not WIDTHxHEIGHT, such as 1024x1024", "WIDTHxHEIGHT")
    ratio = nearest_ratio(sides[0] / sides[1], published.aspect_ratios)
    if ratio is None:
        _no_bridge("size", size, published.aspect_ratios, model)
    body.set("size", bridge.ratio, ratio)
    tier = next((one for one in bridge.tiers if one.up_to is None or max(sides) <= one.up_to), None)
    if tier is not None and free:
        body.put("size", tier.set)


def _put_ratio_as_size(
    model: Model, ratio: str | None, sizes: dict[str, str], published: ImageParams, body: Body
) -> None:
    """A ratio for a pixel-sized model: the size that the model has for it, or for one within the tolerance."""
    bridge = model.spec.bridge
    value = parse_ratio(ratio if ratio is not None else "1:1")
    if value is None:
        raise invalid("aspect_ratio", f"aspect_ratio {ratio!r:.100} is not WIDTH:HEIGHT, such as 16:9", list(sizes))
    if not sizes and bridge.ratio is not None:
        if published.aspect_ratios:
            one_of("aspect_ratio", str(ratio), published.aspect_ratios, model.id)
        body.set("aspect_ratio", bridge.ratio, ratio)
        return
    name = ratio if ratio in sizes else nearest_ratio(value, sizes)
    if name is None:
        _no_bridge("aspect_ratio", str(ratio), sizes, model)
    else:
        body.set("aspect_ratio", bridge.size, sizes[name])


def _no_bridge(field: str, value: str, ratios: Iterable[str], model: Model) -> None:
    known = [one for one in ratios if parse_ratio(one)]
    raise invalid(field, f"{field} {value!r} has no near ratio among those of {model.id}: {', '.join(known)}", known)


# ------------------------------------------------------------------------------------------------ audio


def speech_body(model: Model, request: SpeechRequest) -> Body:
    """What the provider would be sent for a speech request, before the caller's own `parameters`."""
    bridge, published = model.spec.bridge, model.spec.params.tts
    body = Body(bridge.always)
    check_text("input", request.input, (published.max_length if published else None) or LONGEST_INPUT)
    format_ = "mp3" if request.format is None else request.format
    one_of("format", format_, SPEECH_FORMATS, model.id)
    _put_voice(model, request.voice, published.voices if published else (), body)
    body.set("format", bridge.format, bridge.formats.get(format_, bridge.format_fallback or format_))
    if request.speed is not None:
        _put_speed(model, request.speed, body)
    return body


def _put_voice(model: Model, voice: str | None, voices: Sequence[str], body: Body) -> None:
    bridge = model.spec.bridge
    if not voice:
        return
    field = field_at(model.spec.parameters, bridge.voice) if bridge.voice else None
    fold = str.lower if field is not None and field.ignore_case else str
    judged_later = field is not None and field.pattern is not None  # blends such as "af_bella+af_sky"
    if voices and not judged_later and fold(voice) not in {fold(one) for one in voices}:
        one_of("voice", voice, voices, model.id)
    body.set("voice", bridge.voice, voice)


def _put_speed(model: Model, speed: float, body: Body) -> None:
    bridge, published = model.spec.bridge, model.spec.params.tts
    low, high = SPEEDS
    if published is not None and published.min_speed is not None and published.max_speed is not None:
        low, high = published.min_speed, published.max_speed
    if not is_type(speed, "number") or not low <= speed <= high:
        raise invalid(
            "speed", f"speed must be a number from {low:g} to {high:g} with {model.id}; found {speed!r}", [low, high]
        )
    if bridge.speed is None and speed != 1:
        raise invalid("speed", f"{model.id} has no speed; leave it out or send 1; found {speed!r}", [1])
    body.set("speed", bridge.speed, speed)


def transcription_body(model: Model, request: TranscriptionRequest) -> Body:
    """What the provider would be sent for a transcription, before the caller's own `parameters`."""
    bridge = model.spec.bridge
    body = Body(bridge.always)
    if request.diarize and not bridge.diarize:
        raise invalid(
            "diarize", f"{model.id} cannot tell speakers apart; leave diarize out or choose a model that can", [False]
        )
    body.put("diarize", bridge.diarize if request.diarize else bridge.plain)
    if request.language is not None:
        body.set("language", bridge.language, request.language)
    body.set("prompt", bridge.prompt, request.prompt)
    return body


def own_parameter(
    parameters: dict[str, Any], name: str, allowed: Sequence[Any], default: Any
) -> tuple[Any, dict[str, Any]]:
    """One of our own parameters, taken out before the provider's rules see the rest."""
    rest = {key: value for key, value in parameters.items() if key != name}
    value = parameters.get(name)
    if value is None:
        return default, rest
    if not any(type(value) is type(one) and value == one for one in allowed):
        listed = ", ".join(str(one).lower() if isinstance(one, bool) else str(one) for one in allowed)
        raise invalid(
            f"parameters.{name}", f"parameters.{name} must be one of {listed}; found {value!r:.100}", list(allowed)
        )
    return value, rest


# ------------------------------------------------------------------------------------------------ videos


def clip_parameters(model: Model, seconds: float | None, size: str | None) -> dict[str, Any]:
    """A clip's length in seconds and its pixel size as the provider's own parameters; raises ValidationFailed."""
    parameters: dict[str, Any] = {}
    if seconds is not None:
        parameters = merge(parameters, _length(model, seconds))
    if size is not None:
        parameters = merge(parameters, _sides(model, size))
    return parameters


def _length(model: Model, seconds: float) -> dict[str, Any]:
    path = model.spec.output.duration
    field = field_at(model.spec.parameters, path) if isinstance(path, str) else None
    if not isinstance(path, str) or field is None:
        raise invalid("seconds", f"{model.id} has no length in seconds; leave seconds out", None)
    value: Any = int(seconds) if seconds == int(seconds) else seconds
    return nested(path, str(value) if field.type == "string" else value)


def _sides(model: Model, size: str) -> dict[str, Any]:
    """The size itself where the model takes one, else the nearest ratio and the tier by the short side."""
    output, published, sides = model.spec.output, model.spec.params.video, parse_size(size)
    if output.size is not None:
        return nested(output.size, size)
    ratios = published.aspect_ratios if published else ()
    ratio = nearest_ratio(sides[0] / sides[1], ratios) if sides else None
    if sides is None or output.ratio is None or ratio is None:
        raise invalid("size", f"size {size[:100]!r} is not allowed: {model.id} takes {', '.join(ratios)}", list(ratios))
    parameters = nested(output.ratio, ratio)
    tier = f"{min(sides)}p"
    if output.tier is not None and published is not None and tier in published.resolutions:
        parameters = merge(parameters, nested(output.tier, tier))
    return parameters


def ratio_parameters(model: Model, ratio: str | None) -> dict[str, Any]:
    """A clip's ratio as the provider's own parameters, or as the size that has it; raises ValidationFailed."""
    output, published = model.spec.output, model.spec.params.video
    if ratio is None:
        return {}
    if output.ratio is not None:
        return nested(output.ratio, ratio)
    value, sizes = parse_ratio(ratio), published.resolutions if published else ()
    name = nearest_ratio(value, sizes) if value else None
    if name is None or output.size is None:
        known = published.aspect_ratios if published else ()
        raise invalid(
            "aspect_ratio", f"aspect_ratio {ratio[:40]!r} is none of {model.id}: {', '.join(known)}", list(known)
        )
    return nested(output.size, name)
