"""Signed links: GET and HEAD, ranges, conditions, tampering, expiry."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opperlite.domain.links import sign
from tests.api.conftest import BASE, SECRET, World, drive, error_of, scope_of, world_of
from tests.fakes import png

DATA = png(400, 400, "x" * 5000)
TAG = f'"{hashlib.sha256(DATA).hexdigest()}"'


async def link(world: World, filename: str = "a.png") -> str:
    file = await world.upload(DATA, filename)
    return str((await world.client.get(f"/v3/files/{file['id']}/content")).json()["url"])


@pytest.fixture
async def url(world: World) -> str:
    return await link(world)


@pytest.fixture
async def anyone(world: World) -> httpx.AsyncClient:
    """A client without a key."""
    return world.client_of(None)


async def test_the_bytes_come_without_a_key(anyone: httpx.AsyncClient, url: str) -> None:
    reply = await anyone.get(url)
    assert (reply.status_code, reply.content) == (200, DATA)
    assert reply.headers["content-type"] == "image/png"
    assert reply.headers["content-length"] == str(len(DATA))
    assert reply.headers["etag"] == TAG
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["content-disposition"] == "inline; filename=\"a.png\"; filename*=UTF-8''a.png"
    assert "private" in reply.headers["cache-control"]


async def test_served_bytes_are_harmless(anyone: httpx.AsyncClient, url: str) -> None:
    policy = (await anyone.get(url)).headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "frame-ancestors 'none'" in policy
    assert not any("script-src" in rule or "allow-scripts" in rule for rule in policy)


async def test_head_tells_everything_but_the_bytes(anyone: httpx.AsyncClient, url: str) -> None:
    got, told = await anyone.get(url), await anyone.head(url)
    assert (told.status_code, told.content) == (200, b"")
    same = set(got.headers) - {"x-request-id"}
    assert {name: told.headers[name] for name in same} == {name: got.headers[name] for name in same}


async def test_a_wrong_key_is_no_trouble(world: World, url: str) -> None:
    async with world.client_of(None, headers={"Authorization": "Basic nonsense"}) as client:
        assert (await client.get(url)).status_code == 200


# ------------------------------------------------------------------------------------------------- ranges


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, len(DATA)),
        ("bytes=10-19", 10, 20),
        (f"bytes=10-{10**17}", 10, len(DATA)),
        ("bytes=-7", len(DATA) - 7, len(DATA)),
        (f"bytes=-{10**17}", 0, len(DATA)),
        (f"bytes={len(DATA) - 1}-", len(DATA) - 1, len(DATA)),
    ],
)
async def test_one_range_is_answered(anyone: httpx.AsyncClient, url: str, asked: str, start: int, end: int) -> None:
    reply = await anyone.get(url, headers={"Range": asked})
    assert (reply.status_code, reply.content) == (206, DATA[start:end])
    assert reply.headers["content-range"] == f"bytes {start}-{end - 1}/{len(DATA)}"
    assert reply.headers["content-length"] == str(end - start)
    assert reply.headers["etag"] == TAG


@pytest.mark.parametrize("asked", [f"bytes={len(DATA)}-", f"bytes={10**17}-{10**17 + 1}", "bytes=-0"])
async def test_a_range_outside_is_416(anyone: httpx.AsyncClient, url: str, asked: str) -> None:
    reply = await anyone.get(url, headers={"Range": asked})
    error_of(reply, 416, "range_not_satisfiable")
    assert reply.headers["content-range"] == f"bytes */{len(DATA)}"


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=5-2",
        "bytes=0-1,3-4",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "items=0-1",
        "0-1",
        "bytes=0-1-2",
        "bytes=" + "9" * 500 + "-",
        "bytes=0 - 5",
        "bytes=+1-2",
        "bytes=٣-",
        "\xff",
    ],
)
async def test_what_is_no_single_range_is_answered_whole(anyone: httpx.AsyncClient, url: str, asked: str) -> None:
    reply = await anyone.get(url, headers=[(b"Range", asked.encode("latin-1", "replace"))])
    assert (reply.status_code, reply.content) == (200, DATA)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.integers(0, len(DATA) + 20), length=st.integers(0, len(DATA) + 20))
async def test_any_range_is_those_bytes(anyone: httpx.AsyncClient, url: str, first: int, length: int) -> None:
    reply = await anyone.get(url, headers={"Range": f"bytes={first}-{first + length}"})
    if first < len(DATA):
        assert (reply.status_code, reply.content) == (206, DATA[first : first + length + 1])
    else:
        assert reply.status_code == 416


async def test_if_range_gives_the_part_only_of_the_same_bytes(anyone: httpx.AsyncClient, url: str) -> None:
    modified = (await anyone.head(url)).headers["last-modified"]
    for condition, status in (
        (TAG, 206),
        (modified, 206),
        ('"other"', 200),
        ("W/" + TAG, 200),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 200),
        ("nonsense", 200),
    ):
        reply = await anyone.get(url, headers={"Range": "bytes=0-4", "If-Range": condition})
        assert reply.status_code == status, condition
        assert reply.content == (DATA[:5] if status == 206 else DATA)


async def test_a_known_tag_needs_no_bytes(anyone: httpx.AsyncClient, url: str) -> None:
    for condition in (TAG, "W/" + TAG, f'"x", {TAG}', "*"):
        for method in ("GET", "HEAD"):
            reply = await anyone.request(method, url, headers={"If-None-Match": condition, "Range": "bytes=0-1"})
            assert (reply.status_code, reply.content, reply.headers["etag"]) == (304, b"", TAG)
            assert "content-range" not in reply.headers
    assert (await anyone.get(url, headers={"If-None-Match": '"other"'})).status_code == 200


async def test_head_ignores_a_range(anyone: httpx.AsyncClient, url: str) -> None:
    assert (await anyone.head(url, headers={"Range": f"bytes={len(DATA)}-"})).status_code == 200


# ----------------------------------------------------------------------------------------------- tampering


def changed(url: str, **values: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode(dict(parse_qsl(parts.query)) | values)))


async def test_links_are_absolute_minted_anew_and_live_an_hour(world: World, anyone: httpx.AsyncClient) -> None:
    file = await world.upload(DATA)
    path = f"/v3/files/{file['id']}/content"
    first = (await world.client.get(path)).json()["url"]
    assert first.startswith(f"{BASE}/_opperlite/files/{file['id']}?exp={int(world.clock.now()) + 3600}&sig=")
    world.clock.advance(100)
    second = (await world.client.get(path)).json()["url"]
    assert first != second
    world.clock.advance(3499)
    assert [(await anyone.get(one)).status_code for one in (first, second)] == [200, 200]
    world.clock.advance(1)
    error_of(await anyone.get(first), 403, "invalid_link")
    assert (await anyone.head(first)).status_code == 403
    assert (await anyone.get(second)).status_code == 200


async def test_every_kind_of_tampering_is_refused(world: World, anyone: httpx.AsyncClient, url: str) -> None:
    other = await world.upload(png(note="other"))
    file_id = urlsplit(url).path.rpartition("/")[2]
    exp = dict(parse_qsl(urlsplit(url).query))["exp"]
    for tampered in (
        url.replace(file_id, other["id"]),
        url.replace(file_id, "file_" + "0" * 32),
        changed(url, exp=str(int(exp) + 1)),
        changed(url, exp="0" + exp),
        changed(url, exp="9" * 12),
        changed(url, exp="9" * 400),
        changed(url, exp=""),
        changed(url, exp="-1"),
        changed(url, exp="٩"),
        changed(url, sig=""),
        changed(url, sig="\ud800".encode("utf-8", "surrogatepass").decode("latin-1")),
        changed(url, sig="é" * 43),
        changed(url, sig=dict(parse_qsl(urlsplit(url).query))["sig"].lower()),
        changed(url, sig=dict(parse_qsl(urlsplit(url).query))["sig"] + "="),
        changed(url, disposition="attachment"),
        changed(url, disposition="other"),
        url.partition("?")[0],
        url.partition("&")[0],
        url + "%FF%00",
    ):
        error_of(await anyone.get(tampered), 403, "invalid_link")


async def test_the_signature_covers_the_disposition(anyone: httpx.AsyncClient, url: str) -> None:
    file_id, exp = urlsplit(url).path.rpartition("/")[2], int(dict(parse_qsl(urlsplit(url).query))["exp"])
    signed = changed(url, disposition="attachment", sig=sign(SECRET, file_id, exp, "attachment"))
    assert (await anyone.get(signed)).headers["content-disposition"].startswith("attachment; ")


async def test_a_link_ends_with_its_file(world: World, anyone: httpx.AsyncClient) -> None:
    file = await world.upload(DATA, ttl_seconds="60")
    url = (await world.client.get(f"/v3/files/{file['id']}/content")).json()["url"]
    world.clock.advance(60)
    error_of(await anyone.get(url), 404, "not_found")


async def test_bytes_that_are_gone_are_not_found(world: World, anyone: httpx.AsyncClient, url: str) -> None:
    """Someone emptied the folder: the reply is an error, not a broken 200."""
    for name in world.remains():
        (world.folder / name).unlink()
    error_of(await anyone.get(url), 404, "not_found")
    error_of(await anyone.get(url, headers={"Range": "bytes=0-1"}), 404, "not_found")


async def test_a_reader_that_goes_away_stops_the_reading(world: World) -> None:
    file = await world.upload(DATA + bytes(16_000_000))
    parts = urlsplit((await world.client.get(f"/v3/files/{file['id']}/content")).json()["url"])
    scope = scope_of("GET", parts.path, {"Host": "127.0.0.1"}, query_string=parts.query.encode())
    sent = await drive(world.app, scope, [{"type": "http.request", "body": b""}, {"type": "http.disconnect"}])
    assert sent[0]["status"] == 200
    assert sum(len(message["body"]) for message in sent[1:]) < 8_000_000


# --------------------------------------------------------------------------------------------- names, hosts


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a b.png", "inline; filename=\"a b.png\"; filename*=UTF-8''a%20b.png"),
        ("naïve.png", "inline; filename=\"na_ve.png\"; filename*=UTF-8''na%C3%AFve.png"),
        ('a"b.png', "inline; filename=\"a_b.png\"; filename*=UTF-8''a%22b.png"),
        ("a;b=c,d%41.png", "inline; filename=\"a;b=c,d_41.png\"; filename*=UTF-8''a%3Bb%3Dc%2Cd%2541.png"),
        ("🫖.png", "inline; filename=\"_.png\"; filename*=UTF-8''%F0%9F%AB%96.png"),
    ],
)
async def test_names_are_sent_safely(world: World, anyone: httpx.AsyncClient, name: str, header: str) -> None:
    file = (await world.client.post("/v3/files", files={"file": DATA}, data={"filename": name})).json()
    assert file["filename"] == name
    url = (await world.client.get(f"/v3/files/{file['id']}/content")).json()["url"]
    assert (await anyone.get(url)).headers["content-disposition"] == header


async def test_links_carry_the_host_that_the_client_used(world: World) -> None:
    file = await world.upload(DATA)
    for host in ("localhost:9999", "127.0.0.1", "[::1]:8080"):
        reply = await world.client.get(f"/v3/files/{file['id']}/content", headers={"Host": host})
        assert reply.json()["url"].startswith(f"http://{host}/_opperlite/files/")


async def test_a_public_url_wins(tmp_path: Path) -> None:
    async with world_of(tmp_path, public_url="https://media.example/opper/", trusted_proxy=("127.0.0.0/8",)) as world:
        file = await world.upload(DATA)
        for headers in ({}, {"Host": "media.example"}, {"X-Forwarded-Host": "other.example"}):
            reply = await world.client.get(f"/v3/files/{file['id']}/content", headers=headers)
            assert reply.json()["url"].startswith("https://media.example/opper/_opperlite/files/")
        job = await world.client.post("/v3/videos", json={"model": "openai/sora-2", "prompt": "x"})
        assert job.json()["status_url"].startswith("https://media.example/opper/v3/artifacts/gen_")


async def test_forwarded_headers_count_only_from_a_trusted_proxy(tmp_path: Path) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "media.example, inner"}
    async with world_of(tmp_path, trusted_proxy=("10.1.0.0/16", "fd00::/8")) as world:
        file = await world.upload(DATA)
        for address, base in (
            ("10.1.2.3", "https://media.example"),
            ("fd00::5", "https://media.example"),
            ("10.2.0.1", BASE),
            ("127.0.0.1", BASE),
            ("testclient", BASE),
        ):
            async with world.client_of("test", client=(address, 1234), headers=forwarded) as client:
                url = (await client.get(f"/v3/files/{file['id']}/content")).json()["url"]
                assert url.startswith(base + "/_opperlite/"), address


async def test_the_whole_file_is_streamed_in_bounded_pieces(world: World) -> None:
    data = DATA + bytes(5_000_000)
    file = await world.upload(data)
    parts = urlsplit((await world.client.get(f"/v3/files/{file['id']}/content")).json()["url"])
    scope = scope_of("GET", parts.path, {"Host": "127.0.0.1"}, query_string=parts.query.encode())
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    await world.app(scope, receive, send)
    pieces = [message["body"] for message in sent[1:]]
    assert b"".join(pieces) == data
    assert max(len(piece) for piece in pieces) <= 1 << 20
