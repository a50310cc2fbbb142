"""Finding, listing and retiring models."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opperlite.domain.errors import ModelNotFound, ValidationFailed
from opperlite.domain.models import (
    Catalog,
    Model,
    default_seed,
    plan_image,
    plan_video,
    retired_refusal,
    retirement,
)
from opperlite.domain.types import ImageRequest, VideoRequest

CATALOG = Catalog.load()
MODELS = st.sampled_from(CATALOG.models)
NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC).timestamp()


@given(MODELS)
def test_a_model_is_found_by_its_id_its_aliases_and_its_bare_name(model: Model) -> None:
    assert CATALOG.find(model.id, model.type) is model
    assert CATALOG.find(model.id) is model
    assert CATALOG.find(model.model_id, model.type) is model
    for alias in model.aliases:
        assert CATALOG.find(alias, model.type) is model
        assert CATALOG.find(alias.partition("/")[2], model.type) is model


@pytest.mark.parametrize(
    ("dated", "model"),
    [
        ("sora-2-2025-10-06", "openai/sora-2"),
        ("sora-2-2025-12-08", "openai/sora-2"),
        ("sora-2-pro-2025-10-06", "openai/sora-2-pro"),
        ("gpt-image-2-2026-04-21", "openai/gpt-image-2"),
        ("gpt-image-2.5-flare-2026-09-08", "openai/gpt-image-2.5-flare"),
        ("gpt-image-2.5-sunburst-2026-09-08", "openai/gpt-image-2.5-sunburst"),
        ("chatgpt-image-latest", "openai/gpt-image-1.5"),
        ("gpt-4o-mini-tts-2025-12-15", "openai/gpt-4o-mini-tts"),
        ("gpt-4o-mini-transcribe-2025-12-15", "openai/gpt-4o-mini-transcribe"),
    ],
)
def test_the_dated_names_of_the_vendors_package_are_known(dated: str, model: str) -> None:
    assert CATALOG.find(dated).id == model


@given(MODELS, MODELS)
def test_a_model_of_another_type_is_refused_by_the_name_of_its_type(model: Model, other: Model) -> None:
    if other.type != model.type:
        with pytest.raises(ValidationFailed) as caught:
            CATALOG.find(model.id, other.type)
        assert caught.value.details == {"field": "model", "allowed": other.type, "type": model.type}


@pytest.mark.parametrize(
    ("wrong", "close"),
    [
        ("openai/gpt-image1", "openai/gpt-image-1"),
        ("gpt-image-l", "openai/gpt-image-1"),
        ("OpenAI/gpt-image-1", "openai/gpt-image-1"),
        ("vertexai/imagen-4-fast-generate-001", "vertexai/imagen-4.0-fast-generate-001"),
    ],
)
def test_a_wrong_name_is_answered_with_near_ones(wrong: str, close: str) -> None:
    with pytest.raises(ModelNotFound) as caught:
        CATALOG.find(wrong, "image")
    assert close in caught.value.details["close"]
    assert close in caught.value.message


@given(st.text(max_size=300))
def test_any_other_name_is_not_found(name: str) -> None:
    known = [one for model in CATALOG.models for one in (model.id, *model.aliases)]
    if all(name not in (one, one.partition("/")[2]) for one in known):
        with pytest.raises(ModelNotFound) as caught:
            CATALOG.find(name, "video")
        assert caught.value.details["field"] == "model"
        assert len(caught.value.message) < 600


def test_names_are_found_without_reading_every_file() -> None:
    catalog = Catalog.load()
    assert catalog.find("pruna/p-image", "image").provider == "pruna"
    assert set(catalog._models) == {model.id for model in CATALOG.models if model.provider == "pruna"}
    assert len(catalog.models) == len(CATALOG.models)


# ---------------------------------------------------------------------------------------------------- lists


def ids(**query: Any) -> list[str]:
    return [model.id for model in CATALOG.search(limit=500, **query)[0]]


@given(
    st.sampled_from([None, ("image",), ("tts", "stt"), ("llm",)]),
    st.sampled_from([None, "openai", "nobody"]),
    st.sampled_from(["", "image_edit", "image_generation,image_edit", "video_editing", "vision"]),
    st.booleans(),
    st.sampled_from(["id", "type", "provider"]),
    st.sampled_from(["asc", "desc"]),
    st.integers(1, 70),
    st.integers(0, 70),
)
def test_a_list_is_the_filtered_sorted_page(
    types: tuple[str, ...] | None,
    provider: str | None,
    capability: str,
    deprecated: bool,
    sort: str,
    order: str,
    limit: int,
    offset: int,
) -> None:
    query: dict[str, Any] = {"types": types, "provider": provider, "capabilities": capability, "deprecated": deprecated}
    page, total = CATALOG.search(**query, sort=sort, order=order, limit=limit, offset=offset, now=NOW)
    wanted = {one for one in capability.split(",") if one}
    expected = [
        model
        for model in CATALOG.models
        if (types is None or model.type in types)
        and (provider is None or model.provider == provider)
        and wanted <= set(model.capabilities)
        and (deprecated or model.retired is None or model.retired > NOW)
    ]
    expected.sort(key=lambda model: (getattr(model, sort), model.id), reverse=order == "desc")
    assert total == len(expected)
    assert page == expected[offset : offset + limit]


def test_retired_models_are_listed_only_when_asked_for() -> None:
    assert "openai/sora-2" not in ids(now=NOW)
    assert "openai/sora-2" in ids(now=NOW, deprecated=True)
    assert "openai/tts-1" in ids(now=NOW)  # announced for January, not yet gone


def test_text_search_takes_every_word_from_names_and_descriptions() -> None:
    assert ids(q="SORA pro") == ["openai/sora-2-pro"]
    assert "kokoro/kokoro" in ids(q="blends")
    assert ids(q="no such words") == []


# ----------------------------------------------------------------------------------------------- retirement


def test_a_retired_model_warns_and_names_its_successor() -> None:
    model = CATALOG.find("openai/gpt-image-1", "image")
    warning = retirement(model, NOW)
    assert warning is not None
    assert warning.code == "model_retired"
    assert warning.details == {
        "model": "openai/gpt-image-1",
        "retired_at": "2026-10-23T00:00:00Z",
        "successor": "openai/gpt-image-2.5-sunburst",
    }
    assert "2026-10-23" in warning.message


@given(MODELS, st.floats(0, 4e9))
def test_a_model_is_retired_from_its_day_on(model: Model, now: float) -> None:
    warning = retirement(model, now)
    assert (warning is not None) is (model.retired is not None and model.retired <= now)


@pytest.mark.parametrize(
    ("model", "status"),
    [("openai/sora-2", 404), ("vertexai/imagen-4.0-generate-001", 404), ("xai/grok-imagine-image", 404)],
)
def test_the_refusal_of_a_retired_model_is_the_vendors(model: str, status: int) -> None:
    error = retired_refusal(CATALOG.find(model), NOW)
    assert error.details["provider"]["status"] == status
    assert model.partition("/")[2] in str(error.details["provider"]["body"])
    assert error.details["field"] == "model"


def test_successors_are_models_of_the_catalog() -> None:
    for model in CATALOG.models:
        if model.successor is not None:
            assert CATALOG.find(model.successor, model.type).retired is None


# ---------------------------------------------------------------------------------------------------- seeds


@given(st.text(min_size=1, max_size=20).filter(str.strip), st.dictionaries(st.sampled_from("ab"), st.integers()))
def test_the_default_seed_is_a_stable_hash(prompt: str, parameters: dict[str, int]) -> None:
    seed = default_seed("a/b", prompt, parameters)
    assert 0 <= seed < 2**32
    assert seed == default_seed("a/b", prompt, dict(reversed(parameters.items())))
    assert seed != default_seed("a/c", prompt, parameters)


def test_the_default_seed_is_the_same_on_any_day_and_machine() -> None:
    assert default_seed("local/image", "a cat", {}) == 3532851302


def seed(**parameters: Any) -> int:
    request = ImageRequest(model="local/image", prompt="a cat", parameters=parameters)
    return plan_image(CATALOG.find("local/image", "image"), request).seed


def test_a_seed_of_the_callers_own_wins_and_captions_do_not_change_the_picture() -> None:
    assert seed(seed=7) == 7
    assert seed() == seed(caption=False) == default_seed("local/image", "a cat", {})
    assert seed(size="64x64") != seed()


def test_a_negative_seed_means_any() -> None:
    model = CATALOG.find("pruna/vace", "video")
    request = VideoRequest(model="pruna/vace", prompt="x", parameters={"seed": -1})
    assert plan_video(model, request).seed == default_seed("pruna/vace", "x", {"seed": -1})


def test_seeds_can_be_derived_otherwise() -> None:
    request = ImageRequest(model="openai/gpt-image-1", prompt="x")
    plan = plan_image(CATALOG.find(request.model, "image"), request, seed_of=lambda *_: 42)
    assert plan.seed == 42
