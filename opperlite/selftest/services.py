"""Everything beside the engines: files, models, functions, documents, keys, copies."""

from __future__ import annotations

from base64 import b64decode

from msgspec.structs import replace

from opperlite.selftest.client import expect
from opperlite.selftest.pictures import MODEL, PROMPT, SIZE, link_of
from opperlite.selftest.running import Bench
from opperlite.selftest.sounds import TEXT, VOICE
from opperlite.wiring import back_up, examine, restore

_ASSETS = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
_MODEL_LISTS = ("/v3/models", "/v3/images/models", "/v3/videos/models", "/v3/audio/models")


async def health(bench: Bench) -> None:
    """What watches over a server asks this."""
    client = bench.client.of_key("")
    for path in ("/health", "/ready"):
        await client.get(path)
    expect("opperlite_" in (await client.get("/metrics")).text, "there are no counters")


async def documents(bench: Bench) -> None:
    """The page to read and try the API with, and the API's description."""
    client = bench.client.of_key("")
    for path in ("/docs", *(f"/docs/{name}" for name in _ASSETS), "/v3/openapi.yaml"):
        expect(bool((await client.get(path)).content), f"{path} is empty")
    expect("paths" in (await client.get("/v3/openapi.json")).json(), "the description has no paths")


async def models(bench: Bench) -> None:
    """The catalog, by both APIs."""
    client = bench.client
    for path in _MODEL_LISTS:
        expect(bool((await client.get(path)).json()["models"]), f"{path} lists none")
    listed = (await client.get("/v1/models")).json()["data"]
    await client.get(f"/v1/models/{listed[0]['id']}")


async def files(bench: Bench, picture: str) -> None:
    """A file from upload to deletion, and its signed link."""
    client = bench.client
    data = (await client.get(await link_of(client, picture))).content
    kept = (await client.upload(data, "a.png")).json()["id"]
    expect((await client.get(f"/v3/files/{kept}")).json()["bytes"] == len(data), "the file has another size")
    listed = (await client.get("/v3/files?limit=100")).json()["data"]
    expect(kept in {one["id"] for one in listed}, "the list misses the file")
    link = await link_of(client, kept)
    stranger = client.of_key("")
    part = await stranger.get(link, status=206, headers={"Range": "bytes=1-3"})
    expect(part.content == data[1:4], "a part of the file is another one")
    await stranger.ask("HEAD", link)
    await stranger.get(f"{link}x", status=403)
    await client.ask("DELETE", f"/v3/files/{kept}", status=204)
    await client.get(f"/v3/files/{kept}", status=404)


async def openai_files(bench: Bench, picture: str) -> None:
    """The same by OpenAI's API."""
    client = bench.client
    data = (await client.get(await link_of(client, picture))).content
    kept = (await client.upload(data, "a.png", "/v1/files", purpose="vision")).json()["id"]
    await client.get("/v1/files")
    await client.get(f"/v1/files/{kept}")
    expect((await client.get(f"/v1/files/{kept}/content")).content == data, "the file has other bytes")
    await client.ask("DELETE", f"/v1/files/{kept}")


async def keys(bench: Bench, picture: str) -> None:
    """No key is refused, and another one sees nothing."""
    await bench.client.of_key("").get("/v3/files", status=401)
    await bench.client.of_key("another").get(f"/v3/files/{picture}", status=404)


async def repeats(bench: Bench) -> None:
    """The same Idempotency-Key does nothing twice."""
    first, second = [
        await bench.client.post(
            "/v3/images", MODEL | {"prompt": PROMPT, "size": SIZE}, headers={"Idempotency-Key": "a"}
        )
        for _ in range(2)
    ]
    expect(first == second, "the second answer is another one")


async def functions(bench: Bench) -> None:
    """The calls of Opper's own packages."""
    client = bench.client
    schema = {"type": "object", "properties": {"image": {"type": "string"}}}
    drawn = await client.post("/v3/functions/draw/call", {"input": PROMPT, "output_schema": schema} | MODEL)
    expect(b64decode(drawn["data"]["image"])[:4] == b"\x89PNG", "the function made no picture")
    spoken = (await client.post("/v3/call", {"name": "speak", "input": TEXT} | VOICE))["data"]["audio"]
    asked = {"model": "local/transcribe", "input": {"audio": spoken}}
    told = await client.ask("POST", "/v3/functions/stt/stream", json=asked)
    expect("train" in told.text and "[DONE]" in told.text, "the stream does not tell what was said")


async def copies(bench: Bench, picture: str) -> None:
    """A backup while the server runs, brought back elsewhere and examined."""
    archive, back = bench.folder / "backup.tar", bench.folder / "restored"
    elsewhere = replace(bench.settings, data=back)
    _, copied = await back_up(bench.settings, archive, into_folder=False, advance=_unheard)
    expect(copied.added > 0 and not copied.lost, f"the backup lost {len(copied.lost)} blobs")
    await restore(elsewhere, archive, None, _unheard)
    findings, _ = await examine(elsewhere, repair=False, advance=_unheard)
    damage = [one for one in findings if one.severity == "damage"]
    expect(not damage, f"the doctor found damage: {damage[0].message if damage else ''}")


def _unheard(done: int, total: int) -> None:
    """Nobody is told how far it is."""
