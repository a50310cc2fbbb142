"""The rules of a request once its sources have been read, and what of the plan depended on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from opperlite.domain.bridging import Body, invalid
from opperlite.domain.checking import check_rules
from opperlite.domain.geometry import clip_length, picture_sides
from opperlite.domain.judging import refusal
from opperlite.domain.refusals import late_text, refuse
from opperlite.domain.rules import Violation, read
from opperlite.domain.specs import Input, Model
from opperlite.domain.types import ImagePlan, Media, TranscriptionPlan, VideoPlan

_KINDS = {"image": "image", "mask": "image", "reference_images": "image", "video": "video", "audio": "audio"}


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
        fps, frames = clip_length(model.spec, plan.parameters)
        rate = (clip.fps if clip else None) or fps
        counted = (clip.frames or round((clip.duration or 0.0) * rate)) if clip else 0
        plan = msgspec.structs.replace(plan, fps=rate, frames=counted or frames)
    late = _check_media(model, media, (plan.width, plan.height), plan.parameters)
    return msgspec.structs.replace(plan, late_failure=late) if late and not plan.late_failure else plan


def check_audio(model: Model, plan: TranscriptionPlan, media: Media) -> None:
    """Judge the recording of a transcription."""
    _check_media(model, {"audio": [media]}, (None, None), plan.parameters)


def _check_media(
    model: Model,
    media: Mapping[str, Sequence[Media]],
    sides: tuple[int | None, int | None],
    parameters: Mapping[str, Any],
) -> str | None:
    """What the sources turned out to be against the model's input rules; returns the text of a later failure."""
    facts: dict[str, Any] = {}
    for name, listed in media.items():
        rule = model.spec.inputs.get(name)  # type: ignore[call-overload]
        for index, one in enumerate(listed):
            field = f"{name}[{index}]" if name == "reference_images" else name
            _check_kind(name, field, one)
            if rule is not None:
                _check_input(model, rule, name, field, one, _wanted(rule, media, sides, model, parameters))
        facts.update(_media_facts(name, listed))
    late = None
    for violation in check_rules(model.spec.rules, model.spec.parameters, parameters, facts):
        if not violation.late:
            raise refusal(model, violation, Body({}), parameters)
        late = late or late_text(model.refusals, model.model_id, violation)
    return late


def _media_facts(name: str, listed: Sequence[Media]) -> dict[str, Any]:
    facts: dict[str, Any] = {f"@{name}": bool(listed), f"@{name}.count": len(listed)}
    for one in listed:
        for fact in ("bytes", "width", "height", "duration", "fps", "frames", "has_audio", "mime_type"):
            facts.setdefault(f"@{name}.{fact}", getattr(one, fact))
    return facts


def _check_kind(name: str, field: str, media: Media) -> None:
    wanted = _KINDS.get(name, media.kind)
    if media.kind != wanted and not (wanted == "audio" and media.kind == "video" and media.has_audio):
        raise invalid(field, f"{field} must be {wanted}/*; the bytes are {media.mime_type}", f"{wanted}/*")


def _wanted(
    rule: Input,
    media: Mapping[str, Sequence[Media]],
    sides: tuple[int | None, int | None],
    model: Model,
    parameters: Mapping[str, Any],
) -> tuple[int | None, int | None] | None:
    """The pixel size that an input must have, if any."""
    if rule.equals == "image":
        first = next(iter(media.get("image", ())), None)
        return _pixels(first)
    output = model.spec.output
    asked = any(path and read(parameters, path) is not None for path in (output.size, output.width))
    return sides if rule.equals == "requested" and asked else None


def _check_input(
    model: Model, rule: Input, name: str, field: str, media: Media, wanted: tuple[int | None, int | None] | None
) -> None:
    broken: Violation | None = None
    if rule.mime and media.mime_type not in rule.mime:
        broken = Violation(kind="media_type", path="@" + name, value=media.mime_type, allowed=list(rule.mime))
    elif rule.max_bytes is not None and media.bytes > rule.max_bytes:
        broken = Violation(kind="bytes", path="@" + name, value=media.bytes, allowed=f"at most {rule.max_bytes} bytes",
                           facts={"max": rule.max_bytes})  # fmt: skip
    elif wanted is not None and (media.width, media.height) != wanted:
        found, allowed = f"{media.width}x{media.height}", f"{wanted[0]}x{wanted[1]}"
        broken = Violation(kind="pixel_size", path="@" + name, value=found, allowed=allowed, error=f"{name}_pixel_size")
    if broken is not None:
        raise refuse(model.refusals, model.provider_display_name, model.model_id, broken, field, rule.parameter)


def _pixels(media: Media | None) -> tuple[int, int] | None:
    return (media.width, media.height) if media and media.width and media.height else None
