"""`/v1/videos`: the jobs of `/v3` in another shape, and what is made of them; `/v1/models`; errors of every kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from opperlite.api.openai.errors import FINAL, body_of, headers_of, problem_of, speaks_openai, status_of
from opperlite.domain.errors import ProviderFailed, ProviderRefused, all_errors
from opperlite.domain.types import VideoPlan
from tests.api.conftest import World, error_of, world_of
from tests.api.openai import problem
from tests.fakes import NOW, PreviewingProvider, mp4, png, sound

SORA = {"model": "sora-2", "prompt": "a kite", "seconds": "8", "size": "1280x720"}


async def create(client: httpx.AsyncClient, **members: Any) -> dict[str, Any]:
    reply = await client.post("/v1/videos", json=SORA | members)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def ended(client: httpx.AsyncClient, video_id: str) -> dict[str, Any]:
    for _ in range(500):
        reply = await client.get(f"/v1/videos/{video_id}")
        if reply.json()["status"] in ("completed", "failed"):
            return reply.json()
        assert int(reply.headers["openai-poll-after-ms"]) > 0
        await asyncio.sleep(0.01)
    raise AssertionError("the job did not end within 5 s")


@pytest.fixture
async def previewing(tmp_path: Path) -> AsyncIterator[World]:
    async with world_of(tmp_path, provider=PreviewingProvider()) as opened:
        yield opened


def plan_of(world: World) -> VideoPlan:
    plan = world.provider.asked[-1]
    assert isinstance(plan, VideoPlan)
    return plan


async def test_a_video_from_beginning_to_end(world: World) -> None:
    world.provider.gate = asyncio.Event()
    made = await create(world.client)
    named = made.pop("id")
    assert named.startswith("video_")
    assert made == {
        "object": "video",
        "created_at": int(NOW),
        "completed_at": None,
        "expires_at": None,
        "model": "sora-2",
        "progress": 0,
        "prompt": "a kite",
        "seconds": "8",
        "size": "1280x720",
        "status": "queued",
        "error": None,
        "remixed_from_video_id": None,
    }
    await world.provider.begun.wait()
    running = (await world.client.get(f"/v1/videos/{named}")).json()
    assert (running["status"], running["progress"]) == ("in_progress", 50)
    problem(await world.client.get(f"/v1/videos/{named}/content"), 400, "invalid_request_error")
    world.provider.gate.set()
    done = await ended(world.client, named)
    assert (done["status"], done["progress"], done["completed_at"]) == ("completed", 100, int(NOW))
    assert done["expires_at"] == int(NOW) + 86400
    content = await world.client.get(f"/v1/videos/{named}/content", params={"variant": "video"})
    assert (content.content[4:8], content.headers["content-type"]) == (b"ftyp", "video/mp4")


async def test_both_surfaces_have_the_same_jobs(world: World) -> None:
    there = await world.job()
    here = await create(world.client)
    for _ in range(2):
        await ended(world.client, here["id"])
        await world.ended(there)
    listed = (await world.client.get("/v1/videos")).json()
    assert [video["id"] for video in listed["data"]] == [here["id"], there.replace("gen_", "video_")]
    assert (await world.client.get(f"/v1/videos/{there}")).json()["model"] == "openai/sora-2"
    assert (await world.status(here["id"].replace("video_", "gen_")))["status"] == "completed"


async def test_images_are_no_videos(world: World) -> None:
    body = {"model": "gpt-image-2", "prompt": "x", "async": True}
    job = (await world.client.post("/v3/images", json=body)).json()["id"]
    problem(await world.client.get(f"/v1/videos/{job}"), 404, "not_found_error")
    problem(await world.client.delete(f"/v1/videos/{job}"), 404, "not_found_error")
    assert (await world.client.get("/v1/videos")).json()["data"] == []


async def test_videos_are_paged(world: World) -> None:
    ids = [(await create(world.client))["id"] for _ in range(5)]

    async def page(**query: Any) -> tuple[list[str], bool]:
        told = (await world.client.get("/v1/videos", params=query)).json()
        assert told["first_id"] == (told["data"][0]["id"] if told["data"] else None)
        assert told["last_id"] == (told["data"][-1]["id"] if told["data"] else None)
        return [video["id"] for video in told["data"]], told["has_more"]

    assert await page() == (ids[::-1], False)
    assert await page(limit=2) == ([ids[4], ids[3]], True)
    assert await page(limit=3, after=ids[3]) == ([ids[2], ids[1], ids[0]], False)
    assert await page(order="asc", limit=2, after=ids[0]) == ([ids[1], ids[2]], True)
    for query in ("limit=0", "limit=x", "order=up", "after=nothing", f"after=video_{'0' * 32}"):
        problem(await world.client.get(f"/v1/videos?{query}"), 400, "invalid_request_error", query.partition("=")[0])
    for query in ("limit=0", "status=done", "type=sound", f"before=gen_{'0' * 32}"):
        error_of(await world.client.get(f"/v3/artifacts?{query}"), 400, "validation_error", query.partition("=")[0])
    foreign = world.client_of("another")
    problem(await foreign.get(f"/v1/videos?after={ids[0]}"), 400, "invalid_request_error", "after")


async def test_a_first_picture_of_another_kind_is_named_as_it_was_sent(world: World) -> None:
    files = {"input_reference": ("a.wav", sound(), "image/png")}
    reply = await world.client.post("/v1/videos", data={"prompt": "a kite"}, files=files)
    problem(reply, 400, "invalid_request_error", "input_reference")


async def test_a_form_with_a_first_picture(world: World) -> None:
    fields = {"prompt": "a kite", "seconds": "4", "size": "1280x720"}
    files = {"input_reference": ("a.png", png(1280, 720), "image/png")}
    made = await world.client.post("/v1/videos", data=fields, files=files)
    assert made.status_code == 200, made.text
    assert made.json()["model"] == "sora-2"
    await ended(world.client, made.json()["id"])
    assert world.provider.sources[-1].image is not None
    assert len(world.remains()) == 1  # the clip alone
    small = {"input_reference": ("a.png", png(64, 64), "image/png")}
    error = problem(await world.client.post("/v1/videos", data=fields, files=small), 400, "invalid_request_error")
    assert error["message"].startswith("Inpaint image must match")
    stored = await world.upload(png(1280, 720))
    for member in ({"file_id": stored["id"]}, {"image_url": (await _link(world, stored["id"]))}):
        made = await world.client.post("/v1/videos", json=SORA | {"seconds": 4, "input_reference": member})
        assert (made.status_code, made.json().get("seconds")) == (200, "4"), made.text


async def _link(world: World, file_id: str) -> str:
    return (await world.client.get(f"/v3/files/{file_id}/content")).json()["url"]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("vertexai/veo-3.1-generate-001", {"durationSeconds": 8, "aspectRatio": "16:9", "resolution": "720p"}),
        ("xai/grok-imagine-video", {"duration": 8, "aspect_ratio": "16:9", "resolution": "720p"}),
        ("local/video", {"duration": 8, "size": "1280x720"}),
    ],
)
async def test_lengths_and_sizes_are_bridged(world: World, model: str, expected: dict[str, Any]) -> None:
    made = await create(world.client, model=model)
    assert (made["seconds"], made["size"]) == ("8", "1280x720")
    await ended(world.client, made["id"])
    assert {name: plan_of(world).parameters[name] for name in expected} == expected


async def test_a_remix_keeps_what_the_first_was(world: World) -> None:
    first = await create(world.client, model="local/video", seconds="1", size="96x64")
    await ended(world.client, first["id"])
    reply = await world.client.post(f"/v1/videos/{first['id']}/remix", json={"prompt": "in winter"})
    assert reply.status_code == 200, reply.text
    remix = reply.json()
    assert (remix["remixed_from_video_id"], remix["model"], remix["prompt"]) == (
        first["id"],
        "local/video",
        "in winter",
    )
    await ended(world.client, remix["id"])
    assert world.provider.sources[-1].video is not None


async def test_edits_and_extensions(world: World) -> None:
    first = await create(world.client, model="local/video", seconds="1", size="96x64")
    await ended(world.client, first["id"])
    body = {"prompt": "in sepia", "video": {"id": first["id"]}}
    edited = (await world.client.post("/v1/videos/edits", json=body)).json()
    assert edited["seconds"] == "0.2"  # that of the fake's clip
    longer = (await world.client.post("/v1/videos/extensions", json=body | {"seconds": "4"})).json()
    assert longer["seconds"] == "4.2"
    await ended(world.client, longer["id"])
    assert plan_of(world).extension == 100
    files = {"video": ("a.mp4", mp4(), "video/mp4")}
    fields = {"prompt": "in sepia", "model": "local/video"}
    uploaded = await world.client.post("/v1/videos/edits", data=fields, files=files)
    assert uploaded.status_code == 200, uploaded.text
    nested = {"prompt": (None, "in sepia"), "video[id]": (None, first["id"])}
    assert (await world.client.post("/v1/videos/edits", files=nested)).status_code == 200


async def test_small_pictures_of_a_video(previewing: World, world: World) -> None:
    for chosen, status in ((previewing, 200), (world, 400)):
        made = await create(chosen.client)
        await ended(chosen.client, made["id"])
        for variant in ("thumbnail", "spritesheet"):
            reply = await chosen.client.get(f"/v1/videos/{made['id']}/content", params={"variant": variant})
            assert reply.status_code == status, reply.text
    wrong = await world.client.get(f"/v1/videos/{made['id']}/content", params={"variant": "sound"})
    problem(wrong, 400, "invalid_request_error", "variant")


async def test_a_deleted_video_is_gone_with_its_file(world: World) -> None:
    made = await create(world.client)
    await ended(world.client, made["id"])
    file_id = (await world.status(made["id"].replace("video_", "gen_")))["file_id"]
    reply = await world.client.delete(f"/v1/videos/{made['id']}")
    assert reply.json() == {"id": made["id"], "object": "video.deleted", "deleted": True}
    for path in (f"/v1/videos/{made['id']}", f"/v1/videos/{made['id']}/content"):
        problem(await world.client.get(path), 404, "not_found_error")
    problem(await world.client.delete(f"/v1/videos/{made['id']}"), 404, "not_found_error")
    assert (await world.client.get(f"/v3/files/{file_id}")).status_code == 404
    assert (await world.client.get("/v1/videos")).json()["data"] == []
    await world.services.sweep()
    assert world.remains() == []


async def test_deleting_stops_the_work(world: World) -> None:
    world.provider.gate = asyncio.Event()
    made = await create(world.client)
    await world.provider.begun.wait()
    assert (await world.client.delete(f"/v1/videos/{made['id']}")).status_code == 200
    await asyncio.wait_for(world.provider.stopped.wait(), 5)


async def test_a_failure_is_told(world: World) -> None:
    world.provider.failure = ProviderFailed("the pen broke")
    made = await create(world.client)
    done = await ended(world.client, made["id"])
    assert (done["status"], done["error"]) == ("failed", {"code": "generation_failed", "message": "the pen broke"})
    remix = await world.client.post(f"/v1/videos/{made['id']}/remix", json={"prompt": "again"})
    problem(remix, 400, "invalid_request_error")


@pytest.mark.parametrize(
    ("members", "status", "param"),
    [
        ({"prompt": ""}, 400, "prompt"),
        ({"seconds": "5"}, 400, "seconds"),
        ({"size": "64x64"}, 400, "size"),
        ({"model": "none"}, 404, "model"),
        ({"model": "gpt-image-2"}, 400, "model"),
        ({"model": "local/video", "seconds": "soon"}, 400, "seconds"),
        ({"model": "local/video", "seconds": "0"}, 400, "seconds"),
        ({"model": "vertexai/veo-3.1-generate-001", "size": "square"}, 400, "size"),
        ({"input_reference": "nothing"}, 400, "input_reference"),
        ({"input_reference": {}}, 400, "input_reference"),
        ({"foo": 1}, 400, "foo"),
    ],
)
async def test_bad_members_are_told_by_name(world: World, members: dict[str, Any], status: int, param: str) -> None:
    reply = await world.client.post("/v1/videos", json=SORA | members)
    assert reply.status_code == status, reply.text
    assert reply.json()["error"]["param"] == param, reply.text


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"prompt":"x",', "invalid_json"),
        (b'{"prompt":"\\ud800"}', "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b"[]", "validation_error"),
        (b'{"prompt":"x","seconds":1e999}', "validation_error"),
        (b'{"prompt":"x","seconds":%b}' % (b"9" * 400), "validation_error"),
    ],
)
async def test_bad_json_and_bad_values_are_told_apart(world: World, body: bytes, code: str) -> None:
    reply = await world.client.post("/v1/videos", content=body, headers={"Content-Type": "application/json"})
    assert problem(reply, 400, "invalid_request_error")["code"] == code


async def test_bad_changes_are_refused(world: World) -> None:
    client = world.client
    for path in ("/v1/videos/edits", "/v1/videos/extensions"):
        for video in (None, "x", {}, {"id": 1}):
            body = {"prompt": "x", "seconds": "4", "video": video}
            problem(await client.post(path, json=body), 400, "invalid_request_error", "video")
        body = {"prompt": "x", "seconds": "4", "video": {"id": "video_none"}}
        problem(await client.post(path, json=body), 404, "not_found_error")
    wrong = {"prompt": "x", "seconds": "5", "video": {"id": "video_none"}}
    problem(await client.post("/v1/videos/extensions", json=wrong), 400, "invalid_request_error", "seconds")
    problem(await client.post("/v1/videos/video_none/remix", json={"prompt": "x"}), 404, "not_found_error")
    for asked in (client.post("/v1/videos/characters"), client.get("/v1/videos/characters/char_1")):
        assert problem(await asked, 400, "invalid_request_error")["code"] == "not_supported"


# ------------------------------------------------------------------------------------- models and errors


async def test_models_by_either_name(world: World) -> None:
    listed = (await world.client.get("/v1/models")).json()
    assert listed["object"] == "list"
    assert {model["object"] for model in listed["data"]} == {"model"}
    for path in ("sora-2", "openai/sora-2", "openai%2Fsora-2"):
        model = (await world.client.get(f"/v1/models/{path}")).json()
        assert (model["owned_by"], model["shutdown_date"]) == ("openai", "2026-09-24")
    assert model["id"] == "openai/sora-2"
    error = problem(await world.client.get("/v1/models/none"), 404, "invalid_request_error", "model")
    assert error["code"] == "model_not_found"


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/chat/completions", "/v1/files/a/b/c"])
async def test_unknown_routes_have_the_same_envelope(world: World, path: str) -> None:
    assert problem(await world.client.post(path, json={}), 404, "not_found_error")["code"] == "not_found"


async def test_other_methods_are_told(world: World) -> None:
    reply = await world.client.put("/v1/models/openai/sora-2")
    assert problem(reply, 405, "invalid_request_error")["code"] == "method_not_allowed"
    assert reply.headers["allow"] == "GET, OPTIONS"


async def test_broken_json_and_other_types(world: World) -> None:
    headers = {"Content-Type": "application/json"}
    for body in (b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000):
        reply = await world.client.post("/v1/images/generations", content=body, headers=headers)
        problem(reply, 400, "invalid_request_error")
    form = await world.client.post("/v1/images/generations", data={"prompt": "x"})
    problem(form, 415, "invalid_request_error", "Content-Type")


async def test_a_failing_provider_is_not_asked_again(world: World) -> None:
    world.provider.failure = ProviderFailed("the pen broke")
    reply = await world.client.post("/v1/images/generations", json={"model": "gpt-image-2", "prompt": "x"})
    problem(reply, 502, "api_error")
    assert reply.headers["x-should-retry"] == "false"


async def test_a_strange_host_is_told_in_the_envelope(world: World) -> None:
    reply = await world.client.get("/v1/models", headers={"Host": "evil.example"})
    problem(reply, 403, "permission_error")


def test_every_error_has_a_form() -> None:
    for kind in all_errors():
        error = kind("told")
        assert 400 <= status_of(error) <= 599
        assert b'"message":"told"' in body_of(error)
        assert headers_of(error) == ({"X-Should-Retry": "false"} if kind in FINAL else {})


def test_a_refusal_of_another_vendor_keeps_our_words() -> None:
    theirs = ProviderRefused("no", field="parameters.size", provider={"status": 422, "body": {"title": "x"}})
    assert (status_of(theirs), problem_of(theirs).param, problem_of(theirs).message) == (422, "size", "no")
    own = {"error": {"message": "m", "type": "t", "param": None, "code": "c"}}
    told = ProviderRefused("no", provider={"status": 200, "body": own})
    assert (status_of(told), problem_of(told).message, problem_of(told).code) == (400, "m", "c")


def test_the_surface_is_told_by_the_path() -> None:
    assert [speaks_openai(path) for path in ("/v1", "/v1/x", "/v10", "/v3/v1", "")] == [True, True, False, False, False]
