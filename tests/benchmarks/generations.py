"""How long a picture and a clip take from request to result, beside the encoding alone."""

import base64
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
from PIL import Image

from opperlite.engine.pictures import pixels
from tests.benchmarks.rates import VIDEO
from tests.benchmarks.rows import Row
from tests.e2e.server import Server, serving

GROUP = "generation"
_ROUNDS = 9
_IMAGE = {"model": "openai/gpt-image-1", "prompt": "a lighthouse at dawn", "size": "1024x1024"}


def rows(folder: Path) -> Iterator[Row]:
    with serving(folder) as server:
        first, _ = _image(server)
        yield Row(GROUP, "first 1024x1024 PNG, a worker has to start", "ms", (first,))
        inline, stored, encoding = [], [], []
        for _ in range(_ROUNDS):
            took, reply = _image(server)
            inline.append(took)
            stored.append(_image(server, response_format="url")[0])
            encoding.append(_encoding(base64.b64decode(reply["data"][0]["b64_json"])))
        yield Row(GROUP, "1024x1024 PNG, inline and stored", "ms", tuple(inline))
        yield Row(GROUP, "1024x1024 PNG, stored only", "ms", tuple(stored))
        yield Row(GROUP, "  encoding the same picture, alone", "ms", tuple(encoding))
        yield Row(GROUP, "720p video of 4 s, submit to completed", "s", tuple(_video(server) for _ in range(3)))


def _image(server: Server, **fields: str) -> tuple[float, dict[str, Any]]:
    """Milliseconds to the whole reply, and the reply."""
    began = time.perf_counter()
    reply = server.post("/v3/images", _IMAGE | fields)
    took = 1e3 * (time.perf_counter() - began)
    assert reply.status_code == 200, reply.text[:500]
    return took, reply.json()


def _encoding(png: bytes) -> float:
    picture = numpy.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    began = time.perf_counter()
    pixels.encode(picture, "png")
    return 1e3 * (time.perf_counter() - began)


def _video(server: Server) -> float:
    began = time.perf_counter()
    status = server.ended_job(server.post("/v3/videos", VIDEO).json()["status_url"])
    assert status["status"] == "completed", status
    return time.perf_counter() - began
