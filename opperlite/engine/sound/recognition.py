"""Speech to text by pocketsphinx and its English model, in bounded memory."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pocketsphinx
from numpy.typing import NDArray

from opperlite.engine.sound import audio, diarization, languages, vocabulary
from opperlite.engine.sound.speech import Word

Samples = NDArray[np.float32]

RATE = 16_000
"""Sample rate of the acoustic model, in Hz."""

LANGUAGE = "en"
"""The language of the model, and so of every transcript without a hint."""

_FRAME = 0.01
"""Seconds per frame of the decoder."""

_LONGEST = 20.0
"""Seconds after which speech without a pause is cut at its quietest place."""

_SEARCH = 4.0
"""Seconds before the cut in which that place is looked for."""


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


@dataclass(frozen=True, slots=True)
class Stretch:
    start: float
    samples: NDArray[np.int16]


def transcribe(
    path: Path | str,
    *,
    language: str | None = None,
    prompt: str | None = None,
    diarize: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Transcript:
    """Recognize the English speech in an audio file or the sound of a film.

    `language` is returned as given (as ISO 639-1 where known), else "en": the model knows no other. The words of
    `prompt` become likelier. `progress` is called with the seconds heard so far. Music and silence give an empty
    transcript. Raises BadMedia when the source has no sound that can be decoded.
    """
    ears = _prompted_ears(prompt) if prompt else _Ears(_decoder(), {}, {}, {})
    meter = Meter(path, progress)
    turns: list[tuple[Word, ...]] = []
    signatures: list[diarization.Signature | None] = []
    for stretch in _ahead(stretches(meter), ears):
        heard = ears.recognize(stretch)
        for turn in _turns(heard, _TURN_PAUSE if diarize else _SENTENCE_PAUSE):
            turns.append(turn)
            signatures.append(_signature(stretch, turn) if diarize else None)
    segments = _attributed(turns, diarization.speakers(signatures)) if diarize else map(_segment, turns)
    return _transcript(tuple(segments), turns, languages.normalize(language) or language or LANGUAGE, meter.seconds)


def _transcript(
    segments: tuple[Segment, ...], turns: Sequence[tuple[Word, ...]], language: str, seconds: float
) -> Transcript:
    text = " ".join(segment.text for segment in segments)
    return Transcript(text, language, round(seconds, 3), segments, tuple(chain.from_iterable(turns)))


class Meter:
    """The 16-bit blocks of a source, counted as they pass."""

    def __init__(self, path: Path | str, progress: Callable[[float], None] | None) -> None:
        self._path = path
        self._progress = progress
        self._count = 0

    @property
    def seconds(self) -> float:
        return self._count / RATE

    def __iter__(self) -> Iterator[NDArray[np.int16]]:
        for block in audio.decode_blocks(self._path, RATE):
            self._count += len(block)
            yield audio.pcm16(block)
            if self._progress is not None:
                self._progress(self.seconds)


def stretches(blocks: Meter) -> Iterator[Stretch]:
    """Yield the stretches of sound that may be speech, none longer than `_LONGEST`."""
    endpointer = pocketsphinx.Endpointer(sample_rate=RATE)
    kept: list[bytes] = []
    start = 0.0
    for frame, last in _endpointer_frames(blocks, endpointer.frame_bytes):
        speech = endpointer.end_stream(frame) if last else endpointer.process(frame)
        if speech is None:
            continue
        if not kept:
            start = endpointer.speech_start
        kept.append(speech)
        if not endpointer.in_speech:
            yield Stretch(start, np.frombuffer(b"".join(kept), np.int16))
            kept = []
        elif sum(map(len, kept)) > 2 * RATE * _LONGEST:
            samples = np.frombuffer(b"".join(kept), np.int16)
            cut = _quietest(samples)
            yield Stretch(start, samples[:cut])
            kept = [samples[cut:].tobytes()]
            start += cut / RATE
    if kept:
        yield Stretch(start, np.frombuffer(b"".join(kept), np.int16))


def _endpointer_frames(blocks: Meter, size: int) -> Iterator[tuple[bytes, bool]]:
    """Yield frames of `size` bytes, then the shorter rest marked as the last one."""
    rest = b""
    for block in blocks:
        rest += block.tobytes()
        whole = len(rest) // size * size
        for at in range(0, whole, size):
            yield rest[at : at + size], False
        rest = rest[whole:]
    # The endpointer fails on an empty frame.
    yield rest or bytes(2), True


def _quietest(samples: NDArray[np.int16]) -> int:
    """Return where, in the last seconds, 100 ms are quietest."""
    step = RATE // 50
    tail = samples[-round(RATE * _SEARCH) :]
    energy = (tail[: len(tail) // step * step].astype(np.float32).reshape(-1, step) ** 2).mean(axis=1)
    return len(samples) - len(tail) + (int(np.convolve(energy, np.ones(5), "valid").argmin()) + 2) * step


@lru_cache(maxsize=1)
def _decoder() -> Any:
    """Return the decoder, loaded once (about half a second, 110 MB)."""
    return _new_decoder()


def _new_decoder() -> Any:
    # One pass over at most 3,000 states costs a third less than two over 30,000 and errs no more (measured).
    decoder = pocketsphinx.Decoder(samprate=RATE, loglevel="FATAL", cmn="batch", maxhmmpf=3000, fwdflat=False)
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
class _Ears:
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


def _ahead(stretches: Iterator[Stretch], ears: _Ears) -> Iterator[Stretch]:
    """Let the ears hear every stretch before it is recognized, and the first seconds of a source all at once."""
    waiting: list[Stretch] = []
    for stretch in stretches:
        ears.hear(stretch)
        waiting.append(stretch)
        if stretch.start + len(stretch.samples) / RATE - waiting[0].start >= _ENOUGH:
            break
    yield from waiting
    for stretch in stretches:
        ears.hear(stretch)
        yield stretch


def floating(stretch: Stretch) -> Samples:
    return stretch.samples.astype(np.float32) / np.float32(32768)


def _is_high(pitches: NDArray[np.float32]) -> bool:
    return bool(pitches.size) and float(np.median(pitches)) >= _HIGH_PITCH


def _prompted_ears(prompt: str) -> _Ears:
    """Return ears of their own for a prompt: what is added to a decoder stays in it."""
    decoder = _new_decoder()
    return _Ears(decoder, vocabulary.add(decoder, prompt), {}, {})


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


def _cased(word: str) -> str:
    return word[:1].upper() + word[1:] if word == "i" or word.startswith("i'") else word


def _sentence(words: tuple[Word, ...]) -> str:
    text = " ".join(word.word for word in words)
    return f"{text[:1].upper()}{text[1:]}."
