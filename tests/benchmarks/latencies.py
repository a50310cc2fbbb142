"""How soon /health answers, idle and while four generations run."""

import contextlib
import http.client
import json
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.benchmarks.load import drained
from tests.benchmarks.peers.installation import Installation
from tests.benchmarks.rates import VIDEO
from tests.benchmarks.rows import Aim, Row
from tests.e2e.server import Server, serving

GROUP = "latency"
_ROUNDS, _SECONDS, _PAUSE = 5, 4.0, 0.004
_REQUEST = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_IMAGE = {"model": "openai/gpt-image-1", "prompt": "a lighthouse at dawn", "size": "1024x1024", "store": False}

# The least that a server of this kind can do: it tells what the machine adds when its cores are taken.
_ECHO = """
import asyncio
REPLY = b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"
class Echo(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data): self.transport.write(REPLY)
async def main():
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def rows(folder: Path, peers: Installation) -> Iterator[Row]:
    with serving(folder) as server, _echo() as echo_port:
        ports = (server.port, echo_port)
        idle, busy = _Samples(), _Samples()
        for _ in range(_ROUNDS):
            idle.take(latencies(ports, _SECONDS))
            with generating(server) as made:
                busy.take(latencies(ports, _SECONDS))
            busy.count(made)
    name = "/health p99 while two videos and two images are made"
    images, videos = busy.made
    rest = f"{images} images and {videos} videos were made meanwhile"
    yield Row(GROUP, "/health p99, idle", "ms", tuple(idle.p99s), None, idle.note)
    yield Row(GROUP, name, "ms", tuple(busy.p99s), Aim("<=", 25), f"{busy.note}; {rest}")
    yield Row(GROUP, name, "ms", tuple(busy.p99s), None, "", "idle", tuple(idle.p99s))
    beside = "a bare asyncio reply, meanwhile"
    yield Row(GROUP, name, "ms", tuple(busy.p99s), None, "", beside, tuple(busy.bare_p99s))


class _Samples:
    """Latencies of the server and of the bare reply, round by round."""

    def __init__(self) -> None:
        self.p99s: list[float] = []
        self.bare_p99s: list[float] = []
        self.made = (0, 0)
        self._all: list[float] = []

    def take(self, found: Sequence[Sequence[float]]) -> None:
        ours, bare = found
        self.p99s.append(percentile(ours, 99))
        self.bare_p99s.append(percentile(bare, 99))
        self._all += ours

    def count(self, made: Sequence[int]) -> None:
        self.made = (self.made[0] + made[0], self.made[1] + made[1])

    @property
    def note(self) -> str:
        return f"median {statistics.median(self._all):.2f} ms, worst {max(self._all):.1f} ms of {len(self._all)}"


def percentile(samples: Sequence[float], percent: int) -> float:
    return statistics.quantiles(samples, n=100, method="inclusive")[percent - 1]


def latencies(ports: Sequence[int], seconds: float) -> list[list[float]]:
    """Milliseconds of each reply on one kept connection to each port, asked in turns."""
    found: list[list[float]] = [[] for _ in ports]
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for port in ports]
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            for connection, samples in zip(connections, found, strict=True):
                began = time.perf_counter()
                drained(connection, _REQUEST)
                samples.append(1e3 * (time.perf_counter() - began))
            time.sleep(_PAUSE)
    return found


@contextlib.contextmanager
def generating(server: Server) -> Iterator[list[int]]:
    """Keep two videos and two images in the making; the numbers made of each, filled as they come.

    Raises what went wrong with one of them.
    """
    made, ended = [0, 0], threading.Event()
    with ThreadPoolExecutor(max_workers=4) as threads:
        works = ((_image, 0), (_image, 0), (_video, 1), (_video, 1))
        repeating = [threads.submit(_repeat, work, server, made, place, ended) for work, place in works]
        time.sleep(1.5)  # until the workers have started and all four are at it
        try:
            yield made
        finally:
            ended.set()
    for one in repeating:
        one.result()


def _repeat(
    work: Callable[[Server, threading.Event], None], server: Server, made: list[int], place: int, ended: threading.Event
) -> None:
    while not ended.is_set():
        work(server, ended)
        made[place] += 1


def _image(server: Server, ended: threading.Event) -> None:
    status, _ = _asked(server, "POST", "/v3/images", json.dumps(_IMAGE))
    assert status == 200


def _video(server: Server, ended: threading.Event) -> None:
    status, body = _asked(server, "POST", "/v3/videos", json.dumps(VIDEO))
    assert status == 202, body
    path = f"/v3/artifacts/{json.loads(body)['id']}"
    while json.loads(_asked(server, "GET", f"{path}/status")[1])["status"] == "processing":
        if ended.wait(0.25):
            _asked(server, "POST", f"{path}/cancel")


def _asked(server: Server, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    with contextlib.closing(connection):
        headers = {"Authorization": f"Bearer {server.key}", "Content-Type": "application/json"}
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        return reply.status, reply.read()


@contextlib.contextmanager
def _echo() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", _ECHO], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()
