"""A peer as a process of its own: started, waited for, ended."""

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.processes import wait_until


@dataclass(frozen=True)
class Peer:
    """A server that answers at `url` (no slash at its end)."""

    name: str
    url: str
    pid: int
    headers: Mapping[str, str] = field(default_factory=dict)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextlib.contextmanager
def running(
    name: str,
    words: Sequence[str],
    port: int,
    log: Path,
    environment: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    patience: float = 120.0,
) -> Iterator[Peer]:
    """A process that listens on `port` of loopback; AssertionError with its log when it does not come up."""
    with log.open("wb") as file:
        process = subprocess.Popen(words, stdout=file, stderr=file, env={**os.environ, **(environment or {})})
    try:
        wait_until(lambda: process.poll() is not None or _listens(port), patience, every=0.02)
        if process.poll() is not None or not _listens(port):
            raise AssertionError(f"{name} does not start:\n{log.read_text('utf-8', 'replace')[-2000:]}")
        yield Peer(name, f"http://127.0.0.1:{port}", process.pid, headers or {})
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False
