"""Whatever a caller sends, a model answers with a plan that can be carried out or with a refusal that names a field."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opperlite.domain.errors import ProviderRefused, ValidationFailed
from opperlite.domain.models import (
    Catalog,
    Model,
    plan_image,
    plan_speech,
    plan_transcription,
    plan_video,
    price_image,
    price_video,
    settle_image,
    settle_video,
)
from opperlite.domain.models.rules import Field
from opperlite.domain.types import (
    ImageRequest,
    Media,
    Source,
    SpeechRequest,
    TranscriptionRequest,
    VideoRequest,
)

MODELS = Catalog.load().models
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FORMS = st.sampled_from(["url", "data", "file", "gs"])
TEXTS = st.none() | st.text(max_size=12) | st.sampled_from(["1:1", "16:9", "1024x1024", "64x64", "high", "auto", "en"])


def values_of(field: Field) -> st.SearchStrategy[Any]:
    """Mostly values that the parameter takes, and some that it does not."""
    likely: list[st.SearchStrategy[Any]] = [ANYTHING]
    if field.enum:
        likely += [st.sampled_from(field.enum)] * 3
    if field.minimum is not None or field.maximum is not None:
        near = [int(one) for one in (field.minimum, field.maximum) if one is not None]
        likely += [st.sampled_from([*near, *(one + 1 for one in near), *(one - 1 for one in near)])] * 3
    if field.fields:
        likely += [bodies(field.fields)] * 3
    if field.type == "boolean":
        likely += [st.booleans()] * 3
    return st.one_of(likely)


def bodies(fields: dict[str, Field]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={name: values_of(field) for name, field in fields.items()}).flatmap(
        lambda body: st.just(body) | st.text(max_size=5).map(lambda name: {**body, name: 1})
    )


def sources(name: str) -> st.SearchStrategy[Source]:
    return FORMS.map(lambda form: Source(form=form, value="x", field=name))


def media(kind: str) -> st.SearchStrategy[Media]:
    mime = st.sampled_from([f"{kind}/png", f"{kind}/mp4", f"{kind}/webp", f"{kind}/x-odd"])
    side = st.integers(1, 5000)
    return st.builds(
        Media, st.just(kind), mime, st.integers(1, 10**9), side, side, st.floats(0.1, 100), st.floats(1, 60), st.none()
    )


def each(kind: str) -> Any:
    return pytest.mark.parametrize("model", [one for one in MODELS if one.type == kind], ids=lambda model: model.id)


def outcome(call: Any) -> Any:
    """The result of a call, or None where it was refused as a refusal should be."""
    try:
        return call()
    except (ValidationFailed, ProviderRefused) as error:
        refusal = error
    msgspec.json.encode(refusal.details)
    assert refusal.details["field"]
    assert refusal.message
    return None


@each("image")
@settings(max_examples=10)
@given(data=st.data())
def test_images(model: Model, data: st.DataObject) -> None:
    draw = data.draw
    request = ImageRequest(
        model=model.id,
        prompt=draw(st.text(max_size=10)),
        n=draw(st.integers(-1, 6)),
        size=draw(TEXTS),
        aspect_ratio=draw(TEXTS),
        quality=draw(TEXTS),
        style=draw(st.none() | TEXTS),
        image=draw(st.none() | sources("image")),
        mask=draw(st.none() | sources("mask")),
        reference_images=tuple(draw(st.lists(sources("reference_images"), max_size=3))),
        parameters=draw(bodies(model.spec.parameters)),
    )
    found = {
        "image": [draw(media("image"))] if request.image else [],
        "mask": [draw(media("image"))] * bool(request.mask),
    }
    plan = outcome(lambda: settle_image(model, plan_image(model, request), found))
    if plan is not None:
        msgspec.json.decode(msgspec.json.encode(plan), type=type(plan))
        assert 1 <= plan.width <= 8192
        assert 1 <= plan.height <= 8192
        assert 1 <= plan.n <= 10
        assert 0 <= plan.seed < 2**63
        assert plan.compression is None or 0 <= plan.compression <= 100
        assert price_image(model, plan) >= 0


@each("video")
@settings(max_examples=10)
@given(data=st.data())
def test_videos(model: Model, data: st.DataObject) -> None:
    draw = data.draw
    request = VideoRequest(
        model=model.id,
        prompt=draw(st.text(max_size=10)),
        image=draw(st.none() | sources("image")),
        video=draw(st.none() | sources("video")),
        reference_images=tuple(draw(st.lists(sources("reference_images"), max_size=3))),
        parameters=draw(bodies(model.spec.parameters)),
    )
    found = {
        "image": [draw(media("image"))] * bool(request.image),
        "video": [draw(media("video"))] * bool(request.video),
    }
    plan = outcome(lambda: settle_video(model, plan_video(model, request), found))
    if plan is not None:
        msgspec.json.decode(msgspec.json.encode(plan), type=type(plan))
        assert plan.width >= 1
        assert plan.height >= 1
        assert 1 <= plan.fps <= 60
        assert plan.frames >= 1
        assert plan.frames / plan.fps <= 101
        assert price_video(model, plan) >= 0


@each("tts")
@settings(max_examples=8)
@given(data=st.data())
def test_speech(model: Model, data: st.DataObject) -> None:
    draw = data.draw
    request = SpeechRequest(
        model=model.id,
        input=draw(st.text(max_size=10)),
        voice=draw(TEXTS),
        format=draw(TEXTS),
        speed=draw(st.none() | st.floats() | st.integers(-1, 5)),
        parameters=draw(bodies(model.spec.parameters)),
    )
    plan = outcome(lambda: plan_speech(model, request))
    if plan is not None:
        msgspec.json.decode(msgspec.json.encode(plan), type=type(plan))
        assert plan.voice
        assert 0.25 <= plan.speed <= 4.0


@each("stt")
@settings(max_examples=8)
@given(data=st.data())
def test_transcription(model: Model, data: st.DataObject) -> None:
    draw = data.draw
    request = TranscriptionRequest(
        model=model.id,
        audio=draw(sources("audio")),
        language=draw(TEXTS),
        prompt=draw(TEXTS),
        diarize=draw(st.booleans()),
        parameters=draw(bodies(model.spec.parameters)),
    )
    plan = outcome(lambda: plan_transcription(model, request))
    if plan is not None:
        msgspec.json.decode(msgspec.json.encode(plan), type=type(plan))
        assert plan.language is None or plan.language != "auto"
