"""Speech to text by pocketsphinx and its English model, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from opperlite.engine.sound import diarization, ears, languages
from opperlite.engine.sound.speech import Word
from opperlite.engine.sound.stretches import RATE, Meter, Stretch, floating, stretches

LANGUAGE = "en"
"""The language of the model, and so of every transcript without a hint."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech between pauses: seconds, text, and the speaker's label when asked for."""

    start: float
    end: float
    text: str
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was heard: text, ISO 639-1 language, duration in seconds, segments and words with their times."""

    text: str
    language: str
    duration: float
    segments: tuple[Segment, ...]
    words: tuple[Word, ...]


def transcribe(
    path: Path | str,
    *,
    language: str | None = None,
    prompt: str | None = None,
    diarize: bool = False,
    voices: Mapping[str, Path] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Transcript:
    """Recognize the English speech in an audio file or the sound of a film.

    `language` is returned as given (as ISO 639-1 where known), else "en": the model knows no other. The words of
    `prompt` become likelier. `voices` are samples of people's voices by
    name, for `diarize`. `progress` is called with the seconds heard so far. Music and silence give an empty
    transcript. Raises BadMedia when the source has no sound that can be decoded.
    """
    listener = ears.prompted_ears(prompt) if prompt else ears.plain_ears()
    meter = Meter(path, progress)
    known = diarization.known_voices(voices or {}) if diarize else {}
    turns: list[tuple[Word, ...]] = []
    signatures: list[diarization.Signature | None] = []
    for stretch in ears.ahead(stretches(meter), listener):
        heard = listener.recognize(stretch)
        for turn in _turns(heard, _TURN_PAUSE if diarize else _SENTENCE_PAUSE):
            turns.append(turn)
            signatures.append(_signature(stretch, turn) if diarize else None)
    segments = _attributed(turns, diarization.speakers(signatures, known)) if diarize else map(_segment, turns)
    return _transcript(tuple(segments), turns, languages.normalize(language) or language or LANGUAGE, meter.seconds)


def _transcript(
    segments: tuple[Segment, ...], turns: Sequence[tuple[Word, ...]], language: str, seconds: float
) -> Transcript:
    text = " ".join(segment.text for segment in segments)
    return Transcript(text, language, round(seconds, 3), segments, tuple(chain.from_iterable(turns)))


_TURN_PAUSE = 0.18
"""Seconds between words at which a new speaker may begin."""

_SENTENCE_PAUSE = 0.25
"""Seconds between words at which a sentence is taken to end."""

_PAUSE = 0.5
"""Seconds of silence that end a speaker's segment."""


def _turns(words: tuple[Word, ...], pause: float) -> Iterator[tuple[Word, ...]]:
    """Split words where `pause` seconds or more lie between them."""
    if not words:
        return
    start = 0
    for index in range(1, len(words)):
        if words[index].start - words[index - 1].end >= pause:
            yield words[start:index]
            start = index
    yield words[start:]


def _signature(stretch: Stretch, turn: tuple[Word, ...]) -> diarization.Signature | None:
    first, last = (round((moment - stretch.start) * RATE) for moment in (turn[0].start, turn[-1].end))
    return diarization.signature(floating(stretch)[first:last], RATE)


def _attributed(turns: Sequence[tuple[Word, ...]], labels: Sequence[str]) -> Iterator[Segment]:
    """Yield a segment for each run of turns that one speaker takes without a longer pause."""
    run: tuple[Word, ...] = ()
    speaker = ""
    for turn, label in zip(turns, labels, strict=True):
        if run and (label != speaker or turn[0].start - run[-1].end > _PAUSE):
            yield _segment(run, speaker)
            run = ()
        run, speaker = run + turn, label
    if run:
        yield _segment(run, speaker)


def _segment(words: tuple[Word, ...], speaker: str | None = None) -> Segment:
    return Segment(words[0].start, words[-1].end, _sentence(words), speaker)


def _sentence(words: tuple[Word, ...]) -> str:
    text = " ".join(word.word for word in words)
    return f"{text[:1].upper()}{text[1:]}."
