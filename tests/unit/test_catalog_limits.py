"""What the model lists publish is what is taken: inside the limits accepted and exact, just outside refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from opperlite.domain.errors import OpperliteError, ProviderRefused, ValidationFailed
from opperlite.domain.models import (
    Catalog,
    Model,
    plan_image,
    plan_speech,
    plan_transcription,
    plan_video,
    settle_image,
    settle_video,
)
from opperlite.domain.models.geometry import nearest_ratio
from opperlite.domain.models.rules import field_at, merge, nested, parse_size, size_problem
from opperlite.domain.types import (
    ImagePlan,
    ImageRequest,
    Media,
    Source,
    SpeechRequest,
    TranscriptionRequest,
    VideoPlan,
    VideoRequest,
)

MODELS = Catalog.load().models
IMAGES = [model for model in MODELS if model.type == "image"]
VIDEOS = [model for model in MODELS if model.type == "video"]
SPEECH = [model for model in MODELS if model.type == "tts"]
HEARING = [model for model in MODELS if model.type == "stt"]
FREE = [model for model in IMAGES if model.spec.params.image and model.spec.params.image.size_constraints]
PICTURE = Source(form="file", value="file_x", field="image")


def each(models: list[Model]) -> Any:
    return pytest.mark.parametrize("model", models, ids=lambda model: model.id)


def needs_image(model: Model) -> bool:
    rule = model.spec.inputs.get("image")
    return rule is not None and rule.required


def make_image(model: Model, source: tuple[int, int] = (1024, 1024), **members: Any) -> ImagePlan:
    image = PICTURE if needs_image(model) else None
    plan = plan_image(model, ImageRequest(model=model.id, prompt="x", image=image, **members))
    return settle_image(model, plan, {"image": [Media("image", "image/png", 9, *source)]} if image else {})


def make_video(model: Model, parameters: dict[str, Any], source: tuple[int, int] = (1280, 720)) -> VideoPlan:
    image = PICTURE if needs_image(model) else None
    plan = plan_video(model, VideoRequest(model=model.id, prompt="x", image=image, parameters=parameters))
    return settle_video(model, plan, {"image": [Media("image", "image/png", 9, *source)]} if image else {})


def refused(call: Any, *arguments: Any, **members: Any) -> str:
    """The field that the refusal names."""
    with pytest.raises((ValidationFailed, ProviderRefused)) as caught:
        call(*arguments, **members)
    error: OpperliteError = caught.value
    assert error.details.get("allowed") is not None, error.message
    return str(error.details["field"])


# ---------------------------------------------------------------------------------------------------- images


@each(IMAGES)
def test_published_sizes_are_made_exactly(model: Model) -> None:
    published = model.spec.params.image
    assert published is not None
    for size in published.sizes:
        plan = make_image(model, size=size)
        assert (plan.width, plan.height) == (parse_size(size) or parse_size(published.default))


@each(FREE)
@given(data=st.data())
def test_sizes_within_the_constraints_are_made_exactly_and_others_refused(model: Model, data: st.DataObject) -> None:
    published = model.spec.params.image
    assert published is not None
    limits = published.size_constraints
    assert limits is not None
    step = st.integers(1, 4200 // limits.multiple_of).map(lambda count: count * limits.multiple_of)
    off = st.sampled_from([0, 0, 0, 1, -1])
    width, height = (max(1, data.draw(step) + data.draw(off)) for _ in range(2))
    size = f"{width}x{height}"
    if size_problem(limits, width, height) is None:
        plan = make_image(model, size=size)
        assert (plan.width, plan.height) == (width, height)
    elif size not in published.sizes:
        assert refused(make_image, model, size=size) == "size"


@each(FREE)
def test_sizes_at_the_edges_of_the_constraints(model: Model) -> None:
    published = model.spec.params.image
    assert published is not None
    limits = published.size_constraints
    assert limits is not None
    edge = limits.max_edge or 0
    other = max(limits.min_edge or 0, limits.multiple_of * -(-(limits.min_pixels or 0) // edge // limits.multiple_of))
    other = max(other, round(edge / (limits.max_ratio or edge)))
    assert make_image(model, size=f"{edge}x{other}").width == edge
    assert refused(make_image, model, size=f"{edge + limits.multiple_of}x{other}") == "size"
    if limits.min_edge is not None:
        assert refused(make_image, model, size=f"{limits.min_edge - limits.multiple_of}x{limits.min_edge}") == "size"


@each([model for model in IMAGES if model not in FREE])
def test_other_sizes_are_refused_or_bridged_to_the_nearest_ratio(model: Model) -> None:
    published = model.spec.params.image
    assert published is not None
    for size in ("1024x1040", "1x1000", "1000x1", "0x0", "1024", "1024X1024", "ten"):
        if published.sizes or parse_size(size) is None or size.startswith("1x") or size.endswith("x1"):
            assert refused(make_image, model, size=size) == "size"
        else:
            assert nearest_ratio(1024 / 1040, published.aspect_ratios) == "1:1"
            plan = make_image(model, size=size)
            assert plan.width == plan.height


@each(IMAGES)
def test_published_ratios_are_made_and_others_refused(model: Model) -> None:
    published = model.spec.params.image
    assert published is not None
    for ratio in published.aspect_ratios:
        plan = make_image(model, aspect_ratio=ratio)
        assert plan.width
        assert plan.height
        wanted = ratio if ":" in ratio else "1:1"
        assert nearest_ratio(plan.width / plan.height, published.aspect_ratios, within=None) == wanted
    for ratio in ("1:100", "100:1", "16x9", "0:1", "wide"):
        if published.aspect_ratios or ":" not in ratio or ratio == "0:1":
            assert refused(make_image, model, aspect_ratio=ratio) == "aspect_ratio"


@each(IMAGES)
def test_published_qualities_and_styles_are_taken_and_others_refused(model: Model) -> None:
    published = model.spec.params.image
    assert published is not None
    for quality in published.qualities or ("low", "medium", "high"):
        assert make_image(model, quality=quality).quality in (quality, "medium")
    for quality in {"4k", "ultra", "", "HIGH"} - set(published.qualities):
        assert refused(make_image, model, quality=quality) == "quality"
    for style in published.styles:
        assert make_image(model, style=style).style == style
    assert refused(make_image, model, style="no such style") == "style"


@each(IMAGES)
@given(n=st.integers(-2, 8))
def test_one_to_four_images(model: Model, n: int) -> None:
    if 1 <= n <= 4:
        assert make_image(model, n=n).n == n
    else:
        assert refused(make_image, model, n=n) == "n"


@each(IMAGES)
@pytest.mark.parametrize("n", ["2", 1.5, 2.0, True, None])
def test_n_is_a_whole_number(model: Model, n: Any) -> None:
    assert refused(make_image, model, n=n) == "n"


@each([model for model in IMAGES if model.spec.output.auto_on_edit or model.spec.output.auto])
@given(width=st.integers(64, 4096), height=st.integers(64, 4096))
def test_an_edit_keeps_the_ratio_of_its_source_as_near_as_the_model_can(model: Model, width: int, height: int) -> None:
    assume(1 / 8 < width / height < 8)
    if "image" not in model.spec.inputs:
        return
    request = ImageRequest(model=model.id, prompt="x", image=PICTURE)
    plan = plan_image(model, request)
    assert plan.width is None
    settled = settle_image(model, plan, {"image": [Media("image", "image/png", 9, width, height)]})
    assert settled.width
    assert settled.height
    table = next(iter(model.spec.output.sizes.values()), None)
    if table:
        nearest = nearest_ratio(width / height, table, within=None)
        assert nearest_ratio(settled.width / settled.height, table, within=None) == nearest
    else:
        assert settled.width / settled.height == pytest.approx(width / height, rel=0.1)


# ----------------------------------------------------------------------------------------------------- video


def spelled(model: Model, path: str, value: float) -> Any:
    """A number as the model's parameter wants it: 4, "4" or "4s"."""
    field = field_at(model.spec.parameters, path)
    assert field is not None
    if field.type != "string":
        return int(value)
    return f"{value:g}s" if field.pattern else f"{value:g}"


def limits_of(model: Model) -> Any:
    published = model.spec.params.video
    assert published is not None
    return published


def lengths(model: Model) -> list[float]:
    published = limits_of(model)
    low = published.min_duration or 1
    return list(published.durations) or [low, (low + published.max_duration) // 2, published.max_duration]


@each(VIDEOS)
@given(data=st.data())
def test_published_resolutions_ratios_lengths_and_rates_are_made_exactly(model: Model, data: st.DataObject) -> None:
    output, published = model.spec.output, limits_of(model)
    resolution = data.draw(st.sampled_from(published.resolutions))
    parameters = nested(str(output.size if output.size and not output.tier else output.tier), resolution)
    ratio = data.draw(st.sampled_from(published.aspect_ratios)) if output.ratio and published.aspect_ratios else None
    if ratio and output.ratio:
        parameters = merge(parameters, nested(output.ratio, ratio))
    length = None
    if isinstance(output.duration, str):
        length = data.draw(st.sampled_from(lengths(model)))
        parameters = merge(parameters, nested(output.duration, spelled(model, output.duration, length)))
    rates = [rate for rate in (published.min_fps, published.max_fps) if rate]
    rate = data.draw(st.sampled_from(rates)) if isinstance(output.fps, str) else None
    if rate is not None:
        parameters = merge(parameters, nested(str(output.fps), rate))
    plan = make_video(model, parameters)
    assert plan.width
    assert plan.height
    assert plan.fps == (rate or output.fps)
    if parse_size(resolution, output.separator):
        assert (plan.width, plan.height) == parse_size(resolution, output.separator)
    else:
        sides = {"4k": 2160}.get(resolution) or int(resolution.removesuffix("p"))
        assert min(plan.width, plan.height) == sides
    if ratio:
        assert nearest_ratio(plan.width / plan.height, published.aspect_ratios, within=None) == ratio
    if length is not None:
        assert plan.frames == round(length * (plan.fps or 0))
    assert plan.frames is not None
    assert plan.fps is not None
    assert plan.frames / plan.fps <= published.max_duration + 0.5
    assert plan.width % 2 == plan.height % 2 == 0  # the encoder's need


@each(VIDEOS)
def test_just_outside_the_published_limits_is_refused_by_name(model: Model) -> None:
    output, published = model.spec.output, limits_of(model)
    if output.tier or output.size:
        path = str(output.tier or output.size)
        for wrong in ("8k", "719p", "1x1", 720, ""):
            assert refused(make_video, model, nested(path, wrong)) == f"parameters.{path}"
    if output.ratio:
        for wrong in ("5:4:1", "16x9", "", 1.78):
            assert refused(make_video, model, nested(output.ratio, wrong)) == f"parameters.{output.ratio}"
    if isinstance(output.duration, str):
        outside = [published.max_duration + 1, (published.min_duration or 1) - 1, -1]
        for length in outside:
            wrong = spelled(model, output.duration, length)
            assert refused(make_video, model, nested(output.duration, wrong)) == f"parameters.{output.duration}"
    if isinstance(output.fps, str):
        for rate in (published.min_fps - 1, published.max_fps + 1, "24"):
            assert refused(make_video, model, nested(output.fps, rate)) == f"parameters.{output.fps}"
    if output.frames:
        field = field_at(model.spec.parameters, output.frames)
        assert field is not None
        for frames in (int(field.minimum or 0) - 1, published.max_frames + 1, 81.0, "81"):
            assert refused(make_video, model, {output.frames: frames}) == f"parameters.{output.frames}"


@each(VIDEOS)
def test_seeds_are_taken_where_that_is_published(model: Model) -> None:
    assert bool(model.spec.output.seed) is bool(limits_of(model).supports_seed)
    if model.spec.output.seed:
        assert make_video(model, nested(model.spec.output.seed, 11)).seed == 11


# ----------------------------------------------------------------------------------------------------- audio


def speak(model: Model, text: str = "Hello", **members: Any) -> Any:
    return plan_speech(model, SpeechRequest(model=model.id, input=text, **members))


@each(SPEECH)
def test_published_voices_formats_and_lengths(model: Model) -> None:
    published = model.spec.params.tts
    assert published is not None
    for voice in published.voices:
        assert speak(model, voice=voice).voice == voice
    assert speak(model).voice == speak(model, voice="").voice
    assert speak(model).voice in (published.default_voice, model.model_id)
    if published.voices:
        assert refused(speak, model, voice="no such voice") == "voice"
    for name in ("mp3", "wav", "opus", "aac", "flac", "pcm"):
        assert speak(model, format=name).format == name
    assert refused(speak, model, format="mp4") == "format"
    longest = published.max_length or 0
    assert len(speak(model, "å" * longest).input) == longest
    assert refused(speak, model, "å" * (longest + 1)) == "input"


@each(SPEECH)
@given(speed=st.floats(0, 6))
def test_published_speeds(model: Model, speed: float) -> None:
    published = model.spec.params.tts
    assert published is not None
    low, high = published.min_speed or 0.25, published.max_speed or 4.0
    if low <= speed <= high and (model.spec.bridge.speed or speed == 1):
        assert speak(model, speed=speed).speed == speed
    else:
        assert refused(speak, model, speed=speed) == "speed"


def hear(model: Model, **members: Any) -> Any:
    source = Source(form="file", value="file_x", field="audio")
    return plan_transcription(model, TranscriptionRequest(model=model.id, audio=source, **members))


@each(HEARING)
def test_published_languages_and_speakers(model: Model) -> None:
    published = model.spec.params.stt
    assert published is not None
    for language in published.languages:
        assert hear(model, language=language).language == language
    if published.languages:
        for language in ("xx", "English", ""):
            assert refused(hear, model, language=language) == "language"
    if published.diarize:
        assert hear(model, diarize=True).diarize
    else:
        assert refused(hear, model, diarize=True) == "diarize"
    assert not hear(model).diarize
