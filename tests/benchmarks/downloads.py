"""Downloads by signed link beside nginx: a large file, a small one, a part of the large one."""

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from tests.benchmarks.load import WRK, Call, drained, load
from tests.benchmarks.peers import nginx
from tests.benchmarks.peers.installation import Installation
from tests.benchmarks.peers.process import Peer
from tests.benchmarks.rows import Aim, Row
from tests.benchmarks.turns import in_turns
from tests.e2e.media import large_wave
from tests.e2e.processes import processor_seconds
from tests.e2e.server import Server, serving

GROUP = "downloads"
MB = 1_000_000
LARGE, SMALL = 64 * MB, 30_000
_PART = {"Range": f"bytes={20 * MB}-{21 * MB - 1}"}
_ROUNDS, _SECONDS, _CONNECTIONS, _READS = 7, 1, 32, 8


@dataclass(frozen=True)
class _Work:
    """One kind of download; with `connections` by the load program, else on one connection."""

    name: str
    file: str
    aim: Aim
    connections: int = 0
    part: bool = False


_WORKS = (
    _Work("download 64 MB", "large.wav", Aim(">=", 1.0)),
    _Work(f"download 30 kB, {_CONNECTIONS} connections", "small.wav", Aim(">=", 1.0), _CONNECTIONS),
    _Work("download a Range of 1 MB, 8 connections", "large.wav", Aim(">=", 0.5), 8, part=True),
)


def rows(folder: Path, peers: Installation) -> Iterator[Row]:
    root = folder / "root"
    root.mkdir()
    with serving(folder) as server, nginx.serving(folder, root) as peer:
        links = {}
        for name, size in (("large.wav", LARGE), ("small.wav", SMALL)):
            (root / name).write_bytes(b"".join(large_wave(size)))
            file_id = server.upload((root / name).read_bytes(), name).json()["id"]
            links[name] = server.get(f"/v3/files/{file_id}/content").json()["url"]
        for work in _WORKS:
            yield _row(work, server, links[work.file], peer)


def _row(work: _Work, server: Server, link: str, peer: Peer | None) -> Row:
    before, began = processor_seconds(server.pid), time.perf_counter()
    theirs = partial(_speed, work, f"{peer.url}/{work.file}") if peer else None
    ours, by_nginx = in_turns(_ROUNDS, partial(_speed, work, link), theirs)
    used = (processor_seconds(server.pid) - before) / (time.perf_counter() - began) * (2 if theirs else 1)
    note = f"{used:.0%} of a core"
    return Row(GROUP, work.name, "MB/s", ours, work.aim, note, "nginx, one process, sendfile", by_nginx)


def _speed(work: _Work, url: str) -> float:
    """MB/s of whole replies."""
    if not work.connections:
        return _one_connection(url)
    if work.part:
        return load(Call(url, headers=_PART, expected=206), _SECONDS, work.connections).rate
    return load(Call(url), _SECONDS, work.connections).rate * SMALL / MB


def _one_connection(url: str) -> float:
    """MB/s on one kept connection, read and thrown away; the first reply only warms up."""
    where = urlsplit(url)
    request = f"GET {where.path}?{where.query} HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode()
    assert where.hostname is not None
    with socket.create_connection((where.hostname, where.port or 80)) as connection:
        drained(connection, request)
        began = time.perf_counter()
        total = sum(drained(connection, request) for _ in range(_READS))
        return total / MB / (time.perf_counter() - began)


def client() -> str:
    return "raw sockets; small files and parts by " + ("wrk" if WRK else "the own client")
