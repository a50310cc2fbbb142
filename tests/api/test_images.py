"""`/v3/images`: inline, stored, edits, sources, limits, warnings."""

from __future__ import annotations

import asyncio
import io
import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from PIL import Image

from opperlite.domain.errors import PayloadTooLarge, ProviderFailed, SourceUnusable
from opperlite.domain.types import ImagePlan
from tests.api.conftest import IN_SESSION, World, drive, error_of, scope_of, world_of
from tests.fakes import jpeg, mp4, png

BODY = {"model": "openai/gpt-image-1", "prompt": "a kite over dunes", "size": "1024x1024"}


def data_uri(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{b64encode(data).decode()}"


async def make(world: World, **members: Any) -> dict[str, Any]:
    reply = await world.client.post("/v3/images", json=BODY | members)
    assert reply.status_code == 200, reply.text
    return reply.json()


def plan_of(world: World) -> ImagePlan:
    plan = world.provider.asked[-1]
    assert isinstance(plan, ImagePlan)
    return plan


async def refused(
    world: World, code: str, field: str | None = None, status: int = 400, **members: Any
) -> dict[str, Any]:
    reply = await world.client.post("/v3/images", json=BODY | members)
    return error_of(reply, status, code, field)


# ------------------------------------------------------------------------------------------------ replies


async def test_an_image_comes_inline_and_as_a_file(world: World) -> None:
    made = await make(world)
    assert made["id"].startswith("img_")
    assert (made["model"], made["created"]) == ("openai/gpt-image-1", 1_790_000_000)
    assert made["usage"]["images"] == 1
    assert made["usage"]["cost"] > 0
    (item,) = made["data"]
    assert set(item) == {"b64_json", "mime_type", "file_id", "url"}
    data = b64decode(item["b64_json"])
    assert Image.open(io.BytesIO(data)).size == (1024, 1024)
    file = (await world.client.get(f"/v3/files/{item['file_id']}")).json()
    assert (file["bytes"], file["mime_type"]) == (len(data), "image/png")
    assert file["expires_at"] == "2026-09-22T14:13:20.000Z"
    assert file["filename"].endswith(".png")
    async with world.client_of(None) as anyone:
        assert (await anyone.get(item["url"])).content == data


async def test_a_url_alone_may_be_asked_for(world: World) -> None:
    (item,) = (await make(world, response_format="url"))["data"]
    assert set(item) == {"mime_type", "file_id", "url"}


async def test_nothing_is_stored_when_that_is_asked(world: World) -> None:
    (item,) = (await make(world, store=False))["data"]
    assert set(item) == {"b64_json", "mime_type"}
    assert world.remains() == []
    assert (await world.client.get("/v3/files")).json()["meta"]["total"] == 0


async def test_the_default_of_store_is_a_setting(world: World, tmp_path: Path) -> None:
    assert "file_id" in (await make(world))["data"][0]
    async with world_of(tmp_path / "other", store_default=False) as other:
        assert "file_id" not in (await make(other))["data"][0]
        assert "file_id" in (await make(other, store=True))["data"][0]


@pytest.mark.parametrize("n", [1, 2, 3, 4])
async def test_as_many_images_as_asked(world: World, n: int) -> None:
    made = await make(world, n=n)
    assert len(made["data"]) == made["usage"]["images"] == n
    assert len({item["file_id"] for item in made["data"]}) == n
    assert len({item["b64_json"] for item in made["data"]}) == n


async def test_null_is_absent_and_unknown_members_are_ignored(world: World) -> None:
    made = await make(
        world,
        **dict.fromkeys(("n", "aspect_ratio", "quality", "style", "response_format", "store", "parameters", "image")),
        **dict.fromkeys(("mask", "reference_images", "async")),
        user="me",
        something_new={"deep": [1]},
    )
    assert len(made["data"]) == 1
    assert "file_id" in made["data"][0]


async def test_the_last_of_a_member_given_twice_counts(world: World) -> None:
    body = b'{"model":"openai/gpt-image-1","prompt":"one","n":1,"prompt":"two","n":2}'
    reply = await world.client.post("/v3/images", content=body, headers={"Content-Type": "application/json"})
    assert len(reply.json()["data"]) == 2
    assert plan_of(world).prompt == "two"


async def test_a_retired_model_works_with_a_warning(world: World, tmp_path: Path) -> None:
    body = {"model": "openai/dall-e-3", "prompt": "x"}
    reply = (await world.client.post("/v3/images", json=body)).json()
    assert [warning["code"] for warning in reply["warnings"]] == ["model_retired"]
    async with world_of(tmp_path / "strict", strict_retired=True) as strict:
        assert (await strict.client.post("/v3/images", json=body)).status_code == 400


# ------------------------------------------------------------------------------------------------ sources


async def test_sources_come_as_file_data_and_url(world: World) -> None:
    file = await world.upload(png(64, 64))
    world.fetcher.pages["https://pictures.example/a.png"] = png(32, 32)
    for source in (file["id"], data_uri(jpeg(), "image/jpeg"), "https://pictures.example/a.png"):
        await make(world, image=source)
        sources = world.provider.sources[-1]
        assert sources.image is not None
    await make(world, image=file["id"], mask=data_uri(png(64, 64)), reference_images=[file["id"], data_uri(jpeg())])
    sources = world.provider.sources[-1]
    assert sources.mask is not None
    assert len(sources.reference_images) == 2


async def test_a_generated_image_can_be_edited(world: World) -> None:
    file_id = (await make(world))["data"][0]["file_id"]
    assert (await make(world, image=file_id))["data"][0]["file_id"] != file_id


async def test_a_data_uri_needs_no_base64_and_no_type(world: World) -> None:
    await make(world, image="data:," + quote_from_bytes(png()))
    await make(world, image="data:image/png;name=a%20b.png;base64," + b64encode(png()).decode())
    await make(world, image="DATA:IMAGE/PNG;BASE64," + b64encode(png()).decode())


@IN_SESSION
@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "validation_error"),
        ("nonsense", "validation_error"),
        ("file_", "validation_error"),
        ("file_../../x", "validation_error"),
        ("file_\u0000", "validation_error"),
        ("x" * 100_000, "validation_error"),
        ("data:image/png;base64", "validation_error"),
        ("data:image/png;base64,", "validation_error"),
        ("data:image/png;base64,!!!!", "validation_error"),
        ("data:image/png;base64,AAA", "validation_error"),
        ("data:image/png;base64,AAAA AAAA", "validation_error"),
        ("data:image/png;base64,AAAAé", "validation_error"),
        ("data:image/png;base64," + "AAAA" * 100 + "=A", "validation_error"),
        ("ftp://example.com/a.png", "validation_error"),
        ("file:///etc/passwd", "validation_error"),
        ("/etc/passwd", "validation_error"),
        ("file_" + "0" * 32, "file_not_found"),
        ("file_unknown", "file_not_found"),
        ("http://[::1", "invalid_source"),
        ("http://", "invalid_source"),
        ("http://unreachable.example/a.png", "invalid_source"),
        ("gs://bucket/object", None),
        ("data:image/png;base64," + b64encode(b"no picture at all").decode(), "unsupported_media_type"),
        ("data:image/png;base64," + b64encode(png()[:30]).decode(), "unsupported_media_type"),
        ("data:video/mp4;base64," + b64encode(mp4()).decode(), None),
    ],
)
async def test_a_source_that_cannot_be_read_is_refused(refusing: World, value: str, code: str | None) -> None:
    for field, place in (("image", "image"), ("mask", "mask"), ("reference_images", "reference_images[0]")):
        members: dict[str, Any] = {field: [value] if field == "reference_images" else value}
        if field == "mask":
            members["image"] = data_uri(png())
        reply = await refusing.client.post("/v3/images", json=BODY | members)
        assert reply.status_code == 400, reply.text
        error = reply.json()["error"]
        if code is not None:
            assert (error["code"], error["details"]["field"]) == (code, place)
        assert len(reply.text) < 2_000


@IN_SESSION
async def test_trouble_of_the_outside_names_the_field(refusing: World) -> None:
    refusing.fetcher.pages |= {
        "http://a.test/gone": SourceUnusable("answered 404", url="http://a.test/gone", status=404),
        "http://a.test/large": PayloadTooLarge(limit=5),
        "http://a.test/text": b"hello",
    }
    await refused(refusing, "invalid_source", "image", image="http://a.test/gone")
    await refused(refusing, "payload_too_large", "image", 413, image="http://a.test/large")
    await refused(refusing, "unsupported_media_type", "image", image="http://a.test/text")


async def test_a_source_over_the_limit_is_refused(tmp_path: Path) -> None:
    async with world_of(tmp_path, max_file_size=1000) as world:
        await make(world, image=data_uri(png() + bytes(1000 - len(png()))))
        reply = await world.client.post("/v3/images", json=BODY | {"image": data_uri(png() + bytes(1000))})
        error_of(reply, 413, "payload_too_large", "image")


@IN_SESSION
async def test_a_decompression_bomb_is_refused(refusing: World) -> None:
    """20,000 × 20,000 pixels in 60 kB."""
    bomb = png(20_000, 20_000)
    assert len(bomb) < 100_000
    error = await refused(refusing, "unsupported_media_type", "image", image=data_uri(bomb))
    assert "20000x20000" in error["message"]


async def test_sources_are_not_touched_when_something_else_is_wrong(world: World) -> None:
    url = "http://pictures.example/a.png"
    for members in ({"model": "no/such"}, {"n": 9}, {"size": "7x7"}, {"model": "openai/tts-1"}, {"prompt": ""}):
        reply = await world.client.post("/v3/images", json=BODY | {"image": url} | members)
        assert reply.status_code == 400
    async with world.client_of(None) as anyone:
        assert (await anyone.post("/v3/images", json=BODY | {"image": url})).status_code == 401
    assert world.fetcher.asked == []


async def test_stand_ins_come_only_where_the_operator_wants_them(tmp_path: Path) -> None:
    async with world_of(tmp_path, unreachable_sources="placeholder") as world:
        await make(world, image="http://unreachable.example/red-kite.png")
        plans = [plan for plan in world.provider.asked if isinstance(plan, ImagePlan)]
        assert "red kite" in plans[0].prompt
        world.fetcher.pages["http://a.test/gone"] = SourceUnusable("answered 404", status=404)
        reply = await world.client.post("/v3/images", json=BODY | {"image": "http://a.test/gone"})
        error_of(reply, 400, "invalid_source", "image")


# ------------------------------------------------------------------------------------------------- limits


@IN_SESSION
@pytest.mark.parametrize("value", [0, 5, -1, "2", 1.5, True, [], {}, 10**30, "1"])
async def test_n_is_a_strict_integer_of_1_to_4(refusing: World, value: Any) -> None:
    error = await refused(refusing, "validation_error", "n", n=value)
    assert error["details"]["allowed"] == {"type": "integer", "minimum": 1, "maximum": 4}


@IN_SESSION
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", None),
        ("model", 5),
        ("model", ""),
        ("model", "m" * 5000),
        ("prompt", None),
        ("prompt", ""),
        ("prompt", ["x"]),
        ("prompt", "x" * 32_001),
        ("size", 1024),
        ("size", "x" * 100),
        ("response_format", "png"),
        ("response_format", ""),
        ("store", "yes"),
        ("store", 1),
        ("parameters", []),
        ("parameters", "x"),
        ("image", 5),
        ("reference_images", "file_x"),
        ("reference_images", ["data:,x"] * 17),
        ("async", "true"),
    ],
)
async def test_a_field_of_the_wrong_kind_is_named(refusing: World, field: str, value: Any) -> None:
    await refused(refusing, "validation_error", field, **{field: value})


@IN_SESSION
@pytest.mark.parametrize("field", ["model", "prompt"])
async def test_a_missing_field_is_named(refusing: World, field: str) -> None:
    body = {name: value for name, value in BODY.items() if name != field}
    error_of(await refusing.client.post("/v3/images", json=body), 400, "validation_error", field)


async def test_the_longest_prompt_is_taken(world: World) -> None:
    await make(world, prompt="é" * 32_000)


@IN_SESSION
@pytest.mark.parametrize("size", ["7x7", "0x0", "1024", "1024X1024x3", "-1x-1", "99999999999x1", "1024x1025", "١x١"])
async def test_a_size_that_the_model_lacks_is_refused_with_those_it_has(refusing: World, size: str) -> None:
    reply = await refusing.client.post("/v3/images", json=BODY | {"size": size})
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert error["details"]["field"] == "size"
    assert "1024x1024" in str(error["details"]["allowed"])


@IN_SESSION
async def test_an_unknown_model_and_one_of_another_type(refusing: World) -> None:
    await refused(refusing, "model_not_found", "model", model="openai/gpt-image-9")
    await refused(refusing, "model_not_found", "model", model="\u0000")
    error = await refused(refusing, "validation_error", "model", model="openai/tts-1")
    assert "text-to-speech" in error["message"]
    await refused(refusing, "validation_error", "model", model="openai/sora-2")


@IN_SESSION
async def test_a_mask_needs_an_image(refusing: World) -> None:
    await refused(refusing, "validation_error", "mask", mask=data_uri(png()))


@IN_SESSION
async def test_a_model_without_edits_says_so(refusing: World) -> None:
    reply = await refusing.client.post(
        "/v3/images", json={"model": "openai/dall-e-3", "prompt": "x", "image": data_uri(png())}
    )
    assert reply.status_code == 400
    assert reply.json()["error"]["details"]["field"] == "image"


@IN_SESSION
async def test_a_url_of_nothing_stored_is_a_contradiction(refusing: World) -> None:
    await refused(refusing, "validation_error", "response_format", response_format="url", store=False)


@IN_SESSION
async def test_what_the_provider_refuses_is_its_error(refusing: World) -> None:
    error = await refused(refusing, "provider_error", "parameters.nonsense", parameters={"nonsense": 1})
    assert error["details"]["provider"]["status"] == 400


@IN_SESSION
@pytest.mark.parametrize(
    "value", ["9" * 30, "-" + "9" * 30, '{"a":' * 100 + "1" + "}" * 100, "[" * 100 + "]" * 100, "18446744073709551616"]
)
async def test_no_parameter_breaks_the_server(refusing: World, value: str) -> None:
    routes = {"pruna/p-video": "videos", "openai/gpt-image-1": "images", "openai/tts-1": "audio/speech"}
    for model, path in routes.items():
        body = f'{{"model":"{model}","prompt":"x","input":"x","parameters":{{"seed":{value}}}}}'
        reply = await refusing.client.post(
            f"/v3/{path}", content=body.encode(), headers={"Content-Type": "application/json"}
        )
        error_of(reply, 400, "validation_error")


# ----------------------------------------------------------------------------------------------- not stored


async def test_over_the_quota_images_come_inline_with_a_warning(tmp_path: Path) -> None:
    async with world_of(tmp_path, quota_files=2) as world:
        for response_format in ("b64_json", "url"):
            made = await make(world, n=4, response_format=response_format)
            stored = [index for index, item in enumerate(made["data"]) if "file_id" in item]
            skipped = [warning["details"] for warning in made["warnings"]]
            assert {warning["code"] for warning in made["warnings"]} == {"storage_skipped"}
            assert [details["index"] for details in skipped] == [n for n in range(4) if n not in stored]
            assert {details["reason"] for details in skipped} == {"quota_exceeded"}
            for index in range(4):
                if index not in stored:
                    assert set(made["data"][index]) == {"b64_json", "mime_type"}
        assert (await world.client.get("/v3/files")).json()["meta"]["total"] == 2
        assert len(world.remains()) == 2


async def test_a_project_without_data_retention_stores_nothing(tmp_path: Path) -> None:
    async with world_of(tmp_path, zero_data_retention=True) as world:
        for response_format in ("b64_json", "url"):
            made = await make(world, n=2, response_format=response_format)
            assert [set(item) for item in made["data"]] == [{"b64_json", "mime_type"}] * 2
            assert [warning["details"] for warning in made["warnings"]] == [
                {"reason": "zero_data_retention", "index": 0},
                {"reason": "zero_data_retention", "index": 1},
            ]
        assert "warnings" not in await make(world, store=False)
        assert world.remains() == []


async def test_a_full_disk_is_a_warning(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("opperlite.adapters.blobs_local._hash_and_sync", full)
    made = await make(world, response_format="url")
    assert set(made["data"][0]) == {"b64_json", "mime_type"}
    assert made["warnings"][0]["details"] == {"reason": "storage_error", "index": 0}
    reply = await world.client.post("/v3/audio/speech", json={"model": "openai/tts-1", "input": "x"})
    assert reply.json()["warnings"][0]["details"]["reason"] == "storage_error"


# ---------------------------------------------------------------------------------------- trouble, patience


async def test_a_failure_of_the_provider_is_502_and_leaves_nothing(world: World) -> None:
    world.provider.failure = ProviderFailed("the engine broke", trace="Traceback: secret")
    reply = await world.client.post("/v3/images", json=BODY)
    assert "secret" not in reply.text
    error_of(reply, 502, "generation_failed")
    assert world.remains() == []


async def test_a_defect_is_500_without_its_inside(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.provider.failure = RuntimeError("secret inside")
    reply = await world.client.post("/v3/images", json=BODY)
    error = error_of(reply, 500, "internal_error")
    assert error["details"]["request_id"] == reply.headers["x-request-id"]
    assert "secret" not in reply.text
    assert "secret inside" in caplog.text
    assert reply.headers["x-request-id"] in caplog.text
    assert world.remains() == []


async def test_the_work_stops_when_the_client_goes_away(world: World) -> None:
    world.provider.gate = asyncio.Event()
    headers = {"Content-Type": "application/json", "Authorization": "Bearer test", "Host": "127.0.0.1"}
    body = {"type": "http.request", "body": json.dumps(BODY).encode()}
    await asyncio.wait_for(
        drive(world.app, scope_of("POST", "/v3/images", headers), [body, {"type": "http.disconnect"}]), 5
    )
    if world.provider.begun.is_set():
        assert world.provider.stopped.is_set()
    assert world.remains() == []


# ------------------------------------------------------------------------------------------------- as a job


async def test_one_image_may_be_made_as_a_job(world: World) -> None:
    reply = await world.client.post("/v3/images", json=BODY | {"async": True, "image": data_uri(png())})
    assert reply.status_code == 202
    assert set(reply.json()) == {"id", "status_url"}
    shown = await world.ended(reply.json()["id"])
    assert (shown["status"], shown["mime_type"]) == ("completed", "image/png")
    async with world.client_of(None) as anyone:
        assert Image.open(io.BytesIO((await anyone.get(shown["url"])).content)).size == (1024, 1024)
    error = error_of(
        await world.client.post("/v3/images", json=BODY | {"async": True, "n": 2}), 400, "validation_error", "n"
    )
    assert error["details"]["allowed"] == [1]
