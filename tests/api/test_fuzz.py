"""Anything at all may come in: the reply is one that the description knows, and never a 5xx."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.conftest import World, world_of
from tests.api.test_files import BOUNDARY, form
from tests.api.test_images import data_uri
from tests.fakes import jpeg, png, sound

pytestmark = pytest.mark.asyncio(loop_scope="module")
few = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["\x00", "é🫖", "a" * 5000, "9" * 400, "1024x1024", "16:9", "auto"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
SOURCES = st.sampled_from(
    [
        data_uri(png(16, 16)),
        data_uri(jpeg(), "image/jpeg"),
        data_uri(sound("wav")),
        "file_x",
        "http://a.test/",
        "gs://a/b",
    ]
) | st.text(max_size=30).map("data:image/png;base64,".__add__)
PARAMETERS = st.dictionaries(
    st.sampled_from(["seed", "size", "seconds", "duration", "resolution", "aspect_ratio", "n", "quality", "x"]),
    ANYTHING | st.sampled_from(["720p", "4", 4, "1280x720", "9:16", -1, 0, 2**63, 2**63 - 1]),
    max_size=3,
)
KNOWN = {
    "prompt": st.text(min_size=1, max_size=40),
    "input": st.text(min_size=1, max_size=40),
    "n": st.integers(0, 5),
    "size": st.sampled_from(["1024x1024", "auto", "1x1", "1024x1536"]),
    "aspect_ratio": st.sampled_from(["1:1", "16:9", "0:0", "1:1000"]),
    "quality": st.sampled_from(["low", "high", "4k", "hd"]),
    "style": st.sampled_from(["vivid", "natural", "x"]),
    "response_format": st.sampled_from(["b64_json", "url"]),
    "store": st.booleans(),
    "voice": st.sampled_from(["alloy", "nova", "nobody"]),
    "format": st.sampled_from(["mp3", "wav", "pcm"]),
    "speed": st.floats(0, 5, allow_nan=False),
    "language": st.sampled_from(["en", "no", "xx", ""]),
    "diarize": st.booleans(),
    "stream": st.booleans(),
    "async": st.booleans(),
    "image": SOURCES,
    "mask": SOURCES,
    "video": SOURCES,
    "audio": SOURCES,
    "reference_images": st.lists(SOURCES, max_size=3),
    "parameters": PARAMETERS,
}
MODELS = {
    "/v3/images": [
        "openai/gpt-image-1",
        "openai/dall-e-3",
        "xai/grok-imagine-image",
        "vertexai/imagen-4.0-generate-001",
    ],
    "/v3/videos": [
        "openai/sora-2",
        "pruna/wan-t2v",
        "pruna/vace",
        "vertexai/veo-3.1-generate-001",
        "xai/grok-imagine-video",
    ],
    "/v3/audio/speech": ["openai/tts-1", "mistral/voxtral-mini-tts-latest", "azure-speech/neural-tts"],
    "/v3/audio/transcriptions": ["openai/whisper-1", "berget/NbAiLab/nb-whisper-large", "elevenlabs/scribe_v2"],
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world_of(tmp_path_factory.mktemp("fuzz"), max_queued_jobs=100_000, shutdown_grace=0.0) as opened:
        yield opened


def plain(reply: httpx.Response) -> None:
    assert reply.status_code < 500, reply.text[:1000]
    if reply.status_code in (400, 413):
        assert reply.json()["error"]["details"].get("field"), reply.text[:1000]


@few
@given(data=st.data())
@pytest.mark.parametrize("path", MODELS)
async def test_any_body_gets_a_plain_answer(open_world: World, path: str, data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(KNOWN)), unique=True, max_size=6))
    body: dict[str, Any] = {"model": data.draw(st.sampled_from(MODELS[path])), "prompt": "x", "input": "x"}
    if path.endswith("transcriptions"):
        body["audio"] = data_uri(sound("wav"))
    for name in names:
        body[name] = data.draw(KNOWN[name] | ANYTHING if data.draw(st.integers(0, 3)) == 0 else KNOWN[name])
    content = json.dumps(body).encode("utf-8", "surrogatepass")
    plain(await open_world.client.post(path, content=content, headers={"Content-Type": "application/json"}))


JUNK = (
    st.binary(max_size=60) | st.text(max_size=60).map(str.encode) | ANYTHING.map(lambda one: json.dumps(one).encode())
)


@few
@given(body=JUNK)
@pytest.mark.parametrize("path", MODELS)
async def test_any_bytes_get_a_plain_answer(open_world: World, path: str, body: bytes) -> None:
    plain(await open_world.client.post(path, content=body, headers={"Content-Type": "application/json"}))


NAMES = [b"file", b"filename", b"purpose", b"ttl_seconds", b"", b"\x00", b"\xff", b"x" * 300]
FILENAMES = [b"", b'; filename="a.png"', b'; filename=""', b"; filename=x", b"; filename*=UTF-8''a%00b"]
EXTRAS = [b"Content-Type: image/png\r\n", b"Content-Transfer-Encoding: base64\r\n", b"X\r\n", b"\xff: \xff\r\n"]


@st.composite
def parts_of_forms(draw: st.DrawFn) -> bytes:
    filename = draw(st.sampled_from(FILENAMES) | st.binary(max_size=12).map(lambda name: b'; filename="' + name + b'"'))
    value = draw(st.sampled_from([png(), jpeg(), b"", b"ocr_input", b"60", b"a.png"]) | st.binary(max_size=30))
    name, extra = draw(st.sampled_from(NAMES)), draw(st.sampled_from([b"", *EXTRAS]))
    head = b"--" + BOUNDARY.encode() + b'\r\nContent-Disposition: form-data; name="' + name + b'"' + filename
    return head + b"\r\n" + extra + b"\r\n" + value + b"\r\n"


@few
@given(parts=st.lists(parts_of_forms(), max_size=5), cut=st.integers(0, 40), sizes=st.integers(1, 200))
async def test_any_form_gets_a_plain_answer(open_world: World, parts: list[bytes], cut: int, sizes: int) -> None:
    body = form(*parts)
    body = body[: len(body) - cut] if cut < 10 else body

    async def chunks() -> AsyncIterator[bytes]:
        for place in range(0, len(body), sizes):
            yield body[place : place + sizes]

    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    plain(await open_world.client.post("/v3/files", content=chunks(), headers=headers))
    assert [name for name in open_world.remains() if name.startswith("staging")] == []


PATHS = """/v3/files /v3/files/{} /v3/files/{}/content /v3/artifacts/{}/status /v3/models /v3/images/models
/v3/audio/models /docs/{} /{} /_opperlite/files/{} /v1/files /v1/files/{}"""
QUERIES = "limit offset type sort order q capability deprecated exp sig disposition x"
HEADERS = "Range If-Range If-None-Match Accept Idempotency-Key X-Forwarded-Host Origin Content-Type"
LATIN = st.text(st.characters(min_codepoint=33, max_codepoint=255), min_size=1, max_size=20)


@few
@given(
    path=st.sampled_from(PATHS.split()),
    piece=st.text(min_size=1, max_size=20) | st.sampled_from(["..", "%2e%2e", "\x00", "%FF"]),
    query=st.dictionaries(
        st.sampled_from(QUERIES.split()), st.text(max_size=20) | st.integers(-5, 600).map(str), max_size=4
    ),
    headers=st.dictionaries(
        st.sampled_from(HEADERS.split()), LATIN.map(lambda text: text.encode("latin-1")), max_size=3
    ),
    method=st.sampled_from(["GET", "HEAD", "DELETE", "OPTIONS", "POST"]),
)
async def test_any_path_query_and_headers_get_a_plain_answer(
    open_world: World, path: str, piece: str, query: dict[str, str], headers: dict[str, bytes], method: str
) -> None:
    url = f"{path.format(quote(piece, safe='/%'))}?{urlencode(query)}"
    sent = [(name.encode(), value) for name, value in headers.items()]
    reply = await open_world.client.request(method, url, headers=sent)
    assert reply.status_code < 500
