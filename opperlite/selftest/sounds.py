"""Speech and transcriptions: spoken in every format, written down from the record and by listening."""

from __future__ import annotations

import asyncio
from base64 import b64decode

from opperlite.selftest.client import expect
from opperlite.selftest.pictures import link_of
from opperlite.selftest.running import Bench
from opperlite.versions import flite_speaks

VOICE = {"model": "local/speech"}
EAR = {"model": "local/transcribe"}
TEXT = "The train to the city leaves at seven."
_FORMATS = {"mp3": b"ID3", "wav": b"RIFF", "opus": b"OggS", "aac": b"\xff", "flac": b"fLaC", "pcm": b""}
_ENOUGH = 0.5  # of the words, when they are spoken by Flite


async def formats(bench: Bench) -> str:
    """Speech in each format, and in a language that espeak-ng alone speaks; the file id of the WAV."""
    ids = {}
    for name, magic in _FORMATS.items():
        made = (await bench.client.post("/v3/audio/speech", VOICE | {"input": TEXT, "format": name}))["audio"]
        data = b64decode(made["b64_json"])
        expect(len(data) > 1000 and data.startswith(magic), f"what came as {name} is none")
        ids[name] = str(made["file_id"])
    german = VOICE | {"input": "Guten Morgen.", "parameters": {"language": "de"}}
    await bench.client.post("/v3/audio/speech", german)
    return ids["wav"]


async def openai_speech(bench: Bench) -> None:
    """Speech of OpenAI's API, as bytes and as events."""
    asked = VOICE | {"input": "Hello.", "voice": "alloy"}
    whole = await bench.client.ask("POST", "/v1/audio/speech", json=asked)
    expect(whole.headers["content-type"] == "audio/mpeg", "no MP3 came")
    told = (await bench.client.ask("POST", "/v1/audio/speech", json=asked | {"stream_format": "sse"})).text
    expect("speech.audio.done" in told, "the stream does not end")


async def by_record(bench: Bench, spoken: str) -> None:
    """The server's own speech, from its record of it; once whole, once as events."""
    heard = await bench.client.post("/v3/audio/transcriptions", EAR | {"audio": spoken})
    expect(heard["text"] == TEXT, f"{heard['text']!r} was read for {TEXT!r}")
    asked = {"model": "openai/gpt-4o-transcribe", "audio": spoken, "stream": True}
    told = (await bench.client.ask("POST", "/v3/audio/transcriptions", json=asked)).text
    expect(told.endswith("data: [DONE]\n\n"), "the stream does not end")


async def by_listening(bench: Bench, spoken: str) -> None:
    """The same speech, listened to; what espeak-ng says is hardly understood, but something is heard."""
    asked = EAR | {"audio": spoken, "parameters": {"recognizer": "acoustic"}}
    heard = (await bench.client.post("/v3/audio/transcriptions", asked))["text"]
    said, words = _words(TEXT), _words(heard)
    understood = len(said & words) >= _ENOUGH * len(said)
    expect(understood if await asyncio.to_thread(flite_speaks) else bool(words), f"{heard!r} was heard for {TEXT!r}")


async def openai_transcriptions(bench: Bench, spoken: str) -> None:
    """Transcriptions and translations of OpenAI's API."""
    client = bench.client
    data = (await client.get(await link_of(client, spoken))).content
    for path, form, part in (
        ("transcriptions", "verbose_json", '"segments"'),
        ("transcriptions", "srt", " --> "),
        ("translations", "text", "train"),
    ):
        written = await client.upload(data, "a.wav", f"/v1/audio/{path}", **EAR, response_format=form)
        expect(part in written.text, f"the answer as {form} is none")


def _words(text: str) -> set[str]:
    return set(text.lower().replace(".", " ").replace(",", " ").split())
