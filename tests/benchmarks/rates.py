"""Requests per second: status polls, metadata, lists, durable submits, health."""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tests.benchmarks.load import WRK, Call, load
from tests.benchmarks.rows import Aim, Row
from tests.e2e.media import sine_wave
from tests.e2e.processes import children, paused, processor_seconds, wait_until
from tests.e2e.server import Server, serving

GROUP = "requests"
VIDEO = {
    "model": "openai/sora-2",
    "prompt": "a hot air balloon drifting over green hills at dawn",
    "parameters": {"seconds": "4", "size": "1280x720"},
}
_ROUNDS, _SECONDS = 3, 3
_AIMS = {"status poll of a running job": Aim(">=", 10_000), "submit of a video job": Aim(">=", 2_000)}


def rows(folder: Path) -> Iterator[Row]:
    """Each call in turns, three times; the notes tell what one core of the server would do."""
    with serving(folder, "--jobs", "1", "--max-queued-jobs", "10000000") as server:
        calls = dict(_calls(server))
        workers = children(server.pid)
        with paused(workers):  # the job stays a running one and costs nothing
            samples: dict[str, list[tuple[float, float, float]]] = {name: [] for name in calls}
            for _ in range(_ROUNDS):
                for name, call in calls.items():
                    samples[name].append(_measured(server, call))
        for name, measured in samples.items():
            cost, p99 = (sorted(sample[place] for sample in measured)[_ROUNDS // 2] for place in (1, 2))
            note = (
                f"{cost * 1e6:.0f} us of the server's processor each ({1 / cost:,.0f}/s by one core), p99 {p99:.1f} ms"
            )
            yield Row(GROUP, name, "/s", tuple(sample[0] for sample in measured), _AIMS.get(name), note)
    with tempfile.TemporaryFile(dir=folder) as file:
        yield Row(GROUP, "fsync of 4 kB appended, alone", "/s", tuple(_syncs(file) for _ in range(_ROUNDS)))


def _measured(server: Server, call: Call) -> tuple[float, float, float]:
    """Requests per second, processor seconds of the server per request, 99th percentile in milliseconds."""
    before = processor_seconds(server.pid)
    outcome = load(call, _SECONDS)
    return outcome.rate, (processor_seconds(server.pid) - before) / outcome.requests, outcome.p99


def _calls(server: Server) -> Iterator[tuple[str, Call]]:
    bearer = {"Authorization": f"Bearer {server.key}"}
    files = [server.upload(sine_wave(0.05, 200 + step), f"{step}.wav").json()["id"] for step in range(120)]
    status_url = server.post("/v3/videos", VIDEO).json()["status_url"]
    assert wait_until(lambda: server.get(status_url).json()["progress"] > 0, every=0.005), "the job does not start"
    submit = Call(
        f"{server.url}/v3/videos",
        method="POST",
        headers=bearer | {"Content-Type": "application/json"},
        body=json.dumps(VIDEO),
        expected=202,
    )
    yield "status poll of a running job", Call(status_url, headers=bearer)
    yield "metadata of a file", Call(f"{server.url}/v3/files/{files[7]}", headers=bearer)
    yield "link to a file's content", Call(f"{server.url}/v3/files/{files[7]}/content", headers=bearer)
    yield "list of 100 files", Call(f"{server.url}/v3/files?limit=100", headers=bearer)
    yield "submit of a video job", submit
    yield "health", Call(f"{server.url}/health")


def _syncs(file: BinaryIO) -> float:
    """What the disk alone allows one writer: appends made durable, per second."""
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < 0.5:
        file.write(bytes(4096))
        file.flush()
        os.fsync(file.fileno())
        count += 1
    return count / (time.perf_counter() - began)


def client() -> str:
    """Where the load comes from."""
    return "wrk, one thread, 32 connections" if WRK else "own asyncio client, 32 connections (it limits the figures)"
