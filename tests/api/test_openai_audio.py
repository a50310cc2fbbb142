"""`/v1/audio`: speech as bytes and events, transcriptions in every form."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opperlite.api.openai.bodies import nested
from opperlite.api.openai.languages import language_name
from opperlite.api.openai.subtitles import srt, vtt
from opperlite.domain.types import Segment, TranscriptionPlan
from tests.api.conftest import World
from tests.api.openai import decoded, events, problem
from tests.fakes import png, sound

TTS = {"model": "gpt-4o-mini-tts", "input": "Hello there.", "voice": "alloy"}


async def written(client: httpx.AsyncClient, path: str = "transcriptions", **fields: Any) -> httpx.Response:
    given = {"model": "whisper-1"} | fields
    return await client.post(f"/v1/audio/{path}", data=given, files={"file": ("a.wav", sound())})


@pytest.mark.parametrize(
    ("form", "mime_type"),
    [
        (None, "audio/mpeg"),
        ("mp3", "audio/mpeg"),
        ("wav", "audio/wav"),
        ("flac", "audio/flac"),
        ("aac", "audio/aac"),
        ("pcm", "audio/pcm"),
    ],
)
async def test_speech_is_the_audio_itself(world: World, form: str | None, mime_type: str) -> None:
    asked = TTS | ({} if form is None else {"response_format": form})
    reply = await world.client.post("/v1/audio/speech", json=asked)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == mime_type
    assert reply.content
    assert (await world.client.get("/v1/files")).json()["total"] == 0


async def test_streamed_speech_is_the_same_audio(world: World) -> None:
    whole = (await world.client.post("/v1/audio/speech", json=TTS)).content
    told = events(await world.client.post("/v1/audio/speech", json=TTS | {"stream_format": "sse"}))
    assert b"".join(decoded(event["audio"]) for event in told[:-1]) == whole
    assert told[-1]["type"] == "speech.audio.done"
    assert set(told[-1]["usage"]) == {"input_tokens", "output_tokens", "total_tokens"}
    assert (await world.client.post("/v1/audio/speech", json=TTS | {"stream_format": "audio"})).content == whole


@pytest.mark.parametrize(
    ("members", "status", "param"),
    [
        ({"input": ""}, 400, "input"),
        ({"input": "x" * 4097}, 400, "input"),
        ({"voice": None}, 400, "voice"),
        ({"voice": "nobody"}, 400, "voice"),
        ({"response_format": "midi"}, 400, "response_format"),
        ({"speed": 5}, 400, "speed"),
        ({"stream_format": "video"}, 400, "stream_format"),
        ({"model": "tts-1", "stream_format": "sse"}, 400, "stream_format"),
        ({"model": "tts-1", "instructions": "calm"}, 400, "instructions"),
        ({"model": "whisper-1"}, 400, "model"),
        ({"model": "none"}, 404, "model"),
    ],
)
async def test_bad_speech_is_told_by_name(world: World, members: dict[str, Any], status: int, param: str) -> None:
    reply = await world.client.post("/v1/audio/speech", json=TTS | members)
    assert reply.status_code == status, reply.text
    assert reply.json()["error"]["param"] == param


async def test_every_form_of_a_transcription(world: World) -> None:
    assert (await written(world.client)).json() == {"text": "heard", "usage": {"type": "duration", "seconds": 0.25}}
    text = await written(world.client, response_format="text")
    assert (text.text, text.headers["content-type"]) == ("heard\n", "text/plain; charset=utf-8")
    assert (await written(world.client, response_format="srt")).text == "1\n00:00:00,000 --> 00:00:00,250\nheard\n"
    assert (await written(world.client, response_format="vtt")).text == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:00.250\nheard\n"
    )
    verbose = (await written(world.client, response_format="verbose_json")).json()
    assert (verbose["task"], verbose["language"], verbose["duration"]) == ("transcribe", "english", 0.25)
    assert [segment["text"] for segment in verbose["segments"]] == ["heard"]
    assert "words" not in verbose
    both = {"timestamp_granularities[]": ["word", "segment"]}
    wordy = (await written(world.client, response_format="verbose_json", **both)).json()
    assert wordy["words"] == [{"word": "heard", "start": 0.0, "end": 0.25}]
    assert "segments" in wordy


async def test_speakers_take_the_names_that_are_known(world: World) -> None:
    asked = {"model": "gpt-4o-transcribe-diarize", "response_format": "diarized_json", "chunking_strategy": "auto"}
    told = (await written(world.client, **asked)).json()
    assert told["segments"] == [
        {"type": "transcript.text.segment", "id": "seg_000", "start": 0.0, "end": 0.25, "speaker": "A", "text": "heard"}
    ]
    named = (await written(world.client, **asked, **{"known_speaker_names[]": ["Ada"]})).json()
    assert named["segments"][0]["speaker"] == "Ada"
    streamed = events(await written(world.client, **asked, stream="true"))
    assert [event["type"] for event in streamed] == [
        "transcript.text.delta",
        "transcript.text.segment",
        "transcript.text.done",
    ]


async def test_a_streamed_transcription(world: World) -> None:
    told = events(await written(world.client, model="gpt-4o-mini-transcribe", stream="true"))
    assert [event["type"] for event in told] == ["transcript.text.delta", "transcript.text.done"]
    assert told[-1]["usage"]["type"] == "tokens"


async def test_members_reach_the_model(world: World) -> None:
    await written(world.client, language="en", prompt="foxes", temperature="0.5")
    plan = world.provider.asked[-1]
    assert isinstance(plan, TranscriptionPlan)
    assert (plan.language, plan.prompt, plan.parameters["temperature"]) == ("en", "foxes", 0.5)


async def test_only_models_that_translate_are_asked_to(world: World) -> None:
    for model in ("gpt-4o-transcribe", "gpt-4o-transcribe-diarize", "gpt-transcribe"):
        problem(await written(world.client, "translations", model=model), 400, "invalid_request_error", "model")
    assert (await written(world.client, "translations", model="local/transcribe")).status_code == 200


async def test_a_file_of_another_kind_is_named_as_it_was_sent(world: World) -> None:
    reply = await world.client.post(
        "/v1/audio/transcriptions", data={"model": "whisper-1"}, files={"file": ("a.wav", png())}
    )
    problem(reply, 400, "invalid_request_error", "file")


async def test_every_reply_with_what_was_made_names_the_engine(world: World) -> None:
    asked = [
        world.client.post("/v1/audio/speech", json=TTS),
        world.client.post("/v1/audio/speech", json=TTS | {"stream_format": "sse"}),
        *(written(world.client, response_format=form) for form in ("json", "text", "srt", "vtt", "verbose_json")),
        written(world.client, model="gpt-4o-transcribe", stream="true"),
        *(
            world.client.post("/v1/images/generations", json={"model": "local/image", "prompt": "x", "stream": stream})
            for stream in (False, True)
        ),
        world.client.post("/v1/videos", json={"prompt": "x"}),
        world.client.post("/v3/call", json={"name": "x", "input": "x", "model": "local/image"}),
        world.client.post("/v3/functions/tts/stream", json={"input": "x"}),
    ]
    for one in asked:
        reply = await one
        assert reply.status_code == 200, reply.text
        assert reply.headers["x-opperlite-engine"] == "quick"


async def test_translations_are_of_english_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    verbose = (await written(world.client, "translations", response_format="verbose_json")).json()
    assert (verbose["task"], verbose["text"]) == ("translate", "heard")
    from msgspec.structs import replace

    hear = world.provider.transcribe

    async def german(*asked: Any) -> Any:
        return replace(await hear(*asked), language="de")

    monkeypatch.setattr(world.provider, "transcribe", german)
    error = problem(await written(world.client, "translations"), 400, "invalid_request_error", "file")
    assert "german" in error["message"]


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"response_format": "xml"}, 400, "response_format"),
        ({"response_format": "diarized_json"}, 400, "response_format"),
        ({"model": "gpt-4o-transcribe", "response_format": "srt"}, 400, "response_format"),
        ({"stream": "true"}, 400, "stream"),
        ({"stream": "maybe"}, 400, "stream"),
        ({"temperature": "hot"}, 400, "temperature"),
        ({"temperature": "2"}, 400, "temperature"),
        ({"timestamp_granularities[]": "word"}, 400, "response_format"),
        ({"timestamp_granularities[]": "letter"}, 400, "timestamp_granularities[0]"),
        ({"language": "klingon"}, 400, "language"),
        ({"model": "none"}, 404, "model"),
        ({"foo": "1"}, 400, "foo"),
        ({"include[]": "logprobs"}, 400, "include"),
        ({"languages[]": "en"}, 400, "languages"),
        ({"keywords[]": "fox"}, 400, "keywords"),
        ({"known_speaker_names[]": "Ada"}, 400, "known_speaker_names"),
        ({"model": "gpt-4o-transcribe-diarize", "prompt": "foxes"}, 400, "prompt"),
        ({"model": "gpt-4o-transcribe", "timestamp_granularities[]": "word"}, 400, "timestamp_granularities"),
    ],
)
async def test_bad_fields_are_told_by_name(world: World, fields: dict[str, Any], status: int, param: str) -> None:
    reply = await written(world.client, **fields)
    assert reply.status_code == status, reply.text
    assert reply.json()["error"]["param"] == param, reply.text
    assert world.remains() == []


async def test_text_without_end_is_refused(world: World) -> None:
    long = {"known_speaker_references[]": ["x" * 4_000_000] * 5}
    error = problem(await written(world.client, **long), 400, "invalid_request_error", "known_speaker_references[]")
    assert "too long" in error["message"]
    one = await written(world.client, prompt="x" * 5_000_000)
    problem(one, 400, "invalid_request_error", "prompt")
    assert world.remains() == []


async def test_a_recording_is_needed(world: World) -> None:
    client, path = world.client, "/v1/audio/transcriptions"
    problem(await client.post(path, json={"model": "whisper-1"}), 415, "invalid_request_error", "Content-Type")
    nothing = {"model": (None, "whisper-1")}
    problem(await client.post(path, files=nothing), 400, "invalid_request_error", "file")
    text = {"model": (None, "whisper-1"), "file": (None, "text")}
    problem(await client.post(path, files=text), 400, "invalid_request_error", "file")
    for data in (b"", b"no sound"):
        wrong = {"model": (None, "whisper-1"), "file": ("a.wav", data)}
        problem(await client.post(path, files=wrong), 400, "invalid_request_error")
    assert world.remains() == []


# ---------------------------------------------------------------------------------------------- subtitles

SEGMENTS = st.lists(
    st.builds(
        lambda start, length, text: Segment(start, start + length, text),
        st.floats(0, 400_000),
        st.floats(0, 4000),
        st.text(),
    ),
    max_size=5,
)


@given(SEGMENTS)
def test_subtitles_have_a_cue_for_each_segment(segments: list[Segment]) -> None:
    time = r"\d{2,}:[0-5]\d:[0-5]\d[,.]\d{3}"
    for text in (srt(segments), vtt(segments)):
        assert len(re.findall(rf"^{time} --> {time}$", text, re.MULTILINE)) == len(segments)
        assert text.count("-->") == len(segments)


def test_languages_have_names() -> None:
    assert [language_name(code) for code in ("en", "en-us", "zh", "ht", "xx")] == [
        "english",
        "english",
        "chinese",
        "haitian creole",
        "xx",
    ]


# -------------------------------------------------------------------------------------------------- forms


def test_brackets_are_members_and_lists() -> None:
    fields = [("a", "1"), ("b[]", "2"), ("b[]", "3"), ("c[d]", "4"), ("c[e][f]", "5"), ("a", "6")]
    assert nested(fields) == {"a": "6", "b": ["2", "3"], "c": {"d": "4", "e": {"f": "5"}}}


@given(st.lists(st.tuples(st.text("ab[]", max_size=8), st.text(max_size=3)), max_size=6))
def test_any_field_names_are_read(fields: list[tuple[str, str]]) -> None:
    assert isinstance(nested(fields), dict)
