"""Durable uploads: one large file beside cp and sync, many small ones beside nginx's WebDAV and bare SQLite."""

import contextlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.benchmarks.load import burst
from tests.benchmarks.peers import nginx
from tests.benchmarks.peers.installation import Installation
from tests.benchmarks.peers.process import Peer
from tests.benchmarks.rows import Aim, Row
from tests.benchmarks.turns import in_turns
from tests.e2e import multipart
from tests.e2e.media import large_wave
from tests.e2e.processes import processor_seconds
from tests.e2e.server import Server, serving

GROUP = "uploads"
MB = 1_000_000
LARGE, LARGE_ROUNDS = 512 * MB, 5
SMALL, COUNT, SMALL_ROUNDS, _CONNECTIONS = 30_000, 2_000, 5, 16


def rows(folder: Path, peers: Installation) -> Iterator[Row]:
    limits = ("--max-file-size", "1GiB", "--quota-files", "10000000", "--quota-bytes", "1TiB")
    root = folder / "root"
    (root / "put").mkdir(parents=True)
    with serving(folder, *limits) as server, nginx.serving(folder, root) as peer:
        yield from _large(server, folder)
        yield from _small(server, folder, root / "put", peer)


def after_sync() -> None:
    """What earlier work left unwritten is not to be on the next one's bill."""
    if hasattr(os, "sync"):
        os.sync()


# ----------------------------------------------------------------------------------------------- one large


def _large(server: Server, folder: Path) -> Iterator[Row]:
    source = folder / "source.wav"
    with source.open("wb") as file:
        file.writelines(large_wave(LARGE))
    before = processor_seconds(server.pid)
    ours, copied = in_turns(LARGE_ROUNDS, lambda: _upload(server, source), lambda: _copy(source, folder / "copy.wav"))
    cost = (processor_seconds(server.pid) - before) / LARGE_ROUNDS
    note = f"{cost:.2f} s of the server's processor each"
    name = "upload 512 MB by multipart, hashed and fsynced"
    yield Row(GROUP, name, "MB/s", ours, Aim(">=", 0.8), note, "cp, then sync", copied)
    source.unlink()


def _upload(server: Server, source: Path) -> float:
    """MB/s from the first byte to the reply, sent by sendfile so that the client costs little."""
    after_sync()
    size = source.stat().st_size
    head, tail = multipart.part("source.wav")
    request = multipart.request(server.port, server.key, len(head) + size + len(tail))
    with socket.create_connection(("127.0.0.1", server.port)) as connection, source.open("rb") as file:
        began = time.perf_counter()
        connection.sendall(request + head)
        connection.sendfile(file)
        connection.sendall(tail)
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
        took = time.perf_counter() - began
    assert reply.startswith(b"HTTP/1.1 200"), reply[:500]
    file_id = json.loads(reply.partition(b"\r\n\r\n")[2])["id"]
    assert server.request("DELETE", f"/v3/files/{file_id}").status_code == 204
    return size / MB / took


def _copy(source: Path, target: Path) -> float:
    """MB/s of copying the file and making the copy durable."""
    after_sync()
    began = time.perf_counter()
    if shutil.which("cp"):
        subprocess.run(["cp", str(source), str(target)], check=True)
    else:
        shutil.copyfile(source, target)
    with target.open("rb+") as file:  # what `sync FILE` does
        os.fsync(file.fileno())
    took = time.perf_counter() - began
    target.unlink()
    return source.stat().st_size / MB / took


# -------------------------------------------------------------------------------------------------- many small


class Small:
    """Bodies of 30 kB, no two alike, not those of earlier rounds either, as requests."""

    def __init__(self, port: int = 0, key: str = "", size: int = SMALL) -> None:
        self._port, self._key, self._made = port, key, time.time_ns()
        self._start = b"".join(large_wave(size))[:-16]

    def body(self) -> bytes:
        self._made += 1
        return self._start + self._made.to_bytes(16, "big")

    def upload(self) -> bytes:
        """A multipart upload on a connection that is kept."""
        head, tail = multipart.part("small.wav")
        body = head + self.body() + tail
        request = multipart.request(self._port, self._key, len(body))
        return request.replace(b"Connection: close\r\n", b"") + body

    def put(self) -> bytes:
        body = self.body()
        lines = f"PUT /put/{self._made}.wav HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        return lines.encode() + body


def _small(server: Server, folder: Path, target: Path, peer: Peer | None) -> Iterator[Row]:
    before = processor_seconds(server.pid)
    ours, put, put_durably, commits = in_turns(
        SMALL_ROUNDS,
        lambda: _uploads(server),
        partial(_puts, peer, target, durably=False) if peer else None,
        partial(_puts, peer, target, durably=True) if peer else None,
        lambda: commit_rate(folder / "commits.sqlite"),
    )
    cost = (processor_seconds(server.pid) - before) / SMALL_ROUNDS / COUNT
    name = f"{COUNT:,} durable uploads of 30 kB, 16 connections"
    note = f"{1e6 * cost:.0f} us of the server's processor each"
    yield Row(GROUP, name, "/s", ours, Aim(">=", 0.5), note, "nginx's WebDAV PUT, not durable", put)
    yield Row(GROUP, name, "/s", ours, None, "", "nginx's WebDAV PUT, then sync", put_durably)
    yield Row(GROUP, name, "/s", ours, None, "", "SQLite's commits with fsync, one by one", commits)


def _uploads(server: Server) -> float:
    after_sync()
    requests = Small(server.port, server.key)
    sent = [requests.upload() for _ in range(COUNT)]
    return burst(server.port, sent, _CONNECTIONS, 200).rate


def _puts(peer: Peer, target: Path, durably: bool) -> float:
    after_sync()
    requests = Small()
    sent = [requests.put() for _ in range(COUNT)]
    began = time.perf_counter()
    burst(int(peer.url.rpartition(":")[2]), sent, _CONNECTIONS, 201)
    if durably:
        after_sync()
    took = time.perf_counter() - began
    for path in target.iterdir():
        path.unlink()
    return COUNT / took


def commit_rate(path: Path, seconds: float = 0.5) -> float:
    """Rows per second that SQLite alone writes, each in a durable transaction of its own (WAL, synchronous FULL)."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, body TEXT)")
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            connection.execute("INSERT INTO rows (body) VALUES (?)", ("x" * 300,))
            count += 1
        return count / (time.perf_counter() - began)
