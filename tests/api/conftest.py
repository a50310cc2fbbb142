"""The application in process: real SQLite and real blobs in a folder of the test, a fake clock and provider."""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio

from opperlite.adapters.blobs_local import LocalBlobs
from opperlite.adapters.metadata_sqlite import SqliteMetadata, migrate
from opperlite.adapters.queue_inprocess import InProcessQueue
from opperlite.api.app import create_app
from opperlite.api.system import description
from opperlite.config import Settings
from opperlite.domain.models import Catalog
from opperlite.domain.projects import Projects
from opperlite.domain.services import Services
from opperlite.wiring import policy_of
from tests.api.conformance import Conformance
from tests.fakes import FakeClock, FakeFetcher, QuickProvider, png

SECRET = b"s" * 32
IN_SESSION = pytest.mark.asyncio(loop_scope="session")  # for tests of the `refusing` application
BASE = "http://127.0.0.1:8080"
CONFORMANCE = Conformance(description())
CATALOG = Catalog.load(())


@dataclass
class World:
    """An application that runs, and every part of it that a test may want to touch."""

    client: httpx.AsyncClient
    app: Any
    services: Services
    settings: Settings
    clock: FakeClock
    provider: QuickProvider
    fetcher: FakeFetcher

    @property
    def folder(self) -> Path:
        return self.settings.data

    def client_of(self, token: str | None, **kwargs: Any) -> httpx.AsyncClient:
        """A client with another key, or without one."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return new_client(self.app, headers | kwargs.pop("headers", {}), **kwargs)

    def remains(self) -> list[str]:
        """What lies in the folders of bytes."""
        return sorted(
            str(path.relative_to(self.folder))
            for name in ("blobs", "staging")
            for path in (self.folder / name).rglob("*")
            if path.is_file() or name == "staging"
        )

    async def cleared(self) -> None:
        """Wait until nothing lies in the folders of bytes: some of it goes after the reply."""
        for _ in range(500):
            if self.remains() == []:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(self.remains())

    async def upload(self, data: bytes | None = None, filename: str = "a.png", **fields: str) -> dict[str, Any]:
        """A file that was taken."""
        reply = await self.client.post("/v3/files", files={"file": (filename, data or png())}, data=fields)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def job(self, **members: Any) -> str:
        """The id of a video that was accepted."""
        body = {"model": "openai/sora-2", "prompt": "a kite"} | members
        reply = await self.client.post("/v3/videos", json=body)
        assert reply.status_code == 202, reply.text
        return reply.json()["id"]

    async def status(self, job_id: str) -> dict[str, Any]:
        reply = await self.client.get(f"/v3/artifacts/{job_id}/status")
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def ended(self, job_id: str) -> dict[str, Any]:
        """The status of a job once it has ended."""
        for _ in range(500):
            shown = await self.status(job_id)
            if shown["status"] != "processing":
                return shown
            await asyncio.sleep(0.01)
        raise AssertionError("the job did not end within 5 s")


def new_client(app: Any, headers: dict[str, str], **kwargs: Any) -> httpx.AsyncClient:
    async def check(response: httpx.Response) -> None:
        await response.aread()
        CONFORMANCE.check(response.request, response)

    transport = httpx.ASGITransport(app, client=kwargs.pop("client", ("127.0.0.1", 50_000)))
    return httpx.AsyncClient(
        transport=transport, base_url=BASE, headers=headers, event_hooks={"response": [check]}, timeout=20, **kwargs
    )


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[None]:
    """The application's lifespan, as a server drives it."""
    orders: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    answers: asyncio.Queue[Any] = asyncio.Queue()
    state: dict[str, Any] = {}
    task = asyncio.create_task(
        app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}, orders.get, answers.put)
    )
    for order in ("startup", "shutdown"):
        await orders.put({"type": f"lifespan.{order}"})
        answer = await answers.get()
        assert answer["type"] == f"lifespan.{order}.complete", answer
        if order == "startup":
            yield
    await task


@cache
def empty_database() -> bytes:
    """A database without rows, so that not every test has to make its tables."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection, path)
        connection.close()
        return path.read_bytes()


@asynccontextmanager
async def world_of(
    folder: Path,
    token: str | None = "test",
    policy: dict[str, Any] | None = None,
    provider: Any = None,
    fetcher: Any = None,
    **settings: Any,
) -> AsyncIterator[World]:
    """An application over a folder; `settings` are those of `Settings`, `policy` changes what they set."""
    chosen = Settings(data=folder, access_log=False, **settings)
    clock, provider, fetcher = FakeClock(), provider or QuickProvider(), fetcher or FakeFetcher()
    rules = msgspec.structs.replace(policy_of(chosen), **(policy or {}))
    folder.mkdir(exist_ok=True)
    if not (folder / "opperlite.db").exists():
        (folder / "opperlite.db").write_bytes(empty_database())
    async with AsyncExitStack() as stack:
        blobs = LocalBlobs(folder)
        stack.callback(blobs.close)
        store = await stack.enter_async_context(SqliteMetadata.open(folder / "opperlite.db"))
        services = Services(
            store=store,
            blobs=blobs,
            queue=InProcessQueue(),
            fetcher=fetcher,
            clock=clock,
            provider=provider,
            inspector=provider,
            catalog=CATALOG,
            policy=rules,
            projects=Projects(store, clock, rules, SECRET, chosen.auth),
            secret=SECRET,
        )
        app = create_app(services, chosen)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with running(app), new_client(app, headers) as client:
            yield World(client, app, services, chosen, clock, provider, fetcher)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The application with the default settings."""
    async with world_of(tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world_of(tmp_path_factory.mktemp("shared")) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def refusing(shared_world: World) -> AsyncIterator[World]:
    """One application for many tests, each with a key of its own, that leave nothing behind: that is checked."""
    asked, before = len(shared_world.provider.asked), shared_world.remains()
    async with shared_world.client_of(secrets.token_hex(8)) as client:
        yield replace(shared_world, client=client)
        assert (await client.get("/v3/files")).json()["meta"]["total"] == 0
    assert shared_world.remains() == before
    assert len(shared_world.provider.asked) == asked, "the provider was asked"


@pytest.fixture
def client(world: World) -> httpx.AsyncClient:
    return world.client


def error_of(reply: httpx.Response, status: int, code: str, field: str | None = None) -> dict[str, Any]:
    """The error of a reply, after its status, code and field were checked."""
    assert reply.status_code == status, f"{reply.status_code} {reply.text[:500]}"
    error: dict[str, Any] = reply.json()["error"]
    assert error["code"] == code, error
    if field is not None:
        assert error["details"]["field"] == field, error
    return error


async def drive(app: Any, scope: dict[str, Any], messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run one request by hand: what the server sends while it receives these messages, the last one for ever."""
    sent: list[dict[str, Any]] = []
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def scope_of(method: str, path: str, headers: dict[str, str], **members: Any) -> dict[str, Any]:
    """The scope of an HTTP request as uvicorn makes it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8080),
        "state": {},
        **members,
    }


def body_of(sent: list[dict[str, Any]]) -> dict[str, Any]:
    """The JSON that was sent."""
    return json.loads(b"".join(message.get("body", b"") for message in sent))
