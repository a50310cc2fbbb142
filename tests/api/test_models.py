"""`/v3/models` and the lists by kind."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import IN_SESSION, World, error_of

pytestmark = IN_SESSION
LISTS = {
    "/v3/models": {"image", "video", "tts", "stt"},
    "/v3/images/models": {"image"},
    "/v3/videos/models": {"video"},
    "/v3/audio/models": {"tts", "stt"},
}


async def listed(world: World, path: str = "/v3/models", **query: Any) -> dict[str, Any]:
    reply = await world.client.get(path, params=query)
    assert reply.status_code == 200, reply.text
    return reply.json()


@pytest.mark.parametrize("path", LISTS)
async def test_each_list_has_its_types(refusing: World, path: str) -> None:
    page = await listed(refusing, path, limit=500, deprecated="true")
    assert {model["type"] for model in page["models"]} == LISTS[path]
    assert page["total"] == len(page["models"]) > 0
    assert (page["offset"], page["limit"]) == (0, 500)
    assert len({model["id"] for model in page["models"]}) == page["total"]
    for model in page["models"]:
        assert model["id"] == f"{model['provider']}/{model['model_id']}"
        assert isinstance(model["capabilities"], list)


async def test_no_key_is_needed_and_a_wrong_one_is_refused(refusing: World) -> None:
    async with refusing.client_of(None) as anyone:
        for path in LISTS:
            assert (await anyone.get(path)).status_code == 200
            for header in ("Basic x", "Bearer", "Bearer ", "nonsense"):
                error_of(await anyone.get(path, headers={"Authorization": header}), 401, "unauthorized")


@pytest.mark.parametrize("path", LISTS)
async def test_pages_make_up_the_whole(refusing: World, path: str) -> None:
    whole = await listed(refusing, path, limit=500)
    pages: list[Any] = []
    while len(pages) < whole["total"]:
        page = await listed(refusing, path, limit=3, offset=len(pages))
        assert page["total"] == whole["total"]
        pages += page["models"]
    assert pages == whole["models"]
    assert (await listed(refusing, path, offset=10**6))["models"] == []
    default = await listed(refusing, path)
    assert (default["limit"], default["models"]) == (50, whole["models"][:50])
    assert (await listed(refusing, path, limit=501))["limit"] == 500


async def test_sorting(refusing: World) -> None:
    for sort in ("id", "type", "provider"):
        models = (await listed(refusing, sort=sort, limit=500))["models"]
        keys = [(model[sort], model["id"]) for model in models]
        assert keys == sorted(keys)
        backwards = (await listed(refusing, sort=sort, order="desc", limit=500))["models"]
        assert [model[sort] for model in backwards] == [model[sort] for model in models][::-1]


async def test_filters_narrow(refusing: World) -> None:
    for query, check in (
        ({"type": "tts"}, lambda model: model["type"] == "tts"),
        ({"provider": "xai"}, lambda model: model["provider"] == "xai"),
        ({"q": "grok"}, lambda model: "grok" in str(model).lower()),
        ({"capability": "image_edit"}, lambda model: "image_edit" in model["capabilities"]),
        ({"capability": "image_to_video,video_editing"}, lambda model: "video_editing" in model["capabilities"]),
    ):
        page = await listed(refusing, **query)
        assert page["models"]
        assert all(check(model) for model in page["models"]), query


@pytest.mark.parametrize("query", [{"type": "llm"}, {"provider": "nobody"}, {"q": "\ud7ff\x00"}, {"capability": "fly"}])
async def test_an_unknown_value_gives_an_empty_list(refusing: World, query: dict[str, str]) -> None:
    assert await listed(refusing, **query) == {"models": [], "total": 0, "offset": 0, "limit": 50}


async def test_a_type_outside_a_scoped_list_is_empty(refusing: World) -> None:
    assert (await listed(refusing, "/v3/images/models", type="video"))["total"] == 0
    assert (await listed(refusing, "/v3/audio/models", type="tts"))["total"] > 0


async def test_retired_models_are_listed_on_demand(refusing: World) -> None:
    now = {model["id"] for model in (await listed(refusing, limit=500))["models"]}
    ever = {model["id"] for model in (await listed(refusing, limit=500, deprecated="true"))["models"]}
    assert "openai/dall-e-3" in ever - now


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=-1", "limit=x", "limit=1.5", "offset=-1", "offset=x", "sort=price", "order=up"]
)
async def test_garbage_is_refused_with_its_field(refusing: World, query: str) -> None:
    for path in LISTS:
        reply = await refusing.client.get(f"{path}?{query}")
        error_of(reply, 400, "validation_error", query.partition("=")[0])


async def test_the_models_of_the_guides_are_there(refusing: World) -> None:
    ids = {model["id"] for model in (await listed(refusing, limit=500, deprecated="true"))["models"]}
    assert ids >= {
        "openai/gpt-image-1",
        "openai/dall-e-3",
        "openai/sora-2",
        "openai/sora-2-pro",
        "vertexai/veo-3.1-generate-001",
        "vertexai/veo-3.1-fast-generate-001",
        "xai/grok-imagine-video",
        "pruna/wan-t2v",
        "pruna/wan-i2v",
        "pruna/vace",
        "openai/tts-1",
        "openai/whisper-1",
        "openai/gpt-4o-transcribe",
        "elevenlabs/scribe_v2",
    }
