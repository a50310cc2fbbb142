"""Text to speech: any text in any voice, with the time of every word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from opperlite.engine.sound import languages, loudness, normalization, synthesis, timbre, voices
from opperlite.engine.sound.phrases import RATE, Phrase, Samples, finished, line, phrases

__all__ = ["MAX_SPEED", "MIN_SPEED", "RATE", "Samples", "Speech", "Word", "speak"]

MIN_SPEED, MAX_SPEED = 0.25, 4.0

_EMPTY = 0.3
"""Seconds of silence that stand for a text with nothing to say."""

_EDGE = 0.05
"""Seconds of silence before the first word; twice as much follows the last."""

_PAUSES = {".": 0.38, ",": 0.14, "": 0.03}
"""Seconds of silence after a phrase, by what ends it."""


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
    spoken, words = _perform(list(phrases(tokens)), chosen, manner, speed, seed)
    if not spoken.size:
        return Speech(np.zeros(round(RATE * _EMPTY), np.float32), RATE, (), written, code)
    if manner.whisper:
        spoken = timbre.whisper(spoken, RATE, seed)
    spoken = timbre.tilt(spoken, RATE, round(chosen.tilt + manner.tilt, 2))
    levelled = loudness.level(spoken, RATE, loudness.TARGET + manner.gain)
    return Speech(loudness.fade(levelled, RATE), RATE, words, written, code)


def _perform(
    said: Sequence[Phrase], voice: voices.Voice, manner: voices.Manner, speed: float, seed: int
) -> tuple[Samples, tuple[Word, ...]]:
    """Speak phrases one after another and set their words on one time line."""
    tempo = voice.tempo * manner.tempo * speed
    adjusted = replace(voice, pitch=voice.pitch * manner.pitch, range=voice.range * manner.range, tempo=tempo)
    heard = iter(synthesis.spoken([line(phrase, adjusted) for phrase in said if not phrase.silent], seed))
    pieces: list[Samples] = []
    words: list[Word] = []
    clock, gap = _EDGE, 0.0
    for phrase in said:
        if phrase.silent:
            words.extend(Word(token.written, round(clock, 3), round(clock, 3)) for token in phrase.tokens)
            continue
        spoken = finished(phrase, adjusted, next(heard))
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
    edge = np.zeros(round(RATE * _EDGE), np.float32)
    return np.concatenate((edge, *pieces, edge, edge)), tuple(words)
