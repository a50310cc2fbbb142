"""A transcription as server-sent events: its text word by word, or each speaker's segment, then the whole."""

from __future__ import annotations

from opperlite.api.openai.schemas import SpeakerSegment, TextDelta, TextDone, TranscriptTokens
from opperlite.api.replies import event
from opperlite.domain.errors import NotSupported
from opperlite.domain.models import Model
from opperlite.domain.types import Transcript

DONE = b"data: [DONE]\n\n"
_DELTA = "transcript.text.delta"
_AUDIO_TOKENS = 10  # a second of sound: published rates of the transcription models, estimated


def check_streams(model: Model) -> None:
    """Raises NotSupported for a model that does not stream its transcriptions."""
    published = model.spec.params.stt
    if published is None or not published.stream:
        raise NotSupported(f"{model.id} does not stream its transcriptions; leave stream out", field="stream")


def transcript_events(said: Transcript, by_speaker: bool) -> list[bytes]:
    """`transcript.text.delta` for each word, or for each speaker's segment with the segment itself; then `….done`."""
    events: list[bytes] = []
    if by_speaker:
        for one in speakers_of(said):
            events += [event(TextDelta(one.text, _DELTA, one.id), _DELTA), event(one, one.type)]
    else:
        words = said.text.split(" ")
        events += [
            event(TextDelta(word if index == 0 else f" {word}", _DELTA), _DELTA) for index, word in enumerate(words)
        ]
    heard, written = round(said.duration * _AUDIO_TOKENS), -(-len(said.text) // 4)
    done = TextDone(said.text, TranscriptTokens(heard, written, heard + written))
    return [*events, event(done, done.type)]


def speakers_of(said: Transcript) -> list[SpeakerSegment]:
    """The segments with their speakers, as OpenAI's packages read them."""
    return [
        SpeakerSegment(
            id=f"seg_{index:03}",
            start=round(one.start, 3),
            end=round(one.end, 3),
            speaker=one.speaker or "A",
            text=one.text,
        )
        for index, one in enumerate(said.segments)
    ]
