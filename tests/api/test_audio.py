"""`/v3/audio/speech` and `/v3/audio/transcriptions`."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from opperlite.domain.types import Policy, SpeechPlan, Transcript, TranscriptionPlan
from tests.api.conftest import IN_SESSION, World, error_of, world_of
from tests.api.openai import events
from tests.api.test_images import data_uri
from tests.fakes import mp4, png, sound

SPEECH: dict[str, Any] = {"model": "openai/tts-1", "input": "Hello from Opper."}


def wav(size: int) -> bytes:
    """A recording of exactly so many bytes."""
    data = sound("wav")
    return data + bytes(size - len(data))


async def speak(world: World, **members: Any) -> dict[str, Any]:
    reply = await world.client.post("/v3/audio/speech", json=SPEECH | members)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def transcribe(world: World, audio: str, **members: Any) -> dict[str, Any]:
    body = {"model": "openai/whisper-1", "audio": audio} | members
    reply = await world.client.post("/v3/audio/transcriptions", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


# ------------------------------------------------------------------------------------------------- speech


async def test_speech_comes_inline_and_as_a_file(world: World) -> None:
    made = await speak(world)
    assert made["id"].startswith("spch_")
    assert (made["model"], made["created"]) == ("openai/tts-1", 1_790_000_000)
    assert made["usage"]["characters"] == 17
    assert made["usage"]["cost"] > 0
    audio = made["audio"]
    assert set(audio) == {"b64_json", "mime_type", "file_id", "url"}
    assert audio["mime_type"] == "audio/mpeg"
    async with world.client_of(None) as anyone:
        assert (await anyone.get(audio["url"])).content == b64decode(audio["b64_json"])
    file = (await world.client.get(f"/v3/files/{audio['file_id']}")).json()
    assert file["filename"].endswith(".mp3")
    assert file["expires_at"] == "2026-09-22T14:13:20.000Z"


@pytest.mark.parametrize("kind", ["mp3", "wav", "opus", "aac", "flac", "pcm"])
async def test_every_format_is_made(world: World, kind: str) -> None:
    audio = (await speak(world, format=kind))["audio"]
    assert audio["mime_type"].startswith("audio/")
    assert b64decode(audio["b64_json"]).startswith(sound(kind)[:16])
    plan = world.provider.asked[0]
    assert isinstance(plan, SpeechPlan)
    assert plan.format == kind


async def test_nothing_is_stored_when_that_is_asked(world: World) -> None:
    assert set((await speak(world, store=False))["audio"]) == {"b64_json", "mime_type"}
    assert world.remains() == []


async def test_characters_are_code_points(world: World) -> None:
    for text, count in (("é", 1), ("e\u0301", 2), ("🫖🫖", 2), ("👩‍🚀", 3), ("a\u0000b", 3)):
        assert (await speak(world, input=text))["usage"]["characters"] == count


async def test_what_is_not_given_is_the_models_default(world: World) -> None:
    await speak(world, voice="", format=None, speed=None, parameters=None, store=None)
    plan = world.provider.asked[0]
    assert isinstance(plan, SpeechPlan)
    assert (plan.voice, plan.format, plan.speed) == ("alloy", "mp3", 1.0)
    for speed in (0.25, 4, 1):
        await speak(world, speed=speed)


async def test_speech_that_cannot_be_stored_is_inline_with_a_warning(tmp_path: Path) -> None:
    for name, settings, reason in (
        ("quota", {"quota_bytes": 10}, "quota_exceeded"),
        ("zdr", {"zero_data_retention": True}, "zero_data_retention"),
    ):
        async with world_of(tmp_path / name, **settings) as world:
            made = await speak(world)
            assert set(made["audio"]) == {"b64_json", "mime_type"}
            (warning,) = made["warnings"]
            assert (warning["code"], warning["details"]) == ("storage_skipped", {"reason": reason, "index": 0})
            assert world.remains() == []


@pytest.mark.parametrize(
    ("members", "code", "field"),
    [
        ({"model": None}, "validation_error", "model"),
        ({"input": None}, "validation_error", "input"),
        ({"input": ""}, "validation_error", "input"),
        ({"input": 5}, "validation_error", "input"),
        ({"input": "x" * 4097}, None, "input"),
        ({"voice": "nobody"}, None, "voice"),
        ({"voice": "x" * 200}, "validation_error", "voice"),
        ({"format": "ogg"}, "validation_error", "format"),
        ({"format": ""}, "validation_error", "format"),
        ({"speed": 0.24}, "validation_error", "speed"),
        ({"speed": 4.01}, "validation_error", "speed"),
        ({"speed": "1"}, "validation_error", "speed"),
        ({"speed": True}, "validation_error", "speed"),
        ({"store": 0}, "validation_error", "store"),
        ({"parameters": {"nonsense": 1}}, "provider_error", "parameters.nonsense"),
        ({"model": "openai/tts-9"}, "model_not_found", "model"),
        ({"model": "openai/whisper-1"}, "validation_error", "model"),
    ],
)
@IN_SESSION
async def test_speech_that_cannot_be_made_is_refused(
    refusing: World, members: dict[str, Any], code: str | None, field: str
) -> None:
    reply = await refusing.client.post("/v3/audio/speech", json=SPEECH | members)
    assert reply.status_code == 400, reply.text
    error = reply.json()["error"]
    assert code in (None, error["code"])
    assert error["details"]["field"] == field


async def test_the_longest_input_is_taken(world: World) -> None:
    assert (await speak(world, input="é" * 4096))["usage"]["characters"] == 4096


# ------------------------------------------------------------------------------------------ transcriptions


async def test_a_recording_is_written_down(world: World) -> None:
    made = await transcribe(world, data_uri(sound("wav"), "audio/wav"))
    assert made["id"].startswith("trsc_")
    assert {name: made[name] for name in ("model", "created", "text", "duration", "language")} == {
        "model": "openai/whisper-1",
        "created": 1_790_000_000,
        "text": "heard",
        "duration": 0.25,
        "language": "en",
    }
    assert made["segments"] == [{"start": 0.0, "end": 0.25, "text": "heard"}]
    assert made["words"] == [{"word": "heard", "start": 0.0, "end": 0.25}]
    assert made["usage"]["seconds"] == 0.25
    assert world.remains() == []
    assert (await world.client.get("/v3/files")).json()["meta"]["total"] == 0


async def test_sources_come_as_file_data_and_url(world: World) -> None:
    file = await world.upload(sound("mp3"), "a.mp3")
    world.fetcher.pages["https://sounds.example/a.flac"] = sound("flac")
    for audio in (file["id"], data_uri(sound("opus"), "audio/ogg"), "https://sounds.example/a.flac"):
        assert (await transcribe(world, audio))["text"] == "heard"


async def test_what_was_said_here_is_known_word_for_word(world: World) -> None:
    made = await speak(world, input="Hello, world!")
    for audio in (made["audio"]["file_id"], made["audio"]["url"], "data:;base64," + made["audio"]["b64_json"]):
        reply = await world.client.post("/v3/audio/transcriptions", json={"model": "openai/whisper-1", "audio": audio})
        assert reply.json()["text"] == "Hello, world!"
        assert reply.headers["x-opperlite-recognizer"] == "record"
    reply = await world.client.post(
        "/v3/audio/transcriptions",
        json={"model": "openai/whisper-1", "audio": data_uri(sound("wav"), "audio/wav")},
    )
    assert reply.headers["x-opperlite-recognizer"] == "acoustic"


async def test_listening_alone_may_be_asked_for(tmp_path: Path) -> None:
    async with world_of(tmp_path, recognizer="acoustic") as world:
        made = await speak(world)
        assert (await transcribe(world, made["audio"]["file_id"]))["text"] == "heard"


async def test_a_model_of_the_users_own_is_told_of(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def by_model(plan: object, audio: Path) -> Transcript:
        return Transcript("heard", "en", 0.25, by_model=True)

    monkeypatch.setattr(world.provider, "transcribe", by_model)
    audio = (await speak(world, input="Hello, world!"))["audio"]["file_id"]
    for parameters, used in (({}, "record"), ({"recognizer": "acoustic"}, "model")):
        body = {"model": "openai/whisper-1", "audio": audio, "parameters": parameters}
        reply = await world.client.post("/v3/audio/transcriptions", json=body)
        assert reply.headers["x-opperlite-recognizer"] == used


async def test_speakers_are_told_where_the_model_can(world: World) -> None:
    made = await transcribe(
        world,
        data_uri(sound("wav"), "audio/wav"),
        model="berget/NbAiLab/nb-whisper-large",
        diarize=True,
        language="no",
    )
    assert made["segments"][0]["speaker"]
    plan = world.provider.asked[0]
    assert isinstance(plan, TranscriptionPlan)
    assert plan.diarize


@pytest.mark.parametrize(
    ("members", "code", "field"),
    [
        ({"model": None}, "validation_error", "model"),
        ({"audio": None}, "validation_error", "audio"),
        ({"audio": ""}, "validation_error", "audio"),
        ({"audio": "nonsense"}, "validation_error", "audio"),
        ({"audio": "data:audio/wav;base64,%%%"}, "validation_error", "audio"),
        ({"audio": "file_unknown"}, "file_not_found", "audio"),
        ({"audio": "http://[::1"}, "invalid_source", "audio"),
        ({"audio": data_uri(b"hello")}, "unsupported_media_type", "audio"),
        ({"audio": data_uri(png())}, None, "audio"),
        ({"audio": data_uri(mp4(), "audio/mp4")}, None, "audio"),
        ({"diarize": True}, None, "diarize"),
        ({"diarize": "yes"}, "validation_error", "diarize"),
        ({"stream": True}, "not_supported", "stream"),
        ({"language": "x" * 40}, "validation_error", "language"),
        ({"model": "openai/tts-1"}, "validation_error", "model"),
        ({"model": "openai/whisper-9"}, "model_not_found", "model"),
    ],
)
@IN_SESSION
async def test_what_cannot_be_heard_is_refused(
    refusing: World, members: dict[str, Any], code: str | None, field: str
) -> None:
    body = {"model": "openai/whisper-1", "audio": data_uri(sound("wav"), "audio/wav")} | members
    reply = await refusing.client.post("/v3/audio/transcriptions", json=body)
    assert reply.status_code == 400, reply.text
    error = reply.json()["error"]
    assert code in (None, error["code"])
    assert error["details"]["field"] == field


async def test_a_transcription_comes_as_a_stream_where_the_model_can(world: World) -> None:
    body = {"model": "openai/gpt-4o-transcribe", "audio": data_uri(sound("wav"), "audio/wav"), "stream": True}
    reply = await world.client.post("/v3/audio/transcriptions", json=body)
    told = events(reply)
    assert [event["type"] for event in told] == ["transcript.text.delta", "transcript.text.done"]
    assert told[-1]["text"] == "heard" == "".join(event["delta"] for event in told[:-1])
    assert reply.text.endswith("data: [DONE]\n\n")
    assert reply.headers["x-opperlite-engine"] == "quick"
    assert reply.headers["x-opperlite-recognizer"] == "acoustic"

    body |= {"model": "mistral/voxtral-mini-2602", "diarize": True}
    kinds = [event["type"] for event in events(await world.client.post("/v3/audio/transcriptions", json=body))]
    assert kinds == ["transcript.text.delta", "transcript.text.segment", "transcript.text.done"]


async def test_the_size_of_a_recording_is_limited_in_every_form(tmp_path: Path) -> None:
    assert Policy().max_audio_size == 26_214_400
    limit = 30_000
    async with world_of(tmp_path, policy={"max_audio_size": limit}) as world:
        world.fetcher.pages |= {"http://a.test/fits.wav": wav(limit), "http://a.test/large.wav": wav(limit + 1)}
        for size, path in ((limit, "fits.wav"), (limit + 1, "large.wav")):
            file = await world.upload(wav(size), "a.wav")
            for audio in (file["id"], data_uri(wav(size), "audio/wav"), f"http://a.test/{path}"):
                body = {"model": "openai/whisper-1", "audio": audio}
                reply = await world.client.post("/v3/audio/transcriptions", json=body)
                if size > limit:
                    error_of(reply, 413, "payload_too_large", "audio")
                else:
                    assert reply.status_code == 200


async def test_a_form_is_not_json(world: World) -> None:
    """What an OpenAI client sends to this path."""
    reply = await world.client.post("/v3/audio/transcriptions", files={"file": ("a.wav", sound("wav"))})
    error_of(reply, 415, "unsupported_media_type", "Content-Type")
