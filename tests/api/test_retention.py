"""What is kept and for how long: quota, expiry, projects that keep nothing, and the sweeps."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.api.conftest import World, error_of, world_of
from tests.api.test_images import data_uri
from tests.fakes import PDF, png


async def test_an_upload_over_the_quota_is_413_and_leaves_nothing(tmp_path: Path) -> None:
    async with world_of(tmp_path, quota_bytes=1000) as world:
        file = await world.upload(png() + bytes(900 - len(png())))
        reply = await world.client.post("/v3/files", files={"file": ("b.png", png(note="x" * 200))})
        error = error_of(reply, 413, "quota_exceeded")
        assert error["details"]["used_bytes"] == 900
        assert error["details"]["quota_bytes"] == 1000
        assert len(world.remains()) == 1
        await world.client.delete(f"/v3/files/{file['id']}")
        await world.upload(png(note="x" * 200))


async def test_files_that_expire_free_their_room_at_once(tmp_path: Path) -> None:
    async with world_of(tmp_path, quota_files=1) as world:
        await world.upload(ttl_seconds="10")
        error_of(await world.client.post("/v3/files", files={"file": png()}), 413, "quota_exceeded")
        world.clock.advance(10)
        await world.upload()
        await world.services.sweep()
        assert len(world.remains()) == 1
        error_of(await world.client.post("/v3/files", files={"file": png()}), 413, "quota_exceeded")


async def test_each_open_project_has_a_quota_of_its_own(tmp_path: Path) -> None:
    async with world_of(tmp_path, quota_files=1) as world:
        await world.upload()
        async with world.client_of("another") as other:
            assert (await other.post("/v3/files", files={"file": ("a.png", png())})).status_code == 200


async def test_a_large_upload_is_refused_before_it_is_read(tmp_path: Path) -> None:
    async with world_of(tmp_path, quota_bytes=100) as world:
        reply = await world.client.post("/v3/files", files={"file": ("a.png", png() + bytes(3_000_000))})
        error_of(reply, 413, "quota_exceeded")
        assert world.remains() == []


async def test_a_project_that_keeps_nothing_answers_and_forgets(tmp_path: Path) -> None:
    async with world_of(tmp_path, zero_data_retention=True) as world:
        file = await world.upload(filename="b.png", ttl_seconds="60")
        (warning,) = file.pop("warnings")
        assert (warning["code"], warning["details"]) == (
            "storage_skipped",
            {"reason": "zero_data_retention", "index": 0},
        )
        file_id = file.pop("id")
        assert file == {
            "object": "file",
            "bytes": len(png()),
            "created_at": "2026-09-21T14:13:20.000Z",
            "expires_at": "2026-09-21T14:13:20.000Z",
            "filename": "b.png",
            "mime_type": "image/png",
            "purpose": "reference_media",
            "status": "skipped",
        }
        for path in ("", "/content"):
            error_of(await world.client.get(f"/v3/files/{file_id}{path}"), 404, "not_found")
        error_of(await world.client.delete(f"/v3/files/{file_id}"), 404, "not_found")
        body = {"model": "openai/gpt-image-1", "prompt": "x", "image": file_id}
        error_of(await world.client.post("/v3/images", json=body), 400, "file_not_found", "image")
        assert (await world.client.get("/v3/files")).json()["meta"]["total"] == 0
        reply = await world.client.post("/v3/files", files={"file": PDF})
        error_of(reply, 400, "unsupported_media_type", "file")
        assert world.remains() == []


# ------------------------------------------------------------------------------------------------- sweeps


async def test_the_sweep_ends_what_has_expired(world: World) -> None:
    short = await world.upload(png(note="short"), ttl_seconds="10")
    same = await world.upload(png(note="short"))
    job = await world.job()
    await world.ended(job)
    world.clock.advance(10)
    await world.services.sweep()
    assert len(world.remains()) == 2, "the bytes have another name still"
    assert (await world.client.get(f"/v3/files/{same['id']}")).status_code == 200
    error_of(await world.client.get(f"/v3/files/{short['id']}"), 404, "not_found")
    world.clock.advance(40 * 86_400)
    await world.services.sweep()
    assert world.remains() == []


async def test_bytes_without_a_name_are_swept_after_their_grace(world: World) -> None:
    named = await world.upload()
    async with world.services.files.blobs.stage() as staging:
        await staging.write(b"never named")
        orphan = await staging.finish()
        await world.services.files.sweep_orphans()
    (world.folder / "staging" / "left-by-a-crash").write_bytes(b"half an upload")
    (world.folder / "staging" / "folder-of-a-crash").mkdir()
    assert await world.services.files.sweep_orphans() == 0, "all of it is young"
    old = world.clock.now() - 3601
    for path in [*(world.folder / "blobs").rglob("*"), *(world.folder / "staging").iterdir()]:
        os.utime(path, (old, old))
    assert await world.services.files.sweep_orphans() == 3
    assert [name.rpartition("/")[2] for name in world.remains()] == [
        (await world.services.files.get(await world.services.projects.authenticate("test"), named["id"])).sha256
    ]
    assert await world.services.files.blobs.size(orphan.sha256) is None


async def test_the_sources_of_waiting_jobs_are_no_orphans(tmp_path: Path) -> None:
    async with world_of(tmp_path, jobs=1) as world:
        world.provider.gate = asyncio.Event()
        jobs = [await world.job(image=data_uri(png(720, 1280, str(number)))) for number in range(3)]
        for path in (world.folder / "blobs").rglob("*"):
            os.utime(path, (1, 1))
        await world.services.files.sweep_orphans()
        world.provider.gate.set()
        for job in jobs:
            assert (await world.ended(job))["status"] == "completed"


async def test_a_sweep_that_breaks_does_not_end_all_later_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    swept = asyncio.Event()

    async def sweep_replies(self: object, before: float) -> None:
        if not caplog.records:
            raise RuntimeError("a defect")
        swept.set()

    monkeypatch.setattr("opperlite.adapters.metadata_sqlite.SqliteMetadata.sweep_replies", sweep_replies)
    async with world_of(tmp_path, policy={"sweep_interval": 0.01}):
        await asyncio.wait_for(swept.wait(), 20)
    assert "sweeping broke" in caplog.text


async def test_everything_at_once_loses_and_leaves_nothing(tmp_path: Path) -> None:
    """Uploads of the same bytes, deletes, generations, cancels, expiry and sweeps, all in one another's way."""
    async with world_of(tmp_path, quota_files=20) as world:

        async def uploading(number: int) -> None:
            reply = await world.client.post("/v3/files", files={"file": ("a.png", png(note=str(number % 5)))})
            if reply.status_code == 200 and number % 2:
                await world.client.delete(f"/v3/files/{reply.json()['id']}")

        async def drawing(number: int) -> None:
            body = {"model": "openai/gpt-image-1", "prompt": str(number % 3), "n": 2}
            assert (await world.client.post("/v3/images", json=body)).status_code == 200

        async def filming(number: int) -> None:
            job = await world.job(prompt=str(number), image=data_uri(png(720, 1280, str(number % 3))))
            if number % 2:
                await world.client.post(f"/v3/artifacts/{job}/cancel")

        async def sweeping(number: int) -> None:
            world.clock.advance(2_000)
            await world.services.sweep()
            await world.services.files.sweep_orphans()

        await asyncio.gather(*(work(n) for n in range(25) for work in (uploading, drawing, filming, sweeping)))
        while world.services.jobs.running or world.services.jobs.waiting:
            await asyncio.sleep(0.01)
        project = await world.services.projects.authenticate("test")
        page = await world.services.files.list(project, 100, 0)
        usage = await world.services.store.usage(project.organisation_id, world.clock.now())
        assert (usage.files, usage.bytes) == (page.total, sum(file.bytes for file in page.files))
        for file in page.files:
            assert await world.services.files.blobs.size(file.sha256) == file.bytes
        world.clock.advance(10**8)
        await world.services.sweep()
        assert world.remains() == []
