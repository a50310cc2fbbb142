"""The same requests beside a thousand files and jobs and beside a million files and a hundred thousand jobs, and a
sweep of many expired files under requests.
"""

import asyncio
import contextlib
import itertools
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from opperlite.adapters.data_folder import DATABASE
from opperlite.adapters.metadata_sqlite import FILE, JOB
from opperlite.api.app import create_app
from opperlite.config import Settings, load
from opperlite.domain.services import Services
from opperlite.wiring import open_services
from tests.benchmarks.application import JSON, Request, answered
from tests.benchmarks.peers.installation import Installation
from tests.benchmarks.rates import VIDEO
from tests.benchmarks.rows import Aim, Row
from tests.e2e import multipart
from tests.e2e.media import sine_wave

GROUP = "scale"
_FEW, _MANY_FILES, _MANY_JOBS, _EXPIRED = 1_000, 1_000_000, 100_000, 100_000
_ROUNDS, _REQUESTS = 15, 40
_PAUSE = 0.002


def rows(folder: Path, peers: Installation) -> Iterator[Row]:
    yield from asyncio.run(_measured(folder))


async def _measured(folder: Path) -> list[Row]:
    async with _opened(folder / "few") as few, _opened(folder / "many") as many:
        applications = [create_app(services, settings) for services, settings in (few, many)]
        sides = [
            await _filled(application, settings, files, jobs)
            for application, (_, settings), files, jobs in (
                (applications[0], few, _FEW, _FEW),
                (applications[1], many, _MANY_FILES, _MANY_JOBS),
            )
        ]
        found = []
        for name in sides[0]:
            times: list[list[float]] = [[], []]
            for _ in range(_ROUNDS):
                for side, application in enumerate(applications):
                    times[side].append(await _round(application, sides[side][name]))
            whole, beside = f"{name}, {_MANY_FILES:,} files and {_MANY_JOBS:,} jobs", f"{_FEW:,} of each"
            found.append(Row(GROUP, whole, "ms", tuple(times[1]), Aim("<=", 1.5), "", beside, tuple(times[0])))
        return [*found, *await _swept(*many, applications[1], next(sides[1]["metadata of a file"]))]


class _opened:
    """Services over a folder that takes any number of files; not started, so that jobs stay where they are put."""

    def __init__(self, folder: Path) -> None:
        flags = {"data": str(folder), "quota_files": str(10 * _MANY_FILES), "upload_ttl": "3650d", "job_ttl": "3650d"}
        self._settings = load(flags | {"max_queued_jobs": str(10 * _MANY_JOBS)}, {})
        self._services = open_services(self._settings)

    async def __aenter__(self) -> tuple[Services, Settings]:
        return await self._services.__aenter__(), self._settings

    async def __aexit__(self, *error: Any) -> None:
        await self._services.__aexit__(*error)


async def _filled(application: Any, settings: Settings, files: int, jobs: int) -> dict[str, Iterator[Request]]:
    """Fill a data folder by copying the rows of one upload and one job; the requests to measure there, without end."""
    submit = Request("", "POST", "/v3/videos", headers=JSON, body=json.dumps(VIDEO).encode(), together=True)
    for request in (_upload(), submit):
        await answered(application, request)
    with contextlib.closing(sqlite3.connect(settings.data / DATABASE)) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")  # filling is not measured
        connection.execute("PRAGMA cache_size = -500000")
        _copy_files(connection, files - 1)
        _copy_jobs(connection, jobs - 1)
        file_ids, job_ids = _sampled(connection, "files", files), _sampled(connection, "jobs", jobs)
    return {
        "metadata of a file": itertools.cycle(Request("", "GET", f"/v3/files/{one}") for one in file_ids),
        "list of 100 files": itertools.repeat(Request("", "GET", "/v3/files", "limit=100")),
        "status of a job that has ended": itertools.cycle(
            Request("", "GET", f"/v3/artifacts/{one}/status") for one in job_ids
        ),
        "submit of a video job, 40 at once": itertools.repeat(submit),
    }


def _sampled(connection: sqlite3.Connection, table: str, rows: int) -> list[str]:
    """Ids from all over a table, as many as are asked for, so that none is in memory already."""
    count = _ROUNDS * (_REQUESTS + 1)
    places = [2 + place * (rows - 2) // count for place in range(count)]  # the first row was no copy
    return [connection.execute(f"SELECT id FROM {table} WHERE seq = ?", (place,)).fetchone()[0] for place in places]


def _upload() -> Request:
    before, after = multipart.part("tone.wav")
    kind = (("content-type", f"multipart/form-data; boundary={multipart.BOUNDARY}"),)
    return Request("", "POST", "/v3/files", "", kind, before + sine_wave(0.05) + after)


_NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?) "


def _copy_files(connection: sqlite3.Connection, count: int, expires_at: float | None = None) -> None:
    """So many rows like the first one, each of bytes of its own, and the counters that go with them."""
    changed = {"id": "'file_' || lower(hex(randomblob(16)))", "sha256": "lower(hex(randomblob(32)))"}
    changed |= {"expires_at": str(expires_at)} if expires_at is not None else {}
    _copy(connection, "files", f"{FILE}, organisation_id", changed, count)
    for table, counter in (("organisations", "used_files"), ("projects", "files"), ("purposes", "files")):
        connection.execute(f"UPDATE {table} SET {counter} = {counter} + ?", (count,))
    connection.execute(
        "UPDATE organisations SET used_bytes = used_bytes + ? * (SELECT bytes FROM files LIMIT 1)", (count,)
    )


def _copy_jobs(connection: sqlite3.Connection, count: int) -> None:
    """So many jobs like the first one that have failed."""
    changed = {"id": "'gen_' || lower(hex(randomblob(16)))", "state": "'failed'", "finished_at": "created_at"}
    _copy(connection, "jobs", JOB, changed, count)


def _copy(connection: sqlite3.Connection, table: str, columns: str, changed: dict[str, str], count: int) -> None:
    values = ", ".join(changed.get(column, column) for column in columns.split(", "))
    first = f"(SELECT * FROM {table} ORDER BY seq LIMIT 1)"
    connection.execute(f"{_NUMBERS} INSERT INTO {table} ({columns}) SELECT {values} FROM {first}, numbers", (count,))


async def _round(application: Any, requests: Iterator[Request]) -> float:
    """Milliseconds of each request; the first one only warms up."""
    first, *rest = itertools.islice(requests, 1 + _REQUESTS)
    await answered(application, first)
    began = time.perf_counter()
    if first.together:
        await asyncio.gather(*(answered(application, request) for request in rest))
    else:
        for request in rest:
            await answered(application, request)
    return 1e3 * (time.perf_counter() - began) / _REQUESTS


async def _swept(services: Services, settings: Settings, application: Any, metadata: Request) -> list[Row]:
    """How long requests take while expired files go."""
    with contextlib.closing(sqlite3.connect(settings.data / DATABASE)) as connection, connection:
        _copy_files(connection, _EXPIRED, expires_at=0.0)
    sweep = asyncio.create_task(services.files.sweep())
    began, slowest = time.perf_counter(), 0.0
    while not sweep.done():
        asked = time.perf_counter()
        await asyncio.sleep(_PAUSE)  # how late the loop comes back from it counts as waiting
        await answered(application, metadata)
        slowest = max(slowest, time.perf_counter() - asked - _PAUSE)
    ended = await sweep
    took = time.perf_counter() - began
    note = f"{ended:,} files in {took:.1f} s"
    return [Row(GROUP, "slowest request during a sweep", "ms", (1000 * slowest,), Aim("<=", 50.0), note)]
