"""Load on a server: wrk where it is installed, else a bounded client of our own."""

import asyncio
import contextlib
import json
import math
import selectors
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

WRK = shutil.which("wrk")
CONNECTIONS = 32


@dataclass(frozen=True)
class Call:
    """One request that is sent again and again."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    expected: int = 200


@dataclass(frozen=True)
class Outcome:
    """What came of a load: whole replies, seconds, latencies in milliseconds, replies with an unexpected status."""

    requests: int
    seconds: float
    p50: float
    p99: float
    wrong: int

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def load(call: Call, seconds: float, connections: int = CONNECTIONS, patient: bool = False) -> Outcome:
    """Send `call` on every connection as fast as it is answered. Raises AssertionError for unexpected replies.

    `patient` is for servers that may take longer than `seconds` for an answer: what was begun is waited for, by our own
    client, which is quick enough for such a server.
    """
    by_wrk = WRK is not None and not patient
    outcome = _wrk(call, seconds, connections) if by_wrk else asyncio.run(_ours(call, seconds, connections))
    assert outcome.requests, f"{call.url} was not answered"
    assert not outcome.wrong, f"{outcome.wrong} of {outcome.requests} replies of {call.url} were not {call.expected}"
    return outcome


# --------------------------------------------------------------------------------------------------- wrk

_SCRIPT = """
wrk.method = %(method)s
wrk.body = %(body)s
%(headers)s
local threads = {}
wrong = 0
function setup(thread) table.insert(threads, thread) end
function response(status) if status ~= %(expected)d then wrong = wrong + 1 end end
function done(summary, latency)
  local bad = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  local counted = 0
  for _, thread in ipairs(threads) do counted = counted + thread:get("wrong") end
  bad = bad + math.max(counted, summary.errors.status)
  io.write(string.format(
    '\\n{"requests": %%d, "seconds": %%f, "p50": %%f, "p99": %%f, "wrong": %%d}\\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, bad))
end
"""


def _wrk(call: Call, seconds: float, connections: int) -> Outcome:
    assert WRK is not None
    # JSON's strings are Lua's, as long as they are plain ASCII
    script = _SCRIPT % {
        "method": json.dumps(call.method),
        "body": json.dumps(call.body) if call.body else "nil",
        "headers": "\n".join(f"wrk.headers[{json.dumps(n)}] = {json.dumps(v)}" for n, v in call.headers.items()),
        "expected": call.expected,
    }
    if not call.body and call.expected == 200:  # wrk counts other statuses itself; a callback for each costs it much
        script = script.replace("function response(", "function unused(")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "load.lua"
        path.write_text(script)
        words = [WRK, "-t1", f"-c{connections}", f"-d{math.ceil(seconds)}s", "--timeout", "10s", "-s", str(path)]
        ran = subprocess.run([*words, call.url], capture_output=True, text=True, check=True)
    return Outcome(**json.loads(ran.stdout.strip().splitlines()[-1]))


# --------------------------------------------------------------------------------------------------- ours


async def _ours(call: Call, seconds: float, connections: int) -> Outcome:
    began = time.perf_counter()
    took: list[float] = []
    results = await asyncio.gather(*(_one(call, began + seconds, took) for _ in range(connections)))
    spent = time.perf_counter() - began
    took.sort()
    return Outcome(len(took), spent, 1e3 * took[len(took) // 2], 1e3 * took[int(len(took) * 0.99)], sum(results))


async def _one(call: Call, until: float, took: list[float]) -> int:
    """One connection until the time is over; the number of replies with an unexpected status."""
    where = urlsplit(call.url)
    request = _plain(call)
    wrong = 0
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while (began := time.perf_counter()) < until:
        reader, writer = connection = connection or await asyncio.open_connection(where.hostname, where.port)
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if length and call.method != "HEAD":
            await reader.readexactly(length)
        wrong += int(head[9:12]) != call.expected
        took.append(time.perf_counter() - began)
        if b"\r\nconnection: close" in head:
            await _closed(writer)
            connection = None
    if connection:
        await _closed(connection[1])
    return wrong


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def _plain(call: Call) -> bytes:
    where = urlsplit(call.url)
    target = where.path + (f"?{where.query}" if where.query else "")
    headers = {"Host": where.netloc, **call.headers}
    if call.body:
        headers["Content-Length"] = str(len(call.body.encode()))
    lines = [f"{call.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + call.body.encode()


# ------------------------------------------------------------------------------- a number of requests


def burst(port: int, requests: Sequence[bytes], connections: int, expected: int) -> Outcome:
    """Send each request once, on every connection one after another; AssertionError for unexpected replies."""
    outcome = drive(port, iter(requests), connections, expected)
    assert not outcome.wrong, f"{outcome.wrong} of {outcome.requests} replies were not {expected}"
    return outcome


def drive(port: int, requests: Iterator[bytes], connections: int, expected: int) -> Outcome:
    """As `burst` for as long as there are requests, but unexpected replies are counted."""
    took: list[float] = []
    wrong = 0
    with contextlib.ExitStack() as stack:
        waiting = stack.enter_context(selectors.DefaultSelector())
        began = time.perf_counter()
        for _, request in zip(range(connections), requests, strict=False):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            waiting.register(connection, selectors.EVENT_READ, _Exchange(connection, request))
        while waiting.get_map():
            for key, _ in waiting.select():
                exchange: _Exchange = key.data
                if status := exchange.received():
                    wrong += status != expected
                    took.append(exchange.seconds)
                    following = next(requests, None)
                    exchange.send(following) if following else waiting.unregister(key.fileobj)
        spent = time.perf_counter() - began
    took.sort()
    return Outcome(len(took), spent, 1e3 * took[len(took) // 2], 1e3 * took[int(len(took) * 0.99)], wrong)


class _Exchange:
    """One request on a kept connection, and its reply as it comes."""

    def __init__(self, connection: socket.socket, request: bytes) -> None:
        self._connection = connection
        self.send(request)

    def send(self, request: bytes) -> None:
        self._reply, self._began, self.seconds = b"", time.perf_counter(), 0.0
        self._connection.sendall(request)

    def received(self) -> int:
        """Read what has come; the reply's status once it is whole, else 0."""
        piece = self._connection.recv(65536)
        assert piece, f"the connection ended inside a reply: {self._reply!r}"
        self._reply += piece
        head, end, body = self._reply.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]):
            return 0
        self.seconds = time.perf_counter() - self._began
        return int(head[9:12])


# ------------------------------------------------------------------------------------------ one by one


def drained(connection: socket.socket, request: bytes) -> int:
    """Ask once on a kept connection, read the reply to its end and throw it away; the bytes of its body."""
    connection.sendall(request)
    head = b""
    while b"\r\n\r\n" not in head:
        received = connection.recv(16384)
        assert received, f"the connection ended inside the head: {head!r}"
        head += received
    head, _, begun = head.partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 206")), head
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    left, buffer = length - len(begun), bytearray(min(length, 1 << 20))
    while left:
        read = connection.recv_into(buffer)
        assert read, "the connection ended before the body did"
        left -= read
    return length
