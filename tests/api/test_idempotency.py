"""`Idempotency-Key` on every POST: replay, mismatch, in flight, failure, age, isolation."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from opperlite.domain.errors import ProviderFailed
from tests.api.conftest import World, error_of, world_of
from tests.api.test_files import BOUNDARY, FORM, form, part
from tests.api.test_images import data_uri
from tests.fakes import png, sound

KEY = {"Idempotency-Key": "key-1"}
REQUESTS: dict[str, dict[str, Any]] = {
    "/v3/images": {"model": "openai/gpt-image-1", "prompt": "x"},
    "/v3/videos": {"model": "openai/sora-2", "prompt": "x"},
    "/v3/audio/speech": {"model": "openai/tts-1", "input": "x"},
    "/v3/audio/transcriptions": {"model": "openai/whisper-1", "audio": data_uri(sound("wav"))},
}


@pytest.mark.parametrize("path", REQUESTS)
async def test_the_first_reply_is_replayed(world: World, path: str) -> None:
    first = await world.client.post(path, json=REQUESTS[path], headers=KEY)
    assert "idempotency-replayed" not in first.headers
    for _ in range(2):
        again = await world.client.post(path, json=REQUESTS[path], headers=KEY)
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert (await world.client.post(path, json=REQUESTS[path])).json()["id"] != first.json()["id"]
    if path == "/v3/videos":
        await world.ended(first.json()["id"])


async def upload(world: World, boundary: str = BOUNDARY, data: bytes = b"", **fields: str) -> httpx.Response:
    parts = [part(name, value.encode()) for name, value in fields.items()]
    body = form(*parts, part("file", data or png(), "a.png")).replace(BOUNDARY.encode(), boundary.encode())
    headers = KEY | {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return await world.client.post("/v3/files", content=body, headers=headers)


async def test_an_upload_is_the_same_whatever_its_boundary(world: World) -> None:
    first = await upload(world, ttl_seconds="60", purpose="ocr_input")
    again = await upload(world, "another-boundary", purpose="ocr_input", ttl_seconds="60")
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert (await world.client.get("/v3/files")).json()["meta"]["total"] == 1
    assert len(world.remains()) == 1


async def test_another_request_with_the_key_is_a_mismatch(world: World) -> None:
    await upload(world)
    error_of(await upload(world, data=png(note="other")), 422, "idempotency_mismatch")
    error_of(await upload(world, purpose="ocr_input"), 422, "idempotency_mismatch")
    for path, body in REQUESTS.items():
        error_of(await world.client.post(path, json=body, headers=KEY), 422, "idempotency_mismatch")
    assert len(world.remains()) == 1
    assert world.provider.asked == []


async def test_a_mismatch_by_body_and_by_route(world: World) -> None:
    body = REQUESTS["/v3/images"]
    await world.client.post("/v3/images", json=body, headers=KEY)
    for path, other in (("/v3/images", body | {"n": 2}), ("/v3/videos", body), ("/v3/videos", REQUESTS["/v3/videos"])):
        error_of(await world.client.post(path, json=other, headers=KEY), 422, "idempotency_mismatch")


async def test_a_key_in_flight_is_a_conflict(world: World) -> None:
    world.provider.gate = asyncio.Event()
    body = REQUESTS["/v3/images"]
    first = asyncio.create_task(world.client.post("/v3/images", json=body, headers=KEY))
    await world.provider.begun.wait()
    reply = await world.client.post("/v3/images", json=body, headers=KEY)
    error_of(reply, 409, "idempotency_in_progress")
    assert reply.headers["retry-after"] == "1"
    world.provider.gate.set()
    done = await first
    assert (await world.client.post("/v3/images", json=body, headers=KEY)).content == done.content


async def test_ten_at_once_make_one(world: World) -> None:
    replies = await asyncio.gather(*(upload(world) for _ in range(10)))
    assert {reply.status_code for reply in replies} <= {200, 409}
    assert any(reply.status_code == 200 for reply in replies)
    assert (await world.client.get("/v3/files")).json()["meta"]["total"] == 1


async def test_a_failure_may_be_tried_again(world: World) -> None:
    body = REQUESTS["/v3/images"]
    error_of(await world.client.post("/v3/images", json=body | {"n": 9}, headers=KEY), 400, "validation_error")
    world.provider.failure = ProviderFailed("no")
    error_of(await world.client.post("/v3/images", json=body, headers=KEY), 502, "generation_failed")
    world.provider.failure = RuntimeError("crash")
    error_of(await world.client.post("/v3/images", json=body, headers=KEY), 500, "internal_error")
    world.provider.failure = None
    assert (await world.client.post("/v3/images", json=body, headers=KEY)).status_code == 200
    error_of(await upload(world, ttl_seconds="0"), 422, "idempotency_mismatch")


async def test_a_broken_upload_may_be_tried_again(world: World) -> None:
    broken = await world.client.post("/v3/files", content=b"--" + BOUNDARY.encode(), headers=FORM | KEY)
    error_of(broken, 400, "validation_error")
    assert (await upload(world)).status_code == 200


async def test_keys_live_a_day_and_belong_to_a_project(world: World) -> None:
    first = await upload(world)
    async with world.client_of("another", headers=KEY) as other:
        reply = await other.post("/v3/files", files={"file": ("a.png", png())})
        assert reply.json()["id"] != first.json()["id"]
    world.clock.advance(86_399)
    assert (await upload(world)).headers["idempotency-replayed"] == "true"
    world.clock.advance(2)
    again = await upload(world)
    assert again.json()["id"] != first.json()["id"]
    assert "idempotency-replayed" not in again.headers


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_has_1_to_255_characters(world: World, key: str) -> None:
    reply = await world.client.post("/v3/images", json=REQUESTS["/v3/images"], headers={"Idempotency-Key": key})
    error_of(reply, 400, "validation_error", "Idempotency-Key")
    assert world.provider.asked == []


async def test_any_characters_make_a_key(world: World) -> None:
    for key in (b"x" * 255, b"\xff\xfe", "é 鍵".encode(), b"a'; DROP TABLE replies; --"):
        replies = [
            await world.client.post(
                "/v3/audio/speech", json=REQUESTS["/v3/audio/speech"], headers=[(b"Idempotency-Key", key)]
            )
            for _ in range(2)
        ]
        assert replies[0].content == replies[1].content


async def test_cancelling_is_replayed_too(world: World) -> None:
    world.provider.gate = asyncio.Event()
    job = await world.job()
    first = await world.client.post(f"/v3/artifacts/{job}/cancel", headers=KEY)
    again = await world.client.post(f"/v3/artifacts/{job}/cancel", headers=KEY)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    other = await world.job()
    reply = await world.client.post(f"/v3/artifacts/{other}/cancel", headers=KEY)
    error_of(reply, 422, "idempotency_mismatch")
    assert (await world.status(other))["status"] == "processing"
    world.provider.gate.set()


@pytest.mark.parametrize("path", ["/v3/images", "/v3/videos", "/v3/audio/speech", "/v3/files"])
@pytest.mark.parametrize("restart", [False, True])
async def test_a_request_that_broke_off_before_its_reply_was_kept_is_finished(
    tmp_path: Path, path: str, restart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it made, but could not tell, is found by the retry: one job, one file, though the quota is full now."""

    async def ask(world: World) -> httpx.Response:
        if path == "/v3/files":
            return await upload(world)
        return await world.client.post(path, json=REQUESTS[path], headers=KEY)

    async def lost(*_: object) -> None:
        raise asyncio.CancelledError

    async def made(world: World) -> list[str]:
        await asyncio.gather(*map(world.ended, [job["id"] for job in await listed(world, "/v3/artifacts")]))
        files, jobs = await listed(world, "/v3/files"), await listed(world, "/v3/artifacts")
        return [one["id"] for one in jobs or files]

    rules = {"quota_files": 1}
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(world_of(tmp_path, policy=rules))
        with monkeypatch.context() as patch:
            patch.setattr(world.services.store, "save_reply", lost)
            if restart:  # then nothing releases the key either
                patch.setattr(world.services.store, "release_claim", lost)
            with pytest.raises(asyncio.CancelledError):
                await ask(world)
        before = await made(world)
        assert len(before) == 1
        if restart:
            error_of(await ask(world), 409, "idempotency_in_progress")
            await stack.aclose()
            world = await stack.enter_async_context(world_of(tmp_path, policy=rules))
        reply = await ask(world)
        assert reply.status_code in (200, 202), reply.text
        assert before[0] in reply.text
        assert "warnings" not in reply.json()
        assert "idempotency-replayed" not in reply.headers
        assert await made(world) == before
        assert (await ask(world)).headers["idempotency-replayed"] == "true"
        assert len(world.remains()) == 1


async def listed(world: World, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await world.client.get(path)).json()["data"]
    return rows


async def test_another_body_after_a_break_is_another_request(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(world.services.store, "save_reply", lost)
        with pytest.raises(asyncio.CancelledError):
            await upload(world)
    other = png(note="other")
    reply = await upload(world, data=other)
    assert reply.json()["bytes"] == len(other)
    assert len(await listed(world, "/v3/files")) == 2


async def test_images_stored_before_a_break_are_not_stored_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    add_files, added = world.services.store.add_files, 0

    async def add(*args: Any) -> Any:
        nonlocal added
        added += 1
        if added == 3:
            raise asyncio.CancelledError
        return await add_files(*args)

    body = REQUESTS["/v3/images"] | {"n": 4}
    with monkeypatch.context() as patch:
        patch.setattr(world.services.store, "add_files", add)
        with pytest.raises(asyncio.CancelledError):
            await world.client.post("/v3/images", json=body, headers=KEY)
    before = {file["id"] for file in await listed(world, "/v3/files")}
    reply = await world.client.post("/v3/images", json=body, headers=KEY)
    ids = [item["file_id"] for item in reply.json()["data"]]
    assert len(before) == 2
    assert before < set(ids)
    assert {file["id"] for file in await listed(world, "/v3/files")} == set(ids)
    assert len(world.remains()) == len(set(ids)) == 4
