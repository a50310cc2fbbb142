"""The same requests beside a thousand files and beside a million, and a sweep of many expired files under requests."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from opperlite.api.app import create_app
from opperlite.config import load
from opperlite.domain.ids import new_id
from opperlite.domain.services import Services
from opperlite.domain.types import File, Project
from opperlite.wiring import open_services
from tests.benchmarks.application import Request, answered
from tests.benchmarks.rows import Aim, Row, ratio

GROUP = "scale"
_FEW, _MANY, _EXPIRED = 1_000, 1_000_000, 100_000
_BATCH, _ROUNDS, _REQUESTS = 5_000, 15, 40
_YEAR = 365 * 86400.0


def rows(folder: Path) -> Iterator[Row]:
    yield from asyncio.run(_measured(folder))


async def _measured(folder: Path) -> list[Row]:
    async with _opened(folder / "few") as few, _opened(folder / "many") as many:
        applications = [create_app(services, settings) for services, settings in (few, many)]
        ids = [await _filled(few[0], _FEW), await _filled(many[0], _MANY)]
        found = []
        for name, requests in _requests(ids).items():
            times: list[list[float]] = [[], []]
            for _ in range(_ROUNDS):
                for side in (0, 1):
                    times[side].append(await _round(applications[side], requests[side]))
            note = f"{_MANY:,} files beside {_FEW:,}"
            found.append(ratio(GROUP, f"{name}, many / few", times[1], times[0], Aim("<=", 1.5), note))
        return [*found, *await _swept(many[0], applications[1], ids[1])]


def _requests(ids: Sequence[str]) -> dict[str, list[Request]]:
    return {
        "metadata of a file": [Request("", "GET", f"/v3/files/{one}") for one in ids],
        "list of 100 files": [Request("", "GET", "/v3/files", "limit=100") for _ in ids],
    }


class _opened:
    """Services over a folder that takes any number of files; not started."""

    def __init__(self, folder: Path) -> None:
        flags = {"data": str(folder), "quota_files": str(10 * _MANY), "upload_ttl": "3650d"}
        self._settings = load(flags, {})
        self._services = open_services(self._settings)

    async def __aenter__(self) -> tuple[Services, Any]:
        return await self._services.__aenter__(), self._settings

    async def __aexit__(self, *error: Any) -> None:
        await self._services.__aexit__(*error)


async def _filled(services: Services, count: int, life: float = _YEAR) -> str:
    """Rows of files without bytes; the id of one in the middle."""
    project, now = await services.projects.authenticate("demo"), services.clock.now()
    middle = ""
    for begun in range(0, count, _BATCH):
        files = [_file(project, now, life) for _ in range(min(_BATCH, count - begun))]
        await services.store.add_files(files, now)
        middle = files[0].id if begun <= count // 2 else middle
    return middle


def _file(project: Project, now: float, life: float) -> File:
    name = new_id("file")
    return File(
        name,
        project.id,
        name.rjust(64, "0")[-64:],
        1,
        "image/png",
        "a.png",
        "reference_media",
        "upload",
        now,
        now + life,
    )


async def _round(application: Any, request: Request) -> float:
    began = time.perf_counter()
    for _ in range(_REQUESTS):
        await answered(application, request)
    return (time.perf_counter() - began) / _REQUESTS


async def _swept(services: Services, application: Any, file_id: str) -> list[Row]:
    """How long requests take while expired files go."""
    await _filled(services, _EXPIRED, life=0.0)
    sweep = asyncio.create_task(services.files.sweep())
    began, slowest = time.perf_counter(), 0.0
    while not sweep.done():
        asked = time.perf_counter()
        await answered(application, Request("", "GET", f"/v3/files/{file_id}"))
        slowest = max(slowest, time.perf_counter() - asked)
    ended = await sweep
    took = time.perf_counter() - began
    note = f"{ended:,} files in {took:.1f} s"
    return [Row(GROUP, "slowest request during a sweep", "ms", (1000 * slowest,), Aim("<=", 50.0), note)]
