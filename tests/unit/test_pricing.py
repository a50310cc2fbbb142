"""What a call costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opperlite.domain.models import (
    Catalog,
    plan_image,
    plan_video,
    price_image,
    price_speech,
    price_transcription,
    price_video,
)
from opperlite.domain.types import ImageRequest, VideoRequest

CATALOG = Catalog.load()


def image_price(model: str, **members: object) -> float:
    found = CATALOG.find(model, "image")
    return price_image(found, plan_image(found, ImageRequest(model=model, prompt="x", **members)))  # type: ignore[arg-type]


def video_price(model: str, **parameters: object) -> float:
    found = CATALOG.find(model, "video")
    return price_video(found, plan_video(found, VideoRequest(model=model, prompt="x", parameters=parameters)))


@pytest.mark.parametrize(
    ("model", "members", "dollars"),
    [
        ("openai/gpt-image-1", {"quality": "low"}, 0.011),
        ("openai/gpt-image-1", {}, 0.042),
        ("openai/gpt-image-1", {"quality": "high", "size": "1536x1024", "n": 4}, 1.0),
        ("openai/gpt-image-1", {"quality": "auto"}, 0.042),
        ("openai/dall-e-3", {"quality": "hd"}, 0.08),
        ("openai/gpt-image-2", {"size": "1040x1024"}, 0.053),  # not listed: the nearest listed size
        (
            "openai/gpt-image-1",
            {"n": 1, "parameters": {"n": 10, "quality": "low"}},
            0.11,
        ),  # the provider's own words win
        ("xai/grok-imagine-image", {"quality": "high"}, 0.02),
        ("vertexai/gemini-3.1-flash-image", {"quality": "low"}, 0.045),
        ("vertexai/gemini-3.1-flash-image", {}, 0.067),
        ("vertexai/gemini-3-pro-image", {"quality": "4k", "n": 2}, 0.48),
        ("pruna/p-image", {"n": 3}, 0.015),
        ("local/image", {"size": "4096x4096"}, 0.0),
    ],
)
def test_image_prices(model: str, members: dict[str, object], dollars: float) -> None:
    assert image_price(model, **members) == pytest.approx(dollars)


@pytest.mark.parametrize(
    ("model", "parameters", "dollars"),
    [
        ("openai/sora-2", {"seconds": "8"}, 0.8),
        ("openai/sora-2-pro", {"seconds": "4", "size": "1792x1024"}, 2.0),
        ("openai/sora-2-pro", {"seconds": "4"}, 1.2),
        ("vertexai/veo-3.1-generate-001", {"durationSeconds": 4, "resolution": "4k"}, 2.4),
        ("vertexai/veo-3.1-fast-generate-001", {}, 0.8),
        ("xai/grok-imagine-video", {"duration": 10, "resolution": "720p"}, 0.7),
        ("pruna/p-video", {"duration": 10, "draft": True}, 0.05),
        ("local/video", {"duration": 60}, 0.0),
    ],
)
def test_video_prices(model: str, parameters: dict[str, object], dollars: float) -> None:
    assert video_price(model, **parameters) == pytest.approx(dollars)


def test_speech_by_the_character_and_transcription_by_the_time() -> None:
    assert price_speech(CATALOG.find("openai/tts-1", "tts"), 17) == pytest.approx(0.000255)
    assert price_speech(CATALOG.find("openai/gpt-4o-mini-tts", "tts"), 900) == pytest.approx(0.015)
    assert price_transcription(CATALOG.find("openai/whisper-1", "stt"), 90.0) == pytest.approx(0.009)
    assert price_transcription(CATALOG.find("xai/grok-stt", "stt"), 3600.0) == pytest.approx(0.1, rel=1e-3)


@given(st.sampled_from([model for model in CATALOG.models if model.type in ("tts", "stt")]), st.integers(0, 10_000))
def test_audio_prices_grow_with_the_amount(model, amount: int) -> None:  # type: ignore[no-untyped-def]
    price = price_speech if model.type == "tts" else price_transcription
    assert 0 <= price(model, amount) <= price(model, amount + 1)


@pytest.mark.parametrize(
    "model", [model for model in CATALOG.models if not model.pricing_known], ids=lambda model: model.id
)
def test_what_has_no_known_price_costs_nothing_and_lists_none(model) -> None:  # type: ignore[no-untyped-def]
    assert model.pricing == {"input": [], "output": []}
    assert price_speech(model, 1000) == 0
    assert price_transcription(model, 1000) == 0
    if model.type == "image":
        assert image_price(model.id) == 0
    if model.type == "video":
        assert video_price(model.id) == 0


@pytest.mark.parametrize(
    "model", [model for model in CATALOG.models if model.pricing_known], ids=lambda model: model.id
)
def test_a_known_price_is_listed(model) -> None:  # type: ignore[no-untyped-def]
    assert set(model.pricing) > {"input", "output"}
