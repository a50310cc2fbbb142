"""Text to speech: any text in any voice, with the time of every word."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from opperlite.engine.sound import audio, espeak, flite, languages, loudness, normalization, timbre, voices
from opperlite.engine.sound.normalization import Token

Samples = NDArray[np.float32]

RATE = 24_000
"""Sample rate of all speech, in Hz; that of OpenAI's speech."""

MIN_SPEED, MAX_SPEED = 0.25, 4.0

_EMPTY = 0.3
"""Seconds of silence that stand for a text with nothing to say."""

_WORDS_PER_MINUTE = 165
_TIMBRE_PITCH = {
    "adam": 101.6,
    "edward": 101.6,
    "klatt2": 102.6,
    "klatt4": 102.1,
    "Mike": 90.0,
    "f2": 196.9,
    "f3": 207.0,
    "f5": 203.0,
}
"""Mean pitch in Hz of espeak-ng's variants at its middle setting, measured on an English sentence."""

_PAUSES = {".": 0.38, ",": 0.14, "": 0.03}
"""Seconds of silence after a phrase, by what ends it."""

_PHRASE = 320
"""Characters after which a phrase ends at the next pause, or word."""

_QUIET = 0.012
"""Level, relative to the phrase's peak, under which its ends are trimmed and a word has ended."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word as written, with its start and end in seconds."""

    word: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Speech:
    """Spoken text: float32 mono samples, their rate, the words with times, the text that was read, its language."""

    samples: Samples
    rate: int
    words: tuple[Word, ...]
    text: str
    language: str


@dataclass(frozen=True, slots=True)
class _Phrase:
    tokens: tuple[Token, ...]
    language: str
    pause: str


@dataclass(frozen=True, slots=True)
class _Spoken:
    """Samples at `RATE` with the start and end of every token of a phrase."""

    samples: Samples
    times: tuple[tuple[float, float], ...]


def speak(
    text: str,
    *,
    voice: str,
    language: str | None = None,
    speed: float = 1.0,
    instructions: str | None = None,
    seed: int = 0,
) -> Speech:
    """Read `text` aloud in the voice of any name.

    `language` (a tag or name) overrides detection; `speed` from 0.25 to 4 changes the tempo and not the pitch;
    known words of `instructions` change the manner. Text with nothing to say gives a short silence.
    """
    if not MIN_SPEED <= speed <= MAX_SPEED:
        raise ValueError(f"speed is {speed!r}; allowed are {MIN_SPEED:g} to {MAX_SPEED:g}")
    chosen = voices.find(voice)
    cleaned = normalization.clean(text)
    home = languages.normalize(chosen.accent) or languages.DEFAULT
    code = languages.normalize(language) or languages.detect(cleaned, default=home)
    tokens = normalization.tokens(cleaned, code)
    written = "".join(f"{' ' if token.spaced and at else ''}{token.written}" for at, token in enumerate(tokens))
    manner = voices.manner(instructions)
    spoken, words = _perform(_phrases(tokens), chosen, manner, speed, seed)
    if not spoken.size:
        return Speech(np.zeros(round(RATE * _EMPTY), np.float32), RATE, (), written, code)
    if manner.whisper:
        spoken = timbre.whisper(spoken, RATE, seed)
    spoken = timbre.tilt(spoken, RATE, round(chosen.tilt + manner.tilt, 2))
    levelled = loudness.level(spoken, RATE, loudness.TARGET + manner.gain)
    return Speech(loudness.fade(levelled, RATE), RATE, words, written, code)


def _phrases(tokens: Sequence[Token]) -> Iterator[_Phrase]:
    """Group tokens of one language up to the end of a sentence; tokens without sound join any group."""
    group: list[Token] = []
    length = 0
    for token in tokens:
        previous = next((other for other in reversed(group) if other.spoken), None)
        if previous and token.spoken and token.language != previous.language:
            yield _Phrase(tuple(group), previous.language, "")
            group, length = [], 0
        group.append(token)
        length += len(token.spoken) + 1
        if token.pause == "." or (token.pause and length > _PHRASE) or length > 2 * _PHRASE:
            yield _Phrase(tuple(group), token.language, token.pause)
            group, length = [], 0
    if group:
        yield _Phrase(tuple(group), group[-1].language, ".")


def _perform(
    phrases: Iterator[_Phrase], voice: voices.Voice, manner: voices.Manner, speed: float, seed: int
) -> tuple[Samples, tuple[Word, ...]]:
    """Speak phrases one after another and set their words on one time line."""
    pieces: list[Samples] = []
    words: list[Word] = []
    clock, gap = 0.0, 0.0
    tempo = voice.tempo * manner.tempo * speed
    adjusted = replace(voice, pitch=voice.pitch * manner.pitch, range=voice.range * manner.range, tempo=tempo)
    with ExitStack() as stack:
        session: espeak.Synthesizer | None = None
        for phrase in phrases:
            if not any(token.spoken for token in phrase.tokens):
                words.extend(Word(token.written, clock, clock) for token in phrase.tokens)
                continue
            if phrase.language == "en" and flite.available(voice.recording):
                spoken = _by_flite(phrase, adjusted, seed)
            else:
                session = session or stack.enter_context(espeak.session(seed))
                spoken = _by_espeak(phrase, adjusted, session)
            silence = np.zeros(round(RATE * gap), np.float32)
            pieces.extend((silence, spoken.samples))
            clock += len(silence) / RATE
            words.extend(
                Word(token.written, round(clock + start, 3), round(clock + end, 3))
                for token, (start, end) in zip(phrase.tokens, spoken.times, strict=True)
            )
            clock += len(spoken.samples) / RATE
            gap = _PAUSES[phrase.pause] * manner.pauses / tempo
    if not pieces:
        return np.zeros(0, np.float32), tuple(words)
    edge = np.zeros(round(RATE * 0.05), np.float32)
    shifted = tuple(Word(word.word, round(word.start + 0.05, 3), round(word.end + 0.05, 3)) for word in words)
    return np.concatenate((edge, *pieces, edge, edge)), shifted


_SET_PITCH = {"rms": 101.5}
"""Flite voices whose pitch in Hz is part of the recording and cannot be set."""


def _size(voice: voices.Voice) -> float:
    """Return the factor on the formants; where pitch cannot be set it carries half of the pitch's change as well."""
    recorded = _SET_PITCH.get(voice.recording)
    return voice.size if recorded is None else voice.size * (voice.pitch / recorded / voice.size) ** 0.5


def _by_flite(phrase: _Phrase, voice: voices.Voice, seed: int) -> _Spoken:
    size = _size(voice)
    pieces = [_ascii(token.spoken) + ("," if token.pause == "," and token.spoken else "") for token in phrase.tokens]
    text = " ".join(filter(None, pieces)) + ("?" if phrase.tokens[-1].written.rstrip("\"')”").endswith("?") else ".")
    heard = flite.synthesize(
        text,
        voice.recording,
        pitch=voice.pitch / size,
        range=14.0 * voice.range * voice.pitch / 120,
        stretch=size / voice.tempo,
        seed=seed,
    )
    counts = [len(piece.split()) for piece in pieces]
    starts = np.cumsum([0, *counts])
    if starts[-1] == len(heard.times):
        times = [
            (heard.times[first][0], heard.times[last - 1][1]) if last > first else None
            for first, last in pairwise(starts)
        ]
    else:
        times = _shared_out(pieces, len(heard.samples) / heard.rate)
    return _finished(heard.samples, heard.rate, times, size)


def _ascii(spoken: str) -> str:
    folded = unicodedata.normalize("NFKD", spoken.replace("’", "'"))
    return " ".join(folded.encode("ascii", "ignore").decode().split())


def _shared_out(pieces: Sequence[str], duration: float) -> list[tuple[float, float] | None]:
    """Return times in proportion to the length of each piece."""
    ends = np.cumsum([0, *(len(piece) for piece in pieces)]) * duration / max(1, sum(map(len, pieces)))
    return [
        (float(start), float(end)) if piece else None for piece, start, end in zip(pieces, ends, ends[1:], strict=False)
    ]


def _by_espeak(phrase: _Phrase, voice: voices.Voice, session: espeak.Synthesizer) -> _Spoken:
    offsets, text = [], ""
    for token in phrase.tokens:
        if token.spaced and text and token.spoken:
            text += " "
        offsets.append((len(text), len(text) + len(token.spoken)))
        text += token.spoken
        if token.pause == "," and token.spoken:
            text += ","
    text += "?" if phrase.tokens[-1].written.rstrip("\"')”").endswith(("?", "？", "؟")) else "."
    rate = _WORDS_PER_MINUTE * voice.tempo / voice.size
    base = _TIMBRE_PITCH[voice.timbre]
    style = espeak.Style(
        voice=_accent(phrase.language, voice),
        variant=voice.timbre,
        rate=round(rate),
        pitch=_clamped(50 + 50 * float(np.log2(voice.pitch / voice.size / base))),
        range=_clamped(50 * voice.range),
    )
    heard = session.synthesize(text, style)
    set_rate = min(espeak.MAX_RATE, max(espeak.MIN_RATE, rate))
    factor = set_rate / rate
    samples = timbre.stretch(heard.samples, heard.rate, factor)
    marks = [(offset, time * factor) for offset, time in heard.marks]
    times = _times_of(offsets, marks, len(samples) / heard.rate, len(text))
    return _finished(samples, heard.rate, times, voice.size)


def _clamped(value: float) -> int:
    return min(99, max(0, round(value)))


def _accent(language: str, voice: voices.Voice) -> str:
    """Return the voice's own accent of the language, or the language's usual one."""
    return voice.accent if languages.normalize(voice.accent) == language else language


def _times_of(
    offsets: Sequence[tuple[int, int]], marks: Sequence[tuple[int, float]], duration: float, length: int
) -> list[tuple[float, float] | None]:
    """Interpolate the times of character ranges between the offsets that were heard."""
    firsts: dict[int, float] = {}
    for offset, time in marks:
        if not firsts or (offset > max(firsts) and time >= max(firsts.values())):
            firsts[offset] = time
    anchors = [*sorted(firsts.items()), (length, duration)]
    places, moments = zip(*anchors, strict=True)
    return [
        (float(np.interp(first, places, moments)), float(np.interp(last + 1, places, moments)))
        if last > first
        else None
        for first, last in offsets
    ]


def _finished(samples: Samples, rate: int, times: Sequence[tuple[float, float] | None], size: float) -> _Spoken:
    """Resample to `RATE` (moving formants and pitch by `size`), trim the ends, and tighten the words' ends."""
    sounding = audio.resample(samples, round(rate * size), RATE)
    level = np.abs(sounding)
    threshold = _QUIET * float(level.max(initial=0.0))
    loud = np.flatnonzero(level > threshold)
    if not loud.size:
        loud = np.array([0, len(sounding) - 1])
    first = max(0, int(loud[0]) - round(RATE * 0.01))
    last = min(len(sounding), int(loud[-1]) + round(RATE * 0.03))
    cut = loudness.fade(sounding[first:last], RATE, 0.004)
    offset, limit = first / RATE, len(cut) / RATE
    found: list[tuple[float, float]] = []
    previous = 0.0
    for time in times:
        if time is None:
            found.append((previous, previous))
            continue
        start = min(limit, max(previous, time[0] / size - offset))
        end = min(limit, max(start, time[1] / size - offset))
        end = _word_end(cut, start, end, threshold)
        found.append((start, end))
        previous = end
    return _Spoken(cut, tuple(found))


def _word_end(samples: Samples, start: float, end: float, threshold: float) -> float:
    """Move a word's end back over the silence before the next word."""
    part = np.abs(samples[round(start * RATE) : round(end * RATE)])
    loud = np.flatnonzero(part > threshold)
    return start + (int(loud[-1]) + 1) / RATE if loud.size else end
