"""From what a caller asks to what is to be made, by the model's own rules, before any source is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from opperlite.domain.models.bridging import (
    LONGEST_PROMPT,
    Body,
    check_text,
    image_body,
    normal_quality,
    own_parameter,
    speech_body,
    transcription_body,
)
from opperlite.domain.models.geometry import clip_length, picture_sides
from opperlite.domain.models.judging import (
    check_counts,
    check_forms,
    check_presence,
    check_prompt,
    judge,
    sources_of,
    subjects_of,
)
from opperlite.domain.models.rules import effective, holds, merge, read
from opperlite.domain.models.specs import Model
from opperlite.domain.types import (
    ImagePlan,
    ImageRequest,
    SpeechPlan,
    SpeechRequest,
    TranscriptionPlan,
    TranscriptionRequest,
    VideoPlan,
    VideoRequest,
)

SeedOf = Callable[[str, str, Mapping[str, Any]], int]


def default_seed(model_id: str, prompt: str, parameters: Mapping[str, Any]) -> int:
    """The seed of a call that names none: the same for the same model, prompt and parameters, 0 … 2³² − 1."""
    text = json.dumps([model_id, prompt, parameters], sort_keys=True, ensure_ascii=False, default=str)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big")


def plan_image(model: Model, request: ImageRequest, *, seed_of: SeedOf = default_seed) -> ImagePlan:
    """Judge a call for images; raises ValidationFailed or ProviderRefused."""
    sources = sources_of(image=request.image, mask=request.mask, reference_images=request.reference_images)
    check_text("prompt", request.prompt, LONGEST_PROMPT)
    caption, given = own_parameter(request.parameters, "caption", (True, False), True)
    check_presence(model, sources, given)
    body = image_body(model, request)
    parameters = merge(body.parameters, given)
    judge(model, body, given, parameters, {**subjects_of(sources), "@prompt.length": len(request.prompt)})
    check_prompt(model, request.prompt)
    check_forms(model, sources)
    check_counts(model, sources)
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
        quality=_quality(model, parameters, normal_quality(request.quality)),
        style=_text(model, parameters, output.style) or request.style,
        seed=_seed(model, parameters, request.prompt, given, seed_of),
        caption=caption,
        parameters=parameters,
    )


def plan_video(model: Model, request: VideoRequest, *, seed_of: SeedOf = default_seed) -> VideoPlan:
    """Judge a call for a video; raises ValidationFailed or ProviderRefused."""
    sources = sources_of(image=request.image, video=request.video, reference_images=request.reference_images)
    check_text("prompt", request.prompt, LONGEST_PROMPT)
    given = dict(request.parameters)
    check_presence(model, sources, given)
    body = Body(model.spec.bridge.always)
    parameters = merge(body.parameters, given)
    subjects = {**subjects_of(sources), "@prompt.length": len(request.prompt)}
    late = judge(model, body, given, parameters, subjects)
    check_prompt(model, request.prompt)
    check_forms(model, sources)
    check_counts(model, sources)
    output = model.spec.output
    edit = bool(sources["video"]) and output.edit != "own"
    fps, frames = clip_length(model.spec, parameters)
    sides = None
    if not edit:
        sides = picture_sides(model.spec, parameters, inputs=len(sources["image"]), source=None)
    audio = (
        effective(model.spec.parameters, parameters, output.audio) if isinstance(output.audio, str) else output.audio
    )
    return VideoPlan(
        model=model.id,
        prompt=request.prompt,
        width=sides[0] if sides else None,
        height=sides[1] if sides else None,
        fps=None if edit else fps,
        frames=None if edit else frames,
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
    judge(model, body, given, parameters, {"@input.length": len(request.input)})
    output, published = model.spec.output, model.spec.params.tts
    voice = effective(model.spec.parameters, parameters, output.voice) if output.voice else request.voice
    if isinstance(voice, Mapping):
        voice = voice.get("id")
    voice = str(voice or (published.default_voice if published else None) or model.model_id)
    voice = next((one for one in (published.voices if published else ()) if one.lower() == voice.lower()), voice)
    speed = effective(model.spec.parameters, parameters, output.speed) if output.speed else None
    named = read(given, output.speech_format) if output.speech_format else None
    return SpeechPlan(
        model=model.id,
        input=request.input,
        voice=voice,
        format=output.speech_formats.get(str(named)) or request.format or "mp3",  # type: ignore[arg-type]
        speed=float(speed) if isinstance(speed, int | float) else 1.0,
        language=_language(model, parameters) or _voice_language(output.languages, voice),
        instructions=_text(model, parameters, output.instructions),
        seed=_seed(model, parameters, request.input, given, seed_of),
        parameters=parameters,
    )


def plan_transcription(model: Model, request: TranscriptionRequest) -> TranscriptionPlan:
    """Judge a call for a transcription; raises ValidationFailed or ProviderRefused."""
    recognizer, given = own_parameter(request.parameters, "recognizer", ("record", "acoustic"), "record")
    body = transcription_body(model, request)
    parameters = merge(body.parameters, given)
    sources = sources_of(audio=request.audio)
    judge(model, body, given, parameters, {**subjects_of(sources), "@diarize": request.diarize})
    check_forms(model, sources)
    check_counts(model, sources)
    output = model.spec.output
    diarize = bool(output.diarize) and holds(output.diarize, model.spec.parameters, parameters)
    return TranscriptionPlan(
        model=model.id,
        language=_language(model, parameters) if output.language else request.language,
        prompt=_text(model, parameters, output.prompt),
        diarize=request.diarize or diarize,
        recognizer=recognizer,
        parameters=parameters,
    )


# ------------------------------------------------------------------------------------------------ readings


def _quality(model: Model, parameters: Mapping[str, Any], asked: str) -> str:
    """The normalized tier that the provider's own parameters amount to; they win over the one that was asked."""
    sets = model.spec.bridge.quality
    for name in (asked, *sets):
        if merge(parameters, sets.get(name, {})) == parameters:
            return name
    return asked


def _text(model: Model, parameters: Mapping[str, Any], path: str | None) -> str | None:
    value = effective(model.spec.parameters, parameters, path) if path else None
    return value if isinstance(value, str) else None


def _language(model: Model, parameters: Mapping[str, Any]) -> str | None:
    """The language asked for; None where the provider is to find out itself."""
    named = _text(model, parameters, model.spec.output.language)
    return None if named in model.spec.output.auto else named


def _seed(model: Model, parameters: Mapping[str, Any], prompt: str, given: Mapping[str, Any], seed_of: SeedOf) -> int:
    """The caller's own seed where the model takes one; a negative one means "any"."""
    path = model.spec.output.seed
    value = read(parameters, path) if path else None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return seed_of(model.id, prompt, given)


def _voice_language(languages: Mapping[str, str], voice: str) -> str | None:
    return next((language for prefix, language in languages.items() if voice.startswith(prefix)), None)
