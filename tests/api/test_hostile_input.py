"""Hostile bytes at every parser: never a 5xx, never a file outside the data folder, nothing left in staging."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from opperlite.api.addresses import Addresses
from opperlite.api.downloads import wanted_range
from opperlite.domain.errors import OpperliteError, RangeNotSatisfiable
from opperlite.domain.links import own_file, verify
from opperlite.domain.sources import decode_data, parse
from tests.api.conftest import World, drive, scope_of, world_of
from tests.fakes import png
from tests.truth import faults, orphans

BOUNDARY = "x" * 20
AUTHORIZED = {"Host": "127.0.0.1:8080", "Authorization": "Bearer fuzz"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hostile(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("hostile")
    async with world_of(folder / "data") as world:
        yield world
        assert faults(world.folder) == []
        assert orphans(world.folder) == []
        assert [path.name for path in folder.iterdir()] == ["data"]
        assert {path.name.partition(".")[0] for path in world.folder.iterdir()} == {"blobs", "staging", "opperlite"}


def each(**strategies: st.SearchStrategy[Any]) -> Callable[..., Any]:
    """A property of the application: hypothesis calls it, and it runs on the module's event loop."""

    def decorate(check: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Any]:
        @pytest.mark.asyncio(loop_scope="module")
        async def test(hostile: World) -> None:
            loop = asyncio.get_running_loop()

            @given(**strategies)
            def examples(**values: Any) -> None:
                asyncio.run_coroutine_threadsafe(check(hostile, **values), loop).result(30)

            await asyncio.to_thread(examples)

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return decorate


async def send(
    world: World,
    method: str,
    path: str,
    headers: list[tuple[bytes, bytes]] | None = None,
    body: bytes = b"",
    query: bytes = b"",
    cuts: tuple[int, ...] = (),
) -> tuple[int, bytes]:
    """One request past every client's checks, its body cut into pieces; the status and body of the reply."""
    scope = scope_of(method, path, AUTHORIZED, query_string=query)
    scope["headers"] += headers or []
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    pieces = [body[start:end] for start, end in pairwise(places)]
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": piece, "more_body": index < len(pieces) - 1}
        for index, piece in enumerate(pieces)
    ]
    sent = await drive(world.app, scope, [*messages, {"type": "http.disconnect"}])
    assert sent[0]["type"] == "http.response.start"
    status = sent[0]["status"]
    assert status < 500, (status, sent)
    assert not any(b"\r" in value or b"\n" in value for _, value in sent[0]["headers"])
    return status, b"".join(message.get("body", b"") for message in sent[1:])


# ------------------------------------------------------------------------------------------- multipart

NAMES = st.sampled_from(["file", "filename", "purpose", "ttl_seconds", "", "../x", "file\x00", "é", 'a"b', "a;b"])
FILENAMES = st.sampled_from(
    [
        None,
        "a.png",
        "../../etc/passwd",
        "..\\..\\x",
        "/abs",
        "C:\\x",
        "a\x00b",
        "",
        ".",
        "..",
        "x" * 300,
        "%0D%0A",
        "é鍵",
    ]
)
CONTENT = st.one_of(st.just(png()), st.binary(max_size=60), st.just(b"\r\n--" + BOUNDARY.encode()), st.just(b"-1"))
NOISE = st.sampled_from([b"", b"\r\n", b"\n", b"--", b"\0", b"--" + BOUNDARY.encode(), b": \r\n", b"\xff\xfe"])


@st.composite
def forms(draw: st.DrawFn) -> bytes:
    """A form that is nearly right."""
    body = draw(NOISE)
    for _ in range(draw(st.integers(0, 4))):
        name, filename = draw(NAMES), draw(FILENAMES)
        head = f'Content-Disposition: form-data; name="{name}"'
        head += "" if filename is None else f'; filename="{filename}"'
        more = draw(st.sampled_from(["", "\r\nContent-Type: image/png", "\r\nX", "\r\nContent-Length: 5", "\r\n X: y"]))
        line = b"--" + BOUNDARY.encode() + draw(st.sampled_from([b"\r\n", b"\n", b"", b" \r\n"]))
        body += line + (head + more).encode("utf-8", "replace") + draw(st.sampled_from([b"\r\n\r\n", b"\n\n", b"\r\n"]))
        body += draw(CONTENT) + draw(st.sampled_from([b"\r\n", b"", b"\n"]))
    return body + draw(st.sampled_from([b"--" + BOUNDARY.encode() + b"--\r\n", b"--" + BOUNDARY.encode(), b""]))


KINDS = st.sampled_from(
    [f"multipart/form-data; boundary={BOUNDARY}"] * 6
    + [
        f'multipart/form-data; boundary="{BOUNDARY}"',
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=é",
        "multipart/form-data; boundary=" + "y" * 300,
        "multipart/mixed; boundary=" + BOUNDARY,
        "text/plain",
        "",
    ]
)


@each(
    path=st.sampled_from(["/v3/files", "/v1/files", "/v1/images/edits", "/v1/audio/transcriptions", "/v1/videos"]),
    kind=KINDS,
    body=forms(),
    cuts=st.tuples(*[st.integers(0, 800)] * 3),
    length=st.sampled_from([None, b"0", b"5", b"99999999999999999999", b"-1", b"abc", b"1e3", "１".encode()]),
)
async def test_forms(
    world: World, path: str, kind: str, body: bytes, cuts: tuple[int, ...], length: bytes | None
) -> None:
    headers = [(b"content-type", kind.encode())] + ([(b"content-length", length)] if length else [])
    status, reply = await send(world, "POST", path, headers, body, cuts=cuts)
    if status == 200 and path.endswith("files"):
        file = json.loads(reply)
        assert "/" not in file["filename"]
        assert "\\" not in file["filename"]
    await idle(world)


async def idle(world: World) -> None:
    """A form's staged bytes are gone when its reply is there."""
    for _ in range(200):
        if not any((world.folder / "staging").iterdir()):
            return
        await asyncio.sleep(0.005)
    raise AssertionError("something stays in the staging folder")


# ------------------------------------------------------------------------------------ JSON and sources

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
DATA_URIS = st.one_of(
    st.binary(max_size=60).map(lambda data: "data:image/png;base64," + base64.b64encode(data).decode()),
    st.text("abcA1+/=%, \n;", max_size=30).map(lambda text: "data:image/png;base64," + text),
    st.text(max_size=30).map(lambda text: "data:" + text),
    st.sampled_from(["data:,", "data:;base64,", "data:image/png;base64,====", "file_" + "a" * 200, "gs://x"]),
)
VALUES = JSON_VALUES | DATA_URIS | st.sampled_from([1, 4, "local/image", "local/video", "1024x1024", "x" * 40_000])
MEMBERS = [
    *("model", "prompt", "n", "size", "aspect_ratio", "quality", "style", "image", "mask", "reference_images", "store"),
    *("response_format", "parameters", "async", "video", "input", "voice", "format", "speed", "audio", "language"),
    *("diarize", "stream"),
]
BODIES = st.one_of(
    st.fixed_dictionaries(
        {"model": st.sampled_from(["local/image", "openai/sora-2", "openai/tts-1", "openai/whisper-1", "x"])},
        optional={name: VALUES for name in MEMBERS if name != "model"},
    ).map(lambda value: json.dumps(value).encode("utf-8", "replace")),
    JSON_VALUES.map(lambda value: json.dumps(value).encode("utf-8", "replace")),
    st.binary(max_size=60),
    st.sampled_from(
        [
            *(b"", b"[" * 100_000, b'{"parameters":' * 3000 + b"{}" + b"}" * 3000, b'{"n":1e999}'),
            *(b'{"prompt":"\\ud800"}', b'{"model":"a","model":"b"}', b"\xef\xbb\xbf{}", b"\xff\xfe{\0}\0"),
            b'{"n":' + b"9" * 5000 + b"}",
        ]
    ),
)


@each(
    path=st.sampled_from(
        [
            *("/v3/images", "/v3/videos", "/v3/audio/speech", "/v3/audio/transcriptions", "/v1/images/generations"),
            *("/v1/images/edits", "/v1/audio/speech", "/v1/videos", "/v1/videos/edits"),
        ]
    ),
    body=BODIES,
    key=st.sampled_from([None, b"", b"k" * 300, b"\xff", b"once"]),
    cuts=st.tuples(*[st.integers(0, 100)] * 2),
)
async def test_json(world: World, path: str, body: bytes, key: bytes | None, cuts: tuple[int, ...]) -> None:
    headers = [(b"content-type", b"application/json")] + ([(b"idempotency-key", key)] if key is not None else [])
    await send(world, "POST", path, headers, body, cuts=cuts)
    await idle(world)


@given(DATA_URIS | st.text(max_size=60))
def test_sources_are_parsed_or_refused(value: str) -> None:
    with suppress(OpperliteError):
        if parse(value, "image").form == "data":
            assert len(decode_data(value, "image", 100)) <= 100


# ----------------------------------------------------------------------------- ranges, signatures, paths

RANGES = st.one_of(
    st.from_regex(r"\A(bytes=)?[0-9]{0,20}-[0-9]{0,20}(,[0-9]*-[0-9]*){0,3}\Z"),
    st.text(max_size=30),
    st.sampled_from(["bytes=-0", "bytes=--1", "bytes=1-0", "bytes=0-", "bytes=" + "0-0," * 5000, "bytes=٣-٤"]),
)


@given(RANGES, st.integers(1, 1000))
def test_a_range_lies_inside_or_is_refused(header: str, size: int) -> None:
    try:
        found = wanted_range(header, size)
    except RangeNotSatisfiable:
        return
    if found is not None:
        assert 0 <= found[0] < found[1] <= size


@each(
    header=RANGES,
    condition=st.sampled_from([None, b"*", b'"x"', b"W/", b"Thu, 01 Jan 1970 00:00:00 GMT", b"\xff"]),
    query=st.one_of(st.none(), st.text(max_size=40), st.from_regex(r"\Aexp=-?[0-9]{0,30}&sig=[\w%-]{0,50}\Z")),
)
async def test_downloads(world: World, header: str, condition: bytes | None, query: str | None) -> None:
    stored = await world.upload()
    link = (await world.client.get(f"/v3/files/{stored['id']}/content")).json()["url"]
    path, _, good = link.removeprefix("http://127.0.0.1:8080").partition("?")
    headers = [(b"range", header.encode("utf-8", "replace"))]
    headers += [(name, condition) for name in (b"if-range", b"if-none-match") if condition is not None]
    asked = good.encode() if query is None else query.encode("utf-8", "replace")
    status, body = await send(world, "GET", path, headers, query=asked)
    assert status in ((200, 206, 304, 416) if query is None else (403,))
    if status == 200:
        assert body == png()


@given(st.text(max_size=60), st.text(max_size=30))
def test_no_made_up_signature_is_good(query: str, file_id: str) -> None:
    with pytest.raises(OpperliteError):
        verify(b"k" * 32, file_id, query, 0.0)
    assert own_file(b"k" * 32, "http://x/_opperlite/files/" + file_id + "?" + query, 0.0) is None


@each(
    path=st.one_of(
        st.text(max_size=40).map(lambda text: "/" + text),
        st.lists(st.sampled_from(["..", ".", "", "v3", "files", "docs", "%2e%2e", "\0", "etc", "é"]), max_size=6).map(
            lambda parts: "/" + "/".join(parts)
        ),
    ),
    method=st.sampled_from(["GET", "HEAD", "POST", "DELETE", "PUT", "OPTIONS", "TRACE", "X"]),
)
async def test_paths(world: World, path: str, method: str) -> None:
    _, body = await send(world, method, path.encode("utf-8", "replace").decode())
    assert b"root:" not in body


@each(
    name=st.sampled_from(
        [
            *(b"host", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-for", b"forwarded", b"authorization"),
            *(b"content-type", b"content-length", b"idempotency-key", b"origin", b"accept-encoding", b"expect"),
        ]
    ),
    value=st.binary(max_size=60) | st.sampled_from([b"[::1", b"a@127.0.0.1", b"127.0.0.1:99999", b"bearer \0"]),
)
async def test_headers(world: World, name: bytes, value: bytes) -> None:
    await send(world, "GET", "/v3/files", [(name, value)])


@given(st.text(st.characters(max_codepoint=255), max_size=40))
def test_only_loopback_names_are_answered_on_loopback(host: str) -> None:
    addresses = Addresses("127.0.0.1", None)
    scope: Any = {"headers": [(b"host", host.encode("latin-1"))], "scheme": "http", "client": ("127.0.0.1", 1)}
    if addresses.known(scope) and host:
        name = re.sub(r":\d*$", "", host) if not host.endswith("]") else host
        assert name.lower() == "localhost" or name.startswith("127.") or "::1" in name or "7f" in name.lower(), host
