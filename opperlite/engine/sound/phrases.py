"""Phrases: what one sentence asks of a synthesizer, and what comes back of it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from opperlite.engine.sound import audio, espeak, flite, languages, loudness, timbre, voices
from opperlite.engine.sound.normalization import Token
from opperlite.engine.sound.synthesis import Line, ModelledLine, RecordedLine, Utterance

Samples = NDArray[np.float32]

RATE = 24_000
"""Sample rate of all speech, in Hz; that of OpenAI's speech."""

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

_PHRASE = 320
"""Characters after which a phrase ends at the next pause, or word."""

_QUIET = 0.012
"""Level, relative to the phrase's peak, under which its ends are trimmed and a word has ended."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words of one language that are spoken in one go, and the mark that ends them."""

    tokens: tuple[Token, ...]
    language: str
    pause: str

    @property
    def silent(self) -> bool:
        """True when nothing of it is spoken."""
        return not any(token.spoken for token in self.tokens)


@dataclass(frozen=True, slots=True)
class Spoken:
    """Samples at `RATE` with the start and end of every token of a phrase."""

    samples: Samples
    times: tuple[tuple[float, float], ...]


def phrases(tokens: Sequence[Token]) -> Iterator[Phrase]:
    """Group tokens of one language up to the end of a sentence; tokens without sound join any group."""
    group: list[Token] = []
    length = 0
    for token in tokens:
        previous = next((other for other in reversed(group) if other.spoken), None)
        if previous and token.spoken and token.language != previous.language:
            yield Phrase(tuple(group), previous.language, "")
            group, length = [], 0
        group.append(token)
        length += len(token.spoken) + 1
        if token.pause == "." or (token.pause and length > _PHRASE) or length > 2 * _PHRASE:
            yield Phrase(tuple(group), token.language, token.pause)
            group, length = [], 0
    if group:
        yield Phrase(tuple(group), group[-1].language, ".")


def line(phrase: Phrase, voice: voices.Voice) -> Line:
    """What the synthesizer of this phrase is told."""
    if phrase.language != "en" or not flite.available(voice.recording):
        return _modelled(phrase, voice)
    size = _size(voice)
    text = " ".join(filter(None, _pieces(phrase))) + ("?" if _asks(phrase) else ".")
    return RecordedLine(
        text, voice.recording, voice.pitch / size, 14.0 * voice.range * voice.pitch / 120, size / voice.tempo
    )


def finished(phrase: Phrase, voice: voices.Voice, heard: Utterance) -> Spoken:
    """The phrase in its voice, with the time of each token."""
    if isinstance(heard, flite.Utterance):
        return _from_flite(phrase, voice, heard)
    return _from_espeak(phrase, voice, heard)


def _asks(phrase: Phrase) -> bool:
    return phrase.tokens[-1].written.rstrip("\"')”").endswith(("?", "？", "؟"))


_SET_PITCH = {"rms": 101.5}
"""Flite voices whose pitch in Hz is part of the recording and cannot be set."""


def _size(voice: voices.Voice) -> float:
    """Return the factor on the formants; where pitch cannot be set it carries half of the pitch's change as well."""
    recorded = _SET_PITCH.get(voice.recording)
    return voice.size if recorded is None else voice.size * (voice.pitch / recorded / voice.size) ** 0.5


def _pieces(phrase: Phrase) -> list[str]:
    """What Flite reads for each token."""
    return [_ascii(token.spoken) + ("," if token.pause == "," and token.spoken else "") for token in phrase.tokens]


def _from_flite(phrase: Phrase, voice: voices.Voice, heard: flite.Utterance) -> Spoken:
    pieces = _pieces(phrase)
    counts = [len(piece.split()) for piece in pieces]
    starts = np.cumsum([0, *counts])
    if starts[-1] == len(heard.times):
        times = [
            (heard.times[first][0], heard.times[last - 1][1]) if last > first else None
            for first, last in pairwise(starts)
        ]
    else:
        times = _shared_out(pieces, len(heard.samples) / heard.rate)
    return _trimmed(heard.samples, heard.rate, times, _size(voice))


def _ascii(spoken: str) -> str:
    folded = unicodedata.normalize("NFKD", spoken.replace("’", "'"))
    return " ".join(folded.encode("ascii", "ignore").decode().split())


def _shared_out(pieces: Sequence[str], duration: float) -> list[tuple[float, float] | None]:
    """Return times in proportion to the length of each piece."""
    ends = np.cumsum([0, *(len(piece) for piece in pieces)]) * duration / max(1, sum(map(len, pieces)))
    return [
        (float(start), float(end)) if piece else None for piece, start, end in zip(pieces, ends, ends[1:], strict=False)
    ]


def _offsets(phrase: Phrase) -> tuple[str, list[tuple[int, int]]]:
    """What espeak-ng reads, and the characters of it that each token is."""
    offsets, text = [], ""
    for token in phrase.tokens:
        if token.spaced and text and token.spoken:
            text += " "
        offsets.append((len(text), len(text) + len(token.spoken)))
        text += token.spoken
        if token.pause == "," and token.spoken:
            text += ","
    return text + ("?" if _asks(phrase) else "."), offsets


def _words_per_minute(voice: voices.Voice) -> float:
    return _WORDS_PER_MINUTE * voice.tempo / voice.size


def _modelled(phrase: Phrase, voice: voices.Voice) -> ModelledLine:
    base = _TIMBRE_PITCH[voice.timbre]
    style = espeak.Style(
        voice=_accent(phrase.language, voice),
        variant=voice.timbre,
        rate=round(_words_per_minute(voice)),
        pitch=_clamped(50 + 50 * float(np.log2(voice.pitch / voice.size / base))),
        range=_clamped(50 * voice.range),
    )
    return ModelledLine(_offsets(phrase)[0], style)


def _from_espeak(phrase: Phrase, voice: voices.Voice, heard: espeak.Utterance) -> Spoken:
    text, offsets = _offsets(phrase)
    rate = _words_per_minute(voice)
    factor = min(espeak.MAX_RATE, max(espeak.MIN_RATE, rate)) / rate
    samples = timbre.stretch(heard.samples, heard.rate, factor)
    marks = [(offset, time * factor) for offset, time in heard.marks]
    times = _times_of(offsets, marks, len(samples) / heard.rate, len(text))
    return _trimmed(samples, heard.rate, times, voice.size)


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


def _trimmed(samples: Samples, rate: int, times: Sequence[tuple[float, float] | None], size: float) -> Spoken:
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
    return Spoken(cut, tuple(found))


def _word_end(samples: Samples, start: float, end: float, threshold: float) -> float:
    """Move a word's end back over the silence before the next word."""
    part = np.abs(samples[round(start * RATE) : round(end * RATE)])
    loud = np.flatnonzero(part > threshold)
    return start + (int(loud[-1]) + 1) / RATE if loud.size else end
