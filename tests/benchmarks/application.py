"""Processor time of one request inside the application, without sockets: figures that other load on the machine moves
least, since each is the least of many rounds.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opperlite.api.app import create_app
from opperlite.config import load
from opperlite.wiring import open_services
from tests.benchmarks.peers.installation import Installation
from tests.benchmarks.rates import VIDEO
from tests.benchmarks.rows import Row
from tests.e2e import multipart
from tests.e2e.media import sine_wave

try:
    import uvloop
except ImportError:  # as on Windows
    uvloop = None

GROUP = "application"
_ROUNDS, _REQUESTS, _FILES = 40, 60, 100
JSON = (("content-type", "application/json"),)


@dataclass(frozen=True)
class Request:
    """One request in the terms of ASGI."""

    name: str
    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    together: bool = False  # all of a round at once, as commits are made together


def rows(folder: Path, peers: Installation) -> Iterator[Row]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if uvloop else None) as runner:
        yield from runner.run(_measured(folder))


async def _measured(folder: Path) -> list[Row]:
    settings = load({"data": str(folder / "data"), "max_queued_jobs": "1000000"}, {})
    async with open_services(settings) as services:  # not started: jobs stay where they are put
        application = create_app(services, settings)
        found = []
        for request in await _requests(application):
            costs = [await _round(application, request) for _ in range(_ROUNDS)]
            found.append(Row(GROUP, request.name, "us", (min(costs),), note=f"least of {_ROUNDS} rounds"))
        return found


async def _requests(application: Any) -> list[Request]:
    before, after = multipart.part("tone.wav")
    kind = (("content-type", f"multipart/form-data; boundary={multipart.BOUNDARY}"),)
    files = []
    for step in range(_FILES):
        body = before + sine_wave(0.05, 200 + step) + after
        files.append(json.loads(await answered(application, Request("", "POST", "/v3/files", "", kind, body)))["id"])
    submit = Request(
        "submit of a video job, 60 at once",
        "POST",
        "/v3/videos",
        headers=JSON,
        body=json.dumps(VIDEO).encode(),
        together=True,
    )
    job = json.loads(await answered(application, submit))["id"]
    link = json.loads(await answered(application, Request("", "GET", f"/v3/files/{files[0]}/content")))["url"]
    path, _, query = link.partition("?")
    return [
        Request("health", "GET", "/health"),
        Request("status poll", "GET", f"/v3/artifacts/{job}/status"),
        Request("metadata of a file", "GET", f"/v3/files/{files[0]}"),
        Request("link to a file's content", "GET", f"/v3/files/{files[0]}/content"),
        Request("download of 1 kB", "GET", "/" + path.split("/", 3)[3], query),
        Request("list of 100 files", "GET", "/v3/files", "limit=100"),
        submit,
    ]


async def _round(application: Any, request: Request) -> float:
    """Microseconds of processor for each request."""
    began = time.process_time()
    if request.together:
        await asyncio.gather(*(answered(application, request) for _ in range(_REQUESTS)))
    else:
        for _ in range(_REQUESTS):
            await answered(application, request)
    return 1e6 * (time.process_time() - began) / _REQUESTS


async def answered(application: Any, request: Request) -> bytes:
    """The reply's body."""
    headers = (("host", "127.0.0.1"), ("authorization", "Bearer demo"), *request.headers)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": request.query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    sent: list[dict[str, Any]] = []
    bodies = iter([{"type": "http.request", "body": request.body, "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in bodies:
            return message
        await asyncio.Event().wait()  # the client stays
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    assert 200 <= sent[0]["status"] < 300, sent
    return b"".join(message.get("body", b"") for message in sent[1:])
