"""`/v3/audio`: speech and transcriptions."""

from __future__ import annotations

from base64 import b64encode

from opperlite.api.calls import Call
from opperlite.api.replies import Reply
from opperlite.api.schemas import (
    Audio,
    Segment,
    SpeechReply,
    SpeechRequest,
    SpeechUsage,
    TranscriptionReply,
    TranscriptionRequest,
    TranscriptionUsage,
    Word,
    warnings_of,
)
from opperlite.api.transcript_events import DONE, check_streams, transcript_events
from opperlite.domain import audio, types
from opperlite.domain.files import Files
from opperlite.domain.sources import parse

RECOGNIZER_HEADER = "X-Opperlite-Recognizer"


async def speak(call: Call) -> Reply:
    """Speak a text."""

    async def run() -> Reply:
        wire = await call.json(SpeechRequest)
        request = types.SpeechRequest(
            model=wire.model,
            input=wire.input,
            voice=wire.voice or None,
            format=wire.format,
            speed=wire.speed,
            parameters=wire.parameters or {},
        )
        work = call.services.audio.speak(call.project, request, store=wire.store)
        return call.made(speech_of(await call.while_connected(work), call.services.files, call.base))

    return await call.once(call.body_fingerprint, run)


async def transcribe(call: Call) -> Reply:
    """Write down what a recording says, as a stream where that is asked for and the model can."""

    async def run() -> Reply:
        wire = await call.json(TranscriptionRequest)
        if wire.stream:
            check_streams(call.services.catalog.find(wire.model, "stt"))
        request = types.TranscriptionRequest(
            model=wire.model,
            audio=parse(wire.audio, "audio"),
            language=wire.language or None,
            prompt=wire.prompt or None,
            diarize=bool(wire.diarize),
            parameters=wire.parameters or {},
        )
        made = await call.while_connected(call.services.audio.transcribe(call.project, request))
        if wire.stream:
            events = transcript_events(made.transcript, by_speaker=bool(wire.diarize))
            return call.made_events([*events, DONE], {RECOGNIZER_HEADER: made.recognizer})
        return call.made(transcription_of(made), headers={RECOGNIZER_HEADER: made.recognizer})

    return await call.once(call.body_fingerprint, run)


def speech_of(made: audio.Speech, files: Files, base: str) -> SpeechReply:
    """The speech for the wire."""
    output = made.output
    return SpeechReply(
        id=made.id,
        model=made.model,
        created=int(made.created),
        audio=Audio(
            b64_json=b64encode(output.data or b"").decode(),
            mime_type=output.media.mime_type,
            file_id=output.file.id if output.file else None,
            url=files.link(base, output.file.id) if output.file else None,
        ),
        usage=SpeechUsage(made.cost, made.characters),
        warnings=warnings_of(made.warnings),
    )


def transcription_of(made: audio.Transcription) -> TranscriptionReply:
    """The transcription for the wire."""
    said = made.transcript
    return TranscriptionReply(
        id=made.id,
        model=made.model,
        created=int(made.created),
        text=said.text,
        usage=TranscriptionUsage(made.cost, round(said.duration, 3)),
        duration=round(said.duration, 3),
        language=said.language,
        segments=[Segment(round(s.start, 3), round(s.end, 3), s.text, s.speaker) for s in said.segments],
        words=[Word(w.word, round(w.start, 3), round(w.end, 3)) for w in said.words],
        warnings=warnings_of(made.warnings),
    )
