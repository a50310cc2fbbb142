"""A few calls with the embedded engine behind the API, in real worker processes."""

from __future__ import annotations

import io
from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image

from opperlite.adapters.provider_offline import OfflineProvider
from opperlite.adapters.workers import Workers
from tests.api.conftest import World, error_of, world_of
from tests.api.test_images import data_uri
from tests.fakes import jpeg, png

pytestmark = pytest.mark.asyncio(loop_scope="module")
# What a prompt may be made of: nothing of it may end in a 5xx.
STRANGE = [
    "\u0000",
    "a\u0000b",
    "\ufffe\uffff",
    "🫖👩‍🚀\u202e",
    "\x1b[31m",
    "<speak>&lt;",
    "'; --",
    " ",
    "\n\t",
    "%s%n",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def real(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    workers = Workers(1)
    async with world_of(tmp_path_factory.mktemp("real"), provider=OfflineProvider(workers, workers)) as opened:
        yield opened
    await workers.close()


def image_of(item: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(b64decode(item["b64_json"])))


async def test_an_image_and_an_edit_of_it(real: World) -> None:
    body = {"model": "openai/gpt-image-1", "prompt": "a red kite", "size": "1024x1024"}
    made = (await real.client.post("/v3/images", json=body)).json()
    assert [image_of(item).size for item in made["data"]] == [(1024, 1024)]
    assert (await real.client.post("/v3/images", json=body)).json()["data"][0]["b64_json"] == made["data"][0][
        "b64_json"
    ]
    edit = {"model": "openai/gpt-image-1", "prompt": "make it blue", "image": made["data"][0]["file_id"]}
    for more in ({"mask": data_uri(png(1024, 1024))}, {"reference_images": [data_uri(jpeg(), "image/jpeg")]}):
        reply = await real.client.post("/v3/images", json=edit | more)
        assert reply.status_code == 200, reply.text[:500]
        assert image_of(reply.json()["data"][0]).size[0] > 0


async def test_sources_that_break_while_they_are_decoded_name_their_field(real: World) -> None:
    body = {"model": "openai/gpt-image-1", "prompt": "x", "image": data_uri(png(64, 64))}
    broken = data_uri(png(64, 64)[:45])
    for field, members in (
        ("image", {"image": broken}),
        ("mask", {"mask": broken}),
        ("reference_images[0]", {"reference_images": [broken]}),
    ):
        reply = await real.client.post("/v3/images", json=body | members)
        assert reply.status_code == 400
        assert reply.json()["error"]["details"]["field"] == field


async def test_a_bomb_is_refused(real: World) -> None:
    reply = await real.client.post(
        "/v3/images", json={"model": "openai/gpt-image-1", "prompt": "x", "image": data_uri(png(20_000, 20_000))}
    )
    error_of(reply, 400, "unsupported_media_type", "image")


async def test_no_prompt_breaks_the_drawing(real: World) -> None:
    for prompt in STRANGE:
        body = {"model": "openai/gpt-image-1", "prompt": prompt, "quality": "low"}
        reply = await real.client.post("/v3/images", json=body)
        assert reply.status_code == (200 if prompt.strip() else 400), (prompt, reply.text[:300])


async def test_speech_is_understood(real: World) -> None:
    made = (await real.client.post("/v3/audio/speech", json={"model": "openai/tts-1", "input": "Good morning."})).json()
    heard = await real.client.post(
        "/v3/audio/transcriptions", json={"model": "openai/whisper-1", "audio": made["audio"]["file_id"]}
    )
    assert heard.json()["text"] == "Good morning."
    assert heard.json()["words"]


async def test_no_text_breaks_the_voice(real: World) -> None:
    for text in STRANGE:
        reply = await real.client.post("/v3/audio/speech", json={"model": "openai/tts-1", "input": text})
        assert reply.status_code in (200, 400), (text, reply.text[:300])
