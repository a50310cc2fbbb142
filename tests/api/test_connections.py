"""Slow and idle clients: their time ends, and they stop nobody else. The protocol runs over real sockets."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import uvicorn

from opperlite.api import calls, connections
from opperlite.api import replies as replying
from opperlite.api.connections import limited
from tests.api.conftest import BASE, World, world_of
from tests.fakes import png
from tests.truth import orphans

PATIENCE = 0.4
SLOW = 200
HEAD = b"Host: 127.0.0.1\r\nAuthorization: Bearer test\r\n"
BODY = HEAD + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
FORM = HEAD + b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 9999\r\n\r\n"
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + b"\x89PNG" * 100


@asynccontextmanager
async def listening(world: World, limit: int = 0) -> AsyncIterator[int]:
    """The application behind the real protocol, on a port of its own."""
    config = uvicorn.Config(world.app, port=0, http=limited(limit), ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(connections, "HEAD_TIME", PATIENCE)
    monkeypatch.setattr(calls, "_PATIENCE", PATIENCE)
    async with world_of(tmp_path) as opened:
        yield opened


class Client:
    """One connection that says what it is told to, and hears the reply."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def of(cls, port: int) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def say(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def drip(self, data: bytes, every: float) -> None:
        """One byte at a time until the server has enough."""
        with suppress(ConnectionError):
            for byte in data:
                await self.say(bytes([byte]))
                await asyncio.sleep(every)

    async def hear(self) -> bytes:
        """All that comes until the server closes."""
        try:
            return await asyncio.wait_for(self._reader.read(), 10)
        except ConnectionError:
            return b""
        finally:
            self._writer.close()
            with suppress(ConnectionError):
                await self._writer.wait_closed()


@pytest.mark.parametrize("said", [b"", b"GET /hea", b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "])
async def test_a_head_that_does_not_come_ends_the_connection(world: World, said: bytes) -> None:
    async with listening(world) as port:
        client = await Client.of(port)
        began = time.monotonic()
        await client.say(said)
        assert await client.hear() == b""
        assert PATIENCE * 0.9 < time.monotonic() - began < PATIENCE * 5


async def test_a_head_that_drips_ends_too(world: World) -> None:
    async with listening(world) as port:
        client = await Client.of(port)
        began = time.monotonic()
        await client.drip(b"GET /health HTTP/1.1\r\nX: " + b"a" * 1000, 0.02)
        assert await client.hear() == b""
        assert time.monotonic() - began < PATIENCE * 10


async def test_the_second_head_of_a_connection_has_its_time_too(world: World) -> None:
    async with listening(world) as port:
        client = await Client.of(port)
        await client.say(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await asyncio.sleep(0.1)
        await client.say(b"GET /health HT")
        assert (await client.hear()).count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize(
    "said", [b"POST /v3/images HTTP/1.1\r\n" + BODY, b"POST /v3/files HTTP/1.1\r\n" + FORM + PART], ids=["json", "form"]
)
async def test_a_body_that_stops_is_told_and_leaves_nothing(world: World, said: bytes) -> None:
    async with listening(world) as port:
        client = await Client.of(port)
        began = time.monotonic()
        await client.say(said)
        reply = await client.hear()
        assert PATIENCE * 0.9 < time.monotonic() - began < PATIENCE * 5
    assert reply.startswith(b"HTTP/1.1 408 ")
    assert json.loads(reply.partition(b"\r\n\r\n")[2])["error"]["code"] == "request_timeout"
    assert orphans(world.folder) == []
    assert world.services.store is not None


async def test_two_hundred_slow_connections_stop_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_TIME", 5.0)
    monkeypatch.setattr(calls, "_PATIENCE", 5.0)
    kinds = (b"GET /v3/fi", b"POST /v3/images HTTP/1.1\r\n" + BODY, b"POST /v3/files HTTP/1.1\r\n" + FORM + PART)
    async with listening(world) as port:
        slow = [await Client.of(port) for _ in range(SLOW)]
        for number, client in enumerate(slow):
            await client.say(kinds[number % 3])
        await asyncio.sleep(0.1)
        assert len(list((world.folder / "staging").iterdir())) <= SLOW
        for _ in range(20):
            began = time.monotonic()
            quick = await Client.of(port)
            await quick.say(b"GET /v3/files HTTP/1.1\r\nConnection: close\r\n" + HEAD + b"\r\n")
            assert (await quick.hear()).startswith(b"HTTP/1.1 200")
            assert time.monotonic() - began < 1.0
        await world.upload()  # past the sockets, but through the same blob store
        for client in slow:
            client._writer.transport.abort()
        for _ in range(200):
            if not any((world.folder / "staging").iterdir()):
                break
            await asyncio.sleep(0.02)
        assert orphans(world.folder) == []


async def test_connections_over_the_limit_are_refused_until_others_end(world: World) -> None:
    async with listening(world, limit=3) as port:
        idle = [await Client.of(port) for _ in range(3)]
        await asyncio.sleep(0.05)
        refused = await (await Client.of(port)).hear()
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert json.loads(refused.partition(b"\r\n\r\n")[2])["error"]["code"] == "unavailable"
        for client in idle:
            assert await client.hear() == b""  # their time is over
        quick = await Client.of(port)
        await quick.say(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert (await quick.hear()).startswith(b"HTTP/1.1 200")


# ------------------------------------------------------------------------------------------- broken requests

BROKEN = {
    "garbage": b"no HTTP at all\r\n\r\n",
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "a long head": b"GET /health HTTP/1.1\r\n" + HEAD + b"X: " + b"a" * 70_000 + b"\r\n\r\n",
    "a broken body": b"POST /v3/images HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
}
WHOLE = b"GET /v3/files HTTP/1.1\r\n" + HEAD + b"\r\n"


def replies(received: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """Status, headers and body of each reply, by their lengths."""
    found = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers["content-length"])
        found.append((int(first.split(" ")[1]), headers, received[:length]))
        received = received[length:]
    return found


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_request_is_refused_under_an_id(
    world: World, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    async with listening(world) as port:
        client = await Client.of(port)
        await client.say(BROKEN[name])
        ((status, headers, body),) = replies(await client.hear())
    assert (status, headers["connection"]) == (400, "close")
    assert headers["x-request-id"].startswith("req_")
    assert json.loads(body)["error"]["code"] == "bad_request"
    assert not [one for one in caplog.records if one.exc_info]


@pytest.mark.parametrize("whole", [1, 2, 3])
@pytest.mark.parametrize("name", BROKEN)
async def test_what_came_whole_is_answered_before_the_broken_ends_the_connection(
    world: World, caplog: pytest.LogCaptureFixture, name: str, whole: int
) -> None:
    async with listening(world) as port:
        client = await Client.of(port)
        await client.say(WHOLE * whole + BROKEN[name])
        found = replies(await client.hear())
    assert [status for status, _, _ in found] == [200] * whole
    assert found[-1][1]["connection"] == "close"
    assert not [one for one in caplog.records if one.exc_info]


async def test_a_refusal_on_v1_has_its_envelope(world: World) -> None:
    async with listening(world) as port:
        client = await Client.of(port)
        await client.say(b"GET /v1/files HTTP/1.1\r\n\r\n")
        ((_, _, body),) = replies(await client.hear())
    assert set(json.loads(body)["error"]) == {"message", "type", "param", "code"}


async def test_a_pipeline_whose_client_goes_away_is_no_crash(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async with listening(world) as port:
        for _ in range(20):
            client = await Client.of(port)
            await client.say(WHOLE * 50)
            client._writer.transport.abort()
        await asyncio.sleep(0.3)
    assert not [one for one in caplog.records if one.exc_info]


async def test_head_and_body_of_a_reply_come_together(world: World) -> None:
    async with listening(world) as port:
        client = await Client.of(port)
        await client.say(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        first = await client._reader.read(65536)
        assert first.endswith(b"}")
        await client.hear()


async def test_requests_sent_at_once_are_answered_in_their_order(world: World) -> None:
    paths = ["/health", "/v3/none", "/ready", "/health"]
    async with listening(world) as port:
        client = await Client.of(port)
        await client.say(b"".join(f"GET {path} HTTP/1.1\r\n".encode() + HEAD + b"\r\n" for path in paths))
        replies = await client.hear()
    assert re.findall(rb"HTTP/1.1 (\d+)", replies) == [b"200", b"404", b"200", b"200"]


async def test_a_line_break_in_a_header_ends_the_connection_instead(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(replying, "JSON", "text/plain\r\nset-cookie: a=b")
    async with listening(world) as port:
        client = await Client.of(port)
        await client.say(b"GET /v3/none HTTP/1.1\r\n" + HEAD + b"\r\n")
        assert b"set-cookie" not in await client.hear()
    assert "line break" in caplog.text


# ------------------------------------------------------------------------------------------- other protocols

OFFERS = {
    "HTTP/2": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
    "WebSocket": b"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Key: eA==\r\n",
}
ASKED = b'{"model":"local/image","prompt":"x","size":"64x64"}'


@pytest.mark.parametrize("name", OFFERS)
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("every", [1, 7, 10_000])
async def test_an_offer_to_upgrade_is_ignored_and_the_body_read(
    world: World, name: str, chunked: bool, every: int
) -> None:
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(ASKED)
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(ASKED), ASKED) if chunked else ASKED
    head = b"POST /v3/images HTTP/1.1\r\nContent-Type: application/json\r\n" + HEAD + OFFERS[name] + length
    said = head + b"\r\n\r\n" + body + WHOLE + b"GET /health HTTP/1.1\r\nConnection: close\r\n" + HEAD + b"\r\n"
    async with listening(world) as port:
        client = await Client.of(port)
        for place in range(0, len(said), every):
            await client.say(said[place : place + every])
        found = replies(await client.hear())
    assert [status for status, _, _ in found] == [200, 200, 200]
    assert json.loads(found[0][2])["data"]


async def test_a_request_that_offers_to_upgrade_and_closes_is_closed(world: World) -> None:
    async with listening(world) as port:
        client = await Client.of(port)
        await client.say(b"GET /health HTTP/1.1\r\n" + HEAD + b"Upgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n")
        ((status, headers, _),) = replies(await client.hear())
    assert (status, headers["connection"]) == (200, "close")


async def test_a_stream_for_http_1_0_ends_with_the_connection(world: World) -> None:
    body = b'{"model":"local/image","prompt":"x","size":"64x64","stream":true}'
    head = b"POST /v1/images/generations HTTP/1.0\r\nContent-Type: application/json\r\n" + HEAD
    async with listening(world) as port:
        client = await Client.of(port)
        await client.say(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        told = await client.hear()
    assert b"transfer-encoding" not in told.lower()
    assert told.partition(b"\r\n\r\n")[2].startswith(b"event: image_generation.completed\n")
    assert told.endswith(b"}\n\n")


# ------------------------------------------------------------------------------------------- large files


async def large(world: World) -> tuple[bytes, bytes]:
    """The bytes of a stored file of several mebibytes, and the target of its link."""
    data = png() + random.Random(1).randbytes(5_000_000)
    file = await world.upload(data)
    url = (await world.client.get(f"/v3/files/{file['id']}/content")).json()["url"]
    return data, url.removeprefix(BASE).encode()


async def test_large_files_come_whole_in_part_and_in_their_turn(world: World) -> None:
    data, target = await large(world)
    asked = [b"", b"Range: bytes=1000000-4000000\r\n", b"Range: bytes=-2\r\n", b"Range: bytes=2-\r\n"]
    async with listening(world) as port:
        client = await Client.of(port)
        for header in asked:
            await client.say(b"GET " + target + b" HTTP/1.1\r\n" + header + HEAD + b"\r\n")
        await client.say(b"GET /health HTTP/1.1\r\nConnection: close\r\n" + HEAD + b"\r\n")
        await asyncio.sleep(0.2)  # the client does not read yet, and the socket is full
        found = replies(await client.hear())
    assert [status for status, _, _ in found] == [200, 206, 206, 206, 200]
    assert [body for _, _, body in found[:4]] == [data, data[1000000:4000001], data[-2:], data[2:]]
    assert found[0][1]["etag"].strip('"') == hashlib.sha256(data).hexdigest()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not list open files")
async def test_a_client_that_goes_away_leaves_no_open_file(world: World) -> None:
    _, target = await large(world)

    def opened() -> list[str]:
        return [name for name in map(os.path.realpath, Path("/proc/self/fd").iterdir()) if str(world.folder) in name]

    before = opened()
    async with listening(world) as port:
        for _ in range(3):
            client = await Client.of(port)
            await client.say((b"GET " + target + b" HTTP/1.1\r\n" + HEAD + b"\r\n") * 8)
            await client._reader.read(100)
            assert len(opened()) > len(before)
            client._writer.transport.abort()
            for _ in range(200):
                if opened() == before:
                    break
                await asyncio.sleep(0.01)
            assert opened() == before


def upload_of(data: bytes, headers: bytes = HEAD) -> bytes:
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + data + b"\r\n--b--\r\n"
    head = b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n" % len(body)
    return b"POST /v3/files HTTP/1.1\r\n" + headers + head + body


@pytest.mark.parametrize("step", [100_000, 1_500_001, 10_000_000])
async def test_large_bodies_arrive_whole_and_other_requests_go_on_behind(world: World, step: int) -> None:
    data = [png() + random.Random(seed).randbytes(3_000_000 + seed) for seed in range(3)]
    refused = upload_of(data[0], b"Host: 127.0.0.1\r\n")  # without a key: nobody reads its body
    health = b"GET /health HTTP/1.1\r\n" + HEAD + b"\r\n"
    said = upload_of(data[0]) + refused + health + upload_of(data[1]) + upload_of(data[2]) + health
    async with listening(world) as port:
        client = await Client.of(port)
        for place in range(0, len(said), step):
            await client.say(said[place : place + step])
            await asyncio.sleep(0.001)
        await client.say(b"GET /health HTTP/1.1\r\nConnection: close\r\n" + HEAD + b"\r\n")
        found = replies(await client.hear())
    assert [status for status, _, _ in found] == [200, 401, 200, 200, 200, 200, 200]
    ids = [json.loads(found[place][2])["id"] for place in (0, 3, 4)]
    for file_id, sent in zip(ids, data, strict=True):
        url = (await world.client.get(f"/v3/files/{file_id}/content")).json()["url"]
        assert (await world.client.get(url)).content == sent


async def test_a_large_body_that_breaks_off_leaves_nothing(world: World) -> None:
    async with listening(world) as port:
        client = await Client.of(port)
        await client.say(upload_of(png() + bytes(4_000_000))[:-500_000])
        await asyncio.sleep(0.05)
        client._writer.transport.abort()
        for _ in range(200):
            if not any((world.folder / "staging").iterdir()):
                break
            await asyncio.sleep(0.01)
    assert orphans(world.folder) == []
