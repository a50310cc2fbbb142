"""Requests per second: status polls and durable submits beside aimock, metadata and lists beside moto and LiteLLM."""

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import requests

from tests.benchmarks.load import WRK, Call, load
from tests.benchmarks.peers import aimock, litellm, moto
from tests.benchmarks.peers.installation import Installation
from tests.benchmarks.peers.process import Peer
from tests.benchmarks.rows import Aim, Row
from tests.benchmarks.turns import Measure, in_turns
from tests.e2e.media import sine_wave
from tests.e2e.processes import children, paused, processor_seconds, wait_until
from tests.e2e.server import Server, serving

GROUP = "requests"
VIDEO = {
    "model": "openai/sora-2",
    "prompt": "a hot air balloon drifting over green hills at dawn",
    "parameters": {"seconds": "4", "size": "1280x720"},
}
_ROUNDS, _SECONDS = 5, 2
_FILES, _LISTED = 120, 100
_CONNECTIONS, _FEWER = 32, 8  # the peers for files take their time; more connections would only wait
_JSON = {"Content-Type": "application/json"}


def rows(folder: Path, peers: Installation) -> Iterator[Row]:
    flags = ("--jobs", "1", "--max-queued-jobs", "10000000")
    with serving(made(folder / "jobs"), *flags) as server, aimock.serving(peers, folder) as peer:
        status_url = _running_job(server)
        with paused(children(server.pid)):  # the job stays a running one and costs nothing
            yield from _jobs(server, status_url, peer)
            yield from _alone(server)
    with serving(made(folder / "files"), *flags) as server:
        bodies = [sine_wave(0.05, 200 + step) for step in range(_FILES)]
        ids = [server.upload(body, "a.wav").json()["id"] for body in bodies]
        with moto.serving(peers, folder) as bucket, litellm.serving(peers, folder, _LISTED) as proxy:
            yield from _files(server, ids, moto.filled(bucket, bodies) if bucket else None, proxy)
    with tempfile.TemporaryFile(dir=folder) as file:
        yield Row(GROUP, "fsync of 4 kB appended, alone", "/s", tuple(syncs(file) for _ in range(_ROUNDS)))


def made(folder: Path) -> Path:
    """The folder, made."""
    folder.mkdir()
    return folder


class _Rate:
    """Requests per second of one call; with the costs of the server whose `pid` is given."""

    def __init__(self, call: Call, connections: int, pid: int | None = None) -> None:
        self._call, self._connections, self._pid = call, connections, pid
        self._costs: list[float] = []
        self._p99s: list[float] = []

    def __call__(self) -> float:
        before = processor_seconds(self._pid) if self._pid else 0.0
        outcome = load(self._call, _SECONDS, self._connections)
        if self._pid:
            self._costs.append((processor_seconds(self._pid) - before) / outcome.requests)
            self._p99s.append(outcome.p99)
        return outcome.rate

    @property
    def note(self) -> str:
        """The median cost and latency."""
        cost, p99 = (sorted(found)[len(found) // 2] for found in (self._costs, self._p99s))
        return f"{cost * 1e6:.0f} us of the server's processor each ({1 / cost:,.0f}/s by one core), p99 {p99:.1f} ms"


def _running_job(server: Server) -> str:
    status_url = str(server.post("/v3/videos", VIDEO).json()["status_url"])
    assert wait_until(lambda: server.get(status_url).json()["progress"] > 0, every=0.005), "the job does not start"
    return status_url


def _bearer(server: Server) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.key}"}


def _jobs(server: Server, status_url: str, peer: Peer | None) -> Iterator[Row]:
    headers = _bearer(server)
    body = json.dumps(VIDEO)
    submit = Call(f"{server.url}/v3/videos", "POST", headers | _JSON, body, expected=202)
    theirs: tuple[Call, Call] | None = None
    if peer:
        theirs = (
            Call(f"{peer.url}/v1/videos/{aimock.JOB}", headers=headers),
            Call(f"{peer.url}/v1/videos", "POST", headers | _JSON, body),
        )
        requests.post(theirs[1].url, body, headers=_JSON, timeout=30).raise_for_status()  # the job that is polled
    poll = _Rate(Call(status_url, headers=headers), _CONNECTIONS, server.pid)
    ours, beside = in_turns(_ROUNDS, poll, theirs and _Rate(theirs[0], _CONNECTIONS))
    name = "poll one job's status, 32 connections"
    yield Row(GROUP, name, "/s", ours, Aim(">=", 1.0), poll.note, "aimock's video status", beside)
    posts = _Rate(submit, _CONNECTIONS, server.pid)
    ours, beside = in_turns(_ROUNDS, posts, theirs and _Rate(theirs[1], _CONNECTIONS))
    name = "submit a durable video job, 32 connections"
    yield Row(GROUP, name, "/s", ours, Aim(">=", 0.25), posts.note, "aimock's POST in memory", beside)
    yield Row(GROUP, name, "/s", ours, Aim(">=", 2_000))


def _alone(server: Server) -> Iterator[Row]:
    """What has nothing beside it."""
    health = _Rate(Call(f"{server.url}/health"), _CONNECTIONS, server.pid)
    (ours,) = in_turns(_ROUNDS, health)
    yield Row(GROUP, "health, 32 connections", "/s", ours, note=health.note)


def _files(server: Server, ids: list[str], bucket: str | None, proxy: Peer | None) -> Iterator[Row]:
    """The same by moto (S3's names for it) and by LiteLLM (OpenAI's names)."""
    headers = _bearer(server)
    theirs = proxy.headers if proxy else {}
    works = {
        "metadata of a file": (
            Call(f"{server.url}/v3/files/{ids[7]}", headers=headers),
            Call(f"{bucket}/7.wav", "HEAD") if bucket else None,
            Call(f"{proxy.url}/v1/files/{litellm.FILE}", headers=theirs) if proxy else None,
        ),
        "list of 100 files": (
            Call(f"{server.url}/v3/files?limit={_LISTED}", headers=headers),
            Call(f"{bucket}?list-type=2&max-keys={_LISTED}") if bucket else None,
            Call(f"{proxy.url}/v1/files?limit={_LISTED}", headers=theirs) if proxy else None,
        ),
    }
    besides = {"metadata of a file": "moto's HeadObject", "list of 100 files": "moto's ListObjectsV2"}
    for name, (own, *others) in works.items():
        _warmed(others)
        rate = _Rate(own, _FEWER, server.pid)
        measures: list[Measure | None] = [_Rate(other, _FEWER) if other else None for other in others]
        ours, by_moto, by_litellm = in_turns(_ROUNDS, rate, *measures)
        yield Row(GROUP, name, "/s", ours, Aim(">=", 5), rate.note, besides[name], by_moto)
        yield Row(GROUP, name, "/s", ours, Aim(">=", 5), "", "LiteLLM proxy", by_litellm)


def _warmed(calls: list[Call | None]) -> None:
    """The first request loads what later ones use."""
    with contextlib.closing(requests.Session()) as session:
        for call in filter(None, calls):
            session.request(call.method, call.url, headers=dict(call.headers), timeout=60).raise_for_status()


def syncs(file: BinaryIO) -> float:
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
    return "wrk, one thread" if WRK else "own asyncio client (it limits the figures)"
