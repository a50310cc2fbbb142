"""From what a caller asks to what is to be made, by the model's own rules.

`plan_*` judge a request before any source is read; `settle_*` and `check_audio` judge what the sources turned out to
be and fill in what depended on them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from opperlite.domain.bridging import (
    LONGEST_PROMPT,
    Body,
    check_text,
    image_body,
    invalid,
    normal_quality,
    own_parameter,
    speech_body,
    transcription_body,
)
from opperlite.domain.errors import OpperliteError, ProviderRefused, ValidationFailed
from opperlite.domain.geometry import clip_length, picture_sides
from opperlite.domain.refusals import in_words, late_text, refuse
from opperlite.domain.rules import INPUT_MARK, Violation, check, check_rules, effective, holds, merge, read
from opperlite.domain.specs import Input, Model
from opperlite.domain.types import (
    ImagePlan,
    ImageRequest,
    Media,
    Source,
    SpeechPlan,
    SpeechRequest,
    TranscriptionPlan,
    TranscriptionRequest,
    VideoPlan,
    VideoRequest,
)

SeedOf = Callable[[str, str, Mapping[str, Any]], int]
Sources = Mapping[str, Sequence[Source]]
_KINDS = {"image": "image", "mask": "image", "reference_images": "image", "video": "video", "audio": "audio"}
_NEEDS = {
    "image": {"image": "image_edit", "mask": "image_edit", "reference_images": "image_edit"},
    "video": {"image": "image_to_video", "video": "video_editing"},
}


def default_seed(model_id: str, prompt: str, parameters: Mapping[str, Any]) -> int:
    """The seed of a call that names none: the same for the same model, prompt and parameters, 0 … 2³² − 1."""
    text = json.dumps([model_id, prompt, parameters], sort_keys=True, ensure_ascii=False, default=str)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big")


# ------------------------------------------------------------------------------------------------ phase one


def plan_image(model: Model, request: ImageRequest, *, seed_of: SeedOf = default_seed) -> ImagePlan:
    """Judge a call for images; raises ValidationFailed or ProviderRefused."""
    sources = _sources(image=request.image, mask=request.mask, reference_images=request.reference_images)
    check_text("prompt", request.prompt, LONGEST_PROMPT)
    caption, given = own_parameter(request.parameters, "caption", (True, False), True)
    _check_presence(model, sources, given)
    body = image_body(model, request)
    parameters = merge(body.parameters, given)
    _judge(model, body, given, parameters, {**_subjects(sources), "@prompt.length": len(request.prompt)})
    _check_prompt(model, request.prompt)
    _check_forms(model, sources)
    count = len(sources["image"]) + len(sources["reference_images"])
    sides = picture_sides(model.spec, parameters, inputs=count, source=None)
    output, fields = model.spec.output, model.spec.parameters
    name = effective(fields, parameters, output.format) if output.format else None
    compression = effective(fields, parameters, output.compression) if output.compression else None
    number = read(parameters, output.n) if output.n else None
    return ImagePlan(
        model=model.id,
        prompt=request.prompt,
        n=number if isinstance(number, int) else request.n,
        width=sides[0] if sides else None,
        height=sides[1] if sides else None,
        format=output.formats.get(str(name), output.default_format),
        compression=round(compression) if isinstance(compression, int | float) else None,
        transparent=bool(output.transparent) and holds(output.transparent, fields, parameters),
        quality=normal_quality(request.quality),
        style=_text(model, parameters, output.style) or request.style,
        seed=_seed(model, parameters, request.prompt, given, seed_of),
        caption=caption,
        parameters=parameters,
    )


def plan_video(model: Model, request: VideoRequest, *, seed_of: SeedOf = default_seed) -> VideoPlan:
    """Judge a call for a video; raises ValidationFailed or ProviderRefused."""
    sources = _sources(image=request.image, video=request.video, reference_images=request.reference_images)
    check_text("prompt", request.prompt, LONGEST_PROMPT)
    given = dict(request.parameters)
    _check_presence(model, sources, given)
    body = Body(model.spec.bridge.always)
    parameters = merge(body.parameters, given)
    subjects = {**_subjects(sources), "@prompt.length": len(request.prompt)}
    late = _judge(model, body, given, parameters, subjects)
    _check_prompt(model, request.prompt)
    _check_forms(model, sources)
    output, edit = model.spec.output, bool(sources["video"])
    fps, frames = clip_length(model.spec, parameters)
    count = len(sources["image"]) + (len(sources["video"]) if output.edit == "sides" else 0)
    sides = None
    if not edit or output.edit == "own":
        sides = picture_sides(model.spec, parameters, inputs=count, source=None)
    whole = edit and output.edit == "source"
    audio = (
        effective(model.spec.parameters, parameters, output.audio) if isinstance(output.audio, str) else output.audio
    )
    return VideoPlan(
        model=model.id,
        prompt=request.prompt,
        width=sides[0] if sides else None,
        height=sides[1] if sides else None,
        fps=None if whole else fps,
        frames=None if whole else frames,
        audio=bool(audio),
        style=_text(model, parameters, output.style),
        seed=_seed(model, parameters, request.prompt, given, seed_of),
        late_failure=late,
        parameters=parameters,
    )


def plan_speech(model: Model, request: SpeechRequest, *, seed_of: SeedOf = default_seed) -> SpeechPlan:
    """Judge a call for speech; raises ValidationFailed or ProviderRefused."""
    body = speech_body(model, request)
    given = dict(request.parameters)
    parameters = merge(body.parameters, given)
    _judge(model, body, given, parameters, {"@input.length": len(request.input)})
    output, published = model.spec.output, model.spec.params.tts
    voice = effective(model.spec.parameters, parameters, output.voice) if output.voice else request.voice
    if isinstance(voice, Mapping):
        voice = voice.get("id")
    voice = str(voice or (published.default_voice if published else None) or "")
    voice = next((one for one in (published.voices if published else ()) if one.lower() == voice.lower()), voice)
    speed = effective(model.spec.parameters, parameters, output.speed) if output.speed else None
    named = read(given, output.speech_format) if output.speech_format else None
    return SpeechPlan(
        model=model.id,
        input=request.input,
        voice=voice,
        format=output.speech_formats.get(str(named)) or request.format or "mp3",  # type: ignore[arg-type]
        speed=float(speed) if isinstance(speed, int | float) else 1.0,
        language=_text(model, parameters, output.language) or _voice_language(output.languages, voice),
        instructions=_text(model, parameters, output.instructions),
        seed=_seed(model, parameters, request.input, given, seed_of),
        parameters=parameters,
    )


def plan_transcription(model: Model, request: TranscriptionRequest) -> TranscriptionPlan:
    """Judge a call for a transcription; raises ValidationFailed or ProviderRefused."""
    recognizer, given = own_parameter(request.parameters, "recognizer", ("record", "acoustic"), "record")
    body = transcription_body(model, request)
    parameters = merge(body.parameters, given)
    sources = _sources(audio=request.audio)
    _judge(model, body, given, parameters, {**_subjects(sources), "@diarize": request.diarize})
    _check_forms(model, sources)
    output = model.spec.output
    diarize = bool(output.diarize) and holds(output.diarize, model.spec.parameters, parameters)
    return TranscriptionPlan(
        model=model.id,
        language=_text(model, parameters, output.language) or request.language,
        prompt=_text(model, parameters, output.prompt),
        diarize=request.diarize or diarize,
        recognizer=recognizer,
        parameters=parameters,
    )


# ------------------------------------------------------------------------------------------------ phase two


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


# ------------------------------------------------------------------------------------------------ the checks


def _sources(**named: Source | Sequence[Source] | None) -> dict[str, Sequence[Source]]:
    listed = {name: (one,) if isinstance(one, Source) else tuple(one or ()) for name, one in named.items()}
    return {"image": (), "mask": (), "reference_images": (), "video": (), "audio": (), **listed}


def _subjects(sources: Sources) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name, listed in sources.items():
        facts[INPUT_MARK + name] = bool(listed)
        facts[f"{INPUT_MARK}{name}.count"] = len(listed)
    facts["@images.count"] = len(sources["image"]) + len(sources["reference_images"])
    return facts


def _check_presence(model: Model, sources: Sources, given: Mapping[str, Any]) -> None:
    """Refuse inputs that the model has no use for, and the lack of one that it needs."""
    inputs = model.spec.inputs
    for name, listed in sources.items():
        if listed and name not in inputs:
            raise invalid(name, f"{model.id} takes no {name}: {_abilities(model)}", sorted(inputs))
    if sources["mask"] and not sources["image"]:
        raise invalid("mask", "mask needs an image to lie on; send image too")
    for name, rule in inputs.items():
        elsewhere = rule.parameter is not None and read(given, rule.parameter) is not None
        if rule.required and not sources[name] and not elsewhere:
            also = name == "image" and sources["reference_images"]
            if not also:
                raise invalid(name, f"{model.id} needs {name}: {_abilities(model)}")


def _abilities(model: Model) -> str:
    inputs = ", ".join(model.spec.inputs)
    makes = {"image": "images", "video": "videos", "tts": "speech", "stt": "transcripts"}[model.type]
    return f"it makes {makes} from text and {inputs}" if inputs else f"it makes {makes} from text only"


def _judge(
    model: Model, body: Body, given: Mapping[str, Any], parameters: Mapping[str, Any], subjects: Mapping[str, Any]
) -> str | None:
    """Run the provider's rules; raises the first refusal, or returns the text of a later failure."""
    spec, late = model.spec, None
    found = check(spec.parameters, parameters, closed=spec.closed, null_is_absent=model.null_is_absent)
    for violation in found:
        raise _refusal(model, violation, body, given)
    for violation in check_rules(spec.rules, spec.parameters, parameters, subjects):
        if not violation.late:
            raise _refusal(model, violation, body, given)
        late = late or late_text(model.refusals, model.model_id, violation)
    return late


def _refusal(model: Model, violation: Violation, body: Body, given: Mapping[str, Any]) -> OpperliteError:
    path = violation.path
    if path.startswith(INPUT_MARK):
        return refuse(model.refusals, model.provider_display_name, model.model_id, violation, _input_field(path))
    top = path.partition(".")[0].partition("[")[0]
    if top not in given and top in body.origin:
        field = body.origin[top]
        return invalid(
            field, f"{field} is not allowed: {model.id} takes {in_words(violation.allowed)}", violation.allowed
        )
    return refuse(model.refusals, model.provider_display_name, model.model_id, violation, f"parameters.{path}")


def _input_field(path: str) -> str:
    name = path.removeprefix(INPUT_MARK).partition(".")[0]
    return "image" if name == "images" else name


def _check_prompt(model: Model, prompt: str) -> None:
    limit = model.spec.prompt_length
    if limit is not None and len(prompt) > limit:
        facts = {"length": len(prompt), "max": limit}
        broken = Violation(
            kind="length", path="@prompt", value=len(prompt), allowed=f"at most {limit} characters", facts=facts
        )
        raise refuse(model.refusals, model.provider_display_name, model.model_id, broken, "prompt")


_FORMS = {"url": "an http(s) URL", "data": "a data-URI", "file": "a file id", "gs": "a gs:// URI"}


def _check_forms(model: Model, sources: Sources) -> None:
    """Refuse a source written in a form that the provider does not take; a file id works everywhere."""
    for name, rule in model.spec.inputs.items():
        for source in sources[name]:
            if source.form == "file" or source.form in rule.sources:
                continue
            allowed = [_FORMS[form] for form in (*rule.sources, "file")]
            broken = Violation(kind="source", path="@" + name, value=_FORMS[source.form], allowed=allowed)
            raise refuse(
                model.refusals, model.provider_display_name, model.model_id, broken, source.field, rule.parameter
            )
    for name, rule in model.spec.inputs.items():
        count = len(sources[name])
        total = len(sources["image"]) + len(sources["reference_images"])
        for found, limit in ((count, rule.max_count), (total if count else 0, rule.max_total)):
            if limit is not None and found > limit:
                broken = Violation(kind="items", path="@" + name, value=found, allowed=f"at most {limit}",
                                   facts={"length": found, "max": limit, "min": 0})  # fmt: skip
                raise refuse(model.refusals, model.provider_display_name, model.model_id, broken, name, rule.parameter)


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
            raise _refusal(model, violation, Body({}), parameters)
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


# ------------------------------------------------------------------------------------------------ readings


def _pixels(media: Media | None) -> tuple[int, int] | None:
    return (media.width, media.height) if media and media.width and media.height else None


def _text(model: Model, parameters: Mapping[str, Any], path: str | None) -> str | None:
    value = effective(model.spec.parameters, parameters, path) if path else None
    return value if isinstance(value, str) else None


def _seed(model: Model, parameters: Mapping[str, Any], prompt: str, given: Mapping[str, Any], seed_of: SeedOf) -> int:
    """The caller's own seed where the model takes one; a negative one means "any"."""
    path = model.spec.output.seed
    value = read(parameters, path) if path else None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return seed_of(model.id, prompt, given)


def _voice_language(languages: Mapping[str, str], voice: str) -> str | None:
    return next((language for prefix, language in languages.items() if voice.startswith(prefix)), None)


__all__ = [
    "ProviderRefused",
    "ValidationFailed",
    "check_audio",
    "default_seed",
    "plan_image",
    "plan_speech",
    "plan_transcription",
    "plan_video",
    "settle_image",
    "settle_video",
]
