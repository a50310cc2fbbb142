"""Many kept connections: 500 that only wait and 50 that are busy, without an error and in little memory."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.load import Call, drained, load
from tests.benchmarks.memory import Watch
from tests.benchmarks.peers.installation import Installation
from tests.benchmarks.rows import Aim, Row
from tests.e2e.media import sine_wave
from tests.e2e.server import Server, serving

GROUP = "connections"
IDLE, BUSY = 500, 50
_ROUNDS, _SECONDS = 3, 3
_REQUEST = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def rows(folder: Path, peers: Installation) -> Iterator[Row]:
    name = f"{IDLE} idle connections and {BUSY} busy"
    failed, rates, grown = [], [], []
    for turn in range(_ROUNDS):
        (own := folder / str(turn)).mkdir()
        with serving(own) as server:
            wrong, rate, mib = _served(server, IDLE, BUSY)
        failed.append(float(wrong))
        rates.append(rate)
        grown.append(mib)
    yield Row(GROUP, f"{name}: errors", "", tuple(failed), Aim("<=", 0))
    note = f"{sum(rates) / len(rates):,.0f} replies per second meanwhile"
    yield Row(GROUP, f"{name}: memory added", "MiB", tuple(grown), Aim("<=", 50), note)


def _served(server: Server, idle: int, busy: int) -> tuple[int, float, float]:
    """Errors, busy replies per second, and MiB that all of it adds to a server that has answered before."""
    bearer = {"Authorization": f"Bearer {server.key}"}
    file_id = server.upload(sine_wave(), "small.wav").json()["id"]
    call = Call(f"{server.url}/v3/files/{file_id}", headers=bearer)
    load(call, 1, 1)
    with contextlib.ExitStack() as stack, Watch(server.pid) as watch:
        kept = [_asked(stack, server) for _ in range(idle)]
        outcome = load(call, _SECONDS, busy)  # raises for errors of its own
        wrong = sum(not _answers(connection) for connection in kept if connection) + kept.count(None)
    return wrong, outcome.rate, watch.grown


def _asked(stack: contextlib.ExitStack, server: Server) -> socket.socket | None:
    """A connection that was used once and is kept; None when it fails."""
    with contextlib.suppress(OSError):
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))
        return connection if _answers(connection) else None
    return None


def _answers(connection: socket.socket) -> bool:
    with contextlib.suppress(OSError, AssertionError):
        return drained(connection, _REQUEST) > 0
    return False
