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
from pathlib import Path

from tests.benchmarks.load import drained
from tests.benchmarks.rates import VIDEO
from tests.benchmarks.rows import Aim, Row
from tests.e2e.server import Server, serving

GROUP = "latency"
_SECONDS, _PAUSE = 8.0, 0.004
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


def rows(folder: Path) -> Iterator[Row]:
    with serving(folder) as server, _echo() as echo_port:
        ports = (server.port, echo_port)
        idle, idle_echo = latencies(ports, _SECONDS / 2)
        yield _row("health p99, idle", idle)
        yield _row("  bare asyncio reply p99, idle", idle_echo)
        with generating(server) as made:
            busy, busy_echo = latencies(ports, _SECONDS)
        note = f"{made[0]} images and {made[1]} videos were made meanwhile"
        yield _row("health p99, two videos and two images running", busy, Aim("<=", 25), note)
        yield _row("  bare asyncio reply p99, the same", busy_echo)


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
    """Keep two videos and two images in the making; the numbers made of each, filled as they come."""
    made, ended = [0, 0], threading.Event()
    threads = [
        threading.Thread(target=_repeat, args=(work, server, made, place, ended))
        for work, place in ((_image, 0), (_image, 0), (_video, 1), (_video, 1))
    ]
    for thread in threads:
        thread.start()
    time.sleep(1.5)  # until the workers have started and all four are at it
    try:
        yield made
    finally:
        ended.set()
        for thread in threads:
            thread.join()


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


def _row(name: str, samples: Sequence[float], aim: Aim | None = None, note: str = "") -> Row:
    rest = f"median {statistics.median(samples):.2f} ms, worst {max(samples):.1f} ms of {len(samples)}"
    return Row(GROUP, name, "ms", (percentile(samples, 99),), aim, "; ".join(filter(None, (rest, note))))


@contextlib.contextmanager
def _echo() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", _ECHO], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()
