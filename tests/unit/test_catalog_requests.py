"""What every provider takes and refuses, as a table of requests with the sources of the rules."""

from __future__ import annotations

import re
from typing import Any

import pytest

from opperlite.domain.errors import ModelNotFound, OpperliteError, ProviderRefused, ValidationFailed
from opperlite.domain.models import (
    Catalog,
    check_audio,
    plan_image,
    plan_speech,
    plan_transcription,
    plan_video,
    settle_image,
    settle_video,
)
from opperlite.domain.types import ImageRequest, SpeechRequest, VideoRequest
from tests.unit.catalog_requests import TABLE, Row

CATALOG = Catalog.load()
ROWS = [
    pytest.param(provider, row, id=f"{provider}-{index}-{'refuses' if row.refused else 'takes'}")
    for provider, rows in TABLE.items()
    for index, row in enumerate(rows)
]


def planned(row: Row) -> Any:
    """The settled plan of a row's request."""
    request = row.request
    if isinstance(request, ImageRequest):
        model = CATALOG.find(request.model, "image")
        return settle_image(model, plan_image(model, request), row.media)
    if isinstance(request, VideoRequest):
        model = CATALOG.find(request.model, "video")
        return settle_video(model, plan_video(model, request), row.media)
    if isinstance(request, SpeechRequest):
        return plan_speech(CATALOG.find(request.model, "tts"), request)
    model = CATALOG.find(request.model, "stt")
    plan = plan_transcription(model, request)
    for media in row.media.get("audio", ()):
        check_audio(model, plan, media)
    return plan


@pytest.mark.parametrize(("provider", "row"), ROWS)
def test_request(provider: str, row: Row) -> None:
    assert row.request.model.startswith(provider + "/")
    if row.refused is None:
        plan = planned(row)
        assert {name: getattr(plan, name) for name in row.plan} == row.plan
    else:
        with pytest.raises((ValidationFailed, ProviderRefused)) as caught:
            planned(row)
        error: OpperliteError = caught.value
        assert error.details["field"] == row.refused, error.message
        assert row.says in error.message
        if isinstance(error, ProviderRefused):
            assert error.details["provider"]["status"] in range(400, 500)
            assert error.details["provider"]["body"]
            assert not re.search(r"\{[a-z_]+\}", error.message)


@pytest.mark.parametrize("provider", TABLE)
def test_at_least_ten_of_each(provider: str) -> None:
    rows = TABLE[provider]
    assert sum(row.refused is None for row in rows) >= 10
    assert sum(row.refused is not None for row in rows) >= 10


def test_every_provider_is_in_the_table() -> None:
    assert {model.provider for model in CATALOG.models} == set(TABLE)


def test_a_model_of_another_type_is_named() -> None:
    with pytest.raises(ValidationFailed, match="video model") as caught:
        CATALOG.find("openai/sora-2", "image")
    assert caught.value.details["field"] == "model"
    with pytest.raises(ModelNotFound, match=r"openai/gpt-image-1\b"):
        CATALOG.find("openai/gpt-image1", "image")
