"""`/v3/videos` and `/v3/artifacts`: accepted, in progress, completed, failed, cancelled, gone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from opperlite.domain.errors import ProviderFailed
from opperlite.domain.types import VideoPlan
from tests.api.conftest import BASE, IN_SESSION, World, error_of, world_of
from tests.api.test_images import data_uri
from tests.fakes import mp4, png

BODY: dict[str, Any] = {"model": "openai/sora-2", "prompt": "a kite"}


@pytest.fixture
def held(world: World) -> asyncio.Event:
    """Opened, it lets the work go on."""
    world.provider.gate = asyncio.Event()
    return world.provider.gate


async def test_a_video_is_accepted_and_becomes_a_file(world: World) -> None:
    reply = await world.client.post(
        "/v3/videos",
        json=BODY | {"parameters": {"seconds": "4", "size": "1280x720"}, "image": data_uri(png(1280, 720))},
    )
    assert reply.status_code == 202
    job_id = reply.json()["id"]
    assert job_id.startswith("gen_")
    assert reply.json() == {"id": job_id, "status_url": f"{BASE}/v3/artifacts/{job_id}/status"}
    shown = await world.ended(job_id)
    assert {**shown, "url": None} == {
        "id": job_id,
        "status": "completed",
        "provider": "openai",
        "model": "openai/sora-2",
        "mime_type": "video/mp4",
        "url": None,
        "file_id": shown["file_id"],
    }
    async with world.client_of(None) as anyone:
        data = (await anyone.get(shown["url"])).content
    assert data.startswith(mp4())
    file = (await world.client.get(f"/v3/files/{shown['file_id']}")).json()
    assert (file["bytes"], file["mime_type"], file["filename"]) == (len(data), "video/mp4", f"{job_id}.mp4")
    plan = world.provider.asked[0]
    assert isinstance(plan, VideoPlan)
    assert (plan.width, plan.height) == (1280, 720)
    assert len(world.remains()) == 1, "the job's source went with its end"


async def test_the_url_is_minted_anew_on_each_read(world: World) -> None:
    job = await world.job()
    first = (await world.ended(job))["url"]
    world.clock.advance(4000)
    second = (await world.status(job))["url"]
    async with world.client_of(None) as anyone:
        assert [(await anyone.get(url)).status_code for url in (first, second)] == [403, 200]


async def test_progress_and_place_are_told_while_it_lasts(world: World, held: asyncio.Event) -> None:
    jobs = [await world.job() for _ in range(5)]
    while len(world.provider.asked) < 2:
        await asyncio.sleep(0.01)
    running = await world.status(jobs[0])
    assert running == {
        "id": jobs[0],
        "status": "processing",
        "provider": "openai",
        "model": "openai/sora-2",
        "progress": 50,
    }
    assert [(await world.status(job)).get("queue_position") for job in jobs] == [None, None, 0, 1, 2]
    reply = await world.client.get(f"/v3/artifacts/{jobs[0]}/status")
    assert reply.headers["retry-after"] == "1"
    held.set()
    for job in jobs:
        done = await world.ended(job)
        assert done["status"] == "completed"
    assert "retry-after" not in (await world.client.get(f"/v3/artifacts/{jobs[0]}/status")).headers


async def test_a_failure_is_told_as_a_string(world: World) -> None:
    world.provider.failure = ProviderFailed("the model refused")
    shown = await world.ended(await world.job())
    assert (shown["status"], shown["error"]) == ("failed", "the model refused")
    assert "url" not in shown
    assert world.remains() == []


async def test_a_defect_fails_the_job_without_telling_its_inside(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.provider.failure = RuntimeError("secret inside")
    shown = await world.ended(await world.job())
    assert shown["status"] == "failed"
    assert "secret" not in shown["error"]
    assert "secret inside" in caplog.text


async def test_an_unknown_or_foreign_job_is_not_found(world: World, held: asyncio.Event) -> None:
    job = await world.job()
    async with world.client_of("another") as other:
        for name in (job, "gen_unknown", "%00", "%FF"):
            error_of(await other.get(f"/v3/artifacts/{name}/status"), 404, "not_found")
            error_of(await other.post(f"/v3/artifacts/{name}/cancel"), 404, "not_found")
    assert (await world.status(job))["status"] == "processing"
    held.set()
    await world.ended(job)
    async with world.client_of("another") as other:
        error_of(await other.get(f"/v3/artifacts/{job}/status"), 404, "not_found")


async def test_a_job_whose_file_is_gone_is_not_found(world: World) -> None:
    deleted, expired = await world.job(), await world.job()
    await world.client.delete(f"/v3/files/{(await world.ended(deleted))['file_id']}")
    error_of(await world.client.get(f"/v3/artifacts/{deleted}/status"), 404, "not_found")
    await world.ended(expired)
    world.clock.advance(86400)
    error_of(await world.client.get(f"/v3/artifacts/{expired}/status"), 404, "not_found")


async def test_a_record_lives_a_day_after_its_end(tmp_path: Path) -> None:
    async with world_of(tmp_path, generated_ttl=10 * 86400.0) as world:
        world.provider.failure = ProviderFailed("no")
        failed = await world.job()
        await world.ended(failed)
        world.provider.failure = None
        done = await world.job()
        await world.ended(done)
        world.clock.advance(86399)
        await world.services.sweep()
        assert [(await world.status(job))["status"] for job in (failed, done)] == ["failed", "completed"]
        world.clock.advance(1)
        for _ in range(2):
            for job in (failed, done):
                error_of(await world.client.get(f"/v3/artifacts/{job}/status"), 404, "not_found")
                error_of(await world.client.post(f"/v3/artifacts/{job}/cancel"), 404, "not_found")
            await world.services.sweep()


# ------------------------------------------------------------------------------------------------- storing


async def test_an_unstored_video_can_be_read_for_an_hour(world: World) -> None:
    job = await world.job(store=False)
    shown = await world.ended(job)
    assert "file_id" not in shown
    assert "warnings" not in shown
    assert (await world.client.get("/v3/files")).json()["meta"]["total"] == 0
    async with world.client_of(None) as anyone:
        assert (await anyone.get(shown["url"])).status_code == 200
        world.clock.advance(3600)
        assert (await anyone.get(shown["url"])).status_code in (403, 404)
    error_of(await world.client.get(f"/v3/artifacts/{job}/status"), 404, "not_found")
    await world.services.sweep()
    assert world.remains() == []


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"quota_files": 0}, "quota_exceeded"),
        ({"quota_bytes": 10}, "quota_exceeded"),
        ({"zero_data_retention": True}, "zero_data_retention"),
    ],
)
async def test_a_video_that_cannot_be_stored_is_temporary_with_a_warning(
    tmp_path: Path, settings: dict[str, Any], reason: str
) -> None:
    async with world_of(tmp_path, **settings) as world:
        shown = await world.ended(await world.job(image=data_uri(png(720, 1280))))
        assert shown["status"] == "completed"
        assert "file_id" not in shown
        (warning,) = shown["warnings"]
        assert (warning["code"], warning["details"]) == ("storage_skipped", {"reason": reason, "index": 0})
        async with world.client_of(None) as anyone:
            assert (await anyone.get(shown["url"])).status_code == 200
        world.clock.advance(3600)
        await world.services.sweep()
        assert world.remains() == []


# -------------------------------------------------------------------------------------------------- refused


@IN_SESSION
@pytest.mark.parametrize(
    ("members", "code", "field"),
    [
        ({"model": None}, "validation_error", "model"),
        ({"prompt": ""}, "validation_error", "prompt"),
        ({"prompt": "x" * 32_001}, "validation_error", "prompt"),
        ({"parameters": "x"}, "validation_error", "parameters"),
        ({"model": "openai/sora-9"}, "model_not_found", "model"),
        ({"model": "openai/gpt-image-1"}, "validation_error", "model"),
        ({"parameters": {"seconds": "5"}}, "provider_error", "parameters.seconds"),
        ({"parameters": {"size": "1x1"}}, "provider_error", "parameters.size"),
        ({"image": "file_unknown"}, "file_not_found", "image"),
        ({"image": "nonsense"}, "validation_error", "image"),
        ({"image": data_uri(b"no picture")}, "unsupported_media_type", "image"),
        ({"model": "pruna/wan-t2v", "image": data_uri(png())}, None, "image"),
        ({"model": "openai/sora-2", "reference_images": ["http://"]}, None, None),
        ({"reference_images": [data_uri(png())] * 17}, "validation_error", "reference_images"),
    ],
)
async def test_what_cannot_be_made_is_refused_at_once(
    refusing: World, members: dict[str, Any], code: str | None, field: str | None
) -> None:
    reply = await refusing.client.post("/v3/videos", json=BODY | members)
    assert reply.status_code == 400, reply.text
    error = reply.json()["error"]
    assert code in (None, error["code"])
    assert field in (None, error["details"].get("field"))


async def test_a_full_queue_is_429_and_keeps_no_source(tmp_path: Path) -> None:
    async with world_of(tmp_path, max_queued_jobs=2, jobs=1) as world:
        world.provider.gate = asyncio.Event()
        jobs = [await world.job() for _ in range(2)]
        reply = await world.client.post("/v3/videos", json=BODY | {"image": data_uri(png(720, 1280))})
        error_of(reply, 429, "rate_limit")
        assert reply.headers["retry-after"] == "5"
        assert [name for name in world.remains() if name.startswith("blobs")] == []
        async with world.client_of("another") as other:
            assert (await other.post("/v3/videos", json=BODY)).status_code == 202
        world.provider.gate.set()
        for job in jobs:
            await world.ended(job)
        await world.job()


@IN_SESSION
async def test_a_form_is_not_json(refusing: World) -> None:
    """What an OpenAI client sends to this path."""
    reply = await refusing.client.post("/v3/videos", files={"prompt": (None, "x"), "model": (None, "sora-2")})
    error_of(reply, 415, "unsupported_media_type", "Content-Type")


# ------------------------------------------------------------------------------------------------- cancelled


async def test_a_running_job_is_cancelled_and_its_work_stops(world: World, held: asyncio.Event) -> None:
    job = await world.job(image=data_uri(png(720, 1280)))
    await world.provider.begun.wait()
    reply = await world.client.post(f"/v3/artifacts/{job}/cancel")
    assert reply.json() == {
        "id": job,
        "status": "failed",
        "provider": "openai",
        "model": "openai/sora-2",
        "error": "cancelled",
        "cancelled": True,
    }
    await asyncio.wait_for(world.provider.stopped.wait(), 10)
    assert await world.status(job) == reply.json()
    await world.cleared()


async def test_a_waiting_job_is_cancelled_before_it_begins(world: World, held: asyncio.Event) -> None:
    jobs = [await world.job(prompt=f"kite {number}", image=data_uri(png(720, 1280))) for number in range(4)]
    for job in jobs[2:]:
        assert (await world.client.post(f"/v3/artifacts/{job}/cancel")).json()["cancelled"] is True
    held.set()
    assert [(await world.ended(job))["status"] for job in jobs] == ["completed", "completed", "failed", "failed"]
    assert len(world.provider.asked) == 2


async def test_a_job_cancelled_at_once_never_runs_on(world: World, held: asyncio.Event) -> None:
    for _ in range(20):
        job = await world.job()
        assert (await world.client.post(f"/v3/artifacts/{job}/cancel")).json()["cancelled"] is True
        assert (await world.status(job))["status"] == "failed"
    for _ in range(100):
        if world.services.jobs.running == 0:
            break
        await asyncio.sleep(0.01)
    assert world.services.jobs.running == 0


async def test_what_has_ended_stays_as_it_is(world: World) -> None:
    job = await world.job()
    done = await world.ended(job)
    reply = await world.client.post(f"/v3/artifacts/{job}/cancel")
    assert (reply.json()["status"], reply.json()["file_id"]) == ("completed", done["file_id"])
    world.provider.failure = ProviderFailed("no")
    failed = await world.job()
    shown = await world.ended(failed)
    assert (await world.client.post(f"/v3/artifacts/{failed}/cancel")).json() == shown


# ---------------------------------------------------------------------------------------- restart, recovery


async def test_jobs_outlive_the_process(tmp_path: Path) -> None:
    async with world_of(tmp_path, shutdown_grace=0.0) as world:
        world.provider.gate = asyncio.Event()
        jobs = [await world.job(prompt=f"{number}", image=data_uri(png(720, 1280))) for number in range(4)]
        await world.provider.begun.wait()
    async with world_of(tmp_path) as world:
        for job in jobs:
            assert (await world.ended(job))["status"] == "completed"
        assert sorted(plan.prompt for plan in world.provider.asked) == ["0", "1", "2", "3"]  # type: ignore[union-attr]
        assert all(sources.image is not None for sources in world.provider.sources)


async def test_a_stop_finishes_what_runs_within_its_grace(tmp_path: Path) -> None:
    async with world_of(tmp_path, shutdown_grace=5.0) as world:
        world.provider.gate = asyncio.Event()
        job = await world.job()
        await world.provider.begun.wait()
        asyncio.get_running_loop().call_later(0.05, world.provider.gate.set)
    async with world_of(tmp_path) as world:
        assert (await world.status(job))["status"] == "completed"
        assert world.provider.asked == []
