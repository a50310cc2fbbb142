"""`/v3/functions` and `/v3/call`: what a call is for, by schema, model or name, and what it answers."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from opperlite.domain.types import ImagePlan, VideoPlan
from tests.api.conftest import World, error_of
from tests.api.openai import events
from tests.fakes import mp4, png, sound


def schema(*members: str) -> dict[str, Any]:
    return {"type": "object", "properties": {member: {"type": "string"} for member in members}}


async def run(client: httpx.AsyncClient, name: str = "f", status: int = 200, **body: Any) -> dict[str, Any]:
    reply = await client.post(f"/v3/functions/{name}/call", json=body)
    assert reply.status_code == status, reply.text
    return reply.json()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


AUDIO = {"audio": encoded(sound())}


@pytest.mark.parametrize(
    ("name", "body", "members"),
    [
        (
            "f",
            {"input": {"description": "a fox"}, "output_schema": schema("image", "mime_type")},
            {"image", "mime_type"},
        ),
        ("f", {"input": {"text": "hi"}, "output_schema": schema("audio")}, {"audio", "mime_type"}),
        ("f", {"input": AUDIO, "output_schema": schema("text")}, {"text", "language"}),
        ("f", {"input": "a fox", "model": "openai/gpt-image-2"}, {"image", "mime_type"}),
        ("f", {"input": "hi", "model": "tts-1"}, {"audio", "mime_type"}),
        ("f", {"input": AUDIO, "model": {"name": "openai/whisper-1"}}, {"text", "language"}),
        ("image-gen", {"input": "a fox"}, {"image", "mime_type"}),
        ("tts", {"input": "hi"}, {"audio", "mime_type"}),
        ("stt", {"input": AUDIO}, {"text", "language"}),
    ],
)
async def test_what_a_call_is_for(world: World, name: str, body: dict[str, Any], members: set[str]) -> None:
    told = await run(world.client, name, **body)
    assert set(told["data"]) == members
    meta = told["meta"]
    assert {"function_name", "script_cached", "execution_ms", "llm_calls", "tts_calls", "image_gen_calls"} <= set(meta)
    assert (meta["function_name"], meta["script_cached"], meta["llm_calls"]) == (name, False, 0)
    assert meta["image_gen_calls"] == ("image" in members)
    assert meta["tts_calls"] == ("audio" in members)
    assert None not in meta.values()


async def test_a_video_is_pending(world: World) -> None:
    told = await run(world.client, "video-gen", 202, input={"prompt": "a kite"}, output_schema=schema("video"))
    assert told["data"] is None
    assert told["meta"]["status"] == "pending"
    (operation,) = told["meta"]["pending_operations"]
    assert operation["type"] == "video"
    assert operation["status_url"].endswith(f"/v3/artifacts/{operation['id']}/status")
    assert (await world.ended(operation["id"]))["mime_type"] == "video/mp4"


async def test_names_may_have_slashes_and_anything_else(world: World) -> None:
    for sent, name in (("my%2Fvid%20name", "my/vid name"), ("a%2fb", "a/b"), ("%C3%A9%3F", "é?")):
        assert (await run(world.client, sent, input="hi", model="tts-1"))["meta"]["function_name"] == name
    assert (await world.client.post("/v3/functions/a/b/call", json={})).status_code == 404


async def test_the_body_may_name_the_function(world: World) -> None:
    body = {
        "name": "cli/image-generate",
        "instructions": "Generate an image for the user's prompt.",
        "input": "a fox",
        "model": "vertexai/imagen-4.0-fast-generate-001-eu",
    }
    reply = await world.client.post("/v3/call", json=body)
    assert reply.status_code == 200, reply.text
    assert reply.json()["meta"]["function_name"] == "cli/image-generate"
    assert base64.b64decode(reply.json()["data"]["image"])[:4] == b"\x89PNG"


async def test_the_members_of_an_image_reach_the_model(world: World) -> None:
    asked = {"description": "a fox", "size": "96x64", "quality": "hd", "n": 2, "mime_type": "image/webp"}
    told = await run(world.client, input=asked, output_schema=schema("image"))
    assert len(told["data"]["images"]) == 2
    plan = world.provider.asked[-1]
    assert isinstance(plan, ImagePlan)
    assert (plan.width, plan.height, plan.quality, plan.format, plan.n) == (96, 64, "high", "webp", 2)
    for reference in (encoded(png()), f"data:image/png;base64,{encoded(png())}", (await world.upload())["id"]):
        body = {"description": "in winter", "reference_image": reference}
        await run(world.client, input=body, output_schema=schema("image"))
        assert world.provider.sources[-1].image is not None


async def test_the_members_of_a_video_reach_the_model(world: World) -> None:
    asked = {
        "prompt": "a kite",
        "aspect_ratio": "1:1",
        "resolution": "480p",
        "fps": 10,
        "seed": 7,
        "source_image": encoded(png(64, 64)),
        "ref_images": [encoded(png())],
    }
    told = await run(world.client, "f", 202, input=asked, output_schema=schema("video"), model="local/video")
    await world.ended(told["meta"]["pending_operations"][0]["id"])
    plan = world.provider.asked[-1]
    assert isinstance(plan, VideoPlan)
    assert (plan.width, plan.height, plan.fps, plan.seed) == (640, 640, 10, 7)
    wide = {"prompt": "a kite", "aspect_ratio": "16:9"}
    told = await run(world.client, "f", 202, input=wide, output_schema=schema("video"), model="openai/sora-2")
    await world.ended(told["meta"]["pending_operations"][0]["id"])
    plan = world.provider.asked[-1]
    assert isinstance(plan, VideoPlan)
    assert (plan.width, plan.height) == (1280, 720)
    changed = {"prompt": "in winter", "source_video": encoded(mp4())}
    await run(world.client, "f", 202, input=changed, output_schema=schema("video"), model="local/video")


async def test_models_fall_back_and_have_options(world: World) -> None:
    model = ["none/such", "openai/sora-2", {"name": "local/image", "options": {"seed": 7}}]
    told = await run(world.client, input="a fox", output_schema=schema("image"), model=model)
    assert told["meta"]["models_used"] == ["local/image"]
    plan = world.provider.asked[-1]
    assert isinstance(plan, ImagePlan)
    assert plan.seed == 7


async def test_a_retired_model_is_told(world: World) -> None:
    told = await run(world.client, input="a fox", model="openai/dall-e-3")
    assert "retired" in told["meta"]["model_warnings"][0]


async def test_a_stream_has_the_result(world: World) -> None:
    body = {"input": AUDIO, "output_schema": schema("text")}
    told = events(await world.client.post("/v3/functions/stt/stream", json=body))
    assert told[0] == {"type": "content", "delta": "heard"}
    assert told[1] == {"type": "done"}
    assert told[2]["data"] == {"text": "heard", "language": "en"}
    video = {"input": "a kite", "output_schema": schema("video")}
    told = events(await world.client.post("/v3/functions/video-gen/stream", json=video))
    assert told[-1]["meta"]["status"] == "pending"


@pytest.mark.parametrize(
    "body",
    [
        {"input": "Why?", "output_schema": schema("answer")},
        {"input": "Why?", "output_schema": schema("text")},
        {"input": "Why?", "model": "openai/gpt-5"},
        {"input": "Why?"},
        {"input": "Why?", "output_schema": {"properties": []}},
        {"input": "Why?", "output_schema": schema("answer"), "model": "openai/gpt-image-2"},
    ],
)
async def test_text_is_not_made_here(world: World, body: dict[str, Any]) -> None:
    for path in ("/v3/functions/f/call", "/v3/functions/f/stream", "/v3/call"):
        error = error_of(await world.client.post(path, json=body), 400, "not_supported", "output_schema")
        assert "makes media" in error["message"]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"input": {}, "output_schema": schema("image")}, "validation_error", "input.description"),
        ({"input": None, "output_schema": schema("image")}, "validation_error", "input"),
        ({"input": {"description": 1}, "output_schema": schema("image")}, "validation_error", "input.description"),
        ({"input": {"description": "x", "n": 9}, "output_schema": schema("image")}, "validation_error", "input.n"),
        ({"input": {"description": " "}, "output_schema": schema("image")}, "validation_error", "input.description"),
        ({"input": {"description": "x", "size": "1x1"}, "output_schema": schema("image")}, None, "input.size"),
        ({"input": {"text": " "}, "output_schema": schema("audio")}, "validation_error", "input.text"),
        ({"input": {"text": "x", "voice": "?"}, "model": "openai/tts-1"}, "validation_error", "input.voice"),
        (
            {"input": {"prompt": "x", "resolution": "9p"}, "model": "openai/sora-2"},
            "provider_error",
            "input.resolution",
        ),
        (
            {"input": {"prompt": "x", "aspect_ratio": "9:1"}, "model": "vertexai/veo-3.1-generate-001"},
            "provider_error",
            "input.aspect_ratio",
        ),
        (
            {"input": {"description": "x", "mime_type": "image/gif"}, "output_schema": schema("image")},
            None,
            "input.mime_type",
        ),
        ({"input": {"prompt": "x", "fps": 24}, "model": "openai/sora-2"}, "validation_error", "input.fps"),
        ({"input": {"prompt": "x", "aspect_ratio": "9:1"}, "model": "openai/sora-2"}, None, "input.aspect_ratio"),
        ({"input": {"audio": "!"}, "model": "openai/whisper-1"}, "validation_error", "input.audio"),
        ({"input": {"audio": ""}, "model": "openai/whisper-1"}, "validation_error", "input.audio"),
        ({"input": "x", "output_schema": schema("image"), "model": "none"}, "model_not_found", "model"),
        ({"input": "x", "output_schema": schema("image"), "model": 1}, "validation_error", "model"),
        ({"input": "x", "output_schema": schema("image"), "model": [{}]}, "validation_error", "model"),
        ({"input": "x", "output_schema": schema("image"), "model": "openai/sora-2"}, "validation_error", "model"),
    ],
)
async def test_bad_calls_are_told_by_field(world: World, body: dict[str, Any], code: str | None, field: str) -> None:
    reply = await world.client.post("/v3/functions/f/call", json=body)
    error_of(reply, 400, code or "validation_error", field)


async def test_a_call_is_replayed(world: World) -> None:
    headers = {"Idempotency-Key": "k"}
    body = {"input": "a kite", "output_schema": schema("video")}
    replies = [await world.client.post("/v3/functions/f/call", json=body, headers=headers) for _ in range(2)]
    assert replies[0].json() == replies[1].json()
    assert replies[1].headers["idempotency-replayed"] == "true"
