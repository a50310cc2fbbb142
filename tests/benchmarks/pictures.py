"""A picture from request to response, beside encoding that same picture alone."""

import base64
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
from PIL import Image

from opperlite.engine.pictures import pixels
from tests.benchmarks.peers.installation import Installation
from tests.benchmarks.rows import Aim, Row
from tests.benchmarks.turns import in_turns
from tests.e2e.server import Server, serving

GROUP = "pictures"
_ROUNDS = 9
_IMAGE = {"model": "openai/gpt-image-1", "prompt": "a lighthouse at dawn", "size": "1024x1024"}


def rows(folder: Path, peers: Installation) -> Iterator[Row]:
    with serving(folder) as server:
        first, reply = _image(server)
        yield Row(GROUP, "first 1024x1024 PNG, a worker has to start", "ms", (first,))
        picture = Image.open(io.BytesIO(base64.b64decode(reply["data"][0]["b64_json"]))).convert("RGB")
        drawn = numpy.asarray(picture)
        ours, by_link, pillow, own = in_turns(
            _ROUNDS,
            lambda: _image(server)[0],
            lambda: _image(server, response_format="url")[0],
            lambda: _took(lambda: picture.save(io.BytesIO(), "PNG")),
            lambda: _took(lambda: pixels.encode(drawn, "png")),
        )
    name = "1024x1024 PNG, request to response"
    yield Row(GROUP, name, "ms", ours, Aim("<=", 1.5), "inline and stored", "Pillow's PNG alone", pillow)
    yield Row(GROUP, name, "ms", ours, None, "", "our own encoder alone", own)
    yield Row(GROUP, "1024x1024 PNG, answered by a link", "ms", by_link, None, "", "Pillow's PNG alone", pillow)


def _image(server: Server, **fields: str) -> tuple[float, dict[str, Any]]:
    """Milliseconds to the whole reply, and the reply."""
    began = time.perf_counter()
    reply = server.post("/v3/images", _IMAGE | fields)
    took = 1e3 * (time.perf_counter() - began)
    assert reply.status_code == 200, reply.text[:500]
    return took, reply.json()


def _took(work: Any) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - began)
