"""How far the server's memory grows while a file of 2 GB comes in and goes out."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import urlsplit

from tests.benchmarks.load import drained
from tests.benchmarks.peers.installation import Installation
from tests.benchmarks.rows import Aim, Row
from tests.e2e import multipart
from tests.e2e.media import large_wave, sine_wave
from tests.e2e.processes import resident
from tests.e2e.server import Server, serving

GROUP = "memory"
MIB = 1 << 20
SIZE = 2_000_000_000
_EVERY = 0.01
T = TypeVar("T")


def rows(folder: Path, peers: Installation) -> Iterator[Row]:
    with serving(folder, "--max-file-size", "3GiB") as server:
        small = server.upload(sine_wave(), "small.wav").json()["id"]  # what is loaded once is loaded
        server.download(_link(server, small))
        grown, file_id = _watched(server, lambda: _upload(server, SIZE))
        yield Row(GROUP, "memory added by an upload of 2 GB", "MiB", (grown,), Aim("<=", 32))
        link = _link(server, file_id)
        grown, _ = _watched(server, lambda: _download(link))
        yield Row(GROUP, "memory added by a download of 2 GB", "MiB", (grown,), Aim("<=", 32))


class Watch(threading.Thread):
    """The most memory that a process holds while in the context."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._pid, self._ended = pid, threading.Event()
        self.first = self.most = resident(pid)

    def run(self) -> None:
        while not self._ended.wait(_EVERY):
            self.most = max(self.most, resident(self._pid))

    @property
    def grown(self) -> float:
        """MiB above what was held at first."""
        return (self.most - self.first) / MIB

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self.join()


def _watched(server: Server, work: Callable[[], T]) -> tuple[float, T]:
    with Watch(server.pid) as watch:
        done = work()
    return watch.grown, done


def _link(server: Server, file_id: str) -> str:
    return str(server.get(f"/v3/files/{file_id}/content").json()["url"])


def _upload(server: Server, size: int) -> str:
    """Send a WAV file that is made on the way; its id."""
    head, tail = multipart.part("large.wav")
    with socket.create_connection(("127.0.0.1", server.port), timeout=300) as connection:
        connection.sendall(multipart.request(server.port, server.key, len(head) + size + len(tail)) + head)
        for piece in large_wave(size):
            connection.sendall(piece)
        connection.sendall(tail)
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
    assert reply.startswith(b"HTTP/1.1 200"), reply[:500]
    return str(json.loads(reply.partition(b"\r\n\r\n")[2])["id"])


def _download(link: str) -> int:
    where = urlsplit(link)
    request = f"GET {where.path}?{where.query} HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode()
    with socket.create_connection((where.hostname or "", where.port or 80), timeout=300) as connection:
        return drained(connection, request)
