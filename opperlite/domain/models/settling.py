"""The rules of a request once its sources have been read, and what of the plan depended on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from opperlite.domain.models.bridging import Body, invalid
from opperlite.domain.models.checking import check_rules
from opperlite.domain.models.geometry import clip_length, picture_sides
from opperlite.domain.models.judging import refusal
from opperlite.domain.models.refusals import late_text, refuse
from opperlite.domain.models.rules import INPUT_MARK, Rule, Violation, read
from opperlite.domain.models.specs import AudioFormat, Input, Model
from opperlite.domain.types import ImagePlan, Media, TranscriptionPlan, VideoPlan

_KINDS = {"image": "image", "mask": "image", "reference_images": "image", "video": "video", "audio": "audio"}
# The MIME types of the formats that model lists publish, as the bytes tell them (contract, decision 29).
_MPEG_4 = ("audio/mp4", "audio/m4a", "audio/x-m4a", "audio/quicktime", "video/mp4", "video/quicktime")
_OGG = ("audio/ogg", "audio/opus", "video/ogg", "application/ogg")
_AUDIO_TYPES: dict[AudioFormat, tuple[str, ...]] = {
    "aac": ("audio/aac", "audio/x-aac"),
    "aiff": ("audio/aiff", "audio/x-aiff"),
    "flac": ("audio/flac", "audio/x-flac"),
    "m4a": _MPEG_4,
    "mkv": ("video/x-matroska", "audio/x-matroska"),
    "mp3": ("audio/mpeg", "audio/mp3"),
    "mp4": _MPEG_4,
    "mpeg": ("audio/mpeg", "video/mpeg"),
    "mpga": ("audio/mpeg",),
    "ogg": _OGG,
    "opus": _OGG,
    "wav": ("audio/wav", "audio/x-wav", "audio/wave"),
    "webm": ("audio/webm", "video/webm"),
}
FASTEST = 60.0  # frames per second; an edit of a faster source is made at this rate
_FACTS = ("bytes", "width", "height", "duration", "fps", "frames", "has_audio", "mime_type")


def settle_image(model: Model, plan: ImagePlan, media: Mapping[str, Sequence[Media]]) -> ImagePlan:
    """Judge the sources of an image call, and fill in the sides where they depended on one."""
    first = next(iter((*media.get("image", ()), *media.get("reference_images", ()))), None)
    count = len(media.get("image", ())) + len(media.get("reference_images", ()))
    if plan.width is None or plan.height is None:
        sides = picture_sides(model.spec, plan.parameters, inputs=count, source=_pixels(first)) or (1024, 1024)
        plan = msgspec.structs.replace(plan, width=sides[0], height=sides[1])
    _check_media(model, media, (plan.width, plan.height), plan.parameters)
    return plan


def settle_video(model: Model, plan: VideoPlan, media: Mapping[str, Sequence[Media]]) -> VideoPlan:
    """Judge the sources of a video call, and fill in what depended on them."""
    clip = next(iter(media.get("video", ())), None)
    first = next(iter(media.get("image", ())), None)
    if plan.width is None or plan.height is None:
        sides = _pixels(clip) or picture_sides(model.spec, plan.parameters, inputs=1, source=_pixels(first))
        width, height = sides or (1280, 720)
        plan = msgspec.structs.replace(plan, width=width, height=height)
    if plan.fps is None or plan.frames is None:
        fps, frames = _edited_length(model, plan, clip)
        plan = msgspec.structs.replace(plan, fps=fps, frames=frames)
    late = _check_media(model, media, (plan.width, plan.height), plan.parameters)
    return msgspec.structs.replace(plan, late_failure=late) if late and not plan.late_failure else plan


def _edited_length(model: Model, plan: VideoPlan, clip: Media | None) -> tuple[float, int]:
    """Rate and count of frames of an edit: the source's, and what an extension adds."""
    fps, frames = clip_length(model.spec, plan.parameters)
    if clip is None or not clip.duration:
        return fps, frames
    rate = min(max(clip.fps or fps, 1.0), FASTEST)
    whole = clip.frames if clip.frames and clip.fps == rate else round(clip.duration * rate)
    added = round(frames / fps * rate) if model.spec.output.edit == "extend" else 0
    return rate, max(1, whole + added)


def check_audio(model: Model, plan: TranscriptionPlan, media: Media) -> None:
    """Judge the recording of a transcription."""
    published = model.spec.params.stt
    allowed = {name for one in (published.formats if published else ()) for name in _AUDIO_TYPES[one]}
    if media.kind != "image" and allowed and media.mime_type not in allowed:
        listed = list(published.formats) if published else []
        broken = Violation(kind="media_type", path="@audio", value=media.mime_type, allowed=listed)
        raise refusal(model, broken, Body({}), plan.parameters)
    _check_media(model, {"audio": [media]}, (None, None), plan.parameters)


def _check_media(
    model: Model,
    media: Mapping[str, Sequence[Media]],
    sides: tuple[int | None, int | None],
    parameters: Mapping[str, Any],
) -> str | None:
    """What the sources turned out to be against the model's rules; returns the text of a later failure."""
    facts: dict[str, Any] = {}
    late: list[str] = []
    inputs = {str(name): rule for name, rule in model.spec.inputs.items()}
    for name, listed in media.items():
        for index, one in enumerate(listed):
            field = f"{name}[{index}]" if name == "reference_images" else name
            _check_kind(name, field, one)
            rule = inputs.get(name, Input())
            broken = _broken_input(rule, name, one, _wanted(model, rule, media, sides, parameters))
            if broken is not None and not broken.late:
                raise refuse(model.refusals, model.provider_display_name, model.model_id, broken, field, rule.parameter)
            late += [late_text(model.refusals, model.model_id, broken)] if broken else []
        facts.update(_media_facts(name, listed))
    rules = [rule for rule in model.spec.rules if _asks_of_media(rule)]
    for violation in check_rules(rules, model.spec.parameters, parameters, facts):
        if not violation.late:
            raise refusal(model, violation, Body({}), parameters)
        late.append(late_text(model.refusals, model.model_id, violation))
    return next(iter(late), None)


def _asks_of_media(rule: Rule) -> bool:
    subjects = (*rule.when, *rule.require, *rule.forbid, *rule.allow, *rule.maximum, *rule.minimum)
    return any(subject.startswith(INPUT_MARK) and subject.rpartition(".")[2] in _FACTS for subject in subjects)


def _media_facts(name: str, listed: Sequence[Media]) -> dict[str, Any]:
    facts: dict[str, Any] = {f"@{name}": bool(listed), f"@{name}.count": len(listed)}
    for one in listed[:1]:
        facts.update({f"@{name}.{fact}": getattr(one, fact) for fact in _FACTS})
    return facts


def _check_kind(name: str, field: str, media: Media) -> None:
    wanted = _KINDS.get(name, media.kind)
    if media.kind != wanted and not (wanted == "audio" and media.kind == "video" and media.has_audio):
        raise invalid(field, f"{field} must be {wanted}/*; the bytes are {media.mime_type}", f"{wanted}/*")


def _wanted(
    model: Model,
    rule: Input,
    media: Mapping[str, Sequence[Media]],
    sides: tuple[int | None, int | None],
    parameters: Mapping[str, Any],
) -> tuple[int | None, int | None] | None:
    """The pixel size that an input must have, if any."""
    if rule.equals == "image":
        return _pixels(next(iter(media.get("image", ())), None))
    output = model.spec.output
    asked = any(path and read(parameters, path) is not None for path in (output.size, output.width))
    return sides if rule.equals == "requested" and asked else None


def _broken_input(
    rule: Input, name: str, media: Media, wanted: tuple[int | None, int | None] | None
) -> Violation | None:
    path = INPUT_MARK + name
    if rule.mime and media.mime_type not in rule.mime:
        return Violation(kind="media_type", path=path, value=media.mime_type, allowed=list(rule.mime), late=rule.late)
    if rule.max_bytes is not None and media.bytes > rule.max_bytes:
        allowed, facts = f"at most {rule.max_bytes} bytes", {"max": rule.max_bytes}
        return Violation(kind="bytes", path=path, value=media.bytes, allowed=allowed, facts=facts, late=rule.late)
    fitted = media.stored and rule.equals == "requested"  # the server resizes what it delivers itself
    if wanted is not None and not fitted and (media.width, media.height) != wanted:
        found, size = f"{media.width}x{media.height}", f"{wanted[0]}x{wanted[1]}"
        kind = f"{name}_pixel_size"
        return Violation(kind="pixel_size", path=path, value=found, allowed=size, error=kind, late=rule.late)
    return None


def _pixels(media: Media | None) -> tuple[int, int] | None:
    return (media.width, media.height) if media and media.width and media.height else None
