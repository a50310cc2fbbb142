"""Ears: pocketsphinx's decoder, and what it learns about the voices of one source."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pocketsphinx
from numpy.typing import NDArray

from opperlite.engine.sound import audio, diarization, vocabulary
from opperlite.engine.sound.speech import Word
from opperlite.engine.sound.stretches import RATE, Samples, Stretch, floating

_FRAME = 0.01
"""Seconds per frame of the decoder."""


@lru_cache(maxsize=1)
def _decoder() -> Any:
    """Return the decoder, loaded once (about half a second, 110 MB)."""
    return _new_decoder()


def _new_decoder() -> Any:
    # 3,000 states instead of 30,000 cost less and err no more. A second pass finds one wrong word in seven of Flite's
    # speech, and adds one in eighteen to espeak-ng's, which people's is less like (measured on thirty sentences).
    decoder = pocketsphinx.Decoder(samprate=RATE, loglevel="FATAL", cmn="batch", maxhmmpf=3000)
    # The first decoding differs from all later ones; it is spent on silence.
    _decode(decoder, np.zeros(RATE // 2, np.int16))
    return decoder


def _decode(decoder: Any, samples: NDArray[np.int16]) -> None:
    """Decode a whole stretch, independently of what the decoder heard before."""
    decoder.reinit_feat()
    decoder.start_utt()
    decoder.process_raw(samples.tobytes(), full_utt=True)
    decoder.end_utt()


_WARPS = (0.88, 0.94, 1.0, 1.07, 1.15, 1.23)
"""Factors by which a voice may be slowed to bring its formants to those of the model's speakers."""

_LOW_START, _HIGH_START = 2, 4
"""Places in `_WARPS` from which the search starts for low and for high voices."""

_RELUCTANCE = 0.25
"""Log likelihood of a frame that each place away from an unchanged voice must gain; little sound misleads."""

_HIGH_PITCH = 150.0
"""Hz from which on a voice is high: between the means of men and women."""

_ENOUGH = 5.0
"""Seconds of a voice that decide its factor; one found on fewer is looked for again when more was heard."""


@dataclass(slots=True)
class Ears:
    """A decoder and what it learnt about the voices of one source.

    The model knows few high voices. Slowing a voice by the factor whose acoustic likelihood is best (vocal tract
    length normalization, Lee and Rose 1996) halves the errors on women's.
    """

    decoder: Any
    written: Mapping[str, str]
    heard: dict[bool, Samples]
    warps: dict[bool, tuple[float, int]]

    def hear(self, stretch: Stretch) -> None:
        """Remember the first seconds of high and of low voices."""
        sound = floating(stretch)
        high = _is_high(diarization.pitches(sound, RATE))
        before = self.heard.get(high, sound[:0])
        if len(before) < 0.8 * RATE * _ENOUGH:
            self.heard[high] = np.concatenate((before, sound))[: round(RATE * _ENOUGH)]

    def recognize(self, stretch: Stretch) -> tuple[Word, ...]:
        """Return the words of a stretch that was heard."""
        sound = floating(stretch)
        found = diarization.pitches(sound, RATE)
        if _held(found) > _HELD:
            return ()
        warp = self._warp(_is_high(found))
        self._decode(sound, warp)
        words = tuple(self._words(stretch.start, _FRAME / warp))
        return words if _plausible(len(words), len(sound) / RATE, found) else ()

    def _warp(self, high: bool) -> float:
        """Return the factor of high or of low voices, found on what was heard of them so far."""
        warp, length = self.warps.get(high, (1.0, 0))
        sound = self.heard[high]
        if len(sound) > length:
            warp = self._best_warp(sound, _HIGH_START if high else _LOW_START)
            self.warps[high] = warp, len(sound)
        return warp

    def _best_warp(self, sound: Samples, start: int) -> float:
        """Return the factor of greatest likelihood, climbing from place to place of `_WARPS`."""
        known: dict[int, float] = {}

        def likelihood(place: int) -> float:
            if place not in known:
                known[place] = self._likelihood(sound, _WARPS[place]) - _RELUCTANCE * abs(place - _LOW_START)
            return known[place]

        place, last = -1, start
        while place != last:
            place = last
            last = max(range(max(0, place - 1), min(len(_WARPS), place + 2)), key=likelihood)
        return _WARPS[place]

    def _likelihood(self, sound: Samples, warp: float) -> float:
        """Return the mean acoustic log likelihood of a frame."""
        self._decode(sound, warp)
        total, frames = 0.0, 0
        for segment in self.decoder.seg() or ():
            total += math.log(max(segment.ascore, sys.float_info.min))
            frames += segment.end_frame - segment.start_frame + 1
        return total / frames if frames else -math.inf

    def _decode(self, sound: Samples, warp: float) -> None:
        _decode(self.decoder, audio.pcm16(audio.resample(sound, RATE, round(RATE * warp))))

    def _words(self, start: float, frame: float) -> Iterator[Word]:
        """Yield the decoder's words without its marks of silence and noise."""
        for segment in self.decoder.seg() or ():
            name = re.sub(r"\(\d+\)$", "", segment.word)
            if name[0] not in "<[+" and name != vocabulary.MARK * 2:
                first, last = start + segment.start_frame * frame, start + (segment.end_frame + 1) * frame
                yield Word(self.written.get(name) or _cased(name), round(first, 2), round(last, 2))


def ahead(found: Iterator[Stretch], ears: Ears) -> Iterator[Stretch]:
    """Let the ears hear every stretch before it is recognized, and the first seconds of a source all at once."""
    waiting: list[Stretch] = []
    for stretch in found:
        ears.hear(stretch)
        waiting.append(stretch)
        if stretch.start + len(stretch.samples) / RATE - waiting[0].start >= _ENOUGH:
            break
    yield from waiting
    for stretch in found:
        ears.hear(stretch)
        yield stretch


def _is_high(pitches: NDArray[np.float32]) -> bool:
    return bool(pitches.size) and float(np.median(pitches)) >= _HIGH_PITCH


def plain_ears() -> Ears:
    """Return ears on the decoder that all sources share."""
    return Ears(_decoder(), {}, {}, {})


def prompted_ears(prompt: str) -> Ears:
    """Return ears of their own for a prompt: what is added to a decoder stays in it."""
    decoder = _new_decoder()
    return Ears(decoder, vocabulary.add(decoder, prompt), {}, {})


_HELD = 0.8
"""Share of held pitch from which on a stretch is music: singing synthesizers and beeps hold, speech glides."""

_UNMOVED, _WIDE = 0.1, 3.5
"""Semitones: a pitch that moves less from frame to frame is held; one that spreads more is a melody."""

_SLOWEST = 1.6
"""Words per second under which a stretch may be music; people reach three between their pauses."""

_FEWEST = 0.8
"""Words per second under which a stretch is no speech, whatever its pitch."""


def _held(pitches: NDArray[np.float32]) -> float:
    """Return the share of voiced frames whose pitch is that of the frame before; 0 when there are few."""
    if len(pitches) < 50:
        return 0.0
    return float((np.abs(np.diff(12 * np.log2(pitches))) < _UNMOVED).mean())


def _plausible(words: int, seconds: float, pitches: NDArray[np.float32]) -> bool:
    """Tell speech from music: music gives the decoder few words, at pitches that are held or spread wide."""
    if words >= _SLOWEST * seconds:
        return True
    if words < _FEWEST * seconds:
        return False
    melodious = len(pitches) < 10 or float((12 * np.log2(pitches)).std()) > _WIDE
    return not melodious and _held(pitches) < 0.6


def _cased(word: str) -> str:
    return word[:1].upper() + word[1:] if word == "i" or word.startswith("i'") else word
