"""`/v1/images`: both encodings of a request, streams, and what each model takes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from opperlite.domain.types import ImagePlan
from tests.api.conftest import World, world_of
from tests.api.openai import decoded, events, problem
from tests.fakes import NOW, PreviewingProvider, png

GPT = {"model": "gpt-image-2", "prompt": "a red fox", "size": "1024x640"}


@pytest.fixture
async def previewing(tmp_path: Path) -> AsyncIterator[World]:
    async with world_of(tmp_path, provider=PreviewingProvider()) as opened:
        yield opened


async def test_images_come_inline_and_are_not_stored(world: World) -> None:
    reply = await world.client.post("/v1/images/generations", json=GPT | {"n": 2, "quality": "low"})
    assert reply.status_code == 200, reply.text
    made = reply.json()
    assert {name: made[name] for name in ("created", "size", "quality", "background", "output_format")} == {
        "created": int(NOW),
        "size": "1024x640",
        "quality": "low",
        "background": "opaque",
        "output_format": "png",
    }
    assert [decoded(image["b64_json"])[:4] for image in made["data"]] == [b"\x89PNG"] * 2
    assert all(set(image) == {"b64_json"} for image in made["data"])
    assert made["usage"] == {
        "input_tokens": 3,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": 3},
        "output_tokens": 340,
        "total_tokens": 343,
    }
    assert (await world.client.get("/v1/files")).json()["total"] == 0
    assert world.remains() == []


async def test_names_with_and_without_the_provider_mean_the_same(world: World) -> None:
    for name in ("gpt-image-2", "openai/gpt-image-2"):
        await world.client.post("/v1/images/generations", json=GPT | {"model": name})
    assert [plan.model for plan in world.provider.asked] == ["openai/gpt-image-2"] * 2
    assert world.provider.asked[0] == world.provider.asked[1]


async def test_without_a_model_the_default_one_draws(world: World) -> None:
    reply = await world.client.post("/v1/images/generations", json={"prompt": "a red fox", "size": "64x64"})
    assert reply.json()["size"] == "64x64"


async def test_links_are_for_the_models_that_have_them(world: World) -> None:
    old = (await world.client.post("/v1/images/generations", json={"model": "dall-e-3", "prompt": "x"})).json()
    assert set(old["data"][0]) == {"url"}
    assert (await world.client_of(None).get(old["data"][0]["url"])).status_code == 200
    inline = {"model": "dall-e-3", "prompt": "x", "response_format": "b64_json"}
    assert set((await world.client.post("/v1/images/generations", json=inline)).json()["data"][0]) == {"b64_json"}
    refused = await world.client.post("/v1/images/generations", json=GPT | {"response_format": "url"})
    assert problem(refused, 400, "invalid_request_error", "response_format")["code"] == "unknown_parameter"
    styled = await world.client.post("/v1/images/generations", json=GPT | {"style": "vivid"})
    assert problem(styled, 400, "invalid_request_error", "style")["code"] == "unknown_parameter"
    elsewhere = {"model": "local/image", "prompt": "x", "response_format": "url"}
    assert set((await world.client.post("/v1/images/generations", json=elsewhere)).json()["data"][0]) == {"url"}


async def test_members_are_bridged_to_models_of_other_vendors(world: World) -> None:
    asked = {
        "model": "vertexai/imagen-4.0-fast-generate-001-eu",
        "prompt": "x",
        "size": "1024x1024",
        "quality": "auto",
        "background": "auto",
        "user": "me",
        "moderation": "low",
        "n": 2,
    }
    made = (await world.client.post("/v1/images/generations", json=asked)).json()
    assert (len(made["data"]), made["size"]) == (2, "1024x1024")
    await world.client.post(
        "/v1/images/generations",
        json={"model": "local/image", "prompt": "x", "output_format": "webp", "output_compression": 30},
    )
    plan = world.provider.asked[-1]
    assert isinstance(plan, ImagePlan)
    assert (plan.format, plan.compression) == ("webp", 30)


async def test_a_stream_ends_with_the_image(previewing: World) -> None:
    asked = GPT | {"stream": True, "partial_images": 3}
    told = events(await previewing.client.post("/v1/images/generations", json=asked))
    assert [event["type"] for event in told] == ["image_generation.partial_image"] * 3 + ["image_generation.completed"]
    assert [event.get("partial_image_index") for event in told] == [0, 1, 2, None]
    assert "usage" in told[-1]
    whole = (await previewing.client.post("/v1/images/generations", json=GPT)).json()
    assert told[-1]["b64_json"] == whole["data"][0]["b64_json"]


async def test_a_provider_without_previews_streams_the_end_alone(world: World) -> None:
    told = events(
        await world.client.post("/v1/images/generations", json=GPT | {"stream": True, "partial_images": 2, "n": 2})
    )
    assert [event["type"] for event in told] == ["image_generation.completed"] * 2


async def test_edits_come_as_forms_and_as_json(world: World) -> None:
    picture, mask = png(64, 64), png(64, 64, "mask")
    fields = {"model": "local/image", "prompt": "in winter", "n": "1", "size": "64x64"}
    forms: list[list[tuple[str, tuple[str, bytes, str]]]] = [
        [("image", ("a.png", picture, "image/png")), ("mask", ("m.png", mask, "image/png"))],
        [("image[]", ("a.png", picture, "image/png")), ("image[]", ("b.png", picture, "image/png"))],
    ]
    for files in forms:
        reply = await world.client.post("/v1/images/edits", data=fields, files=files)
        assert reply.status_code == 200, reply.text
    masked, several = world.provider.sources
    assert masked.image is not None
    assert masked.mask is not None
    assert len(several.reference_images) == 1
    stored = await world.upload(picture)
    for image in ({"file_id": stored["id"]}, {"image_url": _data(picture)}):
        body = {
            "model": "local/image",
            "prompt": "in winter",
            "images": [image, image],
            "mask": {"file_id": stored["id"]},
        }
        reply = await world.client.post("/v1/images/edits", json=body)
        assert reply.status_code == 200, reply.text
    assert len(world.remains()) == 1  # what came with a call goes with it


def _data(picture: bytes) -> str:
    import base64

    return "data:image/png;base64," + base64.b64encode(picture).decode()


@pytest.mark.parametrize(
    ("members", "status", "param"),
    [
        ({"prompt": ""}, 400, "prompt"),
        ({"prompt": None}, 400, "prompt"),
        ({"prompt": 1}, 400, "prompt"),
        ({"n": 11}, 400, "n"),
        ({"n": "2"}, 400, "n"),
        ({"size": "10x10"}, 400, "size"),
        ({"quality": "best"}, 400, "quality"),
        ({"partial_images": 4, "stream": True}, 400, "partial_images"),
        ({"foo": 1}, 400, "foo"),
        ({"model": "none"}, 404, "model"),
        ({"model": "sora-2"}, 400, "model"),
        ({"model": ""}, 400, "model"),
        ({"response_format": "file"}, 400, "response_format"),
        ({"model": "dall-e-3", "stream": True, "size": "1024x1024"}, 400, "stream"),
        ({"user": 10**30}, 400, "user"),
    ],
)
async def test_bad_members_are_told_by_name(world: World, members: dict[str, Any], status: int, param: str) -> None:
    reply = await world.client.post("/v1/images/generations", json=GPT | members)
    assert reply.status_code == status, reply.text
    error = reply.json()["error"]
    assert error["param"] == param, error
    assert error["message"]


async def test_bad_edits_are_refused_and_leave_nothing(world: World) -> None:
    fields = {"model": "local/image", "prompt": "in winter"}
    client = world.client
    for files, param in (
        ({"image": ("a.png", b"no picture")}, "image"),
        ({"image": ("a.png", b"")}, "image"),
        ({"image": ("a.png", png()), "markup": ("m.png", png())}, "markup"),
        ({"mask": ("m.png", png())}, "image"),
    ):
        problem(await client.post("/v1/images/edits", data=fields, files=files), 400, "invalid_request_error", param)
    for body in (
        {"images": [{}]},
        {"images": [1]},
        {"image": "nothing"},
        {"images": [{"file_id": "x", "image_url": "y"}]},
    ):
        problem(await client.post("/v1/images/edits", json=fields | body), 400, "invalid_request_error")
    problem(await client.post("/v1/images/edits", json=fields), 400, "invalid_request_error", "image")
    text = await client.post("/v1/images/edits", content=b"x", headers={"Content-Type": "text/plain"})
    problem(text, 415, "invalid_request_error", "Content-Type")
    problem(await client.post("/v1/images/variations"), 400, "invalid_request_error")
    assert world.remains() == []
