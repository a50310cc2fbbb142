"""`/v1/audio`: speech as bytes or as a stream, transcriptions and translations in every form."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from opperlite.api.audio import RECOGNIZER_HEADER
from opperlite.api.calls import ENGINE_HEADER, Call, naming
from opperlite.api.openai.bodies import Body
from opperlite.api.openai.languages import language_name
from opperlite.api.openai.schemas import (
    CreateSpeech,
    CreateTranscription,
    DiarizedTranscription,
    DurationUsage,
    SpeechDelta,
    SpeechDone,
    SpokenWord,
    TokenUsage,
    TranscriptionText,
    VerboseSegment,
    VerboseTranscription,
)
from opperlite.api.openai.subtitles import srt, vtt
from opperlite.api.replies import Reply, event, json_reply
from opperlite.api.transcript_events import check_streams, speakers_of, transcript_events
from opperlite.domain import types
from opperlite.domain.errors import NotSupported, ValidationFailed
from opperlite.domain.models import Model
from opperlite.domain.types import Transcript

_PIECE = 1 << 15
_PLAIN = "text/plain; charset=utf-8"
_AUDIO_TOKENS = 10  # a second of sound: published rates of the transcription models, estimated


# ----------------------------------------------------------------------------------------------- speech


async def speak(call: Call) -> Reply:
    """Speak a text: the audio itself, or its pieces as a stream."""
    async with AsyncExitStack() as stack:
        body = Body(call, stack)

        async def run() -> Reply:
            wire = await body.read(CreateSpeech)
            model = call.services.catalog.find(wire.model, "tts")
            request = speech_of(model, wire, body.rest(CreateSpeech))
            made = await call.while_connected(call.services.audio.speak(call.project, request, store=False))
            data, media = made.output.data or b"", made.output.media
            if wire.stream_format == "sse":
                pieces = await asyncio.to_thread(_pieces, data, made.characters, media.duration or 0.0)
                return call.made_events(pieces)
            return call.made_bytes(data, media.mime_type)

        return await call.once(body.fingerprint, run)


def speech_of(model: Model, wire: CreateSpeech, rest: dict[str, Any]) -> types.SpeechRequest:
    """The domain's request. What the model itself takes goes to it as it is, the rest is bridged."""
    known = model.spec.parameters
    given: dict[str, Any] = {
        name: value
        for name in ("voice", "response_format", "speed", "instructions")
        if (value := getattr(wire, name)) is not None
    }
    if "stream_format" in known and wire.stream_format not in (None, *(known["stream_format"].enum or ())):
        given["stream_format"] = wire.stream_format  # which the model's own rules refuse; else it changes no sound
    normal = {
        ours: given.pop(name)
        for ours, name in (("voice", "voice"), ("format", "response_format"), ("speed", "speed"))
        if name in given and name not in known
    }
    if isinstance(normal.get("voice"), dict):
        raise ValidationFailed(f"{model.id} takes a voice by its name", field="voice")
    return types.SpeechRequest(model=wire.model, input=wire.input, parameters={**rest, **given}, **normal)


def _pieces(data: bytes, characters: int, seconds: float) -> list[bytes]:
    pieces = [
        event(SpeechDelta(b64encode(data[place : place + _PIECE]).decode())) for place in range(0, len(data), _PIECE)
    ]
    read, spoken = -(-characters // 4), round(seconds * _AUDIO_TOKENS)
    return [*pieces, event(SpeechDone(TokenUsage(read, spoken, read + spoken)))]


# --------------------------------------------------------------------------------------- transcriptions


async def transcribe(call: Call) -> Reply:
    """Write down what a recording says, in the asked form or as a stream."""
    return await _written(call, "transcribe")


async def translate(call: Call) -> Reply:
    """Write down English speech; this server does not translate other languages."""
    return await _written(call, "translate")


async def _written(call: Call, task: str) -> Reply:
    async with AsyncExitStack() as stack:
        body = Body(call, stack, ("file",), json=False)

        async def run() -> Reply:
            wire = await body.read(CreateTranscription)
            if not body.files.get("file"):
                raise ValidationFailed("Missing required parameter: 'file', a file part with a name", field="file")
            model = call.services.catalog.find(wire.model, "stt")
            form = _form(model, wire, task)
            request = transcription_of(model, wire, body, form)
            with naming({"audio": "file"}):
                made = await call.while_connected(call.services.audio.transcribe(call.project, request))
            # Ears know the voices by their samples; a record knows no voices but the order in which they spoke.
            heard = wire.known_speaker_references and made.recognizer != "record"
            said = named(made.transcript, [] if heard else wire.known_speaker_names or [])
            if task == "translate" and not said.language.startswith("en"):
                raise NotSupported(
                    f"The recording is in {language_name(said.language)}, and this server does not translate; "
                    "send it to /v1/audio/transcriptions",
                    field="file",
                )
            headers = {RECOGNIZER_HEADER: made.recognizer}
            if wire.stream:
                return call.made_events(transcript_events(said, form == "diarized_json"), headers)
            reply = _FORMS[form](said, wire, task)
            reply.headers = {ENGINE_HEADER: call.services.engine, **headers}
            return reply

        return await call.once(body.fingerprint, run)


def _form(model: Model, wire: CreateTranscription, task: str) -> str:
    """The asked response format, as far as it is ours to judge; raises ValidationFailed, NotSupported."""
    if task == "translate" and not model.spec.output.translates:
        raise ValidationFailed(
            f"{model.id} does not translate; send the file to /v1/audio/transcriptions", field="model"
        )
    form = wire.response_format or "json"
    allowed = [name for name in _FORMS if task == "transcribe" or name != "diarized_json"]
    if form not in allowed:
        raise ValidationFailed(
            f"Invalid value: {form[:40]!r}. Supported values are: {', '.join(allowed)}.",
            field="response_format",
            allowed=allowed,
        )
    if wire.stream and task == "translate":
        raise NotSupported("Translations are not streamed; leave stream out", field="stream")
    if wire.stream:
        check_streams(model)
    return form


def transcription_of(model: Model, wire: CreateTranscription, body: Body, form: str) -> types.TranscriptionRequest:
    """The domain's request. What the model itself takes goes to it as it is, the rest is bridged."""
    known = model.spec.parameters
    members = {name: getattr(wire, name) for name in CreateTranscription.__struct_fields__ if name != "model"}
    given = {name: value for name, value in members.items() if value is not None}
    normal: dict[str, Any] = {}
    native = "response_format" in known  # then all that is sent is for its rules
    if native:
        given |= {name: value for name, value in body.members.items() if name not in (*members, "model")}
        given["response_format"] = form
    else:
        normal = {name: members[name] for name in ("language", "prompt") if members[name] and name not in known}
        given = {name: value for name, value in given.items() if name in known}
    return types.TranscriptionRequest(
        model=wire.model,
        audio=body.files["file"][0],
        diarize=form == "diarized_json" and not native,
        parameters=given,
        **normal,
    )


def named(said: Transcript, names: list[str]) -> Transcript:
    """The transcript with the names of known speakers, given to the voices in the order in which they speak."""
    if not names:
        return said
    heard = list(dict.fromkeys(part.speaker for part in said.segments if part.speaker))
    known = dict(zip(heard, names, strict=False))
    return types.Transcript(
        said.text,
        said.language,
        said.duration,
        tuple(
            types.Segment(part.start, part.end, part.text, known.get(part.speaker or "", part.speaker))
            for part in said.segments
        ),
        said.words,
    )


# ------------------------------------------------------------------------------------------------ forms


def _usage(said: Transcript) -> DurationUsage:
    return DurationUsage(round(said.duration, 3))


def _json(said: Transcript, wire: CreateTranscription, task: str) -> Reply:
    return json_reply(TranscriptionText(said.text, _usage(said)))


def _verbose(said: Transcript, wire: CreateTranscription, task: str) -> Reply:
    wanted = wire.timestamp_granularities or ["segment"]
    segments = [
        VerboseSegment(id=index, start=round(one.start, 3), end=round(one.end, 3), text=one.text)
        for index, one in enumerate(said.segments)
    ]
    words = [SpokenWord(one.word, round(one.start, 3), round(one.end, 3)) for one in said.words]
    return json_reply(
        VerboseTranscription(
            task=task,
            language=language_name(said.language),
            duration=round(said.duration, 3),
            text=said.text,
            segments=segments if "segment" in wanted else None,
            words=words if "word" in wanted else None,
            usage=_usage(said),
        )
    )


def _diarized(said: Transcript, wire: CreateTranscription, task: str) -> Reply:
    return json_reply(
        DiarizedTranscription(
            duration=round(said.duration, 3), text=said.text, segments=speakers_of(said), usage=_usage(said)
        )
    )


_FORMS: dict[str, Callable[[Transcript, CreateTranscription, str], Reply]] = {
    "json": _json,
    "text": lambda said, wire, task: Reply(200, f"{said.text}\n".encode(), _PLAIN),
    "srt": lambda said, wire, task: Reply(200, srt(said.segments).encode(), _PLAIN),
    "verbose_json": _verbose,
    "vtt": lambda said, wire, task: Reply(200, vtt(said.segments).encode(), _PLAIN),
    "diarized_json": _diarized,
}
