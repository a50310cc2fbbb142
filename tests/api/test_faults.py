"""The disk fails at every single call of the blob store and of the database, one after the other.

After each: a clear refusal or a result with a warning, nothing half-written, counters that are true, and the next try
works.
"""

from __future__ import annotations

import asyncio
import builtins
import errno
import os
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import settings

from opperlite.adapters import blobs_local, metadata_sqlite
from opperlite.domain import jobs
from opperlite.domain.errors import StorageFailed
from tests.api.conftest import World, world_of
from tests.api.test_images import data_uri
from tests.fakes import png
from tests.truth import faults, orphans

_numbers = count()
FULL, BROKEN = OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EIO, "Input/output error")
CODES = {"full": sqlite3.SQLITE_FULL, "broken": sqlite3.SQLITE_IOERR_FSYNC, "locked": sqlite3.SQLITE_BUSY}
LONG = settings.get_current_profile_name() == "long"


class Disk:
    """Fails at the call number `at`, and with `lasting` at all that follow."""

    def __init__(self) -> None:
        self.at = 0
        self.lasting = False
        self.calls = 0
        self.hit: str | None = None
        self._lock = threading.Lock()

    def arm(self, at: int, lasting: bool) -> None:
        self.at, self.lasting, self.calls, self.hit = at, lasting, 0, None

    def disarm(self) -> None:
        self.at = 0

    def fails(self, what: str) -> bool:
        with self._lock:
            if not self.at:
                return False
            self.calls += 1
            failing = self.calls == self.at or (self.lasting and self.calls > self.at)
            if failing and self.hit is None:
                self.hit = what
            return failing


@pytest.fixture
def folder_disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Every call by which the blob store's threads touch the disk."""
    disk = Disk()

    def wrapped(name: str, real: Callable[..., Any], error: OSError) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if threading.current_thread().name.startswith("blobs") and disk.fails(name):
                raise OSError(error.errno, error.strerror)
            return None if "sync" in name else real(*args, **kwargs)  # nothing here ends so that a sync would matter

        return call

    for name, error in {
        "writev": FULL,
        "fsync": BROKEN,
        "mkdir": FULL,
        "replace": BROKEN,
        "utime": BROKEN,
        "unlink": BROKEN,
        "rmdir": BROKEN,
        "stat": BROKEN,
        "scandir": BROKEN,
        "open": BROKEN,
    }.items():
        if hasattr(os, name):
            monkeypatch.setattr(os, name, wrapped(name, getattr(os, name), error))
    monkeypatch.setattr(blobs_local, "open", wrapped("open", builtins.open, FULL), raising=False)
    monkeypatch.setattr(blobs_local, "_sync_data", wrapped("fdatasync", blobs_local._sync_data, BROKEN))
    return disk


class FailingConnection(sqlite3.Connection):
    """Fails as SQLite does: a full or broken disk undoes the transaction, a lock only the statement."""

    disk: Disk
    code: int

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        self._maybe_fail(sql)
        return super().execute(sql.replace("synchronous = FULL", "synchronous = OFF"), *args)

    def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:
        self._maybe_fail(sql)
        return super().executemany(sql, *args)

    def _maybe_fail(self, sql: str) -> None:
        if sql.startswith(("ROLLBACK", "PRAGMA")) or not self.disk.fails(sql):
            return
        if self.code != sqlite3.SQLITE_BUSY and self.in_transaction:
            super().execute("ROLLBACK")
        error = sqlite3.OperationalError("injected")
        error.sqlite_errorcode = self.code
        raise error


@pytest.fixture
def database_disk(trouble: str, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Every statement."""
    disk = Disk()
    failing = type("Failing", (FailingConnection,), {"disk": disk, "code": CODES[trouble]})
    connect = sqlite3.connect
    monkeypatch.setattr(
        metadata_sqlite.sqlite3, "connect", lambda *args, **kwargs: connect(*args, **({"factory": failing} | kwargs))
    )
    return disk


# -------------------------------------------------------------------------------------- the operations


async def upload(world: World) -> httpx.Response:
    data = png(note=str(next(_numbers)))
    reply = await world.client.post(
        "/v3/files", files={"file": ("a.png", data)}, headers={"Idempotency-Key": str(next(_numbers))}
    )
    return await read_back(world, reply, [reply.json().get("id")])


async def same_bytes(world: World) -> httpx.Response:
    reply = await world.client.post("/v3/files", files={"file": ("a.png", png())})
    return await read_back(world, reply, [reply.json().get("id")])


async def delete(world: World) -> httpx.Response:
    listed = await world.client.get("/v3/files")
    if listed.status_code != 200:
        return listed
    file_id = listed.json()["data"][-1]["id"]
    reply = await world.client.delete(f"/v3/files/{file_id}")
    again = await world.client.get(f"/v3/files/{file_id}")
    assert again.status_code in ((404, 507) if reply.status_code == 204 else (200, 507)), again.text
    return reply


async def image(world: World) -> httpx.Response:
    body = {
        "model": "openai/gpt-image-1",
        "prompt": str(next(_numbers)),
        "size": "1024x1024",
        "n": 2,
        "image": data_uri(png()),
    }
    reply = await world.client.post("/v3/images", json=body)
    if reply.status_code == 200:
        items, warned = reply.json()["data"], reply.json().get("warnings", [])
        assert all(item["b64_json"] for item in items)
        unstored = [index for index, item in enumerate(items) if "file_id" not in item]
        assert unstored == [warning["details"]["index"] for warning in warned]
        return await read_back(world, reply, [item.get("file_id") for item in items])
    return reply


async def speech(world: World) -> httpx.Response:
    body = {"model": "openai/tts-1", "input": str(next(_numbers)), "format": "wav"}
    reply = await world.client.post("/v3/audio/speech", json=body)
    return await read_back(world, reply, [reply.json().get("audio", {}).get("file_id")])


async def video(world: World) -> httpx.Response:
    source = data_uri(png(1280, 720, note=str(next(_numbers))))
    body = {"model": "openai/sora-2", "prompt": "a kite", "parameters": {"size": "1280x720"}, "image": source}
    reply = await world.client.post("/v3/videos", json=body)
    await asyncio.sleep(0.02)  # the fault may come while the job runs
    return reply


async def cancel(world: World) -> httpx.Response:
    world.provider.gate = asyncio.Event()
    world.provider.begun.clear()
    try:
        accepted = await world.client.post("/v3/videos", json={"model": "openai/sora-2", "prompt": "a kite"})
        if accepted.status_code != 202:
            return accepted
        with suppress(TimeoutError):
            await asyncio.wait_for(world.provider.begun.wait(), 0.1)
        return await world.client.post(f"/v3/artifacts/{accepted.json()['id']}/cancel")
    finally:
        world.provider.gate.set()
        world.provider.gate = None


async def sweep(world: World) -> httpx.Response:
    """What the sweeper does, between an upload that ends and the orphans' turn."""
    reply = await world.client.post(
        "/v3/files", files={"file": ("a.png", png(note=str(next(_numbers))))}, data={"ttl_seconds": "1"}
    )
    world.clock.advance(2)
    for work in (world.services.sweep, world.services.files.sweep_orphans):
        with suppress(StorageFailed):
            await work()
    return reply


async def read_back(world: World, reply: httpx.Response, ids: list[str | None]) -> httpx.Response:
    for file_id in filter(None, ids):
        link = await world.client.get(f"/v3/files/{file_id}/content")
        if link.status_code == 200:
            shown = await world.client.get(link.json()["url"])
            assert shown.status_code in (200, 507), shown.text
    return reply


OPERATIONS: dict[str, Callable[[World], Awaitable[httpx.Response]]] = {
    operation.__name__: operation for operation in (upload, same_bytes, delete, image, speech, video, cancel, sweep)
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("lasting", [False, True] if LONG else [False])
async def test_the_folder_fails_at_each_call(
    tmp_path: Path, operation: str, lasting: bool, folder_disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = await fail_everywhere(tmp_path, OPERATIONS[operation], folder_disk, lasting, monkeypatch)
    assert calls >= {"delete": 1, "cancel": 1}.get(operation, 6)


@pytest.mark.parametrize("operation", OPERATIONS if LONG else ("upload", "delete", "speech", "video", "sweep"))
@pytest.mark.parametrize(
    ("trouble", "lasting"),
    [(trouble, lasting) for trouble in CODES for lasting in (False, True)] if LONG else [("full", False)],
)
async def test_the_database_fails_at_each_statement(
    tmp_path: Path, operation: str, lasting: bool, database_disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = await fail_everywhere(tmp_path, OPERATIONS[operation], database_disk, lasting, monkeypatch)
    assert calls >= 12


async def fail_everywhere(
    folder: Path,
    operation: Callable[[World], Awaitable[httpx.Response]],
    disk: Disk,
    lasting: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> int:
    """Run it with a fault at its first call, its second, … until none is met; how many there were."""
    monkeypatch.setattr(jobs, "_RESCAN", 0.02)
    rules = {"orphan_grace": -1e10, "job_lease": 10.0}  # all that nothing names is old enough to go
    async with world_of(folder, policy=rules) as world:
        for at in range(1, 400):
            for _ in range(2):
                await world.upload(png(note=str(next(_numbers))))
            before = await stored(world)
            disk.arm(at, lasting)
            reply = await operation(world)
            hit = disk.hit
            disk.disarm()
            assert reply.status_code in (200, 202, 204, 507), (hit, reply.text)
            if reply.status_code == 507:
                assert reply.json()["error"]["code"] == "storage_error"
                assert "injected" in reply.text or "disk" in reply.text or "data folder" in reply.text
                assert hit is not None
                if operation in (same_bytes, image, speech):  # without a key, a refusal means that nothing was kept
                    assert await stored(world) == before, hit
            await all_ended(world)
            assert faults(folder) == [], hit
            again = await operation(world)
            assert again.status_code in (200, 202, 204), (hit, again.text)
            assert "warnings" not in (again.json() if again.content else {})
            await all_ended(world)
            await emptied(world)
            assert (faults(folder), orphans(folder)) == ([], []), hit
            if hit is None:
                return at - 1
    raise AssertionError("more calls than expected")


async def stored(world: World) -> int:
    """How many files are listed."""
    total: int = (await world.client.get("/v3/files")).json()["meta"]["total"]
    return total


async def emptied(world: World) -> None:
    """Delete all files; the folders of blobs go too, so that the next ones are made anew."""
    for file in (await world.client.get("/v3/files?limit=100")).json()["data"]:
        assert (await world.client.delete(f"/v3/files/{file['id']}")).status_code == 204
    for _ in range(100):  # the workspace of a job that was cancelled goes in the background
        await world.services.files.sweep_orphans()
        if not orphans(world.folder):
            break
        await asyncio.sleep(0.01)
    for path in sorted((world.folder / "blobs").rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


async def all_ended(world: World) -> None:
    for _ in range(300):
        listed = (await world.client.get("/v3/artifacts?status=processing")).json()["data"]
        if not listed and not world.services.jobs.running:
            return
        world.clock.advance(5)  # the lease of a job whose end could not be written runs out
        await asyncio.sleep(0.01)
    raise AssertionError(f"jobs do not end: {listed}")


async def test_a_full_database_is_told_and_works_again(tmp_path: Path) -> None:
    """SQLite's own SQLITE_FULL, by a limit on its pages."""
    async with world_of(tmp_path) as world:
        await world.upload()
        await limit_pages(world, 1)
        for _ in range(2):
            reply = await world.client.post("/v3/files", files={"file": ("x" * 250, png())})
            while reply.status_code == 200:
                reply = await world.client.post("/v3/files", files={"file": ("x" * 250, png())})
            assert reply.status_code == 507
            assert "The disk is full" in reply.json()["error"]["message"]
        assert (await world.client.get("/v3/files")).status_code == 200
        assert faults(tmp_path) == []
        await limit_pages(world, 1 << 30)
        await world.upload()
        assert faults(tmp_path) == []


async def limit_pages(world: World, pages: int) -> None:
    store = world.services.store
    assert isinstance(store, metadata_sqlite.SqliteMetadata)
    await store._writer.run(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchall())
