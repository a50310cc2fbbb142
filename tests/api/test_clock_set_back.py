"""A clock that is set back, by a day or by years, makes nothing wrong: files, jobs, replies and sweeps go on."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from opperlite.domain.files import Files
from tests.api.conftest import world_of
from tests.fakes import png

DAY = 86400.0


@pytest.mark.parametrize("days", [1, 3650])
async def test_files_and_jobs_of_before_and_after_live_side_by_side(tmp_path: Path, days: int) -> None:
    async with world_of(tmp_path) as world:
        before = await world.upload(png(note="before"))
        reply = await world.client.post("/v3/files", files={"file": png()}, headers={"Idempotency-Key": "one"})
        made = await world.job()
        assert (await world.ended(made))["status"] == "completed"

        world.clock.advance(-days * DAY)
        after = await world.upload(png(note="after"))
        listed = (await world.client.get("/v3/files")).json()
        assert [file["id"] for file in listed["data"]][:1] == [after["id"]]
        assert before["id"] in [file["id"] for file in listed["data"]]
        assert listed["meta"]["total"] == 4
        link = (await world.client.get(f"/v3/files/{before['id']}/content")).json()["url"]
        assert (await world.client.get(link)).content == png(note="before")
        again = await world.client.post("/v3/files", files={"file": png()}, headers={"Idempotency-Key": "one"})
        assert again.json() == reply.json()
        assert (await world.status(made))["status"] == "completed"
        assert (await world.ended(await world.job()))["status"] == "completed"
        await world.services.sweep()
        assert (await world.client.get("/v3/files")).json()["meta"]["total"] == 5


async def test_orphans_are_still_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = asyncio.Event()
    sweep_orphans = Files.sweep_orphans

    async def noted(files: Files) -> int:
        looked.set()
        return await sweep_orphans(files)

    monkeypatch.setattr(Files, "sweep_orphans", noted)
    async with world_of(tmp_path, policy={"sweep_interval": 0.01}) as world:
        await asyncio.wait_for(looked.wait(), 20)
        looked.clear()
        world.clock.advance(-3650 * DAY)
        await asyncio.wait_for(looked.wait(), 20)


async def test_what_is_being_received_survives_a_clock_that_jumps_ahead(tmp_path: Path) -> None:
    async with world_of(tmp_path) as world, world.services.files.blobs.stage() as staging:
        await staging.write(bytes(2 << 20))
        await staging.digest()
        for path in (tmp_path / "staging").iterdir():
            os.utime(path, (0, 0))
        world.clock.advance(3650 * DAY)
        await world.services.files.sweep_orphans()
        assert (await staging.finish()).bytes == 2 << 20
