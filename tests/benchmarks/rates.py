"""Requests per second: status polls and durable submits beside aimock, metadata and lists beside moto and LiteLLM."""

import json
import os
import statistics
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
from tests.benchmarks.turns import in_turns
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
            yield from _files(server, ids[7], _bucket(bucket, bodies), _proxy(proxy))
    with tempfile.TemporaryFile(dir=folder) as file:
        yield Row(GROUP, "fsync of 4 kB appended, alone", "/s", tuple(syncs(file) for _ in range(_ROUNDS)))


def made(folder: Path) -> Path:
    """The folder, made."""
    folder.mkdir()
    return folder


class _Rate:
    """Requests per second of one call, and what they cost the server's process `pid`; of a slow one with patience."""

    def __init__(self, call: Call, connections: int, pid: int, patient: bool = False) -> None:
        self._call, self._connections, self._pid, self._patient = call, connections, pid, patient
        self._costs: list[float] = []
        self._p99s: list[float] = []

    def warm(self) -> None:
        """Once without a record: what is compiled on the way is compiled then."""
        load(self._call, 1, self._connections, self._patient)

    def __call__(self) -> float:
        before = processor_seconds(self._pid)
        outcome = load(self._call, _SECONDS, self._connections, self._patient)
        self._costs.append((processor_seconds(self._pid) - before) / outcome.requests)
        self._p99s.append(outcome.p99)
        return outcome.rate

    @property
    def note(self) -> str:
        """The median latency and cost."""
        return f"p99 {statistics.median(self._p99s):.1f} ms, {self.cost} of processor each"

    @property
    def cost(self) -> str:
        return f"{statistics.median(self._costs) * 1e6:.0f} us"


def _note(ours: _Rate, theirs: _Rate | None) -> str:
    return f"{ours.note}; theirs {theirs.cost}" if theirs else ours.note


def _running_job(server: Server) -> str:
    status_url = str(server.post("/v3/videos", VIDEO).json()["status_url"])
    assert wait_until(lambda: server.get(status_url).json()["progress"] > 0, every=0.005), "the job does not start"
    return status_url


def _bearer(server: Server) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.key}"}


def _jobs(server: Server, status_url: str, peer: Peer | None) -> Iterator[Row]:
    headers = _bearer(server)
    body = json.dumps(VIDEO)
    poll = Call(status_url, headers=headers)
    submit = Call(f"{server.url}/v3/videos", "POST", headers | _JSON, body, expected=202)
    ours = [_Rate(call, _CONNECTIONS, server.pid) for call in (poll, submit)]
    theirs: list[_Rate] | list[None] = [None, None]
    if peer:
        post = Call(f"{peer.url}/v1/videos", "POST", headers | _JSON, body)
        requests.post(post.url, body, headers=_JSON, timeout=30).raise_for_status()  # the job that is polled
        status = Call(f"{peer.url}/v1/videos/{aimock.JOB}", headers=headers)
        theirs = [_Rate(call, _CONNECTIONS, peer.pid) for call in (status, post)]
    for rate in filter(None, (*ours, *theirs)):
        rate.warm()
    polls, beside = in_turns(_ROUNDS, ours[0], theirs[0])
    name = "poll one job's status, 32 connections"
    yield Row(GROUP, name, "/s", polls, Aim(">=", 1.0), _note(ours[0], theirs[0]), "aimock's video status", beside)
    submits, beside = in_turns(_ROUNDS, ours[1], theirs[1])
    name = "submit a durable video job, 32 connections"
    note = _note(ours[1], theirs[1])
    yield Row(GROUP, name, "/s", submits, Aim(">=", 0.25), note, "aimock's POST in memory", beside)
    yield Row(GROUP, name, "/s", submits, Aim(">=", 2_000))


def _alone(server: Server) -> Iterator[Row]:
    """What has nothing beside it."""
    health = _Rate(Call(f"{server.url}/health"), _CONNECTIONS, server.pid)
    (ours,) = in_turns(_ROUNDS, health)
    yield Row(GROUP, "health, 32 connections", "/s", ours, note=health.note)


def _files(server: Server, file_id: str, bucket: list[_Rate | None], proxy: list[_Rate | None]) -> Iterator[Row]:
    """Metadata and a list, by S3's names for it and by OpenAI's."""
    headers = _bearer(server)
    works = (
        ("metadata of a file, 8 connections", f"/v3/files/{file_id}", "moto's HeadObject"),
        ("list of 100 files, 8 connections", f"/v3/files?limit={_LISTED}", "moto's ListObjectsV2"),
    )
    for (name, path, beside), by_moto, by_proxy in zip(works, bucket, proxy, strict=True):
        rate = _Rate(Call(f"{server.url}{path}", headers=headers), _FEWER, server.pid)
        ours, motos, proxys = in_turns(_ROUNDS, rate, by_moto, by_proxy)
        yield Row(GROUP, name, "/s", ours, Aim(">=", 5), _note(rate, by_moto), beside, motos)
        note = f"theirs {by_proxy.cost} of processor each" if by_proxy else ""
        yield Row(GROUP, name, "/s", ours, Aim(">=", 5), note, "LiteLLM proxy", proxys)


def _bucket(peer: Peer | None, bodies: list[bytes]) -> list[_Rate | None]:
    if peer is None:
        return [None, None]
    bucket = moto.filled(peer, bodies)
    return _warmed(peer, Call(f"{bucket}/7.wav", "HEAD"), Call(f"{bucket}?list-type=2&max-keys={_LISTED}"))


def _proxy(peer: Peer | None) -> list[_Rate | None]:
    if peer is None:
        return [None, None]
    files = f"{peer.url}/v1/files"
    calls = (f"{files}/{litellm.FILE}", f"{files}?limit={_LISTED}")
    return _warmed(peer, *(Call(url, headers=peer.headers) for url in calls))


def _warmed(peer: Peer, *calls: Call) -> list[_Rate | None]:
    """The first request loads what later ones use."""
    for call in calls:
        requests.request(call.method, call.url, headers=dict(call.headers), timeout=60).raise_for_status()
    return [_Rate(call, _FEWER, peer.pid, patient=True) for call in calls]


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
