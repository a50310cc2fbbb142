"""Pictures and clips: made, changed, asked for by every route that makes them."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from typing import Any

from opperlite.selftest.client import Client, expect
from opperlite.selftest.running import Bench

MODEL = {"model": "local/image"}
SIZE = "128x96"
PROMPT = "a lighthouse on a cliff at dawn"
_FORMATS = {"png": b"\x89PNG\r\n", "jpeg": b"\xff\xd8\xff", "webp": b"RIFF"}
_CLIP = {"model": "local/video", "parameters": {"size": SIZE, "duration": 1, "fps": 12}}


async def formats(bench: Bench) -> str:
    """A picture in each format; the file id of the PNG."""
    client, ids = bench.client, {}
    for name, magic in _FORMATS.items():
        asked = MODEL | {"prompt": PROMPT, "size": SIZE, "parameters": {"format": name}}
        [made] = (await client.post("/v3/images", asked | {"response_format": "b64_json"}))["data"]
        expect(made["mime_type"] == f"image/{name}", f"{name} was asked for and {made['mime_type']} came")
        expect(b64decode(made["b64_json"]).startswith(magic), f"what came as {name} is none")
        ids[name] = str(made["file_id"])
    return ids["png"]


async def edits(bench: Bench, picture: str) -> None:
    """A change inside a mask, by both APIs."""
    client = bench.client
    clear = MODEL | {"prompt": "a red balloon", "size": SIZE, "parameters": {"background": "transparent"}}
    [mask] = (await client.post("/v3/images", clear))["data"]
    edit = MODEL | {"prompt": "in winter", "image": picture, "mask": mask["file_id"], "response_format": "b64_json"}
    [made] = (await client.post("/v3/images", edit))["data"]
    before = (await client.get(await link_of(client, picture))).content
    expect(b64decode(made["b64_json"]) != before, "the edited picture is the one that was sent")
    parts = {"image": ("a.png", before), "mask": ("mask.png", b64decode(mask["b64_json"]))}
    edited = await client.ask("POST", "/v1/images/edits", files=parts, data=MODEL | {"prompt": "at night"})
    expect(bool(edited.json()["data"][0]["b64_json"]), "no picture came")


async def streamed(bench: Bench) -> None:
    """Pictures of OpenAI's API, whole and on their way; and the route that it has closed."""
    asked = MODEL | {"prompt": PROMPT, "size": SIZE, "stream": True, "partial_images": 1}
    told = (await bench.client.ask("POST", "/v1/images/generations", json=asked)).text
    for kind in ("partial_image", "completed"):
        expect(f"event: image_generation.{kind}" in told, f"the stream has no {kind}")
    await bench.client.ask("POST", "/v1/images/variations", status=400)


async def by_url(bench: Bench, picture: str) -> None:
    """A source that is fetched over HTTP, and one over TLS, which this server does not speak."""
    client = bench.client
    place = f"{client.base}/docs/favicon-32x32.png"
    asked = MODEL | {"prompt": "larger", "size": SIZE, "reference_images": [place]}
    expect(bool((await client.post("/v3/images", asked))["data"]), "no picture came")
    refused = asked | {"reference_images": [place.replace("http://", "https://")]}
    error = (await client.post("/v3/images", refused, status=400))["error"]
    expect(error["code"] == "invalid_source", f"the TLS connection failed otherwise than it should: {error['message']}")


async def link_of(client: Client, file_id: str) -> str:
    """The signed link of a file."""
    return str((await client.get(f"/v3/files/{file_id}/content")).json()["url"])


# -------------------------------------------------------------------------------------------------- clips


async def clip(bench: Bench, picture: str) -> str:
    """A clip with sound that begins with a picture; its job's id."""
    client = bench.client
    job = await client.post("/v3/videos", _CLIP | {"prompt": "waves roll", "image": picture}, status=202)
    status = await client.ended(job["id"])
    data = (await client.get(status["url"])).content
    expect(data[4:8] == b"ftyp", "what came is no MP4")
    return str(job["id"])


async def clip_to_clip(bench: Bench, job: str) -> None:
    """A clip made of a clip, and the pictures of one, by both APIs."""
    client = bench.client
    source = (await client.ended(job))["file_id"]
    changed = await client.post(
        "/v3/videos", {"model": "local/video", "prompt": "at night", "video": source}, status=202
    )
    await client.ended(changed["id"])
    video = job.replace("gen_", "video_")
    for variant, magic in (("thumbnail", b"RIFF"), ("spritesheet", b"\xff\xd8\xff")):
        shown = await client.get(f"/v1/videos/{video}/content?variant={variant}")
        expect(shown.content.startswith(magic), f"the {variant} is none")


async def openai_videos(bench: Bench, job: str) -> None:
    """Every call of OpenAI's video API; those that make more are stopped once they are accepted."""
    client, video = bench.client, job.replace("gen_", "video_")
    asked: dict[str, Any] = {"prompt": "in snow", "video": {"id": video}}
    made = [
        await client.post("/v1/videos", {"model": "local/video", "prompt": "a kite", "seconds": "1", "size": SIZE}),
        await client.post("/v1/videos/edits", asked),
        await client.post("/v1/videos/extensions", asked | {"seconds": "4"}),
        await client.post(f"/v1/videos/{video}/remix", {"prompt": "in fog"}),
    ]
    for one in made:
        await client.post(f"/v3/artifacts/{one['id'].replace('video_', 'gen_')}/cancel")
    listed = (await client.get("/v1/videos")).json()["data"]
    expect({one["id"] for one in made} <= {one["id"] for one in listed}, "the list misses a video")
    expect((await client.get(f"/v1/videos/{video}")).json()["status"] == "completed", "the video is not completed")
    await client.ask("DELETE", f"/v1/videos/{made[0]['id']}")
    await client.ask("POST", "/v1/videos/characters", status=400)
    await client.ask("GET", "/v1/videos/characters/char_1", status=400)


async def jobs(bench: Bench) -> None:
    """A job that is cancelled, a picture as a job, and the list of jobs."""
    client = bench.client
    long = {"model": "local/video", "prompt": "a kite", "parameters": {"size": "640x360", "duration": 20}}
    job = (await client.post("/v3/videos", long, status=202))["id"]
    picture = (await client.post("/v3/images", MODEL | {"prompt": PROMPT, "size": SIZE, "async": True}, status=202))[
        "id"
    ]
    await client.post(f"/v3/artifacts/{job}/cancel")
    stopped, made = await asyncio.gather(client.ended(job), client.ended(picture))
    expect(bool(stopped.get("cancelled")), "the cancelled job went on")
    expect(made["mime_type"].startswith("image/"), "the job made no picture")
    listed = {one["id"] for one in (await client.get("/v3/artifacts?limit=100")).json()["data"]}
    expect({job, picture} <= listed, "the list misses a job")
