"""Load on a server: wrk where it is installed, else a bounded client of our own."""

import asyncio
import json
import math
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
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


def load(call: Call, seconds: float, connections: int = CONNECTIONS) -> Outcome:
    """Send `call` on every connection as fast as it is answered. Raises AssertionError for unexpected replies."""
    outcome = _wrk(call, seconds, connections) if WRK else asyncio.run(_ours(call, seconds, connections))
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
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    request = _plain(call)
    wrong = 0
    while (began := time.perf_counter()) < until:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if length:
            await reader.readexactly(length)
        wrong += int(head[9:12]) != call.expected
        took.append(time.perf_counter() - began)
    writer.close()
    await writer.wait_closed()
    return wrong


def _plain(call: Call) -> bytes:
    where = urlsplit(call.url)
    target = where.path + (f"?{where.query}" if where.query else "")
    headers = {"Host": where.netloc, **call.headers}
    if call.body:
        headers["Content-Length"] = str(len(call.body.encode()))
    lines = [f"{call.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + call.body.encode()


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
    assert head.startswith(b"HTTP/1.1 200"), head
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    left, buffer = length - len(begun), bytearray(min(length, 1 << 20))
    while left:
        read = connection.recv_into(buffer)
        assert read, "the connection ended before the body did"
        left -= read
    return length
